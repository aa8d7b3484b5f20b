"""Repeatability: what test and retest scans without a change between them measure of one thing.

Each level, quantity and reader stands by itself, with the pairs of scans that do not compare
counted by their reasons. The mistake to fear is a limit of change that rests on lesions as if each
were a patient.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Estimate,
    Figure,
    Table,
    estimate_of,
    methods_of,
    reasons,
    told,
    words,
)
from reporting.reports.repeatability_plots import CLUSTERED, figures
from reporting.reports.repeats import Lost, Repeats, counted, first_refusal, lost_of, repeats
from reporting.reports.rescaling import percent, rescaled
from reporting.reports.rows import Row, Rows
from reporting.statistics.clustered_repeats import clustered_limits, clustered_repeatability
from reporting.statistics.repeatability import intraclass_correlation
from reporting.statistics.results import Result
from trials import retests

EMPTY = (
    "No scan is scheduled that the protocol marks as the retest of another. A trial file marks one "
    "with retest: of its planned scan."
)
NOT_SCHEDULED = "test scans measured without a retest that is scheduled"
THINGS = "lesions, patients and organs measured on both scans, each reader apart"
SPREAD = (
    "Within-subject SD: square root of half the mean squared difference; repeatability coefficient "
    "1.96 √2 times that, which 95% of differences stay below where nothing changed; within-subject "
    "CV over the mean of all measurements (Bland & Altman 1999; Obuchowski & Bullen 2018)."
)
SAME = (
    "ICC(1,1): one-way random, the two scans exchangeable (Shrout & Fleiss 1979). Where a patient "
    "has several lesions it has no interval, as they are not independent."
)
DIRECTION = "Differences are retest less test."
READERS = "Readers go by their numbers; of an organ counts the sphere that a reader stands for."
OF_PATIENTS = "Of patients: all lesions of a scan together, as its signed read states them."
COLUMNS = (
    words("quantity", "Quantity"),
    words("level", "Of"),
    words("reader", "Reader"),
    Column("n", "Pairs"),
    Column("patients", "Patients"),
)


def report(rows: Rows) -> Content:
    """The pairs of scans; of each two planned scans tables, and plots by number and by percent."""
    marked = rows["retests"]
    if not marked:
        return Content(why_empty=EMPTY)
    parts: list[Table | Figure] = [_pairs(marked, rows["scans"])]
    for scans, found in _by_scans(repeats(rows)).items():
        parts += _of_scans(scans, found)
    return Content(parts=tuple(parts))


def _by_scans(found: Iterable[Repeats]) -> dict[str, list[Repeats]]:
    """By tracer and the two planned scans; the readers of a quantity stand beside each other."""
    groups: dict[str, dict[tuple[str, str], list[Repeats]]] = defaultdict(dict)
    for one in found:
        mine = groups[f"{one.tracer}, {one.scans}"]
        mine.setdefault((one.level, one.quantity), []).append(one)
    return {
        scans: [one for same in mine.values() for one in same] for scans, mine in groups.items()
    }


def _of_scans(scans: str, found: Sequence[Repeats]) -> Iterator[Table | Figure]:
    measured = [one for one in found if one.found]
    lost = lost_of(found)
    if measured:
        for make in (_spread, _limits, _ratios):
            yield make(scans, measured, lost)
        yield from figures(scans, measured)
    if any(one.missing for one in found):
        yield _lacking(scans, found, lost)


def _pairs(marked: Sequence[Row], scans: Sequence[Row]) -> Table:
    lost = Counter(first_refusal(one) for one in marked if not one["is_comparable"])
    lost[NOT_SCHEDULED] = _without_retest(marked, scans)
    return Table(
        title="Test and retest scans, and whether they compare",
        n=sum(bool(one["is_comparable"]) for one in marked),
        of="pairs of scans that compare",
        missing=reasons(lost),
        columns=(
            words("patient", "Patient"),
            words("tracer", "Tracer"),
            words("test", "Test"),
            words("retest", "Retest"),
            Column("interval", "Interval", "h"),
            Column("uptake", "Uptake time, retest less test", "min"),
            Column("activity", "Activity, retest less test", "%"),
            words("compares", "Compares"),
            words("why", "Why not"),
            words("known", "To be known"),
        ),
        rows=tuple(
            (
                one["usubjid"],
                one["tracer"],
                one["first_planned"],
                one["second_planned"],
                one["interval_hours"],
                one["uptake_difference_minutes"],
                one["activity_difference"],
                "yes" if one["is_comparable"] else "no",
                _told(one["refusals"], retests.REFUSALS),
                _told(one["cautions"], retests.CAUTIONS),
            )
            for one in marked
        ),
        notes=(
            "A pair that does not compare counts once, for the first of its reasons, and is in no "
            "number below. Scanner and reconstruction must be the same; the interval runs between "
            "the injections; limits are the protocol's.",
            "Repeatability is of one procedure and scanner in a short time (Raunig et al. 2015).",
        ),
    )


def _without_retest(marked: Sequence[Row], scans: Sequence[Row]) -> int:
    """Measured scans of a plan that is repeated in others."""
    planned = {one["first_planned"] for one in marked}
    paired = {(one["usubjid"], one["first_planned"]) for one in marked}
    return sum(
        one["state"] == "quantified"
        and one["planned_scan"] in planned
        and (one["usubjid"], one["planned_scan"]) not in paired
        for one in scans
    )


def _told(codes: str | None, known: Mapping[str, str]) -> str | None:
    return "; ".join(known.get(code, code) for code in (codes or "").split()) or None


def _head(one: Repeats) -> tuple[Cell, ...]:
    return (f"{one.quantity}, {one.unit}", one.level, one.reader, len(one.found),
            one.patient_count)  # fmt: skip


def _missing(one: Repeats) -> str:
    return told(one.missing)


def _lacking(scans: str, found: Sequence[Repeats], lost: Lost) -> Table:
    """What has no number on both scans, and why, by quantity and reader."""
    return _table(
        f"What is missing: {scans}",
        found,
        lost,
        columns=[words("missing", "Missing")],
        rows=[(*_head(one), _missing(one)) for one in found if one.missing],
        notes=(READERS,),
    )


def _spread(scans: str, found: Sequence[Repeats], lost: Lost) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        spread = clustered_repeatability(one.first, one.second, one.patients, unit=one.unit)
        icc = _icc(one)
        results += [*spread.values(), replace(icc, notes=())]
        mean = float(np.mean([one.first, one.second]))
        rows.append(
            (
                *_head(one),
                mean,
                estimate_of(spread["within-subject SD"]),
                estimate_of(spread["repeatability coefficient"]),
                estimate_of(spread["within-subject CV"], scale=100),
                estimate_of(icc),
            )
        )
    columns = (
        Column("mean", "Mean", digits=2),
        Column("wsd", "Within-subject SD (95% interval)", digits=3),
        Column("rc", "Repeatability coefficient (95% interval)", digits=3),
        Column("wcv", "Within-subject CV (95% interval)", "%"),
        Column("icc", "ICC(1,1) (95% interval)", digits=3),
    )
    notes = (SPREAD, SAME, CLUSTERED, READERS, OF_PATIENTS, *methods_of(results))
    return _table(f"Repeatability: {scans}", found, lost, columns=columns, rows=rows, notes=notes)


def _icc(one: Repeats) -> Result:
    values = np.array([one.first, one.second], dtype=float).T.reshape(-1, 2)
    found = intraclass_correlation(values, model="ICC(1,1)")
    is_clustered = one.patient_count < len(one.found)
    return replace(found, interval=None) if is_clustered else found


def _table(
    title: str,
    found: Sequence[Repeats],
    lost: Lost,
    *,
    columns: Sequence[Column],
    rows: Sequence[tuple[Cell, ...]],
    notes: tuple[str, ...],
) -> Table:
    """What was found, row by row, behind what it is of."""
    return Table(
        title=title,
        n=counted(found),
        of=THINGS,
        missing=lost,
        columns=(*COLUMNS, *columns),
        rows=tuple(rows),
        notes=notes,
    )


def _limits(scans: str, found: Sequence[Repeats], lost: Lost) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        limits = clustered_limits(one.second, one.first, one.patients, unit=one.unit)
        results += limits.values()
        rows.append((*_head(one), *(estimate_of(each) for each in limits.values())))
    columns = (
        Column("bias", "Bias (95% interval)", digits=2),
        Column("sd", "SD (95% interval)", digits=2),
        Column("lower_limit", "Lower limit (95% interval)", digits=2),
        Column("upper_limit", "Upper limit (95% interval)", digits=2),
    )
    notes = (DIRECTION, CLUSTERED, READERS, OF_PATIENTS, *methods_of(results))
    return _table(
        f"Limits of agreement of retest and test (Bland-Altman): {scans}",
        found,
        lost,
        columns=columns,
        rows=rows,
        notes=notes,
    )


def _ratios(scans: str, found: Sequence[Repeats], lost: Lost) -> Table:
    """In percent of the test: uptake and volume differ by a share of what is measured."""
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        logs = one.logs
        if logs is None:
            why = "a number is not positive"
            rows.append((*_head(one), *[Estimate(value=None, reason=f"not estimable: {why}")] * 6))
            continue
        spread = clustered_repeatability(*logs, one.patients, unit="1")
        bias, _, lower, upper = clustered_limits(logs[1], logs[0], one.patients, unit="1").values()
        results += [replace(one, notes=()) for one in (*spread.values(), bias, lower, upper)]
        coefficient = estimate_of(spread["repeatability coefficient"])
        rows.append(
            (
                *_head(one),
                rescaled(lambda s: 100 * math.sqrt(math.expm1(s * s)),
                    estimate_of(spread["within-subject SD"])),
                rescaled(lambda rc: 100 * math.expm1(-rc), coefficient),
                rescaled(lambda rc: 100 * math.expm1(rc), coefficient),
                *(rescaled(percent, estimate_of(each)) for each in (bias, lower, upper)),
            )
        )  # fmt: skip
    return _table(
        f"Repeatability in percent, on logarithms: {scans}",
        found,
        lost,
        columns=(
            Column("wcv_log", "Within-subject CV (95% interval)", "%"),
            Column("rc_low", "Decrease beyond repeatability (95% interval)", "%"),
            Column("rc_high", "Increase beyond repeatability (95% interval)", "%"),
            Column("bias", "Retest over test (95% interval)", "%"),
            Column("lower_limit", "Lower limit of agreement (95% interval)", "%"),
            Column("upper_limit", "Upper limit of agreement (95% interval)", "%"),
        ),
        rows=rows,
        notes=(
            "Changes within the two repeatability limits, exp(∓1.96 √2 SD of logarithms) - 1, are "
            "those of measuring again; they lie apart as far by ratio, so not by percent. "
            "Within-subject CV: √(exp(SD²) - 1) (Raunig et al. 2015).",
            DIRECTION,
            CLUSTERED,
            READERS,
            OF_PATIENTS,
            *methods_of(results),
        ),
    )
