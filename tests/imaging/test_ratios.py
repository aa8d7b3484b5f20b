"""Ratios, the other side of the brain, positivity and adrenals, against sums done by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import Grid
from imaging.isometries import mirror, shift
from imaging.lesions import measure
from imaging.ratios import (
    PUBLISHED_CUT_OFFS,
    AdrenalUptake,
    LateralisationRule,
    PositivityRule,
    RatioError,
    compared_adrenals,
    contralateral_sphere,
    contralateral_voxels,
    positivity,
    ratio,
    rule_at,
    rule_of_both,
    target_to_background,
)
from imaging.reference_regions import RegionError
from imaging.segmentation import Components

# The middle of the columns is x = 0.
BRAIN = Grid(shape=(20, 30, 40), spacing=(3.0, 2.0, 2.0), origin=(-39.0, -29.0, 0.0))
MIDDLE = mirror(point_mm=(0.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0))
NOT_MEASURED = st.sampled_from([None, float("nan"), float("inf"), -1.0])


def test_background_ratios_of_a_lesion():
    suv = np.ones(BRAIN.shape, np.float32)
    suv[8:12, 10:16, 10:16] = 6.0
    suv[9, 12, 12] = 12.0
    flat = np.flatnonzero(suv > 3)
    (lesion,) = measure(suv, Components(flat, np.zeros(flat.size, np.int64), 1), grid=BRAIN)
    found = target_to_background(lesion, background_mean=1.5)
    assert [(one.name, one.denominator) for one in found] == [
        ("TBRmax", 1.5),
        ("TBRpeak", 1.5),
        ("TBRmean", 1.5),
    ]
    # 144 voxels, one of 12 and the others of 6.
    assert found[0].value == 8.0
    assert found[2].value == pytest.approx((143 * 6 + 12) / 144 / 1.5)
    assert found[1].numerator == lesion.suvpeak


@given(NOT_MEASURED, NOT_MEASURED | st.just(0.0))
def test_a_ratio_of_nothing_is_refused(numerator, denominator):
    for above, below in ((numerator, 1.0), (1.0, denominator), (0.0, 0.0)):
        with pytest.raises(RatioError) as refused:
            ratio("TBRmax", above, below)
        assert refused.value.code == "not-measured"


# Mirror


def test_the_mirrored_sphere_is_measured_on_the_other_side():
    suv = np.ones(BRAIN.shape, np.float32)
    suv[:, :, :20] = 3.0
    found = contralateral_sphere(
        suv, grid=BRAIN, centre_mm=(20.0, 5.0, 30.0), radius_mm=8.0, plane=MIDDLE
    )
    assert (found.centre_mm, found.mean, found.sd) == ((-20.0, 5.0, 30.0), 3.0, 0.0)


def test_the_mirrored_lesion_is_measured_on_the_other_side():
    suv = np.ones(BRAIN.shape, np.float32)
    suv[8:10, 10:12, 25:30] = 9.0
    # Columns 25 to 29 of forty become 14 to 10; two values there, ten voxels each.
    suv[8, 10:12, 10:15], suv[9, 10:12, 10:15] = 0.25, 0.75
    found = contralateral_voxels(suv, np.flatnonzero(suv == 9), grid=BRAIN, plane=MIDDLE)
    assert found.voxels.size == 20
    # Sample variance: 20 squares of a quarter over 19.
    assert (found.mean, found.sd) == (0.5, pytest.approx(math.sqrt(20 / 16 / 19)))


def test_a_tilted_head_has_a_tilted_plane():
    plane = mirror(point_mm=(0.0, 0.0, 0.0), normal=(1.0, 1.0, 0.0))
    suv = np.ones(BRAIN.shape, np.float32)
    found = contralateral_sphere(
        suv, grid=BRAIN, centre_mm=(20.0, 10.0, 30.0), radius_mm=4.0, plane=plane
    )
    # By x + y = 0: (x, y) becomes (-y, -x).
    assert found.centre_mm == pytest.approx((-10.0, -20.0, 30.0))


@pytest.mark.parametrize(("x", "is_apart"), [(8.0, True), (7.999, False), (8.001, True)])
def test_a_sphere_must_not_touch_its_own_image(x, is_apart):
    suv = np.ones(BRAIN.shape, np.float32)
    asked = {"grid": BRAIN, "centre_mm": (x, 5.0, 30.0), "radius_mm": 8.0, "plane": MIDDLE}
    if is_apart:
        assert contralateral_sphere(suv, **asked).mean == 1.0
        return
    with pytest.raises(RatioError) as refused:
        contralateral_sphere(suv, **asked)
    assert refused.value.code == "crosses-the-plane"


def test_a_lesion_of_the_midline_has_no_other_side():
    suv = np.ones(BRAIN.shape, np.float32)
    suv[8:10, 10:12, 19:25] = 9.0
    with pytest.raises(RatioError) as refused:
        contralateral_voxels(suv, np.flatnonzero(suv == 9), grid=BRAIN, plane=MIDDLE)
    assert refused.value.code == "crosses-the-plane"


@pytest.mark.parametrize(
    ("value", "plane", "message"),
    [
        (1.0, mirror(point_mm=(30.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)), "leaves the image"),
        (0.0, MIDDLE, "not positive"),
    ],
)
def test_a_mirror_image_that_measures_nothing_is_refused(value, plane, message):
    suv = np.full(BRAIN.shape, value, np.float32)
    flat = np.array([np.ravel_multi_index((9, 10, column), BRAIN.shape) for column in (2, 3)])
    with pytest.raises(RegionError, match=message):
        contralateral_voxels(suv, flat, grid=BRAIN, plane=plane)


def test_one_voxel_is_no_reference():
    flat = np.array([np.ravel_multi_index((9, 10, 2), BRAIN.shape)])
    with pytest.raises(RegionError, match="two are needed"):
        contralateral_voxels(np.ones(BRAIN.shape, np.float32), flat, grid=BRAIN, plane=MIDDLE)


def test_a_shift_is_no_mirror():
    suv = np.ones(BRAIN.shape, np.float32)
    with pytest.raises(RatioError) as refused:
        contralateral_voxels(suv, np.array([5, 6]), grid=BRAIN, plane=shift((1.0, 0.0, 0.0)))
    assert refused.value.code == "not-a-mirror"


# Positivity


@pytest.mark.parametrize(
    ("value", "expected"),
    [(4.0, False), (3.999999, False), (4.000001, True), (0.0, False)],
)
def test_positive_is_above_the_threshold(value, expected):
    rule = PositivityRule(statistic="suvpeak", factor=1.5, deviations=2.0)
    # 1.5 times 2 and twice 0.5.
    found = positivity(rule, value, mean=2.0, sd=0.5, uptake_minutes=60.0)
    assert (found.is_positive, found.threshold) == (expected, 4.0)


def test_positivity_says_what_it_rests_on():
    rule = PositivityRule(statistic="suvmax", factor=1.5, deviations=2.0)
    found = positivity(rule, 5.0, mean=2.0, sd=0.5, uptake_minutes=62.5)
    assert found.why == (
        "SUVmax 5.0 g/mL is above 4.0 g/mL (1.5 × 2.0 + 2 × 0.5), 62.5 min after injection."
    )
    unknown = positivity(rule, 3.0, mean=2.0, sd=0.5, uptake_minutes=None)
    assert "is not above" in unknown.why
    assert unknown.why.endswith("at an unknown time after injection.")


@given(NOT_MEASURED, st.sampled_from(["value", "mean", "sd"]))
def test_what_is_not_measured_is_neither_positive_nor_negative(value, place):
    rule = PositivityRule(statistic="suvmax", factor=1.0, deviations=2.0)
    values = {"value": 9.0, "mean": 1.0, "sd": 0.1} | {place: value}
    found = positivity(
        rule, values["value"], mean=values["mean"], sd=values["sd"], uptake_minutes=60.0
    )
    assert (found.is_positive, found.threshold) == (None, None)
    assert positivity(rule, 0.0, mean=0.0, sd=0.0, uptake_minutes=60.0).is_positive is None


@pytest.mark.parametrize(("factor", "deviations", "highest"), [(2.0, 0.0, 3.0), (0.0, 3.0, 0.6)])
def test_a_rule_may_have_one_of_both(factor, deviations, highest):
    rule = PositivityRule(statistic="suvmax", factor=factor, deviations=deviations)
    assert rule.threshold(mean=1.5, sd=0.2) == pytest.approx(highest)


@pytest.mark.parametrize(
    ("factor", "deviations"), [(-1.0, 2.0), (1.0, -2.0), (float("nan"), 2.0), (0.0, 0.0)]
)
def test_a_rule_that_is_none_is_refused(factor, deviations):
    with pytest.raises(RatioError):
        PositivityRule(statistic="suvmax", factor=factor, deviations=deviations)


# Adrenals

AT_TEN = LateralisationRule(
    cut_off=1.5, boundary="at_least", minutes=10.0, tolerance_minutes=2.0, source="protocol"
)


def adrenals(left, right, minutes=10.0, liver_mean=2.0, rule=AT_TEN):
    uptake = AdrenalUptake(left=left, right=right, liver_mean=liver_mean, minutes=minutes)
    return compared_adrenals(uptake, rule)


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [
        (9.0, 6.0, "left"),
        (8.999999, 6.0, "bilateral"),
        (9.000001, 6.0, "left"),
        (6.0, 9.0, "right"),
        (6.0, 8.999999, "bilateral"),
        (6.0, 6.0, "bilateral"),
        (6.6, 4.4, "left"),
    ],
)
def test_three_classes_by_the_cut_off(left, right, side):
    assert adrenals(left, right).side == side


def test_at_the_cut_off_itself_the_protocol_says_which_class_it_is():
    above = replace(AT_TEN, boundary="above")
    assert adrenals(9.0, 6.0, rule=above).side == "bilateral"
    assert adrenals(9.000001, 6.0, rule=above).side == "left"
    assert "1.5 is not above 1.5" in adrenals(9.0, 6.0, rule=above).why


def test_of_several_cut_offs_that_of_the_nearest_time_is_looked_at():
    at_forty = replace(AT_TEN, cut_off=1.4, minutes=40.0)
    assert rule_at([AT_TEN, at_forty], 38.0) is at_forty
    assert rule_at([AT_TEN, at_forty], 24.0) is AT_TEN
    assert rule_at([], 10.0) is None


def test_a_cut_off_holds_for_both_sides_or_for_none():
    at_forty = replace(AT_TEN, cut_off=1.4, minutes=40.0)
    both = [AT_TEN, at_forty]
    assert rule_of_both(both, 9.0, 11.0) == (AT_TEN, "")
    assert rule_of_both(both, 41.0, 38.0) == (at_forty, "")
    assert rule_of_both([], 9.0, 11.0) == (None, "the protocol states no cut-off")
    # The side whose bed was not found asks for no other rule: the comparison says what is missing.
    assert rule_of_both(both, 41.0, None) == (at_forty, "")
    for left, right in ((9.0, 41.0), (41.0, 9.0)):
        rule, why = rule_of_both(both, left, right)
        assert rule is None
        sides = AdrenalUptake(left=9.0, right=3.0, liver_mean=2.0, minutes=max(left, right))
        found = compared_adrenals(sides, rule, without=why)
        assert (found.side, found.dominant_to_contralateral.value) == (None, 3.0)
        for said in (f"left adrenal was seen at {left}", f"right adrenal was seen at {right}"):
            assert said in found.why
        assert "cut-off 1.5 of 10 ± 2 min" in found.why
        assert "cut-off 1.4 of 40 ± 2 min" in found.why
        assert found.why.endswith("no cut-off holds for both sides.")


def test_without_a_cut_off_the_adrenals_are_compared_and_no_side_is_called():
    found = adrenals(9.0, 3.0, rule=None)
    assert (found.side, found.why) == (
        None,
        "Not evaluable: the protocol states no cut-off.",
    )
    assert found.dominant_to_contralateral.value == 3.0


def test_all_that_was_measured_is_recorded():
    found = adrenals(6.0, 12.0)
    assert found.dominant_side == "right"
    assert found.left_right_index == pytest.approx(-0.693147, abs=1e-6)
    assert (found.dominant_to_contralateral.numerator, found.minutes) == (12.0, 10.0)
    assert (found.dominant_to_contralateral.denominator, found.dominant_to_contralateral.value) == (
        6.0,
        2.0,
    )
    assert (found.left_to_liver.value, found.right_to_liver.value) == (3.0, 6.0)
    assert found.why == (
        "Right: SUVmax 6.0 g/mL left, 12.0 g/mL right; dominant / contralateral 2.0 is at least "
        "1.5 (protocol)."
    )


@pytest.mark.parametrize(
    ("minutes", "is_called"),
    [(8.0, True), (12.0, True), (7.999, False), (12.001, False), (60.0, False), (None, False)],
)
def test_a_cut_off_is_refused_at_another_time(minutes, is_called):
    found = adrenals(9.0, 3.0, minutes=minutes)
    assert found.side == ("left" if is_called else None)
    # The ratio is what was measured, whatever it means.
    assert found.dominant_to_contralateral.value == 3.0


def test_the_refusal_says_which_time_the_cut_off_belongs_to():
    assert adrenals(9.0, 3.0, minutes=60.0).why == (
        "Not evaluable: the cut-off 1.5 belongs to 10 ± 2 min after injection, the scan was at "
        "60.0 min."
    )


def test_published_cut_offs_with_their_sensitivity_and_specificity():
    assert [
        (one.value, one.minutes, one.sensitivity, one.specificity) for one in (PUBLISHED_CUT_OFFS)
    ] == [(1.50, 10.0, 0.68, 0.91), (1.65, 10.0, 0.61, 0.96), (1.65, 10.0, 0.77, 1.00)]


@pytest.mark.parametrize("published", PUBLISHED_CUT_OFFS)
def test_published_cut_offs_belong_to_ten_minutes(published):
    rule = LateralisationRule(
        cut_off=published.value,
        boundary="above",
        minutes=published.minutes,
        tolerance_minutes=2.0,
        source=published.source,
    )
    assert adrenals(20.0, 5.0, minutes=60.0, rule=rule).side is None
    assert adrenals(20.0, 5.0, minutes=10.0, rule=rule).side == "left"


@given(NOT_MEASURED | st.just(0.0), st.floats(0.1, 50))
def test_an_adrenal_that_was_not_measured_gives_no_side(value, other):
    for found in (adrenals(value, other), adrenals(other, value), adrenals(0.0, 0.0)):
        assert found.side is None
        assert found.dominant_to_contralateral is None
        assert found.left_right_index is None


@given(NOT_MEASURED | st.just(0.0))
def test_without_a_liver_the_adrenals_are_still_compared(liver):
    found = adrenals(9.0, 3.0, liver_mean=liver)
    assert (found.side, found.left_to_liver, found.right_to_liver) == ("left", None, None)


@given(st.floats(0.1, 50), st.floats(0.1, 50))
def test_sides_that_change_places_change_the_sign(left, right):
    one, other = adrenals(left, right), adrenals(right, left)
    assert one.left_right_index == pytest.approx(-other.left_right_index)
    assert one.dominant_to_contralateral.value == other.dominant_to_contralateral.value >= 1
    assert math.exp(abs(one.left_right_index)) == pytest.approx(one.dominant_to_contralateral.value)
    swapped = {"left": "right", "right": "left", "bilateral": "bilateral"}
    assert other.side == swapped[one.side]


@pytest.mark.parametrize(
    "change", [{"cut_off": 1.0}, {"cut_off": float("nan")}, {"minutes": -1.0}, {"minutes": None}]
)
def test_a_lateralisation_rule_that_is_none_is_refused(change):
    with pytest.raises(RatioError):
        replace(AT_TEN, **change)
