"""Test and retest: marked in the trial file, refused by name, told, and judged by what differs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from tests import factories
from tests.factories import NOON
from trials import protocol, retests
from trials.retests import Imaged
from trials.roles import Role
from trials.services import jobs, protocols

DEMO = (Path(protocols.SCHEMA).parent / "definitions" / "demo.yaml").read_text()
SCAN = """planned_scans:
  - identifier: {name}
    label: Pentixafor PET/CT, {name}
    tracer: {tracer}
    uptake_minutes: null
    requires_ct: null
    segmentation: {{method: fixed_threshold, suv: 4.0, minimum_volume_ml: 0.5}}
    retest: {{{rule}, source: [DEMO]}}
    source: [DEMO]
"""
RULE = (
    "of: ptf, interval: {minimum: PT20H, maximum: P7D}, uptake_difference_minutes: 5, "
    "activity_difference_percent: 20, quantities: [suvmax, suvpeak], organs: [liver]"
)
BERLIN = ZoneInfo("Europe/Berlin")
TEST = Imaged(
    injected_at=NOON,
    is_measured=True,
    uptake_minutes=60.0,
    net_activity_mbq=150.0,
    scanner="Vision, 101",
    reconstruction="OSEM",
)
RETEST = replace(TEST, injected_at=NOON + timedelta(days=2))
LIMITS = {
    "of": "ptf",
    "interval": {"minimum": "PT20H", "maximum": "P7D"},
    "uptake_difference_minutes": 5,
    "activity_difference_percent": 20,
}


def text_with(rule=RULE, *, name="ptf2", tracer="PTF"):
    added = SCAN.format(name=name, tracer=tracer, rule=rule)
    return DEMO.replace("planned_scans:\n", added, 1)


def parsed(text):
    return protocol.parse(text, schema=json.loads(Path(protocols.SCHEMA).read_text()))


def errors(text):
    with pytest.raises(protocol.ProtocolError) as caught:
        parsed(text)
    return caught.value.errors


def test_a_file_without_retests_keeps_its_digest_and_one_with_them_goes_there_and_back():
    assert "retest" not in json.dumps(parsed(DEMO))
    found = parsed(text_with())
    assert protocol.digest(parsed(protocol.dump(found))) == protocol.digest(found)


@pytest.mark.parametrize(
    ("rule", "given", "sentence"),
    [
        ("of: none", {}, "expected one of ['ptf', 'fdg'], got 'none'."),
        ("of: ptf2", {}, "ptf2 can't be the retest of itself."),
        (
            "of: ptf",
            {"tracer": "FDG"},
            "ptf is with PTF and ptf2 with FDG: a retest is with the tracer of its test.",
        ),
    ],
)
def test_a_retest_of_the_wrong_scan_is_refused_by_name(rule, given, sentence):
    text = text_with(RULE.replace("of: ptf", rule), **given)
    (found,) = errors(text)
    assert found.endswith(f"planned_scans[0].retest.of: {sentence}")


def test_a_chain_of_retests_is_refused():
    chained = text_with(RULE.replace("of: ptf", "of: ptf2"), name="ptf3")
    (found,) = errors(
        chained.replace("planned_scans:\n", SCAN.format(name="ptf2", tracer="PTF", rule=RULE), 1)
    )
    assert "ptf2 is itself a retest, of ptf: name that one" in found


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("PT20H", "20 h", "'20 h' is no duration such as PT24H or P7D."),
        ("PT20H", "-PT20H", "'-PT20H' is no duration such as PT24H or P7D."),
        ("PT20H", "P8D", "the minimum P8D is longer than the maximum P7D."),
    ],
)
def test_an_interval_that_is_none_is_refused(old, new, sentence):
    (found,) = errors(text_with(RULE.replace(old, new)))
    assert found.endswith(sentence)


def test_a_retest_says_what_is_compared():
    bare = RULE.replace(", quantities: [suvmax, suvpeak], organs: [liver]", "")
    assert errors(text_with(bare))
    assert "'suvmedian' is not one of" in errors(text_with(RULE.replace("suvmax", "suvmedian")))[0]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"injected_at": NOON + timedelta(hours=19)}, ["interval-too-short"]),
        # Days are those of the site: the seventh lasts to its end.
        ({"injected_at": NOON + timedelta(days=7, hours=8)}, []),
        ({"injected_at": NOON + timedelta(days=8)}, ["interval-too-long"]),
        ({"injected_at": NOON - timedelta(days=1)}, ["before-the-test"]),
        ({"injected_at": None}, ["not-injected"]),
        ({"is_measured": False}, ["not-measured"]),
        ({"uptake_minutes": 65.0}, []),
        ({"uptake_minutes": 65.1}, ["uptake-time-differs"]),
        ({"uptake_minutes": None}, ["uptake-time-not-known"]),
        ({"net_activity_mbq": 119.0}, ["activity-differs"]),
        ({"net_activity_mbq": 121.0}, []),
        ({"reconstruction": "TOF"}, ["reconstruction-differs"]),
        ({"reconstruction": "", "scanner": "Discovery, 101"},
         ["scanner-differs", "reconstruction-not-known"]),
    ],
)  # fmt: skip
def test_what_does_not_compare_says_why(change, codes):
    assert retests.refusals(LIMITS, [TEST], replace(RETEST, **change), BERLIN) == codes


def test_a_retest_of_no_scan_or_of_several_has_no_pair():
    assert retests.refusals(LIMITS, [], RETEST, BERLIN) == ["no-test-scan"]
    assert retests.refusals(LIMITS, [TEST, TEST], RETEST, BERLIN) == ["several-test-scans"]


def test_what_is_beside_the_protocol_is_said_and_does_not_keep_a_pair_out():
    odd = replace(
        RETEST, window_minutes=(30, 55), limits_mbq=(None, 149), is_residual_measured=False
    )
    assert retests.refusals(LIMITS, [TEST], odd, BERLIN) == []
    assert retests.cautions(LIMITS, [TEST], odd) == [
        "uptake-outside-window",
        "activity-outside-limits",
        "residual-not-measured",
    ]
    assert retests.cautions({"of": "ptf"}, [TEST], RETEST) == [
        "no-limit-of-uptake-time",
        "no-limit-of-activity",
    ]


@pytest.mark.django_db
def test_the_page_of_a_trial_says_what_repeats_what(client):
    version = protocols.load_trial(text_with(), by=jobs.system_user()).version
    plan = version.planned_scans.get(identifier="ptf2")
    assert plan.retest["of"] == "ptf"
    assert version.planned_scans.get(identifier="fdg").retest == {}
    client.force_login(factories.make_user(Role.STATISTICIAN, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    for words in (
        "Retest of Pentixafor PET/CT, 20 hours to 7 days after its injection.",
        "Compared: SUVmax, SUVpeak of lesions; uptake of liver.",
        "Uptake times may differ by at most 5 min.",
    ):
        assert words in page
    answer = client.get(reverse("api_trial", args=[version.trial.identifier])).json()
    assert {one["identifier"]: one["retest"] for one in answer["planned_scans"]}[
        "ptf2"
    ] == plan.retest


@pytest.mark.django_db
def test_a_retest_that_is_only_proposed_marks_no_scan():
    version = protocols.load_trial(
        text_with(f"provenance: proposed, {RULE}"), by=jobs.system_user()
    ).version
    assert version.planned_scans.get(identifier="ptf2").retest == {}
