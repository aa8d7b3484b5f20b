"""What changed between two exports of a trial: rows by their keys, values, and columns.

Taken from the files alone, by the codebook that lies beside them: what two exports held can be told
as long as their files are there, whatever the software has become since.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reporting import codebook, csvtext
from reporting.datasets import Type

# Python's own limit is 128 KiB a cell; ours have none.
csv.field_size_limit(2**31 - 1)

Key = tuple[str, ...]
Row = dict[str, str]
DATA, SUFFIX = "data/", ".csv"


@dataclass(frozen=True, slots=True)
class Changed:
    """One value that is another one now; both as they are written, empty where missing."""

    key: Key
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one dataset. Columns that one side lacks are not compared.

    A dataset that one side lacks altogether is `is_new` or `is_gone`; its rows are all added or
    all removed.
    """

    name: str
    keys: tuple[str, ...]
    is_new: bool = False
    is_gone: bool = False
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    added: list[Key] = field(default_factory=list)
    removed: list[Key] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    # Columns whose label, type, unit, codes or meaning of empty is another one.
    described_otherwise: tuple[str, ...] = ()

    @property
    def rows_changed(self) -> int:
        return len({one.key for one in self.changed})

    @property
    def path(self) -> str:
        """The dataset's file in an export."""
        return f"{DATA}{self.name}{SUFFIX}"

    @property
    def summary(self) -> str:
        """How much differs, in words.

        >>> Difference("scans", ("scan",), added=[("7",)], columns_added=("route",)).summary
        '1 row added; column added: route'
        """
        rows = (("added", len(self.added)), ("removed", len(self.removed)))
        counts = [*rows, ("changed", self.rows_changed)]
        columns = (
            ("added", self.columns_added),
            ("removed", self.columns_removed),
            ("described otherwise", self.described_otherwise),
        )
        said = [f"{n} row{'s' if n > 1 else ''} {what}" for what, n in counts if n]
        said += [f"column {what}: {', '.join(names)}" for what, names in columns if names]
        return "; ".join(said) or "rows in another order, or written otherwise"


@dataclass(frozen=True, slots=True)
class Table:
    """A dataset's rows by key; of rows that share one, the second has a 2 after it, and so on."""

    keys: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Mapping[Key, Row]


def between(before: zipfile.ZipFile, after: zipfile.ZipFile) -> Iterator[Difference]:
    """The datasets that differ, in the order of their names.

    Raises
    ------
    KeyError
        When one of the files is no export: it has no codebook.
    """
    was, now = Tables(before), Tables(after)
    for name in sorted({*was.names, *now.names}):
        old, new = was.described.get(name, {}), now.described.get(name, {})
        otherwise = tuple(one for one in new if one in old and new[one] != old[one])
        if otherwise or was.content(name) != now.content(name):
            found = _difference(name, was.table(name), now.table(name))
            yield replace(found, described_otherwise=otherwise)


def lines(differences: Iterable[Difference]) -> Iterator[tuple[str, ...]]:
    """A row for each thing that changed: dataset, key, change, column, before, after."""
    for one in differences:
        for column in one.columns_added:
            yield one.name, "", "column added", column, "", ""
        for column in one.columns_removed:
            yield one.name, "", "column removed", column, "", ""
        for column in one.described_otherwise:
            yield one.name, "", "column described otherwise", column, "", ""
        for key in one.added:
            yield one.name, _said(one, key), "row added", "", "", ""
        for key in one.removed:
            yield one.name, _said(one, key), "row removed", "", "", ""
        for each in one.changed:
            said = _said(one, each.key)
            yield one.name, said, "value changed", each.column, each.before, each.after


def _said(difference: Difference, key: Key) -> str:
    said = [f"{name}={value}" for name, value in zip(difference.keys, key, strict=False)]
    return "; ".join([*said, *(f"row {again} of this key" for again in key[len(said) :])])


def _difference(name: str, old: Table | None, new: Table | None) -> Difference:
    known = new or old
    if known is None:
        raise KeyError(name)
    if old is None or new is None or old.keys != new.keys:
        # Under other keys no row can be told to be the same.
        return Difference(
            name,
            known.keys,
            is_new=old is None,
            is_gone=new is None,
            columns_added=_lacking(new, old),
            columns_removed=_lacking(old, new),
            added=list(new.rows) if new else [],
            removed=list(old.rows) if old else [],
        )
    shared = [column for column in new.columns if column in old.columns]
    return Difference(
        name,
        new.keys,
        columns_added=_lacking(new, old),
        columns_removed=_lacking(old, new),
        added=[key for key in new.rows if key not in old.rows],
        removed=[key for key in old.rows if key not in new.rows],
        changed=[
            Changed(key, column, old.rows[key][column], row[column])
            for key, row in new.rows.items()
            if key in old.rows
            for column in shared
            if old.rows[key][column] != row[column]
        ],
    )


def _lacking(table: Table | None, other: Table | None) -> tuple[str, ...]:
    """Columns that the other has not; none where one of both is not there."""
    if table is None or other is None:
        return ()
    return tuple(one for one in table.columns if one not in other.columns)


class Tables:
    """The datasets of an export, as its codebook describes them."""

    def __init__(self, side: zipfile.ZipFile) -> None:
        self._side, self._paths = side, frozenset(side.namelist())
        # What the codebook says of each column, by dataset and column.
        self.described: dict[str, dict[str, Row]] = {}
        for row in _rows(side.read(codebook.PATH)):
            self.described.setdefault(row["dataset"], {})[row["column"]] = row

    @property
    def names(self) -> list[str]:
        return [
            one.removeprefix(DATA).removesuffix(SUFFIX)
            for one in self._paths
            if one.startswith(DATA) and one.endswith(SUFFIX)
        ]

    def content(self, name: str) -> bytes | None:
        path = f"{DATA}{name}{SUFFIX}"
        return self._side.read(path) if path in self._paths else None

    def table(self, name: str) -> Table | None:
        """The rows, without the apostrophe before a text that would be a formula."""
        described = self.described.get(name, {})
        texts = {one for one, row in described.items() if row["type"] == Type.TEXT}
        return self._table(name, texts)

    def as_written(self, name: str) -> Table | None:
        """The rows with their cells as the file has them."""
        return self._table(name, frozenset())

    def _table(self, name: str, texts: Collection[str]) -> Table | None:
        content = self.content(name)
        if content is None:
            return None
        described = self.described.get(name, {})
        keys = tuple(one for one, row in described.items() if row["is_key"] == "Y")
        reader = _rows(content)
        columns = tuple(reader.fieldnames or ())
        rows: dict[Key, Row] = {}
        for line in reader:
            row = {
                column: csvtext.unguarded(value) if column in texts else value
                for column, value in line.items()
            }
            # Rows that share a key are told apart by how many of them came before.
            key = tuple(row[one] for one in keys)
            again = 1
            while key in rows:
                again += 1
                key = (*key[: len(keys)], str(again))
            rows[key] = row
        return Table(keys, columns, rows)


def _rows(content: bytes) -> csv.DictReader[str]:
    return csv.DictReader(io.StringIO(content.decode(), newline=""))
