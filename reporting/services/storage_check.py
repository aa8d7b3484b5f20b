"""Whether the stores hold what the record names: no more, no less, and unchanged.

The record says which digest is to lie in which store; each store is walked and every file is
read once, wherever it lies. What is on its way while this runs is no finding: a young file may
have its row in a moment, and what seems missing is asked for again at the end.

Beside the stores lie large files of which a part has come, what inspection made ready for release,
and the journal of what scanners sent and nobody entered yet. Of a part no row says how much has
come, so that a lost one is asked for again by who sends it and is no finding; nor is what was made
ready and is lost or spoilt, for release makes it again from the original.

A quick look takes names and sizes for it and reads nothing: that finds what is gone, too many
or cut short, and no flipped bit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from django.db.models import Q, QuerySet

from imaging import storage as images
from imaging.models import DicomObject, Instance, PartialUpload, Picture, ReceivedFile, Series
from imaging.services import journal, partial_uploads
from imaging.services.clearing import WAITING
from imaging.storage import prepared
from imaging.storage.spool import LEFT_BEHIND_SECONDS, is_temporary
from reporting import storage as reports
from reporting.models import Export

# A file without a row that is younger than this may be on its way.
YOUNG_SECONDS = 3600
# What a killed process left behind is swept after a day, by a clock that strikes every hour.
SWEPT_SECONDS = LEFT_BEHIND_SECONDS + 2 * YOUNG_SECONDS


class Kind(StrEnum):
    """What is wrong with a file, and what to do."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"
    UNREADABLE = "unreadable"
    KEPT = "not destroyed"
    WAITING = "not filed"
    DAMAGED = "damaged"

    @property
    def advice(self) -> str:
        return {
            Kind.MISSING: "The record names it: restore it from the backup.",
            Kind.CHANGED: "Its bytes are not what they were: restore it from the backup, and look "
            "at the disk.",
            Kind.EXTRA: "No row names it there. Look where it comes from; then remove it.",
            Kind.UNREADABLE: "The disk does not give it: look at the disk and its rights, then "
            "restore it from the backup.",
            Kind.KEPT: "The patient's images were to be destroyed: remove it, and look why it is "
            "still there.",
            Kind.WAITING: "Scanners were told that it is kept, and no row names it yet: see that "
            "storescp runs and reaches the database.",
            Kind.DAMAGED: "It can't be read to its end: look at the disk. What is whole in it is "
            "filed; have the site send those images again.",
        }[self]


@dataclass(frozen=True)
class Finding:
    """One file that is not as the record says. `name` is the digest, or the path in the store."""

    store: str
    kind: Kind
    name: str

    @property
    def sentence(self) -> str:
        return f"{self.store}: {self.name} is {self.kind}. {self.kind.advice}"


@dataclass(frozen=True)
class _Side:
    """A store, and how the digests are asked that the record wants in it, each with its size."""

    store: images.Store
    wanted: Callable[[], dict[str, int]]
    # Digests of what was to be destroyed; another patient's record may want the same.
    destroyed: Callable[[], dict[str, int]] = dict


def check(
    say: Callable[[str], None] = lambda _: None, *, is_quick: bool = False
) -> Iterator[Finding]:
    """Everything that is not as the record says, store by store; `say` hears how far it is."""
    for side in _sides():
        yield from _check(side, say, is_quick)
    yield from _in_parts()
    yield from _in_prepared()
    yield from _in_journal(is_quick)


def _sides() -> list[_Side]:
    return [
        _Side(images.quarantine, _in_quarantine, _received_of_destroyed),
        _Side(images.archive, _in_archive, lambda: _archived(are_destroyed=True)),
        _Side(reports.exports, _in_exports),
    ]


def _sizes(rows: QuerySet) -> dict[str, int]:
    return dict(rows.values_list("sha256", "size").iterator())


def _in_quarantine() -> dict[str, int]:
    return _sizes(_waiting())


def _received_of_destroyed() -> dict[str, int]:
    return _sizes(_of_destroyed())


def _waiting() -> QuerySet[ReceivedFile]:
    return ReceivedFile.objects.filter(state__in=WAITING).exclude(
        transmittal__scheduled_scan__patient__destruction__isnull=False
    )


def _of_destroyed() -> QuerySet[ReceivedFile]:
    return ReceivedFile.objects.filter(
        transmittal__scheduled_scan__patient__destruction__isnull=False
    )


def _in_archive() -> dict[str, int]:
    return _archived(are_destroyed=False)


def _archived(*, are_destroyed: bool) -> dict[str, int]:
    """Images, and what was made of them: destroyed, on a wish or as another's, or all others."""
    destroyed = Series.objects.filter(
        Q(imaging_study__scheduled_scan__patient__destruction__isnull=False)
        | Q(code__in=Series.GONE)
    )
    series = destroyed if are_destroyed else Series.objects.exclude(pk__in=destroyed)
    instances = Instance.objects.filter(series__in=series)
    pictures = Picture.objects.filter(quantification__series__in=series)
    objects = DicomObject.objects.filter(quantification__series__in=series)
    return _sizes(instances) | _sizes(pictures) | _sizes(objects)


