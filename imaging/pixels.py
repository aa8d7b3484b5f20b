"""Stored values of one image, straight from the bytes of its file.

Where a file is native little endian, its Pixel Data are found by walking the elements of its
data set, length by length, and used where they lie: nothing is parsed or copied that is not
needed. Anything else, compressed or big endian, is decoded by pydicom. The mistake to fear is
a wrong place: the walk must arrive at (7FE0,0010) with the very length that rows, columns
and bits ask for, or the values are refused.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.elements import (
    DEEPEST,
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    after_meta,
    element,
)
from imaging.headers import SliceHeader
from imaging.meanings import Elements

NATIVE = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian})
# Tag, VR, two bytes that are reserved, and length.
_HEAD = struct.Struct("<HH2sxxI")


class PixelDataError(ValueError):
    """Pixel Data that are not where or as long as the file says; `code` is stable."""

    code = "pixels-invalid"


class NoPixelData(PixelDataError):  # noqa: N818  a header without its image is no fault
    """A file without an image."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the value of Pixel Data lies in a native file, in bytes from its beginning."""

    transfer_syntax: str
    offset: int
    length: int


def stored_values(
    data: bytes, header: SliceHeader, place: Place | None = None
) -> NDArray[np.integer]:
    """Stored values of a single-frame image, shape (M, N), as they lie in `data`.

    Parameters
    ----------
    data : bytes
        A whole DICOM file.
    header : SliceHeader
        Read from the same file.
    place : Place, optional
        What `place_of` found in the same file; without it the elements are walked again.

    Returns
    -------
    ndarray, shape (M, N)
        A read-only view into `data` where that is possible.

    Raises
    ------
    PixelDataError
        If there are no Pixel Data, or not as many as rows, columns and bits ask for.
    """
    if place is None and header.transfer_syntax_uid not in NATIVE:
        return _decoded(data)
    kind = "i" if header.pixel_representation == 1 else "u"
    try:
        dtype = np.dtype(f"<{kind}{header.bits_allocated // 8}")
    except TypeError as error:
        raise PixelDataError(f"{header.bits_allocated} bits allocated (0028,0100)") from error
    place = place or place_of(data, header)
    _require_fitting(place, data, header)
    values = np.frombuffer(data, dtype, header.rows * header.columns, place.offset)
    return values.reshape(header.rows, header.columns)


def place_of(data: bytes, header: SliceHeader) -> Place:
    """Where the elements of a native file lead to Pixel Data.

    Raises
    ------
    PixelDataError
        If they do not.
    """
    syntax = header.transfer_syntax_uid
    try:
        offset, length = _pixel_data(data, explicit=syntax == ExplicitVRLittleEndian)
    except (struct.error, IndexError, RecursionError) as error:
        raise PixelDataError("the elements of the file do not lead to Pixel Data") from error
    return Place(syntax, offset, length)


def confirmed(place: Place, data: bytes, header: SliceHeader) -> Place:
    """A place that somebody else says, if Pixel Data of this length do begin there.

    Raises
    ------
    PixelDataError
        If not; or if the file is not Explicit VR Little Endian, in which each element says what
        it is and how long.
    """
    head = data[max(place.offset - _HEAD.size, 0) : max(place.offset, 0)]
    claimed = _HEAD.pack(PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF, b"OW", place.length)
    if place.transfer_syntax != ExplicitVRLittleEndian or head != claimed:
        raise PixelDataError("there are no Pixel Data (7FE0,0010) where they are said to be")
    _require_fitting(place, data, header)
    return place


