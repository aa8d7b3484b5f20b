"""An injection and its images, for tests of what becomes of their differences."""

from __future__ import annotations

from datetime import UTC, datetime

from tests import factories
from trials.models import Job, PlannedScan, Query
from trials.services import injections, jobs

# The injection of the slices that tests/records.py makes: 70 kg, 370 MBq.
SHOT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def given(**changes):
    return {
        "assayed_activity_mbq": 370.0,
        "assayed_at": SHOT,
        "residual_activity_mbq": 0.0,
        "residual_at": SHOT,
        "injected_at": SHOT,
        "weight_kg": 70.0,
    } | changes


def weigh(injection, weight, *, by):
    """Correct the weight to one that the images don't state, as the source has it."""
    injections.correct(
        injection,
        **given(weight_kg=weight),
        reason="misread",
        by=by,
        is_difference_confirmed=True,
    )


def set_plan(scan, **fields):
    with factories.framed():
        PlannedScan.objects.filter(pk=scan.planned_scan_id).update(**fields)
    scan.refresh_from_db()


def work():
    while job := Job.objects.filter(state=Job.State.QUEUED).first():
        jobs.run(job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error


def open_rules(scan):
    rows = Query.objects.filter(patient=scan.patient).exclude(state="closed")
    return {one.rule for one in rows}
