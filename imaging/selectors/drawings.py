"""Reading back the regions that were drawn on images: structure sets and segmentations."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pydicom
from django.db.models import QuerySet

from imaging import acceptance, geometry, mixtures, storage
from imaging.contours import Region, RegionError, StructureSet
from imaging.geometry import Grid
from imaging.models import Instance, Series
from imaging.segmentation import Indices
from imaging.segments import Segment, Segmentation
from imaging.selectors import volumes
from trials.models import ScheduledScan


def on_images(scan: ScheduledScan) -> QuerySet[Series]:
    """The drawings of a scan that lie on images of it, oldest first."""
    return (
        Series.objects.filter(
            imaging_study__scheduled_scan=scan,
            modality__in=Series.REGIONS,
            state=Series.State.ASSEMBLED,
        )
        .select_related("drawn_on")
        .prefetch_related("instances")
        .order_by("pk")
    )


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

    def is_same(self, other: Canvas) -> bool:
        """Whether what is drawn on one lies on the same voxels of the other."""
        if self.series == other.series:
            return True
        frames = self.frames_of_reference
        # Places in frames of reference without a name are not comparable.
        is_common = frames == other.frames_of_reference and "" not in frames
        return is_common and self.grid.is_same(other.grid)

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


@dataclass(frozen=True)
class DrawnRegion:
    """A region of a drawing, and its voxels: ascending indices into the raveled volume."""

    instance: Instance
    number: int
    label: str
    flat: Indices


def regions_on(
    series: Series, drawn: Iterable[Series]
) -> tuple[list[DrawnRegion], list[Series], list[Series]]:
    """The regions that lie on the voxels of a series; the drawings they are of, and the others.

    Nothing is resampled: regions drawn on other images lie on these where both have one grid.
    """
    here = canvas(series)
    found: list[DrawnRegion] = []
    measured, others = [], []
    for one in drawn:
        try:
            found += _regions_on(here, one)
        except (geometry.GeometryError, RegionError):
            # Images came since, or it lies elsewhere.
            others.append(one)
        else:
            measured.append(one)
    return found, measured, others


def _regions_on(here: Canvas, drawing: Series) -> list[DrawnRegion]:
    there = here if drawing.drawn_on == here.series else canvas(drawing.drawn_on)
    if not there.is_same(here):
        raise RegionError("other-images", "The regions were drawn on images of another grid.")
    return [
        DrawnRegion(
            instance,
            region.number,
            region.label,
            np.flatnonzero(region.mask(there.grid, there.planes)),
        )
        for instance, several in drawings_of(drawing)
        for region in several.regions
    ]
