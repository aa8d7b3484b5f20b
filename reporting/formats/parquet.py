"""Parquet: typed columns, with label, unit, values and origin as the metadata of each field."""

from __future__ import annotations

import json
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from reporting.datasets import Column
from reporting.formats.about import About, Change
from reporting.formats.staged import ARROW_TYPES, Staged


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write the dataset, Zstandard-compressed; the same rows and version give the same bytes."""
    schema = _schema(staged, about)
    with pq.ParquetWriter(target, schema, compression="zstd", store_schema=True) as writer:
        for batch in staged.batches():
            writer.write_batch(batch.cast(schema))
    return []


def _schema(staged: Staged, about: About) -> pa.Schema:
    fields = [
        pa.field(column.name, ARROW_TYPES[column.type], metadata=_described(column))
        for column in staged.dataset.columns
    ]
    return pa.schema(
        fields,
        metadata={
            "label": staged.dataset.label,
            "keys": json.dumps(staged.dataset.keys),
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
