"""Proportions against published counts, statsmodels and closed forms."""

from __future__ import annotations

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.proportions import (
    clopper_pearson,
    clustered_proportion,
    proportion,
    wilson,
)
from reporting.statistics.results import Absent, Result, StatisticsError, complete, with_missing

# Counts of the Waldenström, SCLC and aldosteronism studies with their intervals to three
# digits, from the reference on protocols, section 2.3.
GOLDEN = [
    (16, 17, (0.730, 0.990), (0.713, 0.999)),
    (10, 17, (0.360, 0.784), (0.329, 0.816)),
    (13, 17, (0.527, 0.904), (0.501, 0.932)),
    (2, 17, (0.033, 0.343), (0.015, 0.364)),
    (8, 10, (0.490, 0.943), (0.444, 0.975)),
    (15, 23, (0.449, 0.812), (0.427, 0.836)),
    (0, 10, (0.000, 0.278), (0.000, 0.308)),
]


@pytest.mark.parametrize(("k", "n", "score", "exact"), GOLDEN)
def test_intervals_are_those_of_the_reference(k, n, score, exact):
    by_score, by_beta = wilson(k, n), clopper_pearson(k, n)
    assert (round(by_score.lower, 3), round(by_score.upper, 3)) == score
    assert (round(by_beta.lower, 3), round(by_beta.upper, 3)) == exact


@pytest.mark.reference
def test_published_percentages_follow_from_their_counts(reference_data):
    with (reference_data / "published/T04_published_proportions.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [round(100 * proportion(int(row["k"]), int(row["n"])).estimate, 1) for row in rows]
    assert found == [float(row["published_pct"]) for row in rows]
    assert len(found) == 16


def test_nothing_of_nothing_is_not_estimable():
    result = proportion(0, 0, name="sensitivity")
    assert (result.estimate, result.interval) == (None, None)
    assert result.reason == "not estimable: nothing was counted (0/0)"


def test_more_than_all_is_refused():
    with pytest.raises(StatisticsError, match="sensitivity: 3 of 2 is no proportion"):
        proportion(3, 2, name="sensitivity")


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_estimate_and_mirror_its_complement(counts):
    k, n = counts
    for method in (wilson, clopper_pearson):
        ends, mirrored = method(k, n), method(n - k, n)
        assert 0 <= ends.lower <= k / n <= ends.upper <= 1
        assert math.isclose(ends.lower, 1 - mirrored.upper, abs_tol=1e-9)


# Lesions in patients: (positive, all).
LESIONS = [(3, 3), (0, 2), (4, 5), (1, 4), (2, 2), (0, 1), (5, 6), (1, 3)]


def test_clustered_interval_has_the_variance_of_gee():
    # statsmodels 0.15.0, GEE(Binomial, Independence): logit 0.470004, robust SE 0.493710, so
    # the SE of the proportion is 0.493710 * p * (1 - p); times m / (m - 1) for 8 patients.
    result = clustered_proportion(LESIONS, name="detection rate")
    p = 16 / 26
    variance = (0.493710 * p * (1 - p)) ** 2 * 8 / 7
    effect = variance * 26 / (p * (1 - p))
    assert result.estimate == pytest.approx(p)
    assert result.interval.method == f"Wilson, design effect {effect:.2f} (Rao-Scott)"
    expected = wilson(p * 26 / effect, 26 / effect)
    assert result.interval.lower == pytest.approx(expected.lower, abs=1e-5)
    assert result.notes == ("26 units in 8 clusters",)


def test_patients_of_one_lesion_each_are_independent():
    alone = clustered_proportion([(1, 1)] * 40 + [(0, 1)] * 60)
    # The design effect is m / (m - 1) then.
    assert alone.interval.lower == pytest.approx(wilson(39.6, 99).lower)


def test_all_lesions_positive_counts_patients_for_the_interval():
    result = clustered_proportion([(4, 4), (3, 3), (2, 2)])
    assert result.interval.lower == pytest.approx(wilson(3, 3).lower)


def test_lesions_of_one_patient_have_no_interval():
    result = clustered_proportion([(4, 5), (0, 0)])
    assert (result.estimate, result.interval) == (0.8, None)
    assert "one cluster" in result.notes[1]


def test_rows_that_lack_a_value_are_counted_by_their_reason():
    rows = [(1.0, 2.0), (math.nan, 2.0), (1.0, Absent("not scanned")), (None, None), (3.0, 4.0)]
    whole, missing = complete(rows)
    assert whole == [(1.0, 2.0), (3.0, 4.0)]
    result = with_missing(proportion(1, len(whole)), missing)
    assert result.missing == (("no reason given", 2), ("not scanned", 1))
    assert (result.n, result.n_missing) == (2, 3)


@pytest.mark.parametrize(("estimate", "reason"), [(None, ""), (0.5, "why"), (math.nan, "")])
def test_a_result_is_a_number_or_a_reason(estimate, reason):
    with pytest.raises(StatisticsError):
        Result(name="kappa", estimate=estimate, reason=reason, n=3)
