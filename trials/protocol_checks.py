"""What is wrong with a trial file that its schema can't see: references, limits, windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import available_timezones

from trials import (
    decay,
    expression_checks,
    form_checks,
    hypotheses,
    populations,
    randomisation_checks,
    read_rules,
    response_rules,
    retests,
    spans,
)
from trials.expressions import nodes

Definition = Mapping[str, Any]
Path = tuple[str | int, ...]
Found = Iterator[tuple[Path, str]]
NAMED = {
    "arms": "identifier",
    "cohorts": "identifier",
    "sites": "code",
    "epochs": "identifier",
    "visits": "identifier",
    "objectives": "identifier",
    "consent_versions": "version",
    "tracers": "identifier",
    "planned_scans": "identifier",
    "response": "identifier",
    "populations": "identifier",
    "criteria": "identifier",
}
# Whose cap would hold nobody: who is enrolled is in an arm by a cohort alone.
NO_COHORT = "no cohort is of this arm, so its cap holds nobody; of a randomisation state it there."
_SOME_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


def errors(definition: Definition) -> Found:
    """Every inconsistency, with the path to what is to be mended."""
    yield from _unknown_sources(definition, definition["sources"], ())
    for section, key in NAMED.items():
        yield from _doubles(section, key, definition.get(section, ()))
    yield from _tracers(definition)
    yield from _references(definition)
    yield from _visits(definition)
    yield from _caps(definition)
    for i, scan in enumerate(definition["planned_scans"]):
        yield from _limits(("planned_scans", i, "uptake_minutes"), scan["uptake_minutes"])
    for i, rule in enumerate(definition.get("response", ())):
        yield from _response(("response", i), rule, definition)
    yield from retests.errors(definition)
    yield from hypotheses.errors(definition)
    yield from populations.errors(definition)
    if definition.get("randomisation"):
        yield from randomisation_checks.errors(definition)
    for i, site in enumerate(definition["sites"]):
        if site["time_zone"] not in available_timezones():
            message = f"name a time zone as Europe/Berlin, got {site['time_zone']!r}."
            yield ("sites", i, "time_zone"), message
    yield from _dates(definition)
    yield from _lateralisation(definition.get("lateralisation") or ())
    yield from _reads(definition.get("reads") or {}, definition)
    for i, criterion in enumerate(definition["criteria"]):
        yield from _criterion(("criteria", i), criterion, definition)
    yield from form_checks.errors(definition, anchors=own_anchors(definition))


def _caps(definition: Definition) -> Found:
    of_cohorts = {one.get("arm") for one in definition.get("cohorts", ())}
    for i, arm in enumerate(definition.get("arms", ())):
        if arm.get("cap") is not None and arm["identifier"] not in of_cohorts:
            yield ("arms", i, "cap"), NO_COHORT


def _lateralisation(rules: Sequence[Mapping[str, Any]]) -> Found:
    """At no time after injection may two cut-offs hold."""
    windows = [
        (one["minutes"] - one["tolerance_minutes"], one["minutes"] + one["tolerance_minutes"])
        for one in rules
    ]
    for i, (low, high) in enumerate(windows):
        if any(low <= other_high and other_low <= high for other_low, other_high in windows[:i]):
            yield (
                ("lateralisation", i),
                "its time after injection overlaps that of another cut-off.",
            )


def _reads(rule: Mapping[str, Any], definition: Definition) -> Found:
    """What settles needs something to settle, and readers who may differ in it."""
    if not rule:
        return
    settles = rule["adjudication"] != read_rules.NONE
    if settles and not rule["discordant"]:
        yield ("reads", "discordant"), "say what is settled: what readers may differ in."
    if settles and rule["readers"] < 2:
        yield ("reads", "readers"), "one reader differs from nobody: nothing is to be settled."
    if read_rules.RESPONSE in rule["discordant"] and not definition.get("response"):
        yield ("reads", "discordant"), "the file has no rule of response to differ in."


def _unknown_sources(value: Any, sources: Collection[str], path: Path) -> Found:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "source" and isinstance(one, list):
                unknown = [name for name in one if name not in sources]
                if unknown:
                    yield (*path, "source"), f"{unknown} must be keys of sources."
            else:
                yield from _unknown_sources(one, sources, (*path, key))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from _unknown_sources(one, sources, (*path, i))


def _doubles(section: str, key: str, rows: Sequence[Mapping[str, Any]]) -> Found:
    seen: set[Any] = set()
    for i, row in enumerate(rows):
        if row[key] in seen:
            yield (section, i, key), f"the {key} {row[key]!r} stands more than once."
        seen.add(row[key])


def _tracers(definition: Definition) -> Found:
    for i, tracer in enumerate(definition["tracers"]):
        if tracer["radionuclide"] not in decay.HALF_LIFE:
            known = ", ".join(decay.HALF_LIFE)
            message = f"{tracer['radionuclide']!r} is not one of {known}."
            yield ("tracers", i, "radionuclide"), message
        for key in ("activity_mbq", "mbq_per_kg"):
            yield from _limits(("tracers", i, key), tracer.get(key))


def _limits(path: Path, limits: Mapping[str, Any] | None) -> Found:
    low, target, high = ((limits or {}).get(key) for key in ("low", "target", "high"))
    if low is not None and high is not None and low > high:
        yield path, f"low {low:g} is above high {high:g}."
    elif target is not None and not (low or target) <= target <= (high or target):
        yield path, f"the target {target:g} is outside its own limits."


def _references(definition: Definition) -> Found:
    """Names of other items: each has to be one that the file has."""
    asked = [
        ("cohorts", "arm", "arms", "identifier"),
        ("visits", "epoch", "epochs", "identifier"),
        ("planned_scans", "tracer", "tracers", "identifier"),
        ("planned_scans", "visit", "visits", "identifier"),
        ("response", "tracer", "tracers", "identifier"),
        ("response", "baseline", "planned_scans", "identifier"),
    ]
    for section, key, other, name in asked:
        known = [one[name] for one in definition[other]]
        for i, row in enumerate(definition.get(section, ())):
            if row.get(key) is not None and row[key] not in known:
                yield (section, i, key), f"expected one of {known}, got {row[key]!r}."


def _response(path: Path, rule: Mapping[str, Any], definition: Definition) -> Found:
    """Scans of one tracer, and the parameters that the scale needs and no other."""
    tracers = {one["identifier"]: one["tracer"] for one in definition["planned_scans"]}
    if unknown := [one for one in rule["follow_ups"] if one not in tracers]:
        yield (*path, "follow_ups"), f"{unknown} are no planned scans of this trial."
    if rule["baseline"] in rule["follow_ups"]:
        yield (*path, "follow_ups"), "the baseline scan can't be compared with itself."
    for name in (rule["baseline"], *rule["follow_ups"]):
        if tracers.get(name, rule["tracer"]) != rule["tracer"]:
            yield path, f"planned scan {name} is with {tracers[name]}, not with {rule['tracer']}."
    needed = response_rules.CRITERIA[rule["criterion"]].parameters
    for name in response_rules.PARAMETERS:
        if (name in rule) != (name in needed):
            does = "needs" if name in needed else "has no"
            yield path, f"{rule['criterion']} {does} {name}."


def _visits(definition: Definition) -> Found:
    own = own_anchors(definition)
    for i, visit in enumerate(definition["visits"]):
        path: Path = ("visits", i)
        durations = {key: visit[key] for key in ("earliest", "target", "latest") if visit[key]}
        bad = {key for key, text in durations.items() if not spans.is_duration(text)}
        for key in sorted(bad):
            yield (*path, key), f"a duration is written as P6W or -P3D, got {durations[key]!r}."
        if durations and not visit["anchor"]:
            yield (*path, "anchor"), "a window needs the anchor it is counted from."
        if visit["anchor"] and not expression_checks.is_anchor(visit["anchor"], own):
            yield (*path, "anchor"), f"there is no anchor {visit['anchor']!r}."
        if visit["anchor"] == f"visit.{visit['identifier']}":
            yield (*path, "anchor"), "a visit can't be counted from itself."
        if not bad and _is_crossed(durations):
            yield path, f"the window {' to '.join(durations.values())} is not in this order."


def _is_crossed(durations: Mapping[str, str]) -> bool:
    moments = [spans.shifted(_SOME_DAY, text, UTC) for text in durations.values()]
    return moments != sorted(moments)


def _criterion(path: Path, criterion: Mapping[str, Any], definition: Definition) -> Found:
    names = {one["identifier"] for one in definition["criteria"]} - {criterion["identifier"]}
    conflicts = criterion.get("conflicts_with", [])
    if unknown := [one for one in conflicts if one not in names]:
        yield (*path, "conflicts_with"), f"{unknown} are no other criteria of this trial."
    if (criterion["provenance"] == "conflict") != bool(conflicts):
        yield path, "provenance conflict and conflicts_with go together."
    tracers = [tracer["identifier"] for tracer in definition["tracers"]]
    for key in ("expression", "applies_to"):
        for node in nodes(criterion.get(key)):
            for message in expression_checks.errors(
                node,
                gate=criterion["gate"],
                tracers=tracers,
                anchors=own_anchors(definition),
                scans=[scan["identifier"] for scan in definition["planned_scans"]],
            ):
                yield (*path, key), message


def _dates(definition: Definition) -> Found:
    for i, consent in enumerate(definition["consent_versions"]):
        if consent["valid_from"] and not _is_day(consent["valid_from"]):
            yield ("consent_versions", i, "valid_from"), f"{consent['valid_from']} is no day."
    stated: dict[Path, Any] = {
        ("dates", i, "date"): one["date"] for i, one in enumerate(definition["dates"])
    }
    if definition["amendment"]:
        stated["amendment", "date"] = definition["amendment"]["date"]
    for path, text in stated.items():
        if text and not _is_partial_day(text):
            yield path, f"{text} is no date of the calendar."


def own_anchors(definition: Definition) -> list[str]:
    """The anchors a trial file defines: its visits and its scans."""
    visits = [f"visit.{one['identifier']}" for one in definition["visits"]]
    return visits + [f"scan.{one['identifier']}" for one in definition["planned_scans"]]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_partial_day(text: str) -> bool:
    try:
        spans.span(text, UTC)
    except spans.SpanError:
        return False
    return True
