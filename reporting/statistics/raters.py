"""Agreement of any number of raters, of whom not each has rated every target.

Cohen's kappa is of two named raters. Where scans are divided among several readers it is Fleiss'
kappa, in which the readers of a scan are exchangeable, that speaks of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.agreement import (
    NOTHING_COMPARED,
    ONE_CLUSTER,
    Weights,
    class_weights,
)
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    Interval,
    Result,
    StatisticsError,
    not_estimable,
)


def rating_counts(
    ratings: Sequence[Mapping[int, str]], *, classes: Sequence[str]
) -> NDArray[np.int64]:
    """Raters by target and class, shape (n, K); each target has the class by rater.

    >>> rating_counts([{1: "yes", 2: "no"}, {1: "no", 3: "no"}], classes=("yes", "no")).tolist()
    [[1, 1], [0, 2]]
    """
    at = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(ratings), len(classes)), dtype=np.int64)
    for row, said in enumerate(ratings):
        for name in said.values():
            if name not in at:
                raise StatisticsError(f"{name!r} is none of {', '.join(classes)}")
            counts[row, at[name]] += 1
    return counts


def fleiss_kappa(
    counts: NDArray[np.int64],
    *,
    clusters: Sequence[Hashable] = (),
    weights: Weights = "unweighted",
    level: float = LEVEL,
) -> Result:
    """Fleiss' kappa of `counts` of raters, shape (n targets, K classes), in order where weighted.

    Fleiss, Psychol Bull 1971;76:378, for any number of raters a target and with the error of Gwet,
    Handbook of Inter-Rater Reliability, 4th ed. 2014, chapters 4 and 5; interval by t with n - 1
    degrees of freedom. A target of one rater counts for how common classes are, and for no
    agreement.

    `clusters` names, for each target, what it shares with others, such as the patient of a scan.
    The terms of a cluster are then added up before they are squared, times m / (m - 1) for m
    clusters, as `agreement.clustered_kappa` does (the delta method of Yang & Zhou, Stat Med
    2014;33:1425, on Gwet's terms); t has m - 1 degrees of freedom.
    """
    if counts.ndim != 2 or counts.shape[1] < 2:
        raise StatisticsError(f"kappa needs targets by classes, got {counts.shape}")
    name = "Fleiss' kappa" if weights == "unweighted" else f"Fleiss' kappa, {weights} weights"
    groups = [*clusters] or [*range(len(counts))]
    if len(groups) != len(counts):
        raise StatisticsError(f"{len(counts)} targets need as many clusters, got {len(groups)}")
    is_rated = counts.sum(axis=1) > 0
    groups = [one for one, has in zip(groups, is_rated, strict=True) if has]
    counts = counts[is_rated]
    raters = counts.sum(axis=1)
    is_rated_twice = raters >= 2
    n, twice = len(counts), int(is_rated_twice.sum())
    if not twice:
        return not_estimable(name, NOTHING_COMPARED, n=0)
    weight = class_weights(counts.shape[1], weights)
    shares = (counts / raters[:, None]).mean(axis=0)
    chance = float(shares @ weight @ shares)
    if math.isclose(chance, 1.0):
        return not_estimable(name, "all said one class throughout (0/0)", n=twice)
    pairs = np.where(is_rated_twice, raters * (raters - 1), 1)
    alike = (counts * (counts @ weight - 1)).sum(axis=1) / pairs * is_rated_twice
    estimate = (float(alike.sum()) / twice - chance) / (1 - chance)
    # What each target adds, and what it changes of the chance.
    own = n / twice * (alike - chance * is_rated_twice) / (1 - chance)
    common = (counts @ (weight @ shares)) / raters
    own = own - 2 * (1 - estimate) * (common - chance) / (1 - chance)
    notes: tuple[str, ...] = (f"{twice} targets rated by two or more",)
    m, spread = _between(groups, own - estimate)
    if m < n:
        notes = (*notes, f"{n} targets in {m} clusters")
    if m == 1 < n:
        return Result(name=name, estimate=estimate, n=twice, notes=(*notes, ONE_CLUSTER))
    error = math.sqrt(m / (m - 1) * spread) / n if m > 1 else 0.0
    # Perfect agreement leaves a rounding of the last digit.
    if error < 1e-9:
        return Result(name=name, estimate=estimate, n=twice, notes=(*notes, NO_SPREAD))
    half = float(stats.t.ppf((1 + level) / 2, m - 1)) * error
    ends = Interval(
        lower=max(estimate - half, -1.0),
        upper=min(estimate + half, 1.0),
        method="Gwet 2014, t" if m == n else "Gwet 2014 over clusters (Yang-Zhou), t",
        level=level,
    )
    return Result(name=name, estimate=estimate, interval=ends, n=twice, notes=notes)


def _between(groups: Sequence[Hashable], apart: NDArray[np.float64]) -> tuple[int, float]:
    """How many clusters there are, and the sum of the squares of what each adds up to."""
    sums: dict[Hashable, float] = {}
    for group, one in zip(groups, apart.tolist(), strict=True):
        sums[group] = sums.get(group, 0.0) + one
    return len(sums), sum(one**2 for one in sums.values())
