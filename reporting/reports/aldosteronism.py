"""Primary aldosteronism: the side by PET beside adrenal vein sampling, and both beside the truth.

A disease is called unilateral (left, right, or of a side that the source does not name) or
bilateral. Two methods agree where they name the same side: left against right is the wrong gland,
and no agreement. A sampling that is not selective on both sides says nothing and is missing.
Sensitivity needs a truth: without one there is concordance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reporting.reports import lateralisation_outcome
from reporting.reports.content import (
    Column,
    Content,
    Estimate,
    Figure,
    Share,
    Table,
    estimate_of,
    methods_of,
    p_of,
    reasons,
    words,
)
from reporting.reports.drawings import Rates
from reporting.reports.rows import Row, Rows
from reporting.statistics.accuracy import TruthTable, accuracy, truth_table
from reporting.statistics.agreement import kappa, specific_agreement
from reporting.statistics.paired import VARIANTS, mcnemar, paired_table
from reporting.statistics.proportions import proportion
from reporting.statistics.results import Result

EMPTY = "No patient has a side by PET and one by adrenal vein sampling, and no series is imported."
IMPORTED = "form_imported_lateralisation"
LEFT, RIGHT, UNILATERAL, BILATERAL = "LEFT", "RIGHT", "UNILATERAL", "BILATERAL"
SIDES = (LEFT, RIGHT, BILATERAL)
NO_SIDE = "without a side by PET"
NO_SAMPLING = "without an evaluable sampling"
NO_TRUTH = "without a truth"
TESTS = (("pet", "PET"), ("avs", "Adrenal vein sampling"))
SIMULATED = (
    "Only the concordance is published: the cells, and with them kappa, the specific agreements "
    "and McNemar's P, are of simulated rows."
)
NAMES = ("sensitivity", "specificity", "positive predictive value", "negative predictive value",
         "accuracy")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """What each method says of one patient; None where it says nothing.

    LEFT, RIGHT or BILATERAL, and UNILATERAL of a source that does not name the side.
    `without_pet` says why there is none by PET.
    """

    patient: str
    pet: str | None
    avs: str | None
    truth: str | None
    is_simulated: bool = False
    without_pet: str = NO_SIDE


def lateralisation(rows: Rows) -> Content:
    """Concordance and, where a truth is known, sensitivity, specificity and accuracy."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for one in rows[IMPORTED]:
        groups[one["study"]] += cases_of([one])
    groups |= _own(rows)
    parts: list[Table | Figure] = []
    for study, cases in sorted(groups.items()):
        parts += _parts(study, cases)
    parts += lateralisation_outcome.parts(rows)
    if not parts:
        return Content(why_empty=EMPTY)
    return Content(parts=tuple(parts))


def agreement(cases: Sequence[Case]) -> tuple[int, int]:
    """Of how many with both, how many agree."""
    both = [one for one in cases if one.pet and one.avs]
    return sum(agree(one.pet, one.avs) for one in both), len(both)


def agree(one: str | None, other: str | None) -> bool:
    """Whether two sides are the same, as far as both are named.

    >>> agree("LEFT", "UNILATERAL"), agree("LEFT", "RIGHT"), agree("LEFT", "BILATERAL")
    (True, False, False)
    """
    if UNILATERAL in (one, other):
        return BILATERAL not in (one, other)
    return one == other


def against_truth(cases: Sequence[Case], test: str) -> TruthTable:
    """Unilateral disease is what a test finds: counts against the truth.

    Who is called by the wrong side has not been found.
    """
    both = [(getattr(one, test), one.truth) for one in cases]
    return truth_table(
        (said != BILATERAL and (truth == BILATERAL or agree(said, truth)), truth != BILATERAL)
        for said, truth in both
        if said and truth
    )


def wrong_side(cases: Sequence[Case], one: str, other: str) -> int:
    """How many are called left by the one and right by the other."""
    return sum({getattr(case, one), getattr(case, other)} == {LEFT, RIGHT} for case in cases)


def cases_of(entries: Sequence[Row]) -> list[Case]:
    return [
        Case(
            one["patient"],
            _class(one["pet"]),
            _class(one["avs"]),
            _class(one["truth"]),
            is_simulated=one["cells"] == "SIMULATED",
        )
        for one in entries
    ]


