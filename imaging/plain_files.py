"""Reads a DICOM file that is as plain as files are: what pydicom would, several times as fast.

Plain is a file in Explicit VR Little Endian whose elements stand in the order of their tags, each
of a VR of the standard and of a length that it says, up to the last byte. Nothing is converted and
no item looked into: what a value means pydicom says, when it is asked for it. Any other file is
none of ours, and pydicom reads it as ever.

The mistake to fear is to read what pydicom would read otherwise: whatever is not wholly as
described is given back unread.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache, partial
from typing import cast

from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.dataelem import DataElement, RawDataElement, empty_value_for_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from imaging.elements import PREAMBLE, UNDEFINED
from imaging.meanings import CHARACTER_SET, note_as_read
from imaging.pixels import PixelDataError, after_sequence

MARK = b"DICM"
_META, _LENGTH_OF_META, _SYNTAX = 0x0002, 0x00020000, 0x00020010
_HEAD, _LONG = struct.Struct("<HH2sH"), struct.Struct("<I")
_SHORT_KINDS = {str(kind).encode(): str(kind) for kind in EXPLICIT_VR_LENGTH_16}
_LONG_KINDS = {str(kind).encode(): str(kind) for kind in EXPLICIT_VR_LENGTH_32}

# What pydicom has of an element without a value.
_EMPTY = {
    kind: cast("bytes | None", empty_value_for_VR(kind, raw=True))
    for kind in (*_SHORT_KINDS.values(), *_LONG_KINDS.values())
}
# As written, with its padding; as pydicom has it, without.
_EXPLICIT = (ExplicitVRLittleEndian.encode() + b"\0", str(ExplicitVRLittleEndian))

Elements = dict[int, RawDataElement]
# File meta information, and where the data set begins.
Meta = tuple[FileMetaDataset, int]


def plain_meta(data: bytes) -> Meta | None:
    """File meta information of a file, if that is plain."""
    if data[PREAMBLE - len(MARK) : PREAMBLE] != MARK:
        return None
    found, end = _elements(data, PREAMBLE, group=_META)
    length = found.get(_LENGTH_OF_META)
    if end is None or length is None or (length.VR, length.length) != ("UL", _LONG.size):
        return None
    meta = FileMetaDataset(_by_tag(found))
    meta.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding
    )
    return meta, end


def plain_file(data: bytes, meta: Meta | None = None) -> Dataset | None:
    """The data set of a plain file, which is not to be changed; None of any other file.

    Parameters
    ----------
    data : bytes
        A whole file.
    meta : tuple, optional
        What `plain_meta` read in it.
    """
    meta = meta or plain_meta(data)
    if meta is None or not _is_explicit(meta[0]):
        return None
    found, end = _elements(data, meta[1])
    charset = _charset(found.get(CHARACTER_SET))
    if end is None or charset is None:
        return None
    ds = Dataset(_by_tag(found))
    ds.set_original_encoding(
        is_implicit_vr=False, is_little_endian=True, character_encoding=charset
    )
    ds.file_meta = meta[0]
    note_as_read(ds, found)
    return ds


def all_elements(data: bytes) -> Elements | None:
    """The elements of a file with its file meta information, each with all its bytes.

    As plain a file as `plain_file` reads, but for sequences, which may end where they say so: these
    are of the bytes up to there. None of any other file.
    """
    meta = plain_meta(data)
    if meta is None or not _is_explicit(meta[0]):
        return None
    head, _ = _elements(data, PREAMBLE, group=_META)
    try:
        found, end = _elements(data, meta[1], after=partial(after_sequence, explicit=True, depth=0))
    except (PixelDataError, struct.error, RecursionError):
        return None
    return None if end is None else head | found


def _elements(
    data: bytes,
    at: int,
    *,
    group: int | None = None,
    after: Callable[[bytes, int], int] | None = None,
) -> tuple[Elements, int | None]:
    """The elements of one group, or all behind group 2, and where they end; None if not plain.

    `after` finds the end of a sequence that has no length.
    """
    found: Elements = {}
    head, long, last = _HEAD.unpack_from, _LONG.unpack_from, 0 if group else _META << 16 | 0xFFFF
    try:
        while at < len(data):
            its_group, number, kind, length = head(data, at)
            if group and its_group != group:
                return found, at
            representation, start = _SHORT_KINDS.get(kind), at + 8
            if representation is None:
                representation = _LONG_KINDS[kind]
                (length,), start = long(data, start), start + 4
            if length == UNDEFINED and after and kind == b"SQ":
                length = after(data, start) - start
            tag, at = its_group << 16 | number, start + length
            if tag <= last or length == UNDEFINED or at > len(data):
                return found, None
            value = data[start:at] if length else _EMPTY[representation]
            found[tag] = RawDataElement(
                _tag(tag), representation, length, value, start, False, True
            )
            last = tag
    except (struct.error, KeyError):
        return found, None
    # Behind its first group a file has more.
    return found, None if group else at


def _by_tag(found: Elements) -> dict[BaseTag, DataElement | RawDataElement]:
    return {element.tag: element for element in found.values()}


@lru_cache(4096)
def _tag(number: int) -> BaseTag:
    return BaseTag(number)


def _is_explicit(meta: FileMetaDataset) -> bool:
    """Whether it names, as a UID, the one encoding that plain files have."""
    syntax = meta.get_item(_SYNTAX)
    return syntax is not None and syntax.VR == "UI" and syntax.value in _EXPLICIT


def _charset(element: RawDataElement | None) -> str | list[str] | None:
    """How texts are read; None where pydicom is to find out."""
    if element is None:
        return default_encoding
    term = (element.value or b"").decode("latin-1").removesuffix(" ")
    if element.VR != "CS" or not term or term not in python_encoding:
        return None
    return convert_encodings(term)
