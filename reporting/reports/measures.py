"""What two readers measured on the same scan: Bland-Altman, repeatability and ICC, by tracer.

A measure of a scan is what its reader's lesions or spheres come to, as a signed read states it.
The mistake to fear is one limit over two tracers, or over numbers that were not made in one way:
these stand apart, or are missing by that name.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reporting.reports.content import (
    Cell,
    Column,
    Estimate,
    Figure,
    Table,
    estimate_of,
    methods_of,
    reasons,
    words,
)
from reporting.reports.drawings import Differences
from reporting.reports.rows import Row, Rows
from reporting.statistics.agreement import bland_altman
from reporting.statistics.repeatability import (
    Model,
    intraclass_correlation,
    repeatability,
)
from reporting.statistics.results import Result, not_estimable
from trials.finding_tests import TESTS

MEASURES = ("SUVMAX", "SUVPEAK", "VOLUME", "UPTAKE", "DMAX", "ADRMAXL", "ADRMAXR", "ADRLIVL",
            "ADRLIVR", "ADRRATIO", "ADRINDEX")  # fmt: skip
# Zero stands for no difference of the sides, so that neither a mean nor a ratio of it is of use.
AROUND_ZERO = frozenset({"ADRINDEX"})
DRAWN = ("SUVMAX", "VOLUME", "ADRINDEX")
FEWEST_DRAWN = 3
NO_NUMBER = "one of the two readers has no number"
OTHER_WAY = "not measured in one way by both"
OTHER_COUNT = "read by another number of readers"
ALL = "all readers"
NUMBERS = "pairs of numbers"
INTERVALS = (
    "Limits: bias -/+ 1.96 SD of the differences (n - 1). 95% intervals: of the bias by t, of the "
    "SD by chi-square, of the limits by t with the error √(3/n) SD (Bland & Altman 1986). "
    "Where all differences are the same there is no interval."
)
NOTHING_TWICE = (
    "What is repeated is the reading of the same images: scanner and biology are not in these "
    "numbers. Test and retest scans have a report of their own, Repeatability."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What two readers measured on one scan, the reader of the lower number first."""

    scan: int
    first: float
    second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """One measure of one tracer by two readers."""

    tracer: str
    test: str
    readers: tuple[int, int]
    found: tuple[Measured, ...]
    missing: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        return f"{TESTS[self.test].name}, {self.tracer}"

    @property
    def unit(self) -> str:
        return TESTS[self.test].unit or "1"

    @property
    def named(self) -> str:
        return f"{self.readers[0]} and {self.readers[1]}"

    @property
    def first(self) -> list[float]:
        return [one.first for one in self.found]

    @property
    def second(self) -> list[float]:
        return [one.second for one in self.found]


def between_readers(rows: Rows) -> list[Table | Figure]:
    """Tables and figures of what two readers measured; none where nothing was."""
    found = [*measured_twice(rows)]
    if not any(one.found for one in found):
        return []
    parts: list[Table | Figure] = [_limits(found)]
    ratios = _ratios(found)
    if ratios.rows:
        parts.append(ratios)
    return [*parts, _repeated(found, rows), *_drawn(found)]


def measured_twice(rows: Rows) -> Iterator[Twice]:
    """Each measure of each tracer by each two readers of its scans."""
    tracers = {one["scan"]: one["tracer"] for one in rows["scans"]}
    pairs: dict[tuple[int, int], set[int]] = defaultdict(set)
    for one in rows["reader_agreement"]:
        first, second = sorted((one["first_reader"], one["second_reader"]))
        pairs[first, second].add(one["scan"])
    numbers = _numbers(rows["findings"])
    for test in MEASURES:
        for tracer in sorted({str(tracers.get(scan, "not stated")) for scan in numbers[test]}):
            for readers, scans in sorted(pairs.items()):
                here = {one for one in scans if str(tracers.get(one, "not stated")) == tracer}
                if here:
                    yield _twice(tracer, test, readers, here, numbers[test])


# Of a scan, by reader: how it was measured, and the number.
Numbers = dict[int, dict[int, tuple[str, float]]]


def _numbers(findings: Sequence[Row]) -> dict[str, Numbers]:
    found: dict[str, Numbers] = defaultdict(lambda: defaultdict(dict))
    for one in findings:
        is_of_scan = one["lesion_number"] is None and one["role"] == "reader"
        if is_of_scan and one["test"] in MEASURES and one["value_number"] is not None:
            how = f"{one['method'] or ''}, {one['unit'] or ''}"
            found[one["test"]][one["scan"]][one["reader"]] = how, one["value_number"]
    return found


