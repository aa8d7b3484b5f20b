"""Uptake of one organ over many scans: what it comes to, and where its dots lie on an axis.

The mistake to fear is one mean over two tracers: who calls this has put scans of one tracer and one
plan together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MOST_TICKS = 6
# Dots nearer than this part of the axis lie over each other, and are moved apart.
DOT = 0.012


@dataclass(frozen=True, slots=True)
class Summary:
    """Of `n` values in their own unit; `sd` is of a sample, None of a single value."""

    n: int
    mean: float
    sd: float | None
    median: float
    low: float
    high: float


def summary(values: Sequence[float]) -> Summary:
    """Mean, standard deviation, median and range of at least one value.

    Raises
    ------
    ValueError
        If there is no value.

    >>> summary([1.0, 2.0, 6.0])
    Summary(n=3, mean=3.0, sd=2.6457513110645907, median=2.0, low=1.0, high=6.0)
    """
    if not values:
        raise ValueError("no value to sum up")
    return Summary(
        n=len(values),
        mean=statistics.fmean(values),
        sd=statistics.stdev(values) if len(values) > 1 else None,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
    )


def ticks(highest: float) -> list[float]:
    """Round numbers from 0 up to and beyond the highest value of an axis.

    >>> ticks(7.2)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    rough = max(highest, 1e-6) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
    return [round(step * i, 10) for i in range(math.ceil(highest / step - 1e-9) + 1)]


def lanes(places: Sequence[float]) -> list[int]:
    """How many steps up (+) or down (-) each dot is moved, so that none covers another.

    `places` are parts of the axis; the answer is in their order.

    >>> lanes([0.5, 0.501, 0.9, 0.502])
    [0, 1, 0, -1]
    """
    taken: dict[int, list[float]] = {}
    found = []
    for place in places:
        lane = 0
        while any(abs(place - other) < DOT for other in taken.get(lane, ())):
            lane = -lane if lane > 0 else 1 - lane
        taken.setdefault(lane, []).append(place)
        found.append(lane)
    return found
