"""Blind and unblinded exports: what of a dataset leaves, by what each column can tell.

A blinded export, which every export is that nobody ordered otherwise, leaves out what the trial
keeps concealed, and leaves empty what is kept from those who still read or decide about a patient.
What that is, the record says (`reporting.selectors.blinding`): an open trial whose reads and truths
are done keeps nothing back. Of an unblinded export nothing is held back on that ground.

A column that nobody declared leaves in no export (`reporting.datasets.tells`). ICH E9 2.3.1, E6 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from reporting.datasets.columns import Column, Dataset
from reporting.datasets.tells import Tag, Tells

BLIND = "kept back while a blind stands"
# A row that is about another one: table and number of that.
ABOUT = ("about_table", "about_pk")


class UndeclaredError(ValueError):
    """A column of which nobody said what it can tell."""


class Kept(StrEnum):
    """What a blinding does to a column."""

    OUT = "left out"
    EMPTY = "left empty"


@dataclass(frozen=True, slots=True)
class Veiled:
    """A column that a blinding keeps back, in all rows or in those of some patients."""

    dataset: str
    column: str
    act: Kept
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Blinding:
    """What a trial keeps from whom at an instant, and why, a sentence each.

    `concealed` holds for the whole trial, `of_patients` for patients by their unique identifier,
    `subjects` are rows, by table and number, that what is said about them may not be told either.
    """

    is_unblinded: bool = False
    concealed: frozenset[Tag] = frozenset()
    of_patients: Mapping[Tag, frozenset[str]] = field(default_factory=dict)
    subjects: frozenset[tuple[str, int]] = frozenset()
    why: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether anything is kept back."""
        return not self.is_unblinded and bool(self.concealed or any(self.of_patients.values()))

    def veil(self, dataset: Dataset, tells: Tells) -> Veil:
        """How a dataset leaves.

        Raises
        ------
        UndeclaredError
            When nobody declared what a column can tell.
        """
        columns, kept = [], []
        for column in dataset.columns:
            tags = tells.get(column.name)
            if tags is None:
                raise UndeclaredError(
                    f"nobody said what column {column.name} of {dataset.name} can tell who has to "
                    "stay blind: declare it in reporting.datasets.tells"
                )
            act = self._act(tags)
            kept.append((act, tags))
            if act is not Kept.OUT:
                columns.append(_with_gaps(column) if act else column)
        return Veil(dataset, replace(dataset, columns=tuple(columns)), tuple(kept), self)

    def _act(self, tags: frozenset[Tag]) -> Kept | None:
        if Tag.PERSON in tags or (not self.is_unblinded and tags & self.concealed):
            return Kept.OUT
        if self.is_unblinded:
            return None
        return Kept.EMPTY if any(self.of_patients.get(tag) for tag in tags) else None

    def unseen(self, tag: Tag) -> frozenset[str]:
        """Patients of whom what has this tag is kept back."""
        return frozenset() if self.is_unblinded else self.of_patients.get(tag, frozenset())

    def hides(self, tags: frozenset[Tag], patient: str | None, about: tuple | None) -> bool:
        """Whether columns of these tags stay empty in a row of `patient`."""
        if about is not None:
            return about in self.subjects
        return any(patient in self.unseen(tag) for tag in tags)


@dataclass(frozen=True)
class Veil:
    """A dataset as it leaves, and how its rows become so."""

    original: Dataset
    dataset: Dataset
    kept: tuple[tuple[Kept | None, frozenset[Tag]], ...]
    blinding: Blinding

    @property
    def veiled(self) -> Iterator[Veiled]:
        for column, (act, tags) in zip(self.original.columns, self.kept, strict=True):
            if act:
                yield Veiled(self.original.name, column.name, act, tuple(sorted(tags)))

    def rows(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Rows of the original, as they leave."""
        if not any(act for act, _ in self.kept):
            yield from rows
            return
        names = self.original.column_names
        patient = names.index("usubjid") if "usubjid" in names else None
        about = tuple(names.index(one) for one in ABOUT) if set(ABOUT) <= set(names) else None
        left = [
            (place, tags if act else None)
            for place, (act, tags) in enumerate(self.kept)
            if act is not Kept.OUT
        ]
        hides = self.blinding.hides
        for row in rows:
            of = row[patient] if patient is not None else None
            subject = (row[about[0]], row[about[1]]) if about else None
            yield [
                None if tags is not None and hides(tags, of, subject) else row[place]
                for place, tags in left
            ]

    def open_rows(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Rows of the original of which nothing is kept back: for what can hold no gap.

        A number that stands for a reader is no gap there: readers are numbered anew.
        """
        tags = frozenset(tag for act, tags in self.kept if act is Kept.EMPTY for tag in tags) - {
            Tag.READER
        }
        names = self.original.column_names
        patient = names.index("usubjid") if "usubjid" in names else None
        about = tuple(names.index(one) for one in ABOUT) if set(ABOUT) <= set(names) else None
        for row in rows:
            of = row[patient] if patient is not None else None
            subject = (row[about[0]], row[about[1]]) if about else None
            if not (tags and self.blinding.hides(tags, of, subject)):
                yield row


def _with_gaps(column: Column) -> Column:
    """A column as the codebook has it."""
    return replace(column, missing="; ".join(one for one in (column.missing, BLIND) if one))
