-- The audit trail. Applied by the role that owns the tables, after every migrate; idempotent.
--
-- Each audited table has a row trigger that writes what changed to trials_auditevent, in the
-- same transaction. The function runs as its owner (SECURITY DEFINER), so that the runtime
-- role needs no right to write the trail. Without a frame - who acts, what act, and for a
-- change why - it refuses the write.

create or replace function trials_audit_row() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  frame jsonb := nullif(current_setting('trialtrace.audit', true), '')::jsonb;
  hidden text[] := tg_argv[0]::text[];
  -- A character one can see; written out, as \s alone means less in a database of locale C.
  said constant text := '[^\s\u00a0\u2000-\u200d\u202f\u3000\ufeff]';
  old_row jsonb;
  new_row jsonb;
  whole jsonb;
begin
  if frame is null or (frame->>'actor') is null or coalesce(frame->>'action', '') !~ said then
    raise exception 'audit: % on % without an actor and an action', tg_op, tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  if tg_op <> 'INSERT' and coalesce(frame->>'reason', '') !~ said then
    raise exception 'audit: % on % without a reason', tg_op, tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  if tg_op <> 'INSERT' then old_row := to_jsonb(old) - hidden; end if;
  if tg_op <> 'DELETE' then new_row := to_jsonb(new) - hidden; end if;
  whole := coalesce(new_row, old_row);
  if tg_op = 'UPDATE' then
    -- Both have the columns of the table; one side is looked up, as a join takes longer.
    select jsonb_object_agg(n.key, old_row -> n.key), jsonb_object_agg(n.key, n.value)
      into old_row, new_row
      from jsonb_each(new_row) n
      where n.value is distinct from old_row -> n.key;
    if old_row is null and old is not distinct from new then return null; end if;
  end if;
  insert into public.trials_auditevent (
      at, transaction, "table", "row", operation, before, after, action, reason, actor,
      actor_name, request, trial, patient, software_version, database_role)
    values (
      clock_timestamp(), pg_current_xact_id()::text::bigint, tg_table_name, whole->>'id',
      left(tg_op, 1), old_row, new_row, frame->>'action', coalesce(frame->>'reason', ''),
      (frame->>'actor')::bigint, coalesce(frame->>'actor_name', ''),
      coalesce(frame->>'request', ''),
      coalesce(case when tg_table_name = 'trials_trial' then whole->>'id' end,
               whole->>'trial_id', frame->>'trial')::bigint,
      coalesce(case when tg_table_name = 'trials_patient' then whole->>'id' end,
               whole->>'patient_id', frame->>'patient')::bigint,
      coalesce(frame->>'software_version', ''), session_user);
  return null;
end $$;

revoke all on function trials_audit_row() from public;

create or replace function trials_audit_forbid() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'audit: the trail is append-only, % refused', tg_op
    using errcode = 'insufficient_privilege';
end $$;

-- ALWAYS: also under session_replication_role = replica.
drop trigger if exists forbid_change on trials_auditevent;
create trigger forbid_change before update or delete on trials_auditevent
  for each row execute function trials_audit_forbid();
drop trigger if exists forbid_truncate on trials_auditevent;
create trigger forbid_truncate before truncate on trials_auditevent
  for each statement execute function trials_audit_forbid();
alter table trials_auditevent enable always trigger forbid_change;
alter table trials_auditevent enable always trigger forbid_truncate;
