"""A REDCap data dictionary as a draft of forms in a trial file.

Each instrument becomes a form, each field an item of the same name, so that REDCap's export of
records can be entered under it. The one mistake to fear is a question that quietly asks something
else here; so what has no counterpart is left out and named, and a branching that can't be said in
the conditions of forms leaves its item unconditional, not required, and named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trials import import_tables, trial_yaml
from trials.case_report_forms import column_word
from trials.form_checks import COLUMNS, MEANING
from trials.import_tables import Table
from trials.redcap_branching import BranchingError, expression

FIELD, FORM, SECTION, TYPE, LABEL = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
)
CHOICES, NOTE = "Choices, Calculations, OR Slider Labels", "Field Note"
VALIDATION = "Text Validation Type OR Show Slider Number"
LOW, HIGH = "Text Validation Min", "Text Validation Max"
IDENTIFIER, BRANCHING, REQUIRED = (
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
)
# What a dictionary has at least; the other columns may be absent.
NEEDED = (FIELD, FORM, TYPE, LABEL, CHOICES)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 /_-]{0,39}")
_TAG = re.compile(r"<[^>]+>")
# Validation types by what begins their names.
_VALIDATED = (
    ("date_", "date"),
    ("datetime_", "datetime"),
    ("integer", "integer"),
    ("number", "decimal"),
)
Say = Callable[[str], None]
_LONGEST = {"label": 160, "section": 120, "help": 300}


class DictionaryError(ValueError):
    """A file that is no data dictionary; the message says what is missing."""


class _FieldError(ValueError):
    """A field that has no counterpart here; the message goes on from its name."""


@dataclass(frozen=True, slots=True)
class Note:
    """What of a field is not carried over as it was, in a sentence."""

    line: int
    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Draft:
    """Forms as a trial file states them, and what a person has to look at."""

    forms: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]


def draft(table: Table) -> Draft:
    """The forms that a dictionary describes; raises DictionaryError if it is none."""
    if absent := [name for name in NEEDED if name not in table.columns]:
        raise DictionaryError(f"A data dictionary has the columns {', '.join(absent)}.")
    notes: list[Note] = []
    forms: dict[str, dict[str, Any]] = {}
    sections: dict[str, str] = {}
    for position, line in enumerate(table.lines):
        if line.error:
            raise DictionaryError(f"Line {line.number}: {line.error}")
        cells = {name: line.cells.get(name, "") for name in (*table.columns, *_OPTIONAL)}
        name = cells[FORM]
        form = forms.setdefault(
            name,
            {
                "identifier": name,
                "label": name.replace("_", " ").capitalize(),
                "provenance": "proposed",
                "note": "Drafted from a REDCap data dictionary.",
                "items": [],
            },
        )
        if cells[SECTION]:
            sections[name] = _plain(cells[SECTION])
        if position == 0:
            said = "numbers the records: it is the patient's number here, and no item."
            notes.append(Note(line.number, cells[FIELD], said))
            continue
        said_of: list[str] = []
        item = _item(cells, form["items"], said_of.append)
        notes += [Note(line.number, cells[FIELD], said) for said in said_of]
        if item:
            if section := sections.get(name, ""):
                item["section"] = section[: _LONGEST["section"]]
            form["items"].append(item)
    for name in forms:
        if not _NAME.fullmatch(name):
            said = "is no name of a form here: small letters, digits and lines, at most 30."
            notes.append(Note(0, name, said))
    kept = tuple(form for name, form in forms.items() if form["items"] and _NAME.fullmatch(name))
    return Draft(kept, tuple(notes))


_OPTIONAL = (SECTION, NOTE, VALIDATION, LOW, HIGH, IDENTIFIER, BRANCHING, REQUIRED)


def _item(
    cells: Mapping[str, str], before: list[dict[str, Any]], say: Any
) -> dict[str, Any] | None:
    name, kind = cells[FIELD], cells[TYPE]
    if refusal := _refusal(name, kind, cells):
        say(refusal)
        return None
    label = _plain(cells[LABEL]) or name
    item: dict[str, Any] = {"identifier": name, "label": label[: _LONGEST["label"]]}
    if len(label) > _LONGEST["label"]:
        say("has a label longer than 160 characters: it is cut.")
    try:
        item |= _typed(kind, cells, say)
    except _FieldError as error:
        say(str(error))
        return None
    help_text = _plain(cells[NOTE])
    if help_text:
        item["help"] = help_text[: _LONGEST["help"]]
    item["is_required"] = cells[REQUIRED].lower() == "y"
    if cells[BRANCHING]:
        try:
            item["condition"] = expression(cells[BRANCHING], before)
        except BranchingError as error:
            item["is_required"] = False
            say(
                f"is shown only if {cells[BRANCHING]}: {error} It is asked always here, and not "
                "required."
            )
    return item


def _refusal(name: str, kind: str, cells: Mapping[str, str]) -> str:
    if kind == "descriptive":
        return "is a text to read, and asks nothing: left out."
    if kind in ("file", "sql"):
        what = "a file" if kind == "file" else "a query of REDCap's database"
        return f"is {what}, which forms here don't hold: left out."
    if cells[IDENTIFIER].lower() == "y":
        return "is marked as identifying the patient, which nothing here may: left out."
    if not _NAME.fullmatch(name):
        return "is no name of an item here: small letters, digits and lines, at most 30. Left out."
    if name in COLUMNS or name.endswith("_missing") or MEANING.search(name) or "__" in name:
        return "has a name that columns of the export have: rename it. Left out."
    return ""


def _typed(kind: str, cells: Mapping[str, str], say: Say) -> dict[str, Any]:
    """The type of an item with its codes and limits."""
    if kind in ("yesno", "truefalse"):
        return {"type": "yes_no"}
    if kind in ("radio", "dropdown", "checkbox"):
        return {
            "type": "multi_choice" if kind == "checkbox" else "choice",
            "codes": _codes(cells[CHOICES]),
        }
    if kind == "slider":
        return {"type": "integer", "range": {"hard": _limits(cells, low="0", high="100")}}
    if kind == "calc":
        say(f"is calculated in REDCap as {cells[CHOICES]!r:.200}: a text here, not computed.")
        return {"type": "text"}
    if kind == "notes":
        return {"type": "text"}
    if kind != "text":
        raise _FieldError(f"is of the type {kind!r:.30}, which is not known: left out.")
    return _of_text(cells, say)


def _of_text(cells: Mapping[str, str], say: Say) -> dict[str, Any]:
    validation = cells[VALIDATION]
    kind = next((kind for begins, kind in _VALIDATED if validation.startswith(begins)), "text")
    if validation in ("time", "time_hh_mm"):
        kind = "time"
    elif kind == "text" and validation:
        say(f"is checked by REDCap as {validation}: a text here, not checked.")
    found: dict[str, Any] = {"type": kind}
    stated = [text for text in (cells[LOW], cells[HIGH]) if text]
    if stated and kind in ("integer", "decimal"):
        # REDCap asks about what lies outside and keeps it: these are soft limits here.
        found["range"] = {"soft": _limits(cells)}
    elif stated:
        say(f"has limits ({', '.join(stated)}), which a {kind} has not here: they are left out.")
    return found


def _limits(cells: Mapping[str, str], low: str = "", high: str = "") -> dict[str, float]:
    """The stated limits as numbers, with those that hold where none is stated."""
    stated = {"low": cells[LOW] or low, "high": cells[HIGH] or high}
    try:
        return {end: _number(text) for end, text in stated.items() if text}
    except ValueError:
        raise _FieldError(
            f"has limits that are no numbers ({', '.join(stated.values())}): left out."
        ) from None


def _number(text: str) -> float:
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def _codes(text: str) -> list[dict[str, str]]:
    found = [_choice(part) for part in text.split("|") if part.strip()]
    words = [column_word(one["code"]) for one in found]
    if not found:
        raise _FieldError("has no choices: left out.")
    if len(found) > 60:
        raise _FieldError(f"has {len(found)} choices; 60 are the most here: left out.")
    if len(set(words)) != len(words):
        raise _FieldError("has two codes that are the same but for marks: left out.")
    return found


def _choice(part: str) -> dict[str, str]:
    code, _, label = (one.strip() for one in part.partition(","))
    if not _CODE.fullmatch(code):
        raise _FieldError(f"has the code {code!r:.40}, which codes here can't be: left out.")
    return {"code": code, "label": (_plain(label) or code)[:160]}


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", _TAG.sub(" ", text)).strip()


def yaml_text(content: bytes) -> str:
    """The forms of a dictionary's file as YAML, with the notes as comments above them.

    Raises TableError for what is no table, DictionaryError for what is no dictionary.
    """
    found = draft(import_tables.table(content))
    notes = [f"# {_told(one)}\n" for one in found.notes]
    head = "# Drafted from a REDCap data dictionary; to be looked at:\n" if notes else ""
    return head + "".join(notes) + trial_yaml.text({"forms": list(found.forms)})


def _told(note: Note) -> str:
    place = f"line {note.line}, " if note.line else ""
    return re.sub(r"\s+", " ", f"{place}{note.field} {note.sentence}")
