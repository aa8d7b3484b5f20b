"""ROC curves: what a read measured, against the truth panel, per patient and tracer.

The reference is the panel's word on the patient, decided from the reference evidence alone. Without
a truth of both classes nothing is estimable. Tests of uptake tell disease from none; the ratio of
the adrenals tells one side from both, and their index left from right.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Estimate,
    Figure,
    Share,
    Table,
    estimate_of,
    largest,
    methods_of,
    p_of,
    reasons,
    words,
)
from reporting.reports.drawings import Lines
from reporting.reports.rows import Row, Rows
from reporting.reports.truths import NO_TRUTH, OF_PATIENT, PRESENT, by_patient, unblinded
from reporting.statistics.accuracy import accuracy
from reporting.statistics.curves import (
    CutOff,
    area,
    area_difference,
    cut_offs,
    youden_cut_off,
)
from reporting.statistics.results import Result
from trials.finding_tests import TESTS

EMPTY = "Not estimable: the truth panel has decided about no patient yet."
TRUTH = OF_PATIENT
SIDES = {"LEFT": True, "RIGHT": True, "BILATERAL": False}
LEFT = {"LEFT": True, "RIGHT": False}
# What each measure tells from what; a higher value speaks for the first.
UPTAKE = ("SUVMAX", "SUVPEAK", "UPTAKE", "VOLUME", "LESNUM")
ADRENALS = {"ADRRATIO": ("one side, not both", SIDES), "ADRINDEX": ("left, not right", LEFT)}
DISEASE = "disease, not none"
TOLD_IN_FULL = ("SUVMAX", "ADRRATIO", "ADRINDEX")
# Of these a scan without a lesion has the lowest value there is.
OF_LESIONS = ("SUVMAX", "SUVPEAK")
NO_SIDE, OTHER_SIDE = "the truth has no side", "the truth is of another question"
NO_READ, NO_NUMBER = "no read that counts", "the read has no such number"

Scan = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Scores of one measure on one tracer by patient, with the truth of each."""

    test: str
    tracer: str
    plan: str
    told: str
    scores: Mapping[str, float]
    truth: Mapping[str, bool]
    missing: tuple[tuple[str, int], ...]

    @property
    def label(self) -> str:
        return f"{TESTS[self.test].name}: {self.told}"

    @property
    def on(self) -> str:
        return f"{self.tracer} ({self.plan})"

    @property
    def pair(self) -> tuple[list[float], list[bool]]:
        """Scores and truth in the order of patients."""
        patients = sorted(self.scores)
        return [self.scores[one] for one in patients], [self.truth[one] for one in patients]

    @property
    def has_both(self) -> bool:
        return len({self.truth[one] for one in self.scores}) == 2


def curves(rows: Rows) -> Content:
    """Areas, their paired differences, cut-offs and curves."""
    entries = rows[TRUTH]
    if not entries:
        return Content(why_empty=EMPTY)
    found = [*measured(rows)]
    parts: list[Table | Figure] = [_areas(found, _said(unblinded(entries)), entries)]
    differences = _differences(found)
    if differences.rows:
        parts.append(differences)
    if any(one.has_both for one in found):
        parts += [_best(found), *_cut_offs(found), *_drawn(found)]
    return Content(parts=tuple(parts))


def _said(unblinded: int) -> tuple[str, ...]:
    if not unblinded:
        return ()
    return (f"Entries that the panel last changed knowing the index test: {unblinded}.",)


def measured(rows: Rows) -> Iterator[Curve]:
    """Each measure on each tracer and plan that a read which counts has."""
    truths, why = by_patient(rows[TRUTH])
    scans = {one["scan"]: one for one in rows["scans"]}
    patients: dict[Scan, set[str]] = defaultdict(set)
    for one in scans.values():
        if one["state"] != "cancelled":
            patients[_on(one)].add(one["patient"])
    numbers, read = _numbers(rows["findings"], scans)
    for test in (*UPTAKE, *ADRENALS):
        for on in sorted(patients):
            if numbers[test, on]:
                yield _curve(test, on, patients[on], numbers[test, on], read[on], truths, why)


def _on(scan: Row) -> Scan:
    return str(scan["tracer"] or "not stated"), str(scan["planned_scan"] or "not stated")


Numbers = dict[tuple[str, Scan], dict[str, float]]


