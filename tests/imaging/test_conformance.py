"""Findings compare plan, record and header; what is unknown is never a pass or a fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from imaging.conformance import Kind, Observed, Planned, Recorded, findings, uptake_minutes

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