def _class(side: str | None) -> str | None:
    told = str(side or "").upper()
    return told if told in (*SIDES, UNILATERAL) else None


def _kind(side: str | None) -> str:
    return BILATERAL if side == BILATERAL else UNILATERAL


def _own(rows: Rows) -> dict[str, list[Case]]:
    """Sides of this trial by planned scan: the read that counts, the last selective sampling."""
    avs = {
        one["patient"]: one.get("lateralisation")
        for one in sorted(
            rows[lateralisation_outcome.SAMPLING], key=lambda row: str(row.get("sampled_on") or "")
        )
        if one.get("is_selective") == "BOTH"
    }
    truth = {
        one["patient"]: one["side"]
        for one in rows["form_truth_of_patient"]
        if one["truth"] == "PRESENT"
    }
    return {
        study: [
            _case(one, by_pet.get(one, ()), avs.get(one), truth.get(one))
            for one in sorted(set(by_pet) | set(avs))
        ]
        for study, by_pet in (_by_planned_scan(rows) or ({"this trial": {}} if avs else {})).items()
    }


def _by_planned_scan(rows: Rows) -> dict[str, dict[str, list[str]]]:
    """What the reads that count say of each patient, apart for the planned scans that were read.

    The side is that of a time after the injection: of two scans none may stand for the other.
    """
    scans = {one["scan"]: one for one in rows["scans"]}
    is_told = not rows.hides("scans", "label")
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in rows["findings"]:
        if one["test"] == "ADRSIDE" and one["is_accepted"]:
            scan = scans.get(one["scan"])
            # Which scan it is tells the tracer: of a concealed allocation the report does without.
            study = f"this trial, {scan['label']}" if scan and is_told else "this trial"
            found[study][one["patient"]].append(one["value_text"])
    return dict(sorted(found.items()))


def _case(patient: str, by_pet: Sequence[str], avs: str | None, truth: str | None) -> Case:
    several = len(by_pet) > 1
    return Case(
        patient,
        _class(by_pet[0]) if len(by_pet) == 1 else None,
        _class(avs),
        _class(truth),
        without_pet=lateralisation_outcome.SEVERAL if several else NO_SIDE,
    )


def _parts(study: str, cases: Sequence[Case]) -> list[Table | Figure]:
    parts: list[Table | Figure] = [_concordance(study, cases)]
    if any(one.truth for one in cases):
        parts += [_accuracy(study, cases), _compared(study, cases), _rates(study, cases)]
    return parts


def _missing(cases: Sequence[Case], *names: str) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for one in cases:
        said = {"pet": one.without_pet, "avs": NO_SAMPLING, "truth": NO_TRUTH}
        lacking = [name for name in names if not getattr(one, name)]
        if lacking:
            found[said[lacking[0]]] += 1
    return reasons(found)


def _concordance(study: str, cases: Sequence[Case]) -> Table:
    both = [one for one in cases if one.pet and one.avs]
    agreed, n = agreement(cases)
    table = paired_table([(one.pet != BILATERAL, one.avs != BILATERAL) for one in both])
    results = [proportion(agreed, n, name="concordance"), kappa(_counts(both))]
    results += specific_agreement(table)
    tests = [mcnemar(table, variant=variant) for variant in VARIANTS]
    return Table(
        title=f"PET and adrenal vein sampling, {study}: concordance",
        n=n,
        missing=_missing(cases, "pet", "avs"),
        columns=(
            words("statistic", "Statistic"),
            Column("count", "Count"),
            words("unit", "Unit"),
            Column("estimate", "Estimate (95% interval)", digits=2),
        ),
        rows=(
            ("Concordance", Share(agreed, n), "%", _percent(results[0])),
            ("Kappa", None, "1", estimate_of(results[1])),
            ("Positive agreement (unilateral)", None, "1", estimate_of(results[2])),
            ("Negative agreement (bilateral)", None, "1", estimate_of(results[3])),
        ),
        notes=(
            *_opposite(wrong_side(both, "pet", "avs"), "the two differ"),
            f"Unilateral on both {table.both}, on PET alone {table.first_only}, on sampling alone "
            f"{table.second_only}, on neither {table.neither}. McNemar P of each variant: "
            + ", ".join(f"{v} {t.test.p:.3f}" for v, t in zip(VARIANTS, tests, strict=True)
                        if t.test) + ".",
            *((SIMULATED,) if any(one.is_simulated for one in cases) else ()),
            *methods_of(results),
        ),
    )  # fmt: skip


