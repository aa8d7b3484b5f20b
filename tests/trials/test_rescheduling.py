"""Another time for a scan waits for whoever judges its patient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep

from django.db import connection

from tests import factories
from tests.factories import NOON
from trials.models import Patient
from trials.services import scans


def test_a_scan_under_assessment_gets_its_new_time_after_it(committed_db):
    site = factories.make_site(factories.make_trial())
    coordinator = factories.make_user("coordinator", trial=site.trial, site=site)
    scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)

    def reschedule() -> None:
        try:
            later = NOON + timedelta(days=3)
            scans.reschedule(scan, planned_at=later, reason="camera down", by=coordinator)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with factories.framed():
            # As an assessment does.
            Patient.objects.select_for_update(no_key=True).get(pk=scan.patient_id)
            moved = threads.submit(reschedule)
            sleep(0.3)
            scan.refresh_from_db()
            assert (moved.done(), scan.planned_at) == (False, NOON)
        moved.result(10)
    scan.refresh_from_db()
    assert scan.planned_at == NOON + timedelta(days=3)
