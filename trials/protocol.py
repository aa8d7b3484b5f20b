"""The trial file: what a protocol says, as data a person can read and a rule can run.

A trial file is YAML checked against `protocol.schema.json` and then for what a schema can't
see: every source named, every variable known, every limit in a unit of its variable. The
one mistake to fear is a gap filled by habit; what no source states is null and stays null.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from trials import decay, eligibility, expression_checks

Definition = dict[str, Any]

STATEMENTS = ("acronym", "title", "sponsor", "phase", "status")
LISTS = {"tracers": "Tracer", "planned_scans": "Planned scan", "criteria": "Criterion"}
_ABSENT: Mapping[str, Any] = {
    "is_demo": False,
    "conditions": None,
    "facts": [],
    **dict.fromkeys(STATEMENTS),
}
# A file longer than this is no trial file.
MAXIMUM_CHARACTERS = 1_000_000


class ProtocolError(ValueError):
    """A trial file that can't be used; `errors` says where and what was expected."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = list(errors)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key stands once; the usual loader lets the last one win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise ProtocolError([f"{key!r} stands twice in the block at line {line}."])
        return dict(super().construct_mapping(node, deep=deep))


def parse(text: str, *, schema: Mapping[str, Any]) -> Definition:
    """The normalised definition a trial file states; raises ProtocolError.

    `schema` is the content of `protocol.schema.json`. Every error is found, not the first.
    """
    if len(text) > MAXIMUM_CHARACTERS:
        raise ProtocolError([f"A trial file has at most {MAXIMUM_CHARACTERS:,} characters."])
    try:
        read = yaml.load(text, _Loader)  # noqa: S506  a subclass of the safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise ProtocolError([f"This is not YAML: {error}"]) from error
    plain = _plain(read)
    validator = Draft202012Validator(dict(schema))
    errors = sorted(
        f"{_path(error.absolute_path)}: {error.message}" for error in validator.iter_errors(plain)
    )
    if errors:
        raise ProtocolError(errors)
    definition = {**_ABSENT, **plain}
    errors = list(_inconsistencies(definition))
    if errors:
        raise ProtocolError(errors)
    return definition


def digest(definition: Definition) -> str:
    """SHA-256 of the definition as canonical JSON: the same content, the same digest.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def statement(stated: Mapping[str, Any] | None) -> str:
    """A statement as one line, with what other sources say instead; empty when unknown.

    >>> statement({"text": "Phase 2", "source": ["A"],
    ...            "conflict": [{"text": "Phase 3", "source": ["B"]}]})
    'Phase 2 or Phase 3 (sources disagree)'
    """
    if stated is None:
        return ""
    others = [one["text"] for one in stated.get("conflict", ())]
    if not others:
        return str(stated["text"])
    return f"{' or '.join([stated['text'], *others])} (sources disagree)"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the sources: what is decided for, in words, and who says so."""

    choice: str
    text: str
    source: tuple[str, ...]


def conflicts(definition: Definition) -> dict[str, tuple[Reading, ...]]:
    """Where the sources contradict each other: the readings, by the name of the conflict.

    A statement's conflict is called by its key, that of criteria by their identifiers.
    """
    found = {}
    for key in STATEMENTS:
        stated = definition.get(key)
        if stated and stated.get("conflict"):
            found[key] = tuple(
                Reading(one["text"], one["text"], tuple(one["source"]))
                for one in [stated, *stated["conflict"]]
            )
    criteria = {one["identifier"]: one for one in definition.get("criteria", ())}
    for group in _groups(criteria):
        found["+".join(group)] = tuple(
            Reading(name, criteria[name]["text"], tuple(criteria[name]["source"])) for name in group
        )
    return found


