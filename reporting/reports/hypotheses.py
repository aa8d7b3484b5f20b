"""What the protocol set out to show of two scans: each hypothesis with what came out of it.

The protocol's own order, margin, level of significance and variant of a test are used, and nothing
in their place: what it leaves open is given without a decision. What is missing is counted, and
each difference is told once more with all of it against the first scan.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from reporting.reports import readings, truths
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    P,
    Share,
    Table,
    brief,
    estimate_of,
    largest,
    methods_of,
    p_of,
    reasons,
    told,
    words,
)
from reporting.reports.drawings import Forest
from reporting.reports.readings import Readings
from reporting.reports.rows import Row, Rows
from reporting.reports.truths import Truths, Unit
from reporting.statistics.hypotheses import (
    Decided,
    Hypothesis,
    Kind,
    Order,
    decided,
    result_of,
)
from reporting.statistics.paired import PairedTable, paired_table, summed
from reporting.statistics.results import Absent, Result, with_missing
from trials import hypotheses
from trials.hypotheses import NON_INFERIORITY, OF_TRUTH, ORDER_NOT_STATED, ORDERS, PATIENT

EMPTY = "The protocol states no hypothesis that compares two scans."
PROPOSED = "only proposed: no source states it"
OF_ONE_LOOK = (
    "A decision is that of the analysis which the protocol plans: each look before it spends of "
    "the level of significance."
)
KEPT_BACK = "a comparison that this export keeps back while a blind stands"
BLIND = "this export keeps something back while a blind stands: take an unblinded one"
NO_POPULATION = "these rows have no analysis populations"
READERS = "{} readers signed comparisons, and which counts is not stated"
OUTSIDE = "not in the population {}"
NOT_COVERED, NEITHER = "not covered by one of the scans", "positive on neither scan"
OF = {"patient": "patients", "region": "regions", "lesion": "lesions"}

Said = tuple[str, bool | Absent, bool | Absent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One hypothesis with the pairs that speak to it, by patient, and why it can't be decided."""

    row: Row
    tables: tuple[PairedTable, ...]
    worst: tuple[PairedTable, ...]
    missing: tuple[tuple[str, int], ...]
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def asked(self) -> Hypothesis:
        return Hypothesis(
            name=self.row["hypothesis"],
            kind=cast(Kind, self.row["kind"]),
            is_over_patients=self.row["level"] != PATIENT,
            margin=self.row["margin"],
            alpha=self.row["alpha"],
            variant=self.row["variant"],
        )

    @property
    def result(self) -> Result:
        return with_missing(result_of(self.asked, self.tables), dict(self.missing))

    @property
    def number(self) -> str:
        return f"{self.row['number']}. {self.row['label']}"

    @property
    def counted(self) -> str:
        """What its pairs are, in words."""
        of = OF[self.row["level"]]
        return of if self.row["level"] == PATIENT else f"{of} in {len(self.tables)} patients"


def report(rows: Rows) -> Content:
    """What is asked, what came out, the counts behind it, and the worst case."""
    stated = sorted(rows["hypotheses"], key=lambda one: one["number"])
    if not stated:
        return Content(why_empty=EMPTY)
    read, known = readings.read(rows), _truths(rows)
    found = [_outcome(one, rows, read, known) for one in stated]
    order = cast(Order | None, stated[0]["order"])
    decisions = decided(order, [(one.asked, one.result, one.why) for one in found])
    parts: list[Table | Figure] = [_asked(found, order), _came_out(found, decisions, order)]
    parts += [_counts(found)]
    # Where nothing is known yet the worst case is not of these data.
    worst = [one for one in found if one.tables and one.worst != one.tables]
    if worst:
        parts.append(_worst(worst))
    parts += _drawn(found)
    return Content(parts=tuple(parts))


def _truths(rows: Rows) -> Mapping[str, Truths]:
    return {level: units(rows[form]) for level, (form, units) in truths.AT.items()}


