"""Diagnostic accuracy from counts against a truth, per patient and per lesion.

Without a truth there is no sensitivity: what one tracer shows of all that either shows is a
detection rate, and `detection_rate` calls it so. Lesions of one patient resemble each other,
so the statistics of lesions come from the counts of each patient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from reporting.statistics.paired import PairedTable
from reporting.statistics.proportions import Method, clustered_proportion, proportion
from reporting.statistics.results import (
    LEVEL,
    NO_SPREAD,
    Interval,
    Result,
    StatisticsError,
    normal_quantile,
    not_estimable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthTable:
    """Counts of patients or lesions by what the test said and what the truth is."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    def __post_init__(self) -> None:
        counts = (self.true_positive, self.false_positive)
        if min(*counts, self.false_negative, self.true_negative) < 0:
            raise StatisticsError("a count is negative")

    @property
    def n(self) -> int:
        return self.with_disease + self.without_disease

    @property
    def with_disease(self) -> int:
        return self.true_positive + self.false_negative

    @property
    def without_disease(self) -> int:
        return self.false_positive + self.true_negative

    def rates(self) -> dict[str, tuple[int, int]]:
        """Numerator and denominator of each proportion, by its name."""
        right = self.true_positive + self.true_negative
        return {
            "sensitivity": (self.true_positive, self.with_disease),
            "specificity": (self.true_negative, self.without_disease),
            "positive predictive value": (
                self.true_positive,
                self.true_positive + self.false_positive,
            ),
            "negative predictive value": (
                self.true_negative,
                self.true_negative + self.false_negative,
            ),
            "accuracy": (right, self.n),
        }


def truth_table(said: Iterable[tuple[bool, bool]]) -> TruthTable:
    """The table of (test positive, truth positive), for each patient or lesion."""
    pairs = [(bool(test), bool(truth)) for test, truth in said]
    return TruthTable(
        true_positive=pairs.count((True, True)),
        false_positive=pairs.count((True, False)),
        false_negative=pairs.count((False, True)),
        true_negative=pairs.count((False, False)),
    )


def accuracy(
    table: TruthTable, *, method: Method = "Wilson", level: float = LEVEL
) -> dict[str, Result]:
    """Every statistic of independent units, which patients are, by its name."""
    rates = {
        name: proportion(k, n, name=name, method=method, level=level)
        for name, (k, n) in table.rates().items()
    }
    return rates | {
        result.name: result
        for result in (
            positive_likelihood_ratio(table, level=level),
            negative_likelihood_ratio(table, level=level),
            diagnostic_odds_ratio(table, level=level),
        )
    }


def clustered_accuracy(tables: Sequence[TruthTable], *, level: float = LEVEL) -> dict[str, Result]:
    """The proportions of lesions, with intervals over patients; one table for each patient."""
    names = TruthTable(true_positive=0, false_positive=0, false_negative=0, true_negative=0).rates()
    return {
        name: clustered_proportion(
            [table.rates()[name] for table in tables], name=name, level=level
        )
        for name in names
    }


def detection_rate(tables: Sequence[PairedTable], *, level: float = LEVEL) -> dict[str, Result]:
    """Share of the lesions shown by either test that each shows, over patients.

    One table for each patient. Lesions that neither shows can't be known without a truth, so
    a count of them is refused.
    """
    if any(table.neither for table in tables):
        raise StatisticsError("a lesion that neither test shows is known by a truth only")
    first = [(table.both + table.first_only, table.n) for table in tables]
    second = [(table.both + table.second_only, table.n) for table in tables]
    return {
        name: clustered_proportion(clusters, name=name, level=level)
        for name, clusters in (
            ("detection rate of the first test", first),
            ("detection rate of the second test", second),
        )
    }


def positive_likelihood_ratio(table: TruthTable, *, level: float = LEVEL) -> Result:
    """Sensitivity / (1 - specificity)."""
    return _ratio(
        "positive likelihood ratio", table.true_positive, table.false_positive, table, level
    )


def negative_likelihood_ratio(table: TruthTable, *, level: float = LEVEL) -> Result:
    """(1 - sensitivity) / specificity."""
    return _ratio(
        "negative likelihood ratio", table.false_negative, table.true_negative, table, level
    )


def _ratio(name: str, k: int, other: int, table: TruthTable, level: float) -> Result:
    """Rate of `k` among the diseased over that of `other` among those without.

    Interval on the log scale (Simel et al, J Clin Epidemiol 1991;44:763). A ratio of zero has
    no logarithm and so no interval.
    """
    diseased, others = table.with_disease, table.without_disease
    if not diseased or not others:
        return not_estimable(name, "the truth has one class only", n=table.n)
    if not other:
        return not_estimable(name, "the denominator is zero", n=table.n)
    estimate = (k / diseased) / (other / others)
    if not k:
        note = "no interval: the numerator is zero"
        return Result(name=name, estimate=0.0, n=table.n, notes=(note,))
    spread = Fraction(1, k) - Fraction(1, diseased) + Fraction(1, other) - Fraction(1, others)
    if spread == 0:
        return Result(name=name, estimate=estimate, n=table.n, notes=(NO_SPREAD,))
    error = math.sqrt(spread)
    return _on_log_scale(name, estimate, error, table.n, "log normal (Simel)", level)


def diagnostic_odds_ratio(table: TruthTable, *, level: float = LEVEL) -> Result:
    """TP TN / (FP FN), Woolf's interval (Ann Hum Genet 1955;19:251). No 0.5 is added."""
    name = "diagnostic odds ratio"
    right, wrong = (
        (table.true_positive, table.true_negative),
        (table.false_positive, table.false_negative),
    )
    if not all(right + wrong):
        return not_estimable(name, "a cell of the table is zero", n=table.n)
    error = math.sqrt(sum(1 / count for count in right + wrong))
    estimate = math.prod(right) / math.prod(wrong)
    return _on_log_scale(name, estimate, error, table.n, "log normal (Woolf)", level)


def _on_log_scale(
    name: str, estimate: float, error: float, n: int, method: str, level: float
) -> Result:
    factor = math.exp(normal_quantile(level) * error)
    ends = Interval(lower=estimate / factor, upper=estimate * factor, method=method, level=level)
    return Result(name=name, estimate=estimate, interval=ends, n=n)
