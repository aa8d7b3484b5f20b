"""What is measured on a lesion.

    SUVmax              highest value of its voxels
    SUVmean             their mean
    SUVpeak             highest mean over 1 cm3, see below
    MTV                 their number times the volume of a voxel
    total uptake        SUVmean * MTV; called total lesion glycolysis for FDG

SUVpeak has a dozen definitions that differ by up to 10 % on a small lesion, so its name
travels with the number. "ibsi_global" is IBSI's global intensity peak (loc_peak_glob): over
all voxels c of the lesion the highest mean of all *image* voxels whose centres lie within
6.2035 mm, the radius of 1 cm3, of the centre of c. The sphere may leave the lesion. Where it
leaves the image the mean is over what lies inside, and the lesion says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.geometry import Grid
from imaging.segmentation import Components, Indices, Volume

Floats = NDArray[np.float64]

PEAK_DEFINITION = "ibsi_global"
PEAK_RADIUS_MM = 10 * (3 / (4 * math.pi)) ** (1 / 3)
# Full width at half maximum of clinical whole-body PET, 5 to 7 mm.
RESOLUTION_MM = 6.0
# Voxels gathered at a time: their values and indices stay in the cache.
_CHUNK = 16384


class LesionError(ValueError):
    """Regions that do not belong to the volume."""


@dataclass(frozen=True, slots=True)
class LesionMeasurement:
    """One lesion. SUV in g/mL, volume in mL, total uptake in g, centroid in mm (LPS).

    `number` counts from 1 by falling SUVmax. `suvmax_voxel` is (plane, row, column). The
    centroid is that of the voxels, not weighted by uptake. `partial_volume` warns that the
    diameter of a sphere of the same volume is under twice the resolution: all values but
    the volume are then too low. `peak_leaves_image` says that the sphere of the peak was cut
    by the border. `voxels` are indices into the raveled volume.
    """

    number: int
    suvmax: float
    suvmax_voxel: tuple[int, int, int]
    suvmean: float
    suvpeak: float
    suvpeak_definition: str
    volume_ml: float
    voxel_count: int
    total_uptake: float
    centroid_mm: tuple[float, float, float]
    partial_volume: bool
    peak_leaves_image: bool
    voxels: Indices = field(repr=False, compare=False)


def measure(
    suv: Volume, components: Components, *, grid: Grid, resolution_mm: float = RESOLUTION_MM
) -> tuple[LesionMeasurement, ...]:
    """Measurements of all regions, hottest first.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL.
    components : Components
        Regions in the same volume.
    grid : Grid
        Of the volume.
    resolution_mm : float
        Resolution of the reconstructed image, full width at half maximum in mm.

    Raises
    ------
    LesionError
        If grid and volume do not have the same shape.

    References
    ----------
    IBSI reference manual, local intensity features; quantities as in EANM FDG guideline 2.0.
    """
    if suv.shape != grid.shape:
        raise LesionError(f"volume of shape {suv.shape}, grid of shape {grid.shape}")
    if components.count == 0:
        return ()
    peaks, cut = sphere_means(suv, components.flat, grid=grid, radius=PEAK_RADIUS_MM)
    by_label = np.argsort(components.labels, kind="stable")
    members = np.split(by_label, np.cumsum(np.bincount(components.labels))[:-1])
    # Ties go to the one met first, so that a second run numbers alike.
    hottest_first = sorted(members, key=lambda m: -float(suv.ravel()[components.flat[m]].max()))
    return tuple(
        _measurement(number, suv, components.flat[m], peaks[m], cut[m], grid, resolution_mm)
        for number, m in enumerate(hottest_first, start=1)
    )


def sphere_means(
    suv: Volume, flat: Indices, *, grid: Grid, radius: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean over the voxels within a radius of each given voxel.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
    flat : ndarray, shape (V,)
        Indices of the centres into the raveled volume.
    grid : Grid
        Of the volume; uneven planes count with their true distance.
    radius : float
        In mm; voxels belong whose centre is at most this far.

    Returns
    -------
    means : ndarray, shape (V,), float64
        Over the voxels inside the image.
    cut : ndarray, shape (V,), bool
        Whether the sphere leaves the image.
    """
    if grid.planes:
        return _uneven_means(suv, flat, grid, radius)
    return _even_means(suv, flat, _sphere(grid.spacing, radius))


