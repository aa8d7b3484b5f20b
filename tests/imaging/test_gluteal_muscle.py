"""Gluteal muscle found on the CT of a trunk by formula, and refused by name where it is not.

Two muscles are spheres of 28 mm radius, 0.7 g/mL in fat of 0.3 g/mL, behind hips of 32 mm radius.
A Gaussian of 6 mm (sigma 2.55 mm) leaves of such a sphere erf(u) - 2 u exp(-u^2) / sqrt(pi) at its
middle, u = 28 / (2.55 sqrt 2), and 10 mm off it the edge is 18 mm = 7 sigma away: the mean of the
region is 0.7 but for the noise of 4 % over 65 voxels, 0.5 %.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from imaging.descending_aorta import AortaError
from imaging.geometry import Grid
from imaging.gluteal_muscle import RADIUS_MM, MuscleError, propose_muscle
from imaging.reference_regions import sphere

CT = Grid(shape=(110, 120, 132), spacing=(4.0, 3.0, 3.0), origin=(-196.5, -178.5, -218.0))
PET = Grid(shape=(110, 90, 100), spacing=(4.0, 4.0, 4.0), origin=(-198.0, -178.0, -218.0))
MUSCLE_RADIUS_MM = 28.0
# Air around it, fat, lung, bone, muscle, and the bladder, which is as dense as muscle.
HU = (-1000, -95, -800, 320, 50, 20)
SUV = (0.0, 0.3, 0.4, 1.2, 0.7, 30.0)


def trunk(grid: Grid, values, *, without=()) -> np.ndarray:
    """One value a tissue; a later solid covers an earlier one."""
    z, y, x = (
        start + np.arange(size) * step
        for start, size, step in zip(grid.origin[::-1], grid.shape, grid.spacing, strict=True)
    )
    y, z = y[:, None], z[:, None, None]

    def ball(at, radius):
        return (x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2 < radius**2

    solids = [(1, (x / 185) ** 2 + (y / 135) ** 2 + 0 * z < 1)]
    for side in (-1, 1):
        lung = ((x - side * 80) / 60) ** 2 + (y / 80) ** 2 + ((z - 140) / 70) ** 2 < 1
        solids += [
            (2, lung),
            (3, ball((side * 95, -10, -130), 32)),
            (4, ball((side * 85, 75, -130), MUSCLE_RADIUS_MM)),
        ]
    solids.append((5, ball((0, -70, -130), 35)))
    found = np.zeros(grid.shape, np.uint8)
    for tissue, inside in solids:
        if tissue not in without:
            found[np.broadcast_to(inside, grid.shape)] = tissue
    return np.array(values, np.float32)[found]


def ct_of(**more) -> np.ndarray:
    white = np.random.default_rng(1).standard_normal(CT.shape, dtype=np.float32)
    return np.rint(trunk(CT, HU, **more) + 12 * white).astype(np.int16)


def pet_of(muscle=0.7, noise=0.04) -> np.ndarray:
    found = trunk(PET, (*SUV[:4], muscle, SUV[5]))
    found = ndimage.gaussian_filter(found, 6.0 / 2.3548 / 4.0)
    white = np.random.default_rng(2).standard_normal(PET.shape, dtype=np.float32)
    return (found * (1 + noise * white)).astype(np.float32)


@pytest.fixture(scope="module")
def ct() -> np.ndarray:
    return ct_of()


def proposed(pet, ct):
    return propose_muscle(pet, grid=PET, hounsfield=ct, ct_grid=CT)


def test_the_sphere_lies_in_the_muscle_and_measures_it(ct):
    pet = pet_of()
    x, y, z = proposed(pet, ct)
    off = np.linalg.norm([abs(x) - 85, y - 75, z + 130])
    assert off < MUSCLE_RADIUS_MM - RADIUS_MM
    found = sphere(pet, grid=PET, centre_mm=(x, y, z), radius_mm=RADIUS_MM)
    assert found.mean == pytest.approx(0.7, rel=0.02)


@pytest.mark.parametrize(
    ("tissue", "error", "code"),
    [(2, AortaError, "no-lungs"), (3, MuscleError, "no-pelvis"), (4, MuscleError, "no-muscle")],
)
def test_what_the_ct_does_not_show_is_refused_by_name(tissue, error, code):
    with pytest.raises(error) as caught:
        proposed(np.zeros(PET.shape, np.float32), ct_of(without=(tissue,)))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("pet", "code"),
    [
        (pet_of(muscle=4.0), "muscle-implausible"),
        (pet_of(noise=0.6), "muscle-variation"),
        (np.zeros(PET.shape, np.float32), "muscle-outside"),
    ],
)
def test_uptake_that_is_not_that_of_muscle_is_refused_by_name(ct, pet, code):
    with pytest.raises(MuscleError) as caught:
        proposed(pet, ct)
    assert caught.value.code == code
