"""RECIST 1.1: sizes and changes at their cuts, both tables row by row."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.response.recist import RecistVisit, Target, recist, target_response


def targets(*diameters, nodes=()):
    return tuple(
        Target(name=str(i), organ=f"organ {i}", is_node=i in nodes, diameter_mm=diameter)
        for i, diameter in enumerate(diameters)
    )


def of_targets(baseline, later, lowest=None, had_complete_response=False):
    return target_response(
        baseline,
        later,
        lowest_sum_mm=sum(one.diameter_mm for one in baseline) if lowest is None else lowest,
        had_complete_response=had_complete_response,
    )


def overall(baseline, later, non_target="none", has_new_lesion=False, lowest=None):
    return recist(
        baseline,
        later,
        RecistVisit(non_target=non_target, has_new_lesion=has_new_lesion),
        lowest_sum_mm=sum(one.diameter_mm for one in baseline) if lowest is None else lowest,
        had_complete_response=False,
    )


@pytest.mark.parametrize(
    ("later", "lowest", "category"),
    [
        (70.0, 100.0, "PR"),
        (70.000001, 100.0, "SD"),
        (69.999999, 100.0, "PR"),
        (120.0, 100.0, "PD"),
        (119.999999, 100.0, "SD"),
        # From the lowest, not from the baseline.
        (60.0, 50.0, "PD"),
        (59.999999, 50.0, "PR"),
        # A fifth of 20 mm is 4 mm; five are needed as well.
        (24.0, 20.0, "PR"),
        (25.0, 20.0, "PD"),
        (24.999999, 20.0, "PR"),
        (0.0, 100.0, "CR"),
    ],
)
def test_sums_against_a_baseline_of_100_mm(later, lowest, category):
    assert of_targets(targets(100.0), targets(later), lowest).category == category


@pytest.mark.parametrize("percent", [37.2, 21.3, 20.6])
def test_published_progressions(percent):
    """Of patients whose published change of the sum was called progression."""
    assert of_targets(targets(100.0), targets(100.0 + percent)).category == "PD"


@pytest.mark.parametrize(("axis", "category"), [(9.999, "CR"), (10.0, "PR"), (10.001, "PR")])
def test_a_lymph_node_under_ten_millimetres_is_normal(axis, category):
    baseline = targets(30.0, 20.0, nodes=(1,))
    assert of_targets(baseline, targets(0.0, axis, nodes=(1,))).category == category


@pytest.mark.parametrize(
    ("diameter", "is_node", "is_evaluable"),
    [
        (10.0, False, True),
        (9.999, False, False),
        (10.001, False, True),
        (15.0, True, True),
        (14.999, True, False),
        (15.001, True, True),
    ],
)
def test_what_is_measurable_at_baseline(diameter, is_node, is_evaluable):
    nodes = (0,) if is_node else ()
    found = of_targets(targets(diameter, nodes=nodes), targets(diameter, nodes=nodes))
    assert found.is_evaluable == is_evaluable


def test_a_lesion_not_assessed_leaves_only_progression():
    """The paper's own: 50 mm in three lesions, 80 mm in two of them is progression, 4.5."""
    baseline = targets(20.0, 20.0, 10.0)
    assert of_targets(baseline, targets(40.0, 40.0, None)).category == "PD"
    assert of_targets(baseline, targets(10.0, 5.0, None)).category == "NE"
    assert "not measured: 2" in of_targets(baseline, targets(10.0, 5.0, None)).why


@pytest.mark.parametrize("later", [(40.0, 40.0, None), (10.0, 5.0, None)])
def test_a_part_of_the_lesions_gives_no_change_of_the_sum(later):
    """It would stand among the best changes as a response that nobody measured."""
    found = of_targets(targets(20.0, 20.0, 10.0), targets(*later))
    assert not [one for one in found.numbers if one.name.startswith("Change")]


def test_a_lesion_that_comes_back_after_complete_response_is_progression():
    back = of_targets(targets(30.0), targets(4.0), 0.0, had_complete_response=True)
    assert back.category == "PD"
    # Without it, as where non-targets are left, what comes back counts by its sum: 5 mm of growth
    # are progression, and less is held against the baseline, 4.3.1.
    assert of_targets(targets(30.0), targets(5.0), 0.0).category == "PD"
    assert of_targets(targets(30.0), targets(4.9), 0.0).category == "PR"


def test_a_node_that_is_still_normal_has_not_come_back():
    """From 4 to 9.9 mm is more than 20 % and 5 mm, and a normal node."""
    baseline, later = targets(20.0, nodes=(0,)), targets(9.9, nodes=(0,))
    assert of_targets(baseline, later, 4.0, had_complete_response=True).category == "CR"


@pytest.mark.parametrize(
    ("baseline", "later", "sentence"),
    [
        (targets(20.0), targets(20.0, 20.0), "not those of the baseline"),
        (targets(*[20.0] * 6), targets(*[20.0] * 6), "6 targets, more than 5"),
        ((), targets(20.0), "no targets at baseline"),
    ],
)
def test_targets_that_are_not_those_of_recist(baseline, later, sentence):
    found = of_targets(baseline, later, 0.0)
    assert found.category == "NE"
    assert sentence in found.why


