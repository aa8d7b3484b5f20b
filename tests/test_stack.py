"""The site from the command line: started once, found when it runs, ended alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from config.embedded import folders, supervisor
from config.embedded.postgres import BOOTSTRAP, OWNER, RUNTIME, EmbeddedPostgres
from tests.serving import Serving, lives, served, stack

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with served() as site:
        yield site


def test_the_address_is_printed_and_answers(serving):
    address = serving.state["address"]
    first = serving.output.read_text().splitlines()[0]
    assert first.startswith("ready after ")
    assert first.endswith(address)
    assert requests.get(f"{address}/login/", timeout=10).status_code == 200


def test_a_second_start_says_where_the_site_is(serving):
    again = stack(serving.folder, "serve")
    address = serving.state["address"]
    assert (again.returncode, again.stdout) == (
        0,
        f"The site is running already: {address} (make stop ends it)\n",
    )


def test_status_says_whether_it_runs(serving, tmp_path):
    running, not_running = stack(serving.folder, "status"), stack(tmp_path, "status")
    assert (running.returncode, running.stdout.split()[0]) == (0, "running:")
    assert (not_running.returncode, not_running.stdout) == (3, "not running\n")


def test_a_command_runs_beside_the_site(serving):
    code = "import os; print(os.environ['TRIALTRACE_URL']); raise SystemExit(7)"
    done = stack(serving.folder, "run", "--", sys.executable, "-c", code)
    assert done.returncode == 7
    assert done.stdout.splitlines()[-1] == serving.state["address"]


def test_a_command_beside_the_site_is_not_given_the_owner(serving):
    code = "import os; print('OWNER_DATABASE_URL' in os.environ, os.environ['DATABASE_URL'])"
    done = stack(serving.folder, "run", "--", sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1].startswith(f"False postgresql://{RUNTIME}@/")


def test_the_web_server_is_not_given_the_owner(serving):
    given = Path(f"/proc/{serving.part('web')}/environ").read_bytes()
    assert b"DATABASE_URL=" in given
    assert OWNER.encode() not in given


def test_a_command_that_is_not_there_is_named(serving):
    done = stack(serving.folder, "run", "--", "no-such-program")
    assert done.returncode == 1
    assert done.stderr == "no-such-program can't be run: No such file or directory\n"


def test_nothing_listens_but_the_web_server_on_loopback(serving):
    owners = {inode for part in everyone(serving) for inode in sockets(part)}
    listening = [
        fields[1]
        for file in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in map(str.split, Path(file).read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[9] in owners
    ]
    port = int(serving.state["address"].rsplit(":", 1)[1])
    assert listening == [f"0100007F:{port:04X}"]


def everyone(site: Serving) -> list[int]:
    return [site.process.pid, *site.state["parts"].values()]


def sockets(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        target = str(file.readlink()) if file.is_symlink() else ""
        if target.startswith("socket:["):
            yield target[8:-1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_is_not_let_into_the_database(serving):
    done = subprocess.run(
        [sys.executable, "-c", AS_DAEMON, serving.state["environment"]["DATABASE_URL"]],
        capture_output=True,
        text=True,
    )
    let_in, refused = done.stdout.splitlines()[:2]
    assert let_in == "let in as root"
    assert refused.startswith("refused as daemon: ")
    assert refused.endswith("failed: Permission denied")


AS_DAEMON = """
import os, pwd, sys, psycopg
psycopg.connect(sys.argv[1]).close()
print("let in as root")
os.setgroups([])
os.setuid(pwd.getpwnam("daemon").pw_uid)
try:
    psycopg.connect(sys.argv[1]).close()
except psycopg.OperationalError as error:
    print("refused as daemon:", error)
"""


def test_stop_ends_its_own_site_and_no_other(serving):
    with served() as other:
        gone = everyone(other)
        stopped = stack(other.folder, "stop")
        assert (stopped.returncode, stopped.stdout) == (0, "stopped\n")
        assert not any(map(lives, gone))
        assert stack(other.folder, "stop").stdout == "No site is running.\n"
    assert all(map(lives, everyone(serving)))
    assert requests.get(serving.state["address"], timeout=10).status_code == 200


# The embedded server alone.


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the folder to nobody")
def test_the_database_works_below_a_closed_home_without_opening_it():
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o700)
        server = EmbeddedPostgres(home / "clone" / "var" / "pg", durable=False).start()
        try:
            with psycopg.connect(server.url(BOOTSTRAP, "postgres")) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
        finally:
            server.stop()
            assert server.folder.parent == Path("/var/lib")
            subprocess.run(["rm", "-r", str(server.folder)], check=True)
        assert home.stat().st_mode & 0o777 == 0o700


def test_a_folder_whose_name_is_long_gets_a_short_socket(tmp_path):
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    short = folders.socket_folder(deep)
    assert len(str(short)) < folders.LONGEST_SOCKET_FOLDER < len(str(deep))
    assert folders.socket_folder(deep) == short != folders.socket_folder(deep / "z")


def test_a_port_in_use_is_passed_over():
    try:
        taken = socket.create_server(("127.0.0.1", supervisor.WISHED_PORT))
    except OSError:
        taken = None  # somebody else holds it, which serves as well
    with supervisor.listener() as listener:
        assert listener.getsockname()[1] != supervisor.WISHED_PORT
    if taken:
        taken.close()
