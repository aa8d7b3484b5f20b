"""SUVpeak: the mean over one cubic centimetre, by three definitions.

    ibsi_global   over all voxels c of the lesion, the highest mean of all *image* voxels whose
                  centres lie within 6.2035 mm of the centre of c (IBSI loc_peak_glob)
    ibsi_local    the same mean around the voxel of SUVmax; of several, the highest
                  (IBSI loc_peak_loc)
    weighted      as ibsi_global, and a voxel on the border of the sphere counts with the part
                  of it that lies inside, told by 10 x 10 x 10 points (QIBA; Slicer's PET-IndiC)

A dozen definitions are in use, and they differ by up to 10 % on a small lesion in coarse PET,
so the name travels with the number. The sphere may leave the lesion. Where it leaves the image
the mean is over what lies inside, and the caller is told. Where voxels are larger than its radius
it has no neighbour to take in, and `coarse_words` says what SUVpeak then is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging import segmentation
from imaging.geometry import Grid
from imaging.segmentation import Indices, Volume

Floats = NDArray[np.float64]

# Of 1 cm3.
RADIUS_MM = 10 * (3 / (4 * math.pi)) ** (1 / 3)
# Points along each edge of a voxel that tell which part of it lies in the sphere.
_POINTS = 10
# Voxels gathered at a time: their values and indices stay in the cache, and numpy adds single to
# double precision through a buffer of just as many.
_CHUNK = 8192


class PeakDefinition(StrEnum):
    """What is called SUVpeak."""

    IBSI_GLOBAL = "ibsi_global"
    IBSI_LOCAL = "ibsi_local"
    WEIGHTED = "weighted"


def of_parameters(parameters: Mapping[str, Any]) -> PeakDefinition:
    """The definition that a method of segmentation names; IBSI's global one where it names none."""
    return PeakDefinition(parameters.get("peak", PeakDefinition.IBSI_GLOBAL))


@dataclass(frozen=True, slots=True)
class _Kernel:
    """Voxels of a sphere as (plane, row, column) from its centre, shape (S, 3), and their weights.

    `leaves` says that it reaches beyond the first or the last plane.
    """

    offsets: Indices
    weights: Floats
    leaves: bool = False


