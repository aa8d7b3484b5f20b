"""How results and supplemental qualifiers that are computed come about, in the words of define.xml.

By domain and test code, or by dataset and QNAM. What stands in neither is as it was collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SUV = (
    "Standardized uptake value by body weight: activity concentration [Bq/mL] times body weight "
    "[g] over the net injected activity [Bq], the latter decayed to the instant that the voxel "
    "values refer to. g/mL, submitted as kg/L."
)
_UPTAKE_TIME = (
    "Start of the first PET bed less the injection, in minutes; of a scan, that of the PET series "
    "that counts for it."
)
_VOLUME = (
    "Number of voxels of the region times the volume of a voxel; how the region was delineated "
    "stands in SUPPTR.SEGMTHD."
)
_TOTAL = (
    "SUVmean times volume: total lesion glycolysis (TLG) of FDG, total lesion uptake (TLU) of any "
    "other tracer. g/mL times mL gives g."
)
_RATIO = (
    "{lesion} of the lesion over SUVmean of the region of reference, which SUPPTR.REFREG names."
)
_ADRENAL = "{words}, of the regions that the reader placed on both adrenals."
_DOSE = "Effective dose in mSv: {words}"

TESTS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("TR", "SUVMAX"): f"Highest value of a voxel of the region. {_SUV}",
        ("TR", "SUVMEAN"): f"Mean over the voxels of the region. {_SUV}",
        (
            "TR",
            "SUVPEAK",
        ): "Highest mean over 1 mL around a voxel of the region; by which definition "
        f"stands in SUPPTR.PEAKDEF or SUPPTR.MEASMTHD. {_SUV}",
        ("TR", "SUVSD"): f"Standard deviation over the voxels of the region. {_SUV}",
        ("TR", "SUVCV"): "SUVSD over SUVMEAN of the same region.",
        ("TR", "VOLUME"): _VOLUME,
        ("TR", "SUMVOL"): f"Sum over the lesions of the scan. {_VOLUME}",
        ("TR", "TLG"): _TOTAL,
        ("TR", "TLU"): _TOTAL,
        ("TR", "SUMTLU"): f"Sum over the lesions of the scan. {_TOTAL}",
        ("TR", "TBRMAX"): _RATIO.format(lesion="SUVmax"),
        ("TR", "TBRPEAK"): _RATIO.format(lesion="SUVpeak"),
        ("TR", "TBRMEAN"): _RATIO.format(lesion="SUVmean"),
        ("TR", "LESNUM"): "Number of lesions that the reader confirmed in the scan.",
        ("TR", "DMAX"): "Largest distance between the centroids of two lesions of the scan "
        "(Cottereau et al., J Nucl Med 2020;61:40).",
        ("TR", "CMPPOS"): "Positive by the rule of the protocol, against the region of reference: "
        "above POSTHR; the reader's own judgement is VISPOS.",
        ("TR", "POSTHR"): "What SUVmax or SUVpeak had to exceed by the protocol's rule for "
        "positivity, against the region of reference.",
        ("TR", "ADRMAXL"): _ADRENAL.format(words="SUVmax of the left"),
        ("TR", "ADRMAXR"): _ADRENAL.format(words="SUVmax of the right"),
        ("TR", "ADRLIVL"): _ADRENAL.format(words="SUVmax of the left over SUVmean of the liver"),
        ("TR", "ADRLIVR"): _ADRENAL.format(words="SUVmax of the right over SUVmean of the liver"),
        ("TR", "ADRRATIO"): _ADRENAL.format(words="SUVmax of the higher over that of the lower"),
        ("TR", "ADRINDEX"): _ADRENAL.format(
            words="Natural logarithm of SUVmax of the left over that of the right"
        ),
        ("TR", "ADRSIDE"): "The side that the ratio of the adrenals and the cut-off of the "
        "protocol tell.",
        ("RS", "METBRESP"): "By the rule of the protocol from the numbers in SUPPRS.NUMBERS, "
        "against the scan in SUPPRS.BASESCAN; SUPPRS.WHY says which part of it held.",
        ("RS", "BESTRESP"): "Best response of the patient so far by the same criterion.",
    }
)
QUALIFIERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("SUPPPR", "UPTKTM"): _UPTAKE_TIME,
        ("SUPPTR", "UPTKTM"): _UPTAKE_TIME,
        ("SUPPTR", "SUVFACT"): "Body weight [g] over the net injected activity [Bq], decayed to "
        "the instant that the voxel values refer to.",
        ("SUPPTU", "PARTVOL"): "Y where the lesion is so small that blur makes its values too low.",
        ("SUPPTU", "MIRCORR"): "Correlation of the values of the region with those of its mirror "
        "image.",
        ("SUPPTU", "PAIRDICE"): "Twice the volume that both lesions share over the sum of theirs.",
        ("SUPPTU", "PAIRML"): "Volume that both lesions share, in mL.",
        ("SUPPTU", "PAIRMM"): "Distance of the centres of both lesions, in mm.",
        ("SUPPTU", "PAIROUT"): "Both, or the scan in which alone there is a lesion at the place.",
        ("SUPPPR", "EDTRACER"): _DOSE.format(words="net injected activity times the coefficient."),
        ("SUPPPR", "EDCT"): _DOSE.format(words="dose-length product times the coefficient."),
        ("SUPPPR", "EDTOTAL"): _DOSE.format(words="EDTRACER plus EDCT; EDGAPS says what it lacks."),
        ("SUPPPR", "EDGAPS"): "What the effective dose could not be computed from.",
        ("SUPPEX", "RESIDFL"): "Y where no residual activity was measured and none was taken off.",
        ("SUPPAG", "RESIDFL"): "Y where no residual activity was measured and none was taken off.",
        ("SUPPRS", "CHGPCT"): "Value of the scan less that of the scan of comparison, over the "
        "latter, times 100.",
    }
)
# What a derived qualifier is that no words above are of.
OF_THE_RECORD = "Told by the program from what is recorded, by the rules of the protocol."
