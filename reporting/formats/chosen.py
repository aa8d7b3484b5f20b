"""A dataset of a frozen export read again: its types, some of its columns, some of its rows.

It is read from the CSV that lies in every export, by the codebook that lies beside it: a column is
what it was when the export was frozen, whatever the software has made of it since.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from reporting.datasets import Column, Dataset, Type
from reporting.formats import csv
from reporting.formats.staged import ARROW_TYPES, texts

# A line must fit into a block.
BLOCK_BYTES = 2**23
FLAGS = {"Y": True, "true": True, "N": False, "false": False}


class ChoiceError(ValueError):
    """What was chosen is not there; `field` names where it was asked for."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


@dataclass(frozen=True, slots=True)
class Choice:
    """Columns in the order asked for, and the values that rows must have, by column."""

    dataset: Dataset
    filters: tuple[tuple[Column, tuple[Any, ...]], ...] = ()

    @property
    def read(self) -> tuple[Column, ...]:
        """The columns that are looked at, those that only filter last."""
        filtering = (column for column, _ in self.filters)
        return tuple(dict.fromkeys((*self.dataset.columns, *filtering)))


def choice(
    dataset: Dataset, *, columns: Sequence[str] = (), filters: Mapping[str, Sequence[str]]
) -> Choice:
    """What these names and values choose.

    Raises
    ------
    ChoiceError
        When there is no such column, or a value can't be one of its column.
    """
    by_name = {column.name: column for column in dataset.columns}
    for name in (*columns, *filters):
        if name not in by_name:
            field = "columns" if name in columns else name
            raise ChoiceError(field, _unknown(dataset, name, by_name))
    if len(set(columns)) < len(columns):
        raise ChoiceError("columns", "A column is named twice.")
    chosen = tuple(by_name[name] for name in columns) or dataset.columns
    return Choice(
        replace(dataset, columns=chosen),
        tuple(
            (by_name[name], tuple(_value(by_name[name], text) for text in texts_))
            for name, texts_ in filters.items()
        ),
    )


def batches(file: IO[bytes], chosen: Choice) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV of an export that `chosen` chooses, typed; one empty batch of none."""
    names = [column.name for column in chosen.read]
    schema = _schema(chosen.dataset.columns)
    reader = arrow_csv.open_csv(
        file,
        arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        arrays = [_typed(one, batch.column(one.name)) for one in chosen.read]
        typed = pa.record_batch(arrays, names=names)
        for column, values in chosen.filters:
            typed = typed.filter(_is_one_of(typed.column(column.name), values))
        yield typed.select(schema.names).cast(schema)


def json_lines(columns: Sequence[Column], batch: pa.RecordBatch) -> Iterator[bytes]:
    """A JSON object for each row: missing is null, a flag true or false, a moment ISO 8601."""
    names = [column.name for column in columns]
    found = [
        values if column.type is Type.FLAG else texts(column, values)
        for column, values in zip(columns, batch.columns, strict=True)
    ]
    rows = zip(*(values.to_pylist() for values in found), strict=True)
    return (orjson.dumps(dict(zip(names, row, strict=True))) for row in rows)


def as_csv(columns: Sequence[Column], parts: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """The text of the export's own CSV, of these columns and rows."""
    yield csv.header(columns)
    for batch in parts:
        yield csv.text(columns, batch).to_pybytes()


def as_ndjson(columns: Sequence[Column], parts: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """A line for each row."""
    for batch in parts:
        yield b"".join(line + b"\n" for line in json_lines(columns, batch))


def as_json(columns: Sequence[Column], parts: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """One array of objects."""
    begin = b"[\n"
    for batch in parts:
        if batch.num_rows:
            yield begin + b",\n".join(json_lines(columns, batch))
            begin = b",\n"
    yield b"[]\n" if begin == b"[\n" else b"\n]\n"


def _unknown(dataset: Dataset, name: str, known: Iterable[str]) -> str:
    return f"{dataset.name} has no column {name:.60}; there are {', '.join(known)}."


def _schema(columns: Iterable[Column]) -> pa.Schema:
    return pa.schema([pa.field(one.name, ARROW_TYPES[one.type]) for one in columns])


def _typed(column: Column, values: pa.Array) -> pa.Array:
    if column.type is Type.FLAG:
        return pc.equal(values, "Y")
    if column.type is Type.TEXT:
        # What csvtext.guarded put in front.
        return pc.replace_substring_regex(values, r"\A'", "")
    return pc.cast(values, ARROW_TYPES[column.type])


def _value(column: Column, text: str) -> Any:
    """A value of the column; None for none."""
    if text == "":
        return None
    try:
        return _READ[column.type](text)
    except (KeyError, ValueError, OverflowError) as error:
        raise ChoiceError(
            column.name, f"{column.name} holds {column.type}, which {text!r:.60} is not."
        ) from error


def _integer(text: str) -> int:
    return int(pa.scalar(int(text), pa.int64()).as_py())


def _number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError("no value that anyone measured")
    return found


def _moment(text: str) -> datetime:
    # A plus of the zone that was not escaped arrives as a space.
    found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if found.tzinfo is None:
        raise ValueError("which zone it means can only be guessed")
    return found


_READ: Mapping[Type, Callable[[str], Any]] = {
    Type.TEXT: str,
    Type.PARTIAL_DATE: str,
    Type.INTEGER: _integer,
    Type.NUMBER: _number,
    Type.FLAG: FLAGS.__getitem__,
    Type.MOMENT: _moment,
}


def _is_one_of(found: pa.Array, values: Sequence[Any]) -> pa.Array:
    wanted = pa.array([one for one in values if one is not None], found.type)
    is_one = pc.is_in(found, value_set=wanted, skip_nulls=True)
    return pc.or_(is_one, pc.is_null(found)) if None in values else is_one
