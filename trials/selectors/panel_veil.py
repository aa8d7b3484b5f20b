"""What the truth panel decides, kept from who may not see its forms: its entries are named alone.

A question about a decision, and the trail of one, say what was decided. Who does not hold the
permission of the panel's forms at that site is told that something is there, by whom and when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Model, Q, QuerySet, Value

from trials.models import (
    AuditEvent,
    Deviation,
    FormEntry,
    FormMove,
    ItemValue,
    Patient,
    Query,
    QueryMessage,
    Signature,
    SourceVerification,
    User,
)
from trials.services import panel_rights

VEIL = "not shown: the truth panel decides it blind"
VIEW = "panel.view"
# Columns that tell what was decided, or why.
TELLING = frozenset(
    {"value", "values", "missing", "reason", "text", "note", "outcome", "undone_because"}
    # Of a signature; its digest is that of few codes, which can be tried out.
    | {"content", "content_sha256"}
)


def _about(way: str = "") -> Q:
    """Of rows with a subject: whether that is an entry of the panel or a value of one."""
    table, pk = f"{way}subject_table", f"{way}subject_pk"
    entries = FormEntry.objects.filter(is_of_panel=True).values("pk")
    values = ItemValue.objects.filter(entry__is_of_panel=True).values("pk")
    return Q(**{table: FormEntry._meta.db_table, f"{pk}__in": entries}) | Q(
        **{table: ItemValue._meta.db_table, f"{pk}__in": values}
    )


# Rows of the record that say something of a decision: of an entry, or about one.
TELL: dict[type[Model], Q] = {
    FormEntry: Q(is_of_panel=True),
    ItemValue: Q(entry__is_of_panel=True),
    FormMove: Q(entry__is_of_panel=True),
    SourceVerification: Q(item_value__entry__is_of_panel=True),
    Query: _about(),
    QueryMessage: _about("query__"),
    Deviation: _about(),
    Signature: _about(),
}


def queries(rows: Sequence[Query], user: User) -> list[Query]:
    """Queries as a user may read them; those with messages at hand with theirs."""
    hidden = panel_rights.decided_by_it((one.subject_table, one.subject_pk) for one in rows)
    for row in rows:
        is_hidden = (row.subject_table, row.subject_pk) in hidden
        if is_hidden and not user.may_for(VIEW, row.scope()):
            row.text, row.is_veiled = VEIL, True
            for message in getattr(row, "_prefetched_objects_cache", {}).get("messages", ()):
                message.text = VEIL
    return list(rows)


def deviations(rows: Sequence[Deviation], user: User) -> list[Deviation]:
    """Deviations as a user may read them."""
    hidden = panel_rights.decided_by_it((one.subject_table, one.subject_pk) for one in rows)
    for row in rows:
        is_hidden = (row.subject_table, row.subject_pk) in hidden
        if is_hidden and not user.may_for(VIEW, row.scope()):
            row.text, row.values, row.is_veiled = VEIL, {}, True
    return list(rows)


def shown(rows: QuerySet, user: User) -> QuerySet:
    """Of queries or deviations, those that a user may open."""
    decided = Q(pk__in=rows.model.objects.visible_to(user, VIEW))
    return rows.exclude(_about() & ~decided)


def events(rows: Sequence[AuditEvent], user: User) -> list[AuditEvent]:
    """Events of the trail as a user may read them; two queries, or none where no table tells."""
    parts = _telling(rows)
    if not parts:
        return list(rows)
    found = {(table, str(pk)) for table, pk in parts[0].union(*parts[1:], all=True)}
    patients = {one.patient for one in rows if one.patient}
    sites = dict(Patient.objects.filter(pk__in=patients).values_list("pk", "site"))
    for row in rows:
        is_hidden = (row.table, row.row) in found
        if is_hidden and not user.may_for(VIEW, (row.trial, sites.get(row.patient))):
            row.before, row.after = _veiled(row.before), _veiled(row.after)
            row.reason = VEIL
    return list(rows)


def _veiled(columns: dict[str, Any] | None) -> dict[str, Any] | None:
    if columns is None:
        return None
    return {name: VEIL if name in TELLING else value for name, value in columns.items()}


def _telling(rows: Collection[AuditEvent]) -> list[QuerySet]:
    """For each table of the events, table and key of those that say something of a decision."""
    by_table: dict[str, set[str]] = defaultdict(set)
    for one in rows:
        by_table[one.table].add(one.row)
    return [
        model._default_manager.filter(tells, pk__in=keys)
        .order_by()
        .values_list(Value(model._meta.db_table), "pk")
        for model, tells in TELL.items()
        if (keys := by_table.get(model._meta.db_table))
    ]
