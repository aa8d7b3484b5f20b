"""A file of values as a table of text: its encoding and delimiter found, each row with its line.

Nothing is guessed that changes a value. The one mistake to fear is a file that was read in the
wrong encoding, or cut at the wrong mark, and looks nearly right: what was found is told, and what
is no table of plain text is refused whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass

MOST_BYTES = 5 * 2**20
MOST_ROWS = 5000
MOST_COLUMNS = 400
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


class TableError(ValueError):
    """A file that is no table; `code` is stable, `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the number of its first line in the file, and its cells by column."""

    number: int
    cells: dict[str, str]
    # What keeps it from being read; then it has no cells.
    error: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file in its order, its rows, and what was found about it."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    encoding: str
    delimiter: str
    notes: tuple[str, ...] = ()


def table(content: bytes) -> Table:
    """Read a file whose first line names its columns; raises TableError.

    >>> found = table(b"patient;weight\\n101-001;70,5\\n")
    >>> found.columns, found.lines[0].number, found.lines[0].cells["weight"], found.delimiter
    (('patient', 'weight'), 2, '70,5', 'semicolon')
    """
    text, encoding = _decoded(content)
    lines = _records(text)
    first = lines[0][1]
    columns = tuple(one.strip() for one in first)
    _require_columns(columns)
    rows = tuple(_line(number, columns, cells) for number, cells in lines[1:] if any(cells))
    if not rows:
        raise TableError("no-rows", "The file has no row below the names of its columns.")
    if len(rows) > MOST_ROWS:
        raise TableError(
            "too-many-rows", f"The file has {len(rows)} rows; {MOST_ROWS} are taken: divide it."
        )
    told = "UTF-8" if encoding == "utf-8" else "Windows-1252"
    notes = (
        ()
        if encoding == "utf-8"
        else (
            "The file is not UTF-8 and was read as Windows-1252: look at letters such as ä or é.",
        )
    )
    return Table(columns, rows, told, DELIMITERS[_delimiter(text)], notes)


def _decoded(content: bytes) -> tuple[str, str]:
    if len(content) > MOST_BYTES:
        raise TableError(
            "too-large", f"The file is larger than {MOST_BYTES // 2**20} MiB: divide it."
        )
    if content.startswith(_UTF16) or b"\x00" in content:
        raise TableError(
            "not-text", "The file is UTF-16 or no text: save it as CSV in UTF-8 and send it again."
        )
    content = content.removeprefix(_BOM)
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        raise TableError(
            "unknown-encoding", "The file is neither UTF-8 nor Windows-1252: save it as UTF-8."
        ) from None


def _delimiter(text: str) -> str:
    """The mark that parts the names of the columns; one column alone needs none."""
    head = text.split("\n", 1)[0]
    found = {mark: head.count(mark) for mark in DELIMITERS}
    return max(found, key=lambda mark: found[mark])


def _records(text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for record in reader:
            found.append((before + 1, record))
            before = reader.line_num
    except csv.Error as error:
        raise TableError(
            "not-a-table", f"Line {before + 1}: a quotation mark is not closed ({error})."
        ) from None
    if not found or not any(found[0][1]):
        raise TableError("no-columns", "The first line names no columns.")
    return found


def _require_columns(columns: tuple[str, ...]) -> None:
    if len(columns) > MOST_COLUMNS:
        raise TableError("too-many-columns", f"A file has at most {MOST_COLUMNS} columns.")
    if "" in columns:
        place = columns.index("") + 1
        raise TableError("no-name", f"Column {place} has no name in the first line.")
    if twice := [name for name, count in Counter(columns).items() if count > 1]:
        raise TableError("column-twice", f"Columns stand twice: {', '.join(twice)}.")
    if any(_CONTROL.search(name) for name in columns):
        raise TableError("control-character", "Line 1: a name has a control character.")


def _line(number: int, columns: tuple[str, ...], cells: list[str]) -> Line:
    if len(cells) != len(columns):
        count = f"{len(cells)} cells for {len(columns)} columns"
        return Line(number, {}, f"The row has {count}: is a delimiter missing, or in a text?")
    for name, cell in zip(columns, cells, strict=True):
        if _CONTROL.search(cell):
            return Line(number, {}, f"Column {name} has a control character: take it out.")
    return Line(number, {name: one.strip() for name, one in zip(columns, cells, strict=True)})
