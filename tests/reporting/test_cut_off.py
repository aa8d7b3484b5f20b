"""The data cut-off, apart from the instant of an export; and what else its manifest says."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from reporting import cut_off, manifest, provenance, storage
from reporting.cut_off import CutOff
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type
from reporting.datasets.populations import POPULATIONS
from reporting.forms import ExportForm
from reporting.models import Export
from reporting.selectors import standing
from reporting.services import exports, rebuilds
from tests import factories
from tests.factories import NOON
from tests.reporting.freezing import held
from trials.models import CriterionResult, EligibilityAssessment, FormEntry, Patient
from trials.roles import Role
from trials.services import queries
from trials.services.errors import Invalid

DAY = date(2026, 3, 15)
COLUMNS = tuple(
    Column(name, name, type_, Privacy.KEY)
    for name, type_ in (
        ("usubjid", Type.TEXT),
        ("site", Type.TEXT),
        ("scan", Type.INTEGER),
        ("began", Type.MOMENT),
    )
)
EVENTS = Dataset("events", "Events", "AE", "an event", "trials_event", ("usubjid",), COLUMNS)
# Half an hour before midnight in Greenwich: in Berlin the day after has begun.
LATE = datetime(2026, 3, 15, 23, 30, tzinfo=UTC)


def test_a_row_is_out_by_the_clock_of_its_site():
    cut = CutOff(DAY, {"UK": UTC, "DE": ZoneInfo("Europe/Berlin")})
    rows = [["T-1", "UK", None, LATE], ["T-2", "DE", None, LATE], ["T-3", "DE", None, None]]
    assert [row[0] for row in cut.rows(EVENTS, "began", rows)] == ["T-1", "T-3"]
    (count,) = cut.in_order
    assert (count.left_out, count.undated) == (1, 1)


def test_a_moment_written_as_text_is_out_by_the_clock_of_its_site_too():
    cut = CutOff(DAY, {"UK": UTC, "DE": ZoneInfo("Europe/Berlin")})
    told, ahead = LATE.isoformat(), "2026-03-16T00:30:00+02:00"
    rows = [["T-1", "UK", None, told], ["T-2", "DE", None, told], ["T-3", "UK", None, ahead]]
    assert [row[0] for row in cut.rows(EVENTS, "began", rows)] == ["T-1", "T-3"]


def test_a_patient_and_a_scan_that_came_later_take_their_rows_along():
    cut = CutOff(DAY, patients={"T-1"}, scans={7})
    rows = [["T-1", "", 1, None], ["T-2", "", 7, None], ["T-2", "", 8, None]]
    assert [row[2] for row in cut.rows(EVENTS, "", rows)] == [8]
    assert (cut.counts["events"].left_out, cut.counts["events"].undated) == (2, 0)


def test_every_dataset_says_what_dates_its_rows():
    every = {**DATASETS, POPULATIONS.name: POPULATIONS}
    assert {*cut_off.EVENTS, *cut_off.OF_WHOLE_RECORD} == set(every)
    assert not cut_off.OF_WHOLE_RECORD & set(cut_off.EVENTS)
    for name, column in cut_off.EVENTS.items():
        assert column in ("", *every[name].column_names)
        types = [one.type for one in every[name].columns if one.name == column]
        assert set(types) <= {Type.MOMENT, Type.PARTIAL_DATE}
    with pytest.raises(cut_off.UndatedError, match="a row of events"):
        cut_off.event_of(EVENTS)


def test_a_form_is_dated_by_the_start_of_what_it_tells_of():
    def column(name, origin):
        return Column(name, name, Type.PARTIAL_DATE, Privacy.QUASI, origin=origin)

    ends, began = column("ends", "AE.AEENDTC"), column("began", "AE.AESTDTC")
    told = column("told", "AE.AEDTC")
    for columns, expected in (
        ((ends, told, began), "began"),
        ((ends, told), "told"),
        ((ends,), ""),
    ):
        form = Dataset("form_ae", "AE", "AE", "a form", "trials_formentry", (), columns)
        assert cut_off.event_of(form, is_form=True) == expected


def test_the_digest_of_columns_is_of_what_they_are_and_not_of_their_words():
    other = Dataset("events", "Other words", "AE", "a", "b", ("usubjid",), COLUMNS)
    assert manifest.schema(other) == manifest.schema(EVENTS)
    less = Dataset("events", "Events", "AE", "a", "b", ("usubjid",), COLUMNS[:-1])
    assert manifest.schema(less) != manifest.schema(EVENTS)


def test_the_commit_is_the_one_that_git_tells():
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        assert provenance.commit()
        return
    told = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True
    )
    assert provenance.commit() == told.stdout.strip()


# With a record


@pytest.fixture
def ordered(made):
    """How to order and freeze an export of the cohort with a cut-off."""

    def order(day: date | None) -> Export:
        export = exports.request(made.trial, reason="interim", by=made.statistician, cut_off=day)
        exports.freeze(held(export))
        export.refresh_from_db()
        assert export.state == "frozen", export.message
        return export

    return order


def cells(export: Export, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(f"data/{name}.csv").decode())))


def test_a_cut_off_leaves_out_scans_after_it_with_their_lesions_and_says_so(made, ordered):
    # The cohort is injected at one noon, consents on days before.
    before, after = ordered(NOON.date() - timedelta(days=1)), ordered(NOON.date())
    assert (len(cells(before, "scans")), len(cells(before, "lesions"))) == (0, 0)
    assert (len(cells(after, "scans")), len(cells(after, "lesions"))) == (2, 4)
    assert len(cells(before, "patients")) == len(cells(after, "patients")) == 2
    told = before.manifest["cut_off"]
    assert told["day"] == (NOON.date() - timedelta(days=1)).isoformat()
    counts = {one["dataset"]: (one["column"], one["left_out"]) for one in told["datasets"]}
    assert (counts["scans"], counts["lesions"]) == (("injected_at", 2), ("", 4))
    assert ordered(None).manifest["cut_off"] is None


def test_populations_that_are_judged_on_the_whole_record_are_not_in_it_and_the_rule_says_so(
    ordered,
):
    """By an injection of after the cut-off a patient would be in the safety population."""
    export, whole = ordered(NOON.date() - timedelta(days=1)), ordered(None)
    assert cells(whole, "populations")
    paths = {one["path"] for one in export.manifest["files"]}
    assert "data/scans.csv" in paths
    assert "data/populations.csv" not in paths
    told = export.manifest["cut_off"]
    assert "analysis populations" in told["rule"]
    assert "populations" not in {one["dataset"] for one in told["datasets"]}


def test_the_page_where_exports_are_ordered_says_what_a_cut_off_leaves_out():
    assert "analysis populations" in ExportForm.base_fields["cut_off"].help_text


def test_the_eligibility_that_stood_at_a_cut_off_is_in_it_though_assessed_again_later(
    made, ordered
):
    every = EligibilityAssessment.objects.filter(patient__trial=made.trial)
    results = CriterionResult.objects.filter(assessment__in=every).select_related("assessment")
    stood = results.first().assessment
    with factories.framed():
        every.update(assessed_at=NOON - timedelta(days=3))
        every.filter(pk=stood.pk).update(assessed_at=NOON - timedelta(days=2))
    factories.make_assessment(stood.patient, by=made.coordinator)
    export = ordered(NOON.date() - timedelta(days=1))
    of_patient = [
        row["assessment"]
        for row in cells(export, "eligibility")
        if row["patient"] == stood.patient.identifier
    ]
    assert of_patient == [str(stood.pk)]


def test_a_patient_who_consented_later_is_not_in_it(ordered):
    export = ordered(date(2026, 1, 31))
    assert [cells(export, name) for name in ("patients", "consents", "evidence", "scans")] == [
        [],
        [],
        [],
        [],
    ]


def test_an_export_with_a_cut_off_is_made_again_byte_for_byte(made, ordered):
    export = ordered(NOON.date() - timedelta(days=1))
    with factories.framed():
        Patient.objects.filter(trial=made.trial).update(sex_at_birth="M")
    found = rebuilds.rebuilt(export, by=made.statistician)
    assert [one.path for one in found if not one.is_same] == []


def test_a_cut_off_to_come_or_of_a_format_that_knows_none_is_refused_by_name(made):
    def order(**options):
        return exports.request(made.trial, reason="interim", by=made.statistician, **options)

    tomorrow = timezone.now().date() + timedelta(days=1)
    with pytest.raises(Invalid, match="yet to come"):
        order(cut_off=tomorrow)
    with pytest.raises(Invalid, match="what happened after the cut-off too"):
        order(cut_off=DAY, formats=["sdtm-xpt"])


def test_the_manifest_says_what_was_open_and_with_what_it_was_made(made, ordered):
    patient = Patient.objects.filter(trial=made.trial).first()
    with factories.framed():
        FormEntry.objects.create(
            patient=patient,
            version=patient.site.version_in_force,
            form="vital_signs",
            state=FormEntry.State.COMPLETE,
            completed_at=NOON,
            begun_by=made.coordinator,
        )
    monitor = factories.make_user(Role.MONITOR, trial=made.trial)
    queries.open_query(patient, text="Which day?", by=monitor)
    told = ordered(None).manifest
    assert told["unsigned_forms"] == 1
    assert told["open_queries"] == standing.open_queries(made.trial) >= 1
    assert told["code_commit"] == provenance.commit()
    assert {"Python", "Django", "pyarrow"} <= set(told["tools"])
    assert [one["label"] for one in told["form_versions"]] == ["1.0"]
    assert re.fullmatch(r"[0-9a-f]{64}", told["mappings"]["datasets"])
    files = {one["path"]: one for one in told["files"]}
    assert files["data/scans.csv"]["columns"] == len(DATASETS["scans"].columns)
    assert files["data/scans.csv"]["schema_sha256"] == manifest.schema(DATASETS["scans"])
    assert files["codebook.md"]["columns"] is None
