"""The streaming reader of multipart bodies: whatever comes, parts as sent or a refusal by name."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import multipart
from imaging.media_types import MediaType, accepted, chosen, media_type
from imaging.multipart import Limits, MalformedError

BOUNDARY = b"b0undary"


def body(*contents: bytes, header: bytes = b"Content-Type: application/dicom\r\n") -> bytes:
    parts = [b"--" + BOUNDARY + b"\r\n" + header + b"\r\n" + one + b"\r\n" for one in contents]
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def read(data: bytes, *, limits: Limits | None = None, limit: int = 2**20) -> list[bytes]:
    found = multipart.parts(io.BytesIO(data).read, BOUNDARY, limits)
    return [b"".join(part.pieces(limit)) for part in found]


def refusal(data: bytes, **more) -> str:
    with pytest.raises(MalformedError) as error:
        read(data, **more)
    return str(error.value)


class Trickle:
    """Gives what it holds in pieces of sizes that come round."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes, self.at, self.turn = data, sizes, 0, 0

    def read(self, count: int) -> bytes:
        size = min(count, self.sizes[self.turn % len(self.sizes)])
        self.turn += 1
        piece = self.data[self.at : self.at + size]
        self.at += len(piece)
        return piece


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
)
def test_parts_come_as_they_were_sent_however_the_body_is_cut(contents, sizes):
    contents = [one.replace(BOUNDARY, b"") for one in contents]
    found = multipart.parts(Trickle(body(*contents), sizes).read, BOUNDARY)
    assert [b"".join(part.pieces(2**20)) for part in found] == contents


@pytest.mark.requirement("R83")
@pytest.mark.parametrize("blanks", [0, 1, 66, 67, 68, 69, 70, 71, 200])
def test_blanks_behind_a_boundary_are_taken_or_refused_however_the_body_is_cut(blanks):
    data = b"--" + BOUNDARY + b" " * blanks + b"\r\n\r\none\r\n--" + BOUNDARY + b"--"
    found = set()
    for sizes in ([1], [69], [70], [71], [1000]):
        try:
            parts = multipart.parts(Trickle(data, sizes).read, BOUNDARY)
            found.add(b"".join(piece for part in parts for piece in part.pieces(99)))
        except MalformedError as error:
            found.add(str(error))
    assert len(found) == 1
    assert (found == {b"one"}) == (blanks <= 68)


@given(st.binary(max_size=600))
def test_whatever_comes_is_parts_or_a_refusal(data):
    for start in (b"", b"--" + BOUNDARY + b"\r\n"):
        with suppress(MalformedError):
            read(start + data)


@given(st.integers(0, 10_000))
def test_a_body_cut_anywhere_is_no_body(at):
    whole = body(b"one" * 50, b"\r\n--b0und" * 9)
    # The last mark alone ends it; what follows is nobody's.
    cut = whole[: at % (len(whole) - 3)]
    with pytest.raises(MalformedError):
        read(cut)


def test_pieces_of_a_delimiter_within_a_part_belong_to_it():
    tricky = b"\r\n--b0undar\r\n--b0un\r\n-\r\n"
    assert read(body(tricky, b"")) == [tricky, b""]


def test_preamble_and_epilogue_are_nobodys():
    assert read(b"not for you\r\n" + body(b"image") + b"nor this") == [b"image"]
    assert refusal(b"x" * (multipart.LONGEST_PREAMBLE + 2**17)).startswith("The body does not")


def test_a_part_without_header_and_blanks_behind_a_boundary():
    blank = b"--" + BOUNDARY + b" \t\r\n\r\nimage\r\n--" + BOUNDARY + b"--"
    assert read(blank) == [b"image"]


def test_headers_are_told_in_lower_case():
    (part,) = multipart.parts(io.BytesIO(body(b"x", header=b"Content-ID: <7>\r\n")).read, BOUNDARY)
    assert part.headers == {"content-id": "<7>"}


def test_what_nobody_reads_is_skipped():
    found = multipart.parts(io.BytesIO(body(b"one", b"two")).read, BOUNDARY)
    assert [part.number for part in found] == [1, 2]


def test_a_part_too_long_is_marked_and_the_next_is_read():
    first, second = multipart.parts(io.BytesIO(body(b"x" * 9, b"short")).read, BOUNDARY), []
    for part in first:
        second.append((b"".join(part.pieces(8)), part.is_too_long))
    assert second == [(b"", True), (b"short", False)]


