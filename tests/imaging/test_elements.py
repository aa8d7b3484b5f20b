"""A file that asks too much of a parser is known by its tags and lengths alone."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.elements import (
    DEEPEST,
    LONGEST_NAME,
    MOST_ELEMENTS,
    MOST_OF_REGIONS,
    Excess,
    after_meta,
    excess,
)
from imaging.parser_child import encoded, inspect
from tests.imaging import drawings
from tests.imaging.conftest import pet_dataset

SYNTAXES = {
    ExplicitVRLittleEndian: {"explicit": True},
    ImplicitVRLittleEndian: {"explicit": False},
    ExplicitVRBigEndian: {"explicit": True, "order": ">"},
}
every_syntax = pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)


def found(ds: Dataset, syntax=ExplicitVRLittleEndian) -> Excess | None:
    ds.file_meta.TransferSyntaxUID = syntax
    data = encoded(ds)
    return excess(data, start=after_meta(data), **SYNTAXES[syntax])


def nested(levels: int) -> Sequence:
    item = Dataset()
    item.CodeValue = "1"
    for _ in range(levels - 1):
        outer = Dataset()
        outer.ConceptCodeSequence = Sequence([item])
        item = outer
    return Sequence([item])


@every_syntax
def test_an_image_has_nothing_in_excess(syntax):
    ds = pet_dataset()
    ds.ReferencedSeriesSequence = nested(DEEPEST)
    ds.PatientComments = "x" * 100_000
    assert found(ds, syntax) is None


@pytest.mark.requirement("R73")
@every_syntax
def test_what_is_in_excess_is_named(syntax):
    ds = pet_dataset()
    ds.ReferencedSeriesSequence = Sequence([Dataset() for _ in range(MOST_ELEMENTS)])
    assert found(ds, syntax) is Excess.ELEMENTS
    ds = pet_dataset()
    ds.ReferencedSeriesSequence = nested(DEEPEST + 1)
    assert found(ds, syntax) is Excess.DEPTH
    ds = pet_dataset()
    ds.PatientName = "x" * (LONGEST_NAME + 2)
    assert found(ds, syntax) is Excess.LENGTH


def open_ended(ds: Dataset, element) -> None:
    if element.VR == "SQ":
        element.is_undefined_length = True
        for item in element.value:
            item.is_undefined_length_sequence_item = True


@pytest.mark.requirement("R73")
def test_sequences_of_undefined_length_are_counted_too():
    ds = pet_dataset()
    ds.ReferencedSeriesSequence = nested(DEEPEST + 1)
    ds.walk(open_ended)
    assert found(ds) is Excess.DEPTH


def test_elements_of_an_unknown_value_say_no_vr():
    # UN of undefined length is implicit inside: read as explicit, "PN" would be a length.
    inside = struct.pack("<HHI", 0x0010, 0x0010, 4) + b"A^B "
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    unknown = struct.pack("<HH2sHI", 0x0009, 0x1001, b"UN", 0, 0xFFFFFFFF) + item + end
    after = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", 20_000) + bytes(20_000)
    assert excess(unknown, start=0, explicit=True) is None
    assert excess(unknown + after, start=0, explicit=True) is Excess.LENGTH


@pytest.mark.requirement("R73")
def test_what_stands_behind_the_pixels_is_counted_too():
    data = pixels(bytes(40))
    assert behind(data, b"") is None
    assert behind(data, opening(DEEPEST)) is None
    assert behind(data, opening(DEEPEST + 1)) is Excess.DEPTH
    assert behind(data, items(MOST_ELEMENTS)) is Excess.ELEMENTS


@pytest.mark.requirement("R73")
def test_compressed_pixels_are_stepped_over_by_their_fragments():
    # As elements they would be a sequence in a sequence, again and again.
    fragment = opening(DEEPEST + 1)
    data = pixels(None, b"", fragment)
    assert behind(data, b"") is None
    assert behind(data, opening(DEEPEST + 1)) is Excess.DEPTH
    assert behind(pixels(None, *[b""] * MOST_ELEMENTS), b"") is Excess.ELEMENTS


def behind(data: bytes, tail: bytes) -> Excess | None:
    return excess(data + tail, start=0, explicit=True)


def pixels(native: bytes | None, *fragments: bytes) -> bytes:
    """Pixel Data, native or in fragments."""
    tag = struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OW", 0)
    if native is not None:
        return tag + struct.pack("<I", len(native)) + native
    inside = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in fragments)
    return tag + struct.pack("<I", 0xFFFFFFFF) + inside + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def opening(levels: int) -> bytes:
    """The beginning of a sequence of undefined length in another one, and so on."""
    sequence = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"SQ", 0, 0xFFFFFFFF)
    return (sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * levels


def items(count: int) -> bytes:
    sequence = struct.pack("<HH2sHI", 0x7FE1, 0x0010, b"SQ", 0, 0xFFFFFFFF)
    return sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count


@pytest.mark.requirement("R73")
@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [
        ("ReferencedSeriesSequence", Sequence([Dataset() for _ in range(200_000)]),
         "too-many-elements"),
        ("PatientName", "x" * 2**20, "value-too-long"),
        ("StudyDescription", "x" * 60 * 2**20, "value-too-long"),
    ],
    ids=["items", "name", "description"],
)  # fmt: skip
def test_the_child_refuses_it_unparsed(keyword, value, code):
    ds = pet_dataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    setattr(ds, keyword, value)
    verdict = inspect(encoded(ds))
    assert (verdict.verdict, verdict.code) == ("rejected", code)


@pytest.mark.requirement("R73")
def test_regions_may_have_more_than_an_image_and_not_any_number():
    ds = drawings.structure_set([pet_dataset()])
    contours = ds.ROIContourSequence[0].ContourSequence
    (contour,) = contours
    contours.extend([contour] * (MOST_ELEMENTS // 9))
    assert inspect(encoded(ds)).verdict == "accepted"
    contours.extend([contour] * (MOST_OF_REGIONS // 9))
    assert inspect(encoded(ds)).code == "too-many-elements"


@given(st.binary(max_size=400), st.booleans(), st.sampled_from("<>"))
def test_any_bytes_come_to_an_end(data, explicit, order):
    assert excess(data, start=0, explicit=explicit, order=order) in {None, *Excess}
