"""What was measured twice: on test and retest scans that compare, by level, quantity and reader.

The mistake to fear is a number of one scan beside that of another place, reader or method in the
other: a lesion is one on both scans because its reader signed that, and what was split, seen on one
scan alone, read twice over or measured in another way is missing by that name.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reporting.datasets.columns import REGION_KIND
from reporting.reports.content import reasons
from reporting.reports.rows import Row, Rows
from trials import retests
from trials.finding_tests import TESTS

ORGANS = dict(REGION_KIND.codes)
TIMES = "times"
# Ends the reason of a pair of scans, of which a lesion or an organ has none of its own.
REFUSED = " (both scans)"
NOT_COMPARED = f"no comparison of the reader that is signed{REFUSED}"
ONE_ALONE = "lesions on one of the two scans alone"
NOT_COVERED = "lesions outside the other scan"
IN_PARTS = "lesions split or merged between the scans"
SEVERAL_READS = "with several reads of a scan by the reader"
NO_NUMBER = "without a number on one of the two scans"
OTHER_WAY = "not measured in one way on both scans"
SEVERAL_SPHERES = "with several spheres in the organ on a scan"
NO_SPHERE = "without a sphere that a reader stands for on one of the two scans"


@dataclass(frozen=True, slots=True)
class Measured:
    """One thing measured twice in one patient."""

    patient: str
    first: float
    second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """One quantity at one level by one reader; of lesions a patient has several."""

    level: str
    quantity: str
    unit: str
    tracer: str
    scans: str
    reader: str
    of: str
    found: tuple[Measured, ...]
    missing: tuple[tuple[str, int], ...]
    is_drawn: bool

    @property
    def name(self) -> str:
        return f"{self.quantity} of {self.level.lower()}"

    @property
    def first(self) -> list[float]:
        return [one.first for one in self.found]

    @property
    def second(self) -> list[float]:
        return [one.second for one in self.found]

    @property
    def logs(self) -> tuple[list[float], list[float]] | None:
        """Natural logarithms of both sides; None where a number has none."""
        if min(*self.first, *self.second) <= 0:
            return None
        return [math.log(each) for each in self.first], [math.log(each) for each in self.second]

    @property
    def patients(self) -> list[str]:
        return [one.patient for one in self.found]

    @property
    def patient_count(self) -> int:
        return len(set(self.patients))


@dataclass(frozen=True, slots=True)
class Study:
    """All pairs of scans by one rule of the protocol: those that compare, and why others do not."""

    tracer: str
    scans: str
    quantities: tuple[str, ...]
    organs: tuple[str, ...]
    pairs: tuple[Row, ...]
    refused: tuple[tuple[str, int], ...]


# Why something is missing, and how often.
Lost = tuple[tuple[str, int], ...]
# A value with the way it was measured, or why there is none.
Value = tuple[str, float] | str


def repeats(rows: Rows) -> Iterator[Repeats]:
    """Each level, quantity and reader of each rule, also where nothing was found."""
    findings = Findings(rows["findings"])
    for study in studies(rows["retests"]):
        yield from _of_lesions(study, rows, findings)
        yield from _of_patients(study, findings)
        yield from _of_organs(study, rows["organs"])


def studies(marked: Sequence[Row]) -> Iterator[Study]:
    """Retests by tracer and the two planned scans; the newest rule says what is compared."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for one in marked:
        groups[one["tracer"], one["first_planned"], one["second_planned"]].append(one)
    for (tracer, first, second), mine in sorted(groups.items()):
        lost = Counter(first_refusal(one) for one in mine if not one["is_comparable"])
        yield Study(
            tracer=tracer,
            scans=f"{first} and {second}",
            quantities=_said(mine, "compared"),
            organs=_said(mine, "organs"),
            pairs=tuple(one for one in mine if one["is_comparable"]),
            refused=tuple((f"{why}{REFUSED}", n) for why, n in sorted(lost.items())),
        )


def _said(mine: Iterable[Row], column: str) -> tuple[str, ...]:
    """What any version of the rule names, in its order."""
    return tuple(dict.fromkeys(name for one in mine for name in (one[column] or "").split()))


def first_refusal(one: Row) -> str:
    """A pair counts once, for the first reason that it does not compare."""
    code = (one["refusals"] or "").split()[0]
    return retests.REFUSALS.get(code, code)


class Findings:
    """Numbers of reads that stand, by scan, reader and lesion; None is the scan as a whole."""

    def __init__(self, findings: Sequence[Row]) -> None:
        self._reads: dict[tuple[int, int], set[int]] = defaultdict(set)
        self._numbers: dict[tuple[int, int, int | None, str], tuple[str, float]] = {}
        for one in findings:
            if one["role"] != "reader":
                continue
            by = one["scan"], one["reader"]
            self._reads[by].add(one["read"])
            if one["value_number"] is not None:
                how = f"{one['method'] or ''}, {one['unit'] or ''}"
                self._numbers[(*by, one["lesion_number"], one["test"])] = how, one["value_number"]

    def readers(self, scans: Iterable[int]) -> list[int]:
        wanted = set(scans)
        return sorted({reader for scan, reader in self._reads if scan in wanted})

    def value(self, scan: int, reader: int, lesion: int | None, test: str) -> Value:
        """The number, or why there is none."""
        if len(self._reads.get((scan, reader), ())) > 1:
            return SEVERAL_READS
        return self._numbers.get((scan, reader, lesion, test), NO_NUMBER)


def _both(patient: str, first: Value, second: Value, lost: Counter[str]) -> Iterator[Measured]:
    """The two as one measurement, or its reason counted."""
    if isinstance(first, str) or isinstance(second, str):
        lost[first if isinstance(first, str) else str(second)] += 1
    elif first[0] != second[0]:
        lost[OTHER_WAY] += 1
    else:
        yield Measured(patient, first[1], second[1])


