"""The suite's core and a job against Debian's packaged PostgreSQL and RabbitMQ.

Both are started here, in folders and on ports of their own, and ended with the test: the
packages' own services are neither used nor touched. The database is reached over TCP with a
password, as in production, and the broker speaks AMQP.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from kombu import Connection
from psycopg import sql

from config.embedded.postgres import OWNER, RUNTIME
from config.embedded.supervisor import ROOT
from tests.conftest import _required
from tests.serving import environment, served, wait_for

pytestmark = pytest.mark.servers

USES_DATABASE = re.compile("django_db|committed_db")
# What is pure says nothing of a server.
CORE = (
    *(
        str(path)
        for path in sorted((ROOT / "tests" / "trials").glob("test_*.py"))
        if USES_DATABASE.search(path.read_text(encoding="utf-8"))
    ),
    "tests/test_audit.py",
    "tests/test_jobs.py",
    "tests/imaging/test_intake.py",
)
PLUGINS = (
    "config.pytest_stack",
    "pytest_django.plugin",
    "pytest_playwright.pytest_playwright",
    "_hypothesis_pytestplugin",
)


def packaged(pattern: str, package: str) -> Path:
    """The newest program of a package, or a skip that says how to get it."""
    found = sorted(Path("/usr/lib").glob(pattern))
    sentence = f"no packaged server: apt-get install {package}"
    return _required(found and found[-1], "SERVERS", sentence)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The variables that name a PostgreSQL and a RabbitMQ of this test's own."""
    programs = packaged("postgresql/*/bin/initdb", "postgresql").parent
    broker = packaged("rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
    with (
        folder() as data,
        folder() as queues,
        postgresql(programs, data) as urls,
        rabbitmq(broker, queues) as url,
    ):
        yield {**urls, "CELERY_BROKER_URL": url}


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of the user that the servers run as: neither of them runs as root."""
    with tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            shutil.chown(name, "nobody", "nogroup")
        yield Path(name)


def as_nobody() -> dict:
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def postgresql(programs: Path, place: Path) -> Iterator[dict[str, str]]:
    port, password = free_port(), secrets.token_hex(16)
    data, secret = place / "data", place / "password"
    secret.write_text(password)
    call(programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
         "--encoding=UTF8", "--locale=C", "--pwfile", secret)  # fmt: skip
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(programs / "pg_ctl", "-D", data, "-l", place / "log", "-o", options, "-w", "start")
    try:
        server = f"127.0.0.1:{port}"
        make_roles(f"postgresql://postgres:{password}@{server}/postgres", password)
        yield {
            "DATABASE_URL": f"postgresql://{RUNTIME}:{password}@{server}/trialtrace",
            "OWNER_DATABASE_URL": f"postgresql://{OWNER}:{password}@{server}/trialtrace",
        }
    finally:
        call(programs / "pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def make_roles(url: str, password: str) -> None:
    """What an administrator prepares: two roles, and databases that the owner owns."""
    with psycopg.connect(url, autocommit=True) as administrator:
        for role in (OWNER, RUNTIME):
            made = sql.SQL("create role {} login password {}")
            administrator.execute(made.format(sql.Identifier(role), sql.Literal(password)))
        for database in ("trialtrace", "test_trialtrace"):
            made = sql.SQL("create database {} owner {}")
            administrator.execute(made.format(sql.Identifier(database), sql.Identifier(OWNER)))


def call(*words: object) -> None:
    subprocess.run([str(w) for w in words], check=True, cwd="/", stdout=subprocess.DEVNULL,
                   timeout=120, **as_nobody())  # fmt: skip


@contextmanager
def rabbitmq(program: Path, place: Path) -> Iterator[str]:
    port, names = free_port(), free_port()
    own = {
        "HOME": str(place),
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"tt{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(place),
        "RABBITMQ_LOG_BASE": str(place),
        "RABBITMQ_CONF_ENV_FILE": str(place / "none"),
        "RABBITMQ_CONFIG_FILE": str(place / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "none"),
    }
    # Erlang would leave its name server running; this one is ours, and ends with us.
    with (
        running(["/usr/bin/epmd", "-address", "127.0.0.1", "-port", str(names)], own, place),
        running([str(program)], own, place) as server,
    ):
        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        wait_for(lambda: server.poll() is not None or takes_connections(url), 90)
        assert server.poll() is None, (place / "out").read_text()
        yield url


@contextmanager
def running(words: list[str], own: dict[str, str], place: Path) -> Iterator[subprocess.Popen]:
    with (place / "out").open("a") as out:
        process = subprocess.Popen(
            words,
            env=own,
            cwd=place,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            **as_nobody(),
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def takes_connections(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def test_the_core_of_the_suite_passes_on_packaged_servers(servers):
    plugins = [word for plugin in PLUGINS for word in ("-p", plugin)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-q", "-m", "not faults and not fuzz", *CORE],
        env=environment(Path("/nowhere")) | servers | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 200


def test_the_site_runs_on_packaged_servers(servers):
    with served(**servers) as site:
        parts = set(site.state["parts"])
        assert parts == {"web", "worker", "beat"}
        jobs = site.order("imaging.inspect", 5)
        wait_for(lambda: site.states(jobs) == {"done"}, 30)
        log = (site.folder / "logs" / "worker.log").read_text()
        assert "Connected to amqp://guest:**@127.0.0.1" in log
        assert site.sql("show server_version_num") >= [("140000",)]
