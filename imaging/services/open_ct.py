"""The CT that is laid under the slices of a run: of the same study, in the same frame of reference.

Kept as int16 in the memory of the process that shows it, half of what the SUV takes, below a bound
and no longer than anybody looks at it; see `open_volumes`. Whether its images were removed the
record is asked at each use.
"""

from __future__ import annotations

from collections.abc import Collection

from imaging import fusion
from imaging.models import Quantification, Series
from imaging.selectors import volumes
from imaging.services import ct_volumes, open_volumes
from imaging.services.ct_volumes import CtRefused, OpenCt
from imaging.services.open_volumes import OpenVolumes

# Of 512 x 512 planes, 1000 and more; one larger than this is kept alone.
LARGEST_BYTES = 512 * 2**20

_OPEN: OpenVolumes[OpenCt] = OpenVolumes(LARGEST_BYTES)


def of_run(run: Quantification) -> OpenCt:
    """The CT under a run; refused in words where there is none that fits."""
    series = ct_volumes.fitting(run.series)
    key = f"{series.pk} {volumes.input_digest(series)}"
    opened = _OPEN.get(key, series.pk, lambda: _loaded(series))
    if not fusion.covered(open_volumes.of_run(run).grid, opened.grid):
        raise CtRefused("ct-elsewhere", "The CT of this study does not reach where the PET is.")
    return opened


def forget(series: Collection[int]) -> None:
    """Keep no CT of these series in the memory of this process."""
    _OPEN.forget(series)


def _loaded(series: Series) -> OpenCt:
    found = ct_volumes.loaded(series)
    # What went while this was read, and what another process removed of what is kept here.
    gone = open_volumes.gone_among({series.pk, *_OPEN.series()})
    _OPEN.forget(gone)
    if series.pk in gone:
        raise CtRefused("not-kept", "The images of this CT were removed.", status=410)
    return found