def _counts(both: Sequence[Case]) -> NDArray[np.int64]:
    """Patients by what PET and sampling say: by side, or by class where a side has no name."""
    pairs = [(str(one.pet), str(one.avs)) for one in both]
    classes: tuple[str, ...] = SIDES
    if any(UNILATERAL in pair for pair in pairs):
        classes, pairs = (UNILATERAL, BILATERAL), [(_kind(one), _kind(two)) for one, two in pairs]
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for one, other in pairs:
        counts[classes.index(one), classes.index(other)] += 1
    return counts


def _opposite(count: int, what: str) -> tuple[str, ...]:
    return (f"In {count} of them {what}: left and right.",) if count else ()


def _percent(result: Result) -> Estimate:
    return estimate_of(result, scale=100)


def _accuracy(study: str, cases: Sequence[Case]) -> Table:
    rows, results = [], []
    for test, label in TESTS:
        table = against_truth(cases, test)
        found = accuracy(table)
        for name in NAMES:
            rows.append((label, name, Share(*table.rates()[name]), _percent(found[name])))
            results.append(found[name])
    return Table(
        title=f"PET and adrenal vein sampling against the truth, {study}",
        n=against_truth(cases, "pet").n,
        missing=_missing(cases, "pet", "truth"),
        columns=(
            words("test", "Test"),
            words("statistic", "Statistic"),
            Column("count", "Count"),
            Column("estimate", "Estimate (95% interval)", "%"),
        ),
        rows=tuple(rows),
        notes=(
            "Positive is unilateral disease; on the wrong side it counts as not found. Both tests "
            "against the same truth.",
            *(
                note
                for test, label in TESTS
                for note in _opposite(wrong_side(cases, test, "truth"), f"{label} and truth differ")
            ),
            *methods_of(results),
        ),
    )  # fmt: skip


def _compared(study: str, cases: Sequence[Case]) -> Table:
    rows, results = [], []
    complete = [one for one in cases if one.pet and one.avs and one.truth]
    for name, wanted in (("sensitivity", UNILATERAL), ("specificity", BILATERAL), ("accuracy", "")):
        inside = [one for one in complete if not wanted or _kind(one.truth) == wanted]
        right = [(agree(one.pet, one.truth), agree(one.avs, one.truth)) for one in inside]
        table = paired_table(right)
        exact = mcnemar(table, variant="exact")
        results.append(exact)
        rows.append((name, table.n, table.first_only, table.second_only,
                     estimate_of(exact, scale=100), p_of(exact)))  # fmt: skip
    return Table(
        title=f"PET against adrenal vein sampling, {study}: paired differences",
        n=len(complete),
        missing=_missing(cases, "pet", "avs", "truth"),
        columns=(
            words("statistic", "Statistic"),
            Column("n", "n"),
            Column("pet_only", "PET alone right"),
            Column("avs_only", "Sampling alone right"),
            Column("difference", "Difference (95% interval)", "points"),
            Column("p", "P, exact McNemar"),
        ),
        rows=tuple(rows),
        notes=methods_of(results),
    )


def _rates(study: str, cases: Sequence[Case]) -> Figure:
    rows = []
    for name in ("sensitivity", "specificity", "accuracy"):
        for test, label in TESTS:
            cell = estimate_of(accuracy(against_truth(cases, test))[name], scale=100)
            if cell.value is not None:
                rows.append((f"{name.capitalize()}: {label}", cell.value, cell.lower, cell.upper))
    told = "; ".join(f"{name} {value:.1f} %" for name, value, _, _ in rows)
    return Figure(
        title=f"PET and adrenal vein sampling, {study}: accuracy with 95% intervals",
        n=against_truth(cases, "pet").n,
        missing=_missing(cases, "pet", "truth"),
        notes=("95% intervals: Wilson.",),
        drawing=Rates(tuple(rows), "%"),
        alternative=f"Rates with intervals. {told}.",
    )
