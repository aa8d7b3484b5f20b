"""Diagnostic accuracy of each planned scan against the truth panel: per patient, region, lesion.

The truth is the panel's, decided from the reference evidence alone; the index test is the read that
counts. Regions and lesions lie in patients: their intervals count patients. Without a truth there
is no sensitivity, and the report says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reporting.reports import readings, truths
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    Share,
    Table,
    brief,
    estimate_of,
    largest,
    methods_of,
    reasons,
    told,
    words,
)
from reporting.reports.drawings import Rates
from reporting.reports.readings import Readings
from reporting.reports.rows import Rows
from reporting.reports.truths import Truths
from reporting.statistics.accuracy import TruthTable, accuracy, clustered_accuracy, truth_table
from reporting.statistics.results import Absent, Result

EMPTY = (
    "Not estimable: it takes reads that count, of patients whom the truth panel has decided about."
)
NOTHING_READ = "No read that counts is of a patient whom the truth panel has decided about."
KEPT_BACK = (
    "This export keeps the truths back while a blind stands: take the report of an unblinded one."
)
NAMES = {"patient": "Patients", "region": "Regions", "lesion": "Lesions"}
RATES = (
    "sensitivity",
    "specificity",
    "positive predictive value",
    "negative predictive value",
    "accuracy",
)
SHORT = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "positive predictive value": "PPV",
    "negative predictive value": "NPV",
    "accuracy": "Accuracy",
}
RATIO_NAMES = {
    "positive likelihood ratio": "LR+",
    "negative likelihood ratio": "LR-",
    "diagnostic odds ratio": "Odds ratio",
}
RATIOS = tuple(RATIO_NAMES)
HOW_READ = (
    "Truth: the panel's, from the reference evidence alone. Positive: the read that counts shows a "
    "lesion that the reader did not call negative."
)
OF_LESIONS = (
    "A lesion of the panel is taken for what the scan shows in its region where it is the only one "
    "the panel named there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One planned scan at one level, with a table for each patient."""

    scan: str
    level: str
    tables: tuple[TruthTable, ...]
    missing: tuple[tuple[str, int], ...]
    elsewhere: int

    @property
    def table(self) -> TruthTable:
        return TruthTable(
            true_positive=sum(one.true_positive for one in self.tables),
            false_positive=sum(one.false_positive for one in self.tables),
            false_negative=sum(one.false_negative for one in self.tables),
            true_negative=sum(one.true_negative for one in self.tables),
        )

    @property
    def results(self) -> Mapping[str, Result]:
        """Of regions and lesions the proportions alone, over patients."""
        if self.level == "patient":
            return accuracy(self.table)
        return clustered_accuracy(self.tables)


def report(rows: Rows) -> Content:
    """Counts against the truth, rates, and the ratios of patients."""
    if not (rows[truths.OF_PATIENT] or rows[truths.OF_LESION]):
        return Content(why_empty=EMPTY)
    lines = [*_lines(rows)]
    if not any(one.table.n for one in lines):
        is_kept = any(why == truths.KEPT_BACK for one in lines for why, _ in one.missing)
        return Content(why_empty=KEPT_BACK if is_kept else NOTHING_READ)
    blind = sum(truths.unblinded(rows[name]) for name in (truths.OF_PATIENT, truths.OF_LESION))
    notes = [HOW_READ]
    if any(one.level != "patient" for one in lines):
        notes.append(f"{readings.NOTHING_IN_A_REGION} {OF_LESIONS}")
    if blind:
        notes.append(f"Entries that the panel last changed knowing the index test: {blind}.")
    return Content(parts=(_counts(lines, notes), *_tables(lines), _ratios(lines), _drawn(lines)))


def _lines(rows: Rows) -> Iterator[Line]:
    read = readings.read(rows)
    names = _names(rows)
    for level, (form, units) in truths.AT.items():
        found = units(rows[form])
        for plan in read.plans if found.units or found.missing else ():
            yield _line(names.get(plan, plan), plan, level, found, read)


def _names(rows: Rows) -> dict[str, str]:
    """Each planned scan by its label and tracer."""
    return {
        one["planned_scan"]: f"{one['label']} ({one['tracer']})"
        for one in rows["scans"]
        if one["planned_scan"]
    }


