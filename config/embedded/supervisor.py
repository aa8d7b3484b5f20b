"""Everything the site needs, started in order, watched, and ended in order.

PostgreSQL, broker, migrations, then web server, worker, beat and, where a port is named for it,
what receives C-STORE. Whoever dies is started again; when the supervisor is killed with -9, the
kernel ends the others (PR_SET_PDEATHSIG) and the next start recovers.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from config.embedded.folders import held
from config.embedded.postgres import OWNER, EmbeddedPostgres
from config.embedded.processes import ending_with, is_same, started_at
from config.embedded.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
WISHED_PORT = 8000
START_SECONDS = 60
STOP_SECONDS = 20
LONGEST_PAUSE = 30
WORKER_PROCESSES = 2
# Scanners can send to the site where this is set.
STORESCP_PORT = "TRIALTRACE_STORESCP_PORT"
# What a command needs to work beside the site. The owner of the schema is not among it.
ATTACHING = (
    "CELERY_BROKER_URL",
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "TRIALTRACE_URL",
    "TRIALTRACE_VAR",
)


class StackError(SystemExit):
    """The site can't start; the sentence says what to do."""


class Part(Protocol):
    """Something that runs, ends, and can be started again."""

    name: str
    log: Path
    process: subprocess.Popen | None

    def start_again(self) -> None: ...


