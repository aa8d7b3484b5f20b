"""Lesions of two scans matched: against all assignments tried, and boxes counted by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.geometry import Grid
from imaging.isometries import Isometry, mirror, shift
from imaging.matching import (
    MatchingError,
    MatchingRule,
    PlacedLesion,
    RecordedShift,
    ScanLesions,
    match,
)

GRID = Grid(shape=(20, 20, 40), spacing=(5.0, 5.0, 5.0), origin=(0.0, 0.0, 0.0))
RULE = MatchingRule(least_overlap=0.25, largest_distance_mm=20.0)


def box(name, columns, rows=(5, 8), planes=(5, 8), region=None, grid=GRID):
    mask = np.zeros(grid.shape, bool)
    mask[slice(*planes), slice(*rows), slice(*columns)] = True
    return PlacedLesion(name=name, voxels=np.flatnonzero(mask), region=region)


def scan(*lesions, grid=GRID, frame="1.2.3"):
    return ScanLesions(grid=grid, frame_of_reference=frame, lesions=lesions)


def told(matching):
    return [(site.first, site.second, site.outcome, site.matched_by) for site in matching.sites]


def test_overlap_and_dice_of_boxes():
    # Nine voxels of 0.125 mL a column: two columns of three in common.
    found = match(scan(box("a", (3, 6))), scan(box("x", (4, 7))), rule=RULE)
    (site,) = found.sites
    assert (site.first, site.second, site.matched_by) == ("a", "x", "overlap")
    assert site.shared_ml == pytest.approx(18 * 0.125)
    assert site.dice == pytest.approx(2 / 3)
    assert site.distance_mm == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("least", "by"), [(1 / 3, "overlap"), (1 / 3 + 1e-6, "distance"), (1 / 3 - 1e-6, "overlap")]
)
def test_overlap_is_of_the_smaller_lesion(least, by):
    # One of three columns in common with a lesion of ten.
    rule = MatchingRule(least_overlap=least, largest_distance_mm=500.0)
    found = match(scan(box("a", (3, 13))), scan(box("x", (12, 15))), rule=rule)
    assert told(found) == [("a", "x", "both", by)]


@pytest.mark.parametrize(
    ("largest", "outcomes"),
    [
        (20.0, ["both"]),
        (20.00001, ["both"]),
        (19.99999, ["first-only", "second-only"]),
    ],
)
def test_lesions_apart_are_matched_up_to_a_distance(largest, outcomes):
    # Four columns of 5 mm from one middle to the other.
    rule = replace(RULE, largest_distance_mm=largest)
    found = match(scan(box("a", (3, 6))), scan(box("x", (7, 10))), rule=rule)
    assert [site.outcome for site in found.sites] == outcomes


def test_overlap_comes_before_distance():
    # x touches b's middle closely, but shares voxels with a.
    found = match(scan(box("a", (3, 9)), box("b", (9, 10))), scan(box("x", (7, 9))), rule=RULE)
    assert told(found) == [("a", "x", "both", "overlap"), ("b", None, "first-only", "")]


def test_the_greatest_sum_and_not_the_first_come():
    # b meets only x; a meets x more than y.
    found = match(
        scan(box("a", (3, 9)), box("b", (9, 11))),
        scan(box("x", (5, 11)), box("y", (2, 5))),
        rule=RULE,
    )
    assert [(site.first, site.second) for site in found.sites] == [("a", "y"), ("b", "x")]


def test_a_split_lesion_is_one_site_with_parts():
    found = match(scan(box("a", (3, 12))), scan(box("x", (3, 5)), box("y", (8, 12))), rule=RULE)
    (site,) = found.sites
    assert (site.second, site.second_parts, site.first_parts) == ("y", ("x",), ())
    assert (dict(found.splits), dict(found.merges)) == ({"a": ("x", "y")}, {})


def test_merged_lesions_are_one_site_with_parts():
    found = match(scan(box("a", (3, 5)), box("b", (8, 12))), scan(box("x", (3, 12))), rule=RULE)
    (site,) = found.sites
    assert (site.first, site.first_parts, site.second_parts) == ("b", ("a",), ())
    assert (dict(found.splits), dict(found.merges)) == ({}, {"x": ("a", "b")})


def test_the_paired_table_of_a_published_comparison():
    """Oesophagus: 14 lesions on both tracers, none on Pentixafor only, five on FDG only."""
    columns = [(i % 10 * 4, i % 10 * 4 + 2) for i in range(19)]
    rows = [(2, 4) if i < 10 else (12, 14) for i in range(19)]
    boxes = [box(f"{i:02}", c, r) for i, (c, r) in enumerate(zip(columns, rows, strict=True))]
    rule = MatchingRule(least_overlap=0.25, largest_distance_mm=10.0)
    found = match(scan(*boxes[:14]), scan(*boxes), rule=rule)
    assert dict(found.counts) == {"both": 14, "second-only": 5}
    assert found.patient == "both"


def test_regions_and_the_patient():
    found = match(
        scan(box("a", (0, 3), region="neck"), box("b", (12, 15), region="chest")),
        scan(
            box("x", (0, 3), region="neck"),
            box("y", (24, 27), region="chest"),
            box("z", (36, 39), region="abdomen"),
        ),
        rule=RULE,
    )
    assert dict(found.regions) == {"abdomen": "second-only", "chest": "both", "neck": "both"}
    assert dict(found.counts) == {"both": 1, "first-only": 1, "second-only": 2}
    assert found.patient == "both"


def test_two_regions_for_one_site_are_told():
    found = match(
        scan(box("a", (3, 6), region="neck")), scan(box("x", (3, 6), region="chest")), rule=RULE
    )
    (site,) = found.sites
    assert (site.region, site.regions_differ) == ("neck", True)
    assert dict(found.regions) == {"neck": "both"}


def test_patients_without_lesions():
    assert match(scan(), scan(), rule=RULE).patient == "neither"
    assert match(scan(box("a", (3, 6))), scan(), rule=RULE).patient == "first-only"
    assert match(scan(), scan(box("x", (3, 6))), rule=RULE).patient == "second-only"


def test_what_the_other_scan_does_not_cover_is_not_negative_there():
    short = replace(GRID, shape=(8, 20, 40))
    found = match(
        scan(box("a", (3, 6), planes=(12, 15)), box("b", (20, 23))),
        scan(box("x", (20, 23), grid=short), grid=short),
        rule=RULE,
    )
    assert told(found) == [("a", None, "not-covered", ""), ("b", "x", "both", "overlap")]
    assert found.patient == "both"
    other = match(scan(grid=short), scan(box("a", (3, 6), planes=(12, 15))), rule=RULE)
    assert told(other) == [(None, "a", "not-covered", "")]
    assert other.patient == "not-covered"


# Frames


def test_two_frames_need_a_recorded_shift():
    first, second = scan(box("a", (3, 6))), scan(box("x", (9, 12)), frame="4.5.6")
    with pytest.raises(MatchingError) as refused:
        match(first, second, rule=RULE)
    assert refused.value.code == "another-frame"
    moved = RecordedShift(motion=shift((-30.0, 0.0, 0.0)), how="spine by a reader")
    found = match(first, second, rule=RULE, shift=moved)
    (site,) = found.sites
    assert (site.dice, site.distance_mm, found.shift) == (1.0, pytest.approx(0.0), moved)


def test_an_unknown_frame_is_no_common_frame():
    with pytest.raises(MatchingError) as refused:
        match(scan(frame=""), scan(frame=""), rule=RULE)
    assert refused.value.code == "another-frame"


@pytest.mark.parametrize(
    "given_shift",
    [
        RecordedShift(motion=shift((1.0, 0.0, 0.0)), how=""),
        RecordedShift(motion=mirror(point_mm=(0.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)), how="eye"),
    ],
)
def test_a_shift_that_nobody_accounts_for_or_a_mirror_is_refused(given_shift):
    with pytest.raises(MatchingError) as refused:
        match(scan(), scan(), rule=RULE, shift=given_shift)
    assert refused.value.code == "shift-invalid"


def test_scans_of_two_grids_meet_in_the_patient():
    fine = Grid(shape=(50, 50, 100), spacing=(2.0, 2.0, 2.0), origin=(-1.5, -1.5, -1.5))
    # Columns 3 to 5 of 5 mm reach from 12.5 to 27.5 mm: of 2 mm, 7.5 to 14.5 of them.
    edges = (8, 15), (13, 20), (13, 20)
    other = box("x", *edges, grid=fine)
    (site,) = match(scan(box("a", (3, 6))), scan(other, grid=fine), rule=RULE).sites
    assert site.matched_by == "overlap"
    assert site.dice == pytest.approx(1.0)


@pytest.mark.parametrize(
    "lesions",
    [
        (box("a", (3, 6)), box("a", (9, 12))),
        (box("a", (3, 6)), box("b", (5, 9))),
        (PlacedLesion(name="a", voxels=np.zeros(0, np.int64)),),
        (PlacedLesion(name="a", voxels=np.array([20 * 20 * 40])),),
        (PlacedLesion(name="a", voxels=np.array([-1, 5])),),
    ],
)
def test_lesions_that_are_none_are_refused(lesions):
    for scans in ((scan(*lesions), scan()), (scan(), scan(*lesions))):
        with pytest.raises(MatchingError) as refused:
            match(*scans, rule=RULE)
        assert refused.value.code == "lesions-invalid"


@pytest.mark.parametrize(
    ("overlap", "distance"),
    [(0.0, 10.0), (1.1, 10.0), (float("nan"), 10.0), (0.5, 0.0), (0.5, float("inf"))],
)
def test_a_rule_that_is_none_is_refused(overlap, distance):
    with pytest.raises(MatchingError):
        MatchingRule(least_overlap=overlap, largest_distance_mm=distance)


# Any lesions

SMALL = Grid(shape=(1, 6, 8), spacing=(5.0, 5.0, 5.0), origin=(0.0, 0.0, 0.0))


@st.composite
def scans(draw, letters):
    """Each voxel of a small image belongs to one of five lesions or to none."""
    owners = draw(st.lists(st.integers(-3, len(letters) - 1), min_size=48, max_size=48))
    regions = st.sampled_from(["neck", "chest", None])
    return scan(
        *(
            PlacedLesion(name=letter, voxels=voxels, region=draw(regions))
            for i, letter in enumerate(letters)
            if (voxels := np.flatnonzero(np.array(owners) == i)).size
        ),
        grid=SMALL,
    )


@settings(deadline=None, max_examples=40)
@given(scans("abcde"), scans("vwxyz"), st.randoms(use_true_random=False))
def test_the_order_of_lesions_does_not_matter(first, second, chance):
    found = match(first, second, rule=RULE)
    shuffled = [
        replace(one, lesions=tuple(chance.sample(one.lesions, len(one.lesions))))
        for one in (first, second)
    ]
    assert match(*shuffled, rule=RULE) == found


@settings(deadline=None, max_examples=40)
@given(scans("abcde"), scans("vwxyz"))
def test_every_lesion_is_in_one_site(first, second):
    sites = match(first, second, rule=RULE).sites
    ours = [n for s in sites for n in (s.first, *s.first_parts) if n is not None]
    theirs = [n for s in sites for n in (s.second, *s.second_parts) if n is not None]
    assert sorted(ours) == sorted(one.name for one in first.lesions)
    assert sorted(theirs) == sorted(one.name for one in second.lesions)
    for site in sites:
        assert (site.outcome == "both") == (site.first is not None and site.second is not None)


@settings(deadline=None, max_examples=40)
@given(scans("abcd"), scans("wxyz"))
def test_no_other_assignment_has_a_greater_sum_of_dice(first, second):
    rule = MatchingRule(least_overlap=0.25, largest_distance_mm=1e-3)
    sites = match(first, second, rule=rule).sites
    reached = sum(site.dice for site in sites if site.matched_by == "overlap")
    ours = [set(one.voxels.tolist()) for one in first.lesions]
    theirs = [set(one.voxels.tolist()) for one in second.lesions] + [set()] * len(ours)

    def dice(a, b):
        shared = len(a & b)
        enough = b and shared >= 0.25 * min(len(a), len(b))
        return 2 * shared / (len(a) + len(b)) if enough else 0.0

    best = max(
        sum(dice(a, b) for a, b in zip(ours, chosen, strict=True))
        for chosen in permutations(theirs, len(ours))
    )
    assert reached == pytest.approx(best)


@settings(deadline=None, max_examples=40)
@given(scans("abcde"))
def test_a_scan_matched_with_itself(lesions):
    found = match(lesions, lesions, rule=RULE)
    assert [(s.first, s.second, s.dice) for s in found.sites] == [
        (name, name, 1.0) for name in sorted(one.name for one in lesions.lesions)
    ]


@settings(deadline=None, max_examples=40)
@given(scans("abcde"), scans("vwxyz"))
def test_scans_that_change_places_give_the_same_positives(first, second):
    one, other = (match(a, b, rule=RULE) for a, b in ((first, second), (second, first)))
    turned = {"first-only": "second-only", "second-only": "first-only"}
    assert other.patient == turned.get(one.patient, one.patient)
    assert (dict(one.splits), dict(one.merges)) == (dict(other.merges), dict(other.splits))
    assert sum(s.dice for s in one.sites if s.matched_by == "overlap") == pytest.approx(
        sum(s.dice for s in other.sites if s.matched_by == "overlap")
    )


@settings(deadline=None, max_examples=40)
@given(scans("abcde"), scans("vwxyz"), st.tuples(*[st.integers(-50, 50)] * 3))
def test_a_recorded_shift_undoes_the_motion_of_the_patient(first, second, millimetres):
    offset = tuple(float(value) for value in millimetres)
    moved = replace(second, frame_of_reference="4.5.6", grid=replace(second.grid, origin=offset))
    back = RecordedShift(motion=Isometry(offset_mm=tuple(-value for value in offset)), how="known")
    still, undone = match(first, second, rule=RULE), match(first, moved, rule=RULE, shift=back)
    assert [(s.first, s.second, s.outcome) for s in undone.sites] == [
        (s.first, s.second, s.outcome) for s in still.sites
    ]
    assert undone.regions == still.regions
