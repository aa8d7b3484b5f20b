"""Rows that an act reads and that must not change under it."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from psycopg import sql

Row = TypeVar("Row", bound=Model)


def in_order(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Rows for update, by their keys: whoever takes several takes them in one order."""
    return rows.select_for_update(of=("self",)).order_by("pk")


def held(row: Row, *, after: QuerySet[Any]) -> Row:
    """The row as it is now, while none of those `after` which it comes changes. Inside the action.

    They point at it, and come first: who corrects one of them holds it, and asks for `shared` then.
    """
    list(in_order(after).values_list("pk"))
    return type(row)._default_manager.select_for_update().get(pk=row.pk)


def shared(row: type[Row], pk: int) -> Row:
    """The row as it is now; who takes it for update waits for this act. Inside the action.

    It is the lock that a foreign key takes, at commit: too late for who changes the row and
    judges what points at it, since what is not committed is not there for them. Two acts that
    read the same row don't wait for each other.
    """
    lock = sql.SQL("select 1 from {} where id = %s for key share")
    with connection.cursor() as cursor:
        cursor.execute(lock.format(sql.Identifier(row._meta.db_table)), [pk])
    return row._default_manager.get(pk=pk)
