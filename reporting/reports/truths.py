"""The truth panel's word on patients, regions and lesions, and why some have none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imaging.reading_terms import REGIONS
from reporting.reports.rows import Row

OF_PATIENT, OF_LESION = "form_truth_of_patient", "form_truth_of_lesion"
PRESENT, ABSENT = "PRESENT", "ABSENT"
NO_TRUTH, OPEN = "without a truth by the panel", "the panel can't decide"
KEPT_BACK = "a truth that this export keeps back while a blind stands"
TWO_TRUTHS = "the panel's entries contradict each other"
NO_REGION = "the panel's region is none that readers name"
WHOLE_REGION = "a truth of a region as a whole, not of a lesion"
_BY_NAME = {name.casefold(): code for code, label in REGIONS for name in (code, label)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What the panel decided about: a patient, a region of one, or a lesion in a region."""

    patient: str
    region: str = ""
    is_diseased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Truths:
    """Units with a truth, and how many entries have none by reason."""

    units: tuple[Unit, ...]
    missing: Mapping[str, int]

    def in_region(self, unit: Unit) -> int:
        """How many units lie where this one does."""
        return sum((one.patient, one.region) == (unit.patient, unit.region) for one in self.units)


def is_kept_back(entry: Row) -> bool:
    """Whether a blinding left the truth of an entry empty: the form can't be completed without."""
    return entry["truth"] is None


def by_patient(entries: Iterable[Row]) -> tuple[dict[str, Row], dict[str, str]]:
    """The entry of each patient whom the panel decided about, and why others have none."""
    found: dict[str, list[Row]] = defaultdict(list)
    for one in entries:
        found[one["patient"]].append(one)
    truths, why = {}, {}
    for patient, mine in found.items():
        if any(is_kept_back(one) for one in mine):
            why[patient] = KEPT_BACK
        elif len({(one["truth"], one.get("side")) for one in mine}) > 1:
            why[patient] = TWO_TRUTHS
        elif mine[0]["truth"] not in (PRESENT, ABSENT):
            why[patient] = OPEN
        else:
            truths[patient] = mine[0]
    return truths, why


def of_patients(entries: Sequence[Row]) -> Truths:
    """A unit for each patient whom the panel decided about."""
    truths, why = by_patient(entries)
    units = [
        Unit(patient=patient, is_diseased=entry["truth"] == PRESENT)
        for patient, entry in sorted(truths.items())
    ]
    return Truths(units=tuple(units), missing=Counter(why.values()))


def of_regions(entries: Sequence[Row]) -> Truths:
    """A unit for each region of a patient: diseased by one entry, free of it by all of them."""
    found: dict[tuple[str, str], set[Any]] = defaultdict(set)
    missing: Counter[str] = Counter()
    for one in entries:
        region = region_of(one)
        if is_kept_back(one):
            missing[KEPT_BACK] += 1
        elif region:
            found[one["patient"], region].add(one["truth"])
        else:
            missing[NO_REGION] += 1
    units = []
    for (patient, region), said in sorted(found.items()):
        if PRESENT in said:
            units.append(Unit(patient=patient, region=region, is_diseased=True))
        elif said == {ABSENT}:
            units.append(Unit(patient=patient, region=region, is_diseased=False))
        else:
            missing[OPEN] += 1
    return Truths(units=tuple(units), missing=missing)


def of_lesions(entries: Sequence[Row]) -> Truths:
    """A unit for each lesion that the panel named; an entry of a region as a whole is none."""
    units = []
    missing: Counter[str] = Counter()
    for one in sorted(entries, key=lambda row: (row["patient"], row["record_pk"])):
        region, why = region_of(one), ""
        if is_kept_back(one):
            why = KEPT_BACK
        elif one.get("lesion_missing"):
            why = WHOLE_REGION
        elif not region:
            why = NO_REGION
        elif one["truth"] not in (PRESENT, ABSENT):
            why = OPEN
        if why:
            missing[why] += 1
            continue
        is_diseased = one["truth"] == PRESENT
        units.append(Unit(patient=one["patient"], region=region, is_diseased=is_diseased))
    return Truths(units=tuple(units), missing=missing)


def region_of(entry: Row) -> str:
    """The code of the region that an entry names by its code or in words; empty for any other.

    >>> region_of({"region": " Liver "}), region_of({"region": "left groin"})
    ('liver', '')
    """
    return _BY_NAME.get(" ".join(str(entry["region"] or "").split()).casefold(), "")


AT = {
    "patient": (OF_PATIENT, of_patients),
    "region": (OF_LESION, of_regions),
    "lesion": (OF_LESION, of_lesions),
}


def unblinded(entries: Iterable[Row]) -> int:
    """Entries that the panel last changed knowing the index test."""
    return sum(bool(one.get("changed_unblinded_at")) for one in entries)
