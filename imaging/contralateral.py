"""The mirror image of a lesion of the brain: normal tissue of its own to compare it with.

    TBR = SUVmax(lesion) / SUVmean(mirror image of the lesion's voxels)

The plane between the sides is found from the head's own symmetry (`imaging.midsagittal`), once for
all lesions of a scan. The mirror image is a proposal like any: a reader accepts it.

The mistake to fear is a mirror image that is no normal brain. So none is given of a lesion that
reaches across the plane or lies below the head, nor where the image leaves the head or comes near
a lesion; what is wrong with the tissue otherwise only a reader sees.

References
----------
CNS lymphoma against the contralateral brain in 68Ga-Pentixafor and FDG: PMID 34651291.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from imaging import lesions, segmentation
from imaging.geometry import Grid
from imaging.lesions import LesionMeasurement
from imaging.midsagittal import BODY_SUV, MidsagittalPlane, midsagittal_plane
from imaging.peaks import PeakDefinition
from imaging.ratios import RatioError, contralateral_voxels
from imaging.reference_regions import RegionError, RegionStatistics
from imaging.segmentation import Indices, Volume

# Of the mean around a voxel that says whether it lies in the head, as the plane is found.
AROUND_MM = 15.0
# Between a mirror image and any region: an edge blurred by 6 mm is down to 0.1 % at 8 mm.
CLEAR_MM = 10.0


@dataclass(frozen=True)
class Mirrored:
    """Mirror images by the lesions' numbers, and of the others code and sentence why not."""

    plane: MidsagittalPlane
    found: Mapping[int, RegionStatistics] = field(default_factory=dict)
    refused: Mapping[int, tuple[str, str]] = field(default_factory=dict)


class NoImageError(ValueError):
    """Why a lesion has no mirror image to be compared with; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def mirrored(
    suv: Volume, *, grid: Grid, found: Sequence[LesionMeasurement], peak: PeakDefinition
) -> Mirrored:
    """The mirror image of each lesion of the brain, measured.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N)
        SUVbw in g/mL.
    grid : Grid
        Of the volume.
    found : sequence of LesionMeasurement
        All lesions of the scan, with their voxels.
    peak : PeakDefinition
        What is called SUVpeak.

    Returns
    -------
    Mirrored
        A lesion is refused as "not-in-head", "crosses-the-plane", "mirror-outside-head",
        "mirror-holds-lesion", "mirror-near-lesion" or "mirror-not-measured".

    Raises
    ------
    MirrorError
        As `imaging.midsagittal.midsagittal_plane`.
    """
    plane = midsagittal_plane(suv, grid=grid)
    made: dict[int, RegionStatistics] = {}
    refused: dict[int, tuple[str, str]] = {}
    taken = np.unique(np.concatenate([np.empty(0, np.int64), *(one.voxels for one in found)]))
    for one in found:
        try:
            made[one.number] = image_of(
                suv, one.voxels, grid=grid, plane=plane, taken=taken, peak=peak
            )
        except NoImageError as refusal:
            refused[one.number] = refusal.code, str(refusal)
    return Mirrored(plane, made, refused)


def image_of(
    suv: Volume,
    voxels: Indices,
    *,
    grid: Grid,
    plane: MidsagittalPlane,
    taken: Indices,
    peak: PeakDefinition,
) -> RegionStatistics:
    """The mirror image of one lesion, measured.

    Parameters
    ----------
    suv, grid, peak
        As `mirrored`.
    voxels : ndarray, shape (V,), int64
        Of the lesion: indices into the raveled volume.
    plane : MidsagittalPlane
        Between the sides.
    taken : ndarray, shape (T,), int64
        Voxels of all regions, the lesion's own among them, that its image keeps clear of.

    Raises
    ------
    NoImageError
        With the codes of `mirrored`.
    """
    if _lowest(voxels, grid) < plane.skull_base_mm:
        raise NoImageError(
            "not-in-head", "It does not lie in the uppermost 12 cm, those of the head."
        )
    try:
        image = contralateral_voxels(suv, voxels, grid=grid, plane=plane.mirror)
    except RatioError as error:
        raise NoImageError(error.code, error.message) from error
    except RegionError as error:
        raise NoImageError("mirror-not-measured", str(error)) from error
    require_clear(image.voxels, taken, grid)
    if not _is_in_head(suv, grid, image.voxels):
        raise NoImageError("mirror-outside-head", "Its mirror image reaches out of the head.")
    (measured,) = lesions.measure(suv, segmentation.given([image.voxels]), grid=grid, peak=peak)
    return RegionStatistics(
        n=measured.voxel_count,
        mean=image.mean,
        sd=image.sd,
        suvmax=measured.suvmax,
        suvpeak=measured.suvpeak,
        suvpeak_definition=peak,
        centre_mm=measured.centroid_mm,
        radius_mm=None,
        volume_ml=measured.volume_ml,
    )


def require_clear(image: Indices, taken: Indices, grid: Grid) -> None:
    """Raise `NoImageError` where a mirror image holds a part of a region or comes near one."""
    apart = _apart_mm(image, taken, grid)
    if apart == 0:
        raise NoImageError("mirror-holds-lesion", "Its mirror image holds a part of a region.")
    if apart < CLEAR_MM:
        raise NoImageError(
            "mirror-near-lesion",
            f"Its mirror image lies {apart:.0f} mm from a region, whose blur reaches into it: "
            f"{CLEAR_MM:g} mm are needed.",
        )


def _apart_mm(voxels: Indices, others: Indices, grid: Grid) -> float:
    """Shortest way between the centres of some voxels and of others."""
    places = (
        grid.voxel_to_patient(np.stack(np.unravel_index(flat, grid.shape), axis=1))
        for flat in (others, voxels)
    )
    there, here = places
    return float(cKDTree(there).query(here)[0].min())


def _lowest(voxels: Indices, grid: Grid) -> float:
    places = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    return float(grid.voxel_to_patient(places)[:, 2].min())


def _is_in_head(suv: Volume, grid: Grid, voxels: Indices) -> bool:
    """Whether the mean around each voxel is that of a body."""
    side = [max(1, 2 * round(AROUND_MM / 2 / step) + 1) for step in grid.spacing]
    places = np.stack(np.unravel_index(voxels, suv.shape))
    low = np.maximum(places.min(axis=1) - side, 0)
    high = places.max(axis=1) + side + 1
    box = suv[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    around = ndimage.uniform_filter(box, side, mode="constant")
    return bool((around[tuple(places - low[:, None])] > BODY_SUV).all())
