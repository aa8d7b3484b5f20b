"""Answers of forms as evidence: dated, corrected with the form, and never a second truth."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from trials import case_report_forms, expressions, item_evidence, protocol, trial_yaml
from trials.case_report_forms import Item
from trials.item_values import Entered
from trials.kleene import Truth
from trials.models import Evidence, FormEntry, Query
from trials.roles import Role
from trials.services import (
    assessments,
    evidence,
    form_entries,
    form_evidence,
    injections,
    jobs,
    protocols,
    scans,
    verdicts,
    visits,
)
from trials.services.errors import Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
LABS = """
forms:
  - identifier: labs
    label: Laboratory
    domain: LB
    provenance: proposed
    is_repeating: true
    items:
      - {identifier: drawn_on, label: Drawn, type: date, missing: []}
      - identifier: creatinine
        label: Creatinine
        type: decimal
        unit: umol/L
        evidence: {variable: creatinine, dated_by: drawn_on}
      - {identifier: ast_high, label: AST upper limit, type: decimal, unit: U/L, is_required: false}
      - identifier: ast
        label: AST
        type: decimal
        unit: U/L
        is_required: false
        evidence: {variable: ast, dated_by: drawn_on, details: {reference_high: ast_high}}
  - identifier: status
    label: Status
    provenance: proposed
    visits: [SCREEN, PET1]
    items:
      - {identifier: ecog, label: ECOG, type: integer, evidence: {variable: ecog}}

