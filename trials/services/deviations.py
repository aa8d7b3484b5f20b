"""Deviations: drafted by a rule or a person, acknowledged by the investigator, closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from trials import permissions
from trials.models import Deviation, ScopedModel, Signature, User
from trials.services import audit, jobs, panel_rights, signatures, subjects
from trials.services.errors import Invalid, Refused

State = Deviation.State
Subject = TypeVar("Subject", bound=ScopedModel)
# What a rule found: the sentence, and the values it compared.
Finding = tuple[str, dict]
WITHDRAWN = "Withdrawn: the record was corrected."
SINCE = "The record was corrected since: nothing deviates any more."


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


def draft_by_rule(
    about: ScopedModel, *, rule: str, text: str, values: dict, is_important: bool = False
) -> Deviation:
    """A rule drafts, once, with the numbers it compared. Inside the action that found it."""
    deviation, _ = Deviation.objects.get_or_create(
        rule=rule,
        **subjects.reference(about),
        defaults={
            "patient": subjects.patient_of(about),
            "text": text,
            "values": values,
            "is_important": is_important,
            "recorded_by": jobs.system_user(),
        },
    )
    return deviation


def of_rule(about: ScopedModel, *, rule: str) -> Deviation | None:
    """What a rule found about a row, drafted or known."""
    return Deviation.objects.filter(rule=rule, **subjects.reference(about)).first()


def rules_of(about: ScopedModel) -> frozenset[str]:
    """The rules that found something about a row, whatever became of it."""
    rows = Deviation.objects.filter(**subjects.reference(about)).exclude(rule="")
    return frozenset(rows.values_list("rule", flat=True))


def judge_by_rule(about: ScopedModel, *, rule: str, finding: Finding | None) -> None:
    """Hold what a rule drafted against what it finds now. Inside the action that changed it.

    With other numbers it is drafted anew, whoever knew of the old ones; the trail has them.
    When nothing deviates any more a draft nobody has seen closes, and what was acknowledged
    is drafted anew saying so: the investigator, who may have signed it, is told and closes it.
    """
    known = of_rule(about, rule=rule)
    if finding is None:
        if known and not known.text.endswith((WITHDRAWN, SINCE)):
            _no_longer(known)
        return
    text, values = finding
    if known is None:
        draft_by_rule(about, rule=rule, text=text, values=values)
    elif known.values != values or known.text.endswith((WITHDRAWN, SINCE)):
        known.text, known.values, known.state = text, values, State.DRAFTED
        known.save(update_fields=["text", "values", "state"])


def judge_each(
    rows: Iterable[Subject], *, rule: str, find: Callable[[Subject], Finding | None]
) -> None:
    """The same of several rows, by what `find` finds of each."""
    for one in rows:
        judge_by_rule(one, rule=rule, finding=find(one))


def _no_longer(known: Deviation) -> None:
    """Nothing deviates any more: a draft closes, whoever knew is told, what is closed says so."""
    if known.state == State.DRAFTED:
        known.state, known.text = State.CLOSED, f"{known.text} {WITHDRAWN}"
    else:
        known.text = f"{known.text} {SINCE}"
        if known.state == State.ACKNOWLEDGED:
            known.state = State.DRAFTED
    known.save(update_fields=["state", "text"])


def record_important(
    about: ScopedModel, *, rule: str, text: str, values: dict, by: User
) -> Deviation:
    """An important deviation, known to the investigator. Inside the action that found it."""
    return Deviation.objects.create(
        patient=subjects.patient_of(about),
        rule=rule,
        text=text,
        values=values,
        is_important=True,
        state=State.ACKNOWLEDGED,
        recorded_by=by,
        **subjects.reference(about),
    )


def sign(deviation: Deviation, *, password: str, by: User) -> Signature:
    """Sign a deviation as the investigator. Inside an action."""
    return signatures.sign(
        deviation,
        by=by,
        password=password,
        meaning=Signature.Meaning.DEVIATION,
        content={
            "patient": deviation.patient.screening_number,
            "rule": deviation.rule,
            "text": deviation.text,
            "values": deviation.values,
        },
    )


def acknowledge(deviation: Deviation, *, text: str, by: User, password: str = "") -> Deviation:
    """The investigator knows of it; an important one is signed."""
    panel_rights.require_about(by, "deviation.acknowledge", deviation)

    def seal(locked: Deviation) -> None:
        if locked.is_important:
            sign(locked, password=password, by=by)

    return _move(deviation, State.ACKNOWLEDGED, frm=State.DRAFTED, text=text, by=by, also=seal)


def close(deviation: Deviation, *, text: str, by: User) -> Deviation:
    panel_rights.require_about(by, "deviation.close", deviation)
    return _move(deviation, State.CLOSED, frm=State.ACKNOWLEDGED, text=text, by=by)


def _move(
    deviation: Deviation, state, *, frm, text: str, by: User, also=lambda _: None
) -> Deviation:
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
        also(locked)
    return locked
