"""Orders of exports for tests, frozen here or by a worker of the running site."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.utils import timezone

from reporting.models import Export
from reporting.services import exports
from tests import factories
from tests.reporting.cohort import Cohort
from trials.models import Job
from trials.services import jobs


def order(made: Cohort, reason: str = "interim analysis", **options: Any) -> Export:
    return exports.request(made.trial, reason=reason, by=made.statistician, **options)


def frozen(made: Cohort, **options: Any) -> Export:
    """An export that was ordered and frozen, here or by a worker that was faster."""
    export = order(made, **options)
    jobs.run(export.job)
    deadline = time.monotonic() + 30
    while export.state == Export.State.REQUESTED and time.monotonic() < deadline:
        export.refresh_from_db()
        time.sleep(0.05)
    assert export.state == Export.State.FROZEN, export.message
    return export


def held(export: Export) -> jobs.Claim:
    """The claim of a worker that holds the job of an order, which no other worker can take."""
    later = timezone.now() + timedelta(minutes=5)
    job = Job.objects.create(
        kind="reporting.freeze",
        arguments={"export": export.pk},
        actor=export.requested_by,
        state=Job.State.RUNNING,
        attempts=1,
        token=1,
        heartbeat_at=later,
    )
    return jobs.Claim(job.pk, 1, job.kind, job.arguments, job.actor)


def unordered(made: Cohort) -> Export:
    """An export nobody works on yet."""
    with factories.framed():
        return Export.objects.create(
            trial=made.trial, reason="a test", requested_by=made.statistician
        )
