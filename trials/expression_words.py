"""A criterion's expression as a sentence, for people who check it against the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trials import answer_words, variables
from trials.eligibility import AGE, COMPARISONS, NO_SHIFT, TRACER, Expression
from trials.terms import ATTESTED, LIMITS_OF_NORMAL


def expression_words(expression: Expression) -> str:
    """What an expression asks.

    >>> expression_words({"op": "ge", "var": "age_years", "value": 18})
    'Age at least 18 years at consent'
    >>> expression_words({"op": "eq", "var": "sex_at_birth", "value": "F"})
    'Sex at birth: Female'
    >>> expression_words({"op": "unstated", "text": "the rest of the list"})
    'the rest of the list (no source states it)'
    >>> expression_words({"op": "occurred", "var": "therapy.anticancer",
    ...                   "window": {"anchor": "imaging", "from": "-P1M"}})
    'Anti-cancer therapies: any, from 1 month before imaging to imaging'
    >>> expression_words({"op": "never", "var": "scan.fdg", "told_within": "P14D"})
    'FDG PET scans outside the trial: none, asked at most 14 days ago'
    """
    operator = expression["op"]
    if operator in {"all", "any"}:
        joint = " and " if operator == "all" else " or "
        return joint.join(_inner(one) for one in expression["of"])
    if operator == "not":
        return f"not {_inner(expression['of'])}"
    if operator == "consent":
        return _consent(expression)
    if operator == "at_least":
        return f"at least {expression['n']} of: {'; '.join(map(_inner, expression['of']))}"
    if operator == "unstated":
        return f"{expression['text']} (no source states it)"
    if operator == "before":
        return _before(expression)
    if operator == "time_since_gt":
        return _time_since(expression)
    asked = _selected(expression) + _asked(expression)
    return asked + _window(expression.get("window") or {}) + _told(expression)


def _inner(expression: Expression) -> str:
    words = expression_words(expression)
    return f"({words})" if expression["op"] in {"all", "any", "at_least"} else words


def _before(expression: Expression) -> str:
    first, second = (answer_words.anchor_name(expression[key]) for key in ("a", "b"))
    gap = expression.get("max_gap")
    near = f", at most {answer_words.duration(gap)} before it" if gap else ""
    return f"{first[:1].upper()}{first[1:]} before {second}{near}"


def _time_since(expression: Expression) -> str:
    label = variables.variable(expression["var"]).label
    anchor = answer_words.anchor_name(expression.get("anchor", "gate"))
    since = answer_words.duration(expression["value"])
    return f"{label}: more than {since} before {anchor}{_told(expression)}"


def _selected(expression: Expression) -> str:
    select = expression.get("select", "latest")
    return {"latest": "", "first": "First ", "any": "Any "}.get(select, "Every ")


def _consent(expression: Expression) -> str:
    versions = expression.get("versions")
    which = f" of version {' or '.join(versions)}" if versions else ""
    return f"Valid consent{which}, and no study-specific procedure before it"


def _asked(expression: Expression) -> str:
    operator, name, value = expression["op"], expression["var"], expression.get("value")
    if name == AGE:
        anchor = answer_words.anchor_name(expression.get("at", "consent"))
        return f"Age {answer_words.limit(expression, 'years')} at {anchor}"
    if name == TRACER:
        return f"Tracer of the scan: {value}"
    label = variables.variable(name).label + answer_words.of_scan(expression)
    if operator in {"occurred", "never"}:
        some = "any" if operator == "occurred" else "none"
        half_lives = expression.get("within_half_lives")
        return f"{label}: {some}" + (f" within {half_lives:g} half-lives" if half_lives else "")
    if operator == ATTESTED:
        return f"{label}, as attested"
    if operator == "between" or operator in LIMITS_OF_NORMAL:
        return f"{label} {answer_words.limit(expression, _unit(expression))}"
    if operator in {"in", "in_any"}:
        options = ", ".join(variables.shown(name, one) for one in value or [])
        return f"{label}: one of {options}"
    operator = "eq" if operator == "lab_eq" else operator
    if operator == "eq" and not _is_number(value):
        return f"{label}: {variables.shown(name, value)}"
    return f"{label} {COMPARISONS[operator]} {variables.shown(name, value, _unit(expression))}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unit(expression: Expression) -> str:
    return str(expression.get("unit") or "")


def _window(asked: Mapping[str, str]) -> str:
    if not asked:
        return ""
    anchor = answer_words.anchor_name(asked.get("anchor", "gate"))
    end = _edge(asked.get("to", NO_SHIFT), anchor)
    start = asked.get("from")
    return f", up to {end}" if start is None else f", from {_edge(start, anchor)} to {end}"


def _told(expression: Expression) -> str:
    """For how long a history of events answers, where the trial says so."""
    told_within = expression.get("told_within")
    return f", asked at most {answer_words.duration(told_within)} ago" if told_within else ""


def _edge(duration: str, anchor: str) -> str:
    """`-P30D` of an anchor: 30 days before it."""
    if duration == NO_SHIFT:
        return anchor
    side = "before" if duration.startswith("-") else "after"
    return f"{answer_words.duration(duration)} {side} {anchor}"
