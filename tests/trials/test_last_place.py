"""The last place of a cohort, with real commits: two sites reach for it at the same moment."""

from __future__ import annotations

from functools import partial
from threading import Barrier, Event, Thread

import pytest
from django.db import connection, transaction

from tests import factories
from trials.models import Cohort
from trials.roles import Role
from trials.services import cohorts, enrolment, patients, queries, settlements
from trials.services.errors import Refused


@pytest.mark.usefixtures("committed_db")
def test_two_who_enrol_into_the_last_place_get_it_once():
    trial = factories.make_trial()
    site = factories.make_site(trial)
    other_site = factories.make_site(trial)
    with factories.framed():
        Cohort.objects.create(version=trial.newest_version, identifier="A", label="A", cap=1)
    ready = []
    for place in (site, other_site):
        by = factories.make_user(Role.COORDINATOR, trial=trial, site=place)
        patient = factories.make_patient(place, by=by)
        factories.make_consent(patient, by=by)
        factories.sign(factories.make_assessment(patient, by=by))
        ready.append((patient, by))
    barrier, came_to = Barrier(2), []

    def enrol(patient, by):
        barrier.wait()
        try:
            enrolment.enrol(patient, cohort="A", by=by)
            came_to.append("enrolled")
        except Refused as refusal:
            came_to.append(refusal.code)
        finally:
            connection.close()

    threads = [Thread(target=enrol, args=one) for one in ready]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert sorted(came_to) == ["cohort-full", "enrolled"]
    assert cohorts.rooms(site.version_in_force)[0].enrolled == 1


@pytest.mark.usefixtures("committed_db")
def test_a_decision_between_sources_waits_for_an_assessment_under_way():
    """Else the assessment would keep the old reading under a time after the decision."""
    trial = factories.make_trial()
    patient = factories.make_patient(factories.make_site(trial))
    manager = factories.make_user(Role.DATA_MANAGER, trial=trial)
    with factories.framed():
        version = trial.newest_version
        version.definition = {
            "phase": {
                "text": "Phase 2",
                "source": ["A"],
                "conflict": [{"text": "Phase 3", "source": ["B"]}],
            }
        }
        version.save()
    settle = partial(
        settlements.settle, trial, conflict="phase", choice="Phase 2", basis="sponsor", by=manager
    )
    assert waits_for_an_assessment_of(patient, settle)


@pytest.mark.usefixtures("committed_db")
def test_the_closing_of_a_query_waits_for_an_assessment_under_way():
    """Else the assessment would doubt the value under a time after the closing."""
    trial = factories.make_trial()
    patient = factories.make_patient(factories.make_site(trial))
    monitor = factories.make_user(Role.MONITOR, trial=trial)
    query = queries.open_query(patient, text="Which scale?", by=monitor)
    assert waits_for_an_assessment_of(patient, partial(queries.close, query, text="ok", by=monitor))


def waits_for_an_assessment_of(patient, act) -> bool:
    """Whether an act is done only when the patient is let go."""
    done = Event()

    def perform():
        act()
        done.set()
        connection.close()

    thread = Thread(target=perform)
    with transaction.atomic():
        patients.hold_still(patient)
        thread.start()
        is_early = done.wait(0.5)
    thread.join()
    return done.is_set() and not is_early
