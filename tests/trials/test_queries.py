"""Queries and deviations walk their states and no others."""

from __future__ import annotations

import pytest

from tests import factories
from trials.models import Query
from trials.roles import Role
from trials.services import audit, deviations, jobs, queries
from trials.services.errors import Forbidden, Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    site = factories.make_site(factories.make_trial())
    return {
        role: factories.make_user(role, trial=site.trial, site=site)
        for role in (Role.COORDINATOR, Role.MONITOR, Role.INVESTIGATOR)
    } | {"site": site}


@pytest.fixture
def patient(people):
    return factories.make_patient(people["site"], by=people[Role.COORDINATOR])


@pytest.fixture
def query(people, patient):
    return queries.open_query(patient, text="Which formula?", by=people[Role.MONITOR])


@pytest.mark.requirement("R47")
def test_a_query_is_opened_answered_closed(people, query):
    queries.answer(query, text="CKD-EPI 2021", by=people[Role.COORDINATOR])
    closed = queries.close(query, text="agreed", by=people[Role.MONITOR])
    assert closed.state == Query.State.CLOSED
    assert [m.state for m in closed.messages.all()] == ["open", "answered", "closed"]


@pytest.mark.requirement("R47")
def test_a_closed_query_is_final(people, query):
    queries.close(query, text="by mistake", by=people[Role.MONITOR])
    with pytest.raises(Refused) as refusal:
        queries.answer(query, text="late", by=people[Role.COORDINATOR])
    assert refusal.value.code == "wrong-state"


@pytest.mark.requirement("R48")
def test_the_site_may_not_close_a_query(people, query):
    with pytest.raises(Forbidden):
        queries.close(query, text="done", by=people[Role.COORDINATOR])


@pytest.mark.requirement("R49")
def test_a_rule_that_fails_twice_asks_once(people, patient):
    with audit.action("test", actor=jobs.system_user(), reason="test", trial=patient.trial_id):
        first = queries.raise_by_rule(patient, rule="r", text="why?")
        assert queries.raise_by_rule(patient, rule="r", text="why?") == first


def test_a_deviation_is_acknowledged_by_the_investigator_then_closed(people, patient):
    drafted = deviations.record(patient, text="late scan", by=people[Role.MONITOR])
    deviations.acknowledge(drafted, text="seen", by=people[Role.INVESTIGATOR])
    closed = deviations.close(drafted, text="no effect", by=people[Role.MONITOR])
    assert closed.state == "closed"


def test_a_deviation_is_not_closed_before_it_is_acknowledged(people, patient):
    drafted = deviations.record(patient, text="late scan", by=people[Role.MONITOR])
    with pytest.raises(Refused) as refusal:
        deviations.close(drafted, text="skip", by=people[Role.MONITOR])
    assert refusal.value.code == "wrong-state"
