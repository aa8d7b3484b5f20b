"""What the value of an element means: text, numbers, dates, and instants with their zone.

Each raises ValueError for text that means nothing of the kind.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Self, TypeVar

Json = Any
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Instant:
    """A DICOM date-time: local clock, and its offset from UTC when the file gives one.

    `is_recorded` is one that the site's record gives instead: no de-identification moved its date
    against that of the series. No file has it.
    """

    local: datetime
    utc_offset: int | None = None
    is_recorded: bool = False

    def in_zone(self, utc_offset: int | None) -> datetime:
        """Clock reading in a zone, in seconds from UTC; unchanged unless both zones are known."""
        if self.utc_offset is None or utc_offset is None:
            return self.local
        return self.local + timedelta(seconds=utc_offset - self.utc_offset)

    def to_json(self) -> dict[str, Json]:
        return {"local": self.local.isoformat(), "utc_offset": self.utc_offset}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        return cls(datetime.fromisoformat(value["local"]), value["utc_offset"])


def plain(value: Any) -> str:
    """Text of an element's value; private ones may arrive as bytes padded with NUL."""
    if value is None:
        return ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0\t\r\n")


def texts(value: Any) -> tuple[str, ...]:
    many = value if hasattr(value, "__iter__") and not isinstance(value, (str, bytes)) else [value]
    return tuple(part for text in map(plain, many) if text for part in text.split("\\"))


def numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(_number, texts(value)))


# What these make of several values they make of their text as well.
OF_SEVERAL = frozenset[Callable[[Any], Any]]({texts, numbers})


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _date(text: str) -> date | None:
    # Real exports write an unknown date as zeros.
    return None if text == "00000000" else _day(text)


def _day(text: str) -> date:
    # Before 1993 the ACR-NEMA form had dots.
    digits = text.replace(".", "")
    if not re.fullmatch(r"\d{8}", digits):
        raise ValueError
    day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    if not 1850 <= day.year <= 2200:
        raise ValueError
    return day


_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?")
_INSTANT = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)([+-]\d{4})?")


def _time(text: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError
    hour, minute, second, fraction = match.groups()
    micro = round(float(fraction or 0) * 1e6)
    return time(int(hour), int(minute or 0), int(second or 0), micro)


def _instant(text: str) -> Instant:
    """A DT value with at least an hour; a coarser one is no instant."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError
    day, clock, zone = match.groups()
    return Instant(datetime.combine(_day(day), _time(clock)), _zone(zone) if zone else None)


def _zone(text: str) -> int:
    """Seconds from UTC of "+0200".

    >>> _zone("-0330")
    -12600
    """
    match = re.fullmatch(r"([+-])(\d{2})(\d{2})", text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise ValueError
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds


def _of_text(parse: Callable[[str], T], value: Any) -> T | None:
    """A value by its text; nothing where that is empty."""
    text = plain(value)
    return parse(text) if text else None


as_number, as_instant = partial(_of_text, _number), partial(_of_text, _instant)
as_date, as_time, as_zone = (
    partial(_of_text, _date),
    partial(_of_text, _time),
    partial(_of_text, _zone),
)
