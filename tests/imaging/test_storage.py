"""A stored file is named by its bytes and stays what it was."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory

from imaging.storage import Arrived, StorageError, Store, spool


@pytest.fixture
def store(settings, tmp_path):
    settings.STORAGE = tmp_path
    return Store("archive")


def test_what_is_written_is_read_back_by_its_digest(store):
    digest, size = store.write([b"PET", b"/CT"])
    assert (digest, size) == (hashlib.sha256(b"PET/CT").hexdigest(), 6)
    assert store.read(digest) == b"PET/CT"


def test_the_same_bytes_are_stored_once(store):
    assert store.write([b"a"]) == store.write([b"a"])
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 1


@pytest.mark.requirement("R85")
def test_a_changed_file_is_not_served(store):
    digest, _ = store.write([b"voxel"])
    store.path(digest).write_bytes(b"pixel")
    with pytest.raises(StorageError, match="not what it was"):
        store.read(digest)


@pytest.mark.requirement("R41")
@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_is_never_a_path(store, name):
    with pytest.raises(StorageError):
        store.path(name)


def test_an_interrupted_write_leaves_nothing(store):
    def broken():
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.write(broken())
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


@pytest.mark.requirement("R69")
def test_a_large_file_of_a_request_waits_inside_the_quarantine(settings, tmp_path):
    settings.STORAGE = tmp_path
    request = RequestFactory().post(
        "/", {"files": SimpleUploadedFile("0.dcm", bytes(settings.FILE_UPLOAD_MAX_MEMORY_SIZE + 1))}
    )
    received = request.FILES["files"]
    place = Path(received.temporary_file_path())
    assert place.parent == tmp_path / "quarantine" / "spool"
    for folder in (place.parent, place.parent.parent):
        assert folder.stat().st_mode & 0o077 == 0
    received.close()
    assert not place.exists()


def test_what_a_killed_server_left_is_swept_and_nothing_else(settings, tmp_path):
    settings.STORAGE = tmp_path
    place = tmp_path / "quarantine" / "spool"
    place.mkdir(parents=True)
    left, recent = place / "left", place / "recent"
    torn, whole = tmp_path / "archive" / "incoming-x7", tmp_path / "archive" / "ab"
    torn.parent.mkdir()
    for path in (left, recent, torn, whole):
        path.write_bytes(b"PET")
    for path in (left, torn, whole):
        os.utime(path, (0, 0))
    assert spool.sweep() == 2
    assert [path.exists() for path in (left, torn, recent, whole)] == [False, False, True, True]


def test_a_file_that_lies_there_is_moved_and_found_by_a_second_try(store, tmp_path):
    path = tmp_path / "made ready"
    path.write_bytes(b"PET")
    arrived = Arrived(path, hashlib.sha256(b"PET").hexdigest(), 3)
    assert store.write_all([arrived, [b"CT"]])[0] == (arrived.sha256, 3)
    assert (store.read(arrived.sha256), path.exists()) == (b"PET", False)
    assert store.write_all([arrived]) == [(arrived.sha256, 3)]


def test_a_file_that_is_gone_is_not_taken_for_stored(store, tmp_path):
    gone = Arrived(tmp_path / "gone", "0" * 64, 3)
    with pytest.raises(FileNotFoundError):
        store.write_all([gone])


def test_a_file_of_another_disk_is_copied(store):
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as other:
        other.write(b"PET")
        other.flush()
        if Path(other.name).stat().st_dev == store.folder.parent.stat().st_dev:
            pytest.skip("one disk")
        digest = hashlib.sha256(b"PET").hexdigest()
        store.write_all([Arrived(Path(other.name), digest, 3)])
        assert store.read(digest) == b"PET"
