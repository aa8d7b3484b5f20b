"""Whose images are these: what a machine sent to a site is given to a scheduled scan by a person.

One study is one transmittal from here on, however many came in one go. The mistake to fear is
images given to another patient: whoever assigns is somebody of the site, and all that is known
of the patient is held against the images again afterwards.
"""

from __future__ import annotations

from django.utils import timezone

from imaging.models import ReceivedFile, Transmittal
from imaging.services.identity import OF_WHOM
from imaging.services.ledger import about, about_scan, move, reject
from trials import permissions
from trials.models import ScheduledScan, User
from trials.services import audit, jobs, patients, queries
from trials.services.errors import Invalid, Refused

State = Transmittal.State
FileState = ReceivedFile.State
WAITS = "not-assigned"
WHICH_SCAN = "Sent to the site without a patient: say which scheduled scan these images are of."


def wait(transmittal: Transmittal, files: list[ReceivedFile], *, actor: User) -> None:
    """After the inspection: one transmittal for each study, each waiting for its scan.

    `files` are changed, not saved. Inside the action of the inspection.
    """
    passed = [file for file in files if file.state != FileState.REJECTED]
    if not passed:
        reject(transmittal, files, actor=actor)
        return
    studies = dict.fromkeys(file.source_study for file in passed)
    for number, study in enumerate(studies):
        of_it = [file for file in passed if file.source_study == study]
        # What was refused stays with the first: it is of no study that could be told.
        row = _another(transmittal, of_it) if number else transmittal
        for file in of_it:
            if file.state == FileState.ACCEPTED:
                file.state, file.code, file.message = FileState.QUARANTINED, WAITS, WHICH_SCAN
        move(row, State.QUARANTINED, code=WAITS, message=WHICH_SCAN)


def assign(
    transmittal: Transmittal, *, scan: ScheduledScan, by: User, reason: str = ""
) -> Transmittal:
    """Say which scan the images are of; they are inspected again, now against the patient.

    Images that were given to a scan before are given to another with a reason.
    """
    permissions.require(by, "images.upload", transmittal)
    permissions.require(by, "images.upload", scan)
    if scan.patient.site_id != transmittal.site_id:
        raise Invalid("scan", f"{scan} is of another site than these images were sent to.")
    patients.require_participation(scan.patient)
    with audit.action(
        "transmittal.assigned", actor=by, reason=reason or "scan named", **about_scan(scan)
    ):
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        if locked.state != State.QUARANTINED:
            raise Refused(
                "not-quarantined",
                f"This transmittal is {locked.get_state_display().lower()}: only images that wait "
                "for a person are given to a scan.",
            )
        if locked.scheduled_scan_id == scan.pk:
            raise Refused("assigned-already", f"These images are given to {scan} already.")
        if locked.scheduled_scan_id:
            audit.require_reason(reason)
            # What was asked of the other scan is answered by this.
            queries.settle_by_rule(
                locked.scheduled_scan, rule=OF_WHOM, text=f"The images were given to {scan}."
            )
        locked.scheduled_scan = scan
        locked.save(update_fields=["scheduled_scan"])
        again(locked, by=by)
    return locked


def retry(transmittal: Transmittal, *, by: User) -> Transmittal:
    """Inspect once more what waits for a person, after the record or the rules were corrected."""
    permissions.require(by, "images.retry", transmittal)
    with audit.action(
        "transmittal.retried", actor=by, reason="inspected again", **about(transmittal)
    ):
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        if locked.state != State.QUARANTINED:
            raise Refused(
                "not-quarantined", f"This transmittal is {locked.get_state_display().lower()}."
            )
        again(locked, by=by)
    return locked


def again(transmittal: Transmittal, *, by: User) -> None:
    """Back to the inspection, inside an action that holds the transmittal."""
    transmittal.files.filter(state__in=[FileState.QUARANTINED, FileState.ACCEPTED]).update(
        state=FileState.RECEIVED, code="", message=""
    )
    move(transmittal, State.RECEIVED)
    jobs.enqueue("imaging.inspect", actor=by, on=transmittal, transmittal=transmittal.pk)


def _another(transmittal: Transmittal, files: list[ReceivedFile]) -> Transmittal:
    """A transmittal of its own for the files of one more study."""
    row = Transmittal.objects.create(
        site=transmittal.site,
        source=transmittal.source,
        sender=transmittal.sender,
        is_deidentified_at_source=transmittal.is_deidentified_at_source,
        state=State.RECEIVED,
        sent_by=transmittal.sent_by,
        opened_at=transmittal.opened_at,
        completed_at=transmittal.completed_at or timezone.now(),
    )
    for position, file in enumerate(files, start=1):
        file.transmittal, file.position = row, position
    return row
