"""The trail can't be evaded, forged or altered by the application: each attack, tried.

All statements run on the real database as the application's role. A refusal must be for lack
of privilege: a mistyped statement has another SQLSTATE and fails its test.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import F

from config.embedded.postgres import BOOTSTRAP
from tests import factories
from trials import protection
from trials.models import AuditEvent, Site
from trials.roles import Role
from trials.services import accounts, audit, database, jobs

INSUFFICIENT_PRIVILEGE = "42501"
APPS = ("trials", "imaging", "reporting")
OURS = tuple(f"{app}_" for app in APPS)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return factories.make_site(factories.make_trial())


@pytest.fixture
def owner(django_db_setup) -> Iterator[psycopg.Connection]:
    """The role that owns the tables; whatever it does here is rolled back."""
    with psycopg.connect(os.environ["OWNER_DATABASE_URL"]) as connected:
        yield connected
        connected.rollback()


def run(statement: str, parameters: tuple = ()) -> int:
    """The number of rows that the statement, as the application's role, touched."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def refusal(statement: str, parameters: tuple = ()) -> str:
    """The SQLSTATE the database refuses the statement with."""
    with pytest.raises(DatabaseError) as refused:
        run(statement, parameters)
    return refused.value.__cause__.sqlstate


def frame(**words) -> None:
    """Set the frame by hand, as an attacker would who can run SQL but not our services."""
    run("select set_config('trialtrace.audit', %s, true)", (json.dumps(words),))


def rows(statement: str, parameters: tuple = ()) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def events(table: str, row: int | None = None):
    found = AuditEvent.objects.filter(table=table).order_by("pk")
    return found if row is None else found.filter(row=str(row))


# What the application's role may never do, whatever it says about itself.
FORGE = """insert into trials_auditevent (at, transaction, "table", "row", operation, action,
    reason, actor, actor_name, request, software_version, database_role) """
VALUES = "now(), 1, 'trials_site', '1', 'U', 'forged', 'none', 1, 'Nobody', '', '0', 'x'"
ATTACKS = {
    "a forged event by insert": f"{FORGE} values ({VALUES})",
    "a forged event by insert from select": f"{FORGE} select {VALUES}",
    "a forged event by a common table expression": (
        f"with forged as ({FORGE} values ({VALUES}) returning id) select * from forged"  # noqa: S608  an attack
    ),
    "a forged event on conflict": (
        f"{FORGE} values ({VALUES}) on conflict (id) do update set reason = 'other'"
    ),
    "a forged event by copy": "copy trials_auditevent from stdin",
    "a forged event by merge": (
        "merge into trials_auditevent e using (select 1) s on false when matched then delete"
    ),
    "an event updated": "update trials_auditevent set reason = 'other'",
    "an event deleted": "delete from trials_auditevent",
    "an event deleted in a common table expression": (
        "with gone as (delete from trials_auditevent returning id) select * from gone"
    ),
    "the trail truncated": "truncate trials_auditevent",
    "the trail locked against writers": "lock table trials_auditevent in exclusive mode",
    "the trail dropped": "drop table trials_auditevent",
    "the trail renamed": "alter table trials_auditevent rename to elsewhere",
    "a number of the trail burnt": "select nextval('trials_auditevent_id_seq')",
    "the numbers of the trail set back": "select setval('trials_auditevent_id_seq', 1)",
    "the trail's guard disabled": "alter table trials_auditevent disable trigger forbid_change",
    "the trail's guard dropped": "drop trigger forbid_change on trials_auditevent",
    "a table's trigger disabled": "alter table trials_patient disable trigger audit",
    "all triggers of a table disabled": "alter table trials_patient disable trigger all",
    "a table's trigger dropped": "drop trigger audit on trials_patient",
    "a trigger of one's own on a table": (
        "create trigger aaa before insert on trials_patient for each row "
        "execute function suppress_redundant_updates_trigger()"
    ),
    "a rule instead of the write": (
        "create rule quiet as on update to trials_patient do instead nothing"
    ),
    "the trigger's function replaced": (
        "create or replace function trials_audit_row() returns trigger language plpgsql "
        "as $$ begin return null; end $$"
    ),
    "the trigger's function dropped": "drop function trials_audit_row() cascade",
    "the trigger's function given another search path": (
        "alter function trials_audit_row() set search_path = pg_temp"
    ),
    "a function of one's own in the schema": (
        "create function public.jsonb_each(jsonb) returns int language sql as 'select 1'"
    ),
    "a table of one's own in the schema": "create table public.elsewhere (id int)",
    "a schema of one's own": "create schema elsewhere",
    "the replica role": "set session_replication_role = replica",
    "the replica role by set_config": (
        "select set_config('session_replication_role', 'replica', false)"
    ),
    "the owner's role": "set role {owner}",
    "the owner's session": "set session authorization {owner}",
    "membership in the owner's role": "grant {owner} to current_user",
    "superuser for oneself": "alter role current_user superuser",
    "a definition of the table": "alter table trials_patient add column note text",
    "a patient deleted": "delete from trials_patient",
    "all patients deleted": "truncate trials_patient cascade",
    "the table of patients dropped": "drop table trials_patient cascade",
    "a job's record deleted": "delete from trials_job",
    "a log-in's record deleted": "delete from axes_accesslog",
    "a migration's record added": (
        "insert into django_migrations (app, name, applied) values ('trials', '9', now())"
    ),
    "a file of the server written": "copy (select 1) to '/tmp/elsewhere'",
    "a program of the server started": "copy (select 1) to program 'true'",
    "a file of the server read": "select pg_read_file('postgresql.conf')",
}


