"""What a file of form values would do, row by row, against the record as it stands.

Nothing is written here. The same file against the same record gives the same plan, and so the
same digest: what is confirmed is what was shown, or nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from trials import (
    canonical,
    case_report_forms,
    form_columns,
    import_layouts,
    import_rows,
    import_tables,
    item_computations,
    item_values,
    kleene,
)
from trials.case_report_forms import Form, Item
from trials.import_layouts import Layout
from trials.import_rows import PATIENT, REPEAT, VISIT, Spelling
from trials.import_tables import Line, Table
from trials.item_values import Entered
from trials.models import (
    FormEntry,
    FormImport,
    Patient,
    ProtocolVersion,
    SourceVerification,
)
from trials.services import assessments, form_entries, form_reviews, patients
from trials.services.errors import Invalid, Refused

NEW, CHANGED, EQUAL, REFUSED = "new", "changed", "equal", "refused"
ACTS = (NEW, CHANGED, EQUAL, REFUSED)
State = FormEntry.State
Place = tuple[int, str, int]
Planned = dict[str, Any]
_REPEAT = re.compile("[1-9][0-9]{0,5}")


def of(row: FormImport) -> dict[str, Any]:
    """The plan of an import: notes on the file and its rows. Raises Refused for the whole file."""
    record = _Record(row)
    try:
        table = import_layouts.arranged(
            import_tables.table(bytes(row.content)), row.form, record.forms.values(), record.layout
        )
    except import_tables.TableError as error:
        raise Invalid("file", error.message, code=error.code) from error
    record.require_columns(table)
    rows = [_planned(record, line) for line in record.loaded(table)]
    return {"notes": record.notes(table), "rows": rows}


def digest(row: FormImport, rows: Sequence[Planned]) -> str:
    """What fixes a plan: the file, how it is read, and everything it would do."""
    return canonical.sha256([row.file_sha256, row.form, row.reading, rows])


def counts(rows: Iterable[Planned]) -> dict[str, int]:
    """How many rows would do what."""
    found = Counter(one["act"] for one in rows)
    return {act: found[act] for act in ACTS}


class _Record:
    """What the rows of a file are held against, asked of the database once for all of them."""

    def __init__(self, row: FormImport) -> None:
        self.row = row
        kind = row.reading.get("layout", "table")
        self.spelling = Spelling(
            decimal_comma=row.reading.get("decimal_comma", False),
            date_order=row.reading.get("date_order", "iso"),
            missing=import_rows.missing_codes(row.reading.get("missing", "")),
            is_guarded=kind == "table",
            emptied=import_rows.emptying_mark(row.reading.get("emptied", "")),
        )
        self.layout = Layout(
            kind=kind,
            patient_column=row.reading.get("patient_column", ""),
            visits=import_layouts.visit_names(row.reading.get("visits", "")),
        )
        self.sites = {
            one.pk: one
            for one in row.trial.sites.prefetch_related("activations__version").select_related(
                "trial"
            )
        }
        self.versions = {one.pk: one for one in row.trial.versions.all()}
        self.forms = {
            pk: form
            for pk, one in self.versions.items()
            if (form := case_report_forms.forms_of(one.definition).get(row.form))
        }
        # What each column means in the export: an item as some of the versions ask it.
        numbered = {self.versions[pk].number: form for pk, form in self.forms.items()}
        self.meanings = form_columns.meanings(numbered)
        self.names = {
            pk: form_columns.names_of(self.meanings, self.versions[pk].number) for pk in self.forms
        }
        self.meant = {one.column: one.items[-1] for one in self.meanings}
        self.patients: dict[str, Patient] = {}
        self.entries: dict[Place, FormEntry] = {}
        self.marks: dict[int, str] = {}
        self.asked: dict[int, kleene.Truth] = {}
        self.seen: dict[Place, int] = {}
        self.new: dict[tuple[int, str], int] = defaultdict(int)

    def require_columns(self, table: Table) -> None:
        if unknown := import_rows.unknown_columns(table.columns, self.meanings):
            raise Invalid(
                "file",
                f"The form has no item for the columns {', '.join(unknown)[:300]}: rename them as "
                "in the empty file of the form, or take them out.",
                code="unknown-columns",
            )

    def notes(self, table: Table) -> list[str]:
        read = f"Read as {table.encoding}, columns parted by {table.delimiter}."
        passed = [name for name in table.columns if name in import_rows.PASSED_OVER]
        also = [f"Passed over: {', '.join(passed)}."] if passed else []
        return [read, *table.notes, *also, *self._without_column(table)]

    def _without_column(self, table: Table) -> list[str]:
        newest = self.forms[max(self.forms, key=lambda pk: self.versions[pk].number)]
        absent = [
            item.label
            for item in newest.entered_items
            if not {item.identifier, *form_columns.value_columns(item)} & set(table.columns)
        ]
        return [f"The file has no column for: {', '.join(absent)}."] if absent else []

    def loaded(self, table: Table) -> tuple[Line, ...]:
        """The rows, once everything they name is at hand."""
        names = {line.cells.get(PATIENT, "") for line in table.lines}
        rows = Patient.objects.filter(trial=self.row.trial_id).prefetch_related("consents")
        for key in ("screening_number", "identifier"):
            for one in rows.filter(**{f"{key}__in": names}):
                one.site, one.trial = self.sites[one.site_id], self.row.trial
                self.patients[getattr(one, key)] = one
        known = {one.pk: one for one in self.patients.values()}
        entries = (
            FormEntry.objects.filter(patient__in=known, form=self.row.form)
            .exclude(state=State.UNDONE)
            .prefetch_related("values")
        )
        for entry in entries:
            entry.version = self.versions[entry.version_id]
            entry.patient = known[entry.patient_id]
            self.entries[entry.patient_id, entry.visit, entry.repeat] = entry
        verified = SourceVerification.objects.filter(item_value__entry__in=entries).order_by("pk")
        self.marks = dict(verified.values_list("item_value", "evidence_sha256"))
        return table.lines

    def last_repeat(self, patient: Patient, visit: str) -> int:
        """The number of the last entry at a place, with those of the file."""
        known = [repeat for pk, where, repeat in self.entries if (pk, where) == (patient.pk, visit)]
        return max([*known, self.new[patient.pk, visit]], default=0)

    def meant_otherwise(self, line: Line, form: Form, names: Mapping[str, str]) -> dict[str, str]:
        """Cells under the name of an item whose column means another thing by now."""
        found = {}
        for item in form.items:
            column = names[item.identifier]
            if column == item.identifier:
                continue
            asked, newer = (
                case_report_forms.kind_words(one) for one in (item, self.meant[item.identifier])
            )
            for cell in {item.identifier, *form_columns.columns_of(item)}:
                if line.cells.get(cell):
                    found[cell] = (
                        f"{item.label}: this form asks for {asked} and the column means {newer}, "
                        f"as the newest version asks it. Write it under {column}, or "
                        "enter it by hand."
                    )
        return found

    def unticked(
        self,
        line: Line,
        form: Form,
        names: Mapping[str, str],
        given: Mapping[str, Any],
        standing: Mapping[str, Any],
    ) -> dict[str, str]:
        """Boxes that all say no where the record says something: no file empties an answer.

        REDCap writes a box that was not ticked as a 0 whether or not anybody saw the form.
        """
        if self.layout.kind != "table":
            return {}
        return {
            column: f"{item.label}: every box says N, and the record says otherwise. Boxes can't "
            "empty an answer: declare a mark that does, correct the form by hand, or leave the "
            "cells empty."
            for column, item in import_rows.unticked(line, form, names).items()
            if standing.get(item.identifier) and item.identifier not in given
        }

    def left(self, line: Line, entry: FormEntry) -> set[str]:
        """Columns of what an earlier version alone asked of an entry, if they say what stands."""
        found: set[str] = set()
        for row in entry.values.all():
            form = self.forms.get(row.asked_version_id or 0)
            item = form.item(row.item) if form else None
            if form is None or item is None:
                continue
            column = self.names[row.asked_version_id][row.item]
            alone = replace(form, items=(item,))
            said = import_rows.read(line, alone, self.spelling, names={row.item: column})
            given = {**said.given, **said.computed}.get(row.item)
            if _typed(item, given, entry.patient) == row.entered:
                found |= {column, *form_columns.columns_of(item, column)}
        return found

    def is_for(self, form: Form, patient: Patient) -> bool:
        if form.applies_to is None:
            return True
        if patient.pk not in self.asked:
            found = form_entries.asked_of([form], patient, now=timezone.now())
            self.asked[patient.pk] = found[form.identifier]
        return self.asked[patient.pk] is not kleene.Truth.NO


class _RowError(ValueError):
    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def _planned(record: _Record, line: Line) -> Planned:
    """What one row would do; one that can't be read or entered says why, by column."""
    head: Planned = {
        "line": line.number,
        "patient": line.cells.get(PATIENT, ""),
        "visit": line.cells.get(VISIT, ""),
        "repeat": line.cells.get(REPEAT, ""),
    }
    try:
        return head | _act(record, line)
    except _RowError as error:
        errors = [{"column": key, "message": text} for key, text in error.errors.items()]
        return head | {"act": REFUSED, "errors": errors}
    except Refused as refusal:
        column = refusal.field if isinstance(refusal, Invalid) else PATIENT
        return head | {
            "act": REFUSED,
            "errors": [{"column": column, "message": refusal.message}],
        }


