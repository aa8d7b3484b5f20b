"""Forms as a trial file states them: what is refused of a definition, and of an answer."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from trials import case_report_forms, item_conditions, item_values, protocol, trial_yaml
from trials.case_report_forms import Item
from trials.item_values import Given, Moment
from trials.kleene import Truth

TRIALS = Path(protocol.__file__).parent
SCHEMA = json.loads((TRIALS / "protocol.schema.json").read_text())
DEMO = yaml.safe_load((TRIALS / "definitions" / "demo.yaml").read_text())
GENERAL = trial_yaml.read((TRIALS / "general_forms.yaml").read_text()).content
AT = Moment(datetime(2026, 3, 2, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
# The forms that a source of the trial names.
STATED = {
    "NCT05222269": {"adverse_events", "histology", "progression"},
    "NCT06125028": {
        "adverse_events",
        "childbearing",
        "contraception",
        "follow_up_imaging",
        "histology",
        "staging",
    },
    "NCT06246357": {"vital_signs", "vital_signs_follow_up"},
}
FORM = {
    "identifier": "events",
    "label": "Event",
    "provenance": "proposed",
    "items": [
        {"identifier": "grade", "label": "Grade", "type": "integer", "unit": "points"},
        {"identifier": "is_serious", "label": "Serious", "type": "yes_no"},
        {
            "identifier": "known_at",
            "label": "Known",
            "type": "datetime",
            "condition": {"op": "eq", "var": "is_serious", "value": True},
        },
    ],
}


def trial(*forms, **sections):
    return yaml.safe_dump({**DEMO, "forms": list(forms), **sections}, allow_unicode=True)


def refused(changes, *place):
    """What is said of the form with `changes` made at `place` in it."""
    stated = deepcopy(FORM)
    row = stated
    for step in place:
        row = row[step]
    row.update(changes)
    with pytest.raises(protocol.ProtocolError) as caught:
        protocol.parse(trial(stated), schema=SCHEMA)
    return caught.value.problems


def general(name):
    return case_report_forms.form(next(one for one in GENERAL if one["identifier"] == name))


def test_the_general_forms_are_forms_and_the_schema_names_them_all():
    forms = [{**one, "visits": []} for one in GENERAL]
    assert protocol.parse(trial(*forms, general_forms=[]), schema=SCHEMA)["forms"] == forms
    named = SCHEMA["properties"]["general_forms"]["items"]["properties"]["form"]["enum"]
    assert named == [one["identifier"] for one in GENERAL]
    assert {one["provenance"] for one in GENERAL} == {"proposed"}
    assert all(item.target for one in GENERAL for item in case_report_forms.form(one).items)


@pytest.mark.parametrize(
    "identifier", ["NCT04561492", "NCT05093335", "NCT05222269", "NCT06125028", "NCT06246357"]
)
def test_each_trial_has_its_forms_and_says_which_are_proposed(identifier):
    text = (TRIALS / "definitions" / f"{identifier}.yaml").read_text()
    found = case_report_forms.expanded(protocol.parse(text, schema=SCHEMA), GENERAL)
    forms = case_report_forms.forms_of(found)
    assert {"demographics", "vital_signs", "adverse_events", "pregnancy_report"} <= set(forms)
    stated = {name for name, form in forms.items() if not form.is_proposed}
    expected = STATED.get(identifier, set())
    assert stated == expected
    again = protocol.parse(protocol.dump(found), schema=SCHEMA)
    assert protocol.digest(again) == protocol.digest(found)


def test_what_is_wrong_with_a_form_is_said_with_its_line():
    (one,) = refused({"condition": {"op": "eq", "var": "is_late", "value": True}}, "items", 2)
    assert one.place == "forms[0].items[2].condition"
    assert one.message == "the form has no item 'is_late'."
    lines = trial({**FORM, "items": FORM["items"]}).splitlines()
    assert "condition:" in lines[one.line - 2]


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            {"identifier": "is_serious"},
            ("items", 0),
            "the item 'is_serious' stands more than once.",
        ),
        ({"identifier": "patient"}, ("items", 0), "'patient' is a column of every form."),
        (
            {"identifier": "grade_missing"},
            ("items", 0),
            "'grade_missing' is a column of every form.",
        ),
        ({"identifier": "grade_v2"}, ("items", 0), "'grade_v2' ends as the column of"),
        ({"codes": [{"code": "A", "label": "A"}]}, ("items", 0), "a choice has codes"),
        ({"type": "choice"}, ("items", 1), "a choice has codes"),
        ({"unit": "kg"}, ("items", 1), "yes_no has no unit."),
        ({"range": {"hard": {"low": 5, "high": 1}}}, ("items", 0), "low 5 is above high 1."),
        (
            {"range": {"hard": {"low": 5}, "soft": {"low": 1}}},
            ("items", 0),
            "the soft limits lie outside the hard ones.",
        ),
        ({"visits": ["NEVER"]}, (), "got 'NEVER'."),
        ({"provenance": "source"}, (), "name the source that asks this"),
        (
            {"applies_to": {"op": "eq", "var": "sex", "value": "F"}},
            (),
            "there is no variable 'sex'.",
        ),
        (
            {"condition": {"op": "eq", "var": "known_at", "value": True}},
            ("items", 1),
            "known_at is asked later: a condition may name earlier items only.",
        ),
        (
            {"condition": {"op": "eq", "var": "is_serious", "value": True}},
            ("items", 1),
            "is_serious is asked later",
        ),
        (
            {"condition": {"op": "eq", "var": "grade", "value": 3}},
            ("items", 1),
            "eq can't be asked of grade, integer.",
        ),
        ({"not_before": "grade"}, ("items", 2), "only dates come before each other."),
        (
            {
                "report_clock": {
                    "when": {"op": "eq", "var": "is_serious", "value": True},
                    "hours": 24,
                    "known": "known_at",
                    "done": "grade",
                    "text": "It is reported",
                }
            },
            (),
            "name an item that is a day and time.",
        ),
    ],
)
def test_a_definition_that_can_not_be_asked_is_refused(changes, place, message):
    assert any(message in one.message for one in refused(changes, *place))


def test_a_general_form_beside_one_of_the_same_name_is_refused():
    with pytest.raises(protocol.ProtocolError, match="'demographics' stands more than once"):
        protocol.parse(trial({**FORM, "identifier": "demographics"}), schema=SCHEMA)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("integer", " 72 ", 72),
        ("integer", 72, 72),
        ("decimal", "36,5", 36.5),
        ("decimal", 36.5, 36.5),
        ("decimal", 1 / 3, 0.3333333333333333),
        ("decimal", "0.3333333333333333", 0.3333333333333333),
        ("integer", 72.0, 72),
        ("date", "2026-03-02", "2026-03-02"),
        ("partial_date", "2026-02", "2026-02"),
        ("time", "08:15", "08:15"),
        # Berlin is an hour ahead of UTC in winter.
        ("datetime", "2026-03-02T08:15", "2026-03-02T08:15+01:00"),
        ("datetime", "2026-03-02 08:15:30+00:00", "2026-03-02T08:15:30+00:00"),
        ("choice", "A", "A"),
        ("multi_choice", ["B", "A"], ["A", "B"]),
        ("yes_no", "no", False),
        ("yes_no", True, True),
        ("text", " a cough ", "a cough"),
    ],
)
def test_what_is_entered_is_kept_with_its_type(kind, given, kept):
    assert item_values.entered(item(kind), Given(given), at=AT).value == kept


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("integer", "7.5", "not-an-integer"),
        ("integer", True, "wrong-type"),
        ("decimal", "1.234,5", "not-a-number"),
        ("decimal", "nan", "not-a-number"),
        ("decimal", "1e999", "not-a-number"),
        ("decimal", float("inf"), "not-a-number"),
        ("decimal", 10**400, "not-a-number"),
        ("integer", 7.5, "not-an-integer"),
        ("integer", float("nan"), "not-an-integer"),
        ("integer", 10**15, "not-an-integer"),
        ("date", "2026-02-30", "not-a-date"),
        ("date", "2026-02", "not-a-date"),
        ("partial_date", "02.03.2026", "not-a-date"),
        ("partial_date", "2027", "lies-ahead"),
        ("time", "25:00", "not-a-time"),
        ("datetime", "2026-03-02", "not-a-datetime"),
        # Before the calendar's first day in UTC, and after its last.
        ("datetime", "0001-01-01T00:30", "not-a-datetime"),
        ("datetime", "9999-12-31T23:59-05:00", "not-a-datetime"),
        # Clocks in Berlin went from 02:00 to 03:00 that night.
        ("datetime", "2025-03-30T02:30", "no-such-time"),
        ("choice", "C", "no-such-choice"),
        ("multi_choice", ["A", 1], "wrong-type"),
        ("yes_no", "perhaps", "not-yes-or-no"),
        ("text", "x" * 4001, "not-a-text"),
        ("text", "a\x00b", "not-a-text"),
    ],
)
def test_what_can_not_be_a_value_is_refused_by_name(kind, given, code):
    with pytest.raises(item_values.ItemError) as caught:
        item_values.entered(item(kind), Given(given), at=AT)
    assert caught.value.code == code


def item(kind, **more):
    codes = (("A", "First"), ("B", "Second")) if kind in case_report_forms.CHOICES else ()
    return Item("one", "One", kind, codes=codes, **more)


def test_limits_are_closed_and_the_hard_ones_refuse():
    pulse = item("integer", unit="/min", soft=(45, 120), hard=(20, 300))
    assert item_values.entered(pulse, Given("300"), at=AT).value == 300
    with pytest.raises(item_values.ItemError, match="20 to 300 /min, got 301"):
        item_values.entered(pulse, Given("301"), at=AT)
    assert [item_values.is_unusual(pulse, one) for one in (44, 45, 120, 121)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_missing_value_says_why():
    pulse = item("integer")
    assert item_values.entered(pulse, Given(missing="NK"), at=AT).missing == "NK"
    for given, code in [
        (Given(missing="ND"), "reason-missing"),
        (Given(missing="NA"), "no-such-code"),
        (Given(72, missing="NK"), "value-and-code"),
    ]:
        with pytest.raises(item_values.ItemError) as caught:
            item_values.entered(pulse, given, at=AT)
        assert caught.value.code == code


SERIOUS = {
    "term": Given("Rash"),
    "started_at": Given("2026-03"),
    "grade": Given("3"),
    "is_serious": Given("yes"),
    "serious_because": Given(["AESHOSP"]),
    "known_at": Given("2026-03-02 09:00"),
    "related_tracer": Given("POSSIBLY RELATED"),
    "related_procedure": Given(missing="NK"),
    "action": Given("DOSE NOT CHANGED"),
    "is_treated": Given("no"),
    "outcome": Given("RECOVERING/RESOLVING"),
}


def test_a_whole_form_is_right_with_what_is_asked():
    found = item_values.checked(general("adverse_events"), SERIOUS, at=AT)
    assert found.errors == {}
    assert found.values["known_at"].value == "2026-03-02T09:00+01:00"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"is_serious": Given("no")}, {"serious_because": "not-asked", "known_at": "not-asked"}),
        ({"known_at": Given()}, {"known_at": "required"}),
        ({"term": Given(" \n")}, {"term": "required"}),
        ({"outcome": Given("FATAL")}, {"ended_at": "required"}),
        (
            {"outcome": Given("FATAL"), "ended_at": Given("2026-02-28")},
            {"ended_at": "before-its-beginning"},
        ),
        ({"grade": Given("9")}, {"grade": "no-such-choice"}),
        ({"colour": Given("red")}, {"colour": "no-such-item"}),
    ],
)
def test_what_is_wrong_in_a_form_is_named_by_item(changes, wrong):
    found = item_values.checked(general("adverse_events"), SERIOUS | changes, at=AT)
    assert {name: error.code for name, error in found.errors.items()} == wrong


def test_an_answer_to_what_is_not_asked_decides_about_nothing():
    stated = deepcopy(FORM)
    hangs_on = {"op": "ge", "var": "days", "value": 2}
    stated["items"] += [
        {"identifier": "days", "label": "Days", "type": "integer"}
        | {"condition": {"op": "eq", "var": "is_serious", "value": True}},
        {"identifier": "ward", "label": "Ward", "type": "text", "condition": hangs_on},
    ]
    form = case_report_forms.form(stated)
    assert "ward" in item_conditions.asked(form, {"is_serious": True, "days": 3})
    assert "ward" not in item_conditions.asked(form, {"is_serious": False, "days": 3})


@pytest.mark.parametrize(
    ("condition", "answers", "truth"),
    [
        ({"op": "between", "var": "grade", "low": 1, "high": 2}, {"grade": 2}, Truth.YES),
        ({"op": "not", "of": {"op": "gt", "var": "grade", "value": 2}}, {"grade": 2}, Truth.YES),
        ({"op": "in", "var": "why", "value": ["A", "B"]}, {"why": "C"}, Truth.NO),
        ({"op": "in_any", "var": "all", "value": ["A"]}, {"all": ["B"]}, Truth.NO),
        ({"op": "in_any", "var": "all", "value": ["A"]}, {}, Truth.UNKNOWN),
        (
            {
                "op": "at_least",
                "n": 1,
                "of": [
                    {"op": "eq", "var": "is_serious", "value": True},
                    {"op": "ge", "var": "grade", "value": 3},
                ],
            },
            {"grade": 3},
            Truth.YES,
        ),
        # A truth is no number, though Python takes one for the other.
        ({"op": "eq", "var": "is_serious", "value": True}, {"is_serious": 1}, Truth.NO),
    ],
)
def test_a_condition_reads_typed_answers(condition, answers, truth):
    assert item_conditions.holds(condition, answers) is truth


def test_an_amendment_says_what_becomes_of_what_was_entered():
    old = case_report_forms.forms_of({"forms": [FORM, {**FORM, "identifier": "gone"}]})
    changed = deepcopy(FORM)
    changed["items"][0]["unit"] = "percent"
    changed["items"][1]["identifier"] = "is_grave"
    changed["items"][2]["label"] = "Known to the site"
    said = [
        (one.form, one.item)
        for one in case_report_forms.differences(
            old, case_report_forms.forms_of({"forms": [changed]})
        )
    ]
    assert said == [
        ("events", "grade"),
        ("events", "is_serious"),
        ("events", "is_grave"),
        ("gone", ""),
    ]
