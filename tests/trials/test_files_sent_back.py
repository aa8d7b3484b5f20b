"""An exported file of a form, sent back: what stands is told as equal, nothing is guessed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from reporting import csvtext
from reporting.selectors import form_rows
from tests import factories
from trials.models import AuditEvent, FormEntry, FormImport, Site
from trials.roles import Role
from trials.services import form_entries, form_imports, form_moves, jobs, protocols
from trials.services.errors import Invalid, Refused

pytestmark = pytest.mark.django_db
DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
SIGNS = [{"code": one, "label": one} for one in ("RASH", "FEVER")]
ITEMS = [
    {"identifier": "term", "label": "Term", "type": "text"},
    {"identifier": "begun_at", "label": "Begun", "type": "datetime"},
    {"identifier": "weight", "label": "Weight", "type": "decimal", "unit": "lb"},
    {"identifier": "signs", "label": "Signs", "type": "multi_choice", "codes": SIGNS},
]


def definition(items, version="1.0"):
    stated = {
        "identifier": "event",
        "label": "Event",
        "provenance": "proposed",
        "is_repeating": True,
        "items": items,
    }
    text = DEMO.replace('version: "1.0"', f'version: "{version}"', 1)
    return f"{text}\n{yaml.safe_dump({'forms': [stated]}, sort_keys=False)}"


@pytest.fixture
def site():
    made = factories.make_site(protocols.load_trial(definition(ITEMS), by=jobs.system_user()).trial)
    with factories.framed():
        Site.objects.filter(pk=made.pk).update(time_zone="Europe/Berlin")
    made.refresh_from_db()
    return made


@pytest.fixture
def entry(site):
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    factories.delegate(by, site)
    begun = form_entries.begin(factories.make_enrolled(site, by=by), form="event", by=by)
    values = {
        "term": "=rash",
        "begun_at": "2026-03-02 08:15",
        "weight": "150",
        "signs": ["RASH"],
    }
    return form_entries.complete(begun, given=values, revision=1, by=by)


@pytest.fixture
def planned(site):
    def of(text, import_id="1", **reading):
        row = form_imports.receive(
            site.trial,
            form="event",
            content=text.encode(),
            file_name="event.csv",
            source="Statistician",
            import_id=import_id,
            by=factories.make_user(Role.DATA_MANAGER, trial=site.trial),
            reading=reading,
        )
        (one,) = row.plan["rows"]
        return one

    return of


def exported(trial):
    table = form_rows.tables(trial)["form_event"]
    lines = csvtext.lines(table.dataset.columns, form_rows.of(table, trial))
    return b"".join(lines).decode()


def test_an_exported_file_says_what_stands(site, entry, planned):
    text = exported(site.trial)
    # The formula is guarded, and 08:15 in Berlin in winter is 07:15 UTC.
    assert "'=rash,,,2026-03-02T07:15:00.000000Z" in text
    one = planned(text)
    assert (one["act"], one["given"]["term"]) == ("equal", "=rash")
    assert one["given"]["begun_at"] == "2026-03-02T08:15+01:00"


@pytest.mark.parametrize("term", ["'s-Gravenhage", "'-1.5"])
def test_an_apostrophe_that_no_export_put_there_stays(entry, planned, term):
    one = planned(f"patient,repeat,term\n{entry.patient},1,{term}\n")
    assert one["given"]["term"] == term


def test_another_moment_is_a_change(entry, planned):
    one = planned(f"patient,repeat,begun_at\n{entry.patient},1,2026-03-02T08:15Z\n")
    assert [change["item"] for change in one["changes"]] == ["begun_at"]


def test_boxes_that_all_say_no_against_a_tick_are_refused(entry, planned):
    head = "patient,repeat,signs__rash,signs__fever\n"
    one = planned(f"{head}{entry.patient},1,N,N\n")
    assert one["act"] == "refused"
    assert "every box says N" in one["errors"][0]["message"]


def test_boxes_without_an_answer_say_nothing(entry, planned):
    one = planned(f"patient,repeat,signs__rash,signs__fever\n{entry.patient},1,,\n")
    assert one["act"] == "equal"


def test_a_column_that_means_another_unit_by_now_is_refused(entry, planned):
    items = [one | {"unit": "kg"} if one["identifier"] == "weight" else one for one in ITEMS]
    protocols.load_trial(definition(items, "2.0"), by=jobs.system_user())
    one = planned(f"patient,repeat,term,weight\n{entry.patient},1,Rash,70\n")
    (error,) = one["errors"]
    assert error["column"] == "weight"
    assert "asks for a number in lb and the column means a number in kg" in error["message"]
    one = planned(f"patient,repeat,term,weight\n{entry.patient},1,Rash,\n", import_id="2")
    assert one["act"] == "changed"


def reload(version, **units):
    items = [one | {"unit": units.get(one["identifier"], one.get("unit"))} for one in ITEMS]
    items = [{key: part for key, part in one.items() if part} for one in items]
    return protocols.load_trial(definition(items, version), by=jobs.system_user())


def test_the_column_of_an_earlier_meaning_is_that_of_the_entries_that_have_it(site, entry, planned):
    reload("2.0", weight="kg")
    text = exported(site.trial)
    assert "weight_v1" in text.splitlines()[0].split(",")
    assert planned(text)["act"] == "equal"
    one = planned(text.replace("150", "151"), import_id="2")
    (change,) = one["changes"]
    assert (one["act"], change["before"], change["after"]) == ("changed", "150.0 lb", "151.0 lb")


def test_a_reason_of_a_missing_value_is_exported_and_sent_back(site, entry, planned):
    by = entry.begun_by
    missing = {"weight": {"missing": "ND", "reason": "=scale broken"}}
    form_entries.correct(entry, given=missing, revision=1, reason="as noted", by=by)
    text = exported(site.trial)
    head, line = csv.reader(text.splitlines())
    said = dict(zip(head, line, strict=True))
    assert (said["weight"], said["weight_missing"]) == ("", "ND")
    # A spreadsheet would run it as a formula: guarded in the file, and not in the record.
    assert said["weight_reason"] == "'=scale broken"
    assert planned(text)["act"] == "equal"
    one = planned(text.replace("scale broken", "scale away"), import_id="2")
    assert one["given"]["weight"] == {"missing": "ND", "reason": "=scale away"}


def test_nothing_is_emptied_but_by_a_mark_that_was_declared(site, entry, planned):
    with factories.framed():
        version = site.version_in_force
        for item in version.definition["forms"][0]["items"]:
            item["is_required"] = False
        version.save(update_fields=["definition"])
    head = "patient,repeat,weight,signs__rash,signs__fever\n"
    text = f"{head}{entry.patient},1,<empty>,<empty>,\n"
    one = planned(text)
    assert one["act"] == "refused"
    one = planned(text, import_id="2", emptied="<empty>")
    told = [(change["item"], change["before"], change["after"]) for change in one["changes"]]
    assert told == [("weight", "150.0 lb", ""), ("signs", "RASH", "")]
    row = FormImport.objects.get(import_id="2")
    by = row.sent_by
    with pytest.raises(Refused, match="Say why"):
        form_imports.confirm(row, digest=row.plan_sha256, by=by)
    form_imports.confirm(row, digest=row.plan_sha256, reason="entered for another day", by=by)
    value = entry.values.get(item="weight")
    assert (value.is_empty, value.imported_line.number) == (True, 2)
    event = AuditEvent.objects.filter(table="trials_itemvalue", row=str(value.pk)).latest("pk")
    assert event.reason == "entered for another day (event.csv, line 2)"


@pytest.mark.parametrize("mark", ["-", "-99", "yes", "ND"])
def test_a_mark_that_may_be_an_answer_is_refused(planned, mark):
    with pytest.raises(Invalid) as caught:
        planned("patient,repeat,weight\n", emptied=mark)
    assert caught.value.field == "emptied"


def test_an_item_that_is_asked_is_emptied_by_no_mark(entry, planned):
    one = planned(f"patient,repeat,weight\n{entry.patient},1,<empty>\n", emptied="<empty>")
    assert one["errors"] == [
        {
            "column": "weight",
            "message": "Weight is asked: answer it, or say that it is not done or not known.",
        }
    ]


def test_beside_the_mark_a_row_says_nothing_else_of_the_item(entry, planned):
    text = f"patient,repeat,weight,weight_missing\n{entry.patient},1,<empty>,NK\n"
    (error,) = planned(text, emptied="<empty>")["errors"]
    assert error["column"] == "weight_missing"


COMPUTED = {
    "identifier": "square",
    "label": "Square",
    "type": "decimal",
    "computed": {"value": {"op": "multiply", "of": [{"item": "weight"}, {"item": "weight"}]}},
}


@pytest.fixture
def computing(site, entry):
    """The form as it was filled in before it computed anything, and as it is corrected since."""
    with factories.framed():
        version = site.version_in_force
        version.definition["forms"][0]["items"].append(COMPUTED)
        version.save(update_fields=["definition"])
    found = FormEntry.objects.get(pk=entry.pk)
    given = {"weight": "150.5"}
    form_entries.correct(found, given=given, revision=1, reason="scale", by=entry.begun_by)
    return found


def test_what_is_computed_is_sent_back_as_it_was_computed(site, computing, planned):
    text = exported(site.trial)
    assert ",22650.25," in text
    assert planned(text)["act"] == "equal"


def test_what_is_computed_follows_what_a_file_enters(site, computing, planned):
    one = planned(f"patient,repeat,weight\n{computing.patient},1,160\n")
    assert [(change["item"], change["after"]) for change in one["changes"]] == [
        ("weight", "160.0 lb"),
        ("square", "2.56e+04"),
    ]
    row = FormImport.objects.get(import_id="1")
    form_imports.confirm(row, digest=row.plan_sha256, reason="scale", by=row.sent_by)
    assert computing.values.get(item="square").value == 160.0 * 160.0
    text = f"patient,repeat,weight,square\n{computing.patient},1,,400\n"
    (error,) = planned(text, import_id="2")["errors"]
    assert error["column"] == "square"
    assert "is computed and not entered" in error["message"]
    assert "it comes to 2.56e+04" in error["message"]


def test_what_was_asked_before_a_move_is_passed_over_as_long_as_it_says_the_same(
    site, entry, planned
):
    items = [one for one in ITEMS if one["identifier"] != "weight"]
    version = protocols.load_trial(definition(items, "2.0"), by=jobs.system_user()).version
    factories.activate(version, site)
    site = Site.objects.get(pk=site.pk)
    by = factories.make_user(Role.DATA_MANAGER, trial=site.trial)
    shown = form_moves.plan(version, site=site, by=by)
    form_moves.move(version, site=site, digest=shown.digest, reason="amendment", by=by)
    text = exported(site.trial)
    assert planned(text)["act"] == "equal"
    (error,) = planned(text.replace("150", "151"), import_id="2")["errors"]
    assert error["column"] == "weight"
