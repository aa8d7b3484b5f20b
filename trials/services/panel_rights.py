"""What an act on a form of the truth panel takes, and on what is said about one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from trials import permissions
from trials.models import Deviation, FormEntry, ItemValue, Query, User

# What a form of the panel asks of who does an act, in the place of what forms ask elsewhere.
OF_PANEL = {
    "form.view": "panel.view",
    "form.record": "panel.decide",
    "form.sign": "panel.sign",
    # What is asked about a decision says what was decided.
    "query.view": "panel.view",
    "query.answer": "panel.decide",
    # So does what went wrong with one.
    "deviation.view": "panel.view",
    "deviation.acknowledge": "panel.sign",
}


def permission_for(permission: str, *, is_of_panel: bool) -> str:
    """The permission that an act on a form takes."""
    return OF_PANEL.get(permission, permission) if is_of_panel else permission


def decided_by_it(subjects: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Of rows by table and key, the entries of the panel and their values; at most two queries."""
    named: dict[str, set[int]] = defaultdict(set)
    for table, pk in subjects:
        named[table].add(pk)
    entries, values = FormEntry._meta.db_table, ItemValue._meta.db_table
    found: set[tuple[str, int]] = set()
    if keys := named.get(entries):
        rows = FormEntry.objects.filter(pk__in=keys, is_of_panel=True)
        found |= {(entries, pk) for pk in rows.values_list("pk", flat=True)}
    if keys := named.get(values):
        of_values = ItemValue.objects.filter(pk__in=keys, entry__is_of_panel=True)
        found |= {(values, pk) for pk in of_values.values_list("pk", flat=True)}
    return found


def permission_about(permission: str, row: Query | Deviation) -> str:
    """The permission that an act on a query or deviation takes: about a decision, the panel's."""
    return permission_for(permission, is_of_panel=_is_about_it(row))


def require_about(by: User, permission: str, row: Query | Deviation) -> None:
    """Raise unless `by` may do an act on a query or deviation, and see what it is about."""
    permissions.require(by, permission_about(permission, row), row)
    if _is_about_it(row):
        permissions.require(by, "panel.view", row)


def _is_about_it(row: Query | Deviation) -> bool:
    return bool(decided_by_it([(row.subject_table, row.subject_pk)]))