def _act(record: _Record, line: Line) -> Planned:
    if line.error:
        raise _RowError({"": line.error})
    patient = record.patients.get(line.cells[PATIENT])
    if patient is None:
        raise _RowError({PATIENT: f"The trial has no patient {line.cells[PATIENT]!r:.60}."})
    visit = line.cells.get(VISIT, "")
    version = assessments.version_of(patient, None)
    form = record.forms.get(version.pk)
    entry = _standing(record, line, patient, form, visit)
    if (form and form.is_of_panel) or (entry and entry.is_of_panel):
        raise _RowError({"": "The truth panel fills in this form: no file brings its decisions."})
    if entry is None:
        return _new(record, line, patient, version, form, visit)
    return _changed(record, line, patient, entry)


def _standing(
    record: _Record, line: Line, patient: Patient, form: Form | None, visit: str
) -> FormEntry | None:
    """The entry that a row is about, if there is one; each place is spoken of once."""
    repeats = bool(form and form.is_repeating)
    text = line.cells.get(REPEAT, "")
    if text and not _REPEAT.fullmatch(text):
        raise _RowError({REPEAT: f"Which entry of the form: a number from 1, got {text!r:.60}."})
    if repeats and not text:
        raise _RowError(
            {REPEAT: "The form is asked as often as it happens: say which entry this is, from 1."}
        )
    place = (patient.pk, visit, int(text or 1))
    if first := record.seen.get(place):
        raise _RowError({PATIENT: f"Line {first} is of the same form of this patient already."})
    record.seen[place] = line.number
    return record.entries.get(place)


