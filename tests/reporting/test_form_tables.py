"""The tables of case report forms: columns by the versions, cells by what was entered."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from reporting import codebook, csvtext
from reporting.datasets.case_report_forms import tables
from reporting.selectors import form_rows
from tests import factories
from trials.models import FormEntry, Withdrawal
from trials.roles import Role
from trials.services import form_entries, jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
PREPARATION = {
    "scan_on": "2026-03-02",
    "fasted_hours": {"missing": "ND", "reason": "not asked for"},
    "insulin": "yes",
    "insulin_at": "2026-03-01T20:15+01:00",
    "insulin_route": "PUMP",
    "drugs": ["METFORMIN", "G-CSF"],
    "contrast": "NONE",
}


def written(table, trial):
    """The rows of a table as its file has them."""
    lines = csvtext.lines(table.dataset.columns, form_rows.of(table, trial))
    return list(csv.DictReader(io.StringIO(b"".join(lines).decode())))


@pytest.fixture
def site():
    return factories.make_site(protocols.load_trial(DEMO, by=jobs.system_user()).trial)


@pytest.fixture
def prepared(site):
    """A patient's preparation for a scan, completed."""
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    factories.delegate(by, site)
    patient = factories.make_enrolled(site, by=by)
    entry = form_entries.begin(patient, form="scan_preparation", visit="PET1", by=by)
    return form_entries.complete(entry, given=PREPARATION, revision=1, by=by)


@pytest.mark.django_db
def test_a_form_is_a_row_with_its_values_as_they_were_entered(site, prepared):
    table = form_rows.tables(site.trial)["form_scan_preparation"]
    (row,) = written(table, site.trial)
    said = {name: row[name] for name in row if not name.startswith("record")}
    assert said.pop("completed_at").endswith("Z")
    assert said.pop("usubjid") == f"DEMO-{prepared.patient}"
    assert said == {
        "trial": "DEMO",
        "site": site.code,
        "patient": str(prepared.patient),
        "visit": "PET1",
        "repeat": "1",
        "protocol_version": "1.0",
        "scan_on": "2026-03-02",
        "fasted_hours": "",
        "fasted_hours_missing": "ND",
        "fasted_hours_reason": "not asked for",
        "insulin": "Y",
        "insulin_missing": "",
        "insulin_reason": "",
        # 20:15 in Berlin in winter.
        "insulin_at": "2026-03-01T19:15:00.000000Z",
        "insulin_at_missing": "",
        "insulin_at_reason": "",
        "insulin_route": "PUMP",
        "insulin_route_missing": "",
        "insulin_route_reason": "",
        "drugs__furosemide": "N",
        "drugs__metformin": "Y",
        "drugs__steroid": "N",
        "drugs__g_csf": "Y",
        "drugs__cxcr4": "N",
        "drugs__mra": "N",
        "drugs_missing": "",
        "drugs_reason": "",
        "contrast": "NONE",
        "contrast_missing": "",
        "contrast_reason": "",
    }


@pytest.mark.django_db
def test_a_form_nobody_filled_in_has_its_columns_and_no_rows(site, prepared):
    found = form_rows.tables(site.trial)
    assert len(found) == 18
    assert written(found["form_adverse_events"], site.trial) == []
    assert "grade" in found["form_adverse_events"].dataset.column_names


@pytest.mark.django_db
def test_what_is_a_draft_taken_back_or_of_who_forbids_its_use_does_not_leave(site, prepared):
    table = form_rows.tables(site.trial)["form_scan_preparation"]
    with factories.framed():
        FormEntry.objects.update(state="undone")
    assert written(table, site.trial) == []
    with factories.framed():
        FormEntry.objects.update(state="complete")
        Withdrawal.objects.create(
            patient=prepared.patient,
            extent="use",
            initiative="patient",
            withdrawn_at="2026-03-03",
            recorded_by=jobs.system_user(),
        )
    assert written(table, site.trial) == []


def test_two_meanings_of_an_item_never_share_a_column():
    def version(unit, *more):
        dose = {"identifier": "dose", "label": "Dose", "type": "decimal", "unit": unit}
        return {"forms": [{"identifier": "drug", "label": "Drug", "items": [dose, *more]}]}

    gone = {"identifier": "route", "label": "Route", "type": "text", "missing": []}
    (table,) = tables({1: version("mg", gone), 2: version("mg"), 3: version("g")}).values()
    places = {place.column.name: place for place in table.places}
    assert list(places) == [
        *("dose", "dose_missing", "dose_reason"),
        *("dose_v2", "dose_v2_missing", "dose_v2_reason"),
        "route",
    ]
    assert (places["dose"].column.unit, places["dose"].versions) == ("g", {3})
    assert (places["dose_v2"].column.unit, places["dose_v2"].versions) == ("mg", {1, 2})


@pytest.mark.django_db
def test_the_codebook_has_a_line_for_each_column_of_a_form(site):
    datasets = [one.dataset for one in form_rows.tables(site.trial).values()]
    rows = {row[:2]: row for row in codebook.rows(datasets)}
    assert len(rows) == sum(len(one.columns) for one in datasets)
    (row,) = [rows[key] for key in rows if key == ("form_vital_signs", "before_systolic")]
    assert row[2:5] == ("Systolic blood pressure before", "integer", "mmHg")
    assert row[8] == "VSORRES where test is SYSBP"


@pytest.mark.django_db
def test_the_rows_of_a_form_cost_the_same_however_many(django_assert_num_queries, site, prepared):
    table = form_rows.tables(site.trial)["form_scan_preparation"]
    by = prepared.completed_by
    for _ in range(2):
        with django_assert_num_queries(2):
            list(form_rows.of(table, site.trial))
        entry = form_entries.begin(prepared.patient, form="scan_preparation", visit="PET2", by=by)
        if entry.state == "draft":
            form_entries.complete(entry, given=PREPARATION, revision=1, by=by)
