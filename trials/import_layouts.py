"""Files of other makers arranged as a table of one form: columns renamed, rows of it alone.

REDCap exports the records of a whole project as one ragged table: a row for each event of a
record and one for each instance of a repeating instrument, with the columns of every instrument.
The one mistake to fear is a row of another instrument taken for an empty one of this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from trials.case_report_forms import Form, Item, column_word
from trials.import_rows import PATIENT, REPEAT, VISIT, SpellingError
from trials.import_tables import Line, Table, TableError

KINDS = {"table": "A table of this form", "redcap": "REDCap, export of records as CSV (raw)"}
EVENT, INSTRUMENT, INSTANCE = (
    "redcap_event_name",
    "redcap_repeat_instrument",
    "redcap_repeat_instance",
)
_YES_NO = {"1": "yes", "0": "no"}
_TICK = {"1": "Y", "0": "N"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What made a file, where it names the patient, and what it calls the visits."""

    kind: str = "table"
    # Empty: `patient`, or of REDCap the first column.
    patient_column: str = ""
    visits: Mapping[str, str] = field(default_factory=dict)


def visit_names(text: str) -> dict[str, str]:
    """What a file calls the visits, one in a line or between commas.

    >>> visit_names("visit_1_arm_1=PET1, visit_2_arm_1=PET2")
    {'visit_1_arm_1': 'PET1', 'visit_2_arm_1': 'PET2'}
    """
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in re.split(r"[\n,]", text))):
        written, equals, visit = (one.strip() for one in part.partition("="))
        if not (written and equals):
            raise SpellingError(f"{part!r:.60}: write as visit_1_arm_1=PET1.")
        if written in found:
            raise SpellingError(f"{written!r:.60} stands twice: say once which visit it is.")
        found[written] = visit
    return found


def arranged(table: Table, name: str, forms: Iterable[Form], layout: Layout) -> Table:
    """A table with the columns of the form `name`, as any of its versions has them.

    Raises TableError where the file has no column for the patient, or two.
    """
    known = list(forms)
    if layout.kind == "redcap":
        return _of_redcap(table, name, known, layout)
    column = layout.patient_column or PATIENT
    _require(table, column)
    lines = tuple(_renamed(line, column, VISIT, layout) for line in table.lines)
    columns = tuple(PATIENT if one == column else one for one in table.columns)
    return replace(table, columns=columns, lines=lines)


def _require(table: Table, column: str) -> None:
    if column not in table.columns:
        raise TableError(
            "no-patient-column",
            f"The file has no column {column!r:.60} with the number of the patient; its columns, "
            f"parted by {table.delimiter}, are: {', '.join(table.columns)[:300]}.",
        )
    if column != PATIENT and PATIENT in table.columns:
        raise TableError(
            "two-patient-columns",
            f"The file has a column {PATIENT!r} beside {column!r:.60}, which is said to hold the "
            "number of the patient: rename one of them or take it out.",
        )


def _renamed(line: Line, column: str, visit: str, layout: Layout) -> Line:
    if line.error:
        return line
    cells = {PATIENT if name == column else name: cell for name, cell in line.cells.items()}
    if said := cells.pop(visit, ""):
        cells[VISIT] = layout.visits.get(said, said)
    return replace(line, cells=cells)


def _of_redcap(table: Table, name: str, forms: list[Form], layout: Layout) -> Table:
    column = layout.patient_column or table.columns[0]
    _require(table, column)
    items = {item.identifier: item for form in forms for item in form.items}
    sources = _sources(items.values())
    has_visits = any(form.visits for form in forms)
    repeats = any(form.is_repeating for form in forms)
    lines = []
    for line in table.lines:
        if line.error:
            lines.append(line)
        elif cells := _of_form(line, name, sources, items):
            if repeats:
                cells[REPEAT] = line.cells.get(INSTANCE, "") or "1"
            elif instance := line.cells.get(INSTANCE, ""):
                cells[REPEAT] = instance
            if has_visits:
                event = line.cells.get(EVENT, "")
                cells[VISIT] = layout.visits.get(event, event)
            lines.append(replace(line, cells={PATIENT: line.cells[column], **cells}))
    if not lines:
        raise TableError(
            "no-rows", f"No record of the file says anything of the instrument {name}."
        )
    return _told(table, name, column, sources, tuple(lines))


def _told(
    table: Table, name: str, column: str, sources: Mapping[str, str], lines: tuple[Line, ...]
) -> Table:
    mine = {column, EVENT, INSTRUMENT, INSTANCE, f"{name}_complete", *sources}
    other = [one for one in table.columns if one not in mine]
    count = sum(len(line.cells) > 0 for line in lines)
    notes = [f"Of {len(table.lines)} rows of REDCap, {count} say something of {name}."]
    if other:
        notes.append(f"Columns left to other forms: {', '.join(other)[:400]}.")
    columns = (PATIENT, VISIT, REPEAT, *(sources[one] for one in table.columns if one in sources))
    return replace(table, columns=columns, lines=lines, notes=(*table.notes, *notes))


def _sources(items: Iterable[Item]) -> dict[str, str]:
    """The columns of the form here, by the column that REDCap has for each."""
    found: dict[str, str] = {}
    for item in items:
        if item.type != "multi_choice":
            found[item.identifier] = item.identifier
            continue
        for code, _ in item.codes:
            word = column_word(code)
            found[f"{item.identifier}___{word}"] = f"{item.identifier}__{word}"
    return found


def _of_form(
    line: Line, name: str, sources: Mapping[str, str], items: Mapping[str, Item]
) -> dict[str, str]:
    """The cells of a row that are of the form; none where the row is of another instrument."""
    if line.cells.get(INSTRUMENT, "") not in ("", name):
        return {}
    found: dict[str, str] = {}
    for column, target in sources.items():
        cell = line.cells.get(column, "")
        if "___" in column and target not in items:
            found[target] = _TICK.get(cell, cell)
        elif cell:
            item = items[target]
            found[target] = _YES_NO.get(cell, cell) if item.type == "yes_no" else cell
    # A box that was not ticked is a 0 whether or not anybody saw the form.
    return found if any(cell not in ("", "N") for cell in found.values()) else {}
