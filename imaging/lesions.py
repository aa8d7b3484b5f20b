"""What is measured on a lesion, and on all of a patient's together.

SUVmax              highest value of its voxels
SUVmean             their mean
SUVpeak             highest mean over 1 cm3; its definition travels with it, see imaging.peaks
MTV                 their number times the volume of a voxel
total uptake        SUVmean * MTV; called total lesion glycolysis for FDG
Dmax                largest distance between the centroids of two lesions
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.geometry import Grid
from imaging.peaks import PeakDefinition, sphere_means
from imaging.segmentation import Components, Indices, Volume

Floats = NDArray[np.float64]

# Full width at half maximum of clinical whole-body PET, 5 to 7 mm.
RESOLUTION_MM = 6.0


class LesionError(ValueError):
    """Regions that do not belong to the volume."""


@dataclass(frozen=True, slots=True)
class LesionMeasurement:
    """One lesion. SUV in g/mL, volume in mL, total uptake in g, centroid in mm (LPS).

    `number` counts from 1 by falling SUVmax. `suvmax_voxel` is (plane, row, column). The
    centroid is that of the voxels, not weighted by uptake. `extent_mm` is the box that holds all
    of its voxels: along the planes, the rows and the columns of the image. `partial_volume` warns
    that the diameter of a sphere of the same volume is under twice the resolution: all values but
    the volume are then too low. `peak_leaves_image` says that the sphere of the peak was cut
    by the border. `voxels` are indices into the raveled volume.
    """

    number: int
    suvmax: float
    suvmax_voxel: tuple[int, int, int]
    suvmean: float
    suvpeak: float
    suvpeak_definition: PeakDefinition
    volume_ml: float
    voxel_count: int
    total_uptake: float
    centroid_mm: tuple[float, float, float]
    extent_mm: tuple[float, float, float]
    partial_volume: bool
    peak_leaves_image: bool
    voxels: Indices = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Totals:
    """All lesions of a scan: volume in mL, uptake in g, SUV in g/mL, distance in mm.

    `hottest_suvpeak` is the SUVpeak of the lesion whose SUVpeak is highest. What needs a lesion is
    None where there is none, and Dmax where there is one.
    """

    count: int
    volume_ml: float
    total_uptake: float
    suvmax: float | None
    hottest_suvpeak: float | None
    dmax_mm: float | None


def measure(
    suv: Volume,
    components: Components,
    *,
    grid: Grid,
    peak: PeakDefinition = PeakDefinition.IBSI_GLOBAL,
    resolution_mm: float = RESOLUTION_MM,
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
    peak : PeakDefinition
        What is called SUVpeak.
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
    by_label = np.argsort(components.labels, kind="stable")
    regions = np.split(components.flat[by_label], np.cumsum(np.bincount(components.labels))[:-1])
    # Ties go to the one met first, so that a second run numbers alike.
    values = suv.ravel()
    hottest_first = sorted(regions, key=lambda flat: -float(values[flat].max()))
    centres = [_centres(values, flat, peak) for flat in hottest_first]
    means, cut = sphere_means(
        suv, np.concatenate(centres), grid=grid, weighted=peak == PeakDefinition.WEIGHTED
    )
    ends = np.cumsum([one.size for one in centres])[:-1]
    peaks = [
        _Peak(peak, float(mean.max()), bool(left[mean.argmax()]))
        for mean, left in zip(np.split(means, ends), np.split(cut, ends), strict=True)
    ]
    return tuple(
        _measurement(number, suv, flat, one, grid, resolution_mm)
        for number, (flat, one) in enumerate(zip(hottest_first, peaks, strict=True), start=1)
    )


def totals(lesions: Sequence[LesionMeasurement]) -> Totals:
    """What all lesions of a scan come to.

    Dmax is the largest distance between two centroids: Cottereau et al., J Nucl Med 2020;61:40.
    """
    places = np.array([one.centroid_mm for one in lesions]).reshape(-1, 3)
    farthest = (float(np.linalg.norm(places - one, axis=1).max()) for one in places)
    return Totals(
        count=len(lesions),
        volume_ml=math.fsum(one.volume_ml for one in lesions),
        total_uptake=math.fsum(one.total_uptake for one in lesions),
        suvmax=max((one.suvmax for one in lesions), default=None),
        hottest_suvpeak=max((one.suvpeak for one in lesions), default=None),
        dmax_mm=max(farthest) if len(lesions) > 1 else None,
    )


@dataclass(frozen=True, slots=True)
class _Peak:
    definition: PeakDefinition
    value: float
    leaves_image: bool


def _centres(values: Volume, flat: Indices, peak: PeakDefinition) -> Indices:
    """Where the sphere of the peak may lie."""
    if peak != PeakDefinition.IBSI_LOCAL:
        return flat
    here = values[flat]
    return flat[here == here.max()]


def _measurement(
    number: int, suv: Volume, flat: Indices, peak: _Peak, grid: Grid, resolution_mm: float
) -> LesionMeasurement:
    values = suv.ravel()[flat].astype(np.float64)
    hottest = int(values.argmax())
    places = np.stack(np.unravel_index(flat, suv.shape), axis=1)
    volume_ml = grid.volume_ml(places[:, 0])
    plane, row, column = (int(i) for i in places[hottest])
    x, y, z = (float(c) for c in grid.voxel_to_patient(places.mean(axis=0)))
    return LesionMeasurement(
        number=number,
        suvmax=float(values[hottest]),
        suvmax_voxel=(plane, row, column),
        suvmean=float(values.mean()),
        suvpeak=peak.value,
        suvpeak_definition=peak.definition,
        volume_ml=volume_ml,
        voxel_count=int(flat.size),
        total_uptake=float(values.mean()) * volume_ml,
        centroid_mm=(x, y, z),
        extent_mm=_extent(places, grid),
        partial_volume=equivalent_diameter_mm(volume_ml) < 2 * resolution_mm,
        peak_leaves_image=peak.leaves_image,
        voxels=flat,
    )


def _extent(places: Indices, grid: Grid) -> tuple[float, float, float]:
    low, high = places.min(axis=0), places.max(axis=0)
    along = grid.along[high[0]] - grid.along[low[0]]
    along += (grid.heights[low[0]] + grid.heights[high[0]]) / 2
    rows, columns = (high[1:] - low[1:] + 1) * np.asarray(grid.spacing[1:])
    return float(along), float(rows), float(columns)


def equivalent_diameter_mm(volume_ml: float) -> float:
    """Diameter in mm of a sphere of a volume in mL.

    >>> round(equivalent_diameter_mm(math.pi / 6), 6)
    10.0
    """
    return float(10 * (6 * volume_ml / math.pi) ** (1 / 3))
