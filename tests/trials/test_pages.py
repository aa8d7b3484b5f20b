"""The pages of a trial, walked as the people of a site and their monitor walk them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from imaging.services import receiving
from tests import factories
from tests.conftest import ROOT
from tests.factories import NOON, framed
from trials.expression_words import expression_words
from trials.models import (
    AuditEvent,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Injection,
    Patient,
    Query,
    ScheduledScan,
    Site,
)
from trials.roles import Role
from trials.selectors.patients import standing_verdicts, with_standing
from trials.services import (
    consents,
    delegations,
    deviations,
    enrolment,
    evidence,
    jobs,
    patients,
    protocols,
    queries,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    site = factories.make_site(factories.make_trial())
    with framed():
        # Two hours ahead of UTC in summer, one in winter.
        Site.objects.filter(pk=site.pk).update(time_zone="Europe/Berlin")
    return Site.objects.get(pk=site.pk)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def monitor(site):
    return factories.make_user(Role.MONITOR, trial=site.trial)


@pytest.fixture
def patient(site, coordinator):
    return factories.make_patient(site, by=coordinator)


@pytest.fixture
def scan(site, coordinator):
    return factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)


@pytest.fixture
def look(client):
    """A page's text as `user` sees it, after asserting its status."""

    def get(user, name, *args, status=200, **query):
        client.force_login(user)
        response = client.get(f"{reverse(name, args=args)}?{urlencode(query)}")
        assert response.status_code == status, unescape(response.content.decode())
        return unescape(response.content.decode())

    return get


@pytest.fixture
def send(client):
    """The response to a form sent by `user`."""

    def post(user, name, *args, query=None, **values):
        client.force_login(user)
        return client.post(f"{reverse(name, args=args)}?{urlencode(query or {})}", values)

    return post


def record(patient, by, variable="egfr", value=75.0, unit="mL/min/1.73 m2", **changes):
    values = {
        "observed_at": "2026-03-01",
        "is_study_specific": False,
        "source": "laboratory report",
    }
    return evidence.record(
        patient, variable=variable, value=value, unit=unit, by=by, **values | changes
    )


def assessed(patient, by, *facts, verdict="eligible", word="satisfied"):
    """An enrolment assessment of one criterion that rests on `facts`."""
    version = patient.trial.newest_version
    with framed():
        criterion, _ = EligibilityCriterion.objects.get_or_create(
            version=version,
            identifier="E3",
            defaults={
                "position": 1,
                "category": "exclusion",
                "text": "eGFR below 30 mL/min/1.73 m²",
                "expression": {"op": "lt", "var": "egfr", "value": 30},
                "gate": "enrolment",
                "provenance": "proposed",
            },
        )
        assessment = EligibilityAssessment.objects.create(
            patient=patient,
            version=version,
            gate="enrolment",
            verdict=verdict,
            assessed_at=timezone.now(),
            assessed_by=by,
            software_version="test",
        )
        result = CriterionResult.objects.create(
            assessment=assessment,
            criterion=criterion,
            outcome="met",
            word=word,
            reason="75 mL/min/1.73 m² is not below 30.",
        )
        result.evidence.set(facts)
    return assessment


CONSENT = {
    "version": "1.0",
    "language": "en",
    "signed_at": "2026-03-01 08:15",
    "signatory": "patient",
    "obtained_by": "Dr Who",
    "copy_given": "yes",
}
INJECTION = {
    "assayed_activity_mbq": "200",
    # One half-life of gallium-68 (4062.6 s) is not a whole second: 4063 s before.
    "assayed_at": "2026-03-02T11:52:17",
    "injected_at": "2026-03-02T13:00:00",
    "residual_activity_mbq": "0",
    "residual_at": "2026-03-02T13:05",
    "weight_kg": "70",
    "height_cm": "170",
    "route": "intravenous",
}


def test_a_registered_person_becomes_a_number_of_the_site(send, coordinator, site):
    response = send(coordinator, "patient_new", site=site.pk, sex_at_birth="F", birth="1961-04")
    patient = Patient.objects.get(site=site)
    assert response.url == reverse("patient", args=[patient.pk])
    assert (patient.identifier, patient.birth) == (f"{site.code}-S001", "1961-04")


def test_a_birth_date_that_is_none_is_refused_beside_its_field(send, coordinator, site):
    response = send(coordinator, "patient_new", site=site.pk, sex_at_birth="F", birth="1961-13")
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["birth"]
    assert 'id="id_birth_error"' in response.content.decode()


