"""Everything the site needs, started in order, watched, and ended in order.

PostgreSQL, broker, migrations, then web server, worker and beat. Whoever dies is started
again; when the supervisor is killed with -9, the kernel ends the others (PR_SET_PDEATHSIG)
and the next start recovers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.postgres import OWNER, EmbeddedPostgres
from config.embedded.processes import ending_with, is_same, started_at
from config.embedded.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
WISHED_PORT = 8000
STOP_SECONDS = 20
WORKER_PROCESSES = 2


class StackError(SystemExit):
    """The site can't start; the sentence says what to do."""


@dataclass
class Child:
    """One long-running process of the site."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    ends_with: int = signal.SIGTERM
    process: subprocess.Popen | None = None
    started: float = 0.0
    failures: int = 0
    again_at: float = 0.0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own programs
                self.command,
                env=dict(self.environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=ending_with(self.ends_with),
                start_new_session=True,
            )
        self.started = time.monotonic()

    def watch(self, say: Callable[[str], None]) -> None:
        """Start it again when it has died; slower when it dies often."""
        if self.process.poll() is None:
            return
        now = time.monotonic()
        if not self.again_at:
            self.failures = 0 if now - self.started > 30 else self.failures + 1
            self.again_at = now + min(0.5 * 2**self.failures, 30)
            say(f"{self.name} ended with {self.process.returncode}, starting it again")
        elif now >= self.again_at:
            self.again_at = 0.0
            self.start()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Stack:
    """The running site below one folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    durable: bool = True
    say: Callable[[str], None] = print
    children: list[Child] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self.folder = self.folder.absolute()
        self.run = self.folder / "run"
        self.logs = self.folder / "logs"
        self.postgres: EmbeddedPostgres | None = None
        self.valkey: EmbeddedValkey | None = None

    def start(self) -> Stack:
        """Start everything; returns when the site answers."""
        for folder in (self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.start_servers()
        self.migrate()
        self._start_children()
        self._wait_for_web()
        self._write_state()
        return self

    def start_servers(self) -> None:
        """Database and broker, unless the environment names servers of one's own."""
        given = dict(os.environ) | self.environment
        environment = given | {
            "TRIALTRACE_VAR": str(self.folder),
            "DJANGO_SETTINGS_MODULE": given.get("DJANGO_SETTINGS_MODULE", "config.settings.dev"),
        }
        if not given.get("DATABASE_URL"):
            self.postgres = EmbeddedPostgres(self.folder / "pg", durable=self.durable).start()
            self.postgres.prepare()
            environment["DATABASE_URL"] = self.postgres.url()
            environment["OWNER_DATABASE_URL"] = self.postgres.url(OWNER)
        if not given.get("CELERY_BROKER_URL"):
            self.valkey = EmbeddedValkey(self.folder / "valkey").start()
            environment["CELERY_BROKER_URL"] = self.valkey.url
        self.owner_url = environment.pop("OWNER_DATABASE_URL", "")
        self.environment = environment

    def migrate(self) -> None:
        """Bring the database to the schema of this code, as the role that owns it."""
        if not self.owner_url:
            return
        self.manage("migrate", "--database", "owner", "-v", "0", OWNER_DATABASE_URL=self.owner_url)

    def manage(self, *words: str, **environment: str) -> None:
        """Run a management command to its end."""
        done = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "manage.py", *words],
            env=self.environment | environment,
            cwd=ROOT,
            check=False,
            preexec_fn=ending_with(),
        )
        if done.returncode:
            raise StackError(f"manage.py {words[0]} failed, see above.")

    def watch(self, stop: threading.Event) -> None:
        """Keep everything running until `stop`; without the database there is no site."""
        while not stop.wait(0.5):
            for child in self.children:
                child.watch(self.say)
            for server in (self.postgres, self.valkey):
                if server and server.process.poll() is not None:
                    self.say(f"{type(server).__name__} ended, see {server.log}: stopping")
                    return

    def stop(self) -> None:
        """End everything in order: first who writes, then what is written to."""
        for child in reversed(self.children):
            child.stop()
        if self.valkey:
            self.valkey.stop()
        if self.postgres:
            self.postgres.stop()
        state_file(self.folder).unlink(missing_ok=True)

    def _start_children(self) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.environment["TRIALTRACE_URL"] = self.address
        commands = {
            "web": [
                str(BIN / "gunicorn"), "config.wsgi:application", "--bind", f"127.0.0.1:{port}",
                "--worker-class", "gthread", "--workers", "1", "--threads", "8",
                "--timeout", "120", "--no-control-socket", "--worker-tmp-dir", str(self.run),
            ],
            "worker": [
                str(BIN / "celery"), "-A", "config", "worker", "--loglevel", "INFO",
                "--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle",
            ],
            "beat": [
                str(BIN / "celery"), "-A", "config", "beat", "--loglevel", "WARNING",
                "--schedule", str(self.run / "beat"), "--pidfile=",
            ],
        }  # fmt: skip
        for name, command in commands.items():
            # Celery ends its pool at once on SIGQUIT; nobody is left to wait for it.
            how = signal.SIGQUIT if name == "worker" else signal.SIGTERM
            child = Child(name, command, self.environment, self.logs / f"{name}.log", how)
            child.start()
            self.children.append(child)

    def _wait_for_web(self, timeout: float = 60) -> None:
        end = time.monotonic() + timeout
        web = self.children[0]
        port = int(self.address.rsplit(":", 1)[1])
        while time.monotonic() < end and web.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 0.5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise StackError(f"The web server did not start, see {web.log}.")

    def _write_state(self) -> None:
        names = ("DATABASE_URL", "CELERY_BROKER_URL", "TRIALTRACE_URL", "DJANGO_SETTINGS_MODULE")
        state = {
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "address": self.address,
            "environment": {name: self.environment[name] for name in names},
            "owner_url": self.owner_url,
            "children": {child.name: child.process.pid for child in self.children},
        }
        file = state_file(self.folder)
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(state, indent=1))
        temporary.chmod(0o600)
        temporary.replace(file)


def state_file(folder: Path) -> Path:
    return folder.absolute() / "run" / "state.json"


def running(folder: Path) -> dict | None:
    """The state of the site that runs below `folder`, or None."""
    try:
        state = json.loads(state_file(folder).read_text())
    except (OSError, ValueError):
        return None
    return state if is_same(state["pid"], state["started"]) else None


def free_port() -> int:
    """The usual port if it is free, else any."""
    for port in (WISHED_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise StackError("No free port on the loopback address.")
