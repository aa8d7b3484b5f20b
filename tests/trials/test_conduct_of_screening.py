"""From consent to enrolment and out again: every gate, and what stands when something changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials.models import (
    Cohort,
    CriterionResult,
    Deviation,
    EligibilityCriterion,
    Patient,
    Query,
    Signature,
)
from trials.roles import Role
from trials.services import (
    assessments,
    cohorts,
    consents,
    delegations,
    deviations,
    enrolment,
    evidence,
    moments,
    patients,
    queries,
    sites,
    verdicts,
    withdrawals,
)
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
TALL = {"op": "ge", "var": "height", "value": 100, "unit": "cm"}


def today():
    return timezone.localdate()


def add_criterion(version, identifier="I1", expression=TALL, **given):
    with factories.framed():
        return EligibilityCriterion.objects.create(
            version=version,
            identifier=identifier,
            position=1,
            category=given.pop("category", "inclusion"),
            text="Taller than a metre",
            expression=expression,
            gate=given.pop("gate", "enrolment"),
            provenance="source",
            **given,
        )


@pytest.fixture
def site():
    trial = factories.make_trial()
    add_criterion(trial.newest_version)
    return factories.make_site(trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


@pytest.fixture
def leader(site):
    return site.principal_investigator


@pytest.fixture
def patient(site, coordinator):
    return factories.make_patient(site, by=coordinator)


def record(patient, by, value=170.0, variable="height", unit="cm", **given):
    fields = {"observed_at": "2026-03-01", "is_study_specific": False, "source": "file"} | given
    return evidence.record(patient, variable=variable, value=value, unit=unit, by=by, **fields)


@pytest.fixture
def signed(patient, coordinator):
    """A signed, eligible verdict of a patient who consented."""
    factories.make_consent(patient, by=coordinator)
    record(patient, coordinator)
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    factories.sign(made)
    return made


def lacking(patient, by, **given):
    return {one.code for one in enrolment.conditions(patient, by=by, **given) if not one.is_met}


# Consent.


def test_a_consent_on_a_form_that_is_not_approved_is_kept_and_is_not_valid(patient, coordinator):
    factories.make_consent(patient, by=coordinator, version="0.9")
    assert not consents.standing(patient).is_valid
    assert Deviation.objects.get(patient=patient).rule == "consent-form-not-in-force"
    assert Query.objects.get(patient=patient).rule == "consent-form-not-in-force"


def test_a_consent_signed_before_its_form_was_approved_is_not_valid(patient, coordinator):
    factories.make_consent(patient, by=coordinator, signed_at="2025-12-31")
    assert not consents.standing(patient).is_valid


def test_who_obtained_consent_without_being_delegated_is_a_deviation(site, patient, coordinator):
    stranger = factories.make_user(trial=site.trial)
    factories.make_consent(patient, by=coordinator, obtained_by_user=stranger)
    assert Deviation.objects.get(patient=patient).rule == "consent-without-delegation"


def test_one_of_two_consents_withdrawn_leaves_the_patient_in(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    first = patient.consents.get()
    second = factories.make_consent(patient, by=coordinator)
    consents.withdraw(first, reason="superseded", by=coordinator)
    assert Patient.objects.get(pk=patient.pk).state == "enrolled"
    consents.withdraw(second, reason="patient's wish", by=coordinator)
    assert Patient.objects.get(pk=patient.pk).state == "withdrawn"


def test_no_consent_is_recorded_once_a_screening_ended(patient, coordinator):
    enrolment.end_screening(patient, reason="moved away", by=coordinator)
    with pytest.raises(Refused, match="while a patient is screened"):
        factories.make_consent(patient, by=coordinator)


def new_form(site, manager, **changes):
    given = {
        "version": "2.0",
        "language": "en",
        "valid_from": today(),
        "valid_until": None,
        "requires_reconsent": True,
    }
    return sites.record_consent_version(site, by=manager, **given | changes)


def found_of(consent):
    """How a consent's deviation and question stand."""
    about = {"subject_table": "trials_consent", "subject_pk": consent.pk}
    return Deviation.objects.get(**about).state, Query.objects.get(**about).state


