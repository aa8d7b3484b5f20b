"""What was recorded before sites had versions in force and enrolments a row of their own.

Nothing is guessed: a site goes on with the newest version, a patient keeps the number, an
enrolment is dated by the audit trail, or by the registration where the trail has no event.
The trail records this as an act of the system.
"""

from django.db import migrations

FRAME = """
select set_config('trialtrace.audit', json_build_object(
    'action', 'database.migrated', 'actor', id, 'actor_name', 'System',
    'reason', 'records of an earlier release')::text, true)
from trials_user where username = 'system'
"""

# The tables are new and get their triggers after every migrate; these rows come before it. On
# an empty database there is neither a trigger's function nor a row.
TRIGGER = """
do $$ declare name text; begin
    if exists (select from pg_proc where proname = 'trials_audit_row') then
        foreach name in array array['trials_protocolactivation', 'trials_enrolment'] loop
            execute format('drop trigger if exists audit on %I', name);
            execute format('create trigger audit after insert or update or delete on %I '
                           'for each row execute function trials_audit_row(''{}'')', name);
        end loop;
    end if;
end $$
"""

FORWARD = [
    TRIGGER,
    FRAME,
    "update trials_patient set screening_number = identifier where screening_number = ''",
    """
insert into trials_protocolactivation
    (site_id, version_id, effective_on, reference, activated_by_id, activated_at)
select s.id, v.id, v.loaded_at::date, '', u.id, now()
from trials_site s
join lateral (select id, loaded_at from trials_protocolversion
              where trial_id = s.trial_id order by number desc limit 1) v on true
join trials_user u on u.username = 'system'
where not exists (select from trials_protocolactivation a where a.site_id = s.id)
""",
    """
insert into trials_enrolment
    (patient_id, assessment_id, is_despite_criteria, enrolled_by_id, enrolled_at)
select p.id, a.id, false, coalesce(e.actor, u.id), coalesce(e.at, p.registered_at)
from trials_patient p
join trials_user u on u.username = 'system'
left join lateral (select actor, at from trials_auditevent
                   where "table" = 'trials_patient' and "row" = p.id::text
                   and action = 'patient.enrolled' order by id limit 1) e on true
left join lateral (select id from trials_eligibilityassessment
                   where patient_id = p.id and gate = 'enrolment' and verdict = 'eligible'
                   and assessed_at <= coalesce(e.at, now())
                   order by assessed_at desc limit 1) a on true
where p.state in ('enrolled', 'withdrawn')
""",
    "select set_config('trialtrace.audit', '', true)",
]


class Migration(migrations.Migration):
    dependencies = [("trials", "0004_conduct")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
