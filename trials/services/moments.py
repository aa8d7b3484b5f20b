"""Moments as a person wrote them: only as precise as they are."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from trials import spans
from trials.services.errors import Invalid

# Clocks of a site and of the server may differ by as much.
CLOCKS = timedelta(minutes=5)
PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def partial_date(value: str, *, field: str) -> str:
    """`2026`, `2026-03` or `2026-03-02`, if there is such a day; raises Invalid otherwise."""
    match = PARTIAL_DATE.fullmatch(value.strip())
    try:
        date(*(int(part or 1) for part in match.groups()) if match else ())
    except (TypeError, ValueError):
        raise Invalid(
            field, f"Give a date as 2026-03-02, 2026-03 or 2026; got {value!r}."
        ) from None
    return value.strip()


def partial_moment(value: str, *, field: str) -> str:
    """A partial date, or a date and time with its zone; raises Invalid otherwise."""
    if "T" not in value:
        return partial_date(value, field=field)
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(
            field,
            f"Give a time with its zone, as 2026-03-02T08:15+01:00; got {value!r}.",
        )
    return moment.isoformat()


def happened(value: str, *, zone: str, field: str) -> str:
    """A partial date or moment that has come, by the calendar of a site; raises Invalid otherwise.

    A day that has begun there has come, wherever else it is still yesterday.
    """
    value = partial_moment(value, field=field)
    if spans.span(value, ZoneInfo(zone)).first > timezone.now() + CLOCKS:
        raise Invalid(field, f"This lies ahead: {value}. Check the date and the clock.")
    return value


def day_of(value: str, *, zone: str) -> date | None:
    """The day of a site that a checked partial moment lies in; None if no day is known.

    >>> day_of("2026-03-01T20:30+00:00", zone="Pacific/Auckland")
    datetime.date(2026, 3, 2)
    """
    if len(value) < len("2026-03-02"):
        return None
    place = ZoneInfo(zone)
    return spans.span(value, place).first.astimezone(place).date()


def words(value: str, *, zone: str) -> str:
    """A checked partial moment as the clock of a site shows it; a date stays as it is.

    >>> words("2026-03-01T20:30:10+00:00", zone="Pacific/Auckland")
    '2026-03-02 09:30'
    """
    if "T" not in value:
        return value
    return f"{datetime.fromisoformat(value).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def aware(value: datetime, *, field: str) -> datetime:
    """`value` if it names its zone; raises Invalid otherwise."""
    if value.tzinfo is None:
        raise Invalid(field, "Give the time with its zone.")
    return value


def past(value: datetime, *, field: str) -> datetime:
    """An aware time that has come; nothing is recorded that has not happened."""
    value = aware(value, field=field)
    if value > timezone.now() + CLOCKS:
        raise Invalid(field, f"This lies ahead, at {value:%Y-%m-%d %H:%M %Z}: check the date.")
    return value
