"""Amendments tried before they hold, assessments judged again, contradictions settled."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials.models import EligibilityAssessment, Patient, Trial
from trials.roles import Role
from trials.services import (
    amendments,
    assessments,
    evidence,
    jobs,
    protocols,
    replays,
    settlements,
    verdicts,
)
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db
DEFINITIONS = Path(protocols.SCHEMA).parent / "definitions"
DEMO = (DEFINITIONS / "demo.yaml").read_text()
AMENDED = (DEFINITIONS / "amendments" / "demo-2.0.yaml").read_text()
LYMFOR = (DEFINITIONS / "NCT06125028.yaml").read_text()
FACTS = {
    "creatinine": (0.8, "mg/dL"),
    "histology.confirmed": (True, ""),
    "diagnosis.group": ("MM", ""),
    "therapy.anticancer": ([], ""),
    "unable_to_tolerate_scan": (False, ""),
    "ecog": (2, ""),
}


def today():
    return timezone.localdate()


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    return factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)


@pytest.fixture
def manager(site):
    return factories.make_user(Role.DATA_MANAGER, trial=site.trial)


def screened(site, by, **changes):
    patient = factories.make_patient(site, by=by, sex="M")
    factories.make_consent(patient, by=by)
    for variable, (value, unit) in (FACTS | changes).items():
        record(patient, by, variable, value, unit)
    return patient


def record(patient, by, variable, value, unit=""):
    return evidence.record(
        patient,
        variable=variable,
        value=value,
        unit=unit,
        observed_at=(today() - timedelta(days=1)).isoformat(),
        is_study_specific=False,
        source="report",
        by=by,
    )


@pytest.fixture
def version(site):
    return protocols.load_trial(AMENDED, by=jobs.system_user()).version


# Amendments.


def test_a_loaded_version_holds_nowhere_until_it_is_activated(site, version, manager):
    first = site.version_in_force
    assert first.label == "1.0"
    assert (version, [*site.trial.sites.all()]) in [
        (one, sorted(behind, key=lambda s: s.code))
        for one, behind in amendments.pending(site.trial)
    ]
    amendments.activate(
        version, site=site, effective_on=today(), reference="approval 7", by=manager
    )
    assert site.version_in_force == version


def test_a_version_activated_for_later_holds_from_its_day(site, version, manager):
    tomorrow = today() + timedelta(days=1)
    amendments.activate(version, site=site, effective_on=tomorrow, reference="a 7", by=manager)
    assert site.version_in_force.label == "1.0"
    ((_, behind),) = amendments.pending(site.trial)
    assert site not in behind


def test_a_day_that_has_not_come_is_given_anew(client, site, version, manager):
    given = {"site": site, "by": manager}
    wrong = today() + timedelta(days=3650)
    amendments.activate(version, effective_on=wrong, reference="a 7", **given)
    client.force_login(manager)
    page = reverse("amendment", args=[site.pk, version.pk])
    assert page in client.get(reverse("site", args=[site.pk])).content.decode()
    shown = client.get(page)
    text = shown.content.decode()
    assert wrong.isoformat() in text
    assert "on, which has not come" in text
    # A second click changes nothing: what was said stands in the form.
    initial = shown.context["form"].initial
    assert initial == {"effective_on": wrong, "reference": "a 7"}
    told = {"effective_on": today().isoformat(), "reference": "a 7, day misread"}
    assert client.post(page, told).status_code == 302
    assert site.version_in_force == version
    rows = list(site.activations.order_by("pk"))
    assert [one.effective_on for one in rows if one.version_id == version.pk] == [today()]
    with pytest.raises(Refused, match="last one activated"):
        amendments.activate(version, effective_on=wrong, reference="a 8", **given)


def test_an_earlier_version_never_holds_again(site, version, manager):
    earlier, given = site.version_in_force, {"site": site, "reference": "a 7", "by": manager}
    amendments.activate(version, effective_on=today(), **given)
    with pytest.raises(Refused, match="never holds again"):
        amendments.activate(earlier, effective_on=today(), **given)


def test_a_dry_run_names_criteria_of_the_scan_day_that_differ(site, version, manager):
    assert amendments.dry_run(version, site=site, by=manager).scan_day == ()
    with factories.framed():
        row = version.criteria.filter(gate="pre_injection").first()
        row.text = "Glucose below another limit"
        row.save()
    run = amendments.dry_run(version, site=site, by=manager)
    assert run.scan_day == ((row, "changed"),)


def test_a_form_that_the_site_asks_all_to_sign_is_asked_for_too(
    site, version, coordinator, manager
):
    patient = screened(site, coordinator)
    with factories.framed():
        version.definition["consent_versions"] = []
        version.save()
        site.consent_versions.create(
            version="9.0",
            language="en",
            valid_from=today() + timedelta(days=9),
            requires_reconsent=True,
        )
    assert amendments.dry_run(version, site=site, by=manager).reconsent == (patient,)


def test_time_goes_forward_only_and_an_approval_is_named(site, version, manager):
    given = {"site": site, "by": manager}
    with pytest.raises(Invalid, match="approval"):
        amendments.activate(version, effective_on=today(), reference=" ", **given)
    with pytest.raises(Invalid, match="later day"):
        amendments.activate(
            version, effective_on=today() - timedelta(days=900), reference="a 7", **given
        )
    amendments.activate(version, effective_on=today(), reference="a 7", **given)
    with pytest.raises(Refused, match="last one activated"):
        amendments.activate(version, effective_on=today(), reference="a 7", **given)


def test_a_dry_run_names_who_would_flip_on_which_criterion_and_who_consents_again(
    site, version, coordinator, manager
):
    flips = screened(site, coordinator)
    stays = screened(site, coordinator, ecog=(1, ""))
    run = amendments.dry_run(version, site=site, by=manager)
    (flip,) = run.flips
    assert (flip.patient, flip.before, flip.after) == (flips, "eligible", "ineligible")
    (change,) = flip.changes
    assert (change.criterion, change.before, change.after) == ("I5", "satisfied", "excludes")
    assert run.unchanged == 1
    assert set(run.reconsent) == {flips, stays}
    assert not EligibilityAssessment.objects.filter(patient__in=[flips, stays]).exists()


def test_a_dry_run_costs_as_many_queries_for_one_patient_as_for_three(
    site, version, coordinator, manager, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    screened(site, coordinator)
    amendments.dry_run(version, site=site, by=manager)
    with CaptureQueriesContext(connection) as one:
        amendments.dry_run(version, site=site, by=manager)
    screened(site, coordinator)
    screened(site, coordinator)
    with django_assert_num_queries(len(one)):
        amendments.dry_run(version, site=site, by=manager)


def test_only_a_data_manager_tries_and_activates(site, version, coordinator):
    with pytest.raises(Forbidden):
        amendments.dry_run(version, site=site, by=coordinator)


# Replay.


@pytest.fixture
def made(site, coordinator):
    return assessments.assess(screened(site, coordinator), gate="enrolment", by=coordinator)


def test_a_replay_reads_what_was_frozen_and_never_the_evidence_of_today(made, coordinator):
    assert made.verdict == "eligible"
    record(made.patient, coordinator, "creatinine", 9.0, "mg/dL")
    found = replays.of(made)
    assert (found.is_same, found.differences) == (True, ())
    assert found.engine_then == found.engine_now


def test_a_replay_needs_no_look_at_the_evidence(made, django_assert_num_queries):
    loaded = EligibilityAssessment.objects.prefetch_related("results__criterion").get(pk=made.pk)
    with django_assert_num_queries(0):
        assert replays.of(loaded).is_same


def tampered(assessment, sql):
    """As somebody who owns the machine might, past the application and its triggers."""
    with factories.framed(), connections["default"].cursor() as cursor:
        cursor.execute(sql, [assessment.pk])
    return EligibilityAssessment.objects.get(pk=assessment.pk)


def test_a_verdict_that_was_changed_is_named(made):
    changed = tampered(
        made, "update trials_eligibilityassessment set verdict = 'ineligible' where id = %s"
    )
    assert replays.of(changed).differences == (
        "Verdict: kept is ineligible, judged again it is eligible.",
    )


def test_inputs_that_were_changed_are_named_by_their_digest(made):
    changed = tampered(
        made,
        "update trials_eligibilityassessment set inputs = "
        "jsonb_set(inputs, '{record,birth}', '\"2020\"') where id = %s",
    )
    differences = replays.of(changed).differences
    assert differences[0].startswith("The frozen inputs are not those that were judged")
    assert any(one.startswith("I1, word: kept is 'satisfied'") for one in differences)


def test_a_result_that_was_changed_is_named(made):
    changed = tampered(
        made,
        "update trials_criterionresult set word = 'excludes' where criterion_id in "
        "(select id from trials_eligibilitycriterion where identifier = 'E3') "
        "and assessment_id = %s",
    )
    assert replays.of(changed).differences == (
        "E3, word: kept is 'excludes', judged again it is 'satisfied'.",
    )


def test_the_command_replays_a_trial_and_ends_with_an_error_at_any_difference(made):
    out = StringIO()
    call_command("replay_eligibility", "DEMO", stdout=out)
    assert out.getvalue() == "DEMO: 1 the same, 0 different, 0 kept without inputs.\n"
    tampered(made, "update trials_eligibilityassessment set verdict = 'x' where id = %s")
    out = StringIO()
    with pytest.raises(CommandError, match="Not every assessment"):
        call_command("replay_eligibility", "DEMO", stdout=out)
    assert "Verdict: kept is x, judged again it is eligible." in out.getvalue()


def test_what_was_kept_without_inputs_is_no_proof(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    factories.make_assessment(patient, by=coordinator)
    with pytest.raises(CommandError):
        call_command("replay_eligibility", "DEMO", stdout=StringIO())
    out = StringIO()
    call_command("replay_eligibility", "DEMO", "--allow-unfrozen", stdout=out)
    assert "1 kept without inputs" in out.getvalue()


def test_an_unknown_trial_is_named():
    with pytest.raises(CommandError, match="no trial NOWHERE"):
        call_command("replay_eligibility", "NOWHERE")


# Contradictions between the sources.


@pytest.fixture
def lymfor():
    return factories.make_site(protocols.load_trial(LYMFOR, by=jobs.system_user()).trial)


def test_both_conflicts_of_the_sources_are_open_with_their_readings(lymfor):
    found = {one.key: one for one in settlements.conflicts(lymfor.version_in_force)}
    assert set(found) == {"phase", "E2+I4"}
    assert [one.choice for one in found["phase"].readings] == ["Phase 2", "Phase 3"]
    assert [one.choice for one in found["E2+I4"].readings] == ["E2", "I4"]
    assert all(one.is_open for one in found.values())


def treated(lymfor, by):
    """Treated long ago: not treatment-naive, and washed out."""
    patient = factories.make_patient(lymfor, by=by, sex="M")
    factories.make_consent(patient, by=by)
    record(
        patient,
        by,
        "therapy.anticancer",
        [{"name": "R-CHOP", "started_on": "2020", "stopped_on": "2021"}],
    )
    return patient


def words(made):
    return dict(made.results.values_list("criterion__identifier", "word"))


@pytest.mark.parametrize(("choice", "word"), [("I4", "excludes"), ("E2", "satisfied")])
def test_the_reading_a_data_manager_decides_for_is_judged_alone(lymfor, choice, word):
    by = factories.make_user(Role.COORDINATOR, trial=lymfor.trial, site=lymfor)
    manager = factories.make_user(Role.DATA_MANAGER, trial=lymfor.trial)
    patient = treated(lymfor, by)
    before = assessments.assess(patient, gate="enrolment", by=by)
    assert words(before)["I4"] == "cannot tell"
    settlements.settle(
        lymfor.trial, conflict="E2+I4", choice=choice, basis="protocol 5.1", by=manager
    )
    assert verdicts.in_force(patient, gate="enrolment") is None
    after = words(assessments.assess(patient, gate="enrolment", by=by))
    assert after[choice] == word
    assert ({"I4", "E2"} - {choice}) & set(after) == set()


def test_a_phase_that_was_settled_stays_so_when_the_file_is_loaded_again(lymfor):
    manager = factories.make_user(Role.DATA_MANAGER, trial=lymfor.trial)
    settlements.settle(
        lymfor.trial, conflict="phase", choice="Phase 3", basis="registry", by=manager
    )
    changed = LYMFOR.replace("registry extract 1", "registry extract 2")
    protocols.load_trial(changed, by=jobs.system_user())
    assert Trial.objects.get(pk=lymfor.trial_id).phase == "Phase 3"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"conflict": "title"}, "conflict"),
        ({"choice": "Phase 4"}, "choice"),
        ({"basis": " "}, "basis"),
    ],
)
def test_a_decision_is_for_a_reading_there_is_and_says_on_what_it_rests(lymfor, given, field):
    manager = factories.make_user(Role.DATA_MANAGER, trial=lymfor.trial)
    fields = {"conflict": "phase", "choice": "Phase 3", "basis": "registry"} | given
    with pytest.raises(Invalid) as refusal:
        settlements.settle(lymfor.trial, by=manager, **fields)
    assert refusal.value.field == field


def test_no_patient_is_touched_by_trying(site, version, coordinator, manager):
    patient = screened(site, coordinator)
    amendments.dry_run(version, site=site, by=manager)
    assert Patient.objects.get(pk=patient.pk).assessments.count() == 0
