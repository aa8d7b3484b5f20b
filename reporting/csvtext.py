"""CSV as the exports write it: one text for one value, whoever reads it.

RFC 4180, UTF-8 without a byte order mark, CRLF, a header line, quotes only where needed.

- A missing value is an empty cell; the codebook says what that means in each column.
- Numbers are written with the fewest digits that read back to the same double, never
  rounded. Infinity and not-a-number are refused: they are not values anyone measured.
- Moments are UTC to the microsecond, `2026-03-02T08:15:00.000000Z`. Dates that a source
  knows only in part stay as precise as they are: `2026-03`.
- A text that a spreadsheet would run as a formula gets one apostrophe in front, and so does
  a text that begins with an apostrophe. Taking one leading apostrophe off text columns gives
  back every value unchanged (`unguarded`). Numbers are never touched, so -1.5 stays -1.5.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from reporting.datasets import Column, Dataset, Type

# What spreadsheets take for the start of a formula, wide forms included (OWASP, CSV injection),
# and the apostrophe, so that guarding can be undone.
FORMULA_START = tuple("=+-@\t\r\n＝＋－＠'")
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
PARTIAL_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}[0-9:.]*([+-]\d{2}:\d{2}|Z))?)?)?")


class CellError(ValueError):
    """A value that can't be what its column says."""


def lines(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """The lines of a file with these columns, header first.

    Raises
    ------
    CellError
        When a value is not of its column's type, or a row is not as long as the header.
    """
    # One buffer for all lines, for making one costs as much as writing a line.
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    yield _taken(text)
    for row in rows:
        if len(row) != len(columns):
            raise CellError(f"expected {len(columns)} values in a row, got {len(row)}")
        try:
            writer.writerow(map(cell, columns, row))
        except CellError as error:
            # The number of the row in the record stands last.
            raise CellError(f"row {row[-1]}: {error}") from error
        yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    line = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return line


def cell(column: Column, value: Any) -> str:
    """The text of one value; empty for a missing one."""
    if value is None or value == "":
        return ""
    text = _WRITERS[column.type](value)
    if text is None:
        raise CellError(
            f"column {column.name} holds {column.type}, got {type(value).__name__} {value!r:.60}"
        )
    return text


def guarded(text: str) -> str:
    """`text` so that no spreadsheet runs it.

    >>> guarded("=1+1"), guarded("-1.5"), guarded("liver")
    ("'=1+1", '-1.5', 'liver')
    """
    if text.startswith(FORMULA_START) and not PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def unguarded(text: str) -> str:
    """What `guarded` was given.

    >>> unguarded("'=1+1"), unguarded(guarded("'s-Gravenhage"))
    ('=1+1', "'s-Gravenhage")
    """
    return text.removeprefix("'")


def read(dataset: Dataset | None, content: bytes) -> Iterator[dict[str, Any]]:
    """Rows of a file as written by `lines`: numbers and flags as such, moments as text.

    Of a table without a definition here, that of a form, every cell is text.
    """
    types = {column.name: column.type for column in dataset.columns} if dataset else {}
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        yield {name: _read(types.get(name, Type.TEXT), text) for name, text in row.items()}


def _read(type_: Type, text: str) -> Any:
    if text == "":
        return None
    if type_ is Type.TEXT:
        return unguarded(text)
    if type_ is Type.INTEGER:
        return int(text)
    if type_ is Type.NUMBER:
        return float(text)
    return text == "Y" if type_ is Type.FLAG else text


def _text(value: Any) -> str | None:
    return guarded(value) if isinstance(value, str) else None


def _integer(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)) if is_number and math.isfinite(value) else None


def _flag(value: Any) -> str | None:
    return {True: "Y", False: "N"}[value] if isinstance(value, bool) else None


def _moment(value: Any) -> str | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    # strftime would take five times as long.
    return f"{value.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def _partial_date(value: Any) -> str | None:
    return value if isinstance(value, str) and PARTIAL_DATE.fullmatch(value) else None


_WRITERS: Mapping[Type, Callable[[Any], str | None]] = MappingProxyType(
    {
        Type.TEXT: _text,
        Type.INTEGER: _integer,
        Type.NUMBER: _number,
        Type.FLAG: _flag,
        Type.MOMENT: _moment,
        Type.PARTIAL_DATE: _partial_date,
    }
)
