"""Withdrawal of consent: it ends the collection, whatever else happens at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from django.db import connection

from tests import factories
from trials.models import Consent, Patient
from trials.services import consents, evidence
from trials.services.errors import Invalid, Refused

REASON = "patient's wish"


@pytest.fixture
def patient(committed_db):
    return factories.make_patient(factories.make_site(factories.make_trial()))


@pytest.fixture
def coordinator(patient):
    return factories.make_user("coordinator", trial=patient.trial, site=patient.site)


@pytest.fixture
def consent(patient, coordinator) -> Consent:
    return consents.record(
        patient,
        version="1.0",
        language="en",
        signed_at="2026-03-01",
        signatory="patient",
        obtained_by="I. Investigator",
        copy_given=True,
        by=coordinator,
    )


def test_a_withdrawal_waits_for_the_enrolment_under_way_and_undoes_it(
    patient, coordinator, consent
):
    def withdraw() -> None:
        try:
            consents.withdraw(consent, reason=REASON, by=coordinator)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with factories.framed():
            enrolling = Patient.objects.select_for_update().get(pk=patient.pk)
            withdrawn = threads.submit(withdraw)
            sleep(0.3)
            enrolling.state = Patient.State.ENROLLED
            enrolling.save(update_fields=["state"])
        withdrawn.result(10)
    patient.refresh_from_db()
    assert patient.state == Patient.State.WITHDRAWN


def test_after_withdrawal_in_screening_nothing_is_collected(patient, coordinator, consent):
    consents.withdraw(consent, reason=REASON, by=coordinator)
    with pytest.raises(Refused, match="nothing new may be collected"):
        evidence.record(
            patient,
            variable="weight",
            value=70,
            unit="kg",
            observed_at="2026-03-02",
            is_study_specific=True,
            source="scales",
            by=coordinator,
        )


def test_a_withdrawal_needs_a_reason_and_happens_once(coordinator, consent):
    with pytest.raises(Invalid, match="Say why"):
        consents.withdraw(consent, reason=" . ", by=coordinator)
    same = Consent.objects.get(pk=consent.pk)
    consents.withdraw(consent, reason=REASON, by=coordinator)
    with pytest.raises(Refused, match="withdrawn before"):
        consents.withdraw(same, reason=REASON, by=coordinator)
