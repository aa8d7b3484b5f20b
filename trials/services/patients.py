"""Patients: registered for screening, screened again, and whether they still take part."""

from __future__ import annotations

import secrets

from django.db.models import Max
from django.utils import timezone

from trials import permissions
from trials.models import Patient, Site, Trial, User
from trials.services import audit, moments
from trials.services.errors import Invalid, Refused

# Dates move back by 1 to 30 years: far enough to hide, never into the future.
SHIFT_DAYS = range(365, 30 * 365)


def register(site: Site, *, sex_at_birth: str, birth: str, by: User) -> Patient:
    """Give a person a screening number. Names and hospital numbers stay at the site."""
    permissions.require(by, "patient.screen", site)
    birth = _described(sex_at_birth, birth)
    with audit.action("patient.registered", actor=by, reason="screening", trial=site.trial_id):
        return _create(
            site,
            sex_at_birth=sex_at_birth,
            birth=birth,
            date_shift_days=-secrets.choice(SHIFT_DAYS),
        )


def correct(patient: Patient, *, sex_at_birth: str, birth: str, reason: str, by: User) -> Patient:
    """Correct sex at birth or date of birth; verdicts that were made before end."""
    permissions.require(by, "patient.screen", patient)
    audit.require_reason(reason)
    birth = _described(sex_at_birth, birth)
    with audit.action(
        "patient.corrected",
        actor=by,
        reason=reason,
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        locked = hold_still(patient)
        if (locked.sex_at_birth, locked.birth) == (sex_at_birth, birth):
            raise Refused("nothing-changed", "Sex and date of birth are recorded so already.")
        locked.sex_at_birth, locked.birth = sex_at_birth, birth
        locked.described_at = timezone.now()
        locked.save(update_fields=["sex_at_birth", "birth", "described_at"])
    return locked


def _described(sex_at_birth: str, birth: str) -> str:
    """The date of birth as it is kept; raises Invalid for what can be neither sex nor birth."""
    if sex_at_birth not in Patient.Sex.values:
        raise Invalid(
            "sex_at_birth",
            f"Sex at birth is F, M or U (unknown); got {sex_at_birth!r}.",
        )
    return moments.partial_date(birth, field="birth")


def rescreen(patient: Patient, *, reason: str, by: User) -> Patient:
    """Screen a person again whose screening failed: a new number, linked to the earlier one."""
    permissions.require(by, "patient.screen", patient)
    audit.require_reason(reason)
    with audit.action("patient.rescreened", actor=by, reason=reason, trial=patient.trial_id):
        earlier = Patient.objects.select_for_update().get(pk=patient.pk)
        if earlier.state != Patient.State.SCREEN_FAILED:
            raise Refused(
                "not-screen-failed",
                f"{earlier} is {earlier.get_state_display().lower()}: only who failed screening "
                "is screened again.",
            )
        if Patient.objects.filter(rescreening_of=earlier).exists():
            raise Refused("rescreened-already", f"{earlier} was screened again already.")
        return _create(
            earlier.site,
            sex_at_birth=earlier.sex_at_birth,
            birth=earlier.birth,
            date_shift_days=earlier.date_shift_days,
            rescreening_of=earlier,
        )


def _create(site: Site, **fields) -> Patient:
    """The next screening of a site. Inside an action."""
    # Two registrations at one site wait for each other, so that numbers have no doubles.
    Site.objects.select_for_update().get(pk=site.pk)
    last = site.patients.aggregate(last=Max("number"))["last"] or 0
    number = f"{site.code}-S{last + 1:03d}"
    return Patient.objects.create(
        trial_id=site.trial_id,
        site=site,
        number=last + 1,
        identifier=number,
        screening_number=number,
        **fields,
    )


def hold_still(patient: Patient) -> Patient:
    """The patient as the record has it now, while nobody assesses or enrols. Inside an action."""
    return Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)


def hold_all_still(trial: Trial) -> None:
    """Wait for whoever assesses or enrols a patient of the trial. Inside an action."""
    rows = Patient.objects.filter(trial=trial).order_by("pk").select_for_update(no_key=True)
    list(rows.values_list("pk"))


def require_consent_stands(patient: Patient) -> None:
    """Raise when every consent of the patient was withdrawn; before the first one is no matter."""
    consents = patient.consents.all()
    if consents.exists() and not consents.filter(withdrawn_at=None).exists():
        raise Refused(
            "withdrawn", f"{patient} withdrew consent: nothing new may be collected or uploaded."
        )


def require_participation(patient: Patient) -> None:
    """Raise unless new data may still be collected of this patient."""
    if patient.state == Patient.State.WITHDRAWN:
        raise Refused(
            "withdrawn",
            f"{patient} withdrew: nothing new may be collected or uploaded.",
        )
    if patient.state == Patient.State.SCREEN_FAILED:
        raise Refused(
            "screening-ended",
            f"The screening of {patient} ended without enrolment: nothing new may be collected.",
        )
