"""Hypotheses of a trial from its record: forms of the panel and signed reads, live and frozen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse

from imaging.models import ImagingStudy, Quantification, Read, Series, Transmittal
from imaging.reading_terms import REGIONS
from reporting.reports import hypotheses
from reporting.reports.content import Share
from reporting.selectors import report_rows
from reporting.services import exports, reports, unblinding
from tests import factories
from tests.factories import NOON
from trials.models import CountedRead, PlannedScan
from trials.roles import Role
from trials.services import findings, form_entries, jobs, protocols, scans
from trials.services.findings import Result

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
# Of each patient: truth of liver and spleen, what Pentixafor shows, what FDG shows.
PATIENTS = (
    (("PRESENT", "ABSENT"), ("liver",), ()),
    (("PRESENT", "ABSENT"), ("liver",), ("liver",)),
    (("PRESENT", "PRESENT"), ("liver", "spleen"), ()),
    (("ABSENT", "ABSENT"), (), ("spleen",)),
)


def decide(trial):
    """Four patients of the trial, each decided by the panel and read on both tracers."""
    site = factories.make_site(trial)
    by = factories.make_user(Role.COORDINATOR, trial=trial, site=site)
    panel = factories.make_user(Role.PANEL, trial=trial)
    for said, *shown in PATIENTS:
        patient = factories.make_enrolled(site, by=by)
        for region, truth in zip(("liver", "spleen"), said, strict=True):
            given = {"region": region, "lesion": "L1", "truth": truth, "basis": ["HISTOLOGY"],
                     "decided_on": "2026-04-01"}  # fmt: skip
            entry = form_entries.begin(patient, form="truth_of_lesion", by=panel)
            form_entries.complete(entry, given=given, revision=1, by=panel)
        for day, (name, regions) in enumerate(zip(("ptf", "fdg"), shown, strict=True)):
            plan = PlannedScan.objects.get(version__trial=trial, identifier=name)
            read(patient, plan, regions, at=NOON + timedelta(days=day), by=by)


@pytest.fixture
def trial(db):
    return protocols.load_trial(DEMO, by=jobs.system_user()).trial


def read(patient, plan, regions, *, at, by):
    """A scan with a read that counts, as rows: nothing is measured."""
    scan = scans.schedule(patient, planned_scan=plan, planned_at=at, by=by)
    with factories.framed():
        transmittal = Transmittal.objects.create(
            site=patient.site, scheduled_scan=scan, state="quantified", sent_by=by,
            completed_at=at,
        )  # fmt: skip
        series = Series.objects.create(
            imaging_study=ImagingStudy.objects.create(
                scheduled_scan=scan, study_instance_uid="2.25.1"
            ),
            transmittal=transmittal, series_instance_uid="2.25.2", modality="PT",
            state="quantified", counts=True,
        )  # fmt: skip
        run = Quantification.objects.create(
            series=series, run=1, status="computed", suvbw_factor=0.5, software_version="test"
        )
        signed = Read.objects.create(quantification=run, reader=by, state="signed", signed_at=at)
        CountedRead.objects.create(
            patient=patient, scheduled_scan=scan, source_table=Read._meta.db_table,
            source_pk=signed.pk, basis=CountedRead.Basis.ONLY, why="The only read.",
        )  # fmt: skip
        findings.record(
            scan,
            [
                Result("LESNUM", signed, number=len(regions)),
                *(
                    Result("SUVMAX", signed, number=5.0, lesion=number, location=region)
                    for number, region in enumerate(regions, 1)
                ),
            ],
            source=signed, by=by, at=at, run=1, software_version="test",
        )  # fmt: skip


def test_a_panel_names_regions_as_readers_do(trial):
    forms = trial.newest_version.definition["forms"]
    (form,) = [one for one in forms if one["identifier"] == "truth_of_lesion"]
    (region,) = [one for one in form["items"] if one["identifier"] == "region"]
    assert [(one["code"], one["label"]) for one in region["codes"]] == list(REGIONS)


def test_hypotheses_of_the_newest_version_are_rows(trial, django_assert_num_queries):
    with django_assert_num_queries(1):
        rows = report_rows.read(trial, ["hypotheses"])["hypotheses"]
    assert [(one["number"], one["hypothesis"]) for one in rows] == [(1, "H1"), (2, "H2"), (3, "H3")]
    assert [one["margin"] for one in rows] == [None, 0.1, None]
    assert {one["order"] for one in rows} == {"hierarchical"}
    stricter = DEMO.replace("margin: 0.1,", "margin: 0.05,").replace('"1.0"', '"2.0"', 1)
    protocols.load_trial(stricter, by=jobs.system_user())
    rows = report_rows.read(trial, ["hypotheses"])["hypotheses"]
    assert [(one["margin"], one["version"]) for one in rows] == [(None, 2), (0.05, 2), (None, 2)]


def came_out(made):
    (table,) = [one for one in made.content.tables if one.title == "What came out"]
    return [dict(zip([one.name for one in table.columns], row, strict=True)) for row in table.rows]


def test_forms_and_reads_of_the_record_make_the_report(trial, client):
    decide(trial)
    by = factories.make_user(Role.STATISTICIAN, trial=trial)
    better, no_worse, positive = came_out(reports.make(trial, "hypotheses", by=by))
    # Diseased: liver of three, spleen of one; Pentixafor shows all four, FDG one of them.
    assert (better["first"], better["second"]) == (Share(4, 4), Share(1, 4))
    assert (no_worse["first"], no_worse["second"]) == (Share(4, 4), Share(3, 4))
    assert (positive["first"], positive["second"]) == (Share(3, 4), Share(2, 4))
    assert better["decision"] == "not shown"
    assert no_worse["decision"] == "not tested"
    counts = reports.make(trial, "accuracy", by=by).content.tables[0]
    assert [row[2:6] for row in counts.rows if row[0] == "Regions"] == [(1, 1, 3, 3), (4, 0, 0, 4)]
    client.force_login(by)
    page = client.get(reverse("report", args=[trial.identifier, "hypotheses"]))
    assert page.status_code == 200
    assert "Pentixafor finds more diseased regions" in page.content.decode()


def frozen(trial, by, **options):
    export = exports.request(trial, reason="interim", by=by, **options)
    if options:
        second = factories.make_user(Role.DATA_MANAGER, trial=trial)
        unblinding.approve(export, reason="the board asked", by=second)
        export.refresh_from_db()
    jobs.run(export.job)
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    return export


def test_an_export_gives_the_report_once_it_tells_the_truth(committed_db, settings, tmp_path):
    settings.STORAGE = tmp_path
    text = DEMO.replace("identifier: DEMO\n", "identifier: DEMO-HYPOTHESES\n", 1)
    trial = protocols.load_trial(text, by=jobs.system_user()).trial
    decide(trial)
    by = factories.make_user(Role.STATISTICIAN, trial=trial)
    live = came_out(reports.make(trial, "hypotheses", by=by))
    opened = frozen(trial, by, unblinding_reason="for the analysis")
    assert came_out(reports.make(trial, "hypotheses", by=by, export=opened)) == live
    blinded = frozen(trial, by)
    better, no_worse, positive = came_out(reports.make(trial, "hypotheses", by=by, export=blinded))
    # The panel does not know the index test yet: nothing is decided of what it decided.
    assert (better["decision"], better["why"]) == ("not decided", hypotheses.BLIND)
    assert better["first"] is no_worse["first"] is None
    assert no_worse["decision"] == "not tested"
    assert no_worse["why"].endswith(hypotheses.BLIND)
    assert positive["first"] == Share(3, 4)
    accuracy = reports.make(trial, "accuracy", by=by, export=blinded)
    assert "unblinded" in accuracy.content.why_empty
