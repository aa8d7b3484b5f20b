"""What to draw into the syringe: activity limits for a body weight, and the table of its decay.

Both are for planning. The mistake to fear is a limit that no source states: it stays empty, and
where activity is planned by weight and no weight is known, nothing is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trials import decay

# Minutes before the planned injection for which the activity to draw is told.
BEFORE = (120, 90, 60, 45, 30, 20, 15, 10, 5, 0)
# MBq: limits by weight are products, and 1.1 MBq/kg at 100 kg is no more than 110 MBq.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Range:
    """A target with its limits in one unit, each None where no source states it."""

    target: float | None
    low: float | None
    high: float | None

    @property
    def is_stated(self) -> bool:
        return any(one is not None for one in (self.target, self.low, self.high))


def of_weight(per_kg: Range, weight_kg: float) -> Range:
    """A range in MBq/kg as MBq for a body weight in kg.

    >>> of_weight(Range(2.0, None, 2.5), 80.0)
    Range(target=160.0, low=None, high=200.0)
    """
    return Range(*(None if one is None else one * weight_kg for one in _values(per_kg)))


def narrowed(fixed: Range, by_weight: Range) -> Range:
    """What both ranges allow; the target of the one that states one, by weight first.

    >>> narrowed(Range(150.0, 100.0, 200.0), Range(None, 110.0, 220.0))
    Range(target=150.0, low=110.0, high=200.0)
    """
    lows = [one for one in (fixed.low, by_weight.low) if one is not None]
    highs = [one for one in (fixed.high, by_weight.high) if one is not None]
    target = by_weight.target if by_weight.target is not None else fixed.target
    return Range(target, max(lows, default=None), min(highs, default=None))


def problem(one: Range) -> str:
    """What is wrong with a range in MBq, in words; empty where nothing is.

    >>> problem(Range(150.0, 100.0, 90.0))[:41]
    'The limits contradict each other: lowest '
    >>> problem(Range(150.0, None, 200.0))
    ''
    """
    if _contradicts(one):
        return (
            f"The limits contradict each other: lowest {one.low:.1f} MBq, highest {one.high:.1f} "
            "MBq. Nothing is computed: ask the sponsor what to inject."
        )
    if one.target is not None and not _is_within(one.target, one):
        limits = " and ".join(
            f"{word} {limit:.1f} MBq"
            for word, limit in (("lowest", one.low), ("highest", one.high))
            if limit is not None
        )
        return (
            f"The target, {one.target:.1f} MBq, lies outside the limits, {limits}: it is left out. "
            "Ask the sponsor what to aim at."
        )
    return ""


def usable(one: Range) -> Range:
    """A range in MBq without what `problem` speaks of.

    >>> usable(Range(240.0, 100.0, 200.0))
    Range(target=None, low=100.0, high=200.0)
    """
    if _contradicts(one):
        return Range(None, None, None)
    if one.target is not None and not _is_within(one.target, one):
        return Range(None, one.low, one.high)
    return one


@dataclass(frozen=True, slots=True)
class Draw:
    """What a syringe must hold that many minutes before the injection, in MBq."""

    minutes: int
    low: float | None
    target: float | None
    high: float | None


def table(at_injection: Range, *, half_life: float, minutes: Sequence[int] = BEFORE) -> list[Draw]:
    """The activity to draw at times before the injection, so that the range holds at it.

    Half-life in s. One half-life before, twice as much:

    >>> table(Range(150.0, None, 200.0), half_life=3600.0, minutes=[60])
    [Draw(minutes=60, low=None, target=300.0, high=400.0)]
    """
    return [
        Draw(
            one,
            _before(at_injection.low, one, half_life),
            _before(at_injection.target, one, half_life),
            _before(at_injection.high, one, half_life),
        )
        for one in minutes
    ]


def _before(activity: float | None, minutes: int, half_life: float) -> float | None:
    if activity is None:
        return None
    return decay.decayed(activity * 1e6, elapsed=-60.0 * minutes, half_life=half_life) / 1e6


def _contradicts(one: Range) -> bool:
    return one.low is not None and one.high is not None and one.low > one.high + _ROUNDING


def _is_within(activity: float, limits: Range) -> bool:
    return (limits.low is None or activity >= limits.low - _ROUNDING) and (
        limits.high is None or activity <= limits.high + _ROUNDING
    )


def _values(one: Range) -> tuple[float | None, float | None, float | None]:
    return one.target, one.low, one.high
