"""One look at the database: everything read inside it is of the same instant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from trials.models import AuditEvent


@dataclass(frozen=True)
class Instant:
    """What an instant of the database is known by.

    Events of the audit trail in it are those for which
    `pg_visible_in_snapshot(transaction::text::xid8, snapshot)` holds: a lower number alone
    does not tell, since a transaction takes its numbers before it commits.
    """

    as_of: datetime
    audit_event: int | None
    snapshot: str


@contextmanager
def taken() -> Iterator[Instant]:
    """A read-only transaction that sees one instant, however long it takes to read.

    Never inside another transaction: PostgreSQL sets the isolation before the first query.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            reading(cursor)
            cursor.execute("select clock_timestamp(), pg_current_snapshot()::text")
            as_of, snapshot = cursor.fetchone()
        last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
        yield Instant(as_of, last, snapshot)


def reading(cursor: Any) -> None:
    """Let the transaction read only, and plan for datasets."""
    # A dataset joins up to two dozen tables, each wholly read once. Chosen by statistics of
    # tables that were just filled, a nested loop reads one again for each row of the other,
    # and of loops in loops the cost grows with a power of the rows: hours for thirty rows.
    cursor.execute(
        "set transaction read only; "
        "set local join_collapse_limit = 1; set local enable_nestloop = off"
    )


@contextmanager
def looked() -> Iterator[Instant]:
    """One look for a page; inside a transaction of the caller's it is the caller's look."""
    if not connection.in_atomic_block:
        with taken() as instant:
            yield instant
        return
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp(), pg_current_snapshot()::text")
        as_of, snapshot = cursor.fetchone()
    yield Instant(as_of, None, snapshot)
