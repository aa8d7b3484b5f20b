"""The audit trail in words: which field was what before, and what after.

Pages go by key, newest first, so that the thousandth page costs what the first one does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q, QuerySet

from trials.models import AuditEvent, Patient, Trial, User
from trials.selectors import panel_veil
from trials.selectors.subjects import name_of, tables
from trials.variables import VARIABLES

PAGE = 50
OPERATIONS = {"I": "Created", "U": "Changed", "D": "Deleted"}
NOTHING = "–"


@dataclass(frozen=True)
class Change:
    """One field of one event."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Entry:
    """One event as a person reads it."""

    event: AuditEvent
    act: str
    record: str
    operation: str
    patient: Patient | None
    changes: list[Change]


def chosen(events: QuerySet[AuditEvent], filters: dict[str, str]) -> QuerySet[AuditEvent]:
    """Events of one trial, patient, table or row; trial and patient by identifier or key."""
    if trial := filters.get("trial"):
        events = events.filter(trial__in=_keys(Trial, trial))
    if patient := filters.get("patient"):
        events = events.filter(patient__in=_keys(Patient, patient))
    for name in ("table", "row"):
        if filters.get(name):
            events = events.filter(**{name: filters[name]})
    return events


def page_of(
    events: QuerySet[AuditEvent], *, before: int | None, user: User
) -> tuple[list[Entry], int | None]:
    """A page of entries as `user` may read them, newest first, and the key the next begins after.

    Of what the truth panel decides the entry is named alone, see `panel_veil`."""
    if before is not None:
        events = events.filter(pk__lt=before)
    rows = list(events.order_by("-pk")[: PAGE + 1])
    return entries(panel_veil.events(rows[:PAGE], user)), rows[PAGE - 1].pk if len(
        rows
    ) > PAGE else None


def entries(rows: Iterable[AuditEvent]) -> list[Entry]:
    rows = list(rows)
    patients = Patient.objects.in_bulk({row.patient for row in rows if row.patient})
    models_by_table = tables()
    return [
        Entry(
            event=row,
            act=row.action.replace(".", " ").replace("_", " ").capitalize(),
            record=name_of(row.table, row.row),
            operation=OPERATIONS[row.operation],
            patient=patients.get(row.patient),
            changes=_changes(row, models_by_table.get(row.table)),
        )
        for row in rows
    ]


def _keys(model: type[Trial | Patient], text: str) -> QuerySet:
    wanted = Q(identifier=text)
    if text.isascii() and text.isdigit():
        wanted |= Q(pk=int(text[:18]))
    return model.objects.filter(wanted).values("pk")


def _changes(event: AuditEvent, model: type[models.Model] | None) -> list[Change]:
    before, after = event.before or {}, event.after or {}
    shown = []
    for column in after or before:
        was, became = before.get(column), after.get(column)
        # What a new row leaves empty says nothing.
        if column != "id" and (event.operation == "U" or (was or became) not in (None, "")):
            label, words = _field(model, column)
            shown.append(Change(label, words(was), words(became)))
    return shown


def _field(model: type[models.Model] | None, column: str):
    """What a column is called, and the function that puts its value into words."""
    found = _of_column(model, column) if model else None
    if found is None:
        return column.replace("_", " "), _words
    choices = dict(found.flatchoices)
    name = str(found.verbose_name)
    if column == "variable":
        choices = {key: one.label for key, one in VARIABLES.items()}

    def words(value: Any) -> str:
        if isinstance(value, str) and value in choices:
            return str(choices[value])
        if found.is_relation and value is not None:
            return name_of(found.related_model._meta.db_table, value)
        return _words(value)

    return name[:1].upper() + name[1:], words


def _of_column(model: type[models.Model], column: str) -> models.Field | None:
    try:
        return model._meta.get_field(column.removesuffix("_id"))
    except FieldDoesNotExist:
        return None


def _words(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
