"""Where files wait that were looked into and written anew, and release has not archived yet.

Beside the originals and as identified as they are: on this machine alone, closed to others, and
taken away with them. Each lies under the digest of its original, ready to be moved into the
archive, and what is told of it in a line of a file for all, its verdict included. Nobody waits for
the disk here: what is not whole, or was written before the machine was last started, is made again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from imaging.storage.folder import Folder
from imaging.storage.places import Entry, begun, closed_folder, name_of

PREPARED = "prepared"
TOLD = "told"
# Held by who looks ahead on this machine.
LOCK = "looking-ahead.lock"
_STARTED = Path("/proc/sys/kernel/random/boot_id")


def open_for(transmittal: int) -> None:
    """From now on until `forget` files of this transmittal are kept."""
    closed_folder(closed_folder(_root()) / str(transmittal))


def keep(transmittal: int, sha256: str, *, content: bytes | None, told: str) -> None:
    """Keep what was made of an original, if there is room and the transmittal is still open.

    `told` is one line. Of what was refused nothing was made.
    """
    folder = _folder(transmittal)
    with suppress(OSError):
        if content is not None:
            _put(folder / _name(sha256), content)
        # Behind the content, and whole: a line is appended in one piece.
        line = f"{sha256} {started()} {told}\n".encode()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(folder / TOLD, flags, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def _put(path: Path, content: bytes) -> None:
    """Put it there whole: whoever comes late never opens a file that release has moved."""
    descriptor, name = begun(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


@contextmanager
def alone() -> Iterator[bool]:
    """Whether nobody else on this machine looks ahead, and until the end of it nobody does."""
    descriptor = os.open(
        closed_folder(Path(settings.STORAGE)) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def told(transmittal: int) -> dict[str, str]:
    """What is told of what was made, by the digest of the original; the last line of each."""
    found, path = dict[str, str](), _folder(transmittal) / TOLD
    # Line by line: of thousands of images the whole is tens of megabytes.
    with suppress(OSError), path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            words = line.removesuffix("\n").split(" ", 2)
            if len(words) == 3 and words[1] == started():
                found[words[0]] = words[2]
    return found


def path(transmittal: int, sha256: str) -> Path:
    """Where what was made of an original lies, as long as it does."""
    return _folder(transmittal) / _name(sha256)


def sizes(transmittal: int) -> dict[str, int]:
    """Bytes of what lies there now, by the digest of its original."""
    try:
        with os.scandir(_folder(transmittal)) as found:
            return {one.name: one.stat().st_size for one in found}
    except FileNotFoundError:
        return {}


def forget(transmittal: int) -> None:
    """Take them all away, and keep no more."""
    shutil.rmtree(_folder(transmittal), ignore_errors=True)


@lru_cache(1)
def started() -> str:
    """Which start of the machine this is: what was not lasting is whole as long as it goes on."""
    return _STARTED.read_text().strip()


def forget_others(wanted: Collection[int], *, before: float) -> int:
    """Take away what is of no wanted transmittal and was begun before then (seconds since 1970)."""
    names = {str(one) for one in wanted}
    left = [path for path in _root().glob("*") if path.name not in names]
    stale = [path for path in left if path.lstat().st_mtime < before]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(stale)


def entries() -> Iterator[Entry]:
    """All that lies there: `<transmittal>/<SHA-256 of its original>`, and what is told of them."""
    return Folder(_root()).entries()


def _root() -> Path:
    return Path(settings.STORAGE) / PREPARED


def _folder(transmittal: int) -> Path:
    return _below(settings.STORAGE, transmittal)


@lru_cache
def _below(storage: str | Path, transmittal: int) -> Path:
    """Once for all files: to put a path together takes longer than to look whether it exists."""
    return Path(storage) / PREPARED / str(transmittal)


def _name(sha256: str) -> str:
    return name_of(sha256).rpartition("/")[2]
