"""What the pages of a scan day show and prefill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.utils import timezone

from trials.models import (
    ClockReading,
    HeaderStatement,
    Injection,
    Scanner,
    ScheduledScan,
    Site,
    User,
)
from trials.services import batches, scan_day, scanners
from trials.stated import Comparison, compared, is_same_name

RECORDED = (
    "batch",
    "scanner",
    "assayed_activity_mbq",
    "assayed_at",
    "residual_activity_mbq",
    "residual_at",
    "injected_at",
    "weight_kg",
    "height_cm",
    "route",
    "body_site",
    "extravasation",
    "comment",
)
# What a scan day needs anew, from the evidence that is there: variable and field.
KNOWN = {"weight": "weight_kg", "height": "height_cm"}


@dataclass(frozen=True)
class Uptake:
    """How long ago the tracer was given, and when its window of the protocol is open."""

    injected_at: datetime
    minutes: float
    opens_at: datetime | None
    closes_at: datetime | None

    @property
    def now(self) -> datetime:
        return self.injected_at + timedelta(minutes=self.minutes)

    @property
    def standing(self) -> str:
        """Where the clock stands in the window, in words."""
        now = self.now
        if self.opens_at is None and self.closes_at is None:
            return "no window stated"
        if self.opens_at and now < self.opens_at:
            return "window not open yet"
        if self.closes_at and now > self.closes_at:
            return "window closed"
        return "window open"


def unfinished_upload(scan: ScheduledScan) -> Any | None:
    """The transmittal of `scan` that a person began and did not complete; `arrived` files of it.

    None where nothing of it has come: to look whether something is missing opens one too.
    """
    receiving = scan.transmittals.filter(state="receiving", source="browser")
    begun = Q(arrived__gt=0) | Q(partial_uploads__state="receiving")
    return receiving.annotate(arrived=Count("files", distinct=True)).filter(begun).first()


def likely(scan: ScheduledScan, *, by: User) -> scan_day.Day:
    """The injection as it would be now: the newest usable batch, the only scanner."""
    site, now = scan.patient.site, timezone.now()
    usable = batches.usable(site, tracer=scan.planned_scan.tracer.identifier, at=now)
    there = list(site.scanners.filter(retired_on=None).prefetch_related("checks")[:2])
    return scan_day.Day(
        by=by,
        at=now,
        batch=usable[0] if usable else None,
        scanner=there[0] if len(there) == 1 else None,
    )


def prefilled(scan: ScheduledScan, day: scan_day.Day) -> dict[str, Any]:
    """What is known before anything is typed: nothing is entered twice.

    A weight counts only if it is of the day: as evidence of the scan, else from its images.
    """
    statement = statement_of(scan)
    said = {
        name: getattr(statement, name)
        for name in ("weight_kg", "height_cm", "injected_at")
        if statement and getattr(statement, name) is not None
    }
    known = {"batch": day.batch, "scanner": _of_images(scan, statement) or day.scanner}
    return _older_height(scan) | said | _of_the_day(scan) | known


def statement_of(scan: ScheduledScan) -> HeaderStatement | None:
    """What the headers of the scan's images state, once they are there."""
    return getattr(scan, "header_statement", None)


def beside(scan: ScheduledScan) -> tuple[Comparison, ...]:
    """The recorded injection beside what the images say of it."""
    statement, injection = statement_of(scan), getattr(scan, "injection", None)
    if statement is None or injection is None:
        return ()
    return compared(statement.stated, injection.given, scan.planned_scan.tolerances)


def _of_the_day(scan: ScheduledScan) -> dict[str, float]:
    return _measured(scan, scheduled_scan=scan, variable__in=KNOWN)


def _older_height(scan: ScheduledScan) -> dict[str, float]:
    return _measured(scan, variable="height")


def _measured(scan: ScheduledScan, **filters) -> dict[str, float]:
    facts = scan.patient.evidence.filter(superseded_by=None, is_void=False, **filters)
    newest = {one.variable: one for one in facts.order_by("observed_at", "pk")}
    return {
        KNOWN[name]: one.value for name, one in newest.items() if isinstance(one.value, int | float)
    }


def _of_images(scan: ScheduledScan, statement: HeaderStatement | None) -> Scanner | None:
    """The scanner of the site that the images name, if just one is of that maker and model."""
    if statement is None or not statement.model:
        return None
    found = [
        one
        for one in scan.patient.site.scanners.filter(retired_on=None)
        if is_same_name(one.manufacturer, statement.manufacturer)
        and is_same_name(one.model, statement.model)
    ]
    return found[0] if len(found) == 1 else None


def as_recorded(injection: Injection) -> dict[str, Any]:
    """The injection as its form shows it."""
    shown = {name: getattr(injection, name) for name in RECORDED}
    return shown | {"is_residual_unmeasured": injection.residual_activity_mbq is None}


def uptake(scan: ScheduledScan) -> Uptake | None:
    """The running uptake time of a scan whose images are not there yet."""
    injection = getattr(scan, "injection", None)
    if injection is None or scan.state != ScheduledScan.State.INJECTED:
        return None
    plan, at = scan.planned_scan, injection.injected_at
    return Uptake(
        injected_at=at,
        minutes=(timezone.now() - at).total_seconds() / 60,
        opens_at=_after(at, plan.uptake_low_minutes),
        closes_at=_after(at, plan.uptake_high_minutes),
    )


def scanner_problems(injection: Injection) -> list[str]:
    """What was not in order with the scanner on the day."""
    scan = injection.scheduled_scan
    if injection.scanner is None:
        return []
    on = injection.injected_at.astimezone(ZoneInfo(scan.patient.site.time_zone)).date()
    tracer = scan.planned_scan.tracer.identifier
    return scanners.problems(injection.scanner, tracer=tracer, on=on)


def clocks(site: Site) -> list[ClockReading]:
    """The newest comparison of each clock."""
    rows = site.clock_readings.select_related("scanner", "recorded_by").order_by(
        "instrument", "scanner_id", "-read_at", "-pk"
    )
    return list(rows.distinct("instrument", "scanner_id"))


def _after(at: datetime, minutes: float | None) -> datetime | None:
    return None if minutes is None else at + timedelta(minutes=minutes)