def test_a_form_recorded_after_it_was_signed_takes_deviation_and_question_back(
    site, patient, coordinator, manager
):
    signed = factories.make_consent(patient, by=coordinator, version="2.0")
    german = factories.make_consent(patient, by=coordinator, version="2.0", language="de")
    eight_days_ago = (today() - timedelta(days=8)).isoformat()
    early = factories.make_consent(patient, by=coordinator, version="2.0", signed_at=eight_days_ago)
    assert found_of(signed) == ("drafted", "open")
    new_form(site, manager, valid_from=today() - timedelta(days=7))
    assert consents.standing(Patient.objects.get(pk=patient.pk)).is_valid
    assert found_of(signed) == ("closed", "closed")
    assert found_of(german) == found_of(early) == ("drafted", "open")


def test_a_new_form_that_everybody_signs_makes_consent_due_again(
    site, patient, coordinator, manager, signed
):
    new_form(site, manager)
    standing = consents.standing(patient)
    assert (standing.is_valid, standing.is_reconsent_due) == (False, True)
    assert lacking(patient, coordinator) == {"reconsent-due"}
    assert [one for one, _ in consents.to_reconsent(site)] == [patient]
    factories.make_consent(patient, by=coordinator, version="2.0")
    assert consents.standing(patient).is_valid
    assert consents.to_reconsent(site) == []


# Evidence.


def test_nothing_study_specific_is_recorded_without_consent(patient, coordinator):
    with pytest.raises(Invalid, match="has not consented"):
        record(patient, coordinator, is_study_specific=True)


def test_a_study_specific_procedure_surely_before_consent_is_refused_at_its_date(
    patient, coordinator
):
    factories.make_consent(patient, by=coordinator, signed_at="2026-03-02")
    with pytest.raises(Invalid) as refusal:
        record(patient, coordinator, is_study_specific=True, observed_at="2026-03-01")
    assert refusal.value.field == "observed_at"
    # The same day without a time: which came first is told by a signed source, not guessed.
    record(patient, coordinator, is_study_specific=True, observed_at="2026-03-02")


def test_an_impossible_value_is_kept_asked_about_and_counts_for_nothing(
    patient, coordinator, manager
):
    factories.make_consent(patient, by=coordinator)
    row = record(patient, coordinator, value=17.0)
    query = Query.objects.get(subject_pk=row.pk, rule="implausible-value")
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert (row.value, made.verdict) == (17.0, "not_evaluable")
    queries.close(query, text="corrected below", by=manager)
    assert any(
        one.startswith("a query about height was closed on ")
        for one in verdicts.changed_since(made)
    )


def test_a_correction_settles_what_was_asked_of_the_impossible_value(patient, coordinator):
    factories.make_consent(patient, by=coordinator)
    row = record(patient, coordinator, value=17.0)
    told = {"observed_at": "2026-03-01", "source": "file", "reason": "a digit was lost"}
    evidence.correct(row, value=170.0, unit="cm", by=coordinator, **told)
    assert Query.objects.get(subject_pk=row.pk, rule="implausible-value").state == "closed"
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert (made.verdict, verdicts.changed_since(made)) == ("eligible", [])


def test_a_plausible_value_under_query_counts_once_the_query_is_closed(
    site, patient, coordinator, manager
):
    factories.make_consent(patient, by=coordinator)
    row = record(patient, coordinator)
    with factories.framed():
        query = queries.raise_by_rule(row, rule="implausible-value", text="Really?")
    first = assessments.assess(patient, gate="enrolment", by=coordinator)
    queries.close(query, text="confirmed", by=manager)
    second = assessments.assess(patient, gate="enrolment", by=coordinator)
    assert (first.verdict, second.verdict) == ("not_evaluable", "eligible")


def test_details_belong_to_their_variable(patient, coordinator):
    with pytest.raises(Invalid, match="criteria_set"):
        record(patient, coordinator, details={"criteria_set": "RECIST 1.1"})
    row = record(
        patient,
        coordinator,
        variable="lesions.measurable_count",
        value=2,
        unit="",
        details={"criteria_set": "Lugano 2014"},
    )
    assert row.details == {"criteria_set": "Lugano 2014"}


# Signature.


def test_a_signature_is_bound_to_the_verdict_and_its_inputs(signed):
    signature = verdicts.signature_in_force(signed)
    assert signature.content["verdict"] == "eligible"
    assert signature.content["inputs_sha256"] == signed.inputs_sha256
    assert signature.content["criteria"] == {"I1": "satisfied"}


