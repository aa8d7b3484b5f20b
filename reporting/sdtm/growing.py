"""Datasets of a submission as rows are added to them, and how long their values are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any

from reporting.formats.xpt import ascii_of
from reporting.sdtm.model import Domain, Keep, Value, Values
from reporting.sdtm.specification import Specification

ROWS_AT_A_TIME = 4096


class Growing:
    """A dataset to which rows are added in their order; `common` are values that all have."""

    def __init__(
        self,
        of: Specification,
        keys: tuple[str, ...],
        keep: Keep = list,
        common: Mapping[str, Value] = MappingProxyType({}),
    ) -> None:
        self.of, self.rows, self._keys, self._common = of, keep(), keys, common
        self._variables = [(one.name, one.type == "Num") for one in of.variables]
        self._longest = [0] * len(of.variables)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> Sequence[Values]:
        """Take rows by the names of their variables, and give them as they are kept."""
        whole = [self._row({**row, **self._common}) for row in rows]
        self.take(whole)
        return whole

    def take(self, whole: Sequence[Values]) -> None:
        """Take rows that have a value for every variable."""
        if not whole:
            return
        self.rows.extend(whole)
        for place, column in enumerate(zip(*whole, strict=True)):
            if not self._variables[place][1]:
                self._longest[place] = max(self._longest[place], _longest(column))

    def _row(self, values: Mapping[str, Any]) -> Values:
        return tuple(
            _value(values.get(name), is_number=is_number) for name, is_number in self._variables
        )

    def finished(self) -> Domain:
        """The dataset, each variable as long as its longest value."""
        variables = tuple(
            one if one.type == "Num" else replace(one, length=length or 1)
            for one, length in zip(self.of.variables, self._longest, strict=True)
        )
        of = self.of
        return Domain(of.name, of.label, of.structure, of.klass, self._keys, variables, self.rows)


def _longest(values: Iterable[Value]) -> int:
    """How long the longest of these texts is in ASCII."""
    return max((len(ascii_of(str(one))) for one in set(values)), default=0)


def _value(value: Value, *, is_number: bool) -> Value:
    if is_number:
        return None if value == "" else value
    return "" if value is None else str(value)


def parts(rows: Iterable[Values]) -> Iterator[list[Values]]:
    """Rows, some at a time."""
    left = iter(rows)
    while some := list(islice(left, ROWS_AT_A_TIME)):
        yield some
