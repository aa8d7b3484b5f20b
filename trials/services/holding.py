"""Rows that an act reads and that must not change under it."""

from __future__ import annotations

from typing import TypeVar

from django.db import connection
from django.db.models import Model
from psycopg import sql

Row = TypeVar("Row", bound=Model)


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