def _new(
    record: _Record,
    line: Line,
    patient: Patient,
    version: ProtocolVersion,
    form: Form | None,
    visit: str,
) -> Planned:
    if form is None:
        raise _RowError({PATIENT: f"{version} asks no form {record.row.form}."})
    patients.require_participation(patient)
    patients.require_consent_stands(patient)
    form_entries.require_visit(form, visit)
    if not record.is_for(form, patient):
        raise _RowError({PATIENT: f"{form.label} is not asked of {patient}."})
    repeat = int(line.cells.get(REPEAT, "") or 1)
    if not form.is_repeating and repeat != 1:
        raise _RowError({REPEAT: f"{form.label} is asked once, got entry {repeat}."})
    last = record.last_repeat(patient, visit)
    if repeat != last + 1:
        raise _RowError({REPEAT: f"The next entry of this form is {last + 1}, got {repeat}."})
    given, values = _values(record, line, form, patient, {}, names=record.names[version.pk])
    if not values:
        raise _RowError({"": "The row says nothing of any item."})
    record.new[patient.pk, visit] = repeat
    return {
        "act": NEW,
        "patient_pk": patient.pk,
        "repeat": repeat,
        "version": version.pk,
        "given": given,
        "changes": _changes(form, {}, values),
    }


def _changed(record: _Record, line: Line, patient: Patient, entry: FormEntry) -> Planned:
    form = record.forms[entry.version_id]
    if entry.state == State.DRAFT:
        raise _RowError(
            {PATIENT: "A draft of this form was begun by hand: complete it or take it back first."}
        )
    rows = form_entries.rows_of(entry)
    standing = form_entries.standing_of(entry)
    left = record.left(line, entry)
    names = record.names[entry.version_id]
    given, values = _values(record, line, form, patient, standing, names=names, left=left)
    before = {name: one.entered for name, one in rows.items()}
    names = form_entries.differing(before, values)
    verified = {
        name
        for name, one in rows.items()
        if record.marks.get(one.pk) == form_reviews.digest_of(one)
    }
    changes = [
        one | {"is_verified": one["item"] in verified}
        for one in _changes(form, before, values)
        if one["item"] in names
    ]
    return {
        "act": CHANGED if changes else EQUAL,
        "patient_pk": patient.pk,
        "repeat": entry.repeat,
        "entry": entry.pk,
        "revision": entry.revision,
        "is_signed": bool(changes and form_reviews.signature_in_force(entry)),
        "given": given,
        "changes": changes,
    }


