"""A database of an earlier release, with its records and its trail, brought to this one.

A database without tables is made by the squashed migrations, which must come to the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from config.embedded import postgres
from tests.commands import said

# To bring it there takes all.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
# The last state before sites had versions in force and enrolments a row of their own.
EARLIER = ("trials", "0003")
MIGRATE = """
import sys
import django
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

def as_released(self, load=MigrationLoader.load_disk):
    load(self)
    found = self.disk_migrations.items()
    self.disk_migrations = {key: one for key, one in found if not one.replaces}

django.setup()
if any(sys.argv[1:]):
    # What an earlier release ran: the squashed migrations came after it.
    MigrationLoader.load_disk = as_released
for state in sys.argv[1:]:
    call_command("migrate", *state.split(), database="owner", verbosity=0)
"""
FRAME = """
select set_config('trialtrace.audit', json_build_object('action', '{}', 'actor', 1,
    'actor_name', 'Ada', 'reason', 'x')::text, true)
"""
RECORDS = """
insert into trials_trial
    (id, identifier, acronym, title, sponsor, phase, status, conditions, is_demo, uid_key)
values (7, 'OLD', '', '', '', '', '', '[]', false, '\\x00');
insert into trials_protocolversion
    (id, trial_id, number, label, definition, definition_sha256, loaded_at)
values (1, 7, 1, '1.0', '{}', repeat('0', 64), '2025-01-01Z'),
       (2, 7, 2, '2.0', '{}', repeat('1', 64), '2025-06-01Z');
insert into trials_site (id, trial_id, code, name, time_zone) values (5, 7, '101', 'A', 'UTC');
insert into trials_patient
    (id, trial_id, site_id, number, identifier, sex_at_birth, birth, state, date_shift_days,
     registered_at)
select n, 7, 5, n, '101-00' || n, 'F', '1970', state, -400, '2025-06-02Z'
from (values (1, 'screening'), (2, 'screening'), (3, 'withdrawn')) as given(n, state);
insert into trials_eligibilityassessment
    (id, patient_id, version_id, gate, verdict, assessed_at, assessed_by_id, software_version)
