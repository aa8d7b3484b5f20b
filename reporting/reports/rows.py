"""The rows that a report is made from, whether read just now or frozen in an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


class Rows:
    """Rows of datasets by their names. A dataset that an older export lacks is `missing`."""

    def __init__(self, found: Mapping[str, Sequence[Row]]) -> None:
        self._found = dict(found)

    def __getitem__(self, name: str) -> Sequence[Row]:
        return self._found.get(name, ())

    def has(self, name: str) -> bool:
        """Whether the dataset is there at all, be it without rows."""
        return name in self._found
