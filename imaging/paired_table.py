"""The paired table: what two tracers show, per lesion, per region, per patient.

A place of disease is positive on a tracer if one of its lesions there is a lesion that the reader
did not call negative. A region, and a patient, is positive on a tracer if one of its places is.
Of a region the patients are those with a place of disease in it. The others are counted apart:
nobody recorded whether both scans reach it in them, and a region that was not looked at shows
nothing.

The mistakes to fear: lesions lie in patients and are not independent of each other, so that the
table of lesions is descriptive; and what lies outside the other scan is counted apart, for it
was not looked for there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imaging.matching import Outcome, together

OUTCOMES: tuple[Outcome, ...] = ("both", "first-only", "second-only", "neither", "not-covered")
NO_REGION = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedSite:
    """One place of disease of a patient: where it is, and what each tracer shows of it.

    `is_covered` is False where one of the scans does not reach it.
    """

    patient: str
    region: str
    is_first: bool
    is_second: bool
    is_covered: bool = True

    @property
    def outcome(self) -> Outcome:
        """What the two tracers show of it."""
        if not self.is_covered:
            return "not-covered"
        if self.is_first and self.is_second:
            return "both"
        if self.is_first or self.is_second:
            return "first-only" if self.is_first else "second-only"
        return "neither"


@dataclass(frozen=True, slots=True)
class PairedTable:
    """Numbers of lesions, and of patients, by outcome; of each region in its alphabetical order.

    `regions` maps a region to its lesions and to its patients, `elsewhere` to the number of those
    who were compared and have no place of disease in it. Lesions without a region are in the sums
    alone.
    """

    lesions: Mapping[Outcome, int]
    patients: Mapping[Outcome, int]
    regions: Mapping[str, tuple[Mapping[Outcome, int], Mapping[Outcome, int]]]
    elsewhere: Mapping[str, int]


def paired_table(sites: Sequence[PairedSite], *, patients: Iterable[str]) -> PairedTable:
    """The table of all places of disease of the patients who were compared.

    Parameters
    ----------
    sites : sequence of PairedSite
        Of all patients.
    patients : iterable of str
        All who were compared, those without a lesion too.

    Raises
    ------
    ValueError
        If a place is of a patient who was not compared.
    """
    compared = frozenset(patients)
    if strangers := {one.patient for one in sites} - compared:
        raise ValueError(f"{len(strangers)} patients have lesions and were not compared")
    inside = {
        region: [one for one in sites if one.region == region]
        for region in sorted({one.region for one in sites} - {NO_REGION})
    }
    there = {region: frozenset(one.patient for one in own) for region, own in inside.items()}
    return PairedTable(
        lesions=_of_lesions(sites),
        patients=_of_patients(sites, compared),
        regions={
            region: (_of_lesions(own), _of_patients(own, there[region]))
            for region, own in inside.items()
        },
        elsewhere={region: len(compared - has) for region, has in there.items()},
    )


def of_patient(sites: Iterable[PairedSite]) -> Outcome:
    """What two tracers show of one patient, by all places of disease, or by those of a region.

    A tracer is positive by one place that it shows, whether or not the other scan reaches it. It
    is negative by what it was compared at: where that is nothing, or nothing but places that
    neither shows, the patient is not covered.

    >>> def place(first, second, covered):
    ...     return PairedSite(patient="1", region="", is_first=first, is_second=second,
    ...                       is_covered=covered)
    >>> of_patient([place(True, False, True), place(False, True, False)])
    'both'
    >>> of_patient([place(False, False, True), place(False, True, False)])
    'not-covered'
    >>> of_patient([place(True, False, True), place(True, False, False)])
    'first-only'
    """
    found = list(sites)
    if any(one.is_first for one in found) and any(one.is_second for one in found):
        return "both"
    covered = together(one.outcome for one in found if one.is_covered)
    beyond = any(one.is_first or one.is_second for one in found if not one.is_covered)
    return "not-covered" if beyond and covered == "neither" else covered


def _of_lesions(sites: Iterable[PairedSite]) -> Mapping[Outcome, int]:
    return _counted(one.outcome for one in sites)


def _of_patients(sites: Iterable[PairedSite], compared: frozenset[str]) -> Mapping[Outcome, int]:
    found: dict[str, list[PairedSite]] = {patient: [] for patient in compared}
    for one in sites:
        found[one.patient].append(one)
    return _counted(of_patient(own) for own in found.values())


def _counted(outcomes: Iterable[Outcome]) -> Mapping[Outcome, int]:
    """Every outcome in the order of the table, also one that nothing has."""
    counts = Counter(outcomes)
    return {outcome: counts[outcome] for outcome in OUTCOMES}
