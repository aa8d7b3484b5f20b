"""The variables that evidence is recorded under and criteria are judged on.

A variable fixes the kind of its value and the units it may come in, so that a number never
stands without its unit and a limit in another unit is converted by one table. The one
mistake to fear is an answer that nobody gave: unknown is None or no evidence at all, an
empty list says "asked, and there was none".

Units are converted by molar mass (IUPAC standard atomic weights 2021): glucose C6H12O6
180.156 g/mol, so 1 mmol/L = 18.0156 mg/dL. For creatinine the factor is the 88.4 of KDIGO
2024 (113.12 g/mol), as laboratories print it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["number", "boolean", "date", "choice", "list", "text"]

# A laboratory may report ">90": a bound, not a number.
NUMBER = re.compile(r"([<>]?)\s*(\d+(?:\.\d+)?)")
PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
EVENT_KEYS = {"name", "started_on", "stopped_on"}


class VariableError(ValueError):
    """A variable, value or unit that can't be recorded; `field` names which of the three."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Variable:
    """What may be recorded under a name.

    The first of `units` is the one that others convert to. A "list" with `choices` holds
    codes; one without holds events `{name, started_on, stopped_on}` with partial dates,
    where a missing `stopped_on` means that it goes on.
    """

    name: str
    label: str
    kind: Kind
    units: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    is_per_scan: bool = False
    help: str = ""


_ALL = (
    Variable(
        "sex_at_birth",
        "Sex at birth",
        "choice",
        choices=(("F", "Female"), ("M", "Male"), ("U", "Unknown")),
    ),
    Variable("birth_date", "Date of birth", "date", help="As far as known: 1961-04 or 1961."),
    Variable("weight", "Body weight", "number", ("kg",)),
    Variable("height", "Height", "number", ("cm",)),
    Variable(
        "egfr",
        "eGFR as the laboratory reports it",
        "number",
        ("mL/min/1.73 m2",),
        help="A bound may be entered as reported: >90.",
    ),
    Variable("creatinine", "Serum creatinine", "number", ("mg/dL", "µmol/L")),
    Variable(
        "creatinine_clearance",
        "Creatinine clearance as the laboratory reports it",
        "number",
        ("mL/min",),
    ),
    Variable(
        "glucose",
        "Plasma glucose",
        "number",
        ("mmol/L", "mg/dL"),
        is_per_scan=True,
        help="Measured before the injection of this scan; give the time.",
    ),
    Variable("histology.confirmed", "Histologically confirmed", "boolean"),
    Variable(
        "histology.method",
        "Method of confirmation",
        "choice",
        choices=(
            ("tissue_biopsy", "Tissue biopsy"),
            ("brain_biopsy", "Brain biopsy"),
            ("csf_cytology_flow", "Cytology or flow cytometry of cerebrospinal fluid"),
            ("bone_marrow", "Bone marrow"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "diagnosis.group",
        "Diagnosis group",
        "choice",
        choices=(
            ("NHL", "Non-Hodgkin lymphoma"),
            ("MM", "Multiple myeloma"),
            ("solid_tumor", "Solid tumour"),
            ("CNSL", "CNS lymphoma"),
            ("adrenal", "Adrenal disease"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "diagnosis.code",
        "Diagnosis",
        "choice",
        choices=(
            ("MZL_nodal", "Nodal marginal zone lymphoma"),
            ("MZL_extranodal", "Extranodal marginal zone lymphoma"),
            ("MZL_splenic", "Splenic marginal zone lymphoma"),
            ("PCNSL", "Primary CNS lymphoma"),
            ("SCNSL", "Isolated secondary CNS lymphoma"),
            ("other", "Other"),
        ),
    ),
    Variable("disease.cns_only", "Disease confined to the CNS", "boolean"),
    Variable("lesions.measurable_count", "Measurable lesions", "number"),
    Variable("lesions.measurable_parenchymal_count", "Measurable parenchymal lesions", "number"),
    Variable("lesions.measurable_ipcg_count", "Lesions measurable by IPCG", "number"),
    Variable("adrenal_tumor.count", "Adrenal tumours", "number"),
    Variable("biochem.hyperaldosteronism", "Raised aldosterone", "boolean"),
    Variable("biochem.hypercortisolism", "Raised cortisol", "boolean"),
    Variable(
        "coenrolled_protocols",
        "Other protocols the patient is enrolled in",
        "list",
        choices=(
            ("19-DK-0066", "19-DK-0066"),
            ("18-CH-0031", "18-CH-0031"),
            ("09-C-0242", "09-C-0242"),
        ),
    ),
    Variable(
        "therapy.anticancer",
        "Anti-cancer therapies",
        "list",
        help="Every one so far, with its dates as far as known; none if there was none.",
    ),
    Variable(
        "therapy.cns_lymphoma",
        "Therapies of the CNS lymphoma other than steroids",
        "list",
        help="Every one so far, with its dates as far as known; none if there was none.",
    ),
    Variable(
        "therapy.planned_induction",
        "Planned induction",
        "choice",
        choices=(
            ("HD_MTX_based", "Based on high-dose methotrexate"),
            ("other", "Other"),
        ),
    ),
    Variable(
        "history.allogeneic_sct",
        "Allogeneic stem cell transplantations",
        "list",
        help="With the date in started_on and stopped_on; none if there was none.",
    ),
    Variable("active_gvhd", "Active graft-versus-host disease", "boolean"),
    Variable("systemic_immunosuppression", "Systemic immunosuppression", "boolean"),
    Variable("pregnant", "Pregnant", "boolean"),
    Variable("breastfeeding", "Breast-feeding", "boolean"),
    Variable(
        "childbearing_potential",
        "Able to bear children",
        "boolean",
        help="Unknown counts as able.",
    ),
    Variable(
        "pregnancy_test",
        "Pregnancy test",
        "choice",
        choices=(("negative", "Negative"), ("positive", "Positive")),
        is_per_scan=True,
        help="Before the injection of this scan; give the time.",
    ),
    Variable("contraception", "Highly effective contraception agreed", "boolean"),
    Variable("partner_contraception", "Contraception agreed for the partner", "boolean"),
    Variable("unable_to_tolerate_scan", "Unable to tolerate the scan", "boolean"),
)

VARIABLES: Mapping[str, Variable] = MappingProxyType({one.name: one for one in _ALL})

# Multiplied with a value in the unit named, gives the first unit of the variable.
_TO_FIRST_UNIT: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("creatinine", "µmol/L"): 1 / 88.4,
        ("glucose", "mg/dL"): 1 / 18.0156,
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
    unit = _unit(known, unit)
    if value is None:
        return None, unit
    return _CHECKS[known.kind](known, value), unit


def converted(name: str, value: float, *, frm: str, to: str) -> float:
    """`value` of a variable in another of its units.

    >>> round(converted("glucose", 11.1, frm="mmol/L", to="mg/dL"), 2)
    199.97
    """
    if frm == to:
        return value
    _unit(variable(name), frm)
    _unit(variable(name), to)
    return value * _TO_FIRST_UNIT.get((name, frm), 1.0) / _TO_FIRST_UNIT.get((name, to), 1.0)


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


def _shown_item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    start, stop = item.get("started_on"), item.get("stopped_on")
    return f"{item['name']} ({start or 'start not known'} to {stop or 'ongoing'})"


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
