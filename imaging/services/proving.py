"""The proofs of what is about to be released, series by series; see `imaging.proofs`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imaging import deidentification_table, proofs
from imaging.file_evidence import Evidence
from imaging.models import DeidentificationProof, Series, Transmittal
from imaging.proofs import Outcome, Proof
from imaging.services import second_parser
from imaging.services.second_parser import Dumps, SecondParserError
from trials.version import VERSION


@dataclass(frozen=True)
class Written:
    """A file in the archive that no record names yet: its series, its digest, its evidence."""

    series_instance_uid: str
    sha256: str
    evidence: Evidence


class ProofFailedError(Exception):
    """A proof of one series does not hold; the sentence names it and no value."""

    code = "proof-failed"


def prove(files: Iterable[Written], dumps: Dumps) -> dict[str, list[Proof]]:
    """The proofs of each series, whose files another parser has been given.

    Raises
    ------
    ProofFailedError
        If one of one series does not hold.
    """
    series: dict[str, list[Written]] = {}
    for file in files:
        series.setdefault(file.series_instance_uid, []).append(file)
    made = {uid: _proofs(members, dumps) for uid, members in series.items()}
    for proof in (one for several in made.values() for one in several):
        if proof.outcome == Outcome.FAILED:
            label = DeidentificationProof.Kind(proof.kind).label
            raise ProofFailedError(f"The proof “{label}” does not hold. {proof.detail}")
    return made


def keep(made: Iterable[Proof], series: Series, transmittal: Transmittal) -> None:
    """Store the proofs with the series they were made of."""
    DeidentificationProof.objects.bulk_create(
        DeidentificationProof(
            series=series,
            transmittal=transmittal,
            kind=proof.kind,
            is_held=proof.outcome == Outcome.HELD,
            detail=proof.detail,
            table_version=deidentification_table.TABLE,
            software_version=VERSION,
        )
        for proof in made
    )


def _proofs(files: list[Written], dumps: Dumps) -> list[Proof]:
    evidence = [file.evidence for file in files]
    return [
        proofs.of_pixels(evidence),
        _of_suv(evidence),
        proofs.of_identifiers(evidence),
        _by_second_parser(files, dumps),
        proofs.of_keep_list(evidence),
    ]


def _of_suv(evidence: list[Evidence]) -> Proof:
    try:
        return proofs.of_suv(evidence)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProofFailedError("The headers could not be compared.") from error


def _by_second_parser(files: list[Written], dumps: Dumps) -> Proof:
    if dumps.program is None:
        return proofs.no_dump("dcmdump is not installed.")
    try:
        version = second_parser.version(dumps.program)
        printed = dumps.of(files[0].series_instance_uid)
        return proofs.of_dump(printed, version=version, count=len(files))
    except SecondParserError as error:
        return proofs.failed_dump(str(error))
