"""Memory of a volume that is kept for the next one.

A process measures one series after the other. New memory comes page by page, each emptied first:
for a volume of 512 MB that takes as long as to read and convert its 800 slices, and several times
as long on a virtual machine that has to get it from its host. So the memory of the last volume is
kept when nothing looks at it any more, and told to the system as free: what runs short of memory
is given it, and else the next volume is written over the last.

The mistake to fear is memory that is given away while somebody still looks at it: it is kept only
once the array and each view of it are gone.
"""

from __future__ import annotations

import math
import mmap
import weakref
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

# Below this it is had at once, and there is nothing to keep.
LEAST_BYTES = 8 << 20
# In all: as much as a volume of 800 x 400 x 400 voxels takes.
MOST_BYTES = 512_000_000

# Changed by single calls alone: an array may end at any time, in mid-call of another thread.
_kept: list[mmap.mmap] = []


def empty(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array of single precision whose values are whatever was there before, as `np.empty`.

    >>> first = empty((4, 1024, 1024))
    >>> address = first.ctypes.data
    >>> del first
    >>> empty((3, 1024, 1024)).ctypes.data == address
    True
    """
    count = math.prod(shape)
    size = count * np.dtype(np.float32).itemsize
    if size < LEAST_BYTES:
        return np.empty(shape, np.float32)
    memory = _taken(size) or _new(size)
    whole = np.frombuffer(memory, np.float32, count)
    # Each view holds the array that it was made from.
    weakref.finalize(whole, _keep, memory).atexit = False
    return whole.reshape(shape)


def forget(*, beyond: int = 0) -> None:
    """Keep no more bytes than that of what nobody looks at now: the latest."""
    while sum(map(len, _kept)) > beyond:
        with suppress(IndexError):
            _kept.pop(0)


def _new(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _taken(size: int) -> mmap.mmap | None:
    """The smallest of what is kept that is large enough; else all of it goes, to make room."""
    for memory in sorted(_kept, key=len):
        if len(memory) >= size:
            with suppress(ValueError):  # Another thread has taken it.
                _kept.remove(memory)
                return memory
    _kept.clear()
    return None


def _keep(memory: mmap.mmap) -> None:
    """Keep it, and of the others the latest that there is room for."""
    if len(memory) > MOST_BYTES:
        return
    memory.madvise(mmap.MADV_FREE)
    _kept.append(memory)
    forget(beyond=MOST_BYTES)
