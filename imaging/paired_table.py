"""The paired table: what two tracers show, per lesion, per region, per patient.

A place of disease is positive on a tracer if one of its lesions there is a lesion that the reader
did not call negative. A region, and a patient, is positive on a tracer if one of its places is.
Every patient who was compared is counted in each region: who has nothing in it shows nothing
there on either tracer.

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

    `regions` maps a region to its lesions and to its patients. Lesions without a region are in
    the sums alone.
    """

    lesions: Mapping[Outcome, int]
    patients: Mapping[Outcome, int]
    regions: Mapping[str, tuple[Mapping[Outcome, int], Mapping[Outcome, int]]]


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
    named = sorted({one.region for one in sites} - {NO_REGION})
    return PairedTable(
        lesions=_of_lesions(sites),
        patients=_of_patients(sites, compared),
        regions={
            region: (_of_lesions(inside), _of_patients(inside, compared))
            for region in named
            if (inside := [one for one in sites if one.region == region])
        },
    )


def _of_lesions(sites: Iterable[PairedSite]) -> Mapping[Outcome, int]:
    return _counted(one.outcome for one in sites)


def _of_patients(sites: Iterable[PairedSite], compared: frozenset[str]) -> Mapping[Outcome, int]:
    found: dict[str, list[Outcome]] = {patient: [] for patient in compared}
    for one in sites:
        found[one.patient].append(one.outcome)
    return _counted(together(outcomes) for outcomes in found.values())


def _counted(outcomes: Iterable[Outcome]) -> Mapping[Outcome, int]:
    """Every outcome in the order of the table, also one that nothing has."""
    counts = Counter(outcomes)
    return {outcome: counts[outcome] for outcome in OUTCOMES}