def test_nobody_registers_at_a_site_out_of_scope(send, coordinator, site):
    other = factories.make_site(site.trial)
    response = send(coordinator, "patient_new", site=other.pk, sex_at_birth="F", birth="1961")
    assert list(response.context["form"].errors) == ["site"]
    assert not Patient.objects.filter(site=other).exists()


def test_a_time_of_a_consent_is_that_of_the_site(send, coordinator, patient):
    send(coordinator, "consent_new", patient.pk, **CONSENT)
    # Berlin is at UTC+01:00 on 1 March.
    assert Consent.objects.get(patient=patient).signed_at == "2026-03-01T08:15:00+01:00"


def test_a_consent_without_a_time_keeps_its_date_alone(send, coordinator, patient):
    send(coordinator, "consent_new", patient.pk, **CONSENT | {"signed_at": "2026-03-01"})
    assert Consent.objects.get(patient=patient).signed_at == "2026-03-01"


def test_a_time_that_the_clock_change_skips_is_refused(send, coordinator, patient):
    # Clocks in Berlin went from 02:00 to 03:00 on 29 March 2026.
    response = send(
        coordinator, "consent_new", patient.pk, **CONSENT | {"signed_at": "2026-03-29 02:30"}
    )
    assert list(response.context["form"].errors) == ["signed_at"]


def test_the_same_form_sent_twice_records_once(send, coordinator, patient):
    first = send(coordinator, "consent_new", patient.pk, **CONSENT, submission="a" * 32)
    second = send(coordinator, "consent_new", patient.pk, **CONSENT, submission="a" * 32)
    assert Consent.objects.filter(patient=patient).count() == 1
    assert first.url == second.url


def test_a_form_shown_anew_records_anew(send, coordinator, patient):
    for submission in ("a" * 32, "b" * 32):
        send(coordinator, "consent_new", patient.pk, **CONSENT, submission=submission)
    assert Consent.objects.filter(patient=patient).count() == 2


def test_a_withdrawal_warns_and_asks_for_a_reason(look, send, coordinator, patient):
    send(coordinator, "consent_new", patient.pk, **CONSENT)
    consent = Consent.objects.get(patient=patient)
    assert "nothing new may be collected" in look(coordinator, "consent_withdraw", consent.pk)
    response = send(coordinator, "consent_withdraw", consent.pk, reason="")
    assert list(response.context["form"].errors) == ["reason"]
    send(coordinator, "consent_withdraw", consent.pk, reason="moved abroad")
    assert "moved abroad" in look(coordinator, "patient", patient.pk)


def test_a_variable_is_chosen_before_its_value(look, coordinator, patient):
    assert "Serum creatinine" in look(coordinator, "evidence_new", patient.pk)
    form = look(coordinator, "evidence_new", patient.pk, variable="creatinine")
    assert '<option value="µmol/L">' in form


def test_a_number_is_recorded_with_unit_and_source(send, coordinator, patient):
    send(
        coordinator,
        "evidence_new",
        patient.pk,
        query={"variable": "creatinine"},
        value="0.9",
        unit="mg/dL",
        observed_at="2026-03-01",
        source="laboratory report",
        is_study_specific="no",
    )
    row = Evidence.objects.get(patient=patient)
    assert (row.variable, row.value, row.unit, row.source) == (
        "creatinine",
        0.9,
        "mg/dL",
        "laboratory report",
    )


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"none": "on"}, []),
        (
            {
                "entry_1_name": "R-CHOP",
                "entry_1_started_on": "2025-01",
                "entry_1_stopped_on": "2025-06",
            },
            [{"name": "R-CHOP", "started_on": "2025-01", "stopped_on": "2025-06"}],
        ),
    ],
)
def test_therapies_are_none_or_named_with_dates(send, coordinator, patient, entries, expected):
    send(
        coordinator,
        "evidence_new",
        patient.pk,
        query={"variable": "therapy.anticancer"},
        observed_at="2026-03-01",
        source="medication history",
        is_study_specific="no",
        **entries,
    )
    assert Evidence.objects.get(patient=patient).value == expected


def test_a_therapy_list_left_empty_is_no_answer(send, coordinator, patient):
    response = send(
        coordinator,
        "evidence_new",
        patient.pk,
        query={"variable": "therapy.anticancer"},
        observed_at="2026-03-01",
        source="medication history",
        is_study_specific="no",
    )
    assert list(response.context["form"].errors) == ["none"]
    assert not Evidence.objects.filter(patient=patient).exists()


