"""Primary aldosteronism: the side by PET beside adrenal vein sampling, and both beside the truth.

A side is called unilateral (left or right) or bilateral. A sampling that is not selective on both
sides says nothing and is missing. Sensitivity needs a truth: without one there is concordance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
UNILATERAL, BILATERAL = "UNILATERAL", "BILATERAL"
TESTS = (("pet", "PET"), ("avs", "Adrenal vein sampling"))
SIMULATED = (
    "Only the concordance is published: the cells, and with them kappa, the specific agreements "
    "and McNemar's P, are of simulated rows."
)
NAMES = ("sensitivity", "specificity", "positive predictive value", "negative predictive value",
         "accuracy")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """What each method says of one patient; None where it says nothing."""

    patient: str
    pet: str | None
    avs: str | None
    truth: str | None
    is_simulated: bool = False


def lateralisation(rows: Rows) -> Content:
    """Concordance and, where a truth is known, sensitivity, specificity and accuracy."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for one in rows[IMPORTED]:
        groups[one["study"]] += cases_of([one])
    if own := _own(rows):
        groups["this trial"] = own
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
    return sum(one.pet == one.avs for one in both), len(both)


def against_truth(cases: Sequence[Case], test: str) -> TruthTable:
    """Unilateral is what a test finds: counts of it against the truth."""
    return truth_table(
        (getattr(one, test) == UNILATERAL, one.truth == UNILATERAL)
        for one in cases
        if getattr(one, test) and one.truth
    )


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
    if side in (None, "", "UNDECIDED", "not_evaluable"):
        return None
    return BILATERAL if str(side).upper() == BILATERAL else UNILATERAL


def _own(rows: Rows) -> list[Case]:
    """Sides of this trial: the read that counts, the last selective sampling, the panel."""
    pet = {
        one["patient"]: one["value_text"]
        for one in rows["findings"]
        if one["test"] == "ADRSIDE" and one["is_accepted"]
    }
    avs = {
        one["patient"]: one.get("lateralisation")
        for one in rows["form_adrenal_vein_sampling"]
        if one.get("is_selective") == "BOTH"
    }
    truth = {
        one["patient"]: one["side"]
        for one in rows["form_truth_of_patient"]
        if one["truth"] == "PRESENT"
    }
    return [
        Case(one, _class(pet.get(one)), _class(avs.get(one)), _class(truth.get(one)))
        for one in sorted(set(pet) | set(avs))
    ]


def _parts(study: str, cases: Sequence[Case]) -> list[Table | Figure]:
    parts: list[Table | Figure] = [_concordance(study, cases)]
    if any(one.truth for one in cases):
        parts += [_accuracy(study, cases), _compared(study, cases), _rates(study, cases)]
    return parts


def _missing(cases: Sequence[Case], *names: str) -> tuple[tuple[str, int], ...]:
    said = {"pet": "without a side by PET", "avs": "without an evaluable sampling",
            "truth": "without a truth"}  # fmt: skip
    found: Counter[str] = Counter()
    for one in cases:
        lacking = [name for name in names if not getattr(one, name)]
        if lacking:
            found[said[lacking[0]]] += 1
    return reasons(found)


def _concordance(study: str, cases: Sequence[Case]) -> Table:
    both = [one for one in cases if one.pet and one.avs]
    agreed, n = agreement(cases)
    table = paired_table([(one.pet == UNILATERAL, one.avs == UNILATERAL) for one in both])
    counts = np.array([[table.both, table.first_only], [table.second_only, table.neither]])
    results = [proportion(agreed, n, name="concordance"), kappa(counts)]
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
            f"Unilateral on both {table.both}, on PET alone {table.first_only}, on sampling alone "
            f"{table.second_only}, on neither {table.neither}. McNemar P of each variant: "
            + ", ".join(f"{v} {t.test.p:.3f}" for v, t in zip(VARIANTS, tests, strict=True)
                        if t.test) + ".",
            *((SIMULATED,) if any(one.is_simulated for one in cases) else ()),
            *methods_of(results),
        ),
    )  # fmt: skip


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
        notes=("Positive is unilateral disease. Both tests against the same truth.",
               *methods_of(results)),
    )  # fmt: skip


def _compared(study: str, cases: Sequence[Case]) -> Table:
    rows, results = [], []
    complete = [one for one in cases if one.pet and one.avs and one.truth]
    for name, wanted in (("sensitivity", UNILATERAL), ("specificity", BILATERAL), ("accuracy", "")):
        inside = [one for one in complete if not wanted or one.truth == wanted]
        table = paired_table([(one.pet == one.truth, one.avs == one.truth) for one in inside])
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
