"""What an expression of a criterion comes to on a record: yes, no, or not known, and why.

An expression is a small tree (all, any, at least, not; comparisons, events, order in time,
consent), never free text. What counts is evidence dated within the window, of which the one
that `select` asks for; nothing dated after the anchor. A history of events says nothing of a
window that opened after it was told. Two values that may both be the newest and lead to
different answers give none. The one mistake to fear is silence read as an answer:
without evidence an exclusion is not "not excluded", it can't be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from trials import answer_words as words
from trials import childbearing, decay, readings, spans, variables
from trials.kleene import Truth, agreed, all_of, any_of, at_least_of, at_most
from trials.readings import BIRTH, SEX, Anchor, Consent, Fact, Reading, Record, between
from trials.spans import Span, Window
from trials.terms import (
    ABLE,
    AGE,
    AGE_AT,
    ATTESTED,
    COMPARISONS,
    EVENTS,
    LIMITS_OF_NORMAL,
    NO_SHIFT,
    THE_SAME_DAY,
    TRACER,
    Expression,
)


class ExpressionError(ValueError):
    """An expression that can't be evaluated: an operator, variable or value that is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression came to: what was found, and what would settle it."""

    truth: Truth
    found: tuple[str, ...]
    to_do: tuple[str, ...] = ()
    evidence: tuple[int, ...] = ()
    is_provisional: bool = False
    workings: Mapping[str, Any] = field(default_factory=dict)


def evaluate(expression: Expression, record: Record, *, wanted: bool = True) -> Answer:
    """The answer to an expression; raises ExpressionError for what is none.

    `wanted` says whether a yes is what lets the patient in, as in an inclusion: "worst" is
    the value that speaks most against it.
    """
    operator = expression.get("op")
    evaluated = _OPERATORS.get(operator) if isinstance(operator, str) else None
    if evaluated is None:
        raise ExpressionError(f"there is no operator {operator!r}")
    return evaluated(expression, record, wanted)


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
    named: set[str] = set()
    for node in nodes(expression):
        found = [node.get("at"), node.get("anchor"), (node.get("window") or {}).get("anchor")]
        if node.get("var") == AGE:
            found.append(node.get("at", AGE_AT))
        if node.get("op") == "before":
            found += [node.get("a"), node.get("b")]
        named |= {name for name in found if name}
    return named


def variables_of(expression: Expression | None) -> set[str]:
    """The variables of evidence an expression reads, the computed ones with what they rest on.

    >>> sorted(variables_of({"op": "lt", "var": "bmi", "value": 40, "unit": "kg/m2"}))
    ['bmi', 'height', 'weight']
    """
    named = {node["var"] for node in nodes(expression) if "var" in node}
    named |= anchors_in(expression)
    found = {BIRTH} if AGE in named else set()
    if ABLE in named:
        found |= childbearing.VARIABLES
    for name in named & set(variables.VARIABLES):
        found |= {name} | readings.BASES.get(name, frozenset())
    return found


def compared(operator: str, low: float, high: float, limit: float) -> Truth:
    """Compare a number known to lie in `[low, high]` with a limit.

    >>> compared("gt", 30, 30, 30), compared("lt", 30, 30, 30), compared("ge", 17, 18, 18)
    (<Truth.NO: 0>, <Truth.NO: 0>, <Truth.UNKNOWN: 1>)
    """
    if math.isnan(limit) or isinstance(limit, bool):
        raise ExpressionError(f"{limit!r} is no limit")
    is_at_most, is_at_least = at_most(low, high, limit), at_most(-high, -low, -limit)
    return {
        "le": is_at_most,
        "gt": ~is_at_most,
        "ge": is_at_least,
        "lt": ~is_at_least,
        "eq": all_of([is_at_most, is_at_least]),
    }[operator]


# Combinations.


def _not(expression: Expression, record: Record, wanted: bool) -> Answer:
    inner = evaluate(expression["of"], record, wanted=not wanted)
    return replace(
        inner,
        truth=~inner.truth,
        workings={"op": "not", "truth": named(~inner.truth), "of": [inner.workings]},
    )


