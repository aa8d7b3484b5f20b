"""The rows that a report is made from, whether read just now or frozen in an export."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

Row = Mapping[str, Any]


class ConcealedError(LookupError):
    """A report needs a column that is kept back from who makes it."""

    def __init__(self, dataset: str, column: str) -> None:
        super().__init__(f"{column} of {dataset} is kept back")
        self.dataset, self.column = dataset, column


class LeftOutError(LookupError):
    """A report needs a column that the privacy profile of an export left out."""

    def __init__(self, dataset: str, column: str) -> None:
        super().__init__(f"{column} of {dataset} is left out")
        self.dataset, self.column = dataset, column


class _Veiled(dict[str, Any]):
    """A row of which some columns are kept back: they are refused, and never taken as empty.

    Of what a privacy profile left out `get` has nothing, for reports that can do without.
    """

    def __init__(
        self, row: Row, dataset: str, concealed: Collection[str], left_out: Collection[str]
    ) -> None:
        super().__init__((name, value) for name, value in row.items() if name not in concealed)
        self._dataset, self._concealed, self._left_out = dataset, concealed, left_out

    def __missing__(self, name: str) -> Any:
        if name in self._concealed:
            raise ConcealedError(self._dataset, name)
        if name in self._left_out:
            raise LeftOutError(self._dataset, name)
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name in self._concealed:
            raise ConcealedError(self._dataset, name)
        return super().get(name, default)


class Rows:
    """Rows of datasets by their names. A dataset that an older export lacks is `missing`.

    `concealed` are columns by dataset that are kept back: who reads one gets ConcealedError.
    `left_out` are those that a privacy profile left out: who can't do without gets LeftOutError.
    """

    def __init__(
        self,
        found: Mapping[str, Sequence[Row]],
        concealed: Mapping[str, Collection[str]] = MappingProxyType({}),
        left_out: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> None:
        self._concealed = concealed
        self._found = {
            name: [
                _Veiled(row, name, concealed.get(name, ()), left_out.get(name, ())) for row in rows
            ]
            if concealed.get(name) or left_out.get(name)
            else rows
            for name, rows in found.items()
        }

    def __getitem__(self, name: str) -> Sequence[Row]:
        return self._found.get(name, ())

    def hides(self, name: str, column: str) -> bool:
        """Whether a column of a dataset is kept back, for reports that can do without."""
        return column in self._concealed.get(name, ())

    def has(self, name: str) -> bool:
        """Whether the dataset is there at all, be it without rows."""
        return name in self._found
