"""Reports of a trial: each a pure function of dataset rows to titled tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reporting.reports import (
    accuracy,
    aldosteronism,
    biodistribution,
    deviations,
    enrolment,
    hypotheses,
    injections,
    lateralisation_outcome,
    lesions,
    literature,
    quality,
    readers,
    repeatability,
    response,
    roc,
    safety,
    tracers,
    truths,
)
from reporting.reports.content import Content
from reporting.reports.rows import Rows

__all__ = ["REPORTS", "Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """A report: what it answers, the datasets it reads, and without which it is `empty`, in words.

    Who may see it holds `permission` at all sites of the trial; one that `would_unblind` is kept
    from whoever reads scans or decides the truth in the trial; one that `tells_tracer` of a scan is
    made of a concealed allocation only from an unblinded export. Of an export whose privacy
    profile left out a column of a dataset that it `needs`, or the days of one, it is not made.
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
    tells_tracer: bool = False
    needs: tuple[tuple[str, str], ...] = ()


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
                needs=(("patients", "site"),),
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
                tells_tracer=True,
            ),
            Report(
                "quality",
                "Image quality and conformance",
                "Which series could be measured, and what they do not keep, by site and scanner.",
                ("series", "conformance", "scans"),
                ("series",),
                quality.conformance,
                quality.EMPTY,
                tells_tracer=True,
            ),
            Report(
                "biodistribution",
                "Biodistribution",
                "What normal organs take up of each tracer.",
                ("organs", "scans"),
                ("organs",),
                biodistribution.uptake,
                biodistribution.EMPTY,
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "lesions",
                "Lesions",
                "Uptake, volume and burden of lesions, one by one, by site and by tumour type.",
                ("findings", "scans", "organs", "evidence"),
                ("findings",),
                lesions.tables,
                lesions.EMPTY,
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "agreement",
                "Reader agreement",
                "How far the readers of a scan agree, in answers and in numbers.",
                ("reader_agreement", "findings", "scans", "responses"),
                ("reader_agreement",),
                readers.agreement,
                readers.EMPTY,
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "repeatability",
                "Repeatability",
                "What test and retest scans measure of the same lesions and organs, unchanged.",
                ("retests", "scans", "comparisons", "pairs", "findings", "organs"),
                ("retests",),
                repeatability.report,
                repeatability.EMPTY,
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "safety",
                "Safety",
                "What happened to those injected: adverse events, and vital signs around it.",
                ("patients", "scans", safety.EVENTS, safety.SIGNS),
                ("scans",),
                safety.safety,
                safety.EMPTY,
                tells_tracer=True,
                needs=(("scans", "injected_at"),),
            ),
            Report(
                "deviations",
                "Deviations",
                "What did not go as the protocol says: about what, where, and how important.",
                ("patients", "deviations"),
                ("patients",),
                deviations.deviations,
                deviations.EMPTY,
                needs=(("patients", "site"),),
            ),
            Report(
                "response",
                "Response to treatment",
                "Who responded by each scale of the protocol, how far, and for how long.",
                ("patients", "scans", "responses", response.PROGRESSION),
                ("responses", response.PROGRESSION),
                response.response,
                response.EMPTY,
                would_unblind=True,
                tells_tracer=True,
                needs=(("scans", "injected_at"),),
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
                tells_tracer=True,
            ),
            Report(
                "accuracy",
                "Diagnostic accuracy",
                "What reads show against the truth panel, per patient, region and lesion.",
                (truths.OF_PATIENT, truths.OF_LESION, "findings", "scans"),
                ("findings",),
                accuracy.report,
                accuracy.EMPTY,
                "report.unblinded",
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "hypotheses",
                "Hypotheses of the protocol",
                "What the protocol sets out to show of two scans, in its order, and what came out.",
                (
                    "hypotheses",
                    "scans",
                    "findings",
                    "pairs",
                    truths.OF_PATIENT,
                    truths.OF_LESION,
                    "populations",
                ),
                ("hypotheses",),
                hypotheses.report,
                hypotheses.EMPTY,
                "report.unblinded",
                would_unblind=True,
                tells_tracer=True,
            ),
            Report(
                "aldosteronism",
                "Primary aldosteronism",
                "The side by PET beside adrenal vein sampling, against the truth and the outcome.",
                (
                    "findings",
                    "scans",
                    lateralisation_outcome.OUTCOMES,
                    "form_adrenal_vein_sampling",
                    "form_truth_of_patient",
                    aldosteronism.IMPORTED,
                ),
                (
                    "form_adrenal_vein_sampling",
                    aldosteronism.IMPORTED,
                    lateralisation_outcome.OUTCOMES,
                ),
                aldosteronism.lateralisation,
                aldosteronism.EMPTY,
                "report.unblinded",
                would_unblind=True,
            ),
            Report(
                "roc",
                "ROC curves",
                "What reads measured against the truth panel: areas, two tracers, cut-offs.",
                (roc.TRUTH, "findings", "scans"),
                (roc.TRUTH,),
                roc.curves,
                roc.EMPTY,
                "report.unblinded",
                would_unblind=True,
                tells_tracer=True,
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
