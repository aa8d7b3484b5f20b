"""Visits without a scan: recorded as they took place, corrected, taken back.

A visit with a scan is not recorded here: it took place when its tracer was given, and two
records of one day would come apart.
"""

from __future__ import annotations

from trials import permissions
from trials.models import Patient, PlannedVisit, User, VisitRecord
from trials.services import audit, form_evidence, moments, patients
from trials.services.errors import Invalid, Refused


def record(
    patient: Patient, *, visit: PlannedVisit, took_place_at: str, performed_by: str, by: User
) -> VisitRecord:
    """Record that a visit of the protocol took place: when, and who of the site held it."""
    permissions.require(by, "visit.record", patient)
    if visit.version_id != getattr(patient.site.version_in_force, "pk", None):
        raise Invalid("visit", f"{visit} is not a visit of the version in force at {patient.site}.")
    if visit.planned_scans.exists():
        raise Refused(
            "visit-has-scan",
            f"{visit} has a scan: it took place when its tracer was given, which the record of "
            "the injection says.",
        )
    given = _given(patient, took_place_at, performed_by)
    with audit.action(
        "visit.recorded",
        actor=by,
        reason="visit",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        locked = patients.hold_still(patient)
        patients.require_participation(locked)
        # By identifier: a visit recorded under an earlier version of the protocol took place.
        if _standing(locked).filter(planned_visit__identifier=visit.identifier).exists():
            raise Refused("recorded-already", f"{visit} of {locked} is recorded: correct it.")
        row = VisitRecord.objects.create(
            patient=locked, planned_visit=visit, recorded_by=by, **given
        )
        form_evidence.tell_visit(locked, visit.identifier, by=by)
    return row


def correct(
    record: VisitRecord, *, took_place_at: str, performed_by: str, reason: str, by: User
) -> VisitRecord:
    """Correct when a visit took place or who held it; windows counted from it move with it."""
    permissions.require(by, "visit.record", record)
    given = _given(record.patient, took_place_at, performed_by)
    return _change(record, "visit.corrected", reason=reason, by=by, **given)


def undo(record: VisitRecord, *, reason: str, by: User) -> VisitRecord:
    """Take back that a visit took place; it can be recorded again."""
    permissions.require(by, "visit.record", record)
    return _change(record, "visit.undone", reason=reason, by=by, undone_because=reason.strip())


def _change(
    record: VisitRecord, action: str, *, reason: str, by: User, **values: str
) -> VisitRecord:
    audit.require_reason(reason)
    patient = record.patient
    with audit.action(action, actor=by, reason=reason, trial=patient.trial_id, patient=patient.pk):
        patients.hold_still(patient)
        locked = VisitRecord.objects.select_for_update(of=("self",)).get(pk=record.pk)
        if locked.undone_because:
            raise Refused("undone-already", "This record was taken back: record the visit again.")
        for name, value in values.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(values))
        form_evidence.tell_visit(patient, locked.planned_visit.identifier, by=by)
    return locked


def _standing(patient: Patient):
    return VisitRecord.objects.filter(patient=patient, undone_because="")


def _given(patient: Patient, took_place_at: str, performed_by: str) -> dict[str, str]:
    zone = patient.site.time_zone
    at = moments.happened(took_place_at, zone=zone, field="took_place_at")
    if moments.day_of(at, zone=zone) is None:
        raise Invalid("took_place_at", f"Give the day, as 2026-03-02; got {at!r}.")
    if not performed_by.strip():
        raise Invalid("performed_by", "Name who of the site saw or called the patient.")
    return {"took_place_at": at, "performed_by": performed_by.strip()}
