"""What an uptake value is normalised by: body weight, lean mass, surface, ideal weight.

    SUV = C * normaliser / A

with C the activity concentration in Bq/mL and A the activity in Bq. The normaliser is a mass
in g, so that SUV is in g/mL, or a surface in cm2, so that it is in cm2/mL.

The mistake to fear is a lean body mass without its name. The constant for men is 120 in
DICOM's LBM and 128 in James's report: two to three percent. And James's parabola turns over:
beyond a body mass index of 43 to 46 in men and 36 in women a heavier patient gets a smaller
lean mass.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Sex = Literal["M", "F"]

# SUV Type (0054,1006) of DICOM PS3.3 C.8.9.1, and what it is measured in.
UNIT: Mapping[str, str] = MappingProxyType(
    {
        "BW": "g/mL",
        "LBM": "g/mL",
        "LBMJAMES128": "g/mL",
        "LBMJANMA": "g/mL",
        "IBW": "g/mL",
        "BSA": "cm2/mL",
    }
)
NEEDS_SEX = frozenset({"LBM", "LBMJAMES128", "LBMJANMA", "IBW"})
# d/dW of a W - b (W/H)^2 is zero at W / H^2 = a / (2 b), with H in cm; as kg/m2.
TURNING_BMI: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("LBM", "M"): 1.10 / (2 * 120) * 1e4,
        ("LBMJAMES128", "M"): 1.10 / (2 * 128) * 1e4,
        ("LBM", "F"): 1.07 / (2 * 148) * 1e4,
        ("LBMJAMES128", "F"): 1.07 / (2 * 148) * 1e4,
    }
)


class NormalisationError(ValueError):
    """A normaliser that these measures do not give."""


def normaliser(
    suv_type: str, *, weight: float, size: float | None = None, sex: str | None = None
) -> float:
    """Normaliser of a SUV type: a mass in g, or for BSA a surface in cm2.

    Parameters
    ----------
    suv_type : str
        "BW", "LBM", "LBMJAMES128", "LBMJANMA", "BSA" or "IBW": SUV Type (0054,1006).
    weight : float
        Patient's Weight in kg.
    size : float, optional
        Patient's Size in m; every type but BW needs it.
    sex : str, optional
        "M" or "F"; lean and ideal masses need it.

    Raises
    ------
    NormalisationError
        For another type, for a size or sex that is missing, for a mass that is not positive.
    """
    if suv_type == "BW":
        return weight * 1000.0
    if suv_type not in UNIT:
        raise NormalisationError(f"SUV Type must be one of {', '.join(UNIT)}, got {suv_type!r}.")
    if not size:
        raise NormalisationError(f"SUV Type {suv_type} needs Patient's Size (0010,1020).")
    if suv_type == "BSA":
        return body_surface(weight, size)
    if sex not in {"M", "F"}:
        raise NormalisationError(
            f"SUV Type {suv_type} needs Patient's Sex (0010,0040) M or F, got {sex or 'nothing'}."
        )
    mass = ideal_mass(size, sex) if suv_type == "IBW" else _LEAN[suv_type](weight, size, sex)
    if not mass > 0:
        raise NormalisationError(
            f"{weight:g} kg and {size:g} m give no positive mass for SUV Type {suv_type}."
        )
    return mass


def lean_mass(weight: float, size: float, sex: str) -> float:
    """Lean body mass in g, as DICOM's SUV Type LBM has it: constant 120 for men.

        M: 1.10 W - 120 (W / H)^2    F: 1.07 W - 148 (W / H)^2    (W in kg, H in cm)

    DICOM PS3.3 C.8.9.1; Morgan, Bray, J Nucl Med Technol 1994.

    >>> round(lean_mass(75, 1.85, "M"), 6)
    62777.574872
    """
    return _parabola(weight, size, 1.10, 120.0) if sex == "M" else _james_woman(weight, size)


def lean_mass_james(weight: float, size: float, sex: str) -> float:
    """Lean body mass in g after James: constant 128 for men, 148 for women.

    James, Research on Obesity, HMSO 1976; SUV Type LBMJAMES128 of DICOM PS3.3 C.8.9.1.
    """
    return _parabola(weight, size, 1.10, 128.0) if sex == "M" else _james_woman(weight, size)


def lean_mass_janmahasatian(weight: float, size: float, sex: str) -> float:
    """Lean body mass in g after Janmahasatian, which does not turn over in obesity.

        M: 9270 W / (6680 + 216 BMI)    F: 9270 W / (8780 + 244 BMI)

    Janmahasatian et al., Clin Pharmacokinet 2005;44:1051.

    >>> round(lean_mass_janmahasatian(75, 1.85, "F"), 6)
    49214.379968
    """
    bmi = weight / size**2
    base, slope = (6680.0, 216.0) if sex == "M" else (8780.0, 244.0)
    return 9270.0 * weight / (base + slope * bmi) * 1000.0


def body_surface(weight: float, size: float) -> float:
    """Body surface in cm2: 0.007184 W^0.425 H^0.725 m2, H in cm (Du Bois, Du Bois 1916).

    >>> round(body_surface(75, 1.85), 6)
    19813.758427
    """
    return float(0.007184 * weight**0.425 * (size * 100.0) ** 0.725 * 1e4)


def ideal_mass(size: float, sex: str) -> float:
    """Ideal body mass in g: M 48.0 + 1.06 (H - 152), F 45.5 + 0.91 (H - 152) kg, H in cm.

    Sugawara et al., Radiology 1999;213:521. The weight of the patient plays no part.

    >>> round(ideal_mass(1.85, "M"))
    82980
    """
    above = size * 100.0 - 152.0
    return (48.0 + 1.06 * above if sex == "M" else 45.5 + 0.91 * above) * 1000.0


def is_past_turning(suv_type: str, *, weight: float, size: float, sex: str) -> bool:
    """Whether more weight would mean less lean mass by this formula.

    >>> is_past_turning("LBM", weight=120, size=1.60, sex="M")
    True
    """
    turning = TURNING_BMI.get((suv_type, sex))
    return turning is not None and weight / size**2 > turning


def _james_woman(weight: float, size: float) -> float:
    return _parabola(weight, size, 1.07, 148.0)


def _parabola(weight: float, size: float, linear: float, square: float) -> float:
    return (linear * weight - square * (weight / (size * 100.0)) ** 2) * 1000.0


_LEAN = {
    "LBM": lean_mass,
    "LBMJAMES128": lean_mass_james,
    "LBMJANMA": lean_mass_janmahasatian,
}
