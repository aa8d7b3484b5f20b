"""What a printed sheet is made of: a head, and blocks one below the other.

A sheet is data, never markup: `sheet.typ` sets it, and no text in it can change how. A state is
a word with a mark beside it, never a colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Tone = Literal["good", "warn", "bad", "calm"]


@dataclass(frozen=True, slots=True)
class State:
    """A word that says how something stands, with a sentence below it."""

    text: str
    tone: Tone
    note: str = ""


Cell = str | State


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: `width` is its share of the page, or `auto` for what it needs."""

    label: str
    width: str = "auto"
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labels with their values, beside each other."""

    title: str
    items: Sequence[tuple[str, Cell]]
    columns: int = 4
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings that are said again on each page; `empty` stands where none is."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str
    kind: str = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"{self.title}: a row of {len(row)} cells under {len(self.columns)} columns"
                )


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes to write into: what belongs there, and its unit."""

    title: str
    items: Sequence[tuple[str, str]]
    columns: int = 4
    kind: str = "boxes"


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs."""

    title: str
    paragraphs: Sequence[str]
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Signing:
    """Lines to sign on, by the names of the roles who do."""

    title: str
    items: Sequence[str]
    kind: str = "signing"


Block = Facts | Table | Boxes | Text | Signing


@dataclass(frozen=True, slots=True)
class Head:
    """What every page of a sheet says of it."""

    trial: str
    protocol: str
    site: str
    as_of: str
    printed_at: str
    printed_by: str
    number: int
    software: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: `address` is where its record is found again; `banner` what it must not be taken
    for."""

    title: str
    subject: str
    blocks: Sequence[Block]
    notes: Sequence[str] = field(default=())
    banner: str = ""
    address: str = ""
    is_wide: bool = False

    def content(self, head: Head) -> dict[str, Any]:
        """Everything that is on the paper but the digest of it."""
        return asdict(head) | asdict(self)