def _combined(expression: Expression, record: Record, wanted: bool) -> Answer:
    """What decided is told; what was looked at is in the workings."""
    answers = [evaluate(one, record, wanted=wanted) for one in expression["of"]]
    truths = [answer.truth for answer in answers]
    if expression["op"] == "at_least":
        truth = at_least_of(_whole(expression["n"]), truths)
        deciding = answers if truth is not Truth.UNKNOWN else _of(Truth.UNKNOWN, answers)
    else:
        truth = (all_of if expression["op"] == "all" else any_of)(truths)
        deciding = _of(truth, answers)
    return Answer(
        truth=truth,
        found=_flat(answer.found for answer in deciding),
        to_do=_flat(answer.to_do for answer in deciding),
        evidence=_flat(answer.evidence for answer in answers),
        is_provisional=any(answer.is_provisional for answer in deciding),
        workings={
            "op": expression["op"],
            "truth": named(truth),
            "of": [answer.workings for answer in answers],
        },
    )


def _of(truth: Truth, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.truth is truth]


# One variable.


def _asked(expression: Expression, record: Record, wanted: bool) -> Answer:
    """A question about one variable: the computed ones have ways of their own."""
    special = _SPECIAL.get(expression["var"])
    return special(expression, record) if special else _on_readings(expression, record, wanted)


def _on_readings(expression: Expression, record: Record, wanted: bool) -> Answer:
    """Judge the readings of a variable; unknown unless all that it may be agree."""
    name = expression["var"]
    if name not in variables.VARIABLES:
        raise ExpressionError(f"there is no variable {name!r}")
    anchor, inside = _window(expression, record)
    # Events are looked for in the window; the history that tells of them is the newest there is.
    taken = _until_gate(record) if expression["op"] in EVENTS else inside
    select = expression.get("select", "latest")
    every = readings.readings(
        name,
        unit=expression.get("unit", ""),
        taken=taken,
        record=record,
        scan=expression.get("scan", ""),
    )
    chosen, is_sure = readings.chosen(every, select)
    truth = _settled(expression, chosen, inside, record, wanted=wanted) if is_sure else None
    truth = truth or Truth.UNKNOWN
    return Answer(
        truth=truth,
        found=(words.found(expression, truth, chosen, words.window(inside, record)),),
        to_do=_to_do(expression, truth, chosen, inside, taken, record),
        evidence=_flat(reading.evidence for reading in chosen),
        is_provisional=anchor.basis != "actual",
        workings={
            **_leaf(expression, truth, anchor, record),
            "select": select,
            "window": {
                "from": words.local(inside.start.first, record),
                "to": words.local(inside.end.last, record),
            },
            "found": [dict(reading.workings) for reading in chosen],
        },
    )


def _to_do(
    expression: Expression,
    truth: Truth,
    chosen: list[Reading],
    inside: Window,
    taken: Window,
    record: Record,
) -> tuple[str, ...]:
    """What would settle the answer; a history that ends too early is asked again."""
    is_old = expression["op"] in EVENTS and any(
        not one.problem and not _answers_for(expression, one, inside, record) for one in chosen
    )
    if is_old and truth is Truth.UNKNOWN:
        return (words.ask_again(chosen, record),)
    return words.to_do(truth, chosen, words.window(taken, record))


def _settled(
    expression: Expression, chosen: list[Reading], inside: Window, record: Record, *, wanted: bool
) -> Truth:
    """What the readings chosen come to together."""
    select = expression.get("select", "latest")
    if select == "worst":
        select = "all" if wanted else "any"
    truths = [_holds(expression, reading, inside, record) for reading in chosen]
    if select in {"latest", "first"}:
        return agreed(truths)
    if select not in {"any", "all"}:
        raise ExpressionError(f"there is no selection {select!r}")
    # A value that may lie outside the window can't settle the question, only leave it open.
    neutral = Truth.NO if select == "any" else Truth.YES
    weighed = [
        truth if one.is_in_window is Truth.YES or truth is neutral else Truth.UNKNOWN
        for one, truth in zip(chosen, truths, strict=True)
    ]
    return any_of(weighed) if select == "any" else all_of(weighed)


