"""How far a freeze is: which part of the export it writes, and how many rows of it are written.

A job says it as one line, for whoever looks at jobs; the pages and the API read the line again. A
part is a dataset in all its formats, a standard, or a package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

Row = TypeVar("Row")
# Between two looks whether the work is still wanted; a batch of the writers is larger.
ROWS_BETWEEN = 500
_LINE = re.compile(r"part ([0-9]+) of ([0-9]+): (.+), ([0-9]+) rows")


@dataclass(frozen=True, slots=True)
class Progress:
    """Part `number` of `parts`, from 1, with the rows of it that were read so far."""

    number: int
    parts: int
    what: str
    rows: int = 0

    @property
    def line(self) -> str:
        """The progress as a job says it.

        >>> Progress(3, 40, "lesions", 1500).line
        'part 3 of 40: lesions, 1500 rows'
        """
        return f"part {self.number} of {self.parts}: {self.what}, {self.rows} rows"


Told = Callable[[Progress], object]


def read(line: str) -> Progress | None:
    """What `Progress.line` said; None of any other line.

    >>> read("part 3 of 40: lesions, 1500 rows")
    Progress(number=3, parts=40, what='lesions', rows=1500)
    >>> read("Measuring lesions")
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    number, parts, what, rows = found.groups()
    return Progress(int(number), int(parts), what, int(rows))


class Parts:
    """Counts the parts of an export as they begin, and tells of each and of its rows.

    Whoever is told may raise, and ends the work there.
    """

    def __init__(self, parts: int, tell: Told) -> None:
        self._now, self._tell = Progress(0, parts, ""), tell

    def begin(self, what: str) -> None:
        self._now = Progress(self._now.number + 1, self._now.parts, what)
        self._tell(self._now)

    def within(self, what: str) -> None:
        """The same part goes on with another file."""
        self._now = replace(self._now, what=what, rows=0)
        self._tell(self._now)

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, telling now and then how many there were."""
        number = 0
        for number, row in enumerate(rows, 1):
            if number % ROWS_BETWEEN == 0:
                self._tell(replace(self._now, rows=number))
            yield row
        self._tell(replace(self._now, rows=number))
