"""Files by SHA-256 below a folder of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imaging.storage.places import Entry, incoming, name_of, verified


@dataclass(frozen=True)
class Folder:
    """A place on disk: a file is renamed to its name once it is whole."""

    root: Path

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        with incoming(self.root, chunks, is_lasting=True) as (temporary, sha256, size):
            path = self.path(sha256)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            temporary.replace(path)
        _make_lasting(path.parent)
        return sha256, size

    def read(self, sha256: str) -> bytes:
        return verified(self.path(sha256).read_bytes(), sha256)

    def bring(self, digests: Iterable[str]) -> None:
        """They are at hand."""

    def path(self, sha256: str) -> Path:
        return self.root / name_of(sha256)

    def size(self, sha256: str) -> int | None:
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self.root.rglob("*")):
            is_link = path.is_symlink()
            if not (is_link or path.is_file()):
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:
                # On its way while this runs.
                continue
            name = str(path.relative_to(self.root))
            yield Entry(name, found.st_size, found.st_mtime, is_file=not is_link)

    def digest(self, name: str) -> str:
        with (self.root / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _make_lasting(folder: Path) -> None:
    """A name in a folder outlives a loss of power only once the folder is written too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
