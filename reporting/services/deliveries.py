"""What is given of a frozen export as a file: the zip, or one of the files in it.

Each has the digest of its bytes for a name, so that a download that broke off goes on where it
was, and each that is given is on the record, a part of a file as the whole of it.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.http import Http404

from reporting import manifest, signing
from reporting.models import Export, ExportDownload
from reporting.services import opening
from trials.models import User
from trials.services import audit
from trials.services.errors import Refused

PIECE_BYTES = 2**18
SIGNATURE = manifest.SUMS_PATH + signing.SUFFIX
KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".xml": "application/xml",
    ".xpt": "application/x-sas-xport",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class Delivery:
    """Something to be given: `pieces` gives these bytes of it, as often as it is asked.

    `tag` is a digest of the bytes, or of all that makes them what they are. Of what is written
    while it is sent nobody knows the `size`, and `pieces` gives the whole whatever it is asked for.
    """

    export: Export
    name: str
    tag: str
    size: int | None
    pieces: Callable[[range], Iterator[bytes]]
    what: str = ""

    @property
    def kind(self) -> str:
        return KINDS.get(Path(self.name).suffix, "application/octet-stream")

    def noted(self, *, by: User) -> None:
        """Keep that somebody holds data of the export, and which."""
        noted(self.export, self.what, by=by)


def noted(export: Export, what: str, *, by: User) -> None:
    """Keep that somebody holds `what` of an export, or all of it."""
    reason = f"{what}: {export.reason}" if what else export.reason
    with audit.action("export.downloaded", actor=by, reason=reason, trial=export.trial_id):
        ExportDownload.objects.create(export=export, by=by)


def whole(export: Export, *, by: User) -> Delivery:
    """The zip."""
    path = opening.stored(export, by=by)
    name, size = opening.file_name(export), path.stat().st_size
    return Delivery(export, name, export.sha256, size, lambda part: _of_file(path, part))


def one(export: Export, path: str, *, by: User) -> Delivery:
    """A file of the zip, by its path there; 404 when there is none."""
    stored = opening.stored(export, by=by)
    with opened(stored) as archive:
        entry = found(archive, path)
        listed = {file["path"]: file["sha256"] for file in export.manifest["files"]}
        tag = listed.get(path) or _digest(archive, entry)
    return Delivery(
        export,
        f"{stem(export)}-{path.replace('/', '-')}",
        tag,
        entry.file_size,
        lambda part: _of_entry(stored, path, part),
        path,
    )


def signature(export: Export, *, by: User) -> Delivery:
    """The detached signature of its digests; the zip is without it."""
    content = opening.signature(export, by=by)
    return Delivery(
        export,
        signature_name(export),
        hashlib.sha256(content).hexdigest(),
        len(content),
        lambda part: iter((content[part.start : part.stop],)),
        SIGNATURE,
    )


def signature_name(export: Export) -> str:
    """What the file of its signature is called."""
    return f"{stem(export)}-{SIGNATURE}"


def stem(export: Export) -> str:
    """What the names of its files begin with."""
    return Path(opening.file_name(export)).stem


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip at a path."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        message = "The file of this export is no zip. Order a new one."
        raise Refused("export-lost", message) from error
    with archive:
        yield archive


def found(archive: zipfile.ZipFile, path: str) -> zipfile.ZipInfo:
    """The entry of this path; 404 when there is none."""
    try:
        return archive.getinfo(path)
    except KeyError as error:
        raise Http404 from error


def pieces_of(file: IO[bytes], part: range) -> Iterator[bytes]:
    """These bytes of an open file."""
    file.seek(part.start)
    left = len(part)
    while left:
        piece = file.read(min(PIECE_BYTES, left))
        if not piece:
            raise EOFError("a file ended before what its directory says")
        left -= len(piece)
        yield piece


def _of_file(path: Path, part: range) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from pieces_of(file, part)


def _of_entry(path: Path, name: str, part: range) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        yield from pieces_of(file, part)


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Of what the manifest can't list: itself, and the digests."""
    return hashlib.sha256(archive.read(entry)).hexdigest()
