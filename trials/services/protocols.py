"""Loading trial files: a changed file is a new protocol version, never an edited one."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trials import permissions, protocol
from trials.models import (
    EligibilityCriterion,
    PlannedScan,
    ProtocolVersion,
    Tracer,
    Trial,
    User,
)
from trials.services import audit
from trials.services.errors import Invalid

SCHEMA = Path(__file__).resolve().parents[1] / "protocol.schema.json"
UID_KEY_BYTES = 32


@dataclass(frozen=True)
class Loaded:
    """What loading came to; a dry run of a new trial has neither trial nor version."""

    trial: Trial | None
    version: ProtocolVersion | None
    changes: list[str]


def load_trial(text: str, *, by: User, dry_run: bool = False) -> Loaded:
    """Load a trial file, or with `dry_run` only say what it would change.

    The same definition changes nothing, so that loading twice is loading once.
    """
    definition = _definition(text)
    trial = Trial.objects.filter(identifier=definition["identifier"]).first()
    _require(by, trial)
    current = trial.newest_version if trial else None
    changes = _changes(current, definition)
    if dry_run or not changes:
        return Loaded(trial, current, changes)
    return _write(definition, by=by)


def _definition(text: str) -> protocol.Definition:
    try:
        return protocol.parse(text, schema=_schema())
    except protocol.ProtocolError as error:
        raise Invalid("file", "\n".join(error.errors), code="not-a-trial-file") from error


@cache
def _schema() -> dict:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def _require(by: User, trial: Trial | None) -> None:
    """The system loads at installation; a person needs the right in this trial or, for a new
    one, in any."""
    if by.is_system:
        return
    if trial:
        permissions.require(by, "trial.load", trial)
    else:
        permissions.require_somewhere(by, "trial.load")


def _changes(current: ProtocolVersion | None, definition: protocol.Definition) -> list[str]:
    if current is None:
        counts = (len(definition[section]) for section in protocol.LISTS)
        return [
            "New trial {}: tracers {}, planned scans {}, criteria {}.".format(
                definition["identifier"], *counts
            )
        ]
    if current.definition_sha256 == protocol.digest(definition):
        return []
    return protocol.difference(current.definition, definition)


def _write(definition: protocol.Definition, *, by: User) -> Loaded:
    with audit.action("trial.loaded", actor=by, reason="trial file"):
        trial, _ = Trial.objects.get_or_create(
            identifier=definition["identifier"],
            defaults={"uid_key": secrets.token_bytes(UID_KEY_BYTES)},
        )
        trial = Trial.objects.select_for_update().get(pk=trial.pk)
        current = trial.newest_version
        # Looked at again under the lock: two who load the same file make one version.
        changes = _changes(current, definition)
        if not changes:
            return Loaded(trial, current, changes)
        _describe(trial, definition)
        version = ProtocolVersion.objects.create(
            trial=trial,
            number=current.number + 1 if current else 1,
            label=definition["version"],
            definition=definition,
            definition_sha256=protocol.digest(definition),
        )
        _plan(version, definition)
        _create_criteria(version, definition)
    return Loaded(trial, version, changes)


def _describe(trial: Trial, definition: protocol.Definition) -> None:
    """What the newest version says of the trial as a whole; unknown is empty."""
    for field in protocol.STATEMENTS:
        setattr(trial, field, protocol.statement(definition[field]))
    trial.conditions = (definition["conditions"] or {}).get("items", [])
    trial.is_demo = definition["is_demo"]
    trial.save(update_fields=[*protocol.STATEMENTS, "conditions", "is_demo"])


def _plan(version: ProtocolVersion, definition: protocol.Definition) -> None:
    tracers = {}
    for tracer in definition["tracers"]:
        limits = protocol.in_force(tracer["activity_mbq"])
        tracers[tracer["identifier"]] = Tracer.objects.create(
            version=version,
            identifier=tracer["identifier"],
            name=tracer["name"],
            radionuclide=tracer["radionuclide"],
            activity_target_mbq=limits.get("target"),
            activity_low_mbq=limits.get("low"),
            activity_high_mbq=limits.get("high"),
            source=protocol.cited(definition, tracer["source"]),
        )
    for scan in definition["planned_scans"]:
        uptake = protocol.in_force(scan["uptake_minutes"])
        PlannedScan.objects.create(
            version=version,
            tracer=tracers[scan["tracer"]],
            identifier=scan["identifier"],
            label=scan["label"],
            uptake_low_minutes=uptake.get("low"),
            uptake_high_minutes=uptake.get("high"),
            requires_ct=scan["requires_ct"],
            segmentation=scan["segmentation"],
            source=protocol.cited(definition, scan["source"]),
        )


def _create_criteria(version: ProtocolVersion, definition: protocol.Definition) -> None:
    for position, criterion in enumerate(definition["criteria"], start=1):
        EligibilityCriterion.objects.create(
            version=version,
            position=position,
            identifier=criterion["identifier"],
            category=criterion["category"],
            text=criterion["text"],
            expression=criterion["expression"],
            applies_to=criterion.get("applies_to"),
            gate=criterion["gate"],
            provenance=criterion["provenance"],
            note=criterion.get("note", ""),
            source=protocol.cited(definition, criterion["source"]),
        )
