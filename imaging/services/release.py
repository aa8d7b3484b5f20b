"""Release: de-identify what was accepted and write the archive."""

from __future__ import annotations

from dataclasses import dataclass

from imaging import storage
from imaging.deidentification import DeidentificationPolicy
from imaging.models import ImagingStudy, Instance, ReceivedFile, Series, Transmittal
from imaging.services import clearing, ledger
from imaging.services.parser import Parser, ParserError
from trials.models import ScheduledScan
from trials.services import audit, jobs

FileState = ReceivedFile.State
State = Transmittal.State
TWICE = (
    "Two files with other content say that they are the same image, so nothing was released. "
    "Refuse this transmittal, and have the site send the images that count."
)


@dataclass(frozen=True)
class Released:
    """A de-identified file in the archive, before the record knows it."""

    file: ReceivedFile
    sha256: str
    size: int
    header: dict
    report: dict


def release(claim: jobs.Claim) -> None:
    """De-identify each accepted file into the archive; any failure releases nothing."""
    transmittal = ledger.load(claim)
    if transmittal.state != State.INSPECTED:
        ledger.nothing_to_do(claim)
        return
    policy = policy_for(transmittal.scheduled_scan)
    files = list(transmittal.files.filter(state=FileState.ACCEPTED))
    try:
        released = _deidentify(claim, files, policy)
    except ParserError as error:
        _hold(
            claim,
            transmittal,
            code="deidentification-failed",
            message=f"De-identification stopped, nothing was released: {error}",
        )
        return
    if _has_doubles(transmittal, released):
        _hold(claim, transmittal, code="image-twice", message=TWICE)
        return
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.released",
            actor=jobs.system_user(),
            reason="de-identified",
            **ledger.about(transmittal),
        ),
    ):
        _record(transmittal, released)
        transmittal.files.filter(pk__in=[file.pk for file in files]).update(
            state=FileState.RELEASED
        )
        ledger.move(transmittal, State.RELEASED)
        clearing.order(transmittal, actor=claim.actor)
        jobs.enqueue("imaging.assemble", actor=claim.actor, transmittal=transmittal.pk)


def policy_for(scan: ScheduledScan) -> DeidentificationPolicy:
    """How this patient's images lose their identity: one key a trial, one offset a patient."""
    patient = scan.patient
    return DeidentificationPolicy(
        uid_key=bytes(patient.trial.uid_key),
        date_shift_days=patient.date_shift_days,
        trial=patient.trial.identifier,
        site=patient.site.code,
        subject=patient.identifier,
    )


def _deidentify(
    claim: jobs.Claim, files: list[ReceivedFile], policy: DeidentificationPolicy
) -> list[Released]:
    released = []
    with Parser() as parser:
        for number, file in enumerate(files, start=1):
            result = parser.deidentify(storage.quarantine.read(file.sha256), policy)
            digest, size = storage.archive.write([result.dicom])
            released.append(Released(file, digest, size, result.header, result.report))
            ledger.say(claim, "De-identifying", number, len(files))
    return released


def _has_doubles(transmittal: Transmittal, released: list[Released]) -> bool:
    """Whether two files, sent now or before, say that they are the same image."""
    uids = [item.header["sop_instance_uid"] for item in released]
    before = Instance.objects.filter(
        series__imaging_study__scheduled_scan=transmittal.scheduled_scan_id,
        sop_instance_uid__in=uids,
    )
    return len(set(uids)) < len(uids) or before.exists()


def _hold(claim: jobs.Claim, transmittal: Transmittal, *, code: str, message: str) -> None:
    """What can't be released stays as a whole: a person looks."""
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.held",
            actor=jobs.system_user(),
            reason=code,
            **ledger.about(transmittal),
        ),
    ):
        transmittal.files.filter(state=FileState.ACCEPTED).update(
            state=FileState.QUARANTINED, code=code, message=message
        )
        ledger.move(transmittal, State.QUARANTINED, code=code, message=message)


def _record(transmittal: Transmittal, released: list[Released]) -> None:
    series: dict[str, Series] = {}
    for item in released:
        uid = item.header["series_instance_uid"]
        if uid not in series:
            series[uid] = _series(transmittal, item.header)
    Instance.objects.bulk_create(
        [
            Instance(
                series=series[item.header["series_instance_uid"]],
                received_file=item.file,
                sop_instance_uid=item.header["sop_instance_uid"],
                sha256=item.sha256,
                size=item.size,
                header=item.header,
                deidentification=item.report,
            )
            for item in released
        ],
        batch_size=500,
    )


def _series(transmittal: Transmittal, header: dict) -> Series:
    study, _ = ImagingStudy.objects.get_or_create(
        scheduled_scan=transmittal.scheduled_scan,
        study_instance_uid=header["study_instance_uid"],
    )
    series, is_new = Series.objects.select_for_update().get_or_create(
        imaging_study=study,
        series_instance_uid=header["series_instance_uid"],
        defaults={"transmittal": transmittal, "modality": header["modality"]},
    )
    if not is_new:
        # Images that come later make it another series: it is assembled and measured again.
        series.state, series.code, series.message = Series.State.RELEASED, "", ""
        series.save(update_fields=["state", "code", "message"])
    return series
