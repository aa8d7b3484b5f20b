"""Frozen exports opened: who may, whether the bytes are what was frozen, two of them compared."""

from __future__ import annotations

import hashlib
import zipfile
from base64 import b64decode
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from imaging.storage import StorageError, UnreachableError
from reporting import csvtext, storage
from reporting.datasets import DATASETS, Column, Privacy, Type
from reporting.datasets.populations import POPULATIONS
from reporting.differences import Difference, between, lines
from reporting.models import Export, ExportDownload
from trials import permissions
from trials.models import User
from trials.roles import SCOPES
from trials.services import audit
from trials.services.errors import Refused

State = Export.State
# Datasets whose cells have types; a form is read as text.
TYPED = {**DATASETS, POPULATIONS.name: POPULATIONS}
DIFFERENCE_COLUMNS = tuple(
    Column(name, name, Type.TEXT, Privacy.TECHNICAL)
    for name in ("dataset", "key", "change", "column", "before", "after")
)


def download(export: Export, *, by: User) -> bytes:
    """The bytes of a frozen export, if they still are what was frozen. Who took them is kept."""
    taken = _content(export, by=by)
    with audit.action("export.downloaded", actor=by, reason=export.reason, trial=export.trial_id):
        ExportDownload.objects.create(export=export, by=by)
    return taken


def differences(newer: Export, older: Export, *, by: User) -> list[Difference]:
    """The datasets in which two frozen exports of one trial differ, with keys and values."""
    with compared(newer, older, by=by) as (before, after):
        return list(between(before, after)) if newer.sha256 != older.sha256 else []


@contextmanager
def compared(
    newer: Export, older: Export, *, by: User
) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipFile]]:
    """The zips of two frozen exports of one trial, the earlier first."""
    if newer.trial_id != older.trial_id:
        raise Refused("other-trial", "Only exports of one trial can be compared.")
    if _order(older) > _order(newer):
        raise Refused(
            "not-earlier", f"Export {older.pk} is the later one: compare it with {newer.pk}."
        )
    first, second = (stored(one, by=by) for one in (older, newer))
    with zipfile.ZipFile(first) as before, zipfile.ZipFile(second) as after:
        yield before, after


def _order(export: Export) -> tuple[int, int]:
    """By the point that exports are of: one of an earlier point may be ordered last."""
    return export.audit_event or 0, export.pk


def differences_file(newer: Export, older: Export, *, by: User) -> bytes:
    """A CSV of everything that differs. It holds data of both, so both count as downloaded."""
    found = differences(newer, older, by=by)
    compared_by(newer, older, by=by)
    return b"".join(csvtext.lines(DIFFERENCE_COLUMNS, lines(found)))


def compared_by(newer: Export, older: Export, *, by: User) -> None:
    """Keep that somebody holds data of both."""
    with audit.action("export.compared", actor=by, reason=newer.reason, trial=newer.trial_id):
        for one in dict.fromkeys((older, newer)):
            ExportDownload.objects.create(export=one, by=by)


def stored(export: Export, *, by: User) -> Path:
    """The file of a frozen export, if its bytes still are what was frozen."""
    with _given(export, by=by):
        return _checked(storage.exports.path(export.sha256), export.sha256)


def _content(export: Export, *, by: User) -> bytes:
    """The bytes of a frozen export, if they still are what was frozen."""
    with _given(export, by=by):
        return storage.exports.read(export.sha256)


@contextmanager
def _given(export: Export, *, by: User) -> Iterator[None]:
    """Where a user who may is given what was frozen, or told why not."""
    require_frozen(export, by=by)
    try:
        yield
    except UnreachableError:
        # It is not lost: a new one would not be written either.
        raise
    except StorageError as error:
        raise Refused(
            "export-lost", f"The file of this export can't be given: {error}. Order a new one."
        ) from error


def require_frozen(export: Export, *, by: User) -> None:
    """Refuse who may not have an export's data, and an export that has none."""
    permissions.require(by, "export.view", export)
    _require_in_scope(export, by)
    if export.manifest.get("is_unblinded"):
        permissions.require(by, "export.unblinded", export)
    if export.state != State.FROZEN:
        raise Refused(
            "not-frozen", f"This export is {export.get_state_display().lower()}: no file is there."
        )


def _require_in_scope(export: Export, by: User) -> None:
    """A token that opens no blinding opens no export that breaks one; its manifest says so."""
    if not export.manifest.get("is_unblinded") or not by.token_scope:
        return
    if not SCOPES[by.token_scope].is_unblinded:
        raise Refused(
            "token-scope",
            f"This export breaks a blinding, and this token has the scope {by.token_scope}. Log in "
            "for one of export:unblinded.",
            status=403,
        )


def _checked(path: Path, sha256: str) -> Path:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise StorageError(f"exports has lost {sha256[:12]}") from error
    if _digest(path, found.st_mtime_ns, found.st_size, found.st_ino) != sha256:
        raise StorageError(f"exports: {sha256[:12]} is not what was stored")
    return path


@lru_cache(maxsize=256)
def _digest(path: Path, *_state: int) -> str:
    """SHA-256 of a file in the state it is in: a download in parts reads it once for all."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frozen_rows(export: Export, names: Collection[str], *, by: User) -> dict[str, list[dict]]:
    """Rows of datasets of a frozen export, by name; one that it lacks is not in the answer."""
    with zipfile.ZipFile(stored(export, by=by)) as bundled:
        there = set(bundled.namelist())
        return {
            name: list(csvtext.read(TYPED.get(name), bundled.read(f"data/{name}.csv")))
            for name in names
            if f"data/{name}.csv" in there
        }


def signature(export: Export, *, by: User) -> bytes:
    """The detached signature of a frozen export's SHA256SUMS, for who may have its files."""
    require_frozen(export, by=by)
    if not export.signature:
        raise Refused(
            "not-signed", "This export is not signed: no key was named when it was frozen."
        )
    return b64decode(export.signature)


def file_name(export: Export) -> str:
    return f"{export.trial.identifier}-export-{export.pk}.zip"
