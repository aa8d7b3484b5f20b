"""REDCap's data dictionaries and exports of records: REDCap's headings and types, our fields."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from trials import case_report_forms, import_layouts, import_tables, protocol
from trials import redcap_dictionary as dictionary
from trials.import_layouts import Layout
from trials.import_rows import Spelling, SpellingError, missing_codes, read
from trials.import_tables import TableError
from trials.redcap_branching import BranchingError, expression
from trials.services import protocols

FILES = Path(__file__).parent / "redcap"
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()


def drafted(name):
    return dictionary.draft(import_tables.table((FILES / f"{name}.csv").read_bytes()))


def items_of(found, form):
    (one,) = [one for one in found.forms if one["identifier"] == form]
    return {item["identifier"]: item for item in one["items"]}


def test_every_type_of_field_becomes_one_of_ours_or_is_named():
    found = drafted("types")
    types = {name: item["type"] for name, item in items_of(found, "scan_day").items()}
    assert types == {
        "lean_mass": "text",
        "symptoms": "multi_choice",
        "tracer": "choice",
        "remarks": "text",
        "arm_used": "choice",
        "pain": "integer",
        "batch": "text",
        "is_diabetic": "yes_no",
        "has_fasted": "yes_no",
        "vein": "text",
        "injected_on": "date",
        "injected_at": "datetime",
        "attempts": "integer",
        "activity": "decimal",
        "glucose": "decimal",
        "ward_phone": "text",
        "last_meal": "time",
        "push_time": "text",
    }
    assert [one.field for one in found.notes] == [
        "subject_id",
        "lean_mass",
        "advice",
        "dose_report",
        "signed_by",
        "scanner_list",
        "vein",
        "ward_phone",
        "push_time",
    ]
    assert items_of(found, "scan_day")["pain"]["range"] == {"hard": {"low": -2, "high": 12}}


def test_branching_limits_and_choices_are_carried_over_and_identity_is_not():
    found = items_of(drafted("history"), "history")
    assert not {"surname", "consent_scan", "subject_id"} & set(found)
    born = {"op": "eq", "var": "has_borne", "value": True}
    female = {"op": "eq", "var": "sex", "value": "0"}
    assert found["births"]["condition"] == {"op": "all", "of": [female, born]}
    assert found["height"]["range"] == {"soft": {"low": 120, "high": 220}}
    assert found["therapies"]["codes"][4] == {"code": "5", "label": "Radiotherapy"}
    assert found["therapies"]["section"] == "Earlier treatment, all that apply"


def test_a_draft_can_be_put_into_a_trial_file_as_it_is():
    out = StringIO()
    call_command("redcap_dictionary", str(FILES / "history.csv"), stdout=out)
    assert "# line 4, consent_scan is a file, which forms here don't hold" in out.getvalue()
    assert "not computed" in out.getvalue()
    forms = yaml.safe_load(out.getvalue())["forms"]
    forms[0]["identifier"] = "redcap_history"
    text = f"{DEMO}\n{yaml.safe_dump({'forms': forms}, sort_keys=False)}"
    parsed = protocol.parse(text, schema=json.loads(protocols.schema_text()))
    assert parsed["forms"] == forms


@pytest.mark.parametrize(
    ("logic", "said"),
    [
        ("[sex] <> '1'", "not equal"),
        ("[visit_1_arm_1][sex] = '1'", "comparison"),
        ("datediff([a], 3) > 3", "not understood"),
        ("[later] = '1'", "no earlier item"),
        ("([sex] = '1'", "not closed"),
        ("[meds(1)] = '0'", "can't be told"),
    ],
)
def test_logic_that_conditions_can_t_say_is_refused_by_name(logic, said):
    sex = {"identifier": "sex", "type": "choice", "codes": [{"code": "0"}, {"code": "1"}]}
    meds = {"identifier": "meds", "type": "multi_choice", "codes": [{"code": "1"}]}
    with pytest.raises(BranchingError, match=said):
        expression(logic, [sex, meds])


def test_records_of_a_repeating_instrument_are_entries_at_their_visits():
    found = drafted("repeating")
    stated = {one["identifier"]: one for one in found.forms}
    blood = stated["blood"] | {"is_repeating": True, "visits": ["PET1"]}
    form = case_report_forms.form(blood)
    table = import_tables.table((FILES / "repeating_records.csv").read_bytes())
    layout = Layout(kind="redcap", visits={"baseline_arm_1": "PET1"})
    arranged = import_layouts.arranged(table, "blood", [form], layout)
    said = [
        (line.number, line.cells["patient"], line.cells["visit"], line.cells["repeat"])
        for line in arranged.lines
    ]
    assert said == [
        (3, "21", "PET1", "1"),
        (4, "21", "PET1", "2"),
        (5, "21", "PET1", "3"),
    ]
    assert read(arranged.lines[1], form, Spelling()).given == {
        "analyte": "Glucose",
        "amount": "5.6",
    }
    assert "Of 7 rows of REDCap, 3 say something of blood." in arranged.notes


def test_boxes_and_yes_or_no_of_redcap_are_read_as_what_they_say():
    items = [
        {"identifier": "has_fasted", "label": "Y", "type": "yes_no"},
        {
            "identifier": "symptoms",
            "label": "C",
            "type": "multi_choice",
            "codes": [{"code": "0", "label": "Fever"}, {"code": "1", "label": "Pruritus"}],
        },
    ]
    form = case_report_forms.form({"identifier": "scan_day", "label": "F", "items": items})
    content = (
        b"subject_id,has_fasted,symptoms___0,symptoms___1,scan_day_complete\n7,0,0,1,2\n8,,0,0,0\n"
    )
    arranged = import_layouts.arranged(
        import_tables.table(content), "scan_day", [form], Layout(kind="redcap")
    )
    # The second record has nothing but boxes that nobody ticked.
    (line,) = arranged.lines
    assert read(line, form, Spelling()).given == {"has_fasted": "no", "symptoms": ["1"]}


@pytest.mark.parametrize("kind", ["table", "redcap"])
def test_two_columns_that_may_name_the_patient_are_refused(kind):
    items = [{"identifier": "has_fasted", "label": "Y", "type": "yes_no"}]
    form = case_report_forms.form({"identifier": "scan_day", "label": "F", "items": items})
    table = import_tables.table(b"subject,patient,has_fasted\n101-001,101-002,1\n")
    layout = Layout(kind=kind, patient_column="subject")
    with pytest.raises(TableError, match="'patient' beside 'subject'"):
        import_layouts.arranged(table, "scan_day", [form], layout)


@pytest.mark.parametrize(
    ("read_declared", "text"),
    [(missing_codes, "9=NK, 9=ND"), (import_layouts.visit_names, "v1=PET1\nv1=PET2")],
)
def test_a_declaration_that_says_two_things_is_refused(read_declared, text):
    with pytest.raises(SpellingError, match="stands twice"):
        read_declared(text)
