"""The end of screening: enrolment on a signed verdict that still stands, or none.

There is no waiver. Who is not eligible is not enrolled; where it happened on paper all the
same, it is recorded as an important deviation that the investigator signs, and the patient is
never shown as eligible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trials import permissions
from trials.models import (
    Cohort,
    Delegation,
    Deviation,
    EligibilityAssessment,
    EligibilityCriterion,
    Enrolment,
    Patient,
    ScreenFailure,
    Signature,
    Site,
    Trial,
    User,
)
from trials.services import (
    audit,
    cohorts,
    consents,
    delegations,
    deviations,
    sites,
    verdicts,
)
from trials.services.errors import Invalid, Refused

ENROLMENT = EligibilityCriterion.Gate.ENROLMENT
ELIGIBLE = EligibilityAssessment.Verdict.ELIGIBLE
OPEN_WORDS = {"excludes", "cannot tell"}


@dataclass(frozen=True)
class Condition:
    """Something enrolment asks for: whether it is there, and what was found."""

    code: str
    label: str
    is_met: bool
    sentence: str


def enrol(patient: Patient, *, cohort: str | None = None, by: User) -> Patient:
    """Enrol `patient` if everything it takes is there, or refuse with all that is missing."""
    permissions.require(by, "patient.enrol", patient)
    reason = "eligible by the signed assessment in force"
    with audit.action("patient.enrolled", actor=by, reason=reason, trial=patient.trial_id):
        # Two people may enrol into the last place of a cohort: the second one waits, and counts.
        Trial.objects.select_for_update(no_key=True).get(pk=patient.trial_id)
        locked = _in_screening(patient)
        _require(conditions(locked, by=by, cohort=cohort))
        verdict = verdict_in_force(locked)
        return _enrol(
            locked,
            by=by,
            cohort=cohort,
            assessment=verdict,
            signature=verdict and verdicts.signature_in_force(verdict),
        )


def conditions(patient: Patient, *, by: User, cohort: str | None = None) -> list[Condition]:
    """The checklist of an enrolment, in the order it is worked through."""
    return [
        _by_rule("site-not-active", "Site active", lambda: sites.require_active(patient.site)),
        _by_rule(
            "not-delegated",
            "Delegated to enrol",
            lambda: delegations.require(by, Delegation.Duty.ENROL, patient.site),
        ),
        _consent(patient),
        *_verdict(patient),
        *_cohort(patient, cohort),
    ]


def record_despite(
    patient: Patient, *, text: str, cohort: str | None = None, password: str, by: User
) -> Deviation:
    """Record that a patient was enrolled though not eligible: a signed, important deviation."""
    permissions.require(by, "patient.enrol_despite", patient)
    delegations.require(by, Delegation.Duty.SIGN, patient.site)
    if not text.strip():
        raise Invalid("text", "Say how it came that the patient was enrolled.")
    with audit.action("patient.enrolled_despite", actor=by, reason=text, trial=patient.trial_id):
        Trial.objects.select_for_update(no_key=True).get(pk=patient.trial_id)
        locked = _in_screening(patient)
        verdict = verdict_in_force(locked)
        if verdict and verdict.verdict == ELIGIBLE:
            raise Refused("is-eligible", f"{locked} is eligible by the assessment: enrol as usual.")
        found = _failing(verdict) if verdict else "not assessed as the record stands"
        deviation = deviations.record_important(
            locked,
            rule="enrolled-not-eligible",
            text=f"Enrolled though not eligible ({found}). {text.strip()}",
            values={"found": found, "expected": "eligible"},
            by=by,
        )
        signature = deviations.sign(deviation, password=password, by=by)
        _enrol(locked, by=by, cohort=cohort, assessment=verdict, signature=signature, despite=True)
    return deviation


def end_screening(
    patient: Patient,
    *,
    reason: str,
    by: User,
    category: str = ScreenFailure.Category.OTHER,
) -> Patient:
    """A patient who is not enrolled leaves; what was collected stays."""
    permissions.require(by, "patient.screen", patient)
    audit.require_reason(reason)
    if category not in ScreenFailure.Category.values:
        expected = ", ".join(ScreenFailure.Category.values)
        raise Invalid("category", f"The category is one of {expected}; got {category!r}.")
    with audit.action("patient.screen_failed", actor=by, reason=reason, trial=patient.trial_id):
        locked = _in_screening(patient)
        ScreenFailure.objects.create(
            patient=locked,
            category=category,
            criteria=failing_criteria(locked),
            text=reason.strip(),
            ended_by=by,
        )
        locked.state = Patient.State.SCREEN_FAILED
        locked.save(update_fields=["state"])
    return locked


def failing_criteria(patient: Patient) -> list[str]:
    """The criteria that excluded at the newest assessment, or else could not be told."""
    newest = patient.assessments.filter(gate=ENROLMENT).first()
    if newest is None:
        return []
    results = newest.results.select_related("criterion")
    words = {one.criterion.identifier: one.word for one in results}
    excluding = [name for name, word in words.items() if word == "excludes"]
    return excluding or [name for name, word in words.items() if word == "cannot tell"]


def verdict_in_force(patient: Patient) -> EligibilityAssessment | None:
    """The newest enrolment assessment, if nothing it was made on has changed since."""
    return verdicts.in_force(patient, gate=ENROLMENT)


def _enrol(
    patient: Patient,
    *,
    by: User,
    cohort: str | None,
    assessment: EligibilityAssessment | None,
    signature: Signature | None,
    despite: bool = False,
) -> Patient:
    """The enrolment and the patient's number. Inside an action that holds trial and patient."""
    Enrolment.objects.create(
        patient=patient,
        assessment=assessment,
        signature=signature,
        consent=consents.standing(patient).consent,
        cohort=_named_cohort(patient, cohort),
        is_despite_criteria=despite,
        enrolled_by=by,
    )
    patient.state = Patient.State.ENROLLED
    patient.identifier = _next_identifier(patient.site)
    patient.save(update_fields=["state", "identifier"])
    return patient


