"""The variables that evidence is recorded under and criteria are judged on.

The list of them is `trials.vocabulary`; here a value and its unit are checked, converted and
shown. The one mistake to fear is an answer that nobody gave: unknown is None or no evidence
at all, an empty list says "asked, and there was none".

Units are converted by molar mass (IUPAC standard atomic weights 2021): glucose C6H12O6
180.156 g/mol, so 1 mmol/L = 18.0156 mg/dL; bilirubin C33H36N4O6 584.67 g/mol; aldosterone
C21H28O5 360.45 g/mol; haemoglobin as its monomer, 16.114 g/mmol (DIN 58931). For creatinine
the factor is the 88.4 of KDIGO 2024 (113.12 g/mol), as laboratories print it. There is no
factor between direct renin and renin activity.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from trials import decay
from trials.vocabulary import ALL, Detail, Kind, Variable

__all__ = ["DETAILS", "VARIABLES", "Detail", "Kind", "Variable", "VariableError"]

# A laboratory may report ">90": a bound, not a number.
NUMBER = re.compile(r"([<>]?)\s*(\d+(?:\.\d+)?)")
SIGNED = re.compile(r"-\s*(\d+(?:\.\d+)?)")
PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
EVENT_KEYS = {"name", "started_on", "stopped_on", "radionuclide"}


class VariableError(ValueError):
    """A variable, value or unit that can't be recorded; `field` names which of the three."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


VARIABLES: Mapping[str, Variable] = MappingProxyType({one.name: one for one in ALL})
# What may belong to a value, whichever variable asks it; a name means the same wherever it stands.
DETAILS: Mapping[str, Detail] = MappingProxyType(
    {detail.name: detail for one in ALL for detail in one.details}
)
# Measured anew for each scan; recorded for one, it says nothing of another or of the patient.
PER_SCAN = frozenset(one.name for one in ALL if one.is_per_scan)
# Told by the signed read of a scan that counts.
FROM_READS = frozenset(one.name for one in ALL if one.finding)

# Multiplied with a value in the unit named, gives the first unit of the variable.
_TO_FIRST_UNIT: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("creatinine", "µmol/L"): 1 / 88.4,
        ("glucose", "mg/dL"): 1 / 18.0156,
        ("hemoglobin", "g/L"): 0.1,
        ("hemoglobin", "mmol/L"): 1.6114,
        ("bilirubin_total", "µmol/L"): 0.058467,
        ("aldosterone", "pmol/L"): 0.036045,
        ("lesions.largest_long_axis", "cm"): 10.0,
    }
)
# Spellings of a unit that devices and keyboards give.
_SPELLINGS = str.maketrans({"μ": "µ", "²": "2"})


def variable(name: str) -> Variable:
    """The variable called `name`; raises VariableError if there is none.

    >>> variable("glucose").units
    ('mmol/L', 'mg/dL')
    """
    try:
        return VARIABLES[name]
    except KeyError:
        raise VariableError("variable", f"There is no variable {name!r}.") from None


def checked(name: str, value: Any, unit: str) -> tuple[Any, str]:
    """`value` and `unit` as they are kept; raises VariableError for what can't be recorded.

    None is the recorded answer "asked, not known", of any kind. There are no plausible
    ranges: the source is the truth, and a query asks about it.

    >>> checked("creatinine", "1.0", "mg/dL")
    (1.0, 'mg/dL')
    >>> checked("egfr", ">90", "mL/min/1.73 m²")
    ('>90', 'mL/min/1.73 m2')
    """
    known = variable(name)
    if known.is_derived:
        raise VariableError("variable", f"{known.label} is computed and can't be recorded.")
    if known.finding:
        raise VariableError(
            "variable", f"{known.label} comes from the read that counts and can't be recorded."
        )
    unit = _unit(known, unit)
    if value is None:
        return None, unit
    return _CHECKS[known.kind](known, value), unit


