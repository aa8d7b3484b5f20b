"""Thresholds between a lesion and its background, against the closed form of a blurred sphere."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.adapted import to_background
from imaging.blurred_sphere import (
    FWHM_PER_SD,
    BlurredSphere,
    sphere_radius_mm,
    sphere_volume_ml,
)
from imaging.geometry import Grid
from imaging.seeded import at_part_of_maximum
from imaging.segmentation import SegmentationError

GRID = Grid(shape=(51, 51, 51), spacing=(2.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
MIDDLE = (25, 25, 25)
HALF_WAY = {"times_signal": 0.5, "times_background": 0.5}


def sphere(diameter, *, inside=8.0, outside=1.0, grid=GRID):
    k, m, n = (
        (np.arange(count) - at) * step
        for count, at, step in zip(grid.shape, MIDDLE, grid.spacing, strict=True)
    )
    distance = np.sqrt(k[:, None, None] ** 2 + m[:, None] ** 2 + n**2)
    body = BlurredSphere(radius=diameter / 2, fwhm=6.0, inside=inside, outside=outside)
    return body, body.at(distance).astype(np.float32)


def adapted(volume, *, signal="suvmax", largest_ml=200.0, grid=GRID, seed=MIDDLE, **times):
    return to_background(
        volume, seed, grid=grid, signal=signal, largest_ml=largest_ml, **(HALF_WAY | times)
    )


@pytest.mark.parametrize("diameter", [13, 17, 22, 28, 37])
@pytest.mark.parametrize("inside", [8.0, 4.0, 2.0])
def test_half_way_to_the_background_is_the_closed_form(diameter, inside):
    body, volume = sphere(diameter, inside=inside)
    found = adapted(volume)
    assert found.came_to["signal"] == pytest.approx(body.maximum, rel=1e-6)
    # 10 mm from the core a 6 mm blur has all but died away.
    assert found.came_to["background"] == pytest.approx(1.0, abs=0.01 * (inside - 1))
    assert found.threshold == pytest.approx((body.maximum + 1) / 2, rel=0.005)
    expected = sphere_volume_ml(body.radius_at(found.threshold))
    # What voxels of 2 mm make of a radius: the sphere of 13 mm is of 140 of them.
    assert found.flat.size * 0.008 == pytest.approx(expected, rel=0.08 if diameter < 20 else 0.03)


@pytest.mark.parametrize("diameter", [22, 28, 37])
def test_the_volume_is_the_same_at_any_contrast(diameter):
    radii = []
    for inside in (8.0, 4.0, 2.0):
        _, volume = sphere(diameter, inside=inside)
        radii.append(sphere_radius_mm(adapted(volume).flat.size * 0.008))
    # Where a blurred plane would fall to the half, less what the roundness takes: s^2 / R.
    radius, sd = diameter / 2, 6.0 / FWHM_PER_SD
    assert radii == pytest.approx([radius - sd**2 / radius] * 3, abs=0.1)


def test_a_faint_lesion_is_parted_from_its_background_where_a_plain_part_leaks():
    _, volume = sphere(22, inside=2.0)
    with pytest.raises(SegmentationError, match="larger than 200 mL"):
        at_part_of_maximum(volume, MIDDLE, grid=GRID, part=0.5, largest_ml=200)
    assert sphere_radius_mm(adapted(volume).flat.size * 0.008) == pytest.approx(10.4, abs=0.1)


def test_the_published_forms_give_their_thresholds():
    body, volume = sphere(22)
    core = volume[volume >= np.float32(0.7) * volume.max()]
    mean = float(core.mean(dtype=np.float64))
    nestle = adapted(volume, signal="suvmean70", times_signal=0.15, times_background=1.0)
    assert nestle.came_to["signal"] == pytest.approx(mean)
    assert nestle.threshold == pytest.approx(0.15 * mean + 1.0, abs=0.01)
    schaefer = adapted(volume, signal="suvmean70")
    assert schaefer.threshold == pytest.approx((mean + 1.0) / 2, abs=0.01)
    # Centred on the sphere the cubic centimetre gives the closed form's mean, to its voxels.
    assert adapted(volume, signal="suvpeak").came_to["signal"] == pytest.approx(body.peak, rel=0.01)


def test_another_lesion_in_a_part_of_the_shell_leaves_the_background():
    _, volume = sphere(17)
    other = volume.copy()
    other[20:31, 20:31, 40:46] = 9.0
    assert adapted(other).threshold == pytest.approx(adapted(volume).threshold, rel=0.01)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"seed": (60, 0, 0)}, "seed-outside"),
        ({"times_signal": 1.0, "times_background": 1.0}, "threshold-invalid"),
        ({"times_signal": 0.05, "times_background": 0.05}, "threshold-invalid"),
        ({"signal": "suvmedian"}, "method-unknown"),
        ({"largest_ml": 0.5}, "no-contrast"),
        ({"largest_ml": 4.0}, "region-leaks"),
    ],
)
def test_what_gives_no_region_is_refused_by_name(change, code):
    _, volume = sphere(22)
    with pytest.raises(SegmentationError) as refusal:
        adapted(volume, **change)
    assert refusal.value.code == code


def test_what_does_not_stand_out_is_refused():
    _, volume = sphere(22, inside=1.3)
    with pytest.raises(SegmentationError, match="nothing stands out") as refusal:
        adapted(volume)
    assert refusal.value.code == "no-contrast"


def test_a_lesion_without_tissue_around_it_is_refused():
    grid = Grid(shape=(3, 3, 3), spacing=(2.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
    volume = np.full(grid.shape, 1.0, np.float32)
    volume[1, 1, 1] = 9.0
    with pytest.raises(SegmentationError, match="Only 0 voxels") as refusal:
        adapted(volume, grid=grid, seed=(1, 1, 1))
    assert refusal.value.code == "background-missing"
