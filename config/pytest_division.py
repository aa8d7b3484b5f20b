"""How the tests are divided among processes: whole files, and all journeys as one piece."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

JOURNEYS = "tests/journeys/"


class Division(LoadFileScheduling):
    """Journeys go to one process, at once: they share a demo trial, which takes a minute to make.

    Files that want a database without rows are collected before the journeys. They go to a process
    that has taken none but such files, so that both processes end at about the same time.
    """

    @cached_property
    def _alone(self) -> set[str]:
        """Files collected before the journeys; none where no journey is asked for."""
        scopes = [self._split_scope(nodeid) for nodeid in self.collection]
        if JOURNEYS not in scopes:
            return set()
        return set(takewhile(lambda scope: scope != JOURNEYS, scopes))

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else super()._split_scope(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        if not self.workqueue or self._next(node):
            super()._reschedule(node)
        elif not node.shutting_down:
            node.shutdown()

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._next(node), last=False)
        super()._assign_work_unit(node)

    def _next(self, node: WorkerController) -> str | None:
        """The piece of work that `node` is to take, if there is one for it."""
        taken = self.assigned_work[node].keys()
        if self.numnodes > 1 and not taken and JOURNEYS in self.workqueue:
            return JOURNEYS
        if taken <= self._alone:
            return next(iter(self.workqueue))
        return next((scope for scope in self.workqueue if scope not in self._alone), None)
