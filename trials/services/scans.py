"""Scheduling scans: given a time, another time, or none."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from trials import permissions
from trials.models import Patient, PlannedScan, ScheduledScan, User
from trials.services import (
    audit,
    deviations,
    form_evidence,
    moments,
    patients,
)
from trials.services.errors import Invalid, Refused

State = ScheduledScan.State
CANCELLABLE = (State.SCHEDULED, State.INJECTED)


def schedule(
    patient: Patient, *, planned_scan: PlannedScan, planned_at: datetime, by: User
) -> ScheduledScan:
    """Give a planned scan of the protocol a time for this patient."""
    permissions.require(by, "scan.schedule", patient)
    patients.require_participation(patient)
    if planned_scan.version.trial_id != patient.trial_id:
        raise Invalid("planned_scan", "This scan is planned in another trial.")
    if planned_scan.version != patient.site.version_in_force:
        raise Invalid(
            "planned_scan",
            f"{planned_scan.version} is not in force at {patient.site}: choose a scan of the "
            "version that is.",
        )
    if patient.state != Patient.State.ENROLLED:
        raise Refused(
            "not-enrolled",
            f"{patient} is not enrolled: enrol before scheduling a scan.",
        )
    planned_at = moments.aware(planned_at, field="planned_at")
    with audit.action("scan.scheduled", actor=by, reason="planned", trial=patient.trial_id):
        patients.hold_still(patient)
        # The same scan of an earlier version too: it would be counted from twice.
        same = patient.scheduled_scans.filter(planned_scan__identifier=planned_scan.identifier)
        if same.exclude(state=State.CANCELLED).exists():
            raise Refused(
                "already-scheduled", f"{planned_scan} is scheduled for {patient} already."
            )
        return ScheduledScan.objects.create(
            patient=patient, planned_scan=planned_scan, planned_at=planned_at
        )


def reschedule(
    scan: ScheduledScan, *, planned_at: datetime, reason: str, by: User
) -> ScheduledScan:
    """Give a scan that has not begun another time; what was judged for the old one falls."""
    permissions.require(by, "scan.schedule", scan)
    audit.require_reason(reason)
    planned_at = moments.aware(planned_at, field="planned_at")
    with audit.action(
        "scan.rescheduled",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        # Whoever assesses holds the patient too: a verdict is of the old time, or of the new.
        patients.require_participation(patients.hold_still(scan.patient))
        locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        if locked.state != ScheduledScan.State.SCHEDULED:
            raise Refused(
                "scan-has-begun",
                f"This scan is {locked.get_state_display().lower()}: its time can't change.",
            )
        locked.planned_at, locked.rescheduled_at = planned_at, timezone.now()
        locked.sequence += 1
        locked.save(update_fields=["planned_at", "rescheduled_at", "sequence"])
    return locked


def cancel(scan: ScheduledScan, *, reason: str, by: User) -> ScheduledScan:
    """Cancel a scan, before or after its injection; the plan can be scheduled again."""
    permissions.require(by, "scan.schedule", scan)
    audit.require_reason(reason)
    with audit.action(
        "scan.cancelled",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        patients.hold_still(scan.patient)
        locked = ScheduledScan.objects.select_for_update().get(pk=scan.pk)
        if locked.state not in CANCELLABLE:
            raise Refused(
                "scan-has-images",
                f"This scan is {locked.get_state_display().lower()}: it can't be cancelled.",
            )
        was_injected = locked.state == ScheduledScan.State.INJECTED
        locked.state, locked.cancelled_because = ScheduledScan.State.CANCELLED, reason.strip()
        locked.sequence += 1
        locked.save(update_fields=["state", "cancelled_because", "sequence"])
        if was_injected:
            deviations.draft_by_rule(
                locked,
                rule="scan-aborted-after-injection",
                text=f"The scan was aborted after the injection: {reason.strip()}",
                values={"found": "injected, no images", "expected": "images"},
            )
            form_evidence.tell_scan(locked, by=by)
    return locked
