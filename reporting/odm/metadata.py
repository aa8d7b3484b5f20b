"""The forms of each protocol version as an ODM MetaDataVersion.

Source: CDISC Operational Data Model 1.3.2, section 3.1.3 (MetaDataVersion and what is in it).

An item is called by its column in the tables of forms (`trials.form_columns`), so that the same
identifier means the same in every version, and the files of an export can be laid side by side.
What an earlier version asked and this one doesn't stands in a group of its own: a form that moved
on to this version keeps such values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reporting.datasets import Column, Type
from reporting.datasets.case_report_forms import PREFIX, FormTable, Place
from reporting.formats.names import LONGEST_XPT_NAME, shortened
from reporting.odm import names
from reporting.odm.xml import closing, element, opening, text
from trials import case_report_forms, item_computations, item_conditions
from trials.case_report_forms import Form, Item

Definition = Mapping[str, Any]
# A column, and where the value of its item is read; what the system keeps has no item.
Held = tuple[Column, Place | None]
# Columns of a form's table that the elements around its items say.
SAID_BY_ELEMENTS = {"trial", "usubjid", "site", "patient", "visit", "repeat", "protocol_version"}

EARLIER, SYSTEM = "EARLIER", "SYSTEM"
PART_WORDS = {"": "", EARLIER: ", asked by earlier versions", SYSTEM: ", kept by the system"}
YES_NO = "CL.YES_NO"
LONGEST_TEXT, LONGEST_INTEGER = 4000, 18
DATA_TYPES = {
    Type.TEXT: "text",
    Type.INTEGER: "integer",
    Type.NUMBER: "double",
    Type.FLAG: "text",
    Type.MOMENT: "datetime",
    Type.PARTIAL_DATE: "partialDatetime",
}
LENGTHS = {Type.TEXT: LONGEST_TEXT, Type.INTEGER: LONGEST_INTEGER, Type.FLAG: 1}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the protocol: its number, what it is called, and what it asks."""

    number: int
    label: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Asked:
    """A form as version `number` asks it, and its table; `forms` are those of every version."""

    form: Form
    table: FormTable
    number: int
    forms: Mapping[int, Form]

    @property
    def parts(self) -> dict[str, list[Held]]:
        """What the version asks, what only an earlier one asked, and what nobody enters."""
        parts: dict[str, list[Held]] = {"": [], EARLIER: [], SYSTEM: []}
        for place in places(self.table):
            if min(place.versions) <= self.number:
                parts[part_of(place, self.number)].append((place.column, place))
        parts[SYSTEM] = [(one, None) for one in system_columns(self.table)]
        return {part: columns for part, columns in parts.items() if columns}

    def columns(self) -> Iterator[Held]:
        """Every column of every part."""
        return (pair for columns in self.parts.values() for pair in columns)

    def item(self, place: Place) -> Item:
        """The item as this version asks it, or as the last one did that asked it so."""
        return self._items(place)[-1]

    def label(self, column: Column, place: Place | None) -> str:
        """The label in the words of the version; what is said beside an item follows its label."""
        if place is None:
            return column.label
        newest = self.forms[max(place.versions)].item(place.item)
        said = column.label.removeprefix(newest.label) if newest else ""
        return self.item(place).label + said

    def codes(self, column: Column, place: Place | None) -> list[tuple[str, str]]:
        """The answers that the version allows, and what earlier ones allowed besides."""
        if place is None:
            return list(column.codes)
        known = {code for one in self._items(place) for code, _ in one.codes}
        known |= {code for one in self._items(place) for code in one.missing}
        return [pair for pair in column.codes if pair[0] in known]

    def _items(self, place: Place) -> list[Item]:
        numbers = sorted(one for one in place.versions if one <= self.number)
        found = (self.forms[number].item(place.item) for number in numbers)
        return [one for one in found if one is not None]


def places(table: FormTable) -> list[Place]:
    """The columns of the items of a form that the export has."""
    held = set(table.dataset.column_names)
    return [one for one in table.places if one.column.name in held]


def system_columns(table: FormTable) -> list[Column]:
    """The columns of a form that no item gives and no element of ODM says."""
    entered = {one.column.name for one in table.places}
    return [one for one in table.dataset.columns if one.name not in entered | SAID_BY_ELEMENTS]


def part_of(place: Place, number: int) -> str:
    """The part of the form that a column stands in, in a version."""
    return "" if number in place.versions else EARLIER


