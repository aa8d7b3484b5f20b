"""A trial's protocol version in force, with where each part stands."""

from __future__ import annotations

from collections.abc import Iterable

from trials.models import Trial

UNSTATED = ("title", "acronym", "sponsor", "phase", "status")


def protocol_of(trial: Trial) -> dict:
    """What the page of a trial shows of the protocol; a fixed number of queries."""
    known = [(name.capitalize(), getattr(trial, name)) for name in UNSTATED]
    found = {"known": [*known, ("Conditions", ", ".join(map(str, trial.conditions)))]}
    version = trial.current_version
    if version is None:
        return found | {"version": None}
    sources = version.definition.get("sources") or {}
    return found | {
        "version": version,
        "versions": trial.versions.order_by("-number"),
        "tracers": _sourced(version.tracers.all(), sources),
        "planned_scans": _sourced(version.planned_scans.select_related("tracer"), sources),
        "criteria": _sourced(version.criteria.all(), sources),
        "sources": sources.items(),
    }


def _sourced(rows: Iterable, sources: dict) -> list[tuple]:
    """Each row with the marks of its sources and what the marks stand for."""
    return [(row, [(mark, sources.get(mark, "")) for mark in row.source]) for row in rows]
