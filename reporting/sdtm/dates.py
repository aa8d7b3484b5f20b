"""Dates and times of SDTM: ISO 8601 as precise as known, local to the site, and days of study."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo


def local(value: Any, zone: str) -> str:
    """A moment by the site's clock, or a date as precise as it is known; of nothing, nothing.

    >>> from datetime import UTC
    >>> local(datetime(2026, 3, 2, 8, 15, tzinfo=UTC), "Europe/Berlin")
    '2026-03-02T09:15:00'
    >>> local("2026-03", "Europe/Berlin"), local("2026-03-02T08:15+00:00", "Europe/Berlin")
    ('2026-03', '2026-03-02T09:15')
    >>> local(None, "Europe/Berlin")
    ''
    """
    if value is None or value == "":
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S}"
    text = str(value)
    if "T" not in text:
        return text
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    whole = moment.isoformat(timespec="seconds")
    return whole if text.count(":") > 2 or moment.second else whole[:16]


def day(text: Any, reference: Any) -> int | None:
    """The day of study of a date, 1 on the day of reference, -1 on the day before: none is 0.

    >>> day("2026-03-02T09:15", "2026-03-02"), day("2026-03-01", "2026-03-02T10:00")
    (1, -1)
    >>> day("2026-03", "2026-03-02"), day("2026-03-02", "")
    (None, None)
    """
    then, first = _date(text), _date(reference)
    if then is None or first is None:
        return None
    days = (then - first).days
    return days + 1 if days >= 0 else days


def is_before(one: str, other: str) -> bool | None:
    """Whether a date lies before another; None where their common precision does not tell.

    >>> is_before("2026-02", "2026-03-02"), is_before("2026-03-02", "2026-03-02T10:00")
    (True, None)
    """
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return None if len(one) != len(other) else False
    return one[:length] < other[:length]


def _date(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text or "")[:10])
    except ValueError:
        return None
