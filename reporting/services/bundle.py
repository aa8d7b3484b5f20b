"""The bundle: datasets, codebook and manifest in one zip that comes out the same each time.

CSV is always in it. Other formats are written from the very rows that went into the CSV: these
pass by a file of columns, one dataset at a time.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from reporting import codebook, csvtext, guide, manifest
from reporting.datasets import Column, Dataset, Privacy, Type
from reporting.formats import About, Change, Format, Package
from reporting.progress import Parts, Told

if TYPE_CHECKING:
    from pyarrow import Buffer, RecordBatch

    from reporting.formats.staged import Stage, Staged

# The zip format begins here; a time of writing would make every bundle another file.
NO_TIME = (1980, 1, 1, 0, 0, 0)
UNIX = 3
READABLE_BY_ALL = 0o644 << 16

Rows = Callable[[Dataset], Iterator[Any]]
# The tables of a standard with their rows, none of them empty, and files that explain them.
Table = tuple[Dataset, Iterable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Standard:
    """What is made of the operational datasets by a standard: in its folder, after those."""

    name: str
    tables: Sequence[Table]
    texts: Sequence[tuple[str, str, Iterable[bytes]]] = ()


def _plain(name: str, label: str, type: Type = Type.TEXT, missing: str = "") -> Column:
    return Column(name, label, type, Privacy.TECHNICAL, missing=missing)


CHANGED = (
    _plain("dataset", "Dataset"),
    _plain("row", "Row of the dataset, from 1", Type.INTEGER),
    _plain("column", "Column"),
    _plain("what", "What was done to the value"),
    _plain("value", "The value as it is in the CSV"),
)


class Writer:
    """A file of the bundle as it is written: its size and its digest."""

    def __init__(self, entry: IO[bytes]) -> None:
        self.entry, self.size, self.digest = entry, 0, hashlib.sha256()
        self.closed = False

    def write(self, content: bytes | Buffer) -> int:
        self.size += len(content)
        self.digest.update(content)
        return self.entry.write(content)


@dataclass
class Bundle:
    """A zip being written, and what the manifest says of the files in it so far."""

    target: zipfile.ZipFile
    files: list[manifest.File] = field(default_factory=list)

    def add(
        self, path: str, label: str, chunks: Iterable[bytes], *, has_rows: bool = False
    ) -> None:
        """Write a file; of a table each chunk is a line, the first of them the header."""
        count = 0
        with self.opened(path) as writer:
            for chunk in chunks:
                count += 1
                writer.write(chunk)
        self._list(path, label, count - 1 if has_rows else None, writer)

    def add_dataset(
        self, dataset: Dataset, rows: Iterator[Any], formats: Sequence[Format], about: About
    ) -> dict[str, list[Change]]:
        """Write the rows of a dataset in every format; what each could not hold as it is."""
        # Arrow takes time and memory to load: only for whom it writes.
        from reporting.formats.staged import Stage

        with tempfile.TemporaryDirectory() as folder:
            # What no other format is written from need not be kept.
            stage = Stage(dataset, Path(folder) / "rows.arrow" if formats else None)
            self._add_csv(stage, rows)
            return self._add_staged(stage.staged(), formats, about) if formats else {}

    def add_standard(
        self, dataset: Dataset, rows: Iterable[Any], formats: Sequence[Format], about: About
    ) -> dict[str, list[Change]]:
        """Write a dataset of a standard, in the formats of that standard alone."""
        from reporting.formats.staged import Stage

        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(dataset, Path(folder) / "rows.arrow")
            for _ in _batches(stage, iter(rows)):
                pass
            return self._add_staged(stage.staged(), formats, about)

    def _add_staged(
        self, staged: Staged, formats: Sequence[Format], about: About
    ) -> dict[str, list[Change]]:
        changes = {}
        for one in formats:
            path = one.path(staged.dataset.name)
            with self.opened(path, is_compressed=one.is_compressed) as writer:
                changes[one.name] = _written(one, staged, writer, about)
            self._list(path, staged.dataset.label, staged.rows, writer, staged.dataset)
        return changes

    def _add_csv(self, stage: Stage, rows: Iterator[Any]) -> None:
        from reporting.formats import csv

        dataset = stage.dataset
        with self.opened(dataset.path) as writer:
            writer.write(csv.header(dataset.columns))
            for batch in _batches(stage, rows):
                writer.write(csv.text(dataset.columns, batch))
        self._list(dataset.path, dataset.label, stage.rows, writer, dataset)

    @contextmanager
    def opened(self, path: str, *, is_compressed: bool = False) -> Iterator[Writer]:
        """A new file of the bundle."""
        entry = _entry(path, zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED)
        with self.target.open(entry, "w", force_zip64=True) as file:
            yield Writer(file)

    def _list(
        self,
        path: str,
        label: str,
        rows: int | None,
        writer: Writer,
        dataset: Dataset | None = None,
    ) -> None:
        file = manifest.File(path, label, rows, writer.size, writer.digest.hexdigest())
        if dataset is not None:
            file = replace(
                file, columns=len(dataset.columns), schema_sha256=manifest.schema(dataset)
            )
        self.files.append(file)


def write(
    target: IO[bytes],
    *,
    datasets: Mapping[str, Dataset],
    rows: Rows,
    formats: Sequence[Format],
    about: About,
    described: Callable[[tuple[manifest.File, ...]], manifest.Manifest],
    packages: Sequence[Package] = (),
    add_package: Callable[[Bundle, Package], None] | None = None,
    standards: Callable[[str, Sequence[Format]], Standard] | None = None,
    tell: Told = lambda _: None,
) -> manifest.Manifest:
    """Write the whole bundle, datasets in the order of their names, the manifest last.

    `standards` makes what formats of a standard are of, by its name and for those of its formats.
    `tell` hears of each part as it begins and of its rows now and then, and may raise to end the
    work.
    """
    of_standards = list(dict.fromkeys(one.standard for one in formats if one.standard))
    parts = Parts(len(datasets) + len(of_standards) + len(packages), tell)
    with zipfile.ZipFile(target, "w") as archive:
        bundle = Bundle(archive)
        _add_words(bundle, datasets, [*formats, *packages])
        changes: dict[str, list[Change]] = {one.name: [] for one in formats}
        own = [one for one in formats if not one.standard]
        for name in sorted(datasets):
            dataset = datasets[name]
            parts.begin(name)
            counted = parts.counted(rows(dataset))
            for one, found in bundle.add_dataset(dataset, counted, own, about).items():
                changes[one] += found
        for name in of_standards:
            parts.begin(name)
            of_standard = [one for one in formats if one.standard == name]
            if standards is not None:
                made = standards(name, of_standard)
                _add_standard(bundle, made, of_standard, about, changes, parts)
        for one, found in changes.items():
            if found:
                folder = next(each.folder for each in formats if each.name == one)
                _add_changes(bundle, folder, found)
        for package in packages if add_package else ():
            parts.begin(package.name)
            add_package(bundle, package)
        result = described(tuple(bundle.files))
        bundle.add(manifest.PATH, "Manifest", [result.text().encode()])
        bundle.add(manifest.SUMS_PATH, "Digests", [manifest.sums(bundle.files)])
    return result


def _add_standard(
    bundle: Bundle,
    standard: Standard,
    formats: Sequence[Format],
    about: About,
    changes: dict[str, list[Change]],
    parts: Parts,
) -> None:
    for dataset, rows in standard.tables:
        parts.within(f"{standard.name} {dataset.name}")
        counted = parts.counted(rows)
        for one, found in bundle.add_standard(dataset, counted, formats, about).items():
            changes[one] += found
    for path, label, chunks in standard.texts:
        bundle.add(path, label, chunks, has_rows=path.endswith(".csv"))


def _add_words(
    bundle: Bundle, datasets: Mapping[str, Dataset], formats: Sequence[Format | Package]
) -> None:
    """What explains the files: codebook and guide."""
    every = datasets.values()
    bundle.add(guide.PATH, "How to load the files", [guide.text(formats).encode()])
    bundle.add(codebook.PATH, "Codebook", codebook.table(every), has_rows=True)
    bundle.add(codebook.JSON_PATH, "Codebook, for programs", [codebook.as_json(every)])
    bundle.add(codebook.READABLE_PATH, "Codebook, to read", [codebook.readable(every).encode()])
    variables = codebook.variables()
    bundle.add(codebook.VARIABLES_PATH, "Variables of evidence", variables, has_rows=True)


def _add_changes(bundle: Bundle, folder: str, changes: Sequence[Change]) -> None:
    rows = ((one.dataset, one.row, one.column, one.what, one.value) for one in changes)
    label = "Values that this format holds otherwise than CSV"
    bundle.add(f"{folder}/changed.csv", label, csvtext.lines(CHANGED, rows), has_rows=True)


def _written(one: Format, staged: Staged, writer: Writer, about: About) -> list[Change]:
    try:
        return one.write(staged, writer, about)
    except ValueError as error:
        raise csvtext.CellError(f"{staged.dataset.table}, as {one.label}: {error}") from error


def _batches(stage: Stage, rows: Iterator[Any]) -> Iterator[RecordBatch]:
    """The rows in columns; a value that can't be written names the row of the record."""
    try:
        yield from stage.batches(rows)
    except csvtext.CellError as error:
        raise csvtext.CellError(f"{stage.dataset.table} {error}") from error


def _entry(path: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, NO_TIME)
    entry.compress_type = compression
    entry.create_system = UNIX
    entry.external_attr = READABLE_BY_ALL
    return entry
