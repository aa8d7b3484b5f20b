"""SAS transport files, version 5: what regulators take and every statistics program reads.

Source: SAS technical support document TS-140, "The Record Layout of a Data Set in SAS Transport
(XPORT) Format". Numbers are IBM doubles, base 16 with 56 bits: every IEEE double of that range
fits without loss. Names have at most 8 characters, labels 40, texts 200 bytes, all ASCII; a value
that does not fit is written as near as it can be, and what it was is given back.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reporting.datasets import Column, Type
from reporting.formats.about import About, Change
from reporting.formats.names import LONGEST_XPT_NAME, shortened
from reporting.formats.staged import Staged, texts

LONGEST_LABEL, LONGEST_TEXT = 40, 200
RECORD_BYTES = 80
NUMBER_BYTES = 8
SMALLEST, LARGEST = 16.0**-65, 16.0**63 * (1 - 2.0**-53)
MISSING = np.frombuffer(b"." + bytes(7), np.uint8)
NUMERIC = (Type.INTEGER, Type.NUMBER)

# Signs of our own texts and units that have no ASCII letter below them.
TRANSLITERATED = MappingProxyType(
    str.maketrans(
        {
            "µ": "u", "μ": "u", "–": "-", "—": "-", "−": "-", "…": "...", "≥": ">=", "≤": "<=",
            "×": "x", "·": ".", "°": " deg", "±": "+/-", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o",
            "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "’": "'", "‘": "'", "“": '"',
            "”": '"', "„": '"', "\N{NO-BREAK SPACE}": " ",
        }
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Variable:
    column: Column
    name: str
    length: int

    @property
    def is_number(self) -> bool:
        return self.column.type in NUMERIC


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write a library of one member, read twice: texts are as wide as the longest one needs.

    Moments and flags are texts: `2026-03-02T08:15:00.000000Z`, Y or N. A number that is a date of
    SAS carries its format.

    Raises
    ------
    ValueError
        When a number is beyond 7.2e75, the largest that the format has, or an integer beyond 2**53,
        above which doubles have gaps.
    """
    variables = _variables(staged)
    target.write(_header(staged, variables, about.as_of))
    changes: list[Change] = []
    written, first = 0, 1
    for batch in staged.batches():
        block = _block(staged, batch, variables, first, changes)
        target.write(block)
        written += len(block)
        first += batch.num_rows
    target.write(b" " * (-written % RECORD_BYTES))
    return changes


def ascii_of(text: str) -> str:
    """The text in ASCII, letters without their accents; `?` for what has no likeness.

    >>> ascii_of("≥ 5 µg, Müller")
    '>= 5 ug, Muller'
    """
    if text.isascii():
        return text
    parted = unicodedata.normalize("NFKD", text.translate(TRANSLITERATED))
    return "".join(_ascii_sign(sign) for sign in parted if not unicodedata.combining(sign))


def _ascii_sign(sign: str) -> str:
    return sign if sign.isascii() else "?"