def test_a_date_without_a_therapy_is_refused_beside_its_row(send, coordinator, patient):
    response = send(
        coordinator,
        "evidence_new",
        patient.pk,
        query={"variable": "therapy.anticancer"},
        entry_2_stopped_on="2025-06",
        observed_at="2026-03-01",
        source="medication history",
        is_study_specific="no",
    )
    assert "entry_2" in response.context["form"].errors


def test_a_correction_starts_from_every_entry_of_the_list(look, coordinator, patient):
    therapies = [{"name": f"Therapy {number}", "stopped_on": "2025"} for number in range(6)]
    row = record(patient, coordinator, variable="therapy.anticancer", value=therapies, unit="")
    shown = look(coordinator, "evidence_correct", row.pk)
    assert all(f'value="Therapy {number}"' in shown for number in range(6))


def test_asked_and_not_known_differs_from_no(send, coordinator, patient):
    send(
        coordinator,
        "evidence_new",
        patient.pk,
        query={"variable": "pregnant"},
        value="unknown",
        observed_at="2026-03-01",
        source="investigator's note",
        is_study_specific="no",
    )
    assert Evidence.objects.get(patient=patient).value is None


def test_a_glucose_belongs_to_a_scan(send, coordinator, scan):
    factories.make_consent(scan.patient, by=coordinator, signed_at="2026-03-01")
    send(
        coordinator,
        "evidence_new",
        scan.patient_id,
        query={"variable": "glucose"},
        scheduled_scan=scan.pk,
        value="5.5",
        unit="mmol/L",
        observed_at="2026-03-02 12:30",
        source="glucometer",
        is_study_specific="yes",
    )
    row = Evidence.objects.get(patient=scan.patient)
    assert (row.scheduled_scan, row.observed_at) == (scan, "2026-03-02T12:30:00+01:00")


@pytest.mark.requirement("R4")
def test_a_corrected_value_stays_readable_with_its_reason(look, send, coordinator, patient):
    row = record(patient, coordinator)
    response = send(
        coordinator,
        "evidence_correct",
        row.pk,
        value="57",
        unit="mL/min/1.73 m2",
        observed_at="2026-03-01",
        source="laboratory report",
        reason="digits swapped",
    )
    assert response.status_code == 302
    shown = look(coordinator, "patient", patient.pk)
    assert "<del>75 mL/min/1.73 m2</del>" in shown
    assert "<strong>57 mL/min/1.73 m2</strong>" in shown
    assert "digits swapped" in shown


def test_a_correction_without_a_reason_is_refused_beside_the_reason(send, coordinator, patient):
    row = record(patient, coordinator)
    response = send(
        coordinator,
        "evidence_correct",
        row.pk,
        value="57",
        unit="mL/min/1.73 m2",
        observed_at="2026-03-01",
        source="laboratory report",
        reason="--",
    )
    assert list(response.context["form"].errors) == ["reason"]


def test_the_way_of_a_patient_offers_the_next_act(look, send, coordinator, patient):
    assert "Next:</span> <strong>Record consent" in look(coordinator, "patient", patient.pk)
    send(coordinator, "consent_new", patient.pk, **CONSENT)
    assert "Next:</span> <strong>Record evidence" in look(coordinator, "patient", patient.pk)
    fact = record(patient, coordinator)
    assert "Next:</span> <strong>Assess eligibility" in look(coordinator, "patient", patient.pk)
    made = assessed(patient, coordinator, fact)
    assert "Next:</span> <strong>Sign the verdict" in look(coordinator, "patient", patient.pk)
    factories.sign(made)
    assert "Next:</span> <strong>Enrol" in look(coordinator, "patient", patient.pk)
    response = send(coordinator, "patient_enrol", patient.pk)
    assert response.url == reverse("patient", args=[patient.pk])
    assert "<strong>Schedule: Pentixafor PET/CT" in look(coordinator, "patient", patient.pk)


def test_a_verdict_that_no_longer_stands_is_said_to_and_refused(look, send, coordinator, patient):
    send(coordinator, "consent_new", patient.pk, **CONSENT)
    assessed(patient, coordinator, record(patient, coordinator))
    record(patient, coordinator, value=20.0)
    shown = look(coordinator, "patient", patient.pk)
    assert "it no longer stands" in shown
    assert "Next:</span> <strong>Assess eligibility" in shown
    response = send(coordinator, "patient_enrol", patient.pk)
    page = response.content.decode()
    assert response.status_code == 409
    assert "Assess eligibility first" in page
    # It is the page of the enrolment still, with all that it asks for.
    assert "This was not recorded." in page
    assert "What enrolment asks for" in page


