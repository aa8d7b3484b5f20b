"""Ordering that response is evaluated; see `responses` for the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Exists, OuterRef

from imaging.models import ResponseEvaluation
from trials.models import Evidence, Job, Patient, ScheduledScan, User
from trials.services import jobs

KIND = "imaging.evaluate_response"
_PATIENT = "later_read__quantification__series__imaging_study__scheduled_scan__patient"


def rules_of(scan: ScheduledScan) -> Iterator[Mapping[str, Any]]:
    """The rules of the protocol that a scan is a baseline or a later scan of."""
    plan = scan.planned_scan
    for rule in plan.version.response_rules:
        if plan.identifier in (rule["baseline"], *rule["follow_ups"]):
            yield rule


def order(scan: ScheduledScan, *, by: User) -> Job | None:
    """Have the responses of a patient evaluated, where a rule asks for the scan. In an action."""
    if next(rules_of(scan), None) is None:
        return None
    return jobs.enqueue(KIND, actor=by, on=scan, patient=scan.patient_id)


def order_due() -> list[Job]:
    """Order anew where a height, which no scan carries, was recorded or corrected since."""
    later = Evidence.objects.filter(
        patient=OuterRef(_PATIENT), variable="height", recorded_at__gt=OuterRef("evaluated_at")
    )
    standing = ResponseEvaluation.objects.filter(
        Exists(later), is_current=True, criterion__in=("percist", "eortc")
    )
    patients = Patient.objects.filter(pk__in=standing.values(_PATIENT)).order_by("pk")
    actor = jobs.system_user()
    return [
        jobs.enqueue(KIND, actor=actor, on=one, patient=one.pk)
        for one in patients
        if not _was_ordered(one)
    ]


def _was_ordered(patient: Patient) -> bool:
    """Whether it was ordered since the newest height."""
    newest = patient.evidence.filter(variable="height").order_by("-recorded_at").first()
    jobs_since = Job.objects.filter(kind=KIND, arguments__patient=patient.pk)
    return jobs_since.filter(queued_at__gt=newest.recorded_at).exists()
