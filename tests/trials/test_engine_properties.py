"""What holds of every rule and every record: order, narrowing, garbage, and freezing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.trials.judging import NOW, criterion, fact, planned, record
from trials import eligibility, frozen, variables
from trials.eligibility import Criterion

SETTLED = {"satisfied", "excludes"}
WORDS = SETTLED | {"cannot tell", "not applicable"}
OPPOSITE = {("satisfied", "excludes"), ("excludes", "satisfied")}

booleans = st.sampled_from(["histology.confirmed", "breastfeeding", "gilbert", "hysterectomy"])
numbers = st.sampled_from(["ecog", "karnofsky", "lesions.measurable_count"])
limits = st.integers(0, 10)
windows = st.none() | st.builds(
    lambda days: {"anchor": "gate", "from": f"-P{days}D", "to": "PT0S"}, st.integers(1, 400)
)


def windowed(rule, window):
    return rule | ({"window": window} if window else {})


leaves = st.one_of(
    st.builds(
        lambda op, var, value, window, select: windowed(
            {"op": op, "var": var, "value": value, "select": select}, window
        ),
        st.sampled_from(["gt", "ge", "lt", "le", "eq"]),
        numbers,
        limits,
        windows,
        st.sampled_from(["latest", "first", "any", "all", "worst"]),
    ),
    st.builds(
        lambda var, value, window: windowed({"op": "eq", "var": var, "value": value}, window),
        booleans,
        st.booleans(),
        windows,
    ),
    st.builds(
        lambda op, window: windowed({"op": op, "var": "therapy.anticancer"}, window),
        st.sampled_from(["occurred", "never"]),
        windows,
    ),
    st.builds(lambda value: {"op": "ge", "var": "age_years", "value": value}, st.integers(17, 66)),
    st.just({"op": "lt", "var": "egfr", "value": 30, "unit": "mL/min/1.73 m2"}),
    st.builds(
        lambda value: {"op": "eq", "var": "able_to_bear_children", "value": value}, st.booleans()
    ),
    st.just({"op": "consent"}),
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            lambda op, of: {"op": op, "of": of},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda of: {"op": "not", "of": of}, inner),
        st.builds(
            lambda of: {"op": "at_least", "n": 1 + len(of) // 2, "of": of},
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
categories = st.sampled_from(["inclusion", "exclusion"])
criteria = st.builds(
    lambda number, category, expression, applies: Criterion(
        f"C{number}", category, "A rule", expression, applies
    ),
    st.integers(0, 99),
    categories,
    expressions,
    st.none() | leaves,
)
days = st.dates(date(2024, 1, 1), date(2026, 3, 31)).map(str)
dates = st.one_of(days, days.map(lambda day: day[:7]), days.map(lambda day: day[:4]))


def event(start, stop):
    return {"name": "x", "started_on": min(start, stop), "stopped_on": max(start, stop)}


facts = st.one_of(
    st.builds(lambda v, n, at: fact(v, n, at=at), numbers, st.integers(0, 10), dates),
    st.builds(lambda v, b, at: fact(v, b, at=at), booleans, st.booleans() | st.none(), dates),
    st.builds(
        lambda events, at: fact("therapy.anticancer", events, at=at),
        st.lists(st.builds(event, days, days), max_size=2),
        dates,
    ),
    st.builds(
        lambda n, at, low: fact("creatinine", f"<{n}" if low else n, "mg/dL", at=at),
        st.floats(0.3, 8),
        dates,
        st.booleans(),
    ),
)
births = st.sampled_from(["1961-04-23", "1961-04", "1961", "2008-03", "2008"])
records = st.builds(
    lambda found, birth, sex: record(*found, birth=birth, sex_at_birth=sex),
    st.lists(facts, max_size=6),
    births,
    st.sampled_from(["F", "M", "U"]),
)


@given(one=criteria, of=records)
def test_every_rule_comes_to_a_word_with_a_reason(one, of):
    judged = eligibility.judge(one, of)
    assert judged.word in WORDS
    assert judged.reason


@given(rules=st.lists(criteria, min_size=2, max_size=4), of=records, shuffle=st.randoms())
def test_the_order_of_criteria_and_evidence_never_matters(rules, of, shuffle):
    rules = [replace(one, identifier=f"C{n}") for n, one in enumerate(rules)]
    mixed = list(of.facts)
    shuffle.shuffle(mixed)
    others = list(rules)
    shuffle.shuffle(others)
    straight = eligibility.judge_all(rules, of)
    turned = eligibility.judge_all(others, replace(of, facts=mixed))
    assert {n: one.word for n, one in straight.items()} == {
        n: one.word for n, one in turned.items()
    }


@given(
    rule=criteria,
    of=records,
    day=st.integers(1, 28),
    month=st.integers(1, 12),
    at=st.integers(0, 5),
)
def test_a_more_precise_date_never_turns_a_settled_word_into_its_opposite(rule, of, day, month, at):
    assume(at < len(of.facts))
    vague = of.facts[at]
    exact = precise(vague.observed_at, month, day)
    # A date after the assessment is no narrower reading of one before it.
    assume(exact <= f"{NOW:%Y-%m-%d}")
    narrowed = [replace(vague, observed_at=exact) if one is vague else one for one in of.facts]
    never_opposite(rule, of, replace(of, facts=narrowed))


@given(rule=criteria, of=records, month=st.integers(1, 12), day=st.integers(1, 28))
def test_a_more_precise_birth_date_never_turns_a_settled_word_into_its_opposite(
    rule, of, month, day
):
    never_opposite(rule, of, replace(of, birth=precise(of.birth, month, day)))


@given(rule=criteria, of=records, sex=st.sampled_from(["F", "M"]))
def test_learning_the_sex_never_turns_a_settled_word_into_its_opposite(rule, of, sex):
    never_opposite(rule, replace(of, sex_at_birth="U"), replace(of, sex_at_birth=sex))


@given(rule=criteria, of=records, limit=st.floats(0.3, 8), share=st.floats(0.35, 0.99), at=dates)
def test_a_bound_made_a_number_never_turns_a_settled_word_into_its_opposite(
    rule, of, limit, share, at
):
    bound = fact("creatinine", f"<{limit}", "mg/dL", at=at)
    number = replace(bound, value=limit * share)
    before = replace(of, facts=[*of.facts, bound])
    never_opposite(rule, before, replace(of, facts=[*of.facts, number]))


@given(rule=criteria, of=records, answer=facts)
def test_an_answer_to_what_was_never_asked_turns_no_settled_word_into_its_opposite(
    rule, of, answer
):
    # A newer result is new evidence, not narrowing: only what nothing was known of is added.
    read = {one.variable for one in of.facts}
    assume(answer.variable not in read)
    never_opposite(rule, of, replace(of, facts=[*of.facts, answer]))


def precise(text, month, day):
    parts = text.split("-")
    return "-".join([*parts, f"{month:02d}", f"{day:02d}"][:3]) if len(parts) < 3 else text


def never_opposite(rule, before, after):
    words = eligibility.judge(rule, before).word, eligibility.judge(rule, after).word
    assert words not in OPPOSITE


garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "var", "value", "of", "unit", "window", "n", "a", "b", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
mangled = st.builds(
    lambda rule, key, value: rule | {key: value},
    leaves.filter(lambda rule: rule["op"] != "consent"),
    st.sampled_from(["op", "var"]),
    garbage.filter(lambda value: not isinstance(value, str) or value not in variables.VARIABLES),
)


@given(broken=mangled, category=categories, of=records)
def test_no_garbage_in_a_rule_lets_anybody_pass(broken, category, of):
    judged = eligibility.judge(criterion(broken, category), of)
    assert judged.word == "cannot tell"


@given(value=garbage, variable=numbers | booleans, category=categories, limit=limits)
def test_no_garbage_in_a_value_lets_anybody_pass(value, variable, category, limit):
    assume(not variables.has_kind(variable, value))
    is_number = variables.variable(variable).kind == "number"
    rule = {"op": "eq", "var": variable, "value": limit if is_number else True}
    judged = eligibility.judge(criterion(rule, category), record(fact(variable, value)))
    assert judged.word == "cannot tell"


@settings(max_examples=50)
@given(rules=st.lists(criteria, min_size=1, max_size=4), of=records)
def test_what_was_frozen_and_thawed_is_judged_the_same(rules, of):
    inputs = frozen.frozen(rules, of)
    through_json = json.loads(json.dumps(inputs))
    assert frozen.digest(through_json) == frozen.digest(inputs)
    criteria_again, record_again = frozen.thawed(through_json)
    again = eligibility.judge_all(criteria_again, record_again)
    assert again == eligibility.judge_all(rules, of)


def test_everything_a_record_may_hold_is_frozen():
    anchors = {"imaging": planned("2026-04-02"), "consent": planned("2026-03-01", "actual")}
    doubted = fact("ecog", 1, is_doubted=True, details={"reference_low": 1.0})
    of = replace(record(anchors=anchors, tracer="FDG"), facts=[doubted])
    assert frozen.thawed(frozen.frozen([], of)) == ([], of)


def test_another_time_gives_another_digest():
    one, other = fact("ecog", 1), fact("ecog", 1)
    later = replace(one, recorded_at=NOW + timedelta(seconds=1))
    digests = {frozen.digest(frozen.frozen([], record(f))) for f in (one, later, other)}
    assert len(digests) == 3
