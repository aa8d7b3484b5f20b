"""Which bytes of a file a Range header asks for (RFC 9110, section 14).

One range is answered, as whoever goes on with a download asks for one. Of several, of another
unit, or of what is no range at all, the whole file is sent, as the standard lets a server do.
"""

from __future__ import annotations

import re

ONE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(ValueError):
    """The range begins behind the end of the file."""


def asked(header: str, size: int) -> range | None:
    """The bytes that are asked for of `size`; None for all of them.

    >>> asked("bytes=2-5", 10), asked("bytes=2-", 10), asked("bytes=-3", 10)
    (range(2, 6), range(2, 10), range(7, 10))

    Raises
    ------
    UnsatisfiableError
        When no byte of the file is in the range.
    """
    found = ONE.fullmatch(header.strip())
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        wanted = range(max(0, size - int(suffix)), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(int(last) + 1, size) if last else size)
    if not wanted:
        raise UnsatisfiableError(header)
    return wanted


def stands(if_range: str, etag: str) -> bool:
    """Whether a Range counts beside If-Range: alone, or with the very tag of this file."""
    return not if_range or if_range.strip() == etag
