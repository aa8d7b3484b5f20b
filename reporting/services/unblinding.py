"""The second person: who agrees that an export holds what its trial conceals, or declines it."""

from __future__ import annotations

from django.utils import timezone

from reporting.models import Export
from reporting.services import exports
from trials import permissions
from trials.models import User
from trials.services import audit
from trials.services.errors import Invalid, Refused

LONGEST_REASON = Export._meta.get_field("decision_reason").max_length

State = Export.State


def approve(export: Export, *, reason: str, by: User) -> Export:
    """Let a waiting export be frozen; never by who ordered it."""
    _require(export, reason, by)
    if export.requested_by_id == by.pk:
        raise Refused(
            "own-order",
            "You ordered this export: a second person who may unblind has to agree to it.",
        )
    with audit.action(
        "export.unblinding_approved", actor=by, reason=reason.strip(), trial=export.trial_id
    ):
        row = _decided(export, State.REQUESTED, reason, by)
        # The work is the order's, whoever agreed to it.
        exports.order(row, by=row.requested_by)
    return row


def decline(export: Export, *, reason: str, by: User) -> Export:
    """Let a waiting export never be frozen; who ordered it takes it back so."""
    _require(export, reason, by)
    with audit.action(
        "export.unblinding_declined", actor=by, reason=reason.strip(), trial=export.trial_id
    ):
        return _decided(export, State.DECLINED, reason, by)


def _require(export: Export, reason: str, by: User) -> None:
    permissions.require(by, "export.unblind", export)
    audit.require_reason(reason)
    if len(reason.strip()) > LONGEST_REASON:
        raise Invalid("reason", f"{LONGEST_REASON} characters at most.")


def _decided(export: Export, state: str, reason: str, by: User) -> Export:
    """The export as decided; of two who decide at once the second is told of the first."""
    rows = Export.objects.select_related("trial", "requested_by").select_for_update(of=("self",))
    row = rows.get(pk=export.pk)
    if not row.is_unblinded:
        raise Refused("not-unblinded", "This export is a blinded one: nobody has to agree to it.")
    if row.state != State.WAITING:
        raise Refused("decided-already", f"This export is {row.get_state_display().lower()} now.")
    row.state, row.decided_by, row.decided_at = state, by, timezone.now()
    row.decision_reason = reason.strip()
    row.save(update_fields=["state", "decided_by", "decided_at", "decision_reason"])
    return row
