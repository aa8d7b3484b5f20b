"""What was entered in the forms, as ODM ClinicalData: what stands, or every change of it.

Source: CDISC Operational Data Model 1.3.2, sections 2.5 (transaction types), 3.1.4 (ClinicalData)
and 3.1.4.1.2 (AuditRecord). In a file of transactions the changes of an entry stand in the order
in which they were made, each `Insert`, `Update` or `Remove` with who, where, when and why; the
elements around them are `Context`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from reporting import csvtext
from reporting.datasets import Column, Type
from reporting.datasets.case_report_forms import FormTable, Place
from reporting.odm import names
from reporting.odm.metadata import SYSTEM, part_of, places, system_columns
from reporting.odm.xml import closing, element, opening, text
from trials.item_values import Entered

INSERT, UPDATE, REMOVE, CONTEXT = "Insert", "Update", "Remove", "Context"
# The text of a value in a column, and whether it is missing for a reason given.
Cell = tuple[str | None, bool]
NOTHING: Cell = (None, False)


@dataclass(frozen=True, slots=True)
class Audit:
    """Who did what is told, at which site's data, when, why, and the event of the audit trail."""

    user: int
    site: str
    at: datetime
    reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Stood:
    """An item as it stood, and the number of the version that asked it then."""

    item: str
    value: Entered
    number: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a value at a time; `is_first` tells what came with the form's completion.

    An amendment can call the item otherwise, or make something else of it.
    """

    before: Stood | None
    after: Stood
    is_first: bool
    audit: Audit


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature on an entry: what it means, by whom and when; whether it still stands."""

    meaning: str
    audit: Audit
    is_standing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A form that was filled in: what stands in it, and every change in the order made."""

    patient: str
    site: str
    number: int
    form: str
    visit: str
    repeat: int
    is_repeating: bool
    completed: Audit
    removed: Audit | None
    values: Sequence[Stood]
    changes: Sequence[Change]
    signatures: Sequence[Signed]
    # By column, what the system keeps of the form.
    system: Mapping[str, Any]


class Columns:
    """The columns of a form's table, by the item that they are read from."""

    def __init__(self, table: FormTable) -> None:
        self.places = places(table)
        self.system = system_columns(table)
        self.of_item: dict[str, list[Place]] = {}
        for place in self.places:
            self.of_item.setdefault(place.item, []).append(place)

    def cells(self, stood: Stood | None) -> dict[str, Cell]:
        """What a value says in each column; a column without a cell says nothing."""
        found: dict[str, Cell] = {}
        for place in self.of_item.get(stood.item, ()) if stood else ():
            if stood and stood.number in place.versions:
                value = said(place.column, place.read(stood.value))
                is_missing = place.is_value and bool(stood.value.missing)
                if value is not None or is_missing:
                    found[place.column.name] = (value, is_missing)
        return found

    def touched(self, change: Change) -> list[Place]:
        """The columns that a change can be of."""
        items = {one.item: None for one in (change.before, change.after) if one}
        return [place for item in items for place in self.of_item.get(item, ())]


def snapshot(
    study: str, entries: Iterable[Entry], tables: Mapping[str, FormTable]
) -> Iterator[str]:
    """What stands. `entries` come by version, patient and visit, none of them taken back."""
    columns = {form: Columns(table) for form, table in tables.items()}
    for number, of_version in groupby(entries, lambda one: one.number):
        yield opening("ClinicalData", _clinical(study, number))
        for patient, of_patient in groupby(of_version, lambda one: one.patient):
            yield _subject(patient, of_patient, None, lambda one: _standing(one, columns[one.form]))
        yield closing("ClinicalData")


def transactions(
    study: str, entries: Iterable[Entry], tables: Mapping[str, FormTable]
) -> Iterator[str]:
    """Every change. `entries` come by version, patient and visit, with what was taken back."""
    columns = {form: Columns(table) for form, table in tables.items()}
    for number, of_version in groupby(entries, lambda one: one.number):
        yield opening("ClinicalData", _clinical(study, number))
        for patient, of_patient in groupby(of_version, lambda one: one.patient):
            yield _subject(
                patient, of_patient, CONTEXT, lambda one: _history(one, columns[one.form])
            )
        yield closing("ClinicalData")


def said(column: Column, value: Any) -> str | None:
    """The text of a value in ODM, None of a missing one; moments keep the zone they came with.

    >>> said(Column("a", "A", Type.NUMBER, "health"), 7.910699999999999)
    '7.910699999999999'
    """
    if value is None or value == "":
        return None
    if column.type is Type.MOMENT and isinstance(value, datetime):
        return value.isoformat()
    if column.type is Type.TEXT and isinstance(value, str):
        return value
    return csvtext.cell(column, value)


def _clinical(study: str, number: int) -> dict[str, str | None]:
    return {"StudyOID": study, "MetaDataVersionOID": names.version(number)}


