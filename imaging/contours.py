"""Regions of an RT Structure Set as voxels of an image series.

A voxel belongs to a region when its centre lies inside the contours of its plane. Inside is by
the even-odd rule over all contours of the region in that plane: a contour within a contour is a
hole, and so is what a keyhole cuts out (PS3.3 C.8.8.6.3; CLOSEDPLANAR_XOR says the same). A
centre that lies on a contour belongs on its low side, in rows and in columns, and not on its
high side, so that regions that touch share no voxel.

The mistake to fear is a contour that is put on the plane next to its own, or shifted by half a
voxel: coordinates are of voxel *centres*, and a contour counts only where its plane is one of
the series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from imaging.geometry import Grid

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Kinds of Contour Geometric Type (3006,0042) that enclose something, and those that mark a place.
CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
MARKS = frozenset({"POINT"})
# Coordinates are written with few decimals; the thinnest planes of a PET are 1 mm apart.
PLANE_TOLERANCE_MM = 0.3
FEWEST_POINTS = 3


class RegionError(ValueError):
    """Regions that can't be put on the images; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Contour:
    """A closed contour: `points` (P, 3) in mm (LPS), and the image it was drawn on, if it says."""

    points: Floats
    image: str


@dataclass(frozen=True, slots=True)
class Region:
    """A region of interest by its ROI Number (3006,0022), with its closed contours."""

    number: int
    label: str
    frame_of_reference_uid: str
    contours: tuple[Contour, ...]

    @property
    def images(self) -> frozenset[str]:
        """SOP Instance UIDs of the images that its contours were drawn on, where they say."""
        return frozenset(one.image for one in self.contours if one.image)

    def mask(self, grid: Grid, planes: Mapping[str, int]) -> Mask:
        """The voxels inside, as `mask` has it."""
        return mask(self.contours, grid=grid, planes=planes)


@dataclass(frozen=True, slots=True)
class StructureSet:
    """The regions that enclose something, and the series that they refer to."""

    regions: tuple[Region, ...]
    series: tuple[str, ...]


def structure_set(ds: Dataset) -> StructureSet:
    """What an RT Structure Set encloses.

    Marks, which are single points, enclose nothing and are left out, and so are regions without
    a contour, which planning systems write for structures that nobody drew.

    Raises
    ------
    RegionError
        "contours-open", "contours-invalid", "regions-invalid", "no-regions".
    """
    named = _by_number(ds, "StructureSetROISequence", "ROINumber")
    drawn = _by_number(ds, "ROIContourSequence", "ReferencedROINumber")
    if not drawn.keys() <= named.keys():
        raise RegionError(
            "regions-invalid",
            "There are contours of a region that the structure set does not list. Export it "
            "again from the program that drew it.",
        )
    regions = tuple(
        Region(
            number=number,
            label=text_of(named[number], "ROIName"),
            frame_of_reference_uid=text_of(named[number], "ReferencedFrameOfReferenceUID"),
            contours=contours,
        )
        for number, item in sorted(drawn.items())
        if (contours := tuple(_contours(item)))
    )
    if not regions:
        raise RegionError(
            "no-regions",
            "The structure set has no region with a closed contour. Draw the lesions, and export "
            "it again.",
        )
    series = (text_of(one, "SeriesInstanceUID") for one in _references(ds))
    return StructureSet(regions, tuple(dict.fromkeys(series)))


def _by_number(ds: Dataset, sequence: str, keyword: str) -> dict[int, Dataset]:
    """The items of a sequence by their number, each of which stands once."""
    items = items_of(ds, sequence)
    try:
        found = {int(item[keyword].value): item for item in items}
    except (KeyError, TypeError, ValueError) as error:
        raise _unnumbered() from error
    if len(found) < len(items):
        raise _unnumbered()
    return found


def _unnumbered() -> RegionError:
    return RegionError(
        "regions-invalid",
        "Two regions have one number, or one has none. Export the structure set again from the "
        "program that drew it.",
    )


def _references(ds: Dataset) -> Iterator[Dataset]:
    """Items of RT Referenced Series Sequence (3006,0014)."""
    for frame in items_of(ds, "ReferencedFrameOfReferenceSequence"):
        for study in items_of(frame, "RTReferencedStudySequence"):
            yield from items_of(study, "RTReferencedSeriesSequence")


def _contours(item: Dataset) -> Iterator[Contour]:
    for one in items_of(item, "ContourSequence"):
        kind = text_of(one, "ContourGeometricType")
        if kind in MARKS:
            continue
        if kind not in CLOSED:
            raise RegionError(
                "contours-open",
                "A region has an open contour, which encloses nothing. Close it in the program "
                "that drew it, and export the structure set again.",
            )
        images = [
            text_of(i, "ReferencedSOPInstanceUID") for i in items_of(one, "ContourImageSequence")
        ]
        yield Contour(_points(one), images[0] if images else "")


def _points(item: Dataset) -> Floats:
    """Contour Data (3006,0050) in mm, as many as Number of Contour Points (3006,0046) says."""
    try:
        values = np.array(texts_of(item, "ContourData"), dtype=np.float64)
        count = int(item["NumberOfContourPoints"].value)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged() from error
    if values.size != 3 * count or count < FEWEST_POINTS or not np.isfinite(values).all():
        raise _damaged()
    return values.reshape(-1, 3)


