"""The trial file: what is refused and where, and what the five trials' files say."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trials import protocol

FOLDER = Path(protocol.__file__).parent
DEFINITIONS = sorted((FOLDER / "definitions").glob("*.yaml"))
SCHEMA = json.loads((FOLDER / "protocol.schema.json").read_text())
FIVE = {"NCT05093335", "NCT06125028", "NCT05222269", "NCT04561492", "NCT06246357"}


def parsed(text: str) -> dict:
    return protocol.parse(text, schema=SCHEMA)


def definition(identifier: str) -> dict:
    file = next(one for one in DEFINITIONS if one.stem == identifier)
    return parsed(file.read_text())


def errors_of(changed: dict) -> list[str]:
    with pytest.raises(protocol.ProtocolError) as refusal:
        parsed(yaml.safe_dump(changed))
    return refusal.value.errors


@pytest.fixture
def demo() -> dict:
    return yaml.safe_load((FOLDER / "definitions" / "demo.yaml").read_text())


def test_the_five_trials_and_the_two_of_the_demonstration_have_a_file():
    assert {file.stem for file in DEFINITIONS} == FIVE | {"demo", "demo-crossover", "demo-response"}


@pytest.mark.parametrize("file", DEFINITIONS, ids=lambda file: file.stem)
def test_every_file_is_valid_and_named_after_its_trial(file):
    assert parsed(file.read_text())["identifier"].lower() == file.stem.lower()


# What the sources state, by trial; where they state no limit, there is none.
@pytest.mark.parametrize(
    ("identifier", "limits"),
    [
        ("NCT05093335", {"PTF": None}),
        ("NCT04561492", {"PTF": None}),
        ("NCT06246357", {"PTF": None}),
        ("NCT05222269", {"PTF": {"target": 150, "low": 100, "high": 200}}),
        ("NCT06125028", {"PTF": {"target": 150, "low": 100, "high": 200}, "FDG": None}),
    ],
)
def test_activity_has_limits_only_where_a_source_of_the_trial_states_them(identifier, limits):
    tracers = definition(identifier)["tracers"]
    assert {one["identifier"]: one["activity_mbq"] for one in tracers} == limits


@pytest.mark.parametrize("identifier", ["NCT05093335", "NCT04561492"])
def test_what_no_source_states_stays_unknown(identifier):
    read = definition(identifier)
    assert [read[key] for key in ("acronym", "title", "sponsor")] == [None, None, None]


def test_one_hour_without_a_tolerance_is_no_limit():
    uptake = definition("NCT06246357")["planned_scans"][0]["uptake_minutes"]
    assert (uptake["target"], uptake["low"], uptake["high"]) == (60, None, None)


def test_the_conflicts_of_the_sources_are_kept():
    read = definition("NCT06125028")
    conflicts = {
        one["identifier"]: one["conflicts_with"]
        for one in read["criteria"]
        if one["provenance"] == "conflict"
    }
    assert conflicts == {"I4": ["E2"], "E2": ["I4"]}
    assert protocol.statement(read["phase"]) == "Phase 2 or Phase 3 (sources disagree)"


def test_nothing_of_the_general_protocol_is_called_a_trial_s_own():
    claimed = [
        (file.stem, one["identifier"])
        for file in DEFINITIONS
        for one in parsed(file.read_text())["criteria"]
        if one["provenance"] == "source" and one["source"] == ["GENERAL"]
    ]
    assert claimed == []


def test_a_rule_with_a_proposed_part_says_which():
    silent = [
        (file.stem, one["identifier"])
        for file in DEFINITIONS
        for one in parsed(file.read_text())["criteria"]
        if one["provenance"] == "proposed"
        and one["source"] != ["GENERAL"]
        and "proposed" not in one.get("note", "")
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["version"], 1, "version: 1 is not of type 'string'"),
        (["criteria", 0, "gate"], "later", "criteria[0].gate: 'later' is not one of"),
        (["criteria", 0, "source"], ["X"], "criteria[0].source: ['X'] must be keys of sources."),
        (["tracers", 0, "radionuclide"], "Ga68", "tracers[0].radionuclide: 'Ga68' is not one of"),
        (["planned_scans", 0, "tracer"], "XYZ", "planned_scans[0].tracer: expected one of"),
        (
            ["planned_scans", 1, "identifier"],
            "ptf",
            "planned_scans[1].identifier: the identifier 'ptf' stands",
        ),
        (
            ["planned_scans", 0, "uptake_minutes"],
            {"low": 60, "high": 30},
            "planned_scans[0].uptake_minutes: low 60 is above high 30.",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "about", "var": "age_years", "value": 18},
            "criteria[0].expression.op: 'about' is not one of",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "ge", "var": "haemoglobin", "value": 8},
            "criteria[0].expression: there is no variable 'haemoglobin'.",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "ge", "var": "egfr", "value": 30, "unit": "mL/min"},
            "criteria[0].expression: eGFR is recorded in",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "ge", "var": "glucose", "value": 30},
            "criteria[0].expression: Plasma glucose is recorded in mmol/L or mg/dL; got ''.",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "gt", "var": "pregnant", "value": True},
            "criteria[0].expression: gt can't be asked of pregnant, a boolean.",
        ),
        (
            ["criteria", 0, "expression"],
            {"op": "eq", "var": "pregnant", "value": "yes"},
            "criteria[0].expression: Pregnant is true or false; got 'yes'.",
        ),
        (
            ["criteria", 0, "expression"],
            {
                "op": "occurred",
                "var": "therapy.anticancer",
                "window": {"anchor": "imaging", "from": "-1M"},
            },
            "criteria[0].expression: window.from must be a duration",
        ),
        (
            ["criteria", 0, "applies_to"],
            {"op": "eq", "var": "scan.tracer", "value": "FDG"},
            "criteria[0].applies_to: scan.tracer is known at the gates of a scan only",
        ),
        (
            ["criteria", 9, "applies_to"],
            {"op": "eq", "var": "scan.tracer", "value": "FES"},
            "criteria[9].applies_to: scan.tracer must equal one of ['PTF', 'FDG'], got 'FES'.",
        ),
        (["criteria", 0, "provenance"], "conflict", "criteria[0]: provenance conflict and"),
        (["criteria", 0, "conflicts_with"], ["Z1"], "criteria[0].conflicts_with: ['Z1'] are no"),
    ],
)
def test_an_error_names_its_place_and_what_is_expected(demo, path, value, message):
    inner = changed = deepcopy(demo)
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    told = [error.split(": ", 1) for error in errors_of(changed)]
    assert any(line[5:].isdigit() and rest.startswith(message) for line, rest in told), told


def test_all_errors_are_told_at_once(demo):
    demo["version"] = 1
    del demo["tracers"]
    assert len(errors_of(demo)) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: [", "identifier: A\nidentifier: B\n", "a: .nan", "!!python/object:a.B {}"],
)
def test_what_is_no_trial_file_is_refused(text):
    with pytest.raises(protocol.ProtocolError):
        parsed(text)


def test_a_key_that_stands_twice_is_refused_and_not_overwritten():
    with pytest.raises(protocol.ProtocolError) as refusal:
        parsed("identifier: A\nidentifier: B\n")
    assert refusal.value.errors == ["line 2: 'identifier' stands twice in the block at line 1."]


def test_a_change_is_told_in_a_sentence(demo):
    old = parsed(yaml.safe_dump(demo, sort_keys=False))
    demo["criteria"][0]["expression"]["value"] = 21
    demo["criteria"].pop()
    demo["planned_scans"].reverse()
    demo["sponsor"] = {"text": "Somebody", "source": ["DEMO"]}
    new = parsed(yaml.safe_dump(demo, sort_keys=False))
    assert sorted(protocol.difference(old, new)) == [
        'Criterion I1, expression: was {"op": "ge", "var": "age_years", "at": "consent", '
        '"value": 18}, is {"op": "ge", "var": "age_years", "at": "consent", "value": 21}.',
        "Criterion I6 is removed.",
        "Planned scan: the order changed.",
        'sponsor: was null, is {"text": "Somebody", "source": ["DEMO"]}.',
    ]


@given(st.permutations(["identifier", "version", "schema", "sources"]))
def test_the_digest_does_not_depend_on_the_order_of_keys(order):
    values = {"identifier": "A", "version": "1", "schema": "x", "sources": {"S": "t"}}
    assert protocol.digest({key: values[key] for key in order}) == protocol.digest(values)
