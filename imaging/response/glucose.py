"""Plasma glucose before a scan with a glucose: recorded as a number, or as a bound of one.

    passes   the value, or all values that a bound stands for, are under 200 mg/dL
    fails    the value, or all values that a bound stands for, are not
    not known   a bound holds values of both kinds, or nothing is recorded

The mistake to fear is a bound taken for a number: "<200" is under 200 mg/dL, "<250" tells nothing.

References
----------
Under 200 mg/dL: O et al., Radiology 2016;280:576 (PMC4976461).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imaging.cut_offs import exceeds, is_positive, reaches, words

# Plasma glucose has to stay under it, mg/dL.
MOST_MG_DL = 200.0


@dataclass(frozen=True, slots=True)
class Glucose:
    """A recorded plasma glucose in mg/dL; with a sign, all values under or over the number."""

    mg_dl: float
    sign: Literal["", "<", ">"] = ""
    # As it was entered with its unit; empty where that is not known.
    entered: str = ""

    @property
    def words(self) -> str:
        """As entered, and in mg/dL.

        >>> Glucose(199.97316, "<", "<11.1 mmol/L").words, Glucose(200.0, "<", "<200 mg/dL").words
        ('<11.1 mmol/L (<199.97 mg/dL)', '<200 mg/dL')
        """
        in_mg_dl = f"{self.sign}{words(self.mg_dl, MOST_MG_DL)} mg/dL"
        if self.entered.endswith(" mg/dL"):
            return self.entered
        return f"{self.entered} ({in_mg_dl})" if self.entered else in_mg_dl


def against(name: str, glucose: Glucose | None) -> str:
    """What a glucose has against a comparison, as a part of a sentence; empty if nothing.

    >>> against("baseline", Glucose(200.0, "<", "<200 mg/dL"))
    ''
    >>> against("baseline", Glucose(400.0, ">", ">400 mg/dL"))
    'plasma glucose before the baseline was >400 mg/dL, not under 200 mg/dL'
    """
    if glucose is None or not is_positive(glucose.mg_dl):
        return f"plasma glucose before the {name} is not recorded"
    is_known = {
        "": True,
        "<": not exceeds(glucose.mg_dl, MOST_MG_DL),
        ">": reaches(glucose.mg_dl, MOST_MG_DL),
    }[glucose.sign]
    if not is_known:
        return (
            f"plasma glucose before the {name} is not known: {glucose.words} does not tell whether "
            f"it was under {MOST_MG_DL:g} mg/dL"
        )
    if glucose.sign != "<" and reaches(glucose.mg_dl, MOST_MG_DL):
        return (
            f"plasma glucose before the {name} was {glucose.words}, not under {MOST_MG_DL:g} mg/dL"
        )
    return ""