@pytest.mark.parametrize(
    "change", ["nothing", "evidence", "consent", "withdrawal", "protocol", "birth"]
)
def test_a_verdict_stands_in_lists_as_it_stands_for_enrolment(coordinator, patient, change):
    consent = consents.record(
        patient, by=coordinator, **CONSENT | {"signed_at": "2026-03-01", "copy_given": True}
    )
    assessed(patient, coordinator, record(patient, coordinator))
    if change == "evidence":
        record(patient, coordinator)
    elif change == "consent":
        consents.record(
            patient, by=coordinator, **CONSENT | {"signed_at": "2026-03-02", "copy_given": True}
        )
    elif change == "withdrawal":
        consents.withdraw(consent, reason="moved abroad", by=coordinator)
    elif change == "birth":
        patients.correct(
            patient, sex_at_birth="F", birth="1961-04-24", reason="misread", by=coordinator
        )
        patient.refresh_from_db()
    elif change == "protocol":
        with framed():
            version = patient.trial.versions.create(
                number=2, label="2.0", definition={}, definition_sha256="1" * 64
            )
        factories.activate(version, patient.site)
    row = with_standing(Patient.objects.filter(pk=patient.pk)).get()
    stands = row.pk in standing_verdicts([row])
    assert stands == (enrolment.verdict_in_force(patient) is not None)
    assert stands == (change == "nothing")


def test_acts_are_offered_to_those_who_may(look, monitor, coordinator, patient):
    as_coordinator = look(coordinator, "patient", patient.pk)
    as_monitor = look(monitor, "patient", patient.pk)
    form = reverse("consent_new", args=[patient.pk])
    assert form in as_coordinator
    assert form not in as_monitor
    assert reverse("audit") not in as_coordinator.split("<main")[1]
    assert reverse("audit") in as_monitor.split("<main")[1]


@pytest.mark.requirement("R63")
def test_a_monitor_sees_the_evidence_behind_each_criterion(look, monitor, coordinator, patient):
    fact = record(patient, coordinator)
    assessment = assessed(patient, coordinator, fact)
    shown = look(monitor, "assessment", assessment.pk)
    assert "75 mL/min/1.73 m2" in shown
    assert "2026-03-01</span>, laboratory report" in shown
    assert "75 mL/min/1.73 m² is not below 30." in shown
    assert "Proposed, confirm with the protocol" in shown
    assert f"{reverse('audit')}?table=trials_evidence&row={fact.pk}" in shown


def test_the_overview_says_each_word_and_marks_what_changed_since(
    look, monitor, coordinator, patient
):
    assessment = assessed(patient, coordinator, word="cannot tell", verdict="not_evaluable")
    shown = look(monitor, "eligibility", trial=patient.trial.identifier)
    assert f"E3 of {patient}: cannot tell, not verified</span>" in shown
    assert reverse("assessment", args=[assessment.pk]) in shown
    assert "Changed since" not in shown
    record(patient, coordinator)
    assert "Changed since" in look(monitor, "eligibility", trial=patient.trial.identifier)


def test_a_scan_is_planned_on_the_clock_of_the_site(send, coordinator, site):
    patient = factories.make_enrolled(site, by=coordinator)
    plan = patient.trial.newest_version.planned_scans.get()
    send(coordinator, "scan_new", patient.pk, planned_scan=plan.pk, planned_at="2026-07-01T10:00")
    # Berlin is at UTC+02:00 in July.
    assert ScheduledScan.objects.get(patient=patient).planned_at == datetime(
        2026, 7, 1, 8, 0, tzinfo=UTC
    )


@pytest.mark.requirement("R67")
def test_an_injection_shows_its_net_activity_with_unit(look, send, coordinator, scan):
    response = send(coordinator, "injection_new", scan.pk, **INJECTION)
    assert response.url == f"{reverse('scan', args=[scan.pk])}#injection"
    injection = Injection.objects.get(scheduled_scan=scan)
    assert injection.injected_at == NOON
    # 200 MBq * 2^(-4063 / 4062.6), half-life of ICRP Publication 107.
    assert injection.net_activity_mbq == pytest.approx(99.9932, abs=1e-4)
    assert "<strong>100.0 MBq</strong>" in look(coordinator, "scan", scan.pk)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"residual_activity_mbq": "", "residual_at": ""}, "residual_activity_mbq"),
        ({"is_residual_unmeasured": "on"}, "residual_activity_mbq"),
        ({"residual_at": ""}, "residual_at"),
        ({"residual_activity_mbq": "500"}, "residual_activity_mbq"),
        ({"weight_kg": "0"}, "weight_kg"),
        ({"assayed_activity_mbq": "-1"}, "assayed_activity_mbq"),
    ],
)
def test_an_injection_that_cannot_be_is_refused_beside_its_field(
    send, coordinator, scan, changes, field
):
    response = send(coordinator, "injection_new", scan.pk, **INJECTION | changes)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert not Injection.objects.filter(scheduled_scan=scan).exists()


