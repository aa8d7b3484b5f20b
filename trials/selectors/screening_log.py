"""The screening log: what became of everyone who was screened, a by-product of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from trials.models import EligibilityAssessment, Patient
from trials.selectors.patients import with_standing

Verdict = EligibilityAssessment.Verdict
HEADER = (
    "trial",
    "site",
    "screening_number",
    "screened_on",
    "sex_at_birth",
    "consented_on",
    "verdict",
    "outcome",
    "ended_on",
    "reason",
    "criteria",
    "screened_before_as",
    "patient_number",
)


@dataclass(frozen=True)
class Line:
    """One screening: no birth date, no name, nothing that is not needed to account for it."""

    patient: Patient
    screened_on: str
    consented_on: str
    verdict: str
    outcome: str
    ended_on: str
    reason: str
    criteria: str
    earlier: str
    number: str

    def cells(self) -> tuple[str, ...]:
        patient = self.patient
        return (
            patient.trial.identifier,
            patient.site.code,
            patient.screening_number,
            self.screened_on,
            patient.sex_at_birth,
            self.consented_on,
            self.verdict,
            self.outcome,
            self.ended_on,
            self.reason,
            self.criteria,
            self.earlier,
            self.number,
        )


def lines(patients: QuerySet[Patient]) -> Iterator[Line]:
    """Every screening in the order of its number; a fixed number of queries."""
    rows = with_standing(patients).prefetch_related(
        "consents", "screen_failure", "enrolment", "rescreening_of"
    )
    for patient in rows.order_by("trial__identifier", "site__code", "number"):
        yield _line(patient)


def _line(patient: Patient) -> Line:
    failure = getattr(patient, "screen_failure", None)
    enrolment = getattr(patient, "enrolment", None)
    signed = sorted(one.signed_at[:10] for one in patient.consents.all())
    ended = failure.ended_at if failure else enrolment.enrolled_at if enrolment else None
    return Line(
        patient=patient,
        screened_on=_day(patient, patient.registered_at),
        consented_on=signed[0] if signed else "",
        verdict=str(Verdict(patient.verdict).label) if patient.verdict else "Not assessed",
        outcome=_outcome(patient, enrolment),
        ended_on=_day(patient, ended) if ended else "",
        reason=f"{failure.get_category_display()}: {failure.text}" if failure else "",
        criteria=", ".join(failure.criteria) if failure else "",
        earlier=patient.rescreening_of.screening_number if patient.rescreening_of else "",
        number=patient.identifier if enrolment else "",
    )


def _day(patient: Patient, at: datetime) -> str:
    """The day on the calendar of the site."""
    return f"{at.astimezone(ZoneInfo(patient.site.time_zone)):%Y-%m-%d}"


def _outcome(patient: Patient, enrolment) -> str:
    if enrolment and enrolment.is_despite_criteria:
        return "Enrolled despite criteria"
    return str(patient.get_state_display())