values (9, 2, 2, 'enrolment', 'eligible', '2025-06-03Z', 1, '0.1');
"""
ENROLLED = "update trials_patient set state = 'enrolled' where id = 2"


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of its own with an empty database."""
    with tempfile.TemporaryDirectory(prefix="tt-old-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        found = postgres.EmbeddedPostgres(Path(folder) / "pg", durable=False)
        found.start()
        try:
            found.prepare()
            yield found
        finally:
            found.stop()


def migrate(server, *states):
    """Bring the database to one state after the other, in one process that loads them once."""
    environment = os.environ | {
        "DATABASE_URL": server.url(postgres.RUNTIME),
        "OWNER_DATABASE_URL": server.url(postgres.OWNER),
    }
    words = [" ".join(state) for state in states]
    said([sys.executable, "-c", MIGRATE, *words], cwd=ROOT, env=environment, timeout=600)


def written(server, action, statements):
    with psycopg.connect(server.url(postgres.OWNER)) as connection:
        connection.execute(FRAME.format(action))
        connection.execute(statements)


SENT = """
insert into trials_tracer (id, version_id, identifier, name, radionuclide, source)
values (1, 2, 'ptf', 'P', 'Ga-68', '[]');
insert into trials_plannedscan
    (id, version_id, tracer_id, identifier, label, coverage, reconstruction,
     reference_regions, segmentation, conformance, suv_source, source)
values (1, 2, 1, 'ptf', 'PET', '', '', '[]', '{}', '{}', 'header', '[]');
insert into trials_scheduledscan
    (id, patient_id, planned_scan_id, planned_at, state, sequence, cancelled_because)
values (3, 2, 1, '2025-07-01Z', 'scheduled', 1, '');
insert into imaging_transmittal
    (id, scheduled_scan_id, state, code, message, sent_by_id, opened_at, completed_at)
values (8, 3, 'quantified', '', '', 1, '2025-07-01Z', '2025-07-02Z');
insert into trials_job
    (id, kind, arguments, state, attempts, token, actor_id, progress, error, queued_at, not_before)
values (4, 'imaging.inspect', '{"transmittal": 8}', 'done', 1, 1, 1, '', '', '2025-07-02Z',
        '2025-07-02Z'),
       (5, 'imaging.destroy', '{"patient": 2}', 'parked', 3, 3, 1, '', '', '2025-07-02Z',
        '2025-07-02Z'),
       (6, 'reporting.freeze', '{"export": 8}', 'done', 1, 1, 1, '', '', '2025-07-02Z',
        '2025-07-02Z'),
       (7, 'reporting.freeze', '{"export": 11}', 'parked', 3, 3, 1, '', '', '2025-07-02Z',
        '2025-07-02Z');
insert into reporting_export
    (id, trial_id, state, reason, requested_by_id, requested_at, manifest, sha256, message)
values (11, 7, 'failed', 'x', 1, '2025-07-02Z', '{}', '', '');
"""


# Of one run: a liver that was proposed, and one that a reader placed beside it.
MEASURED = """
insert into imaging_imagingstudy (id, scheduled_scan_id, study_instance_uid)
values (1, 3, '2.25.1');
insert into imaging_series
    (id, imaging_study_id, transmittal_id, series_instance_uid, modality, reading_identifier,
     state, code, message, assembly, counting, counts, created_at)
values (1, 1, 8, '2.25.2', 'PT', 'R-1', 'quantified', '', '', '{}', '', true, '2025-07-02Z');
insert into imaging_quantification
    (id, series_id, run, is_current, status, code, message, flags, parameters, derivation,
     input_sha256, software_version, computed_at)
values (1, 1, 1, true, 'computed', '', '', '[]', '{}', '{}', '', '0.1', '2025-07-02Z');
insert into imaging_lesion
    (id, quantification_id, number, suvmax, suvmean, suvpeak, suvpeak_definition, volume_ml,
     total_uptake, voxel_count, suvmax_voxel, centroid_mm, has_partial_volume)
values (1, 1, 1, 9, 4, 6, 'ibsi_global', 1, 4, 10, '[0, 0, 0]', '[0, 0, 0]', false);
insert into imaging_referenceregion
    (id, quantification_id, kind, status, centre_mm, radius_mm, voxel_count, suvmean, suv_sd,
     placed_by_id, placed_at)
values (1, 1, 'liver', 'proposed', '[0, 0, 0]', 15, 99, 2, 0.1, 1, '2025-07-02Z'),
       (2, 1, 'liver', 'placed', '[0, 0, 0]', 15, 99, 1.5, 0.1, 1, '2025-07-03Z');
insert into imaging_lesionratio (id, lesion_id, region_id, tbr) values (1, 1, 1, 4.5), (2, 1, 2, 6);
"""


@pytest.fixture(scope="module")
def brought(server):
    """Records of several earlier releases, each brought to the next and all to this one."""
    migrate(server, EARLIER)
    written(server, "patient.registered", RECORDS)
    written(server, "patient.enrolled", ENROLLED)
    migrate(server, ("imaging", "0006"), ("trials", "0011"), ("reporting", "0002"))
    written(server, "transmittal.received", SENT)
    migrate(server, ("imaging", "0014"))
    written(server, "series.quantified", MEASURED)
    migrate(server, ())
    with psycopg.connect(server.url(postgres.OWNER)) as connection:
        yield connection


def test_records_of_an_earlier_release_are_kept_and_nothing_is_guessed(brought):
    def rows(query):
        return brought.execute(query).fetchall()

    numbers = rows("select identifier, screening_number from trials_patient order by id")
    held = rows("select site_id, version_id, effective_on::text from trials_protocolactivation")
    enrolled = rows(
        "select e.patient_id, e.assessment_id, e.enrolled_by_id, e.is_despite_criteria,"
        " e.enrolled_at = a.at from trials_enrolment e left join trials_auditevent a"
        " on a.action = 'patient.enrolled' and a.row = e.patient_id::text order by 1"
    )
    acts = rows(
        "select distinct \"table\" from trials_auditevent where action = 'database.migrated'"
    )
    assert numbers == [(f"101-00{n}", f"101-00{n}") for n in (1, 2, 3)]
    assert held == [(5, 2, "2025-06-01")]
    # Who withdrew before the trail said when was enrolled on no assessment anybody can name.
    assert enrolled == [(2, 9, 1, False, True), (3, None, 1, False, None)]
    assert {name for (name,) in acts} >= {"trials_enrolment", "trials_protocolactivation"}


def test_a_transmittal_and_a_job_of_an_earlier_release_name_their_site_and_regions_rank(brought):
    found = brought.execute(
        "select site_id, source, moved_at::date::text from imaging_transmittal"
    ).fetchall()
    placed = brought.execute("select id, trial_id, site_id from trials_job order by id").fetchall()
    regions = brought.execute(
        "select id, replaced_at::date::text from imaging_referenceregion order by id"
    ).fetchall()
    ratios = brought.execute(
        "select tbr, tbr_peak, tbr_mean from imaging_lesionratio order by id"
    ).fetchall()
    assert found == [(5, "browser", "2025-07-02")]
    # The export of one is gone, and nobody guesses its trial; that of the other is of no site.
    assert placed == [(4, 7, 5), (5, 7, 5), (6, None, None), (7, 7, None)]
    assert regions == [(1, "2025-07-03"), (2, None)]
    assert ratios == [(4.5, 3, 2), (6, 4, 4 / 1.5)]


# A column was renamed, which renames none of what PostgreSQL named after it.
RENAMED = {
    " CONSTRAINT trials_tracermovement_containers_not_null": "",
    "trials_tracermovement_containers_check": "trials_tracermovement_doses_check",
}


def schema(server, url):
    """Tables, columns in their order, constraints, triggers, functions and grants, as SQL."""
    words = [server.bin / "pg_dump", "--schema-only", "--dbname", url]
    dump = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    for was, now in RENAMED.items():
        dump = dump.replace(was, now)
    # Each dump has a key of its own in these two lines.
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.MULTILINE)


def test_every_migration_and_the_squashed_ones_come_to_the_same_schema(
    server, brought, django_db_setup
):
    found = schema(server, server.url(postgres.OWNER))
    assert found.count("CREATE TABLE") > 100
    assert found == schema(server, os.environ["OWNER_DATABASE_URL"])


def test_a_database_that_took_every_migration_has_the_squashed_ones_too(brought):
    apps = brought.execute(
        "select app from django_migrations where name like '0001_squashed_%' order by app"
    ).fetchall()
    assert apps == [("imaging",), ("reporting",), ("trials",)]
