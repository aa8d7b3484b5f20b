"""One value of a derivation, and a derivation without dates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Node:
    """One value in a derivation, where it comes from, and what it was computed from."""

    label: str
    value: Any = None
    unit: str = ""
    source: str = ""
    inputs: tuple[Node, ...] = field(default=())
    # How it follows from its inputs, with the values put in; and the page of the row it is from.
    formula: str = ""
    address: str = ""

    def to_json(self) -> dict:
        return {
            "label": self.label,
            "value": self.value,
            "unit": self.unit,
            "source": self.source,
            "formula": self.formula,
            "address": self.address,
            "inputs": [node.to_json() for node in self.inputs],
        }


# A day, and the time of day that follows it.
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}\S*)?")
NO_DATE = "date not shown to readers"


def undated(node: Node) -> Node:
    """A derivation without any date, wherever in it one is written."""
    return replace(
        node,
        **{
            name: _DATE.sub(NO_DATE, getattr(node, name)) for name in ("label", "source", "formula")
        },
        value=_undated(node.value),
        inputs=tuple(undated(one) for one in node.inputs),
    )


def _undated(value: Any) -> Any:
    if isinstance(value, list):
        return [_undated(one) for one in value]
    if isinstance(value, dict):
        return {name: _undated(one) for name, one in value.items()}
    return _DATE.sub(NO_DATE, value) if isinstance(value, str) else value


def millimetres(point: list[float]) -> str:
    return "({:.1f}, {:.1f}, {:.1f}) mm".format(*point)
