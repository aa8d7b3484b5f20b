"""The archive in a bucket of a real S3 server: it keeps what the folder keeps."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from config.s3_server import CREDENTIALS, ROOT
from imaging.storage import (
    Arrived,
    StorageError,
    UnreachableError,
    archive,
    ask_at_start,
    quarantine,
)
from imaging.storage.bucket import Bucket
from imaging.storage.cache import Cache
from tests.cut_line import Line

pytestmark = pytest.mark.usefixtures("bucket")

LARGE = os.urandom(9 * 2**20)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key(digest: str) -> str:
    return f"trials/one/archive/{digest[:2]}/{digest}"


def keys(bucket) -> list[str]:
    return [one.key for one in bucket.objects.all()]


def forget(settings) -> None:
    """Another machine, or an hour later: no copy is at hand."""
    for path in Path(settings.CACHE).rglob("*"):
        if path.is_file():
            path.unlink()


def test_what_is_written_is_read_back_by_its_digest(bucket, settings):
    digest, size = archive.write([b"PET", b"/CT"])
    assert (digest, size) == (sha256(b"PET/CT"), 6)
    assert keys(bucket) == [key(digest)]
    assert archive.read(digest) == b"PET/CT"
    forget(settings)
    assert archive.read(digest) == b"PET/CT"
    assert (archive.size(digest), archive.has(digest)) == (6, True)
    assert [(one.name, one.size) for one in archive.entries()] == [(f"{digest[:2]}/{digest}", 6)]
    assert archive.digest(f"{digest[:2]}/{digest}") == digest


def test_the_same_bytes_are_one_object(bucket):
    assert archive.write([b"a"]) == archive.write([b"a"])
    assert len(keys(bucket)) == 1


def test_a_file_that_lies_there_is_sent_and_found_by_a_second_try(bucket, tmp_path):
    path = tmp_path / "made ready"
    path.write_bytes(b"PET")
    arrived = Arrived(path, sha256(b"PET"), 3)
    assert archive.write_all([arrived, [b"CT"]])[0] == (arrived.sha256, 3)
    assert (archive.read(arrived.sha256), path.exists()) == (b"PET", False)
    assert archive.write_all([arrived]) == [(arrived.sha256, 3)]
    with pytest.raises(FileNotFoundError):
        archive.write_all([Arrived(path, sha256(b"another"), 7)])


def test_a_file_sent_in_parts_is_one_object_too(bucket, settings):
    digest, _ = archive.write([LARGE])
    forget(settings)
    assert archive.read(digest) == LARGE
    assert keys(bucket) == [key(digest)]


def test_originals_never_leave_the_machine(bucket, settings):
    digest, _ = quarantine.write([b"PET of somebody"])
    assert keys(bucket) == []
    assert quarantine.path(digest).is_relative_to(settings.STORAGE)


@pytest.mark.requirement("R85")
def test_a_changed_object_is_not_served(bucket, settings):
    digest, _ = archive.write([b"voxel"])
    bucket.put_object(Key=key(digest), Body=b"pixel")
    forget(settings)
    with pytest.raises(StorageError, match=r"^archive: [0-9a-f]{12} is not what it was$"):
        archive.read(digest)


def test_an_object_that_is_gone_is_said_to_be_lost(bucket, settings):
    digest, _ = archive.write([b"voxel"])
    bucket.Object(key(digest)).delete()
    forget(settings)
    assert not archive.has(digest)
    with pytest.raises(StorageError, match="archive has lost"):
        archive.read(digest)


@pytest.mark.requirement("R41")
@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_is_never_a_key(name):
    for asked in (archive.read, archive.path, archive.has, archive.remove):
        with pytest.raises(StorageError, match="named by its SHA-256"):
            asked(name)


def test_an_interrupted_write_sends_nothing(bucket, settings):
    def broken():
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        archive.write(broken())
    assert keys(bucket) == []
    assert [path for path in Path(settings.CACHE).rglob("*") if path.is_file()] == []


def test_what_does_not_come_back_as_it_was_sent_does_not_count_as_stored(
    bucket, settings, s3_server
):
    """A line that changes a byte on its way: the server's answer is that all is well."""

    class Changing(Line):
        def changed(self, data):
            return data.replace(b"voxel", b"pixel")

    settings.ARCHIVE = settings.ARCHIVE._replace(endpoint=Changing(s3_server).endpoint)
    with pytest.raises(StorageError, match="did not come back from the bucket as it was sent"):
        archive.write([b"a voxel"])
    assert [path for path in Path(settings.CACHE).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("data", [bytes(2**20), LARGE], ids=["at once", "in parts"])
def test_a_line_cut_in_mid_upload_leaves_nothing_half_visible(bucket, settings, s3_server, data):
    """The library tries again by itself; this line is cut each time."""
    good, line = settings.ARCHIVE, Line(s3_server, upload=1)
    settings.ARCHIVE = good._replace(endpoint=line.endpoint)
    with pytest.raises(UnreachableError, match="does not answer"):
        archive.write([data])
    assert line.cuts >= 1
    settings.ARCHIVE = good
    assert keys(bucket) == []
    assert not archive.has(sha256(data))
    digest, _ = archive.write([data])
    assert archive.digest(f"{digest[:2]}/{digest}") == digest


# Destruction


def test_what_is_removed_is_read_nowhere(bucket):
    digest, _ = archive.write([b"voxel"])
    archive.remove(digest)
    assert keys(bucket) == []
    with pytest.raises(StorageError, match="archive has lost"):
        archive.read(digest)
    archive.remove(digest)


def test_a_bucket_that_keeps_versions_keeps_none_of_what_is_removed(settings, s3_server):
    bucket = s3_server.bucket("keeps-versions", keeps_versions=True)
    settings.ARCHIVE = s3_server.address(bucket.name)
    digest, _ = archive.write([b"voxel"])
    other, _ = archive.write([b"pixel"])
    archive.write([b"voxel"])
    archive.remove(digest)
    assert {one.object_key for one in bucket.object_versions.all()} == {key(other)}


def test_a_server_that_knows_neither_versions_nor_parts_does(bucket, monkeypatch):
    """moto knows both; the answer of a server that doesn't is put in its place."""
    pages = Bucket._pages

    def unknown(self, what, **more):
        if what != "list_objects_v2":
            raise ClientError({"Error": {"Code": "NotImplemented"}}, what)
        return pages(self, what, **more)

    monkeypatch.setattr(Bucket, "_pages", unknown)
    digest, _ = archive.write([b"voxel"])
    assert len(list(archive.entries())) == 1
    archive.remove(digest)
    assert keys(bucket) == []


def test_an_object_that_the_bucket_keeps_all_the_same_is_an_error(bucket, monkeypatch):
    """A lock of the bucket, or a right that is missing."""
    digest, _ = archive.write([b"voxel"])
    monkeypatch.setattr(Bucket, "_versions", lambda *_: [])
    monkeypatch.setattr("storages.backends.s3.S3Storage.delete", lambda *_: None)
    with pytest.raises(StorageError, match="the bucket keeps"):
        archive.remove(digest)


# Copies


def test_a_copy_spares_the_way_and_is_compared_with_its_digest(bucket, settings):
    digest, _ = archive.write([b"voxel"])
    copy = archive.path(digest)
    assert copy.is_relative_to(settings.CACHE)
    bucket.Object(key(digest)).delete()
    assert archive.read(digest) == b"voxel"
    bucket.put_object(Key=key(digest), Body=b"voxel")
    copy.write_bytes(b"pixel")
    assert archive.read(digest) == b"voxel"
    assert copy.read_bytes() == b"voxel"


def test_a_volume_s_files_are_brought_at_once_and_what_is_lost_is_said_when_it_is_read(
    bucket, settings
):
    digests = [archive.write([bytes([number])])[0] for number in range(20)]
    lost, changed = digests[:2]
    bucket.Object(key(lost)).delete()
    bucket.put_object(Key=key(changed), Body=b"pixel")
    forget(settings)
    archive.bring(digests)
    bucket.objects.delete()
    assert [archive.read(one) for one in digests[2:]] == [bytes([n]) for n in range(2, 20)]
    for one in (lost, changed):
        with pytest.raises(StorageError, match="archive has lost"):
            archive.read(one)
    settings.ARCHIVE = settings.ARCHIVE._replace(endpoint="http://127.0.0.1:1")
    with pytest.raises(UnreachableError):
        archive.bring([lost])


def test_a_copy_is_good_for_an_hour(bucket, settings):
    digest, _ = archive.write([b"voxel"])
    os.utime(archive.path(digest), (time.time() - 3601,) * 2)
    bucket.Object(key(digest)).delete()
    with pytest.raises(StorageError, match="archive has lost"):
        archive.read(digest)


def test_nobody_else_looks_into_the_copies(settings):
    digest, _ = archive.write([b"voxel"])
    folder = archive.path(digest).parent
    for each in (folder, folder.parent):
        assert each.stat().st_mode & 0o077 == 0


def test_the_oldest_copies_go_first_and_the_folder_stays_within_its_bound(tmp_path):
    cache = Cache(tmp_path / "copies", 1000)
    digests = []
    for number in range(40):
        digests.append(cache.add([bytes([number]) * 50]))
        os.utime(cache.path(digests[-1]), (time.time() - 1000 + number,) * 2)
        held = [path for path in cache.folder.rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in held) <= 1000
    left = [digest for digest in digests if cache.read(digest) is not None]
    assert left == digests[-len(left) :]
    assert len(left) >= 15


def test_a_file_larger_than_the_bound_is_read_all_the_same(settings):
    settings.CACHE_BYTES = 1000
    digest, _ = archive.write([bytes(5000)])
    assert archive.read(digest) == bytes(5000)
    with pytest.raises(StorageError, match="larger than the cache may hold"):
        archive.path(digest)


def test_what_was_left_behind_among_the_copies_goes_within_an_hour(tmp_path):
    cache = Cache(tmp_path / "copies", 1000)
    digest = cache.add([b"good"])
    for name in ("incoming-left", "incoming-now"):
        (cache.folder / name).write_bytes(bytes(2000))
    os.utime(cache.folder / "incoming-left", (0, 0))
    cache.sweep()
    assert not (cache.folder / "incoming-left").exists()
    assert (cache.folder / "incoming-now").exists()
    assert cache.read(digest) is None


# What is wrong with the settings


def web_server(**changes: str) -> subprocess.CompletedProcess:
    return run(["-c", "import config.wsgi; print('started')"], **changes)


def run(words: list[str], **changes: str) -> subprocess.CompletedProcess:
    """A program of ours, with settings of a bucket and no other way to its credentials."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, *words],
        env=clean | {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | changes,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def good(bucket, s3_server):
    return CREDENTIALS | {
        "TRIALTRACE_ARCHIVE": f"s3://{bucket.name}/trials/one",
        "TRIALTRACE_S3_ENDPOINT": s3_server.endpoint,
    }


def test_the_web_server_starts_with_a_bucket_that_is_there(good):
    started = web_server(**good)
    assert started.stdout == "started\n", started.stderr


def test_a_wrong_bucket_ends_the_start_by_name(good):
    started = web_server(**good | {"TRIALTRACE_ARCHIVE": "s3://nowhere"})
    assert started.returncode == 1
    assert started.stderr.splitlines()[-1] == (
        "There is no bucket nowhere: look at TRIALTRACE_ARCHIVE."
    )


def test_a_worker_does_not_start_without_its_bucket_either(good):
    started = run(
        ["-m", "celery", "-A", "config", "worker"], **good | {"TRIALTRACE_ARCHIVE": "s3://nowhere"}
    )
    assert started.returncode == 1
    assert started.stderr.splitlines()[-1].startswith("There is no bucket nowhere")


def test_missing_credentials_end_the_start(good):
    given = good | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    started = web_server(**given)
    assert started.returncode == 1
    assert started.stderr.splitlines()[-1].startswith("No credentials for the bucket")


def test_a_server_that_is_away_is_warned_of_and_asked_again_later(good, settings, caplog):
    started = web_server(**good | {"TRIALTRACE_S3_ENDPOINT": "http://127.0.0.1:1"})
    assert started.stdout == "started\n", started.stderr
    assert "does not answer (EndpointConnectionError)" in started.stderr


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, b"<!doctype html><p>Not here", "does not speak S3"),
        (200, b"<html><p>Welcome</p></html>", "does not speak S3"),
        (200, b"<!doctype html><p>Welcome", "is at fault"),
    ],
)
def test_a_server_that_speaks_no_s3_is_no_empty_bucket(settings, status, body, expected):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    settings.ARCHIVE = settings.ARCHIVE._replace(endpoint=endpoint)
    try:
        for ask in (lambda: archive.has(sha256(b"voxel")), lambda: list(archive.entries())):
            with pytest.raises(UnreachableError, match=expected):
                ask()
    finally:
        server.shutdown()
        server.server_close()


def test_a_wrong_bucket_is_no_missing_file(settings, s3_server):
    """Nothing may count as destroyed, or as lost, because a name was mistyped."""
    settings.ARCHIVE = s3_server.address("nowhere")
    digest = sha256(b"voxel")
    for act in (
        lambda: archive.has(digest),
        lambda: archive.read(digest),
        lambda: archive.remove(digest),
        lambda: archive.write([b"voxel"]),
        lambda: list(archive.entries()),
    ):
        with pytest.raises(UnreachableError, match="There is no bucket nowhere"):
            act()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("SignatureDoesNotMatch", "refuses us"),
        ("AccessDenied", "refuses us"),
        ("PermanentRedirect", "lies elsewhere"),
    ],
)
def test_a_refusal_of_the_server_names_what_to_look_at(bucket, monkeypatch, code, expected):
    """moto asks nobody for credentials; what a server answers that does is put in its place."""
    error = ClientError({"Error": {"Code": code}}, "ListObjectsV2")

    def refuses(one):
        raise one._answered(error)

    monkeypatch.setattr(Bucket, "ask", refuses)
    with pytest.raises(SystemExit, match=rf"{expected} \({code}\): look at"):
        ask_at_start()
