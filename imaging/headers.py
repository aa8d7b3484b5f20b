"""What one slice of an image series says about itself.

A header is read once, into a frozen record that survives JSON, and everything after works on
records: geometry, standardized uptake values and pixels never see a DICOM data set again.

The mistake to fear is the silent default. A value that is missing, empty, zero where zero
means "not entered", or unreadable stays None here, and the keyword of an unreadable one is
listed; who needs it must refuse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any, Self, TypeVar

from pydicom.charset import default_encoding
from pydicom.datadict import keyword_dict
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from imaging.meanings import Elements, as_read
from trials.decay import HALF_LIFE

Json = Any
T = TypeVar("T")
# The records of a sequence, and the keywords in it that could not be understood.
Items = tuple[tuple[T, ...], tuple[str, ...]]

_PHILIPS = "Philips PET Private Group"

# Radionuclides of DICOM CID 4020 by SNOMED CT and by the older SRT codes; 99SDM is an older
# name of SRT that real files still carry.
_NUCLIDE_BY_CODE = {
    "C-105A1": "C-11",
    "40565003": "C-11",
    "C-107A1": "N-13",
    "21576001": "N-13",
    "C-B1038": "O-15",
    "129504001": "O-15",
    "C-111A1": "F-18",
    "77004003": "F-18",
    "C-127A2": "Cu-64",
    "3932008": "Cu-64",
    "C-131A3": "Ga-68",
    "35337001": "Ga-68",
    "C-159A2": "Rb-82",
    "79197006": "Rb-82",
    "14691008": "Y-90",
    "C-168A4": "Zr-89",
    "63360001": "Zr-89",
    "C-114A5": "I-124",
    "40937006": "I-124",
}
_SYMBOL_BY_NAME = {
    "carbon": "C",
    "nitrogen": "N",
    "oxygen": "O",
    "fluorine": "F",
    "sodium": "Na",
    "scandium": "Sc",
    "manganese": "Mn",
    "cobalt": "Co",
    "copper": "Cu",
    "gallium": "Ga",
    "germanium": "Ge",
    "bromine": "Br",
    "rubidium": "Rb",
    "yttrium": "Y",
    "zirconium": "Zr",
    "technetium": "Tc",
    "indium": "In",
    "iodine": "I",
    "terbium": "Tb",
    "lutetium": "Lu",
}


# What pydicom raises for a value that is not what its representation says; the one before the
# last for a representation that no standard knows.
_UNREADABLE = (
    BytesLengthException,
    ValueError,
    TypeError,
    OverflowError,
    NotImplementedError,
    OSError,
)


class HeaderError(ValueError):
    """A data set that lacks what every image of its kind must have."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A DICOM date-time: local clock, and its offset from UTC when the file gives one."""

    local: datetime
    utc_offset: int | None = None

    def in_zone(self, utc_offset: int | None) -> datetime:
        """Clock reading in a zone, in seconds from UTC; unchanged unless both zones are known."""
        if self.utc_offset is None or utc_offset is None:
            return self.local
        return self.local + timedelta(seconds=utc_offset - self.utc_offset)

    def to_json(self) -> dict[str, Json]:
        return {"local": self.local.isoformat(), "utc_offset": self.utc_offset}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        return cls(datetime.fromisoformat(value["local"]), value["utc_offset"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiopharmaceutical:
    """One item of the Radiopharmaceutical Information Sequence (0054,0016).

    `total_dose` is Radionuclide Total Dose (0018,1074) as written: Bq in the PET IOD.
    `half_life` is Radionuclide Half Life (0018,1075) in s.
    """

    name: str
    code_value: str
    code_scheme: str
    code_meaning: str
    total_dose: float | None
    half_life: float | None
    start_time: time | None
    start_datetime: Instant | None

    @property
    def nuclide(self) -> str | None:
        """Nuclide as "F-18": from the code, else from the spelling of its meaning."""
        return nuclide_of(self.code_value, self.code_meaning)

    def to_json(self) -> dict[str, Json]:
        return {f.name: _encoded(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        return cls(**_decoded(value, _RADIOPHARMACEUTICAL_READERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHeader:
    """One object that is no slice, such as regions drawn on slices: which it is, and when made.

    `unreadable` names the keywords whose value was present and could not be understood.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    transfer_syntax_uid: str
    modality: str
    manufacturer: str
    model: str
    instance_number: int | None
    number_of_frames: int
    series_date: date | None
    series_time: time | None
    unreadable: tuple[str, ...]
    # Not in records of an earlier release: what others look a study and a series up by.
    study_date: date | None = None
    study_time: time | None = None
    series_number: int | None = None
    series_description: str = ""
    study_description: str = ""

    def to_json(self) -> dict[str, Json]:
        """The record as JSON values; numbers keep every digit."""
        return {f.name: _encoded(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """The record that `to_json` wrote."""
        return cls(**_decoded(value, _READERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceHeader(ObjectHeader):
    """One single-frame slice: identity, place and how its stored values become numbers.

    `position` is Image Position (Patient) in mm, `orientation` the direction cosines of a
    row and of a column, `pixel_spacing` in mm between rows and between columns.
    """

    image_type: tuple[str, ...]
    position: tuple[float, float, float] | None
    orientation: tuple[float, float, float, float, float, float] | None
    pixel_spacing: tuple[float, float] | None
    slice_thickness: float | None
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    photometric_interpretation: str
    rescale_slope: float | None
    rescale_intercept: float | None
    acquisition_date: date | None
    acquisition_time: time | None
    utc_offset: int | None
    # Not in records of an earlier release: what tells two acquisitions, reconstructions or frames
    # under one UID apart. The kernel is empty where there is none, and None in such a record.
    acquisition_number: int | None = None
    convolution_kernel: tuple[str, ...] | None = None
    trigger_time: float | None = None
    temporal_position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PetHeader(SliceHeader):
    """One PET slice: what its pixel values mean, and when.

    Times and factors are as written, in the unit of the standard: `frame_reference_time`
    and `actual_frame_duration` in ms, `patient_weight` in kg, `patient_size` in m.
    `vendor_scan_time` is the private start of scan (GE, Siemens), the two `philips_` values
    are g/mL per count and Bq/mL per count; all found through their private creator.
    """

    units: str
    suv_type: str
    corrected_image: tuple[str, ...]
    decay_correction: str
    series_type: tuple[str, ...]
    number_of_slices: int | None
    frame_reference_time: float | None
    actual_frame_duration: float | None
    decay_factor: float | None
    decay_correction_datetime: Instant | None
    vendor_scan_time: Instant | None
    philips_suv_factor: float | None
    philips_activity_factor: float | None
    patient_weight: float | None
    patient_size: float | None
    patient_sex: str
    radiopharmaceuticals: tuple[Radiopharmaceutical, ...]
    # Not in records of an earlier release.
    reconstruction_method: str = ""
    attenuation_correction_method: str = ""


def header_of(ds: Dataset) -> ObjectHeader:
    """Record of a data set of any kind that is accepted, as its modality has it."""
    modality = _Reader(ds).text("Modality")
    if modality == "PT":
        return pet_header(ds)
    return slice_header(ds) if modality == "CT" else object_header(ds)


def object_header(ds: Dataset) -> ObjectHeader:
    """Record of an object that is no slice.

    Raises
    ------
    HeaderError
        If the data set has no identity.
    """
    reader = _Reader(ds)
    return ObjectHeader(**_object_fields(reader), unreadable=tuple(reader.unreadable))


def slice_header(ds: Dataset) -> SliceHeader:
    """Record of one slice of any modality with a position, such as CT.

    Raises
    ------
    HeaderError
        If the data set has no identity or no pixel matrix.
    """
    reader = _Reader(ds)
    return SliceHeader(**_slice_fields(reader), unreadable=tuple(reader.unreadable))


def pet_header(ds: Dataset) -> PetHeader:
    """Record of one PET slice.

    Parameters
    ----------
    ds : Dataset
        A data set of the PET Image IOD; its pixel data are not touched.

    Raises
    ------
    HeaderError
        If the data set is not of modality PT, or as `slice_header`.
    """
    reader = _Reader(ds)
    if reader.text("Modality") != "PT":
        raise HeaderError(f"Modality (0008,0060) must be PT, got {reader.text('Modality')!r}")
    values = _slice_fields(reader) | _pet_fields(reader)
    reader.note_orphans(0x7053, (0x00, 0x09))
    return PetHeader(**values, unreadable=tuple(reader.unreadable))


def nuclide_of(code_value: str, code_meaning: str) -> str | None:
    """Nuclide from a code of CID 4020, else from the spelling of its meaning."""
    return _NUCLIDE_BY_CODE.get(code_value) or nuclide_from_text(code_meaning)


def nuclide_from_text(text: str) -> str | None:
    """Nuclide from any spelling that names element and mass number, else None.

    >>> [nuclide_from_text(t) for t in ("^18^Fluorine", "F^18^[^18^Fluorine]", "68Ga", "FDG")]
    ['F-18', 'F-18', 'Ga-68', None]
    """
    plain = re.sub(r"[\^-]", "", text)
    found = {
        nuclide
        for pattern in (
            r"(?P<mass>\d+m?)(?P<name>[A-Za-z]+)",
            r"(?P<name>[A-Za-z]+)(?P<mass>\d+m?)",
        )
        for match in re.finditer(pattern, plain)
        if (nuclide := _nuclide(match["name"], match["mass"])) is not None
    }
    return found.pop() if len(found) == 1 else None


def _nuclide(name: str, mass: str) -> str | None:
    candidate = f"{_SYMBOL_BY_NAME.get(name.lower(), name)}-{mass}"
    return candidate if candidate in HALF_LIFE else None


# The slices of a series repeat each other but for a few values, so what bytes mean is worked out
# once. As many values are kept, none of more bytes: a megabyte, whatever a file holds.
_KEPT = _LONGEST_KEPT = 1024


@lru_cache(_KEPT)
def _meaning(
    read: Callable[[Any], T],
    tag: int,
    representation: str | None,
    value: bytes,
    is_implicit: bool,
    is_little_endian: bool,
    charset: tuple[str, ...],
) -> tuple[T | None, bool]:
    """What the bytes of an element mean, and whether they could be understood."""
    raw = RawDataElement(
        BaseTag(tag), representation, len(value), value, 0, is_implicit, is_little_endian
    )
    return _attempt(read, lambda: convert_raw_data_element(raw, encoding=list(charset)))


def _meaning_of_items(ds: Dataset, tag: int, read: Callable[[Any], T]) -> tuple[T | None, bool]:
    """As `_meaning`, of a sequence that was read item by item."""
    return _attempt(read, lambda: ds[tag])


def _attempt(read: Callable[[Any], T], element: Callable[[], DataElement]) -> tuple[T | None, bool]:
    # pydicom converts at first access, and raises these for text that is no number, for
    # bytes that do not divide into numbers, and for a sequence that is none.
    try:
        return read(element().value), True
    except _UNREADABLE:
        return None, False


class _Reader:
    """Typed access to a data set that remembers what it could not understand."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.unreadable: list[str] = []
        # By plain numbers, and not yet converted: pydicom's tags are slow to compare.
        self._elements = as_read(ds)
        charset = ds.original_character_set or default_encoding
        self._charset = (charset,) if isinstance(charset, str) else tuple(charset)

    def text(self, keyword: str) -> str:
        return self._public(keyword, _plain) or ""

    def texts(self, keyword: str) -> tuple[str, ...]:
        return self._public(keyword, _texts) or ()

    def number(self, keyword: str) -> float | None:
        return self._public(keyword, _as_number)

    def whole(self, keyword: str) -> int | None:
        value = self.number(keyword)
        return None if value is None else int(value)

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        found = self._public(keyword, _numbers)
        if found and len(found) != count:
            self.unreadable.append(keyword)
            return None
        return found or None

    def date(self, keyword: str) -> date | None:
        return self._public(keyword, _as_date)

    def time(self, keyword: str) -> time | None:
        return self._public(keyword, _as_time)

    def instant(self, keyword: str) -> Instant | None:
        return self._public(keyword, _as_instant)

    def zone(self, keyword: str) -> int | None:
        return self._public(keyword, _as_zone)

    def items(self, keyword: str, read: Callable[[Any], Items[T]]) -> tuple[T, ...]:
        """What was read of each item of a sequence."""
        found, unreadable = self._public(keyword, read) or ((), ())
        self.unreadable += unreadable
        return found

    def private(self, group: int, creator: str, element: int, read: Callable[[Any], T]) -> T | None:
        """Value of a private element, in whichever block its creator reserved."""
        for block in self._blocks_of(group):
            owner = self._read(f"({group:04x},{block:04x})", group << 16 | block, _plain)
            if owner == creator:
                tag = group << 16 | block << 8 | element
                return self._read(f"({group:04x},xx{element:02x})", tag, read)
        return None

    def note_orphans(self, group: int, elements: tuple[int, ...]) -> None:
        """Note private elements as unreadable whose block nobody reserved: they are nobody's."""
        # Block 0 holds the creators, and the length of the group.
        owned = {0, *self._blocks_of(group)}
        self.unreadable += [
            f"({group:04x},{one:04x})"
            for one in self._numbers_in(group)
            if one >> 8 not in owned and one & 0xFF in elements
        ]

    def _blocks_of(self, group: int) -> list[int]:
        """Blocks of a private group that a creator reserved."""
        return [one for one in self._numbers_in(group) if 0x10 <= one <= 0xFF]

    def _numbers_in(self, group: int) -> list[int]:
        """Element numbers of a group."""
        return sorted(tag & 0xFFFF for tag in self._elements if tag >> 16 == group)

    def _public(self, keyword: str, read: Callable[[Any], T]) -> T | None:
        return self._read(keyword, keyword_dict[keyword], read)

    def _read(self, name: str, tag: int, read: Callable[[Any], T]) -> T | None:
        element = self._elements.get(tag)
        if element is None:
            return None
        found, understood = self._meaning(element, tag, read)
        if not understood:
            self.unreadable.append(name)
        return found

    def _meaning(
        self, element: RawDataElement | DataElement, tag: int, read: Callable[[Any], T]
    ) -> tuple[T | None, bool]:
        raw = element if isinstance(element, RawDataElement) else None
        # What a private element is may depend on the others.
        is_private = bool(tag & 0x10000)
        if raw is None and element.VR == "SQ":
            return Elements(self.ds).tell(tag, _meaning_of_items, read)
        if raw is None or not raw.value or len(raw.value) > _LONGEST_KEPT or is_private:
            return _attempt(read, lambda: self.ds[element.tag])
        return _meaning(
            read,
            tag,
            raw.VR,
            raw.value,
            raw.is_implicit_VR,
            raw.is_little_endian,
            self._charset,
        )


def _object_fields(reader: _Reader) -> dict[str, Any]:
    return {
        "sop_class_uid": _required(reader, "SOPClassUID"),
        "sop_instance_uid": _required(reader, "SOPInstanceUID"),
        "series_instance_uid": _required(reader, "SeriesInstanceUID"),
        "study_instance_uid": _required(reader, "StudyInstanceUID"),
        "frame_of_reference_uid": reader.text("FrameOfReferenceUID"),
        "transfer_syntax_uid": _transfer_syntax(reader.ds),
        "modality": reader.text("Modality"),
        "manufacturer": reader.text("Manufacturer"),
        "model": reader.text("ManufacturerModelName"),
        "instance_number": reader.whole("InstanceNumber"),
        "number_of_frames": reader.whole("NumberOfFrames") or 1,
        "study_date": reader.date("StudyDate"),
        "study_time": reader.time("StudyTime"),
        "series_number": reader.whole("SeriesNumber"),
        "series_description": reader.text("SeriesDescription"),
        "study_description": reader.text("StudyDescription"),
        "series_date": reader.date("SeriesDate"),
        "series_time": reader.time("SeriesTime"),
    }


def _slice_fields(reader: _Reader) -> dict[str, Any]:
    return _object_fields(reader) | {
        "image_type": reader.texts("ImageType"),
        "position": reader.numbers("ImagePositionPatient", 3),
        "orientation": reader.numbers("ImageOrientationPatient", 6),
        "pixel_spacing": reader.numbers("PixelSpacing", 2),
        "slice_thickness": reader.number("SliceThickness"),
        **{name: _count(reader, keyword) for name, keyword in _PIXEL_COUNTS.items()},
        "photometric_interpretation": reader.text("PhotometricInterpretation"),
        "rescale_slope": reader.number("RescaleSlope"),
        "rescale_intercept": reader.number("RescaleIntercept"),
        "acquisition_number": reader.whole("AcquisitionNumber"),
        "convolution_kernel": reader.texts("ConvolutionKernel"),
        "trigger_time": reader.number("TriggerTime"),
        "temporal_position": reader.whole("TemporalPositionIdentifier"),
        "acquisition_date": reader.date("AcquisitionDate"),
        "acquisition_time": reader.time("AcquisitionTime"),
        "utc_offset": reader.zone("TimezoneOffsetFromUTC"),
    }


_PIXEL_COUNTS = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "high_bit": "HighBit",
    "pixel_representation": "PixelRepresentation",
}


def _pet_fields(reader: _Reader) -> dict[str, Any]:
    return {
        "units": reader.text("Units"),
        "suv_type": reader.text("SUVType"),
        "corrected_image": reader.texts("CorrectedImage"),
        "decay_correction": reader.text("DecayCorrection"),
        "series_type": reader.texts("SeriesType"),
        "number_of_slices": reader.whole("NumberOfSlices"),
        "frame_reference_time": reader.number("FrameReferenceTime"),
        "actual_frame_duration": reader.number("ActualFrameDuration"),
        "decay_factor": reader.number("DecayFactor"),
        "decay_correction_datetime": reader.instant("DecayCorrectionDateTime"),
        "vendor_scan_time": reader.private(0x0009, "GEMS_PETD_01", 0x0D, _as_instant)
        or reader.private(0x0071, "SIEMENS MED PT", 0x22, _as_instant),
        "philips_suv_factor": reader.private(0x7053, _PHILIPS, 0x00, _as_number),
        "philips_activity_factor": reader.private(0x7053, _PHILIPS, 0x09, _as_number),
        "patient_weight": reader.number("PatientWeight"),
        "patient_size": reader.number("PatientSize"),
        "patient_sex": reader.text("PatientSex"),
        "reconstruction_method": reader.text("ReconstructionMethod"),
        "attenuation_correction_method": reader.text("AttenuationCorrectionMethod"),
        "radiopharmaceuticals": reader.items(
            "RadiopharmaceuticalInformationSequence", _radiopharmaceuticals
        ),
    }


def _radiopharmaceutical(item: _Reader) -> Radiopharmaceutical:
    codes = item.items("RadionuclideCodeSequence", _codes)
    value, scheme, meaning = codes[0] if len(codes) == 1 else ("", "", "")
    return Radiopharmaceutical(
        name=item.text("Radiopharmaceutical"),
        code_value=value,
        code_scheme=scheme,
        code_meaning=meaning,
        total_dose=item.number("RadionuclideTotalDose"),
        half_life=item.number("RadionuclideHalfLife"),
        start_time=item.time("RadiopharmaceuticalStartTime"),
        start_datetime=item.instant("RadiopharmaceuticalStartDateTime"),
    )


def _code(item: _Reader) -> tuple[str, str, str]:
    return item.text("CodeValue"), item.text("CodingSchemeDesignator"), item.text("CodeMeaning")


def _required(reader: _Reader, keyword: str) -> str:
    text = reader.text(keyword)
    if not text:
        raise HeaderError(f"{keyword} is missing or empty")
    return text


def _count(reader: _Reader, keyword: str) -> int:
    value = reader.whole(keyword)
    if value is None or value < 0:
        raise HeaderError(f"{keyword} must be a whole number, got {reader.text(keyword)!r}")
    return value


def _transfer_syntax(ds: Dataset) -> str:
    return str(getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ""))


def _plain(value: Any) -> str:
    """Text of an element's value; private ones may arrive as bytes padded with NUL."""
    if value is None:
        return ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0\t\r\n")


def _texts(value: Any) -> tuple[str, ...]:
    many = value if hasattr(value, "__iter__") and not isinstance(value, (str, bytes)) else [value]
    return tuple(part for text in map(_plain, many) if text for part in text.split("\\"))


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(_number, _texts(value)))


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _date(text: str) -> date | None:
    # Real exports write an unknown date as zeros.
    return None if text == "00000000" else _day(text)


def _day(text: str) -> date:
    # Before 1993 the ACR-NEMA form had dots.
    digits = text.replace(".", "")
    if not re.fullmatch(r"\d{8}", digits):
        raise ValueError
    day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    if not 1850 <= day.year <= 2200:
        raise ValueError
    return day


_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?")
_INSTANT = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)([+-]\d{4})?")


def _time(text: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError
    hour, minute, second, fraction = match.groups()
    micro = round(float(fraction or 0) * 1e6)
    return time(int(hour), int(minute or 0), int(second or 0), micro)


def _instant(text: str) -> Instant:
    """A DT value with at least an hour; a coarser one is no instant."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError
    day, clock, zone = match.groups()
    return Instant(datetime.combine(_day(day), _time(clock)), _zone(zone) if zone else None)


def _zone(text: str) -> int:
    """Seconds from UTC of "+0200".

    >>> _zone("-0330")
    -12600
    """
    match = re.fullmatch(r"([+-])(\d{2})(\d{2})", text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise ValueError
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds


def _of_text(parse: Callable[[str], T], value: Any) -> T | None:
    """A value by its text; nothing where that is empty."""
    text = _plain(value)
    return parse(text) if text else None


_as_number, _as_instant = partial(_of_text, _number), partial(_of_text, _instant)
_as_date, _as_time, _as_zone = (
    partial(_of_text, _date),
    partial(_of_text, _time),
    partial(_of_text, _zone),
)


def _of_items(record: Callable[[_Reader], T], value: Any) -> Items[T]:
    """The items of a sequence, each as a record."""
    if value and not isinstance(value, Sequence):
        raise TypeError
    readers = [_Reader(item) for item in value or ()]
    records = tuple(map(record, readers))
    return records, tuple(keyword for one in readers for keyword in one.unreadable)


_codes, _radiopharmaceuticals = partial(_of_items, _code), partial(_of_items, _radiopharmaceutical)


def _encoded(value: Any) -> Json:
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_encoded(part) for part in value]
    return value.to_json() if isinstance(value, (Instant, Radiopharmaceutical)) else value


def _decoded(
    value: Mapping[str, Json], readers: Mapping[str, Callable[[Json], Any]]
) -> dict[str, Any]:
    """Keyword arguments of a record; `None` needs no reader."""
    return {
        name: readers[name](part) if name in readers and part is not None else part
        for name, part in value.items()
    }


_RADIOPHARMACEUTICAL_READERS: Mapping[str, Callable[[Json], Any]] = {
    "start_time": time.fromisoformat,
    "start_datetime": Instant.from_json,
}
_READERS: Mapping[str, Callable[[Json], Any]] = {
    "image_type": tuple,
    "convolution_kernel": tuple,
    "position": tuple,
    "orientation": tuple,
    "pixel_spacing": tuple,
    "unreadable": tuple,
    "study_date": date.fromisoformat,
    "study_time": time.fromisoformat,
    "series_date": date.fromisoformat,
    "series_time": time.fromisoformat,
    "acquisition_date": date.fromisoformat,
    "acquisition_time": time.fromisoformat,
    "corrected_image": tuple,
    "series_type": tuple,
    "decay_correction_datetime": Instant.from_json,
    "vendor_scan_time": Instant.from_json,
    "radiopharmaceuticals": lambda items: tuple(map(Radiopharmaceutical.from_json, items)),
}
