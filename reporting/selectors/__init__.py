"""What the pages and the API show of exports."""

from __future__ import annotations

from django.db.models import Case, CharField, Exists, F, OuterRef, Value, When

from reporting.models import Export
from trials.models import Job, Trial, User

GIVEN_UP = "The work was given up after three attempts; an administrator sees it under Jobs."


def exports():
    """Exports with `standing`: their state, or failed when their job was given up."""
    given_up = Exists(Job.objects.filter(pk=OuterRef("job"), state=Job.State.PARKED))
    return (
        Export.objects.select_related("trial", "requested_by")
        .annotate(is_given_up=given_up)
        .annotate(
            standing=Case(
                When(state=Export.State.REQUESTED, is_given_up=True, then=Value("failed")),
                default=F("state"),
                output_field=CharField(),
            )
        )
    )


def exportable_trials(user: User):
    """Trials the user may export: the whole trial or nothing."""
    held = user.scopes("export.create")
    return Trial.objects.filter(pk__in=[trial for trial, site in held if site is None])


def frozen_before(export: Export):
    """Exports of the same trial that it can be held against, the newest first."""
    rows = Export.objects.filter(trial=export.trial_id, state=Export.State.FROZEN)
    return rows.filter(pk__lt=export.pk).order_by("-pk")


def message_of(export: Export) -> str:
    """Why an export failed, for a person to act on."""
    return GIVEN_UP if export.is_given_up and not export.message else export.message
