"""The CT that belongs to a PET series: of the same study, in the same frame of reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.db.models import Count

from imaging import fusion, geometry, pixels, storage, volume
from imaging.geometry import Grid
from imaging.headers import SliceHeader
from imaging.models import Instance, Series
from imaging.selectors import volumes
from trials.services.errors import Refused


@dataclass(frozen=True)
class OpenCt:
    """HU as int16 (planes, rows, columns), and the grid."""

    hounsfield: fusion.Hounsfield
    grid: Grid

    @property
    def nbytes(self) -> int:
        """What it takes of memory."""
        return self.hounsfield.nbytes


class CtRefused(Refused):
    """No CT that can be laid under the PET; the message says why."""


def fitting(pet: Series) -> Series:
    """The CT with most planes in the frame of reference of a PET series."""
    found = Series.objects.filter(imaging_study=pet.imaging_study_id, modality="CT")
    found = found.exclude(code__in=Series.GONE).exclude(state=Series.State.REFUSED)
    if not found.exists():
        raise CtRefused("no-ct", "This study has no CT to lay under the PET.")
    frame = pet.instances.values_list("header__frame_of_reference_uid", flat=True).first()
    same = Instance.objects.filter(series__in=found, header__frame_of_reference_uid=frame)
    counted = same.values_list("series").annotate(planes=Count("pk")).order_by("-planes", "series")
    most = counted.first() if frame else None
    if most is None:
        raise CtRefused(
            "ct-in-another-frame",
            "The CT of this study has another frame of reference than the PET: nothing says where "
            "it would lie under it.",
        )
    return found.get(pk=most[0])


def loaded(series: Series, *, finest_mm: float = 0.0) -> OpenCt:
    """A CT, its pixels averaged in squares where they are finer than that.

    A plane at a time: all of them in single precision would take twice the memory.
    """
    read = volumes.headers_of(series)
    instances = list(series.instances.all())
    try:
        stack = geometry.stack_from_headers(read)
        storage.archive.bring(one.sha256 for one in instances)
        grid, rows, columns = _in_squares(stack.grid, finest_mm)
        values = np.empty(grid.shape, np.int16)
        planes = _planes(instances, read, stack.order)
        for plane, found in zip(values, planes, strict=True):
            plane[:] = fusion.hounsfield(_averaged(found, rows, columns))
    except (geometry.GeometryError, volume.VolumeError, pixels.PixelDataError) as error:
        why = str(error).rstrip(".")
        raise CtRefused(
            "ct-unfit", f"The CT of this study can't be laid under the PET: {why}."
        ) from error
    return OpenCt(values, grid)


def _in_squares(grid: Grid, finest_mm: float) -> tuple[Grid, int, int]:
    """The grid of squares of pixels, and how many rows and columns go into one."""
    depth, height, width = grid.spacing
    rows, columns = max(1, int(finest_mm // height)), max(1, int(finest_mm // width))
    x, y, z = (float(one) for one in grid.voxel_to_patient((0, (rows - 1) / 2, (columns - 1) / 2)))
    found = replace(
        grid,
        shape=(grid.shape[0], grid.shape[1] // rows, grid.shape[2] // columns),
        spacing=(depth, height * rows, width * columns),
        origin=(x, y, z),
    )
    return found, rows, columns


def _planes(
    instances: Sequence[Instance], headers: Sequence[SliceHeader], order: Sequence[int]
) -> Iterator[np.ndarray]:
    """The planes in HU, in their order along the patient."""
    for i in order:
        stored = pixels.stored_values(
            storage.archive.read(instances[i].sha256), headers[i], volumes.place_of(instances[i])
        )
        yield volume.rescaled([headers[i]], [stored])[0]


def _averaged(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A plane with the mean of each square of pixels; what makes no whole one is left out."""
    if rows == columns == 1:
        return plane
    height, width = (size // by for size, by in zip(plane.shape, (rows, columns), strict=True))
    whole = plane[: height * rows, : width * columns]
    # A pixel of every square at a time: numpy's mean over two short axes takes six times as long.
    total = np.zeros((height, width), plane.dtype)
    for row in range(rows):
        for column in range(columns):
            total += whole[row::rows, column::columns]
    return total / (rows * columns)