def test_a_residual_not_measured_is_shown_as_unknown(look, send, coordinator, scan):
    unmeasured = {"residual_activity_mbq": "", "residual_at": "", "is_residual_unmeasured": "on"}
    send(coordinator, "injection_new", scan.pk, **INJECTION | unmeasured)
    shown = look(coordinator, "scan", scan.pk)
    assert "Upper bound: residual not measured" in shown
    assert "The residual activity was not measured" in shown.split('id="queries-title"')[1]


def test_a_deviation_of_the_injection_shows_on_the_scan(look, send, coordinator, scan):
    send(coordinator, "injection_new", scan.pk, **INJECTION)
    shown = look(coordinator, "scan", scan.pk).split('id="deviations-title"')[1]
    assert "Net injected activity 100.0 MBq is outside 100 to 200 MBq" in shown


@pytest.mark.requirement("R48")
def test_a_query_goes_from_the_monitor_to_the_site_and_back(
    look, send, monitor, coordinator, patient
):
    about = {"table": "trials_patient", "pk": patient.pk}
    assert "New query" in look(monitor, "query_new", **about)
    response = send(monitor, "query_new", query=about, text="Sex as in the record?")
    query = Query.objects.get(patient=patient)
    assert response.url == reverse("query", args=[query.pk])
    assert "Sex as in the record?" in look(coordinator, "queries")
    send(coordinator, "query_answer", query.pk, text="Yes.")
    assert "Yes." in look(monitor, "query", query.pk)
    send(monitor, "query_reopen", query.pk, text="Please attach the source.")
    send(coordinator, "query_answer", query.pk, text="Attached.")
    send(monitor, "query_close", query.pk, text="Seen.")
    query.refresh_from_db()
    assert query.state == Query.State.CLOSED
    assert [message.text for message in query.messages.all()][-1] == "Seen."


def test_an_empty_answer_is_refused_beside_its_field(send, coordinator, monitor, patient):
    query = queries.open_query(patient, text="Really?", by=monitor)
    response = send(coordinator, "query_answer", query.pk, text="")
    assert response.status_code == 422
    assert 'id="id_answer_text_error"' in response.content.decode()


def test_a_site_is_not_offered_to_close_a_query(look, send, coordinator, monitor, patient):
    query = queries.open_query(patient, text="Really?", by=monitor)
    assert reverse("query_close", args=[query.pk]) not in look(coordinator, "query", query.pk)
    assert send(coordinator, "query_close", query.pk, text="Done.").status_code == 403


@pytest.mark.parametrize(
    "about",
    [{"table": "trials_user", "pk": 1}, {"table": "no_such", "pk": 1}, {"table": "trials_patient"}],
)
def test_a_query_about_no_record_of_a_patient_is_not_found(look, monitor, patient, about):
    look(monitor, "query_new", status=404, **about)


def test_a_query_about_a_patient_out_of_scope_is_not_found(look, monitor):
    other = factories.make_patient(factories.make_site(factories.make_trial()))
    look(monitor, "query_new", status=404, table="trials_patient", pk=other.pk)


def test_a_deviation_is_recorded_acknowledged_and_closed(
    look, send, coordinator, monitor, site, patient
):
    about = {"table": "trials_patient", "pk": patient.pk}
    send(coordinator, "deviation_new", query=about, text="Fasted too short.")
    deviation = Deviation.objects.get(patient=patient)
    investigator = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    assert "Fasted too short." in look(investigator, "deviations", state="drafted")
    send(investigator, "deviation_acknowledge", deviation.pk, text="No consequence.")
    send(monitor, "deviation_close", deviation.pk, text="Trained again.")
    shown = look(monitor, "deviation", deviation.pk)
    assert shown.index("No consequence.") < shown.index("Trained again.")


@pytest.mark.requirement("R11")
def test_the_trail_shows_before_and_after_in_words(look, monitor, coordinator, site):
    patient = factories.make_enrolled(site, by=coordinator)
    shown = look(monitor, "audit", patient=patient.identifier)
    assert "State: <del>Screening</del>" in shown
    assert "<ins>Enrolled</ins>" in shown


