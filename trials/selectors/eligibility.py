"""What assessments rest on: one with its evidence, and many side by side."""

from __future__ import annotations

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from trials.models import (
    CriterionResult,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Patient,
    ScheduledScan,
    Signature,
)
from trials.selectors.assessments import with_results

Gate = EligibilityCriterion.Gate


def results_of(assessment: EligibilityAssessment) -> QuerySet[CriterionResult]:
    """Results in the order of the protocol, each with its criterion and evidence."""
    evidence = Evidence.objects.select_related("recorded_by", "item_value")
    return assessment.results.select_related("criterion").prefetch_related(
        Prefetch("evidence", evidence)
    )


def runs_of(patient: Patient) -> QuerySet[EligibilityAssessment]:
    """Every assessment of a patient at any gate and scan, the newest first, with who signed it."""
    signatures = Signature.objects.filter(
        subject_table=EligibilityAssessment._meta.db_table, subject_pk=OuterRef("pk")
    )
    return (
        patient.assessments.select_related("version", "assessed_by", "scheduled_scan__planned_scan")
        .annotate(signed_by=Subquery(signatures.values("signer_name")[:1]))
        .order_by("-assessed_at", "-pk")
    )


def newest_of_scan(scan: ScheduledScan) -> list[EligibilityAssessment]:
    """The newest assessment of each gate of a scan, with results; the later gate last."""
    newest = scan.assessments.order_by("gate", "-assessed_at", "-pk").distinct("gate")
    return sorted(with_results(newest), key=lambda row: row.gate == Gate.PER_SCAN)
