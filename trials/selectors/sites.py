"""Sites with where they stand: readiness, documents, people, versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import CharField, Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast

from trials import site_readiness
from trials.models import AuditEvent, Delegation, Patient, Site
from trials.models.today import Today
from trials.services import sites


@dataclass(frozen=True)
class Line:
    """A site of the list: whether it may enrol, what it lacks, how many patients it has."""

    site: Site
    missing: list[str]
    screening: int
    enrolled: int


@dataclass(frozen=True)
class Check:
    """One line of the checklist, in words."""

    label: str
    is_there: bool
    until: date | None
    ends_soon: bool


def lines(rows: QuerySet[Site]) -> list[Line]:
    """Sites with the standing of each; a fixed number of queries for any number."""
    counted = rows.select_related("trial", "principal_investigator").annotate(
        n_screening=Count("patients", filter=Q(patients__state=Patient.State.SCREENING)),
        n_enrolled=Count("patients", filter=Q(patients__enrolment__isnull=False)),
    )
    found = counted.prefetch_related(
        "approvals", "consent_versions", "activations__version__tracers"
    )
    return [
        Line(one, sites.missing(one), one.n_screening, one.n_enrolled)
        for one in found.order_by("trial__identifier", "code")
    ]


def checklist(site: Site) -> list[Check]:
    """What a site needs, each with whether it is there and until when."""
    today = site.today()
    return [
        Check(sites.described(one), one.is_there, one.until, one.ends_soon(today))
        for one in sites.needs(site)
    ]


def delegation_log(site: Site) -> QuerySet[Delegation]:
    """Every duty given at a site, by person, with the reason the trail gives for its end."""
    ends = AuditEvent.objects.filter(
        action="duty.ended",
        table=Delegation._meta.db_table,
        row=Cast(OuterRef("pk"), CharField()),
    ).order_by("-pk")
    return (
        site.delegations.select_related("user", "signature")
        .annotate(ended_because=Subquery(ends.values("reason")[:1]))
        .order_by("user__last_name", "user__pk", "duty", "-starts_on")
    )


def ending_soon(rows: QuerySet[Site]) -> list[tuple[Site, Check]]:
    """Approvals of sites that end within the time of warning."""
    limit = Today("time_zone") + site_readiness.WARNING + timedelta(days=1)
    near = rows.filter(
        Q(approvals__expires_on__lt=limit) | Q(approvals__ended_on__lt=limit),
        state=Site.State.ACTIVE,
    ).distinct()
    return [(site, check) for site in near for check in checklist(site) if check.ends_soon]
