"""What one slice of an image series says about itself.

A header is read once, into a frozen record that survives JSON, and everything after works on
records: geometry, standardized uptake values and pixels never see a DICOM data set again.

The mistake to fear is the silent default. A value that is missing, empty, zero where zero
means "not entered", or unreadable stays None here, and the keyword of an unreadable one is
listed; who needs it must refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, time
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Self

from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset

from imaging.ct_dose import dose_report
from imaging.header_elements import ElementReader, of_items
from imaging.header_values import Instant, Json, as_instant, as_number
from imaging.meanings import as_read
from imaging.nuclides import nuclide_of

_PHILIPS = "Philips PET Private Group"


class HeaderError(ValueError):
    """A data set that lacks what every image of its kind must have."""


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
    # Of a CT: Volume CTDI in mGy, its phantom by code, and which irradiation it was.
    ctdi_vol: float | None = None
    ctdi_phantom: str = ""
    irradiation_event: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseReportHeader(ObjectHeader):
    """One dose report of a CT: its dose-length product in mGy cm, and the region if it has one."""

    dlp_mgy_cm: float
    region: str


def header_of(ds: Dataset) -> ObjectHeader:
    """Record of a data set of any kind that is accepted, as its modality has it."""
    modality = ElementReader(ds).text("Modality")
    if modality == "PT":
        return pet_header(ds)
    if modality == "SR":
        return dose_report_header(ds)
    return slice_header(ds) if modality == "CT" else object_header(ds)


def object_header(ds: Dataset) -> ObjectHeader:
    """Record of an object that is no slice.

    Raises
    ------
    HeaderError
        If the data set has no identity.
    """
    reader = ElementReader(ds)
    return ObjectHeader(**_object_fields(reader), unreadable=tuple(reader.unreadable))


def dose_report_header(ds: Dataset) -> DoseReportHeader:
    """Record of a dose report.

    Raises
    ------
    HeaderError, DoseError
        If the data set has no identity, or no dose-length product of a CT.
    """
    reader, found = ElementReader(ds), dose_report(ds)
    return DoseReportHeader(
        **_object_fields(reader),
        unreadable=tuple(reader.unreadable),
        dlp_mgy_cm=found.dlp_mgy_cm,
        region=found.region,
    )


def slice_header(ds: Dataset) -> SliceHeader:
    """Record of one slice of any modality with a position, such as CT.

    Raises
    ------
    HeaderError
        If the data set has no identity or no pixel matrix.
    """
    reader = ElementReader(ds)
    values = _slice_fields(reader) | _ct_fields(reader)
    return SliceHeader(**values, unreadable=tuple(reader.unreadable))


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
    reader = ElementReader(ds)
    if reader.text("Modality") != "PT":
        raise HeaderError(f"Modality (0008,0060) must be PT, got {reader.text('Modality')!r}")
    values = _slice_fields(reader) | _pet_fields(reader)
    reader.note_orphans(0x7053, (0x00, 0x09))
    return PetHeader(**values, unreadable=tuple(reader.unreadable))


def _required(reader: ElementReader, keyword: str) -> str:
    text = reader.text(keyword)
    if not text:
        raise HeaderError(f"{keyword} is missing or empty")
    return text


def _count(reader: ElementReader, keyword: str) -> int:
    value = reader.whole(keyword)
    if value is None or value < 0:
        raise HeaderError(f"{keyword} must be a whole number, got {reader.text(keyword)!r}")
    return value


def _frames(reader: ElementReader, keyword: str) -> int:
    return reader.whole(keyword) or 1


def _of_count(count: int) -> Callable[[ElementReader, str], tuple[float, ...] | None]:
    def read(reader: ElementReader, keyword: str) -> tuple[float, ...] | None:
        return reader.numbers(keyword, count)

    return read


# What a field of a record is read of, and how.
Field = tuple[str, Callable[[ElementReader, str], Any]]
_text, _whole = ElementReader.text, ElementReader.whole
_OF_OBJECTS: Mapping[str, Field] = MappingProxyType(
    {
        "sop_class_uid": ("SOPClassUID", _required),
        "sop_instance_uid": ("SOPInstanceUID", _required),
        "series_instance_uid": ("SeriesInstanceUID", _required),
        "study_instance_uid": ("StudyInstanceUID", _required),
        "frame_of_reference_uid": ("FrameOfReferenceUID", _text),
        "modality": ("Modality", _text),
        "manufacturer": ("Manufacturer", _text),
        "model": ("ManufacturerModelName", _text),
        "instance_number": ("InstanceNumber", _whole),
        "number_of_frames": ("NumberOfFrames", _frames),
        "study_date": ("StudyDate", ElementReader.date),
        "study_time": ("StudyTime", ElementReader.time),
        "series_number": ("SeriesNumber", _whole),
        "series_description": ("SeriesDescription", _text),
        "study_description": ("StudyDescription", _text),
        "series_date": ("SeriesDate", ElementReader.date),
        "series_time": ("SeriesTime", ElementReader.time),
    }
)
_OF_SLICES: Mapping[str, Field] = MappingProxyType(
    {
        "image_type": ("ImageType", ElementReader.texts),
        "position": ("ImagePositionPatient", _of_count(3)),
        "orientation": ("ImageOrientationPatient", _of_count(6)),
        "pixel_spacing": ("PixelSpacing", _of_count(2)),
        "slice_thickness": ("SliceThickness", ElementReader.number),
        "rows": ("Rows", _count),
        "columns": ("Columns", _count),
        "samples_per_pixel": ("SamplesPerPixel", _count),
        "bits_allocated": ("BitsAllocated", _count),
        "bits_stored": ("BitsStored", _count),
        "high_bit": ("HighBit", _count),
        "pixel_representation": ("PixelRepresentation", _count),
        "photometric_interpretation": ("PhotometricInterpretation", _text),
        "rescale_slope": ("RescaleSlope", ElementReader.number),
        "rescale_intercept": ("RescaleIntercept", ElementReader.number),
        "acquisition_number": ("AcquisitionNumber", _whole),
        "convolution_kernel": ("ConvolutionKernel", ElementReader.texts),
        "trigger_time": ("TriggerTime", ElementReader.number),
        "temporal_position": ("TemporalPositionIdentifier", _whole),
        "acquisition_date": ("AcquisitionDate", ElementReader.date),
        "acquisition_time": ("AcquisitionTime", ElementReader.time),
        "utc_offset": ("TimezoneOffsetFromUTC", ElementReader.zone),
    }
)
_OF_CT: Mapping[str, Field] = MappingProxyType(
    {
        "ctdi_vol": ("CTDIvol", ElementReader.number),
        "irradiation_event": ("IrradiationEventUID", _text),
    }
)
_OF_PET: Mapping[str, Field] = MappingProxyType(
    {
        "units": ("Units", _text),
        "suv_type": ("SUVType", _text),
        "corrected_image": ("CorrectedImage", ElementReader.texts),
        "decay_correction": ("DecayCorrection", _text),
        "series_type": ("SeriesType", ElementReader.texts),
        "number_of_slices": ("NumberOfSlices", _whole),
        "frame_reference_time": ("FrameReferenceTime", ElementReader.number),
        "actual_frame_duration": ("ActualFrameDuration", ElementReader.number),
        "decay_factor": ("DecayFactor", ElementReader.number),
        "decay_correction_datetime": ("DecayCorrectionDateTime", ElementReader.instant),
        "patient_weight": ("PatientWeight", ElementReader.number),
        "patient_size": ("PatientSize", ElementReader.number),
        "patient_sex": ("PatientSex", _text),
        "reconstruction_method": ("ReconstructionMethod", _text),
        "attenuation_correction_method": ("AttenuationCorrectionMethod", _text),
    }
)


def _fields(reader: ElementReader, *tables: Mapping[str, Field]) -> dict[str, Any]:
    return {
        name: read(reader, keyword) for table in tables for name, (keyword, read) in table.items()
    }


def _object_fields(reader: ElementReader) -> dict[str, Any]:
    syntax = {"transfer_syntax_uid": _transfer_syntax(reader.ds)}
    return _fields(reader, _OF_OBJECTS) | syntax


def _slice_fields(reader: ElementReader) -> dict[str, Any]:
    return _object_fields(reader) | _fields(reader, _OF_SLICES)


def _ct_fields(reader: ElementReader) -> dict[str, Any]:
    phantoms = reader.items("CTDIPhantomTypeCodeSequence", _codes)
    return _fields(reader, _OF_CT) | {
        "ctdi_phantom": phantoms[0][0] if len(phantoms) == 1 else "",
    }


def _pet_fields(reader: ElementReader) -> dict[str, Any]:
    return _fields(reader, _OF_PET) | {
        "vendor_scan_time": reader.private(0x0009, "GEMS_PETD_01", 0x0D, as_instant)
        or reader.private(0x0071, "SIEMENS MED PT", 0x22, as_instant),
        "philips_suv_factor": reader.private(0x7053, _PHILIPS, 0x00, as_number),
        "philips_activity_factor": reader.private(0x7053, _PHILIPS, 0x09, as_number),
        "radiopharmaceuticals": reader.items(
            "RadiopharmaceuticalInformationSequence", _radiopharmaceuticals
        ),
    }


# What a header of these modalities has of an image, and the groups where it looks for more.
SLICES = frozenset({"PT", "CT"})
PRIVATE_GROUPS = frozenset({0x0009, 0x0071, 0x7053})


def fields_at(ds: Dataset, modality: str) -> dict[str, Json] | None:
    """The fields, as JSON values, that a slice's record has of the elements of `ds`.

    Of each one element alone. None where one can't be understood.

    Raises
    ------
    HeaderError
        As `header_of`.
    """
    reader, known = ElementReader(ds), _fields_by_tag(modality)
    found = {
        name: _encoded(read(reader, keyword))
        for tag in as_read(ds)
        for name, keyword, read in known.get(tag, ())
    }
    return None if reader.unreadable else found


@lru_cache(len(SLICES))
def _fields_by_tag(
    modality: str,
) -> Mapping[int, tuple[tuple[str, str, Callable[[ElementReader, str], Any]], ...]]:
    found: dict[int, tuple[tuple[str, str, Callable[[ElementReader, str], Any]], ...]] = {}
    for table in (_OF_OBJECTS, _OF_SLICES, _OF_PET if modality == "PT" else _OF_CT):
        for name, (keyword, read) in table.items():
            tag = keyword_dict[keyword]
            found[tag] = (*found.get(tag, ()), (name, keyword, read))
    return MappingProxyType(found)


def _radiopharmaceutical(item: ElementReader) -> Radiopharmaceutical:
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


def _code(item: ElementReader) -> tuple[str, str, str]:
    return item.text("CodeValue"), item.text("CodingSchemeDesignator"), item.text("CodeMeaning")


def _transfer_syntax(ds: Dataset) -> str:
    return str(getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ""))


_codes, _radiopharmaceuticals = partial(of_items, _code), partial(of_items, _radiopharmaceutical)


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
