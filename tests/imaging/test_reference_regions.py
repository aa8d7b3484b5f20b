"""Spheres of known content, and a liver proposed or not."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.geometry import Grid
from imaging.peaks import PeakDefinition
from imaging.reference_regions import RegionError, propose_liver, sphere

GRID = Grid(shape=(90, 60, 80), spacing=(4.0, 5.0, 5.0), origin=(-197.5, -147.5, 0.0))
LIVER = (-80.0, 10.0, 190.0)


def body(liver=2.0, at=LIVER, noise=0.1):
    """An elliptic body of SUV 0.7 with an ellipsoid, all with relative noise."""
    k, m, n = np.indices(GRID.shape).reshape(3, -1)
    x, y, z = GRID.voxel_to_patient(np.stack([k, m, n], axis=1)).T
    values = np.where((x / 170) ** 2 + (y / 110) ** 2 < 1, 0.7, 0.01)
    if liver is not None:
        near = ((x - at[0]) / 65) ** 2 + ((y - at[1]) / 60) ** 2 + ((z - at[2]) / 55) ** 2 < 1
        values[near] = liver
    values *= 1 + noise * np.random.default_rng(3).standard_normal(values.size)
    return values.reshape(GRID.shape).astype(np.float32)


def test_sphere_of_a_ramp_has_the_value_of_its_centre():
    k, _, _ = np.indices(GRID.shape)
    found = sphere(
        (k * 4.0).astype(np.float32), grid=GRID, centre_mm=(-2.5, 2.5, 160), radius_mm=15
    )
    assert found.mean == pytest.approx(160.0)
    assert found.sd > 0


def test_number_of_voxels_in_a_sphere():
    cubic = Grid(shape=(21, 21, 21), spacing=(2.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
    found = sphere(
        np.ones(cubic.shape, np.float32), grid=cubic, centre_mm=(20, 20, 20), radius_mm=6.2035
    )
    # Lattice points within 3.10 steps.
    assert (found.n, found.mean, found.sd, found.cv) == (123, 1.0, 0.0, 0.0)


def test_standard_deviation_is_that_of_a_sample():
    grid = Grid(shape=(3, 3, 3), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0))
    volume = np.ones(grid.shape, np.float32)
    volume[1, 1, 1] = 8.0
    found = sphere(volume, grid=grid, centre_mm=(1, 1, 1), radius_mm=1)
    # Six of 1 and one of 8: mean 2, variance (6 * 1 + 36) / 6 = 7.
    assert (found.n, found.mean, found.sd) == (7, 2.0, pytest.approx(7**0.5))
    assert found.suvmax == 8.0


@pytest.mark.parametrize(
    ("peak", "value"),
    [
        # 6.2 mm around the middle holds the 123 lattice points of a step of 2 mm, one of 124.
        (PeakDefinition.IBSI_LOCAL, 2.0),
        (PeakDefinition.IBSI_GLOBAL, 2.0),
    ],
)
def test_peak_of_a_sphere_is_the_highest_mean_of_a_cubic_centimetre(peak, value):
    grid = Grid(shape=(21, 21, 21), spacing=(2.0, 2.0, 2.0), origin=(0.0, 0.0, 0.0))
    volume = np.ones(grid.shape, np.float32)
    volume[10, 10, 10] = 124.0
    found = sphere(volume, grid=grid, centre_mm=(20, 20, 20), radius_mm=8, peak=peak)
    assert (found.suvpeak, found.suvpeak_definition) == (pytest.approx(value), peak)


@pytest.mark.parametrize(
    ("centre", "radius", "message"),
    [
        ((-195.0, 0.0, 100.0), 15.0, "leaves the image"),
        ((0.0, 0.0, 700.0), 15.0, "leaves the image"),
        ((0.0, 0.0, 160.0), 1.0, "two are needed"),
    ],
)
def test_sphere_that_measures_nothing_is_refused(centre, radius, message):
    with pytest.raises(RegionError, match=message):
        sphere(np.ones(GRID.shape, np.float32), grid=GRID, centre_mm=centre, radius_mm=radius)


def test_region_without_uptake_is_no_reference():
    with pytest.raises(RegionError, match="not positive"):
        sphere(np.zeros(GRID.shape, np.float32), grid=GRID, centre_mm=(0, 0, 160), radius_mm=15)


def test_liver_is_proposed_inside_the_liver():
    volume = body()
    centre = propose_liver(volume, grid=GRID)
    assert np.linalg.norm(np.subtract(centre, LIVER)) < 40
    assert sphere(volume, grid=GRID, centre_mm=centre, radius_mm=15).mean == pytest.approx(
        2.0, rel=0.02
    )


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        (body(liver=None), "no liver"),
        (body(at=(80.0, 10.0, 190.0)), "uptake on the left"),
        (body(liver=0.75), "no more uptake than the body"),
        (body(liver=12.0), "too hot"),
        (body(noise=0.5), "too noisy"),
        (np.zeros(GRID.shape, np.float32), "an empty image"),
    ],
)
def test_nothing_is_proposed_where_nothing_is_plausible(volume, why):
    assert propose_liver(volume, grid=GRID) is None, why
