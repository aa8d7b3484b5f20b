"""Values that are plain: text of digits and marks, padded as the standard pads, or one number.

Most values that differ from slice to slice are: places, times, numbers, UIDs. What pydicom makes
of such a value is its text once more, at a hundred times the cost of reading it (PS3.5 6.2). Any
other value is none of ours: pydicom says what it means, and writes it.

The mistake to fear is a value that pydicom would read or write otherwise: the forms below are
narrower than the standard's, and a test holds them against pydicom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_DECIMAL = r"(?=[^\\ ]{1,16}(?:\\| ?\Z))[+-]?[0-9]{1,15}(?:\.[0-9]{1,14})?(?:[eE][+-]?[0-9]{1,2})?"
_UID = r"(?:0|[1-9][0-9]{0,62})(?:\.(?:0|[1-9][0-9]{0,62})){1,31}"
_FORMS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "DS": re.compile(rf"{_DECIMAL}(?:\\{_DECIMAL}){{0,15}} ?"),
        "IS": re.compile(r"[+-]?[0-9]{1,9} ?"),
        "TM": re.compile(r"[0-9]{6}(?:\.[0-9]{1,6})? ?"),
        "DA": re.compile(r"[0-9]{8}"),
        "DT": re.compile(r"[0-9]{14}(?:\.[0-9]{1,6})? ?"),
        "UI": re.compile(rf"{_UID}\0?"),
    }
)
LONGEST, LONGEST_UID = 272, 64


def plain_text(representation: str | None, value: bytes | None) -> str | None:
    """The text of a plain value without its padding; None of any other.

    >>> plain_text("DS", b"1.5\\\\-2"), plain_text("UI", b"1.2.3\\0"), plain_text("DS", b" 1.5")
    ('1.5\\\\-2', '1.2.3', None)
    """
    form = _FORMS.get(representation or "")
    if form is None or not value or len(value) > LONGEST or len(value) % 2:
        return None
    text = value.decode("latin-1")
    if form.fullmatch(text) is None or (representation == "UI" and len(value) > LONGEST_UID):
        return None
    return text.rstrip(" \0")


def plain_value(representation: str, text: str) -> bytes | None:
    """A plain text as it is written, padded to an even length; None of any other.

    >>> plain_value("DS", "1.5\\\\-20"), plain_value("UI", "1.2.3"), plain_value("LO", "Smith")
    (b'1.5\\\\-20 ', b'1.2.3\\x00', None)
    """
    padding = "\0" if representation == "UI" else " "
    value = (text + padding * (len(text) % 2)).encode("latin-1", "replace")
    return value if plain_text(representation, value) == text else None
