"""Assessments with what each criterion came to."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from trials.models import CriterionResult, EligibilityAssessment, Evidence


def with_results(rows: QuerySet[EligibilityAssessment]) -> QuerySet[EligibilityAssessment]:
    """Assessments with results, criteria and the keys of the evidence; two further queries."""
    evidence = Prefetch("evidence", Evidence.objects.only("pk"))
    results = CriterionResult.objects.select_related("criterion").prefetch_related(evidence)
    return rows.select_related("version", "assessed_by").prefetch_related(
        Prefetch("results", results)
    )
