"""Values of rows whether read just now or from a file, where moments and all of a form are text."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any


def day_of(value: Any) -> date | None:
    """The day of a moment in UTC, or of a full date; None where no day is known.

    >>> day_of("2026-03-02T10:00:00Z"), day_of("2026-03")
    (datetime.date(2026, 3, 2), None)
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value or "")
    return date.fromisoformat(text[:10]) if len(text) >= 10 else None


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
