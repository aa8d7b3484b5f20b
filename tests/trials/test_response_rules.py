"""Scales of response: loaded from the trial file, told, refused, and what a change is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.urls import reverse

from tests import factories
from trials import protocol, response_rules
from trials.roles import Role
from trials.services import jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
# A second scan with FDG, that a response can be judged on.
LATER = """planned_scans:
  - identifier: fdg2
    label: FDG PET/CT, later
    tracer: FDG
    uptake_minutes: null
    requires_ct: null
    segmentation: {method: fixed_threshold, suv: 4.0, minimum_volume_ml: 0.5}
    source: [DEMO]
"""
PERCIST = "identifier: P, criterion: percist, lean_mass: LBMJANMA"
SCANS = "tracer: FDG, baseline: fdg, follow_ups: [fdg2]"


def text_with(*rules: str) -> str:
    """The demonstration trial with rules of response."""
    rows = "".join(f"  - {{{rule}, source: [DEMO]}}\n" for rule in rules)
    return f"{DEMO.replace('planned_scans:' + chr(10), LATER, 1)}\nresponse:\n{rows}"


def parsed(*rules: str):
    return protocol.parse(text_with(*rules), schema=json.loads(Path(protocols.SCHEMA).read_text()))


def test_a_rule_goes_to_a_file_and_back_with_the_same_digest():
    found = parsed(f"{PERCIST}, {SCANS}")
    schema = json.loads(Path(protocols.SCHEMA).read_text())
    again = protocol.parse(protocol.dump(found), schema=schema)
    assert protocol.digest(again) == protocol.digest(found)


def test_a_change_of_a_rule_is_told_in_a_sentence():
    before, after = (
        parsed(f"{PERCIST}, {SCANS}"),
        parsed(f"identifier: L, criterion: lugano, {SCANS}"),
    )
    assert protocol.difference(before, after) == [
        "Response rule P is removed.",
        "Response rule L is added.",
    ]
    other = parsed(f"{PERCIST.replace('JANMA', 'JAMES128')}, {SCANS}")
    assert protocol.difference(before, other) == [
        "Response rule P, lean_mass: was LBMJANMA, is LBMJAMES128."
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (f"identifier: P, criterion: percist, {SCANS}", "percist needs lean_mass"),
        (f"{PERCIST}, cycles: 2, {SCANS}", "percist has no cycles"),
        (f"identifier: E, criterion: eortc, suv_type: BW, {SCANS}", "eortc needs cycles"),
        (f"identifier: L, criterion: lugano, suv_type: BW, {SCANS}", "lugano has no suv_type"),
        (f"{PERCIST}, tracer: PTF, baseline: fdg, follow_ups: [fdg2]", "with FDG, not with PTF"),
        (f"{PERCIST}, tracer: FDG, baseline: fdg, follow_ups: [fdg]", "compared with itself"),
        (f"{PERCIST}, tracer: FDG, baseline: fdg, follow_ups: [x]", "no planned scans"),
        (f"{PERCIST}, tracer: X, baseline: fdg, follow_ups: [fdg2]", "expected one of"),
        (f"identifier: R, criterion: recist, {SCANS}", "recist"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_refused(rule, message):
    with pytest.raises(protocol.ProtocolError, match=message):
        parsed(rule)


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(protocol.ProtocolError, match="stands more than once"):
        parsed(f"{PERCIST}, {SCANS}", f"{PERCIST}, {SCANS}")


@pytest.mark.django_db
def test_the_page_of_a_trial_says_the_scale_and_what_is_only_proposed_judges_nobody(client):
    rules = (
        f"{PERCIST}, {SCANS}, provenance: proposed",
        f"identifier: Q, criterion: qpet, {SCANS}",
    )
    version = protocols.load_trial(text_with(*rules), by=jobs.system_user()).version
    assert [one["identifier"] for one in version.response_rules] == ["Q"]
    client.force_login(factories.make_user(Role.MONITOR, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    assert "PERCIST 1.0, SUL by lean body mass (Janmahasatian)" in page
    assert page.count("Nobody is judged by it until then.") == 1


@pytest.mark.django_db
def test_a_trial_without_a_scale_says_that_response_is_not_checkable(client):
    text = protocol.dump({**parsed(f"{PERCIST}, {SCANS}"), "response": []})
    trial = protocols.load_trial(text, by=jobs.system_user()).version.trial
    client.force_login(factories.make_user(Role.MONITOR, trial=trial))
    page = client.get(reverse("trial", args=[trial.identifier])).content.decode()
    assert "response is not checkable in this trial" in page


def test_the_schema_and_the_words_know_the_same_scales():
    rule = json.loads(Path(protocols.SCHEMA).read_text())["properties"]["response"]["items"]
    assert set(rule["properties"]["criterion"]["enum"]) == set(response_rules.CRITERIA)
    assert set(rule["properties"]["suv_type"]["enum"]) == set(response_rules.NORMALISED)


def test_a_file_without_rules_has_the_digest_that_it_had():
    found = protocol.parse(
        text_with(f"{PERCIST}, {SCANS}").partition("\nresponse:")[0],
        schema=json.loads(Path(protocols.SCHEMA).read_text()),
    )
    assert "response" not in found