general_forms:
"""
TRIAL = DEMO.replace("\ngeneral_forms:\n", LABS)
SCHEMA = json.loads(Path(protocols.SCHEMA).read_text())


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(TRIAL, by=jobs.system_user()).trial)


@pytest.fixture
def coordinator(site):
    user = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    factories.delegate(user, site)
    return user


@pytest.fixture
def patient(site, coordinator):
    patient = factories.make_patient(site, by=coordinator)
    factories.make_consent(patient, by=coordinator, signed_at=day(40))
    return patient


def day(before):
    return (timezone.now() - timedelta(days=before)).date().isoformat()


def fill(patient, by, form="labs", visit="", **given):
    entry = form_entries.begin(patient, form=form, visit=visit, by=by)
    return form_entries.complete(entry, given=given, revision=1, by=by)


def correct(entry, by, **given):
    now = FormEntry.objects.get(pk=entry.pk)
    return form_entries.correct(
        now, given=given, revision=now.revision, reason="read wrongly", by=by
    )


def standing(patient, variable):
    rows = Evidence.objects.filter(patient=patient, variable=variable, superseded_by=None)
    return [(row.value, row.unit, row.observed_at, row.is_void) for row in rows]


def result(patient, criterion, by):
    assessment = assessments.assess(patient, gate="enrolment", by=by)
    return assessment, assessment.results.get(criterion__identifier=criterion)


def by_hand(patient, by, **given):
    said = {"unit": "", "is_study_specific": False, "source": "laboratory report"} | given
    return evidence.record(patient, by=by, **said)


def test_an_answer_is_dated_evidence_that_criteria_convert(patient, coordinator):
    entry = fill(patient, coordinator, drawn_on=day(2), creatinine="88.4")
    row = Evidence.objects.get(patient=patient)
    assert (row.variable, row.value, row.unit) == ("creatinine", 88.4, "µmol/L")
    assert (row.observed_at, row.source) == (day(2), "Form Laboratory 1: Creatinine")
    assert row.item_value.entry == entry
    _, found = result(patient, "E3", coordinator)
    # 88.4 µmol/L is 1 mg/dL (KDIGO 2024): by CKD-EPI 2021 of a woman of 65 years 62 mL/min/1.73 m2.
    assert found.word == "satisfied"
    assert "62" in found.reason or "63" in found.reason or "61" in found.reason
    assert "Form Laboratory 1" in found.reason


def test_a_correction_supersedes_with_its_reason_and_ends_what_rested_on_it(
    client, patient, coordinator
):
    entry = fill(patient, coordinator, drawn_on=day(2), creatinine="88.4")
    assessment, found = result(patient, "E3", coordinator)
    assert verdicts.changed_since(assessment) == []
    correct(entry, coordinator, creatinine="884")
    assert standing(patient, "creatinine") == [(884.0, "µmol/L", day(2), False)]
    (phrase,) = verdicts.changed_since(assessment)
    assert phrase.startswith("serum creatinine was corrected on ")
    # The very assessment still shows what it was made on, as corrected since.
    assert [one.superseded_by_id is not None for one in found.evidence.all()] == [True]
    assert result(patient, "E3", coordinator)[1].word == "excludes"
    client.force_login(coordinator)
    page = client.get(reverse("patient", args=[patient.pk])).content.decode()
    assert "Reason for the value in force: read wrongly" in page
    assert f"{reverse('form_entry', args=[entry.pk])}#item-creatinine" in page
    shown = client.get(reverse("form_entry", args=[entry.pk])).content.decode()
    assert f'evidence of <span class="moment">{day(2)}</span>' in shown


def test_what_a_form_tells_is_corrected_in_the_form_alone(client, patient, coordinator):
    fill(patient, coordinator, drawn_on=day(2), creatinine="88.4")
    row = Evidence.objects.get(patient=patient)
    with pytest.raises(Refused, match="corrected in the form") as caught:
        evidence.correct(
            row,
            value=1.0,
            unit="mg/dL",
            observed_at=day(2),
            source="report",
            reason="typed by hand",
            by=coordinator,
        )
    assert caught.value.code == "told-by-form"
    client.force_login(coordinator)
    page = client.get(reverse("patient", args=[patient.pk])).content.decode()
    assert reverse("evidence_correct", args=[row.pk]) not in page
    (listed,) = client.get(reverse("api_evidence", args=[patient.pk])).json()["results"]
    assert (listed["form_entry"], listed["is_void"]) == (row.item_value.entry_id, False)


def test_what_was_typed_by_hand_of_the_same_day_is_a_conflict_and_not_a_second_truth(
    patient, coordinator
):
    fill(patient, coordinator, drawn_on=day(2), creatinine="88.4")
    by_hand(patient, coordinator, variable="creatinine", value=10, unit="mg/dL", observed_at=day(2))
    _, found = result(patient, "E3", coordinator)
    assert found.word == "cannot tell"
    assert "Form Laboratory 1" in found.reason
    assert "laboratory report" in found.reason
    assert found.evidence.count() == 2


def test_an_answer_that_is_taken_away_says_nothing_any_more(patient, coordinator):
    older = by_hand(
        patient, coordinator, variable="creatinine", value=1.1, unit="mg/dL", observed_at=day(9)
    )
    entry = fill(patient, coordinator, drawn_on=day(2), creatinine="884")
    assert result(patient, "E3", coordinator)[1].word == "excludes"
    correct(entry, coordinator, creatinine={"missing": "ND", "reason": "tube broken"})
    assert standing(patient, "creatinine") == [
        (1.1, "mg/dL", day(9), False),
        (None, "µmol/L", day(2), True),
    ]
    _, found = result(patient, "E3", coordinator)
    assert (found.word, list(found.evidence.all())) == ("satisfied", [older])
    # Not known is an answer: it was asked, and criteria may not pass over it.
    correct(entry, coordinator, creatinine={"missing": "NK"})
    assert result(patient, "E3", coordinator)[1].word == "cannot tell"
    form_entries.undo(
        FormEntry.objects.get(pk=entry.pk), reason="of another patient", by=coordinator
    )
    assert result(patient, "E3", coordinator)[1].word == "satisfied"


def test_an_impossible_answer_is_doubted_until_the_form_is_corrected(patient, coordinator):
    entry = fill(patient, coordinator, drawn_on=day(2), creatinine="88400")
    asked = Query.objects.get(subject_table="trials_evidence", rule="implausible-value")
    assert result(patient, "E3", coordinator)[1].word == "cannot tell"
    correct(entry, coordinator, creatinine="88.4")
    asked.refresh_from_db()
    assert asked.state == "closed"
    assert result(patient, "E3", coordinator)[1].word == "satisfied"


def test_the_visit_dates_what_has_no_date_of_its_own(patient, coordinator, site):
    planned = site.version_in_force.planned_visits.get(identifier="SCREEN")
    entry = fill(patient, coordinator, form="status", visit="SCREEN", ecog="1")
    assert not Evidence.objects.filter(variable="ecog").exists()
    held = visits.record(
        patient, visit=planned, took_place_at=day(5), performed_by="Dr Adams", by=coordinator
    )
    assert standing(patient, "ecog") == [(1, "", day(5), False)]
    visits.correct(
        held, took_place_at=day(6), performed_by="Dr Adams", reason="diary", by=coordinator
    )
    assert standing(patient, "ecog") == [(1, "", day(6), False)]
    visits.undo(held, reason="of another patient", by=coordinator)
    assert standing(patient, "ecog") == [(None, "", day(6), True)]
    assert Evidence.objects.filter(item_value__entry=entry).count() == 3


def test_the_shipped_pregnancy_test_is_evidence(patient, coordinator):
    at = f"{day(1)}T08:15+00:00"
    given = {"is_able": "yes", "tested_at": at, "specimen": "URINE", "result": "NEGATIVE"}
    entry = fill(patient, coordinator, form="childbearing", **given)
    at = at.replace("+", ":00+")
    assert standing(patient, "pregnancy_test") == [("negative", "", at, False)]
    assert result(patient, "E1", coordinator)[1].word == "satisfied"
    correct(entry, coordinator, result="INDETERMINATE")
    assert standing(patient, "pregnancy_test") == [(None, "", at, False)]
    assert result(patient, "E1", coordinator)[1].word == "cannot tell"


def test_a_correction_elsewhere_in_the_form_leaves_evidence_as_it_is(patient, coordinator):
    given = {"is_able": "yes", "tested_at": f"{day(1)}T08:15+00:00", "result": "NEGATIVE"}
    entry = fill(patient, coordinator, form="childbearing", specimen="URINE", **given)
    before = Evidence.objects.get(patient=patient).pk
    correct(entry, coordinator, specimen="SERUM")
    assert list(Evidence.objects.values_list("pk", flat=True)) == [before]


def test_a_form_of_the_trial_before_consent_is_refused_by_its_item(patient, coordinator, site):
    version = site.version_in_force
    with factories.framed():
        stated = version.definition["forms"]
        stated[0]["items"][1]["evidence"]["is_study_specific"] = True
        version.save(update_fields=["definition"])
    patient.site.refresh_from_db()
    with pytest.raises(form_entries.WrongItems, match="before the first consent") as caught:
        fill(patient, coordinator, drawn_on=day(60), creatinine="88.4")
    assert list(caught.value.errors) == ["creatinine"]
    assert not Evidence.objects.exists()


def test_a_form_without_evidence_asks_the_database_nothing_for_it(
    patient, coordinator, django_assert_num_queries
):
    history = {"term": "Gout", "started_on": "2019", "is_ongoing": "no", "ended_on": "2020"}
    entry = fill(patient, coordinator, form="medical_history", **history)
    form = form_entries.form_of(entry)
    with django_assert_num_queries(0):
        form_evidence.tell(entry, form, by=coordinator)


def problems(**item):
    stated = {"identifier": "asked", "label": "Asked", "type": "decimal"} | item
    text = {"identifier": "f", "label": "F", "visits": ["SCREEN"], "items": [stated]}
    form = case_report_forms.form(text)
    return list(item_evidence.errors(form, form.items[0]))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"evidence": {"variable": "no_such"}}, "There is no variable 'no_such'."),
        (
            {"unit": "kg", "evidence": {"variable": "creatinine"}},
            "Serum creatinine is recorded in mg/dL or µmol/L; got 'kg'.",
        ),
        ({"type": "text", "evidence": {"variable": "ecog"}}, "got text."),
        ({"evidence": {"variable": "glucose"}}, "Plasma glucose is recorded for a scan"),
        ({"unit": "kg/m2", "evidence": {"variable": "bmi"}}, "is computed and can't be recorded."),
        (
            {"evidence": {"variable": "ecog", "dated_by": "asked"}},
            "'asked' is no item that is a date.",
        ),
        (
            {
                "type": "choice",
                "codes": [{"code": "NEG", "label": "Negative"}],
                "evidence": {"variable": "pregnancy_test"},
            },
            "Pregnancy test is one of negative, positive; got 'NEG'.",
        ),
        (
            {
                "type": "choice",
                "codes": [{"code": "NEG", "label": "Negative"}],
                "evidence": {"variable": "pregnancy_test", "codes": {"OTHER": "negative"}},
            },
            "OTHER is no code of the item.",
        ),
    ],
)
def test_a_definition_whose_evidence_can_not_fit_is_refused(item, message):
    assert any(message in one for one in problems(**item))


def test_a_form_without_a_day_and_one_of_the_panel_give_no_evidence():
    item = {"identifier": "a", "label": "A", "type": "integer", "evidence": {"variable": "ecog"}}
    form = case_report_forms.form(
        {"identifier": "f", "label": "F", "role": "panel", "items": [item]}
    )
    messages = list(item_evidence.errors(form, form.items[0]))
    assert [one.split(",")[0] for one in messages] == [
        "what the truth panel decides is shown to no site",
        "a form that is asked at any time has no day: name the item it is dated by.",
    ]


def test_the_trial_file_keeps_it_and_points_at_the_line_that_is_wrong():
    assert protocol.parse(TRIAL, schema=SCHEMA)["forms"][0]["items"][1]["evidence"] == {
        "variable": "creatinine",
        "dated_by": "drawn_on",
    }
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.parse(TRIAL.replace("unit: umol/L", "unit: kg"), schema=SCHEMA)
    (problem,) = caught.value.problems
    assert "evidence" in TRIAL.replace("unit: umol/L", "unit: kg").splitlines()[problem.line - 1]


def test_an_amendment_that_gives_other_evidence_is_told():
    old = trial_yaml.read(LABS.split("general_forms:")[0]).content
    before = case_report_forms.forms_of(old)
    del old["forms"][1]["items"][0]["evidence"]
    (said,) = case_report_forms.differences(before, case_report_forms.forms_of(old))
    assert said.sentence == (
        "ECOG gives other evidence: forms that are complete give what they gave."
    )


def test_a_history_of_choices_is_given_by_any_of_a_list():
    codes = (("19-DK-0066", "A"), ("18-CH-0031", "B"))
    item = Item(
        "p", "P", "multi_choice", codes=codes, evidence={"variable": "coenrolled_protocols"}
    )
    assert item_evidence.saying(item, Entered(["18-CH-0031"])).value == ["18-CH-0031"]


def study_specific(site, form, item):
    """Have the protocol call what an item tells a procedure of the trial, which needs consent."""
    version = site.version_in_force
    with factories.framed():
        asked = next(one for one in version.definition["forms"] if one["identifier"] == form)
        told = next(one for one in asked["items"] if one["identifier"] == item)
        told["evidence"]["is_study_specific"] = True
        version.save(update_fields=["definition"])


def test_an_aborted_injection_dates_nothing(site, coordinator):
    patient = factories.make_enrolled(site, by=coordinator)
    factories.make_consent(patient, by=coordinator, signed_at=day(40))
    plan = site.version_in_force.planned_scans.filter(visit__identifier="PET1").first()

    def given(before):
        at = timezone.now() - timedelta(days=before)
        scan = scans.schedule(patient, planned_scan=plan, planned_at=at, by=coordinator)
        measured = {"assayed_activity_mbq": 150.0, "assayed_at": at, "injected_at": at}
        left = {"residual_activity_mbq": None, "residual_at": None, "weight_kg": 70.0}
        injections.record(scan, despite="as it was", by=coordinator, **measured, **left)
        return scan

    def dated():
        return [at[:10] for _, _, at, is_void in standing(patient, "ecog") if not is_void]

    first = given(9)
    fill(patient, coordinator, form="status", visit="PET1", ecog="1")
    assert dated() == [day(9)]
    scans.cancel(first, reason="scanner broken", by=coordinator)
    assert dated() == []
    given(2)
    assert dated() == [day(2)]


def test_a_visit_before_consent_is_recorded_and_the_form_asked_about(patient, coordinator, site):
    study_specific(site, "status", "ecog")
    planned = site.version_in_force.planned_visits.get(identifier="SCREEN")
    patient.site.refresh_from_db()
    entry = fill(patient, coordinator, form="status", visit="SCREEN", ecog="1")
    held = visits.record(
        patient, visit=planned, took_place_at=day(60), performed_by="Dr Adams", by=coordinator
    )
    assert not Evidence.objects.filter(variable="ecog").exists()
    asked = Query.objects.get(subject_table="trials_formentry", subject_pk=entry.pk)
    assert (asked.rule, asked.state) == ("evidence-undatable", "open")
    assert "before the first consent" in asked.text
    visits.correct(
        held, took_place_at=day(5), performed_by="Dr Adams", reason="diary", by=coordinator
    )
    assert standing(patient, "ecog") == [(1, "", day(5), False)]
    asked.refresh_from_db()
    assert asked.state == "closed"


def test_an_answer_that_comes_and_goes_leaves_one_row_in_force(patient, coordinator):
    entry = fill(patient, coordinator, drawn_on=day(3), creatinine="88.4")
    not_done = {"missing": "ND", "reason": "tube broken"}
    for value in (not_done, "92", not_done, "95"):
        correct(entry, coordinator, creatinine=value)
    assert [value for value, *_ in standing(patient, "creatinine")] == [95.0]


def test_a_code_that_a_newer_version_dropped_says_nothing():
    item = Item(
        "sex",
        "Sex",
        "single_choice",
        codes=(("A", "Woman"),),
        evidence={"variable": "sex_at_birth", "codes": {"A": "F"}},
    )
    assert item_evidence.saying(item, Entered("A")).value == "F"
    assert item_evidence.saying(item, Entered("B")) is None


def test_limits_of_normal_belong_to_the_value_and_follow_their_correction(patient, coordinator):
    given = {"drawn_on": day(2), "creatinine": "88.4", "ast": "62", "ast_high": "35"}
    entry = fill(patient, coordinator, **given)
    row = Evidence.objects.get(patient=patient, variable="ast", superseded_by=None)
    assert (row.value, row.details) == (62.0, {"reference_high": 35.0})
    # 62 U/L is not within 1.5 times 35, and is within 1.5 times 45.
    criterion = {"op": "le_uln", "var": "ast", "factor": 1.5}

    def within():
        record = assessments.record_of(patient, None, now=timezone.now())
        return expressions.evaluate(criterion, record).truth

    assert within() is Truth.NO
    correct(entry, coordinator, ast_high="45")
    assert within() is Truth.YES
    correct(entry, coordinator, ast_high={"missing": "NK"})
    assert within() is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ("details: {upper: ast_high}", "has no 'upper'; what belongs to it is reference_low"),
        ("details: {reference_high: gone}", "'gone' is no item of the form"),
        ("details: {reference_high: drawn_on}", "given by a number, got date"),
        ("details: {reference_high: creatinine}", "is in umol/L, and AST in U/L"),
    ],
)
def test_what_can_not_belong_to_a_value_is_refused_when_the_file_is_loaded(instead, told):
    text = TRIAL.replace("details: {reference_high: ast_high}", instead)
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.parse(text, schema=SCHEMA)
    assert told in str(caught.value)
