"""What is remembered of an element is what would be made of it anew."""

from __future__ import annotations

import io

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging import deidentification, headers, identifiers
from imaging.alike import Patterns
from imaging.deidentification_table import ROWS, Action
from imaging.meanings import LONGEST, MEMORY, Elements, Memory
from imaging.parser_child import RefusedError, encoded, examined
from tests.imaging.test_deidentification import POLICY, an_image
from tests.imaging.test_deidentification_mutants import IMAGES, at

PATIENT = 0x00100010
TEXTS = [
    "",
    "1",
    "-1.5",
    "20260301",
    "20260301100000",
    "HENRIETTE",
    "1.2.3.4",
    "PT",
    "WB AC Müller",
]


REMEMBERING = [
    one
    for module in (headers, identifiers, deidentification)
    for one in vars(module).values()
    if hasattr(one, "cache_clear")
]


def forget() -> None:
    """As a process that has read nothing yet."""
    MEMORY.forget()
    for one in REMEMBERING:
        one.cache_clear()


def made(data: bytes) -> object:
    """All that the parsing process says of a file, and makes of it."""
    try:
        # What resembles another is held against it in test_alike.
        return examined(data, POLICY, Patterns())
    except RefusedError as error:
        return error.verdict


def as_files(ds: Dataset) -> list[bytes]:
    """With sequences of a length and without, and in another encoding."""
    plain = encoded(ds)
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = True
    endless = encoded(ds)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit = io.BytesIO()
    ds.save_as(implicit, enforce_file_format=True)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return [plain, endless, implicit.getvalue()]


changes = st.lists(
    st.tuples(
        st.sampled_from(
            [
                row
                for row in ROWS
                if row.action not in {Action.PIXELS, Action.ITEMS}
                # Without these no file is written at all.
                and row.path not in {"SOPClassUID", "SOPInstanceUID"}
            ]
        ),
        st.sampled_from(TEXTS),
    ),
    max_size=4,
)


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(sorted(IMAGES)),
    st.lists(changes, min_size=2, max_size=3),
    st.sampled_from(["", "ISO_IR 100", "ISO_IR 192"]),
)
def test_images_that_resemble_each_other_become_what_each_becomes_alone(name, several, charset):
    files = []
    for planted in several:
        ds = IMAGES[name]()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SpecificCharacterSet = charset
        for row, text in planted:
            holder = at(ds, row)
            raw = text.encode("latin-1" if charset != "ISO_IR 192" else "utf-8")
            raw += b" " * (len(raw) % 2)
            kind = pydicom.datadict.dictionary_VR(row.tag).split(" or ")[0]
            if kind not in {"US", "SS", "UL", "FD", "FL", "AT", "SQ"}:
                holder[row.tag] = RawDataElement(
                    pydicom.tag.Tag(row.tag), kind, len(raw), raw, 0, False, True
                )
        files += as_files(ds)
    alone = []
    for data in files:
        forget()
        alone.append(made(data))
    forget()
    assert [made(data) for data in files + files] == alone + alone


def name_of(ds: Dataset, tag: int) -> str:
    return str(ds[tag].value)


def told(ds: Dataset, memory: Memory, tag: int = PATIENT) -> str:
    return Elements(ds, memory).tell(tag, name_of)


def a_file(text: bytes = b"M\xc3\xbcller", charset: str = "ISO_IR 192") -> Dataset:
    ds = an_image()
    ds.SpecificCharacterSet = charset
    tag = pydicom.tag.Tag(PATIENT)
    text += b" " * (len(text) % 2)
    ds[tag] = RawDataElement(tag, "PN", len(text), text, 0, False, True)
    ds.set_original_encoding(False, True, pydicom.charset.convert_encodings(charset))
    return ds


def test_the_same_bytes_are_another_text_in_another_character_set():
    memory = Memory()
    said = [told(a_file(charset=one), memory) for one in ("ISO_IR 192", "ISO_IR 100") * 2]
    assert said == ["Müller", "MÃ¼ller"] * 2
    assert memory.size == 2


def test_who_asks_counts():
    memory, ds = Memory(), a_file()
    assert Elements(ds, memory).tell(PATIENT, lambda ds, tag: len(ds[tag].value)) == 6
    assert told(a_file(), memory) == "Müller"


def test_an_element_that_was_changed_is_read_anew():
    memory = Memory()
    assert told(a_file(), memory) == "Müller"
    ds = a_file()
    ds.PatientName = "Meier"
    assert told(ds, memory) == "Meier"
    assert memory.size == 1


def test_an_item_that_was_changed_is_read_anew():
    tag = 0x00540016

    def route(ds: Dataset, tag: int) -> str:
        return str(ds[tag].value[0].Radiopharmaceutical)

    ds = an_image()
    ds["RadiopharmaceuticalInformationSequence"].is_undefined_length = True
    ds.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "FDG"
    data, memory = encoded(ds), Memory()
    for _ in range(2):
        assert Elements(pydicom.dcmread(io.BytesIO(data)), memory).tell(tag, route) == "FDG"
    assert memory.size > 1
    other = pydicom.dcmread(io.BytesIO(data))
    other.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = "PSMA"
    assert Elements(other, memory).tell(tag, route) == "PSMA"


@pytest.mark.parametrize("tag", [0x00091001, 0x00280120], ids=["private", "of two VRs"])
def test_what_depends_on_other_elements_is_not_remembered(tag):
    ds, memory = an_image(), Memory()
    ds[tag] = RawDataElement(pydicom.tag.Tag(tag), "US", 2, b"\1\0", 0, False, True)
    ds.set_original_encoding(False, True, "utf8")
    assert told(ds, memory, tag) == "1"
    assert memory.size == 0


def test_no_more_and_no_longer_values_are_remembered_than_said():
    memory = Memory(3)
    assert told(a_file(b"x" * (LONGEST + 2)), memory) == "x" * (LONGEST + 2)
    assert memory.size == 0
    sizes = []
    for letter in (b"aa", b"bb", b"cc", b"dd", b"dd"):
        assert told(a_file(letter), memory) == letter.decode()
        sizes.append(memory.size)
    assert sizes == [1, 2, 3, 1, 1]


def test_what_can_not_be_read_is_tried_again_each_time():
    memory = Memory()
    for _ in range(2):
        ds = an_image()
        tag = pydicom.tag.Tag("Rows")
        ds[tag] = RawDataElement(tag, "US", 3, b"\1\0\0", 0, False, True)
        ds.set_original_encoding(False, True, "utf8")
        with pytest.raises(BytesLengthException):
            told(ds, memory, int(tag))
    assert memory.size == 0
