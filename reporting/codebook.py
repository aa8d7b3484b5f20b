"""The codebook: what every column of an export holds, for programs (CSV) and for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reporting import csvtext
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type

PATH = "codebook.csv"
READABLE_PATH = "codebook.md"

COLUMNS = tuple(
    Column(name, label, Type.TEXT, Privacy.TECHNICAL)
    for name, label in (
        ("dataset", "Dataset"),
        ("column", "Column"),
        ("label", "Label"),
        ("type", "Type"),
        ("unit", "Unit"),
        ("codes", "Values that occur, value=meaning, separated by semicolons"),
        ("missing", "What an empty cell means"),
        ("derivation", "How it is computed"),
        ("origin", "Variable of SDTMIG 3.4"),
        ("privacy", "Privacy tag"),
        ("is_key", "Part of the key"),
    )
)

READING = """\
# Codebook

How to read the files: CSV by RFC 4180, UTF-8, a header line, decimal points.

- An empty cell is a missing value. What that means stands in the column *Empty means*; "never"
  says that the column is never empty.
- Numbers are written in full: they read back to the very value that was computed.
- Moments are UTC, ISO 8601. A partial date is as precise as its source: 2026, 2026-03,
  2026-03-02 or a time with its zone.
- Flags are Y or N.
- A text that a spreadsheet would run as a formula begins with an apostrophe, and so does a
  text that begins with one itself: take one leading apostrophe off text columns.
- Columns ending in `_derivation` hold the address, below that of the site, of the page that
  shows how the number beside it came about. `record_table` and `record_pk` name the row of the
  record.
"""


def rows() -> Iterator[tuple[str, ...]]:
    """A row per column of every dataset, as `COLUMNS` names its cells."""
    for dataset in DATASETS.values():
        for column in dataset.columns:
            yield (
                dataset.name,
                column.name,
                column.label,
                column.type,
                column.unit,
                _codes(column),
                _missing(column),
                column.derivation,
                column.origin,
                column.privacy,
                "Y" if column.name in dataset.keys else "N",
            )


def table() -> Iterator[bytes]:
    """The lines of codebook.csv."""
    return csvtext.lines(COLUMNS, rows())


def readable() -> str:
    """The codebook for people, in Markdown."""
    return "\n".join([READING, *(_section(dataset) for dataset in DATASETS.values())])


def _section(dataset: Dataset) -> str:
    head = (
        f"## {dataset.label} (`{dataset.path}`)\n\n"
        f"A row is {dataset.grain}. Key: {', '.join(dataset.keys)}. SDTM: {dataset.domain}.\n"
    )
    header = ("Column", "Holds", "Type", "Unit", "Values", "Empty means", "Computed", "SDTM", "Tag")
    lines = [_cells(header), _cells("---" for _ in header)]
    lines += [_cells(_described(column)) for column in dataset.columns]
    return head + "\n" + "\n".join(lines) + "\n"


def _described(column: Column) -> tuple[str, ...]:
    return (
        f"`{column.name}`",
        column.label,
        column.type,
        column.unit,
        _codes(column),
        _missing(column),
        column.derivation,
        column.origin,
        column.privacy,
    )


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _codes(column: Column) -> str:
    return "; ".join(f"{code}={meaning}" for code, meaning in column.codes)


def _missing(column: Column) -> str:
    return column.missing or "never"