def _twice(
    tracer: str, test: str, readers: tuple[int, int], scans: set[int], numbers: Numbers
) -> Twice:
    found, lost = [], Counter[str]()
    for scan in sorted(scans):
        sides = [numbers.get(scan, {}).get(reader) for reader in readers]
        first, second = sides
        if first is None or second is None:
            lost[NO_NUMBER] += 1
        elif first[0] != second[0]:
            lost[OTHER_WAY] += 1
        else:
            found.append(Measured(scan, first[1], second[1]))
    return Twice(
        tracer=tracer, test=test, readers=readers, found=tuple(found), missing=reasons(lost)
    )


def _lost(found: Sequence[Twice]) -> Counter[str]:
    lost: Counter[str] = Counter()
    for one in found:
        lost.update(dict(one.missing))
    return lost


def _n(found: Sequence[Twice]) -> int:
    return sum(len(one.found) for one in found)


def _limits(found: Sequence[Twice]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        limits = bland_altman(one.first, one.second, unit=one.unit)
        rows.append((one.name, one.unit, one.named, len(one.found),
                     *(estimate_of(each) for each in limits.values())))  # fmt: skip
    return Table(
        title="Limits of agreement of two readers (Bland-Altman)",
        columns=(
            words("measure", "Measure"),
            words("unit", "Unit"),
            words("readers", "Readers"),
            Column("n", "Scans"),
            Column("bias", "Bias (95% interval)", digits=2),
            Column("sd", "SD (95% interval)", digits=2),
            Column("lower_limit", "Lower limit (95% interval)", digits=2),
            Column("upper_limit", "Upper limit (95% interval)", digits=2),
        ),
        rows=tuple(rows),
        notes=("Differences are the reader of the lower number less the other. Scans of one "
               "patient are taken as independent.", INTERVALS),
        n=_n(found),
        of=NUMBERS,
        missing=reasons(_lost(found)),
    )  # fmt: skip


def _ratios(found: Sequence[Twice]) -> Table:
    """The same on logarithms, for what is positive: readers differ by a share, not by a number."""
    rows: list[tuple[Cell, ...]] = []
    shown = []
    for one in found:
        numbers = [*one.first, *one.second]
        if one.test in AROUND_ZERO or not numbers or min(numbers) <= 0:
            continue
        logs = [[math.log(each) for each in side] for side in (one.first, one.second)]
        limits = bland_altman(*logs, unit="1")
        bias, _, lower, upper = limits.values()
        shown.append(one)
        rows.append((one.name, one.named, len(one.found),
                     *(_exp(each) for each in (bias, lower, upper))))  # fmt: skip
    return Table(
        title="Ratio of two readers: limits of agreement on logarithms",
        columns=(
            words("measure", "Measure"),
            words("readers", "Readers"),
            Column("n", "Scans"),
            Column("ratio", "Geometric mean ratio (95% interval)", digits=3),
            Column("lower_limit", "Lower limit (95% interval)", digits=3),
            Column("upper_limit", "Upper limit (95% interval)", digits=3),
        ),
        rows=tuple(rows),
        notes=("The reader of the lower number over the other. Differences of uptake and volume "
               "grow with what is measured; ratios need not. A measure with a number that is not "
               "positive is left out.", INTERVALS),
        n=_n(shown),
        of=NUMBERS,
        missing=reasons(_lost(shown)),
    )  # fmt: skip


def _exp(result: Result) -> Estimate:
    cell = estimate_of(result)
    if cell.value is None:
        return cell
    ends = [None if one is None else math.exp(one) for one in (cell.lower, cell.upper)]
    return Estimate(value=math.exp(cell.value), lower=ends[0], upper=ends[1])


def _repeated(found: Sequence[Twice], rows: Rows) -> Table:
    table: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        values = np.array([one.first, one.second], dtype=float).T.reshape(-1, 2)
        table.append(_precision(one, one.named, values, "ICC(2,1)", results))
    lost = _lost(found)
    for one, values, out in _together(found, rows):
        table.append(_precision(one, ALL, values, "ICC(1,1)", results))
        lost[OTHER_COUNT] += out
    return Table(
        title="Repeatability of readings of the same images",
        columns=(
            words("measure", "Measure"),
            words("unit", "Unit"),
            words("readers", "Readers"),
            Column("n", "Scans"),
            Column("wsd", "Within-scan SD (95% interval)", digits=3),
            Column("rc", "Repeatability coefficient (95% interval)", digits=3),
            Column("wcv", "Within-scan CV (95% interval)", "%"),
            Column("icc", "ICC (95% interval)", digits=3),
            words("model", "Model"),
        ),
        rows=tuple(table),
        notes=(
            NOTHING_TWICE,
            "Within-scan SD: square root of half the mean squared difference; repeatability "
            "coefficient 1.96 √2 times that; CV over the mean of all numbers.",
            "ICC of single readings (Shrout & Fleiss 1979): of two readers ICC(2,1), two-way "
            "random with absolute agreement; of all readers ICC(1,1), one-way, as each scan has "
            "other readers.",
            *methods_of(results),
        ),
        n=_n(found),
        of=NUMBERS,
        missing=reasons(lost),
    )


def _precision(
    one: Twice, named: str, values: np.ndarray, model: Model, results: list[Result]
) -> tuple[Cell, ...]:
    spread = repeatability(values[:, 0].tolist(), values[:, 1].tolist(), unit=one.unit)
    if one.test in AROUND_ZERO:
        name = "within-subject CV"
        reason = "zero of this index is no difference, not nothing"
        spread[name] = not_estimable(name, reason, n=len(values))
    icc = intraclass_correlation(values, model=model)
    results += [*spread.values(), replace(icc, notes=())]
    return (
        one.name,
        one.unit,
        named,
        len(values),
        estimate_of(spread["within-subject SD"]),
        estimate_of(spread["repeatability coefficient"]),
        estimate_of(spread["within-subject CV"], scale=100),
        estimate_of(icc),
        model,
    )


def _together(found: Sequence[Twice], rows: Rows) -> Iterator[tuple[Twice, np.ndarray, int]]:
    """Over several pairs of readers: scans that two readers measured, and how many more did."""
    by_measure: dict[tuple[str, str], list[Twice]] = defaultdict(list)
    for one in found:
        by_measure[one.tracer, one.test].append(one)
    times = Counter(one["scan"] for one in _one_row_a_pair(rows))
    for same in by_measure.values():
        if len(same) < 2:
            continue
        pairs = [each for one in same for each in one.found]
        twice = [each for each in pairs if times[each.scan] == 1]
        values = np.array([(each.first, each.second) for each in twice], dtype=float)
        out = len({each.scan for each in pairs} - {each.scan for each in twice})
        yield same[0], values.reshape(-1, 2), out


def _one_row_a_pair(rows: Rows) -> list[Row]:
    return [
        *{(one["first_read"], one["second_read"]): one for one in rows["reader_agreement"]}.values()
    ]


def _drawn(found: Sequence[Twice]) -> Iterator[Figure]:
    for one in found:
        if one.test not in DRAWN or len(one.found) < FEWEST_DRAWN:
            continue
        limits = bland_altman(one.first, one.second, unit=one.unit)
        bias, _, lower, upper = (estimate_of(each) for each in limits.values())
        if bias.value is None or lower.value is None or upper.value is None:
            continue
        unit = "" if one.unit == "1" else f", {one.unit}"
        yield Figure(
            title=f"{one.name}: differences of readers {one.named} over their mean",
            n=len(one.found),
            of="scans",
            missing=one.missing,
            notes=("Line: bias; dashed: limits of agreement at 1.96 SD; shades: 95% intervals of "
                   "the three (t; of the limits by Bland & Altman 1986).",),
            drawing=Differences(
                points=tuple(((each.first + each.second) / 2, each.first - each.second)
                             for each in one.found),
                bias=bias.value,
                low=lower.value,
                high=upper.value,
                across=f"Mean of both readers{unit}",
                up=f"Reader {one.readers[0]} less {one.readers[1]}{unit}",
                bands=tuple((each.lower, each.upper) for each in (lower, bias, upper)
                            if each.lower is not None and each.upper is not None),
            ),
            alternative=f"Scatter of differences over means of {len(one.found)} scans: bias "
            f"{bias.value:.2f}, limits of agreement {lower.value:.2f} to {upper.value:.2f}{unit}.",
        )  # fmt: skip
