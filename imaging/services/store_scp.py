"""A receiver of C-STORE: who calls a registered node is let in, and what it sends is kept.

Built on the association of pynetdicom, not on its application `qrscp`, which makes a path of
what was sent (CVE-2026-56445). What it leaves open is closed here: the length of a PDU, of a
command and of a data set, the time that each may take, how many connect at once, and a TLS
handshake that would keep everybody else waiting. The data set is never parsed in this process.

Success is answered once the object is in the journal on disk.

References
----------
DICOM PS3.7 9.1.1 and PS3.4 B.2.3 (C-STORE and its status), PS3.8 9 (upper layer).
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.db import connection
from django.utils import timezone
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification
from pynetdicom.transport import (
    AssociationSocket,
    RequestHandler,
    ThreadedAssociationServer,
)

from imaging import acceptance, dicom_nodes
from imaging.dicom_nodes import Rejection
from imaging.services import nodes, receiving
from imaging.services.journal import Entry, Journal
from trials.services import sites
from trials.services.fault_points import reach

log = logging.getLogger(__name__)

SUCCESS, OUT_OF_RESOURCES, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
# PS3.7 C.4.1: refused, not authorized.
NOT_AUTHORIZED = 0x0124

MAXIMUM_PDU_BYTES = 131_072
# Some count the head of a PDU, others do not.
PDU_SLACK_BYTES = 1024
# One of a C-STORE has some 250 bytes.
MAXIMUM_COMMAND_BYTES = 1024
MAXIMUM_WAITING_MESSAGES = 2
# Who has not asked for an association yet counts as well.
CONNECTIONS_AN_ASSOCIATION = 2
LONGEST_LOGGED = 500
# So late a site that was suspended is noticed in an association that was let in before.
REGISTER_SECONDS = 2.0


@dataclass(frozen=True)
class Limits:
    """What one caller may take of this machine."""

    associations: int = 8
    objects: int = receiving.MAXIMUM_FILES
    object_bytes: int = receiving.MAXIMUM_FILE_BYTES
    acse_seconds: float = 30
    dimse_seconds: float = 30
    network_seconds: float = 60


def contexts() -> list[PresentationContext]:
    """What may be proposed: the images that the rules of acceptance take, and an echo."""
    syntaxes = sorted(acceptance.READABLE)
    return [
        build_context(Verification),
        *(build_context(uid, syntaxes) for uid in acceptance.MODALITIES),
    ]


class StoreScp:
    """The listening receiver."""

    def __init__(
        self,
        journal: Journal,
        *,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits or Limits()
        self.is_stopping = False
        self._at_work = _Counter()
        self._register = _Register()
        # Its handlers would write what they receive into the log.
        _config.LOG_HANDLER_LEVEL = "none"
        ae = AE(ae_title="TRIALTRACE")
        ae.maximum_pdu_size = MAXIMUM_PDU_BYTES
        ae.maximum_associations = self.limits.associations
        ae.acse_timeout = self.limits.acse_seconds
        ae.dimse_timeout = self.limits.dimse_seconds
        ae.network_timeout = self.limits.network_seconds
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_ACCEPTED, _tell_of_contexts)]
        self._server = _Server(
            ae, address, "TRIALTRACE", contexts(), tls, handlers, request_handler=_Caller
        )
        self._server.receiver = self
        ae._servers.append(self._server)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def serve(self) -> None:
        """Until `end_serving` is called, from another thread."""
        self._register.start()
        self._server.serve_forever(poll_interval=0.1)

    def end_serving(self) -> None:
        self.is_stopping = True
        self._register.ending.set()
        self._server.shutdown()

    def stop(self, *, wait: float) -> None:
        """Finish the objects in hand, answer them, then end every association."""
        self.is_stopping = True
        self._at_work.wait_for_none(wait)
        # An answer is on its way for a moment after the handler has given it.
        time.sleep(0.2)
        for association in self._server.active_associations:
            association.abort(block=False)
        end = time.monotonic() + wait
        while self._server.active_associations and time.monotonic() < end:
            time.sleep(0.05)
        for association in self._server.active_associations:
            # Who is silent in the middle of a message is not waited for.
            with contextlib.suppress(OSError, AttributeError):
                association.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    def _store(self, event: evt.Event) -> int:
        """The status of one C-STORE, in the thread of its association."""
        with self._at_work:
            try:
                return self._status(event)
            except OSError as error:
                log.error("an object could not be kept: %s", error.strerror or "disk")
                return OUT_OF_RESOURCES

    def _status(self, event: evt.Event) -> int:
        caller: Admission = event.assoc.acse
        if self.is_stopping:
            return OUT_OF_RESOURCES
        if caller.site in self._register.not_sending:
            log.warning("%s: an object for a site that is suspended or closed", caller)
            return NOT_AUTHORIZED
        if isinstance(event.request.DataSet, _TooLarge):
            log.warning("%s: an object over %d bytes", caller, self.limits.object_bytes)
            return OUT_OF_RESOURCES
        if event.request.AffectedSOPClassUID != event.context.abstract_syntax:
            log.warning("%s: an object of another SOP class than was agreed", caller)
            return MISMATCH
        if not UID(event.request.AffectedSOPInstanceUID).is_valid:
            log.warning("%s: an object whose SOP Instance UID is none", caller)
            return NOT_UNDERSTOOD
        if caller.objects >= self.limits.objects:
            log.warning("%s: more than %d objects at once", caller, self.limits.objects)
            return OUT_OF_RESOURCES
        content = event.encoded_dataset()
        received_at = timezone.now().isoformat()
        self.journal.append(Entry(caller.site, caller.calling, received_at, content))
        reach("c-store.journal-written")
        caller.objects += 1
        return SUCCESS


class _Register(threading.Thread):
    """Looks again and again which sites may not send: no object waits for the database."""

    def __init__(self) -> None:
        super().__init__(name="register", daemon=True)
        self.ending = threading.Event()
        self.not_sending: set[int] = set()

    def run(self) -> None:
        while not self.ending.wait(REGISTER_SECONDS):
            try:
                self.not_sending = sites.not_sending()
            except Exception as error:
                # What was known last holds; who comes anew is not let in.
                log.error("the register can't be read (%s)", type(error).__name__)
            finally:
                connection.close()


class Admission(ACSE):
    """Negotiation that first asks the register of nodes who the caller is."""

    site = 0
    objects = 0

    @property
    def calling(self) -> str:
        return self._title("calling_ae_title")

    @property
    def called(self) -> str:
        return self._title("called_ae_title")

    @property
    def address(self) -> str:
        return str(self.requestor.address)

    def __str__(self) -> str:
        """For the log; both titles are whatever the caller says."""
        return f"{self.calling!r} at {self.address} calling {self.called!r}"

    def negotiate_association(self) -> None:
        rejection = self._rejection()
        if rejection is None:
            super().negotiate_association()
            return
        log.warning("%s: rejected, %s", self, rejection.message)
        self.send_reject(rejection.result, rejection.source, rejection.diagnostic)
        evt.trigger(self.assoc, evt.EVT_REJECTED, {})
        self.assoc.kill()

    def _rejection(self) -> Rejection | None:
        try:
            site, rejection = nodes.admit(
                called=self.called, calling=self.calling, address=self.address
            )
        except Exception as error:
            # Whatever it was, nobody is let in by it.
            log.error("%s: the register can't be read (%s)", self, type(error).__name__)
            return dicom_nodes.BUSY
        finally:
            connection.close()
        if site is not None:
            self.site = site.pk
        return rejection

    def _title(self, name: str) -> str:
        return str(getattr(self.requestor.primitive, name) or "").strip()


def _tell_of_contexts(event: evt.Event) -> None:
    """Say in the log what was refused of what a caller proposed, and why."""
    reasons = {1: "refused", 2: "refused", 3: "SOP class not taken", 4: "transfer syntax not taken"}
    refused = {
        f"{_name(one.abstract_syntax)}: {reasons.get(one.result, one.result)}"
        for one in event.assoc.rejected_contexts
    }
    text = "; ".join(sorted(refused)) or "nothing"
    log.info("%s: let in, refused %s", event.assoc.acse, text[:LONGEST_LOGGED])


def _name(uid: UID) -> str:
    return uid.name if uid.is_valid else "no UID"


class _TooLarge(BytesIO):
    """Stands for a data set that was thrown away while it came."""


class _Messages(DIMSEServiceProvider):
    """Messages of bounded length and number: what is over it is thrown away or ends all."""

    def __init__(self, assoc: Association, limits: Limits) -> None:
        super().__init__(assoc)
        self._limits = limits
        self._command = self._held = 0

    def receive_primitive(self, primitive: Any) -> None:
        values = primitive.presentation_data_value_list
        for _, data in values:
            if not data:
                return self._refuse("an empty fragment")
            if data[0] & 1:
                self._command += len(data)
            else:
                self._held += len(data)
        if self._command > MAXIMUM_COMMAND_BYTES:
            return self._refuse("a command that is too long")
        if self.msg_queue.qsize() >= MAXIMUM_WAITING_MESSAGES:
            return self._refuse("objects without waiting for an answer")
        if self._held > self._limits.object_bytes:
            self._throw_away(values)
        super().receive_primitive(primitive)
        if self.message is None:
            self._command = self._held = 0
        return None

    def _throw_away(self, values: list) -> None:
        """Keep of each fragment its first byte, which says whether it is the last."""
        values[:] = [(number, data if data[0] & 1 else data[:1]) for number, data in values]
        if self.message is not None:
            self.message.data_set = _TooLarge()

    def _refuse(self, what: str) -> None:
        log.warning("%s: aborted, sent %s", self.assoc.acse, what)
        # Evt19: an unexpected PDU, answered by an abort.
        self.dul.event_queue.put("Evt19")


class _Socket(AssociationSocket):
    """Reads in large pieces, acknowledges them at once, and neither too much nor for too long.

    A sender that waits for the acknowledgement of its last small packet (Nagle) before the
    next, and a kernel that delays it by 40 ms, make 17 objects a second of 150.
    """

    longest = 60.0

    def recv(self, nr_bytes: int) -> bytearray:
        try:
            return self._received(nr_bytes)
        except OSError:
            # It is taken for closed from now on, and so it shall be.
            self._shutdown_socket()
            raise

    def _received(self, number: int) -> bytearray:
        if number > MAXIMUM_PDU_BYTES + PDU_SLACK_BYTES:
            raise OSError(f"a PDU of {number} bytes")
        found = bytearray(number)
        view, at, end = memoryview(found), 0, time.monotonic() + self.longest
        while at < number:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            count = self.socket.recv_into(view[at:])
            if not count:
                return found[:at]
            at += count
        return found


class _Caller(RequestHandler):
    """One connection: its handshake in its own thread, its association with our bounds."""

    server: _Server

    def handle(self) -> None:
        limits = self.server.receiver.limits
        self.request.settimeout(limits.acse_seconds)
        if isinstance(self.request, ssl.SSLSocket):
            try:
                self.request.do_handshake()
            except OSError as error:
                log.warning("%s: no TLS: %s", self.client_address[0], type(error).__name__)
                self.request.close()
                return
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle()

    def _create_association(self) -> Association:
        association = super()._create_association()
        limits = self.server.receiver.limits
        association.acse = Admission(association)
        association.dimse = _Messages(association, limits)
        # In place of its own socket, which has told of the connection once already (Evt5).
        association.dul.event_queue.queue.clear()
        bounded = _Socket(association, client_socket=self.request)
        bounded.longest = limits.network_seconds
        association.dul.socket = bounded
        return association


class _Server(ThreadedAssociationServer):
    """Takes connections, no more than can be served."""

    receiver: StoreScp
    daemon_threads = True

    def __init__(self, *args, **kwargs) -> None:
        # Connections whose association has not begun.
        self._greeting = _Counter()
        super().__init__(*args, **kwargs)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = self.socket.accept()
        if self.ssl_context:
            request = self.ssl_context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        return request, address

    def verify_request(self, _request: Any, client_address: Any) -> bool:
        most = CONNECTIONS_AN_ASSOCIATION * self.receiver.limits.associations
        if self._greeting.number + len(self.active_associations) < most:
            return True
        log.warning("%s: turned away, %d are connected", client_address[0], most)
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        self._greeting.add(1)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._greeting.add(-1)

    def handle_error(self, _request: Any, client_address: Any) -> None:
        log.error("%s: the connection failed", client_address[0])


class _Counter:
    """How many are inside."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        self.add(1)

    def __exit__(self, *_: object) -> None:
        self.add(-1)

    def add(self, number: int) -> None:
        with self._changed:
            self.number += number
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.number == 0, seconds)
