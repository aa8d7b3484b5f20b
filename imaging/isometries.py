"""Shifts, rotations and mirrors: motions that keep distances, and voxels carried along.

    y = R x + t

x and y in mm in the patient's system (LPS). A mirror has det R = -1, all else +1. A mirror is
its own inverse; that of another motion is x = R^T (y - t).

The mistake to fear is a region carried voxel by voxel: where the grids do not fall together it
has holes. So each voxel of the target is asked where it came from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.geometry import Grid
from imaging.segmentation import Indices

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]

# Voxels asked at a time.
_BLOCK = 1 << 18
# How far R^T R may be from one: matrices are written with six digits or so.
ORTHONORMAL = 1e-5


class IsometryError(ValueError):
    """A matrix that stretches, or a mirror without a plane."""


@dataclass(frozen=True, slots=True)
class Isometry:
    """A motion: `matrix` R as rows, `offset_mm` t.

    Raises
    ------
    IsometryError
        If a number is not finite or R stretches.
    """

    matrix: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    offset_mm: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        rows, offset = np.asarray(self.matrix, float), np.asarray(self.offset_mm, float)
        if rows.shape != (3, 3) or offset.shape != (3,):
            raise IsometryError("A motion needs a 3 × 3 matrix and an offset in three directions.")
        if not (np.isfinite(rows).all() and np.isfinite(offset).all()):
            raise IsometryError("A motion needs finite numbers.")
        if np.abs(rows.T @ rows - np.eye(3)).max() > ORTHONORMAL:
            raise IsometryError(
                "The matrix stretches: its columns are not unit vectors at right angles."
            )

    @property
    def is_mirror(self) -> bool:
        """Whether left and right change places."""
        return bool(np.linalg.det(np.asarray(self.matrix)) < 0)

    def __call__(self, points: ArrayLike) -> Floats:
        """Points (..., 3) in mm after the motion.

        >>> shift((0.0, 0.0, 5.0))((1.0, 2.0, 3.0))
        array([1., 2., 8.])
        """
        moved = np.asarray(points, dtype=np.float64) @ np.asarray(self.matrix).T
        return np.asarray(moved + np.asarray(self.offset_mm))

    @property
    def inverse(self) -> Self:
        """The motion back."""
        back = np.asarray(self.matrix).T
        return type(self)(_rows(back), _vector(-back @ np.asarray(self.offset_mm)))


def shift(offset_mm: Vector) -> Isometry:
    """A motion by an offset in mm."""
    return Isometry(offset_mm=offset_mm)


def mirror(*, point_mm: Vector, normal: Vector) -> Isometry:
    """The mirror whose plane goes through a point in mm, at right angles to a direction.

        R = 1 - 2 n n^T,  t = 2 (n . p) n

    Raises
    ------
    IsometryError
        If the direction has no length.

    >>> mirror(point_mm=(10.0, 0.0, 0.0), normal=(2.0, 0.0, 0.0))((13.0, 5.0, 7.0))
    array([7., 5., 7.])
    """
    length = float(np.linalg.norm(normal))
    if not (np.isfinite(length) and length > 0):
        raise IsometryError("The normal of a mirror plane must have a length.")
    unit = np.asarray(normal, float) / length
    offset = 2 * float(unit @ np.asarray(point_mm, float)) * unit
    return Isometry(_rows(np.eye(3) - 2 * np.outer(unit, unit)), _vector(offset))


def _rows(matrix: Floats) -> tuple[Vector, Vector, Vector]:
    first, second, third = (_vector(row) for row in matrix)
    return first, second, third


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


@dataclass(frozen=True, slots=True)
class CarriedVoxels:
    """Voxels of the target grid, ascending indices; `leaves_image` where not all is in it."""

    flat: Indices
    leaves_image: bool


def carried(flat: Indices, *, source: Grid, target: Grid, motion: Isometry) -> CarriedVoxels:
    """The voxels of a grid whose centres come from a region of another.

    Parameters
    ----------
    flat : ndarray, shape (V,), int64
        Region, indices into the raveled source volume.
    source, target : Grid
        Of the region and of the answer; they may be the same.
    motion : Isometry
        From the source to the target.
    """
    if flat.size == 0:
        return CarriedVoxels(flat.copy(), False)
    places = np.stack(np.unravel_index(flat, source.shape), axis=1)
    corner = places.min(axis=0)
    region = np.zeros(np.ptp(places, axis=0) + 1, bool)
    region[tuple((places - corner).T)] = True
    there = target.patient_to_voxel(motion(source.voxel_to_patient(places)))
    found = [
        _that_came_from(region, corner, source, target, motion.inverse, axes)
        for axes in _boxes(there, source, target)
    ]
    leaves = np.any(there < -0.5) or np.any(there > np.asarray(target.shape) - 0.5)
    return CarriedVoxels(np.concatenate([flat[:0], *found]), bool(leaves))


def _boxes(there: Floats, source: Grid, target: Grid) -> Iterator[list[NDArray[np.int64]]]:
    """Planes, rows and columns of the target around the places of a region, in blocks.

    The box around marrow would be the whole volume; around some planes of it, it is small.
    """
    # Half a source voxel in any direction, and one voxel of the target for rounding.
    reach = np.linalg.norm(source.spacing) / 2 / np.asarray(target.spacing) + 1
    whole = [_span(there[:, axis], reach[axis], target.shape[axis]) for axis in range(3)]
    size = math.prod(axis.size for axis in whole)
    for planes in np.array_split(whole[0], size // _BLOCK + 1):
        if planes.size == 0:
            continue
        is_near = (there[:, 0] >= planes[0] - reach[0]) & (there[:, 0] <= planes[-1] + reach[0])
        near = there[is_near]
        if len(near):
            sides = [_span(near[:, axis], reach[axis], target.shape[axis]) for axis in (1, 2)]
            yield [planes, *sides]


def _span(places: Floats, reach: float, size: int) -> NDArray[np.int64]:
    """The voxels along one axis that are at most `reach` from any place."""
    low, high = math.floor(places.min() - reach), math.ceil(places.max() + reach)
    return np.arange(max(low, 0), min(high, size - 1) + 1)


def _that_came_from(
    region: NDArray[np.bool_],
    corner: Indices,
    source: Grid,
    target: Grid,
    back: Isometry,
    axes: list[NDArray[np.int64]],
) -> Indices:
    """Of a box of the target's voxels those that the motion back puts into the region.

    `region` is its bounding box in the source volume, `corner` the first voxel of that.
    """
    box = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    origins = source.patient_to_voxel(back(target.voxel_to_patient(box)))
    nearest = np.floor(origins + 0.5).astype(np.int64) - corner
    inside = np.flatnonzero(np.all((nearest >= 0) & (nearest < region.shape), axis=1))
    found = box[inside[region[tuple(nearest[inside].T)]]]
    return np.asarray(np.ravel_multi_index(tuple(found.T), target.shape), dtype=np.int64)
