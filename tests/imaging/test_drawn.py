"""Contours drawn by hand, against masks by coordinates and counts in the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imaging.contours import Contour, mask
from imaging.drawn import MOST_POINTS, in_contours, paper, slices_of
from imaging.geometry import Grid
from imaging.segmentation import SegmentationError
from imaging.slices import Plane, voxel_at

GRID = Grid(shape=(6, 20, 30), spacing=(3.0, 2.0, 1.5), origin=(-20.0, 10.0, 5.0))
NOISE = np.random.default_rng(2).gamma(2.0, 1.0, GRID.shape).astype(np.float32)


def corners(plane: int, *places: tuple[float, float]) -> list[list[float]]:
    """(row, column) of corners between voxels, as places in the patient; voxels start at -0.5."""
    return [
        GRID.voxel_to_patient((plane, row - 0.5, column - 0.5)).round(2).tolist()
        for row, column in places
    ]


def box(plane: int, low: tuple[int, int], high: tuple[int, int]) -> list[list[float]]:
    return corners(plane, low, (low[0], high[1]), high, (high[0], low[1]))


def voxels(*contours, grid=GRID, largest_ml=3000.0):
    return in_contours(NOISE, contours, grid=grid, largest_ml=largest_ml)


def code(*contours, **more) -> str:
    with pytest.raises(SegmentationError) as refused:
        voxels(*contours, **more)
    return refused.value.code


def test_everything_within_belongs_and_a_contour_within_is_a_hole():
    found = voxels(box(2, (4, 5), (10, 12)), box(2, (6, 7), (8, 10)), box(3, (4, 5), (6, 6)))
    mask = np.zeros(GRID.shape, bool)
    mask[2, 4:10, 5:12] = True
    mask[2, 6:8, 7:10] = False
    mask[3, 4:6, 5] = True
    assert np.array_equal(found.flat, np.flatnonzero(mask))
    assert NOISE[found.seed] == NOISE[mask].max()
    assert found.threshold == NOISE[mask].min()


def test_it_is_the_region_of_the_same_contours_in_a_structure_set():
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    outline = corners(4, *zip(9 + 6 * np.sin(angles), 14 + 9 * np.cos(angles), strict=True))
    expected = mask([Contour(np.array(outline), "")], grid=GRID, planes={})
    assert np.array_equal(voxels(outline).flat, np.flatnonzero(expected))


def test_voxels_that_touch_by_a_corner_are_drawn_side_by_side():
    assert voxels(box(1, (4, 4), (5, 5)), box(1, (5, 5), (6, 6))).flat.size == 2


@pytest.mark.parametrize(
    ("name", "contours"),
    [
        ("contours-cross", [corners(1, (2, 2), (8, 8), (2, 8), (8, 2))]),
        ("contours-cross", [box(1, (2, 2), (6, 6)), box(1, (4, 4), (9, 9))]),
        ("contours-outside", [box(1, (2, 2), (6, 31))]),
        ("contours-outside", [box(9, (2, 2), (6, 6))]),
        ("contours-off-plane", [[[x, y, z + 1.0] for x, y, z in box(1, (2, 2), (6, 6))]]),
        ("contours-invalid", [box(1, (2, 2), (6, 6))[:2]]),
        ("contours-invalid", [[[float("nan")] * 3] * 3]),
        ("contours-invalid", [[[1.0, 2.0, 3.0], [1.0, 2.0], [1.0, 2.0, 3.0]]]),
        ("contours-invalid", [[[10**400, 2, 3]] * 3]),
        ("drawing-empty", [corners(1, (2.6, 2.6), (2.6, 3.4), (3.4, 3.4))]),
        ("drawing-empty", []),
        ("too-many-points", [box(1, (2, 2), (6, 6)) * (MOST_POINTS // 4 + 1)]),
        ("too-many-points", [box(1, (2, 2), (6, 6)) * 1001]),
    ],
)
def test_what_is_no_region_is_refused_by_name(name, contours):
    assert code(*contours) == name


def test_more_than_any_lesion_is_refused():
    # 4 x 4 voxels of 9 mm3.
    assert code(box(1, (2, 2), (6, 6)), largest_ml=0.14) == "drawing-too-large"
    assert voxels(box(1, (2, 2), (6, 6)), largest_ml=0.15).flat.size == 16


@pytest.mark.parametrize(
    ("turned", "plane"),
    [
        ({}, Plane.AXIAL),
        ({"row": (-1.0, 0.0, 0.0), "column": (0.0, -1.0, 0.0)}, Plane.AXIAL),
        ({"row": (1.0, 0.0, 0.0), "column": (0.0, 0.0, -1.0)}, Plane.CORONAL),
        ({"row": (0.0, 1.0, 0.0), "column": (0.0, 0.0, -1.0)}, Plane.SAGITTAL),
        ({"planes": (0.0, 3.0, 6.1, 9.0, 12.1, 15.0)}, Plane.AXIAL),
    ],
)
def test_a_place_on_the_paper_is_the_voxel_that_a_click_there_hits(turned, plane):
    """Found by another way: `voxel_at` goes from the pixels of the picture."""
    grid = replace(GRID, **turned)
    sheet = paper(grid)
    assert sheet.plane is plane
    columns, rows = sheet.voxels
    for index, x, y in [(0, 0, 0), (2, 3, 5), (5, columns - 1, rows - 1)]:
        at = np.array(sheet.corners[index])
        at = at + (x + 0.5) * np.array(sheet.right) + (y + 0.5) * np.array(sheet.down)
        pixel = {"x": (x + 0.5) * sheet.size[0] / columns, "y": (y + 0.5) * sheet.size[1] / rows}
        there = voxel_at(grid, plane, index, **pixel)
        assert grid.patient_to_voxel(at) == pytest.approx(there, abs=1e-6)
        square = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]
        contour = [
            np.array(sheet.corners[index]) + a * np.array(sheet.right) + b * np.array(sheet.down)
            for a, b in square
        ]
        found = in_contours(NOISE, [contour], grid=grid, largest_ml=9.0)
        assert found.flat.tolist() == [np.ravel_multi_index(there, grid.shape)]
        assert slices_of([contour], grid) == [index + 1]
