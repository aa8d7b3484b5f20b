"""SUV of a patient's scans over time as lines of a picture.

The axes go from the first to the last scan and from 0 to a round number above the highest value.
Everything is in hundredths of the width and the height of the plot. The mistake to fear is a line
through values that do not belong together: there is one for each tracer, reader and quantity. A
scan on which a reader found no lesion has no SUV, and lies at the foot, marked and named as that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

# Steps of the value axis, times a power of ten; the first that gives no more than so many.
STEPS = (1.0, 2.0, 5.0, 10.0)
MOST_TICKS = 6
# What is left free on both sides of the time axis, in hundredths.
MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one scan: SUV in g/mL. `line` tells which values are joined.

    `suv` is None where the reader found no lesion.
    """

    line: str
    at: datetime
    suv: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the picture; x and y of each of its points, y from the top.

    `without` are those of scans without a lesion.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    without: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Trend:
    """Lines in the order of their names, ticks as (y, SUV), days as (x, day)."""

    lines: tuple[Line, ...]
    ticks: tuple[tuple[float, float], ...]
    days: tuple[tuple[float, datetime], ...]


def trend(values: Sequence[Value]) -> Trend | None:
    """The picture of values; None where there are not two times to draw a line between.

    >>> from datetime import UTC
    >>> one, two = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    >>> trend([Value("SUVmax", one, 8.0), Value("SUVmax", two, 4.0)]).lines[0].points
    ((5.0, 0.0), (95.0, 50.0))
    """
    moments = sorted({one.at for one in values})
    if len(moments) < 2:
        return None
    ticks = tuple(_ticks(max(one.suv or 0.0 for one in values)))
    top = ticks[-1]
    span = moments[-1] - moments[0]

    def x(at: datetime) -> float:
        return round(MARGIN + (100.0 - 2 * MARGIN) * ((at - moments[0]) / span), 2)

    def y(suv: float) -> float:
        return round(100.0 * (1.0 - suv / top), 2)

    def line(name: str) -> Line:
        mine = sorted((one for one in values if one.line == name), key=lambda value: value.at)
        return Line(
            name,
            points=tuple((x(one.at), y(one.suv or 0.0)) for one in mine),
            without=tuple((x(one.at), y(0.0)) for one in mine if one.suv is None),
        )

    return Trend(
        lines=tuple(line(name) for name in sorted({one.line for one in values})),
        ticks=tuple((y(tick), tick) for tick in ticks),
        days=tuple((x(at), at) for at in moments),
    )


def _ticks(highest: float) -> Iterator[float]:
    """Round numbers from 0 to the first that is not below the highest value."""
    highest = max(highest, 1.0)
    scale = 10.0 ** math.floor(math.log10(highest / MOST_TICKS))
    step = next(one * scale for one in STEPS if highest / (one * scale) <= MOST_TICKS)
    for n in range(math.ceil(highest / step - 1e-9) + 1):
        yield round(n * step, 6)
