"""What is analysed: PARAMCD and PARAM, each of one tracer and one quantity.

ADaMIG 1.3, 3.3.4: PARAM says all that AVAL is, and PARAMCD, of at most eight letters, goes with it
one to one. So a code begins with a letter for the tracer, and names the region of reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reporting.adam.reading import Tables
from reporting.formats.names import shortened
from reporting.sdtm.model import MappingError

NO_TRACER, CT = "TRACER NOT RECORDED", "CT"
LONGEST_CODE, _UNKNOWN = 8, "X"
# Regions of reference: two letters, and words.
REGIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "blood_pool": ("BP", "Blood Pool"),
        "liver": ("LI", "Liver"),
        "spleen": ("SP", "Spleen"),
        "bone_marrow": ("BM", "Bone Marrow"),
        "muscle": ("MU", "Muscle"),
        "kidney_left": ("KL", "Left Kidney"),
        "kidney_right": ("KR", "Right Kidney"),
        "adrenal_left": ("AL", "Left Adrenal"),
        "adrenal_right": ("AR", "Right Adrenal"),
        "contralateral_brain": ("CB", "Contralateral Brain"),
    }
)
# Tests of regions, and ratios to them, in as many letters as are left.
_OF_REGION = {
    "SUVMEAN": "MEAN",
    "SUVSD": "SD",
    "SUVCV": "CV",
    "SUVMAX": "MAX",
    "SUVPEAK": "PEAK",
    "VOLUME": "VOL",
}
_RATIOS = {"TBRMAX": "TBRX", "TBRPEAK": "TBRP", "TBRMEAN": "TBRM"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, and the tracer that it is of, which is its category."""

    code: str
    name: str
    category: str


class Parameters:
    """The parameters of a trial."""

    def __init__(self, tables: Tables) -> None:
        self.letters = letters(_tracers(tables))
        self._tests = shortened(sorted(tables.whole.tests), LONGEST_CODE - 1)

    def of_tracer(self, tracer: str, test: str, name: str, unit: str = "") -> Parameter:
        """A quantity of a scan of a tracer."""
        letter = self.letters.get(tracer, _UNKNOWN)
        code = self._tests.get(test, test).upper()
        return Parameter(f"{letter}{code}", f"{tracer}: {name}{_in(unit)}", tracer)

    def of_ct(self, test: str, name: str, unit: str = "") -> Parameter:
        """A quantity that is measured on CT, whatever tracer was given."""
        return Parameter(test, f"CT: {name}{_in(unit)}", CT)

    def of_region(self, tracer: str, region: str, test: str, name: str, unit: str) -> Parameter:
        """A quantity of a region of reference."""
        letters_, words = _region(region, "ADPET")
        code = f"{letters_}{_OF_REGION.get(test, test)[: LONGEST_CODE - 3]}"
        return self.of_tracer(tracer, code, f"{words}, {name}", unit)

    def ratio(self, tracer: str, region: str, test: str, name: str, unit: str) -> Parameter:
        """The ratio of a lesion to a region of reference."""
        letters_, words = _region(region, "ADTR")
        code = f"{_RATIOS[test]}{letters_}"
        return self.of_tracer(tracer, code, f"{name}, to {words}", unit)


def is_ratio(test: str) -> bool:
    """Whether a test is a ratio to a region of reference."""
    return test in _RATIOS


def letters(tracers: Sequence[str]) -> dict[str, str]:
    """A letter for each tracer: the first of its name behind the nuclide that no other has.

    >>> letters(["[68GA]GA-PENTIXAFOR", "18F-FDG", "18F-FES"])
    {'[68GA]GA-PENTIXAFOR': 'P', '18F-FDG': 'F', '18F-FES': 'E'}
    """
    found: dict[str, str] = {}
    for tracer in tracers:
        name = re.sub(r"^(\W*\d*\W*[A-Z]{1,2}\W+)+", "", tracer)
        wanted = [*re.sub(r"[^A-Z]", "", name), *"ABCDEFGHIJKLMNOPQRSTUVWYZ"]
        free = [one for one in wanted if one not in found.values() and one != _UNKNOWN]
        if not free:
            raise MappingError("ADaM: the trial has more tracers than there are letters for them")
        found[tracer] = free[0]
    return found


def _tracers(tables: Tables) -> list[str]:
    """The tracers as the protocol has them, then others that were given."""
    planned = [*tables.summary("TRT"), *tables.summary("COMPTRT")]
    return list(dict.fromkeys([*planned, *sorted(tables.whole.tracers)]))


def _region(kind: str, where: str) -> tuple[str, str]:
    if kind not in REGIONS:
        raise MappingError(
            f"{where}: the region {kind!r} has no letters in reporting/adam/parameters.py"
        )
    return REGIONS[kind]


def _in(unit: str) -> str:
    return f" ({unit})" if unit else ""
