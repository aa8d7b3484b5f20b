"""Dated facts about a patient, and their corrections."""

from __future__ import annotations

from django.db.models import JSONField, Value

from trials import permissions, variables
from trials.models import Evidence, Patient, ScheduledScan, User
from trials.services import audit, moments, patients
from trials.services.errors import Invalid, Refused


def record(
    patient: Patient,
    *,
    variable: str,
    value,
    unit: str,
    observed_at: str,
    is_study_specific: bool,
    source: str,
    by: User,
    scheduled_scan: ScheduledScan | None = None,
) -> Evidence:
    """Record what a source says. A value out of any range is kept: the source is the truth."""
    permissions.require(by, "evidence.record", patient)
    patients.require_participation(patient)
    patients.require_consent_stands(patient)
    if scheduled_scan and scheduled_scan.patient_id != patient.pk:
        raise Invalid("scheduled_scan", "This scan belongs to another patient.")
    with audit.action("evidence.recorded", actor=by, reason="first entry", trial=patient.trial_id):
        return _create(
            patient=patient,
            scheduled_scan=scheduled_scan,
            variable=variable,
            value=value,
            unit=unit,
            observed_at=observed_at,
            is_study_specific=is_study_specific,
            source=source,
            recorded_by=by,
        )


def correct(
    evidence: Evidence,
    *,
    value,
    unit: str,
    observed_at: str,
    source: str,
    reason: str,
    by: User,
) -> Evidence:
    """Replace a fact by a better one; the old one stays in the record beside it."""
    permissions.require(by, "evidence.record", evidence)
    audit.require_reason(reason)
    if evidence.superseded_by_id:
        raise Refused(
            "already-corrected",
            "This value was corrected before: correct the newer one.",
        )
    trial = evidence.patient.trial_id
    with audit.action("evidence.corrected", actor=by, reason=reason, trial=trial):
        better = _create(
            patient=evidence.patient,
            scheduled_scan=evidence.scheduled_scan,
            variable=evidence.variable,
            value=value,
            unit=unit,
            observed_at=observed_at,
            is_study_specific=evidence.is_study_specific,
            source=source,
            recorded_by=by,
        )
        changed = Evidence.objects.filter(pk=evidence.pk, superseded_by=None)
        if not changed.update(superseded_by=better):
            raise Refused("already-corrected", "Someone corrected this value just now.")
    return better


def _create(
    *, variable: str, value, unit: str, observed_at: str, source: str, **fields
) -> Evidence:
    if not source.strip():
        raise Invalid("source", "Say where this stands: the document, device or person.")
    try:
        value, unit = variables.checked(variable, value, unit)
    except variables.VariableError as error:
        raise Invalid(error.field, error.message) from error
    # An assessment holds this lock while it reads: the time recorded is after it, or seen by it.
    Patient.objects.select_for_update(no_key=True).get(pk=fields["patient"].pk)
    row = Evidence.objects.create(
        variable=variable,
        # "Asked, not known" is kept as JSON's null; None alone would be no value at all.
        value=Value(None, JSONField()) if value is None else value,
        unit=unit,
        observed_at=moments.partial_moment(observed_at, field="observed_at"),
        source=source.strip(),
        **fields,
    )
    row.value = value
    return row
