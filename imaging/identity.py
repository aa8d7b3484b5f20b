"""Whether images may be of this patient and this visit: what they say against what is recorded.

Names and birth dates are never part of it. Of a header six facts are taken: sex, age, weight,
study date, radionuclide and tracer; and, for images that are declared as de-identified before they
were sent, whether they say so themselves and whether they name somebody all the same. Each of the
six agrees with the record, differs, or can't be compared because one side does not say; nothing
that is missing counts as agreement.

The mistake to fear is another patient's image that passes because a header was sparse: how much
was compared is part of the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset

from imaging.meanings import Elements
from imaging.nuclides import nuclide_of
from trials.decay import HALF_LIFE
from trials.spans import Span, completed_years

# Tolerances of the specification: one year of age, a tenth of the weight.
YEARS = 1
WEIGHT_FRACTION = 0.1
HALF_LIFE_FRACTION = 0.02
# An acquisition may begin before the injection (dynamic), and ends within two half-lives.
BEFORE = timedelta(hours=1)
HALF_LIVES = 2
# Of a header, what is kept with the ledger; see `facts_of`.
KEPT = (
    "modality",
    "patient_sex",
    "age_years",
    "weight_kg",
    "study_date",
    "nuclide",
    "tracer",
    "identity_removed",
    "is_named",
)
_YEARS_OF = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_TRACERS = "RadiopharmaceuticalInformationSequence"
_STUDIED = ("StudyDate", "SeriesDate", "AcquisitionDate")
_FDG = re.compile(r"fdg|fluoro-?2?-?deoxy", re.IGNORECASE)
# Words in the place of a name that name nobody.
_NO_NAMES = re.compile(r"anon|de-?ident|dro|dummy|phantom|patient|removed|subject|test", re.I)
_PENTIXAFOR = re.compile(r"pentixa", re.IGNORECASE)


class Finding(StrEnum):
    """How one fact of the images stands to the record; the value is the word on the screen."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_CHECKABLE = "not checkable"


@dataclass(frozen=True, slots=True)
class Check:
    """One fact held against the record. `code` is stable; `sentence` names what differs."""

    code: str
    label: str
    finding: Finding
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """What the record says of a patient and a scan; what it does not say is None or empty.

    `birth` is as precise as it is known. `days` are the first and last day of the site's
    calendar on which images of this scan can have been taken. `weight_kg` is that of the day.
    """

    sex_at_birth: str = ""
    birth: Span | None = None
    weight_kg: float | None = None
    days: tuple[date, date] | None = None
    nuclide: str = ""
    tracer: str = ""
    zone: tzinfo = UTC


def facts_of(ds: Dataset) -> dict[str, str]:
    """What a header says, as text; empty where it says nothing that can be understood.

    The age is that on the study date, from Patient's Birth Date where it is whole, else as
    Patient's Age has it. Neither name nor birth date is among the facts.
    """
    elements = Elements(ds)
    days = (elements.read(keyword, _day) for keyword in _STUDIED)
    studied = next(filter(None, days), None)
    weight = elements.read("PatientWeight", _number)
    born, name = elements.read("PatientBirthDate", _day), elements.read("PatientName", _text)
    age = _age(born, elements.read("PatientAge", _text), studied)
    nuclide, tracer = elements.read(_TRACERS, _injected)
    return {
        "age_years": "" if age is None else f"{age:.2f}",
        "weight_kg": "" if weight is None or weight <= 0 else f"{weight:g}",
        "study_date": studied.isoformat() if studied else "",
        "nuclide": nuclide,
        "tracer": tracer,
        "identity_removed": elements.read("PatientIdentityRemoved", _text)[:3].upper(),
        "is_named": "yes" if _is_named(born, name, elements.read("PatientID", _text)) else "",
    }


# All that `facts_of` looks at.
CONSULTED = (
    *_STUDIED,
    "PatientWeight",
    "PatientBirthDate",
    "PatientName",
    "PatientAge",
    "PatientID",
    "PatientIdentityRemoved",
    _TRACERS,
)


def days_of(injected_at: datetime, *, half_life: float) -> tuple[date, date]:
    """The days, in the zone of `injected_at`, on which images of an injection can be taken."""
    last = injected_at + timedelta(seconds=HALF_LIVES * half_life)
    return (injected_at - BEFORE).date(), last.date()


