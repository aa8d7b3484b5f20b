"""A job is done once, whoever dies; the row is the truth and the broker a hint."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from config.dashboard import cards_for
from tests import factories
from trials.models import AuditEvent, Job
from trials.roles import Role
from trials.services import jobs
from trials.services.errors import Forbidden, Invalid, Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def handled(monkeypatch):
    """Handlers of test jobs, by kind."""
    handlers = {}
    monkeypatch.setattr(jobs, "_handlers", handlers)
    return handlers


def order(kind="test.kind", **arguments):
    return jobs.enqueue(kind, actor=jobs.system_user(), **arguments)


def lapse(job, **changes):
    """Let time pass for a job: its lease, its patience."""
    past = timezone.now() - timedelta(minutes=1)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=past, not_before=past, **changes)


def finish(claim):
    with jobs.fenced(claim):
        pass


def test_a_job_is_done_by_its_handler(handled):
    handled["test.kind"] = finish
    job = order()
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.DONE, 1)


def test_a_second_message_does_nothing(handled):
    done = []
    handled["test.kind"] = lambda claim: (done.append(claim.token), finish(claim))
    job = order()
    jobs.run(job.pk)
    jobs.run(job.pk)
    assert done == [1]


def test_a_rolled_back_transaction_orders_nothing(django_capture_on_commit_callbacks):
    @transaction.atomic
    def order_and_fail():
        order()
        raise ValueError

    before = Job.objects.count()
    with django_capture_on_commit_callbacks() as messages, pytest.raises(ValueError):
        order_and_fail()
    assert (Job.objects.count(), messages) == (before, [])


def test_a_message_is_sent_after_the_commit_alone(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as messages:
        order()
    assert len(messages) == 1


def test_a_running_job_with_a_fresh_heartbeat_is_not_claimed_again():
    job = order()
    assert jobs.claim(job.pk)
    assert jobs.claim(job.pk) is None


@pytest.mark.requirement("R134")
def test_a_stale_worker_is_refused_in_its_final_transaction():
    job = order()
    first = jobs.claim(job.pk)
    lapse(job)
    second = jobs.claim(job.pk)
    assert (first.token, second.token) == (1, 2)
    with pytest.raises(jobs.StaleClaim):
        finish(first)
    finish(second)
    job.refresh_from_db()
    assert job.state == Job.State.DONE


def test_the_effects_of_a_stale_worker_are_rolled_back(handled):
    job, other = order(), order()

    def work(claim):
        lapse(job)
        jobs.claim(job.pk)
        with jobs.fenced(claim):
            Job.objects.filter(pk=other.pk).update(progress="leaked")

    handled["test.kind"] = work
    jobs.run(job.pk)
    other.refresh_from_db()
    assert other.progress == ""


def test_a_failure_is_tried_again_then_parked_with_its_reason(handled):
    def fail(claim):
        raise ValueError("the disk is full")

    handled["test.kind"] = fail
    job = order()
    for _ in range(jobs.MAXIMUM_ATTEMPTS):
        lapse(job)
        jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.PARKED, 3)
    assert job.error == "ValueError: the disk is full"


@pytest.mark.requirement("R141")
def test_a_job_that_kills_its_worker_each_time_is_parked():
    job = order()
    for _ in range(jobs.MAXIMUM_ATTEMPTS):
        assert jobs.claim(job.pk)
        lapse(job)
    assert jobs.sweep() == []
    job.refresh_from_db()
    assert job.state == Job.State.PARKED


def test_the_sweeper_finds_what_was_never_taken_and_what_was_left():
    lost, left, fresh = order(), order(), order()
    lapse(lost)
    jobs.claim(left.pk)
    lapse(left)
    found = jobs.sweep()
    assert {lost.pk, left.pk} <= set(found)
    assert fresh.pk not in found


@pytest.mark.requirement("R43")
def test_a_failure_message_is_cut_and_never_logged(handled, caplog):
    def fail(claim):
        raise ValueError("ZZCANARY" + "x" * 10_000)

    handled["test.kind"] = fail
    job = order()
    jobs.run(job.pk)
    job.refresh_from_db()
    assert len(job.error) == 500
    assert "ZZCANARY" not in caplog.text


def test_a_parked_job_is_ordered_again_with_a_reason_and_done(handled):
    done = []

    def work(claim):
        if not done:
            raise ValueError("the disk is full")
        with jobs.fenced(claim):
            pass

    handled["test.kind"] = work
    job = order()
    for _ in range(jobs.MAXIMUM_ATTEMPTS):
        lapse(job)
        jobs.run(job.pk)
    trial = factories.make_trial()
    manager = factories.make_user(Role.DATA_MANAGER, trial=trial)
    Job.objects.filter(pk=job.pk).update(trial=trial)
    job.refresh_from_db()
    token = job.token
    with pytest.raises(Invalid):
        jobs.order_again(job, reason=" ", by=manager)
    jobs.order_again(job, reason="disk replaced", by=manager)
    done.append(True)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (Job.State.DONE, 1)
    assert job.token > token
    told = job.orders.get()
    assert (told.reason, told.error) == ("disk replaced", "ValueError: the disk is full")
    event = AuditEvent.objects.get(table="trials_joborder", row=str(told.pk))
    assert (event.action, event.reason) == ("job.ordered_again", "disk replaced")


def test_only_a_parked_job_is_ordered_again_and_only_by_who_may():
    trial = factories.make_trial()
    job = order()
    job.trial = trial
    job.save()
    with pytest.raises(Refused, match="only a parked one"):
        jobs.order_again(
            job, reason="again", by=factories.make_user(Role.ADMINISTRATOR, trial=trial)
        )
    with pytest.raises(Forbidden):
        jobs.order_again(job, reason="again", by=factories.make_user(Role.MONITOR, trial=trial))


def test_the_command_orders_every_parked_job_again(handled):
    handled["test.kind"] = lambda claim: None
    job = order()
    Job.objects.filter(pk=job.pk).update(state=Job.State.PARKED, attempts=3, error="broken")
    out = StringIO()
    call_command("retry_jobs", reason="broker is back", stdout=out)
    job.refresh_from_db()
    assert job.state == Job.State.QUEUED
    assert f"{job.pk} test.kind: ordered again, was: broken" in out.getvalue()


def test_jobs_are_seen_by_those_whose_role_reaches_what_they_work_on(client):
    """Of another trial, and of another site where a role is held at one, there are none."""
    here = factories.make_site(factories.make_trial())
    there, elsewhere = factories.make_site(here.trial), factories.make_site(factories.make_trial())
    with factories.framed():
        for on in (here, there, elsewhere, here.trial):
            jobs.enqueue("test.kind", actor=jobs.system_user(), on=on)
        jobs.enqueue("test.kind", actor=jobs.system_user())
    Job.objects.update(state=Job.State.PARKED)
    seen = {
        (None, here.trial): {here.pk, there.pk, None},
        (here, here.trial): {here.pk},
        (None, elsewhere.trial): {elsewhere.pk},
    }
    for (site, trial), expected in seen.items():
        manager = factories.make_user(Role.DATA_MANAGER, trial=trial, site=site)
        client.force_login(manager)
        page = client.get("/jobs/").context["page"].object_list
        assert ({one.site_id for one in page}, len(page)) == (expected, len(expected))
        (card,) = [one for one in cards_for(manager) if one["title"] == "Jobs given up"]
        assert card["count"] == len(expected)
        foreign = Job.objects.exclude(pk__in=[one.pk for one in page]).first()
        assert client.get(f"/jobs/{foreign.pk}/order-again/").status_code == 404
