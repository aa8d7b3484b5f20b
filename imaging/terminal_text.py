"""Text of headers and file names, as any terminal can show it."""

from __future__ import annotations


def printable(text: str, encoding: str) -> str:
    """A line as any terminal can show it; a header or a file name may try to drive it.

    >>> printable("a\\x1b[2J\\u2265", "ascii")
    'a\\\\x1b[2J\\\\u2265'
    """
    shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)