def _uneven_means(
    suv: Volume, flat: Indices, grid: Grid, radius: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Plane by plane: the sphere around each plane reaches its neighbours where they are."""
    means, cut = np.empty(flat.size), np.zeros(flat.size, bool)
    of_plane = flat // (suv.shape[1] * suv.shape[2])
    for plane in np.unique(of_plane):
        here = of_plane == plane
        offsets, leaves = _sphere_at(grid, int(plane), radius)
        means[here], cut[here] = _even_means(suv, flat[here], offsets)
        cut[here] |= leaves
    return means, cut


def _sphere_at(grid: Grid, plane: int, radius: float) -> tuple[Indices, bool]:
    """Voxel offsets within the radius of a plane's voxels, and whether it leaves the stack."""
    distances = grid.along - grid.along[plane]
    rows, columns = (np.arange(-int(radius // s), int(radius // s) + 1) for s in grid.spacing[1:])
    layer = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    in_plane = np.linalg.norm(layer * np.asarray(grid.spacing[1:]), axis=1)
    offsets = [
        np.column_stack([np.full(inside.sum(), other - plane), layer[inside]])
        for other, distance in enumerate(distances)
        if abs(distance) <= radius
        for inside in [in_plane**2 + distance**2 <= radius**2]
    ]
    ends = distances[0] - grid.heights[0], distances[-1] + grid.heights[-1]
    return np.concatenate(offsets).astype(np.int64), ends[0] >= -radius or ends[1] <= radius


def _even_means(suv: Volume, flat: Indices, offsets: Indices) -> tuple[Floats, NDArray[np.bool_]]:
    strides = np.array([suv.shape[1] * suv.shape[2], suv.shape[2], 1])
    places = np.stack(np.unravel_index(flat, suv.shape), axis=1)
    reach = np.abs(offsets).max(axis=0)
    cut = np.any((places < reach) | (places >= np.array(suv.shape) - reach), axis=1)
    means = np.empty(flat.size)
    means[~cut] = _means_inside(suv.ravel(), flat[~cut], offsets @ strides)
    means[cut], cut[cut] = _means_at_border(suv, places[cut], offsets)
    return means, cut


def _sphere(spacing: tuple[float, float, float], radius: float) -> Indices:
    """Voxel offsets (S, 3) within the radius, the same on every side."""
    reach = [int(radius // step) for step in spacing]
    axes = [np.arange(-r, r + 1) for r in reach]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(offsets * np.asarray(spacing), axis=1)
    return np.asarray(offsets[distance <= radius], dtype=np.int64)


def _means_inside(values: Volume, flat: Indices, offsets: Indices) -> Floats:
    means = np.empty(flat.size)
    for start in range(0, flat.size, _CHUNK):
        centres = flat[start : start + _CHUNK]
        total = np.zeros(centres.size)
        for offset in offsets:
            total += values.take(centres + offset)
        means[start : start + _CHUNK] = total / len(offsets)
    return means


def _means_at_border(
    suv: Volume, places: Indices, offsets: Indices
) -> tuple[Floats, NDArray[np.bool_]]:
    total, count = np.zeros(len(places)), np.zeros(len(places), np.int64)
    for offset in offsets:
        there = places + offset
        inside = np.all((there >= 0) & (there < np.array(suv.shape)), axis=1)
        total[inside] += suv[tuple(there[inside].T)]
        count += inside
    return total / np.maximum(count, 1), count < len(offsets)


def _measurement(
    number: int,
    suv: Volume,
    flat: Indices,
    peaks: Floats,
    cut: NDArray[np.bool_],
    grid: Grid,
    resolution_mm: float,
) -> LesionMeasurement:
    values = suv.ravel()[flat].astype(np.float64)
    hottest, peak = int(values.argmax()), int(peaks.argmax())
    places = np.stack(np.unravel_index(flat, suv.shape), axis=1)
    volume_ml = grid.volume_ml(places[:, 0])
    plane, row, column = (int(i) for i in places[hottest])
    x, y, z = (float(c) for c in grid.voxel_to_patient(places.mean(axis=0)))
    return LesionMeasurement(
        number=number,
        suvmax=float(values[hottest]),
        suvmax_voxel=(plane, row, column),
        suvmean=float(values.mean()),
        suvpeak=float(peaks[peak]),
        suvpeak_definition=PEAK_DEFINITION,
        volume_ml=volume_ml,
        voxel_count=int(flat.size),
        total_uptake=float(values.mean()) * volume_ml,
        centroid_mm=(x, y, z),
        partial_volume=equivalent_diameter_mm(volume_ml) < 2 * resolution_mm,
        peak_leaves_image=bool(cut[peak]),
        voxels=flat,
    )


def equivalent_diameter_mm(volume_ml: float) -> float:
    """Diameter in mm of a sphere of a volume in mL.

    >>> round(equivalent_diameter_mm(math.pi / 6), 6)
    10.0
    """
    return float(10 * (6 * volume_ml / math.pi) ** (1 / 3))
