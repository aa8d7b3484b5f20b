"""Exports: ordered, frozen at one instant, kept by digest, given to who may."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import threading
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import InternalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imaging.models import Lesion
from reporting import storage
from reporting.datasets import DATASETS
from reporting.models import Export
from reporting.selectors import exports as export_rows
from reporting.selectors import rows
from reporting.services import exports, opening, snapshots
from tests import factories
from tests.reporting import cohort
from tests.reporting.freezing import frozen, held, order, unordered
from trials.models import AuditEvent, Deviation, Job
from trials.roles import Role
from trials.services import jobs
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.usefixtures("committed_db")

# Queries of a freeze beside one for each dataset: the snapshot is opened and named, the protocol
# versions read with the forms they ask, what the trial keeps blind, the facts and reviews of
# populations read, what is still open counted, and the result written inside fence and frame, once
# its row is locked and still wanted.
OTHERS = 36
ROOT = Path(__file__).resolve().parents[2]


def opened(export: Export) -> dict[str, bytes]:
    """The files of an export."""
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.requirement("R113")
def test_every_file_of_an_export_has_the_digest_size_and_rows_of_its_manifest(made):
    export = frozen(made)
    files = opened(export)
    sums = files.pop("SHA256SUMS").decode()
    assert f"{hashlib.sha256(files['manifest.json']).hexdigest()}  manifest.json\n" in sums
    manifest = json.loads(files.pop("manifest.json"))
    said = {f["path"]: (f["sha256"], f["bytes"]) for f in manifest["files"]}
    assert said == {
        path: (hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()
    }
    counts = {f["path"]: f["rows"] for f in manifest["files"]}
    assert (counts["data/patients.csv"], counts["data/lesions.csv"]) == (2, 4)
    assert counts["codebook.md"] is None
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        *others, last, sums = archive.namelist()
    assert others == sorted(others)
    assert (last, sums) == ("manifest.json", "SHA256SUMS")


@pytest.mark.requirement("R117")
def test_the_manifest_says_who_asked_why_and_of_which_moment(made):
    export = frozen(made)
    manifest = json.loads(opened(export)["manifest.json"])
    assert manifest == export.manifest
    assert manifest["trial"] == made.trial.identifier
    assert (manifest["requested_by"], manifest["reason"]) == (
        made.statistician.username,
        "interim analysis",
    )
    assert manifest["as_of"] == f"{export.as_of:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert AuditEvent.objects.get(pk=export.audit_event).at <= export.as_of


@pytest.mark.requirement("R113")
def test_the_same_data_give_the_same_bytes(made):
    first, second = opened(frozen(made)), opened(frozen(made))
    for found in (first, second):
        del found["manifest.json"], found["SHA256SUMS"]
    assert first == second
    assert len(first) == len(DATASETS) + 6


@pytest.mark.requirement("R113")
def test_a_row_written_while_an_export_is_read_is_not_in_it(made):
    with snapshots.taken() as instant:
        in_thread(lambda: cohort.add_patient(made))
        seen = list(rows.of(DATASETS["patients"], made.trial))
    after = list(rows.of(DATASETS["patients"], made.trial))
    assert (len(seen), len(after)) == (2, 3)
    newest = AuditEvent.objects.filter(trial=made.trial.pk).first()
    assert newest.pk > instant.audit_event
    assert not visible(newest, instant)


def test_the_snapshot_tells_a_transaction_that_was_under_way(made):
    began, go_on = threading.Event(), threading.Event()
    deviation = Deviation.objects.filter(patient__trial=made.trial).first()

    def slow():
        with factories.framed():
            Deviation.objects.filter(pk=deviation.pk).update(text="slow")
            began.set()
            assert go_on.wait(60)

    thread = threading.Thread(target=closing(slow))
    thread.start()
    assert began.wait(60)
    factories.make_user()
    with snapshots.taken() as instant:
        pass
    go_on.set()
    thread.join()
    late = AuditEvent.objects.get(table="trials_deviation", row=str(deviation.pk), operation="U")
    # Its number is lower, for it was taken early; the snapshot still says that it was not in.
    assert late.pk < instant.audit_event
    assert not visible(late, instant)


def visible(event: AuditEvent, instant: snapshots.Instant) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_visible_in_snapshot(%s::text::xid8, %s::pg_snapshot)",
            [str(event.transaction), instant.snapshot],
        )
        return cursor.fetchone()[0]


def in_thread(act) -> None:
    thread = threading.Thread(target=closing(act))
    thread.start()
    thread.join()


def closing(act):
    """`act` for a thread, which has a connection of its own to close."""

    def run():
        try:
            act()
        finally:
            connections.close_all()

    return run


def test_nothing_can_be_written_while_an_export_is_read(made):
    with pytest.raises(InternalError, match="read-only"), snapshots.taken():
        Job.objects.create(kind="x", actor=made.statistician)


def test_no_table_is_read_again_for_each_row_of_another(made):
    """Loops in loops over tables of thirty rows had taken more than a quarter of an hour."""
    with snapshots.taken():
        plans = {name: rows.selected(one, made.trial).explain() for name, one in DATASETS.items()}
    assert [name for name, plan in plans.items() if "Join Filter" in plan] == []


def test_freezing_takes_as_many_queries_for_one_patient_as_for_three():
    counts = []
    for size in (1, 3):
        export = unordered(cohort.make_cohort(size))
        claim = held(export)
        with CaptureQueriesContext(connection) as queries:
            exports.freeze(claim)
        counts.append(len(queries))
    assert counts == [len(DATASETS) + OTHERS] * 2


@pytest.mark.requirement("R134")
def test_a_worker_that_lost_its_lease_freezes_nothing(made):
    export = unordered(made)
    claim = held(export)
    Job.objects.filter(pk=claim.job).update(token=2)
    with pytest.raises(jobs.StaleClaim):
        exports.freeze(claim)
    export.refresh_from_db()
    assert (export.state, export.sha256) == (Export.State.REQUESTED, "")


@pytest.mark.requirement("R134")
def test_a_freeze_begun_again_after_a_kill_gives_one_frozen_export(made):
    export = unordered(made)
    stale, fresh = held(export), held(export)
    Job.objects.filter(pk=stale.job).update(token=2)
    with pytest.raises(jobs.StaleClaim):
        exports.freeze(stale)
    exports.freeze(fresh)
    export.refresh_from_db()
    digest = export.sha256
    exports.freeze(held(export))
    export.refresh_from_db()
    assert (export.state, export.sha256) == (Export.State.FROZEN, digest)
    assert (
        AuditEvent.objects.filter(table="reporting_export", row=str(export.pk))
        .filter(action="export.frozen")
        .count()
        == 1
    )


@pytest.mark.requirement("R134")
def test_a_freeze_killed_in_the_middle_is_done_again_and_once(made):
    export = unordered(made)
    job = Job.objects.create(
        kind="reporting.freeze", arguments={"export": export.pk}, actor=made.statistician
    )
    with transaction.atomic():
        # The worker reads datasets in the order of their names and stops at this lock.
        connection.cursor().execute("lock table imaging_lesion in access exclusive mode")
        worker = subprocess.Popen([sys.executable, "-c", WORK, str(job.pk)], cwd=ROOT)
        until(lambda: is_running(job) and waiting_for_a_lock())
        worker.kill()
        worker.wait()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.RUNNING, 1)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    jobs.run(job.pk)
    until(lambda: Export.objects.get(pk=export.pk).state == Export.State.FROZEN)
    frozen_events = AuditEvent.objects.filter(
        table="reporting_export", row=str(export.pk), action="export.frozen"
    )
    assert frozen_events.count() == 1


# A worker's process, without a broker.
WORK = """
import sys, django
django.setup()
from trials.services import jobs
jobs.run(int(sys.argv[1]))
"""


def is_running(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).exists()


def waiting_for_a_lock() -> int:
    """How many sessions wait for a lock on a table."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_locks where not granted and locktype = 'relation'")
        return cursor.fetchone()[0]