def checked_details(name: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to a value, as it is kept; raises VariableError for what does not.

    >>> checked_details("ast", {"reference_high": "35", "reference_low": ""})
    {'reference_high': 35.0}
    """
    known = {one.name: one for one in variable(name).details}
    given = {key: part for key, part in details.items() if part not in (None, "")}
    if strange := sorted(set(given) - set(known)):
        expected = ", ".join(known) or "nothing"
        raise VariableError("details", f"{', '.join(strange)}: expected is {expected}.")
    return {key: _detail(known[key], part) for key, part in given.items()}


def has_kind(name: str, value: Any) -> bool:
    """Whether a value is of the variable's kind at all; a number may be a bound as ">90".

    >>> has_kind("gilbert", 1), has_kind("ecog", True), has_kind("ecog", "<2")
    (False, False, True)
    """
    kind = variable(name).kind
    if kind == "number":
        is_bound = isinstance(value, str) and NUMBER.fullmatch(value) is not None
        return is_bound or (isinstance(value, int | float) and not isinstance(value, bool))
    return isinstance(value, {"boolean": bool, "list": list}.get(kind, str))


def is_plausible(name: str, value: Any, unit: str) -> bool:
    """Whether a living person may have the value; what has no bounds may.

    >>> is_plausible("weight", -5.0, "kg"), is_plausible("glucose", 100.0, "mg/dL")
    (False, True)
    """
    known = variable(name)
    if known.plausible is None or value is None:
        return True
    low, high = (converted(name, one, frm=unit, to=_first_unit(known)) for one in bounds(value))
    return high >= known.plausible[0] and low <= known.plausible[1]


def converted(name: str, value: float, *, frm: str, to: str) -> float:
    """`value` of a variable in another of its units.

    >>> round(converted("glucose", 11.1, frm="mmol/L", to="mg/dL"), 2)
    199.97
    """
    if frm == to:
        return value
    return value * _factor(name, frm, to)


@lru_cache(maxsize=256)
def _factor(name: str, frm: str, to: str) -> float:
    _unit(variable(name), frm)
    _unit(variable(name), to)
    return _TO_FIRST_UNIT.get((name, frm), 1.0) / _TO_FIRST_UNIT.get((name, to), 1.0)


def bounds(value: float | str) -> tuple[float, float]:
    """Lowest and highest number that a recorded number can stand for.

    "<5" is less than 5, so its upper end is the last number before it.

    >>> bounds(1.2), bounds("<5")[1] < 5, bounds(">90")[0] > 90
    ((1.2, 1.2), True, True)
    """
    if isinstance(value, str):
        match = NUMBER.fullmatch(value)
        if match is None:
            raise VariableError("value", f"{value!r} is not a number.")
        number = float(match[2])
        return {
            "<": (0.0, math.nextafter(number, -math.inf)),
            ">": (math.nextafter(number, math.inf), math.inf),
            "": (number, number),
        }[match[1]]
    return float(value), float(value)


def signed(value: float | str) -> tuple[str, float]:
    """The sign of a recorded number that is a bound, else none, and the number.

    >>> signed("<5"), signed(1.2)
    (('<', 5.0), ('', 1.2))
    """
    match = NUMBER.fullmatch(str(value))
    if match is None:
        raise VariableError("value", f"{value!r} is not a number.")
    return match[1], float(match[2])


def shown(name: str, value: Any, unit: str = "") -> str:
    """A recorded value in words, with its unit.

    >>> shown("creatinine", 1.0, "mg/dL"), shown("pregnant", False), shown("sex_at_birth", "F")
    ('1 mg/dL', 'no', 'Female')
    """
    known = VARIABLES.get(name)
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(_shown_item, value)) or "none"
    if isinstance(value, int | float):
        return f"{value:.6g} {unit}".strip()
    labels = dict(known.choices) if known else {}
    return f"{labels.get(value, value)} {unit}".strip()


def _first_unit(known: Variable) -> str:
    return known.units[0] if known.units else ""


def _detail(known: Any, value: Any) -> Any:
    if known.choices:
        codes = [code for code, _ in known.choices]
        if value not in codes:
            expected = ", ".join(codes)
            raise VariableError("details", f"{known.label} is one of {expected}; got {value!r}.")
        return value
    if not known.is_number:
        return str(value).strip()[:120]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise VariableError("details", f"{known.label} is a number; got {value!r}.")
    return number


def _shown_item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    start, stop = item.get("started_on"), item.get("stopped_on")
    nuclide = f", {item['radionuclide']}" if item.get("radionuclide") else ""
    return f"{item['name']} ({start or 'start not known'} to {stop or 'ongoing'}{nuclide})"


def _unit(known: Variable, unit: str) -> str:
    unit = unit.strip().translate(_SPELLINGS)
    unit = unit.replace("umol", "µmol").replace("1.73m2", "1.73 m2")
    if not known.units and unit:
        raise VariableError("unit", f"{known.label} has no unit; got {unit!r}.")
    if known.units and unit not in known.units:
        expected = " or ".join(known.units)
        raise VariableError("unit", f"{known.label} is recorded in {expected}; got {unit!r}.")
    return unit


def _number(known: Variable, value: Any) -> float | str:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    match = NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        # Impossible, but what the source may say: it is kept, and asked about.
        if isinstance(value, str) and (negative := SIGNED.fullmatch(value.strip())):
            return -float(negative[1])
        raise VariableError("value", f"{known.label} is a number; got {value!r}.")
    return float(match[2]) if not match[1] else f"{match[1]}{match[2]}"


def _boolean(known: Variable, value: Any) -> bool:
    if not isinstance(value, bool):
        raise VariableError("value", f"{known.label} is true or false; got {value!r}.")
    return value


def _date(known: Variable, value: Any) -> str:
    if not isinstance(value, str) or not is_partial_date(value):
        raise VariableError(
            "value", f"{known.label} is a date as 2026-03-02, 2026-03 or 2026; got {value!r}."
        )
    return value


def _choice(known: Variable, value: Any) -> str:
    codes = [code for code, _ in known.choices]
    if value not in codes:
        expected = ", ".join(codes)
        raise VariableError("value", f"{known.label} is one of {expected}; got {value!r}.")
    return str(value)


def _list(known: Variable, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise VariableError(
            "value", f"{known.label} is a list, empty where there was none; got {value!r}."
        )
    return [_choice(known, one) if known.choices else _event(known, one) for one in value]


def _event(known: Variable, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not str(value.get("name") or "").strip():
        raise VariableError("value", f"Each entry of {known.label} needs a name; got {value!r}.")
    if unknown := set(value) - EVENT_KEYS:
        raise VariableError(
            "value", f"Entries of {known.label} have no {', '.join(sorted(map(str, unknown)))}."
        )
    kept = {key: part for key, part in value.items() if part not in (None, "")}
    for key in ("started_on", "stopped_on"):
        if key in kept and not is_partial_date(kept[key]):
            raise VariableError(
                "value", f"{key} is a date as 2026-03-02, 2026-03 or 2026; got {kept[key]!r}."
            )
    if kept.get("radionuclide", "F-18") not in decay.HALF_LIFE:
        raise VariableError(
            "value", f"A radionuclide is written as Lu-177; got {kept['radionuclide']!r}."
        )
    return kept


def _text(known: Variable, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise VariableError("value", f"{known.label} is a text; got {value!r}.")
    return value.strip()


def is_partial_date(value: Any) -> bool:
    """Whether `value` is a year, a month or a day that there is.

    >>> is_partial_date("2026-02"), is_partial_date("2026-02-30")
    (True, False)
    """
    match = PARTIAL_DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    try:
        date(*(int(part or 1) for part in match.groups()))
    except ValueError:
        return False
    return True


_CHECKS = {
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "choice": _choice,
    "list": _list,
    "text": _text,
}
