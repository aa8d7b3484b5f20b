"""Two stores of files: quarantine, identified and short-lived; archive, de-identified.

A file's name is the digest of its bytes, so that the same bytes are stored once, a path is
never made from what someone sent, and `fsck` can tell whether a file is still what it was.

The quarantine lies on this machine, always. What was de-identified lies below the same folder,
or in an S3 bucket where the settings name one; who reads or writes it need not know which, and
reads a file of this machine in either case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from imaging.storage.cache import Cache
from imaging.storage.folder import SYNCS_AT_ONCE, Folder, lasting, make_lasting
from imaging.storage.places import (
    Arrived,
    Content,
    Entry,
    MisconfiguredError,
    Place,
    StorageError,
    UnreachableError,
    name_of,
)

if TYPE_CHECKING:
    from imaging.storage.bucket import Bucket

__all__ = [
    "SYNCS_AT_ONCE",
    "Arrived",
    "Content",
    "Entry",
    "StorageError",
    "Store",
    "UnreachableError",
    "archive",
    "ask_at_start",
    "lasting",
    "make_lasting",
    "quarantine",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """Files by SHA-256 at the place that the settings give it."""

    name: str
    # Originals name a patient: they never leave this machine.
    stays_here: bool = False

    @property
    def folder(self) -> Path:
        return _below(settings.STORAGE, self.name)

    @property
    def place(self) -> Place:
        if settings.ARCHIVE is None or self.stays_here:
            return Folder(self.folder)
        return _bucket(self.name)

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep the bytes; they are stored for good when this returns. Gives digest and size."""
        return self.place.write(chunks)

    def write_all(self, files: Iterable[Content]) -> list[tuple[str, int]]:
        """Keep several files; all are stored for good when this returns."""
        return self.place.write_all(files)

    def read(self, sha256: str) -> bytes:
        """The bytes, if they still have this digest."""
        with self._named(sha256):
            return self.place.read(sha256)

    def bring(self, digests: Iterable[str]) -> None:
        """Have these at hand: each of them is about to be read."""
        self.place.bring(digests)

    def path(self, sha256: str) -> Path:
        """A file of this machine with these bytes: the stored one, or a copy of it."""
        with self._named(sha256):
            return self.place.path(sha256)

    def has(self, sha256: str) -> bool:
        return self.size(sha256) is not None

    def size(self, sha256: str) -> int | None:
        """Its bytes; None where there is no such file."""
        return self.place.size(sha256)

    def remove(self, sha256: str) -> None:
        """Take it away for good. Only clearing and destruction do."""
        name_of(sha256)
        self.place.remove(sha256)

    def entries(self) -> Iterator[Entry]:
        """All that lies there, in the order of the names."""
        return self.place.entries()

    def digest(self, name: str) -> str:
        """SHA-256 of an entry, read for it."""
        return self.place.digest(name)

    @contextmanager
    def _named(self, sha256: str) -> Iterator[None]:
        """What a place can't do with a file, with the store's name."""
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(f"{self.name} has lost {sha256[:12]}") from error
        except UnreachableError:
            raise
        except StorageError as error:
            raise StorageError(f"{self.name}: {error}") from error


def _bucket(name: str) -> Bucket:
    # Half a second of libraries that nobody without a bucket waits for.
    from imaging.storage.bucket import Bucket

    return Bucket(settings.ARCHIVE, name, _cache(settings.CACHE, settings.CACHE_BYTES))


@lru_cache
def _below(base: str | Path, name: str) -> Path:
    """Once for all files: to put a path together takes longer than to look whether it exists."""
    return Path(base) / name


@lru_cache
def _cache(folder: Path, most_bytes: int) -> Cache:
    return Cache(folder, most_bytes)


def ask_at_start() -> None:
    """End the start where the bucket is wrongly named or refuses us; warn where it is away."""
    if settings.ARCHIVE is None:
        return
    try:
        _bucket(archive.name).ask()
    except MisconfiguredError as error:
        raise SystemExit(str(error)) from error
    except StorageError as error:
        logger.warning("%s", error)


quarantine = Store("quarantine", stays_here=True)
archive = Store("archive")
