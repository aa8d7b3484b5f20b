"""The words of an answer: what was found, what it was compared with, what would settle it.

The words are made from the truth and the readings that gave it, so that a sentence can't say
anything but what was concluded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

from trials import spans, variables
from trials.kleene import Truth
from trials.readings import Anchor, Reading, Record
from trials.spans import Span, Window
from trials.terms import ANCHORS, ATTESTED, COMPARISONS, EVENTS, LIMITS_OF_NORMAL, Expression

_SELECTED = {
    "first": "first ",
    "worst": "each of ",
    "any": "any of ",
    "all": "each of ",
}


def found(
    expression: Expression, truth: Truth, chosen: Sequence[Reading], window_words: str
) -> str:
    """What the record says of a variable, and how it compares."""
    name = expression["var"]
    label = variables.variable(name).label + of_scan(expression)
    if not chosen:
        return f"{label}: nothing is recorded {window_words}."
    select = _SELECTED.get(expression.get("select", "latest"), "")
    joint = " and " if select in {"any of ", "each of "} else ", or "
    told = f"{label}: {select}{joint.join(reading.words for reading in chosen)}"
    if expression["op"] in EVENTS:
        occurred = truth if expression["op"] == "occurred" else ~truth
        some = {Truth.YES: "one", Truth.NO: "none", Truth.UNKNOWN: "it can't be told whether one"}
        return f"{told}: {some[occurred]} {_reach(expression, window_words)}."
    if expression["op"] == ATTESTED or isinstance(expression.get("value"), bool | str):
        return f"{told}."
    return claimed(told, truth, limit(expression, expression.get("unit", "")))


def of_scan(expression: Expression) -> str:
    """Of which planned scan a signed read is asked.

    >>> of_scan({"op": "gt", "var": "read.suvmax", "scan": "ptf"}), of_scan({"op": "gt"})
    (', scan ptf', '')
    """
    scan = expression.get("scan")
    return f", scan {scan}" if scan else ""


def limit(expression: Expression, unit: str) -> str:
    """What a value is compared with.

    >>> limit({"op": "between", "low": 18, "high": 75}, "years")
    'between 18 and 75 years'
    """
    operator = expression["op"]
    if operator in {"in", "in_any"}:
        shown = (variables.shown(expression["var"], one) for one in expression["value"])
        return f"among {', '.join(shown)}"
    if operator == "between":
        return f"between {expression['low']:g} and {expression['high']:g} {unit}".strip()
    if operator in LIMITS_OF_NORMAL:
        side = "at most", "upper"
        if operator == "ge_lln":
            side = "at least", "lower"
        return f"{side[0]} {expression['factor']:g} times the {side[1]} limit of normal"
    how = COMPARISONS["eq" if operator == "lab_eq" else operator]
    return f"{how} {expression['value']:g} {unit}".strip()


def claimed(told: str, truth: Truth, claim: str) -> str:
    """A value with the claim about it, as far as it holds."""
    if truth is Truth.UNKNOWN:
        return f"{told}; whether that is {claim} can't be told."
    return f"{told}, which is {'' if truth is Truth.YES else 'not '}{claim}."


def to_do(truth: Truth, chosen: Sequence[Reading], window_words: str) -> tuple[str, ...]:
    """What would settle an answer that is not known."""
    if truth is not Truth.UNKNOWN:
        return ()
    if not chosen:
        return (f"Record it, dated {window_words}.",)
    problems = tuple(dict.fromkeys(one.problem for one in chosen if one.problem))
    if problems:
        return problems
    if len(chosen) > 1:
        return ("Give the times, so that the newest is known, or correct the wrong one.",)
    return ("Give the dates, the value or its limits of normal more precisely.",)


def ask_again(chosen: Sequence[Reading], record: Record) -> str:
    """What to do about a history that was told too long ago to answer."""
    told = " or ".join(dict.fromkeys(day(one.when, record) for one in chosen))
    return (
        f"A history of {told} is too old to answer this: ask again and record the answer with "
        "its date, also if nothing was added."
    )


def order(expression: Expression, truth: Truth, said: Sequence[str]) -> str:
    """Whether one event came before another."""
    gap = expression.get("max_gap")
    claim = f"before {said[1]}" + (f" and at most {duration(gap)} before it" if gap else "")
    if truth is Truth.UNKNOWN:
        return f"Whether {said[0]} was {claim} can't be told."
    return f"{said[0][:1].upper()}{said[0][1:]} was {'' if truth is Truth.YES else 'not '}{claim}."


def event(name: str, at: Anchor | None, record: Record) -> str:
    """An event with its time, as far as known."""
    label = anchor_name(name)
    if at is None:
        return f"{label} (no time is recorded)"
    planned = "planned " if at.basis == "planned" else ""
    return f"{label} ({planned}{_moment(at.at, record)})"


def anchor(name: str, at: Anchor) -> str:
    """An anchor with what it stands on."""
    label = anchor_name(name)
    if at.basis == "assessment":
        return f"{label} not known, so at the assessment"
    return f"planned {label}" if at.basis == "planned" else label


def anchor_name(name: str) -> str:
    """How an anchor is called.

    >>> anchor_name("imaging"), anchor_name("therapy.induction_start"), anchor_name("visit.PET2")
    ('imaging', 'start of induction', 'visit PET2')
    """
    if name in ANCHORS:
        return ANCHORS[name]
    known = variables.VARIABLES.get(name)
    return known.label[:1].lower() + known.label[1:] if known else name.replace(".", " ", 1)


def duration(text: str) -> str:
    """A duration in words.

    >>> duration("PT72H"), duration("-P1M"), duration("P6W")
    ('72 hours', '1 month', '6 weeks')
    """
    match = spans.DURATION.fullmatch(text)
    if match is None:
        return text
    parts = ((int(match[unit] or 0), unit[:-1]) for unit in spans.UNITS)
    said = [f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n]
    return " ".join(said) or "no time"


def window(inside: Window, record: Record) -> str:
    """A window in words."""
    end = _minute(inside.end.last, record)
    if inside.start.first == spans.BEGINNING:
        return f"up to {end}"
    return f"from {_minute(inside.start.first, record)} to {end}"


def day(when: Span, record: Record) -> str:
    """The day, or the days between which something may have been."""
    first, last = (f"{at.astimezone(record.zone):%Y-%m-%d}" for at in (when.first, when.last))
    return first if first == last else f"{first} to {last}"


def local(at: datetime, record: Record) -> str | None:
    """A time at the site; None for the open end of a window."""
    return _local(at, record.zone)


def sentences(parts: Iterable[Any]) -> str:
    """The parts that say something, each once."""
    return " ".join(dict.fromkeys(part for part in parts if part))


def _reach(expression: Expression, window_words: str) -> str:
    half_lives = expression.get("within_half_lives")
    if half_lives is None:
        return window_words
    return f"within {half_lives:g} half-lives {window_words}"


def _moment(when: Span, record: Record) -> str:
    return _minute(when.first, record) if when.first == when.last else day(when, record)


def _minute(at: datetime, record: Record) -> str:
    return _to_the_minute(at, record.zone)


@lru_cache(maxsize=65536)
def _to_the_minute(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


@lru_cache(maxsize=65536)
def _local(at: datetime, zone: tzinfo) -> str | None:
    if at in (spans.BEGINNING, spans.END):
        return None
    return at.astimezone(zone).isoformat(timespec="seconds")
