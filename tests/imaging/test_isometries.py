"""Motions that keep distances, and regions carried from one grid to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import Grid
from imaging.isometries import Isometry, IsometryError, carried, mirror, shift

GRID = Grid(shape=(10, 12, 14), spacing=(3.0, 2.0, 2.0), origin=(-13.0, -11.0, 100.0))
COORDINATE = st.floats(-500, 500)
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE)
# A quarter turn about z: x to y.
QUARTER_TURN = Isometry(matrix=((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))


def box(*spans):
    mask = np.zeros(GRID.shape, bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return np.flatnonzero(mask)


@given(POINT, POINT, st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda n: np.linalg.norm(n) > 0.1))
def test_a_mirror_is_its_own_inverse_and_keeps_its_plane(point, other, normal):
    plane = mirror(point_mm=point, normal=normal)
    image = plane(other)
    assert plane(image) == pytest.approx(np.asarray(other), abs=1e-6)
    assert plane.inverse(image) == pytest.approx(np.asarray(other), abs=1e-6)
    middle = (image + np.asarray(other)) / 2
    assert np.dot(middle - point, normal) == pytest.approx(0, abs=1e-6)
    assert plane.is_mirror


def test_a_turn_and_a_shift():
    assert QUARTER_TURN((2.0, 0.0, 5.0)) == pytest.approx([0.0, 2.0, 5.0])
    assert QUARTER_TURN.inverse((0.0, 2.0, 5.0)) == pytest.approx([2.0, 0.0, 5.0])
    assert shift((1.0, 2.0, 3.0)).inverse((1.0, 2.0, 3.0)) == pytest.approx([0.0, 0.0, 0.0])
    assert not QUARTER_TURN.is_mirror


@pytest.mark.parametrize(
    ("matrix", "offset"),
    [
        (((1.1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0)),
        (((1, 0.1, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0)),
        (((1, 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, float("nan"))),
        (((float("inf"), 0, 0), (0, 1, 0), (0, 0, 1)), (0, 0, 0)),
        (((1, 0), (0, 1)), (0, 0)),
    ],
)
def test_what_is_no_motion_is_refused(matrix, offset):
    with pytest.raises(IsometryError):
        Isometry(matrix=matrix, offset_mm=offset)


@pytest.mark.parametrize("normal", [(0.0, 0.0, 0.0), (float("nan"), 1.0, 0.0)])
def test_a_mirror_needs_a_direction(normal):
    with pytest.raises(IsometryError, match="length"):
        mirror(point_mm=(0.0, 0.0, 0.0), normal=normal)


def test_a_region_is_mirrored_voxel_for_voxel():
    # The middle of fourteen columns of 2 mm from -13 is x = 0: column 1 becomes column 12.
    found = carried(
        box((2, 4), (3, 5), (1, 4)),
        source=GRID,
        target=GRID,
        motion=mirror(point_mm=(0.0, 50.0, 7.0), normal=(1.0, 0.0, 0.0)),
    )
    assert np.array_equal(found.flat, box((2, 4), (3, 5), (10, 13)))
    assert not found.leaves_image


def test_a_shift_of_whole_voxels_moves_the_region():
    found = carried(
        box((2, 4), (3, 5), (1, 4)), source=GRID, target=GRID, motion=shift((4.0, -2.0, 3.0))
    )
    assert np.array_equal(found.flat, box((3, 5), (2, 4), (3, 6)))


def test_a_finer_grid_shows_no_holes():
    fine = replace(GRID, shape=(30, 24, 28), spacing=(1.0, 1.0, 1.0), origin=(-13.5, -11.5, 99.0))
    found = carried(box((2, 4), (3, 5), (1, 4)), source=GRID, target=fine, motion=Isometry())
    mask = np.zeros(fine.shape, bool)
    mask[6:12, 6:10, 2:8] = True
    assert np.array_equal(found.flat, np.flatnonzero(mask))


def test_what_leaves_the_image_is_told():
    region = box((2, 4), (3, 5), (1, 4))
    partly = carried(region, source=GRID, target=GRID, motion=shift((-4.0, 0.0, 0.0)))
    assert np.array_equal(partly.flat, box((2, 4), (3, 5), (0, 2)))
    assert partly.leaves_image
    gone = carried(region, source=GRID, target=GRID, motion=shift((0.0, 0.0, 500.0)))
    assert (gone.flat.size, gone.leaves_image) == (0, True)


def test_a_region_across_a_large_volume_is_carried_whole():
    grid = Grid(shape=(90, 90, 90), spacing=(2.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
    places = np.random.default_rng(5).integers(0, 89, (3000, 3))
    # One plane, two rows back and three columns on: what lies in the first rows leaves.
    moved = places + np.array([1, -2, 3])
    stays = np.all((moved >= 0) & (moved < 90), axis=1)
    found = carried(
        np.unique(np.ravel_multi_index(tuple(places.T), grid.shape)),
        source=grid,
        target=grid,
        motion=shift((6.0, -4.0, 2.0)),
    )
    expected = np.unique(np.ravel_multi_index(tuple(moved[stays].T), grid.shape))
    assert np.array_equal(found.flat, expected)
    assert found.leaves_image


def test_nothing_carried_is_nothing():
    found = carried(box((0, 0), (0, 0), (0, 0)), source=GRID, target=GRID, motion=Isometry())
    assert (found.flat.size, found.leaves_image) == (0, False)


@given(st.lists(st.integers(0, 10 * 12 * 14 - 1), min_size=1, max_size=40, unique=True))
def test_any_region_carried_by_no_motion_is_itself(voxels):
    region = np.array(sorted(voxels))
    assert np.array_equal(carried(region, source=GRID, target=GRID, motion=Isometry()).flat, region)


def test_uneven_planes_count_where_they_are():
    uneven = replace(GRID, shape=(4, 12, 14), planes=(0.0, 3.0, 9.0, 12.0))
    even = replace(GRID, shape=(5, 12, 14))
    # Planes at 0, 3, 9, 12 mm meet those at 0, 3, 6, 9, 12: that at 6 is half way, of the later.
    whole = np.arange(12 * 14) + 2 * 12 * 14
    found = carried(whole, source=uneven, target=even, motion=Isometry())
    assert sorted(set((found.flat // (12 * 14)).tolist())) == [2, 3]
