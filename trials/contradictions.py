"""Criteria that no patient can satisfy together, found before anybody is screened.

What every patient must show is what inclusions ask and exclusions forbid. Two demands on the
same variable, in the same unit, window and selection, leave an interval or a set; where it is
empty, nobody can be eligible, and one of the two was written wrongly. Only what is certain is
told: alternatives ("any") and criteria for different groups of patients are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from trials import canonical, variables
from trials.terms import AGE, AGE_AT, ATTESTED

Path = tuple[str | int, ...]
_NEGATED = {"gt": "le", "le": "gt", "lt": "ge", "ge": "lt"}


@dataclass(frozen=True, slots=True)
class Demand:
    """What one criterion asks of a variable: an interval, or the values that remain."""

    criterion: int
    identifier: str
    conflicts_with: frozenset[str]
    group: str
    about: str
    low: float = -math.inf
    high: float = math.inf
    is_low_open: bool = False
    is_high_open: bool = False
    values: frozenset[Any] | None = None


def errors(definition: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Every pair of demands that exclude each other."""
    demands = [
        demand for i, one in enumerate(definition["criteria"]) for demand in _demands(i, one)
    ]
    for one, other in combinations(demands, 2):
        same = (one.group, one.about) == (other.group, other.about)
        settled_elsewhere = one.identifier in other.conflicts_with
        if same and not settled_elsewhere and _is_empty(one, other):
            yield ("criteria", other.criterion), _sentence(one, other)


def _sentence(one: Demand, other: Demand) -> str:
    name = other.about.split(" ", 1)[0]
    if one.identifier == other.identifier:
        return f"{other.identifier} contradicts itself on {name}: nobody can satisfy it."
    return (
        f"{other.identifier} contradicts {one.identifier} on {name}: nobody can satisfy both. "
        "Correct one of them, or name them in conflicts_with if the sources disagree."
    )


def _demands(number: int, criterion: Mapping[str, Any]) -> Iterator[Demand]:
    group = canonical.text(criterion.get("applies_to"))
    is_wanted = criterion["category"] == "inclusion"
    for node, wanted in _certain(criterion["expression"], is_wanted):
        about = _about(node)
        limits = _limits(node, wanted)
        if about and limits is not None:
            yield Demand(
                number,
                criterion["identifier"],
                frozenset(criterion.get("conflicts_with", ())),
                group,
                about,
                **limits,
            )


def _certain(node: Mapping[str, Any], wanted: bool) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The single comparisons that must come out as wanted, whatever else does."""
    operator = node["op"]
    if operator == "not":
        yield from _certain(node["of"], not wanted)
    elif operator in {"all", "any"}:
        if (operator == "all") == wanted or len(node["of"]) == 1:
            for inner in node["of"]:
                yield from _certain(inner, wanted)
    elif "var" in node:
        yield node, wanted


def _about(node: Mapping[str, Any]) -> str:
    """What two demands must share to be compared."""
    if node.get("select", "latest") not in {"latest", "first"}:
        return ""
    name = node["var"]
    where = {key: node.get(key) for key in ("window", "at", "select", "within_half_lives", "scan")}
    if name == AGE:
        where["at"] = node.get("at", AGE_AT)
    return f"{name} {canonical.text(where)}"


def _limits(node: Mapping[str, Any], wanted: bool) -> dict[str, Any] | None:
    operator, name = node["op"], node["var"]
    if operator in {"occurred", "never"}:
        return {"values": frozenset({(operator == "occurred") == wanted})}
    if operator == ATTESTED:
        return {"values": frozenset({wanted})}
    known = variables.VARIABLES.get(name)
    if name == AGE or (known and known.kind == "number"):
        return _interval(node, wanted)
    if known and known.kind in {"boolean", "choice"} and operator in {"eq", "lab_eq", "in"}:
        return {"values": _remaining(known, node, wanted)}
    return None


def _remaining(known: Any, node: Mapping[str, Any], wanted: bool) -> frozenset[Any]:
    value = node["value"]
    named = frozenset(value if isinstance(value, list) else [value])
    every = frozenset(code for code, _ in known.choices) or frozenset({True, False})
    return named if wanted else every - named


def _interval(node: Mapping[str, Any], wanted: bool) -> dict[str, Any] | None:
    operator = node["op"]
    if operator == "between" and wanted:
        low, high = (_in_first_unit(node, node[end]) for end in ("low", "high"))
        return {"low": low, "high": high}
    if operator in {"eq", "lab_eq"} and wanted:
        value = _in_first_unit(node, node["value"])
        return {"low": value, "high": value}
    if operator not in _NEGATED:
        return None
    operator = operator if wanted else _NEGATED[operator]
    limit = _in_first_unit(node, node["value"])
    if operator in {"gt", "ge"}:
        return {"low": limit, "is_low_open": operator == "gt"}
    return {"high": limit, "is_high_open": operator == "lt"}


def _in_first_unit(node: Mapping[str, Any], value: float) -> float:
    known = variables.VARIABLES.get(node["var"])
    if known is None or not known.units:
        return value
    return variables.converted(known.name, value, frm=node.get("unit", ""), to=known.units[0])


def _is_empty(one: Demand, other: Demand) -> bool:
    if one.values is not None and other.values is not None:
        return not one.values & other.values
    low, high = max(one.low, other.low), min(one.high, other.high)
    if low != high:
        return low > high
    ends = [(d.low, d.is_low_open) for d in (one, other)] + [
        (d.high, d.is_high_open) for d in (one, other)
    ]
    return any(end == low and is_open for end, is_open in ends)
