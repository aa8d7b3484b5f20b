"""Deviations, queries and the tracer at the sites."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, Model, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from reporting import derived
from reporting.selectors.sources.base import Computed, Source, computed, subject
from trials.models import (
    AccountabilityReview,
    Batch,
    Consent,
    Deviation,
    Enrolment,
    Injection,
    Patient,
    Query,
    ScheduledScan,
    TracerMovement,
    Trial,
    Unblinding,
)

# What a rule found at the signature of a consent; a person may have seen anything of one.
OF_SIGNATURE = ("consent-form-not-in-force", "consent-without-delegation")


def _deviations(trial: Trial):
    """With when it happened: by what it is about, as that is known today."""
    about = OuterRef("subject_pk")
    scans = ScheduledScan.objects.filter(pk=about).values(
        at=Coalesce("injection__injected_at", "planned_at")
    )
    moments: dict[type[Model], QuerySet] = {
        ScheduledScan: scans,
        Injection: Injection.objects.filter(pk=about).values("injected_at"),
        Unblinding: Unblinding.objects.filter(pk=about).values("unblinded_at"),
    }
    happened = Case(
        *(When(subject_table=one._meta.db_table, then=Subquery(at)) for one, at in moments.items()),
        When(
            subject_table=Patient._meta.db_table,
            rule="enrolled-not-eligible",
            then=Subquery(Enrolment.objects.filter(patient=about).values("enrolled_at")),
        ),
    )
    signed = Case(
        When(
            subject_table=Consent._meta.db_table,
            rule__in=OF_SIGNATURE,
            then=Subquery(Consent.objects.filter(pk=about).values("signed_at")),
        )
    )
    rows = Deviation.objects.filter(patient__trial=trial)
    rows = rows.annotate(happened=happened, signed=signed)
    return rows.order_by("patient__identifier", "pk")


def _occurred(happened: datetime | None, signed: str | None, zone: str) -> str | None:
    """A moment by the site's clock with its offset, or a date as precise as a consent has it."""
    if happened is None:
        return signed
    return happened.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


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
        "occurred_at": computed(_occurred, "happened", "signed", "patient__site__time_zone"),
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


def _batches(trial: Trial):
    return Batch.objects.filter(site__trial=trial).order_by("site__code", "pk")


BATCHES = Source(
    _batches,
    {"trial": "site__trial__identifier", "site": "site__code", "batch_id": "pk"},
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


def _reviews(trial: Trial):
    rows = AccountabilityReview.objects.filter(site__trial=trial)
    return rows.order_by("site__code", "tracer", "pk")


def _in_all(name: str) -> Computed:
    """A count over all batches of the balance as it was signed."""
    return computed(lambda balance: balance[0][name], "balance")


ACCOUNTABILITY_REVIEWS = Source(
    _reviews,
    {
        "trial": "site__trial__identifier",
        "site": "site__code",
        "review": "pk",
        **{name: _in_all(name) for name in ("received", "dispensed", "on_hand", "injections")},
        "movement_count": computed(len, "movements"),
    },
)