def sphere_means(
    suv: Volume,
    flat: Indices,
    *,
    grid: Grid,
    radius: float = RADIUS_MM,
    weighted: bool = False,
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
        In mm. Voxels belong whose centre is at most this far, or those of which a part is, if
        `weighted`.
    weighted : bool
        Whether a voxel counts with the part of it that lies inside.

    Returns
    -------
    means : ndarray, shape (V,), float64
        Over the voxels inside the image.
    cut : ndarray, shape (V,), bool
        Whether the sphere leaves the image.
    """
    if grid.planes:
        return _uneven_means(suv, flat, grid, radius, weighted=weighted)
    return _even_means(suv, flat, _even_kernel(grid, radius, weighted=weighted))


@lru_cache(maxsize=64)
def voxel_count(spacing: tuple[float, float, float], *, weighted: bool = False) -> int:
    """How many voxels the sphere of SUVpeak takes in, `weighted` those it cuts as well.

    `spacing` is (dz, dy, dx) in mm; of uneven planes their mean distance.

    >>> voxel_count((3.0, 4.0, 4.0))
    21
    >>> voxel_count((7.0, 7.0, 7.0))
    1
    """
    grid = Grid(shape=(1, 1, 1), spacing=spacing, origin=(0.0, 0.0, 0.0))
    return len(_even_kernel(grid, RADIUS_MM, weighted=weighted).offsets)


def coarse_words(spacing: tuple[float, float, float], *, weighted: bool = False) -> str:
    """What is to be said of SUVpeak where the sphere takes in no neighbour along an axis.

    Empty where it takes in one along each. `spacing` is (dz, dy, dx) in mm.

    >>> coarse_words((7.0, 8.0, 8.0))
    'Voxels of 7.00 × 8.00 × 8.00 mm against a radius of 6.20 mm: the sphere of SUVpeak holds 1 \
voxel, SUVpeak is SUVmax.'
    """
    reach = RADIUS_MM / np.asarray(spacing) + 0.5 * weighted
    if np.all(reach >= 1):
        return ""
    count = voxel_count(spacing, weighted=weighted)
    edges = " × ".join(f"{edge:.2f}" for edge in spacing)
    holds = "1 voxel, SUVpeak is SUVmax"
    if count > 1:
        names = zip(("planes", "rows", "columns"), reach, strict=True)
        across = " and ".join(name for name, far in names if far < 1)
        holds = f"{count} voxels, and no neighbour across the {across} of the image"
    return (
        f"Voxels of {edges} mm against a radius of {RADIUS_MM:.2f} mm: the sphere of SUVpeak holds "
        f"{holds}."
    )


def _even_kernel(grid: Grid, radius: float, *, weighted: bool) -> _Kernel:
    """The sphere among planes as far apart as the spacing says."""
    height = grid.spacing[0]
    reach = int(radius / height + 0.5 * weighted)
    distances = np.arange(-reach, reach + 1, dtype=np.float64) * height
    return _kernel(distances, np.full(distances.size, height), grid, radius, weighted=weighted)


def _uneven_means(
    suv: Volume, flat: Indices, grid: Grid, radius: float, *, weighted: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Plane by plane: the sphere around each plane reaches its neighbours where they are."""
    means, cut = np.empty(flat.size), np.zeros(flat.size, bool)
    of_plane = flat // (suv.shape[1] * suv.shape[2])
    for plane in np.unique(of_plane):
        here = of_plane == plane
        distances = grid.along - grid.along[plane]
        kernel = _kernel(distances, grid.heights, grid, radius, weighted=weighted, of=int(plane))
        means[here], cut[here] = _even_means(suv, flat[here], kernel)
        cut[here] |= kernel.leaves
    return means, cut


def _kernel(
    distances: Floats,
    heights: Floats,
    grid: Grid,
    radius: float,
    *,
    weighted: bool,
    of: int | None = None,
) -> _Kernel:
    """The sphere around a plane; of planes this far from it, each as high as told.

    `of` is the number of the plane in the middle, else the middle one of an even stack.
    """
    middle = len(distances) // 2 if of is None else of
    rows, columns = (
        np.arange(-reach, reach + 1)
        for reach in (int(radius / step + 0.5 * weighted) for step in grid.spacing[1:])
    )
    k, m, n = np.meshgrid(np.arange(len(distances)), rows, columns, indexing="ij")
    if weighted:
        part = _parts(distances, heights, rows, columns, grid.spacing, radius)
    else:
        along, row, column = distances[k], m * grid.spacing[1], n * grid.spacing[2]
        part = (along**2 + row**2 + column**2 <= radius**2).astype(np.float64)
    inside = part > 0
    offsets = np.stack([k[inside] - middle, m[inside], n[inside]], axis=1).astype(np.int64)
    if of is None:
        return _Kernel(offsets, part[inside])
    first, last = distances[0] - heights[0], distances[-1] + heights[-1]
    return _Kernel(offsets, part[inside], leaves=bool(first >= -radius or last <= radius))


def _parts(
    distances: Floats,
    heights: Floats,
    rows: Indices,
    columns: Indices,
    spacing: tuple[float, float, float],
    radius: float,
) -> Floats:
    """Part of each voxel inside the sphere, shape (K, M, N); a higher plane counts for more."""
    points = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    along = (distances[:, None] + points * heights[:, None]) ** 2
    row = ((rows[:, None] + points) * spacing[1]) ** 2
    column = ((columns[:, None] + points) * spacing[2]) ** 2
    parts = np.zeros((len(distances), len(rows), len(columns)))
    for plane, squares in enumerate(along):
        left = radius**2 - squares[:, None, None, None, None]
        if left.max() >= 0:
            inside = row[:, :, None, None] + column <= left
            parts[plane] = inside.mean(axis=(0, 2, 4)) * heights[plane] / spacing[0]
    return parts


def _even_means(suv: Volume, flat: Indices, kernel: _Kernel) -> tuple[Floats, NDArray[np.bool_]]:
    strides = np.array([suv.shape[1] * suv.shape[2], suv.shape[2], 1])
    places = segmentation.places(flat, suv.shape)
    low, high = kernel.offsets.min(axis=0), kernel.offsets.max(axis=0)
    cut = np.zeros(flat.size, bool)
    for at, first, last, size in zip(places, low, high, suv.shape, strict=True):
        # Most lesions lie well inside: to see that of all of them costs less than of each voxel.
        if flat.size and (at.min() < -first or at.max() >= size - last):
            cut |= (at < -first) | (at >= size - last)
    steps = kernel.offsets @ strides
    if not cut.any():
        return _means_inside(suv.ravel(), flat, kernel, steps), cut
    means = np.empty(flat.size)
    means[~cut] = _means_inside(suv.ravel(), flat[~cut], kernel, steps)
    means[cut], cut[cut] = _means_at_border(suv, places[:, cut].T, kernel)
    return means, cut


def _means_inside(values: Volume, flat: Indices, kernel: _Kernel, steps: Indices) -> Floats:
    means = np.zeros(flat.size)
    taken, wide = np.empty(_CHUNK, values.dtype), np.empty(_CHUNK)
    # The volume is moved on below the voxels, once for each step, and not each of them.
    first = steps.min()
    moved, of_first = [values[step - first :] for step in steps], flat + first
    for start in range(0, flat.size, _CHUNK):
        index, total = of_first[start : start + _CHUNK], means[start : start + _CHUNK]
        single, double = taken[: index.size], wide[: index.size]
        for there, weight in zip(moved, kernel.weights, strict=True):
            # No index is outside; told so, numpy needs no buffer of its own.
            there.take(index, out=single, mode="clip")
            # Converted first: to add single to double precision takes longer.
            double[:] = single
            if weight != 1:
                double *= weight
            total += double
    return means / kernel.weights.sum()


def _means_at_border(
    suv: Volume, places: Indices, kernel: _Kernel
) -> tuple[Floats, NDArray[np.bool_]]:
    total, weight = np.zeros(len(places)), np.zeros(len(places))
    left = np.zeros(len(places), bool)
    for offset, one in zip(kernel.offsets, kernel.weights, strict=True):
        there = places + offset
        inside = np.all((there >= 0) & (there < np.array(suv.shape)), axis=1)
        total[inside] += one * suv[tuple(there[inside].T)]
        weight[inside] += one
        left |= ~inside
    return total / np.where(weight > 0, weight, 1.0), left
