"""The SUV volumes that readers look at, kept in the memory of the process that shows them.

The first look at a series reads it from the archive; slices and clicks after it answer from
memory. The volumes stay below a bound, the one used longest ago goes first, and none stays that
nobody looks at.

The mistake to fear is the image of a patient that is shown, or kept, after it was destroyed. The
record is asked at each use and once more when a volume has been read; what is gone there goes here
when it is asked for, when another is read, or after `IDLE_SECONDS` in a process that nobody asks.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Protocol, TypeVar

import numpy as np

from imaging.geometry import Grid
from imaging.lesions import LesionMeasurement
from imaging.midsagittal import MidsagittalPlane, midsagittal_plane
from imaging.models import Quantification, Series
from imaging.selectors import volumes
from imaging.services import quantification as measuring
from trials.services.errors import Refused

# Of all volumes together; one larger than this is kept alone.
LARGEST_BYTES = 512 * 2**20
# Of series that are read from the archive at the same time: each needs memory of its own.
LOADS_AT_ONCE = 2
IDLE_SECONDS = 600.0


@dataclass(frozen=True)
class OpenVolume:
    """SUVbw in g/mL (planes, rows, columns), its grid, and the regions that the run found in it."""

    suv: np.ndarray
    grid: Grid
    regions: tuple[LesionMeasurement, ...]

    @cached_property
    def midsagittal(self) -> MidsagittalPlane:
        """The plane between the sides of the head, looked for once; raises `MirrorError`."""
        return midsagittal_plane(self.suv, grid=self.grid)

    @property
    def nbytes(self) -> int:
        return self.suv.nbytes + sum(one.voxels.nbytes for one in self.regions)


class Sized(Protocol):
    """What says how many bytes it takes."""

    @property
    def nbytes(self) -> int:
        """The bytes."""


Opened = TypeVar("Opened", bound=Sized)


@dataclass
class _Kept(Generic[Opened]):
    series: int
    volume: Opened
    used: float = field(default_factory=time.monotonic)


class OpenVolumes(Generic[Opened]):
    """A bounded number of bytes of volumes, by the digest of what they were computed from.

    Each is read once, whoever waits for it; who asks for another does not wait for it.
    """

    def __init__(
        self,
        largest_bytes: int,
        *,
        loads_at_once: int = LOADS_AT_ONCE,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._largest = largest_bytes
        self._idle = idle_seconds
        self._kept: OrderedDict[str, _Kept[Opened]] = OrderedDict()
        self._reading: dict[str, threading.Lock] = {}
        self._loads = threading.BoundedSemaphore(loads_at_once)
        # Of the two tables, held for no longer than they are looked at.
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def get(self, key: str, series: int, load: Callable[[], Opened]) -> Opened:
        """The volume of that key, loaded if it is not there."""
        if volume := self._used(key):
            return volume
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            # Another thread may have read it while this one waited.
            if volume := self._used(key):
                return volume
            try:
                with self._loads:
                    volume = load()
                self._keep(key, _Kept(series, volume))
            finally:
                with self._lock:
                    self._reading.pop(key, None)
        return volume

    def series(self) -> set[int]:
        """Whose volumes are kept."""
        with self._lock:
            return {one.series for one in self._kept.values()}

    def forget(self, series: Collection[int]) -> None:
        """Keep nothing of these series any more."""
        with self._lock:
            for key in [key for key, one in self._kept.items() if one.series in series]:
                del self._kept[key]

    def _used(self, key: str) -> Opened | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            self._kept[key].used = time.monotonic()
            return self._kept[key].volume

    def _keep(self, key: str, kept: _Kept[Opened]) -> None:
        """A run of the same series before this one is looked at no more."""
        self.forget({kept.series})
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > 1 and self._bytes() > self._largest:
                self._kept.popitem(last=False)
        self._watch()

    def _bytes(self) -> int:
        return sum(one.volume.nbytes for one in self._kept.values())

    def _watch(self) -> None:
        """Look for idle volumes once more, for as long as there are any volumes."""
        with self._lock:
            if self._kept and self._timer is None:
                self._timer = threading.Timer(self._idle / 2, self._drop_idle)
                self._timer.daemon = True
                self._timer.start()

    def _drop_idle(self) -> None:
        since = time.monotonic() - self._idle
        with self._lock:
            for key in [key for key, one in self._kept.items() if one.used < since]:
                del self._kept[key]
            self._timer = None
        self._watch()


_OPEN: OpenVolumes[OpenVolume] = OpenVolumes(LARGEST_BYTES)
forget = _OPEN.forget


def of_run(run: Quantification) -> OpenVolume:
    """The volume that a current run was measured on, with the run's regions."""
    if run.series.code in Series.GONE:
        forget({run.series_id})
        raise _gone()
    if run.suvmax is None or not run.is_current:
        raise Refused("no-current-suv", "This series has no current SUV to look at.")
    key = f"{run.pk} {run.input_sha256} {run.suvbw_factor}"
    return _OPEN.get(key, run.series_id, lambda: _loaded(run))


def _loaded(run: Quantification) -> OpenVolume:
    if volumes.input_digest(run.series) != run.input_sha256:
        raise Refused(
            "measured-again", "Images of this series came since: wait until it is measured again."
        )
    suv, grid = measuring.volume_of(run)
    found = OpenVolume(suv, grid, measuring.regions_of(run, suv, grid))
    # What went while this was read, and what another process removed of what is kept here.
    gone = gone_among({run.series_id, *_OPEN.series()})
    forget(gone)
    if run.series_id in gone:
        raise _gone()
    return found


def gone_among(series: Collection[int]) -> set[int]:
    """Those of some series whose images were removed."""
    rows = Series.objects.filter(pk__in=series, code__in=Series.GONE)
    return set(rows.values_list("pk", flat=True))


def _gone() -> Refused:
    return Refused("not-kept", "The images of this series were removed.", status=410)
