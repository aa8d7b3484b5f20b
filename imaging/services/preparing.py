"""What inspection makes ready for release, so that a file is parsed once.

Inspection has to try whether a file can be de-identified. Where the scan is known it does so
under the patient's own policy, and keeps what came of it for release, which makes the proofs of
it and moves it into the archive. The verdict is kept beside it, for an inspection that comes after
a look ahead or after one that was killed. Both are taken only as made under the same policy, by
the same table and the same software; anything else is made anew, from the original.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from imaging import deidentification_table, storage
from imaging.deidentification import DeidentificationPolicy, keyed_digest
from imaging.file_evidence import Evidence
from imaging.models import ReceivedFile, Transmittal
from imaging.pixels import Place
from imaging.services import receiving
from imaging.services.parser import DeidentifiedFile, Inspection, Parser
from imaging.storage import Arrived, Content, prepared
from trials.models import Enrolment, Patient
from trials.services.errors import Refused
from trials.version import VERSION

# Stands between a verdict and what is told of what was made: in JSON it stands nowhere.
BETWEEN = "\t"


@dataclass(frozen=True)
class Making:
    """Under which policy files are written anew, and how it, table and software are named."""

    policy: DeidentificationPolicy
    made_by: str

    @classmethod
    def under(cls, policy: DeidentificationPolicy) -> Making:
        """Once for all files of a job: the rows of the table are many. The policy is secret."""
        told = vars(policy) | {"uid_key": "", "table": deidentification_table.digest()}
        text = json.dumps(told | {"software": VERSION}, sort_keys=True)
        return cls(policy, keyed_digest(text, key=policy.uid_key))


@dataclass(frozen=True)
class Made:
    """What is told of a file written anew."""

    sha256: str
    size: int
    header: dict
    report: dict
    evidence: Evidence
    pixels: Place | None


def making_for(transmittal: Transmittal) -> Making:
    return Making.under(policy_for(transmittal))


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


def inspected(parser: Parser, file: ReceivedFile, making: Making | None) -> Inspection:
    """The verdict on a file; it is kept, and what was made of the file if it is accepted."""
    data = storage.quarantine.read(file.sha256)
    if making is None:
        return parser.inspect(data)
    inspection, made = parser.examine(data, making.policy)
    # Without room it is made again at release.
    with suppress(Refused):
        receiving.require_space(len(made.dicom) if made else 0)
        prepared.keep(
            file.transmittal_id,
            file.sha256,
            content=made and made.dicom,
            told=f"{_verdict(inspection, making)}{BETWEEN}{_told(made, making) if made else ''}",
        )
    return inspection


def verdicts(
    transmittal: Transmittal, files: Iterable[ReceivedFile], making: Making | None
) -> dict[int, Inspection]:
    """The verdicts that were kept of these files, by their key: as they would be given now."""
    told = prepared.told(transmittal.pk) if making else {}
    found = {
        file.pk: _kept_verdict(told[file.sha256], making) for file in files if file.sha256 in told
    }
    return {key: kept for key, kept in found.items() if kept}


def _verdict(inspection: Inspection, making: Making) -> str:
    """On one line, as `json` writes."""
    return json.dumps({"made_by": making.made_by, "found": vars(inspection)})


def _kept_verdict(line: str, making: Making) -> Inspection | None:
    try:
        told = json.loads(line.partition(BETWEEN)[0])
    except ValueError:
        return None
    return Inspection(**told["found"]) if told["made_by"] == making.made_by else None


class Ready:
    """What was kept of the files of a transmittal, each given once, when it is asked for."""

    def __init__(self, transmittal: Transmittal, making: Making) -> None:
        # What became of each tag is the same of most images: kept once, a quarter of all.
        self._report: dict = {}
        self._transmittal, self._making = transmittal.pk, making
        self._told = prepared.told(transmittal.pk)
        self._sizes = prepared.sizes(transmittal.pk)

    def of(self, file: ReceivedFile) -> tuple[Made, Content] | None:
        """What was kept, as it would be made now and still there; None where it is not."""
        line = self._told.pop(file.sha256, "")
        told = line and _made_told(line, self._making)
        if not told:
            return None
        sha256, size = told["sha256"], told["size"]
        lies_there = self._sizes.get(file.sha256)
        if lies_there is None:
            lies_there = storage.archive.size(sha256)
        if lies_there != size:
            return None
        if told["report"] != self._report:
            self._report = told["report"]
        made = Made(
            sha256,
            size,
            told["header"],
            self._report,
            Evidence.from_json(told["evidence"] | {"after": told["header"]}),
            told["pixels"] and Place(**told["pixels"]),
        )
        return made, Arrived(prepared.path(self._transmittal, file.sha256), sha256, size)


def made_now(parser: Parser, file: ReceivedFile, making: Making) -> tuple[Made, Content]:
    """What is made of the original now; ParserError, and nothing, if anything fails."""
    made = parser.deidentify(storage.quarantine.read(file.sha256), making.policy)
    digest, size = hashlib.sha256(made.dicom).hexdigest(), len(made.dicom)
    return Made(digest, size, made.header, made.report, made.evidence, made.pixels), [made.dicom]


def _told(made: DeidentifiedFile, making: Making) -> str:
    """On one line, as `json` writes."""
    evidence = made.evidence.to_json()
    # It is the header once more.
    del evidence["after"]
    return json.dumps(
        {
            "made_by": making.made_by,
            "sha256": hashlib.sha256(made.dicom).hexdigest(),
            "size": len(made.dicom),
            "header": made.header,
            "report": made.report,
            "evidence": evidence,
            "pixels": made.pixels and asdict(made.pixels),
        }
    )


def _made_told(line: str, making: Making) -> Mapping[str, Any] | None:
    try:
        told: Mapping = json.loads(line.partition(BETWEEN)[2])
    except ValueError:
        return None
    return told if told["made_by"] == making.made_by else None
