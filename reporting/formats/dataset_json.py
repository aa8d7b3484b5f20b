"""Dataset-JSON 1.1 (CDISC): one file a dataset, its attributes first, its rows last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import orjson

from reporting.datasets import Column, Type
from reporting.formats.about import About, Change
from reporting.formats.staged import Staged, texts

VERSION = "1.1.0"
DATA_TYPES = {
    Type.TEXT: "string",
    Type.INTEGER: "integer",
    Type.NUMBER: "double",
    Type.FLAG: "string",
    Type.MOMENT: "datetime",
    Type.PARTIAL_DATE: "string",
}

# Numbers in SAS that are ISO 8601 here, whose reader makes numbers of them again.
DATED = {"DATE9.": "date", "DATETIME20.": "datetime"}
SAS_EPOCH = datetime(1960, 1, 1)  # noqa: DTZ001 -- of the clock of a site


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write the dataset row by row: a missing value is null, a moment its ISO 8601 text."""
    head = json.dumps(_attributes(staged, about), ensure_ascii=False, indent=1)
    target.write(head.removesuffix("\n}").encode() + b',\n "rows": [')
    separator = b"\n"
    for batch in staged.batches():
        lines = _lines(staged, batch)
        target.write(separator + b",\n".join(lines))
        separator = b",\n"
    target.write(b"\n ]\n}\n")
    return []


def _lines(staged: Staged, batch: Any) -> Iterator[bytes]:
    columns = [_values(column, batch.column(column.name)) for column in staged.dataset.columns]
    return (orjson.dumps(row) for row in zip(*columns, strict=True))


def _values(column: Column, values: Any) -> list[Any]:
    found: list[Any] = texts(column, values).to_pylist()
    if not column.sas_format:
        return found
    return [None if one is None else iso_8601(one, column.sas_format) for one in found]


def iso_8601(value: int, sas_format: str) -> str:
    """A date or datetime of SAS as text: days or seconds since 1960-01-01.

    >>> iso_8601(24167, "DATE9."), iso_8601(86401, "DATETIME20.")
    ('2026-03-02', '1960-01-02T00:00:01')
    """
    if DATED[sas_format] == "date":
        return (SAS_EPOCH.date() + timedelta(days=value)).isoformat()
    return (SAS_EPOCH + timedelta(seconds=value)).isoformat()


def _attributes(staged: Staged, about: About) -> dict[str, Any]:
    dataset, moment = staged.dataset, _moment(about.as_of)
    return {
        "datasetJSONCreationDateTime": moment,
        "datasetJSONVersion": VERSION,
        "fileOID": f"{about.study}.{about.export}.{dataset.name}",
        "dbLastModifiedDateTime": moment,
        "sourceSystem": {"name": "TrialTrace", "version": about.software},
        "studyOID": about.study,
        "metaDataVersionOID": f"MDV.{about.study}.{about.export}",
        "itemGroupOID": f"IG.{dataset.name}",
        "records": staged.rows,
        "name": dataset.name,
        "label": dataset.label,
        "columns": [_column(dataset.name, dataset.keys, column) for column in dataset.columns],
    }


def _column(dataset: str, keys: tuple[str, ...], column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "itemOID": f"IT.{dataset}.{column.name}",
        "name": column.name,
        "label": column.label,
        "dataType": DATA_TYPES[column.type],
    }
    if column.sas_format:
        found |= {
            "dataType": DATED[column.sas_format],
            "targetDataType": "integer",
            "displayFormat": column.sas_format,
        }
    if column.name in keys:
        found["keySequence"] = keys.index(column.name) + 1
    return found


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
