"""A trial's protocol version in force, with where each part stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trials import case_report_forms, conformance_rules, hypotheses, response_rules, retests
from trials.answer_words import anchor_name, duration
from trials.conformance_rules import Basis, Check, Limits
from trials.models import PlannedScan, ProtocolVersion, Trial
from trials.protocol import in_force
from trials.selectors import effective_dose
from trials.services import cohorts, settlements

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
        "versions": _versions(trial),
        "rooms": cohorts.rooms(version),
        "visits": _visits(version, sources),
        "conflicts": settlements.conflicts(version),
        "decided_against": settlements.left_out(version),
        "identifiers": definition.get("identifiers") or [],
        "arms": definition.get("arms") or [],
        "objectives": definition.get("objectives") or [],
        "dates": definition.get("dates") or [],
        "consent_versions": definition.get("consent_versions") or [],
        "planned": (definition.get("enrolment") or {}).get("planned"),
        "actual": (definition.get("enrolment") or {}).get("actual"),
        "countries": definition.get("countries"),
        "design": definition.get("design"),
        "amendment": definition.get("amendment"),
        "collaborators": definition.get("collaborators") or [],
        "tracers": _sourced(version.tracers.all(), sources),
        "planned_scans": _planned_scans(version, sources),
        "held_to": _held_to(version, sources),
        "response": _response(version, sources),
        "retests": _retests(version, sources),
        "hypotheses": _hypotheses(version, sources),
        "doses": effective_dose.stated(definition),
        "criteria": _sourced(version.criteria.all(), sources),
        "forms": _forms(version, sources),
    }


def _versions(trial: Trial) -> list[tuple[ProtocolVersion, list[str]]]:
    """Every version with the sites that follow it today."""
    sites = trial.sites.prefetch_related("activations__version")
    following: dict[int, list[str]] = {}
    for site in sites.order_by("code"):
        version = site.version_in_force
        if version:
            following.setdefault(version.pk, []).append(site.code)
    rows = trial.versions.defer("definition", "text").order_by("-number")
    return [(one, following.get(one.pk, [])) for one in rows]


def _visits(version: ProtocolVersion, sources: dict[str, str]) -> list[dict]:
    """Each visit in words, with its sources; what is not stated is said to be so."""
    stated = version.definition.get("visits") or []
    return [
        {
            "label": one["label"],
            "epoch": one.get("epoch", ""),
            "window": _window(one),
            "note": one.get("note", ""),
            "is_proposed": one.get("provenance") == "proposed",
            "marks": [key for key in one["source"] if key in sources],
        }
        for one in stated
    ]


def _forms(version: ProtocolVersion, sources: dict[str, str]) -> list[dict]:
    """Each case report form: what it asks, when and of whom, and who states it."""
    labels = case_report_forms.visit_labels(version.definition)
    stated = {one["identifier"]: one for one in version.definition.get("forms") or ()}
    return [
        {
            "label": one.label,
            "items": [item.label for item in one.items],
            "visits": [labels.get(name, name) for name in one.visits],
            "is_repeating": one.is_repeating,
            "is_of_some": one.applies_to is not None,
            "who": "truth panel" if one.is_of_panel else "site",
            "is_reference": one.is_reference,
            "note": one.note,
            "is_proposed": one.is_proposed,
            "marks": [key for key in stated[name].get("source", ()) if key in sources],
        }
        for name, one in case_report_forms.forms_of(version.definition).items()
    ]


def _window(visit: dict) -> str:
    if not visit["anchor"] or not any(visit[key] for key in ("target", "earliest", "latest")):
        return ""
    anchor = anchor_name(visit["anchor"])
    parts = []
    if visit["target"]:
        parts.append(_from(visit["target"], anchor))
    if visit["earliest"] or visit["latest"]:
        ends = [_from(visit[key], anchor) if visit[key] else "…" for key in ("earliest", "latest")]
        parts.append(f"between {ends[0]} and {ends[1]}")
    return ", ".join(parts)


def _from(text: str, anchor: str) -> str:
    length = duration(text)
    if length == "no time":
        return f"on {anchor}" if text.endswith("D") else f"at {anchor}"
    return f"{length} {'before' if text.startswith('-') else 'after'} {anchor}"


def _planned_scans(
    version: ProtocolVersion, sources: dict[str, str]
) -> list[tuple[PlannedScan, list[str], dict, list[dict]]]:
    """Each planned scan with its sources, the uptake window that is only proposed, and how it
    is acquired: what a source states, and what is proposed."""
    proposed = {
        scan["identifier"]: scan["uptake_minutes"]
        for scan in version.definition.get("planned_scans") or ()
        if scan["uptake_minutes"] and not in_force(scan["uptake_minutes"])
    }
    rows = _sourced(version.planned_scans.select_related("tracer"), sources)
    stated = {one["identifier"]: one for one in version.definition.get("planned_scans") or ()}
    return [
        (plan, keys, proposed.get(plan.identifier, {}), _acquired(stated.get(plan.identifier, {})))
        for plan, keys in rows
    ]


def _response(version: ProtocolVersion, sources: dict[str, str]) -> list[dict]:
    """Each rule of response in words, with the scans that it compares and its sources."""
    scans, tracers = (
        {one["identifier"]: one[name] for one in version.definition.get(section) or ()}
        for section, name in (("planned_scans", "label"), ("tracers", "name"))
    )
    return [
        {
            "identifier": one["identifier"],
            "words": response_rules.words(one),
            "tracer": tracers[one["tracer"]],
            "baseline": scans[one["baseline"]],
            "follow_ups": [scans[name] for name in one["follow_ups"]],
            "note": one.get("note", ""),
            "is_proposed": not in_force(one),
            "marks": [key for key in one["source"] if key in sources],
        }
        for one in version.definition.get("response", ())
    ]


def _retests(version: ProtocolVersion, sources: dict[str, str]) -> list[dict]:
    """Each retest in words, with its sources; one that is only proposed too."""
    scans = version.definition.get("planned_scans") or ()
    labels = {one["identifier"]: one["label"] for one in scans}
    return [
        {
            "label": one["label"],
            "words": retests.words(rule, labels),
            "note": rule.get("note", ""),
            "is_proposed": not in_force(rule),
            "marks": [key for key in rule["source"] if key in sources],
        }
        for one in scans
        if (rule := one.get("retest"))
    ]


def _hypotheses(version: ProtocolVersion, sources: dict[str, str]) -> dict[str, Any] | None:
    """What is to be shown, in words, in the order of its tests; what is only proposed too."""
    stated = version.definition.get("hypotheses")
    if not stated:
        return None
    scans = version.definition.get("planned_scans") or ()
    labels = {one["identifier"]: one["label"] for one in scans}
    return {
        "order": hypotheses.ORDERS.get(stated["order"], hypotheses.ORDER_NOT_STATED),
        "note": stated.get("note", ""),
        "marks": [key for key in stated["source"] if key in sources],
        "tests": [
            {
                "label": one["label"],
                "objective": one.get("objective", ""),
                "words": hypotheses.words(one, labels),
                "not_stated": hypotheses.not_stated(one),
                "note": one.get("note", ""),
                "is_proposed": not (in_force(one) and in_force(stated)),
                "marks": [key for key in one["source"] if key in sources],
            }
            for one in hypotheses.in_order(stated)
        ],
    }


# The rules whose limit is one of the tracer.
_OF_TRACER = {"radionuclide-differs", "header-activity-out-of-range"}


def _held_to(version: ProtocolVersion, sources: dict[str, str]) -> list[dict]:
    """Each planned scan with what its images are held to, and whose values its SUV rests on."""
    found = []
    for plan, marks in _sourced(version.planned_scans.select_related("tracer"), sources):
        ((_, of_tracer),) = _sourced([plan.tracer], sources)
        rows = [
            (one, _marks_of(one, marks, of_tracer), marks if one.is_severity_stated else [])
            for one in checks_of(plan)
        ]
        found.append(
            {
                "plan": plan,
                "marks": marks,
                "checks": rows,
                "unchecked": sum(not one.is_checkable for one, _, _ in rows),
                "is_suv_source_stated": "suv_source"
                in _named(version.definition, "planned_scans", plan.identifier),
            }
        )
    return found


def checks_of(plan: PlannedScan) -> tuple[Check, ...]:
    """What the images of a planned scan are held to, and what is only proposed, in words."""
    definition = plan.version.definition
    scan = _named(definition, "planned_scans", plan.identifier)
    tracer = _named(definition, "tracers", plan.tracer.identifier)
    proposed = Limits(
        uptake_minutes=_proposed(scan.get("uptake_minutes")),
        activity_mbq=_proposed(tracer.get("activity_mbq")),
    )
    return conformance_rules.checks(plan.limits, proposed)


def _named(definition: dict, section: str, identifier: str) -> dict:
    """The item of a section as the trial file has it; empty where an old file has none."""
    rows = definition.get(section) or ()
    return next((one for one in rows if one["identifier"] == identifier), {})


def _proposed(limits: dict | None) -> tuple[float | None, float | None]:
    """The limits that are only proposed, and hold nobody."""
    if not limits or in_force(limits):
        return None, None
    return limits.get("low"), limits.get("high")


def _marks_of(check: Check, scan: list[str], tracer: list[str]) -> list[str]:
    if check.basis is not Basis.PROTOCOL and not check.proposed:
        return []
    return tracer if check.rule in _OF_TRACER else scan


def _acquired(scan: dict) -> list[dict]:
    """Coverage, reconstruction and reference regions, each in words."""
    found = [scan.get(key) for key in ("coverage", "reconstruction")]
    regions = [
        one | {"text": f"Reference: {one['region'].replace('_', ' ')}"}
        for one in scan.get("reference_regions") or ()
    ]
    return [one for one in [*found, *regions] if one]


def _keys(definition: dict, statement: str) -> list[str]:
    """The keys of the sources that state something, those that say otherwise among them."""
    stated = definition.get(statement) or {}
    others = stated.get("conflict") or []
    return [*stated.get("source", ()), *(key for one in others for key in one.get("source", ()))]


def _sourced(rows: Iterable, sources: dict[str, str]) -> list[tuple[Any, list[str]]]:
    """Each row with the keys of its sources, which the rows themselves hold in full."""
    key_of = {text: key for key, text in sources.items()}
    return [(row, [key_of.get(text, text) for text in row.source]) for row in rows]
