"""What inspection makes ready for release, so that a file is parsed once.

Inspection has to try whether a file can be de-identified. Where the scan is known it does so
under the patient's own policy, and keeps what came of it for release, which makes the proofs of
it and archives it. Release takes it only as made under the same policy, by the same table and
the same software; anything else it makes anew, from the original.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from zoneinfo import ZoneInfo

from imaging import deidentification_table, storage
from imaging.deidentification import DeidentificationPolicy, keyed_digest
from imaging.models import ReceivedFile, Transmittal
from imaging.pixels import Place
from imaging.proofs import Evidence
from imaging.services import receiving
from imaging.services.parser import DeidentifiedFile, Inspection, Parser
from imaging.storage import prepared
from trials.models import Enrolment, Patient
from trials.services.errors import Refused
from trials.version import VERSION


def policy_for(transmittal: Transmittal) -> DeidentificationPolicy:
    """How this patient's images lose their identity: one key a trial, one offset a patient."""
    scan = transmittal.scheduled_scan
    patient = scan.patient
    return DeidentificationPolicy(
        uid_key=bytes(patient.trial.uid_key),
        date_shift_days=patient.date_shift_days,
        trial=patient.trial.identifier,
        site=patient.site.code,
        subject=patient.identifier,
        sponsor=patient.trial.sponsor,
        time_point=scan.planned_scan.identifier,
        # Dates of what was de-identified at its source may be anybody's: no days are counted.
        enrolled_on="" if transmittal.is_deidentified_at_source else _enrolled_on(patient),
    )


def _enrolled_on(patient: Patient) -> str:
    """The day of the enrolment at the site, as DICOM writes it; empty where there is none."""
    enrolment = Enrolment.objects.filter(patient=patient).first()
    if enrolment is None:
        return ""
    return enrolment.enrolled_at.astimezone(ZoneInfo(patient.site.time_zone)).strftime("%Y%m%d")


def inspected(
    parser: Parser, file: ReceivedFile, policy: DeidentificationPolicy | None
) -> Inspection:
    """The verdict on a file; what was made of it under `policy`, if accepted, is kept."""
    data = storage.quarantine.read(file.sha256)
    if policy is None:
        return parser.inspect(data)
    inspection, made = parser.examine(data, policy)
    if made is not None:
        # Without room it is made again at release.
        with suppress(Refused):
            receiving.require_space(len(made.dicom))
            prepared.keep(file.transmittal_id, file.sha256, _packed(made, policy))
    return inspection


def deidentified(
    parser: Parser, file: ReceivedFile, policy: DeidentificationPolicy
) -> DeidentifiedFile:
    """What was kept, else what is made now; ParserError, and nothing, if anything fails."""
    content = prepared.kept(file.transmittal_id, file.sha256)
    made = _unpacked(content, policy) if content else None
    return made or parser.deidentify(storage.quarantine.read(file.sha256), policy)


def _made_by(policy: DeidentificationPolicy) -> str:
    """Which policy, table and software; the policy itself is secret."""
    told = vars(policy) | {"uid_key": "", "table": deidentification_table.digest()}
    text = json.dumps(told | {"software": VERSION}, sort_keys=True)
    return keyed_digest(text, key=policy.uid_key)


def _packed(made: DeidentifiedFile, policy: DeidentificationPolicy) -> bytes:
    told = {
        "made_by": _made_by(policy),
        "header": made.header,
        "report": made.report,
        "evidence": made.evidence.to_json(),
        "pixels": made.pixels and asdict(made.pixels),
    }
    return json.dumps(told).encode() + b"\n" + made.dicom


def _unpacked(content: bytes, policy: DeidentificationPolicy) -> DeidentifiedFile | None:
    end = content.index(b"\n")
    told = json.loads(content[:end])
    if told["made_by"] != _made_by(policy):
        return None
    return DeidentifiedFile(
        content[end + 1 :],
        told["header"],
        told["report"],
        Evidence.from_json(told["evidence"]),
        told["pixels"] and Place(**told["pixels"]),
    )
