"""The trial file: what a protocol says, as data a person can read and a rule can run.

A trial file is YAML checked against `protocol.schema.json` and then for what a schema can't
see: every source named, every variable known, every limit in a unit of its variable. The
one mistake to fear is a gap filled by habit; what no source states is null and stays null.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from trials import canonical, contradictions, protocol_checks, trial_yaml

Definition = dict[str, Any]

STATEMENTS = ("acronym", "title", "sponsor", "phase", "status")
# What is kept of a statement as one line, with the readings that contradict each other.
_LONGEST_STATEMENT = {"acronym": 40, "phase": 80, "status": 120}
# Sections that are lists, how one of them is called, and the key that tells them apart.
LISTS = {
    "identifiers": ("Identifier", "value"),
    "dates": ("Date", "event"),
    "objectives": ("Objective", "identifier"),
    "arms": ("Arm", "identifier"),
    "cohorts": ("Cohort", "identifier"),
    "sites": ("Site", "code"),
    "epochs": ("Epoch", "identifier"),
    "visits": ("Visit", "identifier"),
    "consent_versions": ("Consent version", "version"),
    "tracers": ("Tracer", "identifier"),
    "planned_scans": ("Planned scan", "identifier"),
    "response": ("Response rule", "identifier"),
    "populations": ("Population", "identifier"),
    "criteria": ("Criterion", "identifier"),
    "forms": ("Form", "identifier"),
    "general_forms": ("General form", "form"),
}
_ABSENT: Mapping[str, Any] = {
    "is_demo": False,
    "conditions": None,
    "facts": [],
    "collaborators": [],
    "design": None,
    "countries": None,
    "amendment": None,
    "enrolment": None,
    # The digest of a file without these stays what it was before there were any.
    **{section: [] for section in LISTS if section not in {"response", "populations"}},
    **dict.fromkeys(STATEMENTS),
}
# More than this nobody mends in one go, and what a value is quoted with is cut.
MOST_PROBLEMS = 100
LONGEST_MESSAGE = 500
LONGEST_PLACE = 120


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a trial file to mend: the line, the place in the file, the sentence."""

    message: str
    line: int
    place: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, [f"line {self.line}", self.place, self.message]))


class ProtocolError(ValueError):
    """A trial file that can't be used; `errors` says where and what was expected."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda one: (one.line, one.place))
        self.errors = [str(one) for one in self.problems]
        super().__init__("; ".join(self.errors))


def parse(text: str, *, schema: Mapping[str, Any]) -> Definition:
    """The normalised definition a trial file states; raises ProtocolError.

    `schema` is the content of `protocol.schema.json`. Every error is found, not the first, up
    to a number that a person can read.
    """
    try:
        read = trial_yaml.read(text)
    except trial_yaml.TrialYamlError as error:
        raise ProtocolError([Problem(error.message, line=error.line)]) from error
    validator = Draft202012Validator(dict(schema))
    found = [
        (tuple(error.absolute_path), error.message) for error in validator.iter_errors(read.content)
    ]
    if not found:
        definition = {**_ABSENT, **read.content}
        # Whether rules contradict each other is asked of rules that are right by themselves.
        found = [*_too_long(definition), *protocol_checks.errors(definition)]
        found = found or list(contradictions.errors(definition))
    if found:
        raise ProtocolError(_problems(read, found))
    return definition


def problems(text: str, found: Sequence[tuple[tuple[str | int, ...], str]]) -> list[Problem]:
    """What else speaks against a file that parses, by path: each with its line."""
    return _problems(trial_yaml.read(text), list(found))


def completed(definition: Definition, identifier: str) -> Definition:
    """A definition with every section; one kept by an earlier release has fewer."""
    known = {"identifier": identifier, "sources": {}, "tracers": [], "planned_scans": []}
    return {**_ABSENT, **known, "criteria": [], **definition}


def dump(definition: Definition) -> str:
    """A definition as a trial file; parsed again, it has the same digest."""
    return trial_yaml.text({key: value for key, value in definition.items() if value is not None})


def digest(definition: Definition) -> str:
    """SHA-256 of the definition as canonical JSON: the same content, the same digest.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return canonical.sha256(definition)


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


def _too_long(definition: Definition) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for key, most in _LONGEST_STATEMENT.items():
        told = statement(definition[key])
        if len(told) > most:
            yield (key,), f"{key} has at most {most} characters, got {len(told)}: {told!r}."


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
            sentences += _list_difference(*LISTS[key], old.get(key, []), new.get(key, []))
        elif _differ(old.get(key), new.get(key)):
            sentences.append(_was_is(key, old.get(key), new.get(key)))
    return sentences


def _list_difference(
    name: str, key: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> list[str]:
    before, after = _by_name(key, old), _by_name(key, new)
    gone = [f"{name} {one} is removed." for one in before if one not in after]
    added = [f"{name} {one} is added." for one in after if one not in before]
    changed = [
        f"{name} {one}, {_was_is(part, before[one].get(part), after[one].get(part))}"
        for one in after
        if one in before
        for part in dict.fromkeys([*before[one], *after[one]])
        if _differ(before[one].get(part), after[one].get(part))
    ]
    moved = [one for one in before if one in after] != [one for one in after if one in before]
    return [*gone, *added, *changed, *([f"{name}: the order changed."] if moved else [])]


def _by_name(key: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows by what tells them apart; two dates of one event, of two sources, are two rows."""
    named: dict[str, Mapping[str, Any]] = {}
    times: Counter[str] = Counter()
    for row in rows:
        times[row[key]] += 1
        again = times[row[key]]
        named[f"{row[key]} ({again})" if again > 1 else row[key]] = row
    return named


def _differ(old: Any, new: Any) -> bool:
    """Whether two values differ as the digest sees them; to Python, 1 and true are equal."""
    return canonical.text(old) != canonical.text(new)


def _was_is(key: str, old: Any, new: Any) -> str:
    return f"{key}: was {_shown(old)}, is {_shown(new)}."


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _problems(
    read: trial_yaml.Read, found: Sequence[tuple[tuple[str | int, ...], str]]
) -> list[Problem]:
    """What is found, no longer than a person reads; the schema's sentences quote whole blocks."""
    problems = [
        Problem(_cut(message, LONGEST_MESSAGE), read.line(path), _cut(_place(path), LONGEST_PLACE))
        for path, message in found[:MOST_PROBLEMS]
    ]
    if len(found) > MOST_PROBLEMS:
        last = max(one.line for one in problems)
        problems.append(Problem(f"And {len(found) - MOST_PROBLEMS} more: mend these first.", last))
    return problems


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _place(parts: Sequence[str | int]) -> str:
    """
    >>> _place(["criteria", 2, "gate"])
    'criteria[2].gate'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.lstrip(".") or "the file"
