"""Eligibility criteria judged on dated evidence, with the reason for each.

A criterion is a small expression tree (all, any, not, comparisons, events, consent), never
free text, and every answer is yes, no or not known. The one mistake to fear is silence read
as an answer: without evidence an exclusion is not "not excluded", it can't be told.

What counts: evidence dated within the window of the criterion, of which the newest; nothing
dated after the anchor. Two values that may both be the newest and lead to different answers
give none. An anchor is the actual time of its event, else the planned one, else the time of
the assessment; the last two make a result provisional, to be judged again at a later gate.

`outcome` is the truth of the criterion's own sentence, so an exclusion that is met excludes;
`word` is what people read: satisfied, excludes, cannot tell, not applicable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from trials import readings, spans, variables
from trials.kleene import Truth, agreed, all_of, any_of, at_most
from trials.readings import SEX, Anchor, Consent, Fact, Reading, Record, between
from trials.spans import Span, Window

Expression = Mapping[str, Any]
Outcome = Literal["met", "not_met", "not_evaluable", "not_applicable"]

SATISFIED, EXCLUDES, CANNOT_TELL, NOT_APPLICABLE = (
    "satisfied",
    "excludes",
    "cannot tell",
    "not applicable",
)
COMPARISONS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most", "eq": "exactly"}
EVENTS = {"occurred", "never"}
ANCHORS = {
    "gate": "this assessment",
    "consent": "consent",
    "imaging": "imaging",
    "injection": "injection",
}
SCAN_GATES = {"pre_injection", "per_scan"}
# Asked for like a variable, but not recorded as evidence of their own.
AGE, TRACER = "age_years", "scan.tracer"
NO_SHIFT = "PT0S"

_OUTCOMES: Mapping[Truth, Outcome] = {
    Truth.YES: "met",
    Truth.NO: "not_met",
    Truth.UNKNOWN: "not_evaluable",
}
_WORDS = {Truth.YES: SATISFIED, Truth.NO: EXCLUDES, Truth.UNKNOWN: CANNOT_TELL}


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion as the protocol version has it."""

    identifier: str
    category: Literal["inclusion", "exclusion"]
    text: str
    expression: Expression
    applies_to: Expression | None = None
    gate: str = "enrolment"
    conflicts_with: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a criterion came to, in the user's word, and why."""

    outcome: Outcome
    word: str
    reason: str
    is_provisional: bool
    evidence: tuple[int, ...]
    workings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression came to: what was found, and what would settle it."""

    truth: Truth
    found: tuple[str, ...]
    to_do: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    is_provisional: bool = False
    workings: Mapping[str, Any] = field(default_factory=dict)


def judge_all(criteria: Sequence[Criterion], record: Record) -> dict[str, Judgement]:
    """Judge every criterion of a gate; the answers by identifier.

    Criteria whose sources contradict each other are not both in force: where one excludes
    and the other does not, it can't be told until somebody settles which one holds.
    """
    alone = {one.identifier: judge(one, record) for one in criteria}
    return {one.identifier: _in_force(one, alone) for one in criteria}


def verdict(judgements: Iterable[Judgement]) -> Literal["eligible", "ineligible", "not_evaluable"]:
    """Of a gate: one criterion that excludes decides, then one that can't be told."""
    words = {one.word for one in judgements}
    if EXCLUDES in words:
        return "ineligible"
    return "not_evaluable" if CANNOT_TELL in words else "eligible"


def judge(criterion: Criterion, record: Record) -> Judgement:
    """Judge one criterion on the record."""
    who = _applicability(criterion, record)
    if who.truth is Truth.NO:
        reason = f"Does not apply: {' '.join(who.found)}"
        return _judgement("not_applicable", NOT_APPLICABLE, reason, who)
    what = _evaluate(criterion.expression, record)
    satisfied = what.truth if criterion.category == "inclusion" else ~what.truth
    if who.truth is Truth.UNKNOWN and satisfied is not Truth.YES:
        doubts = ("Whether this applies is not known.", *who.found, *who.to_do, *what.found)
        return _judgement("not_evaluable", CANNOT_TELL, _sentences(*doubts), who, what)
    word = _WORDS[satisfied]
    return _judgement(_OUTCOMES[what.truth], word, _reason(criterion, what, word), who, what)


