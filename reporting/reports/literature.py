"""The comparison that a review of Pentixafor PET prints, beside what rows of a trial give.

A cell that can be recomputed from rows of an imported series is computed here, beside the figure
as published. What cannot be is cited, and says why; a cited figure is never a result of a trial.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reporting.reports import aldosteronism, tracers
from reporting.reports.aldosteronism import Case
from reporting.reports.content import (
    NOT_ESTIMABLE,
    Content,
    P,
    Table,
    text_of,
    words,
)
from reporting.reports.content import Column as ReportColumn
from reporting.reports.rows import Rows
from reporting.statistics.paired import PairedTable, Variant, mcnemar

WALDENSTROM = "Luo 2019, Waldenström macroglobulinaemia"
ESOPHAGUS = "PMC7881561, esophageal cancer"
SCLC = "Lapa, oncotarget.7063, small cell lung cancer"
YIN = "Yin 2024, primary aldosteronism"
ZHENG = "Zheng (reference 16 of the review), primary aldosteronism"
# What is cited: subject, finding, figure as printed, why it is not computed, where it stands.
CITED = (
    ("Esophageal cancer", "Mean SUVmax, Pentixafor against FDG", "4.2 against 6.9, p = 0.075",
     "no value of a patient is published, and the test is not named", "review; PMC7881561"),
    ("CNS lymphoma", "Tumour to normal brain, Pentixafor against FDG",
     "21.93 ± 10.77 against 4.29 ± 2.16, n = 26", "no value of a patient is published",
     "review; PMID 34651291"),
    ("Prostate cancer xenograft (PC-3)", "Uptake, Pentixafor against FDG", "significantly lower",
     "preclinical: no patients", "review"),
    ("Small cell lung cancer", "Lesions and tumour to background against SSTR PET", "more, higher",
     "in words alone", "review"),
    ("Primary aldosteronism", "Success after surgery with higher uptake", "goes with",
     "in words alone", "review"),
)  # fmt: skip
EMPTY = (
    "No series of a study that the review cites is imported into this trial. "
    "The trial DEMO-PUBLISHED of a demonstration has them; manage.py published_trial makes it."
)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A published figure and how it comes from the rows of its study."""

    study: str
    subject: str
    finding: str
    published: str
    found: Callable[[Rows, str], str | None]


def comparison(rows: Rows) -> Content:
    """The cells that rows of this trial give, then those that are cited."""
    computed = [(one, one.found(rows, one.study)) for one in RECOMPUTED]
    known = [(one, value) for one, value in computed if value is not None]
    if not known:
        return Content(why_empty=EMPTY)
    studies = {one.study for one, _ in known}
    return Content(
        parts=(
            Table(
                title="Published figures, recomputed from rows",
                n=len(known),
                of=f"cells of {len(studies)} studies",
                missing=((("without rows of the study", len(RECOMPUTED) - len(known)),)
                         if len(known) < len(RECOMPUTED) else ()),
                columns=(
                    words("subject", "Subject"),
                    words("finding", "Finding"),
                    words("published", "As published"),
                    words("computed", "Computed here"),
                    words("study", "Study"),
                ),
                rows=tuple(
                    (one.subject, one.finding, one.published, str(value), one.study)
                    for one, value in known
                ),
                notes=(
                    "Computed from rows of imported series, simulated to the published counts: no "
                    "patient of it is a real one.",
                    "The P values as published are McNemar's with continuity correction; every "
                    "variant stands in the report of the two tracers.",
                    "What the review calls sensitivity of the marrow is a rate of positive "
                    "patients: no truth is published with it.",
                ),
            ),
            Table(
                title="Figures of the review that are cited, not computed",
                n=len(CITED),
                of="cells",
                columns=(
                    words("subject", "Subject"),
                    words("finding", "Finding"),
                    words("published", "As published"),
                    words("why", "Why it is not computed"),
                    words("source", "Source"),
                ),
                rows=CITED,
                notes=("Cited figures are no result of this trial.",),
            ),
        )
    )  # fmt: skip


def _table(rows: Rows, study: str, level: str, region: str) -> PairedTable | None:
    entries = [one for one in rows[tracers.IMPORTED] if one["study"] == study]
    return tracers.tables_of(entries).get((level, region))


