"""The calendar feed of a user: scans by time and place, and no identity.

Whoever has the address has the calendar, so it names trial, site and scan and no patient;
the link in an event opens the record behind the log-in. The address is shown once, its
digest kept, and a new one ends the one before.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone
from icalendar import Calendar, Event, vUri

from trials.models import CalendarFeed, ScheduledScan, User
from trials.services import audit

State = ScheduledScan.State
# How long a scan is shown to take: preparation, uptake and the scan itself.
LENGTH = timedelta(hours=2)
# A calendar needs neither last year nor more than fits.
BEHIND, MOST = timedelta(days=30), 2000
STATUS = {State.CANCELLED: "CANCELLED"}


def renew(user: User) -> str:
    """A new secret address; the one before ends. Shown this once."""
    secret = secrets.token_urlsafe(32)
    with audit.action("calendar.renewed", actor=user, reason="calendar feed"):
        _end(user)
        CalendarFeed.objects.create(user=user, digest=_digest(secret))
    return secret


def revoke(user: User) -> None:
    """End the calendar feed of a user."""
    with audit.action("calendar.revoked", actor=user, reason="calendar feed"):
        _end(user)


def user_of(secret: str) -> User | None:
    """Whose calendar an address is, while it is in force and the account active."""
    feed = (
        CalendarFeed.objects.filter(digest=_digest(secret), revoked_at=None, user__is_active=True)
        .select_related("user")
        .first()
    )
    return feed.user if feed else None


def feed_of(user: User, *, link) -> bytes:
    """The scans that the user may see as an iCalendar; `link` gives a scan's address."""
    calendar = Calendar()
    calendar.add("prodid", "-//TrialTrace//Scans//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "TrialTrace scans")
    scans = (
        ScheduledScan.objects.visible_to(user, "patient.view")
        .filter(planned_at__gte=timezone.now() - BEHIND)
        .select_related("planned_scan", "patient__trial", "patient__site")
        .order_by("planned_at", "pk")
    )
    for scan in scans[:MOST]:
        calendar.add_component(_event(scan, link(scan)))
    return calendar.to_ical()


def _event(scan: ScheduledScan, address: str) -> Event:
    trial, site = scan.patient.trial, scan.patient.site
    event = Event()
    event.add("uid", f"scan-{scan.pk}@trialtrace")
    event.add("dtstamp", timezone.now())
    event.add("sequence", scan.sequence)
    event.add("dtstart", scan.planned_at)
    event.add("dtend", scan.planned_at + LENGTH)
    event.add("summary", f"{trial.acronym or trial.identifier}: {scan.planned_scan.label}")
    event.add("location", f"Site {site.code}")
    event.add("status", STATUS.get(scan.state, "CONFIRMED"))
    event["url"] = vUri(address)
    return event


def _end(user: User) -> None:
    CalendarFeed.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
