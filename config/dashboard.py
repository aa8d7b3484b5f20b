"""What waits for a user: a card for each act their roles let them do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from imaging import selectors
from imaging.models import PrivacyIncident, ReferenceRegion, Series, Transmittal
from imaging.selectors import waiting
from reporting.models import Export
from trials.models import Deviation, FormEntry, Job, Patient, Query, ScheduledScan, User
from trials.selectors import panel_veil

SHOWN = 6


@dataclass(frozen=True)
class Kind:
    """One thing that can wait for somebody, and where it is dealt with."""

    title: str
    text: str
    icon: str
    permission: str
    page: str
    rows: Callable[[User, str], QuerySet]
    state: str = ""
    is_urgent: bool = False


def _in_state(model, state: str) -> Callable[[User, str], QuerySet]:
    return lambda user, permission: model.objects.visible_to(user, permission).filter(state=state)


def _of_the_open(model, state: str) -> Callable[[User, str], QuerySet]:
    """Queries or deviations in a state, without those about a panel that the user may not open."""
    rows = _in_state(model, state)
    return lambda user, permission: panel_veil.shown(rows(user, permission), user)


def _unread(user: User, permission: str) -> QuerySet:
    """Series to read in whose current run no reader has accepted or placed a region."""
    measured = selectors.to_read(Series.objects.visible_to(user, permission))
    placed = ReferenceRegion.objects.filter(quantification__is_current=True).exclude(
        status=ReferenceRegion.Status.PROPOSED
    )
    return measured.exclude(pk__in=placed.values("quantification__series"))


KINDS = (
    Kind(
        "Series to read",
        "measured, no reference region accepted or placed yet",
        "eye",
        "reading.view",
        "reading_list",
        _unread,
    ),
    Kind(
        "Patients in screening",
        "not enrolled yet",
        "users",
        "patient.view",
        "patients",
        _in_state(Patient, Patient.State.SCREENING),
        "screening",
    ),
    Kind(
        "Queries to answer",
        "questions to your site",
        "message-question",
        "query.answer",
        "queries",
        _of_the_open(Query, Query.State.OPEN),
        "open",
        is_urgent=True,
    ),
    Kind(
        "Open queries",
        "waiting for a site",
        "message-question",
        "query.open",
        "queries",
        _of_the_open(Query, Query.State.OPEN),
        "open",
    ),
    Kind(
        "Answers to judge",
        "answered queries to close or reopen",
        "check",
        "query.close",
        "queries",
        _of_the_open(Query, Query.State.ANSWERED),
        "answered",
        is_urgent=True,
    ),
    Kind(
        "Deviations to acknowledge",
        "drafted by a rule or a colleague",
        "alert-triangle",
        "deviation.acknowledge",
        "deviations",
        _of_the_open(Deviation, Deviation.State.DRAFTED),
        "drafted",
        is_urgent=True,
    ),
    Kind(
        "Deviations drafted",
        "not acknowledged by the investigator yet",
        "alert-triangle",
        "deviation.close",
        "deviations",
        _of_the_open(Deviation, Deviation.State.DRAFTED),
        "drafted",
    ),
    Kind(
        "Deviations to close",
        "acknowledged by the investigator",
        "check",
        "deviation.close",
        "deviations",
        _of_the_open(Deviation, Deviation.State.ACKNOWLEDGED),
        "acknowledged",
        is_urgent=True,
    ),
    Kind(
        "Images in quarantine",
        "a person decides",
        "lock",
        "images.decide",
        "transmittals",
        _in_state(Transmittal, Transmittal.State.QUARANTINED),
        "quarantined",
        is_urgent=True,
    ),
    Kind(
        "Privacy incidents",
        "open: to be judged within 72 hours",
        "alert-triangle",
        "incident.handle",
        "incidents",
        _in_state(PrivacyIncident, PrivacyIncident.State.OPEN),
        "open",
        is_urgent=True,
    ),
    Kind(
        "Images that wait too long",
        "in one state longer than they should",
        "clock",
        "images.view",
        "transmittals",
        lambda user, permission: waiting.late(Transmittal.objects.visible_to(user, permission)),
        "late",
        is_urgent=True,
    ),
    Kind(
        "Reports due",
        "serious events and pregnancies to report",
        "clock",
        "form.record",
        "form_entries",
        lambda user, permission: FormEntry.objects.visible_to(user, permission).filter(
            report_due_at__isnull=False
        ),
        "due",
        is_urgent=True,
    ),
    Kind(
        "Exports",
        "frozen, ready to download",
        "file-export",
        "export.view",
        "exports",
        _in_state(Export, Export.State.FROZEN),
    ),
    Kind(
        "Jobs given up",
        "parked after three attempts",
        "list-check",
        "jobs.view",
        "jobs",
        _in_state(Job, Job.State.PARKED),
        "parked",
        is_urgent=True,
    ),
)


def cards_for(user: User) -> list[dict]:
    """The cards of a user's roles, each with its live count."""
    return [_card(kind, user) for kind in KINDS if user.may(kind.permission)]


def _card(kind: Kind, user: User) -> dict:
    count = kind.rows(user, kind.permission).count()
    address = reverse(kind.page)
    return {
        "title": kind.title,
        "text": kind.text,
        "icon": kind.icon,
        "count": count,
        "address": f"{address}?state={kind.state}" if kind.state else address,
        "is_urgent": kind.is_urgent and count > 0,
    }


def scans_ahead(user: User) -> QuerySet:
    """Scans planned and not injected, soonest first."""
    return _scans(user, "injection.record", ScheduledScan.State.SCHEDULED)


def scans_without_images(user: User) -> QuerySet:
    """Scans whose tracer was given and whose images the site has not sent."""
    return _scans(user, "images.upload", ScheduledScan.State.INJECTED)


def _scans(user: User, permission: str, state: str) -> QuerySet:
    return (
        ScheduledScan.objects.visible_to(user, permission)
        .filter(state=state)
        .select_related("patient__site", "planned_scan")
        .order_by("planned_at")[:SHOWN]
    )