def checks(facts: Sequence[Mapping[str, str]], visit: Visit) -> list[Check]:
    """What the headers of one study say, fact by fact, against the record.

    One file that differs makes the fact differ: a study is of one patient.
    """
    return [
        _sex(_said(facts, "patient_sex"), visit),
        _years(facts, visit),
        _weight(_said(facts, "weight_kg"), visit),
        _date(_said(facts, "study_date"), visit),
        _of_nuclide(_said(facts, "nuclide"), visit),
        _of_tracer(_said(facts, "tracer"), visit),
    ]


def not_checkable(reason: str) -> list[Check]:
    """The checks of images whose identities and dates were taken out before they were sent."""
    labels = {"sex": "Sex", "age": "Age", "weight": "Weight", "date": "Study date"}
    return [
        Check(f"{name}-differs", label, Finding.NOT_CHECKABLE, reason)
        for name, label in labels.items()
    ]


def removal(facts: Sequence[Mapping[str, str]]) -> Check:
    """Whether images that are declared as de-identified before they were sent say so themselves.

    Patient Identity Removed (0012,0062) of every file. One that says NO contradicts who sent it,
    and so does one with a birth date or a person's name, whatever it says; one that says nothing
    leaves it to the declaration.
    """
    code, label = "identity-not-removed", "Identity removed"
    of = f"of {len(facts)} images"
    denied = sum(1 for one in facts if one.get("identity_removed") == "NO")
    named = sum(1 for one in facts if one.get("is_named"))
    silent = sum(1 for one in facts if one.get("identity_removed") not in {"YES", "NO"})
    told = [
        f"{count} {of} {what}"
        for count, what in (
            (denied, "say NO in Patient Identity Removed (0012,0062)"),
            (named, "give a birth date or what looks like a person's name"),
            (silent, "do not say themselves, in Patient Identity Removed (0012,0062), that it was"),
        )
        if count
    ]
    if not told:
        return Check(code, label, Finding.AGREES)
    finding = Finding.DIFFERS if denied or named else Finding.NOT_CHECKABLE
    return Check(code, label, finding, f"{'; '.join(told)}.")


def tracer_of(name: str) -> str:
    """FDG or pentixafor from any usual name of the tracer, else empty.

    >>> tracer_of("Fluorodeoxyglucose F^18^"), tracer_of("68Ga-Pentixafor"), tracer_of("PSMA")
    ('FDG', 'pentixafor', '')
    """
    return _tracer(name)


def _said(facts: Sequence[Mapping[str, str]], name: str) -> list[str]:
    return sorted({one[name] for one in facts if one.get(name)})


def _check(name: str, label: str, is_same: bool | None, sentence: str) -> Check:
    code = f"{name}-differs"
    if is_same is None:
        return Check(code, label, Finding.NOT_CHECKABLE)
    if is_same:
        return Check(code, label, Finding.AGREES)
    return Check(code, label, Finding.DIFFERS, sentence)


def _sex(said: list[str], visit: Visit) -> Check:
    known = [one for one in said if one in {"F", "M"}]
    is_same = None
    if known and visit.sex_at_birth in {"F", "M"}:
        is_same = known == [visit.sex_at_birth]
    return _check(
        "sex",
        "Sex",
        is_same,
        f"Patient's Sex in the images is {' and '.join(known)}, in the record "
        f"{visit.sex_at_birth}.",
    )


def _years(facts: Sequence[Mapping[str, str]], visit: Visit) -> Check:
    said = sorted(
        {
            (float(one["age_years"]), one["study_date"])
            for one in facts
            if one.get("age_years") and one.get("study_date")
        }
    )
    if not said or visit.birth is None:
        return _check("age", "Age", None, "")
    off = [(age, day) for age, day in said if not _fits(age, _possible(visit, day))]
    if not off:
        return _check("age", "Age", True, "")
    age, day = off[0]
    low, high = _possible(visit, day)
    recorded = f"{low}" if low == high else f"{low} to {high}"
    return _check(
        "age",
        "Age",
        False,
        f"By the images the patient was {math.floor(age)} on the study date, by the record "
        f"{recorded} years old.",
    )


def _fits(age: float, possible: tuple[int, int]) -> bool:
    return possible[0] - YEARS <= math.floor(age) <= possible[1] + YEARS


def _possible(visit: Visit, day: str) -> tuple[int, int]:
    """Fewest and most completed years on a day, by the record."""
    noon = datetime.combine(date.fromisoformat(day), time(12), tzinfo=visit.zone)
    return completed_years(visit.birth or Span(noon, noon), Span(noon, noon), visit.zone)


