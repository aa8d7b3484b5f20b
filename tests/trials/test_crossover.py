"""The gap between two tracers in the nights in which a site's clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from trials import crossover

BERLIN, NEW_YORK, SYDNEY = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Australia/Sydney"))
TICK = timedelta(microseconds=1)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The nights by the tz database: Berlin 2026-03-29 and 10-25 at 01:00 UTC, New York 2026-03-08 at
# 07:00 and 11-01 at 06:00 UTC, Sydney 2026-04-04 and 10-03 at 16:00 UTC.
@pytest.mark.parametrize(
    ("zone", "first", "minimum", "opens"),
    [
        # Hours pass whatever clocks say: a day of 23 hours, and one of 25.
        (BERLIN, "2026-03-28T11:00", "PT24H", "2026-03-29T11:00"),
        (BERLIN, "2026-10-24T10:00", "PT24H", "2026-10-25T10:00"),
        (NEW_YORK, "2026-03-07T17:00", "PT24H", "2026-03-08T17:00"),
        (NEW_YORK, "2026-10-31T16:00", "PT48H", "2026-11-02T16:00"),
        (SYDNEY, "2026-04-04T02:00", "PT24H", "2026-04-05T02:00"),
        # Days are those of the site, from their midnight on.
        (BERLIN, "2026-03-28T11:00", "P1D", "2026-03-28T23:00"),
        (BERLIN, "2026-03-28T11:00", "P2D", "2026-03-29T22:00"),
        (NEW_YORK, "2026-10-31T16:00", "P2D", "2026-11-02T05:00"),
        (SYDNEY, "2026-10-03T02:00", "P2D", "2026-10-04T13:00"),
    ],
)
def test_a_minimal_gap_opens_at_its_moment_and_not_before(zone, first, minimum, opens):
    gap = {"minimum": minimum, "maximum": None, "zone": zone}
    assert crossover.gap_problem(utc(first), utc(opens), **gap) == ""
    assert crossover.gap_problem(utc(first), utc(opens) - TICK, **gap) != ""


@pytest.mark.parametrize(
    ("zone", "first", "maximum", "last"),
    [
        (BERLIN, "2026-03-15T11:00", "P14D", "2026-03-29T22:00"),
        (BERLIN, "2026-10-11T10:00", "P14D", "2026-10-25T23:00"),
        (NEW_YORK, "2026-10-18T16:00", "P14D", "2026-11-02T05:00"),
        (SYDNEY, "2026-03-22T02:00", "P14D", "2026-04-05T14:00"),
    ],
)
def test_a_maximal_gap_lasts_to_the_end_of_its_day(zone, first, maximum, last):
    gap = {"minimum": None, "maximum": maximum, "zone": zone}
    assert crossover.gap_problem(utc(first), utc(last) - TICK, **gap) == ""
    assert crossover.gap_problem(utc(first), utc(last), **gap) != ""


def test_both_ends_count_alike_whichever_zone_a_moment_is_written_in():
    first = utc("2026-10-24T10:00").astimezone(BERLIN)
    second = utc("2026-10-25T10:00").astimezone(BERLIN)
    # Written on one clock they look 23 hours apart.
    assert second.replace(tzinfo=None) - first.replace(tzinfo=None) == timedelta(hours=23)
    gap = {"minimum": "PT24H", "maximum": "PT24H", "zone": BERLIN}
    assert crossover.gap_problem(first, second, **gap) == ""


def test_an_hour_that_comes_twice_is_told_by_its_offset():
    gap = {"minimum": "PT24H", "maximum": None, "zone": BERLIN}
    told = [
        crossover.gap_problem(utc(first), utc(first), **gap)
        for first in ("2026-10-24T00:30", "2026-10-24T01:30")
    ]
    assert told == [
        "The second tracer may be given from 2026-10-25 02:30 (Europe/Berlin, UTC+02:00) on.",
        "The second tracer may be given from 2026-10-25 02:30 (Europe/Berlin, UTC+01:00) on.",
    ]
