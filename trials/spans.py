"""Dates as precise as the source tells, and windows around an anchor.

A partial date is every moment it may stand for, from its first to its last; both ends of a
window are closed. Months are calendar months, clamped to the end of a shorter one, never 30
days. The one mistake to fear is a day compared with a moment: a distance in days or months
is counted in days of the site's calendar, one in hours in time.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from trials.kleene import Truth

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
END = datetime(9999, 12, 30, tzinfo=UTC)
# No number is so long that a day moved by the duration leaves the calendar.
DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<years>[0-9]{1,3})Y)?(?:(?P<months>[0-9]{1,3})M)?"
    r"(?:(?P<weeks>[0-9]{1,4})W)?(?:(?P<days>[0-9]{1,5})D)?"
    r"(?P<clock>T(?=[0-9])(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,7})M)?"
    r"(?:(?P<seconds>[0-9]{1,8})S)?)?"
)


class SpanError(ValueError):
    """A text that is no date, no time with zone, or no duration of ISO 8601."""


@dataclass(frozen=True, slots=True)
class Span:
    """Every moment from `first` to `last`, both included, in UTC."""

    first: datetime
    last: datetime

    def overlaps(self, other: Span) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Window:
    """A closed window whose ends may themselves be known no better than a span."""

    start: Span
    end: Span


@lru_cache(maxsize=65536)
def span(text: str, zone: tzinfo) -> Span:
    """The moments a recorded date or time may stand for; days are days in `zone`.

    >>> span("2026-02", UTC).last.isoformat()
    '2026-02-28T23:59:59.999999+00:00'
    """
    try:
        if "T" in text:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise SpanError(f"{text!r} is a time without its zone")
            return Span(moment.astimezone(UTC), moment.astimezone(UTC))
        year, month, day = (*(int(part) for part in text.split("-")), None, None)[:3]
        if year is None:
            raise SpanError(f"{text!r} is not a date")
        last_month = month or 12
        last_day = day or calendar.monthrange(year, last_month)[1]
        return Span(
            _day_start(date(year, month or 1, day or 1), zone),
            _day_end(date(year, last_month, last_day), zone),
        )
    except ValueError as error:
        raise SpanError(f"{text!r} is not a date or a time with its zone") from error


def moment(at: datetime) -> Span:
    """A span of one moment."""
    return Span(at.astimezone(UTC), at.astimezone(UTC))


def is_duration(text: str) -> bool:
    """Whether `text` is a signed ISO 8601 duration, and none of a thousand years.

    >>> is_duration("-P1M"), is_duration("PT4H"), is_duration("30 days"), is_duration("P")
    (True, True, False, False)
    """
    return DURATION.fullmatch(text) is not None


@lru_cache(maxsize=65536)
def window(anchor: Span, *, start: str | None, end: str, zone: tzinfo) -> Window:
    """The window from `anchor` plus `start` to `anchor` plus `end`; no start, no lower end.

    >>> noon = moment(datetime(2026, 3, 31, 12, tzinfo=UTC))
    >>> window(noon, start="-P1M", end="PT0S", zone=UTC).start.first.isoformat()
    '2026-02-28T00:00:00+00:00'
    """
    ends = Span(
        shifted(anchor.first, end, zone, to_end_of_day=True),
        shifted(anchor.last, end, zone, to_end_of_day=True),
    )
    if start is None:
        return Window(Span(BEGINNING, BEGINNING), ends)
    return Window(Span(shifted(anchor.first, start, zone), shifted(anchor.last, start, zone)), ends)


def shifted(at: datetime, duration: str, zone: tzinfo, *, to_end_of_day: bool = False) -> datetime:
    """`at` moved by a duration; one without a clock part ends on the edge of a day.

    >>> shifted(datetime(2028, 2, 29, 8, tzinfo=UTC), "-P1Y", UTC).isoformat()
    '2027-02-28T00:00:00+00:00'
    """
    part, has_clock = _parts(duration)
    local = at.astimezone(zone)
    day = _months_on(local.date(), 12 * part["years"] + part["months"])
    day += timedelta(weeks=part["weeks"], days=part["days"])
    if not has_clock:
        return _day_end(day, zone) if to_end_of_day else _day_start(day, zone)
    clock = timedelta(hours=part["hours"], minutes=part["minutes"], seconds=part["seconds"])
    return datetime.combine(day, local.timetz()).astimezone(UTC) + clock


@lru_cache(maxsize=1024)
def _parts(duration: str) -> tuple[dict[str, int], bool]:
    """The signed numbers of a duration, and whether it has a clock part."""
    match = DURATION.fullmatch(duration)
    if match is None:
        raise SpanError(f"{duration!r} is not a duration such as -P30D, -P1M or PT4H")
    sign = -1 if match["sign"] == "-" else 1
    numbers = {key: sign * int(match[key] or 0) for key in UNITS}
    return numbers, match["clock"] is not None


def within(when: Span, inside: Window) -> Truth:
    """Whether `when` lies in the window.

    >>> march = window(moment(datetime(2026, 3, 31, tzinfo=UTC)), start="-P30D", end="PT0S",
    ...                zone=UTC)
    >>> within(span("2026-03-01", UTC), march), within(span("2026", UTC), march)
    (<Truth.YES: 2>, <Truth.UNKNOWN: 1>)
    """
    if when.first >= inside.start.last and when.last <= inside.end.first:
        return Truth.YES
    if when.last < inside.start.first or when.first > inside.end.last:
        return Truth.NO
    return Truth.UNKNOWN


def overlap(start: Span, stop: Span, inside: Window) -> Truth:
    """Whether something that began in `start` and ended in `stop` overlaps the window."""
    if start.last <= inside.end.first and stop.first >= inside.start.last:
        return Truth.YES
    if start.first > inside.end.last or stop.last < inside.start.first:
        return Truth.NO
    return Truth.UNKNOWN


def before(one: Span, other: Span) -> Truth:
    """Whether `one` was strictly before `other`.

    >>> before(span("2026-03-01", UTC), span("2026-03-02", UTC))
    <Truth.YES: 2>
    >>> before(span("2026-03-02", UTC), span("2026-03-02", UTC))
    <Truth.UNKNOWN: 1>
    """
    if one.last < other.first:
        return Truth.YES
    return Truth.NO if one.first >= other.last else Truth.UNKNOWN


def completed_years(born: Span, at: Span, zone: tzinfo) -> tuple[int, int]:
    """Fewest and most years that may be completed between two spans.

    Who is born on 29 February completes a year on 1 March of a common year.

    >>> completed_years(span("2007-03", UTC), span("2025-03-10", UTC), UTC)
    (17, 18)
    """
    return (
        _years(born.last.astimezone(zone).date(), at.first.astimezone(zone).date()),
        _years(born.first.astimezone(zone).date(), at.last.astimezone(zone).date()),
    )


UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")


def _years(born: date, at: date) -> int:
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


def _months_on(day: date, months: int) -> date:
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, min(day.day, calendar.monthrange(years, month + 1)[1]))


def _day_start(day: date, zone: tzinfo) -> datetime:
    return _utc(datetime.combine(day, time.min, zone))


def _day_end(day: date, zone: tzinfo) -> datetime:
    return _utc(datetime.combine(day, time.max, zone))


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return BEGINNING if at.year == 1 else END
