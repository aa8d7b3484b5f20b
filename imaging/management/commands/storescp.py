"""Receives images that scanners and archives send by DICOM C-STORE."""

from __future__ import annotations

import logging
import signal
import ssl
import threading
import warnings
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from imaging.services import filing, journal
from imaging.services.store_scp import Limits, StoreScp

STOP_SECONDS = 5.0
FILE_SECONDS = 10.0
MIB = 2**20


class Command(BaseCommand):
    help = (
        "Listens for DICOM C-STORE. Whoever calls a registered node of a site sends to that site; "
        "what was acknowledged is on disk. Each option may be given by a variable of the "
        "environment: --port as TRIALTRACE_STORESCP_PORT, and so on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        given = settings.STORESCP
        parser.add_argument("--host", default=given["HOST"])
        parser.add_argument("--port", type=int, default=given["PORT"])
        parser.add_argument("--tls-cert", default=given["TLS_CERT"], help="certificate (PEM)")
        parser.add_argument("--tls-key", default=given["TLS_KEY"], help="its private key (PEM)")
        parser.add_argument(
            "--tls-ca",
            default=given["TLS_CA"],
            help="who signed the certificates of callers (PEM); with it no other is let in",
        )
        parser.add_argument("--associations", type=int, default=given["ASSOCIATIONS"])
        parser.add_argument(
            "--objects", type=int, default=given["OBJECTS"], help="at most in one association"
        )
        parser.add_argument(
            "--reserve",
            type=int,
            default=given["RESERVE_MIB"],
            metavar="MIB",
            help="nothing is taken when less of the disk is free",
        )

    def handle(self, *, host: str, port: int, reserve: int, **options: Any) -> None:
        _keep_quiet()
        kept = _journal(reserve * MIB)
        try:
            receiver = StoreScp(
                kept, address=(host, port), tls=_tls(options), limits=_limits(options)
            )
        except OSError as error:
            raise CommandError(f"Can't listen on {host}:{port}: {error.strerror}.") from error
        filer = filing.Filer(kept)
        filer.start()
        _stop_on_signals(receiver)
        self.stdout.write(f"listening on {host}:{receiver.port}")
        self.stdout.flush()
        receiver.serve()
        receiver.stop(wait=STOP_SECONDS)
        filer.stop(wait=FILE_SECONDS)
        kept.close()


def _limits(options: dict[str, Any]) -> Limits:
    return Limits(associations=options["associations"], objects=options["objects"])


def _journal(reserve: int) -> journal.Journal:
    try:
        return journal.Journal(journal.folder(), reserve=reserve)
    except BlockingIOError as error:
        raise CommandError(
            f"Another storescp receives for {settings.STORAGE}: end it first, or name another "
            "folder in TRIALTRACE_STORAGE."
        ) from error


def _tls(options: dict[str, Any]) -> ssl.SSLContext | None:
    """What the options say of TLS; None without a certificate."""
    certificate, key, authority = (options[f"tls_{name}"] for name in ("cert", "key", "ca"))
    if not certificate:
        if key or authority:
            raise CommandError("--tls-key and --tls-ca belong to a certificate: give --tls-cert.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key or None)
        if authority:
            context.load_verify_locations(authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise CommandError(
            f"The TLS files can't be used ({error.strerror or error}): certificate, key and "
            "authority must be readable files in PEM, and the key that of the certificate."
        ) from error
    return context


def _keep_quiet() -> None:
    """The libraries' own words may quote what was sent: none reach the log."""
    warnings.simplefilter("ignore")
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    log = logging.getLogger(__name__)
    threading.excepthook = lambda failed: log.error(
        "a connection ended with %s", failed.exc_type.__name__
    )


def _stop_on_signals(receiver: StoreScp) -> None:
    def stop(*_: object) -> None:
        # Not in the thread that serves, which would wait for itself.
        threading.Thread(target=receiver.end_serving).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
