"""Large files in pieces: announced by digest and size, appended, and received once whole.

How much has come is the length of the file on disk, which only grows; each piece names where it
begins, so that a piece sent twice, late or after a lost answer changes nothing. Nothing of it is
a received file, nor is looked into, before the whole has the digest that it was announced by.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from imaging import archives
from imaging.models import PartialUpload, Transmittal
from imaging.services import clearing, receiving
from imaging.services.ledger import about
from imaging.storage.spool import LEFT_BEHIND_SECONDS
from trials import permissions
from trials.models import User
from trials.services import audit, jobs
from trials.services.errors import Invalid, Refused
from trials.services.fault_points import reach

MAXIMUM_PIECE_BYTES = 16 * 2**20
MAXIMUM_AT_ONCE = 20
_CHUNK_BYTES = 2**20

State = PartialUpload.State


class _DiffersError(Exception):
    """The whole file has another digest than it was announced by."""


def begin(transmittal: Transmittal, *, sha256: str, size: int, by: User) -> PartialUpload:
    """The upload of a large file; a second call finds the same one, however far it is."""
    _require_welcome(transmittal, by)
    if size > settings.LARGEST_UPLOAD_BYTES:
        raise Invalid(
            "size",
            f"The file has {size:,} bytes; {settings.LARGEST_UPLOAD_BYTES:,} are the most. Send "
            "each examination by itself.",
        )
    with audit.action("upload.begun", actor=by, reason="upload", **about(transmittal)):
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        receiving.require_receiving(locked)
        upload, _ = PartialUpload.objects.get_or_create(
            transmittal=locked, sha256=sha256, defaults={"size": size, "opened_by": by}
        )
        if upload.size != size:
            raise Invalid("size", f"This file was announced with {upload.size:,} bytes.")
        if upload.state in {State.REFUSED, State.EXPIRED}:
            _path(upload).unlink(missing_ok=True)
            upload.opened_at = timezone.now()
            _move(upload, State.RECEIVING)
        _require_room(upload)
    return upload


def held(upload: PartialUpload) -> int:
    """How many bytes of it are on disk."""
    if upload.state == State.RECEIVED:
        return upload.size
    try:
        return _path(upload).stat().st_size
    except FileNotFoundError:
        return 0


def append(upload: PartialUpload, *, offset: int, data: bytes, by: User) -> PartialUpload:
    """Put a piece behind what has come; with the last one the file is received.

    Where all has come and its end was not reached, any piece, also an empty one, reaches it.
    """
    _require_welcome(upload.transmittal, by)
    with transaction.atomic():
        locked = PartialUpload.objects.select_for_update().get(pk=upload.pk)
        # All has come before: the answer to the last piece was lost.
        if locked.state == State.RECEIVED:
            return locked
        if held(locked) < locked.size:
            _require_next(locked, offset, len(data))
            receiving.require_space(len(data))
            _write(_path(locked), offset, data)
            reach("partial-upload.piece-written")
        is_wanted = _is_wanted(locked)
    if not is_wanted:
        _refuse(locked, by=by)
        raise Invalid(
            "body",
            f"Only a zip may be larger than {receiving.MAXIMUM_FILE_BYTES:,} bytes. Export the "
            "series as one file per slice.",
        )
    return _received(locked, by=by) if held(locked) == locked.size else locked


def sweep(*, now: datetime | None = None) -> int:
    """Give up what nothing was added to for a day, and remove what is left of it; how many."""
    before = (now or timezone.now()) - timedelta(seconds=LEFT_BEHIND_SECONDS)
    waiting = PartialUpload.objects.filter(state=State.RECEIVING, opened_at__lt=before)
    old = [upload for upload in waiting if _touched(_path(upload)) < before.timestamp()]
    for upload in old:
        _give_up(upload, before.timestamp())
    wanted = set(PartialUpload.objects.filter(state=State.RECEIVING).values_list("pk", flat=True))
    left = [path for path in _files() if int(path.name) not in wanted]
    stale = [path for path in left if _touched(path) < before.timestamp()]
    for path in stale:
        path.unlink(missing_ok=True)
    return len(old) + len(stale)


def _give_up(upload: PartialUpload, before: float) -> None:
    with audit.action(
        "upload.expired",
        actor=jobs.system_user(),
        reason="nothing came for a day",
        **about(upload.transmittal),
    ):
        locked = PartialUpload.objects.select_for_update().get(pk=upload.pk)
        if locked.state == State.RECEIVING and _touched(_path(locked)) < before:
            _move(locked, State.EXPIRED)
            _path(locked).unlink(missing_ok=True)


def _files() -> list[Path]:
    place = folder()
    return [path for path in place.iterdir() if path.name.isdigit()] if place.exists() else []


def _touched(path: Path) -> float:
    """When it was added to last; of what is not there, long ago."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _received(upload: PartialUpload, *, by: User) -> PartialUpload:
    """The whole file goes the way of all into quarantine, if it is what was announced."""
    receiving.require_space(upload.size)
    digests: set[str] = set()
    try:
        with audit.action(
            "upload.received", actor=by, reason="upload", **about(upload.transmittal)
        ):
            locked = PartialUpload.objects.select_for_update().get(pk=upload.pk)
            if locked.state != State.RECEIVING:
                return locked
            rows = receiving.keep(locked.transmittal, [_chunks(_path(locked))])
            digests = {row.sha256 for row in rows}
            if digests != {locked.sha256}:
                raise _DiffersError
            _move(locked, State.RECEIVED)
    except _DiffersError:
        with transaction.atomic():
            clearing.remove(digests)
        _refuse(upload, by=by)
        raise Refused(
            "digest-differs",
            "All of the file has come, and it is not the file that was announced: it changed "
            "meanwhile, or was damaged on its way. Choose it again.",
        ) from None
    reach("partial-upload.received")
    # Not before that is certain; killed in between, the sweep does it.
    _path(locked).unlink(missing_ok=True)
    return locked


