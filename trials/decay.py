"""Radioactive decay, and the activity a patient really received.

    A(t) = A(0) * 2^(-t / T)

The one mistake to fear is the sign of a time: an assay *before* the injection shrinks on
the way to it, a residual measured *after* the injection was larger at the injection. For
gallium-68 one hour the wrong way is a factor of 3.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# ICRP Publication 107 (2008), in seconds, as distributed with radioactivedecay 0.6.1. They
# serve to plan and to check; a decay correction undone must use the half-life that made it.
HALF_LIFE: Mapping[str, float] = MappingProxyType(
    {
        "C-11": 1223.4,
        "N-13": 597.9,
        "O-15": 122.24,
        "F-18": 6586.2,
        "Na-22": 82107965.0,
        "Sc-43": 14007.6,
        "Sc-44": 14292.0,
        "Mn-52": 483062.4,
        "Co-55": 63108.0,
        "Cu-60": 1422.0,
        "Cu-61": 11998.8,
        "Cu-62": 580.38,
        "Cu-64": 45720.0,
        "Ga-66": 34164.0,
        "Ga-68": 4062.6,
        "Ge-68": 23410080.0,
        "Br-76": 58320.0,
        "Rb-82": 76.38,
        "Y-86": 53064.0,
        "Y-90": 230760.0,
        "Zr-89": 282276.0,
        "Tc-94m": 3120.0,
        "In-111": 242326.0,
        "I-124": 360806.4,
        "I-131": 692988.5,
        "Tb-152": 63000.0,
        "Lu-177": 574300.8,
    }
)


class DecayError(ValueError):
    """An activity, a time or a half-life that no measurement can have given."""


@dataclass(frozen=True, slots=True)
class NetActivity:
    """What entered the patient, in Bq at the time of injection.

    `residual_known` is False when nobody measured what stayed in the syringe: `value` is
    then the assayed activity at injection, an upper bound, and must be shown as one.
    """

    value: float
    residual_known: bool


def decayed(activity: float, *, elapsed: float, half_life: float) -> float:
    """Activity after a time.

    Parameters
    ----------
    activity : float
        Activity in Bq, not negative.
    elapsed : float
        Seconds from the time of `activity` to the time wanted; negative looks back.
    half_life : float
        Half-life in s.

    Returns
    -------
    float
        Activity in Bq.

    Raises
    ------
    DecayError
        If the activity is negative, the half-life not positive, or anything not finite.

    Examples
    --------
    >>> decayed(100e6, elapsed=4062.6, half_life=HALF_LIFE["Ga-68"])
    50000000.0
    """
    if not (math.isfinite(activity) and activity >= 0):
        raise DecayError(f"activity must be zero or more, got {activity} Bq")
    if not (math.isfinite(half_life) and half_life > 0):
        raise DecayError(f"half-life must be positive, got {half_life} s")
    if not math.isfinite(elapsed):
        raise DecayError(f"elapsed time must be finite, got {elapsed} s")
    try:
        return activity * 2.0 ** (-elapsed / half_life)
    except OverflowError:
        raise DecayError(f"{elapsed} s is too far back for a half-life of {half_life} s") from None


def net_activity(
    *,
    assayed: float,
    assay_to_injection: float,
    residual: float | None,
    injection_to_residual: float | None,
    half_life: float,
) -> NetActivity:
    """Activity injected: assayed less residual, both at the time of injection.

        A * 2^(-(t_inj - t_assay) / T)  -  R * 2^(+(t_res - t_inj) / T)

    Parameters
    ----------
    assayed : float
        Activity in the full syringe in Bq, as measured.
    assay_to_injection : float
        Seconds from that measurement to the injection; negative if it came after.
    residual : float or None
        Activity left in syringe and line in Bq, as measured; None if nobody measured it,
        which is not the same as nothing left.
    injection_to_residual : float or None
        Seconds from the injection to the measurement of the residual.
    half_life : float
        Half-life in s.

    Raises
    ------
    DecayError
        If the residual has no time, or is more than what was assayed; and as `decayed`.

    Examples
    --------
    200 MBq of gallium-68 one half-life before the injection, 5 MBq left one half-life after:

    >>> net_activity(assayed=200e6, assay_to_injection=4062.6, residual=5e6,
    ...              injection_to_residual=4062.6, half_life=4062.6)
    NetActivity(value=90000000.0, residual_known=True)
    """
    available = decayed(assayed, elapsed=assay_to_injection, half_life=half_life)
    if residual is None:
        return NetActivity(available, residual_known=False)
    if injection_to_residual is None:
        raise DecayError("the residual activity was measured, but its time is missing")
    left = decayed(residual, elapsed=-injection_to_residual, half_life=half_life)
    if left > available:
        raise DecayError(
            f"the residual exceeds the assayed activity {left / available:.3g} times, both at "
            "injection"
        )
    return NetActivity(available - left, residual_known=True)
