"""Kappa of several raters against the worked example of Gwet and his package irrCAC."""

from __future__ import annotations

import numpy as np
import pytest

from reporting.statistics.agreement import kappa
from reporting.statistics.raters import fleiss_kappa, rating_counts
from reporting.statistics.results import StatisticsError

# Gwet's four raters of twelve units, some not rated (irrCAC, cac.raw4raters).
UNITS = ["11-1", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "-555", "--11",
         "--3-"]  # fmt: skip
RATED = rating_counts(
    [{rater: said for rater, said in enumerate(unit) if said != "-"} for unit in UNITS],
    classes=tuple("12345"),
)


@pytest.mark.parametrize(
    ("weights", "estimate", "lower"),
    # irrCAC 0.4.4 (Python), CAC(...).fleiss(); the upper ends are cut off at 1.
    [
        ("unweighted", 0.76117, 0.42438),
        ("linear", 0.81794, 0.49109),
        ("quadratic", 0.86494, 0.54352),
    ],
)
def test_raters_who_did_not_rate_all_have_the_published_kappa(weights, estimate, lower):
    found = fleiss_kappa(RATED, weights=weights)
    assert found.estimate == pytest.approx(estimate, abs=5e-6)
    assert found.interval.lower == pytest.approx(lower, abs=5e-6)
    assert (found.interval.upper, found.n) == (1.0, 11)


def test_two_readers_of_one_margin_have_the_kappa_of_cohen():
    # Where both say each class equally often, chance is the same for both.
    counts = np.array([[5, 2, 1], [2, 6, 0], [1, 0, 3]])
    ratings = [
        {1: str(row), 2: str(column)}
        for row in range(3)
        for column in range(3)
        for _ in range(counts[row, column])
    ]
    found = fleiss_kappa(rating_counts(ratings, classes=("0", "1", "2")), weights="linear")
    assert found.estimate == pytest.approx(kappa(counts, weights="linear").estimate)


def test_one_class_throughout_and_single_ratings_are_not_estimable():
    assert "(0/0)" in fleiss_kappa(np.array([[2, 0], [3, 0]])).reason
    assert fleiss_kappa(np.array([[1, 0], [0, 1]])).reason == (
        "not estimable: nothing was compared"
    )


def test_agreement_without_exception_has_no_interval():
    found = fleiss_kappa(np.array([[2, 0], [0, 2], [2, 0]]))
    assert (found.estimate, found.interval) == (pytest.approx(1.0), None)


@pytest.mark.parametrize("weights", ["unweighted", "linear", "quadratic"])
def test_the_error_over_clusters_is_that_of_leaving_clusters_out(weights):
    # The jackknife over clusters, whose error differs from the delta method's in higher order.
    draw = np.random.default_rng(20261129)
    units, clusters = [], []
    for patient in range(60):
        own = draw.integers(0, 3)
        for _ in range(draw.integers(1, 4)):
            said = [own if draw.random() < 0.7 else draw.integers(0, 3) for _ in range(3)]
            units.append({rater: "abc"[one] for rater, one in enumerate(said)})
            clusters.append(patient)
    counts, of = rating_counts(units, classes=("a", "b", "c")), np.array(clusters)
    found = fleiss_kappa(counts, clusters=clusters, weights=weights)
    left = [fleiss_kappa(counts[of != one], weights=weights).estimate for one in range(60)]
    error = (59 / 60 * ((np.array(left) - np.mean(left)) ** 2).sum()) ** 0.5
    # The quantile of t with 59 degrees of freedom is R's qt(0.975, 59).
    half = found.interval.upper - found.estimate
    assert half / 2.000995 == pytest.approx(error, rel=0.05)
    assert found.estimate == fleiss_kappa(counts, weights=weights).estimate


@pytest.mark.parametrize("weights", ["unweighted", "linear", "quadratic"])
def test_targets_said_three_times_over_in_their_clusters_tell_no_more_than_once(weights):
    once = fleiss_kappa(RATED, clusters=range(len(RATED)), weights=weights)
    assert once.interval == fleiss_kappa(RATED, weights=weights).interval
    thrice = fleiss_kappa(
        np.repeat(RATED, 3, axis=0), clusters=[*np.repeat(range(len(RATED)), 3)], weights=weights
    )
    assert thrice.estimate == pytest.approx(once.estimate)
    assert thrice.interval.lower == pytest.approx(once.interval.lower)
    assert "over clusters" in thrice.interval.method


def test_targets_of_one_cluster_leave_no_interval_and_each_target_needs_one():
    counts = np.array([[2, 0], [1, 1], [0, 2]])
    found = fleiss_kappa(counts, clusters=("101-001",) * 3)
    assert (found.interval, "one cluster" in found.notes[-1]) == (None, True)
    with pytest.raises(StatisticsError, match="3 targets need as many clusters"):
        fleiss_kappa(counts, clusters=("101-001",))


def test_a_class_that_is_none_is_refused():
    with pytest.raises(StatisticsError, match="is none of a, b"):
        rating_counts([{1: "c"}], classes=("a", "b"))
