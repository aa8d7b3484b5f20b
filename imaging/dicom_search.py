"""What a search over DICOMweb asks for (QIDO-RS, PS3.18 8.3.4), and its results as DICOM JSON.

The mistake to fear is a search that finds more than was asked for because a key was not
understood: a key that is not searched by is refused by name. What de-identification empties in
every image, such as Accession Number, is known to match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

MOST = 1000
LONGEST = 400
_UID = re.compile(r"[0-9.]{1,64}")
_DAY = re.compile(r"[0-9]{8}")
# Emptied or removed in every image of the archive.
EMPTIED = frozenset(
    {
        "AccessionNumber",
        "InstitutionName",
        "PatientBirthDate",
        "ReferringPhysicianName",
        "StudyID",
    }
)
SEARCHED = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "PatientID",
    "PatientName",
    "Modality",
    "ModalitiesInStudy",
    "StudyDate",
    "StudyDescription",
    "SeriesDescription",
)

Json = dict[str, Any]


class SearchError(ValueError):
    """A query that is not understood; the sentence says what is."""


@dataclass(frozen=True, slots=True)
class Days:
    """From one day to another, both included; None is open."""

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Search:
    """A query: values that must match, and which of the results are wanted.

    `exact` maps a keyword to the values of which one must be the attribute's, `patterns` one to
    a regular expression that the whole value must match.
    """

    exact: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    study_date: Days | None = None
    matches_nothing: bool = False
    limit: int = MOST
    offset: int = 0


def search(query: Iterable[tuple[str, str]], *, within: Mapping[str, str] | None = None) -> Search:
    """A search from the parameters of its address, within the UIDs that its path names.

    >>> search([("PatientID", "P*"), ("00080060", "PT"), ("limit", "5")]).patterns
    {'PatientID': 'P.*', 'Modality': 'PT'}

    Raises
    ------
    SearchError
        If a parameter is not known, not searched by, or its value has not its form.
    """
    exact: dict[str, tuple[str, ...]] = {}
    patterns: dict[str, str] = {}
    days, matches_nothing, numbers = None, False, {"limit": MOST, "offset": 0}
    for name, value in query:
        if len(value) > LONGEST * 64 or "\0" in value:
            raise SearchError(f"The value of {name[:64]} is longer than any, or has NUL in it.")
        if name in numbers:
            numbers[name] = _whole(name, value)
            continue
        if name in {"fuzzymatching", "accept"}:
            continue
        if name == "includefield":
            _require_fields(value)
            continue
        keyword = _keyword(name)
        if not value.strip("*"):
            continue
        if keyword in EMPTIED:
            matches_nothing = True
        elif keyword == "StudyDate":
            days = _days(value)
        elif keyword.endswith("UID"):
            exact[keyword] = _uids(keyword, value, exact.get(keyword, ()))
        else:
            patterns[keyword] = _pattern(keyword, value)
    for keyword, uid in (within or {}).items():
        matches_nothing |= uid not in exact.get(keyword, (uid,))
        exact[keyword] = (uid,)
    return Search(
        exact,
        patterns,
        days,
        matches_nothing,
        limit=min(MOST, numbers["limit"]),
        offset=numbers["offset"],
    )


def attributes(values: Mapping[str, Any]) -> Json:
    """A data set in the DICOM JSON model; what is None is there without a value.

    >>> attributes({"PatientID": "101-001", "StudyID": None})
    {'00100020': {'vr': 'LO', 'Value': ['101-001']}, '00200010': {'vr': 'SH'}}
    """
    found: Json = {}
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise KeyError(keyword)
        found[f"{tag:08X}"] = _element(dictionary_VR(tag), value)
    return dict(sorted(found.items()))


def day(text: str | None) -> str | None:
    """A DA value of a date as JSON has it.

    >>> day("2026-03-01")
    '20260301'
    """
    return text.replace("-", "") if text else None


def clock(text: str | None) -> str | None:
    """A TM value of a time as JSON has it.

    >>> clock("11:00:00"), clock("11:06:00.500000")
    ('110000', '110600.500000')
    """
    return text.replace(":", "") if text else None


def _element(representation: str, value: Any) -> Json:
    if value is None or value in ("", []):
        return {"vr": representation}
    values = value if isinstance(value, list) else [value]
    if representation == "PN":
        values = [{"Alphabetic": one} for one in values]
    return {"vr": representation, "Value": values}


def _keyword(name: str) -> str:
    """The keyword of an attribute that is named by keyword or by tag, if it is searched by."""
    keyword = keyword_for_tag(int(name, 16)) if re.fullmatch(r"[0-9A-Fa-f]{8}", name) else name
    if keyword not in SEARCHED and keyword not in EMPTIED:
        raise SearchError(
            f"There is no search by {name[:64]}. There is one by {', '.join(SEARCHED)}."
        )
    return keyword


def _require_fields(value: str) -> None:
    """What is held is always told; a field that no dictionary has is a mistake."""
    for name in filter(None, re.split(r"[,\\]", value)):
        is_tag = all(re.fullmatch(r"[0-9A-Fa-f]{8}", part) for part in name.split("."))
        if name != "all" and not is_tag and tag_for_keyword(name) is None:
            raise SearchError(f"includefield names {name[:64]}, which is no attribute of DICOM.")


def _whole(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise SearchError(f"{name} must be a whole number.")
    return int(value)


def _uids(keyword: str, value: str, before: tuple[str, ...]) -> tuple[str, ...]:
    found = [part for part in re.split(r"[,\\]", value) if part]
    if not all(_UID.fullmatch(one) for one in found) or len(before) + len(found) > LONGEST:
        raise SearchError(f"{keyword} must be UIDs, {LONGEST} at most, parted by commas.")
    return (*before, *found)


def _pattern(keyword: str, value: str) -> str:
    if len(value) > 64:
        raise SearchError(f"{keyword} is longer than 64 characters.")
    parts = [value]
    if keyword in {"Modality", "ModalitiesInStudy"}:
        parts = re.split(r"[,\\]", value)
    return "|".join(_expression(part) for part in parts)


def _expression(value: str) -> str:
    """A wildcard of PS3.4 C.2.2.2.4 as a regular expression."""
    marks = {"*": ".*", "?": "."}
    return "".join(marks.get(char, re.escape(char)) for char in value)


def _days(value: str) -> Days:
    first, mark, last = value.partition("-")
    begin = _day(first) if first else None
    end = (_day(last) if last else None) if mark else begin
    return Days(begin, end)


def _day(text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError(text)
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as error:
        raise SearchError("StudyDate must be YYYYMMDD, or two of them with a hyphen.") from error