def _subject(patient: str, entries: Iterable[Entry], kind: str | None, written: Any) -> str:
    content, site = [], ""
    for visit, of_visit in groupby(entries, lambda one: one.visit):
        forms = []
        for one in of_visit:
            site = one.site
            forms.append(written(one))
        attributes = {"StudyEventOID": names.event(visit), "TransactionType": kind}
        content.append(element("StudyEventData", attributes, *forms))
    reference = element("SiteRef", {"LocationOID": names.site(site)})
    subject = {"SubjectKey": patient, "TransactionType": kind}
    return element("SubjectData", subject, reference, *content)


def _standing(entry: Entry, columns: Columns) -> str:
    last = {one.after.item: one.audit for one in entry.changes}
    cells = {name: cell for one in entry.values for name, cell in columns.cells(one).items()}
    parts: dict[str, list[str]] = {}
    for place in columns.places:
        if cell := cells.get(place.column.name):
            audit = last.get(place.item)
            found = _item(entry, place, cell, None, _audit(audit) if audit else "")
            parts.setdefault(part_of(place, entry.number), []).append(found)
    parts[SYSTEM] = [
        element("ItemData", {"ItemOID": names.item(entry.form, column.name), "Value": value})
        for column in columns.system
        if (value := said(column, entry.system.get(column.name))) is not None
    ]
    standing = [one for one in entry.signatures if one.is_standing]
    return _form(
        entry,
        None,
        _audit(entry.completed),
        _signature(standing[-1]) if standing else "",
        *(_group(entry, part, None, items) for part, items in parts.items() if items),
    )


def _history(entry: Entry, columns: Columns) -> str:
    """The entry as it was completed, changed, signed and perhaps taken back."""
    first = [one for one in entry.changes if one.is_first]
    later = [one for one in entry.changes if not one.is_first]
    made = _form(entry, INSERT, _audit(entry.completed), *_changed(entry, columns, first, INSERT))
    acts: list[tuple[datetime, str]] = [
        (one.audit.at, _form(entry, CONTEXT, *_changed(entry, columns, [one], CONTEXT)))
        for one in later
    ]
    acts += [(one.audit.at, _form(entry, CONTEXT, _signature(one))) for one in entry.signatures]
    acts.sort(key=lambda pair: pair[0])
    if entry.removed:
        acts.append((entry.removed.at, _form(entry, REMOVE, _audit(entry.removed))))
    return "".join([made, *(one for _, one in acts)])


def _changed(
    entry: Entry, columns: Columns, changes: Sequence[Change], group: str
) -> Iterator[str]:
    """The groups of items that changes are of."""
    parts: dict[str, list[str]] = {}
    for change in changes:
        before, after = columns.cells(change.before), columns.cells(change.after)
        audit = _audit(change.audit)
        for place in columns.touched(change):
            name = place.column.name
            old, new = before.get(name), after.get(name)
            if old != new:
                kind = REMOVE if new is None else INSERT if old is None else UPDATE
                found = _item(entry, place, new or NOTHING, kind, audit)
                parts.setdefault(part_of(place, entry.number), []).append(found)
    return (_group(entry, part, group, items) for part, items in parts.items())


def _item(entry: Entry, place: Place, cell: Cell, kind: str | None, audit: str) -> str:
    value, is_missing = cell
    attributes = {
        "ItemOID": names.item(entry.form, place.column.name),
        "TransactionType": kind,
        "IsNull": "Yes" if is_missing else None,
        "Value": value,
    }
    return element("ItemData", attributes, audit)


def _form(entry: Entry, kind: str | None, *content: str) -> str:
    attributes = {
        "FormOID": names.form(entry.form),
        "FormRepeatKey": str(entry.repeat) if entry.is_repeating else None,
        "TransactionType": kind,
    }
    return element("FormData", attributes, *content)


def _group(entry: Entry, part: str, kind: str | None, items: Iterable[str]) -> str:
    attributes = {"ItemGroupOID": names.group(entry.form, part), "TransactionType": kind}
    return element("ItemGroupData", attributes, *items)


def _audit(audit: Audit) -> str:
    return element("AuditRecord", {}, *_who(audit), *_why(audit))


def _who(audit: Audit) -> Iterator[str]:
    yield element("UserRef", {"UserOID": names.user(audit.user)})
    yield element("LocationRef", {"LocationOID": names.site(audit.site)})


def _why(audit: Audit) -> Iterator[str]:
    yield element("DateTimeStamp", {}, audit.at.isoformat())
    if audit.reason:
        yield element("ReasonForChange", {}, text(audit.reason))
    if audit.source:
        yield element("SourceID", {}, text(audit.source))


def _signature(signed: Signed) -> str:
    return element(
        "Signature",
        {},
        *_who(signed.audit),
        element("SignatureRef", {"SignatureOID": names.signature(signed.meaning)}),
        element("DateTimeStamp", {}, signed.audit.at.isoformat()),
    )
