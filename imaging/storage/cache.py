"""Copies of what lies in a bucket, so that a volume is not fetched again for each reader.

A copy is named by its digest and compared with it whenever it is read. It is good for an hour:
then it is fetched again, so that what was destroyed on a patient's wish is soon read nowhere. The
oldest go first when there are too many.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from imaging.storage.places import (
    INCOMING,
    StorageError,
    closed_folder,
    incoming,
    name_of,
    verified,
    whole,
)

GOOD_FOR_SECONDS = 3600
# The folder is looked through each time that this part of what it may hold has come.
SHARE = 1 / 16


class Cache:
    """A folder of copies that holds no more than `most_bytes`."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        # What others left is looked through before anything is added.
        self._come = most_bytes

    def has(self, sha256: str) -> bool:
        """Whether there is a copy young enough to be read."""
        with suppress(FileNotFoundError):
            return self.path(sha256).stat().st_mtime > time.time() - GOOD_FOR_SECONDS
        return False

    def read(self, sha256: str) -> bytes | None:
        """The copy; None if there is none that is still good."""
        with suppress(FileNotFoundError, StorageError):
            if self.has(sha256):
                return verified(whole(self.path(sha256)), sha256)
        return None

    def path(self, sha256: str) -> Path:
        return self.folder / name_of(sha256)

    def add(self, chunks: Iterable[bytes]) -> str:
        """Keep a copy of the bytes; gives the digest that they have."""
        with incoming(self.folder, chunks) as arrived:
            path = self.path(arrived.sha256)
            closed_folder(path.parent)
            arrived.path.replace(path)
        self._come += arrived.size
        if self._come >= self.most_bytes * SHARE:
            self._come = 0
            self.sweep()
        return arrived.sha256

    def discard(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what is no longer good, and the oldest until there is room for the next share."""
        left = [path for path in self.folder.rglob("*") if path.is_file()]
        found = sorted(filter(None, map(_seen, left)))
        total = sum(size for _, size, _ in found)
        for written_at, size, path in found:
            is_good = written_at > time.time() - GOOD_FOR_SECONDS
            if is_good and (total <= self.most_bytes * (1 - SHARE) or _is_incoming(path)):
                continue
            path.unlink(missing_ok=True)
            total -= size


def _seen(path: Path) -> tuple[float, int, Path] | None:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_mtime, found.st_size, path
    return None


def _is_incoming(path: Path) -> bool:
    """Whether somebody is at it: what was left behind stops being good like any copy."""
    return path.name.startswith(INCOMING)
