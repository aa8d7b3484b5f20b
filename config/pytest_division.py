"""How the tests are divided among processes: whole files, and all journeys as one piece."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

JOURNEYS = "tests/journeys/"


class Division(LoadFileScheduling):
    """Journeys share a demo trial, which takes a minute to make: one process makes it."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else super()._split_scope(nodeid)