def ibm_doubles(values: np.ndarray) -> np.ndarray:
    """IEEE doubles, shape (n,), as IBM doubles, big-endian, shape (n, 8) of uint8; NaN is missing.

    Too small a number becomes zero.

    Raises
    ------
    ValueError
        When a number is too large.
    """
    missing = np.isnan(values)
    clean = np.where(missing, 0.0, values)
    if (np.abs(clean) > LARGEST).any():
        raise ValueError(f"{np.abs(clean).max():g} is beyond what an IBM double holds")
    fraction, exponent = np.frexp(np.abs(clean))
    # The power of 16 above, so that the fraction lies in [1/16, 1): its 56 bits are exact.
    sixteens = -(-exponent // 4)
    bits = np.ldexp(fraction, exponent - 4 * sixteens + 56).astype(np.uint64)
    biased = (sixteens + 64).astype(np.int64)
    bits |= biased.clip(0).astype(np.uint64) << np.uint64(56)
    bits |= np.signbit(clean).astype(np.uint64) << np.uint64(63)
    bits[(np.abs(clean) < SMALLEST)] = 0
    block = bits.astype(">u8").view(np.uint8).reshape(-1, NUMBER_BYTES)
    block[missing] = MISSING
    return block


def _variables(staged: Staged) -> list[_Variable]:
    columns = staged.dataset.columns
    lengths = dict.fromkeys((column.name for column in columns), 1)
    for batch in staged.batches():
        for column in columns:
            if column.type not in NUMERIC:
                longest = _longest(texts(column, batch.column(column.name)))
                lengths[column.name] = max(lengths[column.name], longest)
    names = shortened(lengths, LONGEST_XPT_NAME)
    return [
        _Variable(
            column,
            names[column.name].upper(),
            NUMBER_BYTES if column.type in NUMERIC else min(lengths[column.name], LONGEST_TEXT),
        )
        for column in columns
    ]


def _longest(values: pa.Array) -> int:
    if pc.all(pc.string_is_ascii(values)).as_py() is False:
        return max(len(ascii_of(text)) for text in values.to_pylist() if text is not None)
    return pc.max(pc.binary_length(values)).as_py() or 0


def _block(
    staged: Staged,
    batch: pa.RecordBatch,
    variables: list[_Variable],
    first: int,
    changes: list[Change],
) -> bytes:
    width = sum(variable.length for variable in variables)
    block = np.full((batch.num_rows, width), ord(" "), np.uint8)
    start = 0
    for variable in variables:
        values = batch.column(variable.column.name)
        end = start + variable.length
        if variable.is_number:
            block[:, start:end] = ibm_doubles(values.cast(pa.float64()).to_numpy(False))
            found = _zeroed(values)
        else:
            written = texts(variable.column, values)
            block[:, start:end] = _padded(written, variable.length)
            found = _unlike(written)
        changes += [
            Change(staged.dataset.name, first + index, variable.column.name, what, value)
            for index, what, value in found
        ]
        start = end
    return block.tobytes()


def _padded(values: pa.Array, length: int) -> np.ndarray:
    whole = [ascii_of(text or "")[:length] for text in values.to_pylist()]
    fixed = np.array(whole, dtype=f"S{length}")
    block = fixed.view(np.uint8).reshape(-1, length).copy()
    block[block == 0] = ord(" ")
    return block


def _unlike(values: pa.Array) -> Iterator[tuple[int, str, str]]:
    """Texts that are not written as they are, with their index."""
    is_short = pc.less_equal(pc.binary_length(values), LONGEST_TEXT)
    # Texts are padded with blanks, so that those at an end are lost to whoever reads them.
    ends = pc.invert(pc.ends_with(values, " "))
    fits = pc.and_(pc.and_(pc.string_is_ascii(values), is_short), ends)
    for index in pc.indices_nonzero(pc.invert(fits)).to_pylist():
        text = values[index].as_py()
        yield index, _unlike_text(text), text


def _unlike_text(text: str) -> str:
    if len(ascii_of(text)) > LONGEST_TEXT:
        return f"cut at {LONGEST_TEXT} bytes"
    return "written in ASCII" if not text.isascii() else "without the blanks at its end"


def _zeroed(values: pa.Array) -> Iterator[tuple[int, str, str]]:
    """Numbers so small that they become zero, with their index."""
    exact = values.cast(pa.float64(), safe=False)
    tiny = pc.and_(pc.less(pc.abs(exact), SMALLEST), pc.not_equal(exact, 0.0))
    for index in pc.indices_nonzero(tiny).to_pylist():
        yield index, "written as zero", repr(values[index].as_py())


def _header(staged: Staged, variables: list[_Variable], moment: datetime) -> bytes:
    stamp = f"{moment.astimezone(UTC):%d%b%y:%H:%M:%S}".upper()
    name = shortened([staged.dataset.name], LONGEST_XPT_NAME)[staged.dataset.name].upper()
    label = ascii_of(staged.dataset.label)[:LONGEST_LABEL]
    names = b"".join(_namestr(number, one, at) for number, one, at in _placed(variables))
    lines = [
        _marker("LIBRARY", "0" * 30),
        f"{'SAS':8}{'SAS':8}{'SASLIB':8}{'6.06':8}{'':8}{'':24}{stamp}",
        f"{stamp:80}",
        _marker("MEMBER", "000000000000000001600000000140"),
        _marker("DSCRPTR", "0" * 30),
        f"{'SAS':8}{name:8}{'SASDATA':8}{'6.06':8}{'':8}{'':24}{stamp}",
        f"{stamp}{'':16}{label:40}{'':8}",
        _marker("NAMESTR", f"{len(variables):010}{'0' * 20}"),
    ]
    head = "".join(lines).encode("ascii") + names
    head += b" " * (-len(names) % RECORD_BYTES)
    return head + _marker("OBS", "0" * 30).encode("ascii")


def _marker(kind: str, numbers: str) -> str:
    return f"HEADER RECORD*******{kind:8}HEADER RECORD!!!!!!!{numbers}  "


def _placed(variables: list[_Variable]) -> Iterator[tuple[int, _Variable, int]]:
    at = 0
    for number, variable in enumerate(variables, 1):
        yield number, variable, at
        at += variable.length


def _format(written: str) -> tuple[str, int]:
    """A format of SAS as its name and its width.

    >>> _format("DATETIME20."), _format("")
    (('DATETIME', 20), ('', 0))
    """
    name = written.rstrip("0123456789.")
    return name, int(written.removeprefix(name).rstrip(".") or 0)


def _namestr(number: int, variable: _Variable, at: int) -> bytes:
    def text(value: str, length: int) -> bytes:
        return ascii_of(value)[:length].ljust(length).encode("ascii")

    kind = 1 if variable.is_number else 2
    head = struct.pack(">hhhh", kind, 0, variable.length, number)
    words = text(variable.name, 8) + text(variable.column.label, 40)
    shown, width = _format(variable.column.sas_format)
    formats = text(shown, 8) + struct.pack(">hhh2x", width, 0, 0)
    formats += text("", 8) + struct.pack(">hh", 0, 0)
    return head + words + formats + struct.pack(">i52x", at)
