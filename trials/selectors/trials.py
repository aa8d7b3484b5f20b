"""A trial's protocol version in force, with where each part stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trials.models import PlannedScan, ProtocolVersion, Trial
from trials.protocol import in_force

STATEMENTS = ("title", "acronym", "sponsor", "phase", "status")


def protocol_of(trial: Trial) -> dict[str, Any]:
    """What the page of a trial shows of the protocol; a fixed number of queries."""
    version = trial.newest_version
    definition = version.definition if version else {}
    sources = definition.get("sources") or {}
    found = {
        "version": version,
        "known": [
            *(
                (name.capitalize(), getattr(trial, name), _keys(definition, name))
                for name in STATEMENTS
            ),
            ("Conditions", ", ".join(trial.conditions), _keys(definition, "conditions")),
        ],
        "facts": definition.get("facts") or [],
        "sources": sources.items(),
    }
    if version is None:
        return found
    return found | {
        "versions": trial.versions.order_by("-number"),
        "tracers": _sourced(version.tracers.all(), sources),
        "planned_scans": _planned_scans(version, sources),
        "criteria": _sourced(version.criteria.all(), sources),
    }


def _planned_scans(
    version: ProtocolVersion, sources: dict[str, str]
) -> list[tuple[PlannedScan, list[str], dict]]:
    """Each planned scan with its sources and the uptake window that is only proposed."""
    proposed = {
        scan["identifier"]: scan["uptake_minutes"]
        for scan in version.definition.get("planned_scans") or ()
        if scan["uptake_minutes"] and not in_force(scan["uptake_minutes"])
    }
    rows = _sourced(version.planned_scans.select_related("tracer"), sources)
    return [(plan, keys, proposed.get(plan.identifier, {})) for plan, keys in rows]


def _keys(definition: dict, statement: str) -> list[str]:
    """The keys of the sources that state something, those that say otherwise among them."""
    stated = definition.get(statement) or {}
    others = stated.get("conflict") or []
    return [*stated.get("source", ()), *(key for one in others for key in one.get("source", ()))]


def _sourced(rows: Iterable, sources: dict[str, str]) -> list[tuple[Any, list[str]]]:
    """Each row with the keys of its sources, which the rows themselves hold in full."""
    key_of = {text: key for key, text in sources.items()}
    return [(row, [key_of.get(text, text) for text in row.source]) for row in rows]
