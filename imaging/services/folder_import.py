"""Folders that lie on the server, sent as a browser would send them: each file once.

The names of the files stay with whoever sends: they carry patients' names. The ledger knows
digests, and here the two are put together for the one who has the folders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.core.files import File

from imaging import archives
from imaging.models import PartialUpload, Transmittal
from imaging.selectors.folders import files_below
from imaging.services import partial_uploads, receiving
from trials.models import ScheduledScan, User

BATCH_FILES = 100
Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """The files of some folders by SHA-256, and those that can't be sent with the reason."""

    by_digest: Mapping[str, Path]
    skipped: Sequence[tuple[Path, str]] = field(default_factory=list)


def look_into(folders: Sequence[Path], say: Say) -> Found:
    """Read every file of these folders once."""
    found: dict[str, Path] = {}
    skipped: list[tuple[Path, str]] = []
    for number, (path, reason) in enumerate(chain(*map(files_below, folders)), start=1):
        try:
            reason = reason or _too_large(path)
            if not reason:
                found.setdefault(_sha256(path), path)
        except OSError as error:
            reason = f"unreadable: {error.strerror}"
        if reason:
            skipped.append((path, reason))
        if number % 500 == 0:
            say(f"Read {number} files")
    return Found(found, skipped)


def send(
    found: Found,
    scan: ScheduledScan,
    *,
    by: User,
    say: Say,
    is_deidentified_at_source: bool = False,
) -> tuple[Transmittal, bool]:
    """Send what is not known of the scan yet; killed, it can go on.

    Gives the transmittal, and whether anything was sent: if not, it is the newest that brought
    files of the folders.
    """
    transmittal = receiving.open_transmittal(
        scan,
        by=by,
        source=Transmittal.Source.FOLDER,
        is_deidentified_at_source=is_deidentified_at_source,
    )
    missing = receiving.missing(transmittal, sha256s=list(found.by_digest), by=by)
    if not missing and not transmittal.files.exists():
        brought = scan.transmittals.filter(files__sha256__in=list(found.by_digest))
        return brought.distinct()[0], False
    large = [digest for digest in missing if _is_large(found.by_digest[digest])]
    for digest in large:
        _send_in_pieces(digest, found.by_digest[digest], transmittal, by=by, say=say)
    sent = len(large)
    for batch in _batches([digest for digest in missing if digest not in large]):
        with ExitStack() as opened:
            files = [
                File(opened.enter_context(found.by_digest[digest].open("rb"))) for digest in batch
            ]
            receiving.receive(transmittal, files=files, by=by)
        sent += len(batch)
        say(f"Sent {sent} of {len(missing)} files")
    return receiving.complete(transmittal, by=by), True


def _send_in_pieces(
    digest: str, path: Path, transmittal: Transmittal, *, by: User, say: Say
) -> None:
    """Send a large archive as a browser does: killed, it goes on where it was."""
    upload = partial_uploads.begin(transmittal, sha256=digest, size=path.stat().st_size, by=by)
    with path.open("rb") as file:
        while upload.state != PartialUpload.State.RECEIVED:
            at = file.seek(partial_uploads.held(upload))
            piece = file.read(partial_uploads.MAXIMUM_PIECE_BYTES)
            upload = partial_uploads.append(upload, offset=at, data=piece, by=by)
            say(f"Sent {partial_uploads.held(upload):,} of {upload.size:,} bytes of an archive")


def _batches(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[at : at + BATCH_FILES] for at in range(0, len(digests), BATCH_FILES))


def _too_large(path: Path) -> str:
    """Why a file is not sent for its size; an archive may be larger than an image."""
    if not _is_large(path):
        return ""
    with path.open("rb") as file:
        is_archive = archives.is_archive(file.read(archives.HEAD_BYTES))
    size = path.stat().st_size
    most = settings.LARGEST_UPLOAD_BYTES if is_archive else receiving.MAXIMUM_FILE_BYTES
    return f"{size:,} bytes; {most:,} are the most" if size > most else ""


def _is_large(path: Path) -> bool:
    return path.stat().st_size > receiving.MAXIMUM_FILE_BYTES


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
