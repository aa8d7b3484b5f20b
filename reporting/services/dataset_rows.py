"""Rows of a dataset of a frozen export: some columns, some rows, in the format of whoever asks."""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from django.http import Http404

from reporting import codebook, csvtext
from reporting.datasets import Column, Dataset, Type
from reporting.formats import About
from reporting.models import Export
from reporting.services import deliveries, opening
from reporting.services.deliveries import Delivery
from trials.models import User
from trials.services.errors import Invalid
from trials.version import VERSION

if TYPE_CHECKING:
    from pyarrow import RecordBatch

    from reporting.formats.chosen import Choice

# The first is what a dataset is given as unless another is asked for.
FORMATS = ("csv", "parquet", "json", "ndjson")
ROWS_OF_A_PREVIEW = 50


@dataclass(frozen=True)
class Preview:
    """The first rows of a dataset, cells as in its CSV, and how many rows it has."""

    dataset: Dataset
    rows: list[list[str]]
    count: int

    @property
    def numbered(self) -> Iterator[tuple[int, Iterator[tuple[Column, str]]]]:
        """Each row with its number, from 1, and its cells with their columns."""
        for number, row in enumerate(self.rows, 1):
            yield number, zip(self.dataset.columns, row, strict=True)


def datasets(export: Export, *, by: User) -> dict[str, Dataset]:
    """The datasets of an export, as its own codebook describes them."""
    with deliveries.opened(opening.stored(export, by=by)) as archive:
        return _datasets(archive)


def chosen(
    export: Export,
    name: str,
    *,
    columns: Sequence[str],
    filters: Mapping[str, Sequence[str]],
    format: str,
    by: User,
) -> Delivery:
    """Rows of a dataset; Parquet as a file of a known size, for its readers jump about in it.

    Raises
    ------
    Invalid
        When a column, a filter, the value of one, or the format is unknown; each by its name.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise Invalid("format", f"No format is called {format:.40}; there are {known}.")
    # Arrow takes time and memory to load: only for whom it reads.
    from reporting.formats import chosen

    stored = opening.stored(export, by=by)
    with deliveries.opened(stored) as archive:
        dataset = _named(archive, name)
    try:
        choice = chosen.choice(dataset, columns=columns, filters=filters)
    except chosen.ChoiceError as error:
        raise Invalid(error.field, error.message) from error
    what = _said(dataset, choice, filters, format)
    file = f"{deliveries.stem(export)}-{name}.{format}"
    if format == "parquet":
        return _parquet(export, file, stored, choice, what)
    tag = hashlib.sha256("\n".join((VERSION, export.sha256, what)).encode()).hexdigest()
    return Delivery(export, file, tag, None, lambda _: _text(stored, choice, format), what)


def preview(export: Export, name: str, *, by: User) -> Preview:
    """The first rows of a dataset. They are data of the export, and who saw them is kept."""
    with deliveries.opened(opening.stored(export, by=by)) as archive:
        dataset = _named(archive, name)
        with archive.open(deliveries.found(archive, dataset.path)) as file:
            lines = csv.reader(io.TextIOWrapper(file, "utf-8", newline=""))
            rows = [_shown(dataset, row) for row in islice(lines, 1, 1 + ROWS_OF_A_PREVIEW)]
    listed = {file["path"]: file["rows"] for file in export.manifest["files"]}
    deliveries.noted(export, f"first rows of {name}", by=by)
    return Preview(dataset, rows, listed[dataset.path])


def _datasets(archive: ZipFile) -> dict[str, Dataset]:
    return codebook.datasets(archive.read(deliveries.found(archive, codebook.JSON_PATH)))


def _named(archive: ZipFile, name: str) -> Dataset:
    found = _datasets(archive)
    if name not in found:
        raise Http404
    return found[name]


def _shown(dataset: Dataset, row: Sequence[str]) -> list[str]:
    return [
        csvtext.unguarded(cell) if column.type is Type.TEXT else cell
        for column, cell in zip(dataset.columns, row, strict=True)
    ]


def _said(
    dataset: Dataset, choice: Choice, filters: Mapping[str, Sequence[str]], format: str
) -> str:
    """What was taken, for the audit trail: which rows of which columns."""
    columns = choice.dataset.column_names
    parts = [f"{dataset.name} as {format}"]
    if columns != dataset.column_names:
        parts.append(f"columns {', '.join(columns)}")
    parts += [f"{name} {' or '.join(map(repr, values))}" for name, values in filters.items()]
    return "; ".join(parts)


def _batches(stored: Path, choice: Choice) -> Iterator[RecordBatch]:
    from reporting.formats import chosen

    with ZipFile(stored) as archive, archive.open(choice.dataset.path) as file:
        yield from chosen.batches(file, choice)


def _text(stored: Path, choice: Choice, format: str) -> Iterator[bytes]:
    from reporting.formats import chosen

    write = {"csv": chosen.as_csv, "json": chosen.as_json, "ndjson": chosen.as_ndjson}[format]
    return write(choice.dataset.columns, _batches(stored, choice))


def _parquet(export: Export, name: str, stored: Path, choice: Choice, what: str) -> Delivery:
    from reporting.formats import parquet

    about = About(
        study=export.trial.identifier, export=export.pk, as_of=export.as_of, software=VERSION
    )
    # Given back to the system when the last who reads it is gone.
    file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the answer
    parquet.write_batches(choice.dataset, _batches(stored, choice), file, about)
    size = file.tell()
    file.seek(0)
    tag = hashlib.file_digest(file, "sha256").hexdigest()
    return Delivery(export, name, tag, size, lambda part: deliveries.pieces_of(file, part), what)
