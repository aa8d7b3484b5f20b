"""The lateralisation index against the outcome of adrenalectomy (PASO), by PET and by sampling.

The two indices are of different things and stand apart: SUVmax of the dominant over the other
adrenal, at the time after injection of its planned scan, and the ratio of aldosterone to cortisol
in the veins. Only who was operated has an outcome, so that no area of all patients follows from it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reporting.reports import spreads
from reporting.reports.cells import number_of
from reporting.reports.content import (
    Cell,
    Column,
    Figure,
    Table,
    estimate_of,
    largest,
    methods_of,
    p_of,
    reasons,
    words,
)
from reporting.reports.drawings import Strips
from reporting.reports.rows import Row, Rows
from reporting.statistics.comparisons import mann_whitney
from reporting.statistics.curves import area
from reporting.statistics.results import Result

OUTCOMES, SAMPLING = "form_paso_outcome", "form_adrenal_vein_sampling"
KINDS = {"clinical": "Clinical outcome", "biochemical": "Biochemical outcome"}
CLASSES = {"COMPLETE": "Complete", "PARTIAL": "Partial", "ABSENT": "Absent"}
COMPLETE = "COMPLETE"
NO_OUTCOME, NO_INDEX = "without an outcome", "with an outcome and without the index"
SEVERAL = "with several reads that count of one planned scan"
OPERATED = (
    "Of operated patients alone, the latest assessment of each. The index by PET is SUVmax of the "
    "dominant over the other adrenal, that by sampling the ratio of aldosterone to cortisol of the "
    "dominant over the other side; neither is the other."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One index against one kind of outcome: values of the index by class, and who is missing."""

    index: str
    kind: str
    values: Mapping[str, tuple[float, ...]]
    missing: tuple[tuple[str, int], ...]

    @property
    def n(self) -> int:
        return sum(map(len, self.values.values()))

    @property
    def label(self) -> str:
        return f"{self.index}: {KINDS[self.kind].lower()}"

    @property
    def sides(self) -> tuple[list[float], list[float]]:
        """Values of who was cured completely, and of the others."""
        others = [one for name in ("PARTIAL", "ABSENT") for one in self.values.get(name, ())]
        return list(self.values.get(COMPLETE, ())), others


def parts(rows: Rows) -> Iterator[Table | Figure]:
    """Spread of each index by outcome, complete against the rest, and dots; none without any."""
    found = [one for one in _judged(rows) if one.n]
    if not found:
        return
    yield _spread(found)
    yield _compared(found)
    yield from map(_drawn, found)


def _judged(rows: Rows) -> Iterator[Judged]:
    outcomes = _latest(rows[OUTCOMES])
    if not outcomes:
        return
    for index, (values, several) in _indices(rows).items():
        for kind in KINDS:
            yield _by_class(index, kind, values, several, outcomes)


def _latest(entries: Sequence[Row]) -> dict[str, Row]:
    """The assessment of each patient that was made last."""
    found: dict[str, Row] = {}
    for one in sorted(entries, key=lambda row: str(row["assessed_on"] or "")):
        found[one["patient"]] = one
    return found


Index = tuple[dict[str, float], set[str]]


def _indices(rows: Rows) -> dict[str, Index]:
    """Each index by its name: the value of each patient, and who has several."""
    plans = {one["scan"]: one for one in rows["scans"]}
    is_told = not rows.hides("scans", "label")
    by_pet: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in rows["findings"]:
        value = one["value_number"]
        if one["test"] == "ADRRATIO" and one["is_accepted"] and value is not None:
            scan = plans.get(one["scan"])
            # Which scan it is tells the tracer: of a concealed allocation the report does without.
            name = f"PET, {scan['label']}" if scan and is_told else "PET"
            by_pet[name][one["patient"]].append(value)
    found = {
        name: (
            {patient: values[0] for patient, values in each.items() if len(values) == 1},
            {patient for patient, values in each.items() if len(values) > 1},
        )
        for name, each in sorted(by_pet.items())
    }
    sampled = _sampled(rows[SAMPLING])
    return found | ({"Adrenal vein sampling": (sampled, set())} if sampled else {})


