"""The CT that is laid under the slices of a run: of the same study, in the same frame of reference.

Kept as int16 in the memory of the process that shows it, half of what the SUV takes, below a bound
and no longer than anybody looks at it; see `open_volumes`. Whether its images were removed the
record is asked at each use.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from django.db.models import Count

from imaging import fusion, geometry, pixels, storage, volume
from imaging.geometry import Grid
from imaging.models import Instance, Quantification, Series
from imaging.selectors import volumes
from imaging.services import open_volumes
from imaging.services.open_volumes import OpenVolumes
from trials.services.errors import Refused

# Of 512 x 512 planes, 1000 and more; one larger than this is kept alone.
LARGEST_BYTES = 512 * 2**20


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


_OPEN: OpenVolumes[OpenCt] = OpenVolumes(LARGEST_BYTES)


def of_run(run: Quantification) -> OpenCt:
    """The CT under a run; refused in words where there is none that fits."""
    series = _fitting(run)
    key = f"{series.pk} {volumes.input_digest(series)}"
    opened = _OPEN.get(key, series.pk, lambda: _loaded(series))
    if not fusion.covered(open_volumes.of_run(run).grid, opened.grid):
        raise CtRefused("ct-elsewhere", "The CT of this study does not reach where the PET is.")
    return opened


def _fitting(run: Quantification) -> Series:
    """The CT with most planes in the frame of reference of the PET."""
    found = Series.objects.filter(imaging_study=run.series.imaging_study_id, modality="CT")
    found = found.exclude(code__in=Series.GONE).exclude(state=Series.State.REFUSED)
    if not found.exists():
        raise CtRefused("no-ct", "This study has no CT to lay under the PET.")
    frame = run.series.instances.values_list("header__frame_of_reference_uid", flat=True).first()
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


def forget(series: Collection[int]) -> None:
    """Keep no CT of these series in the memory of this process."""
    _OPEN.forget(series)


def _loaded(series: Series) -> OpenCt:
    read = volumes.headers_of(series)
    instances = list(series.instances.all())
    try:
        stack = geometry.stack_from_headers(read)
        storage.archive.bring(one.sha256 for one in instances)
        values = np.empty(stack.grid.shape, np.int16)
        for plane, i in enumerate(stack.order):
            stored = pixels.stored_values(
                storage.archive.read(instances[i].sha256), read[i], volumes.place_of(instances[i])
            )
            # A plane at a time: all of them in single precision would take twice the memory.
            values[plane] = fusion.hounsfield(volume.rescaled([read[i]], [stored])[0])
    except (geometry.GeometryError, volume.VolumeError, pixels.PixelDataError) as error:
        why = str(error).rstrip(".")
        raise CtRefused(
            "ct-unfit", f"The CT of this study can't be laid under the PET: {why}."
        ) from error
    # What went while this was read, and what another process removed of what is kept here.
    gone = open_volumes.gone_among({series.pk, *_OPEN.series()})
    _OPEN.forget(gone)
    if series.pk in gone:
        raise CtRefused("not-kept", "The images of this CT were removed.", status=410)
    return OpenCt(values, stack.grid)
