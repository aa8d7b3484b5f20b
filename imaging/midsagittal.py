"""The plane between the two sides of the head, found from the image's own symmetry.

    r(plane) = correlation of v(x) with v(mirror(x)) over the points of the head

v is SUV cut at a few times its median, so that a hot lesion, which is the very thing that is not
symmetric, does not decide. The plane of highest r is searched over its place and its two tilts.

The mistake to fear is a mirror of something that is no head, or of a head that is not symmetric:
both are refused by name, and r is told with the plane.

References
----------
Ardekani, Kershaw, Braun, Kanno: Automatic detection of the mid-sagittal plane in 3-D brain images,
IEEE Trans Med Imaging 1997;16:947 (cross-correlation of the image and its mirror image).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from imaging.geometry import Grid
from imaging.isometries import Isometry, mirror

Floats = NDArray[np.float64]
Volume = NDArray[np.float32]

DEFINITION = "midsagittal-correlation-1"
BODY_SUV = 0.1
# From the vertex to the skull base, and what is wider than any head, in mm.
HEAD_MM = 120.0
WIDEST_MM = 200.0
# Air that has to be seen above the vertex, in mm.
ABOVE_MM = 2.0
STEP_MM = 5.0
# SUV above so many medians of the head are cut.
CUT = 3.0
LEAST_CORRELATION = 0.7
TILT = math.radians(20)


class MirrorError(ValueError):
    """No plane for these images; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class MidsagittalPlane:
    """A plane through `point_mm` at right angles to `normal` (LPS), and how well it mirrors."""

    point_mm: tuple[float, float, float]
    normal: tuple[float, float, float]
    correlation: float
    # z in mm from which on upwards the head is.
    skull_base_mm: float

    @property
    def mirror(self) -> Isometry:
        """The motion that changes the sides."""
        return mirror(point_mm=self.point_mm, normal=self.normal)


def midsagittal_plane(suv: Volume, *, grid: Grid) -> MidsagittalPlane:
    """The plane of best symmetry of the head.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL, of a patient who lies along z.
    grid : Grid
        Of the volume.

    Raises
    ------
    MirrorError
        "head-not-covered" if the vertex is not in the image or too little below it;
        "no-head" if what is there is wider than a head; "poor-symmetry" below `LEAST_CORRELATION`.
    """
    points, base = _head(suv, grid)
    values = _cut(_at(suv, grid, points))
    middle = points.mean(axis=0)

    def against(place: Floats) -> float:
        other = mirror(**_plane(place, middle))(points)
        return -_correlation(values, _cut(_at(suv, grid, other)))

    tilts = (-0.15, 0.0, 0.15)
    starts = [np.array([0.0, yaw, roll]) for yaw in tilts for roll in tilts]
    start = min(starts, key=against)
    # Steps of some millimetres and degrees: a simplex without size stays where it is.
    simplex = np.vstack([start, start + np.diag([5.0, 0.08, 0.08])])
    found = optimize.minimize(
        against,
        start,
        method="Nelder-Mead",
        bounds=[(-30.0, 30.0), (-TILT, TILT), (-TILT, TILT)],
        options={"xatol": 1e-3, "fatol": 1e-5, "initial_simplex": simplex, "maxfev": 200},
    )
    correlation = -float(found.fun)
    if not correlation >= LEAST_CORRELATION:
        raise MirrorError(
            "poor-symmetry",
            f"The two sides of the head are not alike: their correlation is {correlation:.2f}, "
            f"{LEAST_CORRELATION:g} is needed.",
        )
    plane = _plane(found.x, middle)
    return MidsagittalPlane(plane["point_mm"], plane["normal"], correlation, base)


def _head(suv: Volume, grid: Grid) -> tuple[Floats, float]:
    """Points of the head about 5 mm apart, shape (P, 3), and the z of their lowest plane."""
    k, m, n = (max(1, round(STEP_MM / step)) for step in grid.spacing)
    steps = zip(suv.shape, (k, m, n), strict=True)
    axes = np.meshgrid(*(np.arange(0, size, by) for size, by in steps), indexing="ij")
    index = np.stack(axes, axis=-1)
    points = grid.voxel_to_patient(index)
    smooth = ndimage.uniform_filter(suv[::k, ::m, ::n], 3, mode="nearest")
    body = smooth > BODY_SUV
    if not body.any():
        raise MirrorError("no-head", "There is no body in the image.")
    heights = points[..., 2]
    vertex, top = float(heights[body].max()), float(heights.max())
    step = STEP_MM + ABOVE_MM
    base = vertex - HEAD_MM
    if top - vertex < step - ABOVE_MM or base < float(heights.min()):
        raise MirrorError(
            "head-not-covered", "The head is not in the image from its vertex to the skull base."
        )
    head = body & (heights >= base)
    width = float(np.ptp(points[..., 0][head]))
    if width > WIDEST_MM:
        raise MirrorError(
            "no-head", f"The highest 12 cm of the image are {width:.0f} mm wide: that is no head."
        )
    return points[head], base


def _plane(place: Floats, middle: Floats) -> dict[str, tuple[float, float, float]]:
    """The plane at an offset in mm along x, turned about z and about y in radians."""
    offset, yaw, roll = (float(one) for one in place)
    x, y, z = (float(one) for one in middle)
    normal = (
        math.cos(yaw) * math.cos(roll),
        math.sin(yaw) * math.cos(roll),
        math.sin(roll),
    )
    return {"point_mm": (x + offset, y, z), "normal": normal}


def _at(suv: Volume, grid: Grid, points: Floats) -> Floats:
    places = np.moveaxis(grid.patient_to_voxel(points), -1, 0)
    found = ndimage.map_coordinates(suv, places, order=1, mode="constant", prefilter=False)
    return np.asarray(found, dtype=np.float64)


def _cut(values: Floats) -> Floats:
    warm = values[values > BODY_SUV]
    return np.minimum(values, CUT * float(np.median(warm))) if warm.size else values


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() == 0 or other.std() == 0:
        return -1.0
    return float(np.corrcoef(one, other)[0, 1])
