"""Deviations: drafted by a rule or a person, acknowledged by the investigator, closed."""

from __future__ import annotations

from trials import permissions
from trials.models import Deviation, ScopedModel, User
from trials.services import audit, jobs, subjects
from trials.services.errors import Invalid, Refused

State = Deviation.State


def record(about: ScopedModel, *, text: str, by: User) -> Deviation:
    """Record by hand that something did not go as the protocol says."""
    permissions.require(by, "deviation.record", about)
    if not text.strip():
        raise Invalid("text", "Say what happened.")
    patient = subjects.patient_of(about)
    with audit.action(
        "deviation.recorded",
        actor=by,
        reason="seen by a person",
        trial=patient.trial_id,
    ):
        return Deviation.objects.create(
            patient=patient, text=text, recorded_by=by, **subjects.reference(about)
        )


def draft_by_rule(about: ScopedModel, *, rule: str, text: str, values: dict) -> Deviation:
    """A rule drafts, once, with the numbers it compared. Inside the action that found it."""
    deviation, _ = Deviation.objects.get_or_create(
        rule=rule,
        **subjects.reference(about),
        defaults={
            "patient": subjects.patient_of(about),
            "text": text,
            "values": values,
            "recorded_by": jobs.system_user(),
        },
    )
    return deviation


def acknowledge(deviation: Deviation, *, text: str, by: User) -> Deviation:
    permissions.require(by, "deviation.acknowledge", deviation)
    return _move(deviation, State.ACKNOWLEDGED, frm=State.DRAFTED, text=text, by=by)


def close(deviation: Deviation, *, text: str, by: User) -> Deviation:
    permissions.require(by, "deviation.close", deviation)
    return _move(deviation, State.CLOSED, frm=State.ACKNOWLEDGED, text=text, by=by)


def _move(deviation: Deviation, state, *, frm, text: str, by: User) -> Deviation:
    if not text.strip():
        raise Invalid("text", "Say why.")
    with audit.action(
        f"deviation.{state}", actor=by, reason=text, trial=deviation.patient.trial_id
    ):
        locked = Deviation.objects.select_for_update().get(pk=deviation.pk)
        if locked.state != frm:
            raise Refused("wrong-state", f"This deviation is {locked.state}, not {frm}.")
        locked.state = state
        locked.save(update_fields=["state"])
    return locked
