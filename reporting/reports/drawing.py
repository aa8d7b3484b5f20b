"""Figures as SVG: the same bytes for the same data, in the type of the printed sheets.

Letters are outlines, so that a figure looks the same in a browser, in the PDF and in a paper.
Matplotlib is loaded with the first figure: tens of megabytes that a process without one need
not hold. Nothing of its global state is used that a second thread could change.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reporting.reports import drawings
from reporting.reports.drawings import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONTS = Path(__file__).resolve().parents[1] / "sheets" / "fonts"
FAMILY = "IBM Plex Sans"
INK, QUIET, GRID, SHADE = "#182433", "#52606d", "#d9dfe5", "#e8eef4"
# Told apart without colour vision too (Okabe & Ito); each goes with a mark or a hatch of its own.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
STROKES = ("-", "--", "-.", ":")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "--")
# Across in shares of the axes, up in data.
ACROSS = ("axes fraction", "data")
FEWEST_BARS = 8
WIDTH = 6.7  # inches, 170 mm: two columns of a journal


def svg(drawing: Drawing) -> bytes:
    """The drawing as SVG."""
    figure = _figure(_height(drawing))
    _DRAWN[type(drawing)](figure, drawing)
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # Without its size in points a picture takes the width it is given.
    return re.sub(r"[ \t]+\n", "\n", text.getvalue()).encode()


@cache
def _settings() -> dict[str, Any]:
    """Set once: what identifiers in the SVG are made from, and the type."""
    import matplotlib
    from matplotlib import font_manager

    for file in sorted(FONTS.glob("*.ttf")):
        font_manager.fontManager.addfont(str(file))
    matplotlib.rcParams.update(
        {
            "svg.hashsalt": "trialtrace",
            "svg.fonttype": "path",
            "font.family": FAMILY,
            "font.size": 8.5,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "hatch.linewidth": 0.6,
            "legend.frameon": False,
            "legend.fontsize": 8,
        }
    )
    return {}


def _figure(height: float) -> Figure:
    _settings()
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def _height(drawing: Drawing) -> float:
    match drawing:
        case drawings.Flow():
            return 0.35 + sum(_box_height(box) + 0.38 for box in drawing.boxes)
        case drawings.Strips():
            # Many groups come closer, so that they fit on a page of paper.
            rows = max(len(drawing.groups), 1)
            return 0.9 + rows * min(0.72, max(0.36, 4.6 / rows))
        case drawings.Bars():
            return 1.0 + 0.27 * max(len(drawing.names), 2)
        case drawings.Forest():
            return 0.9 + 0.45 * max(len(drawing.rows), 2)
        case drawings.Rates():
            return 0.8 + 0.27 * max(len(drawing.rows), 2)
        case drawings.Swimmer():
            return 0.9 + 0.24 * max(len(drawing.lanes), 2)
        case drawings.Panels():
            return 0.2 + 2.3 * len(drawing.rows)
        case _:
            return 3.6


def _box_height(box: drawings.Box) -> float:
    return 0.16 + 0.17 * max(len(box.lines), len(box.leaving) or 1)


def _flow(figure: Figure, flow: drawings.Flow) -> None:
    """Boxes down the left half, what leaves to the right of the arrow below each."""
    height = _height(flow)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    axes.axis("off")
    top, left, wide, aside = 0.15, 0.25, 2.7, 3.55
    for place, box in enumerate(flow.boxes):
        tall = 0.16 + 0.17 * len(box.lines)
        _boxed(axes, left, top, wide, tall, box.lines)
        bottom = top + tall
        step = _box_height(box) - tall + 0.38
        is_last = place == len(flow.boxes) - 1
        if not is_last:
            _arrow(axes, (left + wide / 2, bottom), (left + wide / 2, bottom + step))
        if box.leaving:
            side = 0.16 + 0.17 * len(box.leaving)
            middle = top + tall / 2 if is_last else bottom + step / 2
            start = left + wide if is_last else left + wide / 2
            _arrow(axes, (start, middle), (aside, middle))
            _boxed(axes, aside, middle - side / 2, WIDTH - aside - 0.25, side, box.leaving)
        top = bottom + step


def _boxed(
    axes: Axes, left: float, top: float, wide: float, tall: float, lines: tuple[str, ...]
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), wide, tall, fill=False, edgecolor=INK, linewidth=0.9))
    for place, line in enumerate(lines):
        axes.text(
            left + 0.1,
            top + 0.165 + 0.17 * place,
            line,
            va="center",
            fontweight="bold" if place == 0 else "normal",
        )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 0.9})


def _strips(figure: Figure, strips: drawings.Strips) -> None:
    import numpy as np

    axes = figure.add_subplot()
    for row, (_, values) in enumerate(strips.groups):
        band = strips.bands[row] if row < len(strips.bands) else None
        if band:
            _shade(axes, row, band)
        if not values:
            continue
        data = np.asarray(values)
        colour = COLOURS[row % len(COLOURS)]
        axes.plot(data, row + _apart(len(data)), MARKS[row % 7], color=colour, markersize=4,
                  alpha=0.75, markeredgewidth=0)  # fmt: skip
        low, middle, high = np.quantile(data, [0.25, 0.5, 0.75])
        axes.plot([low, high], [row - 0.32] * 2, color=INK, linewidth=1.2)
        axes.plot([middle], [row - 0.32], "|", color=INK, markersize=9, markeredgewidth=1.6)
    axes.set_yticks(range(len(strips.groups)), [name for name, _ in strips.groups])
    axes.set_ylim(len(strips.groups) - 0.45, -0.55)
    if strips.is_from_zero:
        axes.set_xlim(left=0)
    axes.set_xlabel(strips.axis)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def _apart(n: int) -> Any:
    """Where dots lie beside each other, by their order alone: no chance in it."""
    import numpy as np

    return (np.arange(n) * 0.381966 % 1 - 0.5) * 0.34 + 0.08


def _shade(axes: Axes, row: int, band: drawings.Band) -> None:
    from matplotlib.patches import Rectangle

    low, high = axes.get_xlim() if band.low is None or band.high is None else (0.0, 0.0)
    start = band.low if band.low is not None else low
    end = band.high if band.high is not None else high
    axes.add_patch(
        Rectangle((start, row - 0.44), end - start, 0.88, facecolor=SHADE, edgecolor="none")
    )
    for edge in (band.low, band.high):
        if edge is not None:
            axes.plot([edge, edge], [row - 0.44, row + 0.44], "--", color=QUIET, linewidth=0.9)


def _bars(figure: Figure, bars: drawings.Bars) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.add_subplot()
    rows = list(range(len(bars.names)))
    start = [0.0] * len(rows)
    for place, (name, values) in enumerate(bars.parts):
        axes.barh(rows, values, left=start, height=0.66, color=COLOURS[place % 7],
                  hatch=HATCHES[place % 7], edgecolor="white", label=name)  # fmt: skip
        start = [one + other for one, other in zip(start, values, strict=True)]
    for row, whole in zip(rows, start, strict=True):
        axes.annotate(f"{whole:g}", (whole, row), (3, 0), textcoords="offset points", va="center")
    axes.set_yticks(rows, bars.names)
    axes.invert_yaxis()
    axes.set_xlabel(bars.axis)
    axes.set_xlim(0, max([*start, 1.0]) * 1.08)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(bars.parts) > 1:
        _legend(figure, axes)


def _rates(figure: Figure, rates: drawings.Rates) -> None:
    axes = figure.add_subplot()
    for row, (_, value, low, high) in enumerate(rates.rows):
        colour = COLOURS[row % 2]
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=colour, linewidth=1.4)
            axes.plot([low, high], [row, row], "|", color=colour, markersize=6)
        axes.plot([value], [row], MARKS[row % 2], color=colour, markersize=5.5)
        axes.annotate(f"{value:.1f}", (value, row), (0, 5), textcoords="offset points",
                      ha="center", fontsize=7.5)  # fmt: skip
    axes.set_yticks(range(len(rates.rows)), [row[0] for row in rates.rows])
    axes.set_ylim(len(rates.rows) - 0.4, -0.7)
    axes.set_xlim(-2, 102)
    axes.set_xlabel(rates.axis)
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def _forest(figure: Figure, forest: drawings.Forest) -> None:
    axes = figure.add_subplot()
    ends = [0.0]
    for row, (_, value, low, high, above) in enumerate(forest.rows):
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=COLOURS[0], linewidth=1.4)
            axes.plot([low, high], [row, row], "|", color=COLOURS[0], markersize=6)
        axes.plot([value], [row], MARKS[0], color=COLOURS[0], markersize=5.5)
        axes.annotate(f"{value:.1f}", (value, row), (0, 5), textcoords="offset points",
                      ha="center", fontsize=7.5)  # fmt: skip
        if above:
            axes.plot([above, above], [row - 0.4, row + 0.4], "--", color=INK, linewidth=1)
            axes.annotate(f"margin {above:g}", (above, row + 0.4), (-3, 0), ha="right",
                          textcoords="offset points", fontsize=7.5)  # fmt: skip
        ends += [one for one in (value, low, high, above) if one is not None]
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(forest.rows)), [row[0] for row in forest.rows])
    axes.set_ylim(len(forest.rows) - 0.4, -0.7)
    room = 0.12 * max(max(ends) - min(ends), 1.0)
    axes.set_xlim(min(ends) - 2 * room, max(ends) + room)
    axes.set_xlabel(forest.axis)
    axes.grid(axis="x", color=GRID, linewidth=0.6)


def _differences(figure: Figure, plot: drawings.Differences) -> None:
    _bland_altman(figure.add_subplot(), plot)


def _panels(figure: Figure, panels: drawings.Panels) -> None:
    across = max(len(row) for row in panels.rows)
    grid = figure.subplots(len(panels.rows), across, sharex="col", sharey="col", squeeze=False)
    for place, row in enumerate(panels.rows):
        for axes, panel in zip(grid[place], row, strict=False):
            _bland_altman(axes, panel.plot)
            axes.set_title(panel.title, fontsize=8.5, loc="left", color=INK)
        for axes in grid[place][len(row) :]:
            axes.set_axis_off()


def _bland_altman(axes: Axes, plot: drawings.Differences) -> None:
    for low, high in plot.bands:
        axes.axhspan(low, high, facecolor=SHADE, edgecolor="none", zorder=-1)
    across = [one for one, _ in plot.points]
    axes.plot(across, [up for _, up in plot.points], "o", color=COLOURS[0], markersize=4.5,
              alpha=0.8, markeredgewidth=0)  # fmt: skip
    for level, name, style in (
        (plot.bias, "bias", "-"),
        (plot.low, "lower limit", "--"),
        (plot.high, "upper limit", "--"),
    ):
        axes.axhline(level, color=INK, linestyle=style, linewidth=0.9)
        # Without any spread one line is all three.
        if name != "bias" and plot.low == plot.high:
            continue
        axes.annotate(f"{name} {level:.2f}", (1.0, level), (2, 2), xycoords=ACROSS,
                      textcoords="offset points", ha="right", fontsize=7.5)  # fmt: skip
    axes.axhline(0, color=GRID, linewidth=0.8, zorder=0)
    axes.set_xlabel(plot.across)
    axes.set_ylabel(plot.up)
    axes.margins(x=0.12, y=0.18)


def _waterfall(figure: Figure, plot: drawings.Waterfall) -> None:
    axes = figure.add_subplot()
    classes = sorted({name for _, value, name in plot.bars if value is not None})
    for place, (_, value, name) in enumerate(plot.bars):
        if value is None:
            axes.annotate("NE", (place, 0), ha="center", va="bottom", color=QUIET, fontsize=7.5)
            continue
        colour = classes.index(name)
        axes.bar(place, value, width=0.78, color=COLOURS[colour % 7], hatch=HATCHES[colour % 7],
                 edgecolor="white", linewidth=0.4)  # fmt: skip
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=COLOURS[place % 7], hatch=HATCHES[place % 7], edgecolor="white", label=name)
        for place, name in enumerate(classes)
    ]
    axes.axhline(0, color=INK, linewidth=0.8)
    for name, level in plot.lines:
        axes.axhline(level, color=QUIET, linestyle="--", linewidth=0.8)
        # Rises stand on the left and falls on the right: a line is named on the other side, or
        # on the right where bars leave it empty.
        left = level < 0 and len(plot.bars) >= FEWEST_BARS
        axes.annotate(name, (0.0 if left else 1.0, level), (2 if left else -2, 2), xycoords=ACROSS,
                      ha="left" if left else "right", textcoords="offset points", fontsize=7.5,
                      color=QUIET)  # fmt: skip
    # Few bars stay slim.
    axes.set_xlim(-0.7, max(len(plot.bars), FEWEST_BARS) - 0.3)
    axes.set_xticks(range(len(plot.bars)), [bar[0] for bar in plot.bars], rotation=90, fontsize=7)
    axes.set_ylabel(plot.axis)
    axes.margins(y=0.12)
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 6))


def _swimmer(figure: Figure, plot: drawings.Swimmer) -> None:
    axes = figure.add_subplot()
    kinds = sorted({name for lane in plot.lanes for _, name in lane.marks})
    longest = max([lane.days for lane in plot.lanes] + [1.0])
    for row, lane in enumerate(plot.lanes):
        axes.barh(row, lane.days, height=0.5, color="#c9d8e6", edgecolor="none")
        if lane.goes_on:
            axes.plot([lane.days + longest * 0.03], [row], ">", color=INK, markersize=5)
        for at, name in lane.marks:
            place = kinds.index(name)
            axes.plot([at], [row], MARKS[place % 7], color=COLOURS[place % 7], markersize=6,
                      markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker=MARKS[place % 7], color=COLOURS[place % 7], label=name)
        for place, name in enumerate(kinds)
    ]
    axes.set_yticks(range(len(plot.lanes)), [lane.name for lane in plot.lanes], fontsize=7.5)
    axes.set_ylim(len(plot.lanes) - 0.4, -0.6)
    axes.set_xlim(0, longest * 1.06)
    axes.set_xlabel(plot.axis)
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 6))


def _lines(figure: Figure, plot: drawings.Lines) -> None:
    axes = figure.add_subplot()
    for place, (name, points) in enumerate(plot.lines):
        across, up = [one for one, _ in points], [other for _, other in points]
        mark = "" if plot.is_curve else MARKS[place % 7]
        axes.plot(across, up, mark + "-", color=COLOURS[place % 7], linewidth=1.3, markersize=4.5,
                  label=name)  # fmt: skip
    for name, level in plot.levels:
        axes.axhline(level, color=QUIET, linestyle="--", linewidth=0.8)
        axes.annotate(name, (1.0, level), (0, 2), xycoords=ACROSS, ha="right",
                      textcoords="offset points", fontsize=7.5, color=QUIET)  # fmt: skip
    if plot.is_curve:
        axes.plot([0, 1], [0, 1], color=GRID, linewidth=0.8)
        axes.set_aspect("equal")
    axes.set_xlabel(plot.across)
    axes.set_ylabel(plot.up)
    axes.grid(color=GRID, linewidth=0.5)
    if 1 < len(plot.lines) <= 12 or plot.is_curve:
        _legend(figure, axes)


def _survival(figure: Figure, plot: drawings.Survival) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes = figure.add_subplot()
    longest = max([1.0, *(time for curve in plot.curves for time in curve.times)])
    for place, curve in enumerate(plot.curves):
        last = max([0.0, *curve.times])
        across = [at for at, _ in curve.steps] + [last]
        up = [share for _, share in curve.steps] + [curve.steps[-1][1]]
        axes.step(across, up, where="post", color=COLOURS[place % 7], linewidth=1.5,
                  linestyle=STROKES[place % 4], label=curve.name)  # fmt: skip
        axes.plot([at for at, _ in curve.censored], [share for _, share in curve.censored], "|",
                  color=COLOURS[place % 7], markersize=8, markeredgewidth=1.2)  # fmt: skip
    ticks = MaxNLocator(6, integer=True).tick_values(0, longest)
    shown = [float(tick) for tick in ticks if 0 <= tick <= longest * 1.02]
    axes.set_xticks(shown, [_at_risk(plot, tick) for tick in shown])
    axes.set_xlim(0, longest * 1.04)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel(plot.across)
    axes.set_ylabel(plot.up)
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    if len(plot.curves) > 1:
        _legend(figure, axes)


def _at_risk(plot: drawings.Survival, tick: float) -> str:
    """The time of a tick, and below it how many of each curve were followed so long."""
    counts = [sum(1 for time in curve.times if time >= tick) for curve in plot.curves]
    return "\n".join([f"{tick:g}", *map(str, counts)])


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    columns = max(1, min(len(labels), math.floor(6)))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)


_DRAWN: dict[type, Callable[[Any, Any], None]] = {
    drawings.Flow: _flow,
    drawings.Strips: _strips,
    drawings.Bars: _bars,
    drawings.Rates: _rates,
    drawings.Forest: _forest,
    drawings.Differences: _differences,
    drawings.Panels: _panels,
    drawings.Waterfall: _waterfall,
    drawings.Swimmer: _swimmer,
    drawings.Lines: _lines,
    drawings.Survival: _survival,
}
