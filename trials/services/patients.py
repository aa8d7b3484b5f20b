"""Registering patients and their consents."""

from __future__ import annotations

import secrets

from django.db.models import Max
from django.utils import timezone

from trials import permissions
from trials.models import Consent, Patient, Site, User
from trials.services import audit, moments
from trials.services.errors import Invalid, Refused

# Dates move back by 1 to 30 years: far enough to hide, never into the future.
SHIFT_DAYS = range(365, 30 * 365)


def register(site: Site, *, sex_at_birth: str, birth: str, by: User) -> Patient:
    """Give a person a number in the trial. Names and hospital numbers stay at the site."""
    permissions.require(by, "patient.screen", site)
    if sex_at_birth not in Patient.Sex.values:
        raise Invalid(
            "sex_at_birth",
            f"Sex at birth is F, M or U (unknown); got {sex_at_birth!r}.",
        )
    birth = moments.partial_date(birth, field="birth")
    with audit.action("patient.registered", actor=by, reason="screening", trial=site.trial_id):
        # Two registrations at one site wait for each other, so that numbers have no doubles.
        Site.objects.select_for_update().get(pk=site.pk)
        last = site.patients.aggregate(last=Max("number"))["last"] or 0
        return Patient.objects.create(
            trial_id=site.trial_id,
            site=site,
            number=last + 1,
            identifier=f"{site.code}-S{last + 1:03d}",
            screening_number=f"{site.code}-S{last + 1:03d}",
            sex_at_birth=sex_at_birth,
            birth=birth,
            date_shift_days=-secrets.choice(SHIFT_DAYS),
        )


def record_consent(
    patient: Patient,
    *,
    version: str,
    language: str,
    signed_at: str,
    signatory: str,
    obtained_by: str,
    copy_given: bool | None,
    by: User,
) -> Consent:
    """Record a consent as the paper says: who signed, when, which version, who explained it."""
    permissions.require(by, "consent.record", patient)
    signed_at = moments.partial_moment(signed_at, field="signed_at")
    if signed_at[:10] > timezone.now().date().isoformat():
        raise Invalid("signed_at", f"A consent can't be signed in the future; got {signed_at}.")
    if signatory not in Consent.Signatory.values:
        raise Invalid("signatory", "Say who signed: the patient or a legal representative.")
    with audit.action("consent.recorded", actor=by, reason="consent", trial=patient.trial_id):
        hold_still(patient)
        return Consent.objects.create(
            patient=patient,
            version=version,
            language=language,
            signed_at=signed_at,
            signatory=signatory,
            obtained_by=obtained_by,
            copy_given=copy_given,
        )


def withdraw_consent(consent: Consent, *, reason: str, by: User) -> None:
    """Withdrawal stops new collection; what was collected stays, and says so."""
    permissions.require(by, "consent.record", consent)
    audit.require_reason(reason)
    trial = consent.patient.trial_id
    with audit.action("consent.withdrawn", actor=by, reason=reason, trial=trial):
        patient = hold_still(consent.patient)
        consent.refresh_from_db(fields=["withdrawn_at"])
        if consent.withdrawn_at:
            raise Refused("already-withdrawn", "This consent was withdrawn before.")
        consent.withdrawn_at = timezone.now()
        consent.save(update_fields=["withdrawn_at"])
        if patient.state == Patient.State.ENROLLED:
            patient.state = Patient.State.WITHDRAWN
            patient.save(update_fields=["state"])


def hold_still(patient: Patient) -> Patient:
    """The patient as the record has it now, while nobody assesses or enrols. Inside an action."""
    return Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)


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
            f"{patient} withdrew consent: nothing new may be collected or uploaded.",
        )
    if patient.state == Patient.State.SCREEN_FAILED:
        raise Refused(
            "screening-ended",
            f"The screening of {patient} ended without enrolment: nothing new may be collected.",
        )
