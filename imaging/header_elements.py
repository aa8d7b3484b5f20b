"""The elements of a data set, read by type, with what could not be understood remembered.

What equal bytes mean is worked out once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from functools import lru_cache
from typing import Any, TypeVar

from pydicom.charset import default_encoding
from pydicom.datadict import keyword_dict
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from imaging.header_values import (
    OF_SEVERAL,
    Instant,
    as_date,
    as_instant,
    as_number,
    as_time,
    as_zone,
    numbers,
    plain,
    texts,
)
from imaging.meanings import Elements, as_read
from imaging.plain_values import plain_text

T = TypeVar("T")
# The records of a sequence, and the keywords in it that could not be understood.
Items = tuple[tuple[T, ...], tuple[str, ...]]

# What pydicom raises for a value that is not what its representation says; the one before the
# last for a representation that no standard knows.
_UNREADABLE = (
    BytesLengthException,
    ValueError,
    TypeError,
    OverflowError,
    NotImplementedError,
    OSError,
)

# The slices of a series repeat each other but for a few values, so what bytes mean is worked out
# once. As many values are kept, none of more bytes: a megabyte, whatever a file holds.
_KEPT = _LONGEST_KEPT = 1024


@lru_cache(_KEPT)
def _meaning(
    read: Callable[[Any], T],
    tag: int,
    representation: str | None,
    value: bytes,
    is_implicit: bool,
    is_little_endian: bool,
    charset: tuple[str, ...],
) -> tuple[T | None, bool]:
    """What the bytes of an element mean, and whether they could be understood."""
    text = None if is_implicit else plain_text(representation, value)
    if text is not None and ("\\" not in text or read in OF_SEVERAL):
        return attempt(read, lambda: text)
    raw = RawDataElement(
        BaseTag(tag), representation, len(value), value, 0, is_implicit, is_little_endian
    )
    return attempt(read, lambda: convert_raw_data_element(raw, encoding=list(charset)).value)


def _meaning_of_items(ds: Dataset, tag: int, read: Callable[[Any], T]) -> tuple[T | None, bool]:
    """As `_meaning`, of a sequence that was read item by item."""
    return attempt(read, lambda: ds[tag].value)


def attempt(read: Callable[[Any], T], value: Callable[[], Any]) -> tuple[T | None, bool]:
    # pydicom converts at first access, and raises these for text that is no number, for
    # bytes that do not divide into numbers, and for a sequence that is none.
    try:
        return read(value()), True
    except _UNREADABLE:
        return None, False


class ElementReader:
    """Typed access to a data set that remembers what it could not understand."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.unreadable: list[str] = []
        # By plain numbers, and not yet converted: pydicom's tags are slow to compare.
        self._elements = as_read(ds)
        charset = ds.original_character_set or default_encoding
        self._charset = (charset,) if isinstance(charset, str) else tuple(charset)

    def text(self, keyword: str) -> str:
        return self._public(keyword, plain) or ""

    def texts(self, keyword: str) -> tuple[str, ...]:
        return self._public(keyword, texts) or ()

    def number(self, keyword: str) -> float | None:
        return self._public(keyword, as_number)

    def whole(self, keyword: str) -> int | None:
        value = self.number(keyword)
        return None if value is None else int(value)

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        found = self._public(keyword, numbers)
        if found and len(found) != count:
            self.unreadable.append(keyword)
            return None
        return found or None

    def date(self, keyword: str) -> date | None:
        return self._public(keyword, as_date)

    def time(self, keyword: str) -> time | None:
        return self._public(keyword, as_time)

    def instant(self, keyword: str) -> Instant | None:
        return self._public(keyword, as_instant)

    def zone(self, keyword: str) -> int | None:
        return self._public(keyword, as_zone)

    def items(self, keyword: str, read: Callable[[Any], Items[T]]) -> tuple[T, ...]:
        """What was read of each item of a sequence."""
        found, unreadable = self._public(keyword, read) or ((), ())
        self.unreadable += unreadable
        return found

    def private(self, group: int, creator: str, element: int, read: Callable[[Any], T]) -> T | None:
        """Value of a private element, in whichever block its creator reserved."""
        for block in self._blocks_of(group):
            owner = self._read(f"({group:04x},{block:04x})", group << 16 | block, plain)
            if owner == creator:
                tag = group << 16 | block << 8 | element
                return self._read(f"({group:04x},xx{element:02x})", tag, read)
        return None

    def note_orphans(self, group: int, elements: tuple[int, ...]) -> None:
        """Note private elements as unreadable whose block nobody reserved: they are nobody's."""
        # Block 0 holds the creators, and the length of the group.
        owned = {0, *self._blocks_of(group)}
        self.unreadable += [
            f"({group:04x},{one:04x})"
            for one in self._numbers_in(group)
            if one >> 8 not in owned and one & 0xFF in elements
        ]

    def _blocks_of(self, group: int) -> list[int]:
        """Blocks of a private group that a creator reserved."""
        return [one for one in self._numbers_in(group) if 0x10 <= one <= 0xFF]

    def _numbers_in(self, group: int) -> list[int]:
        """Element numbers of a group."""
        return sorted(tag & 0xFFFF for tag in self._elements if tag >> 16 == group)

    def _public(self, keyword: str, read: Callable[[Any], T]) -> T | None:
        return self._read(keyword, keyword_dict[keyword], read)

    def _read(self, name: str, tag: int, read: Callable[[Any], T]) -> T | None:
        element = self._elements.get(tag)
        if element is None:
            return None
        found, understood = self._meaning(element, tag, read)
        if not understood:
            self.unreadable.append(name)
        return found

    def _meaning(
        self, element: RawDataElement | DataElement, tag: int, read: Callable[[Any], T]
    ) -> tuple[T | None, bool]:
        raw = element if isinstance(element, RawDataElement) else None
        # What a private element is may depend on the others.
        is_private = bool(tag & 0x10000)
        if raw is None and element.VR == "SQ":
            return Elements(self.ds).tell(tag, _meaning_of_items, read)
        if raw is None or not raw.value or len(raw.value) > _LONGEST_KEPT or is_private:
            return attempt(read, lambda: self.ds[element.tag].value)
        return _meaning(
            read,
            tag,
            raw.VR,
            raw.value,
            raw.is_implicit_VR,
            raw.is_little_endian,
            self._charset,
        )


def of_items(record: Callable[[ElementReader], T], value: Any) -> Items[T]:
    """The items of a sequence, each as a record."""
    if value and not isinstance(value, Sequence):
        raise TypeError
    readers = [ElementReader(item) for item in value or ()]
    records = tuple(map(record, readers))
    return records, tuple(keyword for one in readers for keyword in one.unreadable)
