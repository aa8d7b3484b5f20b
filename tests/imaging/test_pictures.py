"""Projections put the patient the right way round, in true proportions."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imaging.geometry import Grid
from imaging.lesions import measure
from imaging.pictures import LESION, PictureError, layout, lesion_markers, mip_png
from imaging.segmentation import fixed_threshold

# 400 mm to the left, 300 mm to the back, 600 mm up.
GRID = Grid(shape=(100, 60, 80), spacing=(6.0, 5.0, 5.0), origin=(-200.0, -150.0, 0.0))
# Far up, in front, on the patient's left.
PLACE = (90, 10, 70)


def spot(grid=GRID, place=PLACE):
    volume = np.zeros(grid.shape, np.float32)
    k, m, n = place
    volume[k - 2 : k + 3, m - 2 : m + 3, n - 2 : n + 3] = 8.0
    return volume


def lesions_of(volume, grid=GRID):
    found = fixed_threshold(
        volume, threshold=4.0, spacing=grid.spacing, minimum_volume_ml=0.0, max_components=9
    )
    return measure(volume, found, grid=grid)


def picture(volume, grid=GRID, lesions=()):
    png = mip_png(volume, grid=grid, lesions=lesions, upper_suv=8.0)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def darkest(image, view):
    """Middle of what is black in a view, in parts of its width and height."""
    top = 58
    part = image[top + 40 : top + view.height - 2, view.left + 2 : view.left + view.width - 2]
    rows, columns = np.nonzero(part.max(axis=2) < 60)
    return (columns.mean() + 2) / view.width, (rows.mean() + 40) / view.height


def test_front_view_has_head_up_and_the_left_of_the_patient_on_the_right():
    x, y = darkest(picture(spot(place=(80, 10, 70))), layout(GRID).views[0])
    # Column 70 of 80, and plane 80 of 100 counted from the top.
    assert (x, y) == (pytest.approx(70.5 / 80, abs=0.01), pytest.approx(19.5 / 100, abs=0.01))


def test_side_view_looks_from_the_left_with_the_front_on_the_left():
    x, _ = darkest(picture(spot(place=(80, 10, 70))), layout(GRID).views[1])
    assert x == pytest.approx(10.5 / 60, abs=0.01)


def test_proportions_are_those_in_millimetres():
    front, side = layout(GRID).views
    assert front.width / front.height == pytest.approx(400 / 600, rel=0.01)
    assert side.width / side.height == pytest.approx(300 / 600, rel=0.01)


def test_zero_is_white_and_the_upper_value_black():
    front = layout(GRID).views[0]
    image = picture(spot(place=(50, 30, 40)))
    middle = image[58 + front.height // 2, front.left : front.left + front.width]
    assert (middle.min(), middle[5:40].min()) == (0, 255)


@pytest.mark.parametrize(
    ("axis", "turned"),
    [
        # The same patient stored from head to foot, from back to front, from left to right:
        # two axes turn at a time, because a grid is right-handed.
        ((0, 1), {"column": (0.0, -1.0, 0.0), "origin": (-200.0, 145.0, 594.0)}),
        ((0, 2), {"row": (-1.0, 0.0, 0.0), "origin": (195.0, -150.0, 594.0)}),
    ],
)
def test_picture_does_not_depend_on_how_the_volume_is_stored(axis, turned):
    volume = spot()
    grid = replace(GRID, **turned)
    turned_volume = np.ascontiguousarray(np.flip(volume, axis))
    straight = mip_png(volume, grid=GRID, lesions=lesions_of(volume), upper_suv=8.0)
    other = mip_png(
        turned_volume, grid=grid, lesions=lesions_of(turned_volume, grid), upper_suv=8.0
    )
    assert other == straight


def test_same_input_gives_the_same_bytes():
    volume = spot()
    lesions = lesions_of(volume)
    assert mip_png(volume, grid=GRID, lesions=lesions, upper_suv=8.0) == mip_png(
        volume, grid=GRID, lesions=lesions, upper_suv=8.0
    )


def test_marker_covers_its_lesion():
    volume = spot()
    front, side = lesion_markers(GRID, lesions_of(volume))
    page = layout(GRID)
    middle_x = (front.left + front.width / 2) * page.size[0] - page.views[0].left
    middle_y = (front.top + front.height / 2) * page.size[1] - 58
    assert middle_x / page.views[0].width == pytest.approx(70.5 / 80, abs=0.01)
    assert middle_y / page.views[0].height == pytest.approx(9.5 / 100, abs=0.01)
    assert (front.number, front.view, side.view) == (1, "From the front", "From the left")


def test_outline_is_drawn_around_the_marker_and_only_with_a_lesion():
    volume = spot(place=(50, 30, 40))
    marker = lesion_markers(GRID, lesions_of(volume))[0]
    width, height = layout(GRID).size
    left, right = round(marker.left * width), round((marker.left + marker.width) * width)
    top, bottom = round(marker.top * height), round((marker.top + marker.height) * height)
    around = (slice(top - 8, bottom + 8), slice(left - 8, right + 8))

    def red(image):
        return int((image[around] == LESION).all(axis=2).sum())

    assert red(picture(volume, lesions=lesions_of(volume))) > 2 * (right - left)
    assert red(picture(volume)) == 0


def test_lesion_at_the_edge_of_the_image_can_be_drawn():
    volume = np.zeros(GRID.shape, np.float32)
    volume[-1, 0, 0] = volume[0, -1, -1] = 9.0
    assert picture(volume, lesions=lesions_of(volume)).shape[2] == 3


def test_volume_that_lies_askew_is_refused():
    tilted = replace(GRID, row=(0.96, 0.28, 0.0), column=(-0.28, 0.96, 0.0))
    assert layout(tilted).views == layout(GRID).views
    with pytest.raises(PictureError, match="askew"):
        layout(replace(GRID, row=(0.8, 0.6, 0.0), column=(-0.6, 0.8, 0.0)))


@pytest.mark.parametrize("upper", [0.0, -1.0, float("nan")])
def test_range_that_is_not_positive_is_refused(upper):
    with pytest.raises(PictureError, match="upper SUV"):
        mip_png(spot(), grid=GRID, lesions=(), upper_suv=upper)