def _groups(criteria: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Criteria that conflict with each other, by identifier, each group once."""
    groups = {
        tuple(sorted({name, *one["conflicts_with"]}))
        for name, one in criteria.items()
        if one.get("conflicts_with")
    }
    return sorted(groups)


def in_force(limits: Definition | None) -> Definition:
    """The limits a source states; those that are only proposed hold nobody to them.

    >>> in_force({"low": 30, "high": 60, "provenance": "proposed"})
    {}
    """
    limits = limits or {}
    return {} if limits.get("provenance") == "proposed" else limits


def cited(definition: Definition, keys: Sequence[str]) -> list[str]:
    """The sources behind keys, in full."""
    return [definition["sources"][key] for key in keys]


def difference(old: Definition, new: Definition) -> list[str]:
    """What changed from one definition to the next, a sentence each.

    >>> base = {"title": None, "tracers": [], "planned_scans": [], "criteria": []}
    >>> difference(base, {**base, "title": {"text": "A trial", "source": ["A"]}})
    ['title: was null, is {"text": "A trial", "source": ["A"]}.']
    """
    sentences = []
    for key in dict.fromkeys([*old, *new]):
        if key in LISTS:
            sentences += _list_difference(LISTS[key], old.get(key, []), new.get(key, []))
        elif old.get(key) != new.get(key):
            sentences.append(_was_is(key, old.get(key), new.get(key)))
    return sentences


def _list_difference(
    name: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> list[str]:
    before = {one["identifier"]: one for one in old}
    after = {one["identifier"]: one for one in new}
    gone = [f"{name} {one} is removed." for one in before if one not in after]
    added = [f"{name} {one} is added." for one in after if one not in before]
    changed = [
        f"{name} {one}, {_was_is(key, before[one].get(key), after[one].get(key))}"
        for one in after
        if one in before
        for key in dict.fromkeys([*before[one], *after[one]])
        if before[one].get(key) != after[one].get(key)
    ]
    moved = [one for one in before if one in after] != [one for one in after if one in before]
    return [*gone, *added, *changed, *([f"{name}: the order changed."] if moved else [])]


def _was_is(key: str, old: Any, new: Any) -> str:
    return f"{key}: was {_shown(old)}, is {_shown(new)}."


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """YAML's dates as text, and no infinity: JSON has neither."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ProtocolError([f"{value} is not a number that can be kept."])
    return value.isoformat() if isinstance(value, date) else value


def _path(parts: Sequence[str | int]) -> str:
    """
    >>> _path(["criteria", 2, "gate"])
    'criteria[2].gate'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "the file"


# What a schema can't see.


def _inconsistencies(definition: Definition) -> Iterator[str]:
    yield from _unknown_sources(definition, definition["sources"], "")
    for section in LISTS:
        yield from _doubles(section, definition[section])
    for i, tracer in enumerate(definition["tracers"]):
        if tracer["radionuclide"] not in decay.HALF_LIFE:
            known = ", ".join(decay.HALF_LIFE)
            yield (f"tracers[{i}].radionuclide: {tracer['radionuclide']!r} is not one of {known}.")
        yield from _crossed(f"tracers[{i}].activity_mbq", tracer["activity_mbq"])
    tracers = [tracer["identifier"] for tracer in definition["tracers"]]
    for i, scan in enumerate(definition["planned_scans"]):
        if scan["tracer"] not in tracers:
            yield f"planned_scans[{i}].tracer: expected one of {tracers}, got {scan['tracer']!r}."
        yield from _crossed(f"planned_scans[{i}].uptake_minutes", scan["uptake_minutes"])
    for i, criterion in enumerate(definition["criteria"]):
        yield from _criterion_errors(f"criteria[{i}]", criterion, definition, tracers)


def _unknown_sources(value: Any, sources: Mapping[str, str], path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "source" and isinstance(one, list):
                unknown = [name for name in one if name not in sources]
                if unknown:
                    yield f"{path}.source: {unknown} must be keys of sources.".lstrip(".")
            else:
                yield from _unknown_sources(one, sources, f"{path}.{key}")
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from _unknown_sources(one, sources, f"{path}[{i}]")


def _doubles(section: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = [row["identifier"] for row in rows]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{section}: the identifier {name!r} stands more than once."


def _crossed(path: str, limits: Mapping[str, Any] | None) -> Iterator[str]:
    low, high = (limits or {}).get("low"), (limits or {}).get("high")
    if low is not None and high is not None and low > high:
        yield f"{path}: low {low:g} is above high {high:g}."


def _criterion_errors(
    path: str, criterion: Mapping[str, Any], definition: Definition, tracers: Sequence[str]
) -> Iterator[str]:
    names = {one["identifier"] for one in definition["criteria"]} - {criterion["identifier"]}
    conflicts = criterion.get("conflicts_with", [])
    if unknown := [one for one in conflicts if one not in names]:
        yield f"{path}.conflicts_with: {unknown} are no other criteria of this trial."
    if (criterion["provenance"] == "conflict") != bool(conflicts):
        yield f"{path}: provenance conflict and conflicts_with go together."
    for key in ("expression", "applies_to"):
        for node in eligibility.nodes(criterion.get(key)):
            for message in expression_checks.errors(
                node, gate=criterion["gate"], tracers=tracers, anchors=_own_anchors(definition)
            ):
                yield f"{path}.{key}: {message}"


def _own_anchors(definition: Definition) -> list[str]:
    """The anchors a trial file defines: its visits and its scans."""
    visits = [f"visit.{one['identifier']}" for one in definition.get("visits", ())]
    return visits + [f"scan.{one['identifier']}" for one in definition["planned_scans"]]
