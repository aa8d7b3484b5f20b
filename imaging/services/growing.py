"""Regions grown from a place in the volume of a run, and their voxels found again there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging import clicks, drawn, lesions
from imaging.lesions import LesionMeasurement
from imaging.models import GrownLesion, LesionRead, Quantification
from imaging.seeded import Grown, Place
from imaging.segmentation import Indices, SegmentationError
from imaging.services import open_volumes
from imaging.services import quantification as measuring
from trials import segmentation_methods
from trials.services.errors import Refused

# Contours lie where they were drawn, whatever was clicked.
ANYWHERE: Place = (0, 0, 0)


@dataclass(frozen=True)
class Preview:
    """A region grown, placed or drawn, and what is measured on it; nothing is kept of it."""

    voxel: Place
    grown: Grown
    measured: LesionMeasurement
    parameters: Mapping[str, Any]

    def columns(self, opened: open_volumes.OpenVolume) -> dict[str, Any]:
        """What is stored of it as a grown region."""
        return {
            "clicked_voxel": list(self.voxel),
            "clicked_mm": [float(one) for one in opened.grid.voxel_to_patient(self.voxel)],
            "parameters": dict(self.parameters),
            "threshold": self.grown.threshold,
            "came_to": dict(self.grown.came_to),
            "holds_hotter": self.grown.holds_hotter,
            **measuring.measured_columns(self.measured),
        }


def preview(
    run: Quantification, voxel: Place, *, method: Mapping[str, Any] | None = None
) -> Preview:
    """What a click on a voxel (plane, row, column) of a run takes in, or a shape placed there.

    `method` is that of a shape, as `trials.segmentation_methods.placed` gives it.
    """
    try:
        return grown_at(open_volumes.of_run(run), run, voxel, method=method)
    except SegmentationError as error:
        raise Refused(error.code, str(error), status=422) from error


def grown_at(
    opened: open_volumes.OpenVolume,
    run: Quantification,
    voxel: Place,
    *,
    method: Mapping[str, Any] | None = None,
) -> Preview:
    """As `preview`, in a volume that is at hand; raises what `imaging.clicks` raises."""
    parameters = method or segmentation_methods.click(run.parameters)
    grown = clicks.grown(opened.suv, voxel, grid=opened.grid, method=parameters)
    clicks.require_own_maximum(opened.suv, grown, parameters)
    how = measuring.measured_by(run.parameters)
    (measured,) = lesions.measure(opened.suv, grown.components, grid=opened.grid, **how)
    if parameters["method"] == segmentation_methods.DRAWN:
        contours = parameters["contours"]
        slices = drawn.slices_of(contours, opened.grid)
        return Preview(grown.seed, grown, measured, segmentation_methods.drawn(contours, slices))
    return Preview(voxel, grown, measured, parameters)


def voxels_of(opened: open_volumes.OpenVolume, row: LesionRead) -> Indices:
    """The voxels of a region of a read, ascending; empty where the run finds it no more.

    What a kept click took in is grown again, for it is not stored.
    """
    if row.grown:
        return _grown_voxels(opened, row.grown)
    found = (one.voxels for one in opened.regions if one.number == row.lesion.number)
    return next(found, np.array([], np.int64))


def _grown_voxels(opened: open_volumes.OpenVolume, region: GrownLesion) -> Indices:
    plane, row, column = region.clicked_voxel
    place = (plane, row, column)
    try:
        return clicks.grown(opened.suv, place, grid=opened.grid, method=region.parameters).flat
    except SegmentationError as error:
        raise Refused(error.code, str(error)) from error
