"""Destruction: on a patient's wish, or where they are another's, images go and the record says so.

Files are stored by what they hold, so that one file may stand for two patients; what another
patient's record needs stays. Rows, digests and numbers stay too: they are the trail, and
exports leave them out. Backups are the site's to prune.

The record says first that the images may not be read, then they go, and only then it says that
they are gone: at a kill in between nobody reads what is half there, and the job goes on.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from imaging import storage
from imaging.models import (
    ConformanceFinding,
    Destruction,
    DicomObject,
    Instance,
    Picture,
    Quantification,
    ReceivedFile,
    Series,
    Transmittal,
)
from imaging.services import drawings, ledger, open_ct, open_volumes, read_results, reconciliation
from imaging.services.clearing import WAITING, await_writers, keep_others_off
from imaging.storage import prepared
from trials.models import Injection, Job, Patient, ScheduledScan, Withdrawal
from trials.services import audit, jobs
from trials.services.fault_points import reach

KIND = "imaging.destroy"
BEFORE_RELEASE = {
    Transmittal.State.RECEIVING,
    Transmittal.State.RECEIVED,
    Transmittal.State.INSPECTED,
    Transmittal.State.QUARANTINED,
}
OF_ANOTHER = (
    "The images were of another person: they were removed, and nothing is measured of them."
)
MESSAGE = "The images were destroyed on the patient's wish; nothing more is measured of them."


class CameMeanwhileError(Exception):
    """More came while files went: the job is to be done again."""


def order_due() -> list[Job]:
    """Order the destruction of what a withdrawal asks for and nobody ordered yet."""
    waiting = Job.objects.filter(kind=KIND).exclude(state=Job.State.DONE)
    ordered = set(waiting.values_list("arguments__patient", flat=True))
    due = (
        Patient.objects.filter(
            withdrawals__extent=Withdrawal.Extent.DESTROY, destruction__isnull=True
        )
        .exclude(pk__in=ordered)
        .distinct()
    )
    actor = jobs.system_user()
    return [jobs.enqueue(KIND, actor=actor, on=patient, patient=patient.pk) for patient in due]


def destroy(claim: jobs.Claim) -> None:
    """Remove every file of a patient that no other patient's record needs."""
    patient = Patient.objects.get(pk=claim.arguments["patient"])
    about = {"trial": patient.trial_id, "patient": patient.pk}
    series = Series.objects.filter(imaging_study__scheduled_scan__patient=patient)
    with audit.action(
        "images.withheld", actor=claim.actor, reason="withdrawal: images go", **about
    ):
        # What was of another person was removed before, and stays said so.
        keys = _withhold(series.exclude(code=Series.OF_ANOTHER), Series.DESTROYED, MESSAGE)
    archived = _archived(keys)
    _remove_from_archive(archived)
    with (
        jobs.fenced(claim),
        audit.action(
            "images.destroyed",
            actor=claim.actor,
            reason="withdrawal: images are destroyed",
            **about,
        ),
    ):
        keep_others_off()
        if Destruction.objects.filter(patient=patient).exists():
            return
        if series.exclude(code__in=Series.GONE).exists() or _archived(keys) != archived:
            raise CameMeanwhileError("images were released meanwhile")
        received = _own(ReceivedFile.objects, "transmittal__scheduled_scan__patient", patient)
        _reject_what_waits(patient)
        count = len(archived) + _cleared(received)
        Destruction.objects.create(patient=patient, files=count)


def _reject_what_waits(patient: Patient) -> None:
    """Nobody lets through what is gone; what was made ready of it goes with it."""
    rows = Transmittal.objects.select_for_update(of=("self",))
    for row in rows.filter(scheduled_scan__patient=patient).order_by("pk"):
        prepared.forget(row.pk)
        row.files.filter(state__in=WAITING).update(
            state=ReceivedFile.State.REJECTED, code=Series.DESTROYED, message=MESSAGE
        )
        if row.state in BEFORE_RELEASE:
            ledger.move(row, Transmittal.State.REJECTED, code=Series.DESTROYED, message=MESSAGE)