def _require_fitting(place: Place, data: bytes, header: SliceHeader) -> None:
    expected = header.rows * header.columns * (header.bits_allocated // 8)
    # An odd number of bytes is padded with one.
    is_whole = place.length in {expected, expected + expected % 2}
    if not is_whole or place.offset < 0 or place.offset + expected > len(data):
        raise PixelDataError(
            f"Pixel Data (7FE0,0010) of {place.length} bytes, {header.rows} x {header.columns} of "
            f"{header.bits_allocated} bits are {expected}"
        )


def decoded(ds: Dataset) -> NDArray[np.integer]:
    """Stored values of a data set, little endian, as pydicom decodes them.

    A plane of native values that have no bit above their high bit is as it lies: there pydicom
    would copy it twice, to clear nothing.
    """
    plain = as_they_lie(ds)
    if plain is not None:
        return plain
    values = ds.pixel_array
    return np.asarray(values.astype(values.dtype.newbyteorder("<"), copy=False))


def pixel_data(elements: Elements) -> Any:
    """Pixel Data as pydicom has them, which hands on the bytes of OB and OW as they are."""
    if PIXEL_DATA in elements:
        found = elements.element(PIXEL_DATA)
        if isinstance(found, RawDataElement) and found.VR in {"OB", "OW"}:
            return found.value
    return elements.ds.get("PixelData")


def as_they_lie(ds: Dataset) -> NDArray[np.integer] | None:
    """Stored values of one whole plane that need no decoding; None where they do, or it is none."""
    if ds.file_meta.TransferSyntaxUID not in NATIVE:
        return None
    elements = Elements(ds)
    form = [elements.read(keyword, _whole) for keyword in FORM]
    rows, columns, allocated, stored, signed = form[:5]
    is_grey = elements.read("PhotometricInterpretation", _as_text) in {"MONOCHROME1", "MONOCHROME2"}
    is_plane = is_grey and form[5:] in _PLANE and allocated in {8, 16, 32} and signed in {0, 1}
    data, length = pixel_data(elements), rows * columns * allocated // 8
    if not (is_plane and 0 < stored <= allocated and isinstance(data, bytes)):
        return None
    if not length or len(data) != length + length % 2:
        return None
    values = np.frombuffer(data, f"<{'ui'[signed]}{allocated // 8}", rows * columns)
    low, high = (-(1 << stored - 1), 1 << stored - 1) if signed else (0, 1 << stored)
    is_clean = stored == allocated or (values.min() >= low and values.max() < high)
    return values.reshape(rows, columns) if is_clean else None


# What the form of a plane rests on, besides its photometric interpretation.
FORM = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "SamplesPerPixel",
    "NumberOfFrames",
)
# Samples, and frames where they are counted.
_PLANE = ([1, 0], [1, 1])


def _whole(ds: Dataset, keyword: str) -> int:
    """A whole number; 0 where there is none."""
    value = ds.get(keyword)
    return int(value) if isinstance(value, int) and value > 0 else 0


def _as_text(ds: Dataset, keyword: str) -> str:
    """Text of one value; empty where there is none, or several."""
    value = ds.get(keyword)
    return value if isinstance(value, str) else ""


def _decoded(data: bytes) -> NDArray[np.integer]:
    ds = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in ds:
        raise NoPixelData("there are no Pixel Data (7FE0,0010)")
    return np.asarray(ds.pixel_array)


def _pixel_data(data: bytes, *, explicit: bool) -> tuple[int, int]:
    """Offset and length of the value of Pixel Data."""
    at = after_meta(data)
    while at < len(data):
        tag, length, at = element(data, at, explicit=explicit)
        if tag == PIXEL_DATA:
            return at, length
        if length == UNDEFINED:
            at = after_sequence(data, at, explicit=explicit, depth=0)
        else:
            at += length
    raise NoPixelData("there are no Pixel Data (7FE0,0010)")


def after_sequence(data: bytes, at: int, *, explicit: bool, depth: int) -> int:
    """Where a sequence of undefined length ends."""
    if depth > DEEPEST:
        raise PixelDataError("sequences nested deeper than any image has")
    while True:
        tag, length, at = element(data, at, explicit=explicit)
        if tag == SEQUENCE_END:
            return at
        if tag != ITEM:
            raise PixelDataError("a sequence holds something that is no item")
        at = (
            _after_item(data, at, explicit=explicit, depth=depth + 1)
            if length == UNDEFINED
            else at + length
        )


def _after_item(data: bytes, at: int, *, explicit: bool, depth: int) -> int:
    while True:
        tag, length, at = element(data, at, explicit=explicit)
        if tag == ITEM_END:
            return at
        at = (
            after_sequence(data, at, explicit=explicit, depth=depth)
            if length == UNDEFINED
            else at + length
        )
