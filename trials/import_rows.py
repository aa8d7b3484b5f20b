"""Rows of a file as values of a form: what each cell says, or why it can't be read.

Columns are called as those of the form's export, so that an exported file may be sent back. What
an empty cell says is nothing: it neither answers an item nor empties one; a mark that was declared
empties it. The one mistake to fear is a number or a date read in another country's spelling, so
either is refused unless the file's own spelling was declared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from trials.case_report_forms import DATES, MISSING, NUMBERS, Form, Item, column_word
from trials.form_checks import COLUMNS
from trials.form_columns import Meaning, value_columns
from trials.form_columns import columns_of as item_columns
from trials.import_tables import Line

PATIENT, VISIT, REPEAT = "patient", "visit", "repeat"
PLACE = (PATIENT, VISIT, REPEAT)
# What an export says beside the items, which the record knows by itself.
PASSED_OVER = COLUMNS - set(PLACE)
DATE_ORDERS = {
    "iso": "2026-03-02",
    "dmy": "02.03.2026 or 02/03/2026",
    "mdy": "03/02/2026",
}
_TRUTHS = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}
_ISO = re.compile(r"[0-9]{4}(-|$)")
_OTHER_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})(.*)", re.DOTALL)
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
# What the export puts an apostrophe before, so that no spreadsheet runs it; not before numbers.
_GUARDED = re.compile(r"'(?=[=+\-@＝＋－＠'])(?![+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$)")
_CODE_MARK = re.compile(r"[|;]")
# An answer that a file takes away.
EMPTIED = object()
LONGEST_MARK = 20


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a file writes numbers, dates and what is missing, as declared by who sends it.

    `missing` gives to a text such as -99 the code of the form and the reason in words. A file
    `is_guarded` as the exports are: an apostrophe stands before a text that looks like a formula.
    """

    decimal_comma: bool = False
    date_order: str = "iso"
    missing: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    is_guarded: bool = True
    # What a cell says that empties an answer; without one no file does.
    emptied: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What one row says: values by item as they would be sent, and errors by column.

    What it says of items that are computed stands apart: nobody enters them.
    """

    given: Mapping[str, Any]
    errors: Mapping[str, str]
    computed: Mapping[str, Any] = field(default_factory=dict)


class SpellingError(ValueError):
    """A declaration that can't be read; the message says what is expected."""


def missing_codes(text: str) -> dict[str, tuple[str, str]]:
    """Declared codes of missing values, one in a line or between commas.

    >>> missing_codes("-99=NK, -98=ND: not done at this visit")
    {'-99': ('NK', ''), '-98': ('ND', 'not done at this visit')}
    """
    found: dict[str, tuple[str, str]] = {}
    for part in filter(None, (one.strip() for one in re.split(r"[\n,]", text))):
        written, equals, rest = part.partition("=")
        code, _, reason = rest.partition(":")
        if not equals or code.strip() not in MISSING:
            known = ", ".join(MISSING)
            raise SpellingError(f"{part!r:.60}: write as -99=NK, with one of {known}.")
        if written.strip() in found:
            raise SpellingError(f"{written.strip()!r:.60} stands twice: say once what it means.")
        found[written.strip()] = (code.strip(), reason.strip())
    return found


def emptying_mark(text: str) -> str:
    """What is declared to empty an answer; raises SpellingError for what may be one itself.

    >>> emptying_mark(" <empty> ")
    '<empty>'
    """
    mark = text.strip()
    if len(mark) == 1 or len(mark) > LONGEST_MARK or any(one.isdigit() for one in mark):
        raise SpellingError(
            f"{mark!r:.60}: what empties an answer is a mark such as <empty>, of two to "
            f"{LONGEST_MARK} characters and no digit."
        )
    # No code has them (the schema of trial files), so none is taken for the mark.
    if mark and not (mark.startswith("<") and mark.endswith(">")):
        raise SpellingError(
            f"{mark!r:.60} may be an answer: choose a mark in angle brackets, such as <empty>."
        )
    return mark


def columns_of(form: Form) -> list[str]:
    """The columns of the empty file of a form, as its export names them."""
    found = [PATIENT, *([VISIT] if form.visits else []), *([REPEAT] if form.is_repeating else [])]
    for item in form.entered_items:
        found += item_columns(item)
    return found


def unknown_columns(columns: Iterable[str], meanings: Iterable[Meaning]) -> list[str]:
    """The columns that belong to no item of any version of the form."""
    known = {*PLACE, *PASSED_OVER}
    for one in meanings:
        known |= {one.column}.union(*(item_columns(item, one.column) for item in one.items))
    return [name for name in columns if name not in known]


