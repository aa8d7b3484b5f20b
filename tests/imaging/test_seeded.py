"""Regions grown from a click, against labelling the whole volume, SimpleITK and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from imaging.blurred_sphere import BlurredSphere, sphere_radius_mm, sphere_volume_ml
from imaging.geometry import Grid
from imaging.seeded import along_gradient, at_part_of_maximum, at_threshold, hottest_near
from imaging.segmentation import SegmentationError

GRID = Grid(shape=(60, 50, 40), spacing=(3.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
LARGE = 1e6


def noise(seed, smooth=2.0):
    """Blobs of every size, those of a few voxels and those over half of the volume."""
    values = np.random.default_rng(seed).normal(size=GRID.shape)
    values = ndimage.gaussian_filter(values, smooth)
    return (values / values.std() + 3).astype(np.float32)


def sphere(radius, centre_mm, *, inside=8.0, outside=1.0, fwhm=6.0, grid=GRID):
    """A blurred sphere at (plane, row, column) in mm."""
    k, m, n = np.ogrid[tuple(slice(size) for size in grid.shape)]
    squares = (
        (grid.along[k] - centre_mm[0]) ** 2
        + (m * grid.spacing[1] - centre_mm[1]) ** 2
        + (n * grid.spacing[2] - centre_mm[2]) ** 2
    )
    body = BlurredSphere(radius=radius, fwhm=fwhm, inside=inside, outside=outside)
    return body.at(np.sqrt(squares)).astype(np.float32)


@given(st.integers(0, 10**6), st.floats(2.0, 4.5), st.integers(0, 60 * 50 * 40 - 1))
def test_a_region_is_the_component_of_the_whole_volume(seed, threshold, at):
    volume = noise(seed % 20)
    place = tuple(int(i) for i in np.unravel_index(at, GRID.shape))
    if volume[place] < np.float32(threshold):
        with pytest.raises(SegmentationError, match="Click on the lesion"):
            at_threshold(volume, place, grid=GRID, threshold=threshold, largest_ml=LARGE)
        return
    labels, _ = ndimage.label(volume >= np.float32(threshold), structure=np.ones((3, 3, 3)))
    grown = at_threshold(volume, place, grid=GRID, threshold=threshold, largest_ml=LARGE)
    assert np.array_equal(grown.flat, np.flatnonzero(labels == labels[place]))


@pytest.mark.parametrize("seed", range(4))
def test_a_region_is_that_of_simpleitk(seed):
    volume = noise(seed)
    place = np.unravel_index(int(volume.argmax()), volume.shape)
    threshold = 0.5 * float(volume.max())
    theirs = SimpleITK.ConnectedThreshold(
        SimpleITK.GetImageFromArray(volume),
        seedList=[tuple(int(i) for i in place[::-1])],
        lower=threshold,
        upper=float(volume.max()),
        connectivity=SimpleITK.ConnectedThresholdImageFilter.FullConnectivity,
    )
    ours = at_part_of_maximum(
        volume, tuple(int(i) for i in place), grid=GRID, part=0.5, largest_ml=LARGE
    )
    assert np.array_equal(ours.flat, np.flatnonzero(SimpleITK.GetArrayFromImage(theirs)))
    assert (ours.threshold, ours.holds_hotter) == (threshold, False)
    assert ours.components.count == 1


def test_a_click_beside_the_maximum_is_moved_onto_it():
    volume = np.ones(GRID.shape, np.float32)
    volume[30, 25, 20], volume[30, 25, 30] = 9, 20
    # 8 mm and 12 mm away.
    assert hottest_near(volume, (30, 25, 24), grid=GRID, within_mm=10.0) == (30, 25, 20)
    assert hottest_near(volume, (30, 25, 24), grid=GRID, within_mm=12.0) == (30, 25, 30)
    grown = at_part_of_maximum(volume, (32, 25, 20), grid=GRID, part=0.5, largest_ml=1.0)
    assert (grown.seed, grown.flat.size) == ((30, 25, 20), 1)


def test_distance_is_counted_in_millimetres_of_uneven_planes():
    uneven = replace(GRID, planes=tuple(np.cumsum(np.tile([2.0, 4.0], 30)) - 2.0))
    volume = np.ones(GRID.shape, np.float32)
    volume[33, 25, 20] = 9
    # Planes 30 to 33 are 4, 2 and 4 mm apart; evenly they would be 9 mm.
    assert hottest_near(volume, (30, 25, 20), grid=uneven, within_mm=9.5) != (33, 25, 20)
    assert hottest_near(volume, (30, 25, 20), grid=uneven, within_mm=10.0) == (33, 25, 20)


def test_the_background_raises_the_threshold():
    volume = sphere(10, (90, 50, 40))
    plain = at_part_of_maximum(volume, (30, 25, 20), grid=GRID, part=0.5, largest_ml=50)
    adapted = at_part_of_maximum(
        volume, (30, 25, 20), grid=GRID, part=0.5, largest_ml=50, background=1.0
    )
    top = float(volume.max())
    assert plain.threshold == top / 2
    assert adapted.threshold == 1 + (top - 1) / 2
    # The closed form: at which distance the blurred sphere falls to either threshold.
    body = BlurredSphere(radius=10, fwhm=6.0, inside=8.0, outside=1.0)
    for grown in (plain, adapted):
        true = sphere_volume_ml(body.radius_at(grown.threshold))
        assert grown.flat.size * 0.012 == pytest.approx(true, rel=0.05)


def test_a_region_that_leaks_is_refused_with_what_to_do():
    volume = np.full(GRID.shape, 2.0, np.float32)
    volume[30, 25, 20] = 4
    with pytest.raises(SegmentationError, match="larger than 20 mL") as refusal:
        at_part_of_maximum(volume, (30, 25, 20), grid=GRID, part=0.5, largest_ml=20)
    assert refusal.value.code == "region-leaks"


def test_a_hotter_neighbour_that_was_taken_in_is_told():
    volume = np.ones(GRID.shape, np.float32)
    volume[30, 25, 10:30] = 5
    volume[30, 25, 29] = 50
    grown = at_part_of_maximum(volume, (30, 25, 12), grid=GRID, part=0.5, largest_ml=50)
    assert (grown.holds_hotter, grown.threshold) == (True, 2.5)


@pytest.mark.parametrize("radius", [8.5, 11.0, 14.0])
def test_a_border_along_the_gradient_is_that_of_the_sphere(radius):
    # The closed form falls off most steeply there, a little inside the true border.
    grid = replace(GRID, spacing=(2.0, 2.0, 2.0))
    volume = sphere(radius, (60, 50, 40), grid=grid, fwhm=5.0)
    grown = along_gradient(volume, (30, 25, 20), grid=grid, box_mm=2 * radius)
    distances = np.linspace(0, 2 * radius, 4001)
    falls = np.diff(BlurredSphere(radius=radius, fwhm=5.0, inside=8.0, outside=1.0).at(distances))
    steepest = distances[falls.argmin()]
    assert radius - 1 < steepest < radius
    # To half a voxel.
    found = sphere_radius_mm(grown.flat.size * 0.008)
    assert found == pytest.approx(steepest, abs=1.0)
    assert not grown.holds_hotter


def test_a_border_along_the_gradient_parts_two_spheres():
    grid = replace(GRID, spacing=(2.0, 2.0, 2.0))
    one, other = (sphere(8.5, (60, 50, at), grid=grid, outside=0.0) for at in (26, 54))
    volume = one + other + 1
    grown = along_gradient(volume, (30, 25, 13), grid=grid, box_mm=28)
    columns = np.unravel_index(grown.flat, grid.shape)[2]
    assert columns.max() < 20
    alone = along_gradient(one + 1, (30, 25, 13), grid=grid, box_mm=28)
    assert grown.flat.size == pytest.approx(alone.flat.size, rel=0.05)


def threshold_at(threshold, place=(0, 0, 0)):
    return lambda volume: at_threshold(volume, place, grid=GRID, threshold=threshold, largest_ml=1)


def part_at(part, background=0.0):
    return lambda volume: at_part_of_maximum(
        volume, (0, 0, 0), grid=GRID, part=part, largest_ml=1, background=background
    )


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (threshold_at(1, (60, 0, 0)), "seed-outside"),
        (threshold_at(1, (-1, 0, 0)), "seed-outside"),
        (threshold_at(0), "threshold-invalid"),
        (threshold_at(np.nan), "threshold-invalid"),
        (part_at(0), "threshold-invalid"),
        (part_at(1.01), "threshold-invalid"),
        (part_at(0.5, background=3), "threshold-invalid"),
        (lambda v: along_gradient(v, (0, 0, 0), grid=GRID, box_mm=9), "box-too-small"),
    ],
)
def test_what_gives_no_region_is_refused_by_name(act, code):
    with pytest.raises(SegmentationError) as refusal:
        act(np.full(GRID.shape, 3.0, np.float32))
    assert refusal.value.code == code
