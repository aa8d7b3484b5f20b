"""Whether the stores hold what the record names: no more, no less, and unchanged.

The record says which digest is to lie in which store; the folders are walked and every file
is read once. What is on its way while this runs is no finding: a young file may have its row
in a moment, and what seems missing is asked for again at the end.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from imaging import storage as images
from imaging.models import Instance, Picture, ReceivedFile
from imaging.services.clearing import WAITING
from reporting import storage as reports
from reporting.models import Export

# A file without a row that is younger than this may be on its way.
YOUNG_SECONDS = 3600


class Kind(StrEnum):
    """What is wrong with a file, and what to do."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"
    UNREADABLE = "unreadable"
    KEPT = "not destroyed"

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
    """A store, and how the digests are asked that the record wants in it."""

    store: images.Store
    wanted: Callable[[], set[str]]
    # Digests of what was to be destroyed; another patient's record may want the same.
    destroyed: Callable[[], set[str]] = set


def check(say: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Everything that is not as the record says, store by store; `say` hears how far it is."""
    for side in _sides():
        yield from _check(side, say)


def _sides() -> list[_Side]:
    return [
        _Side(images.quarantine, _in_quarantine, _received_of_destroyed),
        _Side(images.archive, _in_archive, lambda: _archived(are_destroyed=True)),
        _Side(reports.exports, _in_exports),
    ]


def _in_quarantine() -> set[str]:
    waiting = ReceivedFile.objects.filter(state__in=WAITING).exclude(
        transmittal__scheduled_scan__patient__destruction__isnull=False
    )
    return set(waiting.values_list("sha256", flat=True))


def _received_of_destroyed() -> set[str]:
    of = ReceivedFile.objects.filter(
        transmittal__scheduled_scan__patient__destruction__isnull=False
    )
    return set(of.values_list("sha256", flat=True))


def _in_archive() -> set[str]:
    return _archived(are_destroyed=False)


def _archived(*, are_destroyed: bool) -> set[str]:
    """Images and pictures of patients whose images were destroyed, or of all others."""
    of = "imaging_study__scheduled_scan__patient__destruction__isnull"
    instances = Instance.objects.filter(**{f"series__{of}": not are_destroyed})
    pictures = Picture.objects.filter(**{f"quantification__series__{of}": not are_destroyed})
    return {
        *instances.values_list("sha256", flat=True).iterator(),
        *pictures.values_list("sha256", flat=True).iterator(),
    }


def _in_exports() -> set[str]:
    return set(Export.objects.exclude(sha256="").values_list("sha256", flat=True))


def _check(side: _Side, say: Callable[[str], None]) -> Iterator[Finding]:
    name, young = side.store.name, time.time() - YOUNG_SECONDS
    wanted, destroyed = side.wanted(), side.destroyed()
    extra: list[tuple[str, bool]] = []
    for number, path in enumerate(_files(side.store.folder), start=1):
        if number % 500 == 0:
            say(f"{name}: {number} of {len(wanted)} files")
        digest = path.name
        place = str(path.relative_to(side.store.folder))
        if digest in wanted and not path.is_symlink() and place == f"{digest[:2]}/{digest}":
            if kind := _fault(path, digest):
                yield Finding(name, kind, digest)
        elif digest in destroyed - wanted:
            yield Finding(name, Kind.KEPT, place)
        elif _age(path) < young:
            extra.append((place, digest in wanted))
    # Asked once more: a row may have come or gone since.
    still = side.wanted()
    yield from (
        Finding(name, Kind.EXTRA, place)
        for place, is_misplaced in extra
        if is_misplaced or Path(place).name not in still
    )
    gone = (one for one in sorted(wanted & still) if not side.store.has(one))
    yield from (Finding(name, Kind.MISSING, one) for one in gone)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())


def _age(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return time.time()


def _fault(path: Path, digest: str) -> Kind | None:
    """What is wrong with a file at its place; nothing if it is gone, which is asked later."""
    try:
        return None if _digest(path) == digest else Kind.CHANGED
    except FileNotFoundError:
        return None
    except OSError:
        return Kind.UNREADABLE


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
