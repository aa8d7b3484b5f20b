"""What an SDTM submission is made of: domains, their variables, and where both come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from reporting.datasets.case_report_forms import FormTable

# A value of SDTM: a text, a number, or nothing.
Value = str | int | float | None
Row = Mapping[str, Any]
Values = tuple[Value, ...]


class Rows(Protocol):
    """Rows in their order, in memory or elsewhere, that can be gone through as often as need be."""

    def __len__(self) -> int:
        """How many there are."""

    def __iter__(self) -> Iterator[Values]:
        """From the first to the last."""

    def extend(self, rows: Iterable[Values], /) -> None:
        """Add rows behind the last."""


# Makes an empty one: `list`, or what keeps rows of many patients out of memory.
Keep = Callable[[], Rows]


class MappingError(ValueError):
    """A value of the record for which SDTM has no place: which one, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a domain, as define.xml describes it.

    `core` is Req, Exp or Perm; `origin` Collected, Derived, Assigned or Protocol. `codelist` is the
    submission value of a list of CDISC's terminology, several parted by a semicolon. `length` is
    that of the longest value there is, as FDA asks; of a number 8.
    """

    name: str
    label: str
    type: str
    length: int
    core: str
    role: str
    origin: str
    codelist: str | None = None
    method: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain with its rows, each with a value for every variable, sorted by `keys`.

    One without rows is no part of a submission: nothing was collected.
    """

    name: str
    label: str
    structure: str
    klass: str
    keys: tuple[str, ...]
    variables: tuple[Variable, ...]
    rows: Rows

    @property
    def names(self) -> tuple[str, ...]:
        """What its variables are called."""
        return tuple(one.name for one in self.variables)

    def records(self) -> list[dict[str, Value]]:
        """The rows by the names of their variables."""
        return [dict(zip(self.names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the protocol: its number, the word it goes by, and its definition."""

    number: int
    label: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FormRows:
    """The table of a case report form, and its rows by the names of their columns."""

    table: FormTable
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Source:
    """One reading of a trial: versions from the oldest, and rows of the operational datasets.

    Moments have a zone; `as_of` is the moment of the reading. Where the rows are those of some
    patients, `readers` are all who read anything of the trial.
    """

    study: str
    as_of: datetime
    versions: Sequence[Version]
    tables: Mapping[str, Sequence[Row]]
    forms: Mapping[str, FormRows]
    readers: frozenset[int] = frozenset()

    def rows(self, dataset: str) -> Sequence[Row]:
        """The rows of a dataset; none of one that nothing was recorded in."""
        return self.tables.get(dataset, ())

    @property
    def definition(self) -> Mapping[str, Any]:
        """The newest version of the protocol."""
        return self.versions[-1].definition if self.versions else {}
