"""The rows of the eligibility audit board, and everything behind one of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, QuerySet

from trials import board
from trials.board import Cell
from trials.models import (
    AuditEvent,
    CriterionResult,
    EligibilityAssessment,
    EligibilityCriterion,
    Enrolment,
    Evidence,
    Patient,
    ProtocolVersion,
    ScheduledScan,
    Signature,
    Site,
    SourceVerification,
    User,
)
from trials.selectors.patients import signed, standing_verdicts, with_standing
from trials.services import verdicts, verification
from trials.services.assessments import counted, counting

Gate = EligibilityCriterion.Gate
Verdict = EligibilityAssessment.Verdict
Key = tuple[int, str]


@dataclass(frozen=True)
class Row:
    """A patient of the board: verdict, whether it stands and is signed, and the cells.

    A signature is broken when the record is no longer what was signed.
    """

    patient: Patient
    verdict: str
    stands: bool
    is_signed: bool
    is_signature_broken: bool
    is_despite: bool
    cells: list[Cell]

    @property
    def columns(self) -> list[list[Cell]]:
        """The cells criterion by criterion, several where it was judged for several scans."""
        return list(board.by_criterion(self.cells).values())


def columns(sites: Iterable[Site]) -> list[EligibilityCriterion]:
    """The criteria of the versions that the sites follow, each identifier once."""
    versions = {one.version_in_force for one in sites} - {None}
    found: dict[str, EligibilityCriterion] = {}
    rows = EligibilityCriterion.objects.filter(version__in=versions)
    for row in rows.select_related("version").order_by("-version__number", "position"):
        found.setdefault(row.identifier, row)
    return list(found.values())


def rows(patients: QuerySet[Patient], criteria: list[EligibilityCriterion]) -> list[Row]:
    """Patients against criteria; a fixed number of queries for any number of both."""
    found = list(with_standing(patients).prefetch_related("evidence", "consents", "enrolment"))
    intact, standing = signed(found), standing_verdicts(found)
    results = _newest_results(found)
    marks = _newest_marks(found)
    signed_at = _signed_at(results)
    return [
        Row(
            patient,
            str(Verdict(patient.verdict).label) if patient.verdict else "",
            patient.pk in standing,
            patient.pk in intact,
            bool(patient.signed_sha256) and patient.pk not in intact,
            _is_despite(patient),
            [cell for one in criteria for cell in _cells(patient, one, results, marks, signed_at)],
        )
        for patient in found
    ]


@dataclass(frozen=True)
class Opened:
    """Everything behind one cell."""

    patient: Patient
    criterion: EligibilityCriterion
    scan: ScheduledScan | None
    result: CriterionResult | None
    runs: list[CriterionResult]
    evidence: list[Evidence]
    marks: list[SourceVerification]
    digest: str
    signature: Signature | None

    @property
    def verification(self) -> str:
        return _verification(self.digest, self.marks[0] if self.marks else None)

    @property
    def signature_stands(self) -> bool:
        """Whether nothing that was signed has changed since; a handful of queries."""
        return (
            self.signature is not None
            and self.result is not None
            and verdicts.signature_in_force(self.result.assessment) == self.signature
        )


def opened(patient: Patient, criterion: EligibilityCriterion, scan: ScheduledScan | None) -> Opened:
    """One cell with its runs, evidence, verifications and signature."""
    runs = list(
        CriterionResult.objects.filter(
            assessment__patient=patient,
            criterion__identifier=criterion.identifier,
            assessment__scheduled_scan=scan,
        )
        .select_related("assessment__version", "assessment__assessed_by", "criterion__version")
        .order_by("-assessment__assessed_at", "-pk")
    )
    newest = runs[0] if runs else None
    asked = newest.criterion if newest else criterion
    marks = patient.verifications.filter(
        criterion__identifier=criterion.identifier, scheduled_scan=scan
    ).select_related("verified_by")
    named = verification.variables_of(asked)
    # What was measured for another scan is no evidence of this one.
    rows = patient.evidence.filter(counting(scan)).order_by("variable", "-pk")
    evidence = rows.select_related("recorded_by", "superseded_by", "finding", "item_value")
    return Opened(
        patient=patient,
        criterion=asked,
        scan=scan,
        result=newest,
        runs=runs,
        evidence=[one for one in evidence if one.variable in named],
        marks=list(marks),
        digest=verification.digest_of(patient, asked, scan=scan),
        signature=_signature(newest),
    )


def beside(cell: Opened) -> list[Cell]:
    """The cells of the same criterion and patient: one for each scan, and enrolment."""
    marks = _newest_marks([cell.patient])
    results = _newest_results([cell.patient])
    return _cells(cell.patient, cell.criterion, results, marks, _signed_at(results))


def judged(patient: Patient) -> list[Opened]:
    """The cells of a patient that were judged at enrolment, to verify many at once."""
    newest = patient.assessments.filter(gate=Gate.ENROLMENT).order_by("-assessed_at", "-pk").first()
    if newest is None:
        return []
    results = newest.results.select_related("criterion").order_by("criterion__position")
    return [opened(patient, one.criterion, None) for one in results]


def _newest_results(patients: list[Patient]) -> dict[Key, list[CriterionResult]]:
    """The newest result of each criterion for each scan it was judged for, enrolment before."""
    newest = (
        EligibilityAssessment.objects.filter(patient__in=patients)
        .order_by("patient_id", "gate", "scheduled_scan_id", "-assessed_at", "-pk")
        .distinct("patient_id", "gate", "scheduled_scan_id")
    )
    found = (
        CriterionResult.objects.filter(assessment__in=[one.pk for one in newest.only("pk")])
        .select_related("criterion", "assessment__scheduled_scan__planned_scan")
        .defer("workings", "reason", "assessment__inputs")
        .order_by("assessment__assessed_at", "pk")
    )
    by_scan: dict[tuple[int, str, int | None], CriterionResult] = {
        (
            one.assessment.patient_id,
            one.criterion.identifier,
            one.assessment.scheduled_scan_id,
        ): one
        for one in found
    }
    results: dict[Key, list[CriterionResult]] = {}
    for (patient, identifier, _), one in sorted(by_scan.items(), key=_by_scan_time):
        results.setdefault((patient, identifier), []).append(one)
    return results


def _by_scan_time(item: tuple[tuple[int, str, int | None], CriterionResult]) -> tuple[float, int]:
    """Enrolment, then scan by scan."""
    scan = item[1].assessment.scheduled_scan
    return (scan.planned_at.timestamp(), scan.pk) if scan else (-inf, 0)


def _newest_marks(patients: list[Patient]) -> dict[tuple[int, str, int | None], SourceVerification]:
    rows = SourceVerification.objects.filter(
        patient__in=patients, criterion__isnull=False
    ).select_related("criterion")
    return {
        (one.patient_id, one.criterion.identifier, one.scheduled_scan_id): one
        for one in rows.order_by("verified_at", "pk")
    }


def _cells(
    patient: Patient,
    criterion: EligibilityCriterion,
    results: dict[Key, list[CriterionResult]],
    marks: dict[tuple[int, str, int | None], SourceVerification],
    signed_at: Mapping[int, datetime],
) -> list[Cell]:
    """A criterion of a patient, a cell for each scan it was judged for, the worst first."""
    found = results.get((patient.pk, criterion.identifier), [])
    if not found:
        return [Cell(criterion.identifier)]
    return board.worst_first(_cell(patient, one, marks, signed_at) for one in found)


def _cell(
    patient: Patient,
    result: CriterionResult,
    marks: dict[tuple[int, str, int | None], SourceVerification],
    signed_at: Mapping[int, datetime],
) -> Cell:
    scan = result.assessment.scheduled_scan
    mark = marks.get((patient.pk, result.criterion.identifier, scan and scan.pk))
    digest = verification.digest_of(patient, result.criterion, scan=scan) if mark else ""
    return Cell(
        result.criterion.identifier,
        result.word,
        result.is_provisional,
        _verification(digest, mark),
        scan and scan.pk,
        judged_for(scan, patient.site),
        max(_changes(patient, result, mark, signed_at.get(result.assessment_id))),
    )


def _signed_at(results: dict[Key, list[CriterionResult]]) -> dict[int, datetime]:
    """When each of the assessments was signed, if it was."""
    keys = {one.assessment_id for found in results.values() for one in found}
    rows = Signature.objects.filter(
        subject_table=EligibilityAssessment._meta.db_table, subject_pk__in=keys
    )
    return dict(rows.order_by("signed_at").values_list("subject_pk", "signed_at"))


def _changes(
    patient: Patient,
    result: CriterionResult,
    mark: SourceVerification | None,
    signed_at: datetime | None,
) -> Iterator[datetime]:
    """When the judgement, its evidence, its signature and its verification came to be as they are.

    Whatever is recorded and counts for a signed verdict ends its signature, so it changes the
    cells of the criteria that do not read it too.
    """
    scan = result.assessment.scheduled_scan
    asked = verification.variables_of(result.criterion)
    yield result.assessment.assessed_at
    if mark:
        yield mark.verified_at
    if signed_at:
        yield signed_at
    if signed_at and scan and scan.rescheduled_at:
        yield scan.rescheduled_at
    for one in counted(patient, scan):
        if signed_at or one.variable in asked:
            yield one.recorded_at
    if signed_at or verification.reads_consent(result.criterion):
        for consent in patient.consents.all():
            yield consent.withdrawn_at or consent.recorded_at


def judged_for(scan: ScheduledScan | None, site: Site) -> str:
    """What a judgement is for: a scan with its day on the clock of the site, or enrolment."""
    if scan is None:
        return "Enrolment"
    return f"{scan.planned_scan}, {scan.planned_at.astimezone(ZoneInfo(site.time_zone)):%Y-%m-%d}"


def _verification(digest: str, mark: SourceVerification | None) -> str:
    if mark is None:
        return board.UNVERIFIED
    return board.VERIFIED if mark.evidence_sha256 == digest else board.CHANGED


def _is_despite(patient: Patient) -> bool:
    enrolment: Enrolment | None = getattr(patient, "enrolment", None)
    return enrolment is not None and enrolment.is_despite_criteria


def _signature(result: CriterionResult | None) -> Signature | None:
    if result is None:
        return None
    return Signature.objects.filter(
        subject_table=EligibilityAssessment._meta.db_table, subject_pk=result.assessment_id
    ).first()


def neighbours(
    criteria: list[EligibilityCriterion], identifier: str
) -> Iterator[EligibilityCriterion | None]:
    """The criteria before and after one, for walking along a patient's row."""
    names = [one.identifier for one in criteria]
    at = names.index(identifier) if identifier in names else -1
    yield criteria[at - 1] if at > 0 else None
    yield criteria[at + 1] if 0 <= at < len(criteria) - 1 else None


def with_sites(trial_sites: QuerySet[Site]) -> list[Site]:
    """Sites with the versions they follow, ready for `columns`."""
    activations = Prefetch(
        "activations__version", ProtocolVersion.objects.defer("definition", "text")
    )
    return list(trial_sites.prefetch_related("activations", activations).order_by("code"))


def visited_before(user: User) -> datetime | None:
    """When a user logged in before the present log-in: what changed since is new to the user."""
    log_ins = AuditEvent.objects.filter(
        table=User._meta.db_table, row=str(user.pk), action="user.logged_in"
    )
    return next(iter(log_ins.order_by("-pk").values_list("at", flat=True)[1:2]), None)
