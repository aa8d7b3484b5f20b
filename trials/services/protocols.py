"""Loading trial files: a changed file is a new protocol version, never an edited one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trials import case_report_forms, permissions, protocol, trial_yaml
from trials.models import (
    Cohort,
    ConsentVersion,
    EligibilityCriterion,
    PlannedScan,
    PlannedVisit,
    ProtocolVersion,
    Site,
    Tracer,
    Trial,
    User,
)
from trials.services import audit, sites
from trials.services.errors import Invalid

# What a later file may say otherwise of a site that takes part.
RESTATED = ("name", "time_zone")
SCHEMA = Path(__file__).resolve().parents[1] / "protocol.schema.json"
GENERAL_FORMS = SCHEMA.with_name("general_forms.yaml")
UID_KEY_BYTES = 32


@dataclass(frozen=True)
class Loaded:
    """What loading came to; a dry run of a new trial has neither trial nor version."""

    trial: Trial | None
    version: ProtocolVersion | None
    changes: list[str]


class NotATrialFile(Invalid):
    """A trial file with something to mend; `problems` say in which line, and what."""

    def __init__(self, problems: Sequence[protocol.Problem]) -> None:
        message = "\n".join(str(one) for one in problems)
        super().__init__("file", message, code="not-a-trial-file")
        self.problems = list(problems)


def load_trial(text: str, *, by: User, dry_run: bool = False) -> Loaded:
    """Load a trial file, or with `dry_run` only say what it would change.

    The same definition changes nothing, so that loading twice is loading once.
    """
    definition = _definition(text)
    trial = Trial.objects.filter(identifier=definition["identifier"]).first()
    _require(by, trial)
    current = trial.newest_version if trial else None
    changes = _changes(current, definition)
    if trial:
        _require_no_move(trial, current, definition, text)
    if dry_run or not changes:
        return Loaded(trial, current, changes)
    return _write(definition, text, by=by)


def known(text: str) -> ProtocolVersion | None:
    """The version of the trial that says what a file says, be it the newest or an earlier one."""
    definition = _definition(text)
    return ProtocolVersion.objects.filter(
        trial__identifier=definition["identifier"],
        definition_sha256=protocol.digest(definition),
    ).first()


def export(version: ProtocolVersion) -> str:
    """The trial file of a version: the very one that was loaded, or one that says the same."""
    return version.text or protocol.dump(version.definition)


def schema_text() -> str:
    """The published JSON Schema of trial files."""
    return SCHEMA.read_text(encoding="utf-8")


def _definition(text: str) -> protocol.Definition:
    try:
        found = protocol.parse(text, schema=_schema())
    except protocol.ProtocolError as error:
        raise NotATrialFile(error.problems) from error
    return case_report_forms.expanded(found, general_forms())


@cache
def general_forms() -> list[dict]:
    """The forms that a trial file may ask for by name."""
    return trial_yaml.read(GENERAL_FORMS.read_text(encoding="utf-8")).content


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
        counts = [
            f"{section.replace('_', ' ')} {len(definition[section])}"
            for section in protocol.LISTS
            if definition.get(section)
        ]
        return [f"New trial {definition['identifier']}: {', '.join(counts)}."]
    if current.definition_sha256 == protocol.digest(definition):
        return []
    return protocol.difference(current.definition, definition)


def _write(definition: protocol.Definition, text: str, *, by: User) -> Loaded:
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
        _require_no_move(trial, current, definition, text)
        _rename_sites(trial, current, definition)
        _describe(trial, definition)
        version = ProtocolVersion.objects.create(
            trial=trial,
            number=current.number + 1 if current else 1,
            label=definition["version"],
            definition=definition,
            definition_sha256=protocol.digest(definition),
            text=text,
        )
        _plan(version, definition)
        _create_criteria(version, definition)
        _add_sites(version, by=by)
    return Loaded(trial, version, changes)


def _describe(trial: Trial, definition: protocol.Definition) -> None:
    """What the newest version says of the trial as a whole; unknown is empty."""
    settled = {one.conflict: one.choice for one in reversed(trial.settlements.all())}
    open_conflicts = protocol.conflicts(definition)
    for field in protocol.STATEMENTS:
        choices = [one.choice for one in open_conflicts.get(field, ())]
        decided = settled.get(field)
        stated = protocol.statement(definition[field])
        setattr(trial, field, decided if decided in choices else stated)
    trial.conditions = (definition["conditions"] or {}).get("items", [])
    trial.is_demo = definition["is_demo"]
    trial.save(update_fields=[*protocol.STATEMENTS, "conditions", "is_demo"])


def _plan(version: ProtocolVersion, definition: protocol.Definition) -> None:
    tracers = {
        one["identifier"]: _tracer(version, definition, one) for one in definition["tracers"]
    }
    visits = {
        one["identifier"]: _visit(version, definition, one, position)
        for position, one in enumerate(definition["visits"], start=1)
    }
    for cohort in definition["cohorts"]:
        Cohort.objects.create(
            version=version,
            identifier=cohort["identifier"],
            label=cohort["label"],
            arm=cohort.get("arm", ""),
            cap=cohort["cap"],
            source=protocol.cited(definition, cohort["source"]),
        )
    for scan in definition["planned_scans"]:
        uptake = protocol.in_force(scan["uptake_minutes"])
        PlannedScan.objects.create(
            version=version,
            tracer=tracers[scan["tracer"]],
            visit=visits.get(scan.get("visit")),
            identifier=scan["identifier"],
            label=scan["label"],
            uptake_low_minutes=uptake.get("low"),
            uptake_high_minutes=uptake.get("high"),
            coverage=protocol.in_force(scan.get("coverage")).get("text", ""),
            reconstruction=protocol.in_force(scan.get("reconstruction")).get("text", ""),
            reference_regions=[
                one["region"] for one in scan.get("reference_regions", ()) if protocol.in_force(one)
            ],
            requires_ct=scan["requires_ct"],
            segmentation=scan["segmentation"],
            conformance=scan.get("conformance", {}),
            retest=protocol.in_force(scan.get("retest")),
            suv_source=scan.get("suv_source", PlannedScan.SuvSource.HEADER),
            source=protocol.cited(definition, scan["source"]),
        )


def _tracer(version: ProtocolVersion, definition: protocol.Definition, tracer: dict) -> Tracer:
    limits = protocol.in_force(tracer["activity_mbq"])
    by_weight = protocol.in_force(tracer.get("mbq_per_kg"))
    return Tracer.objects.create(
        version=version,
        identifier=tracer["identifier"],
        name=tracer["name"],
        radionuclide=tracer["radionuclide"],
        activity_target_mbq=limits.get("target"),
        activity_low_mbq=limits.get("low"),
        activity_high_mbq=limits.get("high"),
        mbq_per_kg_target=by_weight.get("target"),
        mbq_per_kg_low=by_weight.get("low"),
        mbq_per_kg_high=by_weight.get("high"),
        source=protocol.cited(definition, tracer["source"]),
    )


def _visit(
    version: ProtocolVersion, definition: protocol.Definition, visit: dict, position: int
) -> PlannedVisit:
    window = {key: visit[key] or "" for key in ("anchor", "target", "earliest", "latest")}
    if not protocol.in_force(visit):
        # A window that is only proposed holds nobody.
        window = dict.fromkeys(window, "")
    return PlannedVisit.objects.create(
        version=version,
        position=position,
        identifier=visit["identifier"],
        label=visit["label"],
        epoch=visit.get("epoch", ""),
        source=protocol.cited(definition, visit["source"]),
        **window,
    )


def _restated(
    trial: Trial, current: ProtocolVersion | None, definition: protocol.Definition
) -> Iterator[tuple[Site, dict]]:
    """The trial's sites of which the file says another name or time zone than the file before."""
    before = {one["code"]: one for one in current.definition["sites"]} if current else {}
    now = {one["code"]: one for one in definition["sites"]}
    for site in trial.sites.filter(code__in=before.keys() & now.keys()):
        then, said = ({key: of[site.code][key] for key in RESTATED} for of in (before, now))
        if then != said:
            yield site, said


