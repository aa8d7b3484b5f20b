"""Lesions of a run that are regions drawn elsewhere: each with the voxels that it has.

The drawings of a scan are looked at when a run begins and when it ends, so that none that came
meanwhile is missed; what their files held is among the parameters of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imaging import lesions, segmentation
from imaging.geometry import Grid
from imaging.lesions import LesionMeasurement
from imaging.models import Quantification, Series
from imaging.peaks import PeakDefinition
from imaging.selectors import drawings
from imaging.selectors.drawings import DrawnRegion
from trials.segmentation_methods import IMPORTED
from trials.services.errors import Refused

MAXIMUM_REGIONS = 500
# 160 MB of indices: more than the whole body of a patient in voxels of 2 mm.
MAXIMUM_VOXELS = 20_000_000
# What a run says of its drawings.
NO_DRAWING = "no-imported-regions"
ON_OTHER_IMAGES = "regions-on-other-images"
OVERLAPPING = "regions-overlap"


@dataclass(frozen=True)
class Drawn:
    """What drawings came to on a series: the lesions, the region of each by its label, and which
    drawings they are of."""

    lesions: tuple[LesionMeasurement, ...] = ()
    regions: tuple[DrawnRegion, ...] = ()
    drawings: tuple[Series, ...] = ()
    flags: tuple[str, ...] = ()

    def columns_of(self, lesion: LesionMeasurement) -> dict:
        """Where a lesion was drawn, as columns of its row; none where a threshold found it."""
        if not self.regions:
            return {}
        region = self.regions[lesion.label]
        return {
            "drawing": region.instance,
            "region_number": region.number,
            "region_label": region.label,
        }


def considered(series: Series) -> list[Series]:
    """The drawings that a run looks at: none where the protocol takes lesions from a threshold."""
    scan = series.imaging_study.scheduled_scan
    if scan.planned_scan.segmentation.get("method") != IMPORTED:
        return []
    return list(drawings.on_images(scan))


def as_recorded(drawn: Iterable[Series]) -> list[dict]:
    """Drawings among the parameters of a run: which they are, and what their files hold."""
    return [
        {
            "series": one.pk,
            "drawn_on": one.drawn_on_id,
            "sha256": sorted(file.sha256 for file in one.instances.all()),
        }
        for one in drawn
    ]


def measured(
    series: Series,
    values: np.ndarray,
    grid: Grid,
    drawn: Sequence[Series],
    *,
    peak: PeakDefinition,
    resolution_mm: float,
) -> Drawn:
    """Each region drawn on the series, measured; SegmentationError for more than lesions are."""
    _require_bounded(drawn)
    regions, here, others = drawings.regions_on(series, drawn)
    components = segmentation.given([one.flat for one in regions])
    is_overlapping = np.unique(components.flat).size < components.flat.size
    return Drawn(
        lesions.measure(values, components, grid=grid, peak=peak, resolution_mm=resolution_mm),
        tuple(regions),
        tuple(here),
        (
            *((NO_DRAWING,) * (not here)),
            *((ON_OTHER_IMAGES,) * bool(others)),
            *((OVERLAPPING,) * is_overlapping),
        ),
    )


def measured_again(
    run: Quantification,
    values: np.ndarray,
    grid: Grid,
    *,
    peak: PeakDefinition,
    resolution_mm: float,
) -> tuple[LesionMeasurement, ...]:
    """The lesions of a run with their voxels, from the very drawings that it was measured in."""
    now = considered(run.series)
    found = measured(run.series, values, grid, now, peak=peak, resolution_mm=resolution_mm)
    if as_recorded(found.drawings) != run.parameters.get("drawings", []):
        raise Refused(
            "measured-again", "Regions of this scan came or went: wait until it is measured again."
        )
    return found.lesions


def _require_bounded(drawn: Sequence[Series]) -> None:
    """Refuse what would fill the memory: more regions or voxels than a patient's lesions have."""
    counts = [one["voxels"] for series in drawn for one in series.assembly["regions"]]
    if len(counts) > MAXIMUM_REGIONS or sum(counts) > MAXIMUM_VOXELS:
        raise segmentation.SegmentationError(
            "too-many-regions",
            f"{len(counts)} regions with {sum(counts):,} voxels were drawn. More than "
            f"{MAXIMUM_REGIONS} regions, or {MAXIMUM_VOXELS:,} voxels, are no lesions: send the "
            "drawing with the lesions alone.",
        )
