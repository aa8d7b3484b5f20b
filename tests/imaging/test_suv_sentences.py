"""Every sentence that a verdict is told in, word for word, with its witnesses.

`suv_sentences.json` has a case a line: what differs from the ordinary slice of conftest (or
from `beds` of it), and what is to be said. A person acts on these sentences; a word changed
there is a decision, and is made in the file.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imaging.headers import PetHeader
from imaging.suv import assess
from tests.imaging.test_suv import series

CASES = json.loads(Path(__file__).with_name("suv_sentences.json").read_text("utf-8"))


def slices(header, case):
    """The ordinary slice, or beds of it, with what the case changes."""
    start = series(header, beds=case["beds"]) if "beds" in case else [header]
    found = []
    for place, one in enumerate(start):
        told = one.to_json() | case.get("header", {})
        told |= {name: values[place] for name, values in case.get("each", {}).items()}
        items = [item | case.get("item", {}) for item in told["radiopharmaceuticals"]]
        told["radiopharmaceuticals"] = items * case.get("items", 1)
        found.append(PetHeader.from_json(told))
    return found


def told(verdict):
    shown = verdict.scale or verdict.candidate
    return {
        "status": verdict.status,
        "code": verdict.code,
        "message": verdict.message,
        "attribute": verdict.attribute,
        "flags": list(shown.flags) if shown else [],
        "adaptations": list(shown.adaptations) if shown else [],
        "unit": shown.factor_unit if shown else None,
    }


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_verdict_is_told_word_for_word(header, case):
    verdict = assess(slices(header, case), policy=case.get("policy", "witnesses"))
    assert told(verdict) == case["verdict"]
    shown = verdict.scale or verdict.candidate
    factors = list(shown.factors or (shown.factor,)) if shown else []
    assert factors == pytest.approx(case["factors"], rel=2e-6)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_witness_is_told_word_for_word(header, case):
    verdict = assess(slices(header, case), policy=case.get("policy", "witnesses"))
    found = [(one.key, one.name, one.says, one.note) for one in verdict.witnesses]
    assert found == [(key, name, says, note) for key, name, _, says, note in case["witnesses"]]
    # Decay factors and frame reference times are written to six digits or a millisecond.
    assert [one.offset for one in verdict.witnesses] == [
        offset if offset is None else pytest.approx(offset, abs=0.01)
        for _, _, offset, _, _ in case["witnesses"]
    ]


def test_every_sentence_ends_and_names_what_it_is_about():
    for case in CASES:
        message = case["verdict"]["message"]
        assert message == "" or message.endswith((".", "?")), case["name"]
        assert case["verdict"]["attribute"] in message, case["name"]
