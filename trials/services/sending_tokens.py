"""Tokens of machines: made for a site, shown once, good for sending to it and for nothing else.

The mistake to fear is a token that a machine keeps for a year and that opens more than it needs:
it names no person, holds no role, and whatever is not a store request refuses it by name.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, timedelta

from django.db import IntegrityError
from django.utils import timezone

from trials import permissions
from trials.models import SendingToken, Site, User
from trials.services import audit
from trials.services.errors import Invalid, Refused

# So a token is told from a person's, and found where it was left lying about.
PREFIX = "trialtrace-send-"
LONGEST = timedelta(days=366)


def issue(site: Site, *, name: str, expires_on: date, by: User) -> tuple[str, SendingToken]:
    """A token for a machine of a site, shown this once; only its digest is kept."""
    permissions.require(by, "sending_token.manage", site)
    name = name.strip()
    if not name:
        raise Invalid("name", "Say which machine it is for.")
    today = site.today()
    if not today <= expires_on <= today + LONGEST:
        raise Invalid(
            "expires_on", f"It ends between today and {today + LONGEST}, a year from now."
        )
    token = PREFIX + secrets.token_urlsafe(32)
    try:
        with audit.action("sending_token.issued", actor=by, reason=name, trial=site.trial_id):
            row = SendingToken.objects.create(
                site=site, name=name, digest=_digest(token), expires_on=expires_on, issued_by=by
            )
    except IntegrityError as error:
        raise Refused(
            "named-already", f"{name} has a token at this site: revoke it first, or name another."
        ) from error
    return token, row


def revoke(row: SendingToken, *, reason: str, by: User) -> SendingToken:
    """Let nothing be sent with it any more; what was sent stays."""
    permissions.require(by, "sending_token.manage", row)
    audit.require_reason(reason)
    with audit.action("sending_token.revoked", actor=by, reason=reason, trial=row.site.trial_id):
        locked = SendingToken.objects.select_for_update().get(pk=row.pk)
        if locked.revoked_at:
            raise Refused("revoked-already", f"{locked} is revoked already.")
        locked.revoked_at = timezone.now()
        locked.save(update_fields=["revoked_at"])
    return locked


def is_one(token: str) -> bool:
    """Whether this has the form of a machine's token."""
    return token.startswith(PREFIX)


def in_force(token: str) -> SendingToken | None:
    """The machine's token this is, if it was neither revoked nor has ended."""
    row = (
        SendingToken.objects.filter(digest=_digest(token), revoked_at=None)
        .select_related("site__trial")
        .first()
    )
    return row if row and row.is_in_force else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
