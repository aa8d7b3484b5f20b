"""The images of a patient who wished them destroyed, and those that others need."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from imaging import storage
from imaging.models import Destruction, Instance, Lesion, Picture, Series
from imaging.services import clearing, destruction, recompute
from reporting.datasets import DATASETS
from reporting.selectors import rows
from tests import factories, records
from tests.imaging.reconciling import weigh
from trials.models import Job
from trials.services import jobs, withdrawals

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stores(settings, tmp_path):
    settings.STORAGE = tmp_path


@pytest.fixture
def record():
    site = factories.make_site(factories.make_trial())
    return records.make_record(site, by=records.everyone(site.trial))


def leave(record, extent):
    withdrawals.record(
        record.patient,
        extent=extent,
        initiative="patient",
        withdrawn_at=timezone.localdate().isoformat(),
        text="no more",
        by=record.scan.injection.recorded_by,
    )


def archived(patient):
    of = Instance.objects.filter(series__imaging_study__scheduled_scan__patient=patient)
    pictures = Picture.objects.filter(
        quantification__series__imaging_study__scheduled_scan__patient=patient
    )
    return [*of.values_list("sha256", flat=True), *pictures.values_list("sha256", flat=True)]


def test_only_a_wish_to_destroy_is_an_order_and_it_is_given_once(record):
    leave(record, "use")
    assert destruction.order_due() == []
    leave(record, "destroy")
    (job,) = destruction.order_due()
    assert job.arguments == {"patient": record.patient.pk}
    assert destruction.order_due() == []


def test_every_file_goes_and_the_record_says_so(record):
    digests = archived(record.patient)
    assert digests
    assert all(storage.archive.has(one) for one in digests)
    leave(record, "destroy")
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    assert Job.objects.get(pk=job.pk).state == "done"
    assert not any(storage.archive.has(one) for one in digests)
    assert Destruction.objects.get(patient=record.patient).files >= len(set(digests))
    series = Series.objects.get(pk=record.series.pk)
    assert (series.state, series.code) == ("refused", "images-destroyed")
    assert Lesion.objects.filter(quantification__series=series).exists()
    assert destruction.order_due() == []


def test_a_correction_measures_nothing_of_images_that_are_gone(record):
    leave(record, "destroy")
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    weigh(record.scan.injection, 77.0, by=record.scan.injection.recorded_by)
    assert recompute.order_due() == []


def test_while_files_go_nobody_waits_and_nobody_reads_them(record, monkeypatch):
    remove, seen = storage.Store.remove, []

    def looked_at(store, digest):
        with connection.cursor() as cursor:
            # That of writers into the archive ends with the first transaction; here with the test.
            cursor.execute(
                "select mode from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' "
                "and objid <> %s",
                [clearing.ARCHIVE_LOCK],
            )
            held = [mode for (mode,) in cursor.fetchall()]
        code = Series.objects.get(pk=record.series.pk).code
        seen.append((store.name, held, code))
        remove(store, digest)

    monkeypatch.setattr(storage.Store, "remove", looked_at)
    leave(record, "destroy")
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    archived = [found for name, *found in seen if name == "archive"]
    assert len(archived) > 1
    assert archived == [[[], "images-destroyed"]] * len(archived)


def test_a_file_that_another_patient_s_record_names_stays(record):
    by = record.scan.injection.recorded_by
    other = factories.make_scan(factories.make_enrolled(record.site, by=by), by=by)
    run = records.make_measured(other, by=by)
    shared = Instance.objects.filter(series=run.series).first()
    with factories.framed():
        own = Instance.objects.filter(series=record.series).first()
        own.sha256 = shared.sha256
        own.save(update_fields=["sha256"])
    leave(record, "destroy")
    (job,) = destruction.order_due()
    jobs.run(job.pk)
    assert storage.archive.has(shared.sha256)


@pytest.mark.parametrize(("extent", "is_used"), [("scans", True), ("use", False)])
def test_an_export_leaves_out_whom_it_may_not_use_and_lists_the_patient(record, extent, is_used):
    named = record.patient.identifier

    def patients_in(name):
        dataset = DATASETS[name]
        place = dataset.column_names.index("patient")
        return {row[place] for row in rows.of(dataset, record.trial)}

    assert named in patients_in("scans")
    leave(record, extent)
    assert (named in patients_in("scans")) == is_used
    assert (named in patients_in("lesions")) == is_used
    assert named in patients_in("patients")


@pytest.fixture
def elsewhere():
    """A connection of another process."""
    other = connection.copy()
    yield other
    # Others are given it next.
    with other.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock_all()")
    other.close()


def the_order(record):
    leave(record, "destroy")
    (job,) = destruction.order_due()
    return job


def test_files_go_after_who_writes_some_that_no_row_names(record, elsewhere):
    job = the_order(record)
    with elsewhere.cursor() as cursor:
        cursor.execute("select pg_advisory_lock_shared(%s)", [clearing.ARCHIVE_LOCK])
    with connection.cursor() as cursor:
        cursor.execute("set local lock_timeout = '20ms'")
    with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
        destruction.destroy(jobs.claim(job.pk))
    assert all(storage.archive.has(one) for one in archived(record.patient))


def test_who_writes_holds_destruction_up_until_it_has_written(record, elsewhere):
    claim = jobs.claim(the_order(record).pk)

    def may_destroy():
        # Each statement is a transaction of its own there.
        with elsewhere.cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(%s)", [clearing.ARCHIVE_LOCK])
            return cursor.fetchone()[0]

    with clearing.into_archive(claim):
        assert not may_destroy()
    assert may_destroy()


def test_who_lost_the_job_writes_no_file(record):
    job = the_order(record)
    late = jobs.claim(job.pk)
    Job.objects.update(heartbeat_at=timezone.now() - 2 * jobs.LEASE)
    jobs.claim(job.pk)
    written = []
    with pytest.raises(jobs.StaleClaim), clearing.into_archive(late):
        written.append("a file")
    assert written == []
