"""Bland-Altman plots of repeatability: a figure a quantity, in it a row a reader.

By number and by percent side by side, each on one scale for all readers, so that they compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from reporting.reports.content import Estimate, Figure, estimate_of
from reporting.reports.drawings import Differences, Panel, Panels
from reporting.reports.repeats import Repeats, counted, lost_of
from reporting.reports.rescaling import percent, rescaled
from reporting.statistics.clustered_repeats import clustered_limits
from reporting.statistics.results import Result

FEWEST_DRAWN = 3
CLUSTERED = (
    "Where a patient has several lesions, intervals count patients: of the within-subject SD by a "
    "ratio estimator (Rao & Scott 1999), of limits by variance components (Zou 2013)."
)
NO_BANDS = "intervals of fewer than 3 patients, too wide to draw, in the table"


def figures(scans: str, found: Sequence[Repeats]) -> Iterator[Figure]:
    """The quantities that are drawn, of readers with enough to draw."""
    groups: dict[str, list[Repeats]] = {}
    for one in found:
        if one.is_drawn and len(one.found) >= FEWEST_DRAWN:
            groups.setdefault(one.name, []).append(one)
    for name, mine in groups.items():
        rows = [[*_panels(one)] for one in mine]
        if any(rows):
            yield _figure(f"{name}, {scans}: retest less test", mine, rows)


def _figure(title: str, mine: Sequence[Repeats], rows: Sequence[Sequence[Panel]]) -> Figure:
    is_clustered = any(one.patient_count < len(one.found) for one in mine)
    shaded = any(panel.plot.bands for row in rows for panel in row)
    return Figure(
        title=title,
        n=counted(mine),
        of=f"{mine[0].of} measured on both scans, each reader apart",
        missing=lost_of(mine),
        notes=(
            "Line: bias; dashed: limits of agreement at 1.96 SD; "
            f"{'shades: their 95% intervals' if shaded else NO_BANDS}.",
            "Lines in percent are from logarithms, so that the limits are apart as far by ratio.",
            *((CLUSTERED,) if is_clustered else ()),
        ),
        drawing=Panels(tuple(tuple(row) for row in rows if row)),
        alternative="Scatter of differences over means. "
        + " ".join(_told(panel) for row in rows for panel in row),
    )


def _told(panel: Panel) -> str:
    plot = panel.plot
    return (
        f"{panel.title}, {plot.up}: bias {plot.bias:.2f}, limits of agreement {plot.low:.2f} to "
        f"{plot.high:.2f}."
    )


def _panels(one: Repeats) -> Iterator[Panel]:
    """By number and, where there are logarithms, by percent."""
    within = f" in {one.patient_count} patients" if one.of == "lesions" else ""
    title = f"Reader {one.reader}, n = {len(one.found)}{within}"
    sides = [*zip(one.first, one.second, strict=True)]
    points = [(math.fsum(each) / 2, each[1] - each[0]) for each in sides]
    limits = clustered_limits(one.second, one.first, one.patients, unit=one.unit)
    if plot := _plot(one, points, _cells(limits), "Mean", one.unit):
        yield Panel(title, plot)
    if logs := one.logs:
        points = [(math.sqrt(a * b), 100 * (b / a - 1)) for a, b in sides]
        limits = clustered_limits(logs[1], logs[0], one.patients, unit="1")
        cells = [rescaled(percent, each) for each in _cells(limits)]
        if plot := _plot(one, points, cells, "Geometric mean", "%"):
            yield Panel(title, plot)


def _cells(limits: Mapping[str, Result]) -> list[Estimate]:
    """Bias, lower and upper limit; the spread between is in the table."""
    bias, _, low, high = (estimate_of(each) for each in limits.values())
    return [bias, low, high]


def _plot(
    one: Repeats,
    points: Sequence[tuple[float, float]],
    cells: Sequence[Estimate],
    mean: str,
    unit: str,
) -> Differences | None:
    bias, low, high = cells
    if bias.value is None or low.value is None or high.value is None:
        return None
    # Of two patients they would leave the points a line.
    has_bands = one.patient_count >= FEWEST_DRAWN
    return Differences(
        points=tuple(points),
        bias=bias.value,
        low=low.value,
        high=high.value,
        across=f"{mean} of test and retest, {one.unit}",
        up=f"Retest less test, {unit}",
        bands=tuple(
            (each.lower, each.upper)
            for each in (low, bias, high)
            if has_bands and each.lower is not None and each.upper is not None
        ),
    )