@pytest.mark.parametrize("change", ["evidence", "correction", "consent", "version", "settlement"])
def test_any_change_of_an_input_supersedes_the_signature_and_says_so(
    site, patient, coordinator, signed, change
):
    if change == "evidence":
        record(patient, coordinator, value=171.0)
        expected = "height was recorded on "
    elif change == "correction":
        row = patient.evidence.get(variable="height")
        evidence.correct(
            row,
            value=171.0,
            unit="cm",
            observed_at=row.observed_at,
            source="file",
            reason="misread",
            by=coordinator,
        )
        expected = "height was corrected on "
    elif change == "consent":
        factories.make_consent(patient, by=coordinator)
        expected = "consent 1.0 was recorded on "
    elif change == "version":
        with factories.framed():
            version = site.trial.versions.create(
                number=2, label="2.0", definition={}, definition_sha256="1" * 64
            )
        factories.activate(version, site)
        expected = f"{version} took the place of {signed.version}"
    else:
        with factories.framed():
            site.trial.settlements.create(
                conflict="phase", choice="Phase 2", basis="x", settled_by=coordinator
            )
        expected = "the sources' conflict phase was settled on "
    signed.refresh_from_db()
    (told,) = verdicts.changed_since(signed)
    assert told.startswith(expected)
    assert verdicts.signature_in_force(signed) is None
    assert "assess-first" in lacking(patient, coordinator)


def test_a_signature_over_something_else_is_shown_as_broken(client, signed, coordinator):
    client.force_login(coordinator)
    address = reverse("assessment", args=[signed.pk])
    assert "Stands</span>" in client.get(address).content.decode()
    with factories.framed():
        CriterionResult.objects.filter(assessment=signed).update(word="excludes")
    page = client.get(address).content.decode()
    assert "Broken</span>" in page
    assert "Stands</span>" not in page
    with pytest.raises(Refused, match="not what was signed"):
        factories.sign(signed)


def test_a_verdict_is_signed_by_an_investigator_delegated_to(site, patient, coordinator, signed):
    outsider = factories.make_user(Role.INVESTIGATOR, trial=site.trial)
    with factories.framed():
        outsider.delegations.update(ends_on=today() - timedelta(days=1))
    made = assessments.assess(patient, gate="enrolment", by=coordinator)
    with pytest.raises(Refused, match="not delegated to sign"):
        verdicts.sign(made, by=outsider, password=factories.PASSWORD)
    with pytest.raises(Forbidden):
        verdicts.sign(made, by=coordinator, password=factories.PASSWORD)


def test_only_the_newest_verdict_is_signed_and_once(patient, coordinator, leader, signed):
    with pytest.raises(Refused, match="signed already"):
        factories.sign(signed)
    newer = assessments.assess(patient, gate="enrolment", by=coordinator)
    with pytest.raises(Refused, match="newer"):
        factories.sign(signed)
    factories.sign(newer)


@pytest.mark.django_db(databases=["default", "owner"])
def test_the_application_can_not_edit_a_signature(signed):
    from django.db.utils import ProgrammingError

    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("update trials_signature set signer_name = 'Somebody'")


# Enrolment.


def test_enrolment_tells_everything_that_is_missing_at_once(site, patient, coordinator, manager):
    sites.suspend(site, reason="inspection", by=manager)
    patient = Patient.objects.get(pk=patient.pk)
    with factories.framed():
        coordinator.delegations.filter(duty="enrol").update(ends_on=today() - timedelta(days=1))
    with pytest.raises(Refused) as refusal:
        enrolment.enrol(patient, by=coordinator)
    said = refusal.value.message
    assert refusal.value.code == "site-not-active"
    for part in ("suspended", "not delegated", "No consent is in force", "Assess eligibility"):
        assert part in said


def test_an_unsigned_verdict_enrols_nobody(patient, coordinator):
    factories.make_consent(patient, by=coordinator)
    record(patient, coordinator)
    assessments.assess(patient, gate="enrolment", by=coordinator)
    with pytest.raises(Refused) as refusal:
        enrolment.enrol(patient, by=coordinator)
    assert refusal.value.code == "not-signed"


def test_an_enrolment_keeps_what_it_rests_on(patient, coordinator, signed):
    enrolment.enrol(patient, by=coordinator)
    row = Patient.objects.get(pk=patient.pk).enrolment
    assert row.assessment == signed
    assert row.signature == verdicts.signature_in_force(signed)
    assert row.consent == patient.consents.get()
    assert not row.is_despite_criteria


