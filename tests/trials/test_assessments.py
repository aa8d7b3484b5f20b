"""Gates judged on the record: what is kept, what stands, what an injection without it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.demo import journey
from tests import factories
from trials import protocol
from trials.models import AuditEvent, Deviation, EligibilityAssessment, PlannedScan, ScheduledScan
from trials.roles import Role
from trials.services import (
    assessments,
    consents,
    enrolment,
    evidence,
    injections,
    jobs,
    protocols,
    scan_day,
    scans,
    verdicts,
)
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db

DEMO = (Path(protocol.__file__).parent / "definitions" / "demo.yaml").read_text()


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


def now():
    return datetime.now(UTC)


def record(patient, by, variable, value, unit="", *, at=None, scan=None, specific=False):
    return evidence.record(
        patient,
        variable=variable,
        value=value,
        unit=unit,
        observed_at=at or (now() - timedelta(days=1)).date().isoformat(),
        is_study_specific=specific,
        source="report",
        by=by,
        scheduled_scan=scan,
    )


def consented(site, by, *, sex="F"):
    patient = factories.make_patient(site, by=by, sex=sex)
    consents.record(
        patient,
        version="1.0",
        language="en",
        signed_at=(now() - timedelta(hours=3)).isoformat(timespec="seconds"),
        signatory="patient",
        obtained_by="I. Investigator",
        copy_given=True,
        by=by,
    )
    return patient


def screened(site, by, *, leave_out=(), sex="F"):
    """A patient with the evidence that the demonstration records."""
    patient = consented(site, by, sex=sex)
    person = journey.Person(sex, "1961-04-23", 68.0, 166.0, 0.8, "NHL")
    for row in journey._evidence(person, now()):
        if row["variable"] not in leave_out:
            evidence.record(patient, **row, by=by)
    return patient


def scheduled(site, by, identifier, *, planned_at=None):
    patient = screened(site, by)
    factories.sign(assessments.assess(patient, gate="enrolment", by=by))
    enrolment.enrol(patient, cohort="LYMPHOMA", by=by)
    patient.refresh_from_db()
    plan = PlannedScan.objects.get(version__trial=site.trial, identifier=identifier)
    return scans.schedule(patient, planned_scan=plan, planned_at=planned_at or now(), by=by)


def inject(scan, by, *, injected_at=None, despite=""):
    at = injected_at or now()
    return injections.record(
        scan,
        assayed_activity_mbq=180.0,
        assayed_at=at,
        residual_activity_mbq=1.0,
        residual_at=at,
        injected_at=at,
        route="intravenous",
        weight_kg=68.0,
        height_cm=166.0,
        despite=despite,
        by=by,
    )


def words(assessment):
    return dict(assessment.results.values_list("criterion__identifier", "word"))


def test_the_evidence_of_the_demonstration_makes_its_patient_eligible(site, coordinator):
    made = assessments.assess(screened(site, coordinator), gate="enrolment", by=coordinator)
    assert words(made) == dict.fromkeys(
        ["I1", "I2", "I3", "I4", "E1", "E2", "E3", "E4", "E5", "I5", "I6"], "satisfied"
    )
    assert made.verdict == EligibilityAssessment.Verdict.ELIGIBLE


def test_a_man_is_not_asked_about_pregnancy(site, coordinator):
    patient = screened(site, coordinator, sex="M", leave_out={"pregnant", "breastfeeding"})
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert made.verdict == "eligible"
    assert {words(made)["E1"], words(made)["E2"]} == {"not applicable"}


@pytest.mark.parametrize(
    ("missing", "criterion"),
    [
        ("ecog", "I5"),
        ("breastfeeding", "E2"),
        ("creatinine", "E3"),
        ("therapy.anticancer", "E4"),
        ("unable_to_tolerate_scan", "E5"),
        ("lesions.measurable_count", "I4"),
    ],
)
def test_what_nobody_recorded_keeps_the_gate_open(site, coordinator, missing, criterion):
    patient = screened(site, coordinator, leave_out={missing})
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert made.verdict == "not_evaluable"
    assert [name for name, word in words(made).items() if word == "cannot tell"] == [criterion]


def test_whether_she_is_pregnant_is_told_by_the_test_alone(site, coordinator):
    patient = screened(site, coordinator, leave_out={"pregnant"})
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert (made.verdict, words(made)["E1"]) == ("eligible", "satisfied")


def test_a_pregnancy_test_that_is_missing_keeps_the_gate_open(site, coordinator):
    patient = screened(site, coordinator, leave_out={"pregnancy_test"})
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert (made.verdict, words(made)["I6"]) == ("not_evaluable", "cannot tell")


def test_a_result_keeps_the_evidence_it_used_and_how(site, coordinator):
    patient = screened(site, coordinator)
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    result = made.results.get(criterion__identifier="E3")
    assert "creatinine" in result.evidence.values_list("variable", flat=True)
    assert result.is_provisional
    assert result.workings["expression"]["anchor"]["basis"] == "assessment"
    assert result.workings["expression"]["found"][0]["formula"].startswith("CKD-EPI 2021")


def test_corrected_evidence_no_longer_counts(site, coordinator):
    patient = screened(site, coordinator)
    wrong = record(patient, coordinator, "creatinine", 9.0, "mg/dL", at=now().isoformat())
    assert assessments.assess(patient, gate="enrolment", by=coordinator).verdict == "ineligible"
    evidence.correct(
        wrong,
        value=0.9,
        unit="mg/dL",
        observed_at=wrong.observed_at,
        source="report",
        reason="decimal point",
        by=coordinator,
    )
    assert assessments.assess(patient, gate="enrolment", by=coordinator).verdict == "eligible"


def test_a_withdrawn_consent_excludes_and_the_old_verdict_falls(site, coordinator):
    patient = screened(site, coordinator)
    assessments.assess(patient, gate="enrolment", by=coordinator)
    consents.withdraw(patient.consents.get(), reason="patient's wish", by=coordinator)
    assert enrolment.verdict_in_force(patient) is None
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert words(made)["I2"] == "excludes"


def test_a_new_protocol_version_asks_for_a_new_assessment(site, coordinator):
    patient = screened(site, coordinator)
    assessments.assess(patient, gate="enrolment", by=coordinator)
    changed = DEMO.replace("value: 18", "value: 21")
    version = protocols.load_trial(changed, by=jobs.system_user()).version
    assert enrolment.verdict_in_force(patient) is not None
    factories.activate(version, site)
    assert enrolment.verdict_in_force(patient) is None


def test_the_eligible_patient_is_enrolled_on_that_verdict(site, coordinator):
    patient = screened(site, coordinator)
    factories.sign(assessments.assess(patient, gate="enrolment", by=coordinator))
    assert enrolment.enrol(patient, cohort="LYMPHOMA", by=coordinator).state == "enrolled"


def test_enrolment_asks_for_no_glucose_and_the_fdg_scan_does(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    made = assessments.assess(
        scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator
    )
    assert (made.verdict, words(made)["E6"]) == ("not_evaluable", "cannot tell")
    assert "E6" not in words(scan.patient.assessments.get(gate="enrolment"))


def test_glucose_of_another_scan_does_not_count(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    plan = PlannedScan.objects.get(version__trial=site.trial, identifier="ptf")
    other = scans.schedule(scan.patient, planned_scan=plan, planned_at=now(), by=coordinator)
    record(scan.patient, coordinator, "glucose", 5.4, "mmol/L", at=now().isoformat(), scan=other)
    made = assessments.assess(
        scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator
    )
    assert words(made)["E6"] == "cannot tell"


@pytest.mark.parametrize(("value", "verdict"), [(11.1, "eligible"), (11.2, "ineligible")])
def test_glucose_before_the_injection_decides_the_scan(site, coordinator, value, verdict):
    scan = scheduled(site, coordinator, "fdg")
    record(scan.patient, coordinator, "glucose", value, "mmol/L", at=now().isoformat(), scan=scan)
    made = assessments.assess(
        scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator
    )
    scan.patient.refresh_from_db()
    assert made.verdict == verdict
    assert scan.patient.state == "enrolled"


def test_wash_out_is_judged_again_before_the_injection(site, coordinator):
    scan = scheduled(site, coordinator, "ptf")
    record(
        scan.patient,
        coordinator,
        "therapy.anticancer",
        [{"name": "rituximab", "started_on": (now() - timedelta(days=3)).date().isoformat()}],
        at=now().isoformat(),
    )
    made = assessments.assess(
        scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator
    )
    result = made.results.get(criterion__identifier="E4")
    assert result.word == "excludes"
    assert "Reschedule this scan" in result.reason


def test_a_planned_time_is_provisional_and_the_actual_one_is_not(site, coordinator):
    scan = scheduled(site, coordinator, "ptf", planned_at=now() + timedelta(hours=1))

    def provisional():
        made = assessments.assess(
            scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator
        )
        return made.results.get(criterion__identifier="E4").is_provisional

    before = provisional()
    inject(scan, coordinator)
    assert (before, provisional()) == (True, False)


def test_an_assessment_falls_with_the_time_it_was_made_for(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    gate = {"gate": "pre_injection", "scheduled_scan": scan}
    made = assessments.assess(scan.patient, by=coordinator, **gate)
    assert verdicts.in_force(scan.patient, **gate) == made
    later = scans.reschedule(
        scan, planned_at=now() + timedelta(days=40), reason="glucose too high", by=coordinator
    )
    assert verdicts.in_force(scan.patient, gate="pre_injection", scheduled_scan=later) is None
    assert "no longer stands" in verdicts.gap(later, gate="pre_injection")


def test_a_scan_read_before_it_was_rescheduled_is_judged_at_its_new_time(site, coordinator):
    scan = scheduled(site, coordinator, "ptf")
    stopped = (now() - timedelta(days=3)).date().isoformat()
    therapy = [{"name": "rituximab", "started_on": "2020", "stopped_on": stopped}]
    record(scan.patient, coordinator, "therapy.anticancer", therapy, at=now().isoformat())
    read_before = ScheduledScan.objects.get(pk=scan.pk)

    def word():
        made = assessments.assess(
            scan.patient, gate="pre_injection", scheduled_scan=read_before, by=coordinator
        )
        return made.results.get(criterion__identifier="E4").word

    old = word()
    later = now() + timedelta(days=90)
    scans.reschedule(scan, planned_at=later, reason="wash-out", by=coordinator)
    assert (old, word()) == ("excludes", "satisfied")


# Injections.


def test_what_was_given_is_held_to_when_it_was_given_and_not_to_when_it_is_typed(site, coordinator):
    given = now() - timedelta(hours=5)
    scan = scheduled(site, coordinator, "fdg", planned_at=given - timedelta(hours=3))
    at = (given - timedelta(hours=1)).isoformat()
    record(scan.patient, coordinator, "glucose", 5.4, "mmol/L", at=at, scan=scan)

    def said(**day):
        found = scan_day.conditions(scan, scan_day.Day(by=coordinator, **day))
        return {one.code: one.sentence for one in found}["pre_injection"]

    # To give it now a glucose of six hours ago is too old; when it was given it was not.
    assert "E6 cannot tell" in said(at=now())
    assert said(at=given, is_given=True) == "Before injection (E6): not assessed."
    assert "E6 cannot tell" in said(at=given + timedelta(hours=4), is_given=True)


def eligibility_deviations(scan):
    return Deviation.objects.filter(patient=scan.patient, rule="injected-without-eligibility")


@pytest.mark.requirement("R64")
def test_an_injection_without_an_assessment_of_its_scan_deviates(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    inject(scan, coordinator, despite="the patient lay on the table")
    assert eligibility_deviations(scan).get().text == (
        "Injected without an eligible assessment in force. Before injection (E6): not assessed."
    )


@pytest.mark.requirement("R65")
def test_an_injection_against_an_assessment_deviates_with_what_was_found(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    record(scan.patient, coordinator, "glucose", 15.0, "mmol/L", at=now().isoformat(), scan=scan)
    assessments.assess(scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator)
    inject(scan, coordinator, despite="the patient lay on the table")
    assert eligibility_deviations(scan).get().values == {
        "found": {"pre_injection": "Before injection (E6): not eligible."},
        "expected": "eligible",
    }


def test_an_assessment_the_record_outran_does_not_cover_the_injection(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    record(scan.patient, coordinator, "glucose", 5.4, "mmol/L", at=now().isoformat(), scan=scan)
    assessments.assess(scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator)
    record(scan.patient, coordinator, "glucose", 6.0, "mmol/L", at=now().isoformat(), scan=scan)
    inject(scan, coordinator, despite="the patient lay on the table")
    assert "no longer stands" in eligibility_deviations(scan).get().text


def test_an_eligible_scan_is_injected_without_a_deviation(site, coordinator):
    scan = scheduled(site, coordinator, "fdg")
    record(scan.patient, coordinator, "glucose", 5.4, "mmol/L", at=now().isoformat(), scan=scan)
    assessments.assess(scan.patient, gate="pre_injection", scheduled_scan=scan, by=coordinator)
    inject(scan, coordinator)
    assert not eligibility_deviations(scan).exists()


def test_a_scan_no_criterion_is_for_needs_no_assessment(site, coordinator):
    scan = scheduled(site, coordinator, "ptf")
    inject(scan, coordinator)
    assert not eligibility_deviations(scan).exists()


# The five trials.

GENERAL = {"unable_to_tolerate_scan": False, "pregnant": False, "breastfeeding": False}
CREATININE = {"creatinine": 0.8}
FITTING = {
    "NCT05093335": GENERAL
    | CREATININE
    | {"histology.confirmed": True, "diagnosis.group": "NHL", "lesions.measurable_count": 2},
    "NCT04561492": GENERAL | CREATININE | {"histology.confirmed": True, "diagnosis.group": "MM"},
    "NCT06246357": GENERAL
    | {
        "adrenal_tumor.count": 1,
        "biochem.hyperaldosteronism": True,
        "coenrolled_protocols": ["19-DK-0066"],
    },
    "NCT05222269": GENERAL
    | CREATININE
    | {
        "diagnosis.code": "PCNSL",
        "histology.method": "brain_biopsy",
        "disease.cns_only": True,
        "history.allogeneic_sct": [],
        "lesions.measurable_parenchymal_count": 1,
        "lesions.measurable_ipcg_count": 1,
        "therapy.cns_lymphoma": [],
        "therapy.planned_induction": "HD_MTX_based",
    },
    "NCT06125028": GENERAL
    | CREATININE
    | {
        "histology.confirmed": True,
        "diagnosis.code": "MZL_nodal",
        "therapy.anticancer": [],
        "childbearing_potential": False,
    },
}


@pytest.mark.parametrize("identifier", FITTING)
def test_each_of_the_five_trials_can_enrol_a_patient_before_any_scan(identifier):
    text = (Path(protocol.__file__).parent / "definitions" / f"{identifier}.yaml").read_text()
    site = factories.make_site(protocols.load_trial(text, by=jobs.system_user()).trial)
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    patient = consented(site, by)
    for variable, value in FITTING[identifier].items():
        record(patient, by, variable, value, "mg/dL" if variable == "creatinine" else "")
    made = assessments.assess(patient, gate="enrolment", by=by)
    assert made.verdict == "eligible"
    factories.sign(made)
    assert enrolment.enrol(patient, by=by).state == "enrolled"


# Refusals.


def test_only_who_may_assess_does(site, coordinator):
    patient = screened(site, coordinator)
    monitor = factories.make_user(Role.MONITOR, trial=site.trial)
    with pytest.raises(Forbidden):
        assessments.assess(patient, gate="enrolment", by=monitor)


def test_a_gate_of_a_scan_needs_the_scan(site, coordinator):
    patient = consented(site, coordinator)
    with pytest.raises(Invalid) as refusal:
        assessments.assess(patient, gate="pre_injection", by=coordinator)
    assert refusal.value.field == "scheduled_scan"


def test_the_scan_of_another_patient_is_refused(site, coordinator):
    scan = scheduled(site, coordinator, "ptf")
    other = consented(site, coordinator)
    with pytest.raises(Invalid) as refusal:
        assessments.assess(other, gate="pre_injection", scheduled_scan=scan, by=coordinator)
    assert refusal.value.field == "scheduled_scan"


def test_a_gate_nobody_defined_is_refused(site, coordinator):
    with pytest.raises(Invalid) as refusal:
        assessments.assess(consented(site, coordinator), gate="later", by=coordinator)
    assert refusal.value.field == "gate"


def test_a_version_without_criteria_clears_nobody():
    site = factories.make_site(factories.make_trial())
    coordinator = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    patient = factories.make_patient(site, by=coordinator)
    with pytest.raises(Refused) as refusal:
        assessments.assess(patient, gate="enrolment", by=coordinator)
    assert refusal.value.code == "no-criteria"
    assert not patient.assessments.exists()


def test_every_event_of_an_assessment_is_found_by_its_patient(site, coordinator):
    patient = screened(site, coordinator)
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    events = AuditEvent.objects.filter(patient=patient.pk, action="eligibility.assessed")
    kept = events.filter(table="trials_criterionresult").count()
    assert kept == made.results.count() > 0
