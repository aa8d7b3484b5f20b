"""Accuracy and ROC curves against published worked examples."""

from __future__ import annotations

import csv
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.accuracy import (
    TruthTable,
    accuracy,
    clustered_accuracy,
    detection_rate,
    positive_likelihood_ratio,
    truth_table,
)
from reporting.statistics.curves import (
    area,
    area_difference,
    at_cut_off,
    cut_offs,
    youden_cut_off,
)
from reporting.statistics.paired import PairedTable
from reporting.statistics.results import StatisticsError


def table(tp: int, fp: int, fn: int, tn: int) -> TruthTable:
    return TruthTable(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)


def test_liver_scans_have_the_published_accuracy():
    # Altman & Bland, BMJ 1994;308:1552 and 309:102: 231, 32, 27, 54 of 344 liver scans.
    found = accuracy(table(231, 32, 27, 54))
    printed = {"sensitivity": 0.90, "specificity": 0.63, "positive predictive value": 0.88,
               "negative predictive value": 0.67, "accuracy": 0.83,
               "positive likelihood ratio": 2.41, "negative likelihood ratio": 0.17}  # fmt: skip
    assert {name: round(found[name].estimate, 2) for name in printed} == printed


def test_ratios_have_the_closed_form_of_their_intervals():
    # Variances of the logarithms: 4/10 by Woolf, 2 (1/10 - 1/20) by Simel.
    found = accuracy(table(10, 10, 10, 10))
    odds, likelihood = found["diagnostic odds ratio"], found["positive likelihood ratio"]
    assert (odds.estimate, likelihood.estimate) == (1.0, 1.0)
    assert odds.interval.upper == pytest.approx(math.exp(1.959964 * 0.4**0.5))
    assert likelihood.interval.upper == pytest.approx(math.exp(1.959964 * 0.1**0.5))


@pytest.mark.reference
def test_aldosteronism_study_has_its_published_rates(reference_data):
    with (reference_data / "published/T03_aldosteronism_yin2024.csv").open() as file:
        rows = list(csv.DictReader(file))
    rates = [
        round(100 * accuracy(_against_diagnosis(rows, test))[name].estimate, 1)
        for test in ("pet", "avs")
        for name in ("sensitivity", "accuracy")
    ]
    assert rates == [89.5, 92.3, 78.9, 84.6]


def _against_diagnosis(rows: list[dict[str, str]], test: str) -> TruthTable:
    return truth_table(
        (row[test] == "unilateral", row["reference"] == "unilateral") for row in rows
    )


def test_a_truth_of_one_class_leaves_the_other_rates_open():
    found = accuracy(table(3, 0, 1, 0))
    assert found["sensitivity"].estimate == 0.75
    assert found["specificity"].reason == "not estimable: nothing was counted (0/0)"
    assert (
        found["positive likelihood ratio"].reason == "not estimable: the truth has one class only"
    )
    assert found["diagnostic odds ratio"].reason == "not estimable: a cell of the table is zero"


def test_perfect_specificity_has_no_positive_likelihood_ratio():
    found = accuracy(table(3, 0, 1, 5))
    assert found["positive likelihood ratio"].reason == "not estimable: the denominator is zero"
    assert found["negative likelihood ratio"].estimate == 0.25


def test_lesions_have_the_rate_of_all_and_an_interval_over_patients():
    patients = [table(5, 0, 0, 1), table(0, 1, 5, 0), table(5, 0, 0, 1)]
    lesions, alone = clustered_accuracy(patients), accuracy(table(10, 1, 5, 2))
    found, independent = lesions["sensitivity"], alone["sensitivity"]
    assert found.estimate == independent.estimate == 10 / 15
    assert found.interval.lower < independent.interval.lower
    # Variance 3/2 * 150/9 / 15^2 = 1/9 against 2/9 / 15 of independent lesions.
    assert found.interval.method == "Wilson, design effect 7.50 (Rao-Scott)"


def test_without_a_truth_it_is_a_detection_rate():
    patients = [PairedTable(both=14, first_only=7, second_only=5, neither=0)]
    first, second = detection_rate(patients).values()
    assert (first.name, first.estimate) == ("detection rate of the first test", 21 / 26)
    assert (second.name, second.estimate) == ("detection rate of the second test", 19 / 26)


def test_a_lesion_that_neither_shows_needs_a_truth():
    with pytest.raises(StatisticsError, match="known by a truth only"):
        detection_rate([PairedTable(both=1, first_only=0, second_only=0, neither=1)])


# Ratings of 58 normal and 51 abnormal CT images (Hanley & McNeil, Radiology 1982;143:29).
NORMAL, ABNORMAL = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
RATINGS = [
    rating for counts in (NORMAL, ABNORMAL) for rating in range(5) for _ in range(counts[rating])
]  # fmt: skip
TRUTH = [False] * 58 + [True] * 51


