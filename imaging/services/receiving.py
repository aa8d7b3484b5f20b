"""Receiving: keep what a site sends in quarantine, each file once.

What is acknowledged is on disk and in the ledger; sent again, it changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from imaging import storage
from imaging.models import ReceivedFile, Transmittal
from imaging.services import clearing
from imaging.services.ledger import about, about_scan, add_files, move
from imaging.storage import Arrived, Content, prepared
from trials import permissions
from trials.models import ScheduledScan, ScopedModel, Site, User
from trials.services import audit, jobs, patients, sites
from trials.services.errors import Invalid, Refused
from trials.services.fault_points import reach

MAXIMUM_FILES = 10_000
MAXIMUM_FILE_BYTES = 64 * 2**20

# How long a machine may pause between two files of one study.
QUIET = timedelta(seconds=30)

# Between the opening of a transmittal and a file for it the transmittal may be completed.
ATTEMPTS = 3

State = Transmittal.State
Source = Transmittal.Source
MACHINES = [Source.STOW, Source.STORE]
# What a request brings: a file of Django's, or one that lies in the quarantine already.
Sent = File | Arrived
# A file in one of these states is not asked for again.
KNOWN = [ReceivedFile.State.RELEASED, *clearing.WAITING]


def open_transmittal(
    scan: ScheduledScan,
    *,
    by: User,
    source: Source = Source.BROWSER,
    is_deidentified_at_source: bool = False,
) -> Transmittal:
    """The transmittal now being received for `scan`; a second call finds the same one.

    Who says that identities and dates were taken out at the source says it of all files of it.
    """
    permissions.require(by, "images.upload", scan)
    require_taking_part(scan)
    with audit.action("transmittal.opened", actor=by, reason="upload", **about_scan(scan)):
        locked = ScheduledScan.objects.select_related("patient__site")
        now = locked.select_for_update(of=("self",)).get(pk=scan.pk)
        transmittal, _ = Transmittal.objects.get_or_create(
            scheduled_scan=scan,
            state=State.RECEIVING,
            defaults={"site": scan.patient.site, "sent_by": by, "source": source},
        )
        # As it stands now: whoever sends for long may send for somebody who has left meanwhile.
        transmittal.scheduled_scan, transmittal.site = now, now.patient.site
        if transmittal.is_deidentified_at_source != is_deidentified_at_source:
            transmittal.is_deidentified_at_source = is_deidentified_at_source
            transmittal.save(update_fields=["is_deidentified_at_source"])
    return transmittal


def open_for_site(site: Site, *, source: Source, sender: str, by: User) -> Transmittal:
    """The transmittal now being received from a scanner or archive that names the site alone.

    A second call finds the same one. `sender` is who calls, in the words of its own protocol.
    """
    _require_sender(by, site, source)
    about_it = {"trial": site.trial_id}
    with audit.action("transmittal.opened", actor=by, reason=source, **about_it):
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        transmittal, _ = Transmittal.objects.get_or_create(
            site=site,
            scheduled_scan=None,
            state=State.RECEIVING,
            source=source,
            sender=sender,
            defaults={"sent_by": by},
        )
    return transmittal


def take_in(
    site: Site, *, source: Source, sender: str, files: Sequence[Sent], by: User
) -> Transmittal:
    """Keep what a machine sends to a site, in the transmittal that is open for it or a new one."""

    def opened() -> Transmittal:
        return open_for_site(site, source=source, sender=sender, by=by)

    return _kept_in(opened, files, by=by)


def take_in_for(
    scan: ScheduledScan, *, source: Source, files: Sequence[Sent], by: User
) -> Transmittal:
    """Keep what a machine sends to a scan, in the transmittal that is open for it or a new one."""

    def opened() -> Transmittal:
        return open_transmittal(scan, by=by, source=source)

    return _kept_in(opened, files, by=by)


def _kept_in(opened: Callable[[], Transmittal], files: Sequence[Sent], *, by: User) -> Transmittal:
    for _ in range(ATTEMPTS):
        transmittal = opened()
        try:
            receive(transmittal, files=files, by=by)
        except Refused as refusal:
            # What a person sends at the moment is for that person to complete.
            if refusal.code == "too-many-files" and transmittal.source in MACHINES:
                _complete(transmittal, by=by)
            elif refusal.code != "not-receiving":
                raise
        else:
            return transmittal
    raise Refused("not-receiving", "Transmittals are completed faster than files come: send again.")


def complete_quiet(*, now: datetime | None = None) -> int:
    """Complete what machines send once nothing has come for a while: they never say so."""
    before = (now or timezone.now()) - QUIET
    waiting = Transmittal.objects.filter(
        Exists(ReceivedFile.objects.filter(transmittal=OuterRef("pk"))),
        state=State.RECEIVING,
        source__in=MACHINES,
        moved_at__lt=before,
    )
    for transmittal in waiting:
        _complete(transmittal, by=transmittal.sent_by, quiet_since=before)
    return len(waiting)


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
    before = Q(pk__in=[])
    if transmittal.scheduled_scan_id:
        before = Q(transmittal__scheduled_scan=transmittal.scheduled_scan_id) & (
            Q(state__in=KNOWN)
            | Q(state=ReceivedFile.State.REJECTED) & Exists(released)
            | Q(state=ReceivedFile.State.UNPACKED) & Exists(taken_out)
        )
    found = ReceivedFile.objects.filter(own | before, sha256__in=sha256s)
    held = set(found.values_list("sha256", flat=True))
    return [digest for digest in dict.fromkeys(sha256s) if digest not in held]


def receive(transmittal: Transmittal, *, files: Iterable[Sent], by: User) -> list[ReceivedFile]:
    """Keep these files in quarantine. What is acknowledged here is on disk and in the ledger."""
    _require_sender(by, transmittal, transmittal.source)
    if transmittal.scheduled_scan:
        require_taking_part(transmittal.scheduled_scan)
    require_receiving(transmittal)
    with audit.action("files.received", actor=by, reason="upload", **about(transmittal)):
        kept = keep(transmittal, [_content(file) for file in files])
    reach("receive.rows-committed")
    if transmittal.scheduled_scan_id is not None:
        transaction.on_commit(partial(_have_looked_into, transmittal.pk), robust=True)
    return kept


def _have_looked_into(transmittal: int) -> None:
    """Tell a worker that there are files to look into, unless one is at it."""
    from imaging import tasks

    with prepared.alone() as is_nobody_at_it:
        pass
    if is_nobody_at_it:
        jobs.wake(tasks.look_ahead, transmittal)


def keep(
    transmittal: Transmittal,
    contents: Iterable[Content],
    *,
    archive: ReceivedFile | None = None,
) -> list[ReceivedFile]:
    """The one way into quarantine, for a file that was sent and for one out of an archive.

    In the caller's frame of audit. What is out of an archive comes after the transmittal was
    received and before it was inspected.
    """
    clearing.keep_off()
    stored = dict(storage.quarantine.write_all(contents))
    reach("receive.bytes-stored")
    locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
    if archive is None:
        require_receiving(locked)
        # What comes in keeps it awake: see `complete_quiet`.
        locked.moved_at = timezone.now()
        locked.save(update_fields=["moved_at"])
    elif locked.state != State.RECEIVED:
        raise jobs.StaleClaim
    return _enter(locked, stored, archive)


def require_space(coming: int) -> None:
    """Refuse what would fill the disk of the storage, before it does."""
    if _free() - coming < settings.KEEP_FREE_BYTES:
        raise Refused(
            "no-space",
            "The disk of the server is nearly full: nothing was kept. Tell whoever keeps the "
            "server; then send or order it again.",
        )


def _free() -> int:
    folder = storage.quarantine.folder
    with suppress(FileNotFoundError):
        return shutil.disk_usage(folder).free
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return shutil.disk_usage(folder).free


def complete(transmittal: Transmittal, *, by: User) -> Transmittal:
    """All files were sent: begin to inspect them. Said twice, it is done once."""
    _require_sender(by, transmittal, transmittal.source)
    return _complete(transmittal, by=by)


def _complete(
    transmittal: Transmittal, *, by: User, quiet_since: datetime | None = None
) -> Transmittal:
    with audit.action(
        "transmittal.received", actor=by, reason="all files sent", **about(transmittal)
    ):
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        if locked.state != State.RECEIVING or (quiet_since and locked.moved_at >= quiet_since):
            return locked
        if not locked.files.exists():
            raise Refused("no-files", "No file has arrived yet: send the image files first.")
        locked.completed_at = timezone.now()
        move(locked, State.RECEIVED)
        jobs.enqueue("imaging.inspect", actor=by, on=locked, transmittal=locked.pk)
    reach("receive.completed")
    return locked


def _content(file: Sent) -> Content:
    if file.size is not None and file.size > MAXIMUM_FILE_BYTES:
        raise Invalid(
            "files",
            f"A file has {file.size:,} bytes; {MAXIMUM_FILE_BYTES:,} are the most.",
        )
    return file if isinstance(file, Arrived) else file.chunks()


def _enter(
    transmittal: Transmittal, stored: dict[str, int], archive: ReceivedFile | None
) -> list[ReceivedFile]:
    held = list(transmittal.files.filter(sha256__in=stored))
    last = transmittal.files.aggregate(last=Max("position"))["last"] or 0
    known = {file.sha256 for file in held}
    new = [digest for digest in stored if digest not in known]
    if last + len(new) > MAXIMUM_FILES:
        raise Refused("too-many-files", f"A transmittal holds {MAXIMUM_FILES:,} files at most.")
    entered = [
        ReceivedFile(
            transmittal=transmittal,
            position=last + n,
            sha256=digest,
            size=stored[digest],
            archive=archive,
        )
        for n, digest in enumerate(new, start=1)
    ]
    add_files(entered)
    return held + entered


def require_taking_part(scan: ScheduledScan) -> None:
    patients.require_participation(scan.patient)
    sites.require_taking_part(scan.patient.site)


def _require_sender(by: User, row: ScopedModel, source: str) -> None:
    """A machine has no account: the node it is registered as or its token speaks for it."""
    if not (by.is_system and source in MACHINES):
        permissions.require(by, "images.upload", row)


def require_receiving(transmittal: Transmittal) -> None:
    if transmittal.state != State.RECEIVING:
        raise Refused(
            "not-receiving",
            f"This transmittal is {transmittal.get_state_display().lower()}: open a new one.",
        )
