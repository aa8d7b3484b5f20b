"""Work on many like things by several threads at once: numpy and the disk let go of Python's lock.

It pays where each call takes long. Where it takes some microseconds, as for the means of spheres,
threads wait for the lock: two need half as long again as one.

The parts are neighbouring, so that each thread goes through memory and files in their order, and
what comes of it does not depend on how many threads there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST_THREADS = 4


def in_parts(
    count: int, work: Callable[[int, int], None], *, threads: int | None = None, least: int = 1
) -> None:
    """Do `work(start, end)` on neighbouring parts of `range(count)`, a thread for each.

    There are as many threads as processors, four at most, or as told; and no more than leave each
    of them `least` things to do, below which starting it costs what it saves. Of several parts
    that raise, the error of the first is raised.

    >>> done = []
    >>> in_parts(5, lambda start, end: done.append((start, end)), threads=2)
    >>> sorted(done)
    [(0, 2), (2, 5)]
    """
    wanted = threads or min(MOST_THREADS, len(os.sched_getaffinity(0)))
    parts = max(1, min(wanted, count // least))
    ends = [count * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(0, count)
        return
    with ThreadPoolExecutor(parts - 1, "parts") as pool:
        others = [pool.submit(work, ends[part], ends[part + 1]) for part in range(1, parts)]
        work(ends[0], ends[1])
        for one in others:
            one.result()
