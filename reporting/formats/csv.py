"""CSV from columns: the text that reporting.csvtext writes cell by cell, a batch at a time.

What a cell says is defined there, and the tests hold every byte of this against it. Arrow writes
the digits of a double as Python does as long as neither of them takes to an exponent; the rest is
left to Python.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reporting import csvtext
from reporting.datasets import Column, Type
from reporting.formats.staged import in_re2, texts

END = "\r\n"
FORMULA = r"\A[" + "".join(f"\\x{{{ord(sign):X}}}" for sign in csvtext.FORMULA_START) + "]"
PLAIN_NUMBER = in_re2(csvtext.PLAIN_NUMBER)
TO_QUOTE = r'[",\r\n]'
# Doubles of these sizes, and nought, are written without an exponent by both.
SMALLEST, LARGEST = 1e-4, 1e10


def header(columns: Sequence[Column]) -> bytes:
    """The first line of a file."""
    return (",".join(column.name for column in columns) + END).encode()


def text(columns: Sequence[Column], batch: pa.RecordBatch) -> pa.Buffer:
    """The lines of the rows of `batch`, as bytes."""
    cells = [_cells(column, values) for column, values in zip(columns, batch.columns, strict=True)]
    if len(cells) == 1:
        # A line of its own with nothing on it would be read as no row.
        cells = [pc.fill_null(cells[0], '""')]
    cells[-1] = _joined([cells[-1], pa.scalar(END)], "")
    _, ends, characters = _joined(cells, ",").buffers()
    # Where the last line ends: buffers are longer than what they hold.
    size = np.frombuffer(ends, np.int32)[batch.num_rows]
    return characters.slice(0, int(size))


def _joined(cells: Sequence[pa.Array | pa.Scalar], separator: str) -> pa.Array:
    return pc.binary_join_element_wise(
        *cells, separator, null_handling="replace", null_replacement=""
    )


def _cells(column: Column, values: pa.Array) -> pa.Array:
    if column.type is Type.NUMBER:
        return _numbers(values)
    if column.type is Type.TEXT:
        return _quoted(_guarded(values))
    return pc.cast(texts(column, values), pa.string())


def _numbers(values: pa.Array) -> pa.Array:
    """The fewest digits that read back to the same doubles, as `repr` writes them."""
    digits = pc.cast(values, pa.string())
    whole = _joined([digits, pa.scalar(".0")], "")
    digits = pc.if_else(pc.equal(values, pc.floor(values)), whole, digits)
    size = pc.abs(values)
    has_exponent = pc.and_(
        pc.or_(pc.less(size, SMALLEST), pc.greater_equal(size, LARGEST)),
        pc.not_equal(size, 0.0),
    )
    has_exponent = pc.fill_null(has_exponent, False)
    if not pc.any(has_exponent).as_py():
        return digits
    written = [repr(value) for value in values.filter(has_exponent).to_pylist()]
    return pc.replace_with_mask(digits, has_exponent, pa.array(written, pa.string()))


def _guarded(values: pa.Array) -> pa.Array:
    """Texts that a spreadsheet would run with an apostrophe in front; see csvtext.guarded."""
    is_formula = pc.match_substring_regex(values, FORMULA)
    if not pc.any(is_formula).as_py():
        return values
    is_number = pc.match_substring_regex(values, PLAIN_NUMBER)
    begun = pc.binary_join_element_wise("'", values, "")
    return pc.if_else(pc.and_not(is_formula, is_number), begun, values)


def _quoted(values: pa.Array) -> pa.Array:
    """Texts in quotes where they hold what would end a cell."""
    is_quoted = pc.match_substring_regex(values, TO_QUOTE)
    if not pc.any(is_quoted).as_py():
        return values
    doubled = pc.replace_substring(values, '"', '""')
    return pc.if_else(is_quoted, pc.binary_join_element_wise('"', doubled, '"', ""), values)
