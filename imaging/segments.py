"""Regions of a DICOM Segmentation as voxels of an image series.

    voxel of frame pixel (m, n) = voxel of the frame's first pixel + (m, n)

A frame is one segment in one plane, and says where it lies. The mistake to fear is to take frames
in their order, or a segment's frames as a stack: writers leave out empty frames and sort as they
like, so that each is placed by its own Image Position (Patient) (0020,0032). Frames are taken as
they are, voxel by voxel, and never resampled: a segmentation on another grid is refused.

Read are BINARY segmentations, one bit to a pixel (PS3.3 C.8.20), native and little endian.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.contours import PLANE_TOLERANCE_MM, Mask, RegionError, items_of, text_of
from imaging.geometry import COSINE_TOLERANCE, Grid

Floats = NDArray[np.float64]
Bits = NDArray[np.uint8]

LARGEST_MATRIX = 4096
# Pixel spacing is written with few digits; so much of a pixel is half a voxel after 500 of them.
SPACING_TOLERANCE = 1e-3
AGAIN = "Export the segmentation again from the program that drew it."


@dataclass(frozen=True, slots=True)
class Frame:
    """A plane of a segment: which frame it is, where its first pixel lies, and on which image.

    `position` (3,) is in mm (LPS).
    """

    number: int
    position: Floats
    image: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """How all frames are laid out: rows and columns, spacing in mm, directions, and their bits.

    `spacing` is (dy, dx); `orientation` (2, 3) the cosines along a row and along a column.
    """

    shape: tuple[int, int]
    spacing: Floats
    orientation: Floats
    packed: Bits = field(repr=False)

    def frame(self, number: int) -> Mask:
        """The pixels of a frame, shape (M, N): frames follow each other bit by bit."""
        size = self.shape[0] * self.shape[1]
        first, last = number * size, (number + 1) * size
        bits = np.unpackbits(self.packed[first // 8 : -(-last // 8)], bitorder="little")
        return bits[first % 8 :][:size].reshape(self.shape).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment by its Segment Number (0062,0004), with its frames."""

    number: int
    label: str
    frame_of_reference_uid: str
    frames: tuple[Frame, ...]
    matrix: Matrix

    @property
    def images(self) -> frozenset[str]:
        """SOP Instance UIDs of the images that its frames were made from, where they say."""
        return frozenset(one.image for one in self.frames if one.image)

    def mask(self, grid: Grid, planes: Mapping[str, int]) -> Mask:
        """The voxels of the segment.

        Parameters
        ----------
        grid : Grid
            Of the image series.
        planes : mapping
            Which plane of the grid each image is, by its SOP Instance UID.

        Returns
        -------
        ndarray, shape (K, M, N), bool

        Raises
        ------
        RegionError
            "segments-other-grid", "segments-off-plane", "segments-outside",
            "region-without-voxel".
        """
        _require_same_directions(self.matrix, grid)
        found = np.zeros(grid.shape, np.bool_)
        for frame in self.frames:
            plane, row, column = _placed(frame, grid)
            if planes.get(frame.image, plane) != plane:
                raise _off_plane()
            _add(found[plane], self.matrix.frame(frame.number), row, column)
        if not found.any():
            raise RegionError(
                "region-without-voxel",
                "A segment has no voxel. Leave it out, and export the segmentation again.",
            )
        return found


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments, and the series that they refer to."""

    regions: tuple[Segment, ...]
    series: tuple[str, ...]


def segmentation(ds: Dataset) -> Segmentation:
    """The segments of a DICOM Segmentation that have a frame.

    Raises
    ------
    RegionError
        "segments-not-binary", "segments-encoding", "segments-invalid", "no-regions".
    """
    matrix = _matrix(ds)
    labels = {int(one.SegmentNumber): text_of(one, "SegmentLabel") for one in _listed(ds)}
    frames: dict[int, list[Frame]] = {}
    for number, segment, frame in _frames(ds):
        if segment not in labels:
            raise _invalid(f"Frame {number + 1} is of a segment that is not listed.")
        frames.setdefault(segment, []).append(frame)
    if not frames:
        raise RegionError("no-regions", f"The segmentation has no segment with a frame. {AGAIN}")
    series = (text_of(one, "SeriesInstanceUID") for one in items_of(ds, "ReferencedSeriesSequence"))
    return Segmentation(
        tuple(
            Segment(
                number=number,
                label=labels[number],
                frame_of_reference_uid=text_of(ds, "FrameOfReferenceUID"),
                frames=tuple(frames[number]),
                matrix=matrix,
            )
            for number in sorted(frames)
        ),
        tuple(dict.fromkeys(series)),
    )


def _listed(ds: Dataset) -> list[Dataset]:
    listed = items_of(ds, "SegmentSequence")
    numbers = {one.get("SegmentNumber") for one in listed}
    if None in numbers or len(numbers) < len(listed):
        raise _invalid("Two segments have one number, or one has none.")
    return listed


def _matrix(ds: Dataset) -> Matrix:
    kind = text_of(ds, "SegmentationType")
    if kind != "BINARY":
        raise RegionError(
            "segments-not-binary",
            "Segmentation Type (0062,0001) must be BINARY. A segmentation of probabilities or "
            "labels is not read: export each region as a binary segment.",
        )
    if ds.file_meta.TransferSyntaxUID not in {ExplicitVRLittleEndian, ImplicitVRLittleEndian}:
        raise RegionError(
            "segments-encoding",
            "The segmentation is compressed or big endian. Export it again uncompressed (Explicit "
            "VR Little Endian).",
        )
    rows, columns, frames = (int(ds.get(name) or 0) for name in _SIZES)
    packed, size = ds.get("PixelData"), rows * columns * frames
    if not (1 <= rows <= LARGEST_MATRIX and 1 <= columns <= LARGEST_MATRIX and frames >= 1):
        raise _invalid(f"Rows and Columns must be from 1 to {LARGEST_MATRIX}.")
    if [ds.get(name) for name in _BITS] != [1, 1, 0, 1, 0]:
        raise _invalid("A pixel must be one bit.")
    whole = -(-size // 8)
    if not isinstance(packed, bytes) or len(packed) != whole + whole % 2:
        raise _invalid("Pixel Data have another length than rows, columns and frames say.")
    if len(items_of(ds, "PerFrameFunctionalGroupsSequence")) != frames:
        raise _invalid("There are more or fewer frames than are described.")
    spacing = _numbers(_first(ds, "PixelMeasuresSequence"), "PixelSpacing", 2)
    orientation = _numbers(_first(ds, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
    bits = np.frombuffer(packed, np.uint8)
    return Matrix((rows, columns), spacing, orientation.reshape(2, 3), bits)


_SIZES = ("Rows", "Columns", "NumberOfFrames")
_BITS = ("BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PixelRepresentation")


def _first(ds: Dataset, sequence: str) -> Dataset:
    """What all frames share; where each says it for itself, they have to agree."""
    groups = (*_shared(ds), *items_of(ds, "PerFrameFunctionalGroupsSequence"))
    found = [item for group in groups for item in items_of(group, sequence)[:1]]
    if not found:
        raise _invalid("Pixel spacing or orientation is missing.")
    if any(item != found[0] for item in found[1:]):
        raise _invalid("The frames do not have one pixel spacing and one orientation.")
    return found[0]


def _shared(ds: Dataset) -> list[Dataset]:
    return items_of(ds, "SharedFunctionalGroupsSequence")[:1]


def _frames(ds: Dataset) -> Iterator[tuple[int, int, Frame]]:
    """Each frame with its place among them, counted from 0, and the segment it is of."""
    shared = _shared(ds)
    for number, group in enumerate(items_of(ds, "PerFrameFunctionalGroupsSequence")):
        of = {
            sequence: next(iter(items_of(group, sequence) or _inherited(shared, sequence)), None)
            for sequence in ("SegmentIdentificationSequence", "PlanePositionSequence")
        }
        identified, placed = of.values()
        if identified is None or placed is None or "ReferencedSegmentNumber" not in identified:
            raise _invalid(f"Frame {number + 1} says no segment or no position.")
        position = _numbers(placed, "ImagePositionPatient", 3)
        segment = int(identified.ReferencedSegmentNumber)
        yield number, segment, Frame(number, position, _source(group))


def _inherited(shared: list[Dataset], sequence: str) -> list[Dataset]:
    return [item for group in shared for item in items_of(group, sequence)]


def _source(group: Dataset) -> str:
    """The one image that a frame was made from; none where there are several or it says none."""
    sources = [
        text_of(image, "ReferencedSOPInstanceUID")
        for derivation in items_of(group, "DerivationImageSequence")
        for image in items_of(derivation, "SourceImageSequence")
    ]
    return sources[0] if len(sources) == 1 else ""


def _numbers(item: Dataset, keyword: str, count: int) -> Floats:
    try:
        found = np.array(item[keyword].value, dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"{keyword} is missing or no number.") from error
    if found.shape != (count,) or not np.isfinite(found).all():
        raise _invalid(f"{keyword} must be {count} numbers.")
    return found


def _invalid(what: str) -> RegionError:
    return RegionError("segments-invalid", f"{what} {AGAIN}")


# From frames to voxels.


def _require_same_directions(matrix: Matrix, grid: Grid) -> None:
    directions = np.array([grid.row, grid.column])
    is_same = np.abs(matrix.orientation - directions).max() <= COSINE_TOLERANCE and np.allclose(
        matrix.spacing, grid.spacing[1:], rtol=SPACING_TOLERANCE, atol=0
    )
    if not is_same:
        raise RegionError(
            "segments-other-grid",
            "The segmentation has other pixels than the images: another spacing or orientation. "
            "It is not resampled; export it on the grid of the images.",
        )


def _placed(frame: Frame, grid: Grid) -> tuple[int, int, int]:
    """The voxel that the first pixel of a frame is, also outside the images."""
    at = grid.patient_to_voxel(frame.position)
    nearest = np.rint(at)
    plane = int(np.clip(nearest[0], 0, grid.shape[0] - 1))
    along = float((frame.position - np.asarray(grid.origin)) @ grid.normal)
    if abs(along - grid.along[plane]) > PLANE_TOLERANCE_MM:
        raise _off_plane()
    aside = np.abs(at - nearest)[1:] * np.asarray(grid.spacing[1:])
    if aside.max() > PLANE_TOLERANCE_MM:
        raise RegionError(
            "segments-other-grid",
            "The pixels of the segmentation lie between those of the images. It is not resampled; "
            "export it on the grid of the images.",
        )
    return plane, int(nearest[1]), int(nearest[2])


def _off_plane() -> RegionError:
    return RegionError(
        "segments-off-plane",
        f"A frame does not lie in the plane of its image, within {PLANE_TOLERANCE_MM} mm. Segment "
        "this series, not another one or slices made from it.",
    )


def _add(plane: Mask, frame: Mask, row: int, column: int) -> None:
    """Put a frame on a plane; what of it lies outside must be empty."""
    rows, columns = np.nonzero(frame)
    rows, columns = rows + row, columns + column
    height, width = plane.shape
    if not ((rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)).all():
        raise RegionError(
            "segments-outside",
            "A segment lies outside the images. Check that it was drawn on this series, and "
            "export the segmentation again.",
        )
    plane[rows, columns] = True
