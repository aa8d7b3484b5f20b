"""When the tracer was given, by the headers, as seconds before another instant.

Dates are the weak point: 59 % of real headers give a time of day only, and de-identification
moves the dates of injection and series apart. A Start DateTime that lies within two
half-lives before the reference is believed; else only its clock is, on the nearest day, and
that only for nuclides that are gone after a day. The date of the site's record is known: one that
can't be is a wrong record, and refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from imaging.headers import PetHeader, Radiopharmaceutical
from imaging.reference_time import DAY, LONG_LIVED, SAME_INSTANT, seconds_between
from imaging.suv_terms import SuvRefused

# A dynamic series may begin up to an hour before the injection (IBSI-SUV).
EARLIEST_UPTAKE = -3600.0


def seconds_since_injection(
    header: PetHeader, item: Radiopharmaceutical, reference: datetime, half_life: float
) -> tuple[float, tuple[str, ...]]:
    """Seconds from the injection to `reference`, and what had to be adapted.

    Parameters
    ----------
    header : PetHeader
        For the zone of the series.
    item : Radiopharmaceutical
        With Start DateTime (0018,1078) or Start Time (0018,1072).
    reference : datetime
        Clock of the series, without a zone.
    half_life : float
        In s.

    Raises
    ------
    SuvRefused
        "injection-time-missing", "injection-date-missing", "uptake-implausible".
    """
    start, clock = item.start_datetime, item.start_time
    replaced = "injection-date-from-reference"
    notes: tuple[str, ...] = ()
    if start is not None:
        local = start.in_zone(header.utc_offset)
        notes = ("injection-in-zone-of-series",) * (local != start.local)
        elapsed = (reference - local).total_seconds()
        if EARLIEST_UPTAKE <= elapsed < 2 * half_life:
            return elapsed, notes
        if start.is_recorded:
            raise _recorded_wrongly(elapsed)
        clock, replaced = local.time(), "injection-date-replaced"
    if clock is None:
        raise SuvRefused(
            "injection-time-missing",
            "Neither Radiopharmaceutical Start DateTime (0018,1078) nor Start Time (0018,1072) "
            "is there.",
        )
    if half_life >= LONG_LIVED:
        raise SuvRefused(
            "injection-date-missing",
            "A half-life this long needs a Radiopharmaceutical Start DateTime (0018,1078) within "
            f"two half-lives of the scan, got {start.local if start else 'only a time of day'}.",
        )
    elapsed = seconds_between(reference.time(), clock)
    if elapsed < EARLIEST_UPTAKE:
        elapsed += DAY
    return elapsed, (*notes, replaced)


def injection_of(header: PetHeader, reference: datetime) -> datetime | None:
    """When the one tracer was given, whatever else the headers lack for an SUV; None if unknown.

    Parameters as `seconds_since_injection`.
    """
    if len(header.radiopharmaceuticals) != 1:
        return None
    (item,) = header.radiopharmaceuticals
    if item.half_life is None or not item.half_life > 0:
        return None
    try:
        elapsed, _ = seconds_since_injection(header, item, reference, item.half_life)
    except SuvRefused:
        return None
    return reference - timedelta(seconds=elapsed)


def _recorded_wrongly(elapsed: float) -> SuvRefused:
    side = "after" if elapsed < 0 else "before"
    return SuvRefused(
        "uptake-implausible",
        f"The site recorded the injection {abs(elapsed) / 60:.0f} min {side} the scan, which is "
        "not within two half-lives before it: correct the day or the time of the record.",
    )


def clock_flags(item: Radiopharmaceutical) -> tuple[str, ...]:
    """Whether the two ways to write the injection name different times of day."""
    if item.start_datetime is None or item.start_time is None:
        return ()
    apart = seconds_between(item.start_datetime.local.time(), item.start_time)
    return ("injection-times-differ",) * (abs(apart) > SAME_INSTANT)


def doubt_about_uptake(
    header: PetHeader, elapsed: float, half_life: float
) -> tuple[str, str] | None:
    """Why a person has to look: code and sentence. Refused outright beyond two half-lives.

    Raises
    ------
    SuvRefused
        "uptake-implausible".
    """
    if elapsed > 2 * half_life:
        raise SuvRefused(
            "uptake-implausible",
            f"{elapsed / 60:.0f} min from injection (0018,1072) to scan are more than two "
            "half-lives.",
        )
    if elapsed < 0 and "DYNAMIC" not in header.series_type:
        return (
            "negative-uptake",
            f"The injection (0018,1072) is {-elapsed:g} s after the reference instant of a "
            "series that is not dynamic: a clock is wrong.",
        )
    return None


def began_before(header: PetHeader, elapsed: float) -> tuple[str, ...]:
    """The adaptation of a dynamic series that began before the injection."""
    return ("injection-during-acquisition",) * (elapsed < 0 and "DYNAMIC" in header.series_type)
