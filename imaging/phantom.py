"""A whole-body PET/CT phantom: a patient in simple solids, with spheres of known uptake.

Body, lungs, liver, spleen, kidneys, bladder, brain, heart and aorta (blood pool) and spine
are ellipsoids and tubes with one SUV each; the lesions are spheres in soft tissue, away from
every organ. What the scanner does to them is done in the order of nature:

    SUV = (solids * Gaussian of the stated width), averaged over voxels, + noise

The spheres are voxelised eight times finer than the grid, blurred there numerically and then
averaged, so that this truth is independent of the closed form (`imaging.blurred_sphere`) it
is compared with. Noise is white and Poisson-like: its variance grows with the SUV.

The organs' SUV are typical, not a reference. FDG: cerebellum 8.0 (Wang et al., Mol Imaging
Biol 2007;9:83), liver 1.9 ± 0.4 (Liu et al., Iran J Radiol 2019;16:e84881). 68Ga-Pentixafor:
highest in bladder, spleen and kidneys, low in liver and none in brain (Herrmann et al., J
Nucl Med 2015;56:410); the numbers are of that order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.blurred_sphere import FWHM_PER_SD, BlurredSphere
from imaging.geometry import Grid

Floats = NDArray[np.float64]
Volume = NDArray[np.float32]
Point = tuple[float, float, float]

PET_GRID = Grid(shape=(176, 128, 128), spacing=(5.0, 4.0, 4.0), origin=(-254.0, -254.0, -440.0))
CT_GRID = Grid(shape=(110, 192, 192), spacing=(8.0, 2.6, 2.6), origin=(-248.3, -248.3, -438.5))

# Clinical whole-body PET, 5 to 7 mm.
FWHM_MM = 6.0
# Standard deviation of a voxel with SUV 1; that of SUV 4 is twice as much.
NOISE = 0.03
SUPERSAMPLING = 8
# A Gaussian ends here: beyond is 3e-7 of it.
REACH_SD = 5.0

SOFT_TISSUE = "soft tissue"
LIVER_CENTRE: Point = (-75.0, 0.0, -25.0)
BLOOD_POOL_CENTRE: Point = (25.0, -35.0, 60.0)

# Half-widths of the body in mm: height, left to right, front to back.
_OUTLINE = np.array(
    [
        (-450, 165, 105), (-330, 172, 108), (-230, 158, 105), (-110, 150, 102), (20, 162, 108),
        (120, 178, 108), (185, 172, 92), (215, 66, 62), (250, 60, 66), (275, 72, 88),
        (335, 76, 96), (385, 68, 86), (415, 46, 58), (432, 0, 0), (450, 0, 0),
    ],
    dtype=np.float64,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Solid:
    """An ellipsoid, or an upright tube, of one organ; centre and half-axes in mm."""

    organ: str
    centre: Point
    half_axes: Point
    tube: bool = False


# Painted in this order: a later solid covers an earlier one.
SOLIDS = (
    Solid("lung", (-82, 0, 92), (56, 72, 68)),
    Solid("lung", (82, 0, 92), (56, 72, 68)),
    Solid("marrow", (0, 76, -80), (17, 17, 280), tube=True),
    Solid("blood pool", (22, 46, -20), (12, 12, 130), tube=True),
    Solid("blood pool", BLOOD_POOL_CENTRE, (44, 40, 42)),
    Solid("liver", LIVER_CENTRE, (72, 76, 60)),
    Solid("spleen", (104, 42, -15), (28, 34, 46)),
    Solid("kidney", (-66, 50, -138), (24, 24, 48)),
    Solid("kidney", (68, 50, -120), (24, 24, 48)),
    Solid("bladder", (0, -25, -340), (36, 34, 32)),
    Solid("brain", (0, 0, 338), (60, 78, 60)),
)

# Hounsfield units, rounded from textbooks.
HOUNSFIELD: Mapping[str, float] = MappingProxyType(
    {
        SOFT_TISSUE: 45, "lung": -780, "marrow": 280, "blood pool": 42, "liver": 58,
        "spleen": 50, "kidney": 34, "bladder": 6, "brain": 36,
    }
)  # fmt: skip
AIR_HU = -1000.0
LESION_HU = 48.0
CT_NOISE_HU = 14.0


@dataclass(frozen=True, slots=True)
class Tracer:
    """A radiopharmaceutical and the SUV of each organ an hour after its injection."""

    name: str
    radionuclide: str
    suv: Mapping[str, float]


PENTIXAFOR = Tracer(
    "68Ga-Pentixafor",
    "Ga-68",
    MappingProxyType(
        {
            SOFT_TISSUE: 0.8, "lung": 0.4, "marrow": 1.4, "blood pool": 1.8, "liver": 1.6,
            "spleen": 6.5, "kidney": 7.5, "bladder": 28.0, "brain": 0.3,
        }
    ),
)  # fmt: skip
FDG = Tracer(
    "18F-FDG",
    "F-18",
    MappingProxyType(
        {
            SOFT_TISSUE: 0.8, "lung": 0.4, "marrow": 1.2, "blood pool": 1.6, "liver": 2.0,
            "spleen": 1.7, "kidney": 2.6, "bladder": 20.0, "brain": 8.0,
        }
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sphere:
    """A lesion: diameter and centre in mm (LPS), SUV in g/mL."""

    diameter: float
    centre: Point
    suv: float

    def blurred(self, tracer: Tracer, *, fwhm: float = FWHM_MM) -> BlurredSphere:
        """The closed form of what a scanner shows of it."""
        return BlurredSphere(
            radius=self.diameter / 2,
            fwhm=fwhm,
            inside=self.suv,
            outside=tracer.suv[SOFT_TISSUE],
        )


class PhantomError(ValueError):
    """A phantom whose spheres would not measure what they should."""


# Four of the spheres of NEMA NU 2; the two smallest would vanish below the usual threshold.
DIAMETERS = (37.0, 28.0, 22.0, 17.0)
PLACES: tuple[Point, ...] = (
    (92.0, -18.0, -215.0),
    (-94.0, -12.0, -232.0),
    (136.0, 2.0, 164.0),
    (-10.0, -34.0, 150.0),
)


def spheres(suv: Sequence[float], *, shift: Point = (0.0, 0.0, 0.0)) -> tuple[Sphere, ...]:
    """The four spheres, each with its SUV; `shift` in mm moves them against the voxels."""
    moved = [tuple(a + b for a, b in zip(place, shift, strict=True)) for place in PLACES]
    return tuple(
        Sphere(diameter, (x, y, z), value)
        for diameter, (x, y, z), value in zip(DIAMETERS, moved, suv, strict=True)
    )


def pet_volume(
    tracer: Tracer,
    lesions: Sequence[Sphere],
    *,
    seed: int,
    grid: Grid = PET_GRID,
    fwhm: float = FWHM_MM,
    noise: float = NOISE,
) -> Volume:
    """SUVbw of the phantom as a scanner of stated resolution and noise shows it.

    Parameters
    ----------
    tracer : Tracer
    lesions : sequence of Sphere
        In soft tissue; where their blur would touch an organ, the phantom is refused.
    seed : int
        Of the noise: the same seed gives the same volume.
    grid : Grid
        With rows to the left and columns to the back, as by default.
    fwhm : float
        Full width at half maximum of the blur in mm.
    noise : float
        Standard deviation of a voxel with SUV 1, in g/mL.

    Returns
    -------
    ndarray, shape (K, M, N), float32

    Raises
    ------
    PhantomError
        If a sphere is not alone in soft tissue.
    """
    volume = painted(grid, tracer.suv, outside=0.0)
    _require_soft_tissue(grid, lesions, fwhm)
    sd = fwhm / FWHM_PER_SD
    volume = ndimage.gaussian_filter(volume, [sd / step for step in grid.spacing])
    for lesion in lesions:
        box, values = _blurred(lesion, grid, fwhm)
        volume[box] += (lesion.suv - tracer.suv[SOFT_TISSUE]) * values
    white = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
    return np.asarray(volume + noise * np.sqrt(np.maximum(volume, 0)) * white, dtype=np.float32)


def ct_volume(lesions: Sequence[Sphere], *, seed: int, grid: Grid = CT_GRID) -> Volume:
    """Hounsfield units (K, M, N) of the same patient: low dose, with its noise."""
    volume = painted(grid, HOUNSFIELD, outside=AIR_HU)
    for lesion in lesions:
        radius = lesion.diameter / 2
        volume[_inside(Solid("", lesion.centre, (radius, radius, radius)), grid)] = LESION_HU
    white = np.random.default_rng(seed).standard_normal(grid.shape, dtype=np.float32)
    return np.asarray(volume + CT_NOISE_HU * white, dtype=np.float32)


def painted(grid: Grid, values: Mapping[str, float], *, outside: float) -> Volume:
    """One value an organ, `outside` around the body; shape (K, M, N)."""
    volume = np.full(grid.shape, outside, np.float32)
    volume[_body(grid)] = values[SOFT_TISSUE]
    for solid in SOLIDS:
        volume[_inside(solid, grid)] = values[solid.organ]
    return volume


def _coordinates(grid: Grid) -> tuple[Floats, Floats, Floats]:
    """x, y and z of the voxels in mm, each along its own axis of (K, M, N)."""
    z, y, x = (
        start + np.arange(size, dtype=np.float64) * step
        for start, size, step in zip(grid.origin[::-1], grid.shape, grid.spacing, strict=True)
    )
    return x, y[:, None], z[:, None, None]


def _body(grid: Grid) -> NDArray[np.bool_]:
    x, y, z = _coordinates(grid)
    across = np.maximum(np.interp(z, _OUTLINE[:, 0], _OUTLINE[:, 1]), 1e-3)
    deep = np.maximum(np.interp(z, _OUTLINE[:, 0], _OUTLINE[:, 2]), 1e-3)
    return np.asarray((x / across) ** 2 + (y / deep) ** 2 <= 1)


def _inside(solid: Solid, grid: Grid) -> NDArray[np.bool_]:
    scaled = [
        (place - centre) / half
        for place, centre, half in zip(
            _coordinates(grid), solid.centre, solid.half_axes, strict=True
        )
    ]
    x, y, z = scaled
    if solid.tube:
        return np.asarray((x**2 + y**2 <= 1) & (np.abs(z) <= 1))
    return np.asarray(x**2 + y**2 + z**2 <= 1)


def _blurred(sphere: Sphere, grid: Grid, fwhm: float) -> tuple[tuple[slice, ...], Volume]:
    """Where a sphere of contrast 1 shows, and its blurred voxels there."""
    sd = fwhm / FWHM_PER_SD
    reach = sphere.diameter / 2 + REACH_SD * sd
    low, high = _bounds(sphere.centre, reach, grid)
    fine = [step / SUPERSAMPLING for step in grid.spacing]
    z, y, x = (
        start + (np.arange((b - a) * SUPERSAMPLING) - (SUPERSAMPLING - 1) / 2) * step
        for start, a, b, step in zip(_first(low, grid), low, high, fine, strict=True)
    )
    cx, cy, cz = sphere.centre
    distance = (z[:, None, None] - cz) ** 2 + (y[:, None] - cy) ** 2 + (x - cx) ** 2
    solid = (distance <= (sphere.diameter / 2) ** 2).astype(np.float32)
    blurred = ndimage.gaussian_filter(solid, [sd / step for step in fine], truncate=6)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True)), _averaged(blurred)


def _bounds(centre: Point, reach: float, grid: Grid) -> tuple[list[int], list[int]]:
    """First voxel, and the one after the last, on each axis, within reach of a point."""
    middle = grid.patient_to_voxel(centre)
    steps = np.asarray(grid.spacing)
    low, high = np.floor(middle - reach / steps), np.ceil(middle + reach / steps) + 1
    if np.any(low < 0) or np.any(high > grid.shape):
        raise PhantomError(f"The sphere at {centre} mm leaves the image.")
    return [int(i) for i in low], [int(i) for i in high]


def _first(low: Sequence[int], grid: Grid) -> tuple[float, float, float]:
    """z, y and x in mm of the centre of a voxel given by (k, m, n)."""
    x, y, z = (float(part) for part in grid.voxel_to_patient(low))
    return z, y, x


def _averaged(fine: Volume) -> Volume:
    shape = [part for size in fine.shape for part in (size // SUPERSAMPLING, SUPERSAMPLING)]
    return np.asarray(fine.reshape(shape).mean(axis=(1, 3, 5)), dtype=np.float32)


def _require_soft_tissue(grid: Grid, lesions: Sequence[Sphere], fwhm: float) -> None:
    """Soft tissue around each sphere as far as either blur reaches, and no other sphere."""
    codes = {organ: float(number) for number, organ in enumerate(HOUNSFIELD, start=1)}
    organs = painted(grid, codes, outside=0.0)
    # Beyond three standard deviations a flat edge shows 0.1 % of its contrast.
    margin = 3 * fwhm / FWHM_PER_SD
    for lesion in lesions:
        size = lesion.diameter / 2 + margin
        around = _inside(Solid("", lesion.centre, (size, size, size)), grid)
        if not np.all(organs[around] == codes[SOFT_TISSUE]):
            raise PhantomError(f"The sphere at {lesion.centre} mm is not in soft tissue alone.")
    for one, other in _pairs(lesions):
        gap = math.dist(one.centre, other.centre) - (one.diameter + other.diameter) / 2
        if gap < 2 * margin:
            raise PhantomError(f"The spheres at {one.centre} and {other.centre} mm blur together.")


def _pairs(lesions: Sequence[Sphere]) -> Iterator[tuple[Sphere, Sphere]]:
    for number, one in enumerate(lesions):
        for other in lesions[number + 1 :]:
            yield one, other
