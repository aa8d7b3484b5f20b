"""The schedule of patients, read in a fixed number of queries for any number of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Prefetch, Q, QuerySet, prefetch_related_objects
from django.utils import timezone

from trials import schedule, spans
from trials.models import (
    Patient,
    PlannedVisit,
    ProtocolActivation,
    ScheduledScan,
    VisitRecord,
)

AHEAD = timedelta(days=7)
State = Patient.State


@dataclass(frozen=True)
class Line:
    """One thing a site has to do: for whom, what, until when, and where it is done."""

    patient: Patient
    what: str
    standing: str
    at: datetime | None
    until: datetime | None
    page: str
    pk: int
    act: str
    is_provisional: bool = False
    # The visit that is recorded; empty where the act is about a scan.
    visit: str = ""


def with_schedule(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """Patients with what their schedule is computed from."""
    return patients.select_related("trial", "site", "enrolment").prefetch_related(*_parts())


def _parts() -> list[str | Prefetch]:
    scans = (
        ScheduledScan.objects.exclude(state=ScheduledScan.State.CANCELLED)
        .select_related("planned_scan__visit", "injection")
        .order_by("planned_at", "pk")
    )
    activations = ProtocolActivation.objects.select_related("version").defer("version__definition")
    records = VisitRecord.objects.filter(undone_because="").select_related(
        "planned_visit", "recorded_by"
    )
    return [
        "consents",
        Prefetch("scheduled_scans", scans, to_attr="current_scans"),
        Prefetch("site__activations", activations),
        Prefetch("visit_records", records, to_attr="current_visits"),
    ]


def plans_of(patients: Iterable[Patient]) -> dict[int, list[tuple[schedule.Visit, PlannedVisit]]]:
    """The planned visits of every version in force where the patients are; one query."""
    versions = {v.pk for one in patients if (v := one.site.version_in_force)}
    rows = PlannedVisit.objects.filter(version__in=versions).annotate(
        scans=ArrayAgg(
            "planned_scans__identifier", filter=Q(planned_scans__isnull=False), default=[]
        )
    )
    found: dict[int, list[tuple[schedule.Visit, PlannedVisit]]] = {}
    for row in rows:
        visit = schedule.Visit(
            identifier=row.identifier,
            label=row.label,
            anchor=row.anchor,
            target=row.target,
            earliest=row.earliest,
            latest=row.latest,
            has_scan=bool(row.scans),
            scans=tuple(sorted(row.scans)),
        )
        found.setdefault(row.version_id, []).append((visit, row))
    return found


def of_patient(patient: Patient, plans, *, now: datetime | None = None) -> list[schedule.Dated]:
    """The visits of one patient from `with_schedule`, dated."""
    return schedule.dated(**_asked(patient, plans, now))


def anchors_of(
    patient: Patient, plans, *, now: datetime | None = None
) -> dict[str, schedule.Anchor]:
    """When each visit and scan of one patient from `with_schedule` took place, or is planned."""
    return schedule.anchors_of(**_asked(patient, plans, now))


def _asked(patient: Patient, plans, now: datetime | None) -> dict[str, Any]:
    version = patient.site.version_in_force
    zone = ZoneInfo(patient.site.time_zone)
    return {
        "visits": [visit for visit, _ in plans.get(version.pk, ())] if version else [],
        "anchors": _anchors(patient, zone),
        "appointments": _appointments(patient),
        "now": now or timezone.now(),
        "zone": zone,
        "done": {
            one.planned_visit.identifier: spans.span(one.took_place_at, zone)
            for one in patient.current_visits
        },
    }


@dataclass(frozen=True)
class Shown:
    """A visit of a patient with its dates, and what was recorded of it."""

    dated: schedule.Dated
    record: VisitRecord | None = None

    @property
    def may_be_recorded(self) -> bool:
        """Whether somebody may say that it took place; with a scan, the injection says so."""
        return self.record is None and not self.dated.visit.has_scan


def visits_of(patient: Patient) -> list[Shown]:
    """The visits of one patient, dated as of now."""
    prefetch_related_objects([patient], *_parts())
    records = {one.planned_visit.identifier: one for one in patient.current_visits}
    return [
        Shown(one, records.get(one.visit.identifier) if not one.visit.has_scan else None)
        for one in of_patient(patient, plans_of([patient]))
    ]


def _anchors(patient: Patient, zone: ZoneInfo) -> dict[str, schedule.Anchor]:
    anchors = {}
    signed = [
        spans.span(one.signed_at, zone) for one in patient.consents.all() if not one.withdrawn_at
    ]
    if signed:
        first = min(signed, key=lambda one: (one.first, one.last))
        anchors["consent"] = schedule.Anchor(first)
    enrolment = getattr(patient, "enrolment", None)
    if enrolment:
        anchors["enrolment"] = schedule.Anchor(spans.moment(enrolment.enrolled_at))
    for scan in patient.current_scans:
        injection = getattr(scan, "injection", None)
        at = injection.injected_at if injection else scan.planned_at
        anchors[f"scan.{scan.planned_scan.identifier}"] = schedule.Anchor(
            spans.moment(at), is_actual=injection is not None
        )
    return anchors


def _appointments(patient: Patient) -> dict[str, schedule.Appointment]:
    found: dict[str, schedule.Appointment] = {}
    for scan in patient.current_scans:
        visit = scan.planned_scan.visit
        if visit is None:
            continue
        injection = getattr(scan, "injection", None)
        one = schedule.Appointment(scan.planned_at, injection.injected_at if injection else None)
        # A visit with two scans begins with the first of them.
        found.setdefault(visit.identifier, one)
    return found


def worklist(patients: QuerySet[Patient], *, now: datetime | None = None) -> list[Line]:
    """What the patients need within a week, the most urgent first."""
    now = now or timezone.now()
    taking_part = list(with_schedule(patients.filter(state=State.ENROLLED)).order_by("identifier"))
    plans = plans_of(taking_part)
    lines = []
    for patient in taking_part:
        found = of_patient(patient, plans, now=now)
        for one in schedule.urgent(found, until=now + AHEAD):
            lines += _lines(patient, one)
    order = {standing.value: n for n, standing in enumerate(schedule.URGENCY)}
    return sorted(lines, key=lambda one: (order[one.standing], one.until or now, one.pk))


def _lines(patient: Patient, one: schedule.Dated) -> list[Line]:
    """The act that a visit asks for: a time for its scan, the scan itself, or its record."""
    at_visit = [
        scan
        for scan in patient.current_scans
        if scan.planned_scan.visit and scan.planned_scan.visit.identifier == one.visit.identifier
    ]
    common = {
        "patient": patient,
        "standing": one.standing.value,
        "until": one.closes_at,
        "is_provisional": one.is_provisional,
    }
    waiting = [scan for scan in at_visit if scan.state == ScheduledScan.State.SCHEDULED]
    if waiting:
        return [
            Line(
                what=scan.planned_scan.label,
                at=scan.planned_at,
                page="scan",
                pk=scan.pk,
                act="Open the scan",
                **common,
            )
            for scan in waiting
        ]
    if at_visit:
        return []
    if not one.visit.has_scan:
        return [
            Line(
                what=one.visit.label,
                at=None,
                page="visit_record",
                pk=patient.pk,
                act="Record the visit",
                visit=one.visit.identifier,
                **common,
            )
        ]
    return [
        Line(
            what=one.visit.label,
            at=None,
            page="scan_new",
            pk=patient.pk,
            act="Schedule",
            **common,
        )
    ]
