"""Consent: as the paper says it, whether it stands, and who has to be asked again.

The paper is the truth: what was signed is recorded even where the form was not approved or
the person not delegated, and both become a query or a deviation. The one mistake to fear is
taking "was signed once" for "consents today".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from trials import permissions, spans
from trials.models import Consent, ConsentVersion, Patient, Site, User
from trials.services import audit, delegations, deviations, holding, moments, patients, queries
from trials.services.errors import Invalid, Refused

ENDED = {Patient.State.SCREEN_FAILED, Patient.State.WITHDRAWN}
OPTIONS = {
    "biobank": "Samples kept in a biobank",
    "image_sharing": "Images shared for research",
    "second_scan": "A second scan",
}
# The rule by which a consent on a form that was not approved that day is a deviation.
NOT_IN_FORCE = "consent-form-not-in-force"


@dataclass(frozen=True)
class Standing:
    """Whether a patient consents today, and whether a newer form has to be signed."""

    is_valid: bool
    is_reconsent_due: bool
    sentence: str
    consent: Consent | None = None


def record(
    patient: Patient,
    *,
    version: str,
    language: str,
    signed_at: str,
    signatory: str,
    obtained_by: str,
    copy_given: bool | None,
    by: User,
    obtained_by_user: User | None = None,
    options: dict[str, Any] | None = None,
) -> Consent:
    """Record a consent as the paper says: who signed, when, which version, who explained it."""
    permissions.require(by, "consent.record", patient)
    signed_at = moments.happened(signed_at, zone=patient.site.time_zone, field="signed_at")
    _check(signatory, options or {})
    if not (obtained_by.strip() or obtained_by_user):
        raise Invalid("obtained_by", "Name who explained the trial.")
    with audit.action("consent.recorded", actor=by, reason="consent", trial=patient.trial_id):
        # Who records a form or delegates meanwhile waits for this, and finds the consent.
        holding.shared(Site, patient.site_id)
        locked = patients.hold_still(patient)
        if locked.state in ENDED:
            raise Refused(
                "participation-ended",
                f"{locked} is {locked.get_state_display().lower()}: a consent is recorded while "
                "a patient is screened or takes part.",
            )
        consent = Consent.objects.create(
            patient=locked,
            version=version,
            language=language,
            signed_at=signed_at,
            signatory=signatory,
            obtained_by=obtained_by or str(obtained_by_user or ""),
            obtained_by_user=obtained_by_user,
            copy_given=copy_given,
            options=options or {},
        )
        _judge(consent)
    return consent


def withdraw(consent: Consent, *, reason: str, by: User) -> None:
    """Withdraw one consent; with the last one in force the patient leaves the trial."""
    permissions.require(by, "consent.record", consent)
    audit.require_reason(reason)
    trial = consent.patient.trial_id
    with audit.action("consent.withdrawn", actor=by, reason=reason, trial=trial):
        patient = patients.hold_still(consent.patient)
        consent.refresh_from_db(fields=["withdrawn_at"])
        if consent.withdrawn_at:
            raise Refused("already-withdrawn", "This consent was withdrawn before.")
        consent.withdrawn_at = timezone.now()
        consent.save(update_fields=["withdrawn_at"])
        others = patient.consents.filter(withdrawn_at=None)
        if patient.state == Patient.State.ENROLLED and not others.exists():
            patient.state = Patient.State.WITHDRAWN
            patient.save(update_fields=["state"])


def standing(patient: Patient, *, at: datetime | None = None) -> Standing:
    """Whether a patient consents, on a form that was in force when it was signed.

    Today, or at a moment: what was signed later or withdrawn since says nothing of it. Of several
    consents the one that was signed last counts, whichever was typed last.
    """
    zone = ZoneInfo(patient.site.time_zone)
    at = at or spans.span(patient.site.today().isoformat(), zone).last
    given = _given(patient, at=at)
    if not given:
        return Standing(False, False, _none_in_force(patient))
    approved = [one for one in given if form_of(one) is not None]
    if not approved:
        return Standing(
            False,
            False,
            f"Consent {given[-1].version} was not approved at {patient.site} when it was signed.",
        )
    newest = approved[-1]
    asked = asked_again(patient.site, on=at.astimezone(zone).date())
    if asked and not any(one.version in {form.version for form in asked} for one in approved):
        return Standing(
            False,
            True,
            f"Consent {newest.version} has to be renewed: {asked[0].version} is in force since "
            f"{asked[0].valid_from} and every patient has to sign it.",
            newest,
        )
    signed = moments.words(newest.signed_at, zone=patient.site.time_zone)
    return Standing(True, False, f"Consent {newest.version} of {signed}.", newest)


def asked_again(site: Site, *, on: date) -> list[ConsentVersion]:
    """The newest forms that every patient has to sign, in each language."""
    forms = [
        one
        for one in site.consent_versions.all()
        if one.requires_reconsent and one.valid_from <= on
    ]
    newest = max((one.valid_from for one in forms), default=None)
    return [one for one in forms if one.valid_from == newest]


def form_of(consent: Consent) -> ConsentVersion | None:
    """The approved form a consent was signed on; None if it was not approved that day."""
    site = consent.patient.site
    signed = spans.span(consent.signed_at, ZoneInfo(site.time_zone))
    first, last = (
        at.astimezone(ZoneInfo(site.time_zone)).date() for at in (signed.first, signed.last)
    )
    for form in site.consent_versions.all():
        same = (form.version, form.language) == (consent.version, consent.language)
        if same and form.valid_from <= last and (form.valid_until or first) >= first:
            return form
    return None


def to_reconsent(site: Site) -> list[tuple[Patient, Standing]]:
    """The patients of a site who have to sign a newer form."""
    rows = site.patients.exclude(state__in=ENDED).order_by("identifier")
    found = [
        (patient, standing(patient))
        for patient in rows.select_related("site", "trial").prefetch_related(
            "consents__patient__site__consent_versions", "site__consent_versions"
        )
    ]
    return [(patient, one) for patient, one in found if one.is_reconsent_due]


def forms_in_force(site: Site, *, on: date | None = None) -> list[ConsentVersion]:
    """The forms that may be signed at a site on a day, the newest first."""
    on = on or site.today()
    valid = Q(valid_until__isnull=True) | Q(valid_until__gte=on)
    return list(site.consent_versions.filter(valid, valid_from__lte=on))


def judge_form(form: ConsentVersion) -> None:
    """Hold what was signed on a form to it again. Inside the action that recorded it."""
    signed = {"version": form.version, "language": form.language}
    rows = Consent.objects.filter(patient__site=form.site_id, **signed).order_by("pk")
    for consent in rows.select_related("patient__site").select_for_update(of=("self",)):
        _judge_form(consent)


def _given(patient: Patient, *, at: datetime) -> list[Consent]:
    """The consents signed by a moment and not withdrawn by then, in the order of signature."""
    zone = ZoneInfo(patient.site.time_zone)
    signed = [(spans.span(one.signed_at, zone).first, one) for one in patient.consents.all()]
    signed.sort(key=lambda pair: (pair[0], pair[1].pk))
    return [
        one
        for first, one in signed
        if first <= at and (one.withdrawn_at is None or one.withdrawn_at > at)
    ]


def _none_in_force(patient: Patient) -> str:
    # What was withdrawn meanwhile is none of them.
    later = _given(patient, at=spans.END)
    if not later:
        return "No consent is in force."
    signed = moments.words(later[0].signed_at, zone=patient.site.time_zone)
    return f"Consent {later[0].version} was signed on {signed}, and none was in force before."


def _check(signatory: str, options: dict[str, Any]) -> None:
    if signatory not in Consent.Signatory.values:
        expected = ", ".join(Consent.Signatory.values)
        raise Invalid("signatory", f"Say who signed: {expected}; got {signatory!r}.")
    strange = sorted(set(options) - set(OPTIONS))
    if strange or not all(isinstance(one, bool) for one in options.values()):
        raise Invalid("options", f"Options are {', '.join(OPTIONS)}, each given or refused.")


def _judge(consent: Consent) -> None:
    """What about a consent is not as it should be. Inside the action that recorded it."""
    _judge_form(consent)
    finding = delegations.not_to_consent(consent)
    deviations.judge_by_rule(consent, rule=delegations.NOT_TO_CONSENT, finding=finding)


def _judge_form(consent: Consent) -> None:
    """Whether its form was approved that day: else a deviation and a question, or neither more."""
    finding = _not_in_force(consent)
    deviations.judge_by_rule(consent, rule=NOT_IN_FORCE, finding=finding)
    if finding:
        text = "Was the version read rightly? If so, the patient has to sign one in force."
        queries.raise_by_rule(consent, rule=NOT_IN_FORCE, text=text)
    else:
        text = "The form was recorded since, as approved when this was signed."
        queries.settle_by_rule(consent, rule=NOT_IN_FORCE, text=text)


def _not_in_force(consent: Consent) -> deviations.Finding | None:
    if form_of(consent) is not None:
        return None
    site = consent.patient.site
    forms = ", ".join(f"{one.version} ({one.language})" for one in forms_in_force(site))
    signed = f"{consent.version} ({consent.language})"
    text = (
        f"Consent {signed} was not approved at {site} on {consent.signed_at}. "
        f"In force is {forms or 'none'}."
    )
    return text, {"found": signed, "expected": forms}