def applies(criterion: Criterion, record: Record) -> Truth:
    """Whether the criterion is for this patient and scan at all."""
    return _applicability(criterion, record).truth


def nodes(expression: Expression | None) -> Iterator[Expression]:
    """An expression and everything inside it."""
    if expression is None:
        return
    yield expression
    inner = expression.get("of", ())
    for one in [inner] if isinstance(inner, Mapping) else inner:
        yield from nodes(one)


def anchors_in(expression: Expression | None) -> set[str]:
    """The anchors an expression names."""
    named = (
        node.get("at") or (node.get("window") or {}).get("anchor") for node in nodes(expression)
    )
    return {name for name in named if name}


def compared(operator: str, low: float, high: float, limit: float) -> Truth:
    """Compare a number known to lie in `[low, high]` with a limit.

    >>> compared("gt", 30, 30, 30), compared("lt", 30, 30, 30), compared("ge", 17, 18, 18)
    (<Truth.NO: 0>, <Truth.NO: 0>, <Truth.UNKNOWN: 1>)
    """
    is_at_most, is_at_least = at_most(low, high, limit), at_most(-high, -low, -limit)
    return {
        "le": is_at_most,
        "gt": ~is_at_most,
        "ge": is_at_least,
        "lt": ~is_at_least,
        "eq": all_of([is_at_most, is_at_least]),
    }[operator]


# From answers to judgements.


def _applicability(criterion: Criterion, record: Record) -> Answer:
    if criterion.applies_to is None:
        return Answer(Truth.YES, ())
    return _evaluate(criterion.applies_to, record)


def _judgement(
    outcome: Outcome, word: str, reason: str, who: Answer, what: Answer | None = None
) -> Judgement:
    answers = [who, what] if what else [who]
    return Judgement(
        outcome=outcome,
        word=word,
        reason=reason,
        is_provisional=any(answer.is_provisional for answer in answers),
        evidence=_flat(answer.evidence for answer in answers),
        workings={
            "applies_to": dict(who.workings) or None,
            "expression": dict(what.workings) if what else None,
        },
    )


def _reason(criterion: Criterion, what: Answer, word: str) -> str:
    parts = list(what.found)
    if word == CANNOT_TELL:
        parts += what.to_do
    if word == EXCLUDES:
        rule = "Required" if criterion.category == "inclusion" else "Excluded"
        parts.append(f"{rule}: {criterion.text.rstrip('.')}.")
        parts.append(
            "Reschedule this scan; the patient's enrolment is not touched."
            if criterion.gate in SCAN_GATES
            else "If the source was read wrongly, correct the evidence and assess again."
        )
    if what.is_provisional:
        parts.append("Provisional: to be judged again once the actual time is known.")
    return _sentences(*parts)


def _in_force(criterion: Criterion, judgements: Mapping[str, Judgement]) -> Judgement:
    own = judgements[criterion.identifier]
    others = [one for one in criterion.conflicts_with if one in judgements]
    if own.word != EXCLUDES or all(judgements[one].word == EXCLUDES for one in others):
        return own
    reason = (
        f"{own.reason} The sources of this trial disagree, and {', '.join(others)} does not "
        "exclude: let the data manager settle which of them is in force."
    )
    return replace(own, outcome="not_evaluable", word=CANNOT_TELL, reason=reason)


# Expressions.


def _evaluate(expression: Expression, record: Record) -> Answer:
    operator = expression["op"]
    if operator in {"all", "any"}:
        return _composite(expression, record)
    if operator == "not":
        inner = _evaluate(expression["of"], record)
        return replace(
            inner,
            truth=~inner.truth,
            workings={"op": "not", "truth": _named(~inner.truth), "of": [inner.workings]},
        )
    if operator == "consent":
        return _consent(expression, record)
    if operator == "unstated":
        return _unstated(expression)
    return _SPECIAL.get(expression["var"], _on_readings)(expression, record)


