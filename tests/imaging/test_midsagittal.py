"""The plane between the sides of a head whose plane is known, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from imaging.geometry import Grid
from imaging.midsagittal import MirrorError, midsagittal_plane

GRID = Grid(shape=(60, 64, 64), spacing=(4.0, 4.0, 4.0), origin=(-126.0, -126.0, 0.0))
POINTS = GRID.voxel_to_patient(np.moveaxis(np.indices(GRID.shape), 0, -1))


def head(*, offset_mm: float = 0.0, yaw: float = 0.0, roll: float = 0.0, noise: float = 0.1):
    """An ellipsoid of a skull with a brain and two eyes, 150 by 190 by 160 mm, then turned.

    Breadth 15 cm and length 19 cm are those of an adult head (NASA-STD-3000, 95th percentile male
    breadth 16.5 cm, length 21 cm; 5th percentile female 13.6 and 16.7).
    """
    at = POINTS - np.array([offset_mm, 0.0, 120.0])
    normal = np.array(
        [math.cos(yaw) * math.cos(roll), math.sin(yaw) * math.cos(roll), math.sin(roll)]
    )
    # Along the plane's normal, then what is left within the plane, which is symmetric anyhow.
    across = at @ normal
    within = at - across[..., None] * normal
    radius = np.sqrt((across / 75) ** 2 + (within[..., 1] / 95) ** 2 + (within[..., 2] / 80) ** 2)
    suv = np.where(radius < 1, 1.0, 0.0) - np.where(radius < 0.85, 0.5, 0.0)
    eyes = (np.abs(across) - 32) ** 2 + (within[..., 1] + 70) ** 2 + (within[..., 2] + 20) ** 2
    suv += np.where(eyes < 12**2, 1.5, 0.0)
    random = np.random.default_rng(20)
    suv += np.where(radius < 1, random.normal(0, noise, GRID.shape), 0.0)
    return suv.astype(np.float32), normal


@pytest.mark.parametrize(
    ("offset_mm", "yaw", "roll"), [(0.0, 0.0, 0.0), (7.0, 0.1, -0.08), (-11.0, -0.17, 0.12)]
)
def test_the_plane_of_a_turned_head_is_found(offset_mm, yaw, roll):
    suv, normal = head(offset_mm=offset_mm, yaw=yaw, roll=roll)
    found = midsagittal_plane(suv, grid=GRID)
    assert math.degrees(math.acos(min(1.0, abs(normal @ found.normal)))) < 1.5
    # Two voxels' width at 60 mm from the plane would miss a hemisphere's structures.
    place = np.array([offset_mm, 0.0, 120.0]) + 50 * normal
    image = np.array([offset_mm, 0.0, 120.0]) - 50 * normal
    assert np.linalg.norm(found.mirror(place) - image) < 4.0
    assert found.correlation > 0.85


def test_a_hot_lesion_on_one_side_does_not_move_the_plane():
    suv, normal = head(offset_mm=5.0)
    lesion = np.linalg.norm(POINTS - np.array([40.0, 10.0, 140.0]), axis=-1) < 15
    suv[lesion] = 20.0
    found = midsagittal_plane(suv, grid=GRID)
    # It pulls by two degrees: 2 mm at 50 mm from the plane, half a voxel.
    assert math.degrees(math.acos(min(1.0, abs(normal @ found.normal)))) < 3.0
    assert abs(found.mirror((5.0, 0.0, 120.0))[0] - 5.0) < 4.0


def refused(suv, grid=GRID) -> str:
    with pytest.raises(MirrorError) as refusal:
        midsagittal_plane(suv, grid=grid)
    return refusal.value.code


def test_what_is_no_whole_head_is_refused_by_name():
    suv, _ = head()
    assert refused(np.zeros_like(suv)) == "no-head"
    # The scan ends below the vertex, and one that has only the vertex.
    assert refused(
        suv[:40], Grid(shape=(40, 64, 64), spacing=GRID.spacing, origin=GRID.origin)
    ) == ("head-not-covered")
    assert refused(
        suv[35:], Grid(shape=(25, 64, 64), spacing=GRID.spacing, origin=GRID.origin)
    ) == ("head-not-covered")
    body = np.where((np.abs(POINTS[..., 0]) < 115) & (POINTS[..., 2] < 200), 1.0, 0.0)
    assert refused(body.astype(np.float32)) == "no-head"


def test_sides_that_are_not_alike_are_refused():
    suv, _ = head()
    random = np.random.default_rng(3)
    coarse = random.uniform(0.2, 3.0, (15, 16, 16))
    uneven = np.kron(coarse, np.ones((4, 4, 4)))
    assert refused((suv > 0.2) * uneven.astype(np.float32)) == "poor-symmetry"
