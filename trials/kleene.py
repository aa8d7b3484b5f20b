"""Three truths: yes, no, and not known.

A criterion nobody has answered yet is neither met nor failed. Treating a missing value as
"no" would enrol a patient whose pregnancy test is pending; treating it as "yes" would turn
one away for a result that never arrived. The tables are those of Kleene's strong logic, as
in HL7 CQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Truth(Enum):
    """Whether something holds."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    def __invert__(self) -> Truth:
        return Truth(2 - self.value)

    @classmethod
    def known(cls, claim: bool) -> Truth:
        return cls.YES if claim else cls.NO


def all_of(truths: Iterable[Truth]) -> Truth:
    """One NO settles it; otherwise one UNKNOWN leaves it open.

    >>> all_of([Truth.YES, Truth.UNKNOWN]), all_of([Truth.UNKNOWN, Truth.NO]), all_of([])
    (<Truth.UNKNOWN: 1>, <Truth.NO: 0>, <Truth.YES: 2>)
    """
    return min(truths, key=lambda truth: truth.value, default=Truth.YES)


def any_of(truths: Iterable[Truth]) -> Truth:
    """One YES settles it; otherwise one UNKNOWN leaves it open.

    >>> any_of([Truth.NO, Truth.UNKNOWN]), any_of([Truth.UNKNOWN, Truth.YES]), any_of([])
    (<Truth.UNKNOWN: 1>, <Truth.YES: 2>, <Truth.NO: 0>)
    """
    return max(truths, key=lambda truth: truth.value, default=Truth.NO)


def at_least_of(number: int, truths: Iterable[Truth]) -> Truth:
    """Whether at least `number` of them hold, as far as that can be told.

    >>> at_least_of(2, [Truth.YES, Truth.UNKNOWN, Truth.NO]), at_least_of(1, [Truth.YES])
    (<Truth.UNKNOWN: 1>, <Truth.YES: 2>)
    """
    known = list(truths)
    if known.count(Truth.YES) >= number:
        return Truth.YES
    return Truth.NO if len(known) - known.count(Truth.NO) < number else Truth.UNKNOWN


def agreed(truths: Iterable[Truth]) -> Truth:
    """What every possibility comes to, or UNKNOWN where they differ or there is none.

    >>> agreed([Truth.NO, Truth.NO]), agreed([Truth.NO, Truth.YES]), agreed([])
    (<Truth.NO: 0>, <Truth.UNKNOWN: 1>, <Truth.UNKNOWN: 1>)
    """
    different = set(truths)
    return different.pop() if len(different) == 1 else Truth.UNKNOWN


def at_most(low: float, high: float, limit: float) -> Truth:
    """Whether a number known to lie in `[low, high]` is at most `limit`.

    >>> at_most(17, 18, 18), at_most(17, 19, 18), at_most(19, 20, 18)
    (<Truth.YES: 2>, <Truth.UNKNOWN: 1>, <Truth.NO: 0>)
    """
    if high <= limit:
        return Truth.YES
    return Truth.NO if low > limit else Truth.UNKNOWN
