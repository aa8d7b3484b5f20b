"""Test and retest of lesions that lie in patients: repeatability and limits of agreement.

Lesions of one patient share the scan, its uptake time and its activity, so that intervals over
lesions as if they were independent are too narrow. Here they count patients. Where each patient
has one pair, all is as in `repeatability` and `agreement`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.agreement import bland_altman
from reporting.statistics.repeatability import repeatability
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    Interval,
    Result,
    StatisticsError,
    normal_quantile,
    not_estimable,
)

Floats = NDArray[np.float64]
ONE_CLUSTER = "one patient leaves no interval over patients"
ZOU = "MOVER over patients (Zou 2013)"


def clustered_repeatability(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    unit: str,
    level: float = LEVEL,
) -> dict[str, Result]:
    """As `repeatability`, shape (n,) each; `clusters` names the patient of each pair.

    The within-subject variance is a ratio over m patients, v = sum s / sum n with s the sum of
    d^2 / 2 of a patient's n pairs. Its variance is that of a ratio estimator, with r = s - v n

        m / (m - 1) * sum r^2 / (sum n)^2

    (Rao & Scott, Stat Med 1999;18:1373), and the interval by t with m - 1 degrees of freedom on
    log v, so that it is positive.
    """
    plain = repeatability(first, second, unit=unit, level=level)
    sizes, sums = _by_cluster(clusters, (np.subtract(first, second) ** 2) / 2)
    m, n = len(sizes), int(sizes.sum())
    variance = float(sums.sum()) / n if n else 0.0
    if m == n or variance == 0:
        return plain
    if m < 2:
        return {name: _without(one, ONE_CLUSTER) for name, one in plain.items()}
    rest = sums - variance * sizes
    error = math.sqrt(m / (m - 1) * float((rest**2).sum())) / n / variance
    # The SD is the root of the variance: half its logarithm.
    half = float(stats.t.ppf((1 + level) / 2, m - 1)) * error / 2
    method = f"robust over patients, t on the logarithm, {m - 1} df"
    return {
        name: one
        if one.estimate is None
        else Result(
            name=name,
            estimate=one.estimate,
            n=one.n,
            unit=one.unit,
            interval=Interval(
                lower=one.estimate * math.exp(-half),
                upper=one.estimate * math.exp(half),
                method=method,
                level=level,
            ),
        )
        for name, one in plain.items()
    }


def clustered_limits(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    unit: str,
    multiple: float = 1.96,
    level: float = LEVEL,
) -> dict[str, Result]:
    """As `bland_altman`, where patients have several pairs and each lesion a true value of its own.

    The variance of a difference is that of the patients' means plus (1 - 1/h) times that within
    patients, h the harmonic mean of their numbers of pairs; the bias is the mean of the patients'
    means. Intervals recover variance estimates (MOVER): Zou, Stat Methods Med Res 2013;22:630,
    after Bland & Altman, J Biopharm Stat 2007;17:571.
    """
    plain = bland_altman(first, second, unit=unit, multiple=multiple, level=level)
    apart = np.subtract(first, second)
    sizes, sums = _by_cluster(clusters, apart)
    m, n = len(sizes), len(apart)
    if m == n:
        return plain
    if m < 2:
        reason = "limits over patients need 2 patients"
        return {name: not_estimable(name, reason, n=n, unit=unit) for name in plain}
    means = sums / sizes
    _, squares = _by_cluster(clusters, apart**2)
    inside = max(float((squares - sizes * means**2).sum()), 0.0) / (n - m)
    share = 1 - float((1 / sizes).sum()) / m
    parts = ((float(means.var(ddof=1)), m - 1), (share * inside, n - m))
    return _limits(float(means.mean()), parts, plain, n=n, multiple=multiple, level=level)


def _limits(
    bias: float,
    parts: tuple[tuple[float, int], ...],
    plain: dict[str, Result],
    *,
    n: int,
    multiple: float,
    level: float,
) -> dict[str, Result]:
    """Bias, SD and limits from variance components with their degrees of freedom.

    The first component is that of the patients' means.
    """
    (between, free), *_ = parts
    total = sum(value for value, _ in parts)
    sd = math.sqrt(total)
    values = (bias, sd, bias - multiple * sd, bias + multiple * sd)
    unit = plain["bias"].unit
    notes = (f"limits at {multiple:g} SD",)
    if total == 0:
        return {
            name: Result(name=name, estimate=value, n=n, unit=unit, notes=(*notes, NO_SPREAD))
            for name, value in zip(plain, values, strict=True)
        }
    low, high = _mover(parts, total, level)
    of_bias = normal_quantile(level) * math.sqrt(between / (free + 1))
    outer = math.hypot(of_bias, multiple * (math.sqrt(high) - sd))
    inner = math.hypot(of_bias, multiple * (sd - math.sqrt(low)))
    t = float(stats.t.ppf((1 + level) / 2, free)) * math.sqrt(between / (free + 1))
    ends = (
        (bias - t, bias + t, f"t over patients, {free} df"),
        (math.sqrt(low), math.sqrt(high), ZOU),
        (values[2] - outer, values[2] + inner, ZOU),
        (values[3] - inner, values[3] + outer, ZOU),
    )
    return {
        name: Result(
            name=name,
            estimate=value,
            n=n,
            unit=unit,
            notes=notes,
            interval=Interval(lower=lower, upper=upper, method=method, level=level),
        )
        for name, value, (lower, upper, method) in zip(plain, values, ends, strict=True)
    }


def _mover(parts: tuple[tuple[float, int], ...], total: float, level: float) -> tuple[float, float]:
    """Both ends of a sum of variances from the chi-square interval of each."""
    tail = (1 - level) / 2
    below = above = 0.0
    for value, free in parts:
        below += (value * (1 - free / float(stats.chi2.ppf(1 - tail, free)))) ** 2
        above += (value * (free / float(stats.chi2.ppf(tail, free)) - 1)) ** 2
    return max(total - math.sqrt(below), 0.0), total + math.sqrt(above)


def _by_cluster(clusters: Sequence[Hashable], values: Floats) -> tuple[Floats, Floats]:
    """How many values each cluster has, and their sum, in the order of first appearance."""
    if len(clusters) != len(values):
        raise StatisticsError(f"{len(values)} pairs and the patients of {len(clusters)}")
    places = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    at = np.array([places[name] for name in clusters], dtype=int)
    counts = np.bincount(at, minlength=len(places)).astype(float)
    return counts, np.bincount(at, weights=values, minlength=len(places)).astype(float)


def _without(result: Result, why: str) -> Result:
    """A result whose interval nothing can be said of."""
    if result.estimate is None:
        return result
    return Result(
        name=result.name,
        estimate=result.estimate,
        n=result.n,
        unit=result.unit,
        notes=(f"no interval: {why}",),
    )
