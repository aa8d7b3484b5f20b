"""Decay against half-life arithmetic that can be done by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trials.decay import HALF_LIFE, DecayError, decayed, net_activity

HALF_LIVES = st.sampled_from(sorted(HALF_LIFE.values()))
ACTIVITIES = st.floats(1e3, 1e11)


def test_fluorine_18_after_one_hour_has_68_5_percent_left():
    # bc: e(-l(2) * 3600 / 6586.2) = 0.684632919573
    assert decayed(1.0, elapsed=3600, half_life=HALF_LIFE["F-18"]) == pytest.approx(
        0.684632919573, rel=1e-11
    )


def test_gallium_68_loses_one_percent_in_a_minute():
    # ln2 * 60 / 4062.6 = 0.010237
    left = decayed(1.0, elapsed=60, half_life=HALF_LIFE["Ga-68"])
    assert left == pytest.approx(1 - 0.010237, abs=1e-4)


def test_an_hour_is_a_factor_of_1_85_for_gallium_68():
    assert decayed(1.0, elapsed=-3600, half_life=HALF_LIFE["Ga-68"]) == pytest.approx(
        1.85, abs=0.005
    )


def test_net_activity_of_gallium_68_by_hand():
    # 185 MBq at 09:50, injected 10:00, 3.7 MBq left at 10:05.
    # bc: 185 e(-l(2) 600/4062.6) = 166.998668; 3.7 e(l(2) 300/4062.6) = 3.894315
    net = net_activity(
        assayed=185e6,
        assay_to_injection=600,
        residual=3.7e6,
        injection_to_residual=300,
        half_life=HALF_LIFE["Ga-68"],
    )
    assert net.value == pytest.approx(163.104353e6, rel=1e-8)
    assert net.residual_known


def test_net_activity_of_fluorine_18_over_midnight():
    assay, injection = (
        datetime(2026, 3, 1, 23, 50, tzinfo=UTC),
        datetime(2026, 3, 2, 0, 10, tzinfo=UTC),
    )
    residual = datetime(2026, 3, 2, 0, 20, tzinfo=UTC)
    net = net_activity(
        assayed=400e6,
        assay_to_injection=(injection - assay).total_seconds(),
        residual=10e6,
        injection_to_residual=(residual - injection).total_seconds(),
        half_life=HALF_LIFE["F-18"],
    )
    # bc: 400 e(-l(2) 1200/6586.2) = 352.543396; 10 e(l(2) 600/6586.2) = 10.651817
    assert net.value == pytest.approx(341.891579e6, rel=1e-8)


def test_residual_that_nobody_measured_is_unknown_and_not_zero():
    net = net_activity(
        assayed=100e6,
        assay_to_injection=0,
        residual=None,
        injection_to_residual=None,
        half_life=HALF_LIFE["F-18"],
    )
    assert (net.value, net.residual_known) == (100e6, False)


def test_residual_of_zero_is_known():
    net = net_activity(
        assayed=100e6,
        assay_to_injection=0,
        residual=0.0,
        injection_to_residual=60,
        half_life=HALF_LIFE["F-18"],
    )
    assert (net.value, net.residual_known) == (100e6, True)


def test_residual_without_its_time_is_refused():
    with pytest.raises(DecayError, match="its time is missing"):
        net_activity(
            assayed=1e8,
            assay_to_injection=0,
            residual=1e6,
            injection_to_residual=None,
            half_life=6586.2,
        )


def test_residual_above_the_assayed_activity_is_refused():
    with pytest.raises(DecayError, match="exceeds the assayed"):
        net_activity(
            assayed=1e6,
            assay_to_injection=0,
            residual=2e6,
            injection_to_residual=0,
            half_life=6586.2,
        )


@pytest.mark.parametrize(
    ("activity", "elapsed", "half_life"),
    [
        (-1.0, 0, 6586.2),
        (math.nan, 0, 6586.2),
        (1.0, math.inf, 6586.2),
        (1.0, 0, 0.0),
        (1.0, 0, -5.0),
        (1.0, -1e9, 76.38),
    ],
)
def test_impossible_values_are_refused(activity, elapsed, half_life):
    with pytest.raises(DecayError):
        decayed(activity, elapsed=elapsed, half_life=half_life)


@given(ACTIVITIES, st.floats(-3e4, 3e4), HALF_LIVES.filter(lambda t: t > 1000))
def test_there_and_back_is_where_it_started(activity, elapsed, half_life):
    there = decayed(activity, elapsed=elapsed, half_life=half_life)
    assert decayed(there, elapsed=-elapsed, half_life=half_life) == pytest.approx(activity)


@given(ACTIVITIES, st.floats(0, 1e5), st.floats(0, 1e5), HALF_LIVES.filter(lambda t: t > 5000))
def test_two_steps_are_one(activity, first, second, half_life):
    stepped = decayed(
        decayed(activity, elapsed=first, half_life=half_life), elapsed=second, half_life=half_life
    )
    assert stepped == pytest.approx(decayed(activity, elapsed=first + second, half_life=half_life))


@given(ACTIVITIES, HALF_LIVES)
def test_one_half_life_leaves_half(activity, half_life):
    assert decayed(activity, elapsed=half_life, half_life=half_life) == activity / 2