def _of_lesions(study: Study, rows: Rows, findings: Findings) -> Iterator[Repeats]:
    """Places of disease that a reader signed as one on both scans."""
    scans = {frozenset((one["first_scan"], one["second_scan"])): one for one in study.pairs}
    compared: dict[int, set[frozenset[int]]] = defaultdict(set)
    for one in rows["comparisons"]:
        both = frozenset((one["first_scan"], one["second_scan"]))
        if one["kind"] == TIMES and both in scans:
            compared[one["reader"]].add(both)
    places: dict[int, list[Row]] = defaultdict(list)
    for one in rows["pairs"]:
        if frozenset((one["first_scan"], one["second_scan"])) in compared[one["reader"]]:
            places[one["reader"]].append(one)
    for reader in sorted(name for name, mine in compared.items() if mine):
        for quantity in study.quantities:
            test = retests.QUANTITIES[quantity][0]
            lost = Counter(dict(study.refused))
            lost[NOT_COMPARED] += len(scans.keys() - compared[reader])
            found = [
                measured
                for place in places[reader]
                for measured in _place(place, scans, test, findings, lost)
            ]
            yield _repeats(study, "lesions", test, str(reader), "lesions", found, lost)


def _place(
    place: Row,
    scans: dict[frozenset[int], Row],
    test: str,
    findings: Findings,
    lost: Counter[str],
) -> Iterator[Measured]:
    if place["outcome"] == "not-covered":
        lost[NOT_COVERED] += 1
    elif place["outcome"] != "both":
        lost[ONE_ALONE] += 1
    elif place["first_parts"] or place["second_parts"]:
        lost[IN_PARTS] += 1
    else:
        pair = scans[frozenset((place["first_scan"], place["second_scan"]))]
        # A comparison goes by the planned times; test and retest by the protocol.
        sides = {place[f"{side}_scan"]: place[f"{side}_lesion"] for side in ("first", "second")}
        values = [
            findings.value(scan, place["reader"], sides[scan], test)
            for scan in (pair["first_scan"], pair["second_scan"])
        ]
        yield from _both(place["usubjid"], values[0], values[1], lost)


def _of_patients(study: Study, findings: Findings) -> Iterator[Repeats]:
    """What all lesions of a scan come to, as the signed read states it."""
    both = [(one["first_scan"], one["second_scan"]) for one in study.pairs]
    for reader in findings.readers(scan for pair in both for scan in pair):
        for quantity in study.quantities:
            test = retests.QUANTITIES[quantity][0]
            # Of a scan only what a read states: no mean over lesions of several sizes.
            if not TESTS[test].of_scan:
                continue
            lost = Counter(dict(study.refused))
            found = [
                measured
                for pair in study.pairs
                for measured in _both(
                    pair["usubjid"],
                    findings.value(pair["first_scan"], reader, None, test),
                    findings.value(pair["second_scan"], reader, None, test),
                    lost,
                )
            ]
            yield _repeats(study, "patients", test, str(reader), "patients", found, lost)


def _of_organs(study: Study, organs: Sequence[Row]) -> Iterator[Repeats]:
    spheres: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for one in organs:
        spheres[one["scan"], one["region_kind"]].append(one)
    for organ in study.organs:
        lost = Counter(dict(study.refused))
        found = [
            measured
            for pair in study.pairs
            for measured in _both(
                pair["usubjid"],
                _sphere(spheres.get((pair["first_scan"], organ), [])),
                _sphere(spheres.get((pair["second_scan"], organ), [])),
                lost,
            )
        ]
        yield _repeats(study, ORGANS[organ], "SUVMEAN", "accepted", "patients", found, lost)


def _sphere(spheres: Sequence[Row]) -> Value:
    if len(spheres) == 1:
        return "", spheres[0]["suvmean"]
    return SEVERAL_SPHERES if spheres else NO_SPHERE


def _repeats(
    study: Study,
    level: str,
    test: str,
    reader: str,
    of: str,
    found: Sequence[Measured],
    lost: Counter[str],
) -> Repeats:
    return Repeats(
        level=level,
        quantity=TESTS[test].name,
        unit=TESTS[test].unit,
        tracer=study.tracer,
        scans=study.scans,
        reader=reader,
        of=of,
        found=tuple(found),
        missing=tuple(sorted((why, count) for why, count in lost.items() if count)),
        is_drawn=level in ORGANS.values() or test in _drawn(study),
    )


def _drawn(study: Study) -> set[str]:
    """What figures show of lesions: the first that the protocol names, and the volume."""
    named = [retests.QUANTITIES[name][0] for name in study.quantities]
    return {*named[:1], *({"VOLUME"} & set(named))}


def counted(found: Sequence[Repeats]) -> int:
    """What was measured twice, each thing once however many quantities were measured of it."""
    most: dict[tuple[str, ...], int] = {}
    for one in found:
        key = one.tracer, one.scans, one.level, one.reader
        most[key] = max(most.get(key, 0), len(one.found))
    return sum(most.values())


def lost_of(found: Sequence[Repeats]) -> Lost:
    """What is missing, each thing once; a pair of scans that does not compare, once for all."""
    most: dict[tuple[str, ...], int] = {}
    for one in found:
        for reason, count in one.missing:
            of = (
                ()
                if reason.endswith(REFUSED) and reason != NOT_COMPARED
                else (one.level, one.reader)
            )
            key = (reason, one.tracer, one.scans, *of)
            most[key] = max(most.get(key, 0), count)
    lost: Counter[str] = Counter()
    for (reason, *_), count in most.items():
        lost[reason] += count
    return reasons(lost)