def _outcome(row: Row, rows: Rows, read: Readings, known: Mapping[str, Truths]) -> Outcome:
    inside, notes, why = _population(row, rows)
    missing: Counter[str] = Counter()
    if row["measure"] == "detection":
        said, refused = _detected(row, rows, missing)
        why = why or refused
    elif row["measure"] == "positivity":
        said = _positive(row, read)
    else:
        truth = known[row["level"]]
        missing.update(truth.missing)
        why = why or (BLIND if truth.missing.get(truths.KEPT_BACK) else "")
        said = _against(row, truth, read)
    if inside is not None:
        said, outside = _within(said, inside)
        if outside:
            missing[OUTSIDE.format(row["population"])] = outside
    pairs: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    worst: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for patient, first, second in said:
        if isinstance(first, bool) and isinstance(second, bool):
            pairs[patient].append((first, second))
            worst[patient].append((first, second))
            continue
        missing[_lost(first, second)] += 1
        worst[patient].append((False, True))
    return Outcome(
        row=row,
        tables=_tables(pairs),
        worst=_tables(worst),
        missing=reasons(missing),
        why=_undecidable(row) or why,
        notes=notes,
    )


def _tables(pairs: Mapping[str, Sequence[tuple[bool, bool]]]) -> tuple[PairedTable, ...]:
    return tuple(paired_table(own) for _, own in sorted(pairs.items()))


def _lost(first: bool | Absent, second: bool | Absent) -> str:
    if first == second and isinstance(first, Absent):
        return f"both: {first.reason}"
    sides = [
        f"{side}: {one.reason}"
        for side, one in (("first", first), ("second", second))
        if isinstance(one, Absent)
    ]
    return ", ".join(sides)


def _undecidable(row: Row) -> str:
    if row["is_proposed"]:
        return PROPOSED
    lacking = hypotheses.not_stated(row)
    return f"the protocol does not state: {', '.join(lacking)}" if lacking else ""


def _population(row: Row, rows: Rows) -> tuple[set[str] | None, tuple[str, ...], str]:
    """Who is in the population of a hypothesis; None where everybody counts."""
    name = row["population"]
    if not name:
        return None, (), ""
    if not rows.has("populations"):
        return None, (), NO_POPULATION
    own = [one for one in rows["populations"] if one["population"] == name and one["in_population"]]
    proposed = sum(one["decided"] is None for one in own)
    note = (
        f"{name}: {len(own)} patients, {proposed} of them proposed by the rule alone, without a "
        "signed review."
    )
    return {one["patient"] for one in own}, (note,) if proposed else (), ""


def _within(said: Iterable[Said], inside: set[str]) -> tuple[list[Said], int]:
    found = list(said)
    kept = [one for one in found if one[0] in inside]
    return kept, len(found) - len(kept)


def _against(row: Row, truth: Truths, read: Readings) -> list[Said]:
    """Of the diseased, or of those free of it, whether each scan was right."""
    is_of_diseased = row["measure"] == "sensitivity"
    found = []
    for unit in truth.units:
        if unit.is_diseased == is_of_diseased:
            first, second = (
                _right(
                    readings.shows(read.of(row[side], unit.patient), unit, row["level"], truth),
                    is_of_diseased,
                )
                for side in ("first_planned", "second_planned")
            )
            found.append((unit.patient, first, second))
    return found


def _right(shown: bool | Absent, is_diseased: bool) -> bool | Absent:
    return shown if isinstance(shown, Absent) else shown == is_diseased


def _positive(row: Row, read: Readings) -> list[Said]:
    """Every patient who has one of the two scans, with what each shows."""
    plans = (row["first_planned"], row["second_planned"])
    patients = sorted({patient for plan, patient in read.scanned if plan in plans})
    nobody = Truths(units=(), missing={})
    found = []
    for patient in patients:
        unit = Unit(patient=patient, is_diseased=True)
        first, second = (
            readings.shows(read.of(plan, patient), unit, PATIENT, nobody) for plan in plans
        )
        found.append((patient, first, second))
    return found


