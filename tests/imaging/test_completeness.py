"""Missing slices are seen by number, by place and by instance number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imaging.completeness import is_incomplete, missing_slices
from imaging.suv import assess, suvbw_scale
from tests.imaging.test_suv import FACTOR, series


def slices(header, heights, numbers=None, announced=None):
    numbered = zip(heights, numbers or [None] * len(heights), strict=True)
    return [
        replace(
            header,
            position=(0.0, 0.0, float(height)),
            instance_number=number,
            number_of_slices=announced,
        )
        for height, number in numbered
    ]


@pytest.mark.parametrize(
    ("heights", "numbers", "announced", "said"),
    [
        ([0, 3, 6], [1, 2, 3], 3, ""),
        ([0, 3, 6], [1, 2, 3], None, ""),
        # Another numbering of all of them, upside down, and none at all.
        ([0, 3, 6], [9, 8, 7], None, ""),
        ([6, 0, 3], None, None, ""),
        # Two frames in one place; the same number on all.
        ([0, 3, 0, 3], [1, 2, 3, 4], 2, ""),
        ([0, 3, 6], [1, 1, 1], None, ""),
        ([0], [57], None, ""),
        ([0, 3], [1, 2], None, ""),
        # Half of a step more is no missing slice; all of one is.
        ([0, 3, 6, 10.5], None, None, ""),
        ([0, 3, 6], [1, 2, 3], 4, "Number of Slices (0054,0081) is 4, and 3 are there"),
        (
            [12, 0, 3, 6],
            None,
            None,
            "Image Position (0020,0032) has a gap of 6.00 mm where 3.00 is usual",
        ),
        (
            [0, 3, 6],
            [1, 2, 4],
            None,
            "Instance Number (0020,0013) goes from 1 to 4, and 3 slices are there",
        ),
    ],
)
def test_missing_slices_are_named(header, heights, numbers, announced, said):
    found = slices(header, heights, numbers, announced)
    assert (missing_slices(found), is_incomplete(found)) == (said, bool(said))


def test_gaps_lie_along_the_normal_of_a_tilted_stack(header):
    # Sagittal: rows along y, columns along -z; the normal is -x.
    sagittal = replace(header, orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
    found = [
        replace(one, position=(x, 5.0, 5.0))
        for one, x in zip(slices(sagittal, range(4)), (0.0, -2.0, -4.0, -8.0), strict=True)
    ]
    assert "a gap of 4.00 mm where 2.00" in missing_slices(found)
    assert missing_slices(found[:3]) == ""


def test_gaps_lie_along_the_normal_of_an_oblique_stack(header):
    # Row (2, -2, 1) / 3 and column (1, 2, 2) / 3; at right angles to both is (-2, -1, 2) / 3.
    oblique = replace(header, orientation=(2 / 3, -2 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3))
    steps = (0, 1, 2, 4)
    found = [
        replace(one, position=(10.0 - 2.0 * step, 20.0 - step, 30.0 + 2.0 * step))
        for one, step in zip(slices(oblique, range(4)), steps, strict=True)
    ]
    assert "a gap of 6.00 mm where 3.00" in missing_slices(found)
    assert missing_slices(found[:3]) == ""
    # Moved within their planes, by 30 mm along the row and 30 mm along the column, nothing changes.
    moved = [
        replace(one, position=tuple(a + b for a, b in zip(one.position, along, strict=True)))
        for one, along in zip(
            found, [(0, 0, 0), (20, -20, 10), (10, 20, 20), (30, 0, 30)], strict=True
        )
    ]
    assert "a gap of 6.00 mm where 3.00" in missing_slices(moved)
    assert missing_slices(moved[:3]) == ""


@pytest.mark.parametrize(("apart", "gap"), [(0.01, True), (0.0099, False)])
def test_places_a_hundredth_of_a_millimetre_apart_are_two(header, apart, gap):
    # Of two steps, 0.01 and 3 mm, the usual one is 1.505, and 3 is more than half of that more.
    assert bool(missing_slices(slices(header, [0, apart, apart + 3.0]))) is gap


@pytest.mark.parametrize("lost", ["position", "orientation"])
def test_slices_without_a_place_have_no_gap(header, lost):
    found = slices(header, [0, 3, 6, 30])
    assert missing_slices([replace(one, **{lost: None}) for one in found]) == ""


@pytest.mark.parametrize("kept", [(0, 1, 2, 5), (0, 2, 3, 4)])
def test_a_gap_flags_the_number_of_a_series_that_is_sure(header, kept):
    beds = [replace(one, number_of_slices=None) for one in series(header, beds=6)]
    scale = suvbw_scale([beds[i] for i in kept])
    assert scale.flags == ("incomplete",)
    assert scale.factor == pytest.approx(FACTOR, rel=1e-8)


def test_a_series_with_a_gap_and_no_witness_is_for_a_person(header):
    silent = replace(header, frame_reference_time=None, decay_factor=None)
    found = slices(silent, [0, 3, 6], [1, 2, 4])
    verdict = assess(found)
    assert (verdict.status, verdict.code) == ("REVIEW", "reference-time-uncorroborated")
    assert verdict.attribute == "(0008,0031)"
    assert verdict.message == (
        "Nothing but Series Time (0008,0031) says what instant the pixel values refer to, and "
        "slices are missing: Instance Number (0020,0013) goes from 1 to 4, and 3 slices are "
        "there."
    )
    assert assess(slices(silent, [0, 3, 6], [1, 2, 3])).status == "COMPUTED-FLAGGED"
