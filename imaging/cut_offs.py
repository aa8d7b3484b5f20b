"""Measured values against cut-offs, and how both are printed.

    change = 100 (after - before) / before    in percent

The mistake to fear is a value at its cut-off that binary fractions put on the wrong side, and a
sentence that prints 29.996 as 30.0 under a cut-off of 30.
"""

from __future__ import annotations

import math
from typing import TypeGuard

# 5.6 - 4.8 is less than 0.8 in binary; measured values are not known to a billionth.
_SLACK = 1e-9


def is_measured(value: float | None) -> TypeGuard[float]:
    """Whether a value is a number that can be measured: finite and not negative."""
    return value is not None and math.isfinite(value) and value >= 0


def is_positive(value: float | None) -> TypeGuard[float]:
    """Whether a value is measured and can stand below a fraction bar."""
    return is_measured(value) and value > 0


def change_percent(before: float, after: float) -> float:
    """Change in percent of the first value, which is positive.

    >>> change_percent(8.0, 6.0)
    -25.0
    """
    return 100.0 * (after - before) / before


def reaches(value: float, cut: float) -> bool:
    """Whether a value is at or above a cut-off.

    >>> reaches(5.6 - 4.8, 0.8)
    True
    """
    return value >= cut - _SLACK


def exceeds(value: float, cut: float) -> bool:
    """Whether a value is above a cut-off, and not at it."""
    return value > cut + _SLACK


def words(value: float, *cuts: float) -> str:
    """A number for a sentence, with as many digits as tell it from every cut-off it is not.

    >>> words(29.996, 30), words(30.0, 30), words(1.25)
    ('29.996', '30.0', '1.2')
    """
    apart = [cut for cut in cuts if abs(value - cut) > _SLACK]
    texts = (f"{value:.{digits}f}" for digits in range(1, 10))
    return next((text for text in texts if float(text) not in apart), repr(value))
