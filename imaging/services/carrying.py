"""Regions that a reader grew, taken over to a new draft: grown again there, at the same place.

Nothing is taken over unseen. Each is for the reader to confirm, beside what it was before, and one
that can't be grown again is named on the draft.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from imaging.geometry import Grid
from imaging.models import GrownLesion, LesionRead, Read
from imaging.seeded import Place
from imaging.segmentation import Indices, SegmentationError
from imaging.selectors import reads as selecting
from imaging.services import growing, grown_mirror_images, open_volumes
from imaging.services.open_volumes import OpenVolume
from trials import segmentation_methods

Decision = LesionRead.Decision
OTHER_METHOD = (
    "method-changed",
    "The protocol grows a region from a click in another way now.",
)


def grown_of(read: Read) -> list[LesionRead]:
    """The rows of a read whose region its reader grew."""
    return [row for row in selecting.rows_of(read) if row.grown]


def carry(earlier: Read, read: Read) -> None:
    """Grow what was grown in an earlier read again in a new draft of the same reader.

    In place of an outline that is there again, else as one more. Inside an action.
    """
    rows = grown_of(earlier)
    if earlier.state != Read.State.SIGNED:
        # Nobody signed that these are gone: they are named until somebody does.
        read.not_carried = list(earlier.not_carried)
    if not rows:
        read.save(update_fields=["not_carried"])
        return
    opened = open_volumes.of_run(read.quantification)
    outlines = {outline_of(one.lesion): one for one in selecting.rows_of(read)}
    for row in rows:
        try:
            grown, flat = _grown_again(row.grown, read, opened)
        except SegmentationError as error:
            read.not_carried.append(_lost(row, error.code, str(error)))
            continue
        into = outlines.get(outline_of(row.lesion)) if row.lesion else None
        into = _put(read, into, grown)
        others = [one for one in selecting.rows_of(read) if one.number != into.number]
        grown_mirror_images.look_for(grown, flat, opened, others)
    read.save(update_fields=["not_carried"])


def outline_of(lesion) -> tuple | None:
    """What tells that a region of another run is the same voxels."""
    return lesion and (tuple(lesion.suvmax_voxel), lesion.voxel_count)


def _grown_again(
    region: GrownLesion, read: Read, opened: OpenVolume
) -> tuple[GrownLesion, Indices]:
    run = read.quantification
    method = segmentation_methods.now_of(region.parameters, run.parameters)
    if region.parameters != dict(method):
        raise SegmentationError(*OTHER_METHOD)
    voxel = _voxel_at(opened.grid, region.clicked_mm)
    found = growing.grown_at(opened, run, voxel, method=method)
    grown = GrownLesion.objects.create(read=read, grown_from=region, **found.columns(opened))
    return grown, found.grown.flat


def _voxel_at(grid: Grid, point: Iterable[float]) -> Place:
    """The voxel that holds a place in the patient: planes may have come, so indices may not do."""
    plane, row, column = np.rint(grid.patient_to_voxel(list(point))).astype(int).tolist()
    return plane, row, column


def _put(read: Read, into: LesionRead | None, grown: GrownLesion) -> LesionRead:
    if into is None:
        into = LesionRead(read=read, number=selecting.next_number(read))
    into.grown = grown
    # What was said is offered again, and counts once the reader has seen the region.
    unsay(into)
    into.save()
    return into


def unsay(row: LesionRead) -> None:
    """Nothing is said of a region any more: what was said was said of other voxels."""
    row.decision, row.positivity = Decision.UNDECIDED, LesionRead.Positivity.NOT_STATED
    row.organ = row.reason = row.region = ""
    row.decided_at = None


def _lost(row: LesionRead, code: str, why: str) -> dict[str, Any]:
    return {
        "number": row.number,
        "decision": row.decision,
        "volume_ml": row.grown.volume_ml,
        "suvmax": row.grown.suvmax,
        "code": code,
        "why": why,
    }
