"""Each version of an injection as the trail has it: what stood, who wrote it, when and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trials.models import AuditEvent, Injection

TABLE = Injection._meta.db_table


@dataclass(frozen=True)
class Version:
    """One version of an injection; `row` is not the stored row and is never saved."""

    row: Injection
    by: str
    at: datetime
    reason: str

    @property
    def number(self) -> int:
        return self.row.version


def versions_of(injection: Injection) -> list[Version]:
    """Every version, the first one first."""
    return list(_replayed(injection.pk))


def version_of(injection: Injection, number: int | None) -> Version | None:
    """One version by its number; None where there is none of it."""
    return next((one for one in versions_of(injection) if one.number == number), None)


def _replayed(pk: int) -> Iterator[Version]:
    """The trail holds what changed: each version is the one before and its changes."""
    values: dict = {}
    found: dict[int, Version] = {}
    for event in AuditEvent.objects.filter(table=TABLE, row=str(pk)).order_by("pk"):
        values = values | (event.after or {})
        row = _row(values)
        found.setdefault(row.version, Version(row, event.actor_name, event.at, event.reason))
    yield from found.values()


def _row(values: dict) -> Injection:
    columns = {one.attname: one for one in Injection._meta.concrete_fields}
    return Injection(
        **{
            name: columns[name].to_python(value)
            for name, value in values.items()
            if name in columns
        }
    )
