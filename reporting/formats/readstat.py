"""What ReadStat is given for SPSS and Stata alike: a table, labels, a file of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyreadstat

from reporting.datasets import Column, Type
from reporting.formats.staged import ARROW_TYPES, Staged


def table(staged: Staged, names: dict[str, str]) -> polars.DataFrame:
    """The whole dataset under these names; flags as Y or N.

    Raises
    ------
    ValueError
        When an integer is beyond 2**53: both formats have doubles, which have gaps there.
    """
    schema = pa.schema([_field(column, names) for column in staged.dataset.columns])
    batches = [
        pa.record_batch([_plain(one) for one in batch.columns], schema=schema)
        for batch in staged.batches()
    ]
    return polars.DataFrame(polars.from_arrow(pa.Table.from_batches(batches, schema)))


def labels(staged: Staged, names: dict[str, str], longest: int) -> dict[str, str | None]:
    """The label of each column, cut where the format takes no more; the codebook has it whole."""
    return {names[column.name]: column.label[:longest] for column in staged.dataset.columns}


def written(suffix: str, write: Callable[[str], None]) -> bytes:
    """The bytes of the file that `write` writes at the path it is given.

    Raises
    ------
    ValueError
        When ReadStat refuses what it is given.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"dataset.{suffix}"
        try:
            write(str(path))
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
            raise ValueError(str(error)) from error
        return path.read_bytes()


def _field(column: Column, names: dict[str, str]) -> pa.Field:
    is_flag = column.type is Type.FLAG
    return pa.field(names[column.name], pa.string() if is_flag else ARROW_TYPES[column.type])


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_integer(values.type):
        values.cast(pa.float64())
    return pc.if_else(values, "Y", "N") if pa.types.is_boolean(values.type) else values
