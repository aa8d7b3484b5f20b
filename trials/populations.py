"""Analysis populations: rules of the trial file, judged on facts, with the reasons in words.

A rule is a list of named conditions that all have to hold; it proposes, and a signed data review
decides (ICH E9 5.2, E9 7.1: the populations are settled in a review before the blind is broken).
The mistake to fear is a unit that leaves an analysis and nobody can say why: so what is in says
what it rests on, and what is out names every condition that fails, not the first.

Facts tell that something exists, never what it says: that a read counts, that a truth was decided.
So whoever judges on them stays blind to results, to the truth and to the allocation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict

Definition = Mapping[str, Any]
ENGINE = "trialtrace-populations/1"
PATIENT, SCAN, LESION = "patient", "scan", "lesion"
LEVELS: Mapping[str, str] = MappingProxyType(
    {PATIENT: "patient", SCAN: "scan", LESION: "lesions of a scan"}
)


class DeviationFact(TypedDict):
    """A deviation that stands; `scan` is empty where it is about the patient as such."""

    deviation: int
    rule: str
    text: str
    important: bool
    # What the rule that found it proposes for the analysis; empty if nothing.
    proposes: str
    scan: str


class ScanFact(TypedDict):
    """How far a planned scan of a patient came. Moments are ISO 8601; empty: it did not happen."""

    scan: str
    label: str
    planned_at: str
    cancelled: str
    injected_at: str
    images: bool
    counts: bool
    read: bool


class PatientFact(TypedDict):
    """What the rules look at of a patient, as JSON: it is frozen and signed as it is."""

    patient: int
    identifier: str
    site: str
    # Why screening ended without enrolment, and how far a withdrawal reaches; empty if neither.
    failed: str
    enrolled_at: str
    despite: bool
    randomised_at: str
    withdrawn: str
    use_withdrawn: bool
    truth_at: str
    scans: list[ScanFact]
    deviations: list[DeviationFact]


class Condition(TypedDict):
    """A condition of a rule, as the trial file writes it."""

    condition: str
    scans: NotRequired[list[str]]
    any: NotRequired[bool]
    rules: NotRequired[list[str]]
    population: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Population:
    """An analysis population of a trial: whom it is for, its rule, and whether a source says so."""

    identifier: str
    label: str
    level: str
    conditions: tuple[Condition, ...]
    is_proposed: bool
    note: str = ""
    source: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is signed of a population: its rule, without who says so."""
        return {
            "identifier": self.identifier,
            "label": self.label,
            "level": self.level,
            "conditions": [dict(one) for one in self.conditions],
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a unit is in or out: the condition, what is counted together, the sentence with all.

    Of what keeps a unit out of the population `wider`, `inherited` are the reasons there.
    """

    condition: str
    group: str
    text: str
    wider: str = ""
    inherited: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """What a population takes in or leaves out: a patient, or with `scan` one of their scans."""

    patient: int
    scan: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the rule proposes of a unit, with its reasons: of what is out those that fail."""

    unit: Unit
    is_in: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """A unit with its facts, and how further populations are asked about it."""

    fact: PatientFact
    scan: str
    labels: Mapping[str, str]
    within: Callable[[str, str], Proposal]


Judged = tuple[bool, str, str]


# ------------------------------------------------------------------------------ the conditions


def _enrolled(case: _Case, _: Condition) -> Judged:
    if at := case.fact["enrolled_at"]:
        return True, "Enrolled", f"Enrolled on {at[:10]}."
    if why := case.fact["failed"]:
        return False, f"Screening ended: {why}", f"Not enrolled. Screening ended: {why}."
    return False, "Not enrolled yet", "Not enrolled: still in screening."


def _eligible(case: _Case, _: Condition) -> Judged:
    if case.fact["despite"]:
        return (
            False,
            "Enrolled despite criteria",
            "Enrolled although not eligible, which is an important deviation.",
        )
    return True, "Eligible", "Not enrolled despite criteria."


def _randomised(case: _Case, _: Condition) -> Judged:
    if at := case.fact["randomised_at"]:
        return True, "Randomised", f"Randomised on {at[:10]}."
    return False, "Not randomised", "Not randomised."


def _usable(case: _Case, _: Condition) -> Judged:
    if case.fact["use_withdrawn"]:
        why = case.fact["withdrawn"]
        return False, "Use of the data withdrawn", f"The data may not be used: {why}."
    if why := case.fact["withdrawn"]:
        return True, "Data may be used", f"Withdrawn, and what was collected is used: {why}."
    return True, "Data may be used", "The data may be used: no withdrawal reaches them."


def _injected(case: _Case, asked: Condition) -> Judged:
    return _of_scans(case, asked, "Tracer given", _why_not_injected)


def _imaged(case: _Case, asked: Condition) -> Judged:
    return _of_scans(case, asked, "PET that counts", _why_not_imaged)


def _read(case: _Case, asked: Condition) -> Judged:
    return _of_scans(case, asked, "Read that counts", _why_not_read)


def _truth(case: _Case, _: Condition) -> Judged:
    if at := case.fact["truth_at"]:
        return True, "Truth decided", f"The truth panel decided on {at[:10]}."
    return False, "No truth decided", "No truth: the truth panel has no complete decision."


def _no_important(case: _Case, _: Condition) -> Judged:
    return _no_such(case, "Important deviation", lambda one: one["important"])


def _no_excluding(case: _Case, _: Condition) -> Judged:
    return _no_such(case, "Deviation that excludes", lambda one: bool(one["proposes"]))


def _no_deviation(case: _Case, asked: Condition) -> Judged:
    rules = asked.get("rules", [])
    said = f"Deviation of {_list(rules)}"
    return _no_such(case, said, lambda one: one["rule"] in rules)


def _within(case: _Case, asked: Condition) -> Judged:
    other = asked["population"]
    inside = case.within(other, case.scan)
    if inside.is_in:
        return True, f"In {other}", f"In {other}."
    # What keeps a unit out of the wider population is what is counted of the narrower one too.
    told = " ".join(once(_roots(inside.reasons)))
    return False, inside.reasons[0].group, f"Not in {other}: {told}"


CONDITIONS: Mapping[str, tuple[str, Callable[[_Case, Condition], Judged]]] = MappingProxyType(
    {
        "enrolled": ("enrolled", _enrolled),
        "eligible": ("not enrolled despite criteria", _eligible),
        "randomised": ("randomised", _randomised),
        "usable": ("no withdrawal of the use of the data", _usable),
        "injected": ("tracer given", _injected),
        "imaged": ("a PET series counts", _imaged),
        "read": ("a signed read counts", _read),
        "truth": ("the truth panel decided", _truth),
        "no_important_deviation": ("no important deviation", _no_important),
        "no_excluding_deviation": ("no deviation whose rule proposes to exclude", _no_excluding),
        "no_deviation": ("no deviation of", _no_deviation),
        "within": ("within", _within),
    }
)
# What a condition may be told more of.
OF_SCANS = frozenset({"injected", "imaged", "read"})


def words(condition: Condition) -> str:
    """A condition as a person says it.

    >>> words({"condition": "imaged", "scans": ["ptf", "fdg"]})
    'a PET series counts: of ptf and fdg'
    >>> words({"condition": "injected", "any": True})
    'tracer given: of at least one scan'
    """
    said, _ = CONDITIONS[condition["condition"]]
    if condition["condition"] == "within":
        return f"within {condition['population']}"
    if condition["condition"] == "no_deviation":
        return f"{said} {_list(condition['rules'])}"
    if condition["condition"] not in OF_SCANS:
        return said
    scans = condition.get("scans")
    of = _list(scans) if scans else "every planned scan"
    if condition.get("any"):
        of = f"at least one of {_list(scans)}" if scans else "at least one scan"
    return f"{said}: of {of}"


# ------------------------------------------------------------------------------ the rules


def stated(definition: Definition) -> list[Population]:
    """The populations of a trial file; where it has none, those that are usual, as proposed."""
    given = definition.get("populations") or ()
    if not given:
        return [_population(one, is_proposed=True) for one in _usual(definition)]
    return [_population(one, is_proposed=one.get("provenance") == "proposed") for one in given]


def _population(given: Mapping[str, Any], *, is_proposed: bool) -> Population:
    return Population(
        identifier=given["identifier"],
        label=given["label"],
        level=given["level"],
        conditions=tuple(given["conditions"]),
        is_proposed=is_proposed,
        note=given.get("note", ""),
        source=tuple(given.get("source", ())),
    )


def _usual(definition: Definition) -> Iterator[dict[str, Any]]:
    """Populations as ICH E9 5.2 names them, with the evaluable ones of a diagnostic trial."""
    has_truth = any(one.get("role") == "panel" for one in definition.get("forms", ()))
    truth: list[dict[str, Any]] = [{"condition": "truth"}] if has_truth else []
    is_randomised = bool(definition.get("randomisation"))
    first = "RAND" if is_randomised else "ENR"
    yield _rule("ENR", "Enrolled", PATIENT, {"condition": "enrolled"})
    if is_randomised:
        yield _rule("RAND", "Randomised", PATIENT, _in("ENR"), {"condition": "randomised"})
    yield _rule(
        "SAF",
        "Safety population",
        PATIENT,
        _in("ENR"),
        {"condition": "usable"},
        {"condition": "injected", "any": True},
    )
    yield _rule(
        "FAS",
        "Full analysis set",
        PATIENT,
        _in(first),
        _in("SAF"),
        {"condition": "imaged", "any": True},
    )
    yield _rule(
        "EVAL",
        "Evaluable population",
        PATIENT,
        _in("FAS"),
        {"condition": "imaged"},
        {"condition": "read"},
        *truth,
    )
    kept = ({"condition": "no_important_deviation"}, {"condition": "no_excluding_deviation"})
    yield _rule(
        "PP", "Per-protocol population", PATIENT, _in("EVAL"), {"condition": "eligible"}, *kept
    )
    scan = ({"condition": "imaged"}, {"condition": "read"})
    yield _rule("SCANEVAL", "Evaluable scans", SCAN, _in("SAF"), *scan)
    yield _rule("SCANPP", "Per-protocol scans", SCAN, _in("SCANEVAL"), *kept)
    yield _rule("LESEVAL", "Evaluable lesions", LESION, _in("SCANEVAL"), *truth)


def _rule(identifier: str, label: str, level: str, *conditions: Mapping[str, Any]) -> dict:
    found = list(conditions)
    return {"identifier": identifier, "label": label, "level": level, "conditions": found}


def _in(population: str) -> dict[str, str]:
    return {"condition": "within", "population": population}


def errors(definition: Definition) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with the populations of a trial file, with the path to what is to be mended."""
    before: dict[str, str] = {}
    scans = [one["identifier"] for one in definition.get("planned_scans", ())]
    has_truth = any(one.get("role") == "panel" for one in definition.get("forms", ()))
    for i, given in enumerate(definition.get("populations", ())):
        for n, condition in enumerate(given["conditions"]):
            path = ("populations", i, "conditions", n)
            for message in _amiss(condition, given["level"], before, scans):
                yield path, message
            if condition["condition"] == "truth" and not _asks_truth(definition, has_truth):
                yield path, "no form of this trial has the role panel, so that no truth is decided."
            if condition["condition"] == "randomised" and not definition.get("randomisation"):
                yield path, "this trial has no randomisation."
        before[given["identifier"]] = given["level"]


def _asks_truth(definition: Definition, has_form: bool) -> bool:
    general = {one["form"] for one in definition.get("general_forms", ())}
    return has_form or bool(general & {"truth_of_patient", "truth_of_lesion"})


def _amiss(
    condition: Condition, level: str, before: Mapping[str, str], scans: Sequence[str]
) -> Iterator[str]:
    name = condition["condition"]
    for key, holders in (
        ("scans", OF_SCANS),
        ("any", OF_SCANS),
        ("rules", {"no_deviation"}),
        ("population", {"within"}),
    ):
        if key in condition and name not in holders:
            yield f"the condition {name} has no {key}."
        elif name in holders and key in {"rules", "population"} and key not in condition:
            yield f"the condition {name} needs {key}."
    if level != PATIENT and {"scans", "any"} & set(condition):
        yield f"at the level {level} the scan is the unit's own: leave out scans and any."
    if unknown := [one for one in condition.get("scans", ()) if one not in scans]:
        yield f"{_list(unknown)}: no planned scan of this trial is called so."
    other = condition.get("population")
    if other is not None and other not in before:
        yield f"{other} is no population that stands before this one in the file."
    elif other is not None and level == PATIENT and before[other] != PATIENT:
        yield f"{other} is of the level {before[other]}: a patient can't be within it."


# ------------------------------------------------------------------------------ judging


def proposals(
    population: Population,
    facts: Sequence[PatientFact],
    *,
    among: Collection[Population],
    scans: Mapping[str, str],
) -> Iterator[Proposal]:
    """What the rule proposes of each unit; `scans` are the planned scans with their labels.

    Of each screened patient, and at the levels below of each planned scan of who was enrolled,
    whether or not it was ever scheduled.
    """
    rules = {one.identifier: one for one in among}
    for fact in facts:
        for unit in units(population.level, fact, scans):
            yield _judged(population, fact, unit.scan, rules, scans)


def units(level: str, fact: PatientFact, scans: Mapping[str, str]) -> Iterator[Unit]:
    """The units of a level that a patient brings."""
    if level == PATIENT:
        yield Unit(fact["patient"])
    elif fact["enrolled_at"]:
        known = dict.fromkeys([*scans, *(one["scan"] for one in fact["scans"])])
        yield from (Unit(fact["patient"], name) for name in known)


def _judged(
    population: Population,
    fact: PatientFact,
    scan: str,
    rules: Mapping[str, Population],
    labels: Mapping[str, str],
) -> Proposal:
    known: dict[str, Proposal] = {}

    def within(other: str, inner: str) -> Proposal:
        wider = rules[other]
        if other not in known:
            unit = "" if wider.level == PATIENT else inner
            known[other] = _judged(wider, fact, unit, rules, labels)
        return known[other]

    case = _Case(fact, scan, labels, within)
    found = []
    for condition in population.conditions:
        _, judge = CONDITIONS[condition["condition"]]
        holds, group, text = judge(case, condition)
        inherited = () if holds else _inherited(condition, within, scan)
        wider = condition["population"] if inherited else ""
        found.append((holds, Reason(condition["condition"], group, text, wider, inherited)))
    is_in = all(holds for holds, _ in found)
    reasons = tuple(dict.fromkeys(reason for holds, reason in found if holds == is_in))
    return Proposal(Unit(fact["patient"], scan), is_in, reasons)


def _inherited(
    condition: Condition, within: Callable[[str, str], Proposal], scan: str
) -> tuple[Reason, ...]:
    if condition["condition"] != "within":
        return ()
    return _roots(within(condition["population"], scan).reasons)


def _roots(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Reasons, with those of wider populations in place of being out of these; each once."""
    return tuple(dict.fromkeys(root for one in reasons for root in one.inherited or (one,)))


def sentences(reasons: Sequence[Reason]) -> list[str]:
    """What several reasons come to, each said once: first the wider populations, by name."""
    return [*_not_in(wider_of(reasons)), *once(_roots(reasons))]


def wider_of(reasons: Sequence[Reason]) -> list[str]:
    """The populations that a unit would have to be in, and is not."""
    return [one.wider for one in reasons if one.wider]


def _not_in(wider: Sequence[str]) -> list[str]:
    return [f"Not in {_list(wider)}."] if wider else []


def once(reasons: Sequence[Reason]) -> list[str]:
    """The sentences of reasons of no wider population; those of the same scans are one.

    >>> came = "Pentixafor PET/CT, never scheduled."
    >>> each = ("No PET that counts", "No read that counts")
    >>> once([Reason("imaged", "", f"{one}: {came}") for one in each])
    ['No PET that counts, no read that counts: Pentixafor PET/CT, never scheduled.']
    """
    found: dict[str, dict[str, None]] = {}
    for one in _roots(reasons):
        said, _, about = (
            one.text.partition(": ") if one.condition in OF_SCANS else (one.text, "", "")
        )
        found.setdefault(about or one.text, {})[said] = None
    return [
        f"{_joined([*said])}: {about}" if about not in said else about
        for about, said in found.items()
    ]


def _joined(said: Sequence[str]) -> str:
    first, *more = said
    lowered = (one if one.split(" ", 1)[0].isupper() else one[:1].lower() + one[1:] for one in more)
    return ", ".join([first, *lowered])


def _of_scans(
    case: _Case, asked: Condition, said: str, why_not: Callable[[ScanFact], str]
) -> Judged:
    names = [case.scan] if case.scan else asked.get("scans") or list(case.labels)
    facts = {one["scan"]: one for one in case.fact["scans"]}
    missing: list[tuple[str, str]] = []
    there: list[tuple[str, str]] = []
    for name in names:
        fact = facts.get(name)
        label = case.labels.get(name) or (fact["label"] if fact else name)
        why = why_not(fact) if fact else "never scheduled"
        (missing if why else there).append((label, why))
    if not missing or (asked.get("any") and there):
        told = f"{said}: {_list([label for label, _ in there])}" if there else said
        return True, said, f"{told}."
    if asked.get("any"):
        group = f"{_negative(said)} of any scan"
    else:
        group = f"{_negative(said)}: {_list([label for label, _ in missing])}"
    told = "; ".join(f"{label}, {why}" for label, why in missing)
    return False, group, f"{_negative(said)}: {told}."


def _negative(said: str) -> str:
    """
    >>> _negative("PET that counts")
    'No PET that counts'
    """
    head, rest = said.split(" ", 1)
    return f"No {head if head.isupper() else head.lower()} {rest}"


def _why_not_injected(one: ScanFact) -> str:
    if one["injected_at"]:
        return ""
    if one["cancelled"]:
        return f"cancelled before the injection ({one['cancelled']})"
    return "scheduled, no injection recorded"


def _why_not_imaged(one: ScanFact) -> str:
    if one["counts"]:
        return ""
    if one["cancelled"]:
        before = "aborted after the injection" if one["injected_at"] else "cancelled"
        return f"{before} ({one['cancelled']})"
    if one["images"]:
        return "images came, and no PET series counts for the scan"
    return _why_not_injected(one) or "injected, and no images came"


def _why_not_read(one: ScanFact) -> str:
    if one["read"]:
        return ""
    return _why_not_imaged(one) or "imaged, and no signed read counts yet"


def _no_such(case: _Case, said: str, is_such: Callable[[DeviationFact], bool]) -> Judged:
    about = [
        one
        for one in case.fact["deviations"]
        if is_such(one) and (not case.scan or one["scan"] in {"", case.scan})
    ]
    if not about:
        return True, f"No {said[:1].lower()}{said[1:]}", f"No {said[:1].lower()}{said[1:]}."
    told = " ".join(f"Deviation {one['deviation']}: {_told(one)}" for one in about)
    kinds = _list(sorted({one["rule"].replace("-", " ") or "seen by a person" for one in about}))
    return False, f"{said}: {kinds}", f"{said}. {told}"


def _told(one: DeviationFact) -> str:
    text = one["text"] or (one["rule"].replace("-", " ") or "recorded by a person")
    return text if text.endswith(".") else f"{text}."


def _list(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


# ------------------------------------------------------------------------------ what changed


def changes(before: PatientFact | None, now: PatientFact | None) -> list[str]:
    """What of a patient changed since it was frozen, a phrase each, by name.

    >>> changes(None, {"identifier": "101-003"})
    ['patient 101-003 was not there yet']
    """
    if before is None:
        return [f"patient {now['identifier']} was not there yet"] if now else []
    if now is None:
        return [f"patient {before['identifier']} is there no more"]
    if before == now:
        return []
    return [
        *_scalar_changes(before, now),
        *_scan_changes(before["scans"], now["scans"]),
        *_deviation_changes(before["deviations"], now["deviations"]),
    ]


_SAID = {
    "identifier": "the patient number",
    "site": "the site",
    "failed": "the end of screening",
    "enrolled_at": "the enrolment",
    "despite": "enrolled despite criteria",
    "randomised_at": "the randomisation",
    "withdrawn": "the withdrawal",
    "use_withdrawn": "whether the data may be used",
    "truth_at": "the decision of the truth panel",
    "label": "the label",
    "cancelled": "the cancellation",
    "injected_at": "the injection",
    "images": "images received",
    "counts": "the PET series that counts",
    "read": "the read that counts",
}


def _scalar_changes(before: PatientFact, now: PatientFact) -> Iterator[str]:
    for name in now:
        old, new = before.get(name), now.get(name)
        if name not in {"scans", "deviations"} and old != new:
            yield f"{_SAID.get(name, name)}: {_was_is(old, new)}"


def _scan_changes(before: Sequence[ScanFact], now: Sequence[ScanFact]) -> Iterator[str]:
    old, new = ({one["scan"]: one for one in rows} for rows in (before, now))
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            yield f"scan {name} was scheduled"
        elif name not in new:
            yield f"scan {name} is there no more"
        elif old[name]["planned_at"] != new[name]["planned_at"]:
            # The times of two scans may tell a concealed sequence.
            yield f"scan {name} was moved"
        if name not in old or name not in new:
            continue
        for key in new[name]:
            was, now_is = old[name].get(key), new[name].get(key)
            if key == "injected_at" and was and now_is and was != now_is:
                yield f"the injection of scan {name} was corrected"
            elif key != "planned_at" and was != now_is:
                turned = _was_is(_untimed(key, was), _untimed(key, now_is))
                yield f"{_SAID.get(key, key)} of scan {name}: {turned}"


def _untimed(key: str, value: object) -> object:
    return bool(value) if key == "injected_at" else value


def _deviation_changes(
    before: Sequence[DeviationFact], now: Sequence[DeviationFact]
) -> Iterator[str]:
    old, new = ({one["deviation"]: one for one in rows} for rows in (before, now))
    for key in dict.fromkeys([*old, *new]):
        if key not in old:
            yield f"deviation {key} is new: {_told(new[key])}"
        elif key not in new:
            yield f"deviation {key} stands no more"
        elif old[key] != new[key]:
            yield f"deviation {key} changed"


def _was_is(old: object, new: object) -> str:
    return f"was {_shown(old)}, is {_shown(new)}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("T", " ", 1) if value else "none"