def _damaged() -> RegionError:
    return RegionError(
        "contours-invalid",
        "A contour has fewer than three points, other than it says, or one that is no place. "
        "Export the structure set again from the program that drew it.",
    )


def texts_of(item: Dataset, keyword: str) -> list[str]:
    """The parts of a value of many numbers as text, without an object made of each."""
    if keyword not in item:
        return []
    value: Any = item.get_item(keyword).value
    if isinstance(value, bytes):
        value = value.decode("ascii")
    if isinstance(value, str):
        return value.strip(" \0").split("\\")
    return [str(part) for part in value or ()]


def items_of(ds: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence; none where it is missing or empty."""
    return list(ds[keyword].value or ()) if keyword in ds else []


def text_of(ds: Dataset, keyword: str) -> str:
    """The text of an attribute; empty where it is missing."""
    return str(ds.get(keyword) or "").strip(" \0")


# From contours to voxels.


def mask(contours: Sequence[Contour], *, grid: Grid, planes: Mapping[str, int]) -> Mask:
    """The voxels inside the contours of one region.

    Parameters
    ----------
    contours : sequence of Contour
        Closed, each in one plane of the grid.
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
        "contours-off-plane", "contours-outside", "region-without-voxel".
    """
    found = np.zeros(grid.shape, np.bool_)
    by_plane: dict[int, list[Floats]] = {}
    for contour in contours:
        plane, outline = on_plane(contour.points, grid)
        if planes.get(contour.image, plane) != plane:
            raise _off_plane()
        by_plane.setdefault(plane, []).append(outline)
    for plane, outlines in by_plane.items():
        found[plane] = inside(outlines, grid.shape[1:])
    if not found.any():
        raise RegionError(
            "region-without-voxel",
            "A region encloses the centre of no voxel: it is smaller than a voxel of the images. "
            "Draw it on the images that are measured.",
        )
    return found


def on_plane(points: Floats, grid: Grid) -> tuple[int, Floats]:
    """The plane of a contour, and its points (P, 2) as fractional rows and columns.

    Raises
    ------
    RegionError
        "contours-off-plane", "contours-outside".
    """
    along = (points - np.asarray(grid.origin)) @ grid.normal
    plane = int(np.abs(grid.along - along[0]).argmin())
    if np.abs(along - grid.along[plane]).max() > PLANE_TOLERANCE_MM:
        ends = grid.along[[0, -1]] + np.array([-0.5, 0.5]) * grid.heights[[0, -1]]
        if along.min() < ends[0] or along.max() > ends[1]:
            raise _outside()
        raise _off_plane()
    outline = grid.patient_to_voxel(points)[:, 1:]
    last = np.asarray(grid.shape[1:]) - 0.5
    if (outline < -0.5).any() or (outline > last).any():
        raise _outside()
    return plane, outline


def _off_plane() -> RegionError:
    return RegionError(
        "contours-off-plane",
        f"A contour does not lie in the plane of its image, within {PLANE_TOLERANCE_MM} mm. Draw "
        "the regions on this series, not on another one or on slices made from it.",
    )


def _outside() -> RegionError:
    return RegionError(
        "contours-outside",
        "A contour lies outside the images. Check that it was drawn on this series, and export "
        "the regions again.",
    )


def inside(outlines: Sequence[Floats], shape: tuple[int, int]) -> Mask:
    """Pixels whose centre is inside an odd number of outlines.

    Parameters
    ----------
    outlines : sequence of ndarray, shape (P, 2)
        Corners as fractional (row, column); pixel (m, n) has its centre at (m, n). The last is
        joined to the first.
    shape : (M, N)

    Returns
    -------
    ndarray, shape (M, N), bool

    >>> square = np.array([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]])
    >>> inside([square], (4, 4)).astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    # A row's line crosses an edge that has one end before it or on it and the other behind it. A
    # centre is inside if an odd number of crossings lie to its left, or on it.
    crossed = np.zeros((shape[0], shape[1] + 1), np.int64)
    for corners in outlines:
        rows, columns = _crossings(corners, shape[0])
        at = np.clip(np.ceil(columns), 0, shape[1]).astype(np.int64)
        np.add.at(crossed, (rows, at), 1)
    return np.asarray(np.cumsum(crossed[:, :-1], axis=1) % 2 == 1)


def _crossings(corners: Floats, height: int) -> tuple[NDArray[np.int64], Floats]:
    """Where the lines through the centres of the rows cross an outline: row, and column."""
    begin, end = corners, np.roll(corners, -1, axis=0)
    first = np.ceil(np.minimum(begin[:, 0], end[:, 0])).clip(0, height).astype(np.int64)
    behind = np.ceil(np.maximum(begin[:, 0], end[:, 0])).clip(0, height).astype(np.int64)
    count = behind - first
    edge = np.repeat(np.arange(len(corners)), count)
    rows = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    steps = end[edge] - begin[edge]
    share = (rows - begin[edge, 0]) / steps[:, 0]
    return rows, begin[edge, 1] + share * steps[:, 1]
