"""Lesions by patient, scan and lesion, and their uptake by tracer, site and tumour type.

A lesion is what the reader of the read that counts called one; regions that only a threshold found
are none. The ratio to background is the lesion's SUVmax over the mean of the sphere that a reader
stands for in the same run. Numbers of two tracers, or by two definitions, are never in one mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from imaging.reading_terms import REGIONS
from reporting.datasets.columns import REGION_KIND
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    Share,
    Table,
    estimate_of,
    methods_of,
    reasons,
    words,
)
from reporting.reports.drawings import Strips
from reporting.reports.rows import Row, Rows
from reporting.reports.spreads import QUARTILES, columns, spread
from reporting.statistics.proportions import proportion
from trials.variables import VARIABLES

EMPTY = "No signed read counts for a scan yet."
TYPE = "diagnosis.group"
NOT_STATED = "not stated"
BACKGROUNDS = ("blood_pool", "liver", "muscle", "contralateral_brain")
NOT_COUNTED = "scans with signed reads of which none counts yet"
# Findings of a lesion: name of the column, label, unit.
QUANTITIES = {
    "SUVMAX": ("suvmax", "SUVmax", "g/mL"),
    "SUVMEAN": ("suvmean", "SUVmean", "g/mL"),
    "SUVPEAK": ("suvpeak", "SUVpeak", "g/mL"),
    "VOLUME": ("volume", "Volume (MTV)", "mL"),
    "UPTAKE": ("uptake", "Total uptake (TLG of FDG)", "g"),
}
OF_SCAN = {
    "LESNUM": ("lesions", "Lesions", ""),
    "SUVMAX": ("suvmax", "Highest SUVmax", "g/mL"),
    "SUVPEAK": ("suvpeak", "Highest SUVpeak", "g/mL"),
    "VOLUME": ("volume", "Volume (MTV)", "mL"),
    "UPTAKE": ("uptake", "Total uptake (TLG of FDG)", "g"),
    "DMAX": ("dmax", "Largest distance", "mm"),
}
COUNTS = (
    "Of the read that counts for a scan: of a single reader, of readers who agree, or adjudicated. "
    "Uptake is SUVbw; total uptake is SUVmean times volume, of FDG total lesion glycolysis."
)
CLUSTERED = "Lesions of one patient are not independent: this describes, and tests nothing."


@dataclass(frozen=True, slots=True)
class Group:
    """A scan of a patient, as far as a table tells it apart."""

    patient: str
    tracer: str
    plan: str
    type: str


@dataclass(slots=True)
class Read:
    """What the read that counts found on one scan, of the scan and by lesion."""

    scan: int
    group: Group
    whole: dict[str, float] = field(default_factory=dict)
    lesions: dict[int, Lesion] = field(default_factory=dict)


@dataclass(slots=True)
class Lesion:
    """One lesion: where the reader says it lies, its numbers by test, and ratios by background."""

    site: str = NOT_STATED
    peak: str = ""
    numbers: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)


def tables(rows: Rows) -> Content:
    """Lesion by lesion, scan by scan, and summed up by site and by tumour type."""
    reads = read_scans(rows)
    if not reads:
        return Content(why_empty=EMPTY)
    lost = reasons({NOT_COUNTED: len({one["scan"] for one in rows["findings"]} - set(reads))})
    every = [*reads.values()]
    parts: list[Table | Figure] = [_counts(every, lost)]
    if any(one.lesions for one in every):
        parts += [_summary(every, "site", lost), _summary(every, "type", lost)]
        parts += _figures(every, lost)
    parts.append(_scans(every, lost))
    if any(one.lesions for one in every):
        parts.append(_each(every, lost))
    return Content(parts=tuple(parts))


def read_scans(rows: Rows) -> dict[int, Read]:
    """The reads that count, by scan, in the order of patients and tracers."""
    scans = {one["scan"]: one for one in rows["scans"]}
    types = tumour_types(rows["evidence"])
    spheres = _spheres(rows["organs"])
    labels = dict(REGIONS)
    found: dict[int, Read] = {}
    for one in rows["findings"]:
        if not one["is_accepted"]:
            continue
        scan = scans.get(one["scan"], {})
        group = Group(
            str(one["patient"]),
            str(scan.get("tracer") or NOT_STATED),
            str(scan.get("planned_scan") or NOT_STATED),
            types.get(one["usubjid"], NOT_STATED),
        )
        read = found.setdefault(one["scan"], Read(one["scan"], group))
        if one["lesion_number"] is None:
            if one["value_number"] is not None:
                read.whole[one["test"]] = one["value_number"]
            continue
        lesion = read.lesions.setdefault(one["lesion_number"], Lesion())
        if one["location"]:
            lesion.site = labels.get(one["location"]) or str(one["location"])
        if one["value_number"] is None:
            continue
        lesion.numbers[one["test"]] = one["value_number"]
        if one["test"] == "SUVPEAK":
            lesion.peak = str(one["method"] or "")
        if one["test"] == "SUVMAX":
            for kind, mean in spheres.get((one["scan"], one["run"]), {}).items():
                lesion.ratios[kind] = one["value_number"] / mean
    order = sorted(found.values(), key=lambda read: (read.group.patient, read.group.tracer,
                                                     read.scan))  # fmt: skip
    return {read.scan: read for read in order}


def tumour_types(evidence: Sequence[Row]) -> dict[str, str]:
    """The group of diagnoses that stands in the record of each patient."""
    labels = dict(VARIABLES[TYPE].choices)
    return {
        one["usubjid"]: labels.get(one["value"], str(one["value"]))
        for one in evidence
        if one["variable"] == TYPE and one.get("value")
    }


def _spheres(organs: Sequence[Row]) -> dict[tuple[int, int], dict[str, float]]:
    """Means of background by scan and run; of two spheres in one place there is none."""
    found: dict[tuple[int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in organs:
        if one["region_kind"] in BACKGROUNDS and one["suvmean"] > 0:
            found[one["scan"], one["run"]][one["region_kind"]].append(one["suvmean"])
    return {
        key: {kind: means[0] for kind, means in kinds.items() if len(means) == 1}
        for key, kinds in found.items()
    }


def _number(reads: Sequence[Read]) -> int:
    return sum(len(one.lesions) for one in reads)


def _counts(reads: Sequence[Read], lost: tuple[tuple[str, int], ...]) -> Table:
    by_group: dict[tuple[str, str, str], list[Read]] = defaultdict(list)
    for one in reads:
        by_group[one.group.tracer, one.group.plan, one.group.type].append(one)
    rates, rows = [], []
    for group, mine in sorted(by_group.items()):
        shown = Share(sum(bool(one.lesions) for one in mine), len(mine))
        rates.append(proportion(shown.count, shown.of, name="share of scans with a lesion"))
        counts = [len(one.lesions) for one in mine]
        rows.append((*group, len({one.group.patient for one in mine}), shown,
                     estimate_of(rates[-1], scale=100), sum(counts), float(np.median(counts)),
                     min(counts), max(counts)))  # fmt: skip
    return Table(
        title="Lesions by tracer and tumour type: counts",
        n=len(reads),
        of="scans",
        missing=lost,
        columns=(
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            words("tumour_type", "Tumour type"),
            Column("patients", "Patients"),
            Column("with_lesion", "Scans with a lesion"),
            Column("rate", "Rate (95% interval)", "%"),
            Column("lesions", "Lesions"),
            Column("median", "Median a scan"),
            Column("minimum", "Least"),
            Column("maximum", "Most"),
        ),
        rows=tuple(rows),
        notes=(COUNTS, "Tumour type: the group of diagnoses in the record.", *methods_of(rates)),
    )


# What is summed up: label with its definition, unit, and the value of a lesion.
Taken = tuple[str, str, Callable[[Lesion], float | None]]


def _taken(reads: Sequence[Read]) -> Iterator[Taken]:
    """What lesions have: quantities, SUVpeak by its definition, ratios by background."""
    lesions = [lesion for one in reads for lesion in one.lesions.values()]
    for test, (_, label, unit) in QUANTITIES.items():
        if test == "SUVPEAK":
            for how in sorted({one.peak for one in lesions if test in one.numbers}):
                yield f"{label}, {_how(how)}" if how else label, unit, _peak(how)
        elif test != "SUVMEAN":
            yield label, unit, _of(test)
    for kind in _kinds(reads):
        yield f"TBR, {_background(kind)}", "", _ratio(kind)


def _of(test: str) -> Callable[[Lesion], float | None]:
    return lambda lesion: lesion.numbers.get(test)


def _peak(how: str) -> Callable[[Lesion], float | None]:
    return lambda lesion: lesion.numbers.get("SUVPEAK") if lesion.peak == how else None


def _ratio(kind: str) -> Callable[[Lesion], float | None]:
    return lambda lesion: lesion.ratios.get(kind)


def _kinds(reads: Sequence[Read]) -> list[str]:
    there = {kind for one in reads for lesion in one.lesions.values() for kind in lesion.ratios}
    return [kind for kind in BACKGROUNDS if kind in there]


def _background(kind: str) -> str:
    return dict(REGION_KIND.codes)[kind].split(";")[0].lower()


def _how(definition: str) -> str:
    return definition.replace("_", " ")


GROUPINGS: Mapping[str, tuple[str, str]] = {
    "site": ("site", "Site of the lesion"),
    "type": ("tumour type", "Tumour type"),
}


Grouped = dict[tuple[str, str, str], list[tuple[str, Lesion]]]


def _grouped(reads: Sequence[Read], by: str) -> Grouped:
    """Lesions with their patients, by tracer and plan and the site or the tumour type."""
    found: Grouped = defaultdict(list)
    for one in reads:
        for _, lesion in sorted(one.lesions.items()):
            key = lesion.site if by == "site" else one.group.type
            found[one.group.tracer, one.group.plan, key].append((one.group.patient, lesion))
    return dict(sorted(found.items()))


def _summary(reads: Sequence[Read], by: str, lost: tuple[tuple[str, int], ...]) -> Table:
    name, label = GROUPINGS[by]
    rows: list[tuple[Cell, ...]] = []
    for what, unit, value in _taken(reads):
        for group, mine in _grouped(reads, by).items():
            pairs = [(patient, number) for patient, one in mine
                     if (number := value(one)) is not None]  # fmt: skip
            if not pairs:
                continue
            patients = len({patient for patient, _ in pairs})
            n, *cells = spread([number for _, number in pairs])
            rows.append(
                (
                    f"{what}, {unit}" if unit else what,
                    *group,
                    n,
                    len(mine) - len(pairs),
                    patients,
                    *cells,
                )
            )
    return Table(
        title=f"Uptake and volume of lesions by tracer and {name}",
        n=_number(reads),
        of="lesions",
        missing=lost,
        columns=(
            words("quantity", "Quantity"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            words(by, label),
            Column("n", "Lesions"),
            Column("missing", "Without"),
            Column("patients", "Patients"),
            *columns("", digits=2),
        ),
        rows=tuple(rows),
        notes=(COUNTS, CLUSTERED, QUARTILES, "Without: lesions that have no such number; of TBR "
               "those of scans without a sphere that a reader stands for, in the run that was "
               "read. TBR: SUVmax of the lesion over SUVmean of the sphere."),
    )  # fmt: skip


def _figures(reads: Sequence[Read], lost: tuple[tuple[str, int], ...]) -> Iterator[Figure]:
    for by, (name, _) in GROUPINGS.items():
        groups = []
        for (tracer, plan, key), mine in _grouped(reads, by).items():
            values = [one.numbers["SUVMAX"] for _, one in mine if "SUVMAX" in one.numbers]
            if values:
                groups.append((f"{key}, {tracer} ({plan})", values))
        told = "; ".join(
            f"{label}: {len(values)} lesions, median {np.median(values):.1f}, "
            f"{min(values):.1f} to {max(values):.1f}"
            for label, values in groups
        )
        yield Figure(
            title=f"SUVmax of lesions by {name} and tracer",
            n=sum(len(values) for _, values in groups),
            of="lesions",
            missing=lost,
            notes=("Dots are lesions; the bar above them is median and quartiles.", CLUSTERED),
            drawing=Strips(
                groups=tuple((label, tuple(values)) for label, values in groups),
                axis="SUVmax, g/mL",
                is_from_zero=True,
            ),
            alternative=f"Dot plot of SUVmax in g/mL by {name} and tracer. {told}.",
        )


def _scans(reads: Sequence[Read], lost: tuple[tuple[str, int], ...]) -> Table:
    return Table(
        title="Scans: lesions and their burden",
        n=len(reads),
        of="scans",
        missing=lost,
        columns=(
            words("patient", "Patient"),
            words("tumour_type", "Tumour type"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            *(Column(name, label, unit, digits=2) for name, label, unit in OF_SCAN.values()),
        ),
        rows=tuple(
            (one.group.patient, one.group.type, one.group.tracer, one.group.plan,
             *(_whole(test, one.whole.get(test)) for test in OF_SCAN))
            for one in reads
        ),
        notes=(COUNTS, "Volume and total uptake are sums over the lesions, distance is between "
               "two centroids; a dash where the read has no such number."),
    )  # fmt: skip


def _whole(test: str, value: float | None) -> Cell:
    return int(value) if test == "LESNUM" and value is not None else value


def _each(reads: Sequence[Read], lost: tuple[tuple[str, int], ...]) -> Table:
    kinds = _kinds(reads)
    return Table(
        title="Lesions, one by one",
        n=_number(reads),
        of=f"lesions on {sum(bool(one.lesions) for one in reads)} scans",
        missing=lost,
        columns=(
            words("patient", "Patient"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            Column("lesion", "Lesion"),
            words("site", "Site"),
            *(Column(name, label, unit, digits=2) for name, label, unit in QUANTITIES.values()),
            words("suvpeak_definition", "SUVpeak is"),
            *(Column(f"tbr_{kind}", f"TBR, {_background(kind)}", digits=2) for kind in kinds),
        ),
        rows=tuple(
            (one.group.patient, one.group.tracer, one.group.plan, number, lesion.site,
             *(lesion.numbers.get(test) for test in QUANTITIES), _how(lesion.peak),
             *(lesion.ratios.get(kind) for kind in kinds))
            for one in reads
            for number, lesion in sorted(one.lesions.items())
        ),
        notes=(COUNTS, "Lesions go by their number in the read. TBR: SUVmax of the lesion over "
               "SUVmean of the sphere that a reader stands for, in the run that was read; a dash "
               "where there is none."),
    )  # fmt: skip
