"""The SUV volumes that readers look at, kept in the memory of the process that shows them.

The first look at a series reads it from the archive; slices and clicks after it answer from
memory. The volumes stay below a bound, the one used longest ago goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imaging.geometry import Grid
from imaging.lesions import LesionMeasurement
from imaging.models import Quantification, Series
from imaging.selectors import volumes
from imaging.services import quantification as measuring
from trials.services.errors import Refused

# Of all volumes together; one larger than this is kept alone.
LARGEST_BYTES = 512 * 2**20


@dataclass(frozen=True)
class OpenVolume:
    """SUVbw in g/mL (planes, rows, columns), its grid, and the regions that the run found in it."""

    suv: np.ndarray
    grid: Grid
    regions: tuple[LesionMeasurement, ...]


class OpenVolumes:
    """A bounded number of bytes of volumes, by the digest of what they were computed from."""

    def __init__(self, largest_bytes: int) -> None:
        self._largest = largest_bytes
        self._kept: OrderedDict[str, OpenVolume] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], OpenVolume]) -> OpenVolume:
        """The volume of that key, loaded if it is not there; one is loaded at a time."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = load()
                self._drop()
            self._kept.move_to_end(key)
            return self._kept[key]

    def _drop(self) -> None:
        while len(self._kept) > 1 and self._bytes() > self._largest:
            self._kept.popitem(last=False)

    def _bytes(self) -> int:
        return sum(one.suv.nbytes for one in self._kept.values())


_OPEN = OpenVolumes(LARGEST_BYTES)


def of_run(run: Quantification) -> OpenVolume:
    """The volume that a current run was measured on, with the run's regions."""
    if run.series.code in Series.GONE:
        raise Refused("not-kept", "The images of this series were removed.", status=410)
    if run.suvmax is None or not run.is_current:
        raise Refused("no-current-suv", "This series has no current SUV to look at.")
    return _OPEN.get(f"{run.pk} {run.input_sha256} {run.suvbw_factor}", lambda: _loaded(run))


def _loaded(run: Quantification) -> OpenVolume:
    if volumes.input_digest(run.series) != run.input_sha256:
        raise Refused(
            "measured-again", "Images of this series came since: wait until it is measured again."
        )
    suv, grid = measuring.volume_of(run)
    return OpenVolume(suv, grid, measuring.regions_of(run, suv, grid))
