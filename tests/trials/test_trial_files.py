"""What a trial file may not say, told by line; and the file that comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trials import contradictions, protocol, protocol_checks

FOLDER = Path(protocol.__file__).parent
SCHEMA = json.loads((FOLDER / "protocol.schema.json").read_text())
DEMO = (FOLDER / "definitions" / "demo.yaml").read_text()
FILES = sorted((FOLDER / "definitions").rglob("*.yaml"))


def problems(text):
    with pytest.raises(protocol.ProtocolError) as refusal:
        protocol.parse(text, schema=SCHEMA)
    return refusal.value.problems


def line_of(text, part):
    return next(n for n, line in enumerate(text.splitlines(), start=1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("var: ecog", "var: ecgo", "there is no variable 'ecgo'."),
        ("unit: mg/dL", "unit: mg/L", "Plasma glucose is recorded in mmol/L or mg/dL; got 'mg/L'."),
        ("{op: consent}", "{op: consents}", "'consents' is not one of"),
        (
            "{anchor: imaging, from: -P1M, to: PT0S}",
            "{anchor: imagin, from: -P1M, to: PT0S}",
            "there is no anchor 'imagin'",
        ),
        (
            "{anchor: imaging, from: -P1M, to: PT0S}",
            "{anchor: imaging, from: -P1M, to: -P2M}",
            "the window from -P1M to -P2M holds no time.",
        ),
        ("visit: PET2", "visit: PET9", "expected one of ['SCREEN', 'PET1', 'PET2', 'FU']"),
        ("arm: BOTH, cap: 40", "arm: NONE, cap: 40", "expected one of ['BOTH'], got 'NONE'."),
        ("target: 150, low: 100", "target: 250, low: 100", "the target 250 is outside"),
        ("earliest: P1D, latest: P14D", "earliest: P5D, latest: P14D", "is not in this order."),
        ("time_zone: Europe/London", "time_zone: London", "name a time zone as Europe/Berlin"),
        ("cap: 5,", "cap: 0,", "0 is less than the minimum of 1"),
    ],
)
def test_what_is_wrong_is_told_with_the_line_it_stands_in(old, new, sentence):
    changed = DEMO.replace(old, new, 1)
    assert changed != DEMO
    found = problems(changed)
    (told,) = [one for one in found if sentence in one.message]
    # The line of the value itself, or of the block around it a few lines above.
    assert 0 <= line_of(changed, new) - told.line <= 6


def test_a_cap_of_an_arm_that_nobody_is_enrolled_into_is_refused():
    capped = DEMO.replace("role: single, source", "role: single, cap: 45, source")
    assert protocol.parse(capped, schema=SCHEMA)["arms"][0]["cap"] == 45
    (told,) = problems(capped.replace("arm: BOTH, ", ""))
    assert told.message == protocol_checks.NO_COHORT


def test_every_error_is_told_in_the_order_of_the_lines():
    changed = DEMO.replace("var: ecog", "var: ecgo").replace("tracer: FDG", "tracer: FES", 1)
    found = problems(changed)
    assert len(found) == 2
    assert [one.line for one in found] == sorted(one.line for one in found)


def criterion(identifier, category, expression, **given):
    return {
        "identifier": identifier,
        "category": category,
        "text": identifier,
        "gate": "enrolment",
        "provenance": "source",
        "expression": expression,
        "source": ["DEMO"],
        **given,
    }


def contradicting(*criteria):
    return [message for _, message in contradictions.errors({"criteria": criteria})]


def compare(op, value, var="age_years", **given):
    return {"op": op, "var": var, "value": value, **given}


EGFR = {"var": "egfr", "unit": "mL/min/1.73 m2"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("inclusion", compare("ge", 18)), ("inclusion", compare("lt", 18))),
        (("inclusion", compare("ge", 18)), ("exclusion", compare("ge", 18))),
        (("inclusion", compare("gt", 30, **EGFR)), ("exclusion", compare("gt", 20, **EGFR))),
        (("inclusion", compare("gt", 18)), ("inclusion", compare("le", 18))),
        (
            ("inclusion", compare("gt", 12, "glucose", unit="mmol/L")),
            ("exclusion", compare("gt", 200, "glucose", unit="mg/dL")),
        ),
        (
            ("inclusion", compare("eq", "F", "sex_at_birth")),
            ("inclusion", compare("eq", "M", "sex_at_birth")),
        ),
        (
            ("inclusion", compare("eq", True, "pregnant")),
            ("exclusion", compare("eq", True, "pregnant")),
        ),
        (
            ("inclusion", {"op": "never", "var": "therapy.anticancer"}),
            ("inclusion", {"op": "occurred", "var": "therapy.anticancer"}),
        ),
        (
            ("inclusion", {"op": "between", "var": "age_years", "low": 18, "high": 40}),
            ("inclusion", {"op": "not", "of": compare("lt", 65)}),
        ),
    ],
)
def test_two_criteria_that_nobody_can_satisfy_together_are_told(one, other):
    found = contradicting(criterion("C1", *one), criterion("C2", *other))
    assert len(found) == 1
    assert found[0].startswith("C2 contradicts C1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("inclusion", compare("ge", 18)), ("exclusion", compare("gt", 99))),
        (("inclusion", compare("ge", 18)), ("inclusion", compare("le", 18))),
        # Another window asks about other results.
        (
            ("inclusion", compare("gt", 1, "ecog", window={"anchor": "gate", "from": "-P7D"})),
            ("inclusion", compare("lt", 1, "ecog")),
        ),
        # One of two alternatives may hold.
        (
            ("inclusion", {"op": "any", "of": [compare("lt", 18), compare("ge", 65)]}),
            ("inclusion", compare("ge", 18)),
        ),
    ],
)
def test_what_can_be_satisfied_together_is_left_alone(one, other):
    assert contradicting(criterion("C1", *one), criterion("C2", *other)) == []


def test_a_criterion_that_contradicts_itself_is_told():
    never = {"op": "all", "of": [compare("ge", 18), compare("lt", 18)]}
    (said,) = contradicting(criterion("C1", "inclusion", never))
    assert said == "C1 contradicts itself on age_years: nobody can satisfy it."


def test_criteria_for_different_groups_do_not_contradict_each_other():
    women = {"op": "eq", "var": "sex_at_birth", "value": "F"}
    men = {"op": "eq", "var": "sex_at_birth", "value": "M"}
    assert not contradicting(
        criterion("C1", "inclusion", compare("ge", 40), applies_to=women),
        criterion("C2", "inclusion", compare("lt", 40), applies_to=men),
    )


def test_readings_that_conflict_by_their_sources_may_contradict_each_other():
    assert not contradicting(
        criterion("C1", "inclusion", compare("ge", 18), conflicts_with=["C2"]),
        criterion("C2", "inclusion", compare("lt", 18), conflicts_with=["C1"]),
    )


def test_a_contradiction_in_a_file_is_told_with_its_line():
    text = (
        DEMO.rstrip()
        + """
  - identifier: X1
    category: exclusion
    text: Adults
    gate: enrolment
    provenance: source
    expression: {op: ge, var: age_years, at: consent, value: 18}
    source: [DEMO]
