"""Ordering that response is evaluated; see `responses` for the work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from imaging.models import Read, ResponseEvaluation
from imaging.selectors.comparisons import standing_reads
from trials.models import Evidence, Job, Patient, ScheduledScan, User
from trials.services import jobs

KIND = "imaging.evaluate_response"
# Evidence that no image carries, or not for sure.
FACTS = ("height", "glucose")
_SCAN = "quantification__series__imaging_study__scheduled_scan"
_PATIENT = f"later_read__{_SCAN}__patient"


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


def stale() -> QuerySet[ResponseEvaluation]:
    """Evaluations older than a height, a glucose or a sex, which they may rest on."""
    later = Evidence.objects.filter(
        patient=OuterRef(_PATIENT), variable__in=FACTS, recorded_at__gt=OuterRef("asked_at")
    )
    described = Q(**{f"{_PATIENT}__described_at__gt": F("asked_at")})
    rows = ResponseEvaluation.objects.filter(is_current=True, criterion__in=("percist", "eortc"))
    return rows.alias(asked_at=Coalesce("confirmed_at", "evaluated_at")).filter(
        Exists(later) | described
    )


def order_due() -> list[Job]:
    """Order anew where one of them was recorded or corrected since."""
    changed = Patient.objects.filter(pk__in=stale().values(_PATIENT)).order_by("pk")
    overtaken = Patient.objects.filter(pk__in=_overtaken()).order_by("pk")
    due = {one for one in changed if not _was_ordered(one)}
    due |= {one for one in overtaken if not _is_under_way(one)}
    actor = jobs.system_user()
    return [
        jobs.enqueue(KIND, actor=actor, on=one, patient=one.pk)
        for one in sorted(due, key=lambda one: one.pk)
    ]


def _overtaken() -> set[int]:
    """Patients of evaluations that lack what is asked today, or miss a scan that was cancelled."""
    # Of a read that stands no more, its images being gone, no job gives another answer.
    current = ResponseEvaluation.objects.filter(is_current=True, later_read__in=standing_reads())
    # Judged before PERCIST asked for activity and glucose, or by the upper end of "<200" alone.
    ungated = current.filter(criterion="percist").exclude(inputs__later__has_key="glucose")
    found = set(ungated.values_list(_PATIENT, flat=True))
    missing = current.filter(criterion="recist", inputs__unread__0__isnull=False)
    rows = list(missing.select_related(f"baseline_read__{_SCAN}", f"later_read__{_SCAN}"))
    scans = _not_cancelled({_scan_of(row.later_read).patient_id for row in rows})
    for row in rows:
        start, later = _scan_of(row.baseline_read), _scan_of(row.later_read)
        missed = [
            planned_at
            for identifier, planned_at in scans[later.patient_id]
            if identifier in row.inputs["unread"]
            and start.planned_at < planned_at < later.planned_at
        ]
        if len(missed) < len(row.inputs["unread"]):
            found.add(later.patient_id)
    return found


def _not_cancelled(patients: set[int]) -> Mapping[int, list[tuple[str, datetime]]]:
    """Of each patient the planned scans that are not cancelled, and when they are."""
    rows = ScheduledScan.objects.filter(patient__in=patients).exclude(
        state=ScheduledScan.State.CANCELLED
    )
    found: dict[int, list[tuple[str, datetime]]] = defaultdict(list)
    for patient, *scan in rows.values_list("patient", "planned_scan__identifier", "planned_at"):
        found[patient].append(tuple(scan))
    return found


def _scan_of(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan


def _is_under_way(patient: Patient) -> bool:
    """Whether the newest order waits, or failed: a person orders that again."""
    last = Job.objects.filter(kind=KIND, arguments__patient=patient.pk).order_by("pk").last()
    return last is not None and last.state != Job.State.DONE


def confirm(patient: int, at: datetime) -> None:
    """What was asked again and is the same answer is not asked for ever. Inside an action."""
    keys = list(stale().filter(**{_PATIENT: patient}).values_list("pk", flat=True))
    ResponseEvaluation.objects.filter(pk__in=keys).update(confirmed_at=at)


def _was_ordered(patient: Patient) -> bool:
    """Whether it was ordered since the newest of these: it waits, or failed."""
    facts = patient.evidence.filter(variable__in=FACTS).order_by("-recorded_at")
    times = [facts.values_list("recorded_at", flat=True).first(), patient.described_at]
    jobs_since = Job.objects.filter(kind=KIND, arguments__patient=patient.pk)
    return jobs_since.filter(queued_at__gt=max(filter(None, times))).exists()
