"""Parts of a `multipart/related` body (RFC 2046, 2387), read as they come.

A store request may hold thousands of images. Nothing here holds more of it than the piece that
was read last and one delimiter, and everything a sender may make long has a bound: the
boundary, what comes before the first part, the header of a part, a part, and their number.

The mistake to fear is a part that ends where its sender did not end it: a body that stops in
the middle is no body, and says in which part it stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from imaging.media_types import MediaType

LONGEST_BOUNDARY = 70
LONGEST_PREAMBLE = 2**16
PIECE = 2**16
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")

# Up to that many bytes of the body; nothing at its end.
Read = Callable[[int], bytes]


class MalformedError(ValueError):
    """A body that is not what multipart bodies are; the sentence says where it stops being one."""


class TooBigError(MalformedError):
    """A body that goes on beyond what one request may bring."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a body may hold; a longer part is cut and marked, anything else is malformed."""

    parts: int = 10_000
    part_bytes: int = 64 * 2**20
    header_bytes: int = 2**16


class Part:
    """One part: its header, and its content in pieces.

    `is_too_long` is true once a piece would have gone beyond the limit; the rest is not given.
    """

    def __init__(self, number: int, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        self.number = number
        self.headers = headers
        self.is_too_long = False
        self._pieces = pieces

    def pieces(self, limit: int) -> Iterator[bytes]:
        """The content, at most `limit` bytes of it."""
        length = 0
        for piece in self._pieces:
            length += len(piece)
            if length > limit:
                self.is_too_long = True
                return
            yield piece

    def skip(self) -> None:
        """Read what nobody asked for."""
        for _ in self._pieces:
            pass


def boundary_of(content: MediaType) -> bytes:
    """The boundary that a Content-Type names.

    >>> boundary_of(MediaType("multipart/related", {"boundary": "abc"}))
    b'abc'

    Raises
    ------
    MalformedError
        If there is none, or it is not what RFC 2046 allows.
    """
    found = content.parameters.get("boundary", "")
    if not found:
        raise MalformedError("Content-Type names no boundary between the parts.")
    if not _BOUNDARY.fullmatch(found):
        raise MalformedError(
            f"The boundary must have up to {LONGEST_BOUNDARY} letters, digits and marks of "
            "RFC 2046."
        )
    return found.encode("ascii")


def bounded(read: Read, limit: int) -> Read:
    """`read`, which refuses to go beyond `limit` bytes in all and names a broken connection."""
    total = 0

    def next_piece(count: int) -> bytes:
        nonlocal total
        try:
            piece = read(count)
        # What a web server raises for a connection or chunks that break has no base in common.
        except Exception as error:
            raise MalformedError("The connection broke off before the body ended.") from error
        total += len(piece)
        if total > limit:
            raise TooBigError(f"The body has more than {limit:,} bytes: send it in smaller ones.")
        return piece

    return next_piece


def parts(read: Read, boundary: bytes, limits: Limits | None = None) -> Iterator[Part]:
    """The parts of a body, each before the next is looked for.

    Parameters
    ----------
    read : callable
        Gives up to as many bytes as asked, nothing at the end.
    boundary : bytes
        As `boundary_of` gives it.
    limits : Limits, optional

    Yields
    ------
    Part
        What is not read of a part is skipped when the next one is asked for.

    Raises
    ------
    MalformedError
        If the body is no multipart body, ends within a part, or has too many or too long
        headers.
    """
    limits = limits or Limits()
    body = _Body(read, boundary)
    body.skip_preamble()
    number = 0
    while body.another():
        number += 1
        if number > limits.parts:
            raise MalformedError(f"The body has more than {limits.parts:,} parts: send fewer.")
        part = Part(number, body.headers(number, limits.header_bytes), body.content(number))
        yield part
        part.skip()


class _Body:
    """The piece at hand, and what is done to it."""

    def __init__(self, read: Read, boundary: bytes) -> None:
        self._read = read
        self._delimiter = b"\r\n--" + boundary
        # As if a line had ended before: the first delimiter may open the body.
        self._held = b"\r\n"
        self._is_at_end = False

    def skip_preamble(self) -> None:
        skipped = 0
        while (at := self._held.find(self._delimiter)) < 0:
            kept = len(self._delimiter) - 1
            skipped += max(0, len(self._held) - kept)
            if self._is_at_end or skipped > LONGEST_PREAMBLE:
                raise MalformedError("The body does not begin with the boundary it announces.")
            self._held = self._held[-kept:]
            self._more()
        self._held = self._held[at + len(self._delimiter) :]

    def another(self) -> bool:
        """After a delimiter: whether a part follows, or the body ends here."""
        self._need(2, "The body ends behind a boundary.")
        if self._held.startswith(b"--"):
            return False
        # RFC 2046 lets blanks stand between a boundary and the end of its line.
        while b"\r\n" not in self._held[:LONGEST_BOUNDARY] and not self._is_at_end:
            if len(self._held) >= LONGEST_BOUNDARY:
                break
            self._more()
        # No further than that, however much is held: the same body has the same parts.
        line, mark, _ = self._held[:LONGEST_BOUNDARY].partition(b"\r\n")
        if not mark or line.strip(b" \t"):
            raise MalformedError("A boundary is followed by something that is no end of a line.")
        # Kept, so that a part without a header ends its header too.
        self._held = self._held[len(line) :]
        return True

    def headers(self, number: int, limit: int) -> dict[str, str]:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > limit:
                raise MalformedError(f"The header of part {number} is longer than {limit:,} bytes.")
            if self._is_at_end:
                raise MalformedError(f"The body ends within the header of part {number}.")
            self._more()
        if end > limit:
            raise MalformedError(f"The header of part {number} is longer than {limit:,} bytes.")
        text = self._held[:end].decode("latin-1")
        self._held = self._held[end + 4 :]
        return _headers(text, number)

    def content(self, number: int) -> Iterator[bytes]:
        while (at := self._held.find(self._delimiter)) < 0:
            if self._is_at_end:
                raise MalformedError(f"The body ends within part {number}.")
            # The end of what is held may be the beginning of a delimiter.
            ready = len(self._held) - len(self._delimiter) + 1
            if ready > 0:
                piece, self._held = self._held[:ready], self._held[ready:]
                yield piece
            self._more()
        piece, self._held = self._held[:at], self._held[at + len(self._delimiter) :]
        if piece:
            yield piece

    def _need(self, count: int, sentence: str) -> None:
        while len(self._held) < count:
            if self._is_at_end:
                raise MalformedError(sentence)
            self._more()

    def _more(self) -> None:
        piece = self._read(PIECE)
        self._held += piece
        self._is_at_end = not piece


def _headers(text: str, number: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, text.split("\r\n")):
        name, mark, value = line.partition(":")
        if not mark or not name.strip():
            raise MalformedError(f"The header of part {number} has a line that names no field.")
        found[name.strip().lower()] = value.strip()
    return found


def written(contents: Iterable[bytes], boundary: str, content_type: str) -> Iterator[bytes]:
    """A multipart body of parts of one type, piece by piece.

    >>> b"".join(written([b"one"], "edge", "a/b")).split(b"\\r\\n")
    [b'--edge', b'Content-Type: a/b', b'Content-Length: 3', b'', b'one', b'--edge--', b'']
    """
    for content in contents:
        yield (
            f"--{boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
