"""Mutations of valid files and bodies, for as long as TRIALTRACE_FUZZ_SECONDS says.

Each target runs in rounds until its time is up; `make fuzz` gives each a minute. A round ends
with the first failure, which hypothesis makes small and prints.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from functools import cache

import pydicom
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from imaging import multipart
from imaging.deidentification import DeidentificationPolicy
from imaging.deidentification_table import ROWS
from imaging.identity import KEPT
from imaging.multipart import Limits, MalformedError
from imaging.parser_child import encoded
from imaging.ps315 import _ACTIONS
from imaging.services.parser import Parser
from tests import factories
from tests.imaging import answer_key, threats
from tests.imaging.test_stow import at, body, post

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("TRIALTRACE_FUZZ_SECONDS", "60"))
POLICY = DeidentificationPolicy(b"k" * 32, -1000, "DEMO", "PL-01", "PL-01-007")
FACTS = {*KEPT, "sop_instance_uid", "series_instance_uid", "study_instance_uid", "patient_id"}
ROUND = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def in_rounds(target: Callable[[], None]) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        target()


@cache
def seeds() -> list[bytes]:
    """Valid files: each encoding that is read, compressed, and with every attribute."""
    compressed = threats.image(4)
    compressed.compress(RLELossless, compressed.pixel_array, encoding_plugin="pydicom")
    others = []
    for number, syntax in enumerate((ImplicitVRLittleEndian, ExplicitVRBigEndian), start=2):
        others.append(threats.image(number))
        others[-1].file_meta.TransferSyntaxUID = syntax
    keys = [one.dataset for one in answer_key.files()]
    return [encoded(ds) for ds in (threats.image(1), *others, compressed, *keys)]


# Lengths that lie, and the tags that open and close what may be nested.
TOKENS = [
    b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\xfe\xff\xff\xff", b"\0\0\0\x80", b"SQ", b"UN",
    b"OB", b"ZZ", b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0",
    b"\xe0\x7f\x10\x00", b"\x54\x00\x16\x00SQ\0\0\xff\xff\xff\xff", b"\x08\x00\x05\x00CS\x04\0ZZ 1",
]  # fmt: skip


@st.composite
def mutations(draw, data: bytes) -> bytes:
    """A file of which bytes, lengths or pieces are others."""
    found = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(0, len(found) - 1)))
        length = draw(st.integers(1, 200))
        kind = draw(st.sampled_from(["byte", "token", "put", "cut", "double", "move", "end"]))
        piece = bytes(found[place : place + length])
        token = draw(st.sampled_from(TOKENS)) if kind in {"token", "put"} else b""
        if kind == "byte":
            found[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "token":
            found[place : place + len(token)] = token
        elif kind == "put":
            found[place:place] = token
        elif kind == "double":
            found[place:place] = piece
        elif kind == "end":
            del found[place:]
        else:
            del found[place : place + length]
            if kind == "move":
                other = draw(st.integers(0, len(found)))
                found[other:other] = piece
    return bytes(found)


# Made when first drawn from, and not when the tests are listed.
mutated = st.deferred(lambda: st.sampled_from(seeds()).flatmap(mutations))


@pytest.fixture(scope="module")
def parser():
    with Parser() as parser:
        yield parser


@pytest.mark.requirement("R73")
def test_a_mutated_file_gets_one_verdict_and_is_written_anew_or_not_at_all(parser):
    @ROUND
    @given(mutated)
    def target(data: bytes) -> None:
        begun = time.monotonic()
        found = parser.inspect(data)
        assert found.verdict in {"accepted", "quarantined", "rejected"}
        assert found.code not in {"parser-died", "parser-timeout"}
        assert len(found.message) <= 500
        assert threats.CANARY not in found.message
        assert set(found.facts) <= FACTS
        assert parser.inspect(data) == found
        if found.verdict != "rejected":
            released = parser.deidentify(data, POLICY)
            again = pydicom.dcmread(io.BytesIO(released.dicom))
            assert released.dicom[:132] == bytes(128) + b"DICM"
            assert (again.PatientID, again.PatientName) == ("PL-01-007", "PL-01-007")
            assert len(again.PixelData) >= again.Rows * again.Columns * again.BitsAllocated // 8
        assert time.monotonic() - begun < 10

    in_rounds(target)


@pytest.mark.requirement("R104")
def test_what_is_planted_anywhere_is_gone_or_the_file_is_refused(parser):
    """Under any tag, of any kind, in the image and in the sequences of it that are kept."""
    tags = st.one_of(
        st.sampled_from([int(tag) for tag in _ACTIONS if tag >> 16 > 0x0004]),
        st.sampled_from([Tag(row.keyword) for row in ROWS]),
        st.integers(0x00080000, 0x60FFFFFF),
    )
    kinds = st.sampled_from(["LO", "SH", "PN", "ST", "LT", "CS", "AE", "TM", "UI", "UT", "UN"])

    @ROUND
    @given(st.lists(st.tuples(tags, kinds, st.sampled_from(PLACES)), max_size=8))
    def target(planted: list[tuple[int, str, str]]) -> None:
        try:
            data = with_canaries(planted)
        except Exception:
            # Of what can't be written nothing is sent.
            reject()
        if parser.inspect(data).verdict == "accepted":
            written = parser.deidentify(data, POLICY).dicom
            assert threats.CANARY.encode() not in written

    in_rounds(target)


def with_canaries(planted: list[tuple[int, str, str]]) -> bytes:
    """A slice with the canary under each tag, as the kind and at the place given."""
    ds, text = threats.image(1), f"{threats.CANARY}^Anna"
    for tag, kind, path in planted:
        place, _ = answer_key.made(ds, path + "CodeValue")
        place[tag] = RawDataElement(Tag(tag), kind, len(text), text.encode(), 0, False, True)
    return encoded(ds)


PLACES = ["", answer_key.TRACER, f"{answer_key.TRACER}RadionuclideCodeSequence[0]."]


@pytest.mark.requirement("R44")
def test_a_mutated_body_has_the_same_parts_however_it_comes():
    whole = body(*(threats.encoded(threats.image(n)) for n in (1, 2)), b"", b"--edge", b"\r\n--edg")

    @ROUND
    @given(mutations(whole), st.lists(st.integers(1, 3000), min_size=1, max_size=5))
    def target(data: bytes, sizes: list[int]) -> None:
        found = parts(data, [len(data) or 1])
        assert parts(data, sizes) == found
        assert parts(data, [1]) == found

    in_rounds(target)


def parts(data: bytes, sizes: list[int]) -> list[object]:
    """The parts of a body that is read in pieces of these sizes, and what stops it."""
    file, turn = io.BytesIO(data), 0

    def read(count: int) -> bytes:
        nonlocal turn
        turn += 1
        return file.read(min(count, sizes[turn % len(sizes)]))

    found: list[object] = []
    try:
        for part in multipart.parts(read, b"edge", Limits(parts=20)):
            found.append((part.headers, b"".join(part.pieces(10**6))))
    except MalformedError as error:
        found.append(str(error))
    return found


@pytest.mark.django_db
@pytest.mark.requirement("R44")
@pytest.mark.usefixtures("fdg", "storage")
def test_a_mutated_store_request_is_stored_or_refused_by_name(pet_site, coordinator):
    scan = factories.make_scan(factories.make_enrolled(pet_site, by=coordinator), by=coordinator)
    whole = body(*(threats.encoded(threats.image(n)) for n in (1, 2)), b"a letter")

    @ROUND
    @given(mutations(whole))
    def target(data: bytes) -> None:
        response = post(coordinator, at(scan), data)
        assert response.status_code in {200, 202, 400, 409}
        assert threats.CANARY not in response.content.decode()

    in_rounds(target)