def until(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "waited half a minute in vain"
        time.sleep(0.05)


def test_a_value_that_cannot_be_written_fails_the_export_and_says_which(made):
    lesion = Lesion.objects.filter(
        quantification__series__imaging_study__scheduled_scan__patient__trial=made.trial,
        quantification__is_current=True,
    ).last()
    with factories.framed():
        Lesion.objects.filter(pk=lesion.pk).update(suvmax=float("nan"))
    export = unordered(made)
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == Export.State.FAILED
    assert export.message == (
        f"A value can't be written: imaging_lesion row {lesion.pk}: column suvmax holds number, "
        "got float nan. Correct it."
    )


def test_an_export_whose_job_was_given_up_stands_as_failed(made):
    export = unordered(made)
    claim = held(export)
    Job.objects.filter(pk=claim.job).update(state=Job.State.PARKED)
    with factories.framed():
        Export.objects.filter(pk=export.pk).update(job=claim.job)
    assert export_rows().get(pk=export.pk).standing == "failed"


def test_a_file_that_changed_in_the_store_is_not_given(made):
    export = frozen(made)
    path = storage.exports.path(export.sha256)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(Refused) as refusal:
        opening.download(export, by=made.statistician)
    assert refusal.value.code == "export-lost"


def test_an_export_needs_a_reason(made):
    with pytest.raises(Invalid) as refusal:
        order(made, reason=" - ")
    assert refusal.value.field == "reason"


def test_a_coordinator_may_not_export(made):
    with pytest.raises(Forbidden):
        exports.request(made.trial, reason="curious", by=made.coordinator)


def test_a_statistician_of_one_site_may_not_export_all_sites(made):
    local = factories.make_user(Role.STATISTICIAN, trial=made.trial, site=made.site)
    with pytest.raises(Forbidden):
        exports.request(made.trial, reason="interim", by=local)
    frozen(made)
    assert not Export.objects.visible_to(local, "export.view").exists()


@pytest.mark.requirement("R13")
def test_the_order_is_in_the_audit_trail_with_its_reason(made):
    export = order(made, reason="for the steering committee")
    event = AuditEvent.objects.filter(table="reporting_export", row=str(export.pk)).last()
    assert (event.action, event.reason, event.actor) == (
        "export.requested",
        "for the steering committee",
        made.statistician.pk,
    )


@pytest.mark.requirement("R13")
def test_each_download_is_in_the_audit_trail(made):
    export = frozen(made)
    opening.download(export, by=made.statistician)
    event = AuditEvent.objects.get(action="export.downloaded", trial=made.trial.pk)
    assert (event.table, event.actor) == ("reporting_exportdownload", made.statistician.pk)
    assert event.after["export_id"] == export.pk