def _require_no_move(
    trial: Trial, current: ProtocolVersion | None, definition: protocol.Definition, text: str
) -> None:
    """No site with patients gets another clock: its times were read by the one it has."""
    order = [one["code"] for one in definition["sites"]]
    found = [
        (
            ("sites", order.index(site.code), "time_zone"),
            f"site {site.code} has patients, whose times were read by the clock of "
            f"{site.time_zone}: leave its time zone as it is.",
        )
        for site, said in _restated(trial, current, definition)
        if said["time_zone"] != site.time_zone and site.patients.exists()
    ]
    if found:
        raise NotATrialFile(protocol.problems(text, found))


def _rename_sites(
    trial: Trial, current: ProtocolVersion | None, definition: protocol.Definition
) -> None:
    for site, said in _restated(trial, current, definition):
        for key in RESTATED:
            setattr(site, key, said[key])
        site.save(update_fields=RESTATED)


def _add_sites(version: ProtocolVersion, *, by: User) -> None:
    """The sites a file names and the trial does not have yet, with their consent forms."""
    known = set(version.trial.sites.values_list("code", flat=True))
    for named in version.definition["sites"]:
        if named["code"] in known:
            continue
        given = {key: named[key] for key in ("code", "name", "time_zone")}
        site = sites.create(version.trial, by=by, **given)
        for consent in version.definition["consent_versions"]:
            for language in consent["languages"]:
                ConsentVersion.objects.create(
                    site=site,
                    version=consent["version"],
                    language=language,
                    valid_from=consent["valid_from"] or site.today(),
                    requires_reconsent=consent["requires_reconsent"],
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
