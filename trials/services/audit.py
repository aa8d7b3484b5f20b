"""The frame every change is made in: who, what act, why.

The database's triggers write the trail; this module tells them the frame, for the length
of one transaction. A change without it is refused by the database.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from trials.models import User
from trials.services.errors import Invalid
from trials.version import VERSION

SETTING = "trialtrace.audit"
SHORTEST_REASON = 3

# The request or job the current thread works for; set by the middleware and the worker.
current_request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="")


class NestedActionError(RuntimeError):
    """An action inside another would give the outer one's changes the inner one's name."""


def require_reason(reason: str) -> None:
    """Raise Invalid unless `reason` says something."""
    if len(reason.strip(" .-")) < SHORTEST_REASON:
        raise Invalid("reason", "Say why, in a few words.")


@contextmanager
def action(
    name: str,
    *,
    actor: User,
    reason: str,
    trial: int | None = None,
    patient: int | None = None,
) -> Iterator[None]:
    """One act, one transaction: everything changed inside is recorded as `name` by `actor`.

    `trial` and `patient` say whom the act is about where a changed row doesn't name them.
    """
    frame = {
        "action": name,
        "actor": actor.pk,
        "actor_name": str(actor),
        "reason": reason,
        "request": current_request.get(),
        "trial": trial,
        "patient": patient,
        "software_version": VERSION,
    }
    with transaction.atomic():
        if _frame():
            raise NestedActionError(f"{name} begins inside another action")
        _set(json.dumps({k: v for k, v in frame.items() if v is not None}))
        # An exception rolls the transaction back, and the setting with it.
        yield
        _set("")


def _frame() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting(%s, true), '')", [SETTING])
        return cursor.fetchone()[0]


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select set_config(%s, %s, true)", [SETTING, value])
