"""Reports of a trial: each a pure function of dataset rows to titled tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reporting.reports import aldosteronism, enrolment, injections, literature, tracers
from reporting.reports.content import Content
from reporting.reports.rows import Rows

__all__ = ["REPORTS", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: what it answers, the datasets it reads, and without which it is `empty`, in words.

    Who may see it holds `permission` at all sites of the trial; one that `would_unblind` is kept
    from whoever reads scans or decides the truth in the trial.
    """

    name: str
    title: str
    question: str
    datasets: tuple[str, ...]
    rests_on: tuple[str, ...]
    made: Callable[[Rows], Content]
    empty: str
    permission: str = "report.view"
    would_unblind: bool = False


REPORTS: Mapping[str, Report] = MappingProxyType(
    {
        one.name: one
        for one in (
            Report(
                "screening",
                "Screening and enrolment",
                "Who was screened, enrolled, injected, imaged and read, and who left on the way.",
                ("patients", "scans", "findings"),
                ("patients",),
                enrolment.screening,
                enrolment.NOBODY,
            ),
            Report(
                "eligibility",
                "Eligibility failures by criterion",
                "Which criteria kept patients out, and which could not be told.",
                ("eligibility",),
                ("eligibility",),
                enrolment.eligibility,
                enrolment.NOT_ASSESSED,
            ),
            Report(
                "injections",
                "Injected activity and uptake time",
                "What was injected and how long it was waited, against the protocol's ranges.",
                ("scans",),
                ("scans",),
                injections.distributions,
                injections.EMPTY,
            ),
            Report(
                "tracers",
                "Two tracers compared",
                "What each tracer shows in the same patients, with McNemar's test in each variant.",
                ("comparisons", "pairs", tracers.IMPORTED),
                ("comparisons", "pairs", tracers.IMPORTED),
                tracers.compared,
                tracers.EMPTY,
                "report.unblinded",
                would_unblind=True,
            ),
            Report(
                "aldosteronism",
                "Primary aldosteronism",
                "The side by PET beside adrenal vein sampling, and both against the truth.",
                (
                    "findings",
                    "form_adrenal_vein_sampling",
                    "form_truth_of_patient",
                    aldosteronism.IMPORTED,
                ),
                ("form_adrenal_vein_sampling", aldosteronism.IMPORTED),
                aldosteronism.lateralisation,
                aldosteronism.EMPTY,
                "report.unblinded",
                would_unblind=True,
            ),
            Report(
                "literature",
                "Comparison with the review",
                "Published figures recomputed from rows, and those that can only be cited.",
                (tracers.IMPORTED, aldosteronism.IMPORTED),
                (tracers.IMPORTED, aldosteronism.IMPORTED),
                literature.comparison,
                literature.EMPTY,
                "report.unblinded",
                would_unblind=True,
            ),
        )
    }
)
