"""Parquet: typed columns, with label, unit, values and origin as the metadata of each field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from reporting.datasets import Column, Dataset
from reporting.formats.about import About, Change
from reporting.formats.staged import ARROW_TYPES, Staged


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write the dataset, Zstandard-compressed; the same rows and version give the same bytes."""
    write_batches(staged.dataset, staged.batches(), target, about)
    return []


def write_batches(
    dataset: Dataset, batches: Iterable[pa.RecordBatch], target: IO[bytes], about: About
) -> None:
    """Write rows that come in columns."""
    schema = _schema(dataset, about)
    with pq.ParquetWriter(target, schema, compression="zstd", store_schema=True) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(schema))


def _schema(dataset: Dataset, about: About) -> pa.Schema:
    fields = [
        pa.field(column.name, ARROW_TYPES[column.type], metadata=_described(column))
        for column in dataset.columns
    ]
    return pa.schema(
        fields,
        metadata={
            "label": dataset.label,
            "keys": json.dumps(dataset.keys),
            "study": about.study,
            "export": str(about.export),
            "as_of": about.as_of.isoformat(),
            "software": about.software,
        },
    )


def _described(column: Column) -> dict[str, str]:
    said = {
        "label": column.label,
        "unit": column.unit,
        "codes": json.dumps(dict(column.codes)) if column.codes else "",
        "missing": column.missing,
        "origin": column.origin,
        "privacy": column.privacy.value,
    }
    return {name: value for name, value in said.items() if value}
