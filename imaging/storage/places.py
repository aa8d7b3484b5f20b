"""What a place of files is asked for, be it a folder of this machine or a bucket elsewhere."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trials.services.errors import Refused

DIGEST = re.compile(r"[0-9a-f]{64}")
# What is being written is called so until it is whole.
INCOMING = "incoming-"


class StorageError(Exception):
    """A stored file is missing, or is not what it was."""


class UnreachableError(StorageError, Refused):
    """The server that has the files does not answer now: who asked is told to come again."""

    def __init__(self, message: str) -> None:
        Refused.__init__(self, "storage-unreachable", message, status=503)


class MisconfiguredError(UnreachableError):
    """The server answers that the settings are wrong; trying again would not help."""


@dataclass(frozen=True)
class Entry:
    """One file as it is found; `name` is its path below the place."""

    name: str
    size: int
    # Seconds since 1970.
    written_at: float
    # A link is none, whatever it points at.
    is_file: bool = True


@dataclass(frozen=True)
class Arrived:
    """A whole file of this machine that is to be moved into a place."""

    path: Path
    sha256: str
    size: int
    # Whether its bytes outlive a loss of power already.
    is_lasting: bool = False


# What is to be kept: a file to be moved, or bytes to be written.
Content = Arrived | Iterable[bytes]


class Place(Protocol):
    """Files by SHA-256. Written once, the same for good, and removed by destruction alone."""

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep the bytes, whole or not at all; they lie there for good when this returns."""

    def write_all(self, files: Iterable[Content]) -> list[tuple[str, int]]:
        """The same of several files, which may wait for the disk together.

        One that was moved before, by a try that came to nothing, is found where it is.
        """

    def read(self, sha256: str) -> bytes:
        """The bytes, if they still have this digest; FileNotFoundError if they are gone."""

    def bring(self, digests: Iterable[str]) -> None:
        """Have these at hand: each of them is about to be read."""

    def path(self, sha256: str) -> Path:
        """A file of this machine with these bytes."""

    def size(self, sha256: str) -> int | None:
        """Its bytes; None where there is no such file."""

    def remove(self, sha256: str) -> None:
        """Take it away, and everything that is left of it."""

    def entries(self) -> Iterator[Entry]:
        """All that lies there, in the order of the names; what belongs there or not."""

    def digest(self, name: str) -> str:
        """SHA-256 of an entry's bytes, read for it; OSError if they are not given."""


def name_of(sha256: str) -> str:
    """Where a digest's file lies: never made from what somebody sent."""
    if not DIGEST.fullmatch(sha256):
        raise StorageError("a stored file is named by its SHA-256")
    return f"{sha256[:2]}/{sha256}"


def whole(path: Path) -> bytes:
    """All of a file, by as few calls as there can be.

    Each lets go of Python's lock and waits for it again: to threads that read the slices of a
    series side by side that costs more than the reading.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, size)
        # More than two gigabytes come in parts; and what was cut meanwhile ends.
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def verified(data: bytes, sha256: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(f"{sha256[:12]} is not what it was")
    return data


def closed_folder(folder: Path) -> Path:
    """The folder, made if need be; nobody else looks into it."""
    # Asked for each file, and nearly always there.
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def begun(folder: Path) -> tuple[int, str]:
    """A new file in a folder, open to be written, and its path; nobody else may read it."""
    name = f"{folder}/{INCOMING}{secrets.token_hex(8)}"
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), name


@contextmanager
def incoming(folder: Path, chunks: Iterable[bytes]) -> Iterator[Arrived]:
    """The bytes in a file of their own; what is not moved goes again.

    Nobody waits for the disk here: who needs the file to outlive a loss of power does.
    """
    descriptor, name = begun(closed_folder(folder))
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
        yield Arrived(Path(name), digest.hexdigest(), size)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
