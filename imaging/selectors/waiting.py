"""Transmittals that stay in one state longer than they should, for somebody to look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db.models import BooleanField, Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from imaging.models import ReceivedFile, Transmittal

State = Transmittal.State
# What a person does may take days; what a worker does takes minutes.
LIMITS: Mapping[State, timedelta] = MappingProxyType(
    {
        State.RECEIVING: timedelta(days=1),
        State.RECEIVED: timedelta(hours=1),
        State.INSPECTED: timedelta(hours=1),
        State.QUARANTINED: timedelta(days=3),
        State.RELEASED: timedelta(hours=1),
    }
)
# What to do about it, by who is waited for.
ADVICE: Mapping[State, str] = MappingProxyType(
    {
        State.RECEIVING: "The upload was never finished: choose the folder again to go on.",
        State.RECEIVED: "No worker has looked at it: tell whoever keeps the server.",
        State.INSPECTED: "No worker has de-identified it: tell whoever keeps the server.",
        State.QUARANTINED: "A data manager has not decided yet.",
        State.RELEASED: "No worker has assembled it: tell whoever keeps the server.",
    }
)


def with_lateness(rows: QuerySet[Transmittal], *, now: datetime | None = None) -> QuerySet:
    """The same rows, each saying in `is_late` whether it stays longer than it should."""
    late = When(_is_late(now or timezone.now()), then=Value(True))
    return rows.annotate(
        is_late=Case(late, default=Value(False), output_field=BooleanField()),
    )


def late(rows: QuerySet[Transmittal], *, now: datetime | None = None) -> QuerySet[Transmittal]:
    """Those that stay longer than they should."""
    return rows.filter(_is_late(now or timezone.now()))


def advice_of(transmittal: Transmittal) -> str:
    return ADVICE.get(State(transmittal.state), "")


def _is_late(now: datetime) -> Q:
    found = Q(pk__in=[])
    for state, limit in LIMITS.items():
        found |= Q(state=state, moved_at__lt=now - limit)
    # An upload that was opened and sent nothing holds nobody's images.
    has_files = Exists(ReceivedFile.objects.filter(transmittal=OuterRef("pk")))
    return found & (~Q(state=State.RECEIVING) | Q(has_files))
