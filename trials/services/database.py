"""Puts the database's own guards in place. Runs as the role that owns the tables."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from trials import protection

AUDIT_SQL = Path(__file__).resolve().parents[1] / "sql" / "audit.sql"


class UnsafeRoleError(RuntimeError):
    """The application's role could switch the audit trail off."""


def protect(connection, *, runtime_role: str) -> None:
    """Install the audit trail and grant `runtime_role` what the application needs.

    Idempotent, so it follows every migrate and no table is ever without its guard.
    """
    tables = connection.introspection.table_names()
    if "trials_auditevent" not in tables:
        return
    with connection.cursor() as cursor:
        _require_harmless(cursor, runtime_role)
        cursor.execute(AUDIT_SQL.read_text().replace("%", "%%"), ())
        for table in protection.audited_tables(tables):
            _audit(cursor, table)
        _grant(cursor, tables, runtime_role)


def _require_harmless(cursor, role: str) -> None:
    """Refuse a role of the application that is, or may become, the owner or a superuser."""
    cursor.execute("select pg_has_role(%s, current_user, 'member')", [role])
    if cursor.fetchone()[0]:
        raise UnsafeRoleError(
            f"The application's role {role} may act as the owner of the tables: DATABASE_URL "
            "must name a role that owns nothing, OWNER_DATABASE_URL the one that migrates."
        )


def _audit(cursor, table: str) -> None:
    hidden = "{" + ",".join(protection.HIDDEN_COLUMNS.get(table, ())) + "}"
    name = sql.Identifier(table)
    cursor.execute(sql.SQL("drop trigger if exists audit on {}").format(name))
    cursor.execute(
        sql.SQL(
            "create trigger audit after insert or update or delete on {} "
            "for each row execute function trials_audit_row({})"
        ).format(name, sql.Literal(hidden))
    )
    cursor.execute(sql.SQL("alter table {} enable always trigger audit").format(name))


def _grant(cursor, tables: list[str], runtime_role: str) -> None:
    role = sql.Identifier(runtime_role)
    cursor.execute(sql.SQL("grant usage on schema public to {}").format(role))
    for table in tables:
        name = sql.Identifier(table)
        cursor.execute(sql.SQL("revoke all on {} from {}").format(name, role))
        rights = sql.SQL(protection.privileges(table))
        cursor.execute(sql.SQL("grant {} on {} to {}").format(rights, name, role))
    # Identity columns number rows without a right on their sequences, and a right would let
    # the application leave gaps in the trail that look like removed events.
    cursor.execute(sql.SQL("revoke all on all sequences in schema public from {}").format(role))
