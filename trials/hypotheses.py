"""What a protocol sets out to show of two planned scans, and in which order it is tested.

A margin of non-inferiority, a level of significance and the variant of a test are the protocol's:
none has a default. The mistake to fear is a test that was chosen after the data were seen, so that
what a trial file leaves open is named and never decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trials import populations

Definition = Mapping[str, Any]
Found = Iterator[tuple[tuple[str | int, ...], str]]
SUPERIORITY, NON_INFERIORITY = "superiority", "non_inferiority"
PATIENT, REGION, LESION = "patient", "region", "lesion"
OF_TRUTH = ("sensitivity", "specificity")
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "sensitivity": "Sensitivity",
        "specificity": "Specificity",
        "positivity": "Rate of patients positive",
        "detection": "Detection rate",
    }
)
LEVELS: Mapping[str, str] = MappingProxyType(
    {PATIENT: "per patient", REGION: "per region", LESION: "per lesion"}
)
ORDERS: Mapping[str, str] = MappingProxyType(
    {
        "hierarchical": "In the order in which they stand: after one that is not shown none is "
        "tested.",
        "co_primary": "All have to be shown: each is tested at its own level.",
        "each": "Each by itself: no level holds over all of them together.",
    }
)
ORDER_NOT_STATED = "The protocol does not state an order: nothing is decided."
_OF_PATIENTS = ("exact", "mid-P", "continuity-corrected", "uncorrected")
_OVER_PATIENTS = ("Obuchowski", "Durkalski")
# What has to be stated before the data are seen, by its name in a trial file.
_NEEDED = {
    SUPERIORITY: {"alpha": "level of significance", "variant": "variant of McNemar's test"},
    NON_INFERIORITY: {"margin": "margin", "alpha": "level of significance"},
}


def not_stated(test: Definition) -> list[str]:
    """What a trial file leaves open of a test that is to be decided, in words.

    >>> not_stated({"kind": "non_inferiority", "margin": None, "alpha": 0.025})
    ['margin']
    """
    needed = _NEEDED[test["kind"]]
    return [words for key, words in needed.items() if test.get(key) is None]


def errors(definition: Definition) -> Found:
    """What is wrong with hypotheses in a trial file that its schema can't see."""
    stated = definition.get("hypotheses")
    before: set[str] = set()
    for i, test in enumerate((stated or {}).get("tests", ())):
        path = ("hypotheses", "tests", i)
        name = test["identifier"]
        if name in before:
            yield (*path, "identifier"), f"{name} is there already."
        before.add(name)
        yield from _scans(path, test, definition)
        yield from _of_kind(path, test)
        yield from _of_measure(path, test, definition)
        yield from _named(path, test, definition)


def _scans(path: tuple[str | int, ...], test: Definition, definition: Definition) -> Found:
    scans = [one["identifier"] for one in definition.get("planned_scans", ())]
    for side in ("first", "second"):
        if test[side] not in scans:
            yield (*path, side), f"expected one of {scans}, got {test[side]!r}."
    if test["first"] == test["second"]:
        yield (*path, "second"), f"{test['first']} can't be held to itself."


def _of_kind(path: tuple[str | int, ...], test: Definition) -> Found:
    if test["kind"] == NON_INFERIORITY:
        if "margin" not in test:
            yield path, "a non-inferiority needs its margin; null is not stated."
        if test.get("variant") is not None:
            yield (*path, "variant"), "a non-inferiority has no variant of McNemar's test."
        return
    if test.get("margin") is not None:
        yield (*path, "margin"), "a superiority has no margin."
    known = _OF_PATIENTS if test["level"] == PATIENT else _OVER_PATIENTS
    if test.get("variant") not in (None, *known):
        yield (
            (*path, "variant"),
            f"expected one of {[*known]} {LEVELS[test['level']]}, got {test['variant']!r}.",
        )


def _of_measure(path: tuple[str | int, ...], test: Definition, definition: Definition) -> Found:
    measure, level = test["measure"], test["level"]
    if measure == "positivity" and level != PATIENT:
        yield (*path, "level"), "positivity is of patients."
    if measure == "detection" and level != LESION:
        yield (*path, "level"), "detection is of lesions."
    if measure in OF_TRUTH and not _asks_truth(definition, level):
        form = "truth_of_patient" if level == PATIENT else "truth_of_lesion"
        yield (*path, "measure"), f"{measure} {LEVELS[level]} needs the form {form}."


def _asks_truth(definition: Definition, level: str) -> bool:
    form = "truth_of_patient" if level == PATIENT else "truth_of_lesion"
    general = {one["form"] for one in definition.get("general_forms", ())}
    return form in general | {one["identifier"] for one in definition.get("forms", ())}


def _named(path: tuple[str | int, ...], test: Definition, definition: Definition) -> Found:
    objectives = [one["identifier"] for one in definition.get("objectives", ())]
    if test.get("objective") not in (None, *objectives):
        yield (
            (*path, "objective"),
            f"expected one of {objectives}, got {test['objective']!r}.",
        )
    if "population" in test:
        levels = {one.identifier: one.level for one in populations.stated(definition)}
        if levels.get(test["population"]) != PATIENT:
            known = [name for name, level in levels.items() if level == PATIENT]
            yield (
                (*path, "population"),
                f"expected one of the populations of patients {known}, got {test['population']!r}.",
            )


def words(test: Definition, labels: Mapping[str, str]) -> list[str]:
    """A hypothesis in sentences: what is to be shown, by which test, at which level.

    >>> words({"kind": "non_inferiority", "measure": "specificity", "level": "patient",
    ...        "first": "ptf", "second": "fdg", "margin": 0.1, "alpha": 0.025},
    ...       {"ptf": "Pentixafor PET", "fdg": "FDG PET"})[0]
    'Specificity per patient: Pentixafor PET is no worse than FDG PET by 10 points or more.'
    """
    first, second = (labels.get(test[side], test[side]) for side in ("first", "second"))
    what = f"{MEASURES[test['measure']]} {LEVELS[test['level']]}"
    found = [f"{what}: {first} is {_than(test, second)}.", _by(test)]
    if test.get("population"):
        found.append(f"In the population {test['population']}.")
    return found


def _than(test: Definition, second: str) -> str:
    if test["kind"] == SUPERIORITY:
        return f"better than {second}"
    margin = test.get("margin")
    if margin is None:
        return f"no worse than {second} by a margin that is not stated"
    return f"no worse than {second} by {100 * margin:g} points or more"


def method(test: Definition) -> str:
    """The test by its name; empty where the protocol leaves the variant open."""
    if test["kind"] == NON_INFERIORITY:
        return "Tango's score" if test["level"] == PATIENT else "Wald's over patients"
    variant = test.get("variant")
    return f"McNemar's, {variant}" if variant else ""


def _by(test: Definition) -> str:
    name, alpha = method(test), test.get("alpha")
    sides = "two-sided" if test["kind"] == SUPERIORITY else "one-sided"
    by = f"By {name}" if name else "By McNemar's test in a variant that is not stated"
    at = f"at {alpha:g} {sides}" if alpha is not None else f"{sides}, at a level that is not stated"
    return f"{by}, {at}."


def in_order(stated: Definition | None) -> Sequence[Definition]:
    """The hypotheses in the order in which they are tested."""
    return (stated or {}).get("tests", ())