def _line(name: str, plan: str, level: str, found: Truths, read: Readings) -> Line:
    said: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    missing = Counter(found.missing)
    for unit in found.units:
        shown = readings.shows(read.of(plan, unit.patient), unit, level, found)
        if isinstance(shown, Absent):
            missing[shown.reason] += 1
        else:
            said[unit.patient].append((shown, unit.is_diseased))
    return Line(
        scan=name,
        level=level,
        tables=tuple(truth_table(pairs) for _, pairs in sorted(said.items())),
        missing=reasons(missing),
        elsewhere=readings.elsewhere(read, plan, found) if level == "region" else 0,
    )


def _tables(lines: Sequence[Line]) -> tuple[Table, Table]:
    right, predicted = RATES[:2], RATES[2:]
    return (
        _rates(lines, "Sensitivity and specificity", right),
        _rates(
            lines,
            "Predictive values and accuracy",
            predicted,
            "PPV, NPV: positive and negative predictive value. They and the accuracy hold at the "
            "share of diseased in these data.",
        ),
    )


def _missing(lines: Sequence[Line]) -> tuple[tuple[str, int], ...]:
    """Of the patients, of the scan that misses most; the table has the count of each line."""
    own = [one for one in lines if one.level == "patient"] or lines
    return largest(one.missing for one in own)


def _n(lines: Sequence[Line]) -> int:
    return max(len(one.tables) for one in lines)


def _counts(lines: Sequence[Line], notes: Sequence[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in lines:
        table = one.table
        lost = told(one.missing) or "none"
        rows.append((NAMES[one.level], one.scan, table.true_positive, table.false_positive,
                     table.false_negative, table.true_negative, lost))  # fmt: skip
    beyond = [f"{one.elsewhere} on {one.scan}" for one in lines if one.elsewhere]
    if beyond:
        notes = [*notes, "Lesions shown in regions that the panel did not decide about, in no "
                 f"count: {'; '.join(beyond)}."]  # fmt: skip
    return Table(
        title="Reads against the truth",
        n=_n(lines),
        missing=_missing(lines),
        columns=(
            words("level", "Counted"),
            words("scan", "Scan"),
            Column("true_positive", "True positive"),
            Column("false_positive", "False positive"),
            Column("false_negative", "False negative"),
            Column("true_negative", "True negative"),
            words("missing", "Missing"),
        ),
        rows=tuple(rows),
        notes=(*notes,),
    )


def _rates(lines: Sequence[Line], title: str, names: Sequence[str], *notes: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in lines:
        found = [one.results[name] for name in names]
        results += found
        counts = one.table.rates()
        cells = [
            cell
            for name, result in zip(names, found, strict=True)
            for cell in (Share(*counts[name]), estimate_of(result, scale=100))
        ]
        rows.append((NAMES[one.level], one.scan, *cells))
    return Table(
        title=title,
        n=_n(lines),
        missing=_missing(lines),
        columns=(
            words("level", "Counted"),
            words("scan", "Scan"),
            *(
                column
                for name in names
                for column in (
                    Column(f"{name.replace(' ', '_')}_count", SHORT[name]),
                    Column(name.replace(" ", "_"), "95% interval", "%"),
                )
            ),
        ),
        rows=tuple(rows),
        notes=(*notes, *methods_of(map(brief, results))),
    )


def _ratios(lines: Sequence[Line]) -> Table:
    own = [one for one in lines if one.level == "patient"]
    results = [one.results[name] for one in own for name in RATIOS]
    return Table(
        title="Likelihood ratios and diagnostic odds ratio, per patient",
        n=_n(own) if own else 0,
        missing=_missing(lines),
        columns=(
            words("scan", "Scan"),
            *(
                Column(name.replace(" ", "_"), f"{RATIO_NAMES[name]} (95% interval)", digits=2)
                for name in RATIOS
            ),
        ),
        rows=tuple((one.scan, *(estimate_of(one.results[name]) for name in RATIOS)) for one in own),
        notes=("LR+, LR-: likelihood ratio of a positive and of a negative read.",
               *methods_of(results)),
    )  # fmt: skip


def _drawn(lines: Sequence[Line]) -> Figure:
    rows = []
    for one in lines:
        for name in RATES[:2]:
            cell = estimate_of(one.results[name], scale=100)
            if cell.value is not None:
                label = f"{name.capitalize()}, {NAMES[one.level].lower()}: {one.scan}"
                rows.append((label, cell.value, cell.lower, cell.upper))
    drawn = "; ".join(f"{name} {value:.1f} %" for name, value, _, _ in rows)
    return Figure(
        title="Sensitivity and specificity with their 95% intervals",
        n=_n(lines),
        missing=_missing(lines),
        drawing=Rates(tuple(rows), "%"),
        alternative=f"Sensitivity and specificity of each scan. {drawn}.",
    )
