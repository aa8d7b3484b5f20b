"""Branching logic of REDCap as a condition of a form.

What is read: comparisons of a field or of a box of a checkbox with a text or number, joined by
`and`, `or`, `not` and brackets. Anything else is refused by name; so is "not equal", which in
REDCap holds of an empty field too and here of no empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<field>\[[^\]]*\]) | (?P<text>"[^"]*"|'[^']*') | (?P<number>-?\d+(?:\.\d+)?)
        | (?P<operator><>|!=|<=|>=|=|<|>) | (?P<bracket>[()]) | (?P<word>[A-Za-z_]+)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(r"\[([a-z][a-z0-9_]*)(?:\(([^()]+)\))?\]")
_SIZES = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}
DEEPEST = 20


class BranchingError(ValueError):
    """A logic that conditions here can't say; the message says what of it."""


def expression(text: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The condition that a logic is, of the items before; raises BranchingError.

    >>> sex = {"identifier": "sex", "type": "choice", "codes": [{"code": "0"}, {"code": "1"}]}
    >>> expression('[sex] = "0"', [sex])
    {'op': 'eq', 'var': 'sex', 'value': '0'}
    """
    reader = _Reader(_tokens(text), {one["identifier"]: one for one in items})
    found = reader.alternatives(0)
    if reader.at < len(reader.tokens):
        raise BranchingError(f"{reader.tokens[reader.at][1]!r} is not understood.")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BranchingError(f"{text[at : at + 20]!r} is not understood.")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        at = match.end()
    return found


class _Reader:
    """A descent over the tokens: `or` binds less than `and`, and `and` less than `not`."""

    def __init__(self, tokens: list[tuple[str, str]], items: Mapping[str, Mapping[str, Any]]):
        self.tokens, self.items, self.at = tokens, items, 0

    def alternatives(self, depth: int) -> dict[str, Any]:
        if depth > DEEPEST:
            raise BranchingError("it is nested too deeply.")
        parts = [self._all(depth)]
        while self._takes("word", "or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else {"op": "any", "of": parts}

    def _all(self, depth: int) -> dict[str, Any]:
        parts = [self._one(depth)]
        while self._takes("word", "and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else {"op": "all", "of": parts}

    def _one(self, depth: int) -> dict[str, Any]:
        if self._takes("bracket", "("):
            found = self.alternatives(depth + 1)
            if not self._takes("bracket", ")"):
                raise BranchingError("a bracket is not closed.")
            return found
        kind, name = self._next()
        if kind != "field":
            raise BranchingError(f"{name!r} is not understood.")
        operator = self._next()
        value = self._next()
        if operator[0] != "operator" or value[0] not in ("text", "number"):
            raise BranchingError(f"after {name} a comparison with a value is expected.")
        return self._compared(name, operator[1], value[1].strip("\"'"))

    def _takes(self, kind: str, text: str) -> bool:
        if self.at < len(self.tokens):
            found = self.tokens[self.at]
            if found[0] == kind and found[1].lower() == text:
                self.at += 1
                return True
        return False

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise BranchingError("it ends too early.")
        self.at += 1
        return self.tokens[self.at - 1]

    def _compared(self, field: str, operator: str, value: str) -> dict[str, Any]:
        match = _FIELD.fullmatch(field)
        if match is None:
            raise BranchingError(f"{field} is of another event, or none of the form's fields.")
        name, box = match.groups()
        item = self.items.get(name)
        if item is None:
            raise BranchingError(f"{name} is no earlier item of the same form.")
        if operator in ("<>", "!="):
            raise BranchingError(f"“not equal” of {name} holds in REDCap of an empty field too.")
        if box is not None:
            return _ticked(item, box, operator, value)
        if item["type"] == "yes_no":
            if operator == "=" and value in ("0", "1"):
                return {"op": "eq", "var": name, "value": value == "1"}
        elif item["type"] == "choice":
            if operator == "=" and value in [one["code"] for one in item["codes"]]:
                return {"op": "eq", "var": name, "value": value}
        elif item["type"] in ("integer", "decimal"):
            return _sized(name, operator, value)
        raise BranchingError(f"{name} {operator} {value!r} can't be asked of {item['type']}.")


def _ticked(item: Mapping[str, Any], box: str, operator: str, value: str) -> dict[str, Any]:
    name = item["identifier"]
    if item["type"] != "multi_choice" or box not in [one["code"] for one in item["codes"]]:
        raise BranchingError(f"{name} has no box {box!r}.")
    if operator != "=" or value != "1":
        raise BranchingError(f"that the box {box} of {name} is empty can't be told from unasked.")
    return {"op": "in_any", "var": name, "value": [box]}


def _sized(name: str, operator: str, value: str) -> dict[str, Any]:
    try:
        number = float(value)
    except ValueError:
        raise BranchingError(f"{name} is a number, got {value!r}.") from None
    stated = int(number) if number.is_integer() else number
    if operator == "=":
        return {"op": "between", "var": name, "low": stated, "high": stated}
    return {"op": _SIZES[operator], "var": name, "value": stated}
