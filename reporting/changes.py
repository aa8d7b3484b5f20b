"""What an export adds to an earlier one: rows that came or changed, tombstones of those that went.

A file for each dataset that differs. Each of its lines has the kind of change, which of the rows of
its key it is, and the row as the newer export has it; a tombstone has its key alone. Put on the
earlier export's rows they give the newer one's, cell by cell. Read from the files alone, as
`reporting.differences`.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from reporting.differences import Table, Tables

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
# Columns before those of the dataset.
KIND, NUMBER = "change", "row_of_key"

HOW_TO_APPLY = """# Changes between two exports

`changes.json` names both exports by number and SHA-256, and each dataset that differs. A dataset
that is not named is the same in both.

Each file `changes/NAME.csv` has the columns of `data/NAME.csv` of the newer export, after two more:
`change` (added, changed or removed) and `row_of_key`, which counts the rows that share a key in the
order of the file, from 1. A row is told by the key columns that `changes.json` names, and by that
count. To make the newer dataset of the earlier one:

1. `is_replaced`: forget the earlier rows, its keys are others now. `is_gone`: the newer export has
   no such dataset.
2. Give the earlier rows the newer columns: one that is new is empty, one that went is left out.
3. removed: take the row away. changed: put this row in its place. added: add it.

The order of rows is not told. Cells are written as in the exports.
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """The lines of one dataset: kind of change, row of its key, and its cells.

    `is_replaced` where keys differ, so that no row of the earlier export can be told to be the
    same: all rows of the newer one are added, and the earlier ones are to be forgotten.
    """

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    is_new: bool = False
    is_gone: bool = False
    is_replaced: bool = False

    @property
    def path(self) -> str:
        return f"changes/{self.name}.csv"

    def count(self, kind: str) -> int:
        return sum(line[0] == kind for line in self.lines)

    @property
    def content(self) -> bytes:
        """The file, with its header."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([KIND, NUMBER, *self.columns])
        writer.writerows(self.lines)
        return text.getvalue().encode()


def between(before: zipfile.ZipFile, after: zipfile.ZipFile) -> Iterator[Changes]:
    """The datasets that differ, in the order of their names.

    Raises
    ------
    KeyError
        When one of the files is no export: it has no codebook.
    """
    was, now = Tables(before), Tables(after)
    for name in sorted({*was.names, *now.names}):
        if was.content(name) != now.content(name):
            yield _changes(name, was.as_written(name), now.as_written(name))


def of(name: str, before: zipfile.ZipFile, after: zipfile.ZipFile) -> Changes:
    """The changes of one dataset, without a line where it is the same.

    Raises
    ------
    KeyError
        When neither has it.
    """
    return _changes(name, Tables(before).as_written(name), Tables(after).as_written(name))


def _changes(name: str, old: Table | None, new: Table | None) -> Changes:
    if new is None:
        if old is None:
            raise KeyError(name)
        gone = tuple(_tombstone(old, key) for key in old.rows)
        return Changes(name, old.keys, old.columns, gone, is_gone=True)
    if old is None or old.keys != new.keys:
        lines = tuple(_line(new, ADDED, key) for key in new.rows)
        is_new = old is None
        return Changes(name, new.keys, new.columns, lines, is_new=is_new, is_replaced=not is_new)
    return Changes(name, new.keys, new.columns, tuple(_lines(old, new)))


def _lines(old: Table, new: Table) -> Iterator[tuple[str, ...]]:
    for key in old.rows:
        if key not in new.rows:
            yield _tombstone(new, key)
    for key, row in new.rows.items():
        if key not in old.rows:
            yield _line(new, ADDED, key)
        elif any(old.rows[key].get(column, "") != row[column] for column in new.columns):
            yield _line(new, CHANGED, key)


def _line(table: Table, kind: str, key: tuple[str, ...]) -> tuple[str, ...]:
    row = table.rows[key]
    return kind, _number(table, key), *(row[column] for column in table.columns)


def _tombstone(table: Table, key: tuple[str, ...]) -> tuple[str, ...]:
    named = dict(zip(table.keys, key, strict=False))
    return REMOVED, _number(table, key), *(named.get(column, "") for column in table.columns)


def _number(table: Table, key: tuple[str, ...]) -> str:
    """Which of the rows that share a key it is, from 1."""
    return key[len(table.keys)] if len(key) > len(table.keys) else "1"
