"""Writes a DICOM file of elements that are encoded already: Explicit VR Little Endian.

What is written of an element is bytes, made once by pydicom's writer and used for every image of
which the same is to be written. What remains is to put them in order, behind new file meta
information (PS3.10 section 7.1): a preamble of zeros, nothing of the original's, nothing behind.
The mistake to fear is a length that does not belong to its value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from pydicom import __version_info__
from pydicom.datadict import keyword_dict
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, ExplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

# UTF-8, in which everything is written.
CHARACTER_SET = "ISO_IR 192"
PREAMBLE = 128
ITEM = 0xFFFEE000
_VERSION_NAME = f"PYDICOM {'.'.join(__version_info__)}"

_IDENTITY = ("SOPClassUID", "SOPInstanceUID")
# By the numbers of their tags.
Encoded = Mapping[int, RawDataElement]


def raw(tag: int, representation: str, value: bytes) -> RawDataElement:
    """An element of bytes that are its value as written."""
    return RawDataElement(BaseTag(tag), representation, len(value), value, 0, False, True)


def raw_of(element: DataElement) -> RawDataElement:
    """An element as pydicom writes it; a VR that has no room for the value becomes UN."""
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_data_element(file, element, CHARACTER_SET)
    written = file.getvalue()
    representation = written[4:6].decode()
    start = 12 if representation in EXPLICIT_VR_LENGTH_32 else 8
    return raw(element.tag, representation, written[start:])


def raw_sequence(tag: int, items: Iterable[Encoded]) -> RawDataElement:
    """A sequence of items of elements that are encoded already, each with its length."""
    contents = map(data_set_bytes, items)
    heads = ((struct.pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, len(one)), one) for one in contents)
    return raw(tag, "SQ", b"".join(part for pair in heads for part in pair))


def data_set_bytes(elements: Encoded) -> bytes:
    """The elements in the order of their tags."""
    return b"".join(part for tag in sorted(elements) for part in _parts(tag, elements[tag]))


def _parts(tag: int, element: RawDataElement) -> tuple[bytes, bytes]:
    value, kind = element.value or b"", (element.VR or "").encode()
    form = "<HH2sxxI" if element.VR in EXPLICIT_VR_LENGTH_32 else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, kind, len(value)), value


def value_of(elements: Encoded, tag: int) -> bytes:
    """Value of an element as written; empty where it is missing."""
    element = elements.get(tag)
    return (element.value or b"") if element else b""


def text_of(elements: Encoded, keyword: str) -> str:
    """Text of an element as written; empty where it is missing."""
    return value_of(elements, keyword_dict[keyword]).decode().strip(" \0")


def data_set(elements: Encoded) -> Dataset:
    """A data set that holds encoded elements, and says how they are encoded."""
    ds = Dataset({BaseTag(tag): elements[tag] for tag in sorted(elements)})
    ds.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding="utf8")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def file_of(elements: Encoded) -> bytes:
    """A DICOM file.

    Raises
    ------
    ValueError
        If there is no SOP Class UID or no SOP Instance UID.
    """
    sop_class, sop_instance = (value_of(elements, keyword_dict[keyword]) for keyword in _IDENTITY)
    if not (sop_class and sop_instance):
        raise ValueError("SOP Class UID and SOP Instance UID must be present")
    meta = _meta(sop_class, sop_instance)
    return b"".join((bytes(PREAMBLE), b"DICM", meta, data_set_bytes(elements)))


def _meta(sop_class: bytes, sop_instance: bytes) -> bytes:
    written = data_set_bytes(
        {
            0x00020001: raw(0x00020001, "OB", b"\x00\x01"),
            0x00020002: raw(0x00020002, "UI", sop_class),
            0x00020003: raw(0x00020003, "UI", sop_instance),
            0x00020010: _SYNTAX,
            0x00020012: _IMPLEMENTATION,
            0x00020013: _VERSION,
        }
    )
    length = raw(0x00020000, "UL", struct.pack("<I", len(written)))
    return data_set_bytes({0x00020000: length}) + written


def _uid(tag: int, uid: str) -> RawDataElement:
    return raw_of(DataElement(tag, "UI", uid))


_SYNTAX = _uid(0x00020010, ExplicitVRLittleEndian)
_IMPLEMENTATION = _uid(0x00020012, PYDICOM_IMPLEMENTATION_UID)
_VERSION = raw_of(DataElement(0x00020013, "SH", _VERSION_NAME))
