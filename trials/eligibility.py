"""Eligibility criteria judged on dated evidence, with the reason for each.

What a criterion's expression comes to is told by `trials.expressions`; here it becomes a
judgement. A rule that can't be evaluated at all is not known and never passes. An anchor is
the actual time of its event, else the planned one, else the time of the assessment; the last
two make a result provisional, to be judged again at a later gate.

`outcome` is the truth of the criterion's own sentence, so an exclusion that is met excludes;
`word` is what people read: satisfied, excludes, cannot tell, not applicable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from trials.answer_words import sentences
from trials.expressions import (
    Answer,
    anchors_in,
    compared,
    evaluate,
    nodes,
    variables_of,
)
from trials.kleene import Truth
from trials.readings import Record
from trials.terms import (
    AGE,
    ANCHORS,
    COMPARISONS,
    NO_SHIFT,
    SCAN_GATES,
    TRACER,
    Expression,
)

__all__ = [
    "AGE",
    "ANCHORS",
    "COMPARISONS",
    "ENGINE",
    "NO_SHIFT",
    "SCAN_GATES",
    "TRACER",
    "Criterion",
    "Expression",
    "Judgement",
    "anchors_in",
    "applies",
    "compared",
    "judge",
    "judge_all",
    "leaves",
    "nodes",
    "variables_of",
    "verdict",
]

# Raised with every change that may judge the same inputs otherwise.
ENGINE = "trialtrace-eligibility/3"

Outcome = Literal["met", "not_met", "not_evaluable", "not_applicable"]

SATISFIED, EXCLUDES, CANNOT_TELL, NOT_APPLICABLE = (
    "satisfied",
    "excludes",
    "cannot tell",
    "not applicable",
)

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
    what = _answer(criterion.expression, record, wanted=criterion.category == "inclusion")
    satisfied = what.truth if criterion.category == "inclusion" else ~what.truth
    if who.truth is Truth.UNKNOWN and satisfied is not Truth.YES:
        doubts = ("Whether this applies is not known.", *who.found, *who.to_do, *what.found)
        return _judgement("not_evaluable", CANNOT_TELL, sentences(doubts), who, what)
    word = _WORDS[satisfied]
    return _judgement(_OUTCOMES[what.truth], word, _reason(criterion, what, word), who, what)


def applies(criterion: Criterion, record: Record) -> Truth:
    """Whether the criterion is for this patient and scan at all."""
    return _applicability(criterion, record).truth


def leaves(workings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The single comparisons behind a judgement, each with what it found."""
    for part in (workings.get("applies_to"), workings.get("expression")):
        if part:
            yield from _leaves(part)


# From answers to judgements.


def _answer(expression: Expression, record: Record, *, wanted: bool = True) -> Answer:
    """The answer to an expression; one that can't be evaluated is not known, and says why."""
    try:
        return evaluate(expression, record, wanted=wanted)
    except Exception as error:
        return Answer(
            Truth.UNKNOWN,
            found=(f"This rule can't be evaluated: {type(error).__name__}: {error}.",),
            to_do=("Let the data manager correct the trial file.",),
            workings={"op": "error", "truth": "unknown", "error": str(error)},
        )


def _leaves(part: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "of" not in part:
        yield part
    for inner in part.get("of", ()):
        yield from _leaves(inner)


def _applicability(criterion: Criterion, record: Record) -> Answer:
    if criterion.applies_to is None:
        return Answer(Truth.YES, ())
    return _answer(criterion.applies_to, record)


def _judgement(
    outcome: Outcome, word: str, reason: str, who: Answer, what: Answer | None = None
) -> Judgement:
    answers = [who, what] if what else [who]
    return Judgement(
        outcome=outcome,
        word=word,
        reason=reason,
        is_provisional=any(answer.is_provisional for answer in answers),
        evidence=tuple(dict.fromkeys(one for answer in answers for one in answer.evidence)),
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
    return sentences(parts)


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
