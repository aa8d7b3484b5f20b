"""Folders of the embedded servers: who may enter, who holds them, where their sockets lie."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import stat
import tempfile
import time
from pathlib import Path
from typing import TextIO

# The folder of a Unix socket: sun_path holds 108 bytes with the name of the socket.
LONGEST_SOCKET_FOLDER = 80


class FolderError(SystemExit):
    """A folder belongs to somebody else; the sentence says which."""


def held(file: Path, *, shared: bool = False, wait: float = 0.0) -> TextIO | None:
    """The locked `file`, open; None when another still holds it after `wait` seconds.

    The lock ends with the last process that has the file open, however that process ends.
    """
    handle = file.open("a")
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                handle.close()
                return None
            time.sleep(0.05)
        else:
            return handle


def make_private(folder: Path, *, owner: pwd.struct_passwd | None = None) -> Path:
    """Make a folder that only `owner` enters; one that a stranger made before us is refused."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    welcome = {os.geteuid(), owner.pw_uid if owner else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in welcome:
        raise FolderError(f"{folder} belongs to user {found.st_uid}, not to us: remove it.")
    folder.chmod(0o700)
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def socket_folder(folder: Path) -> Path:
    """`folder`, or a short one of the same meaning where a socket's name would not fit."""
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"trialtrace-{os.geteuid()}-{mark}"


def others_may_enter(folder: Path) -> bool:
    return all(
        part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents) if part.exists()
    )


def open_for_reading(tree: Path) -> None:
    """Let everybody read `tree`, whatever the umask was when it was written."""
    for part in (tree, *tree.rglob("*")):
        if not part.is_symlink():
            runs = part.is_dir() or part.stat().st_mode & stat.S_IXUSR
            part.chmod(0o755 if runs else 0o644)
