"""The reference instant by the two published algorithms, to compare ours with.

IBSI-SUV 3.0.1 and QIBA's pseudo-code each take the first rule that applies and believe it.
They are kept as they are, with what the witnesses say of the result beside it, so that a
number of another program can be reproduced and its difference explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Literal

from imaging.headers import PetHeader
from imaging.reference_time import (
    DAY,
    SAME_INSTANT,
    Reference,
    average_time,
    frame_duration,
    judged,
    seconds_between,
    testimony,
    vendor_of,
)


def ibsi_reference(headers: Sequence[PetHeader], *, half_life: float) -> Reference:
    """Reference instant of IBSI-SUV: private start or Z; S = A; by frame reference time.

    Parameters as `imaging.reference_time.reference_time`.
    """
    header = headers[0]
    private = header.vendor_scan_time or header.decay_correction_datetime
    if private is not None:
        return _chosen(headers, private.in_zone(header.utc_offset), half_life)
    starts = _acquisitions(headers)
    series = _at(header.series_date, header.series_time)
    if not starts:
        return _none(headers, half_life, *_missing(headers, "acquisition"))
    if series is not None and abs((min(starts) - series).total_seconds()) <= SAME_INSTANT:
        return _chosen(headers, series, half_life)
    zero = _by_frame_reference(headers, half_life)
    if zero is None:
        return _none(headers, half_life, "frame-reference-missing", _NO_FRAME_REFERENCE)
    return _chosen(headers, zero, half_life)


def qiba_reference(headers: Sequence[PetHeader], *, half_life: float) -> Reference:
    """Reference instant of QIBA: Series Time unless it is later than the acquisition.

    Then GE's private start of scan; else acquisition and Frame Reference Time of another
    vendor; else the earliest acquisition. Parameters as `ibsi_reference`.
    """
    header = headers[0]
    starts = _acquisitions(headers)
    series = _at(header.series_date, header.series_time)
    if not starts:
        return _none(headers, half_life, *_missing(headers, "acquisition"))
    if series is None:
        return _none(headers, half_life, *_missing(headers, "series"))
    if series <= min(starts):
        return _chosen(headers, series, half_life)
    is_ge = vendor_of(header.manufacturer) == "GE"
    if is_ge and header.vendor_scan_time is not None:
        return _chosen(headers, header.vendor_scan_time.in_zone(header.utc_offset), half_life)
    zero = None if is_ge else _by_frame_reference(headers, half_life)
    return _chosen(headers, zero or min(starts), half_life)


def _by_frame_reference(headers: Sequence[PetHeader], half_life: float) -> datetime | None:
    """Acquisition - Frame Reference Time, with the average time added unless GE wrote it."""
    zeros = [_frame_zero(header, half_life) for header in headers]
    known = [zero for zero in zeros if zero is not None]
    return _median(known) if len(known) == len(headers) else None


def _frame_zero(header: PetHeader, half_life: float) -> datetime | None:
    """Where the Frame Reference Time of a slice is zero, by the calendar of its acquisition."""
    start, duration = _at(header.acquisition_date, header.acquisition_time), frame_duration(header)
    is_ge = vendor_of(header.manufacturer) == "GE"
    inside = 0.0 if is_ge else duration and average_time(duration, half_life)
    if start is None or inside is None or not header.frame_reference_time:
        return None
    since = inside - header.frame_reference_time / 1000.0
    return start + timedelta(seconds=since) if abs(since) <= DAY else None


def _median(instants: Sequence[datetime]) -> datetime:
    first = min(instants)
    return first + timedelta(seconds=median((one - first).total_seconds() for one in instants))


def _acquisitions(headers: Sequence[PetHeader]) -> list[datetime]:
    found = [_at(one.acquisition_date, one.acquisition_time) for one in headers]
    known = [one for one in found if one is not None]
    return known if len(known) == len(headers) else []


def _at(day: date | None, clock: time | None) -> datetime | None:
    return datetime.combine(day, clock) if day and clock else None


def _chosen(headers: Sequence[PetHeader], instant: datetime, half_life: float) -> Reference:
    witnesses, series = testimony(headers, half_life), headers[0].series_time
    if series is None:
        return Reference(instant, None, witnesses)
    table = judged(witnesses, seconds_between(instant.time(), series), half_life)
    against = any(one.says == "contradicts" for one in table)
    return Reference(instant, None, table, ("witness-contradicts",) * against)


def _none(headers: Sequence[PetHeader], half_life: float, code: str, message: str) -> Reference:
    return Reference(None, (code, message), testimony(headers, half_life))


_TAGS = {"series": ("0008,0021", "0008,0031"), "acquisition": ("0008,0022", "0008,0032")}
_NO_FRAME_REFERENCE = (
    "Frame Reference Time (0054,1300) or Actual Frame Duration (0018,1242) is missing, or is "
    "none of a frame on the day of the scan."
)


def _missing(
    headers: Sequence[PetHeader], kind: Literal["series", "acquisition"]
) -> tuple[str, str]:
    """Code and sentence of a date or a time that a slice lacks; the time comes first."""
    lacks_time = any(getattr(one, f"{kind}_time") is None for one in headers)
    part, tag = ("time", _TAGS[kind][1]) if lacks_time else ("date", _TAGS[kind][0])
    return f"{kind}-{part}-missing", f"{kind.title()} {part.title()} ({tag}) is missing."