def asked_by(
    version: Version, versions: Iterable[Version], tables: Mapping[str, FormTable]
) -> list[Asked]:
    """The forms that a version asks, as far as they have a table in the export."""
    every = {one.number: case_report_forms.forms_of(one.definition) for one in versions}
    return [
        Asked(
            form,
            tables[PREFIX + name],
            version.number,
            {number: forms[name] for number, forms in every.items() if name in forms},
        )
        for name, form in every[version.number].items()
        if PREFIX + name in tables
    ]


def units(tables: Iterable[FormTable]) -> Iterator[str]:
    """A MeasurementUnit for each unit that an item has."""
    found = {column.unit for table in tables for column in table.dataset.columns if column.unit}
    for word in sorted(found):
        attributes = {"OID": names.unit(word), "Name": word}
        yield element("MeasurementUnit", attributes, element("Symbol", {}, translated(word)))


def written(version: Version, forms: list[Asked]) -> Iterator[str]:
    """The MetaDataVersion of a version, in the order that the schema asks for."""
    attributes = {
        "OID": names.version(version.number),
        "Name": f"Protocol version {version.label}",
        "Description": "What an earlier version asked and this one does not stands in groups "
        "called EARLIER, what the system keeps of a form in groups called SYSTEM.",
    }
    yield opening("MetaDataVersion", attributes)
    yield from _events(version, [one.form for one in forms])
    for one in forms:
        yield _form(one)
    for one in forms:
        yield from _groups(one)
    for one in forms:
        yield from _items(one)
    yield from _code_lists(forms)
    for one in forms:
        yield from _conditions(one.form)
    for one in forms:
        yield from _methods(one.form)
    yield closing("MetaDataVersion")


def _events(version: Version, forms: list[Form]) -> Iterator[str]:
    visits = {one["identifier"]: one for one in version.definition.get("visits", ())}
    events = [names.event(name) for name in visits]
    events += [names.ANY_TIME]
    yield element(
        "Protocol",
        {},
        *(
            element(
                "StudyEventRef",
                {"StudyEventOID": event, "OrderNumber": str(order), "Mandatory": "No"},
            )
            for order, event in enumerate(events, 1)
        ),
    )
    for name, visit in visits.items():
        asked = [one for one in forms if name in one.visits]
        yield _event(names.event(name), visit["label"], "Scheduled", visit.get("epoch"), asked)
    asked = [one for one in forms if not one.visits]
    yield _event(names.ANY_TIME, "At any time", "Common", None, asked)


def _event(oid: str, label: str, kind: str, epoch: str | None, forms: list[Form]) -> str:
    attributes = {"OID": oid, "Name": label, "Repeating": "No", "Type": kind, "Category": epoch}
    references = (
        element(
            "FormRef",
            {
                "FormOID": names.form(one.identifier),
                "OrderNumber": str(order),
                # A form that depends on the patient, or that happens, may be missing.
                "Mandatory": "No" if one.applies_to or one.is_repeating else "Yes",
            },
        )
        for order, one in enumerate(forms, 1)
    )
    return element("StudyEventDef", attributes, *references)


def _form(asked: Asked) -> str:
    form = asked.form
    attributes = {
        "OID": names.form(form.identifier),
        "Name": form.label,
        "Repeating": "Yes" if form.is_repeating else "No",
    }
    references = (
        element(
            "ItemGroupRef",
            {
                "ItemGroupOID": names.group(form.identifier, part),
                "OrderNumber": str(order),
                "Mandatory": "No" if part else "Yes",
            },
        )
        for order, part in enumerate(asked.parts, 1)
    )
    described = [element("Description", {}, translated(form.note))] if form.note else []
    return element("FormDef", attributes, *described, *references)


def _groups(asked: Asked) -> Iterator[str]:
    form = asked.form
    for part, columns in asked.parts.items():
        attributes = {
            "OID": names.group(form.identifier, part),
            "Name": f"{form.label}{PART_WORDS[part]}",
            "Repeating": "No",
            "Domain": None if part else form.domain or None,
        }
        references = (_item_ref(asked, held, part, order) for order, held in enumerate(columns, 1))
        yield element("ItemGroupDef", attributes, *references)


def _item_ref(asked: Asked, held: Held, part: str, order: int) -> str:
    name, (column, place) = asked.form.identifier, held
    item = asked.item(place) if place and not part else None
    is_value = place is not None and place.is_value
    return element(
        "ItemRef",
        {
            "ItemOID": names.item(name, column.name),
            "OrderNumber": str(order),
            "Mandatory": "Yes" if item and is_value and _is_always_there(item) else "No",
            "MethodOID": names.method(name, item.identifier)
            if item and is_value and item.computed is not None
            else None,
            "CollectionExceptionConditionOID": names.condition(name, item.identifier)
            if item and is_value and item.condition is not None
            else None,
        },
    )