def _detected(row: Row, rows: Rows, missing: Counter[str]) -> tuple[list[Said], str]:
    """Of the places of disease in signed comparisons, which of the two scans shows each."""
    plan_of = {one["scan"]: one["planned_scan"] for one in rows["scans"]}
    plans = (row["first_planned"], row["second_planned"])
    found: list[Said] = []
    readers = set()
    for one in rows["pairs"]:
        if one["first_scan"] is None:
            missing[KEPT_BACK] += 1
            continue
        sides = (plan_of.get(one["first_scan"]), plan_of.get(one["second_scan"]))
        if set(sides) != set(plans):
            continue
        readers.add(one["reader"])
        shown = dict(zip(sides, (_shown(one, "first"), _shown(one, "second")), strict=True))
        if one["outcome"] == "not-covered":
            missing[NOT_COVERED] += 1
        elif not any(shown.values()):
            missing[NEITHER] += 1
        else:
            found.append((one["patient"], shown[plans[0]], shown[plans[1]]))
    if len(readers) > 1:
        return [], READERS.format(len(readers))
    return found, BLIND if missing[KEPT_BACK] else ""


def _shown(one: Row, side: str) -> bool:
    return one[f"{side}_lesion"] is not None and one[f"{side}_positivity"] != readings.NEGATIVE


# ------------------------------------------------------------------------------- the parts


def _missing(found: Sequence[Outcome]) -> tuple[tuple[str, int], ...]:
    """Of the hypothesis that misses most; the table of counts has each."""
    return largest(one.missing for one in found)


def _n(found: Sequence[Outcome]) -> int:
    return max(len(one.tables) for one in found)


def _asked(found: Sequence[Outcome], order: Order | None) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        row = one.row
        labels = {row[f"{side}_planned"]: row[f"{side}_label"] for side in ("first", "second")}
        stated = {**row, "first": row["first_planned"], "second": row["second_planned"]}
        margin = row["margin"]
        rows.append((one.number, " ".join(hypotheses.words(stated, labels)[:1]),
                     hypotheses.method(row) or "not stated",
                     None if margin is None else 100 * margin, row["alpha"],
                     row["population"] or "all"))  # fmt: skip
    version = found[0].row["version"]
    return Table(
        title="What the protocol sets out to show",
        n=_n(found),
        missing=_missing(found),
        columns=(
            words("hypothesis", "Hypothesis"),
            words("shown", "What is to be shown"),
            words("test", "Test"),
            Column("margin", "Margin", "points"),
            Column("alpha", "Level of significance", digits=3),
            words("population", "Population"),
        ),
        rows=tuple(rows),
        notes=(ORDERS.get(order or "", ORDER_NOT_STATED), f"Version {version} of the protocol.",
               "A level of significance is two-sided of a superiority, one-sided of a "
               "non-inferiority."),
    )  # fmt: skip


def _came_out(found: Sequence[Outcome], decisions: Sequence[Decided], order: Order | None) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results = []
    for one, decision in zip(found, decisions, strict=True):
        result = one.result
        results.append(result)
        # What was not tested has no P: it would be read as one.
        p = P(None) if decision.decision == "not tested" else p_of(result)
        rows.append((one.number, *_rates(one.tables),
                     estimate_of(result, scale=100), p, decision.decision,
                     decision.why or None))  # fmt: skip
    notes = [note for one in found for note in one.notes]
    if order == "co_primary":
        shown = all(one.decision == "shown" for one in decisions)
        notes.append(f"All of them together: {'shown' if shown else 'not shown'}.")
    return Table(
        title="What came out",
        n=_n(found),
        missing=_missing(found),
        columns=(
            words("hypothesis", "Hypothesis"),
            Column("first", "First scan"),
            Column("second", "Second scan"),
            Column("difference", "Difference (interval)", "points"),
            Column("p", "P"),
            words("decision", "Decision"),
            words("why", "Why"),
        ),
        rows=tuple(rows),
        notes=(*dict.fromkeys(notes), OF_ONE_LOOK,
               "First and second: pairs in which the scan was right or, of positivity and "
               "detection, positive. The interval is that of the test: 1 - alpha of a superiority, "
               "1 - 2 alpha of a non-inferiority, 95% where no alpha is stated.",
               *methods_of(map(brief, results))),
    )  # fmt: skip


