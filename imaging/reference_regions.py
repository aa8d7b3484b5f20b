"""Normal tissue to compare lesions with: spheres, and a proposal for the liver.

A proposed place is a proposal: it is shown as one until a reader accepts it, and where
nothing looks like a liver there is none. Guessing would put a number behind every ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.geometry import Grid
from imaging.peaks import PeakDefinition, sphere_means

Floats = NDArray[np.float64]
Volume = NDArray[np.float32]

LIVER_RADIUS_MM = 15.0
# Parenchyma in FDG and CXCR4 PET; brain, heart, bladder are above, muscle and lung below.
LIVER_SUV = (1.0, 5.0)
# Parenchyma varies by 5 to 15 % from voxel to voxel; more is an edge or another organ.
LIVER_VARIATION = 0.25
# Liver takes up more than the soft tissue around it.
LIVER_ABOVE_BODY = 1.25
# Part of the scanned length, from its lower end, that can hold the liver between thigh and head.
LIVER_HEIGHT = (0.3, 0.85)
BODY_SUV = 0.1
COARSE_MM = 6.6


class RegionError(ValueError):
    """A place that gives no reference value."""


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """SUV in a region, in g/mL; `sd` is the sample standard deviation of its `n` voxels.

    `suvpeak` is the highest mean over 1 cm3 around one of its voxels, by `suvpeak_definition`.
    """

    n: int
    mean: float
    sd: float
    suvmax: float
    suvpeak: float
    suvpeak_definition: PeakDefinition
    centre_mm: tuple[float, float, float]
    # None of what is no sphere.
    radius_mm: float | None
    # Of its voxels, mL.
    volume_ml: float

    @property
    def cv(self) -> float:
        """Coefficient of variation."""
        return self.sd / self.mean


def sphere(
    suv: Volume,
    *,
    grid: Grid,
    centre_mm: tuple[float, float, float],
    radius_mm: float,
    peak: PeakDefinition = PeakDefinition.IBSI_GLOBAL,
) -> RegionStatistics:
    """Statistics of the voxels whose centres lie in a sphere.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    grid : Grid
        Of the volume.
    centre_mm : (float, float, float)
        In mm in the patient's system (LPS).
    radius_mm : float
        In mm.
    peak : PeakDefinition
        What is called SUVpeak.

    Raises
    ------
    RegionError
        If the sphere leaves the image, holds fewer than two voxels, or its mean is not
        positive, so that no ratio to it has a meaning.
    """
    centre = grid.patient_to_voxel(centre_mm)
    reach = radius_mm / np.asarray(grid.spacing)
    low, high = np.ceil(centre - reach).astype(int), np.floor(centre + reach).astype(int)
    if np.any(low < 0) or np.any(high >= grid.shape):
        raise RegionError("The sphere leaves the image.")
    if grid.planes:
        # Uneven planes: one more on each side may reach into the sphere.
        low[0], high[0] = max(low[0] - 1, 0), min(high[0] + 1, grid.shape[0] - 1)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    planes, rows, columns = np.ogrid[box]
    middle = np.interp(centre[0], np.arange(grid.shape[0]), grid.along)
    inside = (
        (grid.along[planes] - middle) ** 2
        + ((rows - centre[1]) * grid.spacing[1]) ** 2
        + ((columns - centre[2]) * grid.spacing[2]) ** 2
    ) <= radius_mm**2
    values = suv[box][inside].astype(np.float64)
    if values.size < 2:
        raise RegionError(f"The sphere holds {values.size} voxel centre(s); two are needed.")
    mean = float(values.mean())
    if not mean > 0:
        raise RegionError(f"The mean SUV in the sphere is {mean:.3g}, not positive.")
    flat = np.ravel_multi_index(tuple((np.argwhere(inside) + low).T), suv.shape)
    x, y, z = (float(c) for c in centre_mm)
    return RegionStatistics(
        n=int(values.size),
        mean=mean,
        sd=float(values.std(ddof=1)),
        suvmax=float(values.max()),
        suvpeak=_peak(suv, flat, values, grid, peak),
        suvpeak_definition=peak,
        centre_mm=(x, y, z),
        radius_mm=float(radius_mm),
        volume_ml=grid.volume_ml(np.nonzero(inside)[0] + low[0]),
    )


def _peak(
    suv: Volume, flat: NDArray[np.int64], values: Floats, grid: Grid, peak: PeakDefinition
) -> float:
    around = flat[values == values.max()] if peak is PeakDefinition.IBSI_LOCAL else flat
    means, _ = sphere_means(suv, around, grid=grid, weighted=peak is PeakDefinition.WEIGHTED)
    return float(means.max())


def propose_liver(suv: Volume, *, grid: Grid) -> tuple[float, float, float] | None:
    """Centre in mm for a 30 mm sphere in the liver, or None if nothing is plausible.

    The place of least local variation on the patient's right, in the middle of the scanned
    length, where the mean is that of liver and above that of the body.

    References
    ----------
    Hirata et al., PLoS One 2014;9:e105682.
    """
    coarse, coarse_grid = _coarse(suv, grid)
    body = coarse[coarse > BODY_SUV]
    if body.size == 0:
        return None
    mean, variation = _local(coarse, coarse_grid)
    low = max(LIVER_SUV[0], LIVER_ABOVE_BODY * float(np.median(body)))
    plausible = (mean >= low) & (mean <= LIVER_SUV[1]) & _right_and_middle(coarse, coarse_grid)
    variation[~plausible] = np.inf
    best = np.unravel_index(int(variation.argmin()), coarse.shape)
    if not variation[best] <= LIVER_VARIATION:
        return None
    x, y, z = (float(c) for c in coarse_grid.voxel_to_patient(best))
    return (x, y, z) if _is_uniform(suv, grid, (x, y, z)) else None


def _coarse(suv: Volume, grid: Grid) -> tuple[Volume, Grid]:
    """Fewer voxels of at most 6.6 mm, enough to find room for a 30 mm sphere."""
    k, m, n = (max(1, int(COARSE_MM // step)) for step in grid.spacing)
    coarse = np.ascontiguousarray(suv[::k, ::m, ::n])
    dz, dy, dx = grid.spacing
    return coarse, replace(grid, shape=coarse.shape, spacing=(dz * k, dy * m, dx * n), planes=())


def _local(suv: Volume, grid: Grid) -> tuple[Volume, Volume]:
    """Mean and coefficient of variation in a cube of the sphere's size around each voxel.

    In place, so that a whole body takes two volumes and a passing third.
    """
    side = [max(3, 2 * round(LIVER_RADIUS_MM / step) + 1) for step in grid.spacing]
    mean = ndimage.uniform_filter(suv, side, mode="constant")
    variation = ndimage.uniform_filter(np.square(suv), side, mode="constant")
    variation -= np.square(mean)
    np.maximum(variation, 0, out=variation)
    np.sqrt(variation, out=variation)
    is_tissue = mean > LIVER_SUV[0] / 2
    np.divide(variation, mean, out=variation, where=is_tissue)
    variation[~is_tissue] = np.inf
    return mean, variation


def _right_and_middle(suv: Volume, grid: Grid) -> NDArray[np.bool_]:
    """Where the liver can be: patient's right of the body's middle, not near either end."""
    middle = _middle_of_body(suv, grid)
    ends = [_coordinate(grid, 2, plane) for plane in (0, len(suv) - 1)]
    bottom, top = float(np.min(ends)), float(np.max(ends))
    found = np.empty(suv.shape, bool)
    for k, plane in enumerate(found):
        height = (_coordinate(grid, 2, k) - bottom) / max(top - bottom, 1.0)
        plane[:] = (_coordinate(grid, 0, k) < middle) & (
            (height > LIVER_HEIGHT[0]) & (height < LIVER_HEIGHT[1])
        )
    return found


def _middle_of_body(suv: Volume, grid: Grid) -> float:
    """Mean of x in mm over the voxels of the body."""
    total, count = 0.0, 0
    for k, plane in enumerate(suv):
        warm = plane > BODY_SUV
        total += float(_coordinate(grid, 0, k)[warm].sum())
        count += int(np.count_nonzero(warm))
    return total / count


def _coordinate(grid: Grid, axis: int, plane: int) -> Floats:
    """One coordinate in mm (0 is x, 2 is z) of the voxels of a plane, shape (M, N)."""
    m, n = np.ogrid[: grid.shape[1], : grid.shape[2]]
    step = grid.steps[axis]
    return np.asarray(grid.origin[axis] + plane * step[0] + m * step[1] + n * step[2])


def _is_uniform(suv: Volume, grid: Grid, centre_mm: tuple[float, float, float]) -> bool:
    try:
        found = sphere(suv, grid=grid, centre_mm=centre_mm, radius_mm=LIVER_RADIUS_MM)
    except RegionError:
        return False
    return math.isfinite(found.cv) and found.cv <= LIVER_VARIATION