def make_cohort(site, cap=1, name="A", arm=""):
    with factories.framed():
        return Cohort.objects.create(
            version=site.version_in_force,
            identifier=name,
            label=f"Cohort {name}",
            cap=cap,
            arm=arm,
        )


def test_a_cohort_is_chosen_and_has_room(site, patient, coordinator, signed):
    make_cohort(site)
    assert lacking(patient, coordinator) == {"no-cohort"}
    assert lacking(patient, coordinator, cohort="A") == set()
    enrolment.enrol(patient, cohort="A", by=coordinator)
    other = factories.make_patient(site, by=coordinator)
    assert "cohort-full" in lacking(other, coordinator, cohort="A")
    with pytest.raises(Invalid, match="The cohorts are A"):
        enrolment.enrol(other, cohort="B", by=coordinator)


def test_the_cap_of_an_arm_counts_all_its_cohorts(site, patient, coordinator, client, signed):
    version = site.version_in_force
    arms = [{"identifier": "X", "label": "Both tracers", "role": "single", "cap": 1}]
    with factories.framed():
        version.definition |= {"arms": [{**one, "source": []} for one in arms]}
        version.save(update_fields=["definition"])
    for name, arm in (("A", "X"), ("B", "X"), ("C", "")):
        make_cohort(site, cap=None, name=name, arm=arm)
    enrolment.enrol(patient, cohort="A", by=coordinator)
    other = factories.make_patient(site, by=coordinator)
    assert "cohort-full" in lacking(other, coordinator, cohort="B")
    assert "cohort-full" not in lacking(other, coordinator, cohort="C")
    client.force_login(coordinator)
    address = reverse("api_cohorts", args=[site.trial.identifier])
    told = {one["identifier"]: one for one in client.get(address).json()["results"]}
    assert (told["B"]["arm_cap"], told["B"]["arm_enrolled"], told["B"]["is_open"]) == (1, 1, False)
    page = client.get(reverse("trial", args=[site.trial.identifier])).content.decode()
    assert "arm Both tracers: 1 of 1" in page


def test_a_closed_cohort_takes_nobody_until_it_is_reopened(
    site, patient, coordinator, manager, signed
):
    make_cohort(site, cap=None)
    cohorts.close(site.trial, cohort="A", reason="interim look", by=manager)
    assert lacking(patient, coordinator, cohort="A") == {"cohort-closed"}
    with pytest.raises(Refused, match="closed already"):
        cohorts.close(site.trial, cohort="A", reason="again", by=manager)
    cohorts.reopen(site.trial, cohort="A", reason="it may go on", by=manager)
    assert lacking(patient, coordinator, cohort="A") == set()


def test_who_is_not_eligible_is_enrolled_only_as_a_signed_important_deviation(
    patient, coordinator, leader
):
    factories.make_consent(patient, by=coordinator)
    record(patient, coordinator, value=90.0)
    assessments.assess(patient, gate="enrolment", by=coordinator)
    with pytest.raises(Invalid, match="nothing was signed"):
        enrolment.record_despite(patient, text="on paper", password="x", by=leader)
    assert Patient.objects.get(pk=patient.pk).state == "screening"
    deviation = enrolment.record_despite(
        patient, text="on paper", password=factories.PASSWORD, by=leader
    )
    enrolled = Patient.objects.get(pk=patient.pk)
    assert (enrolled.state, enrolled.enrolment.is_despite_criteria) == ("enrolled", True)
    assert deviation.is_important
    assert deviation.values["found"] == "I1 (excludes)"
    assert Signature.objects.get(subject_table="trials_deviation").content["text"] == (
        deviation.text
    )


def test_there_is_no_despite_for_who_is_eligible(patient, leader, signed):
    with pytest.raises(Refused, match="enrol as usual"):
        enrolment.record_despite(patient, text="x y", password=factories.PASSWORD, by=leader)


def test_an_important_deviation_is_acknowledged_with_a_signature(site, patient, leader):
    with factories.framed():
        row = deviations.draft_by_rule(
            patient, rule="a-rule", text="Important.", values={}, is_important=True
        )
    with pytest.raises(Invalid):
        deviations.acknowledge(row, text="seen", by=leader)
    deviations.acknowledge(row, text="seen", password=factories.PASSWORD, by=leader)
    assert Signature.objects.filter(subject_pk=row.pk, meaning="deviation").count() == 1