@pytest.mark.requirement("R11")
def test_the_trail_of_one_row_shows_that_row_alone(look, monitor, coordinator, patient):
    row, other = record(patient, coordinator), record(patient, coordinator, value=60.0)
    shown = look(monitor, "audit", table="trials_evidence", row=row.pk)
    assert f"Evidence {row.pk}" in shown
    assert f"Evidence {other.pk}" not in shown
    assert "Variable: eGFR" in shown


def test_the_trail_of_a_site_shows_no_other_site(look, site, coordinator):
    investigator = factories.make_user(Role.INVESTIGATOR, trial=site.trial, site=site)
    own = factories.make_patient(site, by=coordinator)
    other = factories.make_patient(factories.make_site(site.trial))
    shown = look(investigator, "audit")
    assert f"Patient {own.pk}" in shown
    assert f"Patient {other.pk}" not in shown


def test_a_question_is_on_the_trail_of_its_patient(look, monitor, patient):
    queries.open_query(patient, text="Really?", by=monitor)
    shown = look(monitor, "audit", patient=patient.identifier, table="trials_querymessage")
    assert "Text: Really?" in shown


def test_the_trail_goes_by_key_and_leaves_nothing_out(look, client, monitor, coordinator, patient):
    with framed():
        for number in range(60):
            Query.objects.create(
                trial=patient.trial,
                site=patient.site,
                patient=patient,
                subject_table="trials_patient",
                subject_pk=patient.pk,
                text=f"question {number}",
                opened_by=coordinator,
            )
    first = look(monitor, "audit", patient=patient.pk)
    older = client.get(reverse("audit"), {"patient": patient.pk}).context["older"]
    second = look(monitor, "audit", patient=patient.pk, before=older)
    shown = sum(f"question {number}" in first + second for number in range(60))
    events = AuditEvent.objects.filter(patient=patient.pk).count()
    assert (shown, events) == (60, 61)
    assert "question 0" not in first


def test_a_data_manager_sees_jobs_and_a_coordinator_does_not(look, coordinator, site):
    manager = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    assert "Jobs" in look(manager, "jobs")
    look(coordinator, "jobs", status=403)


def test_what_no_source_states_is_said_to_be_unstated(look, monitor, site):
    shown = look(monitor, "trial", site.trial.identifier)
    assert "not stated by the source" in shown
    assert "100 to 200 MBq" in shown
    assert "30 to 60 min" in shown


def test_a_patient_of_another_trial_is_not_found(look, coordinator):
    other = factories.make_patient(factories.make_site(factories.make_trial()))
    look(coordinator, "patient", other.pk, status=404)


def test_patients_are_found_by_number_state_and_site(look, coordinator, site):
    first, second = (factories.make_patient(site, by=coordinator) for _ in range(2))
    shown = look(coordinator, "patients", q=first.identifier, state="screening", site=site.pk)
    assert first.identifier in shown.split("<tbody>")[1]
    assert second.identifier not in shown
    assert "No patient here" in look(coordinator, "patients", state="enrolled")


# What settles every criterion of the demonstration trial, as a coordinator types it.
EVIDENCE = {
    "creatinine": {"value": "0.8", "unit": "mg/dL"},
    "histology.confirmed": {"value": "yes"},
    "diagnosis.group": {"value": "NHL"},
    "lesions.measurable_count": {"value": "3"},
    "therapy.anticancer": {"none": "on"},
    "pregnant": {"value": "no"},
    "breastfeeding": {"value": "no"},
    "unable_to_tolerate_scan": {"value": "no"},
    "ecog": {"value": "1"},
    "pregnancy_test": {"value": "negative", "detail_specimen": "urine"},
}


@pytest.fixture
def demo_site():
    text = (ROOT / "trials" / "definitions" / "demo.yaml").read_text()
    loaded = protocols.load_trial(text, by=jobs.system_user())
    return factories.make_site(loaded.trial)


def fill_in(send, by, patient, variable, at, **values):
    return send(
        by,
        "evidence_new",
        patient,
        query={"variable": variable},
        observed_at=f"{at:%Y-%m-%d %H:%M}",
        source="letter",
        is_study_specific="no",
        **values,
    )


