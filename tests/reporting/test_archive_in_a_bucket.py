"""From upload to export with the archive in a bucket of a real S3 server, through the services."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from config.s3_server import S3Server
from imaging import storage
from imaging.models import Destruction, Instance, Quantification, Series, Transmittal
from imaging.parser_child import encoded
from imaging.selectors import pictures, volumes
from imaging.services import destruction, journal, partial_uploads, receiving, regions
from imaging.services.parser import Parser
from imaging.storage import UnreachableError
from reporting import storage as reports
from reporting.services import exports, opening, storage_check
from reporting.services.storage_check import Kind
from tests import factories, records
from tests.cut_line import Line
from tests.reporting.freezing import held, unordered
from trials.models import Job, Patient, ScheduledScan
from trials.services import jobs, withdrawals

pytestmark = pytest.mark.usefixtures("bucket")


@pytest.fixture
def site(db):
    return factories.make_site(factories.make_fdg_trial())


@pytest.fixture
def everyone(site):
    return records.everyone(site.trial)


@pytest.fixture
def scan(site, everyone):
    return factories.make_scan(factories.make_enrolled(site, by=everyone), by=everyone)


@pytest.fixture
def at_once(monkeypatch):
    """What the server has just taken is old enough to be a finding."""
    monkeypatch.setattr(storage_check, "YOUNG_SECONDS", -60)


def images() -> list[bytes]:
    """What a scanner would send: twelve slices with a hot block in the middle."""
    series = Series(series_instance_uid="1.2.77.1")
    scan = ScheduledScan(patient=Patient(identifier=""))
    series.imaging_study = records.ImagingStudy(study_instance_uid="1.2.77", scheduled_scan=scan)
    return [
        encoded(records._slice(series, plane, [records.BLOCK], ""))
        for plane in range(records.PLANES)
    ]


def uploaded(scan, by) -> Transmittal:
    transmittal = receiving.open_transmittal(scan, by=by)
    files = [SimpleUploadedFile("a.dcm", one) for one in images()]
    receiving.receive(transmittal, files=files, by=by)
    receiving.complete(transmittal, by=by)
    return transmittal


def next_job() -> Job:
    Job.objects.filter(state=Job.State.QUEUED).update(not_before=timezone.now())
    return Job.objects.filter(state=Job.State.QUEUED).first()


def work(until: str = "") -> None:
    """Every job that waits, and what follows from it; up to the first of a kind."""
    while (job := next_job()) and job.kind != until:
        jobs.run(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error


def names(bucket, store: str) -> set[str]:
    return {
        one.key.rsplit("/", 1)[1] for one in bucket.objects.filter(Prefix=f"trials/one/{store}/")
    }


def forget(settings) -> None:
    """No copy is at hand."""
    for path in Path(settings.CACHE).rglob("*"):
        if path.is_file():
            path.unlink()


def found(**how) -> list[tuple]:
    """Of the stores in the bucket."""
    every = storage_check.check(**how)
    return [(one.store, one.kind, one.name) for one in every if one.store != "quarantine"]


# The chain


def test_a_series_is_released_measured_and_read_from_the_bucket(bucket, settings, scan, everyone):
    uploaded(scan, everyone)
    work()
    run = Quantification.objects.get(series__imaging_study__scheduled_scan=scan, is_current=True)
    picture = run.pictures.get()
    instances = set(run.series.instances.values_list("sha256", flat=True))
    objects = set(run.dicom_objects.values_list("sha256", flat=True))
    assert run.suvmax > 0
    assert names(bucket, "archive") == instances | objects | {picture.sha256}
    assert not (Path(settings.STORAGE) / "archive").exists()
    assert found() == []
    for each in (lambda: None, lambda: forget(settings)):
        each()
        voxel = tuple(run.lesions.first().suvmax_voxel)
        assert volumes.pixel(run.series, voxel).stored == 20_000
        assert pictures.content_of(picture).startswith(b"\x89PNG")
        kind = {"kind": "blood_pool", "centre_mm": (40.0, 40.0, 6.0), "radius_mm": 8.0}
        assert regions.place(run, **kind, by=everyone).suvmean > 0


def test_a_series_measures_the_same_from_a_bucket_as_from_a_folder(settings, scan, everyone):
    remote = records.make_measured(scan, by=everyone)
    settings.ARCHIVE = None
    patient = factories.make_enrolled(scan.patient.site, by=everyone)
    local = records.make_measured(factories.make_scan(patient, by=everyone), by=everyone)
    assert local.suvmax > 0
    for name in ("status", "suvmax", "suvbw_factor"):
        assert getattr(remote, name) == getattr(local, name)


def test_an_export_is_frozen_into_the_bucket_and_given_from_it(bucket, settings, made):
    settings.CACHE_BYTES = 2**30
    export = unordered(made)
    exports.freeze(held(export))
    export.refresh_from_db()
    assert names(bucket, "exports") == {export.sha256}
    forget(settings)
    content = opening.download(export, by=made.statistician)
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        assert json.loads(bundle.read("manifest.json")) == export.manifest
    bucket.Object(f"trials/one/exports/{export.sha256[:2]}/{export.sha256}").delete()
    forget(settings)
    with pytest.raises(exports.Refused, match=r"exports has lost .* Order a new one"):
        opening.download(export, by=made.statistician)


def test_an_export_that_can_t_be_reached_is_not_lost(settings, made):
    export = unordered(made)
    exports.freeze(held(export))
    export.refresh_from_db()
    settings.ARCHIVE = settings.ARCHIVE._replace(endpoint="http://127.0.0.1:1")
    forget(settings)
    with pytest.raises(UnreachableError) as refusal:
        opening.download(export, by=made.statistician)
    assert (refusal.value.code, refusal.value.status) == ("storage-unreachable", 503)


def test_the_parsing_process_gets_no_credentials(bucket):
    with Parser() as parser:
        assert (Path("/proc") / str(parser.pid) / "environ").read_bytes() == b""


# The server goes away


@pytest.mark.parametrize("upload", [1, 7])
def test_a_server_that_stops_in_mid_write_leaves_no_release_and_the_job_is_tried_again(
    settings, scan, everyone, upload
):
    server = S3Server().start()
    try:
        server.bucket("stopped")
        line = Line(server, upload=upload, meanwhile=server.stop)
        settings.ARCHIVE = server.address("stopped")._replace(endpoint=line.endpoint)
        transmittal = uploaded(scan, everyone)
        work(until="imaging.release")
        job = next_job()
        jobs.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempts, line.cuts) == (Job.State.QUEUED, 1, 1)
        assert "does not answer" in job.error
        assert not Instance.objects.filter(series__transmittal=transmittal).exists()
        assert transmittal.files.filter(state="accepted").count() == records.PLANES
        # It comes back empty: moto keeps nothing. What counts is that nothing rests on it.
        server.start()
        made = server.bucket("stopped")
        settings.ARCHIVE = server.address("stopped")
        work()
        transmittal.refresh_from_db()
        assert transmittal.state == Transmittal.State.QUANTIFIED
        instances = Instance.objects.filter(series__transmittal=transmittal)
        assert set(instances.values_list("sha256", flat=True)) < names(made, "archive")
        assert found() == []
    finally:
        server.stop()


# fsck


@pytest.fixture
def image(scan, everyone):
    return records.make_measured(scan, by=everyone).series.instances.first().sha256


def place(digest: str) -> str:
    return f"trials/one/archive/{digest[:2]}/{digest}"


@pytest.mark.requirement("R85")
def test_fsck_finds_a_flipped_bit_in_the_bucket_and_not_in_a_copy(bucket, image):
    assert found() == []
    storage.archive.path(image).write_bytes(b"only a copy")
    assert found() == []
    data = bytearray(bucket.Object(place(image)).get()["Body"].read())
    data[len(data) // 2] ^= 1
    bucket.put_object(Key=place(image), Body=bytes(data))
    assert found() == [("archive", Kind.CHANGED, image)]
    assert found(is_quick=True) == []


@pytest.mark.requirement("R85")
def test_fsck_finds_what_is_gone_from_the_bucket(bucket, image):
    bucket.Object(place(image)).delete()
    assert found() == found(is_quick=True) == [("archive", Kind.MISSING, image)]


@pytest.mark.requirement("R85")
def test_fsck_finds_what_is_cut_short_without_reading_it(bucket, image):
    bucket.put_object(Key=place(image), Body=b"DICM")
    assert found(is_quick=True) == [("archive", Kind.CHANGED, image)]


@pytest.mark.requirement("R85")
def test_fsck_finds_one_too_many_in_the_bucket_once_it_is_not_young(bucket, image, monkeypatch):
    many = ["a letter.txt", "ab/" + "ab" * 32]
    for store in ("archive", "exports"):
        for name in many:
            bucket.put_object(Key=f"trials/one/{store}/{name}", Body=b"PET")
            bucket.put_object(Key=f"trials/other/{store}/{name}", Body=b"of somebody else")
    assert found() == []
    monkeypatch.setattr(storage_check, "YOUNG_SECONDS", -60)
    expected = [(store, Kind.EXTRA, name) for store in ("archive", "exports") for name in many]
    assert found() == found(is_quick=True) == expected


def test_fsck_finds_an_upload_that_was_never_finished(bucket, image, at_once):
    upload = bucket.Object(place("ab" * 32)).initiate_multipart_upload()
    upload.Part(1).upload(Body=bytes(5 * 2**20))
    assert found() == [("archive", Kind.EXTRA, f"incoming-{upload.id}")]


def test_fsck_reads_the_bucket_page_by_page(bucket, image, at_once, monkeypatch):
    monkeypatch.setattr("imaging.storage.bucket.PAGE", 2)
    many = [f"{number:04}" for number in range(5)]
    for name in many:
        bucket.put_object(Key=f"trials/one/exports/{name}", Body=b"")
    assert found() == [("exports", Kind.EXTRA, name) for name in many]


def test_what_was_to_be_destroyed_is_gone_from_bucket_and_copies(
    bucket, settings, scan, image, everyone
):
    bytes_of_it = storage.archive.read(image)
    leave(scan.patient, by=everyone)
    (job,) = destruction.order_due()
    settings.ARCHIVE, good = settings.ARCHIVE._replace(name="mistyped"), settings.ARCHIVE
    jobs.run(job.pk)
    job.refresh_from_db()
    assert "There is no bucket mistyped" in job.error
    assert not Destruction.objects.filter(patient=scan.patient).exists()
    settings.ARCHIVE = good
    jobs.run(next_job().pk)
    assert Destruction.objects.filter(patient=scan.patient).exists()
    assert names(bucket, "archive") == set()
    assert [path for path in Path(settings.CACHE).rglob("*") if path.is_file()] == []
    assert found() == []
    storage.archive.write([bytes_of_it])
    assert found() == [("archive", Kind.KEPT, f"{image[:2]}/{image}")]


def leave(patient, *, by) -> None:
    withdrawals.record(
        patient,
        extent="destroy",
        initiative="patient",
        withdrawn_at=patient.site.today().isoformat(),
        text="no more",
        by=by,
    )


def test_fsck_looks_beside_the_bucket_too(bucket, image):
    for folder, name in ((partial_uploads.folder(), "7"), (journal.folder(), "1.journal")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (0, 0))
    assert found() == [("partial", Kind.EXTRA, "7"), ("journal", Kind.WAITING, "1.journal")]


def test_fsck_says_so_where_the_bucket_can_t_be_looked_through(settings, s3_server, db):
    settings.ARCHIVE = s3_server.address("mistyped")
    with pytest.raises(CommandError, match="Not looked through: There is no bucket mistyped"):
        call_command("fsck")


def test_exports_and_archive_lie_apart():
    """The same bytes in both: neither is the other's."""
    digest, _ = storage.archive.write([b"PET"])
    reports.exports.write([b"PET"])
    storage.archive.remove(digest)
    assert reports.exports.has(digest)
    assert not storage.archive.has(digest)
