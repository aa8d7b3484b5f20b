"""Contradictions between the sources of a trial, and which reading a data manager decided for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trials import permissions, protocol
from trials.models import ConflictSettlement, ProtocolVersion, Trial, User
from trials.services import audit, patients
from trials.services.errors import Invalid


@dataclass(frozen=True)
class Conflict:
    """Readings of the sources that can't all hold, and the one that was decided for, if any."""

    key: str
    readings: tuple[protocol.Reading, ...]
    settlement: ConflictSettlement | None

    @property
    def is_open(self) -> bool:
        return self.settlement is None


def settle(trial: Trial, *, conflict: str, choice: str, basis: str, by: User) -> ConflictSettlement:
    """Decide which reading holds; a later decision takes its place and both stay on record."""
    permissions.require(by, "trial.settle", trial)
    version = trial.newest_version
    found = {one.key: one for one in conflicts(version)} if version else {}
    if conflict not in found:
        expected = ", ".join(found) or "none is open"
        raise Invalid("conflict", f"The sources disagree on {expected}; got {conflict!r}.")
    choices = [one.choice for one in found[conflict].readings]
    if choice not in choices:
        raise Invalid("choice", f"Decide for one of: {'; '.join(choices)}.")
    if not basis.strip():
        raise Invalid("basis", "Say what the decision rests on: the protocol, the sponsor's word.")
    with audit.action("conflict.settled", actor=by, reason=basis, trial=trial.pk):
        Trial.objects.select_for_update().get(pk=trial.pk)
        # An assessment in between would keep the old reading and a time after this decision.
        patients.hold_all_still(trial)
        row = ConflictSettlement.objects.create(
            trial=trial, conflict=conflict, choice=choice, basis=basis.strip(), settled_by=by
        )
        if conflict in protocol.STATEMENTS:
            setattr(trial, conflict, choice)
            trial.save(update_fields=[conflict])
    return row


def conflicts(version: ProtocolVersion) -> list[Conflict]:
    """Every contradiction of a version, settled or not."""
    newest = {
        one.conflict: one
        for one in reversed(version.trial.settlements.select_related("settled_by"))
    }
    return [
        Conflict(key, readings, newest.get(key))
        for key, readings in protocol.conflicts(version.definition).items()
    ]


def in_force(trial: Trial) -> dict[str, str]:
    """The reading decided for, by conflict."""
    rows = reversed(trial.settlements.all())
    return {one.conflict: one.choice for one in rows}


def left_out(version: ProtocolVersion) -> set[str]:
    """Criteria of a version that a settlement decided against."""
    decided = in_force(version.trial)
    groups: dict[str, tuple[Any, ...]] = protocol.conflicts(version.definition)
    return {
        one.choice
        for key, readings in groups.items()
        if key in decided and key not in protocol.STATEMENTS
        for one in readings
        if one.choice != decided[key]
    }
