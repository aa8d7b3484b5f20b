"""What assessments rest on: one with its evidence, and many side by side."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet

from trials.models import (
    CriterionResult,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Patient,
    ProtocolVersion,
    ScheduledScan,
)
from trials.selectors.assessments import with_results
from trials.selectors.patients import verdict_stands

Gate = EligibilityCriterion.Gate
Verdict = EligibilityAssessment.Verdict

# The letter that stands for a word where there is room for no more.
LETTERS = {"satisfied": "S", "excludes": "E", "cannot tell": "?", "not applicable": "–"}


@dataclass(frozen=True)
class Cell:
    """What one criterion came to for one patient; no word if it was not judged."""

    word: str = ""
    letter: str = ""
    is_provisional: bool = False
    result: int | None = None


@dataclass(frozen=True)
class Row:
    """A patient of the overview: the newest verdict, whether it still stands, its cells."""

    patient: Patient
    verdict: str
    stands: bool
    cells: list[Cell]


def results_of(assessment: EligibilityAssessment) -> QuerySet[CriterionResult]:
    """Results in the order of the protocol, each with its criterion and evidence."""
    evidence = Evidence.objects.select_related("recorded_by")
    return assessment.results.select_related("criterion").prefetch_related(
        Prefetch("evidence", evidence)
    )


def newest_of_scan(scan: ScheduledScan) -> list[EligibilityAssessment]:
    """The newest assessment of each gate of a scan, with results; the later gate last."""
    newest = scan.assessments.order_by("gate", "-assessed_at", "-pk").distinct("gate")
    return sorted(with_results(newest), key=lambda row: row.gate == Gate.PER_SCAN)


def columns(version: ProtocolVersion) -> list[EligibilityCriterion]:
    """The criteria that are judged before enrolment."""
    return list(version.criteria.filter(gate=Gate.ENROLMENT))


def overview(patients: list[Patient], criteria: list[EligibilityCriterion]) -> list[Row]:
    """Patients of `with_standing` against criteria, one query for all results.

    Criteria are matched by identifier, so that an assessment of an earlier version still
    shows; it does not stand any more, and the row says so.
    """
    found = _results_of({patient.assessment_id for patient in patients} - {None})
    return [
        Row(
            patient,
            str(Verdict(patient.verdict).label) if patient.verdict else "",
            verdict_stands(patient),
            [_cell(found.get((patient.assessment_id, one.identifier))) for one in criteria],
        )
        for patient in patients
    ]


def _results_of(assessments: set[int]) -> dict[tuple[int, str], CriterionResult]:
    rows = CriterionResult.objects.filter(assessment__in=assessments).select_related("criterion")
    return {(row.assessment_id, row.criterion.identifier): row for row in rows}


def _cell(result: CriterionResult | None) -> Cell:
    if result is None:
        return Cell()
    return Cell(result.word, LETTERS[result.word], result.is_provisional, result.pk)
