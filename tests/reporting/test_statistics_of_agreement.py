"""Agreement and repeatability against published worked examples and statsmodels."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.agreement import (
    bland_altman,
    clustered_kappa,
    concordance,
    concordance_correlation,
    cross_table,
    kappa,
    specific_agreement,
)
from reporting.statistics.paired import PairedTable
from reporting.statistics.repeatability import MODELS, intraclass_correlation, repeatability
from reporting.statistics.results import StatisticsError


@pytest.mark.reference
def test_lateralisation_of_the_aldosteronism_study_agrees_as_published(reference_data):
    # Concordance 76.9 % is published; the rest is the reference on protocols, section 2.3.
    with (reference_data / "published/T03_aldosteronism_yin2024.csv").open() as file:
        pairs = [(row["pet"], row["avs"]) for row in csv.DictReader(file)]
    counts = cross_table(pairs, classes=("unilateral", "bilateral"))
    assert counts.tolist() == [[13, 4], [2, 7]]
    assert round(concordance(counts).estimate, 3) == 0.769
    found = kappa(counts)
    assert round(found.estimate, 3) == 0.516
    assert (round(found.interval.lower, 3), round(found.interval.upper, 3)) == (0.182, 0.849)
    both = PairedTable(both=13, first_only=4, second_only=2, neither=7)
    assert [result.estimate for result in specific_agreement(both)] == [0.8125, 0.7]


def clusters(seed=20140610, patients=60):
    """Lesions of patients, of which some are called wrongly more often than those of others."""
    random = np.random.default_rng(seed)
    for _ in range(patients):
        truth = random.integers(0, 3, random.integers(1, 8))
        errs = random.beta(0.6, 2)
        said = [np.where(random.random(truth.size) < errs, random.integers(0, 3, truth.size), truth)
                for _ in range(2)]  # fmt: skip
        table = np.zeros((3, 3), dtype=np.int64)
        np.add.at(table, tuple(said), 1)
        yield table


def defined(counts, power):
    """Kappa by its definition, disagreements weighted by a power of their distance."""
    apart = abs(np.subtract.outer(np.arange(len(counts)), np.arange(len(counts)))) ** power
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return 1 - (apart * counts).sum() / (apart * chance).sum()


@pytest.mark.parametrize(("weights", "power"), [("linear", 1), ("quadratic", 2)])
def test_the_error_of_a_clustered_kappa_is_that_of_leaving_clusters_out(weights, power):
    # A jackknife knows nothing of derivatives.
    tables = list(clusters())
    whole, m = sum(tables), len(tables)
    left = np.array([defined(whole - one, power) for one in tables])
    error = math.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum())
    found = clustered_kappa(tables, weights=weights)
    assert found.estimate == pytest.approx(defined(whole, power))
    half = (found.interval.upper - found.interval.lower) / 2
    # R: qt(0.975, 59).
    assert half == pytest.approx(2.000995 * error, rel=0.05)
    # Wider than if each lesion were a patient: that is what it is for.
    plain = kappa(whole, weights=weights).interval
    assert half > 1.1 * (plain.upper - plain.lower) / 2


def test_a_clustered_kappa_counts_patients_and_not_lesions():
    tables = list(clusters(patients=20))
    once, twice = clustered_kappa(tables), clustered_kappa([2 * one for one in tables])
    assert twice.interval.lower == pytest.approx(once.interval.lower)
    assert twice.interval.upper == pytest.approx(once.interval.upper)
    assert (once.n, twice.n) == (sum(one.sum() for one in tables), 2 * once.n)


def test_a_clustered_kappa_of_patients_with_a_lesion_each_is_the_plain_one():
    counts = np.array([[20, 5], [10, 15]])
    units = [np.eye(4, dtype=np.int64)[cell].reshape(2, 2) for cell in range(4)]
    tables = [unit for unit, times in zip(units, counts.ravel(), strict=True) for _ in range(times)]
    found, plain = clustered_kappa(tables), kappa(counts)
    ratio = (found.interval.upper - found.estimate) / (plain.interval.upper - plain.estimate)
    # R: qt(0.975, 49) / qnorm(0.975).
    assert (found.estimate, ratio) == pytest.approx((0.4, 1.0253115 * math.sqrt(50 / 49)))


def test_a_clustered_kappa_of_one_patient_has_no_interval():
    found = clustered_kappa([np.array([[4, 1], [2, 3]])])
    assert found.interval is None
    assert "one cluster" in found.notes[-1]
    assert clustered_kappa([]).reason == "not estimable: nothing was compared"


def test_kappa_of_one_side_constant_is_flagged():
    found = kappa(np.array([[10, 7], [0, 0]]))
    assert (found.estimate, found.interval) == (0.0, None)
    assert found.notes == ("one side said the same throughout: kappa is 0 whatever the agreement",)
    assert round(concordance(np.array([[10, 7], [0, 0]])).estimate, 3) == 0.588


def test_kappa_of_one_class_throughout_is_not_estimable():
    found = kappa(np.array([[10, 0], [0, 0]]))
    assert found.reason == "not estimable: both said one class throughout (0/0)"
    assert kappa(np.zeros((2, 2), dtype=int)).reason == "not estimable: nothing was compared"


@pytest.mark.parametrize(
    ("weights", "estimate", "lower", "upper"),
    # statsmodels 0.15.0, inter_rater.cohens_kappa.
    [
        ("unweighted", 0.49152542, 0.35015820, 0.63289265),
        ("linear", 0.47368421, 0.32280832, 0.62456010),
        ("quadratic", 0.45454545, 0.27034863, 0.63874228),
    ],
)
def test_weighted_kappas_are_those_of_statsmodels(weights, estimate, lower, upper):
    found = kappa(np.array([[44, 5, 1], [7, 20, 3], [9, 5, 6]]), weights=weights)
    ends = (found.interval.lower, found.interval.upper)
    assert (found.estimate, *ends) == pytest.approx((estimate, lower, upper), abs=1e-8)


def test_perfect_agreement_has_no_interval_of_zero_width():
    found = kappa(np.array([[3, 0], [0, 4]]))
    assert (found.estimate, found.interval) == (pytest.approx(1.0), None)
    assert found.notes == ("no interval: the counts leave no spread to estimate",)


def test_a_class_that_is_none_is_refused():
    with pytest.raises(StatisticsError, match="is none of left, right"):
        cross_table([("left", "none")], classes=("left", "right"))


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa_is_the_same_with_raters_or_classes_swapped(rows):
    counts = np.array(rows)
    found = kappa(counts, weights="quadratic")
    for other in (counts.T, counts[::-1, ::-1]):
        turned = kappa(other, weights="quadratic")
        assert turned.reason == found.reason
        if found.estimate is not None:
            assert turned.estimate == pytest.approx(found.estimate)
    if found.interval:
        assert found.interval.lower <= found.estimate <= found.interval.upper


# Peak expiratory flow in L/min by two meters (Bland & Altman, Lancet 1986;i:307, table 1).
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_flow_meters_have_the_published_limits():
    # Printed: -2.1, SD 38.8, limits at 2 SD -79.7 and 75.5; intervals -22.0 to 17.8, -114.3 to
    # -45.1, 40.9 to 110.1, computed from the rounded SD, hence a tolerance of 0.2 L/min.
    found = bland_altman(LARGE, MINI, unit="L/min", multiple=2)
    bias, sd, lower, upper = found.values()
    assert (round(bias.estimate, 1), round(sd.estimate, 1)) == (-2.1, 38.8)
    assert (lower.estimate, upper.estimate) == pytest.approx((-79.7, 75.5), abs=0.2)
    ends = [(result.interval.lower, result.interval.upper) for result in (bias, lower, upper)]
    printed = [(-22.0, 17.8), (-114.3, -45.1), (40.9, 110.1)]
    assert [pytest.approx(pair, abs=0.2) for pair in printed] == ends
    assert bias.unit == "L/min"


def test_one_pair_has_no_limits():
    found = bland_altman([1.0], [2.0], unit="g/mL")
    assert {result.reason for result in found.values()} == {"not estimable: a spread needs 2 pairs"}


def test_pairs_without_a_difference_have_no_interval_of_zero_width():
    same = [1.5, 2.5, 4.0]
    found = [*bland_altman(same, same, unit="g/mL").values()]
    found += repeatability(same, same, unit="g/mL").values()
    assert [(one.estimate, one.interval) for one in found] == [(0.0, None)] * 7
    assert all("leave no spread" in one.notes[-1] for one in found)


def test_methods_swapped_turn_the_bias():
    one, other = (bland_altman(*pair, unit="L/min") for pair in ((LARGE, MINI), (MINI, LARGE)))
    assert one["bias"].estimate == pytest.approx(-other["bias"].estimate)
    lower, upper = one["lower limit of agreement"], other["upper limit of agreement"]
    assert lower.interval.lower == pytest.approx(-upper.interval.upper)


def test_concordance_correlation_has_its_closed_form():
    # Shifted by 1 with variance 2/3: 2 * 2/3 / (4/3 + 1) = 4/7.
    found = concordance_correlation([1, 2, 3], [2, 3, 4])
    assert found.estimate == pytest.approx(4 / 7)
    assert found.notes == ("no interval: all on a line",)


def test_concordance_correlation_and_its_interval_are_those_of_epir():
    # R's epiR 2.0.57, epi.ccc with ci = "z-transform".
    first = [12.1, 8.4, 15.9, 7.7, 21.3, 9.8, 13.6, 30.2, 6.1, 11.5, 18.7, 10.9]
    second = [4.3, 5.1, 6.2, 7.9, 8.8, 3.7, 5.5, 9.1, 6.8, 2.4, 7.3, 11.7]
    for pair, numbers in (
        ((LARGE, MINI), (0.942742431427484, 0.85049187316856, 0.978726279170122)),
        ((first, second), (0.113419261973305, -0.0888083662225402, 0.306666532230263)),
    ):
        found = concordance_correlation(*pair)
        ours = (found.estimate, found.interval.lower, found.interval.upper)
        assert ours == pytest.approx(numbers, rel=1e-12)


def test_constant_values_have_no_concordance_correlation():
    found = concordance_correlation([2.0, 2.0, 2.0], [2.0, 2.0, 2.0])
    assert found.reason == "not estimable: all values are the same (0/0)"


def test_repeatability_has_its_closed_form():
    # Differences 2, -2, 2, -2: wSD = sqrt(2), RC = 1.96 * 2 = 3.92, mean 10.
    found = repeatability([11, 9, 11, 9], [9, 11, 9, 11], unit="g/mL")
    sd, coefficient, cv = found.values()
    assert (sd.estimate, sd.unit) == (pytest.approx(2**0.5), "g/mL")
    assert coefficient.estimate == pytest.approx(3.92)
    assert (cv.estimate, cv.unit) == (pytest.approx(2**0.5 / 10), "1")
    # Chi-square of 4 degrees of freedom: 0.4844 and 11.1433.
    assert sd.interval.lower == pytest.approx((2 * 4 / 11.1433) ** 0.5, rel=1e-4)
    assert sd.interval.upper == pytest.approx((2 * 4 / 0.484419) ** 0.5, rel=1e-4)


def test_a_mean_that_is_not_positive_has_no_coefficient_of_variation():
    found = repeatability([1, -1], [-1, 1], unit="1")
    assert found["within-subject CV"].reason == "not estimable: the mean is not positive"
    assert repeatability([], [], unit="1")["within-subject SD"].n == 0


# Shrout & Fleiss, Psychol Bull 1979;86:420, table 2: 6 targets, 4 judges.
JUDGED = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    dtype=float,
)


@pytest.mark.parametrize(
    ("model", "estimate", "lower", "upper"),
    # Estimates .17, .29, .71 are printed there; intervals are those of R's psych::ICC.
    [
        ("ICC(1,1)", 0.17, -0.133, 0.72),
        ("ICC(2,1)", 0.29, 0.019, 0.76),
        ("ICC(3,1)", 0.71, 0.342, 0.95),
    ],
)
def test_judges_have_the_published_coefficients(model, estimate, lower, upper):
    found = intraclass_correlation(JUDGED, model=model)
    ends = (round(found.interval.lower, 3), round(found.interval.upper, 2))
    assert (round(found.estimate, 2), *ends) == (estimate, lower, upper)
    assert found.notes == (MODELS[model], "6 targets, 4 raters")


@pytest.mark.parametrize("model", list(MODELS))
def test_coefficients_of_degenerate_tables(model):
    same, single = np.ones((3, 2)), np.ones((1, 2))
    assert "(0/0)" in intraclass_correlation(same, model=model).reason
    assert intraclass_correlation(single, model=model).reason
    perfect = intraclass_correlation(np.array([[1.0, 1.0], [2.0, 2.0]]), model=model)
    assert (perfect.estimate, perfect.interval) == (1.0, None)
    shifted = intraclass_correlation(np.array([[1.0, 2.0], [1.0, 2.0]]), model=model)
    assert shifted.estimate is None or shifted.estimate <= 0


def test_targets_that_do_not_differ_at_all_leave_no_interval():
    # All means are 1, so b = 1 - 2 * 2 * 3 / (4 * 3) = 0 and the degrees of freedom are 0/0.
    found = intraclass_correlation(
        np.array([[0.0, 2.0], [2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), model="ICC(2,1)"
    )
    assert (found.estimate, found.interval) == (pytest.approx(-2.0), None)


@pytest.mark.parametrize("model", list(MODELS))
def test_order_of_targets_and_raters_does_not_matter(model):
    found = intraclass_correlation(JUDGED, model=model)
    turned = intraclass_correlation(JUDGED[::-1, ::-1], model=model)
    assert turned.estimate == pytest.approx(found.estimate)
    assert turned.interval.lower == pytest.approx(found.interval.lower)


def test_an_incomplete_table_is_refused():
    with pytest.raises(StatisticsError, match="complete table"):
        intraclass_correlation(np.array([[1.0, np.nan], [1.0, 2.0]]), model="ICC(2,1)")


@pytest.mark.parametrize("model", ["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"])
def test_decimals_that_agree_wholly_have_no_interval(model):
    result = intraclass_correlation(np.array([[1.1] * 3, [2.3] * 3, [3.7] * 3]), model=model)
    assert result.estimate == pytest.approx(1.0)
    assert result.interval is None
