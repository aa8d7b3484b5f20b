"""What a report is made of: titled tables and figures, each with its n and what is missing.

A cell keeps its number in full; how many digits are printed is the column's to say, so that a
page, a paper's table and a file of data are made of one thing. Nothing here knows of pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reporting.reports.drawings import Drawing
from reporting.statistics.results import Result, StatisticsError

NOT_ESTIMABLE = "not estimable"
EN_DASH = "\N{EN DASH}"
_OF_CLUSTERS = re.compile(r"^\d+ \w+ in \d+ clusters$")
_DESIGN_EFFECT = re.compile(r"design effect [\d.]+")
LARGEST = 1e6
_ONE_OF_SEVERAL = re.compile(r"\b1 (?!series\b)(\w+)s\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval; without a number there is a reason."""

    value: float | None
    lower: float | None = None
    upper: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class P:
    """A P value, printed with as many digits as a journal asks for."""

    value: float | None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of how many."""

    count: int
    of: int


Cell = str | int | float | None | Estimate | P | Share


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: `name` in files, `label` and `unit` on paper."""

    name: str
    label: str
    unit: str = ""
    digits: int = 1
    is_number: bool = True

    @property
    def heading(self) -> str:
        return f"{self.label}, {self.unit}" if self.unit else self.label


def words(name: str, label: str) -> Column:
    """A column of words."""
    return Column(name, label, is_number=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What tables and figures share: title, what was counted, what is missing and why.

    `of` names what `n` counts. `notes` are the footnotes: tests by name and variant, methods of
    intervals, what to beware of.
    """

    title: str
    n: int
    of: str = "patients"
    missing: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counted(self) -> str:
        """The n, and the missing with their reasons, in a sentence's words.

        >>> Part(title="", n=17, missing=(("not scanned", 2),)).counted
        'n = 17 patients; missing 2: 2 not scanned'
        >>> Part(title="", n=1, of="lesions in 1 patients").counted
        'n = 1 lesion in 1 patient; none missing'
        """
        # One patient in several is a patient.
        said = _ONE_OF_SEVERAL.sub(r"1 \1", f"n = {self.n} {self.of}")
        if not self.missing:
            return f"{said}; none missing"
        return f"{said}; missing {_total(self.missing)}: {told(self.missing, ', ')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Part):
    """Rows under columns; the first column names its row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise StatisticsError(
                    f"{self.title}: {len(self.columns)} columns and a row of {len(row)}"
                )

    def printed(self) -> list[list[str]]:
        """The rows as they are printed."""
        return [
            [text_of(cell, column) for cell, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Part):
    """A drawing, with the words for who does not see it."""

    drawing: Drawing
    alternative: str
    kind: str = "figure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A report as it came out: its parts in their order, or why there is none."""

    parts: tuple[Table | Figure, ...] = ()
    why_empty: str = ""

    def __post_init__(self) -> None:
        if bool(self.parts) == bool(self.why_empty):
            raise StatisticsError("a report has parts, or the reason for none")

    @property
    def tables(self) -> list[Table]:
        return [part for part in self.parts if isinstance(part, Table)]

    @property
    def figures(self) -> list[Figure]:
        return [part for part in self.parts if isinstance(part, Figure)]


def text_of(cell: Cell, column: Column) -> str:
    """A cell as it is printed.

    >>> text_of(Estimate(value=94.12, lower=73.02, upper=98.95), Column("rate", "Rate"))
    '94.1 (73.0 to 99.0)'
    >>> text_of(P(0.0233), Column("p", "P")), text_of(P(0.00004), Column("p", "P"))
    ('0.023', '< 0.001')
    >>> text_of(Share(16, 17), Column("k", "Positive")), text_of(None, Column("k", "k"))
    ('16/17', '–')
    """
    if cell is None:
        return EN_DASH
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Share):
        return f"{cell.count}/{cell.of}"
    if isinstance(cell, P):
        return _p_value(cell.value)
    if isinstance(cell, Estimate):
        return _estimate(cell, column.digits)
    return str(cell) if isinstance(cell, int) else _number(cell, column.digits)


def _number(value: float, digits: int) -> str:
    """No minus before zeros, and of what no paper can show how large it is.

    >>> _number(-0.001, 2), _number(8.4e30, 1)
    ('0.00', '8.4e+30')
    """
    return f"{value:.1e}" if abs(value) >= LARGEST else f"{value:z.{digits}f}"


def _p_value(p: float | None) -> str:
    if p is None:
        return EN_DASH
    if p < 0.001:
        return "< 0.001"
    # A value just below or above 0.05 must not print as 0.050.
    if 0.0495 <= p < 0.0505:
        return f"{p:.4f}"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _estimate(cell: Estimate, digits: int) -> str:
    if cell.value is None:
        return cell.reason or NOT_ESTIMABLE
    if cell.lower is None or cell.upper is None:
        return _number(cell.value, digits)
    value, lower, upper = (_number(one, digits) for one in (cell.value, cell.lower, cell.upper))
    return f"{value} ({lower} to {upper})"


def estimate_of(result: Result, *, scale: float = 1.0) -> Estimate:
    """A result as a cell, `scale` 100 for percent."""
    if result.estimate is None:
        return Estimate(value=None, reason=result.reason)
    ends = result.interval
    return Estimate(
        value=result.estimate * scale,
        lower=ends.lower * scale if ends else None,
        upper=ends.upper * scale if ends else None,
    )


def p_of(result: Result) -> P:
    return P(result.test.p if result.test else None)


def methods_of(results: Iterable[Result]) -> tuple[str, ...]:
    """The footnotes that results ask for: intervals and tests by their names, each once.

    What is noted alike of several results is said once of all of them.
    """
    intervals: dict[str, dict[str, None]] = {}
    found: dict[str, None] = {}
    noted: dict[str, dict[str, None]] = {}
    for one in results:
        if one.interval:
            intervals.setdefault(f"{one.interval.level:.0%}", {})[one.interval.method] = None
        if one.test:
            side = "one-sided" if one.test.is_one_sided else "two-sided"
            variant = one.test.variant.removesuffix(f", {side}")
            found[f"{one.test.name}, {variant}, {side}."] = None
        for note in one.notes:
            noted.setdefault(note, {})[one.name] = None
    of_intervals = (f"{level} intervals: {'; '.join(by)}." for level, by in intervals.items())
    told = (_noted(note, "; ".join(names)) for note, names in noted.items())
    return (*of_intervals, *found, *told)


def brief(result: Result) -> Result:
    """A result whose footnotes leave out what a table has in its columns: counts of clusters.

    The design effect differs from line to line; the footnote names the method once.
    """
    notes = tuple(note for note in result.notes if not _OF_CLUSTERS.search(note))
    ends = result.interval
    if ends:
        ends = replace(ends, method=_DESIGN_EFFECT.sub("at n over the design effect", ends.method))
    return replace(result, notes=notes, interval=ends)


def _noted(note: str, names: str) -> str:
    return f"{names[:1].upper()}{names[1:]}: {note}."


def reasons(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """What is missing by reason, without reasons that nothing has."""
    return tuple((reason, count) for reason, count in sorted(counts.items()) if count)


def told(missing: Sequence[tuple[str, int]], between: str = "; ") -> str:
    """What is missing by reason, in the words of a cell or a note.

    >>> told([("not scanned", 2), ("not read", 1)])
    '2 not scanned; 1 not read'
    """
    return between.join(f"{count} {reason}" for reason, count in missing)


def largest(every: Iterable[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    """Of what is missing from several lines, that of the line which misses most.

    Added up, a patient would be counted with each line.
    """
    return max(every, key=_total, default=())


def _total(missing: Sequence[tuple[str, int]]) -> int:
    return sum(count for _, count in missing)


def data_columns(table: Table) -> list[str]:
    """The columns of a table in a file of data: an estimate takes three, a share two."""
    return [name for name, _ in _spread(table)]


def data_rows(table: Table) -> Iterator[list[str | int | float | None]]:
    """The rows of a table in a file of data, numbers in full."""
    takers = _spread(table)
    for row in table.rows:
        yield [take(row) for _, take in takers]


def _spread(table: Table) -> list[tuple[str, Taker]]:
    return [
        pair
        for place, column in enumerate(table.columns)
        for pair in _takers(column.name, place, [row[place] for row in table.rows])
    ]


class Taker:
    """Takes one number out of a row: a cell's own, or one of those that a cell holds."""

    def __init__(self, place: int, what: str = "") -> None:
        self.place, self.what = place, what

    def __call__(self, row: Sequence[Cell]) -> str | int | float | None:
        cell = row[self.place]
        if isinstance(cell, Estimate | P | Share):
            found: str | int | float | None = getattr(cell, self.what or "value", None)
            return found
        return None if self.what else cell


def _takers(name: str, place: int, cells: Sequence[Cell]) -> Iterator[tuple[str, Taker]]:
    if any(isinstance(cell, Share) for cell in cells):
        yield name, Taker(place, "count")
        yield f"{name}_of", Taker(place, "of")
        return
    yield name, Taker(place)
    if any(isinstance(cell, Estimate) for cell in cells):
        yield f"{name}_lower", Taker(place, "lower")
        yield f"{name}_upper", Taker(place, "upper")
        yield f"{name}_why_none", Taker(place, "reason")
