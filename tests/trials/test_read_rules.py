"""Which of the signed reads of a scan counts, by what the protocol states."""

from __future__ import annotations

import pytest

from tests.trials.test_trial_files import DEMO, FILES, SCHEMA, problems
from trials import protocol, read_rules

BY_THIRD = {"readers": 2, "adjudication": "third-reader"}


@pytest.mark.parametrize(
    ("rule", "signed", "are_discordant", "adjudicated", "basis", "read"),
    [
        ({}, [7], False, None, "only", 7),
        ({}, [7, 8], False, None, "agreed", 7),
        ({}, [7, 8], True, None, "unsettled", None),
        # Nobody settles anything without a rule, whatever was signed.
        ({}, [7, 8], True, 8, "unsettled", None),
        ({"readers": 2, "adjudication": "none"}, [7, 8], True, None, "unsettled", None),
        (BY_THIRD, [7], False, None, "awaiting-readers", None),
        (BY_THIRD, [7, 8], False, None, "agreed", 7),
        (BY_THIRD, [7, 8], True, None, "awaiting-adjudication", None),
        (BY_THIRD, [7, 8], True, 9, "adjudicated", 9),
        (BY_THIRD | {"adjudication": "consensus"}, [7, 8], True, 8, "adjudicated", 8),
    ],
)
def test_a_read_counts_by_the_rule_alone(rule, signed, are_discordant, adjudicated, basis, read):
    found = read_rules.counted(
        rule, signed=signed, are_discordant=are_discordant, adjudicated=adjudicated
    )
    assert (found.basis, found.read) == (basis, read)


@pytest.mark.parametrize(
    ("are_discordant", "adjudicated", "basis"),
    [
        (False, None, "awaiting-response"),
        # What they differ in already, or what was settled of these reads, waits for nothing.
        (True, None, "awaiting-adjudication"),
        (False, 9, "adjudicated"),
    ],
)
def test_readers_whose_response_is_not_evaluated_yet_do_not_agree(
    are_discordant, adjudicated, basis
):
    found = read_rules.counted(
        BY_THIRD,
        signed=[7, 8],
        are_discordant=are_discordant,
        awaited=["R"],
        adjudicated=adjudicated,
    )
    assert (found.basis, "response by R" in found.why) == (basis, basis == "awaiting-response")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("  readers: 2\n", "  readers: 1\n", "one reader differs from nobody"),
        ("discordant: [lesion-number, scan, region]", "discordant: []", "say what is settled"),
        ("[lesion-number, scan, region]", "[response]", "no rule of response to differ in"),
        ("adjudication: third-reader", "adjudication: fourth-reader", "is not one of"),
    ],
)
def test_a_rule_that_can_settle_nothing_is_told(old, new, sentence):
    changed = DEMO.replace(old, new, 1)
    assert changed != DEMO
    assert any(sentence in one.message for one in problems(changed))


def test_of_the_shipped_trials_only_the_invented_ones_state_how_scans_are_read():
    stated = {}
    for file in FILES:
        rule = protocol.parse(file.read_text(), schema=SCHEMA).get("reads")
        if rule:
            stated[file.stem] = rule.get("provenance", "source")
    assert stated == {
        "NCT05222269": "proposed",
        "NCT06125028": "proposed",
        "demo": "source",
        "demo-response": "source",
    }


def test_what_a_read_found_is_asked_of_a_planned_scan():
    asked = "expression: {op: gt, var: read.suvmax, value: 2.5, unit: g/mL, scan: ptf}"
    criterion = (
        f"criteria:\n  - identifier: R1\n    category: inclusion\n    text: Uptake\n"
        f"    gate: per_scan\n    provenance: source\n    {asked}\n    source: [DEMO]\n"
    )
    text = DEMO.replace("criteria:\n", criterion, 1)
    assert protocol.parse(text, schema=SCHEMA)["criteria"][0]["identifier"] == "R1"
    (told,) = problems(text.replace("scan: ptf}", "scan: fdg9}"))
    assert "needs the scan: one of" in told.message
    (told,) = problems(
        text.replace("read.suvmax", "egfr").replace("unit: g/mL", "unit: mL/min/1.73 m2")
    )
    assert "has no scan" in told.message


def test_what_two_scans_have_to_show_is_no_contradiction():
    def criterion(name: str, operator: str, scan: str) -> str:
        rule = f"{{op: {operator}, var: read.suvmax, value: 4, unit: g/mL, scan: {scan}}}"
        return (
            f"  - identifier: {name}\n    category: inclusion\n    text: Uptake\n"
            f"    gate: per_scan\n    provenance: source\n    expression: {rule}\n"
            f"    source: [DEMO]\n"
        )

    two = f"criteria:\n{criterion('R1', 'gt', 'ptf')}{criterion('R2', 'lt', 'fdg')}"
    text = DEMO.replace("criteria:\n", two, 1)
    assert protocol.parse(text, schema=SCHEMA)
    assert problems(text.replace("scan: fdg}", "scan: ptf}"))
