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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging import segmentation
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
    by the border. `label` is that of its region among the components, and `voxels` are indices
    into the raveled volume.
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
    label: int
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
    regions = _regions(suv, components)
    columns = _columns(regions, *_peaks(suv, regions, grid, peak), grid, resolution_mm)
    columns |= {
        "number": range(1, components.count + 1),
        "suvpeak_definition": [peak] * components.count,
        "voxels": regions.apart(),
    }
    # By place: with names it takes twice as long for the lesion, which hundreds of them show.
    in_order = (columns[one.name] for one in fields(LesionMeasurement))
    return tuple(starmap(LesionMeasurement, zip(*in_order, strict=True)))


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
class _Regions:
    """Voxels one region after the other, the hottest region first: all are measured at once.

    `labels` are those of the regions among the components; `flat`, `values` and `places` (plane,
    row, column) are of voxels, `counts` and `starts` say which of them are a region's.
    """

    labels: Indices
    flat: Indices
    values: Floats
    places: Indices
    counts: Indices
    starts: Indices

    def apart(self) -> list[Indices]:
        """The voxels of each region."""
        ends = self.starts + self.counts
        bounds = zip(self.starts.tolist(), ends.tolist(), strict=True)
        return [self.flat[start:end] for start, end in bounds]

    def of_voxels(self) -> Indices:
        """The region of each voxel."""
        return np.repeat(np.arange(self.counts.size), self.counts)

    def hottest(self) -> Indices:
        """Positions in `flat` of the voxels that have the highest value of their region."""
        highest = np.maximum.reduceat(self.values, self.starts)
        return np.flatnonzero(self.values == np.repeat(highest, self.counts))


def _regions(suv: Volume, components: Components) -> _Regions:
    values = suv.ravel()[components.flat]
    sizes = np.bincount(components.labels)
    maxima = np.full(components.count, -np.inf, values.dtype)
    np.maximum.at(maxima, components.labels, values)
    # Ties go to the one met first, so that a second run numbers alike.
    hottest_first = np.argsort(-maxima, kind="stable")
    # Of two bytes sorting takes one pass.
    rank = np.empty(components.count, np.min_scalar_type(components.count))
    rank[hottest_first] = np.arange(components.count)
    ranks = rank[components.labels]
    by_rank = np.argsort(ranks, kind="stable")
    flat, counts = components.flat[by_rank], sizes[hottest_first]
    return _Regions(
        labels=hottest_first,
        flat=flat,
        values=values[by_rank].astype(np.float64),
        places=segmentation.places(flat, suv.shape),
        counts=counts,
        starts=np.cumsum(counts) - counts,
    )


def _peaks(
    suv: Volume, regions: _Regions, grid: Grid, peak: PeakDefinition
) -> tuple[Floats, NDArray[np.bool_]]:
    """SUVpeak of each region, and whether its sphere leaves the image; of several the first."""
    centres: Indices | slice = slice(None)
    if peak == PeakDefinition.IBSI_LOCAL:
        centres = regions.hottest()
    means, cut = sphere_means(
        suv, regions.flat[centres], grid=grid, weighted=peak == PeakDefinition.WEIGHTED
    )
    of_region = regions.of_voxels()[centres]
    starts = np.searchsorted(of_region, np.arange(regions.starts.size))
    highest = np.maximum.reduceat(means, starts)
    if not cut.any():
        return highest, cut[starts]
    first = _firsts(of_region, np.flatnonzero(means == highest[of_region]))
    return highest, cut[first]


def _firsts(of_region: Indices, among: Indices) -> Indices:
    """The first of some ascending positions for each region; each has one."""
    _, first = np.unique(of_region[among], return_index=True)
    return np.asarray(among[first])


def _columns(
    regions: _Regions,
    peaks: Floats,
    leaves_image: NDArray[np.bool_],
    grid: Grid,
    resolution_mm: float,
) -> dict[str, Iterable[Any]]:
    """Fields of `LesionMeasurement`, each with its value for every region."""
    hottest = _firsts(regions.of_voxels(), regions.hottest())
    means = np.add.reduceat(regions.values, regions.starts) / regions.counts
    volumes = _volumes_ml(regions, grid)
    return {
        "label": regions.labels.tolist(),
        "suvmax": regions.values[hottest].tolist(),
        "suvmax_voxel": map(tuple, regions.places[:, hottest].T.tolist()),
        "suvmean": means.tolist(),
        "suvpeak": peaks.tolist(),
        "peak_leaves_image": leaves_image.tolist(),
        "volume_ml": volumes.tolist(),
        "voxel_count": regions.counts.tolist(),
        "total_uptake": (means * volumes).tolist(),
        "centroid_mm": map(tuple, _centroids(regions, grid).tolist()),
        "extent_mm": map(tuple, _extents(regions, grid).tolist()),
        "partial_volume": (equivalent_diameter_mm(volumes) < 2 * resolution_mm).tolist(),
    }


def _centroids(regions: _Regions, grid: Grid) -> Floats:
    means = np.add.reduceat(regions.places, regions.starts, axis=1) / regions.counts
    if grid.planes:
        # Where planes are uneven the mean of their places is not the place of their mean number.
        along = np.add.reduceat(grid.along[regions.places[0]], regions.starts) / regions.counts
        means[0] = np.interp(along, grid.along, np.arange(grid.shape[0]))
    return grid.voxel_to_patient(means.T)


def _volumes_ml(regions: _Regions, grid: Grid) -> Floats:
    if not grid.planes:
        return np.asarray(regions.counts * grid.voxel_volume_ml)
    heights = np.add.reduceat(grid.heights[regions.places[0]], regions.starts)
    return np.asarray(heights * math.prod(grid.spacing[1:]) / 1000.0)


def _extents(regions: _Regions, grid: Grid) -> Floats:
    low = np.minimum.reduceat(regions.places, regions.starts, axis=1)
    high = np.maximum.reduceat(regions.places, regions.starts, axis=1)
    along = grid.along[high[0]] - grid.along[low[0]]
    along += (grid.heights[low[0]] + grid.heights[high[0]]) / 2
    rows, columns = (high[1:] - low[1:] + 1) * np.reshape(grid.spacing[1:], (2, 1))
    return np.stack([along, rows, columns], axis=1)


def equivalent_diameter_mm(volume_ml: Floats) -> Floats:
    """Diameters in mm of spheres of some volumes in mL.

    >>> equivalent_diameter_mm(np.array([math.pi / 6])).round(6).tolist()
    [10.0]
    """
    return np.asarray(10 * np.cbrt(6 * volume_ml / math.pi))
