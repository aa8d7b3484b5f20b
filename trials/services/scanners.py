"""Scanners of a site, what they are qualified for, and how far clocks were apart.

A cross-calibration factor is shown and its validity judged; it is never applied to a number.
A clock that nobody compared is "not checked", which is not an offset of zero.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import IntegrityError

from trials import permissions
from trials.models import ClockReading, Injection, Scanner, ScannerCheck, Site, User
from trials.services import audit, deviations, holding
from trials.services.errors import Invalid, Refused

Kind = ScannerCheck.Kind
PLAUSIBLE_FACTOR = (0.5, 2.0)
# The rule by which a scanner that was retired, or lacked a check, is a deviation.
NOT_IN_ORDER = "scanner-not-in-order"


def register(
    site: Site,
    *,
    name: str,
    manufacturer: str,
    model: str,
    by: User,
    software: str = "",
    serial_number: str = "",
    station_name: str = "",
) -> Scanner:
    """Add a scanner to a site's register."""
    permissions.require(by, "scanner.manage", site)
    for field, value in (("name", name), ("manufacturer", manufacturer), ("model", model)):
        if not value.strip():
            raise Invalid(field, "Give it as it stands on the scanner.")
    try:
        with audit.action("scanner.registered", actor=by, reason=name, trial=site.trial_id):
            return Scanner.objects.create(
                site=site,
                name=name.strip(),
                manufacturer=manufacturer.strip(),
                model=model.strip(),
                software=software.strip(),
                serial_number=serial_number.strip(),
                station_name=station_name.strip(),
            )
    except IntegrityError as error:
        raise Refused("registered-already", f"{name} is registered at {site} already.") from error


def retire(scanner: Scanner, *, on: date, reason: str, by: User) -> Scanner:
    """Let a scanner be used no more from a day; what was scanned on it stays, and is judged."""
    permissions.require(by, "scanner.manage", scanner)
    audit.require_reason(reason)
    with audit.action("scanner.retired", actor=by, reason=reason, trial=scanner.site.trial_id):
        locked = holding.held(scanner, after=scanner.injections.all())
        if locked.retired_on:
            raise Refused("retired-already", f"{locked} is retired since {locked.retired_on}.")
        locked.retired_on = on
        locked.save(update_fields=["retired_on"])
        _judge_what_was_scanned(locked)
    return locked


def qualify(
    scanner: Scanner,
    *,
    tracer: str,
    valid_from: date,
    valid_until: date,
    reference: str,
    by: User,
) -> ScannerCheck:
    """Record that a scanner is qualified for a tracer, from a day until a day."""
    permissions.require(by, "scanner.manage", scanner)
    version = scanner.site.version_in_force
    known = [one.identifier for one in version.tracers.all()] if version else []
    if tracer not in known:
        raise Invalid("tracer", f"Expected one of {', '.join(known) or 'none'}; got {tracer!r}.")
    return _check(
        scanner, Kind.QUALIFICATION, valid_from, valid_until, reference, by, tracer=tracer
    )


def cross_calibrate(
    scanner: Scanner,
    *,
    factor: float,
    valid_from: date,
    valid_until: date,
    reference: str,
    by: User,
) -> ScannerCheck:
    """Record a cross-calibration: scanner over dose calibrator, and until when it is valid."""
    permissions.require(by, "scanner.manage", scanner)
    low, high = PLAUSIBLE_FACTOR
    if not low <= factor <= high:
        raise Invalid("factor", f"Expected {low:g} to {high:g}, got {factor:g}.")
    return _check(
        scanner, Kind.CROSS_CALIBRATION, valid_from, valid_until, reference, by, factor=factor
    )


def clock_ahead(
    site: Site, *, instrument: str, at: datetime, scanner: Scanner | None = None
) -> ClockReading | None:
    """The newest comparison of a clock that was made before a moment, or none."""
    rows = site.clock_readings.filter(instrument=instrument, scanner=scanner, read_at__lte=at)
    return rows.order_by("-read_at", "-pk").first()


