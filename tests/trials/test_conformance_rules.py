"""What images are held to, in words with units, and on the page of a trial."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from tests import factories
from trials.conformance_rules import RULES, Basis, Limits, Severity, checks
from trials.roles import Role
from trials.services import jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
STATED = """    suv_source: record
    conformance:
      coverage_mm: {low: 900}
      voxel_mm: {low: 1.5, high: 4.1}
      reconstructions: [OSEM, BSREM]
      tolerances: {activity: 0.1, injection_seconds: 300}
      severities: {ct-missing: blocking}
    segmentation:"""


def by_rule(limits=None, proposed=None):
    return {one.rule: one for one in checks(limits or Limits(), proposed)}


def test_every_rule_is_said_once_and_in_the_order_of_the_rules():
    assert [one.rule for one in checks(Limits())] == list(RULES)


def test_what_nobody_states_is_not_checkable_and_says_nothing():
    found = by_rule()
    unstated = [rule for rule, one in found.items() if not one.is_checkable]
    assert unstated == [
        "radionuclide-differs",
        "uptake-time-out-of-window",
        "ct-missing",
        "coverage-too-short",
        "voxel-size-out-of-range",
        "reconstruction-not-listed",
        "header-activity-out-of-range",
    ]
    assert {found[rule].limit for rule in unstated} == {""}


@pytest.mark.parametrize(
    ("limits", "rule", "words"),
    [
        ({"uptake_minutes": (30, 60)}, "uptake-time-out-of-window", "30 to 60 min"),
        ({"uptake_minutes": (None, 75)}, "uptake-time-out-of-window", "up to 75 min"),
        ({"requires_ct": False}, "ct-missing", "not required"),
        ({"activity_mbq": (100, None)}, "header-activity-out-of-range", "100 or more MBq"),
        (
            {"conformance": {"coverage_mm": {"low": 900}}},
            "coverage-too-short",
            "900 or more mm",
        ),
        (
            {"conformance": {"voxel_mm": {"low": 1.5, "high": 4.1}}},
            "voxel-size-out-of-range",
            "1.5 to 4.1 mm",
        ),
        (
            {"conformance": {"reconstructions": ["OSEM", "BSREM"]}},
            "reconstruction-not-listed",
            "OSEM, BSREM",
        ),
    ],
)
def test_a_stated_limit_is_the_protocol_s_and_has_its_unit(limits, rule, words):
    one = by_rule(Limits(**limits))[rule]
    assert (one.limit, one.basis, one.is_checkable) == (words, Basis.PROTOCOL, True)


@pytest.mark.parametrize(
    ("rule", "own", "name", "stated", "words"),
    [
        ("header-activity-differs", "± 5 %", "activity", 0.1, "± 10 %"),
        ("header-weight-differs", "± 2 %", "weight", 0.015, "± 1.5 %"),
        ("header-height-differs", "± 2 cm", "height_cm", 3, "± 3 cm"),
        ("header-half-life-differs", "± 1 %", "half_life", 0.002, "± 0.2 %"),
        ("header-injection-time-differs", "± 120 s", "injection_seconds", 300, "± 300 s"),
    ],
)
def test_a_tolerance_says_whether_it_is_the_protocol_s(rule, own, name, stated, words):
    bare = by_rule()[rule]
    assert bare.limit.startswith(own)
    assert bare.basis is Basis.PRODUCT
    told = by_rule(Limits(conformance={"tolerances": {name: stated}}))[rule]
    assert told.limit.startswith(words)
    assert told.basis is Basis.PROTOCOL


def test_a_limit_that_is_only_proposed_is_told_beside_and_holds_nobody():
    one = by_rule(proposed=Limits(uptake_minutes=(30, 60)))["uptake-time-out-of-window"]
    assert (one.limit, one.proposed, one.is_checkable) == ("", "30 to 60 min", False)
    # Nobody proposed a tolerance or what is always checked.
    assert by_rule(proposed=Limits())["header-weight-differs"].proposed == ""


def test_a_severity_says_whether_it_is_the_protocol_s():
    bare = by_rule()["ct-missing"]
    assert (bare.severity, bare.is_severity_stated) == (Severity.MAJOR, False)
    told = by_rule(Limits(conformance={"severities": {"ct-missing": "blocking"}}))["ct-missing"]
    assert (told.severity, told.is_severity_stated) == (Severity.BLOCKING, True)


def rows(page):
    """The lines of the tables of a page, as they read, by their first cell."""
    found = {}
    for part in page.split("<tr>")[1:]:
        cells = [" ".join(strip_tags(one).split()) for one in part.split("</t")]
        found.setdefault(cells[0], [one.split(">", 1)[1].strip() for one in cells[1:4]])
    return found


@pytest.fixture
def load(db, client):
    def page(text):
        trial = protocols.load_trial(text, by=jobs.system_user()).trial
        client.force_login(factories.make_user(Role.MONITOR, trial=trial))
        return trial, unescape(
            client.get(reverse("trial", args=[trial.identifier])).content.decode()
        )

    return page


def test_the_page_says_each_limit_with_its_unit_source_and_severity(load):
    _, page = load(DEMO.replace("    segmentation:", STATED, 1))
    found = rows(page.split('id="held-to-title"')[1])
    assert found["Uptake time"] == ["30 to 60 min", "source DEMO", "Major by default"]
    assert found["Coverage along the body"][:2] == ["900 or more mm", "source DEMO"]
    assert found["CT"] == ["comes with the PET", "source DEMO", "Blocking source DEMO"]
    assert found["Weight"][:2] == [
        "± 2 % of the recorded weight",
        "Of the product, the protocol states no other",
    ]
    assert found["Injection time"][:2] == ["± 300 s of the recorded time", "source DEMO"]
    assert "what the site recorded (weight, activity and time of injection)" in page


def test_the_page_calls_what_is_not_stated_not_checkable(load):
    _, page = load(DEMO)
    held_to = page.split('id="held-to-title"')[1]
    assert rows(held_to)["Voxel size"][:2] == ["no limit is stated: not checkable", "–"]
    assert "3 of 23 not checkable" in held_to
    assert "by default: not stated by the source" in held_to


def test_what_the_file_only_proposes_is_to_be_confirmed(load):
    text = DEMO.replace("{low: 30, high: 60}", "{low: 30, high: 60, provenance: proposed}")
    _, page = load(text)
    said = rows(page.split('id="held-to-title"')[1])["Uptake time"]
    assert said[0].startswith("no limit is stated: not checkable")
    assert said[0].endswith("30 to 60 min Proposed, confirm with the protocol")
    assert said[1] == "source DEMO"


def test_the_interface_says_the_same(load, client):
    trial, _ = load(DEMO.replace("    segmentation:", STATED, 1))
    scan = client.get(f"/api/v1/trials/{trial.identifier}/").json()["planned_scans"][0]
    assert scan["suv_source"] == "record"
    found = {one["rule"]: one for one in scan["held_to"]}
    assert found["voxel-size-out-of-range"]["limit"] == "1.5 to 4.1 mm"
    assert found["ct-missing"]["severity"] == "blocking"
    assert found["header-weight-differs"]["basis"] == Basis.PRODUCT
