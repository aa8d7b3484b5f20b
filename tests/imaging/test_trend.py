"""The picture of SUV over time: where points lie, and when there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from imaging.response.trend import Value, trend

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def value(suv: float | None, days: int, line: str = "SUVmax") -> Value:
    return Value(line, DAY + timedelta(days), suv)


def test_one_time_is_no_trend():
    assert trend([]) is None
    assert trend([value(3, 0), value(4, 0, "SUVpeak")]) is None


def test_points_lie_in_the_order_of_time_between_the_margins():
    (line,) = trend([value(6, 20), value(12, 0), value(3, 10)]).lines
    assert line.points == ((5.0, 0.0), (50.0, 75.0), (95.0, 50.0))


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (12.0, [0, 2, 4, 6, 8, 10, 12]),
        (13.8, [0, 5, 10, 15]),
        (0.3, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (60.0, [0, 10, 20, 30, 40, 50, 60]),
    ],
)
def test_ticks_are_round_and_reach_the_highest_value(highest, ticks):
    assert [suv for _, suv in trend([value(highest, 0), value(1, 9)]).ticks] == ticks


def test_each_tracer_reader_and_quantity_has_a_line_of_its_own():
    found = trend([value(1, 0, "b"), value(2, 1, "a"), value(3, 1, "b")])
    assert [(one.name, len(one.points)) for one in found.lines] == [("a", 1), ("b", 2)]


def test_a_scan_without_a_lesion_lies_at_the_foot_and_is_marked():
    (line,) = trend([value(12, 0), value(None, 10)]).lines
    assert line.points == ((5.0, 0.0), (95.0, 100.0))
    assert line.without == ((95.0, 100.0),)


def test_scans_without_any_lesion_have_a_picture_too():
    found = trend([value(None, 0), value(None, 10)])
    assert found.ticks[0][1] == 0
    assert len(found.lines[0].without) == 2
