"""Monitoring visits and their action items."""

from __future__ import annotations

from datetime import date

from reporting.selectors.sources.base import Source, computed
from trials.models import ActionItem, MonitoringVisit, Trial


def _visits(trial: Trial):
    return MonitoringVisit.objects.filter(site__trial=trial).order_by("site__code", "held_on", "pk")


def _items(trial: Trial):
    return ActionItem.objects.filter(visit__site__trial=trial).order_by(
        "visit__site__code", "visit__held_on", "visit__pk", "number"
    )


MONITORING_VISITS = Source(
    _visits,
    {
        "trial": "site__trial__identifier",
        "site": "site__code",
        "visit": "pk",
        "held_on": computed(date.isoformat, "held_on"),
    },
)

ACTION_ITEMS = Source(
    _items,
    {
        "trial": "visit__site__trial__identifier",
        "site": "visit__site__code",
        "visit": "visit__pk",
        "due_on": computed(date.isoformat, "due_on"),
    },
)
