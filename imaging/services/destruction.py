"""Destruction: on a patient's wish, or where they are another's, images go and the record says so.

Files are stored by what they hold, so that one file may stand for two patients; what another
patient's record needs stays. Rows, digests and numbers stay too: they are the trail, and
exports leave them out. Backups are the site's to prune.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from imaging import storage
from imaging.models import (
    Destruction,
    Instance,
    Picture,
    Quantification,
    ReceivedFile,
    Series,
    Transmittal,
)
from imaging.services import ledger
from imaging.services.clearing import keep_others_off
from trials.models import Job, Patient, Withdrawal
from trials.services import audit, jobs

KIND = "imaging.destroy"
OF_ANOTHER = (
    "The images were of another person: they were removed, and nothing is measured of them."
)
MESSAGE = "The images were destroyed on the patient's wish; nothing more is measured of them."


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
    return [jobs.enqueue(KIND, actor=actor, patient=patient.pk) for patient in due]


def destroy(claim: jobs.Claim) -> None:
    """Remove every file of a patient that no other patient's record needs."""
    patient = Patient.objects.get(pk=claim.arguments["patient"])
    with (
        jobs.fenced(claim),
        audit.action(
            "images.destroyed",
            actor=claim.actor,
            reason="withdrawal: images are destroyed",
            trial=patient.trial_id,
            patient=patient.pk,
        ),
    ):
        keep_others_off()
        if Destruction.objects.filter(patient=patient).exists():
            return
        count = sum(_removed(store, digests) for store, digests in _files_of(patient))
        Series.objects.filter(imaging_study__scheduled_scan__patient=patient).update(
            state=Series.State.REFUSED, code=Series.DESTROYED, message=MESSAGE
        )
        Destruction.objects.create(patient=patient, files=count)


def expunge(claim: jobs.Claim) -> None:
    """Remove every series that images of another person came into with a transmittal.

    Whole series: nobody can tell which of its images are whose. Rows and digests stay.
    """
    transmittal = ledger.load(claim)
    with (
        jobs.fenced(claim),
        audit.action(
            "images.expunged",
            actor=claim.actor,
            reason="images of another person",
            **ledger.about(transmittal),
        ),
    ):
        keep_others_off()
        series = Series.objects.filter(instances__received_file__transmittal=transmittal)
        keys = set(series.values_list("pk", flat=True))
        # A measurement that is about to end waits, and finds them gone.
        list(Series.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
        archived = _own(Instance.objects, "series__in", keys)
        pictures = _own(Picture.objects, "quantification__series__in", keys)
        _removed(storage.archive, archived | pictures)
        Quantification.objects.filter(series__in=keys).update(is_current=False)
        Series.objects.filter(pk__in=keys).update(
            state=Series.State.REFUSED, code=Series.OF_ANOTHER, message=OF_ANOTHER
        )
        ReceivedFile.objects.filter(instance__series__in=keys).update(
            state=ReceivedFile.State.REJECTED, code=Series.OF_ANOTHER, message=OF_ANOTHER
        )
        ledger.move(
            transmittal, Transmittal.State.REJECTED, code=Series.OF_ANOTHER, message=OF_ANOTHER
        )


def _files_of(patient: Patient) -> Iterator[tuple[storage.Store, set[str]]]:
    """The digests that this patient's record alone names, by store."""
    archived = _own(Instance.objects, "series__imaging_study__scheduled_scan__patient", patient)
    pictures = _own(
        Picture.objects,
        "quantification__series__imaging_study__scheduled_scan__patient",
        patient,
    )
    received = _own(ReceivedFile.objects, "transmittal__scheduled_scan__patient", patient)
    yield storage.archive, archived | pictures
    yield storage.quarantine, received


def _own(rows: QuerySet, path: str, owner: Patient | set[int]) -> set[str]:
    """Digests of rows of an owner that no other row names."""
    own = set(rows.filter(**{path: owner}).values_list("sha256", flat=True))
    others = rows.filter(sha256__in=own).exclude(**{path: owner})
    return own - set(others.values_list("sha256", flat=True))


def _removed(store: storage.Store, digests: set[str]) -> int:
    there = [digest for digest in digests if store.has(digest)]
    for digest in there:
        store.remove(digest)
    return len(there)
