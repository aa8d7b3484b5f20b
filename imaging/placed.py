"""Regions in a shape that a reader places by hand: a box or an ellipsoid, and what is hot in it.

A voxel belongs where its centre lies in the shape and, if a threshold is stated, its SUV is at
least that. All of them belong, also where they hang together nowhere: the shape is what the reader
says to be one lesion. The axes are those of the image (planes, rows, columns).

The mistake to fear is a shape that reaches into an organ beside the lesion: its maximum is then
the organ's, and a part of it leaves the lesion out. So SUVmax and its place are shown before a
region is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.geometry import Grid
from imaging.seeded import Grown, Place
from imaging.segmentation import SegmentationError, Volume

ELLIPSOID = "ellipsoid"
BOX = "box"
SHAPES = (ELLIPSOID, BOX)

Size = tuple[float, float, float]


def in_shape(
    suv: Volume,
    centre: Place,
    *,
    grid: Grid,
    shape: str,
    size_mm: Size,
    inside: Mapping[str, Any],
    largest_ml: float,
) -> Grown:
    """The voxels of a shape around a voxel, all or those that reach a threshold.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL, C-contiguous.
    centre : (int, int, int)
        (plane, row, column) of the middle.
    grid : Grid
        Of the volume; uneven planes count where they are.
    shape : str
        "ellipsoid", of which a sphere is one, or "box".
    size_mm : (float, float, float)
        Whole extent in mm along planes, rows and columns (k, m, n).
    inside : mapping
        `method` "everything"; "threshold" with `suv` in g/mL; or "part_of_maximum" with `part` of
        the highest SUV in the shape.
    largest_ml : float
        Largest volume in mL that can be a lesion.

    Returns
    -------
    Grown
        `threshold` is the lowest SUV that belongs: of "everything" the lowest there is.

    Raises
    ------
    SegmentationError
        "seed-outside", "shape-invalid", "threshold-invalid", "method-unknown"; "shape-too-large"
        for one that holds more than `largest_ml`; "shape-empty" where nothing in it belongs.
    """
    if not all(0 <= at < count for at, count in zip(centre, grid.shape, strict=True)):
        raise SegmentationError("seed-outside", "This place lies outside the image.")
    places = _places(centre, grid, shape, size_mm, largest_ml=largest_ml)
    if places[0].size and grid.volume_ml(places[0]) > largest_ml:
        raise _too_large(largest_ml)
    flat = np.asarray(np.ravel_multi_index(places, suv.shape), dtype=np.int64)
    values = suv.ravel()[flat]
    if values.size:
        threshold = _threshold(values, inside)
        belongs = values >= np.float32(threshold)
        flat, values = flat[belongs], values[belongs]
    if not values.size:
        raise SegmentationError(
            "shape-empty",
            "No voxel in the shape belongs to the region: it is smaller than a voxel, or nothing "
            "in it reaches the threshold. Move it, or state a larger size.",
        )
    return Grown(flat, threshold, centre)


def _too_large(largest_ml: float) -> SegmentationError:
    return SegmentationError(
        "shape-too-large", f"The shape holds more than {largest_ml:g} mL. State a smaller size."
    )


def _places(
    centre: Place, grid: Grid, shape: str, size_mm: Size, *, largest_ml: float
) -> tuple[NDArray[np.int64], ...]:
    """Planes, rows and columns of the voxels whose centres lie in the shape."""
    if shape not in SHAPES or not all(math.isfinite(one) and one > 0 for one in size_mm):
        raise SegmentationError(
            "shape-invalid",
            f"A shape is one of {', '.join(SHAPES)}, of three sizes above 0 mm.",
        )
    along = grid.along
    from_centre = (
        along - along[centre[0]],
        (np.arange(grid.shape[1]) - centre[1]) * grid.spacing[1],
        (np.arange(grid.shape[2]) - centre[2]) * grid.spacing[2],
    )
    # In half sizes: 1 is the border. A billionth of slack, for sizes are decimals.
    parts = [np.abs(at) / (one / 2) for at, one in zip(from_centre, size_mm, strict=True)]
    within = [np.flatnonzero(part <= 1 + 1e-9) for part in parts]
    # An ellipsoid is half of its box, so this is none of those allowed: asked before the box
    # takes memory, which for a whole body is gigabytes.
    if grid.volume_ml(within[0]) * within[1].size * within[2].size > 2 * largest_ml:
        raise _too_large(largest_ml)
    k, m, n = np.ix_(*(part[at] for part, at in zip(parts, within, strict=True)))
    distance = np.maximum(np.maximum(k, m), n) if shape == BOX else np.sqrt(k**2 + m**2 + n**2)
    found = np.nonzero(distance <= 1 + 1e-9)
    return tuple(at[one] for at, one in zip(within, found, strict=True))


def _threshold(values: NDArray[np.float32], inside: Mapping[str, Any]) -> float:
    """The SUV that belongs; the product of a maximum stays at or under the maximum itself."""
    method = inside["method"]
    if method == "everything":
        return float(values.min())
    if method == "threshold" and inside["suv"] > 0:
        return float(inside["suv"])
    if method == "part_of_maximum" and 0 < inside["part"] <= 1 and values.max() > 0:
        return float(min(inside["part"] * float(values.max()), float(values.max())))
    if method in ("threshold", "part_of_maximum"):
        raise SegmentationError(
            "threshold-invalid",
            f"The threshold in the shape must be a positive SUV or a part of a positive maximum, "
            f"got {dict(inside)}.",
        )
    raise SegmentationError("method-unknown", f"No region is placed by {method!r}.")
