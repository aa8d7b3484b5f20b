"""Electronic signatures: the password asked again, the meaning stated, the content bound.

A signature is of a content, kept beside its digest: whoever looks later sees what was signed,
and whether it still is what the record says. The one mistake to fear is a signature that
goes on standing over something else; so nothing here is ever edited, and what stands is
decided by comparing (21 CFR 11.50, 11.70, 11.200).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from axes.exceptions import AxesBackendPermissionDenied
from axes.handlers.proxy import AxesProxyHandler
from django.db import connections
from django.db.models import QuerySet
from django.http import HttpRequest

from trials import canonical
from trials.models import ScopedModel, Signature, User
from trials.services import subjects
from trials.services.errors import Invalid, Refused


def sign(
    row: ScopedModel,
    *,
    by: User,
    password: str,
    meaning: Signature.Meaning,
    content: Mapping[str, Any],
) -> Signature:
    """Sign `content` of `row` as `by`. Inside the action whose act is signed."""
    require_password(by, password)
    trial, site = row.scope()
    return Signature.objects.create(
        trial_id=trial,
        # What lies at every site together has no site of its own.
        site_id=site or None,
        patient=subjects.patient_of(row),
        meaning=meaning,
        signer_name=str(by),
        signed_by=by,
        content=dict(content),
        content_sha256=digest(content),
        **subjects.reference(row),
    )


def of(row: ScopedModel) -> Signature | None:
    """The newest signature on a row."""
    return every(row).first()


def every(row: ScopedModel) -> QuerySet[Signature]:
    """All signatures on a row, the newest first."""
    return Signature.objects.filter(**subjects.reference(row)).select_related("signed_by")


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content as canonical JSON."""
    return canonical.sha256(content)


def require_password(by: User, password: str) -> None:
    """Raise unless `password` is that of `by`; a form to sign is no place to guess it."""
    request, credentials = _request(), {"username": by.username}
    if not AxesProxyHandler.is_allowed(request, credentials):
        raise Refused(
            "too-many-wrong-passwords",
            "Too many wrong passwords in a row: wait fifteen minutes, then sign again.",
            status=429,
        )
    if not by.check_password(password):
        _apart(lambda: _note_failure(request, credentials))
        raise Invalid("password", "This is not your password: nothing was signed.")


def _request() -> HttpRequest:
    """What the guard of log-ins counts by: signing has an address of its own."""
    request = HttpRequest()
    request.path = "/sign/"
    request.META["REMOTE_ADDR"] = "0.0.0.0"  # noqa: S104  a name for counting, bound to nothing
    return request


def _note_failure(request: HttpRequest, credentials: Mapping[str, str]) -> None:
    try:
        AxesProxyHandler.user_login_failed(sender=None, credentials=credentials, request=request)
    except AxesBackendPermissionDenied:
        return
    finally:
        connections.close_all()


def _apart(act: Callable[[], None]) -> None:
    """Do `act` on a connection of its own: the refusal rolls the caller's transaction back."""
    thread = threading.Thread(target=act, name="failed signature")
    thread.start()
    thread.join()
