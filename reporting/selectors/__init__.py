"""What the pages and the API show of exports."""

from __future__ import annotations

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from reporting import progress
from reporting.models import Export, ExportRebuild
from reporting.progress import Progress
from trials.models import Job, Trial, User

GIVEN_UP = "The work was given up after three attempts; an administrator sees it under Jobs."


def exports():
    """Exports with `standing`: their state, or failed when their job was given up.

    `progress` is what their job says of itself, `attempt` how often a worker took it up.
    """
    people = ("requested_by", "decided_by", "cancelled_by")
    return _standing(Export.objects.select_related("trial", *people))


def rebuilds(export: Export):
    """What came of making an export once more, the newest first, with the same of its job."""
    return _standing(
        ExportRebuild.objects.filter(export=export).select_related("requested_by").order_by("-pk")
    )


def _standing(rows):
    job = Job.objects.filter(pk=OuterRef("job"))
    return rows.annotate(
        is_given_up=Exists(job.filter(state=Job.State.PARKED)),
        progress=Subquery(job.values("progress")),
        attempt=Subquery(job.values("attempts")),
    ).annotate(
        standing=Case(
            When(state=Export.State.REQUESTED, is_given_up=True, then=Value("failed")),
            default=F("state"),
            output_field=CharField(),
        )
    )


def waiting(rows):
    """Of exports, those that wait until a second person agrees, the longest waiting first."""
    return rows.filter(state=Export.State.WAITING).order_by("requested_at", "pk")


def progress_of(row: Export | ExportRebuild) -> Progress | None:
    """How far the job is that an export or a rebuild waits for."""
    return progress.read(row.progress or "") if row.standing == Export.State.REQUESTED else None


def exportable_trials(user: User):
    """Trials the user may export: the whole trial or nothing."""
    held = user.scopes("export.create")
    return Trial.objects.filter(pk__in=[trial for trial, site in held if site is None])


def frozen_before(export: Export):
    """Exports of the same trial that it can be held against, the newest data first."""
    rows = Export.objects.filter(trial=export.trial_id, state=Export.State.FROZEN)
    ranked = rows.annotate(point_of=Coalesce("audit_event", Value(0)))
    of = export.audit_event or 0
    before = Q(point_of__lt=of) | Q(point_of=of, pk__lt=export.pk)
    return ranked.filter(before).order_by("-point_of", "-pk")


def message_of(row: Export | ExportRebuild) -> str:
    """Why an export or a rebuild failed, for a person to act on."""
    return GIVEN_UP if row.is_given_up and not row.message else row.message
