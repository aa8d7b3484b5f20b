"""Work of a job that somebody watches and may call off, while it reads in one transaction.

That transaction writes nothing and sees one instant. So a thread with a connection of its own says
how far the work is, and looks whether it is still wanted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections

from reporting.progress import Progress
from trials.services import jobs

SECONDS = 0.5


class CalledOff(Exception):  # noqa: N818  an answer, not a fault
    """Nobody wants the work any more: leave it where it is."""


class Watch:
    """What the work says of itself, and whether it is to stop."""

    def __init__(self) -> None:
        self.latest: Progress | None = None
        self.is_called_off = threading.Event()

    def tell(self, progress: Progress) -> None:
        """Keep how far the work is.

        Raises
        ------
        CalledOff
            When it is not wanted any more.
        """
        self.latest = progress
        if self.is_called_off.is_set():
            raise CalledOff


@contextmanager
def watched(claim: jobs.Claim, is_wanted: Callable[[], bool]) -> Iterator[Watch]:
    """Have a job's progress written and its being wanted looked at, as long as this is open."""
    watch, stop = Watch(), threading.Event()
    thread = threading.Thread(target=_look, args=(watch, stop, claim, is_wanted), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def _look(
    watch: Watch, stop: threading.Event, claim: jobs.Claim, is_wanted: Callable[[], bool]
) -> None:
    said = None
    try:
        while not stop.wait(SECONDS):
            if (now := watch.latest) and now != said:
                jobs.report(claim, now.line)
                said = now
            if not is_wanted():
                watch.is_called_off.set()
                return
    finally:
        connections.close_all()
