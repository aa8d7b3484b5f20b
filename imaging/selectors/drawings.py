"""Reading back the regions that were drawn on images: structure sets and segmentations."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom

from imaging import acceptance, mixtures, storage
from imaging.contours import Region, StructureSet
from imaging.geometry import Grid
from imaging.models import Instance, Series
from imaging.segments import Segment, Segmentation
from imaging.selectors import volumes


def drawings_of(series: Series) -> Iterator[tuple[Instance, StructureSet | Segmentation]]:
    """The regions of each object of a series; RegionError where they can't be read."""
    for instance in series.instances.all():
        ds = pydicom.dcmread(io.BytesIO(storage.archive.read(instance.sha256)))
        yield instance, acceptance.REGIONS[ds.SOPClassUID](ds)


@dataclass(frozen=True)
class Canvas:
    """An assembled image series as regions are placed on it.

    `planes` is which plane of the grid each image is, by SOP Instance UID.
    """

    series: Series
    grid: Grid
    planes: dict[str, int]
    frames_of_reference: frozenset[str]

    def holds(self, region: Region | Segment) -> bool:
        """Whether every image that a region says it was drawn on is here."""
        return region.images <= self.planes.keys()


def canvas(series: Series) -> Canvas:
    """Grid and images of a series; GeometryError as when it was assembled."""
    headers = volumes.headers_of(series)
    stack = mixtures.stack_of(headers)
    return Canvas(
        series,
        stack.grid,
        planes={headers[n].sop_instance_uid: k for k, n in enumerate(stack.order)},
        frames_of_reference=frozenset(one.frame_of_reference_uid for one in headers),
    )