def expunge(claim: jobs.Claim) -> None:
    """Remove every series that images of another person came into with a transmittal.

    Whole series: nobody can tell which of its images are whose. Rows and digests stay.
    """
    transmittal = ledger.load(claim)
    about = ledger.about(transmittal)
    series = Series.objects.filter(instances__received_file__transmittal=transmittal)
    with audit.action(
        "images.withheld", actor=claim.actor, reason="images of another person", **about
    ):
        keys = _withhold(series, Series.OF_ANOTHER, OF_ANOTHER)
        Quantification.objects.filter(series__in=keys).update(is_current=False)
        read_results.end(keys)
    _remove_from_archive(_archived(keys))
    with (
        jobs.fenced(claim),
        audit.action(
            "images.expunged", actor=claim.actor, reason="images of another person", **about
        ),
    ):
        ReceivedFile.objects.filter(instance__series__in=keys).update(
            state=ReceivedFile.State.REJECTED, code=Series.OF_ANOTHER, message=OF_ANOTHER
        )
        ledger.move(
            transmittal, Transmittal.State.REJECTED, code=Series.OF_ANOTHER, message=OF_ANOTHER
        )
        ConformanceFinding.objects.filter(series__in=keys, is_current=True).update(is_current=False)
        if transmittal.scheduled_scan:
            _set_back(transmittal.scheduled_scan)
            reconciliation.reconcile(transmittal.scheduled_scan)
            # Regions that were drawn on them lie on nothing now.
            gone = list(Series.objects.filter(pk__in=keys))
            drawings.place(transmittal.scheduled_scan, changed=gone, by=claim.actor)


def _set_back(scan: ScheduledScan) -> None:
    """The scan stands where it stood before the images that are gone."""
    left = Series.objects.filter(imaging_study__scheduled_scan=scan).exclude(code__in=Series.GONE)
    locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
    imaged = {ScheduledScan.State.IMAGES_RECEIVED, ScheduledScan.State.QUANTIFIED}
    if locked.state not in imaged or left.filter(state=Series.State.QUANTIFIED).exists():
        return
    if left.exists():
        locked.state = ScheduledScan.State.IMAGES_RECEIVED
    elif Injection.objects.filter(scheduled_scan=scan).exists():
        locked.state = ScheduledScan.State.INJECTED
    else:
        locked.state = ScheduledScan.State.SCHEDULED
    locked.save(update_fields=["state"])


def _withhold(series: QuerySet[Series], code: str, message: str) -> set[int]:
    """Let nobody read these any more, from the commit on; their keys. Inside an action."""
    # Who began to write before has written then; who begins later finds them gone.
    await_writers()
    keys = set(series.values_list("pk", flat=True))
    # A measurement that is about to end waits, and finds them gone.
    list(Series.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
    Series.objects.filter(pk__in=keys).update(
        state=Series.State.REFUSED, code=code, message=message, counts=False, counting=""
    )
    transaction.on_commit(lambda: open_volumes.forget(keys))
    transaction.on_commit(lambda: open_ct.forget(keys))
    return keys


def _archived(series: set[int]) -> set[str]:
    """Digests of images, and of what was made of them, that only these series name."""
    images = _own(Instance.objects, "series__in", series)
    pictures = _own(Picture.objects, "quantification__series__in", series)
    return images | pictures | _own(DicomObject.objects, "quantification__series__in", series)


def _remove_from_archive(digests: set[str]) -> None:
    """Outside of any transaction: a bucket takes its time for thousands.

    Nobody reads them any more. Killed in between, the job is done again, and what is gone
    already is no fault.
    """
    for digest in sorted(digests):
        storage.archive.remove(digest)
        reach("destroy.file-removed")
    reach("destroy.archive-emptied")


def _own(rows: QuerySet, path: str, owner: Patient | set[int]) -> set[str]:
    """Digests of rows of an owner that no other row names."""
    own = set(rows.filter(**{path: owner}).values_list("sha256", flat=True))
    others = rows.filter(sha256__in=own).exclude(**{path: owner})
    return own - set(others.values_list("sha256", flat=True))


def _cleared(digests: set[str]) -> int:
    """Remove these originals; how many there were."""
    there = [digest for digest in digests if storage.quarantine.has(digest)]
    for digest in there:
        storage.quarantine.remove(digest)
    return len(there)
