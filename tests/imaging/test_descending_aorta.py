"""The aorta found on the CT of a chest by formula, and refused by name where it is not.

Its axis lies at x = 23 mm, y = 36 mm, its radius is 12.5 mm, its SUV 1.6 g/mL before the blur.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imaging import phantom
from imaging.descending_aorta import RADIUS_MM, AortaError, propose_aorta
from imaging.reference_regions import sphere
from tests.imaging import thorax

# The sphere is then in the lumen, whose radius is 12.5 mm.
OFF_AXIS_MM = 12.5 - RADIUS_MM


@pytest.fixture(scope="module")
def ct() -> np.ndarray:
    return thorax.ct_of()


@pytest.fixture(scope="module")
def pet() -> np.ndarray:
    return thorax.pet_of()


def proposed(pet, ct, *, grid=thorax.PET, ct_grid=thorax.CT):
    return propose_aorta(pet, grid=grid, hounsfield=ct, ct_grid=ct_grid)


def refused(pet, ct, **grids) -> str:
    with pytest.raises(AortaError) as caught:
        proposed(pet, ct, **grids)
    return caught.value.code


def test_the_sphere_lies_in_the_aorta_and_measures_its_blood(pet, ct):
    x, y, z = proposed(pet, ct)
    assert np.hypot(x - thorax.AORTA[0], y - thorax.AORTA[1]) < OFF_AXIS_MM
    # The tube ends at 90 mm, the lungs at -90 mm.
    assert -90 < z < 80
    found = sphere(pet, grid=thorax.PET, centre_mm=(x, y, z), radius_mm=RADIUS_MM)
    # What a Gaussian of 6 mm leaves of a long tube at its axis and 7 mm beside it is 0.98 and more.
    assert found.mean == pytest.approx(1.6, rel=0.03)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 2)], ids=["feet first", "prone", "both"])
def test_the_order_of_the_arrays_does_not_matter(pet, ct, axes):
    turned, grid = thorax.cut_otherwise(pet, thorax.PET, axes)
    ct_turned, ct_grid = thorax.cut_otherwise(ct, thorax.CT, axes)
    place = proposed(turned, ct_turned, grid=grid, ct_grid=ct_grid)
    assert place == pytest.approx(proposed(pet, ct), abs=1e-6)


def test_an_aorta_beside_the_lung_is_found():
    at = (30.0, 30.0)
    x, y, _ = proposed(thorax.pet_of(aorta=at), thorax.ct_of(aorta=at))
    assert np.hypot(x - at[0], y - at[1]) < OFF_AXIS_MM


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"without": ("lung",)}, "no-lungs"),
        ({"without": ("bone",)}, "no-spine"),
        ({"without": ("blood",)}, "no-aorta"),
        # To the right of the spine it is not looked for.
        ({"aorta": (-23.0, 36.0)}, "no-aorta"),
        # Contrast as dense as bone.
        ({"values": thorax.HU | {"blood": 300}}, "no-aorta"),
        # Without fat around it the aorta can't be told from the heart and the oesophagus.
        ({"values": thorax.HU | {"fat": 40}}, "no-aorta"),
        ({"with_chalk": True}, "aorta-calcified"),
        ({"values": thorax.HU | {"lung": -990}}, "no-lungs"),
    ],
)
def test_what_the_ct_does_not_show_is_refused_by_name(pet, asked, code):
    assert refused(pet, thorax.ct_of(**asked)) == code


def test_blood_that_can_be_none_is_refused(ct):
    assert refused(thorax.pet_of(values=thorax.SUV | {"blood": 0.1}), ct) == "blood-implausible"
    assert refused(thorax.pet_of(values=thorax.SUV | {"blood": 12.0}), ct) == "blood-implausible"


def test_a_noisy_image_is_refused(ct):
    assert refused(thorax.pet_of(noise=0.5), ct) == "blood-variation"


def test_an_uptake_that_changes_across_the_aorta_is_refused(ct):
    x = thorax.PET.voxel_to_patient([(0, 0, n) for n in range(thorax.PET.shape[2])])[:, 0]
    # 0.05 g/mL a mm: across 14 mm 0.7 of about 1.6.
    ramp = np.broadcast_to(0.05 * (x - thorax.AORTA[0]), thorax.PET.shape)
    assert refused(thorax.pet_of(extra=ramp.astype(np.float32)), ct) == "blood-gradient"


def test_an_aorta_outside_of_the_pet_is_refused(ct):
    grid = replace(thorax.PET, shape=(10, 92, 92), origin=(-182.0, -182.0, 150.0))
    assert refused(np.ones(grid.shape, np.float32), ct, grid=grid) == "blood-outside"


def test_a_chest_without_fat_gives_no_proposal():
    """The whole-body phantom of the demonstration: its aorta lies in soft tissue like its own."""
    ct = np.rint(phantom.ct_volume((), seed=1)).astype(np.int16)
    pet = np.ones((20, 20, 20), np.float32)
    grid = replace(thorax.PET, shape=pet.shape)
    assert refused(pet, ct, grid=grid, ct_grid=phantom.CT_GRID) == "no-aorta"
