"""Values of rows whether read just now or from a file, where moments and all of a form are text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

# The clocks furthest from Greenwich: between them is that of a site whose clock is not known.
FURTHEST = (timezone(timedelta(hours=-12)), timezone(timedelta(hours=14)))


def day_of(value: Any, zone: tzinfo = UTC) -> date | None:
    """The day of a moment by a clock, or of a full date; None where no day is known.

    >>> day_of("2026-03-02T10:00:00Z"), day_of("2026-03")
    (datetime.date(2026, 3, 2), None)
    >>> day_of("2026-03-03T00:30:00Z", ZoneInfo("America/Los_Angeles"))
    datetime.date(2026, 3, 2)
    """
    if isinstance(value, datetime):
        return _by(zone, value)
    if isinstance(value, date):
        return value
    text = str(value or "")
    if len(text) <= len("2026-03-02"):
        return date.fromisoformat(text) if len(text) == len("2026-03-02") else None
    return _by(zone, datetime.fromisoformat(text))


def _by(zone: tzinfo, at: datetime) -> date:
    """What tells no offset is in UTC, as all moments of the record are."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone).date()


def moment_of(value: Any) -> datetime | None:
    """A moment, also one written as text; None where no time is known.

    >>> moment_of("2026-03-02T10:00:00Z").isoformat(), moment_of("2026"), moment_of("")
    ('2026-03-02T10:00:00+00:00', None, None)
    """
    if isinstance(value, datetime):
        return value
    text = str(value or "")
    return datetime.fromisoformat(text) if "T" in text else None


def clocks_of(zone: Any) -> tuple[tzinfo, ...]:
    """The clock of a site by its name; where it is not known, all that it may be between.

    >>> clocks_of("Europe/Berlin"), len(clocks_of(None))
    ((zoneinfo.ZoneInfo(key='Europe/Berlin'),), 3)
    """
    return (ZoneInfo(zone),) if zone else (FURTHEST[0], UTC, FURTHEST[1])


def number_of(value: Any) -> float | None:
    """A number, also one written as text.

    >>> number_of("182"), number_of(""), number_of(None)
    (182.0, None, None)
    """
    return None if value in (None, "") else float(value)


def flag_of(value: Any) -> bool | None:
    """Yes or no; None where neither is known.

    >>> flag_of("Y"), flag_of(False), flag_of("")
    (True, False, None)
    """
    return {True: True, False: False, "Y": True, "N": False}.get(value)
