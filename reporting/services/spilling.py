"""Rows that wait on disk: those of a submission are too many for memory, and gone through again."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any

Values = tuple[Any, ...]


class Spilled:
    """Rows in a file, in the order in which they were added."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._rows, self._end = file, 0, 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Values]:
        at = 0
        while at < self._end:
            # Others may read it at the same time.
            self._file.seek(at)
            some = pickle.load(self._file)  # noqa: S301  a file without a name: no other process can have written it
            at = self._file.tell()
            yield from some

    def extend(self, rows: Iterable[Values], /) -> None:
        """Add rows; those of one call are in memory together whenever they are read."""
        some = list(rows)
        if some:
            self._file.seek(self._end)
            pickle.dump(some, self._file, pickle.HIGHEST_PROTOCOL)
            self._rows, self._end = self._rows + len(some), self._file.tell()


class Spill:
    """Makes room for rows, which the system has back when this is closed."""

    def __init__(self) -> None:
        self._files = ExitStack()

    def close(self) -> None:
        """Give everything back."""
        self._files.close()

    def rows(self) -> Spilled:
        """None yet."""
        return Spilled(self._files.enter_context(tempfile.TemporaryFile()))
