"""Comparisons of numbers against published worked examples, and degenerate inputs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.comparisons import (
    mann_whitney,
    paired_t,
    pearson,
    spearman,
    welch_t,
    wilcoxon,
)
from reporting.statistics.results import NO_SPREAD, StatisticsError

# Student, Biometrika 1908;6:1: hours of sleep gained by ten patients with two drugs.
ONE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
TWO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_students_sleep_has_the_known_paired_t():
    # R 4, t.test(paired = TRUE): t -4.0621, df 9, P 0.002833, -2.4598858 to -0.7001142.
    found = paired_t(ONE, TWO, unit="h")
    assert (found.estimate, found.unit, found.n) == (pytest.approx(-1.58), "h", 10)
    assert (round(found.test.statistic, 4), round(found.test.p, 6)) == (-4.0621, 0.002833)
    ends = (round(found.interval.lower, 7), round(found.interval.upper, 7))
    assert ends == (-2.4598858, -0.7001142)


def test_students_sleep_has_the_known_welch_t():
    # R 4, t.test: t -1.8608, df 17.776, P 0.07939, -3.3654832 to 0.2054832.
    found = welch_t(ONE, TWO)
    assert (round(found.test.statistic, 4), round(found.test.p, 5)) == (-1.8608, 0.07939)
    assert round(found.test.degrees_of_freedom, 3) == 17.776
    ends = (round(found.interval.lower, 7), round(found.interval.upper, 7))
    assert ends == (-3.3654832, 0.2054832)


def test_one_group_without_spread_is_compared():
    # A constant against 0 and 1: t = (3 - 0.5) / sqrt(0.5 / 2), with one degree of freedom.
    found = welch_t([3.0, 3.0], [0.0, 1.0])
    assert (found.test.statistic, found.test.degrees_of_freedom) == (5.0, 1.0)


# Hollander & Wolfe 1973, p. 29: depression of nine patients before and after; exact one-sided
# P .0195, estimate 0.46. P. 69: permeability of membranes, W 35, one-sided P .1272, 0.305.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLIER = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_depression_has_the_published_signed_ranks():
    found = wilcoxon(BEFORE, AFTER)
    assert round(found.test.p / 2, 4) == 0.0195
    assert (found.test.name, found.test.variant) == ("Wilcoxon signed-rank", "exact")
    assert round(found.estimate, 2) == 0.46
    assert found.interval.lower < 0.46 < found.interval.upper


def test_permeability_has_the_published_ranks():
    found = mann_whitney(AT_TERM, EARLIER)
    assert (found.test.statistic, round(found.test.p / 2, 4)) == (35, 0.1272)
    assert (found.test.variant, found.notes) == ("exact", ("10 against 5",))
    assert round(found.estimate, 3) == 0.305


def test_ties_and_zeros_change_the_variant_and_are_said():
    found = wilcoxon([1, 2, 3, 4, 5, 6, 7], [1, 1, 2, 3, 6, 4, 4])
    assert found.test.variant == "normal approximation, ties corrected, zeros left out"
    assert found.notes == ("1 zero differences left out of the ranks",)
    tied = mann_whitney([1, 2, 2], [2, 3, 4])
    assert tied.test.variant == "normal approximation, ties and continuity corrected"


def test_equal_differences_are_ties_whatever_their_rounding():
    # In floating point 1.1 - 1.0 is 0.10000000000000009 and 0.3 - 0.2 is 0.09999999999999998.
    found = wilcoxon([1.1, 0.3, 5.0, 7.0, 9.0, 4.0], [1.0, 0.2, 4.0, 5.0, 6.0, 0.0])
    assert found.test.variant == "normal approximation, ties corrected"


@pytest.mark.parametrize(
    ("compare", "reason"),
    [
        (lambda: paired_t([1.0], [2.0]), "a spread needs 2 pairs"),
        (lambda: wilcoxon([1.0, 2.0], [1.0, 2.0]), "no pair differs"),
        (lambda: mann_whitney([], [1.0]), "a group is empty"),
        (lambda: mann_whitney([1.0, 1.0], [1.0]), "all values are the same"),
        (lambda: welch_t([1.0], [1.0, 2.0]), "a spread needs 2 values in each group"),
        (lambda: welch_t([1.0, 1.0], [2.0, 2.0]), "no group has a spread"),
        (lambda: pearson([1.0, 2.0], [1.0, 2.0]), "a correlation needs 3 pairs"),
        (lambda: spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), "one side is constant (0/0)"),
    ],
)
def test_what_cannot_be_compared_says_why(compare, reason):
    assert compare().reason == f"not estimable: {reason}"


def test_pairs_that_all_differ_alike_have_their_mean_and_neither_interval_nor_p():
    # 1.1 - 1.0 and 0.3 - 0.2 are 0.1 but for rounding.
    found = paired_t([1.1, 0.3, 5.1], [1.0, 0.2, 5.0], unit="h")
    assert (found.estimate, found.interval, found.test) == (pytest.approx(0.1), None, None)
    assert found.notes == (NO_SPREAD,)
    assert (found.n, found.unit) == (3, "h")


def test_pairs_of_unequal_lengths_and_missing_values_are_refused():
    with pytest.raises(StatisticsError, match="equal lengths, got 1 and 2"):
        paired_t([1.0], [1.0, 2.0])
    with pytest.raises(StatisticsError, match="leave it out and count it"):
        wilcoxon([1.0, float("nan")], [1.0, 2.0])


def test_correlations_have_their_closed_forms():
    # r = 1 - 6 * 4 / (5 * 24) = 0.8 for these, whose ranks are their values.
    z, quantile = math.atanh(0.8), 1.959964
    found = pearson([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert found.estimate == pytest.approx(0.8)
    assert found.interval.lower == pytest.approx(math.tanh(z - quantile / 2**0.5))
    ranked = spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert ranked.estimate == pytest.approx(0.8)
    assert ranked.interval.lower == pytest.approx(math.tanh(z - quantile * 0.66**0.5))
    assert spearman([1, 2, 3, 4], [1, 4, 9, 16]).estimate == pytest.approx(1.0)


values = st.lists(st.integers(-20, 20), min_size=8, max_size=8)


@given(values, values)
def test_swapping_the_sides_turns_the_estimate_and_keeps_p(one, other):
    for compare in (paired_t, wilcoxon, mann_whitney, welch_t):
        found, turned = compare(one, other), compare(other, one)
        assert found.reason == turned.reason
        if found.estimate is None:
            continue
        assert turned.estimate == pytest.approx(-found.estimate)
        if found.test is None:
            assert turned.test is None
            continue
        assert turned.test.p == pytest.approx(found.test.p)
        if found.interval:
            assert found.interval.lower - 1e-9 <= found.estimate <= found.interval.upper + 1e-9


def test_zero_differences_are_in_neither_test_nor_interval():
    with_zero = wilcoxon([1.0, 2.0, 3.5, 4.0, 5.5, 6.25, 7.0], [0.5, 1.0, 2.0, 2.0, 3.0, 3.0, 7.0])
    without = wilcoxon([1.0, 2.0, 3.5, 4.0, 5.5, 6.25], [0.5, 1.0, 2.0, 2.0, 3.0, 3.0])
    assert with_zero.test.p == without.test.p
    assert with_zero.interval == without.interval
    assert with_zero.test.variant == "exact, zeros left out"
    assert without.test.variant == "exact"
