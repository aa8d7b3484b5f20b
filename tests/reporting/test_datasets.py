"""The definitions of the datasets: complete, in step with the record, and stable."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import get_args

import pytest
from django.apps import apps

from imaging.models import (
    Lesion,
    LesionComparison,
    LesionPair,
    LesionRead,
    Quantification,
    ReferenceRegion,
    Series,
)
from imaging.ratios import Lateralisation
from imaging.selectors import adrenals, positivity
from imaging.selectors.derivations import QUANTITIES
from reporting import codebook
from reporting.datasets import DATASETS, Privacy, Type
from reporting.selectors.rows import SOURCES
from trials import eligibility
from trials.models import (
    ActionItem,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityAssessment,
    EligibilityCriterion,
    Injection,
    MonitoringVisit,
    Patient,
    Query,
    ScheduledScan,
    TracerMovement,
)
from trials.variables import VARIABLES

COLUMNS = [(dataset, column) for dataset in DATASETS.values() for column in dataset.columns]

# What must not leave, by the names it goes by in the record.
FORBIDDEN = re.compile(
    r"date_shift|uid|key|^birth$|birth_date|obtained_by|recorded_by|assessed_by|placed_by|source"
    r"|opened_by|reading_identifier|instance|header|username|password|^name$"
)
# The name of a tracer is not a person's, of UIDs there is the patient's of CDISC alone, and of the
# source of a finding the number of the read. A sequence is derived with the trial's key, which
# test_rows looks for in what leaves.
_SCAN = "quantification__series__imaging_study__scheduled_scan__"
_TRACER = "planned_scan__tracer__name"
ALLOWED = {"usubjid", _TRACER, f"{_SCAN}{_TRACER}", "source_pk", "trial__uid_key"}

CODES = {
    "patients.state": Patient.State,
    "patients.sex_at_birth": Patient.Sex,
    "consents.signatory": Consent.Signatory,
    "eligibility.gate": EligibilityCriterion.Gate,
    "eligibility.category": EligibilityCriterion.Category,
    "eligibility.verdict": EligibilityAssessment.Verdict,
    "eligibility.outcome": CriterionResult.Outcome,
    "scans.state": ScheduledScan.State,
    "scans.extravasation": Injection.Extravasation,
    "tracer_movements.kind": TracerMovement.Kind,
    "monitoring_visits.kind": MonitoringVisit.Kind,
    "action_items.state": ActionItem.State,
    "series.state": Series.State,
    "series.status": Quantification.Status,
    "regions.region_kind": ReferenceRegion.Kind,
    "regions.region_status": ReferenceRegion.Status,
    "pairs.kind": LesionComparison.Kind,
    "pairs.outcome": LesionPair.Outcome,
    "pairs.matched_by": LesionPair.MatchedBy,
    "pairs.first_positivity": LesionRead.Positivity,
    "deviations.state": Deviation.State,
    "queries.state": Query.State,
}


def test_every_column_has_a_name_a_label_a_type_and_a_privacy_tag():
    lacking = [
        (dataset.name, column.name)
        for dataset, column in COLUMNS
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", column.name)
        or not column.label.strip()
        or column.type not in list(Type)
        or column.privacy not in list(Privacy)
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("suffix", "unit"),
    [
        ("_mbq", "MBq"),
        ("_ml", "mL"),
        ("_mm", "mm"),
        ("_kg", "kg"),
        ("_cm", "cm"),
        ("_s", "s"),
        ("_minutes", "min"),
        ("_suv", "g/mL"),
    ],
)
def test_a_unit_in_a_name_is_the_unit_of_the_column(suffix, unit):
    units = {column.unit for _, column in COLUMNS if column.name.endswith(suffix)}
    assert units == {unit}


def test_every_measured_number_has_a_unit_or_a_column_that_says_it():
    bare = {column.name for _, column in COLUMNS if column.type == Type.NUMBER and not column.unit}
    # Their units are in the columns unit and suvbw_factor_unit.
    assert bare == {"value_number", "reference_low", "reference_high", "suvbw_factor"}


def test_every_flag_says_what_y_and_n_mean():
    flags = {column.codes for _, column in COLUMNS if column.type == Type.FLAG}
    assert flags == {(("Y", "Yes"), ("N", "No"))}


@pytest.mark.requirement("R127")
def test_no_column_is_one_that_must_not_leave():
    names = {column.name for _, column in COLUMNS} - ALLOWED
    assert [name for name in names if FORBIDDEN.search(name)] == []


@pytest.mark.requirement("R127")
@pytest.mark.parametrize("name", DATASETS)
def test_no_source_hands_out_unchanged_what_must_not_leave(name):
    read = {look for look in SOURCES[name].columns.values() if isinstance(look, str)} - ALLOWED
    assert [look for look in read if FORBIDDEN.search(look.rpartition("__")[2])] == []


@pytest.mark.parametrize("name", DATASETS)
def test_names_and_keys_are_sound(name):
    dataset = DATASETS[name]
    assert len(set(dataset.column_names)) == len(dataset.columns)
    assert set(dataset.keys) <= set(dataset.column_names)
    assert dataset.table in {model._meta.db_table for model in apps.get_models()}


def test_every_dataset_has_a_source_and_no_source_a_column_too_many():
    assert set(SOURCES) == set(DATASETS)
    extra = {
        name: set(source.columns) - set(DATASETS[name].column_names)
        for name, source in SOURCES.items()
    }
    assert extra == {name: set() for name in DATASETS}


@pytest.mark.parametrize(("name", "choices"), CODES.items())
def test_the_codes_of_a_column_are_those_of_the_record(name, choices):
    dataset, column = name.split(".")
    found = next(one for one in DATASETS[dataset].columns if one.name == column)
    assert [code for code, _ in found.codes] == choices.values


def test_the_words_of_findings_are_those_of_readers_of_the_rule_and_of_the_adrenals():
    words = next(c for c in DATASETS["findings"].columns if c.name == "value_text")
    sides = {*get_args(Lateralisation), adrenals.NOT_EVALUABLE}
    seen = {*LesionRead.Positivity.values, positivity.NOT_CHECKABLE}
    assert {code for code, _ in words.codes} == seen | sides


def test_the_words_of_eligibility_are_those_the_engine_gives():
    word = next(c for c in DATASETS["eligibility"].columns if c.name == "word")
    assert [code for code, _ in word.codes] == [
        eligibility.SATISFIED,
        eligibility.EXCLUDES,
        eligibility.CANNOT_TELL,
        eligibility.NOT_APPLICABLE,
    ]


def test_each_number_of_a_lesion_has_a_derivation_that_the_site_can_show():
    shown = {
        column.name.removesuffix("_derivation")
        for name in ("lesions", "ratios")
        for column in DATASETS[name].columns
        if column.name.endswith("_derivation")
    }
    assert shown == set(QUANTITIES)


@pytest.mark.requirement("R116")
def test_columns_change_only_on_purpose():
    """Scripts rely on them: a change here belongs into CHANGELOG."""
    golden = Path(__file__).with_name("columns.txt").read_text().split("\n")
    found = [f"{dataset.name} {column.name}: {column.type}" for dataset, column in COLUMNS]
    assert [*found, ""] == golden


def test_the_codebook_has_a_line_for_each_column():
    lines = [(row[0], row[1]) for row in codebook.rows(DATASETS.values())]
    assert lines == [(dataset.name, column.name) for dataset, column in COLUMNS]


def test_the_codebook_says_what_an_empty_residual_means():
    row = next(
        r for r in codebook.rows(DATASETS.values()) if r[:2] == ("scans", "residual_activity_mbq")
    )
    assert row[6] == "not measured, which is not zero; or no injection is recorded"
    assert (row[3], row[4], row[8]) == ("number", "MBq", "SUPPEX.ACTRES")


def test_the_codebook_explains_every_variable_and_its_choices():
    text = b"".join(codebook.variables()).decode()
    rows = {row["variable"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    assert set(rows) == set(VARIABLES)
    assert rows["creatinine"]["units"] == "mg/dL; µmol/L"
    assert rows["pregnancy_test"]["codes"] == "negative=Negative; positive=Positive"


def test_the_readable_codebook_explains_every_tag():
    words = " ".join(codebook.readable(DATASETS.values()).split())
    assert [tag for tag in Privacy if f"*{tag}*" not in words] == []


def test_the_readable_codebook_keeps_its_tables_whole():
    rows = [
        line for line in codebook.readable(DATASETS.values()).splitlines() if line.startswith("| `")
    ]
    assert len(rows) == len(COLUMNS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}


def test_the_model_of_a_lesion_leaves_nothing_measured_behind():
    measured = {f.name for f in Lesion._meta.fields} - {"id", "quantification"}
    split = {
        "suvmax_voxel": "suvmax_plane",
        "centroid_mm": "centroid_x_mm",
        "extent_mm": "extent_planes_mm",
    }
    names = set(DATASETS["lesions"].column_names)
    assert {split.get(name, name) for name in measured} <= names
