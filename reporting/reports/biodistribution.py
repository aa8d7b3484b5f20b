"""Biodistribution: uptake of normal organs by tracer, from spheres that a reader stands for.

Of each scan the series that counts for it. The mistake to fear is one mean over two tracers, two
plans with another uptake time, or two definitions of SUVpeak: each has rows of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from reporting.datasets.columns import REGION_KIND
from reporting.reports.content import (
    Cell,
    Column,
    Content,
    Figure,
    Table,
    reasons,
    words,
)
from reporting.reports.drawings import Strips
from reporting.reports.rows import Row, Rows
from reporting.reports.spreads import QUARTILES, columns, spread

EMPTY = "No reader has placed or accepted a sphere in a normal organ yet."
ORGANS = dict(REGION_KIND.codes)
UNIT = "g/mL"
QUANTITIES = (("suvmean", "SUVmean"), ("suvmax", "SUVmax"), ("suvpeak", "SUVpeak"))
NO_SPHERE = "measured scans without a sphere that a reader stands for"
EARLIER = "spheres measured by an earlier release, which kept the mean alone"
SPHERES = (
    "SUVbw in spheres that a reader placed or accepted, on the series that counts for its scan; a "
    "sphere is a part of its organ. Patients with several scans of a tracer count with each."
)
# A scan of a tracer by a plan of the protocol.
Group = tuple[str, str]


def uptake(rows: Rows) -> Content:
    """A table of each quantity, and a figure of SUVmean for each tracer and plan."""
    spheres = rows["organs"]
    if not spheres:
        return Content(why_empty=EMPTY)
    measured = _measured(rows)
    parts: list[Table | Figure] = []
    for quantity, label in QUANTITIES:
        table = _table(spheres, quantity, label, measured)
        if table.rows:
            parts.append(table)
    parts.append(_times(spheres))
    return Content(parts=(*parts, *_figures(spheres, measured)))


def _measured(rows: Rows) -> dict[Group, set[int]]:
    """Scans whose images are measured, by tracer and plan."""
    found: dict[Group, set[int]] = defaultdict(set)
    for one in rows["scans"]:
        if one["state"] == "quantified":
            found[_group(one)].add(one["scan"])
    for one in rows["organs"]:
        found[_group(one)].add(one["scan"])
    return found


def _group(one: Row) -> Group:
    return str(one["tracer"] or "not stated"), str(one["planned_scan"] or "not stated")


def _missing(
    spheres: Sequence[Row], measured: dict[Group, set[int]], without: int = 0
) -> tuple[tuple[str, int], ...]:
    every = {scan for scans in measured.values() for scan in scans}
    return reasons({NO_SPHERE: len(every - {one["scan"] for one in spheres}), EARLIER: without})


def _by_organ(spheres: Sequence[Row], quantity: str) -> Iterator[tuple[Group, str, str, list[Row]]]:
    """Spheres with the quantity: by tracer and plan, organ, and definition of SUVpeak."""
    found: dict[tuple[Group, str, str], list[Row]] = defaultdict(list)
    for one in spheres:
        if one[quantity] is not None:
            how = one["suvpeak_definition"] or "" if quantity == "suvpeak" else ""
            found[_group(one), one["region_kind"], how].append(one)
    order = list(ORGANS)
    for (group, organ, how), mine in sorted(
        found.items(), key=lambda item: (item[0][0], order.index(item[0][1]), item[0][2])
    ):
        yield group, organ, how, mine


def _table(
    spheres: Sequence[Row], quantity: str, label: str, measured: dict[Group, set[int]]
) -> Table:
    rows: list[tuple[Cell, ...]] = []
    n, definitions = 0, set()
    for group, organ, how, mine in _by_organ(spheres, quantity):
        values = [one[quantity] for one in mine]
        n += len(values)
        definitions.add(how)
        name = f"{ORGANS[organ]} ({_how(how)})" if how else ORGANS[organ]
        count, mean, sd, middle, low, high, least, most = spread(values)
        rows.append((name, *group, count, len({one["usubjid"] for one in mine}),
                     len(measured[group] - {one["scan"] for one in mine}),
                     mean, sd, middle, low, high, _width(low, high), least, most))  # fmt: skip
    *head, least_of, most_of = columns(UNIT, digits=2)
    without = sum(one[quantity] is None for one in spheres)
    peak = ("Rows stand apart by the definition of SUVpeak in brackets.",)
    return Table(
        title=f"Uptake of normal organs, {label} in {UNIT}",
        n=n,
        of="spheres",
        missing=_missing(spheres, measured, without),
        columns=(
            words("organ", "Organ"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            Column("n", "n"),
            Column("patients", "Patients"),
            Column("missing", "Scans without"),
            *(_plain(one) for one in head),
            Column("iqr", "IQR", digits=2),
            _plain(least_of),
            _plain(most_of),
        ),
        rows=tuple(rows),
        notes=(SPHERES, QUARTILES, "IQR: upper less lower quartile. Scans without: measured scans "
               "of the tracer and plan without a sphere in the organ.",
               *(peak if definitions - {""} else ())),
    )  # fmt: skip


def _plain(column: Column) -> Column:
    """Without the unit, which the title has."""
    return Column(column.name, column.label, digits=column.digits)


def _width(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else high - low


def _how(definition: str) -> str:
    return definition.replace("_", " ")


def _times(spheres: Sequence[Row]) -> Table:
    """What the uptake goes by: time after injection and activity, a value a scan."""
    rows: list[tuple[Cell, ...]] = []
    lacking = 0
    for label, column, unit in (
        ("Time from injection to the bed of the organ", "uptake_minutes", "min"),
        ("Net injected activity", "net_activity_mbq", "MBq"),
    ):
        found: dict[Group, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for one in spheres:
            if one[column] is not None:
                found[_group(one)][one["scan"]].append(one[column])
        known = {scan for scans in found.values() for scan in scans}
        lacking += len({one["scan"] for one in spheres} - known)
        for group, scans in sorted(found.items()):
            values = [float(np.mean(mine)) for _, mine in sorted(scans.items())]
            rows.append((label, unit, *group, *spread(values)))
    return Table(
        title="Conditions of these scans",
        n=len({one["scan"] for one in spheres}),
        of="scans",
        missing=reasons({"values not known or measured by an earlier release": lacking}),
        columns=(
            words("what", "Condition"),
            words("unit", "Unit"),
            words("tracer", "Tracer"),
            words("planned_scan", "Scan"),
            Column("n", "Scans"),
            *columns(""),
        ),
        rows=tuple(rows),
        notes=("A scan counts once, with the mean over its organs.", QUARTILES),
    )


def _figures(spheres: Sequence[Row], measured: dict[Group, set[int]]) -> Iterator[Figure]:
    by_group: dict[Group, list[tuple[str, list[float]]]] = defaultdict(list)
    for group, organ, _, mine in _by_organ(spheres, "suvmean"):
        by_group[group].append((ORGANS[organ], [one["suvmean"] for one in mine]))
    for group, organs in sorted(by_group.items()):
        scans = {one["scan"] for one in spheres if _group(one) == group}
        told = "; ".join(
            f"{name}: {len(values)} scans, median {np.median(values):.2f}, "
            f"{min(values):.2f} to {max(values):.2f}"
            for name, values in organs
        )
        yield Figure(
            title=f"Uptake of normal organs, {group[0]} ({group[1]})",
            n=len(scans),
            of="scans",
            missing=reasons({NO_SPHERE: len(measured[group] - scans)}),
            notes=("Dots are scans; the bar above them is median and quartiles.", SPHERES),
            drawing=Strips(
                groups=tuple((name, tuple(values)) for name, values in organs),
                axis=f"SUVmean, {UNIT}",
                is_from_zero=True,
            ),
            alternative=f"Dot plot of SUVmean in {UNIT} by organ. {told}.",
        )