@pytest.mark.requirement("R5")
@pytest.mark.parametrize("statement", [pytest.param(s, id=name) for name, s in ATTACKS.items()])
def test_the_application_is_refused(statement):
    frame(actor=1, action="attack", reason="to hide it")
    owner = connection.ops.quote_name(settings.DATABASES["owner"]["USER"])
    statement = statement.replace("{owner}", owner)
    assert refusal(statement) == INSUFFICIENT_PRIVILEGE


WRITES = {
    "insert": "insert into trials_site (trial_id, code, name, time_zone, state) "
    "select trial_id, code || 'x', name, time_zone, state from trials_site",
    "update": "update trials_site set name = name || 'x'",
    "update that changes nothing": "update trials_site set name = name",
    "update in a common table expression": (
        "with changed as (update trials_site set name = 'x' returning id) select * from changed"
    ),
    "insert or update": (
        "insert into trials_site (id, trial_id, code, name, time_zone, state) "
        "select id, trial_id, code, 'x', time_zone, state from trials_site "
        "on conflict (id) do update set name = excluded.name"
    ),
    "merge": (
        "merge into trials_site s using trials_site t on s.id = t.id "
        "when matched then update set name = 'x'"
    ),
    "update through a cursor": (
        "do $$ declare c cursor for select * from trials_site for update; "
        "begin open c; move c; update trials_site set name = 'x' where current of c; end $$"
    ),
}


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("statement", [pytest.param(s, id=name) for name, s in WRITES.items()])
def test_a_write_without_a_frame_is_refused(site, statement):
    assert refusal(statement) == INSUFFICIENT_PRIVILEGE


def copy_in(site: Site) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        columns = "trials_site (trial_id, code, name, time_zone, state)"
        with cursor.copy(f"copy {columns} from stdin") as into:
            into.write_row((site.trial_id, "copied", "A site", "UTC", "planned"))


@pytest.mark.requirement("R2")
def test_a_copy_into_a_table_without_a_frame_is_refused(site):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="without an actor"):
        copy_in(site)


@pytest.mark.requirement("R2")
@pytest.mark.parametrize(
    ("statement", "operations"),
    [pytest.param(WRITES[n], o, id=n) for n, o in zip(
        ("insert", "update", "update in a common table expression", "insert or update", "merge",
         "update through a cursor"),
        ("I", "U", "U", "U", "U", "U"),
        strict=True,
    )],
)  # fmt: skip
def test_every_way_to_write_leaves_its_event(site, statement, operations):
    before = events("trials_site").count()
    with factories.framed("test.written"):
        run(statement)
    written = list(events("trials_site"))[before:]
    assert {(e.operation, e.action) for e in written} == {(operations, "test.written")}


