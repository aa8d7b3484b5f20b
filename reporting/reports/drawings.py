"""What a figure shows, as data: what is drawn of it is `reporting.reports.drawing`'s to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a flow: its lines, the number first; what leaves to the side of it."""

    lines: tuple[str, ...]
    leaving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """Boxes from top to bottom, after CONSORT and STARD."""

    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Band:
    """The range that a protocol asks for; an end that is not stated is open."""

    label: str
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Strips:
    """Every value of each group as a dot, with median and quartiles beside them.

    An axis from zero keeps small differences small, where zero means nothing.
    """

    groups: tuple[tuple[str, tuple[float, ...]], ...]
    axis: str
    bands: tuple[Band | None, ...] = ()
    is_from_zero: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts by name, each bar in parts that the legend names."""

    names: tuple[str, ...]
    parts: tuple[tuple[str, tuple[float, ...]], ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Rates:
    """Estimates with their intervals along a common axis, in percent."""

    rows: tuple[tuple[str, float, float | None, float | None], ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Forest:
    """Differences with their intervals beside the line of none, in percentage points.

    A row is name, estimate, both ends of the interval, and the difference that its lower end has
    to lie above.
    """

    rows: tuple[tuple[str, float, float | None, float | None, float | None], ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Differences:
    """Bland-Altman: differences over means, with bias and limits of agreement.

    `bands` are the intervals of these lines, each from its lower to its upper end.
    """

    points: tuple[tuple[float, float], ...]
    bias: float
    low: float
    high: float
    across: str
    up: str
    bands: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot of several, and what tells it from them."""

    title: str
    plot: Differences


@dataclass(frozen=True, slots=True)
class Panels:
    """Plots in rows; those below each other have their scales in common."""

    rows: tuple[tuple[Panel, ...], ...]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Change of each patient in percent, sorted; None is a gap that says not evaluable."""

    bars: tuple[tuple[str, float | None, str], ...]
    axis: str
    lines: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """One patient of a swimmer plot: days followed, whether it goes on, and marks on the way."""

    name: str
    days: float
    goes_on: bool
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Swimmer:
    """Lanes of patients from their first scan on."""

    lanes: tuple[Lane, ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of patients over time or of curves, each named."""

    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    across: str
    up: str
    levels: tuple[tuple[str, float], ...] = ()
    is_curve: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """Share free of an event: where it steps to what, who was censored at which height, all times.

    `times` are those of all patients, in order: how many are at risk follows from them.
    """

    name: str
    steps: tuple[tuple[float, float], ...]
    censored: tuple[tuple[float, float], ...]
    times: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Survival:
    """Kaplan-Meier curves, with the patients at risk below the axis."""

    curves: tuple[Curve, ...]
    across: str
    up: str


Drawing = (
    Flow
    | Strips
    | Bars
    | Rates
    | Forest
    | Differences
    | Panels
    | Waterfall
    | Swimmer
    | Lines
    | Survival
)
