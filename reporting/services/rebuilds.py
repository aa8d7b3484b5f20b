"""Rebuilds of frozen exports: ordered by who may export, done by a worker, their result kept."""

from __future__ import annotations

import tempfile
from dataclasses import asdict

from django.utils import timezone

from reporting import selectors
from reporting.csvtext import CellError
from reporting.models import Export, ExportRebuild
from reporting.profiles import UntaggedError
from reporting.progress import Told
from reporting.sdtm.model import MappingError
from reporting.services import freezing, opening, points, rebuilding, snapshots, watching
from reporting.services.rebuilding import Compared
from trials import permissions
from trials.models import User
from trials.services import audit, jobs
from trials.services.errors import Refused
from trials.version import VERSION

State = ExportRebuild.State


def request(export: Export, *, by: User) -> ExportRebuild:
    """Have a worker make a frozen export once more; one at a time of each export."""
    permissions.require(by, "export.create", export)
    opening.require_frozen(export, by=by)
    with _acting("export.rebuild_requested", export, by):
        Export.objects.select_for_update().get(pk=export.pk)
        if selectors.rebuilds(export).filter(standing=State.REQUESTED).exists():
            raise Refused("rebuild-under-way", "This export is being rebuilt: wait for the result.")
        row = ExportRebuild.objects.create(export=export, requested_by=by)
        row.job = jobs.enqueue("reporting.rebuild", actor=by, on=export.trial, rebuild=row.pk).pk
        row.save(update_fields=["job"])
    return row


def rebuild(claim: jobs.Claim) -> None:
    """Do what was ordered, and keep what came of it; done twice, it is kept once."""
    row = _row(claim.arguments["rebuild"])
    if row.state != State.REQUESTED:
        with jobs.fenced(claim):
            return
    with watching.watched(claim, lambda: True) as watch:
        _make(row, watch.tell)
    with jobs.fenced(claim), _acting("export.rebuilt", row.export, jobs.system_user()):
        row.save()


def at_once(export: Export, *, by: User) -> ExportRebuild:
    """Rebuild without a worker, for whoever waits at a command; the result is kept as well.

    Raises
    ------
    Refused
        When the export is not there, or the trail can't tell what it read; nothing is kept then.
    """
    row = ExportRebuild(export=export, requested_by=by, requested_at=timezone.now())
    _done(row, rebuilt(export, by=by))
    with _acting("export.rebuilt", export, by):
        row.save()
    return row


def rebuilt(export: Export, *, by: User, tell: Told = lambda _: None) -> list[Compared]:
    """Each file of a frozen export beside the same file made once more from the audit trail.

    `tell` hears how far it is.

    Raises
    ------
    Refused
        When the export is not there, or the trail can't tell what it read.
    """
    permissions.require(by, "export.create", export)
    was = opening.stored(export, by=by)
    if export.as_of is None:
        raise Refused("not-frozen", "This export names no instant.")
    instant = snapshots.Instant(export.as_of, export.audit_event, export.manifest["snapshot"])
    with tempfile.TemporaryFile() as file:
        # Of an earlier point it is not there yet itself.
        then = _ordered(export.pk) if export.point else None
        with points.read_back(export, instant):
            then = then or _ordered(export.pk)
            # Asked is whether the trail gives the same data, whichever code asks: by which it was
            # made the manifest goes on to say.
            freezing.write(file, then, instant, freezing.made_by() | export.manifest, tell)
        return rebuilding.compared(was, file)


def _ordered(pk: int) -> Export:
    return Export.objects.select_related("trial", "requested_by", "decided_by").get(pk=pk)


def _row(pk: int) -> ExportRebuild:
    rows = ExportRebuild.objects.select_related("export__trial", "requested_by")
    return rows.get(pk=pk)


def _make(row: ExportRebuild, tell: Told) -> None:
    try:
        _done(row, rebuilt(row.export, by=row.requested_by, tell=tell))
    except Refused as error:
        _failed(row, error.message)
    except (CellError, MappingError, UntaggedError) as error:
        _failed(row, f"A file can't be made once more: {error}.")


def _done(row: ExportRebuild, found: list) -> None:
    row.state, row.finished_at, row.software_version = State.DONE, timezone.now(), VERSION
    row.files = [asdict(one) for one in found]


def _failed(row: ExportRebuild, message: str) -> None:
    row.state, row.finished_at, row.software_version = State.FAILED, timezone.now(), VERSION
    row.message = message


def _acting(name: str, export: Export, by: User):
    return audit.action(name, actor=by, reason=export.reason, trial=export.trial_id)