def _holds(expression: Expression, reading: Reading, inside: Window, record: Record) -> Truth:
    """Whether the expression is true of one reading."""
    if reading.problem:
        return Truth.UNKNOWN
    operator = expression["op"]
    if operator in EVENTS:
        return _event_truth(expression, reading, inside, record)
    if operator == "in":
        return Truth.known(reading.value in _codes(expression))
    if operator == "in_any":
        return Truth.known(any(code in _codes(expression) for code in reading.value))
    if operator == "between":
        return all_of(
            compared(side, reading.low, reading.high, _number(expression[end]))
            for side, end in (("ge", "low"), ("le", "high"))
        )
    if operator in LIMITS_OF_NORMAL:
        return _by_normal(expression, reading)
    if operator == ATTESTED:
        return Truth.known(reading.value is True)
    expected = expression["value"]
    if math.isnan(reading.low):
        return Truth.known(type(reading.value) is type(expected) and reading.value == expected)
    return compared(
        "eq" if operator == "lab_eq" else operator, reading.low, reading.high, _number(expected)
    )


def _by_normal(expression: Expression, reading: Reading) -> Truth:
    """Compare with a multiple of the limit of normal that came with the value."""
    operator, factor = expression["op"], _number(expression["factor"])
    limit = reading.normal[1] if operator == "le_uln" else reading.normal[0]
    if math.isnan(limit):
        return Truth.UNKNOWN
    return compared(
        "le" if operator == "le_uln" else "ge", reading.low, reading.high, factor * limit
    )


def _event_truth(expression: Expression, reading: Reading, inside: Window, record: Record) -> Truth:
    if not isinstance(reading.value, list):
        raise ExpressionError(f"{expression['var']} is no history of events")
    told = [_event_in(expression, event, reading.when, inside, record) for event in reading.value]
    # What nobody was asked about may have happened.
    later = [] if _answers_for(expression, reading, inside, record) else [Truth.UNKNOWN]
    occurred = any_of([*told, *later])
    return occurred if expression["op"] == "occurred" else ~occurred


def _answers_for(expression: Expression, reading: Reading, inside: Window, record: Record) -> bool:
    """Whether a history says anything of the window: surely told in it, not before it opened.

    Of a window that opens after the gate nobody can tell yet; it is judged again. Where the
    trial says for how long a history counts, it has to reach to the end of the window, or to
    the gate where that comes first.
    """
    told_within = expression.get("told_within")
    reach = spans.shifted(
        reading.when.first, told_within or THE_SAME_DAY, record.zone, to_end_of_day=True
    )
    gate = record.anchors["gate"].at.last
    if told_within is None:
        return inside.start.last <= reach or inside.start.last > gate
    return min(inside.end.last, gate) <= reach


def _event_in(
    expression: Expression, event: Mapping[str, str], told: Span, inside: Window, record: Record
) -> Truth:
    start, stop = _event_span(event, told, record)
    if stop.last < start.first:
        return Truth.UNKNOWN
    half_lives = expression.get("within_half_lives")
    if half_lives is None:
        return spans.overlap(start, stop, inside)
    nuclide = event.get("radionuclide", "")
    if nuclide not in decay.HALF_LIFE:
        return Truth.UNKNOWN
    reach = timedelta(seconds=_number(half_lives) * decay.HALF_LIFE[nuclide])
    end = inside.end
    near = Window(Span(end.first - reach, end.last - reach), end)
    return spans.overlap(start, stop, near)


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


def _time_since(expression: Expression, record: Record, wanted: bool) -> Answer:
    """Longer ago than a duration: no event in the closed window of that length."""
    asked = {
        "op": "never",
        "var": expression["var"],
        "window": {
            "anchor": expression.get("anchor", "gate"),
            "from": f"-{expression['value']}",
            "to": NO_SHIFT,
        },
    }
    if "told_within" in expression:
        asked["told_within"] = expression["told_within"]
    return _on_readings(asked, record, wanted)


# Order in time.


def _before(expression: Expression, record: Record, _wanted: bool) -> Answer:
    """Whether one event was before another, and not longer before it than `max_gap`."""
    first, second = (_event(expression[key], record) for key in ("a", "b"))
    said = tuple(
        words.event(expression[key], at, record)
        for key, at in zip("ab", (first, second), strict=True)
    )
    known = [at for at in (first, second) if at]
    if first is None or second is None:
        truth = Truth.UNKNOWN
    else:
        truth = all_of(
            [spans.before(first.at, second.at), *_gap(expression, first, second, record)]
        )
    return Answer(
        truth,
        found=(words.order(expression, truth, said),),
        to_do=() if truth is not Truth.UNKNOWN else ("Give both times, as precisely as needed.",),
        evidence=_flat(at.evidence for at in known),
        is_provisional=any(at.basis != "actual" for at in known),
        workings={
            "op": "before",
            "truth": named(truth),
            "a": said[0],
            "b": said[1],
            "max_gap": expression.get("max_gap"),
        },
    )