def readings_until(
    reading: ClockReading, *, at: datetime
) -> tuple[ClockReading | None, ClockReading | None]:
    """The comparison of the same clock that counted at a moment before this one, or after it."""
    rows = reading.site.clock_readings.filter(
        instrument=reading.instrument, scanner=reading.scanner, read_at__lte=at
    ).order_by("-read_at", "-pk")
    newest = rows.first()
    if newest != reading:
        return None, newest
    return rows.exclude(pk=reading.pk).first(), None


def cross_calibration(scanner: Scanner, *, on: date) -> tuple[ScannerCheck | None, bool]:
    """The newest cross-calibration that is valid on a day, else the newest there is; which."""
    rows = [one for one in scanner.checks.all() if one.kind == Kind.CROSS_CALIBRATION]
    valid = [one for one in rows if one.valid_from <= on <= one.valid_until]
    found = max(valid or rows, key=lambda one: (one.valid_from, one.pk), default=None)
    return found, bool(valid)


def not_in_order(injection: Injection) -> deviations.Finding | None:
    """What was wrong with the scanner on the day of an injection, by what is on record of it now.

    Inside an action: until its end nobody retires the scanner or records a check of it.
    """
    if injection.scanner_id is None:
        return None
    scanner = holding.shared(Scanner, injection.scanner_id)
    scan = injection.scheduled_scan
    on = injection.injected_at.astimezone(ZoneInfo(scan.patient.site.time_zone)).date()
    found = problems(scanner, tracer=scan.planned_scan.tracer.identifier, on=on)
    values = {"found": found, "expected": "qualified and cross-calibrated"}
    return (" ".join(found), values) if found else None


def problems(scanner: Scanner, *, tracer: str, on: date) -> list[str]:
    """What is not in order with a scanner on a day, a sentence each."""
    checks = list(scanner.checks.all())
    found = []
    if scanner.retired_on and on >= scanner.retired_on:
        found.append(f"{scanner} was retired on {scanner.retired_on}.")
    qualified = [c for c in checks if c.kind == Kind.QUALIFICATION and c.tracer == tracer]
    if not _valid(qualified, on):
        found.append(f"{scanner} was not qualified for {tracer} on {on}.")
    calibrated = [c for c in checks if c.kind == Kind.CROSS_CALIBRATION]
    if not _valid(calibrated, on):
        until = max((c.valid_until for c in calibrated), default=None)
        found.append(
            f"The cross-calibration of {scanner} "
            + (f"ended on {until}." if until and until < on else f"was not valid on {on}.")
        )
    return found


def _valid(checks: list[ScannerCheck], on: date) -> bool:
    return any(one.valid_from <= on <= one.valid_until for one in checks)


def _judge_what_was_scanned(scanner: Scanner) -> None:
    """Hold each injection on it to the scanner as it is now. Inside the action."""
    asked = "scheduled_scan__patient__site", "scheduled_scan__planned_scan__tracer"
    scanned = holding.in_order(scanner.injections.all()).select_related(*asked)
    deviations.judge_each(scanned, rule=NOT_IN_ORDER, find=not_in_order)


def _check(
    scanner: Scanner,
    kind: str,
    valid_from: date,
    valid_until: date,
    reference: str,
    by: User,
    **value,
) -> ScannerCheck:
    if valid_until < valid_from:
        raise Invalid("valid_until", f"It is valid from {valid_from} and can't end before.")
    if not reference.strip():
        raise Invalid("reference", "Name the report it rests on, as the site files it.")
    with audit.action("scanner.checked", actor=by, reason=reference, trial=scanner.site.trial_id):
        locked = holding.held(scanner, after=scanner.injections.all())
        row = ScannerCheck.objects.create(
            scanner=locked,
            kind=kind,
            valid_from=valid_from,
            valid_until=valid_until,
            reference=reference.strip(),
            recorded_by=by,
            **value,
        )
        _judge_what_was_scanned(locked)
    return row
