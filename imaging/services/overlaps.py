"""Lesions of a read that share voxels: what two of them hold would count twice in every sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from imaging.geometry import Grid
from imaging.models import LesionRead, Read
from imaging.segmentation import Indices
from imaging.services import growing, open_volumes
from imaging.services.open_volumes import OpenVolume
from trials import segmentation_methods
from trials.services.errors import Refused

ACCEPTED = LesionRead.Decision.ACCEPTED


@dataclass(frozen=True)
class Shared:
    """What a region has in common with a lesion of the same read."""

    number: int
    volume_ml: float

    def __str__(self) -> str:
        return f"{self.volume_ml:.2f} mL with region {self.number}"


def with_lesions(
    opened: OpenVolume, voxels: Indices, rows: Iterable[LesionRead], *, but: int | None = None
) -> list[Shared]:
    """The lesions among some rows that hold voxels of a region; `but` leaves one number out."""
    found = []
    for row in rows:
        if row.decision != ACCEPTED or row.number == but:
            continue
        common = _common(voxels, growing.voxels_of(opened, row))
        if common.size:
            found.append(Shared(row.number, _volume_ml(opened.grid, common)))
    return found


def refuse(shared: Sequence[Shared]) -> None:
    """Raise if a region shares voxels with a lesion."""
    if shared:
        named = " and ".join(str(one.number) for one in shared)
        raise Refused(
            "shares-voxels",
            f"This region shares {', '.join(map(str, shared))}, which you called a lesion: these "
            f"voxels would count twice. Grow it in place of region {named}, or say of one of them "
            "that it is no lesion of its own.",
        )


def among(read: Read, rows: Sequence[LesionRead]) -> list[str]:
    """The lesions of a read, among its rows, that share voxels: a sentence for each two."""
    lesions = [row for row in rows if row.decision == ACCEPTED]
    if len(lesions) < 2 or not may_share(read, lesions):
        return []
    opened = open_volumes.of_run(read.quantification)
    voxels = [growing.voxels_of(opened, row) for row in lesions]
    together = np.concatenate(voxels)
    if np.unique(together).size == together.size:
        return []
    return [
        f"Regions {one.number} and {other.number} share "
        f"{_volume_ml(opened.grid, common):.2f} mL, which would count twice: keep one of them."
        for (one, here), (other, there) in combinations(zip(lesions, voxels, strict=True), 2)
        if (common := _common(here, there)).size
    ]


def may_share(read: Read, rows: Iterable[LesionRead]) -> bool:
    """Whether regions of a read can overlap at all: what one threshold outlines can't."""
    is_drawn = read.quantification.parameters["method"] == segmentation_methods.IMPORTED
    return is_drawn or any(row.grown_id for row in rows)


def _common(one: Indices, other: Indices) -> Indices:
    if not (one.size and other.size) or one[-1] < other[0] or other[-1] < one[0]:
        return one[:0]
    return np.intersect1d(one, other, assume_unique=True)


def _volume_ml(grid: Grid, voxels: Indices) -> float:
    return grid.volume_ml(voxels // (grid.shape[1] * grid.shape[2]))
