"""The first group of a DICOM file, read without a parser."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

from imaging.file_meta import HEAD, LONGEST, FileMeta, FileMetaError, file_meta
from imaging.parser_child import encoded
from tests.imaging.conftest import pet_dataset


def image() -> bytes:
    ds = pet_dataset()
    ds.PixelData = b"\0" * 40
    return encoded(ds)


def element(number: int, value: bytes, kind: bytes = b"UI") -> bytes:
    return struct.pack("<HH2sH", 2, number, kind, len(value)) + value


def refusal(head: bytes) -> str:
    with pytest.raises(FileMetaError) as error:
        file_meta(head)
    return error.value.code


def after_preamble(*elements: bytes) -> bytes:
    return b"\0" * 128 + b"DICM" + b"".join(elements)


WHOLE = (
    element(0x02, b"1.2\0"),
    element(0x03, b"1.2.3.4\0"),
    element(0x10, b"1.2.840.10008.1.2.1\0"),
)


def test_it_says_what_another_reader_says():
    data = image()
    read = pydicom.dcmread(io.BytesIO(data)).file_meta
    assert file_meta(data[:HEAD]) == FileMeta(
        read.MediaStorageSOPClassUID, read.MediaStorageSOPInstanceUID, read.TransferSyntaxUID
    )
    assert file_meta(data) == FileMeta(
        PositronEmissionTomographyImageStorage, "1.2.3.4", ExplicitVRLittleEndian
    )


def test_other_elements_are_passed_over():
    version = struct.pack("<HH2sxxI", 2, 1, b"OB", 2) + b"\0\1"
    private = element(0x16, b"SENDER", b"AE")
    assert file_meta(after_preamble(version, *WHOLE, private)).sop_instance_uid == "1.2.3.4"


@pytest.mark.parametrize("head", [b"", b"DICM", b"\0" * 128 + b"DICO", b"a letter" * 99])
def test_what_is_no_dicom_is_said_to_be_none(head):
    assert refusal(head) == "not-dicom"


def test_a_group_that_is_cut_off_is_not_readable():
    whole = after_preamble(*WHOLE)
    assert refusal(whole[:-3]) == "not-readable"
    assert refusal(whole[:-21]) == "not-readable"


def test_a_group_longer_than_any_is_not_readable():
    long = struct.pack("<HH2sxxI", 2, 0x102, b"OB", LONGEST) + b"\0" * LONGEST
    assert refusal(after_preamble(long, *WHOLE)) == "not-readable"


@pytest.mark.parametrize("missing", range(3))
def test_a_uid_that_is_missing_is_no_identity(missing):
    assert refusal(after_preamble(*WHOLE[:missing], *WHOLE[missing + 1 :])) == "no-identity"


@pytest.mark.parametrize("uid", [b"", b"../../etc", b"1.2.", b"1..2", b"1." + b"2" * 64, b"\xff1"])
def test_what_is_no_uid_is_no_identity(uid):
    assert refusal(after_preamble(WHOLE[0], element(3, uid), WHOLE[2])) == "no-identity"


@pytest.mark.requirement("R73")
@given(st.binary(max_size=400), st.integers(0, 600))
def test_whatever_comes_is_an_identity_or_a_refusal(noise, at):
    """Bytes alone, and bytes written over an image."""
    data = image()[:700]
    changed = data[:at] + noise + data[at + len(noise) :]
    for head in (noise, after_preamble(noise), changed):
        assert identity(head) <= set("0123456789.")


def identity(head: bytes) -> set[str]:
    try:
        return set(file_meta(head).sop_instance_uid)
    except FileMetaError:
        return set()
