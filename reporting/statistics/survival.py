"""Time to an event with censoring: Kaplan-Meier, log-rank, and what is known at a landmark.

Times count from one and the same start for each patient (days or months: the unit is the
caller's) and have the shape (n,). A patient is at risk until just after the own time, so one
censored at the time of an event counts for it. What a dagger in a table means must be known
first: without a flag of the event there is no curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reporting.statistics.results import (
    LEVEL,
    HypothesisTest,
    Interval,
    Result,
    StatisticsError,
    normal_quantile,
    not_estimable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One step of the curve: what survives from `time` on, and who was at risk just before."""

    time: float
    at_risk: int
    events: int
    survival: float
    error: float


def kaplan_meier(times: Sequence[float], events: Sequence[bool]) -> tuple[Drop, ...]:
    """The steps of the curve (J Am Stat Assoc 1958;53:457), error by Greenwood.

    Before the first step survival is 1. Where nobody survives the error is 0.
    """
    when, happened = _checked(times, events)
    steps: list[Drop] = []
    survival, greenwood = 1.0, 0.0
    for time in np.unique(when[happened]):
        at_risk = int((when >= time).sum())
        count = int((happened & (when == time)).sum())
        survival *= 1 - count / at_risk
        if at_risk > count:
            greenwood += count / (at_risk * (at_risk - count))
        steps.append(
            Drop(
                time=float(time),
                at_risk=at_risk,
                events=count,
                survival=survival,
                error=survival * math.sqrt(greenwood),
            )
        )
    return tuple(steps)


def survival_at(
    times: Sequence[float], events: Sequence[bool], *, time: float, unit: str, level: float = LEVEL
) -> Result:
    """Share free of the event at `time`, interval on the log-log scale (Kalbfleisch-Prentice).

    Not estimable where nobody was followed up to `time` and not all had the event.
    """
    steps = [drop for drop in kaplan_meier(times, events) if drop.time <= time]
    name, n = f"free of the event at {time:g} {unit}", len(times)
    if n == 0:
        return not_estimable(name, "there are no patients", n=0)
    survival = steps[-1].survival if steps else 1.0
    if max(times) < time and survival > 0:
        return not_estimable(name, "no patient was followed so long", n=n)
    if survival in (0.0, 1.0):
        note = "no interval: all or none had the event"
        return Result(name=name, estimate=survival, n=n, notes=(note,))
    ends = _log_log(steps[-1], level)
    return Result(name=name, estimate=survival, interval=ends, n=n)


def _log_log(drop: Drop, level: float) -> Interval:
    log = math.log(drop.survival)
    half = normal_quantile(level) * drop.error / (drop.survival * abs(log))
    return Interval(
        lower=drop.survival ** math.exp(half),
        upper=drop.survival ** math.exp(-half),
        method="Greenwood, log-log",
        level=level,
    )


def median_survival(
    times: Sequence[float], events: Sequence[bool], *, unit: str, level: float = LEVEL
) -> Result:
    """First time at which at most half are free of the event.

    Interval: the times at which the log-log interval of survival holds one half (Brookmeyer &
    Crowley, Biometrics 1982;38:29); its upper end is infinite where that never ends.
    """
    steps = kaplan_meier(times, events)
    name, n = "median time to the event", len(times)
    # Products of fractions such as 3/4 * 2/3 may miss one half by a rounding.
    reached = [drop.time for drop in steps if drop.survival <= 0.5 + 1e-12]
    if not reached:
        return not_estimable(name, "more than half are free of the event", n=n, unit=unit)
    inner = [(drop.time, _log_log(drop, level)) for drop in steps if 0 < drop.survival < 1]
    emptied = [drop.time for drop in steps if drop.survival == 0]
    lower = [time for time, ends in inner if ends.lower <= 0.5] + emptied
    # Where nobody is left the interval of survival is not defined, and ends nothing.
    upper = [time for time, ends in inner if ends.upper < 0.5]
    ends = Interval(
        lower=lower[0],
        upper=upper[0] if upper else math.inf,
        method="Brookmeyer-Crowley, log-log",
        level=level,
    )
    return Result(name=name, estimate=reached[0], interval=ends, n=n, unit=unit)


def log_rank(
    groups: Sequence[tuple[Sequence[float], Sequence[bool]]], *, level: float = LEVEL
) -> Result:
    """Log-rank test of two groups, each (times, events); hypergeometric variance.

    Mantel, Cancer Chemother Rep 1966;50:163. The estimate is Peto's hazard ratio of the first group
    over the second, exp((O - E) / V), its interval normal on the log scale with 1 / V (Yusuf et al,
    Prog Cardiovasc Dis 1985;27:335).
    """
    if len(groups) != 2:
        raise StatisticsError(f"the log-rank test compares 2 groups, got {len(groups)}")
    (one, had), (other, others_had) = (_checked(*group) for group in groups)
    name, n = "hazard ratio (Peto)", len(one) + len(other)
    observed, expected, variance = int(had.sum()), 0.0, 0.0
    for time in np.unique(np.concatenate([one[had], other[others_had]])):
        first, second = int((one >= time).sum()), int((other >= time).sum())
        risk = first + second
        count = int((had & (one == time)).sum() + (others_had & (other == time)).sum())
        expected += count * first / risk
        if risk > 1:
            variance += count * first * second * (risk - count) / (risk * risk * (risk - 1))
    if variance <= 0:
        return not_estimable(name, "too few events to compare", n=n)
    statistic = (observed - expected) ** 2 / variance
    test = HypothesisTest(
        name="log-rank",
        variant="Mantel, hypergeometric variance",
        p=float(stats.chi2.sf(statistic, 1)),
        statistic=statistic,
        degrees_of_freedom=1,
    )
    apart, half = (observed - expected) / variance, normal_quantile(level) / math.sqrt(variance)
    ends = Interval(
        lower=math.exp(apart - half), upper=math.exp(apart + half), method="Peto", level=level
    )
    notes = (f"{len(one)} against {len(other)}",)
    return Result(name=name, estimate=math.exp(apart), interval=ends, test=test, n=n, notes=notes)


def at_landmark(
    time: float, has_event: bool, *, landmark: float
) -> Literal["event", "free", "not evaluable"]:
    """What is known of one patient at `landmark`: one lost before it is not evaluable."""
    if has_event and time <= landmark:
        return "event"
    return "free" if time >= landmark else "not evaluable"


def _checked(
    times: Sequence[float], events: Sequence[bool]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    when, happened = np.asarray(times, dtype=float), np.asarray(events)
    if when.shape != happened.shape:
        raise StatisticsError("each time needs a flag: event or censored")
    if happened.size and happened.dtype != np.bool_:
        raise StatisticsError("a flag is true for an event and false for a censored time")
    if not np.isfinite(when).all() or (when < 0).any():
        raise StatisticsError("a time is missing or lies before the start")
    return when, happened.astype(bool)