"""
    )
    (told,) = problems(text)
    assert "X1 contradicts I1 on age_years" in told.message
    assert told.line == line_of(text, "identifier: X1")


def test_a_small_file_that_expands_to_a_large_one_is_refused():
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    for number in range(1, 8):
        before = ",".join([f"*a{number - 1 or ''}"] * 10)
        bomb += f"a{number}: &a{number} [{before}]\n"
    (told,) = problems(bomb)
    assert "comes to more than a trial can be" in told.message


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_definition_written_anew_says_the_same(file):
    read = protocol.parse(file.read_text(), schema=SCHEMA)
    again = protocol.parse(protocol.dump(read), schema=SCHEMA)
    assert protocol.digest(again) == protocol.digest(read)


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40
)


@settings(max_examples=40)
@given(title=texts, note=texts, label=st.text("abc xyz-é", min_size=1, max_size=30))
def test_whatever_is_said_in_words_survives_being_written_anew(title, note, label):
    changed = yaml.safe_load(DEMO)
    changed["title"] = {"text": title, "source": ["DEMO"], "note": note}
    changed["visits"][0]["label"] = label
    read = protocol.parse(yaml.safe_dump(changed, allow_unicode=True), schema=SCHEMA)
    again = protocol.parse(protocol.dump(read), schema=SCHEMA)
    assert again == read
