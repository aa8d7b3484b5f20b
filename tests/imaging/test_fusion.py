"""CT under a PET slice: the picture's values against SimpleITK, its colours by hand."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from imaging.fusion import AIR, CtWindow, Underlay, covered
from imaging.geometry import Grid
from imaging.rendering import Window
from imaging.slices import LARGEST, Plane, points_mm, slice_png
from tests.imaging.test_resampling import image_of

TURN = math.radians(20)
CT = Grid(
    shape=(40, 60, 64),
    spacing=(2.5, 1.5, 1.25),
    origin=(-38.0, -42.0, 20.0),
    row=(math.cos(TURN), math.sin(TURN), 0.0),
    column=(-math.sin(TURN), math.cos(TURN), 0.0),
)
# Planes from the head down, columns from the patient's left.
PET = Grid(
    shape=(14, 9, 11),
    spacing=(5.0, 4.0, 4.0),
    origin=(20.0, -18.0, 95.0),
    row=(-1.0, 0.0, 0.0),
    column=(0.0, 1.0, 0.0),
)
SMOOTH = np.fromfunction(
    lambda k, m, n: 60 * np.sin(k / 5) + 90 * np.cos(m / 9) + n, CT.shape
).astype(np.int16)
ZERO = np.zeros(PET.shape, np.float32)


def drawn(plane: Plane, *, suv=ZERO, ct=SMOOTH, opacity=0.0, name=CtWindow.SOFT_TISSUE):
    """The slice through the middle, without bars, letters and frame."""
    png = slice_png(
        suv,
        grid=PET,
        plane=plane,
        index=5,
        window=Window(0, 10),
        ct=Underlay(ct, CT, name, opacity),
    )
    height, width = points_mm(PET, plane, 5).shape[:2]
    return np.asarray(Image.open(io.BytesIO(png)))[:height, :width].astype(int)


@pytest.mark.parametrize("plane", Plane)
def test_the_grey_of_a_pixel_is_the_ct_that_itk_finds_there(plane):
    """The picture as an image of ITK: its pixels are the places that ITK resamples the CT at."""
    points = points_mm(PET, plane, 5)
    right, down = points[0, 1] - points[0, 0], points[1, 0] - points[0, 0]
    steps = [np.linalg.norm(right), np.linalg.norm(down), 1.0]
    across = np.cross(right / steps[0], down / steps[1])
    picture = SimpleITK.Image(points.shape[1], points.shape[0], 1, SimpleITK.sitkFloat32)
    picture.SetOrigin(points[0, 0])
    picture.SetSpacing(steps)
    picture.SetDirection(np.stack([right / steps[0], down / steps[1], across], axis=1).ravel())
    found = SimpleITK.Resample(
        image_of(CT, SMOOTH.astype(np.float32)),
        picture,
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        AIR,
    )
    hounsfield = SimpleITK.GetArrayFromImage(found)[0]
    # Level 40, width 400: -160 HU is black, 240 HU white.
    expected = np.clip((hounsfield + 160) / 400, 0, 1) * 255
    # In this outermost half voxel of the CT ITK has values and we have air.
    inner = (slice(60, -60), slice(60, -60))
    grey = drawn(plane)[inner]
    assert np.ptp(grey) > 60
    assert np.abs(grey - expected[inner][..., None]).max() <= 2


def test_a_place_on_the_picture_is_that_of_the_voxel_it_shows():
    """By hand: the patient's right is on the left, the head at the top of a coronal slice."""
    points = points_mm(PET, Plane.CORONAL, 5)
    scale = points.shape[0] / (14 * 5)
    assert max(points.shape) == LARGEST
    # Column 10 is the rightmost: x = 20 - 10 * 4; half a voxel before it the picture begins.
    half = 0.5 / scale
    assert points[0, 0] == pytest.approx((-20 - 2 + half, -18 + 5 * 4, 95 + 2.5 - half))


def test_opacity_goes_from_ct_alone_to_the_uptake_alone():
    hot = np.full(PET.shape, 10, np.float32)
    bone = np.full(CT.shape, 3000, np.int16)
    water = np.zeros(CT.shape, np.int16)
    # SUV at the upper end is white, 0 HU is 40 % grey.
    assert drawn(Plane.AXIAL, suv=hot, ct=water, opacity=1.0)[288, 288].tolist() == [255] * 3
    assert drawn(Plane.AXIAL, suv=hot, ct=water, opacity=0.0)[288, 288].tolist() == [102] * 3
    half = drawn(Plane.AXIAL, suv=hot, ct=water, opacity=0.5)[288, 288]
    assert half.tolist() == [(255 + 102) // 2] * 3
    # Where nothing is taken up CT shows whatever the opacity is.
    assert drawn(Plane.AXIAL, ct=bone, opacity=1.0)[288, 288].tolist() == [255] * 3


def test_uptake_in_the_middle_of_its_window_is_orange():
    middle = np.full(PET.shape, 5, np.float32)
    red, green, blue = drawn(Plane.AXIAL, suv=middle, opacity=1.0)[288, 288]
    assert (red, blue) == (255, 0)
    assert 120 < green < 136


@pytest.mark.parametrize(
    ("name", "hounsfield", "grey"),
    [("soft", 240, 255), ("soft", -160, 0), ("lung", -600, 128), ("bone", 400, 128)],
)
def test_a_window_puts_its_level_in_the_middle(name, hounsfield, grey):
    ct = np.full(CT.shape, hounsfield, np.int16)
    assert drawn(Plane.AXIAL, ct=ct, name=CtWindow(name))[288, 288].tolist() == [grey] * 3


def test_what_the_ct_covers_is_counted_along_the_patient():
    whole = Grid(shape=(80, 60, 60), spacing=(2, 2, 2), origin=(-60.0, -60.0, 20.0))
    lower = Grid(shape=(20, 60, 60), spacing=(2, 2, 2), origin=(-60.0, -60.0, 61.5))
    aside = Grid(shape=(80, 60, 60), spacing=(2, 2, 2), origin=(200.0, -60.0, 20.0))
    assert (covered(PET, whole), covered(PET, aside)) == (1, 0)
    # From z = 60.5 mm up: the planes at 95, 90 ... 65 of fourteen.
    assert covered(PET, lower) == pytest.approx(7 / 14)
