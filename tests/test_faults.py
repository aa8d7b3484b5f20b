"""What was promised for when parts die: each is killed in mid-work, and the promise timed.

A job in mid-work is one that waits for a table this test has locked, so that nothing here
depends on being quick. The site is a real one, started by its command in a folder of its own.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
import redis
import requests

from config.embedded.supervisor import ROOT
from tests.serving import Serving, children, environment, lives, served, wait_for

pytestmark = pytest.mark.faults

NOTHING_TO_DO = "imaging.inspect"
FAILS_ALWAYS = "imaging.quantify"
# What is promised for a job whose worker died: a lease of 10 s, a sweep every 10 s, a start.
AGAIN_SECONDS = 30


@pytest.fixture(scope="module")
def shared() -> Iterator[Serving]:
    with served() as site:
        yield site


@pytest.fixture
def serving(shared) -> Serving:
    """The site, whole again after what the test before did to it."""
    wait_for(lambda: all(map(lives, shared.state["parts"].values())), 30)
    wait_for(lambda: answers(shared), 30)
    return shared


@pytest.fixture
def own() -> Iterator[Serving]:
    """A site for one test, which may end it."""
    with served() as site:
        yield site


def answers(site: Serving) -> bool:
    try:
        return requests.get(site.state["address"], timeout=5).status_code == 200
    except requests.RequestException:
        return False


def database_answers(site: Serving) -> bool:
    try:
        return site.sql("select true") == [(True,)]
    except psycopg.OperationalError:
        return False


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def in_work(site: Serving, jobs: list[int], number: int = 1) -> bool:
    """Whether `number` of the jobs stand still in mid-work."""
    running = "select count(*) from trials_job where id = any(%s) and state = 'running'"
    waiting = "select count(*) from pg_locks where not granted"
    return site.sql(running, jobs) == [(number,)] and site.sql(waiting) >= [(number,)]


def done(site: Serving, jobs: list[int]) -> bool:
    return site.states(jobs) == {"done"}


def attempts(site: Serving, jobs: list[int]) -> set[tuple[int, int]]:
    return set(site.sql("select attempts, token from trials_job where id = any(%s)", jobs))


def pool(site: Serving) -> list[int]:
    """The processes that execute jobs."""
    return children(site.part("worker"))


@pytest.mark.requirement("R132")
def test_a_job_whose_process_was_killed_runs_again_within_30_seconds(serving):
    with serving.halted_jobs():
        jobs = serving.order(NOTHING_TO_DO)
        wait_for(lambda: in_work(serving, jobs), 10)
        kill(*pool(serving))
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)
    assert attempts(serving, jobs) == {(2, 2)}


@pytest.mark.requirement("R133")
def test_jobs_whose_whole_worker_was_killed_run_again_within_30_seconds(serving):
    with serving.halted_jobs():
        jobs = serving.order(NOTHING_TO_DO, 2)
        wait_for(lambda: in_work(serving, jobs, 2), 10)
        worker = serving.part("worker")
        kill(worker, *children(worker))
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)
    assert attempts(serving, jobs) == {(2, 2)}


@pytest.mark.requirement("R134")
def test_a_worker_that_slept_through_its_lease_leaves_nothing_behind(serving):
    with ExitStack() as end:
        with serving.halted_jobs():
            jobs = serving.order(NOTHING_TO_DO)
            wait_for(lambda: in_work(serving, jobs), 10)
            with stopped(serving.part("worker"), *pool(serving)):
                end.enter_context(another_worker(serving))
                # A message or two may still be given to the sleeper; the next come 10 s later.
                wait_for(lambda: attempts(serving, jobs) == {(2, 2)}, 2 * AGAIN_SECONDS)
        wait_for(lambda: done(serving, jobs), 10)
        log = serving.folder / "logs" / "worker.log"
        wait_for(lambda: f"job {jobs[0]}: lease lost, work discarded" in log.read_text(), 10)
    assert attempts(serving, jobs) == {(2, 2)}


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def another_worker(site: Serving) -> Iterator[None]:
    """A second worker on the same broker, as one would start on another machine.

    What is halted halts what is looked for by the clock too: it needs a process for each.
    """
    with (site.folder / "second.log").open("w") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency", "4"],
            env=environment(site.folder) | site.state["environment"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        kill(*children(worker.pid), worker.pid)
        worker.wait()


@pytest.mark.requirement("R135")
def test_a_broker_that_forgot_everything_loses_no_job(serving):
    with serving.halted_jobs():
        jobs = serving.order(NOTHING_TO_DO, 20)
        wait_for(lambda: in_work(serving, jobs, 2), 10)
        broker = redis.from_url(socket_url(serving))
        assert broker.llen("celery") > 0
        broker.flushall()
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)
    assert attempts(serving, jobs) == {(1, 1)}


def socket_url(site: Serving) -> str:
    return site.state["environment"]["CELERY_BROKER_URL"].replace("redis+socket", "unix")


@pytest.mark.requirement("R135")
def test_a_broker_that_was_killed_loses_no_job(serving):
    with serving.halted_jobs():
        jobs = serving.order(NOTHING_TO_DO, 20)
        wait_for(lambda: in_work(serving, jobs, 2), 10)
        kill(serving.part("broker"))
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)
    assert attempts(serving, jobs) == {(1, 1)}


@pytest.mark.requirement("R136")
def test_an_order_stands_when_there_is_no_broker(serving):
    jobs = serving.order(NOTHING_TO_DO, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)


@pytest.mark.requirement("R136")
def test_an_order_stands_when_the_broker_hangs(serving):
    with stopped(serving.part("broker")):
        jobs = serving.order(NOTHING_TO_DO)
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)


@pytest.mark.requirement("R137")
def test_a_database_that_was_killed_comes_back_with_what_it_acknowledged(serving):
    jobs = serving.order(NOTHING_TO_DO)
    wait_for(lambda: done(serving, jobs), AGAIN_SECONDS)
    more = serving.order(NOTHING_TO_DO, 5)
    kill(serving.part("PostgreSQL"))
    wait_for(lambda: database_answers(serving) and answers(serving), 15)
    wait_for(lambda: done(serving, jobs + more), AGAIN_SECONDS)


@pytest.mark.requirement("R131")
def test_a_web_server_that_was_killed_is_started_again(serving):
    web = serving.part("web")
    kill(web, *children(web))
    wait_for(lambda: answers(serving), 15)


@pytest.mark.requirement("R141")
def test_a_job_that_always_fails_is_parked_and_holds_up_nobody(serving):
    (poison,) = serving.order(FAILS_ALWAYS)
    good = serving.order(NOTHING_TO_DO, 20)
    wait_for(lambda: done(serving, good), 15)
    wait_for(lambda: serving.states([poison]) == {"parked"}, 60)
    (row,) = serving.sql("select attempts, error from trials_job where id = %s", poison)
    assert row[0] == 3
    assert re.match(r"DoesNotExist: Series", row[1])


@pytest.mark.slow
@pytest.mark.requirement("R141")
def test_a_job_that_always_kills_its_worker_is_parked(serving):
    with serving.halted_jobs():
        (job,) = serving.order(NOTHING_TO_DO)
        for attempt in (1, 2, 3):
            wait_for(lambda a=attempt: attempts(serving, [job]) == {(a, a)}, AGAIN_SECONDS)
            wait_for(lambda: in_work(serving, [job]), 10)
            kill(*pool(serving))
        wait_for(lambda: serving.states([job]) == {"parked"}, AGAIN_SECONDS)
    time.sleep(AGAIN_SECONDS)
    assert serving.sql("select attempts, error from trials_job where id = %s", job) == [
        (3, "The worker died each time it tried this.")
    ]


def test_everything_ends_with_a_killed_supervisor_and_the_next_start_recovers(own):
    jobs = own.order(NOTHING_TO_DO, 2)
    wait_for(lambda: done(own, jobs), AGAIN_SECONDS)
    more = own.order(NOTHING_TO_DO, 5)
    everything = pool(own) + list(own.state["parts"].values())
    own.process.kill()
    own.process.wait()
    wait_for(lambda: not any(map(lives, everything)), 20)
    own.start()
    assert done(own, jobs)
    wait_for(lambda: done(own, more), AGAIN_SECONDS)


@pytest.mark.slow
def test_everything_killed_at_once_recovers(own):
    jobs = own.order(NOTHING_TO_DO, 5)
    parts = own.state["parts"]
    own.process.kill()
    kill(*children(parts["worker"]), *children(parts["web"]), *parts.values())
    own.process.wait()
    own.start()
    wait_for(lambda: done(own, jobs), AGAIN_SECONDS)
