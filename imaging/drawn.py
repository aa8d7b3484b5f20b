"""Regions that a reader draws by hand: closed contours on the slices that the scanner made.

A voxel belongs where its centre lies inside an odd number of the contours of its slice, as in a
structure set that comes from another program (`imaging.contours`). Contours are kept as places in
the patient (LPS, mm), so that they are found again on the same images however these are counted.

The mistake to fear is a contour that crosses itself: by the odd-even rule what it encloses twice
is left out, which nobody drew. So one that does is refused; a contour within another is a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging import contours as contouring
from imaging.contours import FEWEST_POINTS, Floats, RegionError
from imaging.geometry import Grid
from imaging.pictures import patient_axes
from imaging.seeded import Grown, Place
from imaging.segmentation import Indices, SegmentationError, Volume
from imaging.slices import Plane, index_of, picture_size

# More than a hand draws: the border of a litre, voxel by voxel.
MOST_POINTS = 20_000
MOST_IN_A_SLICE = 4_000
# Edges that are held against all others of their slice at a time, so that memory stays small.
_EDGES = 256
_WORDS = {
    "contours-outside": "A contour lies outside the images: draw on the slice itself.",
    "contours-off-plane": "A contour does not lie in one of the planes of these images: draw the "
    "region on their own slices.",
}


@dataclass(frozen=True, slots=True)
class Paper:
    """The slices that are drawn on: the plane of the scanner, as the reader sees it.

    `size` are width and height of a slice in pixels of its picture, `voxels` its columns and rows.
    The corner of voxels (column x, row y) of slice i lies at `corners[i] + x * right + y * down`,
    in mm (LPS).
    """

    plane: Plane
    size: tuple[int, int]
    voxels: tuple[int, int]
    corners: list[list[float]]
    right: list[float]
    down: list[float]


def paper(grid: Grid) -> Paper:
    """The slices of a volume that contours can be drawn on.

    >>> paper(Grid(shape=(2, 3, 4), spacing=(3, 2, 1), origin=(0, 0, 5))).corners
    [[-0.5, -1.0, 5.0], [-0.5, -1.0, 8.0]]

    Raises
    ------
    PictureError
        If the volume lies askew in the patient.
    """
    axes, back = patient_axes(grid)
    plane = list(Plane)[axes.index(0)]
    size = [grid.shape[axis] for axis in axes]
    # Slices are seen with the head up, which is against the count of voxels.
    up = [axis == 0 and plane.shown[0] == 0 for axis in range(3)]
    corner = np.array([size[i] - 0.5 if up[i] else -0.5 for i in range(3)])
    places = np.tile(corner, (size[plane.fixed], 1))
    places[:, plane.fixed] = np.arange(size[plane.fixed])
    voxels = np.empty_like(places)
    for i, axis in enumerate(axes):
        voxels[:, axis] = size[i] - 1 - places[:, i] if back[i] else places[:, i]
    down, right = (
        grid.steps[:, axes[i]] * (-1.0 if back[i] != up[i] else 1.0) for i in plane.shown
    )
    return Paper(
        plane,
        picture_size(grid, plane),
        (size[plane.shown[1]], size[plane.shown[0]]),
        grid.voxel_to_patient(voxels).tolist(),
        right.tolist(),
        down.tolist(),
    )


def in_contours(
    suv: Volume, outlines: Sequence[Sequence[Sequence[float]]], *, grid: Grid, largest_ml: float
) -> Grown:
    """The voxels that contours enclose; `seed` is the hottest of them.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL, C-contiguous.
    outlines : sequence of sequences of (x, y, z)
        Closed contours in mm (LPS), each in one plane of the grid; the last point is joined to
        the first.
    grid : Grid
        Of the volume.
    largest_ml : float
        Largest volume in mL that can be a lesion.

    Returns
    -------
    Grown
        `threshold` is the lowest SUV that belongs.

    Raises
    ------
    SegmentationError
        "contours-invalid", "too-many-points", "contours-off-plane", "contours-outside",
        "contours-cross"; "drawing-empty" where no voxel belongs; "drawing-too-large" for more than
        `largest_ml`.
    """
    flat = _voxels(by_plane(outlines, grid), grid)
    if not flat.size:
        raise SegmentationError(
            "drawing-empty",
            "The contours enclose the centre of no voxel: draw around one at least.",
        )
    if grid.volume_ml(flat // (grid.shape[1] * grid.shape[2])) > largest_ml:
        raise SegmentationError(
            "drawing-too-large",
            f"The contours enclose more than {largest_ml:g} mL, which is no lesion. Draw around "
            "the lesion alone.",
        )
    values = suv.ravel()[flat]
    plane, row, column = np.unravel_index(flat[int(values.argmax())], suv.shape)
    return Grown(flat, float(values.min()), (int(plane), int(row), int(column)))


def slices_of(outlines: Sequence[Sequence[Sequence[float]]], grid: Grid) -> list[int]:
    """The numbers of the slices that contours lie on, as a reader counts them, from 1."""
    plane = paper(grid).plane
    places: list[Place] = [(at, 0, 0) for at in by_plane(outlines, grid)]
    return sorted(index_of(grid, plane, one) + 1 for one in places)


def by_plane(outlines: Sequence[Sequence[Sequence[float]]], grid: Grid) -> dict[int, list[Floats]]:
    """Contours by their plane, as fractional rows and columns (P, 2); raises as `in_contours`."""
    if sum(map(len, outlines)) > MOST_POINTS:
        raise SegmentationError(
            "too-many-points",
            f"A region is drawn with {MOST_POINTS:,} points at most. Draw a smaller one.",
        )
    found: dict[int, list[Floats]] = {}
    for points in map(_points, outlines):
        try:
            plane, outline = contouring.on_plane(points, grid)
        except RegionError as error:
            raise SegmentationError(error.code, _WORDS[error.code]) from error
        found.setdefault(plane, []).append(outline)
    for outlined in found.values():
        _require_uncrossed(outlined)
    return found


def _points(outline: Sequence[Sequence[float]]) -> Floats:
    try:
        points = np.asarray(outline, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        # Ragged places, or numbers beyond any length.
        raise _damaged() from error
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < FEWEST_POINTS:
        raise _damaged()
    if not np.isfinite(points).all():
        raise _damaged()
    return points


def _damaged() -> SegmentationError:
    return SegmentationError(
        "contours-invalid", "A contour is a list of three or more places, each x, y and z in mm."
    )


def _voxels(planes: dict[int, list[Floats]], grid: Grid) -> Indices:
    """Ascending flat indices of what contours enclose, each plane cut to what they span."""
    rows, columns = grid.shape[1:]
    found = [np.empty(0, np.int64)]
    for plane, outlines in sorted(planes.items()):
        corners = np.concatenate(outlines)
        first = np.maximum(np.floor(corners.min(axis=0)), 0).astype(np.int64)
        last = np.minimum(np.ceil(corners.max(axis=0)) + 1, grid.shape[1:]).astype(np.int64)
        height, width = (last - first).tolist()
        inside = contouring.inside([one - first for one in outlines], (height, width))
        row, column = np.nonzero(inside)
        found.append((plane * rows + row + first[0]) * columns + column + first[1])
    return np.concatenate(found)


def _require_uncrossed(outlines: Sequence[Floats]) -> None:
    """Refuse contours of a slice where two edges cross; that they touch is no crossing."""
    begin = np.concatenate(outlines)
    if len(begin) > MOST_IN_A_SLICE:
        raise SegmentationError(
            "too-many-points",
            f"A slice holds {MOST_IN_A_SLICE:,} points at most. Draw a smaller region.",
        )
    end = np.concatenate([np.roll(one, -1, axis=0) for one in outlines])
    for start in range(0, len(begin), _EDGES):
        part = slice(start, start + _EDGES)
        if _crosses(begin[part, None], end[part, None], begin, end).any():
            raise SegmentationError(
                "contours-cross",
                "A contour crosses itself or another one of its slice, so that it is not clear "
                "what it encloses. Draw it again without a crossing.",
            )


def _crosses(a: Floats, b: Floats, c: Floats, d: Floats) -> NDArray[np.bool_]:
    """Whether a to b and c to d have a point in common that is an end of neither."""
    is_parted = _side(a, b, c) * _side(a, b, d) < 0
    return np.asarray(is_parted & (_side(c, d, a) * _side(c, d, b) < 0))


def _side(a: Floats, b: Floats, point: Floats) -> Floats:
    """1, 0 or -1: on which side of the line from a to b a point lies, or on it."""
    ahead, aside = b - a, point - a
    cross = ahead[..., 0] * aside[..., 1] - ahead[..., 1] * aside[..., 0]
    # Places are written with two decimals: what lies closer than that to the line is on it.
    return np.asarray(np.sign(np.where(np.abs(cross) < 1e-6, 0.0, cross)))
