"""The eligibility audit board: what a cell says, how cells are counted and chosen from.

A cell is one criterion of one patient, for a scan where it was judged for one. It has the word
of the newest judgement, and whether a monitor verified the evidence that stands behind it today.
The one mistake to fear is an exclusion of one scan that hides behind another scan: each has a
cell of its own, and the worst comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

WORDS = ("satisfied", "excludes", "cannot tell", "not applicable")
# The short word of a cell, where there is room for no more.
SHORT = {
    "satisfied": "ok",
    "excludes": "excl.",
    "cannot tell": "?",
    "not applicable": "n/a",
    "": "–",
}
# From what keeps a patient out to what was not judged.
WORST_FIRST = ("excludes", "cannot tell", "satisfied", "not applicable", "")
VERIFIED, CHANGED, UNVERIFIED = "verified", "changed since verified", "not verified"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one criterion came to for one patient, or one scan; no word if it was not judged."""

    criterion: str
    word: str = ""
    is_provisional: bool = False
    verification: str = ""
    scan: int | None = None
    # What it was judged for: the scan with its day on the clock of the site, or enrolment.
    judged_for: str = ""
    # When its judgement, evidence, signature or verification last changed.
    changed_at: datetime | None = None

    def changed_after(self, since: datetime) -> bool:
        return self.changed_at is not None and self.changed_at > since

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
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """One column: how many patients came to each word, and how many cells are verified.

    A patient with several scans counts once, by the worst word of them.
    """

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
        and (asked.since is None or cell.changed_after(asked.since))
        for cell in cells
    )


def worst_first(cells: Iterable[Cell]) -> list[Cell]:
    """Cells of one criterion, what excludes before what satisfies; otherwise as they came.

    >>> [cell.scan for cell in worst_first([Cell("E6", "satisfied", scan=1),
    ...                                     Cell("E6", "excludes", scan=2)])]
    [2, 1]
    """
    return sorted(cells, key=lambda cell: WORST_FIRST.index(cell.word))


def by_criterion(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """The cells of each criterion, in the order they came."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.criterion, []).append(cell)
    return found


def totals(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[Totals]:
    """What the cells of each column come to together."""
    grouped = [by_criterion(cells) for cells in rows]
    return [_total(name, [row[name] for row in grouped if name in row]) for name in columns]


def _total(criterion: str, patients: Sequence[Sequence[Cell]]) -> Totals:
    worst = [worst_first(cells)[0].word for cells in patients]
    judged = [cell for cells in patients for cell in cells if cell.is_judged]
    return Totals(
        criterion,
        Counter(word for word in worst if word),
        sum(cell.verification == VERIFIED for cell in judged),
        len(judged),
    )


def coverage(found: Iterable[Totals]) -> tuple[int, int]:
    """How many cells are verified, of how many that are judged."""
    columns = list(found)
    return sum(one.verified for one in columns), sum(one.judged for one in columns)
