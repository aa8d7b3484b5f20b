"""Findings as far as a user may see them."""

from __future__ import annotations

from django.db.models import QuerySet

from trials.models import Finding, Patient, ScopedModel, User


def may_see(user: User, row: ScopedModel) -> bool:
    """Whether what readers found is shown: never to one who may read here too."""
    scope = row.scope()
    return user.may_for("finding.view", scope) and not user.may_for("reading.view", scope)


def of_patient(patient: Patient, user: User) -> QuerySet[Finding]:
    """What standing reads found on the scans of a patient, and on each lesion of them."""
    if not may_see(user, patient):
        return Finding.objects.none()
    return patient.findings.filter(superseded_at=None).select_related("evaluator")


def of_scans(patient: Patient) -> QuerySet[Finding]:
    """What standing reads found on the scans of a patient as a whole, in the order of the scans."""
    return (
        patient.findings.filter(lesion_number=None, superseded_at=None)
        .select_related("scheduled_scan__planned_scan", "evaluator")
        .order_by("scheduled_scan__planned_at", "source_pk", "pk")
    )
