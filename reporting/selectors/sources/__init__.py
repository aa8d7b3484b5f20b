"""Where each dataset's columns are read, one module by subject as in `reporting.datasets`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reporting.selectors.sources.agreement import AGREEMENT
from reporting.selectors.sources.base import Source
from reporting.selectors.sources.conduct import (
    ACCOUNTABILITY_REVIEWS,
    BATCHES,
    DEVIATIONS,
    QUERIES,
    TRACER_MOVEMENTS,
)
from reporting.selectors.sources.conformance import CONFORMANCE
from reporting.selectors.sources.hypotheses import HYPOTHESES
from reporting.selectors.sources.lesions import LESIONS, ORGANS, RATIOS, REGIONS
from reporting.selectors.sources.monitoring import ACTION_ITEMS, MONITORING_VISITS
from reporting.selectors.sources.patients import (
    ALLOCATIONS,
    ALLOCATIONS_OPENED,
    CONSENTS,
    ELIGIBILITY,
    EVIDENCE,
    PATIENTS,
)
from reporting.selectors.sources.reads import (
    COMPARISONS,
    FINDINGS,
    GROWN_RATIOS,
    PAIRS,
    RECIST_LESIONS,
    RESPONSES,
)
from reporting.selectors.sources.retests import RETESTS
from reporting.selectors.sources.scans import EFFECTIVE_DOSE, SCANS, SERIES

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "patients": PATIENTS,
        "consents": CONSENTS,
        "evidence": EVIDENCE,
        "eligibility": ELIGIBILITY,
        "allocations": ALLOCATIONS,
        "scans": SCANS,
        "effective_dose": EFFECTIVE_DOSE,
        "retests": RETESTS,
        "series": SERIES,
        "conformance": CONFORMANCE,
        "lesions": LESIONS,
        "regions": REGIONS,
        "organs": ORGANS,
        "ratios": RATIOS,
        "grown_ratios": GROWN_RATIOS,
        "comparisons": COMPARISONS,
        "pairs": PAIRS,
        "findings": FINDINGS,
        "reader_agreement": AGREEMENT,
        "recist_lesions": RECIST_LESIONS,
        "responses": RESPONSES,
        "deviations": DEVIATIONS,
        "batches": BATCHES,
        "tracer_movements": TRACER_MOVEMENTS,
        "accountability_reviews": ACCOUNTABILITY_REVIEWS,
        "queries": QUERIES,
        "monitoring_visits": MONITORING_VISITS,
        "action_items": ACTION_ITEMS,
        "hypotheses": HYPOTHESES,
    }
)
# What is read otherwise for an unblinded export.
OPENED: Mapping[str, Source] = MappingProxyType({"allocations": ALLOCATIONS_OPENED})
