"""Kidney function from serum creatinine.

CKD-EPI 2021 (race-free, Inker et al., N Engl J Med 2021;385:1737, table 2):

    eGFR = 142 * min(Scr/k, 1)^a * max(Scr/k, 1)^-1.200 * 0.9938^age * (1.012 if female)

with k = 0.7, a = -0.241 for women and k = 0.9, a = -0.302 for men. Cockcroft and Gault,
Nephron 1976;16:31:

    CrCl = (140 - age) * weight / (72 * Scr) * (0.85 if female)

The one mistake to fear is the unit: creatinine is in mg/dL here, and eGFR is per 1.73 m2 of
body surface while the clearance is not, so that the two have limits of their own.
"""

from __future__ import annotations

from typing import Literal

Sex = Literal["F", "M"]

CKD_EPI_2021 = "CKD-EPI 2021 (Inker et al., N Engl J Med 2021;385:1737)"
COCKCROFT_GAULT = "Cockcroft–Gault (Nephron 1976;16:31)"
# Both equations were made from adults.
LEAST_AGE = 18


class RenalFunctionError(ValueError):
    """A creatinine, an age or a weight the equations say nothing about."""


def ckd_epi_2021(creatinine: float, *, age: int, sex: Sex) -> float:
    """Estimated glomerular filtration rate.

    Parameters
    ----------
    creatinine : float
        Serum creatinine in mg/dL, positive.
    age : int
        Completed years, 18 or more.
    sex : {"F", "M"}
        Sex as recorded at birth.

    Returns
    -------
    float
        eGFR in mL/min/1.73 m2.

    Raises
    ------
    RenalFunctionError
        If the creatinine is not positive or the age below 18.

    Examples
    --------
    At Scr = k both powers are one:

    >>> ckd_epi_2021(0.9, age=40, sex="M") == 142 * 0.9938**40
    True
    """
    _require(creatinine, age)
    kappa, alpha, factor = (0.7, -0.241, 1.012) if sex == "F" else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    return float(142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.200 * 0.9938**age * factor)


def cockcroft_gault(creatinine: float, *, age: int, sex: Sex, weight: float) -> float:
    """Estimated creatinine clearance in mL/min.

    `creatinine` in mg/dL, `age` in completed years, `weight` in kg; raises
    RenalFunctionError as `ckd_epi_2021`, and for a weight that is not positive.

    >>> cockcroft_gault(1.0, age=68, sex="M", weight=70.0)
    70.0
    """
    _require(creatinine, age)
    if not weight > 0:
        raise RenalFunctionError(f"weight must be positive, got {weight:g} kg")
    return (140 - age) * weight / (72 * creatinine) * (0.85 if sex == "F" else 1.0)


def _require(creatinine: float, age: int) -> None:
    if not creatinine > 0:
        raise RenalFunctionError(f"creatinine must be positive, got {creatinine:g} mg/dL")
    if age < LEAST_AGE:
        raise RenalFunctionError(f"the equation is for adults, got an age of {age} years")
