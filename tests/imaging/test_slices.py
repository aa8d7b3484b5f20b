"""Slices for a reader: every way of cutting, and every click leads back to its voxel."""

from __future__ import annotations

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from imaging.geometry import Grid
from imaging.slices import (
    Outline,
    Plane,
    SliceError,
    count,
    index_of,
    slice_png,
    voxel_at,
    window_of,
)

# Cut from the feet up, from the head down, and by a scanner that turned the patient round.
UPRIGHT = Grid(shape=(6, 8, 10), spacing=(5, 4, 3), origin=(0, 0, 0))
TURNED = Grid(
    shape=(6, 8, 10),
    spacing=(5, 4, 3),
    origin=(0, 0, 0),
    row=(-1.0, 0.0, 0.0),
    column=(0.0, -1.0, 0.0),
)
CORONAL_SCAN = Grid(
    shape=(6, 8, 10),
    spacing=(5, 4, 3),
    origin=(0, 0, 0),
    row=(1.0, 0.0, 0.0),
    column=(0.0, 0.0, -1.0),
)
GRIDS = {"upright": UPRIGHT, "turned": TURNED, "coronal": CORONAL_SCAN}


def drawn(grid: Grid, plane: Plane, index: int, hot: tuple[int, int, int], **more) -> np.ndarray:
    suv = np.zeros(grid.shape, np.float32)
    suv[hot] = 10
    png = slice_png(suv, grid=grid, plane=plane, index=index, window=window_of(0, 10), **more)
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(("name", "plane"), product(GRIDS, Plane))
def test_where_a_hot_voxel_is_drawn_a_click_finds_it(name, plane):
    grid, hot = GRIDS[name], (1, 5, 7)
    image = drawn(grid, plane, index_of(grid, plane, hot), hot)
    # Below the letters of the sides, left of the bar of the window.
    grey = image[40:520, : image.shape[1] - 112].mean(axis=-1)
    y, x = np.argwhere(grey < 20).mean(axis=0)
    found = voxel_at(grid, plane, index_of(grid, plane, hot), x=x, y=y + 40)
    assert found == hot


def test_the_sides_of_the_patient_are_where_a_radiologist_expects_them():
    """LPS: x to the left, y to the back, z to the head."""
    high = {plane: voxel_at(UPRIGHT, plane, 0, x=1, y=1) for plane in Plane}
    # Top left: right and front; right and head; front and head.
    assert high == {Plane.AXIAL: (0, 0, 0), Plane.CORONAL: (5, 0, 0), Plane.SAGITTAL: (5, 0, 0)}
    far = {plane: index_of(UPRIGHT, plane, (5, 7, 9)) for plane in Plane}
    assert far == {Plane.AXIAL: 5, Plane.CORONAL: 7, Plane.SAGITTAL: 9}
    assert [index_of(TURNED, plane, (5, 7, 9)) for plane in Plane] == [5, 0, 0]
    assert [count(UPRIGHT, plane) for plane in Plane] == [6, 8, 10]


def test_a_region_is_outlined_where_it_meets_the_slice_alone():
    voxels = np.ravel_multi_index(([2, 2, 3], [4, 4, 4], [4, 5, 4]), UPRIGHT.shape)
    colours = [
        (
            drawn(UPRIGHT, Plane.AXIAL, i, (0, 0, 0), outlines=[Outline("7", voxels)])
            == (190, 24, 54)
        )
        .all(axis=-1)
        .any()
        for i in range(6)
    ]
    assert colours == [False, False, True, True, False, False]


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 1), (-1, 5), (0, np.nan), (0, 2000)])
def test_a_window_that_is_none_is_refused(low, high):
    with pytest.raises(SliceError) as refused:
        window_of(low, high)
    assert refused.value.code == "window-invalid"


@pytest.mark.parametrize(
    ("index", "x", "y", "code"),
    [(6, 1, 1, "slice-unknown"), (-1, 1, 1, "slice-unknown"), (0, 600, 1, "beside-the-slice")],
)
def test_a_place_that_is_none_is_refused(index, x, y, code):
    with pytest.raises(SliceError) as refused:
        voxel_at(UPRIGHT, Plane.AXIAL, index, x=x, y=y)
    assert refused.value.code == code
