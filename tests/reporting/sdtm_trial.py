"""An invented trial as rows of the operational datasets: one patient with all there is, and others.

Every column of the first patient's rows is filled, each with a value of its own, so that a test can
look for it in the domains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from reporting.datasets import DATASETS, Column, Type
from reporting.datasets.case_report_forms import FormTable, tables
from reporting.sdtm import FormRows, Source, Version
from trials import case_report_forms, trial_yaml

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)
# 10:15 in Berlin.
INJECTED = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
LATER = INJECTED + timedelta(days=3)
TRIAL = "DEMO"
SUBJECT = "DEMO-101-001"


@cache
def definition() -> Mapping[str, Any]:
    """The demonstration trial with every form that the product ships."""
    stated = trial_yaml.read((ROOT / "trials" / "definitions" / "demo.yaml").read_text()).content
    general = yaml.safe_load((ROOT / "trials" / "general_forms.yaml").read_text())
    visits = {one["form"]: one.get("visits", []) for one in stated["general_forms"]}
    named = [
        {"form": one["identifier"], "visits": visits.get(one["identifier"], [])} for one in general
    ]
    return case_report_forms.expanded({**stated, "general_forms": named}, general)


def row(dataset: str, **given: Any) -> dict[str, Any]:
    """A row whose columns are empty but for those given."""
    names = DATASETS[dataset].column_names
    assert set(given) <= set(names), set(given) - set(names)
    who = {"trial": TRIAL, "usubjid": SUBJECT, "site": "101", "patient": "101-001"}
    return dict.fromkeys(names) | who | given


def patient(number: str, **given: Any) -> dict[str, Any]:
    """A patient of Berlin in screening."""
    values = {
        "usubjid": f"{TRIAL}-{number}",
        "patient": number,
        "screening_number": f"{number.split('-')[0]}-S{number.split('-')[1]}",
        "state": "screening",
        "sex_at_birth": "F",
        "birth_year": 1961,
        "age_at_consent": 64,
        "consented_at": "2026-02-20",
        "registered_at": INJECTED - timedelta(days=10),
        "site_time_zone": "Europe/Berlin",
    }
    return row("patients", **{**values, **given})


def scan(number: int, tracer: str, **given: Any) -> dict[str, Any]:
    """An injected scan of the first patient."""
    values = {
        "scan": number,
        "planned_scan": "fdg" if "FDG" in tracer else "ptf",
        "label": "FDG PET/CT" if "FDG" in tracer else "Pentixafor PET/CT",
        "tracer": tracer,
        "radionuclide": "F-18" if "FDG" in tracer else "Ga-68",
        "state": "quantified",
        "planned_at": INJECTED + timedelta(minutes=7),
        "assayed_activity_mbq": 172.125,
        "assayed_at": INJECTED - timedelta(minutes=6),
        "residual_activity_mbq": 4.0625,
        "residual_at": INJECTED + timedelta(minutes=4),
        "injected_at": INJECTED,
        "net_activity_mbq": 157.375,
        "half_life_s": 4062.6,
        "route": "intravenous",
        "weight_kg": 70.5,
        "height_cm": 166.0,
        "uptake_minutes": 55.5,
    }
    return row("scans", **{**values, **given})


def made(**changed: list[dict[str, Any]]) -> Source:
    """The trial; `changed` are tables in the place of others."""
    return Source(
        study=TRIAL,
        as_of=NOW,
        versions=[Version(1, "1.0", definition())],
        tables={**_tables(), **changed},
        forms={
            name: FormRows(one, [_form_row(one, 500 + place)])
            for place, (name, one) in enumerate(tables({1: definition()}).items())
        },
    )


def _tables() -> dict[str, list[dict[str, Any]]]:
    return {
        "patients": [
            patient(
                "101-001", state="enrolled", enrolled_at=INJECTED - timedelta(days=5),
                cohort="LYMPHOMA", is_enrolled_despite_criteria=False,
            ),
            patient("101-002", state="screen_failed", screen_failure="criteria", sex_at_birth="M"),
            patient("101-003", state="enrolled", enrolled_at=INJECTED, cohort="SOLID"),
            patient("101-004", consented_at=None, age_at_consent=None),
        ],
        "consents": [
            row("consents", consent=21, version="1.0", language="en", signatory="patient",
                signed_at="2026-02-20T09:30+01:00", copy_given=True),
        ],
        "scans": [
            scan(41, "68Ga-Pentixafor"),
            scan(42, "18F-FDG", injected_at=INJECTED + timedelta(days=3),
                 residual_activity_mbq=None, residual_at=None, uptake_minutes=61.25,
                 net_activity_mbq=261.75),
        ],
        "evidence": list(_evidence()),
        "eligibility": [
            row("eligibility", usubjid="DEMO-101-002", patient="101-002", assessment=31,
                gate="enrolment", protocol_version="1.0", assessed_at=INJECTED,
                verdict="ineligible", criterion="E3", category="exclusion",
                text=_text_of("E3"),
                outcome="met", word="excludes", answer="Y"),
            row("eligibility", assessment=32, gate="enrolment", protocol_version="1.0",
                assessed_at=INJECTED - timedelta(days=5), verdict="eligible", criterion="I1",
                category="inclusion", text="Age", outcome="met", word="satisfied", answer="Y"),
        ],
        "effective_dose": [row("effective_dose", scan=41, tracer_msv=2.4551, ct_msv=6.125,
                               total_msv=8.5801, gaps="none of note")],
        "series": [row("series", scan=41, series=51, modality="PT", counts_for_scan=True,
                       state="quantified", suvbw_factor=0.00071125, suvbw_factor_unit="g/Bq",
                       flags="derived-image", suvmax=31.1875, uptake_minutes=55.5,
                       segmentation_method="fixed_threshold", threshold_suv=4.0,
                       minimum_volume_ml=0.5),
                   row("series", scan=42, series=52, modality="PT", state="refused",
                       code="no-injection-time")],
        "lesions": [_lesion(61, 41, 51), ],
        "regions": [row("regions", scan=41, series=51, region=71, region_kind="blood_pool",
                        region_status="placed", suvmean=1.53125, suv_sd=0.1093, cv=0.0714,
                        suvmax=1.9063, suvpeak=1.7188, suvpeak_definition="sphere_1ml",
                        voxel_count=65, radius_mm=8.0, centre_x_mm=0.5, centre_y_mm=-10.5,
                        centre_z_mm=300.0)],
        "organs": [row("organs", scan=41, series=51, region=71, region_kind="blood_pool",
                       suvmean=1.53125, volume_ml=2.1446)],
        "ratios": [row("ratios", scan=41, series=51, lesion=61, region=71,
                       region_kind="blood_pool", region_status="placed", tbr=8.0316,
                       tbr_peak=7.3469, tbr_mean=4.1429)],
        "grown_ratios": [row("grown_ratios", scan=41, series=51, read=15, reader=9,
                             is_accepted=True, lesion_number=1,
                             region_kind="contralateral_brain", tbr=9.8438, tbr_peak=8.6719,
                             tbr_mean=5.1094)],
        "pairs": [row("pairs", comparison=81, pair=82, kind="tracers", reader=9, first_scan=41,
                      first_lesion=1, first_parts=0, first_positivity="positive",
                      first_suvmax=12.28125, second_scan=42, second_lesion=3, second_parts=1,
                      second_positivity="negative", second_suvmax=2.71875, outcome="both",
                      matched_by="overlap", shared_ml=1.6563, dice=0.8281, distance_mm=3.4219,
                      body_region="liver")],
        "findings": [
            _finding(91, "SUVMAX", number=12.28125, unit="g/mL", lesion=1, location="liver"),
            _finding(92, "VISPOS", text="positive", lesion=1, location="liver"),
            _finding(93, "LESNUM", number=2.0),
            _finding(94, "VOLUME", number=7.9063, unit="mL"),
            _finding(95, "UPTAKE", number=33.4688, unit="g", lesion=1, location="liver"),
        ],
        "recist_lesions": [
            row("recist_lesions", scan=41, read=15, reader=9, lesion="T1", kind="TARGET",
                region="nodes_iliac_left", state="measured", diameter_mm=21.53),
            row("recist_lesions", scan=41, read=15, reader=9, lesion="N1", kind="NON-TARGET",
                region="lung_right", state="present"),
        ],
        "responses": [row("responses", scan=42, baseline_scan=41, evaluation=96, rule="P",
                          criterion="percist", reader=9, is_accepted=True, read=15, category="PMR",
                          best="CMR", why="SULpeak went down", change_percent=-51.5625,
                          numbers='[{"name": "SULpeak"}]', flags="scale-made-for-fdg")],
        "deviations": [row("deviations", deviation=97, rule="uptake-time", text="Too late " * 40,
                           values='{"minutes": 90.5}', is_important=True, state="closed",
                           occurred_at=INJECTED, recorded_at=LATER,
                           about_table="trials_scheduledscan",
                           about_pk=41)],
    }  # fmt: skip


def _text_of(criterion: str) -> str:
    known = definition()["criteria"]
    return next(one["text"] for one in known if one["identifier"] == criterion)


def _lesion(lesion: int, scan: int, series: int) -> dict[str, Any]:
    return row(
        "lesions", scan=scan, series=series, lesion=lesion, number=4, suvmax=12.2969,
        suvmean=6.3438, suvpeak=11.2501, suvpeak_definition="ibsi_global", volume_ml=2.5313,
        total_uptake=16.0577, voxel_count=43, centroid_x_mm=-12.75, centroid_y_mm=3.25,
        centroid_z_mm=400.125, has_partial_volume=True, extent_planes_mm=9.75,
        extent_rows_mm=8.5, extent_columns_mm=12.25, peak_leaves_image=True,
        peak_voxels=1, peak_is_coarse=True, computed_positivity=True,
        positivity_threshold=2.6406, region_label="Bone",
    )  # fmt: skip


def _finding(finding: int, test: str, *, number: float | None = None, text: str | None = None,
             unit: str | None = None, lesion: int | None = None, location: str | None = None,
             ) -> dict[str, Any]:  # fmt: skip
    return row(
        "findings", scan=41, finding=finding, read=15, reader=9, role="reader", is_accepted=True,
        lesion_number=lesion, location=location, test=test, value_number=number, value_text=text,
        unit=unit, method="ibsi_global", run=2, software_version="0.1.0", found_at=NOW,
    )  # fmt: skip


def _evidence() -> Iterator[dict[str, Any]]:
    numbers = count(600)
    details = {
        "creatinine": {"reference_low": 53.0, "reference_high": 115.0},
        "egfr": {"formula": "CKD-EPI 2021"},
        "glucose": {"specimen": "capillary_blood", "device": "meter 7", "fasting": "yes"},
        "pregnancy_test": {"method": "immunoassay", "sensitivity_iu_l": 10.0},
        "lesions.largest_long_axis": {"criteria_set": "Lugano 2014"},
        "ct_dlp": {"region": "trunk"},
    }
    for variable, value, number, unit in (
        ("creatinine", "88.4", 88.4, "µmol/L"),
        ("egfr", ">90", None, "mL/min/1.73 m2"),
        ("glucose", "5.4", 5.4, "mmol/L"),
        ("pregnancy_test", "negative", None, None),
        ("pregnant", "N", None, None),
        ("ecog", "1", 1.0, None),
        ("histology.confirmed", "Y", None, None),
        ("platelets", None, None, None),
        ("therapy.anticancer", '[{"name": "R-CHOP", "started_on": "2024"}]', None, None),
        ("therapy.steroids", "[]", None, None),
        ("lesions.largest_long_axis", "16", 16.0, "mm"),
        ("ct_dlp", "450", 450.0, "mGy·cm"),
    ):
        yield row(
            "evidence",
            evidence=next(numbers),
            variable=variable,
            value=value,
            value_number=number,
            unit=unit,
            observed_at="2026-02-27",
            is_study_specific=variable == "therapy.anticancer",
            **details.get(variable, {}),
            recorded_at=INJECTED - timedelta(days=3),
        )


def _form_row(table: FormTable, pk: int) -> dict[str, Any]:
    """A row of a form with an answer to each item, as if every condition held."""
    columns = table.dataset.columns
    given = {
        "trial": TRIAL, "usubjid": SUBJECT, "site": "101", "patient": "101-001", "repeat": 1,
        "protocol_version": "1.0", "completed_at": INJECTED + timedelta(days=6),
        "record_table": "trials_formentry", "record_pk": pk,
    }  # fmt: skip
    visits = next(
        one.get("visits", ()) for one in definition()["forms"] if one["identifier"] == table.form
    )
    given["visit"] = visits[0] if visits else None
    answers = {place.column.name: place.column for place in table.places}
    return {
        one.name: given.get(one.name, _answer(one, pk, place) if one.name in answers else None)
        for place, one in enumerate(columns)
    }


def _answer(column: Column, pk: int, place: int) -> Any:
    if column.name.endswith(("_missing", "_reason")):
        return None
    if column.type is Type.NUMBER:
        return pk + place / 64
    if column.type is Type.INTEGER:
        return pk + place
    if column.type is Type.FLAG:
        return True
    if column.type is Type.MOMENT:
        return INJECTED + timedelta(days=4, minutes=place)
    if column.type is Type.PARTIAL_DATE:
        # History is of before; what comes later in a form is of no earlier date.
        is_history = column.origin.startswith("MH")
        first = INJECTED.date() - timedelta(days=90 if is_history else 0)
        return (first + timedelta(days=place // 2)).isoformat()
    return column.codes[0][0] if column.codes else f"Text {pk} {place}"
