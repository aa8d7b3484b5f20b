"""Where files wait that inspection wrote anew and release has not archived yet.

Beside the originals and as identified as they are: on this machine alone, closed to others, and
taken away with them. Nobody waits for the disk here; what is not whole is made again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from imaging.storage.folder import Folder
from imaging.storage.places import Entry, closed_folder, name_of


def open_for(transmittal: int) -> None:
    """From now on until `forget` files of this transmittal are kept."""
    closed_folder(closed_folder(_root()) / str(transmittal))


def keep(transmittal: int, sha256: str, content: bytes) -> None:
    """Keep what was made of an original, if there is room and the transmittal is still open."""
    with suppress(OSError):
        _path(transmittal, sha256).write_bytes(hashlib.sha256(content).digest() + content)


def kept(transmittal: int, sha256: str) -> bytes | None:
    """What was made of an original; None where it is not there, or not whole."""
    try:
        written = _path(transmittal, sha256).read_bytes()
    except OSError:
        return None
    digest, content = written[:32], written[32:]
    return content if hashlib.sha256(content).digest() == digest else None


def forget(transmittal: int) -> None:
    """Take them all away, and keep no more."""
    shutil.rmtree(_root() / str(transmittal), ignore_errors=True)


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
    """All that lies there, each named `<transmittal>/<SHA-256 of its original>`."""
    return Folder(_root()).entries()


def _root() -> Path:
    return Path(settings.STORAGE) / "prepared"


def _path(transmittal: int, sha256: str) -> Path:
    return _root() / str(transmittal) / Path(name_of(sha256)).name
