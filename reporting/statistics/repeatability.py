"""Repeatability of a measurement: within-subject SD, coefficient of variation, ICC.

An ICC without its model means nothing: the same data of Shrout & Fleiss give .17, .29 and .71.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    Interval,
    Result,
    StatisticsError,
    not_estimable,
)

Model = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"]
MODELS: dict[Model, str] = {
    "ICC(1,1)": "one-way random: each target by other raters",
    "ICC(2,1)": "two-way random, absolute agreement",
    "ICC(3,1)": "two-way mixed, consistency",
}
Floats = NDArray[np.float64]


def repeatability(
    first: Sequence[float], second: Sequence[float], *, unit: str, level: float = LEVEL
) -> dict[str, Result]:
    """Of test and retest, shape (n,) each in `unit`.

        within-subject SD  wSD = sqrt(mean(d^2) / 2)
        repeatability coefficient  1.96 sqrt(2) wSD: 95 % of differences lie below
        within-subject CV  wSD / grand mean

    Intervals by chi-square with n degrees of freedom, as no bias is assumed (Obuchowski &
    Bullen, Stat Methods Med Res 2018;27:867); that of wCV takes the mean as known.
    """
    if len(first) != len(second):
        raise StatisticsError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    n = len(first)
    units = {"within-subject SD": unit, "repeatability coefficient": unit, "within-subject CV": "1"}
    if n == 0:
        return {
            name: not_estimable(name, "there are no pairs", n=0, unit=of)
            for name, of in units.items()
        }
    one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    sd = math.sqrt(float(np.mean((one - other) ** 2)) / 2)
    mean = float(np.mean([one, other]))
    factors = dict(
        zip(units, (1.0, 1.96 * math.sqrt(2), 1 / mean if mean > 0 else None), strict=True)
    )
    low, high = stats.chi2.ppf([(1 - level) / 2, (1 + level) / 2], n)
    ends = (sd * math.sqrt(n / high), sd * math.sqrt(n / low))
    return {
        name: _scaled(name, sd, ends, factor, n=n, unit=units[name], level=level)
        for name, factor in factors.items()
    }


def _scaled(
    name: str,
    sd: float,
    ends: tuple[float, float],
    factor: float | None,
    *,
    n: int,
    unit: str,
    level: float,
) -> Result:
    if factor is None:
        return not_estimable(name, "the mean is not positive", n=n, unit=unit)
    if sd == 0:
        return Result(name=name, estimate=0.0, n=n, unit=unit, notes=(NO_SPREAD,))
    lower, upper = (end * factor for end in ends)
    between = Interval(lower=lower, upper=upper, method=f"chi-square, {n} df", level=level)
    return Result(name=name, estimate=sd * factor, interval=between, n=n, unit=unit)


ROUNDING = 1e-12


def intraclass_correlation(values: Floats, *, model: Model, level: float = LEVEL) -> Result:
    """ICC of single ratings; `values` has the shape (n targets, k raters), complete.

    Estimates and intervals of Shrout & Fleiss, Psychol Bull 1979;86:420; for ICC(2,1) that of
    McGraw & Wong, Psychol Methods 1996;1:30.
    """
    if values.ndim != 2 or not np.isfinite(values).all():
        raise StatisticsError("an ICC needs a complete table of targets and raters")
    n, k = values.shape
    if n < 2 or k < 2:
        return not_estimable(model, "it needs 2 targets and 2 raters", n=n)
    between, within, raters, error = mean_squares(values)
    noise, whole = {
        "ICC(1,1)": (within, between + (k - 1) * within),
        "ICC(2,1)": (error, between + (k - 1) * error + k * (raters - error) / n),
        "ICC(3,1)": (error, between + (k - 1) * error),
    }[model]
    if whole == 0:
        return not_estimable(model, "the targets do not differ, nor do their ratings (0/0)", n=n)
    estimate = (between - noise) / whole
    notes: tuple[str, ...] = (MODELS[model], f"{n} targets, {k} raters")
    # Decimals leave a rounding where nothing is left.
    if noise <= ROUNDING * max(between, abs(whole)):
        notes += ("no interval: nothing is left for an error",)
        return Result(name=model, estimate=estimate, n=n, notes=notes)
    if model == "ICC(2,1)":
        a, b = _weights(estimate, n, k)
        if abs(a * raters + b * error) < 1e-12 * (error + abs(a * raters)):
            notes += ("no interval: its degrees of freedom vanish",)
            return Result(name=model, estimate=estimate, n=n, notes=notes)
        lower, upper = _ends_of_agreement(between, raters, error, (n, k), (a, b), level)
    else:
        free = n * (k - 1) if model == "ICC(1,1)" else (n - 1) * (k - 1)
        lower, upper = _ends_of_ratio(between / noise, n - 1, free, k, level)
    ends = Interval(lower=lower, upper=upper, method="F (Shrout-Fleiss, McGraw-Wong)", level=level)
    return Result(name=model, estimate=estimate, interval=ends, n=n, notes=notes)


def mean_squares(values: Floats) -> tuple[float, float, float, float]:
    """Mean squares between targets, within targets, of raters, of the remaining error."""
    n, k = values.shape
    grand = values.mean()
    targets = k * float(((values.mean(axis=1) - grand) ** 2).sum())
    raters = n * float(((values.mean(axis=0) - grand) ** 2).sum())
    inside = float(((values - values.mean(axis=1, keepdims=True)) ** 2).sum())
    residue = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + grand
    error = float((residue**2).sum()) / ((n - 1) * (k - 1))
    return targets / (n - 1), inside / (n * (k - 1)), raters / (k - 1), error


def _ends_of_ratio(
    f: float, upper_free: int, lower_free: int, k: int, level: float
) -> tuple[float, float]:
    low = f / stats.f.ppf((1 + level) / 2, upper_free, lower_free)
    high = f * stats.f.ppf((1 + level) / 2, lower_free, upper_free)
    return float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1))


def _weights(estimate: float, n: int, k: int) -> tuple[float, float]:
    """The a and b of McGraw & Wong by which the degrees of freedom are put together."""
    a = k * estimate / (n * (1 - estimate))
    return a, 1 + a * (n - 1)


def _ends_of_agreement(
    between: float,
    raters: float,
    error: float,
    shape: tuple[int, int],
    weights: tuple[float, float],
    level: float,
) -> tuple[float, float]:
    (n, k), (a, b) = shape, weights
    free = (a * raters + b * error) ** 2 / (
        (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    )
    low, high = (
        stats.f.ppf((1 + level) / 2, n - 1, free),
        stats.f.ppf((1 + level) / 2, free, n - 1),
    )
    mixed = k * raters + (k * n - k - n) * error
    return (
        float(n * (between - low * error) / (low * mixed + n * between)),
        float(n * (high * between - error) / (mixed + n * high * between)),
    )
