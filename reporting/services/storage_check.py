"""Whether the stores hold what the record names: no more, no less, and unchanged.

The record says which digest is to lie in which store; the folders are walked and every file
is read once. What is on its way while this runs is no finding: a young file may have its row
in a moment, and what seems missing is asked for again at the end.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from imaging import storage as images
from imaging.models import Instance, Picture, ReceivedFile
from imaging.services.clearing import WAITING
from reporting import storage as reports
from reporting.models import Export

CHUNK_BYTES = 2**20
# A file without a row that is younger than this may be on its way.
YOUNG_SECONDS = 3600


class Kind(StrEnum):
    """What is wrong with a file, and what to do."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"

    @property
    def advice(self) -> str:
        return {
            Kind.MISSING: "The record names it: restore it from the backup.",
            Kind.CHANGED: "Its bytes are not what they were: restore it from the backup, and look "
            "at the disk.",
            Kind.EXTRA: "No row names it. Look where it comes from; then remove it.",
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


def check(say: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Everything that is not as the record says, store by store; `say` hears how far it is."""
    for side in _sides():
        yield from _check(side, say)


def _sides() -> list[_Side]:
    return [
        _Side(images.quarantine, _in_quarantine),
        _Side(images.archive, _in_archive),
        _Side(reports.exports, _in_exports),
    ]


def _in_quarantine() -> set[str]:
    waiting = ReceivedFile.objects.filter(state__in=WAITING).exclude(
        transmittal__scheduled_scan__patient__destruction__isnull=False
    )
    return set(waiting.values_list("sha256", flat=True))


def _in_archive() -> set[str]:
    """Images and pictures, save those of patients whose images were destroyed."""
    of = "imaging_study__scheduled_scan__patient__destruction__isnull"
    instances = Instance.objects.filter(**{f"series__{of}": True})
    pictures = Picture.objects.filter(**{f"quantification__series__{of}": True})
    return {
        *instances.values_list("sha256", flat=True).iterator(),
        *pictures.values_list("sha256", flat=True).iterator(),
    }


def _in_exports() -> set[str]:
    return set(Export.objects.exclude(sha256="").values_list("sha256", flat=True))


def _check(side: _Side, say: Callable[[str], None]) -> Iterator[Finding]:
    name, found, young = side.store.name, set[str](), time.time() - YOUNG_SECONDS
    wanted = side.wanted()
    extra: list[str] = []
    for number, path in enumerate(_files(side.store.folder), start=1):
        if number % 500 == 0:
            say(f"{name}: {number} of {len(wanted)} files")
        digest = path.name
        if digest not in wanted or path.is_symlink() or path != side.store.path(digest):
            if _age(path) < young:
                extra.append(str(path.relative_to(side.store.folder)))
            continue
        with suppress(FileNotFoundError):
            is_changed = _digest(path) != digest
            found.add(digest)
            if is_changed:
                yield Finding(name, Kind.CHANGED, digest)
    # Asked once more: a row may have come or gone since.
    still = side.wanted()
    yield from (Finding(name, Kind.EXTRA, one) for one in extra if Path(one).name not in still)
    yield from (Finding(name, Kind.MISSING, one) for one in sorted((wanted & still) - found))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file())


def _age(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return time.time()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