def _is_always_there(item: Item) -> bool:
    return item.is_required and item.condition is None and not item.missing


def _items(asked: Asked) -> Iterator[str]:
    name = asked.form.identifier
    short = shortened(asked.table.dataset.column_names, LONGEST_XPT_NAME)
    for column, place in asked.columns():
        item = asked.item(place) if place else None
        kind = data_type(column, item, is_value=place is not None and place.is_value)
        attributes = {
            "OID": names.item(name, column.name),
            "Name": column.name,
            "DataType": kind,
            "Length": _length(column, kind),
            "SASFieldName": short[column.name].upper(),
        }
        yield element("ItemDef", attributes, *_item_content(asked, column, place, item))


def _item_content(
    asked: Asked, column: Column, place: Place | None, item: Item | None
) -> Iterator[str]:
    label = translated(asked.label(column, place))
    yield element("Question" if item else "Description", {}, label)
    if column.unit:
        yield element("MeasurementUnitRef", {"MeasurementUnitOID": names.unit(column.unit)})
    if item and column.type in (Type.INTEGER, Type.NUMBER):
        yield from _ranges(item)
    if column.type is Type.FLAG:
        yield element("CodeListRef", {"CodeListOID": YES_NO})
    elif column.codes:
        oid = names.codes(asked.form.identifier, column.name)
        yield element("CodeListRef", {"CodeListOID": oid})
    if column.origin:
        yield element("Alias", {"Context": "SDTM", "Name": column.origin})


def _ranges(item: Item) -> Iterator[str]:
    unit = [element("MeasurementUnitRef", {"MeasurementUnitOID": names.unit(item.unit)})]
    for kind, limits in (("Soft", item.soft), ("Hard", item.hard)):
        for comparator, limit in zip(("GE", "LE"), limits, strict=True):
            if limit is not None:
                yield element(
                    "RangeCheck",
                    {"Comparator": comparator, "SoftHard": kind},
                    element("CheckValue", {}, f"{limit:.15g}"),
                    *(unit if item.unit else ()),
                )


def data_type(column: Column, item: Item | None, *, is_value: bool = True) -> str:
    """The type of a column in ODM: dates as precise as they are known, times to the minute."""
    if item and column.type is Type.PARTIAL_DATE:
        return "date" if item.type == "date" else "partialDate"
    if item and item.type == "time" and is_value:
        return "partialTime"
    return DATA_TYPES[column.type]


def _length(column: Column, kind: str) -> str | None:
    if kind not in ("text", "integer"):
        return None
    if column.codes and column.type is Type.TEXT:
        return str(max(len(code) for code, _ in column.codes))
    return str(LENGTHS[column.type])


def _code_lists(forms: list[Asked]) -> Iterator[str]:
    yield _code_list(YES_NO, "Yes or no", (("Y", "Yes"), ("N", "No")))
    for asked in forms:
        for column, place in asked.columns():
            if column.codes and column.type is not Type.FLAG:
                oid = names.codes(asked.form.identifier, column.name)
                yield _code_list(oid, asked.label(column, place), asked.codes(column, place))


def _code_list(oid: str, name: str, codes: Iterable[tuple[str, str]]) -> str:
    items = (
        element("CodeListItem", {"CodedValue": code}, element("Decode", {}, translated(label)))
        for code, label in codes
    )
    return element("CodeList", {"OID": oid, "Name": name, "DataType": "text"}, *items)


def _conditions(form: Form) -> Iterator[str]:
    for item in form.items:
        if item.condition is not None:
            words = item_conditions.words(item.condition, form)
            yield element(
                "ConditionDef",
                {
                    "OID": names.condition(form.identifier, item.identifier),
                    "Name": f"{item.label} is not asked",
                },
                element("Description", {}, translated(f"Not asked unless {words}")),
            )


def _methods(form: Form) -> Iterator[str]:
    for item in form.items:
        if item.computed is not None:
            words = item_computations.words(form, item)
            yield element(
                "MethodDef",
                {
                    "OID": names.method(form.identifier, item.identifier),
                    "Name": f"{item.label} is computed",
                    "Type": "Computation",
                },
                element("Description", {}, translated(words)),
            )


def translated(words: str) -> str:
    """A text for people, in English."""
    return element("TranslatedText", {"xml:lang": "en"}, text(words))
