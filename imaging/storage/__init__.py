"""Two stores of files: quarantine, identified and short-lived; archive, de-identified.

A file's name is the digest of its bytes, so that the same bytes are stored once, a path is
never made from what someone sent, and `fsck` can tell whether a file is still what it was.

The quarantine lies on this machine, always. What was de-identified lies below the same folder,
or in an S3 bucket where the settings name one; who reads or writes it need not know which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from imaging.storage.folder import Folder
from imaging.storage.places import Entry, Place, StorageError, name_of

__all__ = ["Entry", "StorageError", "Store", "archive", "quarantine"]


@dataclass(frozen=True)
class Store:
    """Files by SHA-256 at the place that the settings give it."""

    name: str
    # Originals name a patient: they never leave this machine.
    stays_here: bool = False

    @property
    def folder(self) -> Path:
        return Path(settings.STORAGE) / self.name

    @property
    def place(self) -> Place:
        return Folder(self.folder)

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep the bytes; they are stored for good when this returns. Gives digest and size."""
        return self.place.write(chunks)

    def read(self, sha256: str) -> bytes:
        """The bytes, if they still have this digest."""
        with self._named(sha256):
            return self.place.read(sha256)

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
        except StorageError as error:
            raise StorageError(f"{self.name}: {error}") from error


quarantine = Store("quarantine", stays_here=True)
archive = Store("archive")