def _refuse(upload: PartialUpload, *, by: User) -> None:
    with audit.action("upload.refused", actor=by, reason="upload", **about(upload.transmittal)):
        _move(upload, State.REFUSED)
    _path(upload).unlink(missing_ok=True)


def _move(upload: PartialUpload, state: PartialUpload.State) -> None:
    upload.state = state
    upload.save(update_fields=["state", "opened_at"])


def _require_welcome(transmittal: Transmittal, by: User) -> None:
    permissions.require(by, "images.upload", transmittal)
    if transmittal.scheduled_scan:
        receiving.require_taking_part(transmittal.scheduled_scan)
    receiving.require_receiving(transmittal)


def _require_room(upload: PartialUpload) -> None:
    """Room for all that was announced, and once more for this: it is copied when it is whole."""
    open_ones = PartialUpload.objects.filter(state=State.RECEIVING)
    if open_ones.filter(transmittal=upload.transmittal).count() > MAXIMUM_AT_ONCE:
        raise Refused(
            "too-many-uploads", f"At most {MAXIMUM_AT_ONCE} large files are sent at one time."
        )
    announced = open_ones.aggregate(all=Sum("size"))["all"] or 0
    here = sum(path.stat().st_size for path in _files())
    receiving.require_space(max(0, announced - here) + upload.size)


def _require_next(upload: PartialUpload, offset: int, length: int) -> None:
    have = held(upload)
    if not 0 < length <= MAXIMUM_PIECE_BYTES:
        raise Invalid("body", f"A piece has 1 to {MAXIMUM_PIECE_BYTES:,} bytes.")
    if upload.state != State.RECEIVING:
        raise Refused(
            "upload-ended",
            f"This upload was {upload.get_state_display().lower()}: announce the file again.",
        )
    if offset != have:
        raise Refused("offset-differs", f"{have} bytes have come: go on there.")
    if have + length > upload.size:
        raise Invalid("body", f"The file was announced with {upload.size:,} bytes.")


def _is_wanted(upload: PartialUpload) -> bool:
    """What is larger than a file may be is a zip, as far as its beginning is here."""
    if upload.size <= receiving.MAXIMUM_FILE_BYTES or held(upload) < archives.HEAD_BYTES:
        return True
    with _path(upload).open("rb") as file:
        return archives.is_archive(file.read(archives.HEAD_BYTES))


def _write(path: Path, offset: int, data: bytes) -> None:
    """Append; on disk when this returns. The name in the folder is made lasting once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if offset == 0:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def folder() -> Path:
    """Beside the quarantine, whose files are whole and named by their digest."""
    return Path(settings.STORAGE) / "partial"


def _path(upload: PartialUpload) -> Path:
    return folder() / str(upload.pk)
