"""What leaves: each dataset and each of its columns, defined once.

The files, the codebook, the pages and the tests are all made from these definitions, so
that no column leaves without a label, a type, a unit and a privacy tag. Columns come from
here and never from the data: an empty trial gives the same columns as a full one.

What does not leave, in any dataset: names of people, the full date of birth, the offset of
the images' dates and anything dated by an image header (one such date beside a real one
gives the offset away), keys, and the numbers that blinded readers know a series by.

Origins are variables of SDTMIG 3.4; where SDTM has none of its own, the supplemental
qualifier that would carry the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reporting.datasets.accountability import ACCOUNTABILITY_REVIEWS, BATCHES, TRACER_MOVEMENTS
from reporting.datasets.agreement import AGREEMENT
from reporting.datasets.allocations import ALLOCATIONS
from reporting.datasets.columns import Column, Dataset, Privacy, Type
from reporting.datasets.conduct import DEVIATIONS, QUERIES
from reporting.datasets.conformance import CONFORMANCE
from reporting.datasets.dose import EFFECTIVE_DOSE
from reporting.datasets.hypotheses import HYPOTHESES
from reporting.datasets.lesions import GROWN_RATIOS, LESIONS, RATIOS, REGIONS
from reporting.datasets.monitoring import ACTION_ITEMS, MONITORING_VISITS
from reporting.datasets.organs import ORGANS
from reporting.datasets.patients import CONSENTS, ELIGIBILITY, EVIDENCE, PATIENTS
from reporting.datasets.reads import COMPARISONS, FINDINGS, PAIRS
from reporting.datasets.responses import RECIST_LESIONS, RESPONSES
from reporting.datasets.retests import RETESTS
from reporting.datasets.scans import SCANS, SERIES_SET

__all__ = ["DATASETS", "Column", "Dataset", "Privacy", "Type"]

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            PATIENTS,
            CONSENTS,
            EVIDENCE,
            ELIGIBILITY,
            ALLOCATIONS,
            SCANS,
            EFFECTIVE_DOSE,
            RETESTS,
            SERIES_SET,
            CONFORMANCE,
            LESIONS,
            REGIONS,
            ORGANS,
            RATIOS,
            GROWN_RATIOS,
            COMPARISONS,
            PAIRS,
            FINDINGS,
            AGREEMENT,
            RECIST_LESIONS,
            RESPONSES,
            DEVIATIONS,
            QUERIES,
            BATCHES,
            TRACER_MOVEMENTS,
            ACCOUNTABILITY_REVIEWS,
            MONITORING_VISITS,
            ACTION_ITEMS,
            HYPOTHESES,
        )
    }
)
