"""Enrolment stands on an assessment of the evidence as it is now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests import factories
from trials.models import (
    AuditEvent,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Patient,
)
from trials.roles import Role
from trials.services import consents, enrolment, evidence
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


def assessed(patient, by, verdict="eligible"):
    """A patient who consented and was assessed; an eligible verdict is signed."""
    factories.make_consent(patient, by=by)
    with factories.framed():
        made = EligibilityAssessment.objects.create(
            patient=patient,
            version=patient.site.version_in_force,
            gate=EligibilityCriterion.Gate.ENROLMENT,
            verdict=verdict,
            assessed_at=datetime.now(UTC),
            assessed_by=by,
            software_version="test",
        )
    if verdict == "eligible":
        factories.sign(made)
    return made


def add_evidence(patient, by):
    return evidence.record(
        patient,
        variable="creatinine",
        value=1.0,
        unit="mg/dL",
        observed_at="2026-03-01",
        is_study_specific=False,
        source="laboratory report",
        by=by,
    )


def test_an_eligible_patient_is_enrolled(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator)
    assert enrolment.enrol(patient, by=coordinator).state == Patient.State.ENROLLED


@pytest.mark.parametrize("verdict", ["ineligible", "not_evaluable"])
def test_any_other_verdict_refuses(site, coordinator, verdict):
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator, verdict)
    with pytest.raises(Refused) as refusal:
        enrolment.enrol(patient, by=coordinator)
    assert refusal.value.code == "not-eligible"


def test_evidence_after_the_assessment_asks_for_another(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator)
    add_evidence(patient, coordinator)
    with pytest.raises(Refused) as refusal:
        enrolment.enrol(patient, by=coordinator)
    assert refusal.value.code == "assess-first"


def test_enrolling_twice_is_refused(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator)
    enrolment.enrol(patient, by=coordinator)
    with pytest.raises(Refused) as refusal:
        enrolment.enrol(patient, by=coordinator)
    assert refusal.value.code == "not-in-screening"


def test_a_monitor_may_not_enrol(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator)
    monitor = factories.make_user(Role.MONITOR, trial=site.trial)
    with pytest.raises(Forbidden):
        enrolment.enrol(patient, by=monitor)


@pytest.mark.requirement("R61")
def test_identifiers_count_up_and_hold_nothing_of_the_patient(site, coordinator):
    identifiers = [factories.make_patient(site, by=coordinator).identifier for _ in range(3)]
    assert identifiers == [f"{site.code}-S{n:03d}" for n in (1, 2, 3)]


def test_a_patient_number_is_given_with_enrolment_and_the_screening_number_stays(site, coordinator):
    factories.make_patient(site, by=coordinator)
    patient = factories.make_patient(site, by=coordinator)
    assessed(patient, coordinator)
    enrolled = enrolment.enrol(patient, by=coordinator)
    assert (enrolled.identifier, enrolled.screening_number) == (
        f"{site.code}-001",
        f"{site.code}-S002",
    )


@pytest.mark.requirement("R121")
def test_withdrawal_stops_new_evidence_and_keeps_the_old(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    add_evidence(patient, coordinator)
    consent = patient.consents.get()
    consents.withdraw(consent, reason="patient's wish", by=coordinator)
    patient.refresh_from_db()
    with pytest.raises(Refused) as refusal:
        add_evidence(patient, coordinator)
    assert refusal.value.code == "withdrawn"
    assert patient.evidence.count() == 1


def test_a_corrected_value_stays_beside_the_new_one(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    old = add_evidence(patient, coordinator)
    new = evidence.correct(
        old,
        value=1.1,
        unit="mg/dL",
        observed_at="2026-03-01",
        source="laboratory report",
        reason="typing error",
        by=coordinator,
    )
    old.refresh_from_db()
    assert (old.superseded_by, old.value, new.value) == (new, 1.0, 1.1)


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("reason", ["", "  ", ".", "--"])
def test_a_correction_without_a_reason_is_refused(site, coordinator, reason):
    old = add_evidence(factories.make_patient(site, by=coordinator), coordinator)
    with pytest.raises(Refused) as refusal:
        evidence.correct(
            old,
            value=2.0,
            unit="mg/dL",
            observed_at="2026-03-01",
            source="x",
            reason=reason,
            by=coordinator,
        )
    assert refusal.value.field == "reason"


def test_a_screening_that_ends_leaves_the_patient_and_stops_collection(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    add_evidence(patient, coordinator)
    ended = enrolment.end_screening(patient, reason="eGFR 22", by=coordinator)
    assert ended.state == Patient.State.SCREEN_FAILED
    assert patient.evidence.count() == 1
    with pytest.raises(Refused) as refusal:
        add_evidence(ended, coordinator)
    assert refusal.value.code == "screening-ended"


def test_the_screening_of_an_enrolled_patient_has_ended(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    with pytest.raises(Refused) as refusal:
        enrolment.end_screening(patient, reason="a mistake", by=coordinator)
    assert refusal.value.code == "not-in-screening"


def test_a_value_of_a_patient_whose_screening_ended_is_still_corrected(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    old = add_evidence(patient, coordinator)
    enrolment.end_screening(patient, reason="eGFR 22", by=coordinator)
    new = evidence.correct(
        Evidence.objects.get(pk=old.pk),
        value=1.1,
        unit="mg/dL",
        observed_at="2026-03-01",
        source="laboratory report",
        reason="typing error",
        by=coordinator,
    )
    old.refresh_from_db()
    assert old.superseded_by == new


@pytest.mark.parametrize("reason", ["", " . "])
def test_a_screening_that_ends_needs_a_reason(site, coordinator, reason):
    patient = factories.make_patient(site, by=coordinator)
    with pytest.raises(Invalid) as refusal:
        enrolment.end_screening(patient, reason=reason, by=coordinator)
    assert refusal.value.field == "reason"


def test_the_end_of_a_screening_is_on_the_trail_with_its_reason(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    enrolment.end_screening(patient, reason="eGFR 22", by=coordinator)
    event = AuditEvent.objects.get(action="patient.screen_failed", row=str(patient.pk))
    assert (event.reason, event.actor) == ("eGFR 22", coordinator.pk)
