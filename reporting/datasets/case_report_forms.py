"""A table for each case report form, with columns that the protocol's versions fix.

An item is one column, and beside it the code that says why a value is missing and the reason in
words. What an amendment made something else of has a column for each meaning, see
`trials.form_columns`. Columns come from the definitions and never from what was entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from reporting.datasets.tells import IN_ALL, NOTHING, Tag, Tells
from trials import case_report_forms, form_columns, item_computations
from trials.case_report_forms import MISSING_WORDS, Form, Item
from trials.form_columns import Meaning
from trials.item_values import Entered

TABLE = "trials_formentry"
PREFIX = "form_"
NOT_ENTERED = "not asked, not answered, or missing for the reason beside it"
NOT_MISSING = "a value is there, or the item was not asked"
NO_REASON = "a value is there, the item was not asked, or no reason was given beside the code"
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

# What stands in a cell, of a value or why it is missing.
Reader = Callable[[Entered], Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a form's table: the item it is read from, in which versions, and how.

    `is_value` tells the value itself from why it is missing.
    """

    column: Column
    item: str
    versions: frozenset[int]
    read: Reader
    is_value: bool = True


@dataclass(frozen=True, slots=True)
class FormTable:
    """The dataset of a form, and where the columns of its items are read."""

    dataset: Dataset
    form: str
    places: tuple[Place, ...]
    is_of_panel: bool = False

    @property
    def tells(self) -> Tells:
        """What each column can tell who has to stay blind: an item of the panel the truth."""
        fixed = (*HEAD, *OF_PANEL, *TAIL)
        truth = frozenset({Tag.REFERENCE} if self.is_of_panel else ())
        return {
            **{place.column.name: truth | _words(place.column) for place in self.places},
            **dict.fromkeys((*IN_ALL.split(), *(one.name for one in fixed)), NOTHING),
        }


def _words(column: Column) -> frozenset[Tag]:
    is_text = column.privacy in (Privacy.FREE_TEXT, Privacy.PANEL_TEXT)
    return frozenset({Tag.FREE_TEXT} if is_text else ())


def tables(definitions: Mapping[int, Mapping[str, Any]]) -> dict[str, FormTable]:
    """The tables of every form that a version asked; by name, definitions by version number."""
    asked: dict[str, dict[int, Form]] = {}
    for number in sorted(definitions):
        for name, form in case_report_forms.forms_of(definitions[number]).items():
            asked.setdefault(name, {})[number] = form
    return {f"{PREFIX}{name}": _table(name, forms) for name, forms in asked.items()}


def _table(name: str, forms: Mapping[int, Form]) -> FormTable:
    newest = forms[max(forms)]
    places = tuple(place for one in form_columns.meanings(forms) for place in _places(forms, one))
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


def _places(forms: Mapping[int, Form], meaning: Meaning) -> Iterator[Place]:
    name, items, versions = meaning.column, meaning.items, meaning.versions
    item = items[-1]
    rule = item_computations.words(forms[max(versions)], item) if item.computed else ""
    codes = tuple(dict(pair for one in items for pair in one.codes).items())
    type_, privacy = _TYPES[item.type]
    words = Privacy.PANEL_TEXT if forms[max(versions)].is_of_panel else Privacy.FREE_TEXT
    privacy = words if privacy is Privacy.FREE_TEXT else privacy
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
        yield Place(why, item.identifier, versions, lambda entered: entered.missing, False)
        said = Column(
            f"{name}_reason",
            f"{item.label}: the reason in words",
            Type.TEXT,
            words,
            missing=NO_REASON,
        )
        yield Place(said, item.identifier, versions, lambda entered: entered.reason, False)


def _origin(item: Item) -> str:
    target = item.target or {}
    test = f" where test is {target['test']}" if "test" in target else ""
    return f"{target.get('variable', '')}{test}"


def _as_is(entered: Entered) -> Any:
    return entered.value


def _moment(entered: Entered) -> datetime | None:
    return datetime.fromisoformat(entered.value) if entered.value else None


def _has(code: str) -> Reader:
    return lambda entered: None if entered.value is None else code in entered.value
