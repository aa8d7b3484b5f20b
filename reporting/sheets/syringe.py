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


def _values(one: Range) -> tuple[float | None, float | None, float | None]:
    return one.target, one.low, one.high
