"""Files by SHA-256 below a folder of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from imaging.storage.places import (
    Arrived,
    Content,
    Entry,
    closed_folder,
    incoming,
    name_of,
    verified,
    whole,
)

SYNCS_AT_ONCE = 8
PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Folder:
    """A place on disk: a file is renamed to its name once it is whole."""

    root: Path

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        (kept,) = self.write_all([chunks])
        return kept

    def write_all(self, files: Iterable[Content]) -> list[tuple[str, int]]:
        """None is in its place before the bytes of all are lasting: what lay there stays whole."""
        with ExitStack() as waiting:
            device = os.stat(closed_folder(self.root)).st_dev
            kept = [self._near(one, device, waiting) for one in files]
            _together(make_lasting, [str(one.path) for one in kept if not one.is_lasting])
            folders = {self._placed(one) for one in kept}
            _together(make_lasting, [str(self.root), *sorted(folders)])
        return [(one.sha256, one.size) for one in kept]

    def _near(self, content: Content, device: int, waiting: ExitStack) -> Arrived:
        """A file that a rename moves into its place, or that lies there."""
        if not isinstance(content, Arrived):
            return waiting.enter_context(incoming(self.root, content))
        try:
            is_near = os.stat(content.path).st_dev == device
        except FileNotFoundError:
            # Moved before, by a try that came to nothing.
            return replace(content, path=self.path(content.sha256))
        if is_near:
            return content
        return waiting.enter_context(incoming(self.root, _pieces(content.path)))

    def _placed(self, arrived: Arrived) -> str:
        """Put a file where its digest says; the folder it lies in now."""
        path, place = str(arrived.path), self._at(arrived.sha256)
        folder = os.path.dirname(place)
        if path != place:
            try:
                os.replace(path, place)
            except FileNotFoundError:
                # The first of its folder; or the same bytes twice among these.
                Path(folder).mkdir(exist_ok=True, mode=0o700)
                with suppress(FileNotFoundError):
                    os.replace(path, place)
        return folder

    def _at(self, sha256: str) -> str:
        """`path` as text: to put one together takes as long as to move a file there."""
        return f"{self.root}/{name_of(sha256)}"

    def read(self, sha256: str) -> bytes:
        return verified(whole(self.path(sha256)), sha256)

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


def lasting(arrived: Arrived) -> Arrived:
    """The same once its bytes outlive a loss of power."""
    make_lasting(arrived.path)
    return replace(arrived, is_lasting=True)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def make_lasting(path: Path | str) -> None:
    """A file outlives a loss of power once it is written, its name once the folder is too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _together(work: Callable[[str], None], paths: Sequence[str]) -> None:
    """Syncs that wait at the same time share the writes of the disk's own journal."""
    at_once = min(SYNCS_AT_ONCE, len(paths) // 2)
    if at_once < 2:
        for path in paths:
            work(path)
        return
    waiting = iter(paths)

    def some() -> None:
        for path in waiting:
            work(path)

    with ThreadPoolExecutor(at_once) as pool:
        for one in [pool.submit(some) for _ in range(at_once)]:
            one.result()
