"""Values of an export that nobody entered: each with its rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from trials import spans

# Variables of evidence and their code in CDISC terminology of 2025-03-28.
CDISC_CODES: Mapping[str, str] = MappingProxyType(
    {
        "sex_at_birth": "DM.SEX",
        "birth_date": "DM.BRTHDTC",
        "weight": "VS.WEIGHT",
        "height": "VS.HEIGHT",
        "creatinine": "LB.CREAT",
        "egfr": "LB.GFRE",
        "glucose": "LB.GLUC",
        "pregnancy_test": "LB.HCG",
        "pregnant": "RP.PREGIND",
        "childbearing_potential": "RP.CHILDPOT",
    }
)

# Of these only the year leaves.
YEAR_ONLY = frozenset({"birth_date"})


def usubjid(trial: str, patient: str | None) -> str | None:
    """The patient's identifier over all trials, DM.USUBJID.

    >>> usubjid("NCT05093335", "001-004")
    'NCT05093335-001-004'
    """
    return f"{trial}-{patient}" if patient else None


def birth_year(birth: str) -> int:
    """The year of a date of birth of any precision.

    >>> birth_year("1961-04-23")
    1961
    """
    return int(birth[:4])


def age_years(birth: str, at: str | None) -> int | None:
    """Completed years from `birth` to `at`, two ISO dates as precise as they are known.

    None where the missing month or day leaves two answers.

    >>> age_years("1961-04-23", "2026-04-22"), age_years("1961-04-23", "2026-04-23T08:00+02:00")
    (64, 65)
    >>> age_years("1961", "2026-06-30"), age_years("1961-04", "2026-03")
    (None, 64)
    """
    if not at:
        return None
    youngest = _years(_parts(birth, month=12, day=31), _parts(at, month=1, day=1))
    oldest = _years(_parts(birth, month=1, day=1), _parts(at, month=12, day=31))
    return oldest if youngest == oldest else None


def earliest(dates: Sequence[str], zone: str) -> str | None:
    """The earliest of dates and moments as they were written; days are days in the zone.

    Compared as texts, moments of two offsets, or a moment and a day, would be out of order.

    >>> earliest(["2026-03-31T23:30:00+00:00", "2026-04-01T01:00:00+02:00"], "Europe/Berlin")
    '2026-04-01T01:00:00+02:00'
    >>> earliest([], "Europe/Berlin") is None
    True
    """
    place = ZoneInfo(zone)
    return min(dates, key=lambda one: (spans.span(one, place).first, one), default=None)


def age_at_first(birth: str, dates: Sequence[str], zone: str) -> int | None:
    """Completed years from `birth` to the earliest of dates."""
    return age_years(birth, earliest(dates, zone))


def _parts(moment: str, *, month: int, day: int) -> tuple[int, int, int]:
    """Year, month and day, with these for what is not known."""
    known = [int(part) for part in moment[:10].split("-")]
    year, month, day = (known + [month, day][len(known) - 1 :])[:3]
    return year, month, day


def _years(birth: tuple[int, int, int], at: tuple[int, int, int]) -> int:
    return at[0] - birth[0] - (at[1:] < birth[1:])


def checklist_answer(category: str, word: str) -> str | None:
    """Y or N as a paper checklist would carry it for a criterion, IE.IEORRES.

    An exclusion criterion that is satisfied is answered N: its statement does not hold.

    >>> checklist_answer("inclusion", "satisfied"), checklist_answer("exclusion", "satisfied")
    ('Y', 'N')
    """
    if word not in {"satisfied", "excludes"}:
        return None
    return "Y" if (category == "inclusion") == (word == "satisfied") else "N"


def cdisc_code(variable: str) -> str | None:
    return CDISC_CODES.get(variable)


def evidence_text(variable: str, value: Any) -> str | None:
    """The recorded value as text; of a date of birth the year alone; None if not known.

    >>> evidence_text("pregnant", False), evidence_text("weight", 70.5)
    ('N', '70.5')
    >>> evidence_text("birth_date", "1961-04-23")
    '1961'
    """
    if value is None:
        return None
    if variable in YEAR_ONLY:
        return str(value)[:4]
    if isinstance(value, bool):
        return "Y" if value else "N"
    return value if isinstance(value, str) else json_text(value)


def evidence_number(value: Any) -> float | None:
    """The recorded value if it is a number; a bound such as ">90" is none.

    >>> evidence_number(0.9), evidence_number(">90"), evidence_number(True)
    (0.9, None, None)
    """
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def json_text(value: Any) -> str:
    """JSON with sorted names, so that the same value is the same text.

    >>> json_text({"b": 1, "a": [2.5]})
    '{"a": [2.5], "b": 1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def words(values: list[str] | list[int] | None) -> str | None:
    """Items separated by spaces; None for none.

    >>> words([12, 15])
    '12 15'
    """
    return " ".join(map(str, values)) if values else None


def change_percent(numbers: list[dict[str, Any]]) -> float | None:
    """The change in percent that a response rests on, among its numbers; the first of them.

    >>> change_percent([{"name": "Change of SULpeak", "value": -30.0, "unit": "%"}])
    -30.0
    """
    compared = ("Change of SU", "Change from baseline")
    return next((one["value"] for one in numbers if one["name"].startswith(compared)), None)
