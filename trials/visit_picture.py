"""Where each visit of a patient lies on a line of time, for a picture.

Everything is in hundredths of the width of the picture's time axis, so that a picture of any
size is drawn from it. What is not known is not drawn: a visit without a window has no bar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from trials.schedule import Dated

# Days between two dates on the axis; the first that gives no more than so many is taken.
STEPS = (1, 2, 7, 14, 28, 56, 91, 182, 364, 1820)
MOST_DATES = 8
# What is left free on both sides of the axis.
MARGIN = 0.04
LEAST_SPAN = timedelta(days=4)
LEAST_WIDTH = 0.6


@dataclass(frozen=True, slots=True)
class Bar:
    """A window: from where, how wide, and whether it has an end on each side."""

    start: float
    width: float
    is_open_before: bool
    is_open_after: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One visit: its window, its target, and when it was or is to be."""

    dated: Dated
    bar: Bar | None
    target: float | None
    at: float | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows in the order of the protocol, dates along the axis, and where now is."""

    rows: Sequence[Row]
    dates: Sequence[tuple[float, date]]
    now: float


def picture(visits: Sequence[Dated], *, now: datetime, zone: tzinfo) -> Picture | None:
    """The visits on one axis with now; None if no moment of any visit is known.

    Parameters
    ----------
    visits : sequence of Dated
        As `trials.schedule.dated` gives them.
    now : datetime
        With its zone.
    zone : tzinfo
        Of the site: dates on the axis are its midnights.
    """
    moments = [
        at
        for one in visits
        for at in (one.opens_at, one.closes_at, one.target_at, one.at)
        if at is not None
    ]
    if not moments:
        return None
    axis = _Axis.over([*moments, now])
    return Picture(
        rows=[
            Row(one, _bar(one, axis), axis.place(one.target_at), axis.place(one.at))
            for one in visits
        ],
        dates=list(_dates(axis, zone)),
        now=axis.at(now),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    start: datetime
    end: datetime

    @classmethod
    def over(cls, moments: Sequence[datetime]) -> _Axis:
        first, last = min(moments), max(moments)
        margin = max(last - first, LEAST_SPAN) * MARGIN
        short = max(LEAST_SPAN - (last - first), timedelta()) / 2
        return cls(first - margin - short, last + margin + short)

    def at(self, moment: datetime) -> float:
        return round(100 * ((moment - self.start) / (self.end - self.start)), 3)

    def place(self, moment: datetime | None) -> float | None:
        return None if moment is None else self.at(moment)


def _bar(one: Dated, axis: _Axis) -> Bar | None:
    if one.opens_at is None and one.closes_at is None:
        return None
    start = 0.0 if one.opens_at is None else axis.at(one.opens_at)
    end = 100.0 if one.closes_at is None else axis.at(one.closes_at)
    width = max(round(end - start, 3), LEAST_WIDTH)
    return Bar(start, width, one.opens_at is None, one.closes_at is None)


def _dates(axis: _Axis, zone: tzinfo) -> Iterator[tuple[float, date]]:
    """The midnights of a site that the axis names."""
    first, last = (at.astimezone(zone).date() for at in (axis.start, axis.end))
    days = (last - first).days
    step = next((one for one in STEPS if days / one <= MOST_DATES), STEPS[-1])
    day = first + timedelta(days=1)
    while day <= last:
        at = axis.at(datetime.combine(day, time(), tzinfo=zone))
        if 0 <= at <= 100:
            yield at, day
        day += timedelta(days=step)
