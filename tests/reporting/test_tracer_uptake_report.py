"""SUVmax of two tracers in the same lesions: a ratio over patients, and what has no number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reporting.reports import tracer_uptake
from reporting.reports.drawing import svg

# Pairs of the same factor in each patient's lesions, another in each patient.
RATIOS = {"1": 2.0, "2": 3.0, "3": 4.5}


def pair(patient, first, second, **given):
    return {
        "patient": patient, "outcome": "both", "first_lesion": 1, "second_lesion": 1,
        "first_parts": 0, "second_parts": 0, "first_suvmax": first, "second_suvmax": second,
        **given,
    }  # fmt: skip


def made(pairs):
    return [*tracer_uptake.parts("A title", "PTF", "FDG", pairs)]


def cells(table):
    return dict(zip((one.name for one in table.columns), table.rows[0], strict=True))


def several():
    return [
        pair(patient, ratio * low, low) for patient, ratio in RATIOS.items() for low in (2.0, 5.0)
    ]


def test_the_ratio_is_the_geometric_mean_of_patients_and_its_interval_counts_them():
    table, _ = made(several())
    found = cells(table)
    logs = np.log(list(RATIOS.values()))
    assert found["ratio"].value == pytest.approx(3.0)
    # By t over three patients: 4.302653 at 2 degrees of freedom.
    half = 4.302653 * logs.std(ddof=1) / math.sqrt(3)
    ends = [found["ratio"].lower, found["ratio"].upper]
    assert ends == pytest.approx([3 * math.exp(-half), 3 * math.exp(half)])
    # Lesions of a patient do not differ: the limits are those of patients.
    assert found["upper_limit"].value == pytest.approx(3 * math.exp(1.96 * logs.std(ddof=1)))
    assert (table.n, table.of) == (6, "lesions in 3 patients")
    assert found["first_median"] == pytest.approx(9.5)
    assert found["second_median"] == pytest.approx(3.5)
    turned, _ = made(
        [pair(one["patient"], one["second_suvmax"], one["first_suvmax"]) for one in several()]
    )
    assert cells(turned)["ratio"].value == pytest.approx(1 / 3)


def test_patients_with_a_lesion_each_have_limits_of_bland_and_altman_on_logarithms():
    firsts, seconds = [4.0, 9.0, 12.0, 7.0], [2.0, 6.0, 5.0, 5.0]
    pairs = [
        pair(str(at), one, other)
        for at, (one, other) in enumerate(zip(firsts, seconds, strict=True))
    ]
    table, _ = made(pairs)
    apart = np.log(firsts) - np.log(seconds)
    expected = np.exp(
        [apart.mean(), *(apart.mean() + k * apart.std(ddof=1) for k in (-1.96, 1.96))]
    )
    found = cells(table)
    assert [found[name].value for name in ("ratio", "lower_limit", "upper_limit")] == (
        pytest.approx(list(expected))
    )


def test_what_has_no_number_on_both_scans_is_missing_by_its_reason():
    pairs = [
        *several(),
        pair("1", 5.0, None, second_lesion=None, outcome="first-only"),
        pair("1", 5.0, None, second_lesion=None, outcome="not-covered"),
        pair("2", 5.0, 3.0, first_parts=1),
        pair("2", 5.0, None),
        pair("3", 5.0, 0.0),
    ]
    table, figure = made(pairs)
    assert (
        dict(table.missing)
        == dict(figure.missing)
        == {
            tracer_uptake.ONE_ALONE: 1,
            tracer_uptake.NOT_COVERED: 1,
            tracer_uptake.IN_PARTS: 1,
            tracer_uptake.NO_NUMBER: 2,
        }
    )
    assert table.n == 6
    assert made(pairs[6:]) == []


def test_the_figure_is_of_logarithms_and_said_in_words():
    _, figure = made(several())
    assert figure.drawing.points[0] == pytest.approx((math.sqrt(8.0), math.log(2.0)))
    assert figure.drawing.up == "ln (PTF / FDG)"
    assert len(figure.drawing.bands) == 3
    assert "PTF over FDG 3.00, limits" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)


def test_lesions_of_one_patient_have_no_ratio_over_patients_by_name():
    (table,) = made([pair("1", 4.0, 2.0), pair("1", 5.0, 2.0), pair("1", 6.0, 2.0)])
    assert cells(table)["ratio"].reason == "not estimable: limits over patients need 2 patients"
