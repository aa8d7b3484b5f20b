"""Privacy profiles: what leaves under each, and that nothing does which nobody tagged."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reporting import profiles, storage
from reporting.datasets import DATASETS, Column, Dataset, Privacy, Type
from reporting.datasets.case_report_forms import tables
from reporting.profiles import Act, Profile, Secrets
from reporting.services import exports
from tests.reporting.freezing import held
from trials.services.errors import Invalid

SECRETS = Secrets(b"k" * 32, 2026)
COLUMNS = (
    Column("usubjid", "Patient", Type.TEXT, Privacy.IDENTIFIER),
    Column("site", "Site", Type.TEXT, Privacy.SITE),
    Column("birth_year", "Year of birth", Type.INTEGER, Privacy.AGE),
    Column("age_at_consent", "Age", Type.INTEGER, Privacy.AGE),
    Column("began", "Began", Type.MOMENT, Privacy.TECHNICAL),
    Column("told", "Told", Type.PARTIAL_DATE, Privacy.QUASI, missing="not told"),
    Column("note", "Note", Type.TEXT, Privacy.FREE_TEXT),
    Column("numbers", "Numbers, as JSON", Type.TEXT, Privacy.HEALTH),
    Column("outcome", "Outcome", Type.TEXT, Privacy.HEALTH, codes=(("y", "Yes"),)),
)
VISITS = Dataset("visits", "Visits", "SV", "a visit", "trials_visit", ("usubjid",), COLUMNS)
BEGAN = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)


def row(patient="T-1", born=1950, age=76, began=BEGAN, told="2026-03-04"):
    return [patient, "S1", born, age, began, told, "Dr Canary", '[{"on": "2026-03-02"}]', "y"]


def left(profile, *rows):
    """What leaves of rows, by column."""
    plan = profiles.plan(profile, VISITS)
    names = plan.dataset.column_names
    return [dict(zip(names, one, strict=True)) for one in plan.rows(rows, SECRETS)]


def test_the_full_profile_hands_rows_through():
    (found,) = left(Profile.FULL, row())
    assert list(found.values()) == row()


@pytest.mark.requirement("R126")
def test_limited_keeps_the_intervals_of_a_patient_and_none_of_the_dates():
    one, other = left(Profile.LIMITED, row(), row(began=BEGAN + timedelta(days=30, seconds=5)))
    assert other["began"] - one["began"] == timedelta(days=30, seconds=5)
    moved = one["began"] - BEGAN
    assert timedelta(days=-365) <= moved <= timedelta(days=-1)
    assert datetime.fromisoformat(one["told"]).date() == (BEGAN + timedelta(days=2) + moved).date()
    assert one["site"] == "S1"
    assert {"note", "numbers"} & set(one) == set()


def test_limited_moves_patients_by_days_of_their_own():
    days = {profiles.shift_days(f"T-{number}", SECRETS.key) for number in range(200)}
    assert len(days) > 100
    assert profiles.shift_days("T-1", b"another key") != profiles.shift_days("T-1", SECRETS.key)


@pytest.mark.requirement("R126")
def test_safe_harbor_tells_years_no_site_no_text_and_nobody_by_number():
    (found,) = left(Profile.SAFE_HARBOR, row())
    assert re.fullmatch(r"[0-9a-f]{16}", found.pop("usubjid"))
    assert found == {
        "birth_year": 1950,
        "age_at_consent": 76,
        "began": "2026",
        "told": "2026",
        "outcome": "y",
    }


# 45 CFR 164.514(b)(2)(i)(C): all ages over 89 and all elements of dates that tell such an age.
@pytest.mark.parametrize(
    ("born", "age", "told"),
    [(1937, 89, (1937, 89)), (1936, 90, (None, 90)), (1920, 105, (None, 90))],
)
@pytest.mark.requirement("R126")
def test_safe_harbor_tells_no_age_above_89(born, age, told):
    (found,) = left(Profile.SAFE_HARBOR, row(born=born, age=age))
    assert (found["birth_year"], found["age_at_consent"]) == told


def test_a_date_without_a_patient_is_left_out_beside_shifted_ones():
    bare = replace(VISITS, columns=COLUMNS[1:])
    assert "began" not in profiles.plan(Profile.LIMITED, bare).dataset.column_names
    (nobody,) = left(Profile.LIMITED, row(patient=None))
    assert nobody["began"] is None


@pytest.mark.parametrize("profile", Profile)
def test_a_column_without_a_tag_is_refused_by_name(profile):
    new = replace(COLUMNS[0], name="new", privacy="")
    with pytest.raises(profiles.UntaggedError, match="column new of visits has no privacy tag"):
        profiles.plan(profile, replace(VISITS, columns=(*COLUMNS, new)))


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_its_keys_in_every_profile(profile, name):
    plan = profiles.plan(profile, DATASETS[name])
    assert set(plan.dataset.keys) <= set(plan.dataset.column_names)


@pytest.mark.requirement("R126")
@pytest.mark.parametrize("name", DATASETS)
def test_no_moment_no_site_and_no_free_text_leaves_under_safe_harbor(name):
    leaving = profiles.plan(Profile.SAFE_HARBOR, DATASETS[name]).dataset.columns
    assert [one.name for one in leaving if one.type is Type.MOMENT] == []
    denied = (Privacy.SITE, Privacy.FREE_TEXT, Privacy.PANEL_TEXT)
    assert [one.name for one in leaving if one.privacy in denied] == []
    assert {"site", "stratum", "batch", "values", "why"} & {one.name for one in leaving} == set()


@pytest.mark.parametrize("name", DATASETS)
def test_patient_and_site_are_tagged_alike_in_every_dataset(name):
    tags = {one.name: one.privacy for one in DATASETS[name].columns}
    expected = {
        "usubjid": Privacy.IDENTIFIER,
        "patient": Privacy.IDENTIFIER,
        "site": Privacy.SITE,
    }
    assert {name: tags[name] for name in expected if name in tags} == {
        name: tag for name, tag in expected.items() if name in tags
    }


PANEL = {
    "forms": [
        {
            "identifier": "truth",
            "label": "Truth",
            "role": "panel",
            "items": [
                {"identifier": "verdict", "label": "Verdict", "type": "yes_no", "missing": ["ND"]},
                {"identifier": "grounds", "label": "Grounds", "type": "text"},
            ],
        }
    ]
}


@pytest.mark.requirement("R114")
@pytest.mark.parametrize("profile", Profile)
def test_no_words_of_the_truth_panel_leave(profile):
    (table,) = tables({1: PANEL}).values()
    assert {"grounds", "verdict_reason"} <= set(table.dataset.column_names)
    plan = profiles.plan(profile, table.dataset)
    assert {"grounds", "verdict_reason"} & set(plan.dataset.column_names) == set()
    assert {"verdict", "verdict_missing"} <= set(plan.dataset.column_names)
    assert "verdict_reason" in [one.column for one in plan.touched]


def export_under(made, profile):
    export = exports.request(
        made.trial, reason="to share", by=made.statistician, privacy=profile, formats=["parquet"]
    )
    exports.freeze(held(export))
    export.refresh_from_db()
    assert export.state == "frozen", export.message
    with zipfile.ZipFile(io.BytesIO(storage.exports.read(export.sha256))) as archive:
        return export, {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.requirement("R126")
def test_a_shared_export_names_what_it_lacks_and_holds_no_patient_or_date(made):
    export, files = export_under(made, "safe_harbor")
    manifest = json.loads(files["manifest.json"])
    assert manifest["privacy"] == "safe_harbor"
    touched = {(one["dataset"], one["column"]): one["act"] for one in manifest["touched"]}
    assert touched["patients", "site"] == Act.LEAVE_OUT
    assert touched["scans", "injected_at"] == Act.YEAR
    data = b"".join(content for name, content in files.items() if name.startswith("data/"))
    assert re.findall(rb".{0,40}\b%s\b.{0,20}" % made.site.code.encode(), data) == []
    assert re.search(rb"\d{4}-\d{2}-\d{2}", data) is None
    patients = list(csv.DictReader(io.StringIO(files["data/patients.csv"].decode())))
    scans = list(csv.DictReader(io.StringIO(files["data/scans.csv"].decode())))
    assert {one["usubjid"] for one in patients} == {one["usubjid"] for one in scans}
    described = {
        (one["dataset"], one["column"]): one
        for one in csv.DictReader(io.StringIO(files["codebook.csv"].decode()))
    }
    assert ("patients", "site") not in described
    assert "the year alone" in described["scans", "injected_at"]["derivation"]
    assert export.get_privacy_display().startswith("HIPAA Safe Harbor")


def test_an_unknown_profile_is_refused(made):
    with pytest.raises(Invalid, match="No privacy profile is called open"):
        exports.request(made.trial, reason="to share", by=made.statistician, privacy="open")