def _sampled(entries: Sequence[Row]) -> dict[str, float]:
    """The index of the last sampling that was selective on both sides."""
    found = {}
    for one in sorted(entries, key=lambda row: str(row.get("sampled_on") or "")):
        value = number_of(one.get("lateralisation_index"))
        if one.get("is_selective") == "BOTH" and value is not None:
            found[one["patient"]] = value
    return found


def _by_class(
    index: str,
    kind: str,
    values: Mapping[str, float],
    several: set[str],
    outcomes: Mapping[str, Row],
) -> Judged:
    by_class: dict[str, list[float]] = defaultdict(list)
    missing: Counter[str] = Counter()
    for patient in sorted({*values, *several, *outcomes}):
        said = outcomes.get(patient, {}).get(kind)
        if said not in CLASSES:
            missing[NO_OUTCOME] += 1
        elif patient in several:
            missing[SEVERAL] += 1
        elif patient not in values:
            missing[NO_INDEX] += 1
        else:
            by_class[said].append(values[patient])
    return Judged(
        index=index,
        kind=kind,
        values={name: tuple(by_class[name]) for name in CLASSES if by_class[name]},
        missing=reasons(missing),
    )


def _n(found: Sequence[Judged]) -> int:
    return max(one.n for one in found)


def _spread(found: Sequence[Judged]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (one.index, KINDS[one.kind], CLASSES[name], *spreads.spread(values))
        for one in found
        for name, values in one.values.items()
    ]
    return Table(
        title="Lateralisation index by outcome of adrenalectomy",
        n=_n(found),
        missing=largest(one.missing for one in found),
        columns=(
            words("index", "Index"),
            words("outcome", "Outcome"),
            words("class", "Class"),
            Column("n", "n"),
            *spreads.columns("", 2),
        ),
        rows=tuple(rows),
        notes=(OPERATED, spreads.QUARTILES),
    )


def _compared(found: Sequence[Judged]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    results: list[Result] = []
    for one in found:
        complete, others = one.sides
        shift = mann_whitney(complete, others)
        under = area([*complete, *others], [True] * len(complete) + [False] * len(others))
        # Their notes count the groups, which have columns here, and call the cured diseased.
        results += [replace(each, notes=()) for each in (shift, under)]
        rows.append((one.index, KINDS[one.kind], len(complete), len(others), estimate_of(shift),
                     p_of(shift), estimate_of(under)))  # fmt: skip
    return Table(
        title="Lateralisation index: complete against partial or absent",
        n=_n(found),
        missing=largest(one.missing for one in found),
        columns=(
            words("index", "Index"),
            words("outcome", "Outcome"),
            Column("complete", "Complete"),
            Column("others", "Others"),
            Column("shift", "Shift (95% interval)", digits=2),
            Column("p", "P"),
            Column("area", "Area (95% interval)", digits=2),
        ),
        rows=tuple(rows),
        notes=("Shift: Hodges-Lehmann, complete less others. Area: that an index of the complete "
               "is the higher one; among the operated alone.", *methods_of(results)),
    )  # fmt: skip


def _drawn(one: Judged) -> Figure:
    groups = tuple((CLASSES[name], values) for name, values in one.values.items())
    drawn = "; ".join(
        f"{name}: {len(values)} patients, {min(values):.2f} to {max(values):.2f}"
        for name, values in groups
    )
    return Figure(
        title=f"Lateralisation index by {one.label}",
        n=one.n,
        missing=one.missing,
        notes=("Dots are patients; the bar above them is median and quartiles.",),
        drawing=Strips(groups=groups, axis="Dominant over the other side", is_from_zero=True),
        alternative=f"Dot plot of the index by outcome. {drawn}.",
    )
