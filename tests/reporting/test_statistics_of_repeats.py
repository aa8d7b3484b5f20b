"""Repeats of lesions in patients, against what Bland & Altman and Zou published of one table."""

from __future__ import annotations

import math

import pytest

from reporting.statistics.agreement import bland_altman
from reporting.statistics.clustered_repeats import (
    ONE_CLUSTER,
    clustered_limits,
    clustered_repeatability,
)
from reporting.statistics.repeatability import repeatability
from reporting.statistics.results import StatisticsError

# Cardiac output of 12 subjects by radionuclide ventriculography and by impedance cardiography:
# Bland & Altman, Stat Methods Med Res 1999;8:135, table 4; J Biopharm Stat 2007;17:571, table 1.
CARDIAC = {
    1: "7.83 6.57 7.42 5.62 7.89 6.90 7.12 6.57 7.88 6.35",
    2: "6.16 4.06 7.26 4.29 6.71 4.26 6.54 4.09",
    3: "4.75 4.71 5.24 5.50 4.86 5.08 4.78 5.02 6.05 6.01 5.42 5.67",
    4: "4.21 4.14 3.61 4.20 3.72 4.61 3.87 4.68 3.92 5.04",
    5: "3.13 3.03 2.98 2.86 2.85 2.77 3.17 2.46 3.09 2.32 3.12 2.43",
    6: "5.92 5.90 6.42 5.81 5.92 5.70 6.27 5.76",
    7: "7.13 5.09 6.62 4.63 6.58 4.61 6.93 5.09",
    8: "4.54 4.72 4.81 4.61 5.11 4.36 5.29 4.20 5.39 4.36 5.57 4.20",
    9: "4.48 3.17 4.92 3.12 3.97 2.96",
    10: "4.22 4.35 4.65 4.62 4.74 3.16 4.44 3.53 4.50 3.53",
    11: "6.78 7.20 6.07 6.09 6.52 7.00 6.42 7.10 6.41 7.40 5.76 6.80",
    12: "5.06 4.50 4.72 4.20 4.90 3.80 4.80 3.80 4.90 4.20 5.10 4.50",
}


def cardiac(*subjects):
    """Both sides of the pairs, and whose they are."""
    first, second, of = [], [], []
    for subject in subjects or CARDIAC:
        values = [float(one) for one in CARDIAC[subject].split()]
        first += values[0::2]
        second += values[1::2]
        of += [subject] * (len(values) // 2)
    return first, second, of


def test_limits_over_subjects_are_those_zou_printed():
    # Zou 2013: the first four subjects; intervals to two decimals, from rounded parts.
    found = clustered_limits(*cardiac(1, 2, 3, 4), unit="L/min")
    assert found["bias"].estimate == pytest.approx(0.7255, abs=5e-5)
    for name, estimate, lower, upper in (
        ("lower limit of agreement", -2.14, -9.83, -0.33),
        ("upper limit of agreement", 3.59, 1.77, 11.27),
    ):
        result = found[name]
        assert result.estimate == pytest.approx(estimate, abs=0.005)
        assert (result.interval.lower, result.interval.upper) == pytest.approx(
            (lower, upper), abs=0.015
        )


def test_the_parts_of_the_variance_are_those_bland_and_altman_printed():
    # Bland & Altman 2007: mean 0.7092361 and variance 0.91269114 of the subjects' means,
    # 0.170714026 within; the number of pairs of a subject is 5, 4, 6, 5, 6, 4, 4, 6, 3, 5, 6, 6.
    found = clustered_limits(*cardiac(), unit="L/min")
    assert found["bias"].estimate == pytest.approx(0.7092361, abs=1e-7)
    harmonic = 12 / sum(1 / n for n in (5, 4, 6, 5, 6, 4, 4, 6, 3, 5, 6, 6))
    total = 0.91269114 + (1 - 1 / harmonic) * 0.170714026
    assert found["SD of differences"].estimate == pytest.approx(math.sqrt(total), abs=1e-7)


def test_one_pair_of_each_patient_is_the_plain_case():
    first, second = [5.0, 7.5, 3.2, 9.9], [5.4, 7.1, 3.0, 9.0]
    of = "ABCD"
    assert clustered_limits(first, second, of, unit="g/mL") == bland_altman(
        first, second, unit="g/mL"
    )
    assert clustered_repeatability(first, second, of, unit="g/mL") == repeatability(
        first, second, unit="g/mL"
    )


def test_lesions_that_are_alike_within_a_patient_count_as_one():
    # Each pair three times over tells no more than once, whatever the number of lesions.
    first, second = [5.0, 7.5, 3.2, 9.9], [5.4, 7.1, 3.0, 9.0]
    once = clustered_repeatability(first * 2, second * 2, "ABCDABCD", unit="g/mL")
    thrice = clustered_repeatability(first * 3, second * 3, "ABCD" * 3, unit="g/mL")
    for name, one in once.items():
        assert thrice[name].estimate == pytest.approx(one.estimate)
        assert thrice[name].interval.lower == pytest.approx(one.interval.lower)
    naive = repeatability(first * 3, second * 3, unit="g/mL")["within-subject SD"].interval
    robust = thrice["within-subject SD"].interval
    assert robust.upper / robust.lower > naive.upper / naive.lower


def test_one_patient_with_many_lesions_has_no_interval():
    found = clustered_repeatability([5, 6, 7], [5.5, 6, 7.5], "AAA", unit="g/mL")
    assert {one.interval for one in found.values()} == {None}
    assert found["within-subject SD"].notes == (f"no interval: {ONE_CLUSTER}",)
    limits = clustered_limits([5, 6, 7], [5.5, 6, 7.5], "AAA", unit="g/mL")
    assert {one.estimate for one in limits.values()} == {None}


def test_no_pairs_and_no_differences_are_said():
    assert clustered_repeatability([], [], [], unit="1")["within-subject SD"].estimate is None
    assert clustered_limits([], [], [], unit="1")["bias"].estimate is None
    same = clustered_limits([1, 2, 3], [1, 2, 3], "AAB", unit="1")
    assert same["bias"].estimate == 0
    assert same["bias"].interval is None
    with pytest.raises(StatisticsError, match="the patients of 1"):
        clustered_limits([1, 2], [1, 2], "A", unit="1")
