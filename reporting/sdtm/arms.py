"""The arms of a trial, their elements in order, and which tracers are under study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reporting.formats.names import shortened
from reporting.sdtm.model import Row

Definition = Mapping[str, Any]
SCREENING, FOLLOW_UP = "SCRN", "FUP"
LONGEST_CODE = 8


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm with the planned scans that are given in it, in their order."""

    code: str
    label: str
    scans: tuple[str, ...]


def arms(definition: Definition) -> list[Arm]:
    """The arms of a trial; of a cross-over each sequence is one, as SDTM has it."""
    randomised = definition.get("randomisation")
    if randomised:
        return [
            Arm(one["identifier"].upper(), one["label"], tuple(one["periods"]))
            for one in randomised["sequences"]
        ]
    scans = tuple(one["identifier"] for one in definition.get("planned_scans", ()))
    stated = definition.get("arms") or [{"identifier": "ALL", "label": "All patients"}]
    return [Arm(one["identifier"].upper(), one["label"], scans) for one in stated]


def arm_of(definition: Definition, patient: Row, allocated: Row | None) -> Arm | None:
    """The arm that a patient is in: allocated to, of the cohort, or the only one."""
    if patient["enrolled_at"] is None:
        return None
    known = {one.code: one for one in arms(definition)}
    if allocated is not None and allocated["sequence"]:
        return known.get(allocated["sequence"].upper())
    cohorts = {one["identifier"]: one for one in definition.get("cohorts", ())}
    of_cohort = cohorts.get(patient["cohort"] or "", {}).get("arm")
    if of_cohort:
        return known.get(of_cohort.upper())
    return next(iter(known.values())) if len(known) == 1 else None


def is_under_study(definition: Definition, tracer: str) -> bool:
    """Whether a tracer is a treatment of the study (EX) or a procedure's agent (AG).

    A tracer under test is. A comparator is where an arm of the trial is its own, as in a randomised
    cross-over; one that each patient of an arm is given beside it is standard of care. FDG is the
    comparator of these trials; any other tracer is under test.

    >>> both = {"arms": [{"identifier": "BOTH", "label": "", "role": "single"}]}
    >>> is_under_study(both, "18F-FDG"), is_under_study(both, "68Ga-Pentixafor")
    (False, True)
    >>> is_under_study({"arms": [{"identifier": "F", "label": "", "role": "active_comparator"}]},
    ...                "18F-FDG")
    True
    """
    if "FDG" not in tracer.upper():
        return True
    roles = {one.get("role") for one in definition.get("arms", ())}
    tracers = definition.get("tracers", ())
    return "active_comparator" in roles or (len(tracers) == 1 and tracers[0].get("name") == tracer)


def element_codes(definition: Definition) -> dict[str, str]:
    """The code of an element for each planned scan, at most 8 characters."""
    scans = [one["identifier"] for one in definition.get("planned_scans", ())]
    return {name: code.upper() for name, code in shortened(scans, LONGEST_CODE).items()}


def scans_of(definition: Definition) -> dict[str, Mapping[str, Any]]:
    """The planned scans by their identifiers."""
    return {one["identifier"]: one for one in definition.get("planned_scans", ())}
