"""The rows of a dataset in columns on disk: read from the record once, written in many formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reporting import csvtext
from reporting.csvtext import CellError
from reporting.datasets import Column, Dataset, Type

# Arrow's own pool keeps what it was given once, 28 MB after an export, and is no faster here.
pa.set_memory_pool(pa.system_memory_pool())

# Columns of so many rows are in memory at a time, whatever the length of the dataset.
BATCH_ROWS = 4096

ARROW_TYPES = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.FLAG: pa.bool_(),
    Type.MOMENT: pa.timestamp("us", tz="UTC"),
    Type.PARTIAL_DATE: pa.string(),
}
PYTHON_TYPES: dict[Type, tuple[type, ...]] = {
    Type.TEXT: (str,),
    Type.INTEGER: (int,),
    Type.NUMBER: (int, float),
    Type.FLAG: (bool,),
    Type.MOMENT: (datetime,),
    Type.PARTIAL_DATE: (str,),
}


@dataclass(frozen=True, slots=True)
class Staged:
    """A dataset whose rows lie in an Arrow file at `path`; a missing value is null."""

    dataset: Dataset
    path: Path
    rows: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, `BATCH_ROWS` at a time, each column of its type in `ARROW_TYPES`."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def texts(column: Column, values: pa.Array) -> pa.Array:
    """A column as its values are written: flags are Y or N, moments ISO 8601 in UTC."""
    if column.type is Type.FLAG:
        return pc.if_else(values, "Y", "N")
    if column.type is Type.MOMENT:
        # strftime would take ten times as long.
        plain = pc.cast(pc.cast(values, pa.timestamp("us")), pa.string())
        dated = pc.utf8_replace_slice(plain, 10, 11, "T")
        return pc.binary_join_element_wise(dated, "Z", "")
    return values


def in_re2(pattern: re.Pattern[str]) -> str:
    """What matches a whole text as Python's `fullmatch` does, whose digits are of any alphabet."""
    return r"\A(?:" + pattern.pattern.replace(r"\d", r"\p{Nd}") + r")\z"


class Stage:
    """Takes the rows of a dataset into columns, checked against what each column holds."""

    def __init__(self, dataset: Dataset, path: Path | None = None) -> None:
        self.dataset, self.path = dataset, path
        self.rows = 0
        self._schema = pa.schema([_field(column) for column in dataset.columns])

    def batches(self, rows: Iterable[Sequence[Any]]) -> Iterator[pa.RecordBatch]:
        """The rows, `BATCH_ROWS` at a time; kept at `path` too, if there is one.

        Raises
        ------
        CellError
            As csvtext.lines does, and where a value is of its column's type and too large for it.
        """
        with self._kept() as keep:
            for some in _parts(iter(rows)):
                batch = self._batch(some)
                keep(batch)
                self.rows += len(some)
                yield batch

    def staged(self) -> Staged:
        """What was taken, once `batches` has come to its end."""
        if self.path is None:
            raise ValueError("these rows were not kept")
        return Staged(self.dataset, self.path, self.rows)

    @contextmanager
    def _kept(self) -> Iterator[Callable[[pa.RecordBatch], object]]:
        if self.path is None:
            yield lambda _: None
            return
        with pa.OSFile(str(self.path), "wb") as file, pa.ipc.new_file(file, self._schema) as writer:
            yield writer.write_batch

    def _batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        columns = self.dataset.columns
        try:
            values = zip(*rows, strict=True)
            arrays = [_array(column, one) for column, one in zip(columns, values, strict=True)]
        except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
            # Cell by cell the row and the column that can't be written are found and named.
            for _ in csvtext.lines(columns, rows):
                pass
            raise CellError(f"rows {rows[0][-1]} to {rows[-1][-1]}: {error}") from error
        return pa.record_batch(arrays, schema=self._schema)


def _parts(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    while some := list(islice(rows, BATCH_ROWS)):
        yield some


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    """The values of a column, each of the type that it says; an empty text is a missing value."""
    kinds = set(map(type, values)) - {type(None)}
    if column.type not in (Type.TEXT, Type.PARTIAL_DATE) and str in kinds:
        values = [None if value == "" else value for value in values]
        kinds = set(map(type, values)) - {type(None)}
    if not all(_is_of(column.type, kind) for kind in kinds):
        raise TypeError(f"column {column.name} holds {column.type}")
    if column.type is Type.NUMBER and kinds - {float}:
        values = [None if value is None else float(value) for value in values]
    if column.type is Type.MOMENT and any(one and one.tzinfo is None for one in values):
        raise ValueError(f"column {column.name} has a moment of no time zone")
    found = pa.array(values, ARROW_TYPES[column.type])
    if pa.types.is_string(found.type):
        found = pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)
    _require_values(column, found)
    return found


def _is_of(kind: Type, found: type) -> bool:
    return issubclass(found, PYTHON_TYPES[kind]) and (
        kind is Type.FLAG or not issubclass(found, bool)
    )


def _require_values(column: Column, found: pa.Array) -> None:
    """Refuse what is of a column's type and no value of it: no number, no date."""
    if column.type is Type.NUMBER:
        is_one = pc.is_finite(found)
    elif column.type is Type.PARTIAL_DATE:
        is_one = pc.match_substring_regex(found, in_re2(csvtext.PARTIAL_DATE))
    else:
        return
    # Of no values at all, all are.
    if pc.all(is_one).as_py() is False:
        raise ValueError(f"column {column.name} holds {column.type}")


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, ARROW_TYPES[column.type])
