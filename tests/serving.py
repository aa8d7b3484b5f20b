"""A site of its own for tests that break it: started by its command, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg

from config.embedded.supervisor import ROOT, running

# What a site of its own must not inherit from the servers of the test run.
INHERITED = ("DATABASE_URL", "OWNER_DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
START_SECONDS = 150
Answer = TypeVar("Answer")


def environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in INHERITED}
    return clean | {"TRIALTRACE_VAR": str(folder), "PYTHONUNBUFFERED": "1"}


def stack(folder: Path, *words: str, **more) -> subprocess.CompletedProcess:
    """Run `python -m config.stack` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "config.stack", *words],
        env=environment(folder),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


class Serving:
    """A running site; the test may kill any part of it."""

    def __init__(self, folder: Path, **servers: str) -> None:
        self.folder = folder
        self.environment = environment(folder) | servers
        self.output = folder / "serve.out"
        self.process: subprocess.Popen | None = None
        self.transmittal = 0

    def prepare(self) -> Serving:
        """Make a transmittal that waits for its files."""
        self.transmittal = int(self.python(SCENE))
        return self

    def start(self) -> Serving:
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.stack", "serve"],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: self.process.poll() is not None or running(self.folder), START_SECONDS)
        assert self.process.poll() is None, self.output.read_text()
        return self

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    @property
    def state(self) -> dict:
        return running(self.folder, wait=START_SECONDS)

    def part(self, name: str) -> int:
        return self.state["parts"][name]

    def sql(self, statement: str, *parameters) -> list[tuple]:
        with self.connected() as connection:
            return connection.execute(statement, parameters).fetchall()

    def connected(self) -> psycopg.Connection:
        """A connection as the application's role."""
        return psycopg.connect(self.state["environment"]["DATABASE_URL"], connect_timeout=5)

    def python(self, code: str, **more: str) -> str:
        """What `code` prints, run beside the site with everything of Django set up."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            env=self.environment | self.state["environment"] | more,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def order(self, kind: str, number: int = 1, **more: str) -> list[int]:
        """Order jobs of `kind` by the product's own service; their primary keys.

        `imaging.inspect` of a transmittal that waits for files is a whole job with nothing to
        do; `imaging.quantify` of a series that does not exist fails whenever it is tried.
        """
        arguments = {"transmittal": self.transmittal, "series": 0}
        code = ORDER.format(kind=kind, arguments=arguments, number=number)
        return json.loads(self.python(code, **more))

    def states(self, jobs: list[int]) -> set[str]:
        rows = self.sql("select distinct state from trials_job where id = any(%s)", jobs)
        return {state for (state,) in rows}

    @contextmanager
    def halted_jobs(self) -> Iterator[None]:
        """Whoever reads a transmittal waits: a job that needs one stands still in mid-work."""
        with self.connected() as connection:
            connection.execute("lock table imaging_transmittal in access exclusive mode")
            yield


@contextmanager
def served(**servers: str) -> Iterator[Serving]:
    """A running site in a folder for the time being that every user may enter.

    `servers` are variables that name servers of one's own instead of the embedded ones.
    """
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        site = Serving(folder, **servers)
        try:
            yield site.start().prepare()
        finally:
            site.stop()


SCENE = """
from imaging.services import receiving
from tests import factories
from trials.roles import Role

site = factories.make_site(factories.make_trial("FAULTS"))
by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
scan = factories.make_scan(factories.make_enrolled(site, by=by), by=by)
print(receiving.open_transmittal(scan, by=by).pk)
"""
ORDER = """
import json
import threading
from django.db import transaction
from trials.services import jobs

by = jobs.system_user()
with transaction.atomic():
    made = [jobs.enqueue("{kind}", actor=by, **{arguments}).pk for _ in range({number})]
print(json.dumps(made), flush=True)
# A process that ends at once takes its unsent messages with it, and the sweeper has to do.
for thread in threading.enumerate():
    if thread.name == "wake":
        thread.join(5)
"""


def wait_for(true: Callable[[], Answer], seconds: float) -> Answer:
    """What `true` answers as soon as it is something; fails when it stays nothing."""
    end = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
    return answer


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that live."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for t in threads for child in (t / "children").read_text().split()]


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
