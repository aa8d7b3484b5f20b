"""Values of one image at the voxels of another, against SimpleITK's resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK

from imaging.geometry import Grid
from imaging.resampling import sampled, slice_points_mm

AIR = -1000.0
TURN = math.radians(20)
CT = Grid(
    shape=(21, 30, 32),
    spacing=(2.5, 1.5, 1.25),
    origin=(-18.0, -22.0, 40.0),
    row=(math.cos(TURN), math.sin(TURN), 0.0),
    column=(-math.sin(TURN), math.cos(TURN), 0.0),
)
PET = Grid(shape=(14, 9, 11), spacing=(5.0, 4.0, 4.0), origin=(-20.0, -18.0, 35.0))
VALUES = np.random.default_rng(3).normal(0, 200, CT.shape).astype(np.float32)


def image_of(grid: Grid, values: np.ndarray) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin)
    image.SetDirection((grid.steps / np.array(grid.spacing))[:, ::-1].ravel())
    return image


@pytest.mark.parametrize(("axis", "index"), [(0, 2), (0, 6), (1, 4), (2, 5)])
def test_a_slice_is_what_itk_interpolates(axis, index):
    theirs = SimpleITK.Resample(
        image_of(CT, VALUES),
        image_of(PET, np.zeros(PET.shape, np.float32)),
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        AIR,
    )
    expected = SimpleITK.GetArrayFromImage(theirs).take(index, axis=axis)
    ours = sampled(VALUES, grid=CT, points_mm=slice_points_mm(PET, axis, index), outside=AIR)
    # Half a voxel beyond the outermost centres ITK still gives a value, and we give air.
    within = ours != AIR
    assert within.sum() > within.size / 5
    assert ours[within] == pytest.approx(expected[within], abs=0.05)
    assert np.mean(expected[~within] == AIR) > 0.5


def test_what_rises_along_uneven_planes_is_met_between_them():
    planes = (0.0, 2.0, 6.0, 7.0, 10.0)
    grid = Grid(shape=(5, 4, 4), spacing=(2.5, 2.0, 2.0), origin=(0, 0, 0), planes=planes)
    rising = np.broadcast_to(np.reshape(planes, (5, 1, 1)), grid.shape).astype(np.float32)
    points = np.array([(2.0, 2.0, z) for z in (0.0, 1.0, 4.5, 6.4, 10.0, 10.1)])
    found = sampled(rising, grid=grid, points_mm=points, outside=AIR)
    assert found == pytest.approx([0.0, 1.0, 4.5, 6.4, 10.0, AIR], abs=1e-5)


def test_values_of_another_grid_are_refused():
    with pytest.raises(ValueError, match="shape"):
        sampled(VALUES[1:], grid=CT, points_mm=np.zeros(3), outside=AIR)