@pytest.mark.requirement("R10")
@pytest.mark.parametrize(
    "words",
    [
        {"action": "a", "reason": "r"},
        {"actor": 1, "reason": "r"},
        {"actor": 1, "action": " \t", "reason": "r"},
    ],
    ids=["no actor", "no action", "an empty action"],
)
def test_a_frame_must_say_who_and_what(site, words):
    frame(**words)
    assert refusal(WRITES["update"]) == INSUFFICIENT_PRIVILEGE


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("reason", ["", "   ", "\t\n", "\u00a0", "\u200b"])
def test_a_change_without_a_reason_is_refused(site, reason):
    named = audit.action("site.renamed", actor=jobs.system_user(), reason=reason)
    with pytest.raises(DatabaseError) as refused, named:
        Site.objects.update(name="Other")
    assert refused.value.__cause__.sqlstate == INSUFFICIENT_PRIVILEGE


def test_a_first_entry_needs_no_reason(site):
    with audit.action("site.created", actor=jobs.system_user(), reason=""):
        made = Site.objects.create(trial=site.trial, code="x", name="A", time_zone="UTC")
    assert events("trials_site", made.pk).get().reason == ""


@pytest.mark.requirement("R1")
def test_an_event_says_who_when_what_and_why(site):
    somebody = factories.make_user()
    token = audit.current_request.set("request-7")
    try:
        with audit.action("site.renamed", actor=somebody, reason="misspelt"):
            Site.objects.filter(pk=site.pk).update(name="Köln")
    finally:
        audit.current_request.reset(token)
    event = events("trials_site", site.pk).last()
    assert (event.before, event.after) == ({"name": "A site"}, {"name": "Köln"})
    assert (event.operation, event.action, event.reason) == ("U", "site.renamed", "misspelt")
    assert (event.actor, event.actor_name) == (somebody.pk, str(somebody))
    assert (event.trial, event.request) == (site.trial_id, "request-7")
    assert event.database_role == settings.DATABASES["default"]["USER"]
    assert rows("select clock_timestamp() - %s < '1 minute'", (event.at,)) == [(True,)]


@pytest.mark.requirement("R2")
def test_a_bulk_insert_leaves_an_event_a_row(site):
    with factories.framed():
        made = Site.objects.bulk_create(
            Site(trial=site.trial, code=f"b{n}", name="B", time_zone="UTC") for n in range(3)
        )
    assert [events("trials_site", s.pk).get().after["code"] for s in made] == ["b0", "b1", "b2"]


@pytest.mark.requirement("R2")
def test_bulk_updates_leave_an_event_a_row(site):
    other = factories.make_site(site.trial)
    with factories.framed():
        site.name = other.name = "C"
        Site.objects.bulk_update([site, other], ["name"])
        Site.objects.filter(pk__in=[site.pk, other.pk]).update(code=F("code"), name="D")
    for one in (site, other):
        changes = [e.after for e in events("trials_site", one.pk).filter(operation="U")]
        assert changes == [{"name": "C"}, {"name": "D"}]


@pytest.mark.requirement("R2")
def test_a_copy_with_a_frame_leaves_an_event_a_row(site):
    with factories.framed():
        copy_in(site)
    assert events("trials_site").last().after["code"] == "copied"


@pytest.mark.requirement("R1")
def test_a_rolled_back_act_leaves_neither_row_nor_event(site):
    @factories.framed()
    def rename_and_fail():
        Site.objects.filter(pk=site.pk).update(name="Other")
        raise ValidationError("no")

    before = AuditEvent.objects.count()
    with pytest.raises(ValidationError):
        rename_and_fail()
    site.refresh_from_db()
    assert (site.name, AuditEvent.objects.count()) == ("A site", before)


@pytest.mark.requirement("R10")
def test_the_frame_ends_with_the_act(site):
    with factories.framed():
        Site.objects.update(name="Other")
    assert refusal(WRITES["update"]) == INSUFFICIENT_PRIVILEGE


@pytest.mark.requirement("R10")
def test_the_frame_ends_with_a_failed_act(site):
    with pytest.raises(ValidationError), factories.framed():
        raise ValidationError("no")
    assert refusal(WRITES["update"]) == INSUFFICIENT_PRIVILEGE


