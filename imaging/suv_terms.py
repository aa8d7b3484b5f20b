"""The words of a verdict on a series: statuses, refusals, flags, adaptations, inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from imaging.reference_time import Witness

if TYPE_CHECKING:
    from imaging.suv import SuvScale

Policy = Literal["witnesses", "ibsi", "qiba"]
Status = Literal["COMPUTED", "COMPUTED-FLAGGED", "REVIEW", "REFUSED"]

# Name and version of each policy, as every number carries them.
POLICIES: Mapping[Policy, tuple[str, str]] = MappingProxyType(
    {
        "witnesses": ("TrialTrace five witnesses", "3"),
        "ibsi": ("IBSI-SUV 3.0.1", "2"),
        "qiba": ("QIBA vendor-neutral pseudo-code 2018-06-26", "2"),
    }
)

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "reference-time-uncorroborated": "Series and acquisition time agree, but nothing else "
        "in the headers confirms that the pixel values refer to them.",
        "series-time-rewritten": "Series Time is later than the acquisition; another witness "
        "was used, confirmed by a second one.",
        "witness-contradicts": "A witness contradicts the instant that this policy takes the "
        "pixel values to refer to; it would be for a person to decide.",
        "incomplete": "Slices are missing: Number of Slices (0054,0081) counts more than there "
        "are, or places or instance numbers have a gap. What lies in them was not measured.",
        "dose-in-megabecquerel": "Radionuclide Total Dose was below 10 kBq and was read as MBq.",
        "weight-in-grams": "Patient's Weight was 1000 or more and was read as grams.",
        "size-in-centimetres": "Patient's Size was above 3 and was read as centimetres.",
        "sex-averaged": "Patient's Sex is neither M nor F; the mean of both formulas was used.",
        "activity-implausible": "The injected activity is outside what is usual for the nuclide.",
        "nuclide-unverified": "The headers do not name a known nuclide, so the half-life could "
        "not be checked.",
        "injection-times-differ": "Radiopharmaceutical Start Time and Start DateTime give "
        "different times of day.",
        "weight-from-record": "Patient's Weight is missing in the headers; what the site "
        "recorded was used.",
        "record-not-applied": "Weight and activity are baked into the values by the scanner: "
        "what the site recorded can't be put in their place.",
        "accepted-after-review": "The headers left it open; a person decided that it holds.",
        "rescale-intercept": "Rescale Intercept is not zero; the standard says it is.",
        "derived-image": "Image Type says the pixel values were derived from others.",
        "dynamic-frames": "Series Type says that this is a frame of a dynamic acquisition, not "
        "the static scan.",
        "gated-bins": "Series Type says that this is a bin of a gated acquisition, which has a "
        "part of the counts alone.",
        "suv-type-ignored": "SUV Type says that the values are not normalised by body weight; "
        "this policy takes them as if they were.",
        "lean-mass-past-turning": "At this body mass index James's formula gives less lean "
        "mass for more weight.",
    }
)
ADAPTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "injection-date-from-reference": "Only the time of day of the injection is given; its "
        "date was taken from the reference instant.",
        "injection-date-replaced": "The date in Radiopharmaceutical Start DateTime cannot be "
        "right; its time of day was put on the date of the reference instant.",
        "injection-in-zone-of-series": "Start DateTime was converted to the time zone of the "
        "series.",
        "injection-during-acquisition": "A dynamic series that began before the injection.",
        "series-date-from-acquisition": "Series Date is missing; Acquisition Date was used.",
        "scanner-suv-factor": "The Philips SUV scale factor was used: weight and activity are "
        "baked into it and cannot be corrected afterwards.",
        "suv-type-undone": "The values were normalised otherwise; that was divided out and body "
        "weight put in its place.",
        "computed-from-record": "Weight, injected activity and injection time are those that "
        "the site recorded, not those of the headers.",
        "dose-in-megabecquerel": "Radionuclide Total Dose was multiplied by a million.",
        "weight-in-grams": "Patient's Weight was divided by a thousand.",
        "size-in-centimetres": "Patient's Size was divided by a hundred.",
    }
)

_TAG = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-fx]{4}\)")


class SuvRefused(ValueError):  # noqa: N818  a refusal is an answer, not a fault
    """No SUV can be given; `code` is stable, the message says what was found where.

    `status` is REVIEW where a person may decide; then `candidate` is the scale that would
    hold, if there is one, and `doubts` are the codes of all that is open about it. `witnesses`
    is the table of reference instants as far as it was worked out.
    """

    def __init__(
        self,
        code: str,
        message: str,
        witnesses: tuple[Witness, ...] = (),
        *,
        status: Literal["REVIEW", "REFUSED"] = "REFUSED",
        candidate: SuvScale | None = None,
        doubts: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.witnesses = witnesses
        self.status = status
        self.candidate = candidate
        self.doubts = doubts

    def derivation(self) -> dict[str, Any]:
        """What is kept of a refusal, as JSON values: the candidate is one and called so."""
        return {
            "status": self.status,
            "code": self.code,
            "attribute": self.attribute,
            "doubts": list(self.doubts),
            "witnesses": [asdict(one) for one in self.witnesses],
            "candidate": self.candidate.derivation() if self.candidate else None,
        }

    @property
    def attribute(self) -> str:
        """The first DICOM attribute that the message names, as "(0054,1001)"."""
        found = _TAG.search(self.message)
        return found[0] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the site recorded of the injection, for a series to be computed from.

    `weight` in kg, `activity` the net one in Bq at `injected_at`, which is on the clock of
    the series: its zone, its shifted dates, and its scanner's offset. `reference` names the
    row of the record and its version. `is_dated` says that its day is that of the series: not so
    where whoever de-identified the images before moved their dates, nobody knows how far.
    """

    weight: float
    activity: float
    injected_at: datetime
    reference: str
    is_dated: bool = True


@dataclass(frozen=True, slots=True)
class Input:
    """One value the factor was computed from, as written in the header or the record."""

    name: str
    tag: str
    value: Any
    unit: str
