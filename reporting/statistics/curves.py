"""The ROC curve: area with DeLong's interval, two areas on the same patients, cut-offs.

A higher value means disease. Scores and truth have the shape (n,) each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.accuracy import TruthTable, truth_table
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    HypothesisTest,
    Interval,
    Result,
    StatisticsError,
    interval,
    normal_quantile,
    not_estimable,
)

Floats = NDArray[np.float64]
AREA = "area under the ROC curve"
ONE_CLASS = "the truth has one class only"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """Positive is a score of at least `at`."""

    at: float
    table: TruthTable

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1; both classes are there."""
        return (
            self.table.true_positive / self.table.with_disease
            + self.table.true_negative / self.table.without_disease
            - 1
        )


def area(scores: Sequence[float], truth: Sequence[bool], *, level: float = LEVEL) -> Result:
    """Area under the empirical curve: P(diseased score higher) + P(equal) / 2.

    Interval by DeLong, DeLong & Clarke-Pearson, Biometrics 1988;44:837, cut off at 0 and 1; it
    needs 2 of each class, and has no width where the classes do not overlap, or are all alike: none
    is given.
    """
    diseased, others = _classes(scores, truth)
    n = len(scores)
    notes: tuple[str, ...] = (f"{len(diseased)} with disease, {len(others)} without",)
    if not len(diseased) or not len(others):
        return not_estimable(AREA, ONE_CLASS, n=n, notes=notes)
    placed, placed_others = placements(diseased, others)
    estimate = float(placed.mean())
    if min(len(diseased), len(others)) < 2:
        return Result(name=AREA, estimate=estimate, n=n, notes=(*notes, "no interval: n"))
    error = math.sqrt(_variance(placed, placed_others))
    if error == 0:
        notes = (*notes, NO_SPREAD)
        return Result(name=AREA, estimate=estimate, n=n, notes=notes)
    half = normal_quantile(level) * error
    ends = Interval(
        lower=max(estimate - half, 0.0),
        upper=min(estimate + half, 1.0),
        method="DeLong",
        level=level,
    )
    return Result(name=AREA, estimate=estimate, interval=ends, n=n, notes=notes)


def area_difference(
    first: Sequence[float],
    second: Sequence[float],
    truth: Sequence[bool],
    *,
    level: float = LEVEL,
) -> Result:
    """First area - second, both of the same patients, DeLong's paired Z test."""
    name, n = "difference of areas under the ROC curve", len(truth)
    if all(truth) or not any(truth):
        return not_estimable(name, ONE_CLASS, n=n)
    one, other = placements(*_classes(first, truth)), placements(*_classes(second, truth))
    if min(len(one[0]), len(one[1])) < 2:
        return not_estimable(name, "a spread needs 2 of each class", n=n)
    apart = float(one[0].mean() - other[0].mean())
    error = math.sqrt(_variance(one[0] - other[0], one[1] - other[1]))
    if error == 0 and apart == 0:
        return not_estimable(name, "the two curves do not differ in any patient", n=n)
    if error == 0:
        return Result(name=name, estimate=apart, n=n, notes=(NO_SPREAD,))
    z = apart / error
    test = HypothesisTest(
        name="DeLong", variant="paired", p=2 * float(stats.norm.sf(abs(z))), statistic=z
    )
    ends = interval(apart, normal_quantile(level) * error, method="DeLong", level=level)
    return Result(name=name, estimate=apart, interval=ends, test=test, n=n)


def placements(diseased: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Placement values of both classes, shapes (m,) and (n,); the mean of either is the area."""
    above = np.sign(np.subtract.outer(diseased, others)) / 2 + 0.5
    return above.mean(axis=1), above.mean(axis=0)


def _variance(placed: Floats, placed_others: Floats) -> float:
    return float(placed.var(ddof=1) / len(placed) + placed_others.var(ddof=1) / len(placed_others))


def cut_offs(scores: Sequence[float], truth: Sequence[bool]) -> tuple[CutOff, ...]:
    """Every cut-off that divides the patients in another way, rising."""
    _classes(scores, truth)
    return tuple(
        at_cut_off(scores, truth, at=float(at)) for at in np.unique(np.asarray(scores, dtype=float))
    )


def at_cut_off(scores: Sequence[float], truth: Sequence[bool], *, at: float) -> CutOff:
    """The table where a score of at least `at` is positive; `accuracy.accuracy` reads it."""
    _classes(scores, truth)
    said = ((score >= at, is_so) for score, is_so in zip(scores, truth, strict=True))
    return CutOff(at=at, table=truth_table(said))


def youden_cut_off(scores: Sequence[float], truth: Sequence[bool]) -> CutOff | None:
    """The cut-off of the largest sensitivity + specificity; of equal ones the highest.

    The highest is the most specific. Chosen on the same patients it flatters: a report says
    so. None where the truth has one class only.
    """
    if all(truth) or not any(truth):
        return None
    return max(cut_offs(scores, truth), key=lambda found: (round(found.youden, 12), found.at))


def _classes(scores: Sequence[float], truth: Sequence[bool]) -> tuple[Floats, Floats]:
    values, is_so = np.asarray(scores, dtype=float), np.asarray(truth, dtype=bool)
    if values.shape != is_so.shape or values.ndim != 1:
        raise StatisticsError(f"a score and a truth for each, got {values.shape}, {is_so.shape}")
    if not np.isfinite(values).all():
        raise StatisticsError("a score is missing: leave it out and count it")
    return values[is_so], values[~is_so]
