"""By which scale the response to treatment is judged, as a trial file states it.

The mistake to fear is a scale that nobody chose: without a rule there is no response, and one that
is only proposed is judged for no patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Criterion:
    """A scale: its name, the parameters it needs, and whether it compares with a baseline scan."""

    name: str
    parameters: frozenset[str]
    needs_baseline: bool


CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "percist": Criterion("PERCIST 1.0", frozenset({"lean_mass"}), True),
        "eortc": Criterion("EORTC 1999", frozenset({"suv_type", "cycles"}), True),
        # The reader says how uptake compares with baseline.
        "lugano": Criterion("Lugano 2014", frozenset(), False),
        "qpet": Criterion("qPET", frozenset(), False),
        "recist": Criterion("RECIST 1.1", frozenset({"confirmation_days", "stable_days"}), True),
    }
)
PARAMETERS = ("lean_mass", "suv_type", "cycles", "confirmation_days", "stable_days")
# SUV Type (0054,1006) of DICOM in words.
NORMALISED: Mapping[str, str] = MappingProxyType(
    {
        "BW": "body weight",
        "BSA": "body surface",
        "LBM": "lean body mass (James as in DICOM)",
        "LBMJAMES128": "lean body mass (James)",
        "LBMJANMA": "lean body mass (Janmahasatian)",
    }
)


def name(identifier: str, rules: Sequence[Mapping[str, Any]]) -> str:
    """What a rule is called among those of its trial file: its scale, told apart if need be.

    >>> rules = [{"identifier": "R", "criterion": "recist"}]
    >>> name("R", rules), name("gone", rules)
    ('RECIST 1.1', 'gone')
    >>> name("R", [*rules, {"identifier": "CT", "criterion": "recist"}])
    'RECIST 1.1 (R)'
    """
    scales = {one["identifier"]: one["criterion"] for one in rules}
    if identifier not in scales:
        return identifier
    scale = scales[identifier]
    several = list(scales.values()).count(scale) > 1
    return CRITERIA[scale].name + (f" ({identifier})" if several else "")


def words(rule: Mapping[str, Any]) -> str:
    """The scale with its parameters, as a reader says it.

    >>> words({"criterion": "percist", "lean_mass": "LBMJANMA"})
    'PERCIST 1.0, SUL by lean body mass (Janmahasatian)'
    >>> words({"criterion": "eortc", "suv_type": "BW", "cycles": 1})
    'EORTC 1999, SUV by body weight, after 1 cycle of treatment'
    >>> words({"criterion": "lugano"})
    'Lugano 2014'
    >>> words({"criterion": "recist", "confirmation_days": 28, "stable_days": 42})
    'RECIST 1.1, response confirmed after at least 28 days, stable from day 42'
    """
    parts = [CRITERIA[rule["criterion"]].name]
    if "lean_mass" in rule:
        parts.append(f"SUL by {NORMALISED[rule['lean_mass']]}")
    if "suv_type" in rule:
        parts.append(f"SUV by {NORMALISED[rule['suv_type']]}")
    if "cycles" in rule:
        cycles = rule["cycles"]
        parts.append(f"after {cycles} cycle{'' if cycles == 1 else 's'} of treatment")
    if "confirmation_days" in rule:
        days = rule["confirmation_days"]
        parts.append(
            f"response confirmed after at least {days} days" if days else "response not confirmed"
        )
        parts.append(f"stable from day {rule['stable_days']}")
    return ", ".join(parts)
