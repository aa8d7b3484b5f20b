"""A table for each case report form, with columns that the protocol's versions fix.

An item is one column, and beside it the code that says why a value is missing. Where an
amendment made something else of an item - another type, another unit - what was entered before
has a column of its own, called by the last version that asked it so: two meanings never share
one. Columns come from the definitions and never from what was entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reporting.datasets.columns import (
    RECORD,
    SUBJECT,
    YES_NO,
    Column,
    Dataset,
    Privacy,
    Type,
)
from trials import canonical, case_report_forms, item_computations
from trials.case_report_forms import MISSING_WORDS, Form, Item

TABLE = "trials_formentry"
PREFIX = "form_"
NOT_ENTERED = "not asked, not answered, or missing for the reason beside it"
NOT_MISSING = "a value is there, or the item was not asked"
HEAD = (
    Column(
        "visit",
        "Visit that asked it",
        Type.TEXT,
        Privacy.TECHNICAL,
        origin="VISIT",
        missing="asked at any time",
    ),
    Column("repeat", "Which entry of the form", Type.INTEGER, Privacy.KEY, origin="--GRPID"),
    Column("protocol_version", "Protocol version it was begun under", Type.TEXT, Privacy.TECHNICAL),
)
TAIL = (
    Column("completed_at", "When the form was completed", Type.MOMENT, Privacy.QUASI),
    *RECORD,
)
# Of what the truth panel decides.
OF_PANEL = (
    Column(
        "changed_unblinded_at",
        "When the panel last changed it knowing the index test",
        Type.MOMENT,
        Privacy.QUASI,
        missing="decided blind, and not changed since",
    ),
)
_TYPES = {
    "integer": (Type.INTEGER, Privacy.HEALTH),
    "decimal": (Type.NUMBER, Privacy.HEALTH),
    "text": (Type.TEXT, Privacy.FREE_TEXT),
    "date": (Type.PARTIAL_DATE, Privacy.QUASI),
    "partial_date": (Type.PARTIAL_DATE, Privacy.QUASI),
    "time": (Type.TEXT, Privacy.QUASI),
    "datetime": (Type.MOMENT, Privacy.QUASI),
    "choice": (Type.TEXT, Privacy.HEALTH),
    "multi_choice": (Type.FLAG, Privacy.HEALTH),
    "yes_no": (Type.FLAG, Privacy.HEALTH),
}

# Of a value and the code of a missing one, what stands in a cell.
Reader = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a form's table: the item it is read from, in which versions, and how."""

    column: Column
    item: str
    versions: frozenset[int]
    read: Reader


@dataclass(frozen=True, slots=True)
class FormTable:
    """The dataset of a form, and where the columns of its items are read."""

    dataset: Dataset
    form: str
    places: tuple[Place, ...]
    is_of_panel: bool = False


def tables(definitions: Mapping[int, Mapping[str, Any]]) -> dict[str, FormTable]:
    """The tables of every form that a version asked; by name, definitions by version number."""
    asked: dict[str, dict[int, Form]] = {}
    for number in sorted(definitions):
        for name, form in case_report_forms.forms_of(definitions[number]).items():
            asked.setdefault(name, {})[number] = form
    return {f"{PREFIX}{name}": _table(name, forms) for name, forms in asked.items()}


def _table(name: str, forms: Mapping[int, Form]) -> FormTable:
    newest = forms[max(forms)]
    places = tuple(place for group in _meanings(forms) for place in _places(forms, *group))
    of_panel = OF_PANEL if newest.is_of_panel else ()
    columns = (*SUBJECT, *HEAD, *(place.column for place in places), *of_panel, *TAIL)
    dataset = Dataset(
        name=f"{PREFIX}{name}",
        label=newest.label,
        domain=newest.domain or "none",
        grain="a completed form of a patient",
        table=TABLE,
        keys=("usubjid", "visit", "repeat"),
        columns=columns,
    )
    return FormTable(dataset, name, places, newest.is_of_panel)


def _meanings(
    forms: Mapping[int, Form],
) -> Iterator[tuple[str, Sequence[Item], frozenset[int]]]:
    """Each item in each of its meanings: the name of its column, and what asked it so."""
    found: dict[str, dict[tuple[str, str, str], dict[int, Item]]] = {}
    # The newest form gives the order; what is asked no more follows.
    for number in sorted(forms, reverse=True):
        for item in forms[number].items:
            meanings = found.setdefault(item.identifier, {})
            rule = canonical.sha256(item.computed)
            meanings.setdefault((item.type, item.unit, rule), {})[number] = item
    for name, meanings in found.items():
        for i, items in enumerate(meanings.values()):
            last = max(items)
            column = name if i == 0 else f"{name}_v{last}"
            yield column, [items[one] for one in sorted(items)], frozenset(items)


def _places(
    forms: Mapping[int, Form], name: str, items: Sequence[Item], versions: frozenset[int]
) -> Iterator[Place]:
    item = items[-1]
    rule = item_computations.words(forms[max(versions)], item) if item.computed else ""
    codes = tuple(dict(pair for one in items for pair in one.codes).items())
    type_, privacy = _TYPES[item.type]
    origin = _origin(item)
    if item.type == "multi_choice":
        for code, label in codes:
            column = Column(
                f"{name}__{case_report_forms.column_word(code)}",
                f"{item.label}: {label}",
                type_,
                privacy,
                origin=origin,
                missing=NOT_ENTERED,
                codes=YES_NO,
            )
            yield Place(column, item.identifier, versions, _has(code))
    else:
        column = Column(
            name,
            item.label,
            type_,
            privacy,
            unit=item.unit,
            origin=origin,
            missing=NOT_ENTERED,
            derivation=rule,
            codes=YES_NO if item.type == "yes_no" else codes,
        )
        yield Place(
            column, item.identifier, versions, _moment if item.type == "datetime" else _as_is
        )
    if known := tuple(dict.fromkeys(code for one in items for code in one.missing)):
        why = Column(
            f"{name}_missing",
            f"{item.label}: why it is missing",
            Type.TEXT,
            Privacy.TECHNICAL,
            missing=NOT_MISSING,
            codes=tuple((code, MISSING_WORDS[code]) for code in known),
        )
        yield Place(why, item.identifier, versions, lambda _, missing: missing)


def _origin(item: Item) -> str:
    target = item.target or {}
    test = f" where test is {target['test']}" if "test" in target else ""
    return f"{target.get('variable', '')}{test}"


def _as_is(value: Any, _missing: str) -> Any:
    return value


def _moment(value: Any, _missing: str) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _has(code: str) -> Reader:
    return lambda value, _missing: None if value is None else code in value
