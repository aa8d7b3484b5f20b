"""Unpacking: a zip among what was received becomes its files, each received like any other.

An archive is looked through to its end before one file of it is kept, in a process that is
locked in. Killed at any point and done again, it gives the same rows: a file is entered once a
transmittal, in the order of the archive, and the archive is settled after its last file.

No name that an archive gives is kept. What is left out is told by its kind and its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import IO

from django.db import transaction

from imaging import archives, storage
from imaging.archives import ArchiveError, Content, Limits
from imaging.models import ReceivedFile, Transmittal
from imaging.services import archive_reader, clearing, receiving
from imaging.services.ledger import Progress, about
from trials.services import audit, jobs
from trials.services.fault_points import reach

BATCH_FILES = 100
BATCH_BYTES = 32 * 2**20
# Of places of what was left out, each kind; the others are counted.
PLACES_TOLD = 10

FileState = ReceivedFile.State


def unpack(claim: jobs.Claim, transmittal: Transmittal) -> None:
    """Take the files out of every archive that was received and not opened yet."""
    for file in transmittal.files.filter(state=FileState.RECEIVED, archive=None):
        head = _head(file)
        if archives.is_foreign(head):
            _settle(file, FileState.REJECTED, "archive-foreign")
        elif archives.is_archive(head):
            _open(claim, file)


def _open(claim: jobs.Claim, archive: ReceivedFile) -> None:
    with storage.quarantine.path(archive.sha256).open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != archive.sha256:
            raise storage.StorageError(f"quarantine: {archive.sha256[:12]} is not what it was")
        try:
            listing = _looked_through(claim, archive, opened)
        except ArchiveError as refusal:
            _settle(archive, FileState.REJECTED, refusal.code, str(refusal))
            return
        _keep(claim, archive, opened, sum(map(_is_kept, listing)))
    _settle(archive, FileState.UNPACKED, "archive-unpacked", _told(listing))


def _looked_through(claim: jobs.Claim, archive: ReceivedFile, opened: IO[bytes]) -> list[Content]:
    """Every file of the archive without its bytes; ArchiveError if it may not come in."""
    listing = []
    for one in archive_reader.contents(opened, limits=Limits(), with_bytes=False):
        listing.append(one)
        if len(listing) % 50 == 0:
            jobs.report(claim, f"Looking through an archive, {len(listing)} files")
    kept = sum(_is_kept(one) for one in listing)
    if not any(one.kind == archives.FILE for one in listing):
        raise ArchiveError("archive-empty")
    others = archive.transmittal.files.exclude(archive=archive).count()
    if others + kept > receiving.MAXIMUM_FILES:
        raise ArchiveError("archive-too-many")
    return listing


def _keep(claim: jobs.Claim, archive: ReceivedFile, opened: IO[bytes], total: int) -> None:
    found = archive_reader.contents(opened, limits=Limits(), with_bytes=True)
    progress, number = Progress(claim, "Unpacking", total), 0
    for batch in _batches(one for one in found if _is_kept(one)):
        receiving.require_space(sum(len(one.data) for one in batch))
        with _framed(archive, "archive.unpacked"):
            kept = receiving.keep(
                archive.transmittal, [[one.data] for one in batch], archive=archive
            )
            _refuse_nested(batch, kept)
        reach("inspect.batch-unpacked")
        number += len(batch)
        progress.say(number)


def _refuse_nested(batch: Sequence[Content], kept: Sequence[ReceivedFile]) -> None:
    """An archive within an archive is entered, so that it is told of, and not opened."""
    nested = {hashlib.sha256(one.data).hexdigest() for one in batch if one.kind == archives.NESTED}
    inside = [row.pk for row in kept if row.sha256 in nested and row.archive_id]
    ReceivedFile.objects.filter(pk__in=inside).update(
        state=FileState.REJECTED,
        code="archive-nested",
        message=archives.SENTENCES["archive-nested"],
    )


def _settle(archive: ReceivedFile, state: FileState, code: str, message: str = "") -> None:
    """Say what became of the archive; once its files are out nobody needs it any more."""
    with _framed(archive, "archive.settled"):
        ReceivedFile.objects.filter(pk=archive.pk, state=FileState.RECEIVED).update(
            state=state, code=code, message=message or archives.SENTENCES[code]
        )
    reach("inspect.archive-settled")
    # Not before that is certain; killed in between, the clearing of the transmittal does it.
    with transaction.atomic():
        clearing.remove({archive.sha256})


def _framed(archive: ReceivedFile, name: str):
    return audit.action(
        name,
        actor=jobs.system_user(),
        reason="files of an archive",
        **about(archive.transmittal),
    )


def _batches(found: Iterator[Content]) -> Iterator[list[Content]]:
    batch: list[Content] = []
    for one in found:
        batch.append(one)
        if len(batch) == BATCH_FILES or sum(len(each.data) for each in batch) > BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _is_kept(one: Content) -> bool:
    return one.kind in {archives.FILE, archives.NESTED}


def _head(file: ReceivedFile) -> bytes:
    try:
        with storage.quarantine.path(file.sha256).open("rb") as opened:
            return opened.read(archives.HEAD_BYTES)
    except FileNotFoundError as error:
        raise storage.StorageError(f"quarantine has lost {file.sha256[:12]}") from error


def _told(listing: Sequence[Content]) -> str:
    """What became of the entries, by kind and place; no name is in it."""
    count = sum(one.kind == archives.FILE for one in listing)
    sentences = [f"An archive: {count} files were taken out, and each goes the way of any file."]
    left: dict[str, list[int]] = {}
    for one in listing:
        if one.kind != archives.FILE:
            left.setdefault(one.kind, []).append(one.number)
    if left:
        kinds = "; ".join(_left_out(kind, places) for kind, places in left.items())
        sentences.append(f"Left out: {kinds}.")
    return " ".join(sentences)


def _left_out(kind: str, places: Sequence[int]) -> str:
    what = "an archive within it" if kind == archives.NESTED else kind
    told = ", ".join(map(str, places[:PLACES_TOLD]))
    more = len(places) - PLACES_TOLD
    beyond = f" and {more} more" if more > 0 else ""
    return f"{what} (entry {told}{beyond})"
