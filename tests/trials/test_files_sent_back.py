"""An exported file of a form, sent back: what stands is told as equal, nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reporting import csvtext
from reporting.selectors import form_rows
from tests import factories
from trials.models import Site
from trials.roles import Role
from trials.services import form_entries, form_imports, jobs, protocols

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
    assert "'=rash,,2026-03-02T07:15:00.000000Z" in text
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
