"""Injected activity and uptake time: each scan's value against the protocol's range."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reporting.reports.content import Column, Content, Figure, Share, Table, reasons, words
from reporting.reports.drawings import Band, Strips
from reporting.reports.rows import Row, Rows
from reporting.reports.spreads import columns, spread

EMPTY = "No injection has been recorded yet."
NOT_INJECTED = "no injection recorded"
NOT_MEASURED = "injected, images not measured"
# What became of scans that are not waited for.
NOT_DONE = ("cancelled",)


def distributions(rows: Rows) -> Content:
    """Net injected activity and uptake time, by tracer."""
    scans = [one for one in rows["scans"] if one["state"] not in NOT_DONE]
    injected = [one for one in scans if one["injected_at"]]
    if not injected:
        return Content(why_empty=EMPTY)
    activity = _of(
        injected,
        "net_activity_mbq",
        title="Net injected activity",
        unit="MBq",
        ends=("activity_low_mbq", "activity_high_mbq"),
        missing={NOT_INJECTED: len(scans) - len(injected)},
        notes=(
            "Net: assayed minus residual, both decayed to the injection. Where a residual was not "
            "measured the net is unknown and not the assayed activity.",
        ),
        why="no net activity: the residual was not measured",
    )
    uptake = _of(
        injected,
        "uptake_minutes",
        title="Uptake time",
        unit="min",
        ends=("uptake_low_minutes", "uptake_high_minutes"),
        missing={NOT_INJECTED: len(scans) - len(injected)},
        notes=(
            "From the injection to the earliest acquisition time of the attenuation-corrected PET "
            "series that counts for the scan; both ends of the window belong to it.",
        ),
        why=NOT_MEASURED,
    )
    return Content(parts=(*activity, *uptake))


def _of(
    scans: Sequence[Row],
    column: str,
    *,
    title: str,
    unit: str,
    ends: tuple[str, str],
    missing: dict[str, int],
    notes: tuple[str, ...],
    why: str,
) -> tuple[Table | Figure, ...]:
    known = [one for one in scans if one[column] is not None]
    absent = reasons({**missing, why: len(scans) - len(known)})
    groups: dict[tuple[str, float | None, float | None], list[float]] = defaultdict(list)
    for one in known:
        groups[one["tracer"], one[ends[0]], one[ends[1]]].append(one[column])
    ordered = sorted(groups.items(), key=lambda group: str(group[0]))
    table = Table(
        title=f"{title} by tracer",
        n=len(known),
        of="scans",
        missing=absent,
        notes=(*notes, "Quartiles by linear interpolation. A range that the protocol does not "
               "state is not checkable, which is not a pass."),
        columns=(
            words("tracer", "Tracer"),
            words("range", f"Protocol's range, {unit}"),
            Column("scans", "Scans"),
            *columns(unit),
            Column("inside", "Inside the range"),
        ),
        rows=tuple(
            (tracer, _range(low, high), *spread(values), _inside(values, low, high))
            for (tracer, low, high), values in ordered
        ),
    )  # fmt: skip
    if not known:
        return (table,)
    told = "; ".join(
        f"{tracer}: {len(values)} scans, median {np.median(values):.1f} {unit}, "
        f"{min(values):.1f} to {max(values):.1f} {unit}, range asked for {_range(low, high)}"
        for (tracer, low, high), values in ordered
    )
    return (
        table,
        Figure(
            title=f"{title}, each scan",
            n=len(known),
            of="scans",
            missing=absent,
            notes=("Dots are scans; the bar above them is median and quartiles; the shade is the "
                   "protocol's range.",),
            drawing=Strips(
                groups=tuple((tracer, tuple(values)) for (tracer, _, _), values in ordered),
                axis=f"{title}, {unit}",
                bands=tuple(
                    Band("protocol", low, high) if low is not None or high is not None else None
                    for (_, low, high), _ in ordered
                ),
            ),
            alternative=f"Dot plot. {told}.",
        ),
    )  # fmt: skip


def _inside(values: Sequence[float], low: float | None, high: float | None) -> Share | str:
    if low is None and high is None:
        return "not checkable"
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    return Share(sum(ends[0] <= value <= ends[1] for value in values), len(values))


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "not stated"
    if low is None or high is None:
        return f"up to {high:g}" if low is None else f"from {low:g}"
    return f"{low:g} to {high:g}"
