"""XML text made from its parts, so that a file of any length needs no tree in memory.

Source: Extensible Markup Language (XML) 1.0, 5th edition, sections 2.2 (characters) and 3.3.3
(white space of attribute values, which is written as references so that it survives).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

Attributes = Mapping[str, str | None]
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
# What no XML 1.0 document can hold, in whatever way it is written.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class ForbiddenCharacterError(ValueError):
    """A text with a character that XML can't hold."""


def opening(name: str, attributes: Attributes) -> str:
    """The start of an element whose content follows.

    >>> opening("Study", {"OID": "NCT05093335", "Note": None})
    '<Study OID="NCT05093335">'
    """
    return f"<{name}{_attributes(attributes)}>"


def closing(name: str) -> str:
    """The end of an element."""
    return f"</{name}>"


def element(name: str, attributes: Attributes, *content: str) -> str:
    """An element with what is in it, which is XML already; attributes that are None are left out.

    >>> element("Symbol", {}, element("T", {"lang": "en"}, text("< 5 µg")))
    '<Symbol><T lang="en">&lt; 5 µg</T></Symbol>'
    """
    inner = "".join(content)
    start = f"<{name}{_attributes(attributes)}"
    return f"{start}>{inner}</{name}>" if inner else f"{start}/>"


def text(value: str) -> str:
    """A text as the content of an element.

    Raises
    ------
    ForbiddenCharacterError
        When it holds a character that no XML document can.
    """
    return escape(allowed(value), {"\r": "&#13;"})


def encoded(chunks: Iterable[str]) -> Iterator[bytes]:
    """Text as the bytes of a file."""
    return (chunk.encode() for chunk in chunks)


def _attributes(attributes: Attributes) -> str:
    return "".join(
        f" {name}={quoteattr(allowed(value))}"
        for name, value in attributes.items()
        if value is not None
    )


def allowed(value: str) -> str:
    """The value, if XML can hold it.

    Raises
    ------
    ForbiddenCharacterError
        When it holds a character that no XML document can.
    """
    if found := _FORBIDDEN.search(value):
        raise ForbiddenCharacterError(
            f"XML can't hold the character U+{ord(found[0]):04X} in {value!r:.60}"
        )
    return value
