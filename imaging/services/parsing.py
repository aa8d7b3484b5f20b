"""Warm parsing processes of a worker: kept from job to job, several at work at once.

A process that hostile bytes have taken over could answer with what it was given before: another
patient's image under this one's number. So none serves two transmittals. What it has served is
known by the transmittal's key, and it is replaced when a job is done, before the next one waits
for it; a job of the same transmittal that comes sooner finds it as it is. All are forked from one
template that sees no such bytes (`imaging.services.forking`), which makes that cheap.

As many as there are processors, each with a thread of its own that lives as long as the worker:
the kernel ends the template with the thread that started it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import TypeVar

from imaging.services.forking import Template
from imaging.services.parser import FILE_SECONDS, Parser

# How many results may wait for those before them: each may be a large file.
AHEAD = 1

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[Parser, T], R]


class _Seat:
    """A parsing process and the transmittal that it has seen files of, if any."""

    def __init__(self, template: Template, file_seconds: float) -> None:
        self.parser = Parser(template, file_seconds=file_seconds)
        self.served: int | None = None

    def ready_for(self, transmittal: int) -> Parser:
        if self.served != transmittal:
            self.renew()
        self.served = transmittal
        return self.parser

    def renew(self) -> None:
        if self.served is not None:
            self.parser.end()
        self.served = None
        self.parser.start()


class ParserPool:
    """Parsing processes that stay; see `parsers` for the one of this process.

    for inspection in pool.each(transmittal.pk, lambda parser, data: parser.inspect(data), files):
        ...
    """

    def __init__(self, size: int | None = None, *, file_seconds: float = FILE_SECONDS) -> None:
        self.size = size or len(os.sched_getaffinity(0))
        self._file_seconds = file_seconds
        self._template = Template()
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="parser")
        self._mine = threading.local()
        self._seats: list[_Seat] = []

    def each(self, transmittal: int, work: Work[T, R], items: Iterable[T]) -> Iterator[R]:
        """`work` on each item with a process of its own, results in the order of the items.

        What it raises is raised here, in its turn; then nothing more is begun. Of results that
        wait for their turn there are a few at most, whatever the number of items. Who stops
        earlier closes the iterator.
        """
        under_way: deque[Future[R]] = deque()
        has_begun = False
        try:
            for item in items:
                has_begun = True
                if len(under_way) >= self.size + AHEAD:
                    yield under_way.popleft().result()
                under_way.append(self._threads.submit(self._serve, transmittal, work, item))
            while under_way:
                yield under_way.popleft().result()
        finally:
            for one in under_way:
                one.cancel()
            wait(under_way)
            if has_begun:
                for _ in range(self.size):
                    self._threads.submit(self._renew)

    def pids(self) -> list[int]:
        """Numbers of the processes that serve or wait to serve."""
        return [pid for seat in self._seats if (pid := seat.parser.pid)]

    def close(self) -> None:
        """End all of them; nothing of them is left."""
        self._threads.shutdown(cancel_futures=True)
        for seat in self._seats:
            seat.parser.end()
        self._template.end()

    def _serve(self, transmittal: int, work: Work[T, R], item: T) -> R:
        return work(self._seat().ready_for(transmittal), item)

    def _renew(self) -> None:
        self._seat().renew()

    def _seat(self) -> _Seat:
        """That of the thread that asks."""
        if not hasattr(self._mine, "seat"):
            self._mine.seat = _Seat(self._template, self._file_seconds)
            self._seats.append(self._mine.seat)
        return self._mine.seat


@lru_cache(1)
def parsers() -> ParserPool:
    """The pool of this process, made when it is first needed."""
    pool = ParserPool()
    atexit.register(pool.close)
    return pool


# A fork has neither the threads nor the children.
os.register_at_fork(after_in_child=parsers.cache_clear)
