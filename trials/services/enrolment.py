"""The end of screening: enrolment on an eligible verdict that still stands, or none."""

from __future__ import annotations

from trials import permissions
from trials.models import EligibilityAssessment, EligibilityCriterion, Patient, User
from trials.services import assessments, audit
from trials.services.errors import Refused

ENROLMENT = EligibilityCriterion.Gate.ENROLMENT
ELIGIBLE = EligibilityAssessment.Verdict.ELIGIBLE


def enrol(patient: Patient, *, by: User) -> Patient:
    """Enrol `patient` on the newest enrolment verdict, or refuse and say what is missing."""
    permissions.require(by, "patient.enrol", patient)
    reason = "eligible by the assessment in force"
    with audit.action("patient.enrolled", actor=by, reason=reason, trial=patient.trial_id):
        locked = _in_screening(patient)
        _require_eligible(locked)
        locked.state = Patient.State.ENROLLED
        locked.save(update_fields=["state"])
    return locked


def end_screening(patient: Patient, *, reason: str, by: User) -> Patient:
    """A patient who is not enrolled leaves; what was collected stays."""
    permissions.require(by, "patient.screen", patient)
    audit.require_reason(reason)
    with audit.action("patient.screen_failed", actor=by, reason=reason, trial=patient.trial_id):
        locked = _in_screening(patient)
        locked.state = Patient.State.SCREEN_FAILED
        locked.save(update_fields=["state"])
    return locked


def verdict_in_force(patient: Patient) -> EligibilityAssessment | None:
    """The newest enrolment assessment, if nothing it was made on has changed since."""
    return assessments.in_force(patient, gate=ENROLMENT)


def _in_screening(patient: Patient) -> Patient:
    locked = Patient.objects.select_for_update().get(pk=patient.pk)
    if locked.state != Patient.State.SCREENING:
        raise Refused("not-in-screening", f"{patient} is {locked.get_state_display().lower()}.")
    return locked


def _require_eligible(patient: Patient) -> None:
    verdict = verdict_in_force(patient)
    if verdict is None:
        raise Refused(
            "assess-first",
            "Assess eligibility first: there is no assessment of the evidence as it stands now.",
        )
    if verdict.verdict != ELIGIBLE:
        open_criteria = ", ".join(
            f"{result.criterion.identifier} ({result.word})"
            for result in verdict.results.select_related("criterion")
            if result.word in {"excludes", "cannot tell"}
        )
        raise Refused(
            "not-eligible",
            f"{patient} can't be enrolled. Criteria not satisfied: {open_criteria}.",
        )
