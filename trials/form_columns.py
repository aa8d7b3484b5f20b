"""What the columns of a form's table are called, for its export and for files that are sent back.

An item is one column under its own name. Where an amendment made something else of it - another
type, another unit, another rule - what was asked before has a column of its own, called by the last
version that asked it so: two meanings never share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trials import canonical
from trials.case_report_forms import Form, Item, column_word


@dataclass(frozen=True, slots=True)
class Meaning:
    """An item as some versions of a form ask it, oldest first, and the column it has."""

    column: str
    items: tuple[Item, ...]
    versions: frozenset[int]


def meanings(forms: Mapping[int, Form]) -> list[Meaning]:
    """Each item in each of its meanings; `forms` are those of one name by version number.

    >>> pounds = Item("weight", "Weight", "decimal", unit="lb")
    >>> kilos = Item("weight", "Weight", "decimal", unit="kg")
    >>> old, new = Form("f", "F", (pounds,)), Form("f", "F", (kilos,))
    >>> [(one.column, sorted(one.versions)) for one in meanings({1: old, 2: old, 3: new})]
    [('weight', [3]), ('weight_v2', [1, 2])]
    """
    found: dict[str, dict[tuple[str, str, str], dict[int, Item]]] = {}
    # The newest form gives the order; what is asked no more follows.
    for number in sorted(forms, reverse=True):
        for item in forms[number].items:
            rule = canonical.sha256(item.computed)
            known = found.setdefault(item.identifier, {})
            known.setdefault((item.type, item.unit, rule), {})[number] = item
    return [
        Meaning(
            name if i == 0 else f"{name}_v{max(items)}",
            tuple(items[one] for one in sorted(items)),
            frozenset(items),
        )
        for name, known in found.items()
        for i, items in enumerate(known.values())
    ]


def names_of(every: Iterable[Meaning], version: int) -> dict[str, str]:
    """The column of each item that a version asks."""
    return {one.items[0].identifier: one.column for one in every if version in one.versions}


def value_columns(item: Item, name: str = "") -> list[str]:
    """The columns that the value of an item has: of several choices, one for each code."""
    column = name or item.identifier
    if item.type != "multi_choice":
        return [column]
    return [f"{column}__{column_word(code)}" for code, _ in item.codes]


def columns_of(item: Item, name: str = "") -> list[str]:
    """The columns of an item: its value, and beside it which code says why it is missing."""
    column = name or item.identifier
    why = [f"{column}_missing", f"{column}_reason"] if item.missing else []
    return [*value_columns(item, column), *why]
