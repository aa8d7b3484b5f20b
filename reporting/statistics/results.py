"""The one form in which every statistic of a report is given.

A number alone cannot be put into a paper: a reader asks how many it rests on, how many are
missing and why, how the interval was made and which variant of the test it was. So these
travel with it. What cannot be estimated has no number but a reason: 0/0 is neither 0 nor 1.
"""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from scipy import stats

SOFTWARE = (
    ("Python", platform.python_version()),
    ("NumPy", np.__version__),
    ("SciPy", scipy.__version__),
)
LEVEL = 0.95
NO_SPREAD = "no interval: the counts leave no spread to estimate"


class StatisticsError(ValueError):
    """The input is none that the statistic is defined for: a fault of the caller."""


@dataclass(frozen=True, slots=True)
class Absent:
    """In the place of a value: why there is none, in words for a footnote."""

    reason: str = "no reason given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval, both ends belonging to it; an end may be infinite."""

    lower: float
    upper: float
    method: str
    level: float = LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class HypothesisTest:
    """A test by its name and variant; `p` is two-sided unless `is_one_sided`."""

    name: str
    variant: str
    p: float
    statistic: float | None = None
    degrees_of_freedom: float | None = None
    is_one_sided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One statistic. Without an `estimate` there is a `reason`, and never both.

    `n` counts what the name of the statistic speaks of (patients, pairs, lesions); `missing`
    has a reason and a count for each kind of what was left out. `unit` is "1" for ratios.
    """

    name: str
    estimate: float | None
    n: int
    interval: Interval | None = None
    test: HypothesisTest | None = None
    missing: tuple[tuple[str, int], ...] = ()
    unit: str = "1"
    reason: str = ""
    notes: tuple[str, ...] = ()
    software: tuple[tuple[str, str], ...] = SOFTWARE

    def __post_init__(self) -> None:
        if (self.estimate is None) != bool(self.reason):
            raise StatisticsError(f"{self.name}: either an estimate or the reason for none")
        if self.estimate is not None and not math.isfinite(self.estimate):
            raise StatisticsError(f"{self.name}: {self.estimate} is no estimate")

    @property
    def n_missing(self) -> int:
        return sum(count for _, count in self.missing)


def not_estimable(name: str, reason: str, *, n: int, **more: Any) -> Result:
    """The result of what cannot be estimated, with the reason in a sentence's words."""
    return Result(name=name, estimate=None, reason=f"not estimable: {reason}", n=n, **more)


def with_missing(result: Result, missing: Mapping[str, int]) -> Result:
    """`result` with what was left out before it was computed, by reason."""
    return replace(result, missing=tuple(sorted(missing.items())))


def complete(rows: Iterable[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    """Rows of which nothing is missing, and how many are left out for which reason.

    A value is missing where it is None, not a number or `Absent`. A row counts once, for the
    first value that it lacks.

    >>> complete([(1.0, 2.0), (3.0, Absent("not scanned")), (None, 4.0)])
    ([(1.0, 2.0)], {'not scanned': 1, 'no reason given': 1})
    """
    whole: list[tuple[Any, ...]] = []
    missing: Counter[str] = Counter()
    for row in rows:
        reasons = [why for value in row if (why := _why_missing(value))]
        if reasons:
            missing[reasons[0]] += 1
        else:
            whole.append(row)
    return whole, dict(missing)


def _why_missing(value: Any) -> str:
    if isinstance(value, Absent):
        return value.reason
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Absent().reason
    return ""


def normal_quantile(level: float) -> float:
    """Two-sided quantile of the normal distribution: 1.959964 for a level of 0.95."""
    if not 0 < level < 1:
        raise StatisticsError(f"a confidence level lies between 0 and 1, got {level}")
    return float(stats.norm.ppf((1 + level) / 2))


def interval(centre: float, half_width: float, *, method: str, level: float = LEVEL) -> Interval:
    """The interval of `half_width` on both sides of `centre`."""
    lower, upper = centre - half_width, centre + half_width
    return Interval(lower=lower, upper=upper, method=method, level=level)
