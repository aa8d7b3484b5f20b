"""Dated facts about a patient, and their corrections."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import JSONField, Value

from trials import permissions, spans, variables
from trials.kleene import Truth
from trials.models import Evidence, Patient, ScheduledScan, User
from trials.rules import IMPLAUSIBLE
from trials.services import audit, moments, patients, queries
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
    details: dict | None = None,
) -> Evidence:
    """Record what a source says. A value out of any range is kept: the source is the truth."""
    permissions.require(by, "evidence.record", patient)
    patients.require_participation(patient)
    patients.require_consent_stands(patient)
    if scheduled_scan and scheduled_scan.patient_id != patient.pk:
        raise Invalid("scheduled_scan", "This scan belongs to another patient.")
    with audit.action("evidence.recorded", actor=by, reason="first entry", trial=patient.trial_id):
        # Looked at again under the lock: a screening may end at this very moment.
        patients.require_participation(patients.hold_still(patient))
        return note(
            patient=patient,
            scheduled_scan=scheduled_scan,
            variable=variable,
            value=value,
            unit=unit,
            observed_at=observed_at,
            is_study_specific=is_study_specific,
            source=source,
            details=details,
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
    details: dict | None = None,
) -> Evidence:
    """Replace a fact by a better one; the old one stays in the record beside it."""
    permissions.require(by, "evidence.record", evidence)
    audit.require_reason(reason)
    if evidence.item_value_id:
        raise Refused(
            "told-by-form", f"{evidence.source}: this is corrected in the form, and follows it."
        )
    if evidence.superseded_by_id:
        raise Refused(
            "already-corrected",
            "This value was corrected before: correct the newer one.",
        )
    trial = evidence.patient.trial_id
    with audit.action("evidence.corrected", actor=by, reason=reason, trial=trial):
        better = note(
            patient=evidence.patient,
            scheduled_scan=evidence.scheduled_scan,
            variable=evidence.variable,
            value=value,
            unit=unit,
            observed_at=observed_at,
            is_study_specific=evidence.is_study_specific,
            source=source,
            details=evidence.details if details is None else details,
            recorded_by=by,
        )
        changed = Evidence.objects.filter(pk=evidence.pk, superseded_by=None)
        if not changed.update(superseded_by=better):
            raise Refused("already-corrected", "Someone corrected this value just now.")
        # Closed later it would count as a doubt that ended since, and fell a signed verdict.
        queries.settle_by_rule(evidence, rule=IMPLAUSIBLE, text="The value was corrected.")
    return better


def newest(patient: Patient, variable: str, *, since: datetime | None = None) -> Evidence | None:
    """What was observed last of a variable; with `since` only what was asked and seen from then on.

    A history that is typed in late, or corrected, tells nothing of what came after it was taken.
    """
    zone = ZoneInfo(patient.site.time_zone)
    rows = Evidence.objects.filter(patient=patient, variable=variable, superseded_by=None)
    rows = rows.exclude(is_void=True)
    if since is not None:
        rows = rows.filter(recorded_at__gte=since)
    dated = [(spans.span(row.observed_at, zone), row) for row in rows]
    kept = [(when, row) for when, row in dated if since is None or when.last >= since]
    found = max(kept, key=lambda one: (one[0].first, one[0].last, one[1].pk), default=None)
    return found[1] if found else None


def note(
    *,
    variable: str,
    value,
    unit: str,
    observed_at: str,
    source: str,
    details: dict | None,
    **fields,
) -> Evidence:
    """Keep a fact that was looked at before. Inside the action of a service."""
    if not source.strip():
        raise Invalid("source", "Say where this stands: the document, device or person.")
    try:
        value, unit = variables.checked(variable, value, unit)
        details = variables.checked_details(variable, details or {})
    except variables.VariableError as error:
        raise Invalid(error.field, error.message) from error
    zone = fields["patient"].site.time_zone
    observed_at = moments.happened(observed_at, zone=zone, field="observed_at")
    # An assessment holds this lock while it reads: the time recorded is after it, or seen by it.
    patient = patients.hold_still(fields["patient"])
    if fields["is_study_specific"]:
        _require_consent_before(patient, observed_at)
    row = Evidence.objects.create(
        variable=variable,
        # "Asked, not known" is kept as JSON's null; None alone would be no value at all.
        value=Value(None, JSONField()) if value is None else value,
        unit=unit,
        observed_at=observed_at,
        source=source.strip(),
        details=details,
        **fields,
    )
    row.value = value
    _ask_about_impossible(row)
    return row


def _require_consent_before(patient: Patient, observed_at: str) -> None:
    """Nothing study-specific is recorded that surely was done before the patient consented."""
    zone = ZoneInfo(patient.site.time_zone)
    signed = [spans.span(one.signed_at, zone) for one in patient.consents.all()]
    if not signed:
        raise Invalid(
            "is_study_specific",
            f"{patient} has not consented: record the consent first, or say that this was done "
            "as standard of care.",
        )
    first = min(signed, key=lambda when: (when.first, when.last))
    if spans.before(spans.span(observed_at, zone), first) is Truth.YES:
        raise Invalid(
            "observed_at",
            f"A study-specific procedure of {observed_at} is before the first consent: check "
            "both dates, or say that it was done as standard of care.",
        )


def _ask_about_impossible(row: Evidence) -> None:
    """A value no living person has is kept as its source says, and asked about."""
    if variables.is_plausible(row.variable, row.value, row.unit):
        return
    known = variables.variable(row.variable)
    low, high = known.plausible or (0, 0)
    unit = known.units[0] if known.units else ""
    queries.raise_by_rule(
        row,
        rule=IMPLAUSIBLE,
        text=f"{known.label} {variables.shown(row.variable, row.value, row.unit)} is outside "
        f"{low:g} to {high:g} {unit}".rstrip()
        + ": check it against the source, and correct it or confirm it.",
    )