def test_five_targets_and_two_of_an_organ_are_not_too_many():
    organs = ["liver", "liver", "lung", "lung", "skin"]
    five = tuple(
        Target(name=str(i), organ=organ, is_node=False, diameter_mm=20.0)
        for i, organ in enumerate(organs)
    )
    assert of_targets(five, five).category == "SD"


def test_three_targets_of_an_organ_are_too_many():
    same = tuple(
        Target(name=str(i), organ="liver", is_node=False, diameter_mm=20.0) for i in range(3)
    )
    assert "3 targets in liver, more than 2" in of_targets(same, same).why


def test_a_lowest_sum_above_the_baseline_is_refused():
    assert of_targets(targets(20.0), targets(20.0), 21.0).category == "NE"


BASELINE = targets(100.0)
LATER = {
    "CR": targets(0.0),
    "PR": targets(50.0),
    "SD": targets(100.0),
    "NE": targets(None),
    "PD": targets(150.0),
}
# Eisenhauer et al., table 1: target, non-target, new lesions, overall.
TABLE_1 = [
    ("CR", "CR", False, "CR"),
    ("CR", "NON-CR/NON-PD", False, "PR"),
    ("CR", "NE", False, "PR"),
    ("PR", "CR", False, "PR"),
    ("PR", "NON-CR/NON-PD", False, "PR"),
    ("PR", "NE", False, "PR"),
    ("SD", "CR", False, "SD"),
    ("SD", "NON-CR/NON-PD", False, "SD"),
    ("SD", "NE", False, "SD"),
    ("NE", "CR", False, "NE"),
    ("NE", "NON-CR/NON-PD", False, "NE"),
]
PROGRESSIONS = [
    *product(["PD"], ["CR", "NON-CR/NON-PD", "NE", "PD"], [False, True], ["PD"]),
    *product(["CR", "PR", "SD", "NE"], ["PD"], [False, True], ["PD"]),
    *product(["CR", "PR", "SD", "NE"], ["CR", "NON-CR/NON-PD", "NE"], [True], ["PD"]),
]


@pytest.mark.parametrize(("target", "non_target", "new", "expected"), TABLE_1 + PROGRESSIONS)
def test_table_1(target, non_target, new, expected):
    found = overall(BASELINE, LATER[target], non_target, new)
    assert found.category == expected


@pytest.mark.parametrize(
    ("non_target", "new", "expected"),
    [
        ("CR", False, "CR"),
        ("NON-CR/NON-PD", False, "NON-CR/NON-PD"),
        ("NE", False, "NE"),
        ("PD", False, "PD"),
        ("PD", True, "PD"),
        ("CR", True, "PD"),
        ("NON-CR/NON-PD", True, "PD"),
        ("NE", True, "PD"),
        # No disease at all was recorded.
        ("none", False, "NE"),
    ],
)
def test_table_2_of_patients_without_targets(non_target, new, expected):
    assert overall((), (), non_target, new, lowest=0.0).category == expected


def test_targets_alone_can_be_all_the_disease():
    assert overall(BASELINE, LATER["CR"]).category == "CR"


def test_sentence_and_numbers():
    found = overall(BASELINE, LATER["PR"], "NON-CR/NON-PD")
    assert found.why == (
        "RECIST 1.1 PR: targets PR: sum of 50.0 mm, -50.0 % from baseline; "
        "non-targets are neither gone nor grown; no new lesion."
    )
    assert [(one.value, one.unit) for one in found.numbers] == [
        (100.0, "mm"),
        (100.0, "mm"),
        (50.0, "mm"),
        (-50.0, "%"),
        (-50.0, "%"),
    ]
    assert found.flags == ()


@pytest.mark.parametrize("missing", ["non_target", "has_new_lesion"])
def test_what_nobody_said_leaves_it_open_unless_there_is_progression(missing):
    assert overall(BASELINE, LATER["PR"], **{missing: None}).category == "NE"
    assert overall(BASELINE, LATER["PD"], **{missing: None}).category == "PD"
    assert overall((), (), **({"non_target": "CR"} | {missing: None}), lowest=0.0).category == "NE"


@given(
    st.sampled_from([None, float("nan"), float("inf"), -1.0]),
    st.floats(0, 200),
    st.sampled_from(["CR", "NON-CR/NON-PD", "NE", "none"]),
)
def test_a_target_that_is_not_measured_gives_no_response(value, other, non_target):
    found = overall(targets(60.0, 40.0), targets(value, other), non_target)
    assert found.category in {"NE", "PD"}
    assert (found.category == "PD") == (other >= 120.0)
    unmeasured = overall(targets(60.0, 40.0), targets(50.0, other), non_target, lowest=value or -1)
    assert unmeasured.category == "NE"