def read(
    line: Line,
    form: Form,
    spelling: Spelling,
    *,
    names: Mapping[str, str] = MappingProxyType({}),
    passed: Collection[str] = (),
) -> Read:
    """What a row says of the items of a form.

    `names` are the columns of items that are called otherwise there, as an export calls what an
    earlier version asked; `passed` are columns that the caller looks at.
    """
    given: dict[str, Any] = {}
    computed: dict[str, Any] = {}
    errors: dict[str, str] = {}
    known = {*PLACE, *PASSED_OVER, *passed}
    for item in form.items:
        column = names.get(item.identifier, item.identifier)
        known |= {column, *item_columns(item, column)}
        try:
            said = _said(item, column, line.cells, spelling)
        except _CellError as error:
            errors[error.column] = error.message
            continue
        if said is EMPTIED:
            given[item.identifier] = None
        elif said is not None:
            (computed if item.computed else given)[item.identifier] = said
    for column, cell in line.cells.items():
        # A box of a code that only another version has is exported as not ticked.
        is_foreign_box = "__" in column and _TRUTHS.get(cell.lower()) is False
        if cell and column not in known and not is_foreign_box:
            errors[column] = f"The patient's form has no item for the column {column}."
    return Read(given, errors, computed)


def unticked(line: Line, form: Form, names: Mapping[str, str]) -> dict[str, Item]:
    """The items whose boxes all say no: somebody answered, and ticked none. By the first box."""
    found = {}
    for item in form.items:
        boxes = value_columns(item, names.get(item.identifier, ""))
        if item.type == "multi_choice" and all(
            _TRUTHS.get(line.cells.get(one, "").lower()) is False for one in boxes
        ):
            found[boxes[0]] = item
    return found


class _CellError(ValueError):
    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


def _said(item: Item, name: str, cells: Mapping[str, str], spelling: Spelling) -> Any:
    """A value as it would be sent, an object that says why it is missing, EMPTIED, or nothing."""
    if spelling.emptied and _is_emptied(item, name, cells, spelling.emptied):
        return EMPTIED
    value = _value(item, name, cells, spelling)
    code, reason = cells.get(f"{name}_missing", ""), cells.get(f"{name}_reason", "")
    if spelling.is_guarded:
        reason = _unguarded(reason)
    if isinstance(value, str) and value in spelling.missing:
        declared, words = spelling.missing[value]
        value, code, reason = None, code or declared, reason or words
    if code:
        kept = {"missing": code, "reason": reason}
        return kept if value is None else {"value": value, **kept}
    if reason:
        raise _CellError(f"{name}_reason", f"{item.label}: a reason stands without a code.")
    return value


def _is_emptied(item: Item, name: str, cells: Mapping[str, str], mark: str) -> bool:
    """Whether a cell says that nothing stands any more; beside that it may say nothing else."""
    columns = [name, *item_columns(item, name)]
    said = {column: cell for column in columns if (cell := cells.get(column, ""))}
    if mark not in said.values():
        return False
    if item.computed:
        raise _CellError(name, f"{item.label} is computed: no file empties it.")
    other = [column for column, cell in said.items() if cell != mark]
    if other:
        raise _CellError(other[0], f"{item.label} is emptied, and says something besides.")
    return True


def _unguarded(text: str) -> str:
    return _GUARDED.sub("", text, count=1) if _GUARDED.match(text) else text


def _value(item: Item, name: str, cells: Mapping[str, str], spelling: Spelling) -> Any:
    text = cells.get(name, "")
    if item.type == "multi_choice" and not text:
        return _ticked(item, name, cells)
    if not text:
        return None
    if text in spelling.missing:
        return text
    if item.type == "multi_choice":
        return [one.strip() for one in _CODE_MARK.split(text) if one.strip()]
    if item.type in NUMBERS:
        return _number(item, name, text, spelling)
    if item.type in DATES:
        return _date(item, name, text, spelling)
    return _unguarded(text) if spelling.is_guarded else text


def _ticked(item: Item, name: str, cells: Mapping[str, str]) -> list[str] | None:
    """The codes whose columns say yes; each has to say something once one does."""
    said = {code: cells.get(f"{name}__{column_word(code)}", "") for code, _ in item.codes}
    if not any(said.values()):
        return None
    for code, text in said.items():
        if text.lower() not in _TRUTHS:
            column = f"{name}__{column_word(code)}"
            raise _CellError(column, f"{item.label}, {code}: write Y or N, got {text!r:.60}.")
    return [code for code, text in said.items() if _TRUTHS[text.lower()]] or None


def _number(item: Item, name: str, text: str, spelling: Spelling) -> str:
    if "," not in text:
        if spelling.decimal_comma and "." in text:
            raise _CellError(
                name,
                f"{item.label}: {text!r:.60} has a point where commas were declared.",
            )
        return text
    if not spelling.decimal_comma:
        raise _CellError(
            name,
            f"{item.label}: {text!r:.60} has a comma. If commas part the decimals in this file, "
            "declare it; otherwise write the number with a point.",
        )
    if not _COMMA.fullmatch(text):
        raise _CellError(name, f"{item.label} is a number as 36,5, got {text!r:.60}.")
    return text.replace(",", ".")


def _date(item: Item, name: str, text: str, spelling: Spelling) -> str:
    if _ISO.match(text):
        return text
    parts = _OTHER_DATE.fullmatch(text)
    if parts is None:
        # The rules of the item say what is wrong with it.
        return text
    if spelling.date_order == "iso":
        raise _CellError(
            name,
            f"{item.label}: {text!r:.60} may be read in two ways. Write it as "
            "2026-03-02, or declare how the file writes dates.",
        )
    first, second, year, rest = parts.groups()
    day, month = (first, second) if spelling.date_order == "dmy" else (second, first)
    return f"{year}-{int(month):02}-{int(day):02}{rest}"
