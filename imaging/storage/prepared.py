"""Where files wait that inspection wrote anew and release has not archived yet.

Beside the originals and as identified as they are: on this machine alone, closed to others, and
taken away with them. Each lies under the digest of its original, ready to be moved into the
archive, and what is told of it in a line of a file for all. Nobody waits for the disk here: what
is not whole, or was written before the machine was last started, is made again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from imaging.storage.folder import Folder
from imaging.storage.places import Entry, closed_folder, name_of

TOLD = "told"
_STARTED = Path("/proc/sys/kernel/random/boot_id")


def open_for(transmittal: int) -> None:
    """From now on until `forget` files of this transmittal are kept."""
    closed_folder(closed_folder(_root()) / str(transmittal))


def keep(transmittal: int, sha256: str, *, content: bytes, told: str) -> None:
    """Keep what was made of an original, if there is room and the transmittal is still open.

    `told` is one line.
    """
    folder = _folder(transmittal)
    with suppress(OSError):
        (folder / Path(name_of(sha256)).name).write_bytes(content)
        # Behind the content, and whole: a line is appended in one piece.
        line = f"{sha256} {started()} {told}\n".encode()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(folder / TOLD, flags, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def told(transmittal: int) -> dict[str, str]:
    """What is told of what was made, by the digest of the original; the last line of each."""
    try:
        text = (_folder(transmittal) / TOLD).read_text("utf-8", errors="replace")
    except OSError:
        return {}
    lines = [line.split(" ", 2) for line in text.split("\n")]
    return {line[0]: line[2] for line in lines if len(line) == 3 and line[1] == started()}


def path(transmittal: int, sha256: str) -> Path:
    """Where what was made of an original lies, as long as it does."""
    return _folder(transmittal) / Path(name_of(sha256)).name


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
    return Path(settings.STORAGE) / "prepared"


def _folder(transmittal: int) -> Path:
    return _root() / str(transmittal)
