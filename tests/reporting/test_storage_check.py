"""One bit flipped, one file gone, one file too many: each is found, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from django.core.management import call_command

from imaging import storage
from imaging.models import Destruction, Instance, PartialUpload, ReceivedFile, Transmittal
from imaging.services import destruction, journal, partial_uploads
from imaging.storage import prepared
from imaging.storage.folder import Folder
from imaging.tasks import sweep_left_behind
from reporting.services.storage_check import Kind, check
from tests import factories, records
from tests.records import Record
from trials.services import jobs, withdrawals

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stores(storage_as_kept):
    pass


@pytest.fixture(scope="module")
def arranged(kept) -> Record:
    site = factories.make_site(factories.make_trial())
    made = records.make_record(site, by=records.everyone(site.trial))
    # The record is made beside the intake: its rows of received files have no bytes.
    with factories.framed():
        ReceivedFile.objects.update(state=ReceivedFile.State.RELEASED)
    return made


@pytest.fixture
def record(arranged, db) -> Record:
    return records.read_anew(arranged)


def found():
    return [(one.store, one.kind, one.name) for one in check()]


def old(path):
    os.utime(path, (0, 0))
    return path


@pytest.fixture
def image(record):
    return Instance.objects.filter(series=record.series).first().sha256


@pytest.mark.requirement("R85")
def test_stores_that_are_as_recorded_give_nothing_to_say(image):
    assert found() == []


@pytest.mark.requirement("R85")
def test_a_flipped_bit_is_found(image):
    path = storage.archive.path(image)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert found() == [("archive", Kind.CHANGED, image)]


@pytest.mark.requirement("R85")
def test_a_file_that_is_gone_is_found(image):
    storage.archive.remove(image)
    assert found() == [("archive", Kind.MISSING, image)]


@pytest.mark.requirement("R85")
@pytest.mark.parametrize("name", ["incoming-x7", "ab/" + "ab" * 32])
@pytest.mark.parametrize("store", ["quarantine", "archive", "exports"])
def test_a_file_too_many_is_found_once_it_is_not_young(image, tmp_path, store, name):
    path = tmp_path / store / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PET")
    assert found() == []
    old(path)
    assert found() == [(store, Kind.EXTRA, name)]


@pytest.mark.requirement("R85")
def test_a_file_the_disk_does_not_give_is_a_finding_and_the_rest_is_looked_at(image, monkeypatch):
    def broken(place, name):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Folder, "digest", broken)
    kinds = {kind for _, kind, _ in found()}
    assert kinds == {Kind.UNREADABLE}


def test_a_file_at_another_place_is_no_copy_of_what_is_missing(image, tmp_path):
    path = storage.archive.path(image)
    moved = tmp_path / "archive" / "zz" / image
    moved.parent.mkdir()
    old(path.rename(moved))
    assert sorted(found()) == [
        ("archive", Kind.EXTRA, f"zz/{image}"),
        ("archive", Kind.MISSING, image),
    ]


def test_a_link_in_place_of_a_file_is_none(image, tmp_path):
    path = storage.archive.path(image)
    elsewhere = path.rename(tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    os.utime(path, (0, 0), follow_symlinks=False)
    assert found() == [("archive", Kind.EXTRA, f"{image[:2]}/{image}")]


@pytest.mark.requirement("R85")
def test_a_quick_look_finds_what_is_gone_or_cut_short_and_says_what_it_does_not(image, capsys):
    path = storage.archive.path(image)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    call_command("fsck", "--quick")
    said = capsys.readouterr()
    assert said.out == "Names and sizes as recorded; no file was read.\n"
    assert "a changed byte is found only without --quick" in said.err
    path.write_bytes(data[:-1])
    assert [one.kind for one in check(is_quick=True)] == [Kind.CHANGED]
    path.unlink()
    assert [one.kind for one in check(is_quick=True)] == [Kind.MISSING]


def test_what_was_destroyed_on_a_patient_s_wish_is_rightly_gone(record):
    withdrawals.record(
        record.patient,
        extent="destroy",
        initiative="patient",
        withdrawn_at=record.site.today().isoformat(),
        text="no more",
        by=record.scan.injection.recorded_by,
    )
    image = Instance.objects.filter(series=record.series).first().sha256
    bytes_of_it = storage.archive.read(image)
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    assert found() == []
    storage.archive.write([bytes_of_it])
    assert found() == [("archive", Kind.KEPT, f"{image[:2]}/{image}")]


def test_the_command_prints_each_finding_with_what_to_do(image, capsys):
    call_command("fsck")
    assert capsys.readouterr().out == "All as recorded.\n"
    storage.archive.remove(image)
    with pytest.raises(SystemExit) as left:
        call_command("fsck")
    assert left.value.code == 3
    assert f"archive: {image} is missing. The record names it: restore it" in (
        capsys.readouterr().out
    )
    with pytest.raises(SystemExit):
        call_command("fsck", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert rows == [{"store": "archive", "kind": "missing", "name": image}]


# Beside the stores


@pytest.fixture
def upload(record):
    """A large file of which ten bytes have come."""
    with factories.framed():
        row = PartialUpload.objects.create(
            transmittal=Transmittal.objects.first(),
            sha256="ab" * 32,
            size=100,
            opened_by=record.scan.injection.recorded_by,
        )
    path = partial_uploads.folder() / str(row.pk)
    path.parent.mkdir()
    path.write_bytes(bytes(10))
    return row, path


@pytest.mark.requirement("R85")
def test_a_part_of_a_large_file_has_its_row_and_is_no_longer_than_announced(upload):
    row, path = upload
    old(path)
    assert found() == []
    path.write_bytes(bytes(101))
    assert found() == [("partial", Kind.CHANGED, path.name)]
    with factories.framed():
        row.state = PartialUpload.State.RECEIVED
        row.save()
    assert found() == []
    old(path)
    assert found() == [("partial", Kind.EXTRA, path.name)]


@pytest.fixture
def ready(record):
    """A file that inspection made ready of an original that a person has to look at."""
    row = ReceivedFile.objects.filter(transmittal__scheduled_scan__patient=record.patient).first()
    with factories.framed():
        row.state = ReceivedFile.State.QUARANTINED
        row.sha256, row.size = storage.quarantine.write([b"an original"])
        row.save()
    prepared.open_for(row.transmittal_id)
    prepared.keep(row.transmittal_id, row.sha256, content=b"made of it", told="{}")
    folder = storage.quarantine.folder.parent / "prepared" / str(row.transmittal_id)
    return row, old(folder / row.sha256)


def settle(row):
    """Nobody waits for the original any more, and it was cleared."""
    with factories.framed():
        row.state = ReceivedFile.State.REJECTED
        row.save()
    storage.quarantine.remove(row.sha256)


@pytest.mark.requirement("R69")
def test_what_was_made_ready_is_found_once_nobody_waits_for_its_original(ready):
    row, path = ready
    assert found() == []
    settle(row)
    assert found() == [("prepared", Kind.EXTRA, f"{row.transmittal_id}/{row.sha256}")]
    os.utime(path)
    assert found() == []


@pytest.mark.requirement("R69")
def test_what_was_made_ready_and_nobody_waits_for_goes_after_a_day_by_the_clock(ready):
    row, path = ready
    old(path.parent)
    stray = old(Path(shutil.copytree(path.parent, path.parent.with_name("stray"))))
    sweep_left_behind()
    assert (path.exists(), stray.exists()) == (True, False)
    settle(row)
    os.utime(path.parent)
    sweep_left_behind()
    assert path.exists()
    old(path.parent)
    sweep_left_behind()
    assert not path.parent.exists()


@pytest.mark.requirement("R69")
def test_what_was_made_ready_of_a_destroyed_patient_s_original_is_found_at_once(ready):
    row, path = ready
    settle(row)
    os.utime(path)
    with factories.framed():
        Destruction.objects.create(patient=row.transmittal.scheduled_scan.patient, files=1)
    assert [one for one in found() if one[0] == "prepared"] == [
        ("prepared", Kind.KEPT, f"{row.transmittal_id}/{name}")
        for name in (row.sha256, prepared.TOLD)
    ]


@pytest.fixture
def segment(record):
    """A segment of the journal with two objects that wait to be filed."""
    kept = journal.Journal(journal.folder(), reserve=0)
    for content in (b"1" * 100, b"2" * 100):
        kept.append(journal.Entry(record.site.pk, "PETCT1", "2026-03-02T12:00:00+00:00", content))
    kept.close()
    (path,) = journal.folder().glob("*.journal")
    return path


@pytest.mark.requirement("R85")
def test_what_scanners_sent_and_nobody_filed_is_found_once_it_is_not_young(segment):
    assert found() == []
    old(segment)
    assert found() == [("journal", Kind.WAITING, segment.name)]
    old(segment.rename(segment.with_suffix(".bak")))
    assert [kind for _, kind, _ in found()] == [Kind.EXTRA]


@pytest.mark.requirement("R85")
def test_a_flipped_bit_in_the_journal_is_found_unless_one_only_looks_quickly(segment):
    data = bytearray(segment.read_bytes())
    data[20] ^= 1
    segment.write_bytes(data)
    assert found() == [("journal", Kind.DAMAGED, segment.name)]
    assert list(check(is_quick=True)) == []
    segment.rename(segment.with_suffix(".damaged"))
    assert [one.kind for one in check(is_quick=True)] == [Kind.DAMAGED]
