"""A form that is sent twice at the same moment, as a double click does, with real commits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests import factories
from trials.models import Consent
from trials.roles import Role

CONSENT = {
    "version": "2.0",
    "language": "de",
    "signed_at": "2026-03-01",
    "signatory": "patient",
    "obtained_by": "Dr Who",
    "copy_given": "yes",
}


@pytest.fixture
def patient(committed_db):
    return factories.make_patient(factories.make_site(factories.make_trial()))


def sendings(patient, submissions: list[str]) -> list[str]:
    """Where each sending leads, all sent at once from one session."""
    coordinator = factories.make_user(Role.COORDINATOR, trial=patient.trial, site=patient.site)
    session = Client()
    session.force_login(coordinator)
    together = Barrier(len(submissions))

    def press(submission: str) -> str:
        browser = Client()
        browser.cookies = session.cookies
        together.wait(10)
        try:
            address = reverse("consent_new", args=[patient.pk])
            return browser.post(address, CONSENT | {"submission": submission}).url
        finally:
            connection.close()

    with ThreadPoolExecutor(len(submissions)) as threads:
        return list(threads.map(press, submissions))


def test_one_form_sent_four_times_at_once_records_once(patient):
    pages = sendings(patient, ["a" * 32] * 4)
    assert pages == [reverse("patient", args=[patient.pk])] * 4
    assert Consent.objects.filter(patient=patient).count() == 1


def test_two_forms_sent_at_once_record_twice(patient):
    sendings(patient, ["a" * 32, "b" * 32])
    assert Consent.objects.filter(patient=patient).count() == 2
