"""Survival and response against published worked examples."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.responses import response_rate
from reporting.statistics.results import Absent, StatisticsError
from reporting.statistics.survival import (
    at_landmark,
    kaplan_meier,
    log_rank,
    median_survival,
    survival_at,
)

# Weeks of remission in leukaemia with 6-mercaptopurine and placebo (Freireich et al, Blood
# 1963;21:699), the example of Gehan 1965, Cox 1972 and Kleinbaum & Klein.
TREATED = (
    [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35],
    [True] * 9 + [False] * 12,
)
PLACEBO = (
    [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23],
    [True] * 21,
)


def test_remission_has_the_published_curve():
    # Kleinbaum & Klein, Survival Analysis, 3rd ed., p. 65; errors by Greenwood.
    steps = kaplan_meier(*TREATED)
    assert [(step.time, step.at_risk, round(step.survival, 4)) for step in steps] == [
        (6, 21, 0.8571), (7, 17, 0.8067), (10, 15, 0.7529), (13, 12, 0.6902), (16, 11, 0.6275),
        (22, 7, 0.5378), (23, 6, 0.4482),
    ]  # fmt: skip
    assert [round(step.error, 4) for step in steps[:2]] == [0.0764, 0.0869]


def test_remission_has_the_medians_of_lifelines():
    # lifelines 0.30.3, KaplanMeierFitter: medians and their intervals, survival at week 10.
    treated, placebo = median_survival(*TREATED, unit="wk"), median_survival(*PLACEBO, unit="wk")
    ends = (treated.interval.lower, treated.interval.upper)
    assert (treated.estimate, ends) == (23, (13, math.inf))
    assert (placebo.estimate, placebo.interval.lower, placebo.interval.upper) == (8, 4, 11)
    at_ten = survival_at(*TREATED, time=10, unit="wk")
    assert at_ten.name == "free of the event at 10 wk"
    assert at_ten.interval.lower == pytest.approx(0.503200, abs=1e-6)
    assert at_ten.interval.upper == pytest.approx(0.889362, abs=1e-6)


def test_remission_has_the_published_log_rank():
    # Chi-square 16.79 (Kleinbaum & Klein, p. 71).
    test = log_rank([TREATED, PLACEBO]).test
    assert round(test.statistic, 2) == 16.79
    assert test.p == pytest.approx(4.16881e-05, rel=1e-5)
    assert test.variant == "Mantel, hypergeometric variance"


def test_a_median_not_reached_and_a_time_not_followed_are_not_estimable():
    found = median_survival([1, 2, 3], [True, False, False], unit="d")
    assert found.reason == "not estimable: more than half are free of the event"
    late = survival_at([1, 2, 3], [True, False, False], time=4, unit="d")
    assert late.reason == "not estimable: no patient was followed so long"
    assert survival_at([], [], time=1, unit="d").reason == "not estimable: there are no patients"


def test_everyone_gone_is_a_survival_of_zero():
    found = survival_at([1, 2], [True, True], time=9, unit="d")
    assert (found.estimate, found.interval) == (0.0, None)


def test_groups_without_events_cannot_be_compared():
    found = log_rank([([1, 2], [False, False]), ([1, 2], [False, False])])
    assert found.reason == "not estimable: too few events to compare"


def test_a_dagger_is_no_flag_of_an_event():
    with pytest.raises(StatisticsError, match="a flag is true for an event"):
        kaplan_meier([1, 2], ["†", ""])


@pytest.mark.parametrize(
    ("time", "event", "state"),
    [(11, True, "event"), (12, True, "event"), (12, False, "free"), (13, True, "free"),
     (11, False, "not evaluable")],
)  # fmt: skip
def test_a_patient_lost_before_the_landmark_is_not_evaluable(time, event, state):
    assert at_landmark(time, event, landmark=12) == state


followed = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=20)


@given(followed, followed)
def test_log_rank_does_not_depend_on_which_group_is_first(one, other):
    groups = [([time for time, _ in rows], [flag for _, flag in rows]) for rows in (one, other)]
    found, turned = log_rank(groups), log_rank(groups[::-1])
    if found.test and turned.test:
        assert found.test.p == pytest.approx(turned.test.p)


@given(followed)
def test_survival_falls_and_stays_between_zero_and_one(rows):
    steps = kaplan_meier([time for time, _ in rows], [flag for _, flag in rows])
    levels = [1.0, *(step.survival for step in steps)]
    assert levels == sorted(levels, reverse=True)
    assert min(levels) >= 0


RESPONSES = ["CR", "PR", "SD", "PD", Absent("scan missing"), Absent("scan missing")]


@pytest.mark.parametrize(("not_evaluable", "n"), [("left out", 4), ("non-responders", 6)])
def test_a_response_rate_says_what_became_of_those_not_evaluable(not_evaluable, n):
    found = response_rate(
        RESPONSES,
        responders={"CR", "PR"},
        classes={"CR", "PR", "SD", "PD"},
        not_evaluable=not_evaluable,
    )
    assert (found.estimate, found.n) == (2 / n, n)
    left_out = not_evaluable == "left out"
    # Whoever is in n is not among those left out of it.
    assert found.missing == ((("scan missing", 2),) if left_out else ())
    assert ("not evaluable: 2 scan missing" in found.notes) is not left_out
    assert found.name.endswith(not_evaluable)
    assert found.interval.method == "Clopper-Pearson"


def test_a_response_of_another_scale_is_refused():
    with pytest.raises(StatisticsError, match="'PMR' is none of CR, PD"):
        response_rate(["PMR"], responders={"CR"}, classes={"CR", "PD"}, not_evaluable="left out")


def test_a_responder_that_is_no_class_is_refused():
    with pytest.raises(StatisticsError, match="responders CMR are none of the classes"):
        response_rate(["CR"], responders={"CMR"}, classes={"CR", "PD"}, not_evaluable="left out")


def test_a_group_without_an_event_is_compared_whichever_stands_first():
    dying, living = ([1, 2, 3, 4, 5, 6], [True] * 6), ([10] * 6, [False] * 6)
    found, turned = log_rank([dying, living]), log_rank([living, dying])
    # O - E and V by hand: E = sum of 6/12, 5/11, ..., 1/7; V = sum of p (1 - p).
    shares = [alive / (alive + 6) for alive in range(6, 0, -1)]
    apart, variance = 6 - sum(shares), sum(p * (1 - p) for p in shares)
    assert found.test.statistic == pytest.approx(apart**2 / variance)
    assert found.estimate == pytest.approx(math.exp(apart / variance))
    assert turned.estimate == pytest.approx(1 / found.estimate)
    assert turned.test.p == pytest.approx(found.test.p)


def test_the_last_death_does_not_close_the_interval_of_the_median():
    found = median_survival([1, 2, 3], [True] * 3, unit="d")
    assert (found.estimate, found.interval.upper) == (2, math.inf)
