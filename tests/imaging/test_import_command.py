"""A folder on the server goes the way of every upload, and its sender learns of each file."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from imaging.management.commands import import_dicom
from imaging.models import Transmittal
from imaging.services import folder_import, partial_uploads, receiving
from tests import factories
from tests.imaging.test_intake import a_slice
from tests.imaging.zips import Member, archive
from trials.models import Job, PlannedScan, PlannedVisit, ScheduledScan
from trials.roles import Role
from trials.services import jobs

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("storage", "fdg")]


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    """Waiting is when the jobs are done."""

    def work(_seconds):
        for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
            jobs.run(job.pk)

    # Of the command alone: threads that the work begins rest as they do.
    monkeypatch.setattr(import_dicom, "time", SimpleNamespace(sleep=work))


@pytest.fixture
def folder(tmp_path, dataset):
    found = tmp_path / "Anna Canary"
    (found / "PET").mkdir(parents=True)
    for number in (1, 2, 3):
        (found / "PET" / f"{number}.dcm").write_bytes(a_slice(dataset, number))
    return found


@pytest.fixture
def sent(folder, scan, capsys):
    """What the command prints, and its exit status."""

    def send(*options, by=None, beside=(), **changes):
        named = {
            "trial": scan.patient.trial.identifier,
            "site": scan.patient.site.code,
            "patient": scan.patient.identifier,
            "visit": scan.planned_scan.identifier,
            "as": by.username,
        } | changes
        given = [part for name, value in named.items() for part in (f"--{name}", value)]
        try:
            call_command("import_dicom", str(folder), *map(str, beside), *given, *options)
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().out

    return send


def test_a_folder_is_sent_and_its_images_come_through(sent, scan, coordinator):
    status, said = sent("--wait", by=coordinator)
    transmittal = scan.transmittals.get()
    assert (status, transmittal.state) == (0, Transmittal.State.QUANTIFIED), said
    assert (transmittal.source, transmittal.sent_by) == ("folder", coordinator)
    assert "all 3 files arrived" in said
    assert "Anna" not in transmittal.message


def test_sent_again_nothing_goes(sent, scan, coordinator):
    sent("--wait", by=coordinator)
    first = scan.transmittals.get()
    status, said = sent("--wait", by=coordinator)
    assert (status, said.splitlines()[0]) == (
        0,
        f"Transmittal {first.pk}: all 3 files arrived before.",
    )
    assert scan.transmittals.exclude(state="receiving").count() == 1


def test_each_refused_file_is_told_by_its_name(sent, folder, coordinator):
    (folder / "letter.txt").write_bytes(b"Dear Anna")
    status, said = sent("--wait", by=coordinator)
    assert status == 3
    assert "Rejected: This is not a DICOM file" in said
    assert "\n  letter.txt\n" in said


@pytest.mark.parametrize("kind", ["pipe", "large"])
def test_what_can_not_be_sent_is_told_and_the_rest_goes(
    sent, folder, scan, coordinator, kind, monkeypatch
):
    if kind == "pipe":
        os.mkfifo(folder / "odd")
    else:
        monkeypatch.setattr(receiving, "MAXIMUM_FILE_BYTES", 10_000)
        (folder / "odd").write_bytes(bytes(10_001))
    status, said = sent("--wait", by=coordinator)
    assert status == 3
    assert "not sent: odd: " in said
    assert scan.transmittals.get().state == Transmittal.State.QUANTIFIED


def test_held_images_are_an_exit_status(sent, folder, dataset, coordinator):
    (folder / "4.dcm").write_bytes(a_slice(dataset, 4, PatientID="MRN-0816"))
    status, said = sent("--wait", by=coordinator)
    assert status == 3
    assert "more than one patient ID" in said


def test_sent_again_what_is_held_still_is(sent, folder, dataset, coordinator):
    (folder / "4.dcm").write_bytes(a_slice(dataset, 4, BurnedInAnnotation="YES"))
    sent("--wait", by=coordinator)
    status, said = sent("--wait", by=coordinator)
    assert (status, "arrived before" in said, "4.dcm" in said) == (3, True, True)


def test_a_file_that_goes_while_it_is_sent_is_named(sent, folder, coordinator, monkeypatch):
    looked = folder_import.look_into

    def gone(place, say):
        found = looked(place, say)
        (folder / "PET" / "2.dcm").unlink()
        return found

    monkeypatch.setattr(folder_import, "look_into", gone)
    with pytest.raises(CommandError, match=r"2\.dcm: No such file or directory\. Run it again"):
        sent(by=coordinator)


def test_several_folders_are_one_transmittal(sent, folder, scan, dataset, coordinator):
    second = folder.parent / "Disc 2"
    second.mkdir()
    (second / "4.dcm").write_bytes(a_slice(dataset, 4))
    (second / "letter.txt").write_bytes(b"Dear Anna")
    status, said = sent("--wait", by=coordinator, beside=[second])
    assert (status, "\n  Disc 2/letter.txt\n" in said) == (3, True), said
    assert scan.transmittals.get().files.filter(state="released").count() == 4


@pytest.fixture
def zipped(folder, dataset, monkeypatch):
    """Beside the images a zip of three more, larger than a file may be, and sent by kilobytes."""
    data = archive([Member(f"{n}.dcm", a_slice(dataset, n)) for n in (4, 5, 6)])
    monkeypatch.setattr(receiving, "MAXIMUM_FILE_BYTES", len(data) - 1)
    monkeypatch.setattr(partial_uploads, "MAXIMUM_PIECE_BYTES", 1000)
    (folder / "more.zip").write_bytes(data)
    return data


def test_a_zip_larger_than_a_file_may_be_goes_in_pieces(sent, scan, coordinator, zipped):
    status, said = sent("--wait", by=coordinator)
    assert (status, f"Sent 1,000 of {len(zipped):,} bytes of an archive" in said) == (0, True), said
    transmittal = scan.transmittals.get()
    assert transmittal.files.filter(state="released").count() == 6
    status, said = sent("--wait", by=coordinator)
    assert (status, "all 4 files arrived before" in said) == (0, True)


def test_killed_in_mid_archive_it_goes_on_where_it_was(
    sent, scan, coordinator, zipped, monkeypatch
):
    append, offsets = partial_uploads.append, []

    def dies(upload, *, offset, data, by):
        offsets.append(offset)
        if len(offsets) == 3:
            raise KeyboardInterrupt
        return append(upload, offset=offset, data=data, by=by)

    monkeypatch.setattr(partial_uploads, "append", dies)
    with pytest.raises(KeyboardInterrupt):
        sent(by=coordinator)
    status, _ = sent("--wait", by=coordinator)
    assert (status, offsets[:4]) == (0, [0, 1000, 2000, 2000])
    assert scan.transmittals.get().files.filter(state="released").count() == 6


def test_an_archive_over_the_limit_is_told(sent, coordinator, zipped, settings):
    settings.LARGEST_UPLOAD_BYTES = len(zipped) - 1
    status, said = sent("--wait", by=coordinator)
    assert (status, f"not sent: more.zip: {len(zipped):,} bytes" in said) == (3, True)


def test_a_part_that_arrived_before_is_not_sent_twice(sent, folder, scan, coordinator):
    open_one = receiving.open_transmittal(scan, by=coordinator)
    with (folder / "PET" / "1.dcm").open("rb") as file:
        receiving.receive(open_one, files=[receiving.File(file)], by=coordinator)
    status, said = sent(by=coordinator)
    assert (status, "Sent 2 of 2 files" in said) == (0, True)
    assert scan.transmittals.get().files.count() == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"as": "nobody"}, "no user 'nobody'"),
        ({"visit": "other"}, "scheduled there: scan_ptf"),
        ({"patient": "9"}, "scheduled there: none"),
        ({"site": "9"}, "scheduled there: none"),
    ],
)
def test_what_is_not_there_is_named(sent, coordinator, changes, said):
    with pytest.raises(CommandError, match=said):
        sent(by=coordinator, **changes)


def test_two_scans_of_one_visit_are_not_guessed_at(sent, scan, coordinator):
    version = scan.planned_scan.version
    with factories.framed():
        visit = PlannedVisit.objects.create(
            version=version, position=1, identifier="PET1", label="First PET"
        )
        second = PlannedScan.objects.create(
            version=version, tracer=scan.planned_scan.tracer, identifier="second", label="Second"
        )
        PlannedScan.objects.filter(version=version).update(visit=visit)
        ScheduledScan.objects.create(
            patient=scan.patient, planned_scan=second, planned_at=scan.planned_at
        )
    with pytest.raises(CommandError, match=r"more than one scan.*scan_ptf, second"):
        sent(by=coordinator, visit="PET1")


def test_who_may_not_upload_sends_nothing(sent, scan, pet_site):
    monitor = factories.make_user(Role.MONITOR, trial=pet_site.trial)
    with pytest.raises(CommandError):
        sent(by=monitor)
    assert not scan.transmittals.exists()
