"""The real sender, DCMTK's storescu, and the real receiver, each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

from config.embedded.supervisor import ROOT

START_SECONDS = 60


class Receiver:
    """`manage.py storescp` on the database of the test, with a storage of its own."""

    def __init__(self, storage: Path, *words: str, **environment: str) -> None:
        self.storage = storage
        self.log = storage.parent / f"{storage.name}.log"
        self.words = ["--port", "0", "--reserve", "0", *words]
        self.environment = os.environ | {"TRIALTRACE_STORAGE": str(storage)} | environment
        self.process: subprocess.Popen | None = None
        self.port = 0

    def start(self) -> Receiver:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "storescp", *self.words],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        said: Queue[str] = Queue()
        Thread(target=lambda: said.put(self.process.stdout.readline()), daemon=True).start()
        line = said.get(timeout=START_SECONDS)
        assert line.startswith("listening on "), self.log.read_text()
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def stop(self) -> int:
        """End it politely; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def receiving(storage: Path, *words: str, **environment: str) -> Iterator[Receiver]:
    receiver = Receiver(storage, *words, **environment).start()
    try:
        yield receiver
    finally:
        receiver.stop()


def command(
    port: int, files: Sequence[Path], *words: str, calling: str = "PETCT1", called: str
) -> list[str]:
    titles = ["-aet", calling, "-aec", called]
    return ["storescu", "-v", *titles, *words, "127.0.0.1", str(port), *map(str, files)]


def storescu(port: int, files: Sequence[Path], *words: str, **titles) -> Sent:
    done = subprocess.run(
        command(port, files, *words, **titles), capture_output=True, text=True, timeout=300
    )
    return Sent(done.returncode, done.stdout + done.stderr)


class Sent:
    """What storescu said."""

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output = code, output

    @property
    def acknowledged(self) -> list[Path]:
        """The files it reports as stored."""
        found, path = [], Path()
        for line in self.output.splitlines():
            if "Sending file: " in line:
                path = Path(line.split("Sending file: ", 1)[1])
            elif "Store Response (Success)" in line:
                found.append(path)
        return found
