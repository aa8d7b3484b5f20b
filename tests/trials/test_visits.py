"""Visits without a scan: recorded, corrected, taken back, and what the schedule makes of them."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials.models import AuditEvent, PlannedVisit, VisitRecord
from trials.roles import Role
from trials.selectors import schedule
from trials.services import jobs, protocols, visits
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()


def day(days):
    return (timezone.localdate() - timedelta(days=days)).isoformat()


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def patient(site, coordinator):
    row = factories.make_enrolled(site, by=coordinator)
    with factories.framed():
        row.consents.update(signed_at=day(10))
    return row


@pytest.fixture
def record(site, patient, coordinator):
    def make(visit="SCREEN", at=None, **changes):
        planned = PlannedVisit.objects.get(version=site.version_in_force, identifier=visit)
        given = {"took_place_at": at or day(9), "performed_by": "Nurse Joy", "by": coordinator}
        return visits.record(patient, visit=planned, **given | changes)

    return make


def standing(patient, visit="SCREEN"):
    (one,) = [
        one
        for one in schedule.visits_of(type(patient).objects.get(pk=patient.pk))
        if one.dated.visit.identifier == visit
    ]
    return one.dated


def waits(patient):
    return [one.visit for one in schedule.worklist(type(patient).objects.filter(pk=patient.pk))]


def test_a_visit_waits_on_the_worklist_until_it_is_recorded(patient, record):
    assert standing(patient).standing == "overdue"
    assert "SCREEN" in waits(patient)
    record()
    assert standing(patient).standing == "done"
    assert "SCREEN" not in waits(patient)


def test_one_before_its_window_is_told_to_be_early(patient, record):
    record(at=day(12))
    one = standing(patient)
    assert one.standing == "done outside its window"
    assert one.off_by < timedelta(days=-1)


def test_a_visit_is_recorded_once_and_again_when_it_was_taken_back(patient, record, coordinator):
    first = record()
    with pytest.raises(Refused, match="correct it"):
        record()
    visits.undo(first, reason="another patient", by=coordinator)
    assert standing(patient).standing == "overdue"
    with pytest.raises(Refused, match="taken back"):
        visits.undo(first, reason="again", by=coordinator)
    record()
    assert VisitRecord.objects.filter(patient=patient).count() == 2


def test_a_correction_says_why_and_the_trail_has_both(patient, record, coordinator):
    row = record(at=day(12))
    given = {"took_place_at": day(8), "performed_by": "Nurse Joy", "by": coordinator}
    with pytest.raises(Invalid):
        visits.correct(row, reason=" ", **given)
    visits.correct(row, reason="digit misread", **given)
    assert standing(patient).standing == "done"
    event = AuditEvent.objects.filter(table="trials_visitrecord").latest("pk")
    assert (event.action, event.reason) == ("visit.corrected", "digit misread")
    assert (event.before["took_place_at"], event.after["took_place_at"]) == (day(12), day(8))


def test_what_did_not_happen_or_belongs_to_a_scan_is_refused(record):
    with pytest.raises(Invalid, match="lies ahead"):
        record(at=day(-2))
    with pytest.raises(Invalid, match="Give the day"):
        record(at=day(9)[:7])
    with pytest.raises(Invalid, match="who of the site"):
        record(performed_by=" ")
    with pytest.raises(Refused, match="tracer was given"):
        record(visit="PET1")


def test_only_who_schedules_scans_records_visits(site, record):
    technologist = factories.make_user(Role.TECHNOLOGIST, trial=site.trial, site=site)
    with pytest.raises(Forbidden):
        record(by=technologist)


def test_the_pages_record_correct_and_take_back(client, patient, coordinator):
    client.force_login(coordinator)
    page = reverse("patient", args=[patient.pk])
    address = reverse("visit_record", args=[patient.pk, "SCREEN"])
    assert address in client.get(page).content.decode()
    assert address in client.get(reverse("worklist")).content.decode()
    sent = {"took_place_at": day(9), "performed_by": "Nurse Joy"}
    assert client.post(address, sent).url == f"{page}#schedule"
    row = VisitRecord.objects.get()
    shown = unescape(client.get(page).content.decode())
    assert "held by Nurse Joy" in shown
    correct, undo = (reverse(name, args=[row.pk]) for name in ("visit_correct", "visit_undo"))
    assert correct in shown
    assert client.post(correct, sent).status_code == 422
    assert client.post(correct, sent | {"reason": "by the diary"}).status_code == 302
    assert client.post(undo, {"reason": "another patient"}).status_code == 302
    assert "Nurse Joy" not in client.get(page).content.decode()


def test_the_interface_does_the_same(client, patient, coordinator):
    client.force_login(coordinator)
    path = f"/api/v1/patients/{patient.pk}"
    sent = {"visit": "SCREEN", "took_place_at": day(9), "performed_by": "Nurse Joy"}
    made = client.post(f"{path}/visits/", sent, "application/json")
    assert made.status_code == 201, made.content
    lines = client.get(f"{path}/schedule/").json()["results"]
    (one,) = [one for one in lines if one["visit"] == "SCREEN"]
    assert (one["standing"], one["record"]["id"]) == ("done", made.json()["id"])