def _in_exports() -> dict[str, int]:
    return _sizes(Export.objects.exclude(sha256=""))


def _check(side: _Side, say: Callable[[str], None], is_quick: bool) -> Iterator[Finding]:
    name, young, swept = side.store.name, _before(YOUNG_SECONDS), _before(SWEPT_SECONDS)
    wanted = side.wanted()
    kept = side.destroyed().keys() - wanted
    seen: set[str] = set()
    extra: list[tuple[str, bool]] = []
    for number, entry in enumerate(side.store.entries(), start=1):
        if number % 500 == 0:
            say(f"{name}: {number} of {len(wanted)} files")
        digest = PurePosixPath(entry.name).name
        if digest in wanted and entry.is_file and entry.name == f"{digest[:2]}/{digest}":
            seen.add(digest)
            if kind := _fault(side.store, entry, wanted[digest], is_quick):
                yield Finding(name, kind, digest)
        elif digest in kept:
            yield Finding(name, Kind.KEPT, entry.name)
        elif entry.written_at < (swept if _is_swept(entry) else young):
            extra.append((entry.name, digest in wanted))
    # Asked once more: a row may have come or gone since.
    still = side.wanted()
    yield from (
        Finding(name, Kind.EXTRA, place)
        for place, is_misplaced in extra
        if is_misplaced or PurePosixPath(place).name not in still
    )
    gone = (one for one in sorted((wanted.keys() & still) - seen) if not side.store.has(one))
    yield from (Finding(name, Kind.MISSING, one) for one in gone)


def _is_swept(entry: images.Entry) -> bool:
    return entry.is_file and is_temporary(entry.name)


def _fault(store: images.Store, entry: images.Entry, size: int, is_quick: bool) -> Kind | None:
    """What is wrong with a file at its place; nothing if it was just taken away."""
    if is_quick:
        return None if entry.size == size else Kind.CHANGED
    digest = PurePosixPath(entry.name).name
    try:
        return None if store.digest(entry.name) == digest else Kind.CHANGED
    except FileNotFoundError:
        return None
    except OSError:
        return Kind.UNREADABLE


def _in_parts() -> Iterator[Finding]:
    """Large files that have come in part: each has its row, and is no larger than announced."""
    rows = PartialUpload.objects.filter(state=PartialUpload.State.RECEIVING)
    announced = {str(pk): size for pk, size in rows.values_list("pk", "size")}
    for path in _files_in(partial_uploads.folder()):
        found = path.stat()
        if path.name not in announced:
            if found.st_mtime < _before(SWEPT_SECONDS):
                yield Finding("partial", Kind.EXTRA, path.name)
        elif found.st_size > announced[path.name]:
            yield Finding("partial", Kind.CHANGED, path.name)


def _in_prepared() -> Iterator[Finding]:
    """What was made ready of originals: it goes with them, by the clock if not before."""
    wanted, destroyed = _made_of(_waiting()), _made_of(_of_destroyed())
    for entry in prepared.entries():
        if entry.name in destroyed - wanted:
            yield Finding("prepared", Kind.KEPT, entry.name)
        elif entry.name not in wanted and entry.written_at < _before(SWEPT_SECONDS):
            yield Finding("prepared", Kind.EXTRA, entry.name)


def _made_of(originals: QuerySet[ReceivedFile]) -> set[str]:
    """How what is made ready of them is named, and what is told of it."""
    rows = originals.values_list("transmittal", "sha256").iterator()
    return {f"{one}/{name}" for one, sha256 in rows for name in (sha256, prepared.TOLD)}


def _in_journal(is_quick: bool) -> Iterator[Finding]:
    """What was acknowledged to scanners and is on its way into the ledger."""
    for path in _files_in(journal.folder()):
        is_old = path.stat().st_mtime < _before(YOUNG_SECONDS)
        if path.suffix == ".damaged" or (
            path.suffix == ".journal" and not is_quick and not _is_whole(path)
        ):
            yield Finding("journal", Kind.DAMAGED, path.name)
        elif path.suffix == ".journal" and is_old:
            yield Finding("journal", Kind.WAITING, path.name)
        elif path.name != "lock" and is_old:
            yield Finding("journal", Kind.EXTRA, path.name)


def _is_whole(segment: Path) -> bool:
    """Whether it reads to its end; one that was filed meanwhile was whole."""
    try:
        deque(journal.entries(segment), maxlen=0)
    except FileNotFoundError:
        return True
    except (journal.DamagedError, OSError):
        return False
    return True


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file())


def _before(seconds: float) -> float:
    return time.time() - seconds
