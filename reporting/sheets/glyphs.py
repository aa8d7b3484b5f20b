"""Which characters a font can print, and what stands for those it can't.

The mistake to fear is a box where a letter was: a name half printed looks like another name. A
character that the font lacks is written by its Unicode number, `[U+6771]`, and the sheet says so.
Read from the font's own table of characters (OpenType `cmap`, format 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

# How a sheet says that some characters are written as numbers.
NOTE = "Characters this font can't print are written by their Unicode number, such as [U+6771]."


def characters(font: bytes) -> frozenset[int]:
    """The code points of the Basic Multilingual Plane that a TrueType font has a glyph for."""
    table = _table(font, b"cmap")
    (count,) = struct.unpack_from(">H", font, table + 2)
    for number in range(count):
        platform, encoding, offset = struct.unpack_from(">HHL", font, table + 4 + 8 * number)
        if (platform, encoding) == (3, 1):
            return frozenset(_format_4(font, table + offset))
    raise ValueError("the font has no table of Unicode characters")


def printable(value: Any, known: frozenset[int]) -> tuple[Any, bool]:
    """The same structure with every character printable, and whether any had to be written out.

    >>> printable({"a": ["é", "東"]}, frozenset({0xE9}))
    ({'a': ['é', '[U+6771]']}, True)
    """
    if isinstance(value, str):
        text = "".join(_printed(one, known) for one in value)
        return text, text != "".join(" " if one in "\t\r" else one for one in value)
    if isinstance(value, dict):
        found = {key: printable(one, known) for key, one in value.items()}
        return {key: one for key, (one, _) in found.items()}, any(w for _, w in found.values())
    if isinstance(value, list | tuple):
        rows = [printable(one, known) for one in value]
        return [one for one, _ in rows], any(written for _, written in rows)
    return value, False


def _printed(character: str, known: frozenset[int]) -> str:
    if character in "\t\r":
        return " "
    if character == "\n" or ord(character) in known:
        return character
    return f"[U+{ord(character):04X}]"


def _table(font: bytes, tag: bytes) -> int:
    (count,) = struct.unpack_from(">H", font, 4)
    for number in range(count):
        name, _, offset, _ = struct.unpack_from(">4sLLL", font, 12 + 16 * number)
        if name == tag:
            return int(offset)
    raise ValueError(f"the font has no table {tag.decode()}")


def _format_4(font: bytes, at: int) -> Iterable[int]:
    (form,) = struct.unpack_from(">H", font, at)
    if form != 4:
        raise ValueError(f"the table of characters has format {form}, expected 4")
    (doubled,) = struct.unpack_from(">H", font, at + 6)
    many = f">{doubled // 2}H"
    ends = struct.unpack_from(many, font, at + 14)
    starts = struct.unpack_from(many, font, at + 16 + doubled)
    for first, last in zip(starts, ends, strict=True):
        yield from range(first, min(last, 0xFFFE) + 1)
