"""Monitoring visits: reported, corrected, signed; their action items followed up until closed.

A signature stands as long as report and items say what was signed; what became of the items
afterwards is follow-up and leaves it standing.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from trials import permissions
from trials.models import (
    ActionItem,
    ActionItemTurn,
    MonitoringVisit,
    ScopedModel,
    Signature,
    Site,
    User,
)
from trials.services import audit, signatures
from trials.services.errors import Invalid, Refused

Kind = MonitoringVisit.Kind
State = ActionItem.State
REPORTED = ("kind", "held_on", "attendees", "summary", "findings")
# From which states an item comes to another, and who may take it there.
MOVES = {
    State.DONE: ({State.OPEN}, "action_item.answer", "action_item.done"),
    State.CLOSED: ({State.OPEN, State.DONE}, "monitoring.record", "action_item.closed"),
    State.OPEN: ({State.DONE, State.CLOSED}, "monitoring.record", "action_item.reopened"),
}


def record(
    site: Site,
    *,
    kind: str,
    held_on: date,
    attendees: str,
    summary: str,
    findings: str = "",
    by: User,
) -> MonitoringVisit:
    """Report a visit that took place."""
    permissions.require(by, "monitoring.record", site)
    given = _checked(site, kind, held_on, attendees, summary, findings)
    with audit.action(
        "monitoring_visit.recorded", actor=by, reason=Kind(kind).label, trial=site.trial_id
    ):
        return MonitoringVisit.objects.create(site=site, recorded_by=by, **given)


def correct(
    visit: MonitoringVisit, *, version: int, reason: str, by: User, **given: Any
) -> MonitoringVisit:
    """Correct a report with a reason; `version` is the one that was looked at."""
    permissions.require(by, "monitoring.record", visit)
    audit.require_reason(reason)
    checked = _checked(visit.site, **{name: given[name] for name in REPORTED})
    with _acting("monitoring_visit.corrected", visit, by, reason):
        locked = _locked(visit, version)
        for name, value in checked.items():
            setattr(locked, name, value)
        locked.version += 1
        locked.save(update_fields=[*checked, "version"])
    return locked


def sign(visit: MonitoringVisit, *, version: int, password: str, by: User) -> Signature:
    """Sign a report as the monitor who answers for it."""
    permissions.require(by, "monitoring.record", visit)
    with _acting("monitoring_visit.signed", visit, by, Signature.Meaning.MONITORING.label):
        locked = _locked(visit, version)
        if signature_in_force(locked):
            raise Refused("signed-already", "This report is signed already.")
        return signatures.sign(
            locked,
            by=by,
            password=password,
            meaning=Signature.Meaning.MONITORING,
            content=content_of(locked),
        )


def add_item(
    visit: MonitoringVisit, *, text: str, owner: str, due_on: date, by: User
) -> ActionItem:
    """Raise an action item of a visit; the report has another version with it."""
    permissions.require(by, "monitoring.record", visit)
    _require("text", text, "Say what is to be done.")
    _require("owner", owner, "Name who does it.")
    if due_on < visit.held_on:
        raise Invalid("due_on", f"It can't be due before the visit on {visit.held_on}.")
    with _acting("action_item.raised", visit, by, text.strip()[:200]):
        locked = MonitoringVisit.objects.select_for_update().get(pk=visit.pk)
        # Who has the page open that signs is shown the item first.
        locked.version += 1
        locked.save(update_fields=["version"])
        return ActionItem.objects.create(
            visit=locked,
            number=visit.items.count() + 1,
            text=text.strip(),
            owner=owner.strip(),
            due_on=due_on,
            raised_by=by,
        )


def move_item(item: ActionItem, to: str, *, text: str, by: User) -> ActionItem:
    """Take an item on: the site says that it is done, the monitor closes or reopens it."""
    before, permission, action = MOVES[State(to)]
    permissions.require(by, permission, item)
    _require("text", text, "Say what was done or seen.")
    with _acting(action, item.visit, by, text.strip()[:200]):
        locked = ActionItem.objects.select_for_update().get(pk=item.pk)
        if locked.state not in before:
            raise Refused(
                "wrong-state", f"This item is {locked.get_state_display().lower()} already."
            )
        locked.state = to
        locked.save(update_fields=["state"])
        ActionItemTurn.objects.create(item=locked, state=to, text=text.strip(), author=by)
    return locked


def signature_in_force(visit: MonitoringVisit) -> Signature | None:
    """The signature on a report, as long as it says what was signed."""
    signature = signatures.of(visit)
    if signature is None or signature.content_sha256 != signatures.digest(content_of(visit)):
        return None
    return signature


def content_of(visit: MonitoringVisit) -> dict[str, Any]:
    """What is signed with a report."""
    return {
        "site": visit.site.code,
        "kind": visit.kind,
        "held_on": visit.held_on.isoformat(),
        "attendees": visit.attendees,
        "summary": visit.summary,
        "findings": visit.findings,
        "items": [
            [one.number, one.text, one.owner, one.due_on.isoformat()] for one in visit.items.all()
        ],
    }


def _checked(
    site: Site, kind: str, held_on: date, attendees: str, summary: str, findings: str
) -> dict[str, Any]:
    if kind not in Kind.values:
        raise Invalid("kind", f"Expected one of {', '.join(Kind.values)}; got {kind!r}.")
    if held_on > site.today():
        raise Invalid("held_on", "A visit is reported once it was held: this day is to come.")
    _require("attendees", attendees, "Name who was there.")
    _require("summary", summary, "Say what was looked at.")
    return {
        "kind": kind,
        "held_on": held_on,
        "attendees": attendees.strip(),
        "summary": summary.strip(),
        "findings": findings.strip(),
    }


def _require(field: str, text: str, message: str) -> None:
    if len(text.strip(" .-\n\r\t")) < 2:
        raise Invalid(field, message)


def _locked(visit: MonitoringVisit, version: int) -> MonitoringVisit:
    rows = MonitoringVisit.objects.select_related("site").select_for_update(of=("self",))
    locked = rows.get(pk=visit.pk)
    if locked.version != version:
        raise Refused(
            "changed-meanwhile",
            "The report was corrected meanwhile, or an item raised: look again.",
        )
    return locked


def _acting(name: str, visit: ScopedModel, by: User, reason: str):
    return audit.action(name, actor=by, reason=reason, trial=visit.site.trial_id)