@pytest.mark.requirement("R44")
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "does not begin with the boundary"),
        (b"--" + BOUNDARY, "ends behind a boundary"),
        (b"--" + BOUNDARY + b"x\r\n", "no end of a line"),
        (b"--" + BOUNDARY + b" " * 200, "no end of a line"),
        (b"--" + BOUNDARY + b"\r\nA: b", "within the header of part 1"),
        (b"--" + BOUNDARY + b"\r\n" + b"A" * 70_000, "header of part 1 is longer"),
        (b"--" + BOUNDARY + b"\r\n" + b"A:" * 70_000 + b"\r\n\r\n", "header of part 1 is longer"),
        (b"--" + BOUNDARY + b"\r\nno field\r\n\r\nx", "names no field"),
        (b"--" + BOUNDARY + b"\r\n\r\nimage", "within part 1"),
    ],
)
def test_what_is_no_multipart_body_is_refused_by_name(data, sentence):
    assert sentence in refusal(data)


@pytest.mark.requirement("R44")
def test_there_is_an_end_to_parts_and_to_bytes():
    assert "more than 2 parts" in refusal(body(b"1", b"2", b"3"), limits=Limits(parts=2))
    endless = multipart.bounded(lambda count: b"x" * count, 10**6)
    with pytest.raises(multipart.TooBigError, match="1,000,000 bytes"):
        list(iter(lambda: endless(2**16), b""))


def test_a_broken_connection_is_named():
    def broken(_count: int) -> bytes:
        raise ConnectionResetError

    with pytest.raises(MalformedError, match="connection broke off"):
        multipart.bounded(broken, 10)(5)


@pytest.mark.requirement("R44")
def test_a_long_part_is_never_held_as_a_whole():
    size, piece = 32 * 2**20, b"x" * 2**16
    start, end = b"--" + BOUNDARY + b"\r\n\r\n", b"\r\n--" + BOUNDARY + b"--"
    sent = chain([start], repeat(piece, size // len(piece)), [end])
    tracemalloc.start()
    try:
        for part in multipart.parts(lambda _count: next(sent, b""), BOUNDARY):
            assert sum(map(len, part.pieces(2 * size))) == size
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("given_boundary", "is_one"),
    [
        ("abc", True),
        ("a b", True),
        ("a" * 70, True),
        ("a" * 71, False),
        ("", False),
        ("a\n", False),
    ],
)
def test_a_boundary_has_the_form_of_the_standard(given_boundary, is_one):
    content = MediaType("multipart/related", {"boundary": given_boundary})
    if is_one:
        assert multipart.boundary_of(content) == given_boundary.encode()
    else:
        with pytest.raises(MalformedError):
            multipart.boundary_of(content)


# Media types


def test_quotes_hold_a_media_type_together():
    one = media_type('multipart/related; type="application/dicom"; boundary="a;b,c"')
    assert (one.of_parts, one.parameters["boundary"]) == ("application/dicom", "a;b,c")


def test_the_best_of_what_is_accepted_comes_first():
    given_types = 'image/png;q=0.2, multipart/related; type="a/b,c";q=0.9, image/gif;q=0, x/y'
    assert [one.name for one in accepted(given_types)] == ["x/y", "multipart/related", "image/png"]


@pytest.mark.parametrize(
    ("accept", "is_found"),
    [
        ("", True),
        ("*/*", True),
        ("multipart/related", True),
        ('multipart/related; type="application/dicom"', True),
        ("multipart/related; type=application/dicom; transfer-syntax=*", True),
        ("multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1", True),
        ("multipart/related; type=application/dicom; transfer-syntax=1.2.3", False),
        ('multipart/related; type="*/*"', True),
        ('multipart/related; type="image/jp2"', False),
        ("application/dicom", False),
        ("multipart/related;q=nonsense", False),
    ],
)
def test_parts_are_wanted_by_their_type_and_their_transfer_syntax(accept, is_found):
    offer = MediaType(
        "multipart/related",
        {"type": "application/dicom", "transfer-syntax": "1.2.840.10008.1.2.1"},
    )
    assert chosen(accept, [offer]) == (offer if is_found else None)


@given(st.text(max_size=200))
def test_any_header_is_read(text):
    chosen(text, [MediaType("image/png")])
    media_type(text)
