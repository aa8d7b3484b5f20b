"""Walks over the elements of a DICOM file without a parser, and bounds what a parser will do.

A parser makes an object of every element and every item, and text of every value: a file of a
few megabytes can ask for minutes and gigabytes. Here only tags and lengths are read, item by
item with a stack of our own, so that a file that asks for too much is refused unparsed. What
can't be followed is left to the parser, which says so in its own way.
"""

from __future__ import annotations

import struct
from enum import Enum

from pydicom.datadict import dictionary_has_tag, dictionary_VR

# Published headers of three vendors have up to 375 elements and items and two levels of
# sequences. They were thinned before they were published, so these limits are far above. From
# some nine levels on, the text of one of pydicom's exceptions grows to megabytes.
MOST_ELEMENTS = 10_000
# Regions drawn on images have some nine to a contour: a published structure set of 75 contours
# and 267 referenced slices has 2,000. With 48,000, and 100 points to a contour, inspection takes
# 3.6 s of a core and release 5.8 s: these are to stay within a third of the ten seconds of a file.
MOST_OF_REGIONS = 30_000
DEEPEST = 8
PREAMBLE = 132
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# These have a length of four bytes in explicit VR.
LONG = frozenset({b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT",
                  b"SV", b"UV"})  # fmt: skip
# The longest value by its kind, many times what the standard or a vendor writes.
_NAMES = frozenset({b"AE", b"AS", b"CS", b"DA", b"DT", b"LO", b"PN", b"SH", b"TM"})
_TEXTS = frozenset({b"DS", b"IS", b"LT", b"ST", b"UC", b"UI", b"UR", b"UT"})
LONGEST_NAME, LONGEST_TEXT, LONGEST = 2**14, 2**20, 2**24


class Excess(Enum):
    """What a file has too much of."""

    ELEMENTS = "elements"
    DEPTH = "depth"
    LENGTH = "length"


def element(data: bytes, at: int, *, explicit: bool, order: str = "<") -> tuple[int, int, int]:
    """Tag, length of the value, and where the value begins; struct.error past the end."""
    group, number = struct.unpack_from(f"{order}HH", data, at)
    tag = group << 16 | number
    if not explicit or group == 0xFFFE:
        return tag, struct.unpack_from(f"{order}I", data, at + 4)[0], at + 8
    if data[at + 4 : at + 6] in LONG:
        return tag, struct.unpack_from(f"{order}I", data, at + 8)[0], at + 12
    return tag, struct.unpack_from(f"{order}H", data, at + 6)[0], at + 8


def after_meta(data: bytes) -> int:
    """Where the data set begins: group 2 is always explicit little endian."""
    at = PREAMBLE
    while data[at : at + 2] == b"\x02\x00":
        _, length, start = element(data, at, explicit=True)
        at = start + length
    return at


def excess(
    data: bytes, *, start: int, explicit: bool, order: str = "<", most: int = MOST_ELEMENTS
) -> Excess | None:
    """What of a data set is beyond all that images have, or None.

    Parameters
    ----------
    data : bytes
        The file.
    start : int
        Where the data set begins, after preamble and file meta information.
    explicit : bool
        Whether elements say their VR.
    order : str
        "<" for little endian, ">" for big endian, as `struct` has it.
    most : int
        Elements and items that it may have.
    """
    at, count = start, 0
    # Where each open sequence and item ends, as far as it says so, and whether its elements say
    # their VR: those of an unknown value of undefined length do not (PS3.5 6.2.2).
    ends: list[tuple[int, bool]] = []
    in_fragments = False
    while True:
        while ends and at >= ends[-1][0]:
            _, explicit = ends.pop()
        try:
            tag, length, value = element(data, at, explicit=explicit, order=order)
        except struct.error:
            return None
        count += 1
        if count > most:
            return Excess.ELEMENTS
        if tag in (ITEM_END, SEQUENCE_END):
            at, in_fragments = value, False
            if ends:
                _, explicit = ends.pop()
            continue
        if tag == PIXEL_DATA and not ends:
            in_fragments = length == UNDEFINED
            at = value if in_fragments else value + length
            continue
        # Compressed pixels lie in items that hold no elements.
        if in_fragments and tag == ITEM:
            at = value + length
            continue
        kind = data[at + 4 : at + 6] if explicit and tag != ITEM else kind_of(tag)
        if tag == ITEM or kind == b"SQ" or length == UNDEFINED:
            ends.append((len(data) + 1 if length == UNDEFINED else value + length, explicit))
            explicit = explicit and kind != b"UN"
            if len(ends) > 2 * DEEPEST:
                return Excess.DEPTH
            at = value
            continue
        if length > longest(kind):
            return Excess.LENGTH
        at = value + length


def kind_of(tag: int) -> bytes:
    """The VR that the dictionary says, where the file does not; items and the unknown have none.

    >>> kind_of(0x00400555), kind_of(0x00091001)
    (b'SQ', b'')
    """
    return dictionary_VR(tag)[:2].encode() if dictionary_has_tag(tag) else b""


def longest(kind: bytes) -> int:
    """How many bytes a value of a VR may have that is no sequence and no pixel data."""
    if kind in _NAMES:
        return LONGEST_NAME
    return LONGEST_TEXT if kind in _TEXTS else LONGEST
