"""The bundle: datasets, codebook and manifest in one zip that comes out the same each time."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from reporting import codebook, csvtext, manifest
from reporting.datasets import Dataset

# The zip format begins here; a time of writing would make every bundle another file.
NO_TIME = (1980, 1, 1, 0, 0, 0)
UNIX = 3
READABLE_BY_ALL = 0o644 << 16


@dataclass
class Bundle:
    """A zip being written, and what the manifest says of the files in it so far."""

    target: zipfile.ZipFile
    files: list[manifest.File] = field(default_factory=list)

    def add(
        self, path: str, label: str, chunks: Iterable[bytes], *, has_rows: bool = False
    ) -> None:
        """Write a file; of a table each chunk is a line, the first of them the header."""
        digest, size, count = hashlib.sha256(), 0, 0
        with self.target.open(_entry(path), "w") as entry:
            for chunk in chunks:
                count += 1
                digest.update(chunk)
                size += len(chunk)
                entry.write(chunk)
        rows = count - 1 if has_rows else None
        self.files.append(manifest.File(path, label, rows, size, digest.hexdigest()))


def write(
    target: IO[bytes],
    *,
    datasets: Mapping[str, Dataset],
    rows: Callable[[Dataset], Iterator[Any]],
    described: Callable[[tuple[manifest.File, ...]], manifest.Manifest],
) -> manifest.Manifest:
    """Write the whole bundle, files in the order of their names, the manifest last."""
    with zipfile.ZipFile(target, "w") as archive:
        bundle = Bundle(archive)
        bundle.add(codebook.PATH, "Codebook", codebook.table(datasets.values()), has_rows=True)
        text = codebook.readable(datasets.values()).encode()
        bundle.add(codebook.READABLE_PATH, "Codebook, to read", [text])
        variables = codebook.variables()
        bundle.add(codebook.VARIABLES_PATH, "Variables of evidence", variables, has_rows=True)
        for name in sorted(datasets):
            dataset = datasets[name]
            bundle.add(dataset.path, dataset.label, _lines(dataset, rows(dataset)), has_rows=True)
        result = described(tuple(bundle.files))
        bundle.add(manifest.PATH, "Manifest", [result.text().encode()])
    return result


def _lines(dataset: Dataset, rows: Iterator[Any]) -> Iterator[bytes]:
    """The lines of a dataset; a value that can't be written names the row of the record."""
    try:
        yield from csvtext.lines(dataset.columns, rows)
    except csvtext.CellError as error:
        raise csvtext.CellError(f"{dataset.table} {error}") from error


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = UNIX
    entry.external_attr = READABLE_BY_ALL
    return entry
