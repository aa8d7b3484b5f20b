"""Receiving: keep what a site sends in quarantine, each file once.

What is acknowledged is on disk and in the ledger; sent again, it changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from django.conf import settings
from django.core.files import File
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from imaging import storage
from imaging.models import ReceivedFile, Transmittal
from imaging.services import clearing
from imaging.services.ledger import about, about_scan, move
from trials import permissions
from trials.models import ScheduledScan, User
from trials.services import audit, jobs, patients
from trials.services.errors import Invalid, Refused

MAXIMUM_FILES = 10_000
MAXIMUM_FILE_BYTES = 64 * 2**20

State = Transmittal.State
# A file in one of these states is not asked for again.
KNOWN = [ReceivedFile.State.RELEASED, *clearing.WAITING]


def open_transmittal(
    scan: ScheduledScan, *, by: User, source: Transmittal.Source = Transmittal.Source.BROWSER
) -> Transmittal:
    """The transmittal now being received for `scan`; a second call finds the same one."""
    permissions.require(by, "images.upload", scan)
    patients.require_participation(scan.patient)
    with audit.action("transmittal.opened", actor=by, reason="upload", **about_scan(scan)):
        ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        transmittal, _ = Transmittal.objects.get_or_create(
            scheduled_scan=scan,
            state=State.RECEIVING,
            defaults={"site": scan.patient.site, "sent_by": by, "source": source},
        )
    return transmittal


def missing(transmittal: Transmittal, *, sha256s: list[str], by: User) -> list[str]:
    """Which of these files have to be sent, in the order asked: not known for the same scan yet.

    What was refused beside images that were released is known too, such as a letter among them;
    where nothing was released, all may be sent again. An archive is known as long as one of its
    files is. Files of other scans are not looked at:
    whether somebody else sent one is nobody's to ask.
    """
    permissions.require(by, "images.upload", transmittal)
    own = Q(transmittal=transmittal)
    released = ReceivedFile.objects.filter(
        transmittal=OuterRef("transmittal"), state=ReceivedFile.State.RELEASED
    )
    taken_out = ReceivedFile.objects.filter(archive=OuterRef("pk"), state__in=KNOWN)
    before = Q(transmittal__scheduled_scan=transmittal.scheduled_scan_id) & (
        Q(state__in=KNOWN)
        | Q(state=ReceivedFile.State.REJECTED) & Exists(released)
        | Q(state=ReceivedFile.State.UNPACKED) & Exists(taken_out)
    )
    found = ReceivedFile.objects.filter(own | before, sha256__in=sha256s)
    held = set(found.values_list("sha256", flat=True))
    return [digest for digest in dict.fromkeys(sha256s) if digest not in held]


def receive(transmittal: Transmittal, *, files: Iterable[File], by: User) -> list[ReceivedFile]:
    """Keep these files in quarantine. What is acknowledged here is on disk and in the ledger."""
    permissions.require(by, "images.upload", transmittal)
    patients.require_participation(transmittal.scheduled_scan.patient)
    require_receiving(transmittal)
    with audit.action("files.received", actor=by, reason="upload", **about(transmittal)):
        return keep(transmittal, [_chunks(file) for file in files])


def keep(
    transmittal: Transmittal,
    contents: Iterable[Iterable[bytes]],
    *,
    archive: ReceivedFile | None = None,
) -> list[ReceivedFile]:
    """The one way into quarantine, for a file that was sent and for one out of an archive.

    In the caller's frame of audit. What is out of an archive comes after the transmittal was
    received and before it was inspected.
    """
    clearing.keep_off()
    stored = dict(storage.quarantine.write(chunks) for chunks in contents)
    locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
    if archive is None:
        require_receiving(locked)
    elif locked.state != State.RECEIVED:
        raise jobs.StaleClaim
    return _enter(locked, stored, archive)


def require_space(coming: int) -> None:
    """Refuse what would fill the disk of the storage, before it does."""
    storage.quarantine.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if shutil.disk_usage(storage.quarantine.folder).free - coming < settings.KEEP_FREE_BYTES:
        raise Refused(
            "no-space",
            "The disk of the server is nearly full: nothing was kept. Tell whoever keeps the "
            "server; then send or order it again.",
        )


def complete(transmittal: Transmittal, *, by: User) -> Transmittal:
    """All files were sent: begin to inspect them. Said twice, it is done once."""
    permissions.require(by, "images.upload", transmittal)
    with audit.action(
        "transmittal.received", actor=by, reason="all files sent", **about(transmittal)
    ):
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        if locked.state != State.RECEIVING:
            return locked
        if not locked.files.exists():
            raise Refused("no-files", "No file has arrived yet: send the image files first.")
        locked.completed_at = timezone.now()
        move(locked, State.RECEIVED)
        jobs.enqueue("imaging.inspect", actor=by, transmittal=locked.pk)
    return locked


def _chunks(file: File) -> Iterable[bytes]:
    if file.size is not None and file.size > MAXIMUM_FILE_BYTES:
        raise Invalid(
            "files",
            f"A file has {file.size:,} bytes; {MAXIMUM_FILE_BYTES:,} are the most.",
        )
    return file.chunks()


def _enter(
    transmittal: Transmittal, stored: dict[str, int], archive: ReceivedFile | None
) -> list[ReceivedFile]:
    held = set(transmittal.files.filter(sha256__in=stored).values_list("sha256", flat=True))
    last = transmittal.files.aggregate(last=Max("position"))["last"] or 0
    new = [digest for digest in stored if digest not in held]
    if last + len(new) > MAXIMUM_FILES:
        raise Refused("too-many-files", f"A transmittal holds {MAXIMUM_FILES:,} files at most.")
    ReceivedFile.objects.bulk_create(
        ReceivedFile(
            transmittal=transmittal,
            position=last + n,
            sha256=digest,
            size=stored[digest],
            archive=archive,
        )
        for n, digest in enumerate(new, start=1)
    )
    return list(transmittal.files.filter(sha256__in=stored))


def require_receiving(transmittal: Transmittal) -> None:
    if transmittal.state != State.RECEIVING:
        raise Refused(
            "not-receiving",
            f"This transmittal is {transmittal.get_state_display().lower()}: open a new one.",
        )
