"""Columns of the spread of a group of numbers, and their cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reporting.reports.content import Column

QUARTILES = "Quartiles by linear interpolation; SD with n - 1."


def columns(unit: str, digits: int = 1) -> tuple[Column, ...]:
    """Those that `spread` fills, after its n."""
    return (
        Column("mean", "Mean", unit, digits),
        Column("sd", "SD", unit, digits),
        Column("median", "Median", unit, digits),
        Column("lower_quartile", "Lower quartile", unit, digits),
        Column("upper_quartile", "Upper quartile", unit, digits),
        Column("minimum", "Minimum", unit, digits),
        Column("maximum", "Maximum", unit, digits),
    )


def spread(values: Sequence[float]) -> tuple[int | float | None, ...]:
    """n, mean, SD with n - 1 (none of one value), median, quartiles, least and greatest.

    >>> spread([1.0, 2.0, 6.0])
    (3, 3.0, 2.6457513110645907, 2.0, 1.5, 4.0, 1.0, 6.0)
    """
    data = np.asarray(values)
    low, middle, high = (float(one) for one in np.quantile(data, [0.25, 0.5, 0.75]))
    sd = float(data.std(ddof=1)) if len(data) > 1 else None
    return (len(data), float(data.mean()), sd, middle, low, high,
            float(data.min()), float(data.max()))  # fmt: skip
