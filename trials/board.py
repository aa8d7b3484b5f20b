"""The eligibility audit board: what a cell says, how cells are counted and chosen from.

A cell is one criterion of one patient. It has the word of the newest judgement, whether that
still stands, and whether a monitor verified the evidence that stands behind it today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WORDS = ("satisfied", "excludes", "cannot tell", "not applicable")
# The short word of a cell, where there is room for no more.
SHORT = {
    "satisfied": "ok",
    "excludes": "excl.",
    "cannot tell": "?",
    "not applicable": "n/a",
    "": "–",
}
VERIFIED, CHANGED, UNVERIFIED = "verified", "changed since verified", "not verified"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one criterion came to for one patient; no word if it was not judged."""

    criterion: str
    word: str = ""
    is_provisional: bool = False
    verification: str = ""
    scan: int | None = None

    @property
    def short(self) -> str:
        return SHORT[self.word]

    @property
    def is_judged(self) -> bool:
        return bool(self.word)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the board is narrowed to; empty is everything."""

    criterion: str = ""
    word: str = ""
    verification: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """One column: how many patients came to each word, and how many cells are verified."""

    criterion: str
    words: Counter[str]
    verified: int
    judged: int

    @property
    def unknown(self) -> int:
        return self.words["cannot tell"]


def matches(cells: Sequence[Cell], asked: Asked) -> bool:
    """Whether a patient's cells hold one that is asked for.

    >>> matches([Cell("I1", "satisfied")], Asked(word="excludes"))
    False
    """
    if asked == Asked():
        return True
    return any(
        (not asked.criterion or cell.criterion == asked.criterion)
        and (not asked.word or cell.word == asked.word)
        and (not asked.verification or cell.verification == asked.verification)
        for cell in cells
    )


def totals(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[Totals]:
    """What the cells of each column come to together."""
    by_column: dict[str, list[Cell]] = {name: [] for name in columns}
    for cells in rows:
        for cell in cells:
            by_column[cell.criterion].append(cell)
    return [
        Totals(
            name,
            Counter(cell.word for cell in cells if cell.is_judged),
            sum(cell.verification == VERIFIED for cell in cells),
            sum(cell.is_judged for cell in cells),
        )
        for name, cells in by_column.items()
    ]


def coverage(found: Iterable[Totals]) -> tuple[int, int]:
    """How many cells are verified, of how many that are judged."""
    columns = list(found)
    return sum(one.verified for one in columns), sum(one.judged for one in columns)
