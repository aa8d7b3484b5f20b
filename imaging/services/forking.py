"""The process that parsing processes are forked from.

To start Python, load the libraries and rehearse takes most of a second; to fork what has done
so, a few milliseconds. The template itself never sees a byte that a site sent: it is given two
pipes at a time, and what it forks takes these for input and output and locks itself in before
it reads. It can't be locked in itself, for it must fork.

It is killed with the thread that started it, and what it forked with it.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, BinaryIO

import numpy as np
import pydicom

START_SECONDS = 60.0
COLLECT_SECONDS = 5.0
# An image passes in one piece or two, not in a dozen; what anybody may ask for, see pipe(7).
PIPE_BYTES = 2**20

_PROGRAM = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path[:0] = sys.argv[2:]
from imaging.parser_child import main
main()
"""


class ForkError(Exception):
    """The template did not start, or does not fork."""


@dataclass(frozen=True)
class Child:
    """A process that the template forked: known by a descriptor, as numbers are used again."""

    pid: int
    descriptor: int
    stdin: BinaryIO
    stdout: BinaryIO
    template: subprocess.Popen[bytes]

    def is_alive(self) -> bool:
        return not self._ended(0)

    def is_orphan(self) -> bool:
        """Whether the template is gone, which ends what it forked: no fault of any file."""
        return self.template.poll() is not None

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)

    def end(self) -> None:
        """Kill it, and give back what it held; it is gone when this returns."""
        self.kill()
        self._ended(None)
        # The kernel collects it, between its end and the next instant; or whoever has taken over
        # the children of a template that is gone, which may never do so.
        until = time.monotonic() + COLLECT_SECONDS
        while self._is_known() and time.monotonic() < until:
            time.sleep(0.0005)
        for pipe in (self.stdin, self.stdout):
            pipe.close()
        os.close(self.descriptor)

    def _ended(self, milliseconds: int | None) -> bool:
        # Not select, which knows descriptors up to 1,023 alone.
        waiting = select.poll()
        waiting.register(self.descriptor, select.POLLIN)
        return bool(waiting.poll(milliseconds))

    def _is_known(self) -> bool:
        try:
            signal.pidfd_send_signal(self.descriptor, 0)
        except ProcessLookupError:
            return False
        return True


class Template:
    """A process that waits, warm, to be forked; started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lock = Lock()

    def fork(self) -> Child:
        """A new process, about to lock itself in.

        Raises
        ------
        ForkError
            If there is none.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            try:
                return self._forked()
            except (OSError, ValueError) as error:
                self._end()
                raise ForkError("The parsing process did not start.") from error

    def end(self) -> None:
        """Kill it and collect it; what it forked ends with it."""
        with self._lock:
            self._end()

    def _forked(self) -> Child:
        control = self._control
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        stdin, stdout = os.fdopen(ours_in, "wb", 0), os.fdopen(ours_out, "rb", 0)
        try:
            for pipe in (stdin, stdout):
                widen(pipe)
                # Who serves may have been taken over: nobody waits for it without end.
                os.set_blocking(pipe.fileno(), False)
            socket.send_fds(control, [b"fork"], [theirs_in, theirs_out])
            number, descriptors, _, _ = socket.recv_fds(control, 20, 1)
            if not descriptors:
                raise ForkError("The machine has no room for another process.")
            return Child(int(number), descriptors[0], stdin, stdout, self._process)
        except BaseException:
            stdin.close()
            stdout.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(START_SECONDS)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own child
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(os.getpid()), *_paths()],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                # What a library prints about a file may be a name.
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
            )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._control is not None:
            self._control.close()
            self._control = None


def widen(pipe: IO[bytes]) -> None:
    """Have a pipe hold as much as anybody may ask for."""
    # A user who holds many pipes may be refused: slower, but as good.
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _paths() -> list[str]:
    """Where the template finds our pure modules and the two libraries it needs."""
    ours = Path(__file__).resolve().parents[2]
    libraries = {Path(module.__file__).resolve().parents[1] for module in (np, pydicom)}
    return [str(path) for path in (ours, *sorted(libraries))]