def test_area_of_ct_ratings_has_delongs_interval():
    # Stata's manual, roctab: 0.8932, standard error 0.0307, 0.83295 to 0.95339.
    result = area(RATINGS, TRUTH)
    assert round(result.estimate, 4) == 0.8932
    assert (round(result.interval.lower, 5), round(result.interval.upper, 5)) == (0.83295, 0.95339)


def _deleted(one: list[float], other: list[float], truth: list[bool]) -> float:
    """Variance of the difference of two areas by leaving out one patient at a time."""

    def apart(kept: list[int]) -> float:
        def of(scores: list[float]) -> float:
            pairs = [
                (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2
                for i, j in itertools.product(kept, kept)
                if truth[i] and not truth[j]
            ]
            return sum(pairs) / len(pairs)

        return of(one) - of(other)

    total = 0.0
    for is_so in (True, False):
        own = [i for i, flag in enumerate(truth) if flag is is_so]
        left = [apart([i for i in range(len(truth)) if i != out]) for out in own]
        total += float(np.var(left)) * (len(own) - 1)
    return total


FIRST = [3.1, 2.2, 5.0, 1.0, 4.4, 2.2, 0.5, 1.9, 3.3, 2.0]
SECOND = [2.0, 3.0, 4.5, 1.5, 2.5, 2.6, 1.0, 0.8, 3.0, 2.9]
DISEASED = [True, True, True, False, True, False, False, False, True, False]


def test_paired_test_of_areas_has_the_variance_of_the_jackknife():
    # The area is linear in the patients of either class, so both variances are the same.
    result = area_difference(FIRST, SECOND, DISEASED)
    assert result.estimate == pytest.approx(0.14)
    expected = 0.14 / _deleted(FIRST, SECOND, DISEASED) ** 0.5
    assert result.test.statistic == pytest.approx(expected)
    assert (result.test.name, result.test.variant) == ("DeLong", "paired")


def test_curves_that_do_not_differ_have_no_test():
    result = area_difference(FIRST, FIRST, DISEASED)
    assert result.reason == "not estimable: the two curves do not differ in any patient"


def test_areas_of_one_class_are_not_estimable():
    assert area([1.0, 2.0], [True, True]).reason == "not estimable: the truth has one class only"
    found = area_difference([1.0], [2.0], [False])
    assert found.reason == "not estimable: the truth has one class only"


def test_classes_apart_and_all_tied_have_no_interval():
    assert area([1, 2, 3, 4], [False, False, True, True]).estimate == 1
    tied = area([1, 1, 1, 1], [False, False, True, True])
    assert (tied.estimate, tied.interval) == (0.5, None)


def test_cut_off_counts_a_score_at_it_as_positive():
    assert at_cut_off([1.0, 2.0, 3.0], [False, True, True], at=2.0).table == table(2, 0, 0, 1)
    assert [found.at for found in cut_offs(FIRST, DISEASED)][:3] == [0.5, 1.0, 1.9]


def test_of_equal_youden_indices_the_highest_cut_off_is_taken():
    # At 1 and at 3 sensitivity + specificity is 1.5: all positive of 2 diseased, or 1 of them.
    scores, truth = [0.0, 1.0, 2.0, 3.0], [False, True, False, True]
    assert [found.youden for found in cut_offs(scores, truth)] == [0, 0.5, 0, 0.5]
    assert youden_cut_off(scores, truth).at == 3.0
    assert youden_cut_off(scores, [True] * 4) is None


def test_a_missing_score_is_refused():
    with pytest.raises(StatisticsError, match="leave it out and count it"):
        area([1.0, float("nan")], [True, False])


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=25))
def test_area_turns_with_the_sign_of_the_score(patients):
    scores, truth = [score for score, _ in patients], [is_so for _, is_so in patients]
    result, turned = area(scores, truth), area([-score for score in scores], truth)
    if result.estimate is None:
        assert len(set(truth)) == 1
        return
    assert result.estimate == pytest.approx(1 - turned.estimate)
    if result.interval:
        assert 0 <= result.interval.lower <= result.estimate <= result.interval.upper <= 1


def test_a_likelihood_ratio_without_spread_has_no_interval():
    everyone_positive = TruthTable(
        true_positive=5, false_negative=0, false_positive=5, true_negative=0
    )
    result = positive_likelihood_ratio(everyone_positive)
    assert (result.estimate, result.interval) == (1.0, None)


def test_scores_that_are_all_alike_have_an_area_and_no_interval():
    result = area([1, 1, 1, 1], [True, True, False, False])
    assert (result.estimate, result.interval) == (0.5, None)
    better = area_difference([3, 4, 1, 2], [1, 1, 1, 1], [True, True, False, False])
    assert (better.estimate, better.interval) == (0.5, None)
