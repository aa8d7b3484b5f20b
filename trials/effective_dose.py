"""Effective dose of a patient: from the tracer by its coefficient, from the CT by its DLP.

    E = A_net * e(tracer) + sum over irradiations of DLP * k(region)

`e` is published for a tracer in mSv/MBq and stated by the trial file with its source; `k` is of
AAPM Report 96 (2008), table 3, adults, after the European Guidelines EUR 16262. Both are for a
reference person: a number to add up and to hold against a limit, not the risk of a patient.

The mistake to fear is a part that nobody knows, counted as zero: it is named instead, and the
sum is a lower bound that can be over a limit but never shown to be within.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Standing = Literal["within", "outside", "not checkable"]

# mSv/(mGy cm). The DLP of head and neck refers to the phantom of 16 cm, of the body to 32 cm.
PER_DLP: Mapping[str, float] = MappingProxyType(
    {
        "head": 0.0021,
        "head_neck": 0.0031,
        "neck": 0.0059,
        "chest": 0.014,
        "abdomen_pelvis": 0.015,
        "trunk": 0.015,
    }
)
PER_DLP_SOURCE = "AAPM Report 96 (2008), table 3, adults"


@dataclass(frozen=True, slots=True)
class Irradiation:
    """A CT acquisition as its dose report says: DLP in mGy cm and the region, None if unknown."""

    dlp_mgy_cm: float | None
    region: str | None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A DLP in mGy cm that images or a dose report propose; a person records it, or another."""

    dlp_mgy_cm: float
    basis: Literal["report", "estimate"]
    explanation: str
    region: str = ""

    @property
    def label(self) -> str:
        return "dose report" if self.basis == "report" else "estimate from the images"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a scan gave: activity in MBq, its coefficient in mSv/MBq, and its CT.

    `net_activity_mbq` is None until a tracer was given; `is_upper_bound` if the residual was not
    measured. `has_ct` is None where the protocol does not say whether there is one.
    """

    label: str
    net_activity_mbq: float | None
    msv_per_mbq: float | None
    is_upper_bound: bool = False
    is_proposed: bool = False
    has_ct: bool | None = None
    irradiations: tuple[Irradiation, ...] = ()
    # Never added up: it only says what to record.
    proposed: Proposed | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """The dose of one scan in mSv; a part that is None is not known, and `gaps` say why."""

    tracer_msv: float | None
    ct_msv: float | None
    gaps: tuple[str, ...]
    # The tracer's part may be less: the residual was not measured, or its coefficient is proposed.
    is_tracer_certain: bool = True

    @property
    def known_msv(self) -> float:
        """The parts that are known; all of it only if there are no gaps."""
        return (self.tracer_msv or 0.0) + (self.ct_msv or 0.0)

    @property
    def total_msv(self) -> float | None:
        return None if self.tracer_msv is None or self.ct_msv is None else self.known_msv


@dataclass(frozen=True, slots=True)
class Cumulative:
    """The doses of a patient's scans together, against the limit of the protocol in mSv."""

    known_msv: float
    is_complete: bool
    limit_msv: float | None
    standing: Standing
    gaps: tuple[str, ...]


def dose(exposure: Exposure) -> Dose:
    """The effective dose of one scan.

    150 MBq at 0.02 mSv/MBq, and a CT of the trunk with a DLP of 400 mGy cm:

    >>> found = dose(Exposure("PET", 150.0, 0.02, has_ct=True,
    ...                       irradiations=(Irradiation(400.0, "trunk"),)))
    >>> found.tracer_msv, found.ct_msv, found.total_msv
    (3.0, 6.0, 9.0)
    >>> dose(Exposure("PET", 150.0, 0.02, has_ct=True)).gaps
    ('PET: the DLP of its CT is not recorded.',)
    """
    gaps: list[str] = []
    tracer = _tracer(exposure, gaps)
    is_certain = not (exposure.is_upper_bound or exposure.is_proposed)
    return Dose(tracer, _ct(exposure, gaps), tuple(gaps), is_certain)


def cumulative(doses: Sequence[Dose], *, limit_msv: float | None) -> Cumulative:
    """All doses together; the limit belongs to what is allowed, nothing is rounded.

    >>> cumulative([Dose(3.0, 6.0, ())], limit_msv=9.0).standing
    'within'
    >>> cumulative([Dose(3.0, None, ("gap",))], limit_msv=9.0).standing
    'not checkable'
    """
    known = sum(one.known_msv for one in doses)
    gaps = tuple(gap for one in doses for gap in one.gaps)
    is_complete = all(one.total_msv is not None for one in doses)
    return Cumulative(known, is_complete, limit_msv, _standing(doses, limit_msv, gaps), gaps)


def _tracer(exposure: Exposure, gaps: list[str]) -> float | None:
    if exposure.net_activity_mbq is None:
        return 0.0
    if exposure.msv_per_mbq is None:
        gaps.append(f"{exposure.label}: the protocol states no dose coefficient of the tracer.")
        return None
    if exposure.is_proposed:
        gaps.append(
            f"{exposure.label}: the dose coefficient of the tracer is only proposed; "
            "confirm it with the protocol."
        )
    return exposure.net_activity_mbq * exposure.msv_per_mbq


def _ct(exposure: Exposure, gaps: list[str]) -> float | None:
    if not exposure.irradiations:
        # What told a dose was irradiated, whatever is planned or recorded.
        if exposure.proposed is None and (
            exposure.has_ct is False or exposure.net_activity_mbq is None
        ):
            return 0.0
        gaps.append(f"{exposure.label}: the DLP of its CT is not recorded.{_offer(exposure)}")
        return None
    found = 0.0
    for one in exposure.irradiations:
        if one.dlp_mgy_cm is None or one.dlp_mgy_cm < 0:
            gaps.append(f"{exposure.label}: the DLP of its CT is not known as a number.")
            return None
        if one.region is None or one.region not in PER_DLP:
            gaps.append(f"{exposure.label}: the region of its CT is not recorded with the DLP.")
            return None
        found += one.dlp_mgy_cm * PER_DLP[one.region]
    return found


def _offer(exposure: Exposure) -> str:
    one = exposure.proposed
    return f" Proposed by the {one.label}: {one.dlp_mgy_cm:.4g} mGy cm." if one else ""


def _standing(doses: Sequence[Dose], limit_msv: float | None, gaps: Sequence[str]) -> Standing:
    if limit_msv is None:
        return "not checkable"
    # As much as an upper bound is not shown to have been given.
    certain = sum(one.known_msv if one.is_tracer_certain else one.ct_msv or 0.0 for one in doses)
    if certain > limit_msv:
        return "outside"
    if gaps or sum(one.known_msv for one in doses) > limit_msv:
        return "not checkable"
    return "within"
