"""Two stores of files: quarantine, identified and short-lived; archive, de-identified.

A file's name is the digest of its bytes, so that the same bytes are stored once, a path is
never made from what someone sent, and `fsck` can tell whether a file is still what it was.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, TemporaryFileUploadHandler

DIGEST = re.compile(r"[0-9a-f]{64}")
LEFT_BEHIND_SECONDS = 24 * 3600
SYNCS_AT_ONCE = 8


class StorageError(Exception):
    """A stored file is missing, or is not what it was."""


@dataclass(frozen=True)
class Store:
    """Files by SHA-256 below one folder."""

    name: str

    @property
    def folder(self) -> Path:
        return Path(settings.STORAGE) / self.name

    def path(self, sha256: str) -> Path:
        if not DIGEST.fullmatch(sha256):
            raise StorageError("a stored file is named by its SHA-256")
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).exists()

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        """Keep the bytes; they are on disk when this returns. Gives digest and size."""
        (kept,) = self.write_all([chunks])
        return kept

    def write_all(self, files: Iterable[Iterable[bytes]]) -> list[tuple[str, int]]:
        """Keep several files; all are on disk when this returns, and wait for it together.

        None is in its place before the bytes of all are lasting: what lay there stays whole.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        incoming: list[_Incoming] = []
        try:
            for chunks in files:
                incoming.append(_Incoming(self.folder))
                incoming[-1].take(chunks)
            _together(make_lasting, [one.path for one in incoming])
            places = {self._place(one) for one in incoming}
            _together(make_lasting, [self.folder, *places])
        except BaseException:
            for one in incoming:
                one.path.unlink(missing_ok=True)
            raise
        return [(one.digest, one.size) for one in incoming]

    def _place(self, incoming: _Incoming) -> Path:
        """Put a file where its digest says; the folder it lies in now."""
        path = self.path(incoming.digest)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        incoming.path.replace(path)
        return path.parent

    def read(self, sha256: str) -> bytes:
        """The bytes, if they still have this digest."""
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise StorageError(f"{self.name} has lost {sha256[:12]}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"{self.name}: {sha256[:12]} is not what it was")
        return data

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)


class _Incoming:
    """A file on its way into a store, under a name of its own."""

    def __init__(self, folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="incoming-")
        os.close(descriptor)
        self.path, self.digest, self.size = Path(name), "", 0

    def take(self, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        with self.path.open("wb") as file:
            for chunk in chunks:
                digest.update(chunk)
                self.size += len(chunk)
                file.write(chunk)
        self.digest = digest.hexdigest()


def make_lasting(path: Path) -> None:
    """A file outlives a loss of power once it is written, its name once the folder is too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _together(work: Callable[[Path], None], paths: Sequence[Path]) -> None:
    """Syncs that wait at the same time share the writes of the disk's own journal."""
    if len(paths) <= 2:
        for path in paths:
            work(path)
        return
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        list(pool.map(work, paths))


quarantine = Store("quarantine")
archive = Store("archive")


class SpoolUploadHandler(TemporaryFileUploadHandler):
    """Keeps a large file of a request in the quarantine until it is received.

    Django's default is the system's folder for temporary files: images with a patient's name
    would lie outside the storage, and stay there when the server is killed.
    """

    def new_file(self, *args, **kwargs) -> None:
        FileUploadHandler.new_file(self, *args, **kwargs)
        folder = quarantine.folder / "spool"
        # One by one: parents are made with the mode of everybody's folders.
        for each in (folder.parent, folder):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(folder)
        self.file = _Spooled(folder, self.file_name, self.content_type)


class _Spooled(TemporaryUploadedFile):
    """Django's, in a folder that is given."""

    def __init__(self, folder: Path, name: str | None, content_type: str | None) -> None:
        file = tempfile.NamedTemporaryFile(suffix=".upload", dir=folder)  # noqa: SIM115  kept open
        UploadedFile.__init__(self, file, name, content_type, 0)


def _sweep(folder: Path) -> None:
    """Remove what a killed server left behind: no request is at it any more."""
    oldest = time.time() - LEFT_BEHIND_SECONDS
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
