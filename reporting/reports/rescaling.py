"""Cells on another scale: what was computed on logarithms, told in percent."""

from __future__ import annotations

import math
from collections.abc import Callable

from reporting.reports.content import Estimate


def percent(logarithm: float) -> float:
    """By how many percent a number is larger whose logarithm is larger by this.

    >>> round(percent(math.log(1.25)), 6)
    25.0
    """
    return 100 * math.expm1(logarithm)


def rescaled(scale: Callable[[float], float], cell: Estimate) -> Estimate:
    """A cell on another scale, its ends in order; one without a number as it is.

    >>> rescaled(lambda value: -value, Estimate(value=2.0, lower=1.0, upper=4.0))
    Estimate(value=-2.0, lower=-4.0, upper=-1.0, reason='')
    """
    if cell.value is None:
        return cell
    ends = sorted(scale(one) for one in (cell.lower, cell.upper) if one is not None)
    lower, upper = ends if len(ends) == 2 else (None, None)
    return Estimate(value=scale(cell.value), lower=lower, upper=upper)
