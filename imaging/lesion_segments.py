"""Lesions as a DICOM Segmentation (BINARY): a segment for each, on the planes it lies in.

A frame is one segment in one plane, bit for bit the voxels that were measured; nothing is
resampled and empty planes are left out. The mistake to fear is a mask that is not the one the
numbers came from: who calls this compares the counts of voxels before.

Memory: two bytes for each voxel of the planes in which lesions lie, three times over while
the library sorts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from imaging.derived_objects import MANUFACTURER, ObjectError, Source, settle

Indices = NDArray[np.int64]

KIND = "SEG"
# Apart from those of scanners, which count from 1.
SERIES_NUMBER = 9000
# Of the planes in which overlapping lesions lie, with a layer for each.
MOST_LAYERED = 256 * 2**20


class Origin(StrEnum):
    """How a lesion was outlined, in the words of Segment Algorithm Type (0062,0008)."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


@dataclass(frozen=True, slots=True)
class Outline:
    """The voxels of one lesion, as indices into the raveled volume, and how they were found.

    `number` is the lesion's in the table of its run or read; what a reader outlined anew `is_own`
    to the read. `method` names the algorithm; a region drawn by hand has none.
    """

    number: int
    voxels: Indices = field(repr=False)
    origin: Origin = Origin.AUTOMATIC
    method: str = ""
    is_own: bool = False

    @property
    def label(self) -> str:
        return f"Lesion {self.number}"


def tracking(source: Source, number: int, *, is_own: bool = False) -> tuple[str, str]:
    """Tracking UID and identifier of a lesion: the same in segmentation and report.

    A lesion that a reader accepted as the run outlined it is the one of the run.
    """
    if is_own:
        return source.own_uid(
            "lesion", str(number)
        ), f"{source.title}, lesion {number}".capitalize()
    return source.uid("lesion", str(number)), f"Run {source.run}, lesion {number}"


def segmentation(
    source: Source, outlines: Sequence[Outline], *, shape: tuple[int, int, int]
) -> hd.seg.Segmentation:
    """The lesions as a Segmentation.

    Parameters
    ----------
    source : Source
        The series that they lie on.
    outlines : sequence of Outline
        At least one, their numbers ascending; the first makes segment 1, the next one segment 2.
        They may overlap.
    shape : (int, int, int)
        (K, M, N) of the volume.

    Raises
    ------
    ObjectError
        "no-lesions", "lesions-not-numbered", "lesion-without-voxel", "lesions-outside",
        "overlap-too-large", and as `settle`.
    """
    _require_sound(outlines, shape)
    planes = np.unique(np.concatenate([one.voxels for one in outlines]) // (shape[1] * shape[2]))
    ds = hd.seg.Segmentation(
        source_images=list(source.images([int(plane) for plane in planes])),
        pixel_array=_frames(outlines, planes, shape),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _described(source, one, segment) for segment, one in enumerate(outlines, start=1)
        ],
        series_instance_uid=source.own_uid(KIND, "series"),
        series_number=SERIES_NUMBER + source.run,
        sop_instance_uid=source.own_uid(KIND),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=source.software_version,
        device_serial_number=source.software_version,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="LESIONS",
        content_description=f"Lesions of {source.title}",
    )
    settle(
        ds,
        source,
        description=f"Lesions, {source.title}",
        number=SERIES_NUMBER + source.run,
    )
    _name_dimensions(ds, source.own_uid(KIND, "dimensions"))
    return ds


def _require_sound(outlines: Sequence[Outline], shape: tuple[int, int, int]) -> None:
    if not outlines:
        raise ObjectError("no-lesions", "There is no lesion to make a segment of.")
    numbers = [0, *(one.number for one in outlines)]
    if numbers != sorted(set(numbers)):
        raise ObjectError("lesions-not-numbered", "Lesions need ascending numbers from 1.")
    for one in outlines:
        if one.voxels.size == 0:
            raise ObjectError("lesion-without-voxel", f"{one.label} has no voxel.")
        if not 0 <= one.voxels.min() <= one.voxels.max() < np.prod(shape):
            raise ObjectError("lesions-outside", f"{one.label} lies outside the images.")


def _frames(
    outlines: Sequence[Outline], planes: Indices, shape: tuple[int, int, int]
) -> NDArray[np.uint8 | np.uint16]:
    """The planes with lesions, by number (P, M, N); a layer each (P, M, N, L) if any overlap."""
    area = shape[1] * shape[2]
    # Where each voxel lies in the planes that are written.
    places = [
        np.searchsorted(planes, one.voxels // area) * area + one.voxels % area for one in outlines
    ]
    size = planes.size * area
    numbers = np.zeros(size, np.uint16)
    for segment, at in enumerate(places, start=1):
        if numbers[at].any():
            return _layered(places, (planes.size, shape[1], shape[2]))
        numbers[at] = segment
    return numbers.reshape(planes.size, shape[1], shape[2])


def _layered(places: Sequence[Indices], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    size = int(np.prod(shape))
    if size * len(places) > MOST_LAYERED:
        raise ObjectError(
            "overlap-too-large", "Lesions overlap, and are too many on too large images for that."
        )
    layers = np.zeros((size, len(places)), np.uint8)
    for layer, at in enumerate(places):
        layers[at, layer] = 1
    return layers.reshape(*shape, len(places))


def _described(source: Source, one: Outline, segment: int) -> hd.seg.SegmentDescription:
    uid, identifier = tracking(source, one.number, is_own=one.is_own)
    algorithm = None
    if one.origin != Origin.MANUAL:
        algorithm = hd.AlgorithmIdentificationSequence(
            name=MANUFACTURER,
            family=codes.DCM.NeighborhoodAnalysis,
            version=source.software_version,
            source=MANUFACTURER,
            # The words are longer than a name may be, 64 characters.
            parameters={"method": one.method} if one.method else None,
        )
    return hd.seg.SegmentDescription(
        segment_number=segment,
        segment_label=one.label,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=one.origin.value,
        algorithm_identification=algorithm,
        tracking_uid=uid,
        tracking_id=identifier,
    )


def _name_dimensions(ds: Dataset, uid: str) -> None:
    """The library draws a UID for the dimensions of the frames; ours comes of the run."""
    for one in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        one.DimensionOrganizationUID = uid
