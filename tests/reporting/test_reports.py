"""Reports as functions of rows: who counts where, what is missing, the same figure twice."""

from __future__ import annotations

import hashlib

import pytest

from reporting import csvtext
from reporting.datasets import DATASETS
from reporting.models import ReportDownload
from reporting.profiles import Profile
from reporting.reports import REPORTS, injections, tracers
from reporting.reports.content import Column, P, Share, text_of
from reporting.reports.drawing import svg
from reporting.reports.drawings import Rates
from reporting.reports.rows import Rows
from reporting.selectors import report_rows
from reporting.services import populations
from reporting.services import reports as services
from tests.reporting import cohort
from tests.reporting.freezing import frozen
from trials.models import AuditEvent
from trials.services.errors import Refused

TRACERS = {"kind": "tracers", "first_tracer": "PTF", "second_tracer": "FDG", "reader": 1}


def comparison(patient):
    return TRACERS | {"patient": patient}


def pair(patient, first, second, region="liver", outcome=""):
    return TRACERS | {
        "patient": patient,
        "body_region": region,
        "first_lesion": 1 if first else None,
        "second_lesion": 1 if second else None,
        "first_positivity": "positive",
        "second_positivity": "positive",
        "first_parts": 0,
        "second_parts": 0,
        "first_suvmax": None,
        "second_suvmax": None,
        "outcome": outcome,
    }


def table(content, title):
    (found,) = (one for one in content.tables if one.title.endswith(title))
    return found


def test_a_patient_without_a_lesion_on_either_scan_counts():
    rows = Rows({"comparisons": [comparison("1"), comparison("2")], "pairs": [pair("1", 1, 1)]})
    found = table(tracers.compared(rows), "patients positive")
    level, n, both, *_, neither = found.rows[0][:6]
    assert (level, n, both, neither) == ("Patients", 2, 1, 1)


def test_a_region_that_nothing_says_was_scanned_is_missing_and_not_negative():
    rows = Rows({"comparisons": [comparison("1"), comparison("2")], "pairs": [pair("1", 1, 0)]})
    found = table(tracers.compared(rows), "patients positive")
    assert found.rows[1][:6] == ("Patients, Liver", 1, 0, 1, 0, 0)
    assert [count for _, count in found.missing] == [1]


def test_a_lesion_outside_the_other_scan_is_no_lesion_of_one_tracer():
    rows = Rows(
        {
            "comparisons": [comparison("1"), comparison("2")],
            "pairs": [pair("1", 1, 0, outcome="not-covered"), pair("2", 1, 1)],
        }
    )
    found = table(tracers.compared(rows), ": lesions")
    assert (found.n, found.rows[0][1]) == (1, Share(1, 1))


def test_comparisons_that_a_blinded_export_keeps_back_are_said_and_not_counted():
    hidden = comparison("2") | {"first_tracer": None, "second_tracer": None}
    rows = {"comparisons": [comparison("1"), hidden], "pairs": [pair("1", 1, 1)]}
    found = table(tracers.compared(Rows(rows)), "patients positive")
    assert found.n == 1
    assert tracers.KEPT_BACK.format(1) in found.notes
    alone = tracers.compared(Rows({"comparisons": [hidden], "pairs": []}))
    assert alone.why_empty == tracers.KEPT_BACK.format(1)


def test_activity_without_a_residual_is_missing_by_that_name():
    scan = {
        "state": "injected",
        "injected_at": "2026-03-02",
        "tracer": "PTF",
        "net_activity_mbq": None,
        "uptake_minutes": 60.0,
        "activity_low_mbq": None,
        "activity_high_mbq": None,
        "uptake_low_minutes": 30.0,
        "uptake_high_minutes": 60.0,
    }
    content = injections.distributions(Rows({"scans": [scan]}))
    activity, uptake = content.tables
    assert activity.missing == (("no net activity: the residual was not measured", 1),)
    # Both ends of the window belong to it.
    assert uptake.rows[0][-1] == Share(1, 1)


def test_a_report_without_rows_says_why():
    for report in REPORTS.values():
        content = report.made(Rows({}))
        assert (content.parts, bool(content.why_empty)) == ((), True)