def _rates(level: str, region: str = "") -> Callable[[Rows, str], str | None]:
    def found(rows: Rows, study: str) -> str | None:
        table = _table(rows, study, level, region)
        if table is None:
            return None
        first, second = table.both + table.first_only, table.both + table.second_only
        return f"{_share(first, table.n)} against {_share(second, table.n)}"

    return found


def _p(
    level: str, region: str = "", variant: Variant = "continuity-corrected"
) -> Callable[[Rows, str], str | None]:
    def found(rows: Rows, study: str) -> str | None:
        table = _table(rows, study, level, region)
        if table is None:
            return None
        test = mcnemar(table, variant=variant).test
        return text_of(P(test.p), ReportColumn("p", "P")) if test else NOT_ESTIMABLE

    return found


def _cells(rows: Rows, study: str) -> str | None:
    entries = [one for one in rows[tracers.IMPORTED] if one["study"] == study]
    table = tracers.tables_of(entries).get(("LESION", ""))
    if table is None:
        return None
    return f"{table.both} on both, {table.second_only} FDG only, {table.first_only} Pentixafor only"


def _positive(rows: Rows, study: str) -> str | None:
    known = [
        one["first_result"] == tracers.POSITIVE
        for one in rows[tracers.IMPORTED]
        if one["study"] == study and one["level"] == "PATIENT" and one["first_result"]
    ]
    return _share(sum(known), len(known)) if known else None


def _sides(rows: Rows, study: str) -> list[Case]:
    return aldosteronism.cases_of(
        [one for one in rows[aldosteronism.IMPORTED] if one["study"] == study]
    )


def _concordance(rows: Rows, study: str) -> str | None:
    agreed, n = aldosteronism.agreement(_sides(rows, study))
    return _share(agreed, n) if n else None


def _against(statistic: str) -> Callable[[Rows, str], str | None]:
    def found(rows: Rows, study: str) -> str | None:
        tables = [aldosteronism.against_truth(_sides(rows, study), test) for test in ("pet", "avs")]
        if not all(table.n for table in tables):
            return None
        pet, avs = (_share(*table.rates()[statistic]) for table in tables)
        return f"{pet} against {avs}"

    return found


def _share(k: int, n: int) -> str:
    return f"{k}/{n}, {100 * k / n:.1f} %" if n else NOT_ESTIMABLE


_WM, _PA = "Waldenström macroglobulinaemia", "Primary aldosteronism"
RECOMPUTED = (
    Recomputed(WALDENSTROM, _WM, "Patients positive, Pentixafor against FDG",
               "100 % against 58.8 %", _rates("PATIENT")),
    Recomputed(WALDENSTROM, _WM, "P of patients positive", "0.023", _p("PATIENT")),
    Recomputed(WALDENSTROM, _WM, "Marrow, Pentixafor against FDG", "94.1 % against 58.8 %",
               _rates("REGION", "bone marrow")),
    Recomputed(WALDENSTROM, _WM, "P of the marrow", "0.077", _p("REGION", "bone marrow")),
    Recomputed(WALDENSTROM, _WM, "Lymph nodes, Pentixafor against FDG", "76.5 % against 11.8 %",
               _rates("REGION", "lymph nodes")),
    Recomputed(WALDENSTROM, _WM, "P of the lymph nodes", "0.003", _p("REGION", "lymph nodes")),
    Recomputed(ESOPHAGUS, "Esophageal cancer", "Lesions by tracer",
               "14 on both, 5 FDG only, 7 Pentixafor only", _cells),
    Recomputed(SCLC, "Small cell lung cancer", "Patients positive on Pentixafor", "8 of 10",
               _positive),
    Recomputed(ZHENG, _PA, "Concordance with adrenal vein sampling", "65.2 %", _concordance),
    Recomputed(YIN, _PA, "Concordance with adrenal vein sampling", "77 %", _concordance),
    Recomputed(YIN, _PA, "Sensitivity, PET against sampling", "89 % against 79 %",
               _against("sensitivity")),
    Recomputed(YIN, _PA, "Accuracy, PET against sampling", "92 % against 85 %",
               _against("accuracy")),
)  # fmt: skip
