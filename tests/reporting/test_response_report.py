"""Response to treatment as a report: who counts, the rates of others, the curve of others."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from reporting.reports import response
from reporting.reports.content import Share
from reporting.reports.drawing import svg
from reporting.reports.drawings import Curve, Lane, Lines, Survival, Swimmer, Waterfall
from reporting.reports.rows import Rows
from tests.reporting.test_statistics_of_time import TREATED

FIRST = datetime(2026, 3, 2, 10, tzinfo=UTC)


def patient(name, **more):
    row = {"patient": name, "enrolled_at": FIRST, "withdrawal_extent": None, "state": "enrolled"}
    return row | more


def scan(name, number, day):
    return {"patient": name, "scan": number, "injected_at": FIRST + timedelta(days=day)}


def said(name, number, category, change=None, *, criterion="percist", best=None, counts=True):
    return {
        "patient": name,
        "rule": "R",
        "criterion": criterion,
        "scan": number,
        "baseline_scan": 1,
        "category": category,
        "best": best,
        "change_percent": change,
        "is_accepted": counts,
        "evaluation": number,
    }


def course(name, *responses, **more):
    """A patient with a scan every 42 days; the first is the baseline."""
    found = [one | {"patient": name} for one in responses]
    scans = [scan(name, number, 42 * (number - 1)) for number in range(1, len(found) + 2)]
    return [patient(name, **more)], scans, found


def rows(*courses, **more):
    patients, scans, responses = (list(chain(*one)) for one in zip(*courses, strict=True))
    return Rows({"patients": patients, "scans": scans, "responses": responses, **more})


def part(content, title):
    (found,) = (one for one in content.parts if one.title.endswith(title))
    return found


def rate_of(content, *words):
    table = part(content, "response rates")
    return next(row for row in table.rows if (row[0], row[2]) == words)


def test_the_best_response_is_of_before_the_progression_and_of_reads_that_count():
    content = response.response(
        rows(
            course("1", said("1", 2, "SMD", -10.0), said("1", 3, "PMD", 45.0),
                   said("1", 4, "CMR")),
            course("2", said("2", 2, "PMR", -40.0, counts=False)),
            course("3", said("3", 2, "NE")),
            course("4"),
            course("5", said("5", 2, "CMR"), withdrawal_extent="use"),
        )
    )  # fmt: skip
    best = part(content, "best response")
    assert (best.n, dict(best.missing)) == (
        1,
        {response.NOT_COUNTING: 1, response.NOT_EVALUABLE: 1, response.NOT_READ: 1},
    )
    counted = {row[0]: row[1] for row in best.rows}
    assert counted["Stable metabolic disease (SMD)"] == Share(1, 1)
    fall = part(content, "best change of each patient")
    assert fall.drawing.bars == (("1", -10.0, "SMD"),)


def test_recist_takes_the_confirmed_best_of_the_last_scan_and_not_the_best_seen():
    """Eisenhauer et al., Eur J Cancer 2009;45:228, table 3: PR that PD follows is SD at best."""
    first = said("1", 2, "PR", -35.0, criterion="recist", best="SD")
    second = said("1", 3, "PD", 25.0, criterion="recist", best="SD")
    content = response.response(rows(course("1", first, second)))
    counted = {row[0]: row[1] for row in part(content, "best response").rows}
    assert counted["Stable disease (SD)"] == Share(1, 1)


def test_rates_have_the_exact_interval_that_r_prints():
    """R, help of binom.test: 682 of 925, 95 percent confidence interval 0.7076683 0.7654066."""
    courses = [
        course(str(number), said("", 2, "PMR" if number < 682 else "PMD", 0.0))
        for number in range(925)
    ]
    *_, share, rate = rate_of(response.response(rows(*courses)), "Objective response", "evaluable")
    assert share == Share(682, 925)
    assert (rate.value, rate.lower, rate.upper) == pytest.approx(
        (73.72973, 70.76683, 76.54066), abs=1e-5
    )


def test_who_is_not_evaluable_is_left_out_or_counts_as_without_response():
    content = response.response(
        rows(course("1", said("1", 2, "PMR", -40.0)), course("2", said("2", 2, "NE")), course("3"))
    )
    assert rate_of(content, "Objective response", "evaluable")[3] == Share(1, 1)
    assert rate_of(content, "Objective response", "all")[3] == Share(1, 3)


def test_nobody_evaluable_has_no_rate():
    content = response.response(rows(course("1", said("1", 2, "NE"))))
    cell = rate_of(content, "Complete response", "evaluable")[4]
    assert (cell.value, "not estimable" in cell.reason) == (None, True)


def test_a_complete_response_without_a_lesion_is_drawn_at_its_end_and_says_so():
    content = response.response(rows(course("1", said("1", 2, "PMR", -48.0), said("1", 3, "CMR"))))
    spider = part(content, "change over time")
    assert spider.drawing.lines == (("1", ((0.0, 0.0), (42.0, -48.0), (84.0, -100.0))),)
    assert any("−100 %" in note for note in spider.notes)
    swimmer = part(content, "time on study and responses")
    assert swimmer.drawing.lanes == (Lane("1", 84.0, True, ((42.0, "PMR"), (84.0, "CMR"))),)
    assert "1 84 days, PMR on day 42, CMR on day 84, goes on" in swimmer.alternative


def test_days_from_the_first_scan_go_by_the_clock_of_the_site():
    """16:30 in Los Angeles is the day after in Greenwich, 15:30 a month before is not."""
    patients, scans, found = course(
        "1", said("1", 2, "PMR", -40.0), site_time_zone="America/Los_Angeles"
    )
    scans[0]["injected_at"] = datetime(2026, 2, 2, 23, 30, tzinfo=UTC)
    scans[1]["injected_at"] = datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
    content = response.response(rows((patients, scans, found)))
    (lane,) = part(content, "time on study and responses").drawing.lanes
    assert lane.marks == ((28.0, "PMR"),)


def test_a_scale_of_scores_makes_no_rate():
    content = response.response(rows(course("1", said("1", 2, "3", criterion="qpet"))))
    (table,) = content.parts
    assert table.rows == (("3", Share(1, 1)),)


def test_the_score_that_counts_is_of_the_last_scan_and_not_of_the_last_evaluation():
    """The interim scan was evaluated again, for a new read, after that at the end of therapy."""
    patients, scans, _ = course("1", said("1", 2, "4"), said("1", 3, "2"))
    last, again = said("1", 3, "2", criterion="qpet"), said("1", 2, "4", criterion="qpet")
    found = [last | {"evaluation": 11}, again | {"evaluation": 12}]
    (table,) = response.response(rows((patients, scans, found))).parts
    assert table.rows == (("2", Share(1, 1)),)


def progression(times, events):
    return [
        {"patient": str(i), "origin": "THERAPY", "time_days": time,
         "is_event": "EVENT" if event else "CENSORED"}
        for i, (time, event) in enumerate(zip(times, events, strict=True))
    ]  # fmt: skip


def test_time_to_progression_has_the_median_and_the_patients_at_risk_that_are_published():
    """6-MP: median 23, 13 to none (lifelines 0.30.3); 21 and 15 at risk at 0 and 10 (Kleinbaum)."""
    content = response.response(
        Rows(
            {
                "patients": [patient(str(i)) for i in range(23)],
                response.PROGRESSION: progression(*TREATED),
            }
        )
    )
    table, curve = content.parts
    cells = {row[0]: row[2] for row in table.rows}
    median = cells["Median, days"]
    assert (median.value, median.lower, median.upper) == (23, 13, math.inf)
    assert table.missing == (("without a completed form of progression", 2),)
    assert "no patient was followed so long" in cells["Free of progression at 12 months, %"].reason
    (drawn,) = curve.drawing.curves
    assert [sum(1 for time in drawn.times if time >= at) for at in (0, 10)] == [21, 15]
    assert [(at, round(share, 4)) for at, share in drawn.steps[:3]] == [
        (0, 1), (6, 0.8571), (7, 0.8067),
    ]  # fmt: skip


def test_no_event_is_no_median():
    content = response.response(Rows({response.PROGRESSION: progression([90], [False])}))
    cells = {row[0]: row[2] for row in content.parts[0].rows}
    assert "more than half are free of the event" in cells["Median, days"].reason


@pytest.mark.parametrize(
    "drawing",
    [
        Waterfall((("1", 20.0, "SD"), ("2", -40.0, "PR"), ("3", None, "NE")), "%", (("a", -30.0),)),
        Swimmer((Lane("1", 84.0, True, ((42.0, "PR"),)), Lane("2", 0.0, False, ())), "Days"),
        Lines((("1", ((0.0, 0.0), (42.0, -30.0))),), "Days", "%", (("a", -30.0),)),
        Survival((Curve("all", ((0.0, 1.0), (6.0, 0.5)), ((7.0, 0.5),), (6.0, 7.0)),), "D", "%"),
    ],
)
def test_each_drawing_is_the_same_bytes_twice(drawing):
    assert (svg(drawing), b"<path" in svg(drawing)) == (svg(drawing), True)


def test_rows_of_a_file_give_what_rows_of_now_give():
    """There a moment is text, and of a form every cell."""
    live = course("1", said("1", 2, "PMR", -40.0))
    patients, scans, responses = live
    filed = (patients, [one | {"injected_at": one["injected_at"].isoformat()} for one in scans],
             responses)  # fmt: skip
    forms = [progression([90, 120], [True, False]), progression(["90", "120"], [True, False])]
    now, then = (
        response.response(rows(one, **{response.PROGRESSION: form}))
        for one, form in zip((live, filed), forms, strict=True)
    )
    assert now == then