@pytest.mark.requirement("R10")
def test_an_act_inside_another_is_refused(site):
    with factories.framed("test.outer"):
        inner = factories.framed("test.inner")
        with pytest.raises(audit.NestedActionError, match=r"test\.inner"), inner:
            pass
        Site.objects.update(name="Other")
    assert events("trials_site", site.pk).last().action == "test.outer"


@pytest.mark.requirement("R10")
def test_a_frame_left_on_a_session_stops_the_next_act():
    run("select set_config('trialtrace.audit', %s, false)", ('{"actor": 1, "action": "left"}',))
    with pytest.raises(audit.NestedActionError), factories.framed():
        pass


def test_a_table_of_the_same_name_does_not_catch_the_events(site):
    run("create temp table trials_auditevent (like public.trials_auditevent)")
    with factories.framed():
        Site.objects.update(name="Other")
    recorded = "select after->>'name' from public.trials_auditevent where \"row\" = %s"
    assert rows(f"{recorded} order by id desc limit 1", (str(site.pk),)) == [("Other",)]
    assert rows("select count(*) from pg_temp.trials_auditevent") == [(0,)]


def test_a_function_of_the_same_name_does_not_replace_the_databases():
    run(
        "create function pg_temp.to_jsonb(anyelement) returns jsonb language sql "
        "as $$ select '{}'::jsonb $$"
    )
    run("set local search_path = pg_temp, public")
    trial = factories.make_trial()
    assert events("trials_trial", trial.pk).get().after["identifier"] == trial.identifier


def test_the_trigger_can_not_be_borrowed_for_a_table_of_ones_own():
    run("create temp table trials_site (id int, name text)")
    borrowed = (
        "create trigger audit after insert on pg_temp.trials_site "
        "for each row execute function public.trials_audit_row('{}')"
    )
    assert refusal(borrowed) == INSUFFICIENT_PRIVILEGE


@pytest.mark.requirement("R5")
@pytest.mark.parametrize(
    "statement",
    [
        "update trials_auditevent set reason = 'other'",
        "delete from trials_auditevent",
        "truncate trials_auditevent",
    ],
)
def test_not_even_the_owner_changes_the_trail(owner, statement):
    owner.execute(f"{FORGE} values ({VALUES})")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        owner.execute(statement)


