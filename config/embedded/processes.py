"""Starting child processes that do not outlive us, and knowing whether one is still there."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(how: int = signal.SIGTERM) -> None:
    """Ask the kernel to send `how` to this process when its parent ends. Call in the child.

    A change of user clears it, so it comes after one. It is tied to the thread that forked:
    start children from the main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() == 1:
            os._exit(1)


def ending_with(how: int = signal.SIGTERM) -> Callable[[], None]:
    return lambda: die_with_parent(how)


def started_at(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def is_same(pid: int, mark: str) -> bool:
    """Whether `pid` is still the process that `started_at` marked."""
    return started_at(pid) == mark