def _numbers(
    findings: Sequence[Row], scans: Mapping[int, Row]
) -> tuple[Numbers, dict[Scan, set[str]]]:
    """What reads that count state of a scan, by test; a scan without a lesion has no uptake."""
    numbers: Numbers = defaultdict(dict)
    read: dict[Scan, set[str]] = defaultdict(set)
    for one in findings:
        if not one["is_accepted"] or one["lesion_number"] is not None or one["scan"] not in scans:
            continue
        on = _on(scans[one["scan"]])
        read[on].add(one["patient"])
        if one["value_number"] is not None:
            numbers[one["test"], on][one["patient"]] = one["value_number"]
    for on in read:
        for patient, count in numbers["LESNUM", on].items():
            for test in OF_LESIONS if count == 0 else ():
                numbers[test, on].setdefault(patient, 0.0)
    return numbers, read


def _curve(
    test: str,
    on: Scan,
    patients: set[str],
    numbers: Mapping[str, float],
    read: set[str],
    truths: Mapping[str, Row],
    why: Mapping[str, str],
) -> Curve:
    told, of_side = ADRENALS.get(test, (DISEASE, None))
    scores, truth = {}, {}
    lost: Counter[str] = Counter()
    for patient in sorted(patients):
        entry = truths.get(patient)
        is_so = None if entry is None else _class(entry, of_side)
        if entry is None:
            lost[why.get(patient, NO_TRUTH)] += 1
        elif patient not in read:
            lost[NO_READ] += 1
        elif patient not in numbers:
            lost[NO_NUMBER] += 1
        elif is_so is None:
            lost[OTHER_SIDE if entry.get("side") else NO_SIDE] += 1
        else:
            scores[patient], truth[patient] = numbers[patient], is_so
    return Curve(
        test=test,
        tracer=on[0],
        plan=on[1],
        told=told,
        scores=scores,
        truth=truth,
        missing=reasons(lost),
    )


def _class(entry: Row, of_side: Mapping[str, bool] | None) -> bool | None:
    if of_side is None:
        return bool(entry["truth"] == PRESENT)
    return of_side.get(str(entry.get("side"))) if entry["truth"] == PRESENT else None


PER_PATIENT = (
    "Of the read that counts for a scan. A higher value speaks for what is named first. A scan on "
    "which the reader found no lesion has the uptake 0, below any lesion: left out, it would "
    "flatter the area."
)


def _missing(found: Sequence[Curve]) -> tuple[tuple[str, int], ...]:
    """Of the curve that misses most, so that a patient is not counted with each measure."""
    return largest(one.missing for one in found)


def _counted(found: Sequence[Curve]) -> int:
    return len({patient for one in found for patient in one.scores})


