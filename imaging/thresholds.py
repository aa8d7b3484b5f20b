"""From reference regions to the SUV at which a lesion begins.

    fixed         a number of the protocol, such as 2.5, 3 or 4.0
    reference     k * mean + n * SD of a reference region, both numbers of the protocol

PERCIST's are 1.5 and 2 of the liver, and where it is diseased 2.0 and 2 of the blood pool (Wahl et
al., J Nucl Med 2009;50 Suppl 1:122S). It counts in SUL; both sides of the comparison carry the
same factor from SUV to SUL, that of the patient on the day, so the voxels are the same in either.

The mistake to fear is a rule made for FDG that is applied unseen: the liver takes up little
Pentixafor, and a threshold of 1.5 times as much lies in normal tissue. So nothing here is a
default; a method is what the protocol names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imaging.reference_regions import RegionStatistics
from imaging.segmentation import SegmentationError
from trials.segmentation_methods import FIXED_THRESHOLD, named

# The code of a threshold that rests on a region which is not there.
NO_REGION = "reference-region-missing"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Smallest SUV that belongs, g/mL, and the sentence why."""

    suv: float
    why: str


def of_protocol(method: Mapping[str, Any], regions: Mapping[str, RegionStatistics]) -> Threshold:
    """The threshold by the method that a planned scan states.

    Parameters
    ----------
    method : mapping
        `method`, with `suv` of "fixed_threshold", or `region`, `times_mean` and `times_sd` of
        "reference_threshold".
    regions : mapping
        Regions of the scan by their kind, such as "liver".

    Raises
    ------
    SegmentationError
        "reference-region-missing" if the region it is taken from is not there;
        "threshold-invalid".
    """
    if method["method"] == FIXED_THRESHOLD:
        return fixed(method["suv"])
    region = method["region"]
    if region not in regions:
        raise SegmentationError(
            NO_REGION,
            f"The protocol takes the threshold from the {named(region)}, and none is placed on "
            "this series. Have a reader place it; the series is then measured again.",
        )
    found = regions[region]
    return of_reference(
        mean=found.mean,
        sd=found.sd,
        times_mean=method["times_mean"],
        times_sd=method["times_sd"],
        region=named(region),
    )


def fixed(suv: float) -> Threshold:
    """The number that the protocol states, g/mL.

    >>> fixed(4.0).why
    'SUV >= 4, as the protocol states.'
    """
    return _valid(suv, f"SUV >= {suv:g}, as the protocol states.")


def of_reference(
    *,
    mean: float,
    sd: float,
    times_mean: float,
    times_sd: float,
    region: str,
) -> Threshold:
    """times_mean * mean + times_sd * SD of a reference region, in g/mL.

    Raises
    ------
    SegmentationError
        "threshold-invalid" if the region's mean is not positive, its SD negative, or the result
        no positive SUV.

    >>> of_reference(mean=1.6, sd=0.2, times_mean=1.0, times_sd=2.0, region="blood pool").why
    'SUV >= 2.00: 1 x mean 1.60 + 2 x SD 0.20 of the blood pool.'
    """
    if not (mean > 0 and sd >= 0 and math.isfinite(mean + sd)):
        raise SegmentationError(
            "threshold-invalid",
            f"The {region} has a mean of {mean:g} and a standard deviation of {sd:g} g/mL: "
            "no threshold can be taken from it. Place the region again.",
        )
    suv = times_mean * mean + times_sd * sd
    why = (
        f"SUV >= {suv:.2f}: {times_mean:g} x mean {mean:.2f} + {times_sd:g} x SD {sd:.2f} "
        f"of the {region}."
    )
    return _valid(suv, why)


def _valid(suv: float, why: str) -> Threshold:
    if not (math.isfinite(suv) and suv > 0):
        raise SegmentationError(
            "threshold-invalid", f"The threshold must be a positive SUV, got {suv}."
        )
    return Threshold(suv, why)
