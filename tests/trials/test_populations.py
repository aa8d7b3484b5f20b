"""Analysis populations: the rules of the trial file, judged on facts, and what changed since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trials import case_report_forms, populations, protocol
from trials.populations import Population
from trials.services import protocols

DEFINITIONS = Path(protocols.__file__).parents[1] / "definitions"
SCHEMA = json.loads(protocols.schema_text())
SCANS = {"ptf": "Pentixafor PET/CT", "fdg": "FDG PET/CT"}


def a_scan(scan: str, **given) -> dict:
    done = {
        "scan": scan,
        "label": SCANS.get(scan, scan),
        "planned_at": "2026-03-02T09:00:00+00:00",
        "cancelled": "",
        "injected_at": "2026-03-02T09:05:00+00:00",
        "images": True,
        "counts": True,
        "read": True,
    }
    return done | given


def a_patient(**given) -> dict:
    done = {
        "patient": 1,
        "identifier": "101-001",
        "site": "101",
        "failed": "",
        "enrolled_at": "2026-03-01T10:00:00+00:00",
        "despite": False,
        "randomised_at": "",
        "withdrawn": "",
        "use_withdrawn": False,
        "truth_at": "2026-04-01T10:00:00+00:00",
        "scans": [a_scan("ptf"), a_scan("fdg")],
        "deviations": [],
    }
    return done | given


def a_deviation(**given) -> dict:
    done = {
        "deviation": 12,
        "rule": "uptake-time-out-of-window",
        "text": "75 min, the protocol states 30 to 60 min.",
        "important": False,
        "proposes": "not per protocol: uptake",
        "scan": "ptf",
    }
    return done | given


USUAL = populations.stated({"forms": [{"role": "panel"}]})


def judged(name: str, *facts: dict) -> list:
    rule = next(one for one in USUAL if one.identifier == name)
    return list(populations.proposals(rule, facts, among=USUAL, scans=SCANS))


def told(name: str, fact: dict) -> tuple[bool, str]:
    (found,) = judged(name, fact)
    return found.is_in, " ".join(populations.sentences(found.reasons))


def test_who_did_everything_is_in_every_population_and_each_says_on_what_it_rests():
    assert told("ENR", a_patient()) == (True, "Enrolled on 2026-03-01.")
    for one in USUAL:
        for found in judged(one.identifier, a_patient()):
            assert found.is_in
            assert all(reason.text for reason in found.reasons)
    assert "The truth panel decided on 2026-04-01." in told("EVAL", a_patient())[1]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("ENR", {"enrolled_at": ""}, "still in screening"),
        ("ENR", {"enrolled_at": "", "failed": "criteria I3"}, "Screening ended: criteria I3."),
        ("SAF", {"scans": []}, "Pentixafor PET/CT, never scheduled"),
        (
            "SAF",
            {"scans": [a_scan("ptf", injected_at="", counts=False, cancelled="fever")]},
            "cancelled before the injection (fever)",
        ),
        ("SAF", {"use_withdrawn": True, "withdrawn": "no more use"}, "may not be used"),
        (
            "EVAL",
            {"scans": [a_scan("ptf"), a_scan("fdg", counts=False, cancelled="claustrophobia")]},
            "FDG PET/CT, aborted after the injection (claustrophobia)",
        ),
        (
            "EVAL",
            {"scans": [a_scan("ptf"), a_scan("fdg", counts=False)]},
            "FDG PET/CT, images came, and no PET series counts",
        ),
        (
            "EVAL",
            {"scans": [a_scan("ptf", read=False), a_scan("fdg")]},
            "Pentixafor PET/CT, imaged, and no signed read counts yet",
        ),
        ("EVAL", {"truth_at": ""}, "the truth panel has no complete decision"),
        ("PP", {"despite": True}, "Enrolled although not eligible"),
        ("PP", {"deviations": [a_deviation()]}, "Deviation 12: 75 min, the protocol states"),
        (
            "PP",
            {"deviations": [a_deviation(proposes="", important=True, scan="", text="")]},
            "Important deviation. Deviation 12: uptake time out of window.",
        ),
    ],
)
def test_who_is_out_is_told_which_fact_keeps_them_out(name, given, said):
    is_in, text = told(name, a_patient(**given))
    assert not is_in
    assert said in text


def test_every_condition_that_fails_is_named_not_the_first_alone():
    fact = a_patient(truth_at="", scans=[a_scan("ptf"), a_scan("fdg", read=False)])
    _, text = told("EVAL", fact)
    assert "no signed read counts yet" in text
    assert "no complete decision" in text


def test_what_keeps_a_unit_out_of_several_populations_is_said_once():
    _, text = told("PP", a_patient(enrolled_at="", failed="declined", scans=[], truth_at=""))
    never = "Pentixafor PET/CT, never scheduled; FDG PET/CT, never scheduled."
    assert text == (
        "Not in EVAL. Not enrolled. Screening ended: declined. "
        f"No tracer given, no PET that counts, no read that counts: {never} "
        "No truth: the truth panel has no complete decision."
    )
    _, text = told("FAS", a_patient(enrolled_at="", use_withdrawn=True, withdrawn="no more use"))
    assert text == (
        "Not in ENR and SAF. Not enrolled: still in screening. "
        "The data may not be used: no more use."
    )
    _, text = told("PP", a_patient(despite=True, truth_at=""))
    assert text == (
        "Not in EVAL. No truth: the truth panel has no complete decision. "
        "Enrolled although not eligible, which is an important deviation."
    )


def test_a_minor_deviation_that_proposes_nothing_keeps_nobody_out():
    assert told("PP", a_patient(deviations=[a_deviation(proposes="")]))[0]


def test_at_the_level_of_scans_each_planned_scan_of_the_enrolled_is_a_unit():
    found = judged("SCANEVAL", a_patient(scans=[a_scan("ptf")]), a_patient(enrolled_at=""))
    assert [(one.unit.scan, one.is_in) for one in found] == [("ptf", True), ("fdg", False)]
    assert found[1].reasons[0].text == "No PET that counts: FDG PET/CT, never scheduled."


def test_a_deviation_of_one_scan_leaves_the_other_scan_in():
    found = judged("SCANPP", a_patient(deviations=[a_deviation()]))
    assert [one.is_in for one in found] == [False, True]


def test_a_deviation_of_the_patient_is_one_of_each_scan():
    found = judged("SCANPP", a_patient(deviations=[a_deviation(scan="", important=True)]))
    assert [one.is_in for one in found] == [False, False]


def test_a_scan_the_protocol_no_longer_plans_is_judged_too():
    found = judged("SCANEVAL", a_patient(scans=[a_scan("ptf"), a_scan("early")]))
    assert [one.unit.scan for one in found] == ["ptf", "fdg", "early"]


def test_without_populations_the_usual_ones_are_proposed_and_ask_no_truth_without_a_panel():
    names = [one.identifier for one in populations.stated({})]
    assert names == ["ENR", "SAF", "FAS", "EVAL", "PP", "SCANEVAL", "SCANPP", "LESEVAL"]
    assert all(one.is_proposed for one in populations.stated({}))
    asked = [c["condition"] for one in populations.stated({}) for c in one.conditions]
    assert "truth" not in asked
    randomised = populations.stated({"randomisation": {"masking": "open"}})
    assert [one.identifier for one in randomised][:2] == ["ENR", "RAND"]


def test_the_usual_populations_contradict_no_trial_file():
    for file in sorted(DEFINITIONS.glob("*.yaml")):
        parsed = protocol.parse(file.read_text(encoding="utf-8"), schema=SCHEMA)
        definition = case_report_forms.expanded(parsed, protocols.general_forms())
        usual = [one.to_json() | {"source": ["X"]} for one in populations.stated(definition)]
        assert list(populations.errors({**definition, "populations": usual})) == []


def a_rule(level: str = "patient", identifier: str = "FAS", **condition) -> dict:
    return {
        "identifier": identifier,
        "label": "A population",
        "level": level,
        "conditions": [condition],
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (a_rule(condition="within", population="PP"), "no population that stands before"),
        (a_rule(condition="within"), "needs population"),
        (a_rule(condition="no_deviation"), "needs rules"),
        (a_rule(condition="enrolled", scans=["ptf"]), "has no scans"),
        (a_rule(condition="imaged", scans=["spect"]), "no planned scan"),
        (a_rule(level="scan", condition="imaged", any=True), "leave out scans and any"),
        (a_rule(condition="truth"), "no truth is decided"),
        (a_rule(condition="randomised"), "no randomisation"),
    ],
)
def test_a_rule_that_can_not_be_judged_is_refused_by_name(rule, said):
    definition = {"planned_scans": [{"identifier": "ptf"}], "populations": [rule]}
    ((path, message),) = populations.errors(definition)
    assert said in message
    assert path == ("populations", 0, "conditions", 0)


def test_a_patient_can_not_be_within_a_population_of_scans():
    rules = [
        a_rule("scan", "SCANS", condition="imaged"),
        a_rule(condition="within", population="SCANS"),
    ]
    ((_, message),) = populations.errors({"populations": rules})
    assert "a patient can't be within it" in message


def test_what_a_trial_file_states_counts_instead_of_the_usual():
    rule = a_rule(condition="enrolled") | {"source": ["P"], "provenance": "source"}
    assert populations.stated({"populations": [rule]}) == [
        Population(
            "FAS", "A population", "patient", ({"condition": "enrolled"},), False, "", ("P",)
        )
    ]


def test_nothing_that_changed_is_nothing_said():
    assert populations.changes(a_patient(), a_patient()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"deviations": [a_deviation()]}, "deviation 12 is new: 75 min"),
        (
            {"scans": [a_scan("ptf", planned_at="2026-03-09T09:00:00+00:00"), a_scan("fdg")]},
            "scan ptf was moved",
        ),
        ({"scans": [a_scan("ptf")]}, "scan fdg is there no more"),
        ({"scans": [a_scan("ptf", read=False), a_scan("fdg")]}, "the read that counts of scan ptf"),
        ({"withdrawn": "no more scans"}, "the withdrawal: was none, is no more scans"),
    ],
)
def test_what_changed_is_told_by_name(given, said):
    (phrase,) = populations.changes(a_patient(), a_patient(**given))
    assert said in phrase


def test_a_deviation_that_stands_no_more_is_told():
    before = a_patient(deviations=[a_deviation()])
    assert populations.changes(before, a_patient()) == ["deviation 12 stands no more"]


STATED = """
populations:
  - identifier: SAF
    label: Safety
    level: patient
    conditions: [{condition: injected, any: true}]
    source: [DEMO]
"""
AMISS = """
  - {identifier: SAF, label: Again, level: patient, source: [DEMO],
     conditions: [{condition: enrolled}]}
  - identifier: PP
    label: Per protocol
    level: patient
    conditions: [{condition: within, population: EVAL}]
    source: [NOBODY]
"""


def test_a_trial_file_with_populations_is_checked_by_line():
    text = (DEFINITIONS / "demo.yaml").read_text(encoding="utf-8") + STATED + AMISS.lstrip("\n")
    with pytest.raises(protocol.ProtocolError) as refused:
        protocol.parse(text, schema=SCHEMA)
    assert len(refused.value.errors) == 3
    assert "stands more than once" in refused.value.errors[0]
    assert any("EVAL is no population that stands before" in one for one in refused.value.errors)


def test_a_population_of_a_new_version_is_told_as_one():
    text = (DEFINITIONS / "demo.yaml").read_text(encoding="utf-8")
    old, new = (protocol.parse(one, schema=SCHEMA) for one in (text, text + STATED))
    assert protocol.difference(old, new) == ["Population SAF is added."]
    assert [one.identifier for one in populations.stated(new)] == ["SAF"]