def test_a_patient_goes_from_screening_to_the_injection_through_forms(look, send, demo_site):
    by = factories.make_user(Role.COORDINATOR, trial=demo_site.trial, site=demo_site)
    now = timezone.now().replace(microsecond=0)
    page = send(by, "patient_new", site=demo_site.pk, sex_at_birth="F", birth="1961").url
    patient = Patient.objects.get(site=demo_site)
    assert page == reverse("patient", args=[patient.pk])
    signed = f"{now - timedelta(hours=3):%Y-%m-%d %H:%M}"
    send(by, "consent_new", patient.pk, **CONSENT | {"signed_at": signed})
    for variable, values in EVIDENCE.items():
        fill_in(send, by, patient.pk, variable, now - timedelta(hours=2), **values)
    send(by, "patient_assess", patient.pk)
    assert patient.assessments.get().verdict == "eligible"
    leader = demo_site.principal_investigator
    send(leader, "verdict_sign", patient.assessments.get().pk, password=factories.PASSWORD)
    send(by, "patient_enrol", patient.pk, cohort="LYMPHOMA")
    plan = demo_site.trial.newest_version.planned_scans.get(identifier="fdg")
    send(by, "scan_new", patient.pk, planned_scan=plan.pk, planned_at=now.isoformat()[:19])
    scan = ScheduledScan.objects.get(patient=patient)
    fill_in(
        send,
        by,
        patient.pk,
        "glucose",
        now - timedelta(minutes=30),
        value="5.5",
        unit="mmol/L",
        scheduled_scan=scan.pk,
    )
    send(by, "scan_assess", scan.pk, gate="pre_injection")
    assert scan.assessments.get().verdict == "eligible"
    given = {
        "assayed_activity_mbq": "310",
        "assayed_at": now.isoformat()[:19],
        "injected_at": now.isoformat()[:19],
        "residual_at": now.isoformat()[:19],
    }
    send(by, "injection_new", scan.pk, **INJECTION | given)
    shown = look(by, "scan", scan.pk)
    assert "<strong>310.0 MBq</strong>" in shown
    assert "E6, Plasma glucose above 200 mg/dL" in shown
    assert Deviation.objects.filter(patient=patient).count() == 0
    assert "<strong>Upload images: FDG PET/CT" in look(by, "patient", patient.pk)


def test_an_assessment_asked_for_twice_is_made_once(send, demo_site):
    by = factories.make_user(Role.COORDINATOR, trial=demo_site.trial, site=demo_site)
    patient = factories.make_patient(demo_site, by=by)
    first, second = (send(by, "patient_assess", patient.pk, submission="a" * 32) for _ in "12")
    assert patient.assessments.count() == 1
    assert first.url == second.url


def test_a_scan_is_rescheduled_on_the_clock_of_its_site(send, site, coordinator):
    scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    form = {"planned_at": "2026-03-05T09:30", "reason": "glucose too high"}
    assert send(coordinator, "scan_reschedule", scan.pk, **form).status_code == 302
    scan.refresh_from_db()
    assert scan.planned_at == datetime(2026, 3, 5, 8, 30, tzinfo=UTC)


def test_a_scan_page_offers_another_time_until_the_scan_has_begun(look, send, coordinator, scan):
    page = reverse("scan_reschedule", args=[scan.pk])
    assert page in look(coordinator, "scan", scan.pk)
    # 12:00 UTC on the clock of the site.
    assert 'value="2026-03-02T13:00:00"' in look(coordinator, "scan_reschedule", scan.pk)
    send(coordinator, "injection_new", scan.pk, **INJECTION)
    assert page not in look(coordinator, "scan", scan.pk)