def _composite(expression: Expression, record: Record) -> Answer:
    """What decided is told; what was looked at is in the workings."""
    answers = [_evaluate(one, record) for one in expression["of"]]
    rule = all_of if expression["op"] == "all" else any_of
    truth = rule(answer.truth for answer in answers)
    deciding = [answer for answer in answers if answer.truth is truth]
    return Answer(
        truth=truth,
        found=_flat(answer.found for answer in deciding),
        to_do=_flat(answer.to_do for answer in deciding),
        evidence=_flat(answer.evidence for answer in answers),
        is_provisional=any(answer.is_provisional for answer in deciding),
        workings={
            "op": expression["op"],
            "truth": _named(truth),
            "of": [answer.workings for answer in answers],
        },
    )


def _on_readings(expression: Expression, record: Record) -> Answer:
    """Compare the newest value of a variable; unknown unless all it may be agree."""
    anchor, inside = _window(expression, record)
    # Events are looked for in the window; the history that tells of them is the newest there is.
    is_event = expression["op"] in EVENTS
    taken = _until_gate(record) if is_event else inside
    newest, is_sure = readings.newest(
        readings.readings(
            expression["var"], unit=expression.get("unit", ""), taken=taken, record=record
        )
    )
    truths = [_holds(expression, reading, inside, record) for reading in newest]
    truth = agreed(truths) if is_sure else Truth.UNKNOWN
    return Answer(
        truth=truth,
        found=(_found(expression, truth, newest, _window_words(inside, record)),),
        to_do=_to_do(truth, newest, _window_words(taken, record)),
        evidence=_flat(reading.evidence for reading in newest),
        is_provisional=anchor.basis != "actual",
        workings={
            **_leaf(expression, truth, anchor, record),
            "window": {
                "from": _local(inside.start.first, record),
                "to": _local(inside.end.last, record),
            },
            "found": [dict(reading.workings) for reading in newest],
        },
    )


def _holds(expression: Expression, reading: Reading, inside: Window, record: Record) -> Truth:
    """Whether the expression is true of one reading."""
    if reading.problem:
        return Truth.UNKNOWN
    operator, expected = expression["op"], expression.get("value")
    if operator in EVENTS:
        occurred = any_of(
            spans.overlap(*_event_span(event, reading.when, record), inside)
            for event in reading.value
        )
        return occurred if operator == "occurred" else ~occurred
    if operator == "in":
        return Truth.known(reading.value in expression["value"])
    if operator == "in_any":
        return Truth.known(any(code in expression["value"] for code in reading.value))
    if math.isnan(reading.low):
        return Truth.known(reading.value == expected)
    return compared(operator, reading.low, reading.high, expression["value"])


def _event_span(event: Mapping[str, str], told: Span, record: Record) -> tuple[Span, Span]:
    """When an event began and ended; one without an end still went on when it was told."""
    if "stopped_on" in event:
        stop = spans.span(event["stopped_on"], record.zone)
    else:
        stop = Span(told.first, spans.END)
    if "started_on" in event:
        start = spans.span(event["started_on"], record.zone)
    else:
        start = Span(spans.BEGINNING, stop.last if "stopped_on" in event else told.last)
    return start, stop


def _age(expression: Expression, record: Record) -> Answer:
    """Completed years at an anchor, from a birth date as far as it is known."""
    name, limit = expression.get("at", "consent"), expression["value"]
    anchor = _anchor(name, record)
    birth, words, evidence = readings.born(record)
    low, high = spans.completed_years(birth, anchor.at, record.zone)
    truth = compared(expression["op"], low, high, limit)
    told = (
        f"Age: {between(low, high)} years (born {words}; {_anchor_words(name, anchor)} "
        f"{_day(anchor.at, record)})"
    )
    return Answer(
        truth=truth,
        found=(_claimed(told, truth, f"{COMPARISONS[expression['op']]} {limit:g} years"),),
        to_do=()
        if truth is not Truth.UNKNOWN
        else ("Give the date of birth, or that of the consent, more precisely.",),
        evidence=evidence,
        is_provisional=anchor.basis != "actual",
        workings={
            **_leaf({"at": name, **expression}, truth, anchor, record),
            "unit": "years",
            "found": [{"value": words, "compared": [low, high]}],
        },
    )


def _sex(expression: Expression, record: Record) -> Answer:
    possible, words, evidence = readings.sexes(record)
    truth = agreed(Truth.known(sex == expression["value"]) for sex in possible)
    return Answer(
        truth=truth,
        found=(f"Sex at birth: {words}.",),
        to_do=("Record the sex at birth.",) if truth is Truth.UNKNOWN else (),
        evidence=evidence,
        workings={**_leaf(expression, truth, None, record), "found": [{"value": possible}]},
    )


