"""What every format says of where its rows come from, and what it could not hold as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Of which trial, export and moment the rows are; `as_of` has a zone."""

    study: str
    export: int
    as_of: datetime
    software: str


@dataclass(frozen=True, slots=True)
class Change:
    """A value that a format can't hold as it is: where, what was done, and the whole value.

    `row` counts the rows of the dataset from 1.
    """

    dataset: str
    row: int
    column: str
    what: str
    value: str
