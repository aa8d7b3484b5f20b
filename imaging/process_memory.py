"""How a process that handles many images keeps its memory: it asks the kernel for little anew.

An image makes buffers of its size several times over, and some ten thousand objects, of which few
are in circles. By its defaults the C library gives such a buffer back each time, to be given pages
of zeros anew, and Python looks for circles after every 700 objects, through all that the process
ever loaded. Each takes about a tenth of the time of an image.
"""

from __future__ import annotations

import ctypes
import gc

from imaging import kept_memory

LOOK_FOR_CIRCLES_AFTER = 50_000
TRIM_BYTES, MMAP_BYTES = 2**25, 2**24
# See mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep() -> None:
    """Give memory back to the kernel by many images; a C library without it goes on as it does."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)
        library.mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES)


def give_back(*, beyond: int = 0) -> None:
    """Give the kernel what earlier work left: who takes in thousands of images needs none of it.

    Measuring a series leaves hundreds of megabytes of buffers in the C library's pools, and the
    memory of its volume, kept for the next one; of that so many bytes may stay.
    """
    kept_memory.forget(beyond=beyond)
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def settle() -> None:
    """What was loaded so far stays: look for circles in what comes, and seldom."""
    gc.freeze()
    gc.set_threshold(LOOK_FOR_CIRCLES_AFTER)
