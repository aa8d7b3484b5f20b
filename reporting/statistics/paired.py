"""Two tests on the same patients or lesions: which differs, by how much, is it no worse.

    both, first only, second only, neither;   difference = (first only - second only) / n

McNemar's test has four variants whose P may lie on either side of 0.05: .0771 with the
continuity correction and .0339 without it for 7 against 1. A P without its variant means
nothing, so each result names it. Of lesions the plain test is descriptive: those of a patient
resemble each other; the clustered tests count patients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy import optimize, stats

from reporting.statistics.proportions import wilson
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    HypothesisTest,
    Interval,
    Result,
    StatisticsError,
    normal_quantile,
    not_estimable,
)

Variant = Literal["exact", "mid-P", "continuity-corrected", "uncorrected"]
ClusteredVariant = Literal["Obuchowski", "Durkalski"]
NO_PAIRS = "there are no pairs"
DIFFERENCE = "difference of paired proportions"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTable:
    """Counts of pairs by what the first and the second test said."""

    both: int
    first_only: int
    second_only: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.first_only, self.second_only, self.neither) < 0:
            raise StatisticsError("a count of pairs is negative")

    @property
    def n(self) -> int:
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        return (self.first_only - self.second_only) / self.n

    def swapped(self) -> PairedTable:
        """The same pairs with the tests in the other order."""
        return PairedTable(
            both=self.both,
            first_only=self.second_only,
            second_only=self.first_only,
            neither=self.neither,
        )


def paired_table(pairs: Iterable[tuple[bool, bool]]) -> PairedTable:
    """The table of (first positive, second positive), a pair for each patient or lesion."""
    said = [(bool(first), bool(second)) for first, second in pairs]
    return PairedTable(
        both=said.count((True, True)),
        first_only=said.count((True, False)),
        second_only=said.count((False, True)),
        neither=said.count((False, False)),
    )


def summed(tables: Iterable[PairedTable]) -> PairedTable:
    """The table of all pairs of several."""
    every = list(tables)
    return PairedTable(
        both=sum(one.both for one in every),
        first_only=sum(one.first_only for one in every),
        second_only=sum(one.second_only for one in every),
        neither=sum(one.neither for one in every),
    )


def mcnemar(table: PairedTable, *, variant: Variant = "exact", level: float = LEVEL) -> Result:
    """McNemar's test, with the difference and Newcombe's interval as its estimate.

    Psychometrika 1947;12:153; the correction of Edwards 1948; mid-P as in Fagerland, Lydersen,
    Laake, BMC Med Res Methodol 2013;13:91. Without discordant pairs P is 1 in every variant.

    >>> mcnemar(PairedTable(both=9, first_only=7, second_only=1, neither=0)).test.p
    0.0703125
    """
    found = paired_difference(table, level=level)
    if found.estimate is None:
        return found
    statistic, p = VARIANTS[variant](table.first_only, table.second_only)
    test = HypothesisTest(
        name="McNemar",
        variant=variant,
        p=p,
        statistic=statistic,
        degrees_of_freedom=None if statistic is None else 1,
    )
    return replace(found, test=test)


def _exact(b: int, c: int) -> tuple[None, float]:
    return None, min(1.0, 2 * float(stats.binom.cdf(min(b, c), b + c, 0.5)))


def _mid_p(b: int, c: int) -> tuple[None, float]:
    below = float(stats.binom.cdf(min(b, c), b + c, 0.5))
    return None, min(1.0, 2 * below - float(stats.binom.pmf(min(b, c), b + c, 0.5)))


def _corrected(b: int, c: int) -> tuple[float, float]:
    return _chi_square(max(abs(b - c) - 1, 0), b + c)


def _uncorrected(b: int, c: int) -> tuple[float, float]:
    return _chi_square(abs(b - c), b + c)


def _chi_square(apart: int, discordant: int) -> tuple[float, float]:
    statistic = apart**2 / discordant if discordant else 0.0
    return statistic, float(stats.chi2.sf(statistic, 1))


VARIANTS: dict[Variant, Callable[[int, int], tuple[float | None, float]]] = {
    "exact": _exact,
    "mid-P": _mid_p,
    "continuity-corrected": _corrected,
    "uncorrected": _uncorrected,
}


def clustered_mcnemar(
    tables: Sequence[PairedTable],
    *,
    variant: ClusteredVariant = "Obuchowski",
    level: float = LEVEL,
) -> Result:
    """McNemar's test for lesions in patients, one table for each patient.

    With the difference d = b - c of each of m patients who have n lesions:

        Obuchowski, Stat Med 1998;17:1495      (m - 1) / m * (sum d)^2 / sum d^2
        Durkalski et al, Stat Med 2003;22:2417  (sum d/n)^2 / sum (d/n)^2

    The first weighs lesions alike, the second patients, and so do the estimates beside them: the
    ratio D = sum d / sum n with variance m / (m - 1) * sum (d - D n)^2 / (sum n)^2, or the mean of
    d/n over patients with its variance. Intervals are normal, cut off at -1 and 1.
    """
    used = [table for table in tables if table.n]
    m, total = len(used), sum(table.n for table in used)
    name = f"{DIFFERENCE}, clustered"
    if m < 2:
        return not_estimable(name, "clusters are compared, and there are fewer than 2", n=total)
    apart = [table.first_only - table.second_only for table in used]
    weights = [1 / table.n if variant == "Durkalski" else 1.0 for table in used]
    weighted = [weight * d for weight, d in zip(weights, apart, strict=True)]
    spread = sum(d * d for d in weighted)
    statistic = sum(weighted) ** 2 / spread if spread else 0.0
    if variant == "Obuchowski":
        statistic *= (m - 1) / m
    by_patient = variant == "Durkalski"
    difference, error = _mean(weighted) if by_patient else clustered_difference(used)
    half = normal_quantile(level) * error
    ends = Interval(
        lower=max(difference - half, -1.0),
        upper=min(difference + half, 1.0),
        method=f"normal, {'mean over clusters' if by_patient else 'ratio over clusters'}",
        level=level,
    )
    notes: tuple[str, ...] = (f"{total} pairs in {m} clusters",)
    return Result(
        name=name,
        estimate=difference,
        interval=ends if error else None,
        test=HypothesisTest(
            name="McNemar, clustered",
            variant=variant,
            p=float(stats.chi2.sf(statistic, 1)),
            statistic=statistic,
            degrees_of_freedom=1,
        ),
        n=total,
        notes=notes if error else (*notes, NO_SPREAD),
    )


def _mean(differences: Sequence[float]) -> tuple[float, float]:
    """Mean of the differences of m > 1 patients and its standard error."""
    m = len(differences)
    mean = sum(differences) / m
    squares = sum((one - mean) ** 2 for one in differences)
    return mean, math.sqrt(squares / (m * (m - 1)))


def clustered_difference(tables: Sequence[PairedTable]) -> tuple[float, float]:
    """Difference over all lesions and its standard error over m > 1 patients."""
    m, total = len(tables), sum(table.n for table in tables)
    difference = sum(table.first_only - table.second_only for table in tables) / total
    squares = sum(
        (table.first_only - table.second_only - difference * table.n) ** 2 for table in tables
    )
    return difference, math.sqrt(m / (m - 1) * squares) / total


def paired_difference(table: PairedTable, *, level: float = LEVEL) -> Result:
    """Difference with the interval of Newcombe's method 10 (Stat Med 1998;17:2635).

    Two Wilson intervals are squared and added, less their correlation phi, which is corrected
    for continuity where it is positive.
    """
    if table.n == 0:
        return not_estimable(DIFFERENCE, NO_PAIRS, n=0)
    n = table.n
    first, second = table.both + table.first_only, table.both + table.second_only
    of_first, of_second = wilson(first, n, level=level), wilson(second, n, level=level)
    phi, difference = _phi(table), table.difference

    def side(one: float, other: float) -> float:
        return math.sqrt(max(one * one - 2 * phi * one * other + other * other, 0.0))

    below = side(first / n - of_first.lower, of_second.upper - second / n)
    above = side(of_first.upper - first / n, second / n - of_second.lower)
    ends = Interval(
        lower=max(difference - below, -1.0),
        upper=min(difference + above, 1.0),
        method="Newcombe, method 10",
        level=level,
    )
    return Result(name=DIFFERENCE, estimate=difference, interval=ends, n=n)


def _phi(table: PairedTable) -> float:
    a, b, c, d = table.both, table.first_only, table.second_only, table.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    product = float(a * d - b * c)
    if product > 0:
        product = max(product - table.n / 2, 0.0)
    return product / math.sqrt(margins)


def score(table: PairedTable, difference: float) -> float:
    """Tango's score, normal where the true difference is `difference` (n > 0).

    Stat Med 1998;17:891, equal to Nam's of Biometrics 1997;53:1422: the variance is estimated
    under that difference, by maximum likelihood. At 0 its square is McNemar's, uncorrected.
    """
    n, b, c = table.n, table.first_only, table.second_only
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * n * constant, 0.0))
    second_only = (root - linear) / (4 * n)
    variance = n * (2 * second_only + difference * (1 - difference))
    above = b - c - n * difference
    if variance <= 0:
        return 0.0 if above == 0 else math.copysign(math.inf, above)
    return above / math.sqrt(variance)


def score_difference(table: PairedTable, *, level: float = LEVEL) -> Result:
    """Difference with Tango's score interval: all differences that the score doesn't reject."""
    if table.n == 0:
        return not_estimable(DIFFERENCE, NO_PAIRS, n=0)
    z = normal_quantile(level)
    ends = Interval(
        lower=_where(table, z, -1.0), upper=_where(table, -z, 1.0), method="Tango", level=level
    )
    return Result(name=DIFFERENCE, estimate=table.difference, interval=ends, n=table.n)


def _where(table: PairedTable, z: float, border: float) -> float:
    """The difference between the estimate and `border` at which the score is `z`."""

    def above(difference: float) -> float:
        return max(min(score(table, difference), 1e9), -1e9) - z

    if table.difference == border or above(border) * above(table.difference) > 0:
        return border
    return float(optimize.brentq(above, border, table.difference, xtol=1e-12))


def non_inferiority(table: PairedTable, *, margin: float, level: float = LEVEL) -> Result:
    """Is the first test no worse than the second by `margin` or more? Tango's score, one-sided.

    `margin` > 0 is the protocol's: it has no default. Shown where P is under (1 - level) / 2,
    which is where the lower end of the interval lies above -margin.
    """
    _check_margin(margin)
    found = score_difference(table, level=level)
    if found.estimate is None:
        return found
    z = score(table, -margin)
    return replace(found, test=_one_sided("Tango score (equal to Nam's)", margin, z))


def clustered_non_inferiority(
    tables: Sequence[PairedTable], *, margin: float, level: float = LEVEL
) -> Result:
    """Non-inferiority for lesions in patients: Wald's, with the variance over patients.

    After Nam & Kwon, Stat Med 2009;28:1668, with the ratio estimator's variance.
    """
    _check_margin(margin)
    found = clustered_mcnemar(tables, level=level)
    if found.estimate is None:
        return found
    difference, error = clustered_difference([table for table in tables if table.n])
    if error == 0:
        return not_estimable(found.name, "all clusters differ alike", n=found.n)
    z = (difference + margin) / error
    return replace(found, test=_one_sided("Wald, ratio estimator over clusters", margin, z))


def _check_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise StatisticsError(f"a margin lies between 0 and 1, got {margin}")


def _one_sided(variant: str, margin: float, z: float) -> HypothesisTest:
    return HypothesisTest(
        name="Non-inferiority",
        variant=f"{variant}, margin {margin:g}, one-sided",
        p=float(stats.norm.sf(z)),
        statistic=z if math.isfinite(z) else None,
        is_one_sided=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One hypothesis in its place of a hierarchical order."""

    hypothesis: str
    result: Result
    decision: Literal["shown", "not shown", "not tested"]


def hierarchy(steps: Sequence[tuple[str, Result, float]]) -> tuple[Step, ...]:
    """Decide hypotheses in the order of the protocol: after one not shown none is tested.

    `steps` has the hypothesis, its result and the P under which it counts as shown (0.05 for a
    two-sided superiority, 0.025 for a one-sided non-inferiority). A superiority is shown only
    where the difference is positive; a result without a test isn't shown.
    """
    decided: list[Step] = []
    going_on = True
    for hypothesis, result, alpha in steps:
        shown = going_on and shows(result, alpha)
        decision: Literal["shown", "not shown", "not tested"]
        decision = "shown" if shown else "not shown" if going_on else "not tested"
        decided.append(Step(hypothesis=hypothesis, result=result, decision=decision))
        going_on = shown
    return tuple(decided)


def shows(result: Result, alpha: float) -> bool:
    """Whether P lies under `alpha`, for a superiority with the difference to the first's side."""
    if result.estimate is None or result.test is None or result.test.p >= alpha:
        return False
    return result.test.is_one_sided or result.estimate > 0
