"""The blood pool in the descending thoracic aorta: found on CT, measured on PET.

CT is sampled on axes of the patient (left, back, head), so that it matters not how the scanner cut
or how the patient lay. There the way goes from what is sure to what is asked:

    lungs  ->  spine behind and between them  ->  a round upright tube left of and before the spine

and a sphere is put where, along that tube, the uptake varies least. What is not found is refused
by name: none of these steps guesses.

The mistake to fear is a round thing that is no aorta (oesophagus, a node, a muscle), or an uptake
that is not that of blood (spill from a lesion or the heart). So the tube must be 5 cm long, as wide
as an aorta and beside the left lung, and the uptake even across the sphere and along the tube. An
aorta whose blood holds so much contrast that it looks like bone is not found.

Tried on phantoms by formula alone, never on a patient: each place is a proposal for a reader.

References
----------
PERCIST: blood pool in the descending thoracic aorta, Wahl et al., J Nucl Med 2009;50:122S.
Its width: 2.4 to 2.7 cm in healthy adults, Hager et al., J Thorac Cardiovasc Surg 2002;123:1060.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.geometry import Grid
from imaging.reference_regions import RegionError, RegionStatistics, Volume, sphere
from imaging.resampling import sampled

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Hounsfield = NDArray[np.int16]
Point = tuple[float, float, float]
# z, y and x in mm, each ascending.
Axes = tuple[Floats, Floats, Floats]

# A sphere of 1.4 mL, about PERCIST's tube of 1 cm across and 2 cm long, 2 mm from the wall or more.
RADIUS_MM = 7.0
AORTA_RADIUS_MM = (9.0, 20.0)
# Of CT on axes of the patient: along z, y and x.
STEP_MM = (4.0, 3.0, 3.0)
ROUGH_MM = 16.0
AIR = -1000
# Lung is air and tissue; bowel holds air alone. HU of voxels, and of the mean of a whole lung.
INSIDE_AIR = -400.0
LUNG_MEAN = (-930.0, -550.0)
LUNG_ML = 300.0
PIECE_ML = 50.0
BONE = 200.0
BLOOD = (-30.0, 130.0)
CALCIFIED = 220.0
# How far beside the middle bone is that of the spine, and where the aorta lies from its front, mm.
SPINE_ASIDE_MM = 35.0
SPINE_MM2 = 150.0
LEFT_MM = (6.0, 50.0)
BEHIND_MM = (-40.0, 22.0)
# Part of its rim that borders on something else, and that is within 6 mm of lung.
CLOSED, AT_LUNG = 0.6, 0.15
LENGTH_MM = 50.0
ASIDE_MM = 6.0
# The arch and the diaphragm are near the ends of the tube.
END_MM = 10.0
BLOOD_SUV = (0.3, 8.0)
VARIATION = 0.25
GRADIENT = 0.3


class AortaError(RegionError):
    """No place for a sphere; `code` is stable and says what was not found."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Round:
    """A round piece of soft tissue in one plane: where, its radius, both in mm."""

    plane: int
    x: float
    y: float
    radius: float
    is_calcified: bool


