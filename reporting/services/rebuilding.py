"""An export made once more from the audit trail, to see that it gives the same bytes.

Inside one transaction each table that changed since the export's instant is shadowed by a temporary
one of the same name, which holds its rows as they stood: the rows of today, with every later change
undone, the newest first. PostgreSQL looks for a temporary table before any other, so that the very
queries that froze the export read it again. A column that came since has its value of today, and so
have those that are kept out of the trail (`trials.protection.HIDDEN_COLUMNS`); they never change.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import IO, Any

from django.db import connection, transaction
from psycopg import sql

from reporting.differences import between
from reporting.services.snapshots import Instant, reading
from trials import protection
from trials.services.errors import Refused

# Of later events: who is not in the snapshot, or has a higher number than the last one that is. The
# second tells a database that was restored since, whose transactions count from the start again.
_LATER = """
    select e.id, e."table", e."row", e.operation, e.before
    from public.trials_auditevent e
    where (e.id > %(last)s
           or not pg_visible_in_snapshot(e.transaction::text::xid8, %(snapshot)s::pg_snapshot))
"""
# What a table of forms tells of its history is that of the instant too.
_EARLIER = """
    create temporary view trials_auditevent as select e.* from public.trials_auditevent e
    where e.id <= {last}
        and pg_visible_in_snapshot(e.transaction::text::xid8, {snapshot}::pg_snapshot)
"""
# The row as the first later event found it, and of updates the oldest value of each column. One
# that changed no more than what is kept out of the trail, as a log-in does, has nothing to undo.
_UNDONE = """
    create temporary table {shadow} on commit drop as
    with later as (select * from trialtrace_later where "table" = {name}),
    first as (select distinct on ("row") "row", operation from later order by "row", id),
    gone as (
        select distinct on ("row") "row", before from later where operation = 'D'
        order by "row", id),
    undone as (
        select l."row", jsonb_object_agg(c.key, c.value order by l.id desc) as was
        from later l, jsonb_each(l.before) c where l.operation = 'U' group by l."row")
    select t.* from public.{table} t where not exists (
        select from first f where f."row" = t.id::text)
    union all
    select (jsonb_populate_record(t, coalesce(u.was, '{{}}'::jsonb))).*
        from public.{table} t join first f on f."row" = t.id::text and f.operation <> 'I'
        left join undone u on u."row" = f."row"
        where not exists (select from gone g where g."row" = f."row")
    union all
    select (jsonb_populate_record(
        null::public.{table}, g.before || coalesce(u.was, '{{}}'::jsonb))).*
        from gone g join first f on f."row" = g."row" and f.operation <> 'I'
        left join undone u on u."row" = g."row"
"""


@contextmanager
def as_it_stood(instant: Instant, *, withdrawals: Sequence[int] = ()) -> Iterator[Instant]:
    """A read-only transaction in which the record stands as it did at an instant.

    Only `withdrawals` are there whenever they came: who no longer lets their data be used.

    Raises
    ------
    Refused
        When a table that is asked for has no trail to read it from.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            _shadow(cursor, instant)
            _withdraw(cursor, withdrawals)
            reading(cursor)
        with connection.execute_wrapper(_refusing):
            yield instant
        # The view would outlive a commit.
        transaction.set_rollback(True)


def _shadow(cursor: Any, instant: Instant) -> None:
    cursor.execute(
        f"create temporary table trialtrace_later on commit drop as {_LATER}",
        {"last": instant.audit_event or 0, "snapshot": instant.snapshot},
    )
    cursor.execute(
        'select distinct "table", bool_or("row" is null) over (partition by "table") '
        "from trialtrace_later order by 1"
    )
    for table, is_unnamed in cursor.fetchall():
        if is_unnamed:
            raise Refused(
                "not-rebuildable", f"The trail does not say which rows of {table} changed."
            )
        names = {"shadow": sql.Identifier(table), "table": sql.Identifier(table)}
        cursor.execute(sql.SQL(_UNDONE).format(**names, name=sql.Literal(table)))
        # Queries that group by a row's number name its other columns too, which a key allows.
        shadow = sql.Identifier("pg_temp", table)
        cursor.execute(sql.SQL("alter table {} add primary key (id)").format(shadow))
        cursor.execute(sql.SQL("analyze {}").format(shadow))
    cursor.execute(
        sql.SQL(_EARLIER).format(
            last=sql.Literal(instant.audit_event or 0), snapshot=sql.Literal(instant.snapshot)
        )
    )


def _withdraw(cursor: Any, withdrawals: Sequence[int]) -> None:
    """Add withdrawals to those of the instant; without a shadow all of them are there."""
    cursor.execute("select to_regclass('pg_temp.trials_withdrawal') is not null")
    if withdrawals and cursor.fetchone()[0]:
        cursor.execute(
            "insert into pg_temp.trials_withdrawal select * from public.trials_withdrawal "
            "where id = any(%s) on conflict (id) do nothing",
            [list(withdrawals)],
        )


# The trail itself is read as far as it went.
_UNAUDITED = re.compile(
    "|".join(f'"{one}"' for one in protection.NOT_AUDITED if one != "trials_auditevent")
)


def _refusing(
    execute: Callable[..., Any], query: Any, params: Any, many: bool, context: Any
) -> Any:
    """Let nothing be read that the trail does not tell."""
    if found := _UNAUDITED.search(str(query)):
        raise Refused(
            "not-rebuildable",
            f"The table {found.group()} is not in the audit trail: what an export reads of it "
            "can't be told for an earlier instant.",
        )
    return execute(query, params, many, context)


@dataclass(frozen=True, slots=True)
class Compared:
    """One file of an export: its digest as it was frozen, and as it was made once more.

    `what` says of a dataset that differs how many of its rows and which of its columns.
    """

    path: str
    was: str | None
    made: str | None
    what: str = ""

    @property
    def is_same(self) -> bool:
        return self.was == self.made


def compared(was: Path, made: IO[bytes]) -> list[Compared]:
    """The files of two zips side by side."""
    with zipfile.ZipFile(was) as before, zipfile.ZipFile(made) as after:
        old, new = _digests(before), _digests(after)
        words = {one.path: one.summary for one in between(before, after)} if old != new else {}
    paths = sorted({**old, **new})
    return [Compared(one, old.get(one), new.get(one), words.get(one, "")) for one in paths]


def _digests(archive: zipfile.ZipFile) -> dict[str, str]:
    return {name: _digest(archive, name) for name in archive.namelist()}


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        return file_digest(file, "sha256").hexdigest()
