"""A journal of objects that were acknowledged and have yet to be entered in the ledger.

An object is appended, and it is on disk when `append` returns: one write and one fdatasync,
which several associations share. Segments are closed when they are taken to be filed, and
removed once all in them is in the ledger; what a killed process left is found at the next
start. A record that was cut off was never acknowledged.

A record: mark, length of its head, length of its body, SHA-256 over both; head (JSON); body.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from imaging.storage import make_lasting

MARK = b"TTJ1"
FRAME = struct.Struct(">4sIQ32s")
LONGEST_HEAD = 4096
# Left for the database, whose full disk would stand in the way of filing.
RESERVE_BYTES = 256 * 2**20


class DamagedError(Exception):
    """A segment whose record is neither whole nor cut off at its end."""


@dataclass(frozen=True)
class Entry:
    """An object that came: for which site, from whom, when (ISO 8601), and its bytes."""

    site: int
    sender: str
    received_at: str
    content: bytes

    def packed(self) -> list[bytes]:
        fields = asdict(self)
        body = fields.pop("content")
        head = json.dumps(fields).encode()
        digest = hashlib.sha256(head)
        digest.update(body)
        return [FRAME.pack(MARK, len(head), len(body), digest.digest()), head, body]


class Journal:
    """The journal below one folder; one process at a time."""

    def __init__(self, folder: Path, *, reserve: int = RESERVE_BYTES) -> None:
        self.folder = folder
        self.reserve = reserve
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = (folder / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise BlockingIOError(f"another process holds {folder}") from error
        self._writing = threading.Lock()
        self._segment: _Segment | None = None
        # What filing will need room for: all that has not been removed yet.
        self._unfiled = sum(path.stat().st_size for path in folder.glob("*.journal"))

    def append(self, entry: Entry) -> None:
        """Keep an object; it is on disk when this returns. OSError if it could not be kept."""
        parts = entry.packed()
        size = sum(map(len, parts))
        with self._writing:
            self._require_space(size)
            if self._segment is None or self._segment.is_broken:
                self._segment = _Segment.new(self.folder)
            segment = self._segment
            end = segment.write(parts)
            self._unfiled += size
        segment.sync(end)

    def close_segment(self) -> None:
        """Let what was appended so far be filed; what comes next goes into another segment."""
        with self._writing:
            segment, self._segment = self._segment, None
            if segment is not None:
                segment.close()

    def waiting(self) -> list[Path]:
        """Closed segments, the oldest first."""
        with self._writing:
            current = self._segment.path if self._segment else None
        return [path for path in sorted(self.folder.glob("*.journal")) if path != current]

    def remove(self, path: Path) -> None:
        """Let go of a segment: all in it is in the ledger."""
        size = path.stat().st_size
        path.unlink()
        with self._writing:
            self._unfiled -= size

    def has_open_segment(self) -> bool:
        return self._segment is not None

    def close(self) -> None:
        self.close_segment()
        self._lock.close()

    def _require_space(self, size: int) -> None:
        """For the record, for the files that it and all others become, and the reserve."""
        found = os.statvfs(self.folder)
        if found.f_bavail * found.f_frsize < 2 * size + self._unfiled + self.reserve:
            raise OSError(errno.ENOSPC, "the disk is nearly full")


def folder() -> Path:
    """Where the journal of this site lies."""
    return Path(settings.STORAGE) / "journal"


def entries(path: Path) -> Iterator[Entry]:
    """The objects of a segment, in order; ends at a record that was cut off."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while (at := file.tell()) < size:
            entry = _read(file, size - at)
            if entry is None:
                return
            yield entry


def _read(file: BinaryIO, left: int) -> Entry | None:
    frame = file.read(FRAME.size)
    if len(frame) < FRAME.size:
        return None
    mark, head_size, body_size, digest = FRAME.unpack(frame)
    if mark != MARK or head_size > LONGEST_HEAD:
        _require_cut_off(file, left)
        return None
    if FRAME.size + head_size + body_size > left:
        return None
    head, body = file.read(head_size), file.read(body_size)
    found = hashlib.sha256(head)
    found.update(body)
    if found.digest() != digest:
        _require_cut_off(file, left)
        return None
    return Entry(**json.loads(head), content=body)


def _require_cut_off(file: BinaryIO, left: int) -> None:
    """Blocks that a loss of power never let reach the disk are zeros up to the end."""
    file.seek(-left, os.SEEK_END)
    while chunk := file.read(2**20):
        if MARK in chunk[1:]:
            raise DamagedError


class _Segment:
    """One file of the journal, open for appending."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.is_broken = False
        self._descriptor = descriptor
        self._written = 0
        self._synced = 0
        self._syncing = threading.Lock()

    @classmethod
    def new(cls, folder: Path) -> _Segment:
        path = folder / f"{time.time_ns():020d}.journal"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        make_lasting(folder)
        return cls(path, descriptor)

    def write(self, parts: list[bytes]) -> int:
        """Append a record, whole or not at all; where it ends."""
        rest = memoryview(b"".join(parts))
        at = self._written
        try:
            while rest:
                count = os.pwrite(self._descriptor, rest, at)
                rest, at = rest[count:], at + count
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._written)
            raise
        self._written = at
        return at

    def sync(self, upto: int) -> None:
        """Until here it is on disk; whoever waits for the same write shares it."""
        with self._syncing:
            if self._synced >= upto:
                return
            goal = self._written
            try:
                if self.is_broken:
                    raise OSError(errno.EIO, "an earlier write of this segment failed")
                os.fdatasync(self._descriptor)
            except OSError:
                # What a failed sync left in memory may be gone: nothing more goes in here.
                self.is_broken = True
                raise
            self._synced = goal

    def close(self) -> None:
        with suppress(OSError):
            self.sync(self._written)
        with self._syncing:
            os.close(self._descriptor)
            self.is_broken = True