def test_a_figure_is_the_same_bytes_twice_and_names_no_day():
    drawing = Rates((("Pentixafor", 94.1, 73.0, 99.0),), "%")
    assert svg(drawing) == svg(drawing)
    assert b"<dc:date>" not in svg(drawing)


def test_p_just_below_five_per_cent_does_not_print_as_it():
    column = Column("p", "P")
    assert [text_of(P(p), column) for p in (0.0498, 0.0502, 0.12)] == ["0.0498", "0.0502", "0.12"]


def test_a_frozen_export_gives_the_report_of_its_rows(made):
    export = frozen(made)
    for name in (
        "screening",
        "eligibility",
        "injections",
        "agreement",
        "biodistribution",
        "quality",
    ):
        now = services.make(made.trial, name, by=made.statistician)
        then = services.make(made.trial, name, by=made.statistician, export=export)
        assert now.content.parts
        assert [one.printed() for one in then.content.tables] == [
            one.printed() for one in now.content.tables
        ]
        assert then.as_of == export.as_of


@pytest.mark.parametrize("privacy", [Profile.LIMITED, Profile.SAFE_HARBOR])
def test_a_report_that_needs_what_a_profile_left_out_is_refused_by_name_and_listed_so(
    made, privacy
):
    export = frozen(made, privacy=privacy)
    refused = {}
    for name in REPORTS:
        try:
            services.make(made.trial, name, by=made.statistician, export=export)
        except Refused as error:
            refused[name] = error.code, error.message
    listed = services.of_export(export, by=made.statistician)
    found = {one.report.name: ("left-out", one.why) for one in listed if not one.is_open}
    assert found == refused
    by_column = {
        "screening": "leaves out site of patients",
        "deviations": "leaves out site of patients",
        "response": "leaves out the days of injected_at of scans",
        "safety": "leaves out the days of injected_at of scans",
    }
    assert set(refused) == (set(by_column) if privacy == Profile.SAFE_HARBOR else set())
    assert all(by_column[name] in message for name, (_, message) in refused.items())


def test_who_takes_a_file_of_a_report_is_kept_and_who_looks_is_not(made, client):
    client.force_login(made.statistician)
    page = f"/trials/{made.trial.identifier}/reports/screening"
    for looked_at in ("/", "/figures/1.svg"):
        assert client.get(page + looked_at).status_code == 200
    assert not ReportDownload.objects.filter(trial=made.trial).exists()
    before = populations.exports_taken(made.trial, made.statistician)
    taken = {
        "pdf": client.get(page + ".pdf"),
        "figure 1": client.get(page + "/figures/1.svg?download"),
        "table 1": client.get(page + "/tables/1.csv"),
        "json": client.get(f"/api/v1/trials/{made.trial.identifier}/reports/screening/"),
    }
    found = {row.part: row for row in ReportDownload.objects.filter(trial=made.trial)}
    assert found.keys() == taken.keys()
    for part, response in taken.items():
        assert found[part].sha256 == hashlib.sha256(response.content).hexdigest()
        assert (found[part].by, found[part].export) == (made.statistician, None)
    event = AuditEvent.objects.filter(action="report.downloaded", trial=made.trial.pk).last()
    assert (event.table, event.actor) == ("reporting_reportdownload", made.statistician.pk)
    # Whoever signs a blind review has them counted: they hold results as exports do.
    assert populations.exports_taken(made.trial, made.statistician) == before + 4


@pytest.mark.django_db
def test_a_file_reads_back_to_the_rows_that_were_written():
    trial = cohort.make_cohort(2).trial
    (rows,) = report_rows.read(trial, ["scans"]).values()
    dataset = DATASETS["scans"]
    written = b"".join(
        csvtext.lines(dataset.columns, ([row[c] for c in dataset.column_names] for row in rows))
    )
    read = list(csvtext.read(dataset, written))
    numbers = ("net_activity_mbq", "weight_kg", "scan", "tracer", "uptake_minutes")
    assert [[one[n] for n in numbers] for one in read] == [
        [one[n] for n in numbers] for one in rows
    ]