def _tracer(expression: Expression, record: Record) -> Answer:
    is_known = record.tracer is not None
    truth = Truth.known(record.tracer == expression["value"]) if is_known else Truth.UNKNOWN
    return Answer(
        truth=truth,
        found=(f"Tracer of the scan: {record.tracer or 'no scan'}.",),
        to_do=() if is_known else ("Assess this for a scheduled scan.",),
        workings={**_leaf(expression, truth, None, record), "found": [{"value": record.tracer}]},
    )


def _unstated(expression: Expression) -> Answer:
    """Something the sources read do not tell: not known, whatever the evidence."""
    return Answer(
        Truth.UNKNOWN,
        found=(f"Not stated in the sources read: {expression['text'].rstrip('.')}.",),
        to_do=("Ask the sponsor, or confirm with the protocol.",),
        workings={"op": "unstated", "truth": _named(Truth.UNKNOWN), "text": expression["text"]},
    )


def _consent(expression: Expression, record: Record) -> Answer:
    """A valid consent, and no study-specific procedure before the first one."""
    first = readings.first_consent(record)
    workings: dict[str, Any] = {
        "op": "consent",
        "found": [_consent_workings(one, record) for one in record.consents],
    }
    if first is None:
        return Answer(
            Truth.UNKNOWN,
            found=("No consent is recorded.",),
            to_do=("Obtain it before any procedure of the trial, and record it.",),
            workings={**workings, "truth": _named(Truth.UNKNOWN)},
        )
    is_valid, said = _valid_consent(expression, record)
    none_early, blamed = _procedures_before(first, record)
    truth = all_of([is_valid, none_early])
    perhaps = "is" if none_early is Truth.NO else "may be"
    return Answer(
        truth,
        found=(
            *said,
            *(
                f"Study-specific {variables.variable(fact.variable).label.lower()} of "
                f"{fact.observed_at} ({fact.source}) {perhaps} before consent."
                for fact in blamed
            ),
        ),
        to_do=("Settle by a signed source statement which came first, and give the times.",)
        if truth is Truth.UNKNOWN
        else (),
        evidence=tuple(fact.evidence for fact in blamed),
        workings={**workings, "truth": _named(truth)},
    )


def _valid_consent(expression: Expression, record: Record) -> tuple[Truth, list[str]]:
    """Whether a consent of a version asked for was signed by now and stands."""
    versions = expression.get("versions")
    now = record.anchors["gate"].at
    truth = any_of(
        ~spans.before(now, spans.span(one.signed_at, record.zone))
        for one in record.consents
        if one.withdrawn_at is None and (versions is None or one.version in versions)
    )
    said = [
        f"Consent {one.version} signed {one.signed_at}"
        + (f", withdrawn {_local(one.withdrawn_at, record)}." if one.withdrawn_at else ".")
        for one in record.consents
    ]
    if versions and truth is not Truth.YES:
        said.append(f"Expected is version {' or '.join(versions)}.")
    return truth, said


def _procedures_before(first: Span, record: Record) -> tuple[Truth, list[Fact]]:
    """Whether no study-specific procedure precedes consent, and those that do or may."""
    early = [
        (fact, spans.before(spans.span(fact.observed_at, record.zone), first))
        for fact in record.facts
        if fact.is_study_specific
    ]
    worst = any_of(truth for _, truth in early)
    return ~worst, [fact for fact, truth in early if truth is worst is not Truth.NO]


# Windows and anchors.


def _window(expression: Expression, record: Record) -> tuple[Anchor, Window]:
    asked = expression.get("window") or {}
    anchor = _anchor(asked.get("anchor", "gate"), record)
    inside = spans.window(
        anchor.at, start=asked.get("from"), end=asked.get("to", NO_SHIFT), zone=record.zone
    )
    return anchor, inside


def _until_gate(record: Record) -> Window:
    return spans.window(record.anchors["gate"].at, start=None, end=NO_SHIFT, zone=record.zone)


def _anchor(name: str, record: Record) -> Anchor:
    """The anchor, or the time of the assessment in its place."""
    known = record.anchors.get(name)
    return known or Anchor(record.anchors["gate"].at, "assessment")