def _gap(expression: Expression, first: Anchor, second: Anchor, record: Record) -> list[Truth]:
    gap = expression.get("max_gap")
    if not gap:
        return []
    inside = spans.window(first.at, start=NO_SHIFT, end=gap, zone=record.zone)
    return [spans.within(second.at, inside)]


def _event(name: str, record: Record) -> Anchor | None:
    """When something was or is planned; None if the record does not tell."""
    return record.anchors.get(name) or _dated(name, record)


def _dated(name: str, record: Record) -> Anchor | None:
    """The date that the newest evidence of a date variable holds."""
    known = variables.VARIABLES.get(name)
    if known is None or known.kind != "date":
        return None
    every = readings.readings(name, unit="", taken=_until_gate(record), record=record)
    chosen, is_sure = readings.newest(every)
    values = {one.value for one in chosen}
    if not is_sure or len(values) != 1 or chosen[0].problem:
        return None
    at = spans.span(str(chosen[0].value), record.zone)
    ahead = at.first > record.anchors["gate"].at.last
    return Anchor(at, "planned" if ahead else "actual", _flat(one.evidence for one in chosen))


# Variables with ways of their own.


def _age(expression: Expression, record: Record) -> Answer:
    """Completed years at an anchor, from a birth date as far as it is known."""
    name = expression.get("at", AGE_AT)
    anchor = anchor_of(name, record)
    birth, born, evidence = readings.born(record)
    low, high = spans.completed_years(birth, anchor.at, record.zone)
    truth = _number_truth(expression, low, high)
    told = (
        f"Age: {between(low, high)} years (born {born}; {words.anchor(name, anchor)} "
        f"{words.day(anchor.at, record)})"
    )
    return Answer(
        truth=truth,
        found=(words.claimed(told, truth, words.limit(expression, "years")),),
        to_do=()
        if truth is not Truth.UNKNOWN
        else ("Give the date of birth, or that of the consent, more precisely.",),
        evidence=evidence,
        is_provisional=anchor.basis != "actual",
        workings={
            **_leaf({"at": name, **expression}, truth, anchor, record),
            "unit": "years",
            "found": [{"value": born, "compared": [low, high]}],
        },
    )


def _number_truth(expression: Expression, low: float, high: float) -> Truth:
    if expression["op"] == "between":
        return all_of(
            [
                compared("ge", low, high, _number(expression["low"])),
                compared("le", low, high, _number(expression["high"])),
            ]
        )
    if expression["op"] not in COMPARISONS:
        raise ExpressionError(f"{expression['op']} can't be asked of {expression['var']}")
    return compared(expression["op"], low, high, _number(expression["value"]))


def _sex(expression: Expression, record: Record) -> Answer:
    possible, told, evidence = readings.sexes(record)
    truth = agreed(Truth.known(sex == expression["value"]) for sex in possible)
    return Answer(
        truth=truth,
        found=(f"Sex at birth: {told}.",),
        to_do=("Record the sex at birth.",) if truth is Truth.UNKNOWN else (),
        evidence=evidence,
        workings={**_leaf(expression, truth, None, record), "found": [{"value": possible}]},
    )


