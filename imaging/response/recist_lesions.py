"""Lesions of RECIST 1.1 as a reader records them from CT: what is admitted, what a visit is.

Targets are T1 to T5, non-targets N1 to N10, new lesions X1 to X5. Lengths are in mm: the longest
diameter, of a lymph node the short axis. The mistake to fear is a list at a later scan that is not
that of the baseline: its sum then compares other lesions.

References
----------
Eisenhauer et al., Eur J Cancer 2009;45:228: 3.1 and 4.1 for what is measurable and how many, 4.2
for 5 mm of what is too small to measure, 4.3.3 for non-targets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from imaging.cut_offs import reaches
from imaging.response.organs import is_node, organ_of
from imaging.response.recist import (
    MEASURABLE_MM,
    MEASURABLE_NODE_MM,
    MOST_PER_ORGAN,
    MOST_TARGETS,
    NonTarget,
    Target,
)

MOST_NON_TARGETS, MOST_NEW = 10, 5
# No lesion of a patient is longer; a length in 0.1 mm or a typing error is.
LONGEST_MM = 500.0
TOO_SMALL_MM = 5.0

TARGET, NON_TARGET, NEW = "T", "N", "X"
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        kind: tuple(f"{kind}{i + 1}" for i in range(most))
        for kind, most in ((TARGET, MOST_TARGETS), (NON_TARGET, MOST_NON_TARGETS), (NEW, MOST_NEW))
    }
)
KINDS: Mapping[str, str] = MappingProxyType(
    {TARGET: "Target", NON_TARGET: "Non-target", NEW: "New"}
)
STATES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        TARGET: (
            ("measured", "Measured"),
            ("gone", "Gone: 0 mm"),
            ("too-small", "Too small to measure: 5 mm"),
            ("not-assessed", "Not assessed"),
        ),
        NON_TARGET: (
            ("present", "There"),
            ("gone", "Gone"),
            ("progressed", "Unequivocally grown"),
            ("not-assessed", "Not assessed"),
        ),
        NEW: (("present", "There"),),
    }
)


@dataclass(frozen=True, slots=True)
class RecistLesion:
    """One lesion of one read; `diameter_mm` of a measured target alone."""

    name: str
    region: str
    state: str
    diameter_mm: float | None = None

    @property
    def kind(self) -> str:
        """A key of `KINDS`."""
        return self.name[:1]

    @property
    def size_mm(self) -> float | None:
        """What goes into the sum: 0 mm of what is gone; None is not assessed."""
        return {"gone": 0.0, "too-small": TOO_SMALL_MM}.get(self.state, self.diameter_mm)


Lesions = Sequence[RecistLesion]
# The name of the lesion, or none, and what is wrong with it.
Problem = tuple[str, str]


def problems(lesions: Lesions, baseline: Lesions | None) -> Iterator[Problem]:
    """Why a list of lesions is not one of RECIST.

    Parameters
    ----------
    lesions : sequence of RecistLesion
        Of one read.
    baseline : sequence of RecistLesion or None
        Those of the baseline; None where the list is of the baseline itself.
    """
    for name, count in Counter(one.name for one in lesions).items():
        if count > 1:
            yield name, f"{name} is there {count} times."
    for one in lesions:
        yield from ((one.name, text) for text in _wrong(one))
    yield from _of_baseline(lesions) if baseline is None else _of_later(lesions, baseline)


def _wrong(one: RecistLesion) -> Iterator[str]:
    if one.name not in NAMES.get(one.kind, ()):
        yield f"{one.name} is no name of a lesion: T1 to T5, N1 to N10 and X1 to X5 are."
        return
    if not one.region:
        yield "Say where it lies."
    if one.state not in dict(STATES[one.kind]):
        yield f"Choose one of: {', '.join(code for code, _ in STATES[one.kind])}."
    is_measured = one.kind == TARGET and one.state == "measured"
    if is_measured and one.diameter_mm is None:
        yield "Give its length in mm, or say that it is not assessed."
    if not is_measured and one.diameter_mm is not None:
        yield "A length goes with a measured target alone."
    if one.diameter_mm is not None and not 0 < one.diameter_mm <= LONGEST_MM:
        yield f"Lengths are above 0 and up to {LONGEST_MM:g} mm, got {one.diameter_mm:g} mm."


def _of_baseline(lesions: Lesions) -> Iterator[Problem]:
    for one in lesions:
        least = MEASURABLE_NODE_MM if is_node(one.region) else MEASURABLE_MM
        if one.kind == NEW:
            yield one.name, "No lesion is new at baseline."
        elif one.kind == NON_TARGET and one.state != "present":
            yield one.name, "A non-target of the baseline is there."
        elif one.kind == TARGET and one.state != "measured":
            yield one.name, "A target of the baseline is measured."
        elif one.diameter_mm is not None and not reaches(one.diameter_mm, least):
            what = "short axis of a lymph node" if is_node(one.region) else "longest diameter"
            yield (
                one.name,
                f"A target has at least {least:g} mm ({what}), got {one.diameter_mm:g} mm: make it "
                "a non-target.",
            )
    organs = Counter(organ_of(one.region) for one in lesions if one.kind == TARGET)
    for organ, count in sorted(organs.items()):
        if organ and count > MOST_PER_ORGAN:
            yield "", f"There are {count} targets in {organ.replace('_', ' ')}: at most two."


def _of_later(lesions: Lesions, baseline: Lesions) -> Iterator[Problem]:
    known = {one.name: one.region for one in baseline}
    given = {one.name: one.region for one in lesions if one.kind != NEW}
    for name in sorted(known.keys() - given.keys()):
        yield name, f"{name} of the baseline is missing: say that it is not assessed."
    for name in sorted(given.keys() - known.keys()):
        yield name, f"{name} is no lesion of the baseline: what is new goes to X1 to X5."
    for name in sorted(given.keys() & known.keys()):
        if given[name] != known[name]:
            yield name, f"{name} lay in {known[name]} at baseline, got {given[name]}."


def targets_of(lesions: Lesions) -> tuple[Target, ...]:
    """The targets with what goes into the sum."""
    return tuple(
        Target(
            name=one.name,
            organ=organ_of(one.region),
            is_node=is_node(one.region),
            diameter_mm=one.size_mm,
        )
        for one in lesions
        if one.kind == TARGET
    )


def non_target_of(lesions: Lesions) -> NonTarget:
    """What the non-targets are together.

    >>> non_target_of([RecistLesion("N1", "liver", "gone"), RecistLesion("N2", "bone", "present")])
    'NON-CR/NON-PD'
    >>> non_target_of([])
    'none'
    """
    states = {one.state for one in lesions if one.kind == NON_TARGET}
    if not states:
        return "none"
    if "progressed" in states:
        return "PD"
    if "not-assessed" in states:
        return "NE"
    return "CR" if states == {"gone"} else "NON-CR/NON-PD"


def sum_mm(lesions: Lesions) -> float | None:
    """Sum of the targets in mm; None where one was not assessed, or there are none."""
    sizes = [one.size_mm for one in lesions if one.kind == TARGET]
    found = [one for one in sizes if one is not None]
    return math.fsum(found) if found and len(found) == len(sizes) else None
