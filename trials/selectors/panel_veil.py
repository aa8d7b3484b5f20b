"""What the truth panel decides, kept from who may not see its forms: its entries are named alone.

A question about a decision, and the trail of one, say what was decided. Who does not hold the
permission of the panel's forms at that site is told that something is there, by whom and when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Q

from trials.models import (
    AuditEvent,
    Deviation,
    FormEntry,
    FormMove,
    ItemValue,
    Patient,
    Query,
    QueryMessage,
    SourceVerification,
    User,
)
from trials.services import panel

VEIL = "not shown: the truth panel decides it blind"
VIEW = "panel.view"
# Columns that tell what was decided, or why.
TELLING = frozenset({"value", "missing", "reason", "text", "note", "outcome", "undone_because"})
# Rows of the record that belong to an entry of the panel.
OF_ENTRY = {
    FormEntry: Q(is_of_panel=True),
    ItemValue: Q(entry__is_of_panel=True),
    FormMove: Q(entry__is_of_panel=True),
    SourceVerification: Q(item_value__entry__is_of_panel=True),
}
Subject = tuple[str, int]


def queries(rows: Sequence[Query], user: User) -> list[Query]:
    """Queries as a user may read them; those with messages at hand with theirs."""
    hidden = panel.decided_by_it((one.subject_table, one.subject_pk) for one in rows)
    for row in rows:
        is_hidden = (row.subject_table, row.subject_pk) in hidden
        if is_hidden and not user.may_for(VIEW, row.scope()):
            row.text, row.is_veiled = VEIL, True
            for message in getattr(row, "_prefetched_objects_cache", {}).get("messages", ()):
                message.text = VEIL
    return list(rows)


def events(rows: Sequence[AuditEvent], user: User) -> list[AuditEvent]:
    """Events of the trail as a user may read them; nothing is asked where none is of the panel."""
    keys = _of_panel(rows)
    concerned = [one for one in rows if (one.table, one.row) in keys]
    sites = dict(
        Patient.objects.filter(pk__in={one.patient for one in concerned}).values_list("pk", "site")
        if concerned
        else ()
    )
    for row in concerned:
        if not user.may_for(VIEW, (row.trial, sites.get(row.patient))):
            row.before, row.after = _veiled(row.before), _veiled(row.after)
            row.reason = VEIL
    return list(rows)


def _veiled(columns: dict[str, Any] | None) -> dict[str, Any] | None:
    if columns is None:
        return None
    return {name: VEIL if name in TELLING else value for name, value in columns.items()}


def _of_panel(rows: Collection[AuditEvent]) -> set[tuple[str, str]]:
    """Which rows of the record, by table and key, say something of a decision."""
    by_table: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        by_table[one.table].add(one.row)
    found: set[tuple[str, str]] = set()
    for model, of_entry in OF_ENTRY.items():
        table = model._meta.db_table
        if keys := by_table.get(table):
            named = model.objects.filter(of_entry, pk__in=keys).values_list("pk", flat=True)
            found |= {(table, str(pk)) for pk in named}
    return found | _about_it(by_table)


def _about_it(by_table: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Questions, what was said in them, and deviations about a decision."""
    subjects: dict[tuple[str, str], Subject] = {}
    for model, path in ((Query, ""), (QueryMessage, "query__"), (Deviation, "")):
        table = model._meta.db_table
        if keys := by_table.get(table):
            columns = ("pk", f"{path}subject_table", f"{path}subject_pk")
            for pk, name, number in model.objects.filter(pk__in=keys).values_list(*columns):
                subjects[table, str(pk)] = name, number
    hidden = panel.decided_by_it(subjects.values())
    return {key for key, subject in subjects.items() if subject in hidden}
