"""Deviations, queries and the tracer at the sites."""

from __future__ import annotations

from django.db.models import Count

from reporting import derived
from reporting.selectors.sources.base import Source, computed, subject
from trials.models import Deviation, Query, TracerMovement, Trial


def _deviations(trial: Trial):
    return Deviation.objects.filter(patient__trial=trial).order_by("patient__identifier", "pk")


def _queries(trial: Trial):
    return (
        Query.objects.filter(trial=trial)
        .annotate(message_count=Count("messages"))
        .order_by("site__code", "pk")
    )


def _movements(trial: Trial):
    return TracerMovement.objects.filter(site__trial=trial).order_by("site__code", "pk")


DEVIATIONS = Source(
    _deviations,
    {
        **subject("patient__"),
        "deviation": "pk",
        "values": computed(derived.json_text, "values"),
        "about_table": "subject_table",
        "about_pk": "subject_pk",
    },
)

QUERIES = Source(
    _queries,
    {
        **subject("patient__"),
        "trial": "trial__identifier",
        "site": "site__code",
        "query": "pk",
        "about_table": "subject_table",
        "about_pk": "subject_pk",
    },
)

TRACER_MOVEMENTS = Source(
    _movements,
    {
        "trial": "site__trial__identifier",
        "site": "site__code",
        "movement": "pk",
        "batch": "batch__number",
    },
)
