"""The worker of the web server: gunicorn's threads, with a bounded patience for who sends slowly.

gunicorn waits for the next byte of a request as long as it takes, and meanwhile the client holds
one of a few threads. Here a client may keep us waiting for a while, and for longer the more it
sends: a slow line gets its hours for a large upload, one that drips is answered with 408.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

from imaging import process_memory
from trials.services.errors import TooSlow

# Waited for in one request, in all, besides what its bytes are due.
GRACE_SECONDS = 30.0
# Whoever sends so fast is waited for without end: half of what an ISDN line had.
LEAST_BYTES_PER_SECOND = 4096
# As much as who reads a body asks for at once. gunicorn would take up to a MiB ahead, and copy
# what is left of it each time that some of it is wanted.
MOST_BYTES_AT_ONCE = 2**16


class PatientSocket:
    """A connection that ends with `TooSlow` where its client makes us wait for too long.

    The time that we take ourselves between two reads does not count.
    """

    def __init__(self, connection: socket.socket, *, grace: float) -> None:
        self._connection = connection
        self._grace = grace
        self._left = grace

    def begin(self) -> None:
        """A request begins."""
        self._left = self._grace

    def recv(self, size: int, *flags: int) -> bytes:
        size = min(size, MOST_BYTES_AT_ONCE)
        before = self._connection.gettimeout()
        if before is not None:
            # Who reads bounds it: the rest of what was refused, the end of a connection.
            return self._connection.recv(size, *flags)
        if self._left <= 0:
            raise TimeoutError("this client was too slow already")
        began = time.monotonic()
        self._connection.settimeout(self._left)
        try:
            data = self._connection.recv(size, *flags)
        except TimeoutError as error:
            self._left = 0.0
            raise TooSlow(
                "The request came too slowly, so it was given up. Look at the network, and send "
                "it again."
            ) from error
        finally:
            self._connection.settimeout(None)
        waited = time.monotonic() - began
        self._left = min(self._grace, self._left - waited + len(data) / LEAST_BYTES_PER_SECOND)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Worker(ThreadWorker):
    """gunicorn's worker with threads, on patient sockets."""

    grace_seconds = GRACE_SECONDS

    def run(self) -> None:
        """Serve, with the application loaded."""
        process_memory.keep()
        process_memory.settle()
        super().run()

    def enqueue_req(self, conn: Any) -> None:
        """A connection has a request, its first or one more."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket(conn.sock, grace=self.grace_seconds)
        conn.sock.begin()
        super().enqueue_req(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What went wrong before there was a request to answer."""
        if isinstance(exc, TooSlow):
            util.write_error(client, exc.status, "Request Timeout", exc.message)
            return
        super().handle_error(req, client, addr, exc)