def _values(
    record: _Record,
    line: Line,
    form: Form,
    patient: Patient,
    standing: Mapping[str, Any],
    *,
    names: Mapping[str, str],
    left: Collection[str] = (),
) -> tuple[dict[str, Any], dict[str, Entered]]:
    """What a row says over what stands, typed; every error of the row at once."""
    said = import_rows.read(line, form, record.spelling, names=names, passed=left)
    errors = {
        **record.unticked(line, form, names, said.given, standing),
        **said.errors,
        **record.meant_otherwise(line, form, names),
    }
    given = {name: _with_reason(one, standing.get(name)) for name, one in said.given.items()}
    values: dict[str, Entered] = {}
    try:
        values = form_entries.checked(form, {**standing, **given}, patient)
    except form_entries.WrongItems as wrong:
        named = {names.get(name, name): said for name, said in wrong.errors.items()}
        errors = {**named, **errors}
    errors = errors or _miscomputed(form, said.computed, values, names, patient)
    if errors:
        raise _RowError(errors)
    for name in _same_instants(form, values, standing):
        given[name] = standing[name]
        values[name] = Entered(standing[name])
    return given, values


def _miscomputed(
    form: Form,
    said: Mapping[str, Any],
    values: Mapping[str, Entered],
    names: Mapping[str, str],
    patient: Patient,
) -> dict[str, str]:
    """What a file says of computed items and does not follow from what it enters."""
    found = {}
    for name, raw in said.items():
        item = form.item(name)
        one = values.get(name, Entered())
        if item is None or _is_as_computed(item, raw, one, patient):
            continue
        rule = item_computations.words(form, item)
        now = _shown(item, one) or "nothing"
        found[names.get(name, name)] = (
            f"{item.label} is computed and not entered ({rule}): it comes to {now}. Leave the "
            "cell empty, or mend what it follows from."
        )
    return found


def _is_as_computed(item: Item, raw: Any, one: Entered, patient: Patient) -> bool:
    """Whether a cell says what is computed; numbers to the digits that any program keeps."""
    said = _typed(replace(item, computed=None), raw, patient)
    if said is None or said.missing != one.missing:
        return False
    if isinstance(said.value, float) and isinstance(one.value, int | float):
        return math.isclose(said.value, one.value, rel_tol=1e-9)
    return bool(said.value == one.value)


def _typed(item: Item, raw: Any, patient: Patient) -> Entered | None:
    """What a cell says, typed; None where that is no value of the item."""
    try:
        return item_values.entered(item, item_values.given(raw), at=form_entries.moment_of(patient))
    except item_values.ItemError:
        return None


def _same_instants(
    form: Form, values: Mapping[str, Entered], standing: Mapping[str, Any]
) -> list[str]:
    """The moments of a row that stand already, perhaps written in another zone."""
    return [
        item.identifier
        for item in form.items
        if item.type == "datetime"
        and (now := values.get(item.identifier, Entered()).value)
        and isinstance(before := standing.get(item.identifier), str)
        and datetime.fromisoformat(now) == datetime.fromisoformat(before)
    ]


def _with_reason(said: Any, standing: Any) -> Any:
    """A code without a reason says nothing against the reason that stands with the same code."""
    if not isinstance(said, Mapping) or not isinstance(standing, Mapping) or said.get("reason"):
        return said
    return standing if said.get("missing") == standing.get("missing") else said


def _changes(
    form: Form, before: Mapping[str, Entered], after: Mapping[str, Entered]
) -> list[dict[str, Any]]:
    """The items that differ, in the order of the form, as they are shown."""
    return [
        {
            "item": item.identifier,
            "label": item.label,
            "before": _shown(item, before.get(item.identifier)),
            "after": _shown(item, after.get(item.identifier)),
        }
        for item in form.items
        if after.get(item.identifier, Entered()) != before.get(item.identifier, Entered())
    ]


def _shown(item: case_report_forms.Item, one: Entered | None) -> str:
    return "" if one is None or one == Entered() else item_values.shown(item, one)
