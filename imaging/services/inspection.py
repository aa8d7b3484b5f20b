"""Inspection: look into what was received, and say what becomes of it.

One job with one transaction at its end; done twice it changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import lru_cache, partial
from itertools import chain

from imaging import process_memory
from imaging.deidentification import keyed_digest
from imaging.identity import KEPT
from imaging.models import ReceivedFile, Series, Transmittal
from imaging.services import (
    assignment,
    clearing,
    identity,
    incidents,
    ledger,
    preparing,
    unpacking,
)
from imaging.services.identity import OF_WHOM
from imaging.services.ledger import Progress, about, load, move, nothing_to_do
from imaging.services.parser import Inspection, Parser
from imaging.services.parsing import parsers
from imaging.storage import prepared
from trials import permissions
from trials.models import Patient, Trial, User
from trials.services import audit, jobs, queries
from trials.services.errors import Refused
from trials.services.fault_points import reach

State = Transmittal.State
FileState = ReceivedFile.State
# Where images may be of somebody else nobody lets them through, whatever the reason.
NEVER_RELEASED = {
    "several-patients",
    "patient-known-otherwise",
    "image-known-otherwise",
    "image-twice",
    "two-modalities",
    *Series.GONE,
}
NOT_RELEASABLE = "not-releasable"
INSPECTED_FIELDS = [
    "transmittal",
    "position",
    "state",
    "code",
    "message",
    "source_instance",
    "source_series",
    "source_study",
    "source_patient",
    "facts",
]
LET_THROUGH = [FileState.ACCEPTED, FileState.RELEASED]
REMOVED_BEFORE = "removed-before"
REMOVED = (
    "This image, or another one of its series, was removed as one of another person, so it is not "
    "taken again. If it is of this patient after all, export its series again under a new Series "
    "Instance UID and new SOP Instance UIDs; ask the data manager where you can't."
)


def inspect(claim: jobs.Claim) -> None:
    """Look into each file in the parsing process, then say what becomes of the transmittal."""
    transmittal = load(claim)
    if transmittal.state != State.RECEIVED:
        nothing_to_do(claim)
        return
    process_memory.give_back()
    unpacking.unpack(claim, transmittal)
    files = list(transmittal.files.filter(state=FileState.RECEIVED))
    # What many files have in common is digested once.
    digest = lru_cache(1000)(partial(keyed_digest, key=bytes(transmittal.site.trial.uid_key)))
    progress = Progress(claim, "Inspecting", len(files))
    making = preparing.making_for(transmittal) if transmittal.scheduled_scan else None
    prepared.open_for(transmittal.pk)

    def inspected(parser: Parser, file: ReceivedFile) -> Inspection:
        return preparing.inspected(parser, file, making)

    known = preparing.verdicts(transmittal, files, making)
    rest = [file for file in files if file.pk not in known]
    with closing(parsers().each(transmittal.pk, inspected, rest)) as inspections:
        for number, file in enumerate(files, start=1):
            _apply(file, known.get(file.pk) or next(inspections), digest)
            progress.say(number)
    with (
        jobs.fenced(claim),
        audit.action(
            "transmittal.inspected",
            actor=jobs.system_user(),
            reason="rules of acceptance",
            **about(transmittal),
        ),
    ):
        _one_at_a_time(transmittal)
        if Transmittal.objects.select_for_update().get(pk=transmittal.pk).state != State.RECEIVED:
            # Destroyed meanwhile on the patient's wish.
            prepared.forget(transmittal.pk)
            return
        if transmittal.scheduled_scan is None:
            assignment.wait(transmittal, files, actor=claim.actor)
        else:
            _note_duplicates(transmittal, files)
            _note_removed(transmittal, files)
            _judge(transmittal, files, actor=claim.actor)
        ledger.save_files(files, INSPECTED_FIELDS)
        reach("inspect.before-commit")
    reach("inspect.committed")


def decide(transmittal: Transmittal, *, release: bool, reason: str, by: User) -> Transmittal:
    """A person settles what the rules would not: let quarantined images through, or refuse them."""
    permissions.require(by, "images.decide", transmittal)
    audit.require_reason(reason)
    with audit.action("transmittal.decided", actor=by, reason=reason, **about(transmittal)):
        _one_at_a_time(transmittal)
        locked = Transmittal.objects.select_for_update().get(pk=transmittal.pk)
        if locked.state != State.QUARANTINED:
            raise Refused("not-quarantined", f"This transmittal is {locked.get_state_display()}.")
        if release and locked.scheduled_scan_id is None:
            raise Refused(assignment.WAITS, locked.message)
        waiting = locked.files.filter(state=FileState.QUARANTINED)
        if release:
            _require_releasable(locked, list(waiting), by=by)
            queries.settle_by_rule(
                locked.scheduled_scan, rule=OF_WHOM, text=f"Let through: {reason}"
            )
            waiting.update(state=FileState.ACCEPTED)
            move(locked, State.INSPECTED)
            jobs.enqueue("imaging.release", actor=by, on=locked, transmittal=locked.pk)
        else:
            message = f"Refused by a person: {reason}"
            waiting.update(state=FileState.REJECTED, code="refused-by-person", message=message)
            move(locked, State.REJECTED, code="refused-by-person", message=message)
            clearing.order(locked, actor=by)
    return locked


def may_be_released(transmittal: Transmittal) -> bool:
    """Whether a person may let quarantined images through at all."""
    return transmittal.code not in NEVER_RELEASED


def _require_releasable(transmittal: Transmittal, files: list[ReceivedFile], *, by: User) -> None:
    """Raise where the images may be of somebody else, by what is known now."""
    doubt = _whose(transmittal, files)
    if transmittal.code in identity.CODES and not doubt:
        identity.require_confirmed(transmittal, by=by)
    if doubt or not may_be_released(transmittal):
        raise Refused(
            NOT_RELEASABLE,
            f"{doubt[1] if doubt else transmittal.message} No reason lets these images through: "
            "refuse them; the site then sends the images of this patient alone.",
        )


def _one_at_a_time(transmittal: Transmittal) -> None:
    """Of a trial, so that the same image is not let through for two scans."""
    Trial.objects.select_for_update(no_key=True).get(pk=transmittal.site.trial_id)


def _apply(file: ReceivedFile, inspection: Inspection, digest: Callable[[str], str]) -> None:
    """Put the verdict on the ledger; identified UIDs only as keyed digests."""
    file.state = FileState(inspection.verdict)
    file.code, file.message = inspection.code, inspection.message
    facts = inspection.facts
    file.source_instance = digest(facts.get("sop_instance_uid", ""))
    file.source_series = digest(facts.get("series_instance_uid", ""))
    file.source_study = digest(facts.get("study_instance_uid", ""))
    file.source_patient = digest(facts.get("patient_id", ""))
    file.facts = {name: facts.get(name, "") for name in KEPT} if facts else {}


def _note_duplicates(transmittal: Transmittal, files: list[ReceivedFile]) -> None:
    """An image that is in the archive already, byte for byte, is stored once and noted."""
    known = dict(
        ReceivedFile.objects.filter(
            state=FileState.RELEASED,
            transmittal__scheduled_scan=transmittal.scheduled_scan_id,
            source_instance__in=[file.source_instance for file in files if file.source_instance],
        ).values_list("source_instance", "sha256")
    )
    for file in files:
        if file.source_instance and known.get(file.source_instance) == file.sha256:
            file.state, file.code = FileState.REJECTED, "already-released"
            file.message = "The archive holds this image of this scan already; nothing changed."


def _note_removed(transmittal: Transmittal, files: list[ReceivedFile]) -> None:
    """What was removed from this patient's record as another person's does not come back into it.

    The whole series: it was removed as a whole, as nobody could tell whose each image was. In
    the record of whoever it is of it has its place.
    """
    removed = ReceivedFile.objects.filter(
        code=Series.OF_ANOTHER,
        transmittal__scheduled_scan__patient=transmittal.scheduled_scan.patient_id,
    ).exclude(source_series="")
    known = set(chain(*removed.values_list("source_series", "source_instance")))
    for file in files:
        is_known = bool(known & {file.source_series, file.source_instance})
        if is_known and file.state != FileState.REJECTED:
            file.state, file.code, file.message = FileState.REJECTED, REMOVED_BEFORE, REMOVED


def _judge(transmittal: Transmittal, files: list[ReceivedFile], *, actor: User) -> None:
    """What becomes of the transmittal as a whole."""
    accepted = [file for file in files if file.state == FileState.ACCEPTED]
    held = [file for file in files if file.state == FileState.QUARANTINED]
    doubt = _doubt(transmittal, accepted + held)
    if doubt and doubt[0] in NEVER_RELEASED | identity.CODES:
        queries.raise_by_rule(transmittal.scheduled_scan, rule=OF_WHOM, text=doubt[1])
    if doubt:
        incidents.found_by_rule(transmittal, code=doubt[0], text=doubt[1])
    if doubt or held:
        # Of several the same one is told, whatever was sent first.
        code, message = doubt or min((file.code, file.message) for file in held)
        for file in accepted:
            file.state, file.code, file.message = FileState.QUARANTINED, code, message
        move(transmittal, State.QUARANTINED, code=code, message=message)
    elif accepted:
        queries.settle_by_rule(
            transmittal.scheduled_scan,
            rule=OF_WHOM,
            text="Images came that are of one patient, known for no other, as the record has it.",
        )
        move(transmittal, State.INSPECTED)
        jobs.enqueue("imaging.release", actor=actor, on=transmittal, transmittal=transmittal.pk)
    else:
        refused_before = transmittal.files.filter(state=FileState.REJECTED)
        ledger.reject(transmittal, [*files, *refused_before], actor=actor)


def _doubt(transmittal: Transmittal, files: list[ReceivedFile]) -> tuple[str, str] | None:
    """Why a person has to look before these images may pass, or None.

    What nobody may let through comes first: a lesser doubt would hide it.
    """
    if not files:
        return None
    checks = identity.checked(transmittal, files)
    if doubt := _whose(transmittal, files) or identity.doubt(checks):
        return doubt
    if len({file.source_study for file in files}) > 1:
        return "several-studies", (
            "The files belong to more than one DICOM study. Send the studies one by one, "
            "or have a data manager confirm that they are one scan."
        )
    return None


def _whose(transmittal: Transmittal, files: list[ReceivedFile]) -> tuple[str, str] | None:
    """Why these images may be of somebody else, by what the ledger knows; or None."""
    if len({file.source_patient for file in files}) > 1:
        return "several-patients", (
            "The files carry more than one patient ID. Check that each image belongs to "
            "this patient, and send them again without the others."
        )
    if _known_for_another(transmittal, {file.source_patient for file in files}):
        return "patient-known-otherwise", (
            "The patient ID in the images is that of images of another patient of this trial. "
            "Check whose images these are, and send those of this patient."
        )
    doubled = Counter(file.source_instance for file in files)
    if any(count > 1 for count in doubled.values()) or _belongs_elsewhere(transmittal, doubled):
        return "image-known-otherwise", (
            "An image with the same SOP Instance UID is known with other content or for "
            "another scan. Nothing was replaced; check which patient the images are of."
        )
    return None


def _known_for_another(transmittal: Transmittal, patients_named: set[str]) -> bool:
    """Whether images of somebody else were let through under one of these patient IDs.

    Who is screened again is the same person under another number.
    """
    patient = transmittal.scheduled_scan.patient
    return (
        ReceivedFile.objects.filter(
            source_patient__in=patients_named - {""},
            state__in=LET_THROUGH,
            transmittal__site__trial=patient.trial_id,
        )
        .exclude(transmittal__scheduled_scan__patient__in=_attempts(patient))
        .exists()
    )


def _attempts(patient: Patient) -> set[int]:
    """The patient under every number the person was screened by."""
    found, earlier, later = {patient.pk}, patient.rescreening_of, patient
    while earlier:
        found.add(earlier.pk)
        earlier = earlier.rescreening_of
    while later := Patient.objects.filter(rescreening_of=later).first():
        found.add(later.pk)
    return found


def _belongs_elsewhere(transmittal: Transmittal, instances: Iterable[str]) -> bool:
    return (
        ReceivedFile.objects.filter(
            source_instance__in=list(instances),
            state__in=LET_THROUGH,
            transmittal__scheduled_scan__patient__trial=transmittal.scheduled_scan.patient.trial_id,
        )
        .exclude(transmittal=transmittal)
        .exists()
    )
