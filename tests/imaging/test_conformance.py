"""Findings compare plan, record and header; what is unknown is never a pass or a fault."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from imaging.conformance import (
    Kind,
    Observed,
    Planned,
    Recorded,
    findings,
    uptake_minutes,
)
from trials import protocol
from trials.conformance_rules import RULES, Limits, checks
from trials.stated import Tolerances

SHOT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PLANNED = Planned(
    radionuclide="Ga-68",
    uptake_low_minutes=30,
    uptake_high_minutes=60,
    activity_low_mbq=100,
    activity_high_mbq=200,
    requires_ct=True,
    scan_date=date(2026, 3, 2),
)
OBSERVED = Observed(
    nuclide="Ga-68",
    injected_at=SHOT,
    injected_activity_mbq=150.0,
    weight_kg=70.0,
    first_bed_at=SHOT + timedelta(minutes=45),
    has_ct=True,
)
RECORDED = Recorded(injected_at=SHOT, net_activity_mbq=150.0, weight_kg=70.0)


def rules(planned=PLANNED, observed=OBSERVED, recorded=RECORDED):
    return [finding.rule for finding in findings(planned, observed, recorded)]


def test_a_scan_as_planned_raises_nothing():
    assert rules() == []


@pytest.mark.parametrize("minutes", [30, 60])
@pytest.mark.requirement("R68")
def test_both_ends_of_the_uptake_window_are_in(minutes):
    assert rules(observed=replace(OBSERVED, first_bed_at=SHOT + timedelta(minutes=minutes))) == []


@pytest.mark.parametrize("seconds", [30 * 60 - 1, 60 * 60 + 1])
@pytest.mark.requirement("R68")
def test_a_second_outside_the_uptake_window_is_out(seconds):
    observed = replace(OBSERVED, first_bed_at=SHOT + timedelta(seconds=seconds))
    assert rules(observed=observed) == ["uptake-time-out-of-window"]


def test_an_unknown_window_is_not_checked():
    unknown = replace(PLANNED, uptake_low_minutes=None, uptake_high_minutes=None)
    late = replace(OBSERVED, first_bed_at=SHOT + timedelta(hours=3))
    assert rules(unknown, late) == []


def test_the_recorded_injection_time_counts_before_the_header():
    recorded = replace(RECORDED, injected_at=SHOT + timedelta(minutes=1))
    assert uptake_minutes(OBSERVED, recorded) == 44.0


def test_negative_uptake_is_a_clock_fault_to_ask_about():
    early = replace(OBSERVED, first_bed_at=SHOT - timedelta(minutes=1))
    (finding,) = findings(PLANNED, early, RECORDED)
    assert (finding.rule, finding.kind) == ("negative-uptake-time", Kind.QUERY)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"nuclide": "F-18"}, "radionuclide-differs"),
        ({"has_ct": False}, "ct-missing"),
        ({"injected_activity_mbq": 158.0}, "header-activity-differs"),
        ({"weight_kg": 71.5}, "header-weight-differs"),
        ({"injected_at": SHOT + timedelta(minutes=3)}, "header-injection-time-differs"),
    ],
)
def test_each_disagreement_has_its_rule(change, rule):
    assert rules(observed=replace(OBSERVED, **change)) == [rule]


def test_without_a_record_the_header_is_held_against_the_protocol():
    weak = replace(OBSERVED, injected_activity_mbq=99.0)
    assert rules(observed=weak, recorded=None) == [
        "injection-not-recorded",
        "header-activity-out-of-range",
    ]


def test_a_scan_on_another_day_deviates():
    assert rules(replace(PLANNED, scan_date=date(2026, 3, 3))) == ["scan-not-on-planned-day"]


def test_slices_that_the_header_counts_and_nobody_sent_are_asked_for():
    seen = replace(OBSERVED, slices=66, slices_announced=176)
    found = {finding.rule: finding for finding in findings(PLANNED, seen, RECORDED)}
    query = found["fewer-slices-than-announced"]
    assert query.kind == Kind.QUERY
    assert query.values == {"found": 66, "expected": 176}


def test_a_complete_series_or_an_uncounted_one_is_not_asked_about():
    for announced in (None, 66, 60):
        seen = replace(OBSERVED, slices=66, slices_announced=announced)
        rules = {finding.rule for finding in findings(PLANNED, seen, RECORDED)}
        assert "fewer-slices-than-announced" not in rules


COARSE = (3.3, 5.5, 5.5)
SIEMENS = ("Siemens", "mCT", "")
GE = ("GE MEDICAL SYSTEMS", "Discovery 690", "")


@pytest.mark.parametrize(
    ("planned", "seen", "recorded", "rule", "severity"),
    [
        ({}, {"half_life_s": 6586.2}, {}, "header-half-life-differs", "major"),
        ({}, {"height_cm": 175.0}, {"height_cm": 170.0}, "header-height-differs", "minor"),
        (
            {},
            {"scanner": GE},
            {"scanner": ("Siemens", "mCT", "")},
            "header-scanner-differs",
            "minor",
        ),
        ({}, {"ct_at": SHOT + timedelta(minutes=50)}, {}, "ct-after-pet", "minor"),
        ({"coverage_low_mm": 900.0}, {"coverage_mm": 899.9}, {}, "coverage-too-short", "major"),
        (
            {"voxel_high_mm": 4.0},
            {"voxel_mm": (3.3, 5.5, 5.5)},
            {},
            "voxel-size-out-of-range",
            "minor",
        ),
        (
            {"reconstructions": ("OSEM",)},
            {"reconstruction": "FBP"},
            {},
            "reconstruction-not-listed",
            "minor",
        ),
    ],
)
def test_image_and_record_are_held_to_each_rule(planned, seen, recorded, rule, severity):
    plan = replace(PLANNED, **planned)
    found = findings(plan, replace(OBSERVED, **seen), replace(RECORDED, **recorded))
    assert [one.rule for one in found] == [rule]
    assert plan.severity(rule) == severity


@pytest.mark.parametrize(
    ("planned", "seen", "recorded"),
    [
        ({}, {"half_life_s": 4057.7}, {}),
        ({}, {"height_cm": 172.0}, {"height_cm": 170.0}),
        ({}, {"scanner": GE}, {"scanner": ("GE", "Discovery-690", "")}),
        ({}, {"scanner": GE}, {}),
        ({}, {"ct_at": SHOT + timedelta(minutes=40)}, {}),
        ({"coverage_low_mm": 900.0}, {"coverage_mm": 900.0}, {}),
        ({}, {"voxel_mm": (3.3, 5.5, 5.5)}, {}),
        ({"reconstructions": ("OSEM", "TOF")}, {"reconstruction": "3D-OSEM"}, {}),
        ({"reconstructions": ("OSEM",)}, {"reconstruction": ""}, {}),
    ],
)
def test_what_agrees_or_is_not_limited_is_not_found(planned, seen, recorded):
    found = findings(
        replace(PLANNED, **planned), replace(OBSERVED, **seen), replace(RECORDED, **recorded)
    )
    assert found == ()


def test_a_gross_activity_in_the_images_is_named_as_such():
    recorded = replace(RECORDED, net_activity_mbq=140.0, gross_activity_mbq=150.0)
    (found,) = findings(PLANNED, OBSERVED, recorded)
    assert found.rule == "header-activity-is-gross"
    assert "the residual was not subtracted" in found.text
    (other,) = findings(PLANNED, replace(OBSERVED, injected_activity_mbq=170.0), recorded)
    assert other.rule == "header-activity-differs"
    assert "140 MBq net and 150 MBq gross" in other.text


@pytest.mark.parametrize(("in_header", "found"), [(150.0, False), (140.0, True)])
def test_without_a_residual_there_is_no_net_activity_to_agree_with(in_header, found):
    recorded = replace(RECORDED, gross_activity_mbq=150.0, is_residual_known=False)
    seen = findings(PLANNED, replace(OBSERVED, injected_activity_mbq=in_header), recorded)
    assert bool(seen) == found
    if found:
        assert seen[0].text.endswith("says 150 MBq gross, the residual was not measured.")
        assert seen[0].values["expected"] is None


def test_tolerances_and_severities_are_the_protocol_s():
    loose = replace(PLANNED, tolerances=Tolerances(weight=0.10), severities={"ct-missing": "info"})
    assert rules(loose, replace(OBSERVED, weight_kg=76.9)) == []
    assert rules(loose, replace(OBSERVED, weight_kg=77.1)) == ["header-weight-differs"]
    assert loose.severity("ct-missing") == "info"


def test_a_trial_file_can_name_every_rule_and_no_other():
    schema = json.loads(Path(protocol.__file__).with_name("protocol.schema.json").read_text())
    (found,) = _named(schema, "severities")
    assert found["propertyNames"]["enum"] == list(RULES)


def _named(node, name):
    if isinstance(node, dict):
        yield from [node[name]] if name in node else []
        for one in node.values():
            yield from _named(one, name)


def test_only_an_uncorrected_series_is_asked_about():
    assert rules(observed=replace(OBSERVED, is_attenuation_corrected=False)) == [
        "not-attenuation-corrected"
    ]


def test_what_reads_not_checkable_is_never_found():
    """The words about the limits and the rules that run on them must not come apart."""
    nobody = Planned("Ga-68", None, None, None, None, None, SHOT.date())
    worst = replace(
        OBSERVED,
        injected_activity_mbq=9999.0,
        first_bed_at=SHOT + timedelta(hours=9),
        has_ct=False,
        coverage_mm=1.0,
        voxel_mm=(40.0, 40.0, 40.0),
        reconstruction="guesswork",
    )
    unchecked = {one.rule for one in checks(Limits("Ga-68")) if not one.is_checkable}
    assert not unchecked & {one.rule for one in findings(nobody, worst, None)}
    limits = Limits(
        "Ga-68",
        (30, 60),
        (100, 200),
        True,
        {"coverage_mm": {"low": 900}, "voxel_mm": {"high": 5}, "reconstructions": ["OSEM"]},
    )
    stated = replace(
        PLANNED, coverage_low_mm=900, voxel_high_mm=5, reconstructions=("OSEM",), requires_ct=True
    )
    assert unchecked <= {one.rule for one in checks(limits) if one.is_checkable}
    assert unchecked <= {one.rule for one in findings(stated, worst, None)}
