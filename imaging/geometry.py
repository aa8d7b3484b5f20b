"""Where the voxels of a series are in the patient.

    x = origin + k dz normal + m dy column + n dx row

Planes k, rows m, columns n; x in mm in DICOM's patient system (left, posterior, superior).
`row` and `column` are the direction cosines *along* a row and *along* a column, so the row
index m moves along `column`.

The mistake to fear is a stack that looks whole: sorted by Instance Number, with a bed
missing, or with two time frames on top of each other. Slices are sorted by their projection
on the slice normal, and anything that is not one slice per place is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imaging.headers import PetHeader, SliceHeader

Floats = NDArray[np.float64]

# Direction cosines are written with six digits or so.
COSINE_TOLERANCE = 1e-4
# Rounding of positions in real files; a tilted gantry shifts slices by millimetres.
SHEAR_MM = 0.1
DUPLICATE_MM = 0.01
# A real whole-body GE series steps 3.19 to 3.29 mm with 3.27 mm nominal: flagged, not refused.
EVEN = 0.01
# Grids whose voxels lie no farther apart have the same voxels.
SAME_MM = 0.1
UNEVEN = 0.05
GAP = 1.5
LARGEST_STEP_MM = 100.0
FARTHEST_MM = 1e5

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "single-slice": "The series has one slice; its thickness stands in for the spacing.",
        "slice-spacing-varies": "The distance between slices varies by up to 5 %; each plane "
        "counts with its true place and height.",
    }
)


class GeometryError(ValueError):
    """Slices that are not one regular volume; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A regular grid of voxels.

    `shape` is (K, M, N): planes, rows, columns. `spacing` is (dz, dy, dx) in mm. `origin` is
    the centre of voxel (0, 0, 0) in mm, `row` and `column` are unit vectors. `planes` are the
    true places of uneven planes along the normal, in mm from the first; empty where they are
    even. `flags` says
    what was tolerated: "slice-spacing-varies", "single-slice".
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    row: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column: tuple[float, float, float] = (0.0, 1.0, 0.0)
    flags: tuple[str, ...] = ()
    planes: tuple[float, ...] = ()

    @property
    def along(self) -> Floats:
        """Places of the planes along the normal in mm from the first, shape (K,)."""
        if self.planes:
            return np.asarray(self.planes, dtype=np.float64)
        return np.arange(self.shape[0], dtype=np.float64) * self.spacing[0]

    @property
    def heights(self) -> Floats:
        """Height in mm that each plane stands for, shape (K,): half way to its neighbours.

        >>> Grid(shape=(3, 1, 1), spacing=(3, 1, 1), origin=(0, 0, 0), planes=(0, 2, 6)).heights
        array([2., 3., 4.])
        """
        if not self.planes:
            return np.full(self.shape[0], self.spacing[0], dtype=np.float64)
        steps = np.diff(self.along)
        return np.asarray((np.append(steps[:1], steps) + np.append(steps, steps[-1:])) / 2)

    def volume_ml(self, planes: ArrayLike) -> float:
        """Volume in mL of voxels by the planes they lie in, each with its own height."""
        if not self.planes:
            return np.size(planes) * self.voxel_volume_ml
        counts = np.bincount(np.asarray(planes, dtype=np.int64), minlength=self.shape[0])
        return float(counts @ self.heights) * self.spacing[1] * self.spacing[2] / 1000.0

    @property
    def normal(self) -> Floats:
        """Unit vector from plane k to plane k + 1."""
        return np.asarray(np.cross(self.row, self.column), dtype=np.float64)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel in mL."""
        return math.prod(self.spacing) / 1000.0

    def is_same(self, other: Grid) -> bool:
        """Whether each voxel lies where that of the other grid does, within `SAME_MM`.

        >>> grid = Grid(shape=(2, 2, 2), spacing=(3, 2, 2), origin=(0, 0, 5))
        >>> grid.is_same(Grid(shape=(2, 2, 2), spacing=(3, 2, 2), origin=(0, 0, 5.2)))
        False
        """
        if self.shape != other.shape:
            return False
        corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.asarray(self.shape) - 1)
        apart = self.voxel_to_patient(corners) - other.voxel_to_patient(corners)
        # Between the corners uneven planes may still lie apart.
        aside = self.along - other.along
        return bool(np.abs(apart).max() <= SAME_MM and np.abs(aside).max() <= SAME_MM)

    @property
    def steps(self) -> Floats:
        """Matrix (3, 3) whose columns are the steps in mm of k, m and n."""
        directions = np.stack([self.normal, np.asarray(self.column), np.asarray(self.row)], axis=1)
        return np.asarray(directions * np.asarray(self.spacing), dtype=np.float64)

    def voxel_to_patient(self, index: ArrayLike) -> Floats:
        """Patient coordinates in mm, (..., 3), of voxel indices (..., 3) as (k, m, n).

        >>> Grid(shape=(2, 2, 2), spacing=(3, 2, 1), origin=(0, 0, 5)).voxel_to_patient((1, 1, 1))
        array([1., 2., 8.])
        """
        places = np.array(index, dtype=np.float64)
        if self.planes:
            # In planes of the mean distance, as the matrix of the steps counts them.
            places[..., 0] = _interpolated(places[..., 0], self._counts, self.along)
            places[..., 0] /= self.spacing[0]
        return np.asarray(places @ self.steps.T + np.asarray(self.origin))

    def patient_to_voxel(self, point: ArrayLike) -> Floats:
        """Fractional voxel indices (..., 3) of points (..., 3) in mm."""
        offset = np.asarray(point, dtype=np.float64) - np.asarray(self.origin)
        places = np.asarray(offset @ np.linalg.inv(self.steps).T)
        if self.planes:
            along = places[..., 0] * self.spacing[0]
            places[..., 0] = _interpolated(along, self.along, self._counts)
        return places

    @property
    def _counts(self) -> Floats:
        return np.arange(self.shape[0], dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        """The grid as JSON values."""
        return {name: list(part) for name, part in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The grid that `to_json` wrote."""
        return cls(**{name: tuple(part) for name, part in value.items()})