def _able(expression: Expression, record: Record) -> Answer:
    """Whether the patient is a woman able to bear children."""
    found = childbearing.able(record, _until_gate(record))
    truth = found.truth if expression["value"] is True else ~found.truth
    return Answer(
        truth=truth,
        found=(found.words,),
        to_do=(found.to_do,) if found.to_do else (),
        evidence=found.evidence,
        workings={
            **_leaf(expression, truth, None, record),
            "found": [dict(one.workings) for one in found.readings],
        },
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


def _unstated(expression: Expression, _record: Record, _wanted: bool) -> Answer:
    """Something the sources read do not tell: not known, whatever the evidence."""
    return Answer(
        Truth.UNKNOWN,
        found=(f"Not stated in the sources read: {expression['text'].rstrip('.')}.",),
        to_do=("Ask the sponsor, or confirm with the protocol.",),
        workings={"op": "unstated", "truth": named(Truth.UNKNOWN), "text": expression["text"]},
    )


# Consent.


def _consent(expression: Expression, record: Record, _wanted: bool) -> Answer:
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
            workings={**workings, "truth": named(Truth.UNKNOWN)},
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
        workings={**workings, "truth": named(truth)},
    )


def _valid_consent(expression: Expression, record: Record) -> tuple[Truth, list[str]]:
    """Whether a consent of a version asked for was signed by now and stands."""
    versions = expression.get("versions")
    now = record.anchors["gate"].at
    truth = any_of(
        ~spans.before(now, readings.signed_at(one, record))
        for one in record.consents
        if one.withdrawn_at is None and (versions is None or one.version in versions)
    )
    said = [
        f"Consent {one.version} signed {one.signed_at}"
        + (f", withdrawn {words.local(one.withdrawn_at, record)}." if one.withdrawn_at else ".")
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


def _consent_workings(one: Consent, record: Record) -> dict[str, Any]:
    return {
        "version": one.version,
        "signed_at": one.signed_at,
        "withdrawn_at": one.withdrawn_at and words.local(one.withdrawn_at, record),
    }


# Windows and anchors.


def _window(expression: Expression, record: Record) -> tuple[Anchor, Window]:
    asked = expression.get("window") or {}
    anchor = anchor_of(asked.get("anchor", "gate"), record)
    inside = spans.window(
        anchor.at, start=asked.get("from"), end=asked.get("to", NO_SHIFT), zone=record.zone
    )
    return anchor, inside


def _until_gate(record: Record) -> Window:
    return spans.window(record.anchors["gate"].at, start=None, end=NO_SHIFT, zone=record.zone)


def anchor_of(name: str, record: Record) -> Anchor:
    """The anchor as it was, else as it is planned, else the time of the assessment."""
    known = record.anchors.get(name) or _dated(name, record)
    return known or Anchor(record.anchors["gate"].at, "assessment")


# Workings.


def _leaf(
    expression: Expression, truth: Truth, anchor: Anchor | None, record: Record
) -> dict[str, Any]:
    name = expression.get("at") or (expression.get("window") or {}).get("anchor", "gate")
    limits = {key: expression[key] for key in ("low", "high", "factor") if key in expression}
    return {
        "op": expression["op"],
        "variable": expression["var"],
        "truth": named(truth),
        "expected": expression.get("value"),
        **limits,
        "unit": expression.get("unit", ""),
        "anchor": anchor
        and {
            "name": name,
            "basis": anchor.basis,
            "from": words.local(anchor.at.first, record),
            "to": words.local(anchor.at.last, record),
        },
    }


def named(truth: Truth) -> str:
    """The truth as workings spell it."""
    return truth.name.lower()


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{value!r} is no number")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExpressionError(f"{value!r} is no whole number")
    return value


def _codes(expression: Expression) -> Sequence[Any]:
    value = expression["value"]
    if not isinstance(value, list | tuple):
        raise ExpressionError(f"{value!r} is no list of codes")
    return value


def _flat(groups: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(one for group in groups for one in group))


_SPECIAL: Mapping[str, Callable[[Expression, Record], Answer]] = {
    AGE: _age,
    SEX: _sex,
    ABLE: _able,
    TRACER: _tracer,
}
_ON_ONE_VARIABLE = (
    *COMPARISONS,
    "between",
    "in",
    "in_any",
    "lab_eq",
    *LIMITS_OF_NORMAL,
    *EVENTS,
    ATTESTED,
)
_OPERATORS: Mapping[str, Callable[[Expression, Record, bool], Answer]] = {
    **dict.fromkeys(("all", "any", "at_least"), _combined),
    "not": _not,
    **dict.fromkeys(_ON_ONE_VARIABLE, _asked),
    "time_since_gt": _time_since,
    "before": _before,
    "consent": _consent,
    "unstated": _unstated,
}
OPERATORS = frozenset(_OPERATORS)
