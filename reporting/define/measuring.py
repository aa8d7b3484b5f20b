"""What values tell of themselves: their type in the words of ODM, length and decimals.

Values may come some at a time, so that a dataset need not be in memory to be described.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PARTIAL_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
_PARTIAL_DATETIME = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}(:\d{2})?)?)?)?)?")
_DURATION = re.compile(r"-?P(?=.)(\d+(\.\d+)?[YMWD])*(T(\d+(\.\d+)?[HMS])+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
_DATES = (
    ("date", _DATE),
    ("partialDate", _PARTIAL_DATE),
    ("datetime", _DATETIME),
    ("partialDatetime", _PARTIAL_DATETIME),
    ("durationDatetime", _DURATION),
)
Measured = tuple[str, int | None, int | None]


class Dates:
    """The type of dates of ISO 8601, as narrow as all of them allow; of other texts none.

    >>> found = Dates()
    >>> found.add(["2026-03-02"])
    >>> found.kind
    'date'
    >>> found.add(["2026-03-02T10:15"])
    >>> found.kind
    'partialDatetime'
    """

    def __init__(self) -> None:
        self._fitting, self._is_any = list(_DATES), False

    def add(self, values: Iterable[str]) -> None:
        """Look at further texts; an empty one says nothing."""
        stated = {one for one in values if one}
        if stated:
            self._is_any = True
            self._fitting = [
                (kind, form)
                for kind, form in self._fitting
                if all(form.fullmatch(one) for one in stated)
            ]

    @property
    def kind(self) -> str:
        """The type; empty where they are no dates."""
        if not self._is_any:
            return "datetime"
        return next((kind for kind, _ in self._fitting), "")


class Texts:
    """Type, length and decimals of texts that may be numbers or dates: the narrowest of all.

    >>> found = Texts()
    >>> found.add(["7.25", "12", ""])
    >>> found.measured
    ('float', 4, 2)
    >>> found.add(["POSITIVE"])
    >>> found.measured
    ('text', 8, None)
    """

    def __init__(self) -> None:
        self._dates, self._is_any = Dates(), False
        self._is_whole = self._is_number = True
        self._has_zero_before = False
        self._longest = self._decimals = 0

    def add(self, values: Iterable[str]) -> None:
        """Look at further texts; an empty one says nothing."""
        stated = {one for one in values if one}
        if not stated:
            return
        self._is_any = True
        self._longest = max(self._longest, *map(len, stated))
        self._dates.add(stated)
        # Years are whole numbers too, and so are codes with zeros before them: those are texts.
        self._has_zero_before |= any(one.startswith("0") and len(one) > 1 for one in stated)
        if self._is_whole:
            self._is_whole = all(_WHOLE.fullmatch(one) for one in stated)
        if self._is_number:
            self._is_number = all(_DECIMAL.fullmatch(one) for one in stated)
            self._decimals = max(self._decimals, *map(_decimals, stated))

    @property
    def measured(self) -> Measured:
        """Type, length and decimals."""
        length = self._longest or 1
        if self._is_any and self._is_whole:
            return ("text" if self._has_zero_before else "integer"), length, None
        if self._is_any and self._is_number:
            return "float", length, self._decimals
        if self._is_any and (kind := self._dates.kind):
            return kind, None, None
        return "text", length, None


class Numbers:
    """Type, digits and decimals of numbers; of whole ones no decimals.

    >>> found = Numbers()
    >>> found.add([1.5, 12.25, None])
    >>> found.measured(is_whole=False)
    ('float', 5, 2)
    """

    def __init__(self) -> None:
        self._longest = self._decimals = 0
        self.are_whole = True

    def add(self, values: Iterable[float | None]) -> None:
        """Look at further numbers; one that is missing says nothing."""
        for one in values:
            if one is None:
                continue
            text = _plain(one)
            self._longest = max(self._longest, len(text))
            self._decimals = max(self._decimals, _decimals(text))
            self.are_whole = self.are_whole and float(one).is_integer()

    def measured(self, *, is_whole: bool) -> Measured:
        """Type, length and decimals."""
        if is_whole:
            return "integer", self._longest or 1, None
        return "float", self._longest or 1, self._decimals or 1


def _plain(number: float) -> str:
    """A number in full, without an exponent and without zeros after it."""
    text = f"{number:.17g}" if isinstance(number, int) else repr(number)
    if "e" in text:
        text = f"{number:.20f}".rstrip("0")
    return text.removesuffix(".0").removesuffix(".")


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
