"""The codebook: what every column of an export holds, for programs (CSV) and for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reporting import csvtext, derived
from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.formats.names import (
    LONGEST_STATA_NAME,
    LONGEST_XPT_NAME,
    STATA_WORDS,
    shortened,
)
from trials.variables import VARIABLES

PATH = "codebook.csv"
JSON_PATH = "codebook.json"
READABLE_PATH = "codebook.md"
VARIABLES_PATH = "codebook_variables.csv"


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name, Type.TEXT, Privacy.TECHNICAL) for name in names)


COLUMNS = _columns(
    "dataset",
    "column",
    "label",
    "type",
    "unit",
    "codes",
    "missing",
    "derivation",
    "origin",
    "privacy",
    "is_key",
    "xpt_name",
    "stata_name",
)
VARIABLE_COLUMNS = _columns(
    "variable", "label", "kind", "units", "codes", "is_per_scan", "cdisc_code"
)

READING = """\
# Codebook

How to read the files: CSV by RFC 4180, UTF-8, a header line, decimal points. Other formats hold
the same rows and columns; README.md of the export says how to load them, `xpt_name` in codebook.csv
is a column's name where eight characters are allowed, `stata_name` that in Stata.

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
- Files whose names begin with form_ are the case report forms, a row for each that is complete;
  a column ending in `_missing` says why the value before it is missing, one ending in `_reason` the
  reason in words, one with two lines in its name whether a code was among several. What an item was
  before an amendment made something else of it stands in columns ending in `_v` and the last
  version that asked it so.
- What the column `variable` of the evidence can hold stands in codebook_variables.csv.

Tags: *identifier* is a number or digest of one person; *key* links rows and says nothing by itself;
*site* tells the hospital or where it is; *age* tells how old a person is; *quasi-identifier* can
single out a person together with others (dates, sex); *health* tells of a person's health;
*allocation* tells which tracer was given; *free text* is what a person wrote and may hold anything;
*panel text* is what the truth panel wrote, which is in no export; *technical* is none of these.

A privacy profile leaves columns out or masks them by their tags: manifest.json names each of them
under `touched`, and of a masked one the column *Computed* says how.
"""


def rows(datasets: Iterable[Dataset]) -> Iterator[tuple[str, ...]]:
    """A row per column of every dataset, as `COLUMNS` names its cells."""
    for dataset in datasets:
        short = shortened(dataset.column_names, LONGEST_XPT_NAME)
        in_stata = shortened(dataset.column_names, LONGEST_STATA_NAME, reserved=STATA_WORDS)
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
                short[column.name].upper(),
                in_stata[column.name],
            )


def table(datasets: Iterable[Dataset]) -> Iterator[bytes]:
    """The lines of codebook.csv."""
    return csvtext.lines(COLUMNS, rows(datasets))


def as_json(datasets: Iterable[Dataset]) -> bytes:
    """The codebook as one JSON object: datasets by name, each with its columns in order."""
    found = {dataset.name: _object(dataset) for dataset in datasets}
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def datasets(text: bytes) -> dict[str, Dataset]:
    """What `as_json` was given, but for the tables of the record, which no export names."""
    return {name: _dataset(name, said) for name, said in json.loads(text).items()}


def variables() -> Iterator[bytes]:
    """The lines of codebook_variables.csv: what may be recorded as evidence."""
    return csvtext.lines(
        VARIABLE_COLUMNS,
        (
            (
                variable.name,
                variable.label,
                variable.kind,
                "; ".join(variable.units),
                _pairs(variable.choices),
                "Y" if variable.is_per_scan else "N",
                derived.cdisc_code(variable.name),
            )
            for variable in VARIABLES.values()
        ),
    )


def readable(datasets: Iterable[Dataset]) -> str:
    """The codebook for people, in Markdown."""
    return "\n".join([READING, *(_section(dataset) for dataset in datasets)])


def _object(dataset: Dataset) -> dict[str, Any]:
    names = [column.name for column in COLUMNS][1:]
    lines: list[dict[str, Any]] = [
        dict(zip(names, row[1:], strict=True)) for row in rows([dataset])
    ]
    for line, column in zip(lines, dataset.columns, strict=True):
        line["codes"] = dict(column.codes)
        line["is_key"] = column.name in dataset.keys
    return {
        "label": dataset.label,
        "grain": dataset.grain,
        "domain": dataset.domain,
        "keys": list(dataset.keys),
        "columns": lines,
    }


def _dataset(name: str, said: Mapping[str, Any]) -> Dataset:
    columns = tuple(
        Column(
            one["column"],
            one["label"],
            Type(one["type"]),
            Privacy(one["privacy"]),
            unit=one["unit"],
            origin=one["origin"],
            missing="" if one["missing"] == "never" else one["missing"],
            derivation=one["derivation"],
            codes=tuple(one["codes"].items()),
        )
        for one in said["columns"]
    )
    keys = tuple(said["keys"])
    return Dataset(name, said["label"], said["domain"], said["grain"], "", keys, columns)


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
    return _pairs(column.codes)


def _pairs(codes: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{code}={meaning}" for code, meaning in codes)


def _missing(column: Column) -> str:
    return column.missing or "never"
