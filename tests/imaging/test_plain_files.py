"""A plain file is read as pydicom reads it, and any other is left to pydicom."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from imaging.elements import PREAMBLE
from imaging.parser_child import encoded
from imaging.plain_files import plain_file, plain_meta
from tests.imaging.test_deidentification import an_image

SEED = 7265


def a_file() -> bytes:
    ds = an_image()
    ds.SpecificCharacterSet = "ISO_IR 100"
    return encoded(ds)


def all_of(ds: Dataset) -> tuple:
    """What was read, with what pydicom converts as it reads."""
    ds.get("SpecificCharacterSet")
    return (
        list(ds.values()),
        [int(tag) for tag in ds.keys()],  # noqa: SIM118  converted ones would be given otherwise
        ds.original_character_set,
        ds.original_encoding,
        ds.file_meta,
    )


def is_read_alike(data: bytes) -> bool:
    """Whether it is plain; then it is compared with what pydicom reads."""
    found = plain_file(data)
    if found is None:
        return False
    assert all_of(found) == all_of(pydicom.dcmread(io.BytesIO(data)))
    return True


def test_an_image_of_a_scanner_is_plain():
    assert is_read_alike(a_file())


def test_what_is_plain_of_published_files_is_read_as_pydicom_reads_it():
    folder = Path(pydicom.__file__).parent / "data"
    plain = [one for one in sorted(folder.rglob("*.dcm")) if is_read_alike(one.read_bytes())]
    assert len(plain) > 20


@pytest.mark.reference
def test_hostile_files_are_read_as_pydicom_reads_them_or_not_at_all(reference_data):
    files = [one.read_bytes() for one in (reference_data / "hostile_dicom").rglob("*.dcm")]
    assert len([one for one in files if is_read_alike(one)]) < len(files)


def test_broken_bytes_are_read_as_pydicom_reads_them_or_not_at_all():
    whole, chance = a_file(), random.Random(SEED)  # noqa: S311  no secret
    outcomes = set()
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(PREAMBLE, len(data))] = chance.choice([0, 1, 0x20, 0x53, 0xFF])
        outcomes.add(is_read_alike(bytes(data)))
    assert outcomes == {True, False}


def without_order(data: bytes) -> bytes:
    """Two elements in the wrong order: (0010,0020) stands before (0010,0010)."""
    return data.replace(b"\x10\x00\x10\x00PN", b"\x10\x00\x21\x00PN")


@pytest.mark.parametrize(
    "changed",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[PREAMBLE:],
        lambda data: data.replace(b"\x10\x00\x10\x00PN", b"\x10\x00\x10\x00QQ"),
        lambda data: data.replace(b"\x02\x00\x00\x00UL", b"\x02\x00\x00\x00SL"),
        lambda data: data.replace(b"ISO_IR 100", b"ISO_IR 999"),
        without_order,
    ],
)
def test_any_other_is_left_to_pydicom(changed):
    data = a_file()
    assert changed(data) != data
    assert plain_file(data) is not None
    assert plain_file(changed(data)) is None


def test_another_encoding_is_left_to_pydicom():
    ds, file = an_image(), io.BytesIO()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.save_as(file, enforce_file_format=True)
    assert plain_meta(file.getvalue()) is not None
    assert plain_file(file.getvalue()) is None


def test_a_sequence_without_a_length_is_left_to_pydicom():
    ds = an_image()
    ds["RadiopharmaceuticalInformationSequence"].is_undefined_length = True
    assert plain_file(encoded(ds)) is None
