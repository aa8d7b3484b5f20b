"""Dates of SDTM as numbers of SAS: days and seconds since 1960-01-01, of whole dates alone.

By the clock of the site, as SDTM has them. A date known in part gives no number: ADaM would have to
flag an imputation, and none is made.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

EPOCH = date(1960, 1, 1)
_DAY, _MINUTE = len("2026-03-02"), len("2026-03-02T09:15")
SECONDS_OF_DAY = 86_400


def day(text: Any) -> int | None:
    """Days since 1960-01-01, SAS date.

    >>> day("1960-01-02"), day("2026-03-02T09:15"), day("2026-03"), day("")
    (1, 24167, None, None)
    """
    written = str(text or "")
    if len(written) < _DAY:
        return None
    return (date.fromisoformat(written[:_DAY]) - EPOCH).days


def moment(text: Any) -> int | None:
    """Seconds since 1960-01-01T00:00:00, SAS datetime; of a date without a time none.

    >>> moment("1960-01-01T00:01"), moment("1960-01-02T00:00:01"), moment("1960-01-02")
    (60, 86401, None)
    """
    written = str(text or "")
    if len(written) < _MINUTE:
        return None
    found = datetime.fromisoformat(written)
    seconds = (found.hour * 60 + found.minute) * 60 + found.second
    return (found.date() - EPOCH).days * SECONDS_OF_DAY + seconds


def relative(at: int | None, first: int | None) -> int | None:
    """The day of study, 1 on the first day of treatment, -1 on the day before.

    >>> relative(100, 100), relative(99, 100), relative(100, None)
    (1, -1, None)
    """
    if at is None or first is None:
        return None
    return at - first + (1 if at >= first else 0)