# Words.


def _found(
    expression: Expression, truth: Truth, newest: Sequence[Reading], window_words: str
) -> str:
    name = expression["var"]
    label = variables.variable(name).label
    if not newest:
        return f"{label}: nothing is recorded {window_words}."
    told = f"{label}: {', or '.join(reading.words for reading in newest)}"
    if expression["op"] in EVENTS:
        occurred = truth if expression["op"] == "occurred" else ~truth
        some = {Truth.YES: "one", Truth.NO: "none", Truth.UNKNOWN: "it can't be told whether one"}
        return f"{told}: {some[occurred]} {window_words}."
    expected = expression["value"]
    if expression["op"] in {"in", "in_any"}:
        codes = ", ".join(variables.shown(name, one) for one in expected)
        return _claimed(told, truth, f"among {codes}")
    if isinstance(expected, bool | str):
        return f"{told}."
    unit = expression.get("unit", "")
    return _claimed(told, truth, f"{COMPARISONS[expression['op']]} {expected:g} {unit}".strip())


def _claimed(told: str, truth: Truth, claim: str) -> str:
    if truth is Truth.UNKNOWN:
        return f"{told}; whether that is {claim} can't be told."
    return f"{told}, which is {'' if truth is Truth.YES else 'not '}{claim}."


def _to_do(truth: Truth, newest: Sequence[Reading], window_words: str) -> tuple[str, ...]:
    """What would settle an answer that is not known."""
    if truth is not Truth.UNKNOWN:
        return ()
    if not newest:
        return (f"Record it, dated {window_words}.",)
    problems = _flat((one.problem,) for one in newest if one.problem)
    if problems:
        return problems
    if len(newest) > 1:
        return ("Give the times, so that the newest is known, or correct the wrong one.",)
    return ("Give the dates, or the value, more precisely.",)


def _leaf(
    expression: Expression, truth: Truth, anchor: Anchor | None, record: Record
) -> dict[str, Any]:
    name = expression.get("at") or (expression.get("window") or {}).get("anchor", "gate")
    return {
        "op": expression["op"],
        "variable": expression["var"],
        "truth": _named(truth),
        "expected": expression.get("value"),
        "unit": expression.get("unit", ""),
        "anchor": anchor
        and {
            "name": name,
            "basis": anchor.basis,
            "from": _local(anchor.at.first, record),
            "to": _local(anchor.at.last, record),
        },
    }


def _consent_workings(one: Consent, record: Record) -> dict[str, Any]:
    return {
        "version": one.version,
        "signed_at": one.signed_at,
        "withdrawn_at": one.withdrawn_at and _local(one.withdrawn_at, record),
    }


def _anchor_words(name: str, anchor: Anchor) -> str:
    if anchor.basis == "assessment":
        return f"{ANCHORS[name]} not known, so at the assessment"
    return f"planned {ANCHORS[name]}" if anchor.basis == "planned" else ANCHORS[name]


def _window_words(inside: Window, record: Record) -> str:
    end = _minute(inside.end.last, record)
    if inside.start.first == spans.BEGINNING:
        return f"up to {end}"
    return f"from {_minute(inside.start.first, record)} to {end}"


def _day(when: Span, record: Record) -> str:
    first, last = (f"{at.astimezone(record.zone):%Y-%m-%d}" for at in (when.first, when.last))
    return first if first == last else f"{first} to {last}"


def _minute(at: datetime, record: Record) -> str:
    return f"{at.astimezone(record.zone):%Y-%m-%d %H:%M}"


def _local(at: datetime, record: Record) -> str | None:
    """A time at the site; None for the open end of a window."""
    if at in (spans.BEGINNING, spans.END):
        return None
    return at.astimezone(record.zone).isoformat(timespec="seconds")


def _named(truth: Truth) -> str:
    return truth.name.lower()


def _flat(groups: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one for group in groups for one in group))


def _sentences(*parts: str) -> str:
    return " ".join(dict.fromkeys(part for part in parts if part))


_SPECIAL: Mapping[str, Callable[[Expression, Record], Answer]] = {
    AGE: _age,
    SEX: _sex,
    TRACER: _tracer,
}