@dataclass
class Program:
    """A program of the site: web server, worker, beat or storescp."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    ends_with: int = signal.SIGTERM
    sockets: tuple[int, ...] = ()
    process: subprocess.Popen | None = None

    def start_again(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own programs
                self.command,
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self.sockets,
                preexec_fn=ending_with(self.ends_with),
                start_new_session=True,
            )


@dataclass
class Watch:
    """Starts a part again when it has died; ever later when it dies often."""

    part: Part
    since: float = field(default_factory=time.monotonic)
    failures: int = 0
    again_at: float | None = None

    def look(self, say: Callable[[str], None]) -> bool:
        """Whether the part was started again just now."""
        if self.part.process.poll() is None:
            return False
        now = time.monotonic()
        if self.again_at is None:
            say(f"{self.part.name} ended with {self.part.process.returncode}, see {self.part.log}")
            self._put_off(now)
        return now >= self.again_at and self._try(say)

    def _put_off(self, now: float) -> None:
        self.failures = 0 if now - self.since > LONGEST_PAUSE else self.failures + 1
        self.again_at = now + min(0.25 * 2**self.failures, LONGEST_PAUSE)

    def _try(self, say: Callable[[str], None]) -> bool:
        self.since = time.monotonic()
        self.again_at = None
        try:
            self.part.start_again()
        except (SystemExit, OSError) as error:
            say(str(error))
            self._put_off(self.since)
            return False
        say(f"{self.part.name} started again")
        return True


@dataclass
class Stack:
    """The running site below one folder."""

    folder: Path
    durable: bool = True
    say: Callable[[str], None] = field(default=partial(print, flush=True))
    address: str = ""

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self.run = self.folder / "run"
        self.logs = self.folder / "logs"
        for folder in (self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment = dict(os.environ)
        self.owner_url = ""
        self.lock: TextIO | None = None
        self.listener: socket.socket | None = None
        self.postgres: EmbeddedPostgres | None = None
        self.valkey: EmbeddedValkey | None = None
        self.programs: list[Program] = []

    @property
    def parts(self) -> list[Part]:
        servers = [server for server in (self.postgres, self.valkey) if server and server.process]
        return [*servers, *self.programs]

    def claim(self) -> bool:
        """Become the one site below the folder; False when there is one, or one is starting."""
        self.lock = held(self.run / "lock")
        if self.lock is None:
            return False
        self._write_state()
        return True

    def start(self) -> Stack:
        """Start everything; returns when the site answers."""
        self.start_servers()
        self.bring_up_to_date()
        self._start_programs()
        self._wait_for_web()
        self._write_state()
        return self

    def start_servers(self) -> None:
        """Database and broker, unless the environment names servers of one's own."""
        environment = self.environment
        environment["TRIALTRACE_VAR"] = str(self.folder)
        environment.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
        if not environment.get("DATABASE_URL"):
            self.postgres = EmbeddedPostgres(self.folder / "pg", durable=self.durable)
            self.postgres.start().prepare()
            environment["DATABASE_URL"] = self.postgres.url()
            environment["OWNER_DATABASE_URL"] = self.postgres.url(OWNER)
        if not environment.get("CELERY_BROKER_URL"):
            self.valkey = EmbeddedValkey(self.folder / "valkey")
            self.valkey.start()
            environment["CELERY_BROKER_URL"] = self.valkey.url
        self.owner_url = environment.pop("OWNER_DATABASE_URL", "")

    def bring_up_to_date(self) -> None:
        """The schema of this code, made by the role that owns it; style sheets in their place."""
        commands = [self._manage("collectstatic", "--noinput", "-v", "0")]
        if self.owner_url:
            migrate = ("migrate", "--database", "owner", "-v", "0")
            commands.append(self._manage(*migrate, OWNER_DATABASE_URL=self.owner_url))
        for command in commands:
            _require_success(command)

    def manage(self, *words: str) -> None:
        """Run a management command to its end, as the application's role."""
        _require_success(self._manage(*words))

    def look(self) -> None:
        """Start again what has died since the last look."""
        again = [watch for watch in self._watches if watch.look(self.say)]
        if again:
            self._write_state()

    def stop(self) -> None:
        """End everything in order: first who writes, then what is written to."""
        if self.lock is None:
            return
        for program in self.programs:
            if program.process.poll() is None:
                program.process.terminate()
        for program in self.programs:
            _wait_or_kill(program.process)
        if self.listener:
            self.listener.close()
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()
        state_file(self.folder).unlink(missing_ok=True)
        self.lock.close()

    def _manage(self, *words: str, **environment: str) -> subprocess.Popen:
        return subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "manage.py", *words],
            env=self.environment | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            preexec_fn=ending_with(),
        )

    def _start_programs(self) -> None:
        # The listening socket is ours: the port can't be lost to another program, and requests
        # wait while a web server that died is started again.
        self.listener = listener()
        port = self.listener.getsockname()[1]
        self._web_address = f"http://127.0.0.1:{port}"
        self.environment["TRIALTRACE_URL"] = self._web_address
        self.programs = [self._web(), self._worker(), self._beat()]
        if self.environment.get(STORESCP_PORT):
            self.programs.append(self._storescp())
        for program in self.programs:
            program.start_again()
        self._watches = [Watch(part) for part in self.parts]

    def _web(self) -> Program:
        number = self.listener.fileno()
        command = [
            str(BIN / "gunicorn"), "config.wsgi:application", "--bind", f"fd://{number}",
            "--worker-class", "config.web_worker.Worker", "--workers", "1", "--threads", "8",
            "--timeout", "120", "--no-control-socket", "--worker-tmp-dir", str(self.run),
        ]  # fmt: skip
        return self._program("web", command, sockets=(number,))

    def _worker(self) -> Program:
        command = [
            str(BIN / "celery"), "-A", "config", "worker", "--loglevel", "INFO",
            "--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle",
            # Nobody listens to events, and a worker that ends waits for ever to send the last.
            "--without-heartbeat",
        ]  # fmt: skip
        # Asked politely while broker and database end too, Celery's parent waits for ever, four
        # times in ten; killed, its pool finds the pipe closed and ends within three seconds.
        return self._program("worker", command, ends_with=signal.SIGKILL)

    def _beat(self) -> Program:
        command = [
            str(BIN / "celery"), "-A", "config", "beat", "--loglevel", "WARNING",
            "--schedule", str(self.run / "beat"), "--pidfile=",
        ]  # fmt: skip
        return self._program("beat", command)

    def _storescp(self) -> Program:
        return self._program("storescp", [sys.executable, "manage.py", "storescp"])

    def _program(self, name: str, command: list[str], **more) -> Program:
        return Program(name, command, self.environment, self.logs / f"{name}.log", **more)

    def _wait_for_web(self) -> None:
        web = self.programs[0]
        end = time.monotonic() + START_SECONDS
        while not _answers(self.listener.getsockname()):
            if time.monotonic() > end or web.process.poll() is not None:
                raise StackError(f"The web server did not start, see {web.log}.")
            time.sleep(0.05)
        self.address = self._web_address

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            # Empty while the site is starting.
            "address": self.address,
            "environment": {name: self.environment.get(name, "") for name in ATTACHING},
            "parts": {part.name: part.process.pid for part in self.parts},
        }
        file = state_file(self.folder)
        temporary = file.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(json.dumps(state, indent=1))
        temporary.replace(file)


def state_file(folder: Path) -> Path:
    return folder.absolute() / "run" / "state.json"


def site(folder: Path) -> dict | None:
    """The state of the site below `folder`, running or starting, or None."""
    try:
        state = json.loads(state_file(folder).read_text())
    except (OSError, ValueError):
        return None
    return state if is_same(state["pid"], state["started"]) else None


def running(folder: Path, *, wait: float = 0.0) -> dict | None:
    """The state of the site below `folder` once it answers, or None."""
    end = time.monotonic() + wait
    while True:
        state = site(folder)
        if state and state["address"]:
            return state
        if time.monotonic() >= end:
            return None
        time.sleep(0.05)


def listener() -> socket.socket:
    """A listening socket on the usual port if it is free, else on any."""
    try:
        return socket.create_server(("127.0.0.1", WISHED_PORT), backlog=128)
    except OSError:
        return socket.create_server(("127.0.0.1", 0), backlog=128)


def _answers(address: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _require_success(command: subprocess.Popen) -> None:
    if command.wait():
        raise StackError(f"manage.py {command.args[2]} failed, see above.")


def _wait_or_kill(process: subprocess.Popen) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
