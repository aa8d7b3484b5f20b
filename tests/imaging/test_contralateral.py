"""The mirror image of a lesion in a head whose middle is known, and lesions that have none."""

from __future__ import annotations

import numpy as np
import pytest

from imaging import lesions, segmentation
from imaging.contralateral import mirrored
from imaging.midsagittal import MirrorError
from imaging.peaks import PeakDefinition
from tests.imaging.test_midsagittal import GRID, POINTS, head

PEAK = PeakDefinition.IBSI_GLOBAL


def with_spheres(*spheres: tuple[tuple[float, float, float], float]):
    """A head without noise, x = 0 its middle, and the lesions in it as they were measured."""
    suv, _ = head(noise=0.0)
    flats = []
    for centre, radius in spheres:
        inside = np.linalg.norm(POINTS - np.array(centre), axis=-1) <= radius
        suv[inside] = 10.0 - len(flats)
        flats.append(np.flatnonzero(inside))
    found = lesions.measure(suv, segmentation.given(flats), grid=GRID, peak=PEAK)
    return mirrored(suv, grid=GRID, found=found, peak=PEAK)


def test_the_mirror_image_is_normal_brain_of_the_same_size_on_the_other_side():
    made = with_spheres(((34.0, 10.0, 140.0), 10.0))
    assert not made.refused
    found = made.found[1]
    # The brain has 0.5 g/mL everywhere and no noise.
    assert (found.mean, found.sd, found.radius_mm) == (pytest.approx(0.5), pytest.approx(0.0), None)
    # It moves the plane by a degree or two.
    assert found.centre_mm == pytest.approx((-34.0, 10.0, 140.0), abs=4.0)
    voxels = np.count_nonzero(np.linalg.norm(POINTS - (34.0, 10.0, 140.0), axis=-1) <= 10)
    # Mirrored onto other voxels, some at the border come in or go.
    assert found.n == pytest.approx(voxels, rel=0.2)
    assert made.plane.correlation > 0.8


@pytest.mark.parametrize(
    ("spheres", "codes"),
    [
        ([((2.0, 10.0, 140.0), 10.0)], {1: "crosses-the-plane"}),
        # Its nearest voxels lie 2 mm beside the plane, 4 mm from their image.
        ([((12.0, 10.0, 140.0), 10.0)], {1: "mirror-near-lesion"}),
        # 12 cm under the vertex, which is at 200 mm.
        ([((34.0, 10.0, 74.0), 10.0)], {1: "not-in-head"}),
        (
            [((34.0, 10.0, 140.0), 10.0), ((-34.0, 10.0, 140.0), 6.0)],
            {1: "mirror-holds-lesion", 2: "mirror-holds-lesion"},
        ),
        # It grows out of the head on one side, where there is air on the other.
        ([((78.0, 0.0, 130.0), 10.0)], {1: "mirror-outside-head"}),
        ([((92.0, 0.0, 130.0), 8.0)], {1: "mirror-not-measured"}),
    ],
)
def test_a_lesion_without_normal_brain_on_the_other_side_is_refused_by_name(spheres, codes):
    made = with_spheres(*spheres)
    assert {number: code for number, (code, _) in made.refused.items()} == codes
    assert not made.found


def test_a_scan_without_a_head_has_no_plane():
    suv = np.zeros(GRID.shape, np.float32)
    with pytest.raises(MirrorError):
        mirrored(suv, grid=GRID, found=(), peak=PEAK)
