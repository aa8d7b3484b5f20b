"""A proportion and its interval: by Wilson's score, exact, and of clustered units.

Of n units k count. An interval for lesions as if they were independent is too narrow, as
several lesions of one patient resemble each other; `clustered_proportion` widens it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from scipy import stats

from reporting.statistics.results import (
    LEVEL,
    Interval,
    Result,
    StatisticsError,
    normal_quantile,
    not_estimable,
)

Method = Literal["Wilson", "Clopper-Pearson"]
NONE_COUNTED = "nothing was counted (0/0)"


def wilson(k: float, n: float, *, level: float = LEVEL) -> Interval:
    """Score interval of k/n, n > 0 (Wilson, J Am Stat Assoc 1927;22:209).

    >>> round(wilson(0, 10).upper, 3)
    0.278
    """
    z = normal_quantile(level)
    p = k / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the borders the formula gives exactly 0 and 1 but for rounding.
    lower = 0.0 if k == 0 else (centre - half) / scale
    upper = 1.0 if k == n else (centre + half) / scale
    return Interval(lower=lower, upper=upper, method="Wilson", level=level)


def clopper_pearson(k: int, n: int, *, level: float = LEVEL) -> Interval:
    """Exact interval of k/n, n > 0, by quantiles of beta (Biometrika 1934;26:404).

    >>> round(clopper_pearson(0, 10).upper, 3)
    0.308
    """
    tail = (1 - level) / 2
    lower = 0.0 if k == 0 else float(stats.beta.ppf(tail, k, n - k + 1))
    upper = 1.0 if k == n else float(stats.beta.ppf(1 - tail, k + 1, n - k))
    return Interval(lower=lower, upper=upper, method="Clopper-Pearson", level=level)


def proportion(
    k: int, n: int, *, name: str = "proportion", method: Method = "Wilson", level: float = LEVEL
) -> Result:
    """k of n, with its interval."""
    if not 0 <= k <= n:
        raise StatisticsError(f"{name}: {k} of {n} is no proportion")
    if n == 0:
        return not_estimable(name, NONE_COUNTED, n=0)
    ends = (wilson if method == "Wilson" else clopper_pearson)(k, n, level=level)
    return Result(name=name, estimate=k / n, interval=ends, n=n)


def clustered_proportion(
    clusters: Sequence[tuple[int, int]], *, name: str = "proportion", level: float = LEVEL
) -> Result:
    """Proportion over units in clusters, with an interval robust against their likeness.

    `clusters` has (k, n) for each cluster: of the n lesions of a patient k are positive. The
    variance is that of a ratio estimator, with m clusters, p = sum k / sum n

        m / (m - 1) * sum (k - p n)^2 / (sum n)^2

    which but for m / (m - 1) is the sandwich of GEE with independent working correlation. Its
    ratio to p (1 - p) / n is the design effect; Wilson's interval is computed at n divided by
    it (Rao & Scott, Biometrics 1992;48:577). A design effect under 1 counts as 1. Where all or
    none is positive it has no estimate; then clusters, not units, are counted.
    """
    used = [(k, n) for k, n in clusters if n]
    total, positive, m = sum(n for _, n in used), sum(k for k, _ in used), len(used)
    if any(not 0 <= k <= n for k, n in clusters):
        raise StatisticsError(f"{name}: more counted than there are in a cluster")
    if total == 0:
        return not_estimable(name, NONE_COUNTED, n=0)
    p = positive / total
    notes: tuple[str, ...] = (f"{total} units in {m} clusters",)
    if m == 1:
        notes += ("no interval: one cluster tells nothing of the spread between clusters",)
        return Result(name=name, estimate=p, n=total, notes=notes)
    if 0 < p < 1:
        variance = m / (m - 1) * sum((k - p * n) ** 2 for k, n in used) / total**2
        effect = max(variance * total / (p * (1 - p)), 1.0)
        effective, method = total / effect, f"Wilson, design effect {effect:.2f} (Rao-Scott)"
    else:
        effective, method = float(m), "Wilson, at the number of clusters"
    ends = wilson(p * effective, effective, level=level)
    return Result(
        name=name,
        estimate=p,
        interval=Interval(lower=ends.lower, upper=ends.upper, method=method, level=level),
        n=total,
        notes=notes,
    )