# The end of screening, screening again, withdrawal.


def test_a_screen_failure_keeps_the_criteria_that_excluded(patient, coordinator):
    factories.make_consent(patient, by=coordinator)
    record(patient, coordinator, value=90.0)
    assessments.assess(patient, gate="enrolment", by=coordinator)
    failed = enrolment.end_screening(
        patient, category="criteria", reason="too small", by=coordinator
    )
    assert (failed.screen_failure.category, failed.screen_failure.criteria) == ("criteria", ["I1"])


def test_who_failed_is_screened_again_once_under_a_linked_number(site, patient, coordinator):
    with pytest.raises(Refused, match="only who failed"):
        patients.rescreen(patient, reason="recovered", by=coordinator)
    failed = enrolment.end_screening(patient, reason="too ill", by=coordinator)
    again = patients.rescreen(failed, reason="recovered", by=coordinator)
    assert again.rescreening_of == failed
    assert (again.birth, again.date_shift_days) == (failed.birth, failed.date_shift_days)
    assert again.screening_number == f"{site.code}-S002"
    assert not again.evidence.exists()
    with pytest.raises(Refused, match="already"):
        patients.rescreen(failed, reason="recovered", by=coordinator)


def leave(patient, by, extent):
    return withdrawals.record(
        patient,
        extent=extent,
        initiative="patient",
        withdrawn_at=today().isoformat(),
        text="no more",
        by=by,
    )


def test_a_withdrawal_reaches_further_and_never_less_far(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    leave(patient, coordinator, "use")
    assert Patient.objects.get(pk=patient.pk).state == "withdrawn"
    with pytest.raises(Refused, match="as far already"):
        leave(patient, coordinator, "scans")
    leave(patient, coordinator, "destroy")
    assert withdrawals.extent_of(patient) == "destroy"


def test_who_was_never_enrolled_ends_the_screening_and_does_not_withdraw(patient, coordinator):
    with pytest.raises(Refused, match="end the screening"):
        leave(patient, coordinator, "scans")


def test_every_run_is_kept(patient, coordinator, signed):
    assessments.assess(patient, gate="enrolment", by=coordinator)
    assert CriterionResult.objects.filter(assessment__patient=patient).count() == 2


def test_who_is_not_delegated_does_not_assess(site, patient, coordinator):
    with factories.framed():
        coordinator.delegations.filter(duty="assess").update(ends_on=today() - timedelta(days=1))
    assert not delegations.holds(coordinator, "assess", site)
    with pytest.raises(Refused, match="not delegated to assess"):
        assessments.assess(patient, gate="enrolment", by=coordinator)


# Days are those of the site


@pytest.mark.parametrize(
    ("text", "is_ahead"),
    [
        # It is 20:30 on the 1st in Greenwich, 09:30 on the 2nd in Auckland.
        ("2026-03-02", False),
        ("2026-03-02T09:00+13:00", False),
        ("2026-03-02T09:34+13:00", False),
        ("2026-03-02T11:00+13:00", True),
        ("2026-03-01T23:00+00:00", True),
        ("2026-03-03", True),
        ("2026-03", False),
        ("2026-04", True),
    ],
)
def test_what_lies_ahead_is_told_by_the_calendar_of_the_site(monkeypatch, text, is_ahead):
    now = datetime(2026, 3, 1, 20, 30, tzinfo=UTC)
    monkeypatch.setattr(moments.timezone, "now", lambda: now)
    if is_ahead:
        with pytest.raises(Invalid) as refused:
            moments.happened(text, zone="Pacific/Auckland", field="signed_at")
        assert refused.value.field == "signed_at"
    else:
        assert moments.happened(text, zone="Pacific/Auckland", field="signed_at")


def test_evidence_of_tomorrow_is_refused_at_its_field(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    ahead = (timezone.now() + timedelta(days=2)).date().isoformat()
    with pytest.raises(Invalid) as refused:
        evidence.record(
            patient,
            variable="creatinine",
            value=0.9,
            unit="mg/dL",
            observed_at=ahead,
            is_study_specific=False,
            source="laboratory report",
            by=coordinator,
        )
    assert refused.value.field == "observed_at"