def _next_identifier(site: Site) -> str:
    """The next patient number of a site; the caller holds the trial."""
    taken = Patient.objects.filter(site=site, enrolment__isnull=False)
    numbers = [
        int(one.rsplit("-", 1)[1])
        for one in taken.values_list("identifier", flat=True)
        if one.rsplit("-", 1)[1].isdigit()
    ]
    return f"{site.code}-{max(numbers, default=0) + 1:03d}"


def _named_cohort(patient: Patient, cohort: str | None) -> Cohort | None:
    if not cohort:
        return None
    version = patient.site.version_in_force
    found = version.cohorts.filter(identifier=cohort).first() if version else None
    if found is None:
        raise Invalid("cohort", f"The protocol version in force has no cohort {cohort!r}.")
    return found


def _in_screening(patient: Patient) -> Patient:
    locked = Patient.objects.select_for_update().get(pk=patient.pk)
    if locked.state != Patient.State.SCREENING:
        raise Refused("not-in-screening", f"{patient} is {locked.get_state_display().lower()}.")
    return locked


def _require(found: list[Condition]) -> None:
    lacking = [one for one in found if not one.is_met]
    if lacking:
        raise Refused(lacking[0].code, " ".join(one.sentence for one in lacking))


def _by_rule(code: str, label: str, require) -> Condition:
    try:
        require()
    except Refused as refusal:
        return Condition(code, label, is_met=False, sentence=refusal.message)
    return Condition(code, label, is_met=True, sentence="")


def _consent(patient: Patient) -> Condition:
    standing = consents.standing(patient)
    code = "reconsent-due" if standing.is_reconsent_due else "no-valid-consent"
    return Condition(code, "Valid consent", standing.is_valid, standing.sentence)


def _verdict(patient: Patient) -> Iterator[Condition]:
    verdict = verdict_in_force(patient)
    if verdict is None:
        yield Condition(
            "assess-first",
            "Eligible",
            is_met=False,
            sentence="Assess eligibility first: there is no assessment of the evidence as it "
            "stands now.",
        )
        return
    is_eligible = verdict.verdict == ELIGIBLE
    sentence = (
        "Eligible by the assessment in force."
        if is_eligible
        else f"{patient} can't be enrolled. Criteria not satisfied: {_failing(verdict)}."
    )
    yield Condition("not-eligible", "Eligible", is_eligible, sentence)
    if is_eligible:
        signature = verdicts.signature_in_force(verdict)
        signed = (
            f"Signed by {signature.signer_name}."
            if signature
            else ("The verdict is not signed: let an investigator who is delegated to sign it.")
        )
        yield Condition("not-signed", "Verdict signed", signature is not None, signed)


def _failing(verdict: EligibilityAssessment) -> str:
    results = verdict.results.select_related("criterion")
    return ", ".join(
        f"{one.criterion.identifier} ({one.word})" for one in results if one.word in OPEN_WORDS
    )


def _cohort(patient: Patient, cohort: str | None) -> Iterator[Condition]:
    version = patient.site.version_in_force
    rooms = cohorts.rooms(version) if version else []
    if not rooms:
        return
    if cohort is None:
        is_any = any(room.is_open for room in rooms)
        sentence = "Choose a cohort: " + "; ".join(room.sentence for room in rooms) + "."
        yield Condition(
            "no-cohort" if is_any else "cohort-full", "Cohort with room", False, sentence
        )
        return
    room = next((one for one in rooms if one.cohort.identifier == cohort), None)
    if room is None:
        names = ", ".join(one.cohort.identifier for one in rooms)
        raise Invalid("cohort", f"The cohorts are {names}; got {cohort!r}.")
    code = "cohort-closed" if room.is_closed else "cohort-full"
    yield Condition(code, "Cohort with room", room.is_open, f"{room.sentence}.")
