"""Kidney function against values computed elsewhere."""

from __future__ import annotations

import pytest

from trials.renal_function import RenalFunctionError, ckd_epi_2021, cockcroft_gault


# Computed with R package nephro, CKDEpi_RF.creat (coefficients of Inker et al. 2021).
@pytest.mark.parametrize(
    ("creatinine", "age", "sex", "expected"),
    [
        (1.0, 50, "F", 68.6335),
        (1.0, 50, "M", 91.6915),
        (2.0, 65, "F", 27.2135),
        (0.6, 30, "F", 123.7579),
        (0.9, 40, "M", 110.7256),
    ],
)
def test_ckd_epi_2021_gives_the_published_values(creatinine, age, sex, expected):
    # Four decimals are given.
    assert ckd_epi_2021(creatinine, age=age, sex=sex) == pytest.approx(expected, abs=5e-5)


def test_cockcroft_gault_is_15_percent_lower_in_women():
    # (140 - 60) * 72 / (72 * 1) = 80 mL/min, by hand.
    assert cockcroft_gault(1.0, age=60, sex="M", weight=72.0) == 80.0
    assert cockcroft_gault(1.0, age=60, sex="F", weight=72.0) == 68.0


@pytest.mark.parametrize("creatinine", [0.0, -1.0, float("nan")])
def test_a_creatinine_that_cannot_be_is_refused(creatinine):
    with pytest.raises(RenalFunctionError):
        ckd_epi_2021(creatinine, age=50, sex="F")


def test_the_equation_of_adults_refuses_a_child():
    with pytest.raises(RenalFunctionError):
        ckd_epi_2021(0.5, age=17, sex="F")
