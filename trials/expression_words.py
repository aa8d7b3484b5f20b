"""A criterion's expression as a sentence, for people who check it against the protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trials import variables
from trials.eligibility import AGE, ANCHORS, COMPARISONS, NO_SHIFT, TRACER, Expression

# ISO 8601 duration with a sign, one part of it: -P30D, P1M, PT24H.
DURATION = re.compile(r"([+-]?)P(T?)(\d+)([YMWDHS])")
UNITS = {
    ("", "Y"): "year",
    ("", "M"): "month",
    ("", "W"): "week",
    ("", "D"): "day",
    ("T", "H"): "hour",
    ("T", "M"): "minute",
    ("T", "S"): "second",
}


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
    """
    operator = expression["op"]
    if operator in {"all", "any"}:
        joint = " and " if operator == "all" else " or "
        return joint.join(_inner(one) for one in expression["of"])
    if operator == "not":
        return f"not {_inner(expression['of'])}"
    if operator == "consent":
        return _consent(expression)
    if operator == "unstated":
        return f"{expression['text']} (no source states it)"
    return _asked(expression) + _window(expression.get("window") or {})


def _inner(expression: Expression) -> str:
    words = expression_words(expression)
    return f"({words})" if expression["op"] in {"all", "any"} else words


def _consent(expression: Expression) -> str:
    versions = expression.get("versions")
    which = f" of version {' or '.join(versions)}" if versions else ""
    return f"Valid consent{which}, and no study-specific procedure before it"


def _asked(expression: Expression) -> str:
    operator, name, value = expression["op"], expression["var"], expression.get("value")
    if name == AGE:
        anchor = ANCHORS[expression.get("at", "consent")]
        return f"Age {COMPARISONS[operator]} {value:g} years at {anchor}"
    if name == TRACER:
        return f"Tracer of the scan: {value}"
    label = variables.variable(name).label
    if operator in {"occurred", "never"}:
        return f"{label}: {'any' if operator == 'occurred' else 'none'}"
    if operator in {"in", "in_any"}:
        options = ", ".join(variables.shown(name, one) for one in value or [])
        return f"{label}: one of {options}"
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
    anchor = ANCHORS[asked.get("anchor", "gate")]
    end = _edge(asked.get("to", NO_SHIFT), anchor)
    start = asked.get("from")
    return f", up to {end}" if start is None else f", from {_edge(start, anchor)} to {end}"


def _edge(duration: str, anchor: str) -> str:
    """`-P30D` of an anchor: 30 days before it."""
    if duration == NO_SHIFT:
        return anchor
    match = DURATION.fullmatch(duration)
    if match is None:
        return f"{duration} of {anchor}"
    sign, clock, number, unit = match.groups()
    plural = "" if number == "1" else "s"
    side = "before" if sign == "-" else "after"
    return f"{number} {UNITS[clock, unit]}{plural} {side} {anchor}"