def propose_aorta(suv: Volume, *, grid: Grid, hounsfield: Hounsfield, ct_grid: Grid) -> Point:
    """Centre in mm (LPS) for a sphere of `RADIUS_MM` in the descending thoracic aorta.

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
        "no-lungs", "no-spine", "no-aorta", "aorta-calcified" from CT; from PET "blood-implausible",
        "blood-gradient", "blood-variation", "blood-outside" where no sphere is measured.
    """
    # Rougher along the patient first: a whole body is three times as long as its chest.
    z, y, x = axes_of(ct_grid)
    rough = z[:: int(ROUGH_MM // STEP_MM[0])]
    seen = rough[lungs_of(on_axes(hounsfield, ct_grid, (rough, y, x)), ROUGH_MM).any(axis=(1, 2))]
    z = z[(z >= seen.min() - ROUGH_MM) & (z <= seen.max() + ROUGH_MM)]
    values = on_axes(hounsfield, ct_grid, (z, y, x))
    values = ndimage.uniform_filter1d(values, 3, axis=0)
    tube = _tube(values, (z, y, x), lungs_of(values, STEP_MM[0]))
    return _evenest(suv, grid, _centreline(tube, z))


def axes_of(grid: Grid) -> Axes:
    """Places to the head, to the back and to the left that the CT reaches, in mm."""
    ends = np.indices((2, 2, 2)).reshape(3, -1).T * (np.asarray(grid.shape) - 1)
    corners = grid.voxel_to_patient(ends)
    low, high = corners.min(axis=0)[::-1], corners.max(axis=0)[::-1]
    z, y, x = (np.arange(a, b, step) for a, b, step in zip(low, high, STEP_MM, strict=True))
    return z, y, x


def on_axes(hounsfield: Hounsfield, grid: Grid, axes: Axes) -> Volume:
    """CT with planes to the head, rows to the back, columns to the left."""
    z, y, x = axes
    values = np.empty((z.size, y.size, x.size), np.float32)
    points = np.empty((y.size, x.size, 3))
    points[..., 0], points[..., 1] = x, y[:, None]
    # A plane at a time: points of all of them would take six times the volume.
    for plane, height in zip(values, z, strict=True):
        points[..., 2] = height
        plane[:] = sampled(hounsfield, grid=grid, points_mm=points, outside=AIR)
    return values


def lungs_of(values: Volume, thickness_mm: float) -> Mask:
    """Air inside of the body in pieces whose mean is that of lung."""
    inside = np.zeros(values.shape, bool)
    for air, plane in zip(values < INSIDE_AIR, inside, strict=True):
        pieces, _ = ndimage.label(air)
        at_edge = np.unique(np.concatenate([pieces[[0, -1]].ravel(), pieces[:, [0, -1]].ravel()]))
        plane[:] = air & ~np.isin(pieces, at_edge)
    voxel_ml = thickness_mm * STEP_MM[1] * STEP_MM[2] / 1000.0
    pieces, _ = ndimage.label(inside)
    counts = np.maximum(np.bincount(pieces[inside]), 1)
    means = np.bincount(pieces[inside], weights=values[inside]) / counts
    is_lung = (counts * voxel_ml >= PIECE_ML) & (means > LUNG_MEAN[0]) & (means < LUNG_MEAN[1])
    found = np.zeros(values.shape, bool)
    found[inside] = is_lung[pieces[inside]]
    columns = np.count_nonzero(found, axis=(0, 1))
    middle = _middle(columns) if columns.any() else 0
    right, left = (float(some.sum()) * voxel_ml for some in np.split(columns, [middle]))
    if min(right, left) < LUNG_ML:
        raise AortaError(
            "no-lungs",
            f"Two lungs are not found on the CT: {right:.0f} mL on the right and {left:.0f} mL on "
            f"the left look like lung, {LUNG_ML:.0f} mL are needed of each.",
        )
    return found


def _middle(columns: NDArray[np.integer]) -> int:
    """The column between the two lungs: of least lung, between the quartiles of it."""
    grown = np.cumsum(columns) / columns.sum()
    first, last = (int(np.searchsorted(grown, part)) for part in (0.25, 0.75))
    least = np.flatnonzero(columns[first : last + 1] == columns[first : last + 1].min())
    return first + int(least[least.size // 2])


def _tube(values: Volume, axes: Axes, lungs: Mask) -> list[_Round]:
    """The longest upright row of round pieces where the descending aorta lies."""
    _, _, x = axes
    middle = float(x[_middle(np.count_nonzero(lungs, axis=(0, 1)))])
    planes, has_spine = [], False
    for plane in np.flatnonzero(np.count_nonzero(lungs, axis=(1, 2))):
        front = _front_of_spine(values[plane], axes, lungs[plane], middle)
        has_spine |= front is not None
        planes.append([] if front is None else [*_rounds(values, axes, lungs, int(plane), front)])
    if not has_spine:
        raise AortaError("no-spine", "No spine is found on the CT behind and between the lungs.")
    tube = _longest(planes)
    length = (tube[-1].plane - tube[0].plane) * STEP_MM[0] if tube else 0.0
    if length < LENGTH_MM:
        raise AortaError(
            "no-aorta",
            "No round upright structure of soft tissue is found on the CT left of and before the "
            f"spine, as wide as an aorta: the longest is {length:.0f} mm long, {LENGTH_MM:.0f} mm "
            "are needed.",
        )
    clear = [one for one in tube if not one.is_calcified]
    if len(clear) * 2 < len(tube):
        raise AortaError(
            "aorta-calcified", "The wall of the aorta is calcified over most of its length on CT."
        )
    return clear


def _front_of_spine(
    plane: Volume, axes: Axes, lung: Mask, middle: float
) -> tuple[float, float] | None:
    """x of the middle of the vertebra and y of its front in mm; None without one in the plane."""
    _, y, x = axes
    behind = y[:, None] > float(np.average(y, weights=np.count_nonzero(lung, axis=1)))
    bone = (plane > BONE) & behind & (np.abs(x - middle) < SPINE_ASIDE_MM)
    pieces, count = ndimage.label(bone)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    rows, columns = np.nonzero(pieces == sizes.argmax() + 1)
    if rows.size * STEP_MM[1] * STEP_MM[2] < SPINE_MM2:
        return None
    return float(np.median(x[columns])), float(y[rows].min())


def _rounds(
    values: Volume, axes: Axes, lungs: Mask, plane: int, front: tuple[float, float]
) -> Iterator[_Round]:
    """Pieces of soft tissue beside the spine as wide as an aorta, most of them bordered."""
    _, y, x = axes
    tissue = (values[plane] > BLOOD[0]) & (values[plane] < BLOOD[1])
    depth = ndimage.distance_transform_edt(tissue, sampling=STEP_MM[1:])
    # Not the flank of something larger: the place farthest from any border around it.
    is_top = (depth == ndimage.maximum_filter(depth, 5)) & (depth >= AORTA_RADIUS_MM[0])
    for row, column in np.argwhere(is_top & (depth <= AORTA_RADIUS_MM[1])):
        left, behind = x[column] - front[0], y[row] - front[1]
        is_there = LEFT_MM[0] <= left <= LEFT_MM[1] and BEHIND_MM[0] <= behind <= BEHIND_MM[1]
        radius = float(depth[row, column])
        if is_there and _is_bordered(tissue, lungs[plane], row, column, radius):
            yield _Round(
                plane,
                float(x[column]),
                float(y[row]),
                radius,
                _is_calcified(values[plane], row, column, radius),
            )


def _is_bordered(tissue: Mask, lung: Mask, row: int, column: int, radius: float) -> bool:
    """Whether most of the rim borders on something else, and some of it is near lung.

    Fat or chalk in its wall may lie between.
    """
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = radius + STEP_MM[1]
    rows = np.rint(row + reach / STEP_MM[1] * np.sin(angles)).astype(int)
    columns = np.rint(column + reach / STEP_MM[2] * np.cos(angles)).astype(int)
    rim = np.clip(rows, 0, tissue.shape[0] - 1), np.clip(columns, 0, tissue.shape[1] - 1)
    near = ndimage.binary_dilation(lung, iterations=2)
    return bool(np.mean(~tissue[rim]) >= CLOSED and np.mean(near[rim]) >= AT_LUNG)


def _is_calcified(plane: Volume, row: int, column: int, radius: float) -> bool:
    """Whether there is something as dense as chalk on the rim away from the spine."""
    m, n = np.ogrid[: plane.shape[0], : plane.shape[1]]
    away = np.hypot((m - row) * STEP_MM[1], (n - column) * STEP_MM[2])
    # Behind and to the right is the spine.
    is_spine = (m > row) & (n < column)
    return bool(((away <= radius + STEP_MM[1]) & ~is_spine & (plane > CALCIFIED)).any())


def _longest(planes: list[list[_Round]]) -> list[_Round]:
    """The longest chain through neighbouring planes that moves aside little from each to the next.

    One plane may be without a link.
    """
    chains: list[list[list[_Round]]] = []
    for found in planes:
        before = [chain for earlier in chains[-2:] for chain in earlier]
        chains.append([[*_fitting(before, one), one] for one in found])
    return max((one for some in chains for one in some), key=len, default=[])


def _fitting(chains: list[list[_Round]], one: _Round) -> list[_Round]:
    near = [
        chain
        for chain in chains
        if np.hypot(chain[-1].x - one.x, chain[-1].y - one.y)
        <= ASIDE_MM * (one.plane - chain[-1].plane)
    ]
    return max(near, key=len, default=[])


def _centreline(tube: list[_Round], heights: Floats) -> list[Point]:
    """Points along the tube in mm, its ends left out; smoothed over 2 cm."""
    places = np.array([(one.x, one.y, heights[one.plane]) for one in tube])
    places[:, :2] = ndimage.uniform_filter1d(places[:, :2], 5, axis=0, mode="nearest")
    z = places[:, 2]
    inner = places[(z >= z.min() + END_MM) & (z <= z.max() - END_MM)]
    return [(float(a), float(b), float(c)) for a, b, c in inner]


def _evenest(suv: Volume, grid: Grid, places: list[Point]) -> Point:
    """The place on the tube whose sphere varies least, if its uptake can be that of blood."""
    found = []
    for place in places:
        try:
            found.append(sphere(suv, grid=grid, centre_mm=place, radius_mm=RADIUS_MM))
        except RegionError:
            # The PET may end before the CT does.
            continue
    if not found:
        raise AortaError(
            "blood-outside", "No sphere in the aorta that the CT shows can be measured on the PET."
        )
    best = min(found, key=lambda one: one.cv)
    _require_even(suv, grid, best, found)
    return best.centre_mm


def _require_even(
    suv: Volume, grid: Grid, best: RegionStatistics, along: list[RegionStatistics]
) -> None:
    if not BLOOD_SUV[0] <= best.mean <= BLOOD_SUV[1]:
        raise AortaError(
            "blood-implausible",
            f"The mean SUV in the aorta is {best.mean:.2f} g/mL: blood has {BLOOD_SUV[0]:g} to "
            f"{BLOOD_SUV[1]:g} g/mL.",
        )
    if best.cv > VARIATION:
        raise AortaError(
            "blood-variation",
            f"The uptake in the aorta varies by {100 * best.cv:.0f} % where it varies least; "
            f"at most {100 * VARIATION:.0f} % are let pass.",
        )
    across = _gradient(suv, grid, best)
    middle = float(np.median([one.mean for one in along]))
    if max(across, abs(best.mean - middle) / middle) > GRADIENT:
        raise AortaError(
            "blood-gradient",
            f"The uptake in the aorta is not even: it changes by {100 * across:.0f} % across the "
            f"sphere, whose mean is {best.mean:.2f} g/mL where half of the aorta has "
            f"{middle:.2f} g/mL or more.",
        )


def _gradient(suv: Volume, grid: Grid, there: RegionStatistics) -> float:
    """Change of SUV over the diameter of a sphere, by a plane fitted to it, over its mean."""
    centre = grid.patient_to_voxel(there.centre_mm)
    reach = RADIUS_MM / np.asarray(grid.spacing)
    low, high = np.ceil(centre - reach).astype(int), np.floor(centre + reach).astype(int)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    index = low + np.indices(high - low + 1).reshape(3, -1).T
    away = grid.voxel_to_patient(index) - np.asarray(there.centre_mm)
    is_inside = np.linalg.norm(away, axis=1) <= RADIUS_MM
    design = np.column_stack([np.ones(is_inside.sum()), away[is_inside]])
    fitted, *_ = np.linalg.lstsq(design, suv[box].ravel()[is_inside].astype(float), rcond=None)
    return float(np.linalg.norm(fitted[1:]) * 2 * RADIUS_MM / there.mean)
