"""With what an export was made: the commit of the code, and the versions of what writes files."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What an installation without a repository is told by whoever built it.
COMMIT_SETTING = "TRIALTRACE_COMMIT"
NOT_KNOWN = "not known"
# What reads the record and writes the files of an export.
WRITERS = ("Django", "psycopg", "pyarrow", "pyreadstat", "odmlib")


@lru_cache(maxsize=1)
def commit() -> str:
    """The commit of this code; `not known` where neither a repository nor the setting says it."""
    return os.environ.get(COMMIT_SETTING) or _head(ROOT / ".git") or NOT_KNOWN


@lru_cache(maxsize=1)
def tools() -> dict[str, str]:
    """Versions by name; what is not installed is not in it."""
    found = {"Python": platform.python_version()}
    for name in WRITERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _head(git: Path) -> str:
    """What HEAD of a repository names: a commit, or a branch that names one; empty if neither."""
    try:
        if git.is_file():
            git = Path(git.read_text().removeprefix("gitdir:").strip())
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        return _of_branch(git, head.removeprefix("ref:").strip())
    except OSError:
        return ""


def _of_branch(git: Path, name: str) -> str:
    common = git / "commondir"
    shared = (git / common.read_text().strip()).resolve() if common.is_file() else git
    if (shared / name).is_file():
        return (shared / name).read_text().strip()
    for line in (shared / "packed-refs").read_text().splitlines():
        if line.endswith(f" {name}"):
            return line.split(" ")[0]
    return ""
