"""Which radionuclide a header names: by its code, else by any spelling of it.

Codes are those of DICOM CID 4020.
"""

from __future__ import annotations

import re

from trials.decay import HALF_LIFE

# Radionuclides of DICOM CID 4020 by SNOMED CT and by the older SRT codes; 99SDM is an older
# name of SRT that real files still carry.
_NUCLIDE_BY_CODE = {
    "C-105A1": "C-11",
    "40565003": "C-11",
    "C-107A1": "N-13",
    "21576001": "N-13",
    "C-B1038": "O-15",
    "129504001": "O-15",
    "C-111A1": "F-18",
    "77004003": "F-18",
    "C-127A2": "Cu-64",
    "3932008": "Cu-64",
    "C-131A3": "Ga-68",
    "35337001": "Ga-68",
    "C-159A2": "Rb-82",
    "79197006": "Rb-82",
    "14691008": "Y-90",
    "C-168A4": "Zr-89",
    "63360001": "Zr-89",
    "C-114A5": "I-124",
    "40937006": "I-124",
}
_SYMBOL_BY_NAME = {
    "carbon": "C",
    "nitrogen": "N",
    "oxygen": "O",
    "fluorine": "F",
    "sodium": "Na",
    "scandium": "Sc",
    "manganese": "Mn",
    "cobalt": "Co",
    "copper": "Cu",
    "gallium": "Ga",
    "germanium": "Ge",
    "bromine": "Br",
    "rubidium": "Rb",
    "yttrium": "Y",
    "zirconium": "Zr",
    "technetium": "Tc",
    "indium": "In",
    "iodine": "I",
    "terbium": "Tb",
    "lutetium": "Lu",
}


def nuclide_of(code_value: str, code_meaning: str) -> str | None:
    """Nuclide from a code of CID 4020, else from the spelling of its meaning."""
    return _NUCLIDE_BY_CODE.get(code_value) or nuclide_from_text(code_meaning)


def nuclide_from_text(text: str) -> str | None:
    """Nuclide from any spelling that names element and mass number, else None.

    >>> [nuclide_from_text(t) for t in ("^18^Fluorine", "F^18^[^18^Fluorine]", "68Ga", "FDG")]
    ['F-18', 'F-18', 'Ga-68', None]
    """
    plain = re.sub(r"[\^-]", "", text)
    found = {
        nuclide
        for pattern in (
            r"(?P<mass>\d+m?)(?P<name>[A-Za-z]+)",
            r"(?P<name>[A-Za-z]+)(?P<mass>\d+m?)",
        )
        for match in re.finditer(pattern, plain)
        if (nuclide := _nuclide(match["name"], match["mass"])) is not None
    }
    return found.pop() if len(found) == 1 else None


def _nuclide(name: str, mass: str) -> str | None:
    candidate = f"{_SYMBOL_BY_NAME.get(name.lower(), name)}-{mass}"
    return candidate if candidate in HALF_LIFE else None
