"""What a finding of a read is called, and its unit: of a whole scan, or of one lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Test:
    """One kind of finding; without a unit its result is a word or a count."""

    code: str
    name: str
    unit: str = ""
    # How the result of a scan comes from those of its lesions.
    of_scan: str = ""

    # Not a test class, whatever its name begins with.
    __test__ = False


TESTS: Mapping[str, Test] = MappingProxyType(
    {
        one.code: one
        for one in (
            Test("LESNUM", "Number of lesions", "", "regions that the reader called lesions"),
            Test("SUVMAX", "SUVmax", "g/mL", "highest of the lesions"),
            Test("SUVMEAN", "SUVmean", "g/mL"),
            Test("SUVPEAK", "SUVpeak", "g/mL", "highest of the lesions"),
            Test("VOLUME", "Volume", "mL", "sum over the lesions, no voxel of which is in two"),
            Test(
                "UPTAKE", "Total uptake", "g", "sum over the lesions, no voxel of which is in two"
            ),
            Test(
                "DMAX",
                "Largest distance between two lesions",
                "mm",
                "between the centroids of two lesions",
            ),
            Test(
                "VISPOS",
                "Visual positivity",
                "",
                "positive by one lesion above the reference; negative if all are said not to be",
            ),
            Test(
                "CMPPOS",
                "Computed positivity",
                "",
                "positive by one lesion that is, by the protocol's rule; negative if all are not",
            ),
            Test("ADRMAXL", "SUVmax of the left adrenal", "g/mL", "in the accepted sphere"),
            Test("ADRMAXR", "SUVmax of the right adrenal", "g/mL", "in the accepted sphere"),
            Test(
                "ADRLIVL",
                "Left adrenal over liver",
                "",
                "SUVmax of the adrenal over SUVmean of the liver",
            ),
            Test(
                "ADRLIVR",
                "Right adrenal over liver",
                "",
                "SUVmax of the adrenal over SUVmean of the liver",
            ),
            Test(
                "ADRRATIO",
                "Dominant over contralateral adrenal",
                "",
                "higher SUVmax of the two over the lower",
            ),
            Test(
                "ADRINDEX",
                "Left/right index of the adrenals",
                "",
                "ln(left SUVmax / right SUVmax): above 0 is left",
            ),
            Test(
                "ADRSIDE",
                "Side of the adrenals by PET",
                "",
                "left, right or bilateral by the protocol's cut-off at its time after injection",
            ),
        )
    }
)