def _weight(said: list[str], visit: Visit) -> Check:
    if not said or not visit.weight_kg:
        return _check("weight", "Weight", None, "")
    recorded = visit.weight_kg
    off = [one for one in said if abs(float(one) - recorded) > WEIGHT_FRACTION * recorded]
    return _check(
        "weight",
        "Weight",
        not off,
        f"Patient's Weight in the images is {' and '.join(off)} kg, of that day in the record "
        f"{recorded:g} kg: more than {WEIGHT_FRACTION:.0%} apart.",
    )


def _date(said: list[str], visit: Visit) -> Check:
    if not said or visit.days is None:
        return _check("date", "Study date", None, "")
    first, last = visit.days
    off = [one for one in said if not first <= date.fromisoformat(one) <= last]
    due = f"{first}" if first == last else f"{first} to {last}"
    return _check(
        "date",
        "Study date",
        not off,
        f"The study date of the images is {' and '.join(off)}; this scan is of {due}.",
    )


def _of_nuclide(said: list[str], visit: Visit) -> Check:
    is_same = said == [visit.nuclide] if said and visit.nuclide else None
    return _check(
        "nuclide",
        "Radionuclide",
        is_same,
        f"The radionuclide in the images is {' and '.join(said)}, that of the scan is "
        f"{visit.nuclide}.",
    )


def _of_tracer(said: list[str], visit: Visit) -> Check:
    planned = tracer_of(visit.tracer)
    is_same = said == [planned] if said and planned else None
    return _check(
        "tracer",
        "Tracer",
        is_same,
        f"The radiopharmaceutical in the images is {' and '.join(said)}, the scan is of "
        f"{visit.tracer}.",
    )


# Headers: whatever they hold, nothing is raised.


def _text(ds: Dataset, keyword: str) -> str:
    try:
        value: Any = ds.get(keyword)
    except Exception:  # pydicom converts at access, and raises nine kinds of exception
        return ""
    return "" if value is None else str(value).strip(" \0")


def _number(ds: Dataset, keyword: str) -> float | None:
    try:
        found = float(_text(ds, keyword))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _day(ds: Dataset, keyword: str) -> date | None:
    text = _text(ds, keyword)
    try:
        return datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007  a day has no zone
    except ValueError:
        return None


def _is_named(born: date | None, name: str, patient_id: str) -> bool:
    """Whether it gives a birth date, or a name of two words or more that is no code.

    Zeros and 1900 are what tools write in the place of a birth date, the ID in that of a name.
    """
    if born and born.year > 1900:
        return True
    words = [one for one in re.split(r"[\^=\s,]+", name) if one]
    is_code = any(letter.isdigit() for letter in name) or bool(_NO_NAMES.search(name))
    return len(words) > 1 and not is_code and name != patient_id


def _age(born: date | None, stated: str, studied: date | None) -> float | None:
    if born and studied and born <= studied:
        years = studied.year - born.year - ((studied.month, studied.day) < (born.month, born.day))
        return float(years)
    match = re.fullmatch(r"(\d{3})([YMWD])", stated, re.ASCII)
    return int(match[1]) * _YEARS_OF[match[2]] if match else None


def _injected(ds: Dataset, keyword: str) -> tuple[str, str]:
    """The nuclide and the tracer that the items of a sequence name, where it is one."""
    items = _items(ds, keyword)
    return _nuclide(items), _tracer(" ".join(name for item in items for name in _names(item)))


def _names(item: Dataset) -> Iterator[str]:
    yield _text(item, "Radiopharmaceutical")
    for code in _items(item, "RadiopharmaceuticalCodeSequence"):
        yield _text(code, "CodeMeaning")


def _nuclide(items: list[Dataset]) -> str:
    found = set()
    for item in items:
        coded = {
            nuclide_of(_text(code, "CodeValue"), _text(code, "CodeMeaning"))
            for code in _items(item, "RadionuclideCodeSequence")
        }
        found |= {one for one in coded if one} or _by_half_life(
            _number(item, "RadionuclideHalfLife")
        )
    return found.pop() if len(found) == 1 else ""


def _by_half_life(seconds: float | None) -> set[str]:
    if not seconds or seconds <= 0:
        return set()
    return {
        name
        for name, known in HALF_LIFE.items()
        if abs(seconds - known) <= HALF_LIFE_FRACTION * known
    }


def _tracer(text: str) -> str:
    named = {
        name
        for name, pattern in (("FDG", _FDG), ("pentixafor", _PENTIXAFOR))
        if pattern.search(text)
    }
    return named.pop() if len(named) == 1 else ""


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    try:
        value = ds.get(keyword)
    except Exception:  # as above
        return []
    if value is None or isinstance(value, str | bytes):
        return []
    return [item for item in value if isinstance(item, Dataset)]
