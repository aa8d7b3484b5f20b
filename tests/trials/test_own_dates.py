"""Criteria counted from a visit or a scan of the protocol: judged by its time, and again by it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories
from trials.models import EligibilityAssessment, Patient, PlannedScan, PlannedVisit
from trials.roles import Role
from trials.selectors.patients import standing_verdicts, with_standing
from trials.services import (
    amendments,
    assessments,
    evidence,
    jobs,
    protocols,
    replays,
    scan_day,
    scans,
    verdicts,
    visits,
)

pytestmark = pytest.mark.django_db
ENROLMENT = assessments.Gate.ENROLMENT
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
WINDOW = "window: {anchor: imaging, from: -P30D, to: PT0S}"
VISIT = DEMO.replace(WINDOW, "window: {anchor: visit.SCREEN, from: -P5D, to: P1D}")
SCAN = DEMO.replace(WINDOW, "window: {anchor: scan.ptf, from: -P5D, to: PT0S}")


def day(days):
    return (timezone.localdate() - timedelta(days=days)).isoformat()


@pytest.fixture
def of():
    """A patient, the site's coordinator and a data manager, in a trial of this text."""

    def make(text):
        site = factories.make_site(protocols.load_trial(text, by=jobs.system_user()).trial)
        by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
        return screened(site, by), by

    return make


def screened(site, by):
    patient = factories.make_patient(site, by=by, sex="M")
    factories.make_consent(patient, by=by, signed_at=day(20))
    for variable, value, unit in (("creatinine", 0.8, "mg/dL"), ("therapy.anticancer", [], "")):
        evidence.record(
            patient,
            variable=variable,
            value=value,
            unit=unit,
            observed_at=day(3),
            is_study_specific=False,
            source="report",
            by=by,
        )
    return patient


def seen(patient, by, at):
    planned = PlannedVisit.objects.get(version=patient.site.version_in_force, identifier="SCREEN")
    return visits.record(patient, visit=planned, took_place_at=at, performed_by="Dr Low", by=by)


def kidney(assessment):
    return assessment.results.get(criterion__identifier="E3")


def stands(*patients):
    rows = with_standing(Patient.objects.filter(pk__in=[one.pk for one in patients]))
    return standing_verdicts(list(rows))


def test_a_visit_that_is_planned_is_taken_by_its_target_and_provisional(of):
    patient, by = of(VISIT)
    # Its target is the consent, 20 days ago: the creatinine of 3 days ago is not of then.
    made = kidney(assessments.assess(patient, gate=ENROLMENT, by=by))
    assert (made.outcome, made.is_provisional) == ("not_evaluable", True)
    assert made.workings["expression"]["anchor"]["basis"] == "planned"


def test_a_visit_that_took_place_is_taken_by_its_day(of):
    patient, by = of(VISIT)
    seen(patient, by, day(2))
    made = kidney(assessments.assess(patient, gate=ENROLMENT, by=by))
    assert (made.outcome, made.is_provisional) == ("not_met", False)
    assert made.workings["expression"]["anchor"]["basis"] == "actual"


def test_a_verdict_ends_when_the_visit_it_was_counted_from_gets_another_time(of):
    patient, by = of(VISIT)
    before = assessments.assess(patient, gate=ENROLMENT, by=by)
    assert stands(patient) == {patient.pk}
    row = seen(patient, by, day(2))
    assert verdicts.changed_since(before) == ["visit SCREEN has another time now"]
    assert stands(patient) == set()

    after = assessments.assess(patient, gate=ENROLMENT, by=by)
    assert verdicts.changed_since(after) == []
    assert stands(patient) == {patient.pk}
    visits.correct(row, took_place_at=day(9), performed_by="Dr Low", reason="misread", by=by)
    assert verdicts.changed_since(after) == ["visit SCREEN has another time now"]
    assert stands(patient) == set()
    visits.correct(row, took_place_at=day(2), performed_by="Dr Low", reason="it was", by=by)
    assert stands(patient) == {patient.pk}
    visits.undo(row, reason="another patient", by=by)
    assert stands(patient) == set()
    assert replays.of(after).is_same


def test_a_scan_is_planned_for_its_visit_until_it_has_a_time_of_its_own(of):
    patient, by = of(SCAN)
    first = assessments.assess(patient, gate=ENROLMENT, by=by)
    # PET1 is aimed at 14 days after the consent, before the creatinine was taken.
    assert kidney(first).outcome == "not_evaluable"
    with factories.framed():
        patient.state = Patient.State.ENROLLED
        patient.save(update_fields=["state"])
    plan = PlannedScan.objects.get(version=patient.site.version_in_force, identifier="ptf")
    scan = scans.schedule(
        patient, planned_scan=plan, planned_at=timezone.now() + timedelta(hours=1), by=by
    )
    assert verdicts.changed_since(first) == ["scan ptf has another time now"]
    again = assessments.criteria_of(first.version, assessments.Gate.PRE_INJECTION)
    assert "E3" in [one.identifier for one in again]
    judged = assessments.assess(
        patient, gate=assessments.Gate.PRE_INJECTION, scheduled_scan=scan, by=by
    )
    assert kidney(judged).outcome == "not_met"
    assert kidney(judged).is_provisional
    told = {one.code: one for one in scan_day.conditions(scan, scan_day.now(by))}
    assert told["pre_injection"].standing == scan_day.MET
    assert "E3" in told["pre_injection"].sentence


def test_a_list_of_many_costs_as_many_queries_as_a_list_of_one(of):
    patient, by = of(VISIT)
    others = [screened(patient.site, by) for _ in range(3)]
    for one in (patient, *others):
        assessments.assess(one, gate=ENROLMENT, by=by)
    with CaptureQueriesContext(connection) as few:
        assert stands(patient) == {patient.pk}
    with CaptureQueriesContext(connection) as many:
        assert len(stands(patient, *others)) == 4
    assert len(few) == len(many)


def test_an_amendment_is_tried_on_the_same_times(of):
    patient, _ = of(DEMO)
    manager = factories.make_user(Role.DATA_MANAGER, trial=patient.trial)
    later = protocols.load_trial(
        VISIT.replace('\nversion: "1.0"', '\nversion: "2.0"'), by=jobs.system_user()
    ).version
    (flip,) = amendments.dry_run(later, site=patient.site, by=manager).flips
    assert "E3" in str(flip)
    assert not EligibilityAssessment.objects.filter(patient=patient).exists()
