"""What a reader looks at: the slices of a run with the regions of the reader's own read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging import slices
from imaging.fusion import CtWindow, Underlay
from imaging.models import LesionRead, Quantification, Read
from imaging.pictures import LESION, PictureError
from imaging.selectors import reads as selecting
from imaging.selectors import regions
from imaging.services import (
    growing,
    grown_mirror_images,
    mirror_images,
    open_ct,
    open_volumes,
)
from imaging.services.open_volumes import OpenVolume
from imaging.slices import Outline, Plane
from trials.services.errors import Refused

Decision = LesionRead.Decision
# How a decision is drawn; the sign beside the number says the same as the colour.
DRAWN = {
    Decision.ACCEPTED: ("{}", LESION),
    Decision.UNDECIDED: ("{}?", slices.OPEN),
    Decision.EXCLUDED: ("({})", slices.LEFT_OUT),
}


@dataclass(frozen=True)
class Ct:
    """How the CT under a slice is wanted: its window, and the opacity of the uptake over it."""

    window: CtWindow
    opacity: float

    def under(self, run: Quantification) -> Underlay:
        """The CT of a run, to be drawn so; refused in words where there is none that fits."""
        opened = open_ct.of_run(run)
        return Underlay(opened.hounsfield, opened.grid, self.window, self.opacity)


def counts(run: Quantification) -> dict[str, int]:
    """How many slices each plane has; refused where the volume lies askew in the patient."""
    grid = open_volumes.of_run(run).grid
    with _refusing():
        return {str(plane): slices.count(grid, plane) for plane in Plane}


def through(run: Quantification, voxel: tuple[int, int, int]) -> dict[str, int]:
    """The slice of each plane through a voxel (plane, row, column); refused as `counts`."""
    grid = open_volumes.of_run(run).grid
    with _refusing():
        return {str(plane): slices.index_of(grid, plane, voxel) for plane in Plane}


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        raise Refused("no-picture", f"No slices can be shown: {error}.") from error


def slice_of(
    run: Quantification,
    read: Read | None,
    *,
    plane: Plane,
    index: int,
    low: float,
    high: float,
    click: tuple[int, int, int] | None = None,
    method: Mapping[str, Any] | None = None,
    ct: Ct | None = None,
) -> bytes:
    """A slice as PNG: the regions as the read decided them, and what a click would take in.

    `method` is that of a shape placed at the voxel instead, as `growing.preview` takes it.
    """
    opened = open_volumes.of_run(run)
    outlines = [*_mirrored(run, opened), *_outlines(opened, read)]
    if click is not None:
        found = growing.preview(run, click, method=method)
        outlines.append(Outline("new", found.grown.flat, slices.GROWN))
    try:
        return slices.slice_png(
            opened.suv,
            grid=opened.grid,
            plane=plane,
            index=index,
            window=slices.window_of(low, high),
            outlines=outlines,
            ct=ct.under(run) if ct else None,
        )
    except slices.SliceError as error:
        raise Refused(error.code, str(error), status=422) from error


def voxel_of(run: Quantification, point_mm: Iterable[float]) -> tuple[int, int, int]:
    """The voxel nearest to a point in the patient's frame, mm (LPS); it may lie outside."""
    grid = open_volumes.of_run(run).grid
    places = np.rint(grid.patient_to_voxel(list(point_mm))).astype(int)
    plane, row, column = places.tolist()
    return plane, row, column


def place_of(run: Quantification, voxel: tuple[int, int, int]) -> list[float]:
    """The middle of a voxel in the patient's frame, mm (LPS)."""
    return [float(one) for one in open_volumes.of_run(run).grid.voxel_to_patient(voxel)]


def voxel_at(
    run: Quantification, *, plane: Plane, index: int, x: float, y: float
) -> tuple[int, int, int]:
    """The voxel at a pixel of the picture of a slice."""
    try:
        return slices.voxel_at(open_volumes.of_run(run).grid, plane, index, x=x, y=y)
    except slices.SliceError as error:
        raise Refused(error.code, str(error), status=422) from error


def _mirrored(run: Quantification, opened: OpenVolume) -> Iterator[Outline]:
    """The mirror images of lesions, where the protocol compares with them."""
    if mirror_images.KIND not in run.parameters.get("proposals", {}):
        return
    found = regions.in_force(run).exclude(lesion=None)
    for number, flat in mirror_images.outlines(opened.regions, opened.grid, found):
        yield Outline(f"{number}m", flat, slices.MIRRORED)


def _outlines(opened: OpenVolume, read: Read | None) -> Iterator[Outline]:
    if read is None:
        yield from (Outline(f"{one.number}?", one.voxels, slices.OPEN) for one in opened.regions)
        return
    rows = selecting.rows_of(read)
    for number, flat in grown_mirror_images.outlines(opened, rows):
        yield Outline(f"{number}m", flat, slices.MIRRORED)
    for row in rows:
        label, colour = DRAWN[row.decision]
        flat = growing.voxels_of(opened, row)
        if flat.size:
            yield Outline(label.format(row.number), flat, colour)
