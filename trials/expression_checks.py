"""What is wrong with an expression before anybody is judged by it.

The schema of a trial file sees the shape of an expression; here its variables, units, values,
windows and anchors are checked against the vocabulary. The one mistake to fear is a rule that
can never be evaluated and therefore lets nobody in, found only with the first patient.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from trials import spans, variables
from trials.terms import (
    ABLE,
    AGE,
    ANCHORS,
    ATTESTED,
    COMPARISONS,
    EVENTS,
    LIMITS_OF_NORMAL,
    SCAN_GATES,
    SELECTIONS,
    TRACER,
)
from trials.vocabulary import Variable

Node = Mapping[str, Any]
# Any day does to see which of two durations is the longer one; this one begins a long month.
_SOME_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


def errors(
    node: Node,
    *,
    gate: str,
    tracers: Collection[str],
    anchors: Collection[str],
    scans: Collection[str] = (),
) -> Iterator[str]:
    """What is wrong with one node of an expression, a sentence each.

    `anchors` are those the trial file defines besides the general ones, as `visit.PET2`; `scans`
    are its planned scans.
    """
    yield from _window_errors(node, anchors)
    operator = node["op"]
    if operator == "at_least" and not 1 <= node["n"] <= len(node["of"]):
        yield f"at_least {node['n']} of {len(node['of'])} can't be."
    if operator == "before":
        yield from _before_errors(node, anchors)
    name = node.get("var")
    if name is None:
        return
    if name == TRACER:
        yield from _tracer_errors(node, gate, tracers)
    elif name == AGE:
        yield from _age_errors(node, anchors)
    elif name not in variables.VARIABLES:
        yield f"there is no variable {name!r}."
    else:
        yield from _comparison_errors(node, variables.VARIABLES[name])
    yield from _scan_errors(node, scans)


def _scan_errors(node: Node, scans: Collection[str]) -> Iterator[str]:
    """What a signed read found is asked of one planned scan, and nothing else is."""
    scan, is_read = node.get("scan"), node["var"] in variables.FROM_READS
    if is_read and not scans:
        yield f"{node['var']} is told by the read of a scan, and can't be asked here."
    elif is_read and scan not in scans:
        yield f"{node['var']} needs the scan: one of {', '.join(scans)}, got {scan!r}."
    elif scan and not is_read:
        yield f"{node['var']} is not told by a read, and has no scan."


def is_anchor(name: str, anchors: Collection[str]) -> bool:
    """Whether a time may hang on `name`: a general anchor, the file's own, or a date."""
    known = variables.VARIABLES.get(name)
    return name in ANCHORS or name in anchors or (known is not None and known.kind == "date")


def _window_errors(node: Node, anchors: Collection[str]) -> Iterator[str]:
    asked = node.get("window") or {}
    durations = {f"window.{end}": asked[end] for end in ("from", "to") if end in asked}
    lengths = [key for key in ("max_gap", "told_within") if key in node]
    durations |= {key: node[key] for key in lengths}
    if node["op"] == "time_since_gt":
        durations["value"] = node["value"]
    bad = {place: text for place, text in durations.items() if not spans.is_duration(text)}
    for place, text in bad.items():
        yield f"{place} must be a duration such as -P30D, -P1M or PT0S, got {text!r}."
    for place in (*lengths, "value"):
        if place in durations and place not in bad and durations[place].startswith("-"):
            yield f"{place} is a length of time and can't be negative, got {durations[place]!r}."
    if not bad and "from" in asked and _is_after(asked["from"], asked.get("to", "PT0S")):
        yield f"the window from {asked['from']} to {asked.get('to', 'PT0S')} holds no time."
    for name in filter(None, (asked.get("anchor"), node.get("anchor"))):
        yield from _anchor_errors(name, anchors)


def _is_after(start: str, end: str) -> bool:
    first = spans.shifted(_SOME_DAY, start, UTC)
    last = spans.shifted(_SOME_DAY, end, UTC, to_end_of_day=True)
    return first > last


def _anchor_errors(name: str, anchors: Collection[str]) -> Iterator[str]:
    if not is_anchor(name, anchors):
        known = ", ".join([*ANCHORS, *anchors])
        yield f"there is no anchor {name!r}: use one of {known}, or a variable that is a date."


