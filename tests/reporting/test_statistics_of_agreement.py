"""Agreement and repeatability against published worked examples and statsmodels."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.agreement import (
    bland_altman,
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


def test_concordance_correlation_of_the_meters():
    found = concordance_correlation(LARGE, MINI)
    assert round(found.estimate, 3) == 0.943
    # Fisher's interval of r = 0.943 for 17 pairs is 0.846 to 0.980; Lin's is near to it.
    assert found.interval.lower == pytest.approx(0.846, abs=0.01)
    assert found.interval.upper == pytest.approx(0.980, abs=0.01)


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