def _interpolated(at: Floats, known: Floats, values: Floats) -> Floats:
    """Linear between what is known, and on along the first and last step beyond it."""
    inner = np.interp(at, known, values)
    first = (values[1] - values[0]) / (known[1] - known[0])
    last = (values[-1] - values[-2]) / (known[-1] - known[-2])
    below = values[0] + (at - known[0]) * first
    above = values[-1] + (at - known[-1]) * last
    return np.asarray(np.where(at < known[0], below, np.where(at > known[-1], above, inner)))


@dataclass(frozen=True, slots=True)
class Stack:
    """A grid, and for each of its planes the number of the slice that lies there."""

    grid: Grid
    order: tuple[int, ...]


def stack_from_headers(headers: Sequence[SliceHeader]) -> Stack:
    """Grid and order of the slices of one series.

    Raises
    ------
    GeometryError
        "place-missing", "mixed-matrix", "mixed-spacing", and as `grid_from_positions`.
    """
    if not headers:
        raise GeometryError("no-slices", "There is no slice to build a volume from.")
    positions = [header.position for header in headers if header.position is not None]
    orientations = [header.orientation for header in headers if header.orientation is not None]
    spacings = [header.pixel_spacing for header in headers if header.pixel_spacing is not None]
    if not len(positions) == len(orientations) == len(spacings) == len(headers):
        raise GeometryError(
            "place-missing",
            "Image Position, Image Orientation or Pixel Spacing is missing on a slice.",
        )
    return grid_from_positions(
        positions,
        orientation=_common_orientation(orientations),
        pixel_spacing=_common_spacing(spacings),
        matrix=_common_matrix(headers),
        slice_thickness=headers[0].slice_thickness,
    )


def grid_from_positions(
    positions: ArrayLike,
    *,
    orientation: ArrayLike,
    pixel_spacing: tuple[float, float],
    matrix: tuple[int, int],
    slice_thickness: float | None = None,
) -> Stack:
    """Grid of parallel slices, in whatever order their positions come.

    Parameters
    ----------
    positions : array_like, shape (K, 3)
        Image Position (Patient) (0020,0032) in mm.
    orientation : array_like, shape (6,)
        Image Orientation (Patient) (0020,0037).
    pixel_spacing : (float, float)
        Pixel Spacing (0028,0030) in mm: between rows, between columns.
    matrix : (int, int)
        Rows and columns.
    slice_thickness : float, optional
        Slice Thickness (0018,0050) in mm, the only height a single slice has.

    Returns
    -------
    Stack
        Planes in ascending order along the slice normal.

    Raises
    ------
    GeometryError
        "orientation-invalid", "spacing-invalid", "place-invalid", "duplicate-positions",
        "missing-slices", "uneven-spacing", "sheared", "single-slice-without-thickness".
    """
    row, column = _axes(orientation)
    points = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    _require_human_size(points, (*pixel_spacing, slice_thickness or 1.0))
    along = points @ np.cross(row, column)
    order = np.argsort(along, kind="stable")
    step, flags = _step(along[order], slice_thickness)
    _require_one_axis(points - np.outer(along, np.cross(row, column)))
    return Stack(
        Grid(
            shape=(len(points), *matrix),
            spacing=(step, float(pixel_spacing[0]), float(pixel_spacing[1])),
            origin=_triple(points[order[0]]),
            row=_triple(row),
            column=_triple(column),
            flags=flags,
            planes=_planes(along[order]) if flags == ("slice-spacing-varies",) else (),
        ),
        tuple(int(i) for i in order),
    )


