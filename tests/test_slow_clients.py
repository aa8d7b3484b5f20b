"""Who sends slowly is answered with 408 and holds no thread; who is merely on a slow line is not.

The real gunicorn with the worker that the site is started with, only less patient.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from config.embedded.supervisor import ROOT, Stack
from imaging.models import ReceivedFile
from tests import factories
from tests.hasty_worker import GRACE_SECONDS
from tests.imaging.conftest import pet_dataset
from tests.imaging.test_intake import a_slice
from tests.serving import wait_for
from trials.roles import Role
from trials.services import accounts

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("committed_db")]


@pytest.fixture(scope="module")
def port(django_db_setup, tmp_path_factory) -> Iterator[int]:
    """Two threads that serve the database of the run."""
    folder = tmp_path_factory.mktemp("slow")
    log = folder / "web.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0",
             "--worker-class", "tests.hasty_worker.Worker", "--threads", "2",
             "--no-control-socket"],
            env=os.environ | {"TRIALTRACE_STORAGE": str(folder / "storage")},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )  # fmt: skip
    try:
        yield wait_for(lambda: port_in(log.read_text()), 60)
    finally:
        server.terminate()
        server.wait(30)


def port_in(log: str) -> int:
    """Where it listens, once it says that a worker is there."""
    found = re.search(r"Listening at: http://127.0.0.1:(\d+)", log)
    return int(found[1]) if found and "Booting worker" in log else 0


@pytest.fixture
def site():
    return factories.make_site(factories.make_trial())


@pytest.fixture
def head(site) -> bytes:
    """The beginning of a store request, whose body comes in chunks."""
    by = factories.make_user(Role.COORDINATOR, trial=site.trial, site=site)
    token, _ = accounts.issue_token(by, label="scanner")
    return (
        f"POST /dicom-web/sites/{site.pk}/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n"
        'Content-Type: multipart/related; type="application/dicom"; boundary=edge\r\n\r\n'
    ).encode()


@pytest.fixture
def connect(port) -> Iterator[Callable[[], Client]]:
    """Makes connections, and closes them."""
    with ExitStack() as made:

        def connected() -> Client:
            client = Client(port)
            made.enter_context(client.connection)
            return client

        yield connected


def an_image(number: int, **changes) -> bytes:
    image = a_slice(pet_dataset(), number, **changes)
    return b"--edge\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % image


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Client:
    """A connection on which a test sends by the byte."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self) -> None:
        """A byte every fifth of a second, until nobody takes it any more."""
        end = time.monotonic() + 20 * GRACE_SECONDS
        while time.monotonic() < end:
            try:
                self.connection.sendall(b"0")
            except OSError:
                return
            time.sleep(GRACE_SECONDS / 5)
            if answer_is_there(self.connection):
                return
        raise AssertionError("it is waited for without end")

    def answer(self) -> bytes:
        found = b""
        while piece := self.connection.recv(65536):
            found += piece
            if b"\r\n\r\n" in found and not answer_is_there(self.connection):
                break
        return found


def answer_is_there(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        connection.settimeout(60)


def test_a_body_that_drips_is_answered_with_408_and_keeps_what_came_whole(connect, head, site):
    client = connect()
    # What is asked of the connection at once is lost with it: a part of the third.
    images = [an_image(number, PixelData=bytes(200_000)) for number in (1, 2, 3)]
    client.send(head + chunk(b"".join(images)) + b"ffff\r\n")
    client.drip()
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b'"code":"too-slow"' in answer
    assert b"2 images before are kept" in answer
    assert ReceivedFile.objects.filter(transmittal__site=site).count() == 2


def test_a_body_that_stops_is_answered_with_408(connect, head):
    client = connect()
    client.send(head + b"ffff\r\n--edge")
    assert client.answer().startswith(b"HTTP/1.1 408 ")


FORMS = {
    "urlencoded": b"application/x-www-form-urlencoded",
    "with files": b"multipart/form-data; boundary=edge",
}
BEGUN = b'--edge\r\nContent-Disposition: form-data; name="username"\r\n\r\nada'


@pytest.mark.parametrize("kind", FORMS.values(), ids=FORMS.keys())
def test_a_form_that_drips_is_answered_with_a_page_that_says_so(connect, kind):
    client = connect()
    client.send(
        b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Cookie: csrftoken=%b\r\nContent-Type: %b\r\nContent-Length: 900\r\n\r\n%b"
        % (b"x" * 32, kind, BEGUN)
    )
    client.drip()
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"text/html" in answer
    assert b"The request came too slowly" in answer


def test_a_head_that_drips_is_answered_with_408(connect):
    client = connect()
    client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    client.drip()
    assert client.answer().startswith(b"HTTP/1.1 408 ")


def test_slow_clients_on_every_thread_hold_up_nobody_for_long(connect, head):
    slow = [connect() for _ in range(2)]
    for one in slow:
        one.send(head + b"ffff\r\n")
    began = time.monotonic()
    client = connect()
    client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert client.answer().startswith(b"HTTP/1.1 302 ")
    assert time.monotonic() - began < 20 * GRACE_SECONDS


def test_a_slow_line_has_the_time_it_needs(connect, head, site):
    body = an_image(1, PixelData=bytes(40_000)) + b"--edge--\r\n"
    client = connect()
    client.send(head)
    pieces = [body[at : at + 6000] for at in range(0, len(body), 6000)]
    began = time.monotonic()
    for piece in pieces:
        client.send(chunk(piece))
        time.sleep(GRACE_SECONDS / 2)
    client.send(b"0\r\n\r\n")
    assert client.answer().startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began > 3 * GRACE_SECONDS


def test_the_site_is_started_with_this_worker(tmp_path):
    stack = Stack(tmp_path)
    stack.listener = socket.socket()
    try:
        command = stack._web().command
    finally:
        stack.listener.close()
    assert command[command.index("--worker-class") + 1] == "config.web_worker.Worker"
