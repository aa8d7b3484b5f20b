"""Where the gluteal muscle is, found on CT: normal muscle for a reference region on PET.

CT shows the hip bones below the lungs; the muscle behind the bone of each side is gluteal. A sphere
goes where the uptake varies least. The mistake to fear is tissue of the same density that is no
muscle: bowel and bladder lie before the bone, the rectum in the middle, so that only what lies
behind the bone of its side and away from the middle is looked at. A muscle whose uptake is that of
exercise, or of an injection into it, is uneven or above what muscle has, and refused.

Tried on a phantom by formula alone, never on a patient: each place is a proposal for a reader.

References
----------
Muscle by density on CT, -29 to 150 HU: Mitsiopoulos et al., J Appl Physiol 1998;85:115; narrower
here, so that neither fat within it nor contrast in vessels is taken.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.descending_aorta import STEP_MM, axes_of, lungs_of, on_axes
from imaging.geometry import Grid
from imaging.reference_regions import RegionError, RegionStatistics, Volume, sphere

Hounsfield = NDArray[np.int16]
Mask = NDArray[np.bool_]
Point = tuple[float, float, float]
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

# A sphere of 4.2 mL, and what is left between it and the edge of the muscle.
RADIUS_MM = 10.0
EDGE_MM = 4.0
MUSCLE = (10.0, 110.0)
BONE = 200.0
# The pelvis begins so far below the lungs; the hip of a side is larger than any rib cut across.
BELOW_LUNGS_MM = 100.0
HIP_MM2 = 400.0
# Hip and muscle lie so far beside the middle of the hips.
ASIDE_MM = 30.0
MUSCLE_SUV = (0.1, 1.5)
VARIATION = 0.25


class MuscleError(RegionError):
    """No place for a sphere; `code` is stable and says what was not found."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def propose_muscle(suv: Volume, *, grid: Grid, hounsfield: Hounsfield, ct_grid: Grid) -> Point:
    """Centre in mm (LPS) for a sphere of `RADIUS_MM` in the gluteal muscle.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    grid : Grid
        Of the PET.
    hounsfield : ndarray, shape (K', M', N')
        CT in HU, in the frame of reference of the PET; of voxels of 3 mm or less.
    ct_grid : Grid
        Of the CT.

    Raises
    ------
    AortaError
        "no-lungs": nothing then tells the pelvis from the shoulders.
    MuscleError
        "no-pelvis", "no-muscle" from CT; from PET "muscle-outside", "muscle-implausible",
        "muscle-variation" where no sphere is measured.
    """
    z, y, x = axes_of(ct_grid)
    values = on_axes(hounsfield, ct_grid, (z, y, x))
    lungs = lungs_of(values, STEP_MM[0])
    lowest = float(z[lungs.any(axis=(1, 2))].min())
    is_below = z < lowest - BELOW_LUNGS_MM
    return _evenest(suv, grid, list(_places(values[is_below], (z[is_below], y, x))))


def _places(values: Volume, axes: Axes) -> Iterator[Point]:
    """Middles of spheres of muscle behind the hips, in mm."""
    z, y, x = axes
    is_behind = np.zeros(values.shape, bool)
    for plane, behind in zip(values, is_behind, strict=True):
        if (found := _behind_hips(plane > BONE, y, x)) is not None:
            behind[:] = found
    # Of a CT that ends above the pelvis there is no plane at all.
    if not is_behind.any():
        raise MuscleError(
            "no-pelvis",
            f"No hip bones are found on the CT {BELOW_LUNGS_MM:.0f} mm and more below the lungs.",
        )
    smooth = ndimage.uniform_filter(values, 3)
    is_muscle = (smooth > MUSCLE[0]) & (smooth < MUSCLE[1])
    depth = ndimage.distance_transform_edt(is_muscle, sampling=STEP_MM)
    is_top = (depth == ndimage.maximum_filter(depth, 5)) & (depth >= RADIUS_MM + EDGE_MM)
    for plane, row, column in np.argwhere(is_top & is_behind):
        yield float(x[column]), float(y[row]), float(z[plane])


def _behind_hips(bone: Mask, y: NDArray[np.float64], x: NDArray[np.float64]) -> Mask | None:
    """What of a plane lies behind the hip of its side; None without a hip on both sides."""
    if not bone.any():
        return None
    middle = float(np.average(x, weights=np.count_nonzero(bone, axis=0)))
    sides = (x < middle - ASIDE_MM, x > middle + ASIDE_MM)
    found = np.zeros(bone.shape, bool)
    for side in sides:
        pieces, count = ndimage.label(bone & side)
        if count == 0:
            return None
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() * STEP_MM[1] * STEP_MM[2] < HIP_MM2:
            return None
        rows = np.nonzero(pieces == sizes.argmax() + 1)[0]
        found |= (y > y[rows].mean())[:, None] & side
    return found


def _evenest(suv: Volume, grid: Grid, places: list[Point]) -> Point:
    """The sphere that varies least, if its uptake can be that of muscle."""
    if not places:
        raise MuscleError(
            "no-muscle",
            "No muscle behind the hip bones holds a sphere of "
            f"{2 * RADIUS_MM:.0f} mm with {EDGE_MM:.0f} mm around it on the CT.",
        )
    found: list[RegionStatistics] = []
    for place in places:
        try:
            found.append(sphere(suv, grid=grid, centre_mm=place, radius_mm=RADIUS_MM))
        except RegionError:
            # The PET may end before the CT does.
            continue
    if not found:
        raise MuscleError(
            "muscle-outside", "No sphere in the muscle that the CT shows can be measured on PET."
        )
    best = min(found, key=lambda one: one.cv)
    if not MUSCLE_SUV[0] <= best.mean <= MUSCLE_SUV[1]:
        raise MuscleError(
            "muscle-implausible",
            f"The mean SUV in the gluteal muscle is {best.mean:.2f} g/mL: muscle at rest has "
            f"{MUSCLE_SUV[0]:g} to {MUSCLE_SUV[1]:g} g/mL.",
        )
    if best.cv > VARIATION:
        raise MuscleError(
            "muscle-variation",
            f"The uptake in the gluteal muscle varies by {100 * best.cv:.0f} % where it varies "
            f"least; at most {100 * VARIATION:.0f} % are let pass.",
        )
    return best.centre_mm