def _areas(found: Sequence[Curve], notes: tuple[str, ...], entries: Sequence[Row]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        result = _named(area(*one.pair), one)
        results.append(result)
        diseased = sum(one.truth.values())
        rows.append((one.label, one.tracer, one.plan, diseased, len(one.scores) - diseased,
                     sum(count for _, count in one.missing), estimate_of(result)))  # fmt: skip
    missing = _missing(found)
    if not rows:
        decided = len({entry["patient"] for entry in entries})
        missing = reasons({NO_READ: decided})
        reason = Estimate(value=None, reason="not estimable: no read that counts has a number")
        rows.append(("None", "–", "–", 0, 0, decided, reason))
    return Table(
        title="Area under the ROC curve by measure and tracer",
        n=_counted(found),
        missing=missing,
        columns=(
            words("measure", "Measure and what it tells"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            Column("first", "Patients with it"),
            Column("others", "Without it"),
            Column("missing", "Missing"),
            Column("area", "Area (95% interval)", digits=3),
        ),
        rows=tuple(rows),
        notes=(PER_PATIENT, "Truth: the panel's word on the patient. Missing is told for the "
               "measure that lacks most.", *notes, *methods_of(results)),
    )  # fmt: skip


def _named(result: Result, one: Curve) -> Result:
    """With its measure, for the notes, and without the classes, which the table has."""
    notes = tuple(note for note in result.notes if "with disease" not in note)
    return replace(result, name=f"{one.label}, {one.on}", notes=notes)


def _differences(found: Sequence[Curve]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    lost: Counter[str] = Counter()
    both_of: set[str] = set()
    for one, other in combinations(found, 2):
        if one.test != other.test:
            continue
        both = sorted(set(one.scores) & set(other.scores))
        single = len(set(one.scores) ^ set(other.scores))
        lost["with one of the two tracers only"] = max(
            lost["with one of the two tracers only"], single
        )
        both_of |= set(both)
        truth = [one.truth[patient] for patient in both]
        sides = [[each.scores[patient] for patient in both] for each in (one, other)]
        result = area_difference(sides[0], sides[1], truth)
        results.append(replace(result, name=f"{one.label}, {one.on} less {other.on}"))
        z = result.test.statistic if result.test else None
        rows.append((one.label, one.on, other.on, len(both),
                     *(estimate_of(area(side, truth)) for side in sides),
                     estimate_of(result), z, p_of(result)))  # fmt: skip
    return Table(
        title="Two tracers in the same patients: difference of the areas",
        n=len(both_of),
        missing=reasons(lost),
        columns=(
            words("measure", "Measure and what it tells"),
            words("first", "First"),
            words("second", "Second"),
            Column("n", "n"),
            Column("first_area", "First area (95% interval)", digits=3),
            Column("second_area", "Second area (95% interval)", digits=3),
            Column("difference", "Difference (95% interval)", digits=3),
            Column("z", "Z", digits=2),
            Column("p", "P"),
        ),
        rows=tuple(rows),
        notes=methods_of(results),
    )


def _best(found: Sequence[Curve]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        best = youden_cut_off(*one.pair)
        if best is not None:
            cells, used = _performance(best)
            results += used
            rows.append((one.label, TESTS[one.test].unit or "1", one.on, best.at, *cells))
    return Table(
        title="Cut-offs of the largest Youden index",
        n=_counted(found),
        missing=_missing(found),
        columns=(
            words("measure", "Measure and what it tells"),
            words("unit", "Unit"),
            words("tracer", "Tracer and scan"),
            *_columns(),
        ),
        rows=tuple(rows),
        notes=("A value of at least the cut-off is positive; of equal indices the highest cut-off. "
               "Chosen on the patients it is tried on: it flatters, and is no cut-off to use.",
               *methods_of(results)),
    )  # fmt: skip


def _columns() -> tuple[Column, ...]:
    return (
        Column("cut_off", "Cut-off", digits=2),
        Column("sensitive", "Found"),
        Column("sensitivity", "Sensitivity (95% interval)", "%"),
        Column("specific", "Ruled out"),
        Column("specificity", "Specificity (95% interval)", "%"),
        Column("youden", "Youden", digits=3),
    )


def _performance(cut: CutOff) -> tuple[tuple[Cell, ...], list[Result]]:
    rates, table = accuracy(cut.table), cut.table
    used = [rates["sensitivity"], rates["specificity"]]
    return (
        Share(table.true_positive, table.with_disease),
        estimate_of(used[0], scale=100),
        Share(table.true_negative, table.without_disease),
        estimate_of(used[1], scale=100),
        cut.youden,
    ), used


def _cut_offs(found: Sequence[Curve]) -> Iterator[Table]:
    """Every cut-off of the main measures, the highest first."""
    for one in found:
        if one.test not in TOLD_IN_FULL or not one.has_both:
            continue
        rows: list[tuple[Cell, ...]] = []
        results: list[Result] = []
        for cut in reversed(cut_offs(*one.pair)):
            cells, used = _performance(cut)
            results += used
            rows.append((cut.at, *cells))
        unit = TESTS[one.test].unit or "1"
        first, *others = _columns()
        yield Table(
            title=f"{one.label}, {one.on}: every cut-off",
            n=len(one.scores),
            missing=one.missing,
            columns=(Column(first.name, first.label, unit, digits=2), *others),
            rows=tuple(rows),
            notes=("A value of at least the cut-off is positive.", *methods_of(results)),
        )


def _drawn(found: Sequence[Curve]) -> Iterator[Figure]:
    by_test: dict[str, list[Curve]] = defaultdict(list)
    for one in found:
        if one.has_both:
            by_test[one.test].append(one)
    for same in by_test.values():
        areas = [estimate_of(area(*one.pair)) for one in same]
        told = "; ".join(
            f"{one.on} {cell.value:.3f}"
            for one, cell in zip(same, areas, strict=True)
            if cell.value is not None
        )
        yield Figure(
            title=f"ROC curve of {same[0].label}",
            n=_counted(same),
            missing=_missing(same),
            notes=("Empirical curves; the grey line is chance.",),
            drawing=Lines(
                lines=tuple((f"{one.on}, n = {len(one.scores)}", _points(one)) for one in same),
                across="1 - specificity",
                up="Sensitivity",
                is_curve=True,
            ),
            alternative=f"ROC curves of {same[0].label}. Areas: {told}.",
        )


def _points(one: Curve) -> tuple[tuple[float, float], ...]:
    """From nothing positive to all: 1 - specificity and sensitivity."""
    found = [(0.0, 0.0)]
    for cut in reversed(cut_offs(*one.pair)):
        table = cut.table
        found.append((table.false_positive / table.without_disease,
                      table.true_positive / table.with_disease))  # fmt: skip
    return tuple(found)