def _rates(tables: Sequence[PairedTable]) -> tuple[Share | None, Share | None]:
    whole = summed(tables)
    if not whole.n:
        return None, None
    return (
        Share(whole.both + whole.first_only, whole.n),
        Share(whole.both + whole.second_only, whole.n),
    )


def _counts(found: Sequence[Outcome]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        whole = summed(one.tables)
        lost = told(one.missing) or "none"
        rows.append((one.number, one.counted, whole.n, whole.both,
                     whole.first_only, whole.second_only, whole.neither, lost))  # fmt: skip
    notes = [
        "Both, first, second, neither: which of the two scans was right or, of positivity and "
        "detection, positive."
    ]
    if any(one.row["measure"] in OF_TRUTH and one.row["level"] != PATIENT for one in found):
        notes.append(readings.NOTHING_IN_A_REGION)
    if any(one.row["measure"] == "detection" for one in found):
        notes.append("Of lesions that either scan shows: a detection rate, not a sensitivity.")
    return Table(
        title="The pairs behind it",
        n=_n(found),
        missing=_missing(found),
        columns=(
            words("hypothesis", "Hypothesis"),
            words("counted", "Counted"),
            Column("n", "n"),
            Column("both", "Both"),
            Column("first_only", "First alone"),
            Column("second_only", "Second alone"),
            Column("neither", "Neither"),
            words("missing", "Missing"),
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _worst(found: Sequence[Outcome]) -> Table:
    """All that is missing counts against the first scan and for the second."""
    rows: list[tuple[Cell, ...]] = []
    results = []
    for one in found:
        result = result_of(one.asked, one.worst)
        results.append(result)
        rows.append((one.number, *_rates(one.worst),
                     estimate_of(result, scale=100), p_of(result)))  # fmt: skip
    return Table(
        title="The worst case: what is missing speaks against the first scan",
        n=max(len(one.worst) for one in found),
        columns=(
            words("hypothesis", "Hypothesis"),
            Column("first", "First scan"),
            Column("second", "Second scan"),
            Column("difference", "Difference (interval)", "points"),
            Column("p", "P"),
        ),
        rows=tuple(rows),
        notes=("Each pair of which one scan has no result counts as wrong on the first and right "
               "on the second. Nothing is decided by it.", *methods_of(map(brief, results))),
    )  # fmt: skip


def _drawn(found: Sequence[Outcome]) -> Iterator[Figure]:
    rows = []
    for one in found:
        cell, margin = estimate_of(one.result, scale=100), one.row["margin"]
        if cell.value is not None:
            is_margin = one.row["kind"] == NON_INFERIORITY and margin is not None
            rows.append((one.number, cell.value, cell.lower, cell.upper,
                         -100 * margin if is_margin else None))  # fmt: skip
    if not rows:
        return
    drawn = "; ".join(
        f"{name} {value:.1f}"
        + (f" ({low:.1f} to {high:.1f})" if low is not None and high is not None else "")
        + (f", margin {above:g}" if above is not None else "")
        for name, value, low, high, above in rows
    )
    yield Figure(
        title="Differences of the two scans with their intervals",
        n=_n(found),
        missing=_missing(found),
        notes=("A superiority is shown where the interval lies above 0, a non-inferiority where it "
               "lies above its margin, the broken line.",),
        drawing=Forest(tuple(rows), "First less second, points"),
        alternative=f"Differences with intervals and margins, in points. {drawn}.",
    )  # fmt: skip
