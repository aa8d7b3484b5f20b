"""The blurred sphere against published values, brute force and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, ndimage

from imaging.blurred_sphere import (
    FWHM_PER_SD,
    BlurredSphere,
    sphere_radius_mm,
    sphere_volume_ml,
)


def unit(radius, fwhm=6.0):
    return BlurredSphere(radius=radius, fwhm=fwhm, inside=1.0)


@pytest.mark.parametrize(
    ("diameter", "recovery"),
    [(10, 0.340), (13, 0.584), (17, 0.844), (22, 0.977), (28, 0.999), (37, 1.000)],
)
def test_peak_recovery_of_the_six_nema_spheres(diameter, recovery):
    # Recovery of the 1 cm³ peak behind 6 mm, to three digits: integrated over the Fourier
    # transforms of the two spheres and the Gaussian, which knows nothing of the profile.
    found = unit(diameter / 2).peak
    assert found == pytest.approx(recovery, abs=5.1e-4)
    assert found == pytest.approx(peak_by_fourier(diameter / 2, 6.0), abs=2e-6)


def peak_by_fourier(radius, fwhm):
    def sphere(k, a):
        return 3 * (math.sin(k * a) - k * a * math.cos(k * a)) / (k * a) ** 3

    sd, volume = fwhm / FWHM_PER_SD, 4 / 3 * math.pi * radius**3

    def integrand(k):
        blur = math.exp(-((k * sd) ** 2) / 2)
        return k * k * sphere(k, radius) * sphere(k, 6.203505) * blur

    total, _ = integrate.quad(integrand, 1e-9, 12 / sd, limit=400)
    return volume * total / (2 * math.pi**2)


@pytest.mark.parametrize("radius", [5.0, 8.5, 14.0])
def test_profile_is_that_of_a_voxelised_sphere_blurred_numerically(radius):
    # Half a millimetre voxels, each an average of 4 x 4 x 4 points.
    step, half = 0.5, 56
    fine = (np.arange(8 * half + 4) - (8 * half + 3) / 2) * step / 4
    x, y, z = np.meshgrid(fine, fine, fine, indexing="ij", sparse=True)
    inside = (x**2 + y**2 + z**2 <= radius**2).astype(np.float32)
    size = 2 * half + 1
    sphere = inside.reshape(size, 4, size, 4, size, 4).mean(axis=(1, 3, 5), dtype=np.float64)
    blurred = ndimage.gaussian_filter(sphere, 6.0 / FWHM_PER_SD / step, truncate=6)
    line = blurred[half, half, half:]
    expected = unit(radius).at(np.arange(half + 1) * step)
    # Averaging over voxels adds 1/12 of their width squared to the variance: 0.3 %.
    assert np.abs(line - expected).max() < 2e-3


def test_profile_at_the_edge_of_a_large_sphere_is_half():
    # A plane edge shows 1/2; curvature takes away s / (R sqrt(2 pi)).
    sphere = unit(1000.0)
    assert sphere.at(1000.0) == pytest.approx(
        0.5 - sphere.sd / (1000 * math.sqrt(2 * math.pi)), abs=1e-9
    )


def test_profile_next_to_the_centre_is_continuous():
    sphere = unit(8.5)
    assert sphere.at([1e-9, 1e-5, 1e-3]) == pytest.approx([sphere.maximum] * 3, abs=1e-7)


def test_hardly_any_blur_leaves_the_sphere_as_it_is():
    sphere = BlurredSphere(radius=10, fwhm=0.01, inside=8, outside=1)
    assert sphere.at([0, 9.9, 10.1, 20]) == pytest.approx([8, 8, 1, 1])
    assert sphere.radius_at(4.5) == pytest.approx(10, abs=1e-4)
    assert sphere.mean_within(10) == pytest.approx(8, abs=0.01)
    # Twice the volume of the sphere: half of it is background.
    assert sphere.mean_within(10 * 2 ** (1 / 3)) == pytest.approx(4.5, abs=1e-3)


def test_large_sphere_shows_all_of_its_contrast():
    sphere = BlurredSphere(radius=60, fwhm=6, inside=8, outside=1)
    assert sphere.maximum == pytest.approx(8, abs=1e-12)
    assert sphere.peak == pytest.approx(8, abs=1e-9)


def test_tiny_sphere_is_the_gaussian_with_its_volume():
    # Volume over (2 pi)^(3/2) s^3 at the centre.
    sphere = unit(0.05)
    gaussian = 4 / 3 * math.pi * 0.05**3 / ((2 * math.pi) ** 1.5 * sphere.sd**3)
    assert sphere.maximum == pytest.approx(gaussian, rel=1e-3)


def test_blur_moves_activity_and_loses_none():
    sphere = unit(8.5)
    everything = sphere.mean_within(60) * sphere_volume_ml(60)
    assert everything == pytest.approx(sphere_volume_ml(8.5), rel=1e-9)


def test_threshold_is_crossed_where_the_profile_says():
    sphere = BlurredSphere(radius=11, fwhm=6, inside=8, outside=0.8)
    assert sphere.at(sphere.radius_at(4.0)) == pytest.approx(4.0, abs=1e-9)


@pytest.mark.parametrize("threshold", [0.8, 0.5, 7.9])
def test_threshold_that_is_never_crossed_is_refused(threshold):
    with pytest.raises(ValueError, match=r"is not between 0\.8 outside"):
        BlurredSphere(radius=5, fwhm=6, inside=8, outside=0.8).radius_at(threshold)


@pytest.mark.parametrize(
    "wrong", [{"radius": 0}, {"fwhm": -1}, {"inside": 1.0, "outside": 1.0}, {"radius": math.nan}]
)
def test_sphere_that_can_not_be_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        BlurredSphere(**{"radius": 5, "fwhm": 6, "inside": 8, "outside": 1} | wrong)


def test_radius_and_volume_of_a_sphere_belong_together():
    assert sphere_volume_ml(sphere_radius_mm(2.572)) == pytest.approx(2.572)
    # NEMA NU 2: the 17 mm sphere.
    assert sphere_volume_ml(8.5) == pytest.approx(2.572, abs=5e-4)
