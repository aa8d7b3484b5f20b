"""Numbers compared: paired, between groups, and correlated. In every case the test is named.

A rank test is exact where there are no ties and few values, else normal with a correction for
ties; the variant says which, and whether zero differences were left out. A value below the limit
of detection has a rank but no number: it goes into the rank tests as the limit, never as half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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
# Up to here SciPy's exact distributions of ranks are computed without delay.
EXACT_UP_TO = 50


def paired_t(
    first: Sequence[float], second: Sequence[float], *, unit: str = "1", level: float = LEVEL
) -> Result:
    """Mean of first - second with Student's t; shape (n,) each, in `unit`.

    Differences that are all the same leave the mean, without an interval or a test: t is over 0.
    """
    apart = _settled(differences(first, second))
    n, name = len(apart), "mean paired difference"
    if n < 2:
        return not_estimable(name, "a spread needs 2 pairs", n=n, unit=unit)
    mean, error = float(apart.mean()), float(apart.std(ddof=1)) / math.sqrt(n)
    if np.ptp(apart) == 0:
        return Result(name=name, estimate=mean, n=n, unit=unit, notes=(NO_SPREAD,))
    t = mean / error
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    test = HypothesisTest(
        name="t",
        variant="paired",
        p=2 * float(stats.t.sf(abs(t), n - 1)),
        statistic=t,
        degrees_of_freedom=n - 1,
    )
    ends = interval(mean, half, method="t", level=level)
    return Result(name=name, estimate=mean, interval=ends, test=test, n=n, unit=unit)


def wilcoxon(
    first: Sequence[float], second: Sequence[float], *, unit: str = "1", level: float = LEVEL
) -> Result:
    """Wilcoxon's signed-rank test of first - second; shape (n,) each, in `unit`.

    Zero differences are left out (Wilcoxon's way, not Pratt's) of the test, the estimate and the
    interval, and counted in a note and in the variant. The estimate is Hodges & Lehmann's
    pseudomedian, its interval from Walsh averages at the normal approximation (Hollander & Wolfe
    1999, 3.3), none under 6 pairs.
    """
    apart = _settled(differences(first, second))
    n, name = len(apart), "median paired difference (Hodges-Lehmann)"
    ranked = apart[apart != 0]
    if not len(ranked):
        return not_estimable(name, "no pair differs", n=n, unit=unit)
    is_exact = len(np.unique(np.abs(ranked))) == len(ranked) <= EXACT_UP_TO
    found = stats.wilcoxon(ranked, correction=False, method="exact" if is_exact else "asymptotic")
    zeros = n - len(ranked)
    variant = "exact" if is_exact else "normal approximation, ties corrected"
    test = HypothesisTest(
        name="Wilcoxon signed-rank",
        variant=f"{variant}, zeros left out" if zeros else variant,
        p=float(found.pvalue),
        statistic=float(found.statistic),
    )
    m = len(ranked)
    pairs = np.add.outer(ranked, ranked)[np.triu_indices(m)] / 2
    middle, spread = m * (m + 1) / 4, math.sqrt(m * (m + 1) * (2 * m + 1) / 24)
    return Result(
        name=name,
        estimate=float(np.median(pairs)),
        interval=_ends_of_ranks(pairs, middle, spread, level) if m >= 6 else None,
        test=test,
        n=n,
        unit=unit,
        notes=(f"{zeros} zero differences left out of the ranks",),
    )


def mann_whitney(
    first: Sequence[float], second: Sequence[float], *, unit: str = "1", level: float = LEVEL
) -> Result:
    """Mann & Whitney's test of two groups, shapes (n1,) and (n2,), in `unit`.

    The estimate is Hodges & Lehmann's shift, the median of all differences first - second, its
    interval by Moses at the normal approximation (Hollander & Wolfe 1999, 4.3).
    """
    one, other = _finite(first), _finite(second)
    n, name = len(one) + len(other), "shift of the first group (Hodges-Lehmann)"
    if not len(one) or not len(other):
        return not_estimable(name, "a group is empty", n=n, unit=unit)
    together = np.concatenate([one, other])
    has_ties = len(np.unique(together)) < n
    is_exact = not has_ties and n <= EXACT_UP_TO
    if len(np.unique(together)) == 1:
        return not_estimable(name, "all values are the same", n=n, unit=unit)
    found = stats.mannwhitneyu(
        one, other, use_continuity=True, method="exact" if is_exact else "asymptotic"
    )
    test = HypothesisTest(
        name="Mann-Whitney",
        variant="exact" if is_exact else "normal approximation, ties and continuity corrected",
        p=float(found.pvalue),
        statistic=float(found.statistic),
    )
    shifts = np.subtract.outer(one, other).ravel()
    spread = math.sqrt(len(shifts) * (n + 1) / 12)
    return Result(
        name=name,
        estimate=float(np.median(shifts)),
        interval=_ends_of_ranks(shifts, len(shifts) / 2, spread, level),
        test=test,
        n=n,
        unit=unit,
        notes=(f"{len(one)} against {len(other)}",),
    )


def _ends_of_ranks(values: Floats, middle: float, spread: float, level: float) -> Interval | None:
    """From the c-th smallest to the c-th largest of `values`; None where there are too few."""
    c = math.floor(middle + 0.5 - normal_quantile(level) * spread)
    if c < 1:
        return None
    ordered = np.sort(values)
    return Interval(
        lower=float(ordered[c - 1]),
        upper=float(ordered[-c]),
        method="Hodges-Lehmann, normal approximation",
        level=level,
    )


def welch_t(
    first: Sequence[float], second: Sequence[float], *, unit: str = "1", level: float = LEVEL
) -> Result:
    """Difference of the means of two groups, variances unequal (Biometrika 1947;34:28)."""
    one, other = _finite(first), _finite(second)
    n, name = len(one) + len(other), "difference of means"
    if min(len(one), len(other)) < 2:
        return not_estimable(name, "a spread needs 2 values in each group", n=n, unit=unit)
    parts = [float(group.var(ddof=1)) / len(group) for group in (one, other)]
    if sum(parts) == 0:
        return not_estimable(name, "no group has a spread", n=n, unit=unit)
    apart, error = float(one.mean() - other.mean()), math.sqrt(sum(parts))
    free = sum(parts) ** 2 / (parts[0] ** 2 / (len(one) - 1) + parts[1] ** 2 / (len(other) - 1))
    test = HypothesisTest(
        name="t",
        variant="Welch, unequal variances",
        p=2 * float(stats.t.sf(abs(apart / error), free)),
        statistic=apart / error,
        degrees_of_freedom=free,
    )
    half = float(stats.t.ppf((1 + level) / 2, free)) * error
    return Result(
        name=name,
        estimate=apart,
        interval=interval(apart, half, method="t, Welch", level=level),
        test=test,
        n=n,
        unit=unit,
        notes=(f"{len(one)} against {len(other)}",),
    )


def pearson(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> Result:
    """Pearson's r with Fisher's interval, error 1 / sqrt(n - 3)."""
    return _correlation("Pearson's r", first, second, level)


def spearman(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> Result:
    """Spearman's rho, ties at mean ranks.

    Interval as Fisher's with the error sqrt((1 + r^2 / 2) / (n - 3)) of Bonett & Wright,
    Psychometrika 2000;65:23; P by t with n - 2 degrees of freedom.
    """
    return _correlation("Spearman's rho", first, second, level)


def _correlation(
    name: str, first: Sequence[float], second: Sequence[float], level: float
) -> Result:
    n = len(differences(first, second))
    one, other = _finite(first), _finite(second)
    if n < 3:
        return not_estimable(name, "a correlation needs 3 pairs", n=n)
    if one.min() == one.max() or other.min() == other.max():
        return not_estimable(name, "one side is constant (0/0)", n=n)
    is_ranked = name.startswith("Spearman")
    found = (stats.spearmanr if is_ranked else stats.pearsonr)(one, other)
    # A sum of rounded products may exceed one in the last digit.
    r = min(max(float(found.statistic), -1.0), 1.0)
    test = HypothesisTest(
        name=name, variant="t, n - 2", p=float(found.pvalue), statistic=r, degrees_of_freedom=n - 2
    )
    if n < 4 or abs(r) == 1:
        return Result(name=name, estimate=r, test=test, n=n, notes=("no interval: n or r",))
    error = math.sqrt((1 + r * r / 2 if is_ranked else 1) / (n - 3))
    half, middle = normal_quantile(level) * error, math.atanh(r)
    ends = Interval(
        lower=math.tanh(middle - half),
        upper=math.tanh(middle + half),
        method="Fisher z, Bonett-Wright" if is_ranked else "Fisher z",
        level=level,
    )
    return Result(name=name, estimate=r, interval=ends, test=test, n=n)


def differences(first: Sequence[float], second: Sequence[float]) -> Floats:
    """first - second, finite and of equal lengths, shape (n,)."""
    if len(first) != len(second):
        raise StatisticsError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    return _finite(first) - _finite(second)


def _settled(apart: Floats) -> Floats:
    """Differences to 12 digits, lest 1.1 - 1.0 and 0.1 be no tie: rounding isn't measured."""
    largest = float(np.abs(apart).max(initial=0.0))
    return apart if largest == 0 else np.round(apart, 12 - math.ceil(math.log10(largest)))


def _finite(values: Sequence[float]) -> Floats:
    found = np.asarray(values, dtype=float)
    if not np.isfinite(found).all():
        raise StatisticsError("a value is missing: leave it out and count it")
    return found
