"""Injected activity against what the protocol allows, in MBq and in MBq per kilogram.

The mistake to fear is a limit that nobody stated, taken as one that is kept: without a limit
the answer is "not checkable", which is no pass. A residual that was not measured makes the
net activity an upper bound, which can be too low but never shown to be enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Standing = Literal["within", "outside", "not checkable"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Lowest and highest value of the protocol, each None where no source states it."""

    low: float | None
    high: float | None
    unit: str

    @property
    def in_words(self) -> str:
        """The limits in words; a source may state only one of them.

        >>> Limits(None, 50.0, "MBq").in_words
        'up to 50 MBq'
        """
        if self.low is None and self.high is None:
            return "not stated"
        if self.low is None:
            return f"up to {self.high:g} {self.unit}"
        if self.high is None:
            return f"{self.low:g} or more {self.unit}"
        return f"{self.low:g} to {self.high:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One value against its limits."""

    standing: Standing
    value: float
    limits: Limits

    @property
    def values(self) -> dict[str, object]:
        """The numbers compared, for a deviation."""
        return {
            "found": self.value,
            "low": self.limits.low,
            "high": self.limits.high,
            "unit": self.limits.unit,
        }


def judged(value: float, limits: Limits, *, is_upper_bound: bool = False) -> Judgement:
    """Whether a value is within its limits; both ends belong to them, nothing is rounded.

    With `is_upper_bound` the true value may lie below: above the lowest limit that is not
    known to be enough.

    >>> judged(200.0, Limits(100.0, 200.0, "MBq")).standing
    'within'
    >>> judged(150.0, Limits(100.0, None, "MBq"), is_upper_bound=True).standing
    'not checkable'
    """
    if limits.low is None and limits.high is None:
        return Judgement("not checkable", value, limits)
    if limits.low is not None and value < limits.low:
        return Judgement("outside", value, limits)
    if limits.high is not None and value > limits.high:
        # As much as this is not shown to have been given.
        return Judgement("not checkable" if is_upper_bound else "outside", value, limits)
    if is_upper_bound and limits.low is not None:
        return Judgement("not checkable", value, limits)
    return Judgement("within", value, limits)
