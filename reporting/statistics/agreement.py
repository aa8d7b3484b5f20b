"""Agreement of two readers, tests or methods: of classes by kappa, of numbers by their limits.

Kappa compares the agreement with what chance gives at the same margins. Where both said one
and the same class throughout, chance gives all and kappa is 0/0: not estimable. Where one said
the same throughout, kappa is 0 however often they agree, and is flagged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.paired import PairedTable, summed
from reporting.statistics.proportions import Method, clustered_proportion, proportion
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    Interval,
    Result,
    StatisticsError,
    interval,
    normal_quantile,
    not_estimable,
)

Weights = Literal["unweighted", "linear", "quadratic"]
Floats = NDArray[np.float64]
NOTHING_COMPARED = "nothing was compared"
ONE_CLUSTER = "no interval: one cluster tells nothing of the spread between clusters"
CONSTANT = "one side said the same throughout: kappa is 0 whatever the agreement"


def cross_table(pairs: Sequence[tuple[str, str]], *, classes: Sequence[str]) -> NDArray[np.int64]:
    """Counts, shape (K, K): first in rows, second in columns, in the order of `classes`."""
    at = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for first, second in pairs:
        if first not in at or second not in at:
            raise StatisticsError(f"{first!r} or {second!r} is none of {', '.join(classes)}")
        counts[at[first], at[second]] += 1
    return counts


def concordance(
    counts: NDArray[np.int64], *, method: Method = "Wilson", level: float = LEVEL
) -> Result:
    """Share of pairs of the same class; `counts` has the shape (K, K)."""
    agreed, n = int(np.trace(counts)), int(counts.sum())
    return proportion(agreed, n, name="concordance", method=method, level=level)


def specific_agreement(table: PairedTable) -> tuple[Result, Result]:
    """Positive and negative agreement, 2a/(2a+b+c) and 2d/(2d+b+c).

    Cicchetti & Feinstein, J Clin Epidemiol 1990;43:551; without intervals.
    """
    return (
        _specific("positive agreement", table.both, table),
        _specific("negative agreement", table.neither, table),
    )


def clustered_specific_agreement(
    tables: Sequence[PairedTable], *, level: float = LEVEL
) -> tuple[Result, Result]:
    """The same of units in clusters, a table for each, with intervals over clusters.

    Of all answers that said so, the share that the other side gave too: a proportion over answers,
    in which those of a cluster resemble each other (`clustered_proportion`). `n` counts units.

    >>> one = PairedTable(both=2, first_only=1, second_only=1, neither=0)
    >>> [found.estimate for found in clustered_specific_agreement([one, one])]
    [0.6666666666666666, 0.0]
    """
    whole = summed(tables)
    positive, negative = specific_agreement(whole)
    return (
        _specific_over(positive, [(one.both, one) for one in tables], level),
        _specific_over(negative, [(one.neither, one) for one in tables], level),
    )


def _specific_over(
    plain: Result, agreed: Sequence[tuple[int, PairedTable]], level: float
) -> Result:
    if plain.estimate is None:
        return plain
    told = [(2 * k, 2 * k + one.first_only + one.second_only) for k, one in agreed]
    return replace(clustered_proportion(told, name=plain.name, level=level), n=plain.n)


def _specific(name: str, agreed: int, table: PairedTable) -> Result:
    whole = 2 * agreed + table.first_only + table.second_only
    if not whole:
        return not_estimable(name, "neither ever said so (0/0)", n=table.n)
    return Result(name=name, estimate=2 * agreed / whole, n=table.n)


def kappa(
    counts: NDArray[np.int64], *, weights: Weights = "unweighted", level: float = LEVEL
) -> Result:
    """Cohen's kappa; `counts` has the shape (K, K), the classes in order where weighted.

    Weights 1 - |i - j| / (K - 1) or its square's. The error is the large-sample one of Fleiss,
    Cohen & Everitt, Psychol Bull 1969;72:323.
    """
    estimate, off = _kappa(counts, weights)
    if off is None:
        return estimate
    n = int(counts.sum())
    variance = float((counts * off**2).sum()) / n**2
    quantile = normal_quantile(level)
    return _with_error(estimate, variance, "Fleiss-Cohen-Everitt", level, quantile)


def clustered_kappa(
    tables: Sequence[NDArray[np.int64]],
    *,
    weights: Weights = "unweighted",
    level: float = LEVEL,
) -> Result:
    """Cohen's kappa of units in clusters, with an interval robust against their likeness.

    `tables` has the counts of each cluster, shape (K, K): how two readers called the lesions of a
    patient. The estimate is that of all units. Its variance is that of `kappa` with the terms of
    a cluster added up before they are squared, times m / (m - 1) for m clusters (the delta method
    of Yang & Zhou, Stat Med 2014;33:1425); the interval is by t with m - 1 degrees of freedom.
    """
    used = [one for one in tables if one.sum()]
    whole = np.sum(used, axis=0) if used else np.zeros((2, 2), dtype=np.int64)
    estimate, off = _kappa(whole, weights)
    m = len(used)
    told = replace(estimate, notes=(*estimate.notes, f"{estimate.n} units in {m} clusters"))
    if off is None:
        return told
    if m == 1:
        return replace(told, notes=(*told.notes, ONE_CLUSTER))
    sums = sum(float((one * off).sum()) ** 2 for one in used)
    variance = m / (m - 1) * sums / int(whole.sum()) ** 2
    # Few patients tell little of the spread between them, which a normal quantile would not say.
    quantile = float(stats.t.ppf((1 + level) / 2, m - 1))
    method = "delta method over clusters (Yang-Zhou), t"
    return _with_error(told, variance, method, level, quantile)


def _kappa(counts: NDArray[np.int64], weights: Weights) -> tuple[Result, Floats | None]:
    """Kappa without an interval, and by how much a unit of each cell moves it, shape (K, K).

    The second is None where there is no interval to be had.
    """
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] < 2:
        raise StatisticsError(f"kappa needs a square table of classes, got {counts.shape}")
    n = int(counts.sum())
    name = "kappa" if weights == "unweighted" else f"kappa, {weights} weights"
    if n == 0:
        return not_estimable(name, NOTHING_COMPARED, n=0), None
    p = counts / n
    weight = class_weights(len(p), weights)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    chance = np.outer(rows, columns)
    observed, expected = float((weight * p).sum()), float((weight * chance).sum())
    if math.isclose(expected, 1.0):
        return not_estimable(name, "both said one class throughout (0/0)", n=n), None
    estimate = (observed - expected) / (1 - expected)
    if n in counts.sum(axis=0) or n in counts.sum(axis=1):
        return Result(name=name, estimate=0.0, n=n, notes=(CONSTANT,)), None
    means = (weight @ columns)[:, None] + (rows @ weight)[None, :]
    off = weight - means * (1 - estimate) - (estimate - expected * (1 - estimate))
    return Result(name=name, estimate=estimate, n=n), off / (1 - expected)


def _with_error(
    found: Result, variance: float, method: str, level: float, quantile: float
) -> Result:
    # Perfect agreement leaves a rounding of the last digit.
    if variance < 1e-15 or found.estimate is None:
        return replace(found, notes=(*found.notes, NO_SPREAD))
    half = quantile * math.sqrt(variance)
    ends = Interval(
        lower=max(found.estimate - half, -1.0),
        upper=min(found.estimate + half, 1.0),
        method=method,
        level=level,
    )
    return replace(found, interval=ends)


def class_weights(classes: int, weights: Weights) -> Floats:
    """How far each two of K classes in order agree, shape (K, K), 1 on the diagonal."""
    if weights == "unweighted":
        return np.eye(classes)
    apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))) / (classes - 1)
    return 1 - apart if weights == "linear" else 1 - apart**2


def bland_altman(
    first: Sequence[float],
    second: Sequence[float],
    *,
    unit: str,
    multiple: float = 1.96,
    level: float = LEVEL,
) -> dict[str, Result]:
    """Bias of first - second, its SD and the limits of agreement, each with its interval.

    Shape (n,) each, in `unit`. Limits are bias -/+ `multiple` SD, SD with n - 1; intervals by t
    with n - 1 degrees of freedom, the error of a limit being sqrt(3 / n) SD (Bland & Altman,
    Lancet 1986;i:307). Differences that are all the same leave no interval. For SUV give
    logarithms: differences grow with the uptake.
    """
    apart = _pairs(first, second)
    n = len(apart)
    names = ("bias", "SD of differences", "lower limit of agreement", "upper limit of agreement")
    if n < 2:
        reason = "a spread needs 2 pairs"
        return {name: not_estimable(name, reason, n=n, unit=unit) for name in names}
    bias, sd = float(np.mean(apart)), float(np.std(apart, ddof=1))
    t = float(stats.t.ppf((1 + level) / 2, n - 1))
    of_limits, method = t * math.sqrt(3 / n) * sd, "t, Bland-Altman 1986"
    low, high = bias - multiple * sd, bias + multiple * sd
    found = {
        "bias": (bias, interval(bias, t * sd / math.sqrt(n), method="t", level=level)),
        "SD of differences": (sd, _of_sd(sd, n, level)),
        "lower limit of agreement": (low, interval(low, of_limits, method=method, level=level)),
        "upper limit of agreement": (high, interval(high, of_limits, method=method, level=level)),
    }
    note = (f"limits at {multiple:g} SD",)
    if sd == 0:
        return {
            name: Result(name=name, estimate=estimate, n=n, unit=unit, notes=(*note, NO_SPREAD))
            for name, (estimate, _) in found.items()
        }
    return {
        name: Result(name=name, estimate=estimate, interval=ends, n=n, unit=unit, notes=note)
        for name, (estimate, ends) in found.items()
    }


def _of_sd(sd: float, n: int, level: float) -> Interval:
    low, high = stats.chi2.ppf([(1 - level) / 2, (1 + level) / 2], n - 1)
    return Interval(
        lower=sd * math.sqrt((n - 1) / high),
        upper=sd * math.sqrt((n - 1) / low),
        method="chi-square",
        level=level,
    )


def concordance_correlation(
    first: Sequence[float], second: Sequence[float], *, level: float = LEVEL
) -> Result:
    """Lin's coefficient, 2 s12 / (s1^2 + s2^2 + (m1 - m2)^2), variances over n.

    Shape (n,) each. Interval by the inverse hyperbolic tangent with the variance of Lin,
    Biometrics 1989;45:255, corrected 2000;56:324; it needs 3 pairs that do not lie on a line.
    """
    name = "Lin's concordance correlation"
    n = len(_pairs(first, second))
    if n < 2:
        return not_estimable(name, "a correlation needs 2 pairs", n=n)
    (x_var, covariance), (_, y_var) = np.cov(first, second, ddof=0)
    shift = float(np.mean(first) - np.mean(second))
    whole = float(x_var + y_var) + shift**2
    if whole == 0:
        return not_estimable(name, "all values are the same (0/0)", n=n)
    estimate = 2 * float(covariance) / whole
    if n < 3 or x_var == 0 or y_var == 0 or estimate == 0:
        return Result(name=name, estimate=estimate, n=n, notes=("no interval: n or spread",))
    r = float(covariance / math.sqrt(x_var * y_var))
    if abs(r) >= 1 - 1e-12:
        return Result(name=name, estimate=estimate, n=n, notes=("no interval: all on a line",))
    error = _error_of_lin(estimate, r, shift**2 / math.sqrt(x_var * y_var), n)
    half, middle = normal_quantile(level) * error, math.atanh(estimate)
    ends = Interval(
        lower=math.tanh(middle - half),
        upper=math.tanh(middle + half),
        method="inverse hyperbolic tangent (Lin)",
        level=level,
    )
    return Result(name=name, estimate=estimate, interval=ends, n=n)


def _error_of_lin(c: float, r: float, shift: float, n: int) -> float:
    """Standard error of atanh(c); `shift` is (m1 - m2)^2 / (s1 s2)."""
    inner = 1 - c * c
    variance = (
        (1 - r * r) * c * c / (inner * r * r)
        + 2 * c**3 * (1 - c) * shift / (r * inner**2)
        - c**4 * shift**2 / (2 * r * r * inner**2)
    ) / (n - 2)
    return math.sqrt(max(variance, 0.0))


def _pairs(first: Sequence[float], second: Sequence[float]) -> Floats:
    if len(first) != len(second):
        raise StatisticsError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    return np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