def test_a_screening_is_ended_on_its_page_and_the_way_says_so(send, look, site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    assert "End screening" in look(coordinator, "patient", patient.pk)
    answer = send(coordinator, "screening_end", patient.pk, reason="")
    assert answer.status_code == 422
    form = {"category": "criteria", "reason": "eGFR 22"}
    assert send(coordinator, "screening_end", patient.pk, **form).status_code == 302
    page = look(coordinator, "patient", patient.pk)
    assert "Screening ended without enrolment" in page
    assert "End screening" not in page


@pytest.mark.parametrize("file", sorted((ROOT / "trials" / "definitions").glob("*.yaml")))
def test_a_trial_page_tells_every_criterion_in_words(look, file):
    trial = protocols.load_trial(file.read_text(), by=jobs.system_user()).trial
    shown = look(factories.make_user(Role.MONITOR, trial=trial), "trial", trial.identifier)
    for criterion in trial.newest_version.criteria.all():
        assert criterion.text in shown
        assert f"Rule: {expression_words(criterion.expression)}" in shown
    definition = trial.newest_version.definition
    parts = [*definition["criteria"]]
    for scan in definition["planned_scans"]:
        named = ("uptake_minutes", "segmentation", "coverage", "reconstruction")
        parts += [scan.get(name) for name in named if scan.get(name)]
        parts += scan.get("reference_regions", [])
    parts += [one["effective_dose"] for one in definition["tracers"] if one.get("effective_dose")]
    parts += [definition["reads"]] if definition.get("reads") else []
    parts += definition.get("forms", [])
    # What images are held to says again which uptake times are only proposed.
    uptakes = [scan["uptake_minutes"] or {} for scan in definition["planned_scans"]]
    parts += [one for one in uptakes if one.get("low") or one.get("high")]
    proposed = [part for part in parts if part.get("provenance") == "proposed"]
    assert shown.count("Proposed, confirm with the protocol") == len(proposed)


def full_patient(site, by):
    """A patient with something in every table that the lists and pages show."""
    patient = factories.make_enrolled(site, by=by)
    fact = record(patient, by)
    evidence.correct(
        fact,
        value=70.0,
        unit="mL/min/1.73 m2",
        observed_at="2026-03-01",
        source="letter",
        reason="digits swapped",
        by=by,
    )
    assessed(patient, by, fact)
    scan = factories.make_scan(patient, by=by, planned_at=NOON + timedelta(days=1))
    with framed():
        queries.raise_by_rule(scan, rule="a-rule", text="A question.")
        deviations.draft_by_rule(scan, rule="a-rule", text="A deviation.", values={"found": 1})
    return patient


@pytest.mark.parametrize(
    "name",
    [
        "trials",
        "patients",
        "eligibility",
        "sites",
        "screening_log",
        "queries",
        "deviations",
        "audit",
    ],
)
def test_a_list_costs_the_same_for_one_row_and_for_three(
    client, site, coordinator, django_assert_num_queries, name
):
    auditor = factories.make_user(Role.AUDITOR, trial=site.trial)
    client.force_login(auditor)
    full_patient(site, coordinator)
    client.get(reverse(name))
    with CaptureQueriesContext(connection) as one:
        client.get(reverse(name))
    for _ in range(2):
        full_patient(site, coordinator)
    with django_assert_num_queries(len(one)):
        assert client.get(reverse(name)).status_code == 200
    assert len(one) <= 20


@pytest.mark.parametrize(
    ("name", "limit"), [("patient", 28), ("scan", 30), ("assessment", 20), ("query", 9)]
)
def test_a_page_stays_within_its_number_of_queries(
    client, site, coordinator, django_assert_max_num_queries, name, limit
):
    monitor = factories.make_user(Role.MONITOR, trial=site.trial)
    patient = full_patient(site, coordinator)
    keys = {
        "patient": patient.pk,
        "scan": patient.scheduled_scans.get().pk,
        "assessment": patient.assessments.first().pk,
        "query": patient.queries.get().pk,
    }
    client.force_login(monitor)
    with django_assert_max_num_queries(limit):
        assert client.get(reverse(name, args=[keys[name]])).status_code == 200


def test_a_monitor_sees_every_run_of_a_patient_beside_one_assessment(
    look, monitor, coordinator, patient
):
    earlier = assessed(patient, coordinator, record(patient, coordinator))
    factories.sign(earlier)
    newest = assessed(patient, coordinator, word="cannot tell", verdict="not_evaluable")
    runs = look(monitor, "assessment", newest.pk).split('id="runs-title"')[1]
    assert reverse("assessment", args=[earlier.pk]) in runs
    assert str(patient.site.principal_investigator) in runs
    assert runs.index(reverse("assessment", args=[newest.pk])) < runs.index(
        reverse("assessment", args=[earlier.pk])
    )


def test_the_delegation_log_is_printed_with_signatures_and_why_a_duty_ended(
    look, monitor, coordinator, site
):
    held = site.delegations.filter(user=coordinator, duty="inject").get()
    delegations.end(
        held, ends_on=site.today(), reason="moved to another ward", by=site.principal_investigator
    )
    shown = look(monitor, "delegation_log", site.pk)
    assert "moved to another ward" in shown
    assert site.time_zone in shown
    assert "further notice" in shown


def test_a_query_about_images_names_their_patient(coordinator, monitor, site):
    scan = factories.make_scan(factories.make_enrolled(site, by=coordinator), by=coordinator)
    transmittal = receiving.open_transmittal(scan, by=coordinator)
    query = queries.open_query(transmittal, text="Which scanner?", by=monitor)
    assert query.patient == scan.patient