@pytest.mark.requirement("R5")
def test_the_replica_role_of_a_superuser_does_not_silence_the_trail(site):
    if "host=/" not in os.environ["OWNER_DATABASE_URL"]:
        pytest.skip("only the embedded server lets the tests in as superuser")
    url = re.sub(r"//[^@]+@", f"//{BOOTSTRAP}@", os.environ["OWNER_DATABASE_URL"])
    with psycopg.connect(url) as superuser:
        superuser.execute("set session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="without an actor"):
            superuser.execute("update trials_user set first_name = 'x'")
        superuser.rollback()


# What is guarded, as the catalogue of the database tells.


def audited() -> set[str]:
    """The tables whose trigger fires for every row and write, also for a replica."""
    # 29: for each row, after insert, delete and update.
    return {
        name
        for (name,) in rows(
            "select tgrelid::regclass::text from pg_trigger where tgname = 'audit' "
            "and tgfoid = 'trials_audit_row'::regproc and tgenabled = 'A' and tgtype = 29"
        )
    }


@pytest.mark.requirement("R1")
def test_every_table_of_ours_has_its_trigger():
    ours = {t for t in connection.introspection.table_names() if t.startswith(OURS)}
    assert ours - audited() == set(protection.NOT_AUDITED)


@pytest.mark.requirement("R1")
def test_every_model_of_ours_lies_in_a_table_of_ours():
    ours = [
        m for app in APPS for m in apps.get_app_config(app).get_models(include_auto_created=True)
    ]
    assert len(ours) > 20
    assert [m for m in ours if not m._meta.db_table.startswith(OURS)] == []


@pytest.mark.django_db(databases=["owner"])
@pytest.mark.requirement("R1")
def test_a_new_table_is_guarded_by_the_next_migrate():
    as_owner = connections["owner"]
    with as_owner.cursor() as cursor:
        cursor.execute("create table imaging_new (id bigint primary key, trial_id bigint)")
        database.protect(as_owner, runtime_role=settings.DATABASES["default"]["USER"])
        cursor.execute("select tgenabled from pg_trigger where tgrelid = 'imaging_new'::regclass")
        assert cursor.fetchall() == [("A",)]
        assert _rights(cursor, "imaging_new") == {"SELECT", "INSERT", "UPDATE"}


@pytest.mark.requirement("R5")
def test_the_application_may_only_read_the_trail():
    with connection.cursor() as cursor:
        assert _rights(cursor, "trials_auditevent") == {"SELECT"}


@pytest.mark.requirement("R16")
def test_the_application_may_delete_from_no_table_of_ours():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(OURS):
                assert _rights(cursor, table) <= {"SELECT", "INSERT", "UPDATE"}, table


def _rights(cursor, table: str) -> set[str]:
    everything = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
    role = settings.DATABASES["default"]["USER"]
    cursor.execute(
        "select r from unnest(%s::text[]) r where has_table_privilege(%s, %s, r)",
        [everything, role, table],
    )
    return {right for (right,) in cursor.fetchall()}


@pytest.mark.requirement("R5")
def test_the_application_owns_nothing():
    owned = """select relname::text from pg_class where relowner = current_user::regrole
        union all select proname::text from pg_proc where proowner = current_user::regrole
        union all select nspname::text from pg_namespace where nspowner = current_user::regrole
        union all select datname::text from pg_database where datdba = current_user::regrole"""
    assert rows(owned) == []


@pytest.mark.requirement("R5")
def test_the_application_is_nobody_special():
    flags = """select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
        from pg_roles where rolname = current_user"""
    assert rows(flags) == [(False,) * 5]
    assert rows("select 1 from pg_auth_members where member = current_user::regrole") == []


@pytest.mark.requirement("R5")
def test_a_right_the_application_grants_itself_is_not_given():
    # The database answers this with a warning, as one right on the table is held.
    run("grant insert on trials_auditevent to current_user")
    with connection.cursor() as cursor:
        assert _rights(cursor, "trials_auditevent") == {"SELECT"}


@pytest.mark.django_db(databases=["owner"])
@pytest.mark.requirement("R5")
def test_a_runtime_role_that_could_switch_the_trail_off_is_refused():
    as_owner = connections["owner"]
    owner = settings.DATABASES["owner"]["USER"]
    with pytest.raises(database.UnsafeRoleError, match=owner):
        database.protect(as_owner, runtime_role=owner)


# What must not be in the trail.


@pytest.mark.requirement("R13")
def test_a_changed_password_is_an_event_without_the_password():
    user = factories.make_user()
    with factories.framed("password.changed"):
        user.set_password("correct horse battery")
        user.save(update_fields=["password"])
    event = events("trials_user", user.pk).last()
    assert (event.action, event.before, event.after) == ("password.changed", None, None)


@pytest.mark.requirement("R43")
def test_no_secret_is_in_the_trail(site):
    user = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    token, row = accounts.issue_token(user, label="script")
    patient = factories.make_patient(site, by=user)
    secrets = {
        "trials_apitoken": {"digest"},
        "trials_patient": {"date_shift_days"},
        "trials_trial": {"uid_key"},
        "trials_user": {"password", "last_login"},
    }
    for table, hidden in secrets.items():
        written = [e.after for e in events(table)]
        assert written
        assert hidden & set().union(*written) == set(), table
    everything = json.dumps(list(AuditEvent.objects.values("before", "after", "reason")))
    for secret in (token, row.digest, (b"k" * 32).hex(), str(patient.date_shift_days)):
        assert secret not in everything


@pytest.mark.requirement("R43")
def test_every_column_that_sounds_secret_was_thought_of():
    sounds = "password|secret|token$|key$|digest|salt|shift|login"
    named = {
        (table, column)
        for table, column in rows(
            "select table_name::text, column_name::text from information_schema.columns "
            "where table_schema = 'public' and column_name ~ %s",
            (sounds,),
        )
        if table.startswith(OURS) and table not in protection.NOT_AUDITED
    }
    hidden = {(t, c) for t, columns in protection.HIDDEN_COLUMNS.items() for c in columns}
    # How one scan lies to another, in mm.
    open_ones = {("imaging_lesioncomparison", column) for column in ("shift", "shift_how")}
    assert named - hidden == open_ones