def _planes(along: Floats) -> tuple[float, ...]:
    return tuple(float(place - along[0]) for place in along)


def announced_slices(headers: Sequence[SliceHeader]) -> int | None:
    """Number of Slices (0054,0081) of a PET series, which counts those that did not arrive."""
    first = headers[0]
    return first.number_of_slices if isinstance(first, PetHeader) else None


def _axes(orientation: ArrayLike) -> tuple[Floats, Floats]:
    cosines = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    # Adding zero turns the -0.0 of real files into 0.0.
    row, column = cosines[0] + 0.0, cosines[1] + 0.0
    lengths = np.linalg.norm(cosines, axis=1)
    if np.any(np.abs(lengths - 1) > 1e-3) or abs(float(row @ column)) > 1e-3:
        raise GeometryError(
            "orientation-invalid",
            f"Image Orientation must be two unit vectors at right angles, got {cosines.tolist()}.",
        )
    return row / lengths[0], column / lengths[1]


def _require_human_size(points: Floats, sizes: tuple[float, ...]) -> None:
    if min(sizes) <= 0 or max(sizes) > LARGEST_STEP_MM:
        raise GeometryError(
            "spacing-invalid",
            f"Pixel Spacing and Slice Thickness must be above 0 and at most {LARGEST_STEP_MM:g} "
            f"mm, got {', '.join(f'{size:g}' for size in sizes)}.",
        )
    if not np.all(np.abs(points) <= FARTHEST_MM):
        raise GeometryError(
            "place-invalid", f"Image Position is more than {FARTHEST_MM / 1000:g} m away."
        )


def _step(along: Floats, slice_thickness: float | None) -> tuple[float, tuple[str, ...]]:
    """Mean distance of sorted planes in mm, and flags."""
    if along.size == 1:
        if not slice_thickness:
            raise GeometryError(
                "single-slice-without-thickness", "A single slice without Slice Thickness."
            )
        return float(slice_thickness), ("single-slice",)
    steps = np.diff(along)
    _require_regular(steps)
    step = float(steps.mean())
    varies = bool(np.max(np.abs(steps - step)) > EVEN * step)
    return step, ("slice-spacing-varies",) * varies


def _require_regular(steps: Floats) -> None:
    duplicates = int(np.count_nonzero(steps < DUPLICATE_MM))
    if duplicates:
        raise GeometryError(
            "duplicate-positions",
            f"{duplicates} slice(s) lie where another one is: a dynamic or merged series.",
        )
    typical = float(np.median(steps))
    gaps = int(np.count_nonzero(steps > GAP * typical))
    if gaps:
        raise GeometryError(
            "missing-slices",
            f"{gaps} gap(s) between slices, the largest {steps.max():.2f} mm where "
            f"{typical:.2f} mm is usual.",
        )
    if np.max(np.abs(steps - typical)) > UNEVEN * typical:
        raise GeometryError(
            "uneven-spacing",
            f"Slices are {steps.min():.2f} to {steps.max():.2f} mm apart, more than "
            f"{UNEVEN:.0%} around {typical:.2f} mm.",
        )


def _require_one_axis(in_plane: Floats) -> None:
    drift = float(np.max(np.ptp(in_plane, axis=0)))
    if drift > SHEAR_MM:
        raise GeometryError(
            "sheared",
            f"Slices are shifted sideways by up to {drift:.2f} mm: a tilted gantry, or two scans.",
        )


def _common_orientation(orientations: Sequence[Sequence[float]]) -> Floats:
    cosines = np.asarray(orientations, dtype=np.float64)
    if float(np.max(np.ptp(cosines, axis=0))) > COSINE_TOLERANCE:
        raise GeometryError(
            "mixed-orientation", "The slices do not have one Image Orientation: not one volume."
        )
    # Averaging takes out the rounding of single slices.
    return np.asarray(cosines.mean(axis=0))


def _common_spacing(spacings: Sequence[tuple[float, float]]) -> tuple[float, float]:
    spread = np.ptp(np.asarray(spacings, dtype=np.float64), axis=0)
    if np.max(spread) > COSINE_TOLERANCE:
        raise GeometryError("mixed-spacing", "The slices do not have one Pixel Spacing.")
    return spacings[0]


def _common_matrix(headers: Sequence[SliceHeader]) -> tuple[int, int]:
    matrices = {(header.rows, header.columns) for header in headers}
    if len(matrices) > 1 or 0 in min(matrices):
        listed = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(matrices))
        raise GeometryError("mixed-matrix", f"The slices do not have one matrix: {listed}.")
    return matrices.pop()


def _triple(vector: Floats) -> tuple[float, float, float]:
    x, y, z = (float(part) for part in vector)
    return x, y, z
