"""Values of one image where another image has its voxels: CT beside PET, for the eye alone.

Numbers are never measured on what was interpolated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.geometry import Grid

Floats = NDArray[np.float64]


def sampled(
    values: NDArray[np.float32 | np.int16], *, grid: Grid, points_mm: Floats, outside: float
) -> NDArray[np.float32]:
    """Linear interpolation between the eight voxels around each point.

    Parameters
    ----------
    values : ndarray, shape (K, M, N)
        Of any unit.
    grid : Grid
        Of the values; its planes may be uneven.
    points_mm : ndarray, shape (..., 3)
        In mm in the patient's system (LPS), such as `voxel_to_patient` of another grid gives for a
        slice of it.
    outside : float
        What a point gets beyond the centres of the outermost voxels: for CT -1000, air.

    Returns
    -------
    ndarray, shape (...), float32

    Raises
    ------
    ValueError
        If grid and values do not have the same shape.
    """
    if values.shape != grid.shape:
        raise ValueError(f"values of shape {values.shape}, grid of shape {grid.shape}")
    places = np.moveaxis(grid.patient_to_voxel(points_mm), -1, 0)
    ends = np.reshape(np.array(grid.shape) - 1, (3,) + (1,) * (places.ndim - 1))
    # A centre on the border may lie a rounding beyond it.
    is_inside = np.all((places > -1e-6) & (places < ends + 1e-6), axis=0)
    found = ndimage.map_coordinates(
        values, np.clip(places, 0, ends), order=1, output=np.float32, prefilter=False
    )
    return np.where(is_inside, found, np.float32(outside))


def slice_points_mm(grid: Grid, axis: int, index: int) -> Floats:
    """Centres in mm of the voxels of a slice across an axis, shape (., ., 3).

    >>> grid = Grid(shape=(2, 3, 4), spacing=(3, 2, 1), origin=(0, 0, 5))
    >>> slice_points_mm(grid, axis=1, index=2)[1, 3].tolist()
    [3.0, 4.0, 8.0]
    """
    ranges = [np.arange(size) for size in grid.shape]
    ranges[axis] = np.array([index])
    places = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
    return grid.voxel_to_patient(places.take(0, axis=axis))
