"""SUVmax of two tracers in the same lesions: ratio and limits of agreement, on logarithms.

Uptake differs by a factor, so that what is compared is a ratio. Lesions of a patient resemble each
other: the ratio is that of patients' means, with a component of variance between patients and one
within. The mistake to fear is a mean over what both tracers show as if it were all: a lesion of
one scan alone has no number on the other, and is missing by that name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reporting.reports.content import (
    Column,
    Estimate,
    Figure,
    Table,
    estimate_of,
    methods_of,
    reasons,
    words,
)
from reporting.reports.drawings import Differences
from reporting.reports.rescaling import rescaled
from reporting.reports.rows import Row
from reporting.statistics.clustered_repeats import clustered_limits
from reporting.statistics.results import Result

FEWEST_DRAWN = 3
ONE_ALONE = "lesions on one of the two scans alone, without a number on the other"
NOT_COVERED = "lesions outside the other scan"
IN_PARTS = "lesions split or merged between the scans"
NO_NUMBER = "lesions without a SUVmax above zero on both scans"
LOGARITHMS = (
    "Ratio and limits are those of logarithms, the first tracer over the second; where a patient "
    "has several lesions, intervals count patients, by components of variance between and within "
    "them (Bland & Altman 2007; Zou 2013)."
)
NO_BETTER = (
    "SUV of two tracers are measures of two things: a ratio says how they relate, not which is "
    "right. Uptake times are those that the protocol has for each."
)


@dataclass(frozen=True, slots=True)
class Uptake:
    """A lesion on both scans."""

    patient: str
    first: float
    second: float


def parts(title: str, first: str, second: str, pairs: Sequence[Row]) -> Iterator[Table | Figure]:
    """A table, and a figure where there is enough to draw; nothing where no lesion is on both."""
    found, missing = measured(pairs)
    if not found:
        return
    limits = _limits(found)
    yield _table(title, first, second, found, missing, limits)
    if len(found) >= FEWEST_DRAWN:
        yield from _figure(title, first, second, found, missing, limits)


def measured(pairs: Sequence[Row]) -> tuple[list[Uptake], tuple[tuple[str, int], ...]]:
    """The lesions with a number of both tracers, and why others have none."""
    lost: Counter[str] = Counter()
    found = []
    for one in pairs:
        both = one["first_suvmax"], one["second_suvmax"]
        if one["outcome"] == "not-covered":
            lost[NOT_COVERED] += 1
        elif one["first_lesion"] is None or one["second_lesion"] is None:
            lost[ONE_ALONE] += 1
        elif one["first_parts"] or one["second_parts"]:
            lost[IN_PARTS] += 1
        elif None in both or min(both) <= 0:
            lost[NO_NUMBER] += 1
        else:
            found.append(Uptake(one["patient"], *both))
    return found, reasons(lost)


def _limits(found: Sequence[Uptake]) -> dict[str, Result]:
    """Of natural logarithms, first less second."""
    return clustered_limits(
        [math.log(one.first) for one in found],
        [math.log(one.second) for one in found],
        [one.patient for one in found],
        unit="1",
    )


def _table(
    title: str,
    first: str,
    second: str,
    found: Sequence[Uptake],
    missing: tuple[tuple[str, int], ...],
    limits: dict[str, Result],
) -> Table:
    bias, _, low, high = (rescaled(math.exp, estimate_of(one)) for one in limits.values())
    patients = len({one.patient for one in found})
    return Table(
        title=f"{title}: SUVmax of lesions on both scans",
        n=len(found),
        of=f"lesions in {patients} patients",
        missing=missing,
        columns=(
            words("quantity", "Quantity"),
            Column("first_median", f"Median, {first}", "g/mL", digits=2),
            Column("second_median", f"Median, {second}", "g/mL", digits=2),
            Column("ratio", f"{first} over {second} (95% interval)", digits=2),
            Column("lower_limit", "Lower limit (95% interval)", digits=2),
            Column("upper_limit", "Upper limit (95% interval)", digits=2),
        ),
        rows=(
            (
                "SUVmax",
                float(np.median([one.first for one in found])),
                float(np.median([one.second for one in found])),
                bias,
                low,
                high,
            ),
        ),
        notes=(
            LOGARITHMS,
            NO_BETTER,
            *methods_of(replace(one, notes=()) for one in limits.values()),
        ),
    )


def _figure(
    title: str,
    first: str,
    second: str,
    found: Sequence[Uptake],
    missing: tuple[tuple[str, int], ...],
    limits: dict[str, Result],
) -> Iterator[Figure]:
    bias, _, low, high = (estimate_of(one) for one in limits.values())
    if bias.value is None or low.value is None or high.value is None:
        return
    patients = len({one.patient for one in found})
    told = [rescaled(math.exp, one).value for one in (bias, low, high)]
    yield Figure(
        title=f"{title}: SUVmax on logarithms",
        n=len(found),
        of=f"lesions in {patients} patients",
        missing=missing,
        notes=(
            "Line: bias; dashed: limits of agreement at 1.96 SD"
            + ("; shades: their 95% intervals." if _bands(bias, low, high, patients) else "."),
            LOGARITHMS,
        ),
        drawing=Differences(
            points=tuple(
                (math.sqrt(one.first * one.second), math.log(one.first / one.second))
                for one in found
            ),
            bias=bias.value,
            low=low.value,
            high=high.value,
            across="Geometric mean of both SUVmax, g/mL",
            up=f"ln ({first} / {second})",
            bands=_bands(bias, low, high, patients),
        ),
        alternative=f"Scatter of logarithms of ratios over means of {len(found)} lesions: {first} "
        f"over {second} {told[0]:.2f}, limits {told[1]:.2f} to {told[2]:.2f}.",
    )


def _bands(
    bias: Estimate, low: Estimate, high: Estimate, patients: int
) -> tuple[tuple[float, float], ...]:
    """Of two patients they would leave the points a line."""
    return tuple(
        (one.lower, one.upper)
        for one in (low, bias, high)
        if patients >= FEWEST_DRAWN and one.lower is not None and one.upper is not None
    )
