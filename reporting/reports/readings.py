"""What the read that counts shows of a patient, a region or a lesion, scan by planned scan.

A lesion that the reader called negative is none. A scan that was read and shows nothing in a region
is negative there: a reader looks at the whole scan, and a place of disease that no scan shows must
not fall out of the count. The mistake to fear is a lesion of the panel taken for another that the
scan shows in the same region: where several lie there, it is not known which one is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reporting.reports.rows import Row, Rows
from reporting.reports.truths import Truths, Unit
from reporting.statistics.results import Absent

NO_SCAN, NO_READ = "without such a scan", "no read that counts"
SEVERAL_SCANS = "several scans of one kind that were read"
NOT_PLACED = "a lesion of the read that the reader did not place"
WHICH = "several lesions in the region: which of them is shown is not recorded"
NEGATIVE = "negative"
NOTHING_IN_A_REGION = (
    "A scan that was read and shows nothing in a region counts as negative there, whether or not "
    "the scan reaches it: that is not recorded."
)


@dataclass(slots=True)
class Reading:
    """Of one read: for each lesion its region, empty where not said, if it is shown at all."""

    regions: dict[int, str] = field(default_factory=dict)
    negative: set[int] = field(default_factory=set)

    @property
    def shown(self) -> list[str]:
        """The regions of the lesions that it shows."""
        return [region for one, region in self.regions.items() if one not in self.negative]


@dataclass(frozen=True, slots=True)
class Readings:
    """By planned scan and patient, the reads that count; `scanned` has whoever has such a scan."""

    found: Mapping[tuple[str, str], Sequence[Reading]]
    scanned: frozenset[tuple[str, str]]

    def of(self, plan: str, patient: str) -> Reading | Absent:
        """The one reading of a patient's scan, or why there is none."""
        reads = self.found.get((plan, patient), ())
        if len(reads) == 1:
            return reads[0]
        if reads:
            return Absent(SEVERAL_SCANS)
        return Absent(NO_READ if (plan, patient) in self.scanned else NO_SCAN)

    @property
    def plans(self) -> list[str]:
        return sorted({plan for plan, _ in self.found})


def read(rows: Rows) -> Readings:
    """The reads that count, of scans that were not cancelled."""
    scans = {one["scan"]: one for one in rows["scans"] if one["state"] != "cancelled"}
    by_scan: dict[int, Reading] = {}
    for one in rows["findings"]:
        if not one["is_accepted"] or one["scan"] not in scans:
            continue
        reading = by_scan.setdefault(one["scan"], Reading())
        number = one["lesion_number"]
        if number is None:
            continue
        reading.regions[number] = one["location"] or reading.regions.get(number, "")
        if one["test"] == "VISPOS" and one["value_text"] == NEGATIVE:
            reading.negative.add(number)
    found: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for scan, reading in sorted(by_scan.items()):
        found[_of(scans[scan])].append(reading)
    return Readings(found, frozenset(_of(one) for one in scans.values()))


def _of(scan: Row) -> tuple[str, str]:
    return str(scan["planned_scan"] or "not stated"), scan["patient"]


def shows(reading: Reading | Absent, unit: Unit, level: str, truths: Truths) -> bool | Absent:
    """Whether a reading shows what the panel decided about, or why that is not known."""
    if isinstance(reading, Absent):
        return reading
    shown = reading.shown
    if level == "patient":
        return bool(shown)
    if unit.region not in shown:
        # It may be this one that has no place.
        return Absent(NOT_PLACED) if "" in shown else False
    if level == "region":
        return True
    return True if truths.in_region(unit) == 1 else Absent(WHICH)


def elsewhere(readings: Readings, plan: str, truths: Truths) -> int:
    """Lesions that are shown where the panel decided nothing."""
    known = {(one.patient, one.region) for one in truths.units}
    return sum(
        (patient, region) not in known
        for (of, patient), reads in readings.found.items()
        if of == plan
        for reading in reads
        for region in reading.shown
    )