def _before_errors(node: Node, anchors: Collection[str]) -> Iterator[str]:
    for key in ("a", "b"):
        yield from _anchor_errors(node[key], anchors)
    if node["a"] == node["b"]:
        yield f"{node['a']} can't be before itself."


def _tracer_errors(node: Node, gate: str, tracers: Collection[str]) -> Iterator[str]:
    if node["op"] != "eq" or node["value"] not in tracers:
        yield f"{TRACER} must equal one of {list(tracers)}, got {node.get('value')!r}."
    if gate not in SCAN_GATES:
        yield f"{TRACER} is known at the gates of a scan only, not at {gate}."


def _age_errors(node: Node, anchors: Collection[str]) -> Iterator[str]:
    limits = _limits(node)
    if node["op"] not in {*COMPARISONS, "between"} or not all(map(_is_number, limits)):
        yield f"{AGE} is compared with a number of years."
    elif node["op"] == "between" and node["low"] > node["high"]:
        yield f"{AGE}: low {node['low']:g} is above high {node['high']:g}."
    if "at" in node:
        yield from _anchor_errors(node["at"], anchors)


def _limits(node: Node) -> list[Any]:
    if node["op"] == "between":
        return [node["low"], node["high"]]
    return [node.get("value")]


def _comparison_errors(node: Node, known: Variable) -> Iterator[str]:
    operator = node["op"]
    if not _fits(operator, known):
        yield f"{operator} can't be asked of {known.name}, a {known.kind}."
        return
    if node.get("select", "latest") not in SELECTIONS:
        yield f"select is one of {', '.join(SELECTIONS)}, got {node['select']!r}."
    if known.name == ABLE:
        if not isinstance(node.get("value"), bool):
            yield f"{ABLE} is true or false, got {node.get('value')!r}."
    elif operator in LIMITS_OF_NORMAL:
        yield from _normal_errors(node, known)
    elif operator in {*EVENTS, "time_since_gt", ATTESTED}:
        return
    elif known.kind == "number":
        yield from _number_errors(node, known)
    else:
        yield from _value_errors(node, known)


def _fits(operator: str, known: Variable) -> bool:
    is_history = known.kind == "list" and not known.choices
    fits = {
        **dict.fromkeys((*EVENTS, "time_since_gt"), is_history),
        "in_any": known.kind == "list" and bool(known.choices),
        "in": known.kind == "choice",
        **dict.fromkeys(("eq", "lab_eq"), known.kind in {"number", "boolean", "choice"}),
        ATTESTED: known.kind == "boolean",
    }
    return fits.get(operator, known.kind == "number")


def _normal_errors(node: Node, known: Variable) -> Iterator[str]:
    if not any(one.name == "reference_high" for one in known.details):
        yield f"{known.name} is recorded without limits of normal."
    if not _is_number(node.get("factor")) or not node["factor"] > 0:
        yield f"factor is a positive number, got {node.get('factor')!r}."


def _number_errors(node: Node, known: Variable) -> Iterator[str]:
    limits, unit = _limits(node), node.get("unit", "")
    if not all(map(_is_number, limits)):
        yield f"{known.name} is compared with a number, got {limits}."
    elif node["op"] == "between" and node["low"] > node["high"]:
        yield f"{known.name}: low {node['low']:g} is above high {node['high']:g}."
    if unit not in (known.units or ("",)):
        expected = f"recorded in {' or '.join(known.units)}" if known.units else "without unit"
        yield f"{known.label} is {expected}; got {unit!r}."


def _value_errors(node: Node, known: Variable) -> Iterator[str]:
    value, is_list = node.get("value"), node["op"] in {"in", "in_any"}
    if is_list and not isinstance(value, list):
        yield f"{known.name} is compared with a list, got {value!r}."
        return
    try:
        if known.kind == "list":
            variables.checked(known.name, value, "")
            return
        values: list[Any] = value if isinstance(value, list) else [value]
        for one in values:
            if one is None:
                yield f"{known.name} is compared with a value, got none."
            else:
                variables.checked(known.name, one, "")
    except variables.VariableError as error:
        yield error.message


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
