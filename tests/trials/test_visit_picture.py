"""Where visits lie on the line of time: worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from trials.schedule import Dated, Standing, Visit
from trials.visit_picture import MOST_DATES, picture

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def dated(**known) -> Dated:
    return Dated(Visit("V", "Visit", "consent"), Standing.DUE, **known)


def test_a_window_a_target_and_a_time_lie_where_their_share_of_the_axis_is():
    # From day 0 to day 100, and 4 % more on both sides: day d lies at (d + 4) / 108.
    drawn = picture(
        [dated(opens_at=day(0), closes_at=day(50), target_at=day(23), at=day(77))],
        now=day(100),
        zone=UTC,
    )
    (row,) = drawn.rows
    assert row.bar.start == pytest.approx(100 * 4 / 108, abs=1e-3)
    assert row.bar.width == pytest.approx(100 * 50 / 108, abs=2e-3)
    assert row.target == pytest.approx(25, abs=1e-3)
    assert row.at == pytest.approx(75, abs=1e-3)
    assert drawn.now == pytest.approx(100 * 104 / 108, abs=1e-3)


def test_a_window_without_an_end_reaches_the_edge():
    drawn = picture([dated(opens_at=day(0)), dated(closes_at=day(9))], now=day(100), zone=UTC)
    after, before = (row.bar for row in drawn.rows)
    assert after.is_open_after
    assert after.start + after.width == 100
    assert before.is_open_before
    assert before.start == 0


def test_what_is_not_known_is_not_drawn():
    assert picture([dated()], now=day(0), zone=UTC) is None
    nothing, _ = picture([dated(), dated(at=day(1))], now=day(0), zone=UTC).rows
    assert (nothing.bar, nothing.target, nothing.at) == (None, None, None)


@pytest.mark.parametrize("days", [0, 1, 30, 400, 9000])
def test_few_dates_are_named_and_each_at_its_midnight(days):
    drawn = picture([dated(at=day(0.5))], now=day(days), zone=UTC)
    assert 1 <= len(drawn.dates) <= MOST_DATES + 1
    places = [at for at, _ in drawn.dates]
    assert places == sorted(places)
    assert all(0 <= at <= 100 for at in places)


def test_a_moment_lies_between_the_midnights_of_its_day():
    drawn = picture([dated(at=day(2.5)), dated(at=day(0))], now=day(4), zone=UTC)
    midnights = {day: at for at, day in drawn.dates}
    assert midnights[date(2026, 3, 3)] < drawn.rows[0].at < midnights[date(2026, 3, 4)]
