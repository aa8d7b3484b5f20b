"""How far two tracers agree: concordance, kappa, positive and negative agreement.

The mistake to fear is a kappa of lesions that either tracer shows: what neither shows is counted
nowhere, so that the agreement that chance gives is not known. It is not estimable by that name,
and positive agreement says what can be said. Of lesions that the reader outlined on both scans
each scan has its own answer, positive or negative, and kappa is defined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reporting.reports.content import (
    Cell,
    Column,
    Share,
    Table,
    estimate_of,
    methods_of,
    words,
)
from reporting.reports.over_patients import over_patients
from reporting.statistics.agreement import (
    clustered_kappa,
    clustered_specific_agreement,
    concordance,
    kappa,
)
from reporting.statistics.paired import PairedTable, summed
from reporting.statistics.proportions import clustered_proportion
from reporting.statistics.results import Result, not_estimable

OF_NEITHER = "what neither tracer shows is not counted"
LESIONS = "Lesions that either tracer shows"
ON_BOTH = "Lesions outlined on both scans"
NOT_STATED = "positivity not stated on one of the two"
DEPENDENT = (
    "Lesions of one patient are not independent: their intervals count patients (agreement by "
    "Rao-Scott, kappa by Yang-Zhou)."
)
SPECIFIC = (
    "Positive agreement 2a/(2a + b + c), negative 2d/(2d + b + c) (Cicchetti & Feinstein 1990): of "
    "what a tracer calls so, the share that the other calls so too."
)
KAPPA_OF_LESIONS = (
    "Of lesions that either tracer shows kappa and negative agreement need those that neither "
    "shows, which nobody counts: positive agreement says how far the tracers agree."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What two tracers said, a table for each patient; `has_neither` where both could say no."""

    name: str
    tables: tuple[PairedTable, ...]
    missing: tuple[tuple[str, int], ...] = ()
    has_neither: bool = True

    @property
    def whole(self) -> PairedTable:
        return summed(self.tables)

    @property
    def patients(self) -> int:
        return sum(one.n > 0 for one in self.tables)


def of_patients(name: str, table: PairedTable, missing: tuple[tuple[str, int], ...]) -> Answers:
    """Each patient answered once by each tracer."""
    cells = ("both", "first_only", "second_only", "neither")
    alone = dict.fromkeys(cells, 0)
    tables = [
        PairedTable(**{**alone, cell: 1}) for cell in cells for _ in range(getattr(table, cell))
    ]
    return Answers(name=name, tables=tuple(tables), missing=missing)


def results(answers: Answers) -> tuple[Result, Result, Result, Result]:
    """Concordance, kappa, positive and negative agreement; over patients where one has several."""
    used = [one for one in answers.tables if one.n]
    is_plain = all(one.n == 1 for one in used)
    positive, negative = (
        over_patients(one, "Wilson over patients") for one in clustered_specific_agreement(used)
    )
    agreed = _concordance(used, is_plain=is_plain)
    if answers.has_neither:
        return agreed, _kappa(used, is_plain=is_plain), positive, negative
    n = answers.whole.n
    return (
        agreed,
        not_estimable("kappa", OF_NEITHER, n=n),
        positive,
        not_estimable("negative agreement", OF_NEITHER, n=n),
    )


def _concordance(tables: Sequence[PairedTable], *, is_plain: bool) -> Result:
    if is_plain:
        return concordance(_counts(summed(tables)))
    alike = [(one.both + one.neither, one.n) for one in tables]
    return over_patients(clustered_proportion(alike, name="concordance"), "Wilson over patients")


def _kappa(tables: Sequence[PairedTable], *, is_plain: bool) -> Result:
    if is_plain:
        return kappa(_counts(summed(tables)))
    found = clustered_kappa([_counts(one) for one in tables])
    return over_patients(found, "Yang-Zhou over patients, t")


def _counts(table: PairedTable) -> NDArray[np.int64]:
    return np.array([[table.both, table.first_only], [table.second_only, table.neither]])


def table(title: str, levels: Sequence[Answers], notes: tuple[str, ...]) -> Table:
    """A row a level; what is missing stands with its level."""
    shown = [one for one in levels if one.whole.n]
    found = [results(one) for one in shown]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.name,
            one.whole.n,
            one.patients,
            Share(one.whole.both + one.whole.neither, one.whole.n),
            estimate_of(agreed, scale=100),
            estimate_of(chance),
            estimate_of(positive),
            estimate_of(negative),
        )
        for one, (agreed, chance, positive, negative) in zip(shown, found, strict=True)
    )
    named = [
        replace(each, name=f"{each.name}, {one.name}")
        for one, each_of in zip(shown, found, strict=True)
        for each in each_of
    ]
    is_clustered = any(each.n > 1 for one in shown for each in one.tables)
    has_lesions = any(not one.has_neither for one in shown)
    return Table(
        title=f"{title}: agreement of the tracers",
        n=max((one.patients for one in shown), default=0),
        missing=tuple(
            (f"{reason} ({one.name})", count) for one in levels for reason, count in one.missing
        ),
        columns=(
            words("level", "Level"),
            Column("n", "n"),
            Column("patients", "Patients"),
            Column("alike", "Alike"),
            Column("agreement", "Concordance (95% interval)", "%"),
            Column("kappa", "Kappa (95% interval)", digits=2),
            Column("positive", "Positive agreement (95% interval)", digits=2),
            Column("negative", "Negative agreement (95% interval)", digits=2),
        ),
        rows=rows,
        notes=(
            *notes,
            SPECIFIC,
            *((KAPPA_OF_LESIONS,) if has_lesions else ()),
            *((DEPENDENT,) if is_clustered else ()),
            *methods_of(named),
        ),
    )
