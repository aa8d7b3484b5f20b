"""The rows of a dataset in columns on disk: read from the record once, written in many formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reporting.datasets import Column, Dataset, Type

# Columns of so many rows are in memory at a time, whatever the length of the dataset.
BATCH_ROWS = 16_384

ARROW_TYPES = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.FLAG: pa.bool_(),
    Type.MOMENT: pa.timestamp("us", tz="UTC"),
    Type.PARTIAL_DATE: pa.string(),
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
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return values


class Stage:
    """Takes the rows of a dataset as they pass by."""

    def __init__(self, dataset: Dataset, path: Path) -> None:
        self.dataset, self.path = dataset, path
        self._rows = 0
        self._waiting: list[Sequence[Any]] = []
        self._schema = pa.schema([_field(column) for column in dataset.columns])

    def passing(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The same rows. Each is taken once the next is asked for: whoever reads, checks first."""
        with pa.OSFile(str(self.path), "wb") as file, pa.ipc.new_file(file, self._schema) as writer:
            for row in rows:
                yield row
                self._waiting.append(row)
                self._rows += 1
                if len(self._waiting) == BATCH_ROWS:
                    writer.write_batch(self._batch())
            if self._waiting:
                writer.write_batch(self._batch())

    def staged(self) -> Staged:
        """What was taken, once `passing` has come to its end."""
        return Staged(self.dataset, self.path, self._rows)

    def _batch(self) -> pa.RecordBatch:
        values = zip(*self._waiting, strict=True)
        arrays = [
            # An empty text is a missing one, as in CSV.
            pa.array([None if value == "" else value for value in column], field.type)
            for column, field in zip(values, self._schema, strict=True)
        ]
        self._waiting = []
        return pa.record_batch(arrays, schema=self._schema)


def _field(column: Column) -> pa.Field:
    return pa.field(column.name, ARROW_TYPES[column.type])
