"""A folder that lies on the server, sent as a browser would send it: each file once.

The names of the files stay with whoever sends: they carry patients' names. The ledger knows
digests, and here the two are put together for the one who has the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files import File

from imaging.models import Transmittal
from imaging.selectors.folders import files_below
from imaging.services import receiving
from trials.models import ScheduledScan, User

BATCH_FILES = 100
Say = Callable[[str], None]


@dataclass(frozen=True)
class Folder:
    """The files of a folder by SHA-256, and those that can't be sent with the reason."""

    by_digest: Mapping[str, Path]
    skipped: Sequence[tuple[Path, str]] = field(default_factory=list)


def look_into(folder: Path, say: Say) -> Folder:
    """Read every file of a folder once."""
    found: dict[str, Path] = {}
    skipped: list[tuple[Path, str]] = []
    for number, (path, reason) in enumerate(files_below(folder), start=1):
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
    return Folder(found, skipped)


def send(
    folder: Folder,
    scan: ScheduledScan,
    *,
    by: User,
    say: Say,
    is_deidentified_at_source: bool = False,
) -> tuple[Transmittal, bool]:
    """Send what is not known of the scan yet; killed, it can go on.

    Gives the transmittal, and whether anything was sent: if not, it is the newest that brought
    files of the folder.
    """
    transmittal = receiving.open_transmittal(
        scan,
        by=by,
        source=Transmittal.Source.FOLDER,
        is_deidentified_at_source=is_deidentified_at_source,
    )
    missing = receiving.missing(transmittal, sha256s=list(folder.by_digest), by=by)
    if not missing and not transmittal.files.exists():
        brought = scan.transmittals.filter(files__sha256__in=list(folder.by_digest))
        return brought.distinct()[0], False
    sent = 0
    for batch in _batches(missing):
        with ExitStack() as opened:
            files = [
                File(opened.enter_context(folder.by_digest[digest].open("rb"))) for digest in batch
            ]
            receiving.receive(transmittal, files=files, by=by)
        sent += len(batch)
        say(f"Sent {sent} of {len(missing)} files")
    return receiving.complete(transmittal, by=by), True


def _batches(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[at : at + BATCH_FILES] for at in range(0, len(digests), BATCH_FILES))


def _too_large(path: Path) -> str:
    size, most = path.stat().st_size, receiving.MAXIMUM_FILE_BYTES
    return f"{size:,} bytes; {most:,} are the most" if size > most else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
