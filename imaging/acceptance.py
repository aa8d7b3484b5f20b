"""Which files may enter: rules on one parsed image, each with a code and what to do.

That a file parses says little: of 584 deliberately malformed files a tolerant reader took
564. So these rules decide, and each answers accepted; quarantined, where a person must look;
or rejected. Their sentences name attributes, never values: a value may be a patient's name.

The mistake to fear is accepting what a later step can't read. Pixel data are accepted only
in encodings that need no foreign decoder and whose length is exactly what the matrix says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    CTImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedPETImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    RTStructureSetStorage,
    SegmentationStorage,
    XRayRadiationDoseSRStorage,
)

from imaging import contours, ct_dose, identity, segments
from imaging.elements import DEEPEST, MOST_ELEMENTS, MOST_OF_REGIONS, Excess
from imaging.image_types import is_picture
from imaging.meanings import Elements
from imaging.pixels import pixel_data

ACCEPTED, QUARANTINED, REJECTED = "accepted", "quarantined", "rejected"

MODALITIES: Mapping[str, str] = MappingProxyType(
    {
        PositronEmissionTomographyImageStorage: "PT",
        CTImageStorage: "CT",
        RTStructureSetStorage: "RTSTRUCT",
        SegmentationStorage: "SEG",
        XRayRadiationDoseSRStorage: "SR",
    }
)
# What holds regions that were drawn on images, and how they are read.
REGIONS: Mapping[str, Callable[[Dataset], contours.StructureSet | segments.Segmentation]] = (
    MappingProxyType(
        {
            RTStructureSetStorage: contours.structure_set,
            SegmentationStorage: segments.segmentation,
        }
    )
)
# What is no picture, and what tells whether it can be read.
READERS: Mapping[str, Callable[[Dataset], object]] = MappingProxyType(
    {**REGIONS, XRayRadiationDoseSRStorage: ct_dose.dose_report}
)
ENHANCED_PET = frozenset({EnhancedPETImageStorage, LegacyConvertedEnhancedPETImageStorage})
NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
READABLE = NATIVE | {RLELossless}
LARGEST_MATRIX = 4096
# Run lengths never become twice what they stand for (PS3.5 annex G), and may become a
# sixty-fourth: what is longer than this unpacks to memory that the image does not need.
RUN_LENGTH_HEADERS = 2**12
LONGEST_PATIENT_ID = 64
_UID = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a file, why, and what identifies it. `code` is stable."""

    verdict: str
    code: str = ""
    message: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules look at. A whole number that is missing or no number is None."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    file_sop_instance_uid: str
    file_sop_class_uid: str
    patient_id: str
    patient_sex: str
    modality: str
    image_type: tuple[str, ...]
    burned_in: str
    is_converted: bool
    number_of_frames: str
    rows: int | None
    columns: int | None
    samples_per_pixel: int | None
    bits_allocated: int | None
    bits_stored: int | None
    high_bit: int | None
    pixel_representation: int | None
    photometric_interpretation: str
    has_native_pixels: bool
    pixel_bytes: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A verdict that falls where `applies` is true."""

    verdict: str
    code: str
    message: str
    applies: Callable[[Facts], bool]


def verdict_on_encoding(transfer_syntax: str) -> Verdict | None:
    """The refusal of a Transfer Syntax UID (0002,0010), before anything is unpacked, or None.

    >>> verdict_on_encoding("1.2.840.10008.1.2.1") is None
    True
    >>> verdict_on_encoding("1.2.840.10008.1.2.1.99").code
    'transfer-syntax-unsupported'
    """
    if transfer_syntax in READABLE:
        return None
    return rejected(
        "transfer-syntax-unsupported",
        "The image is compressed or encoded in a way that is not read here. Export it again "
        "uncompressed (Explicit VR Little Endian) or with RLE compression.",
    )


def verdict_on(ds: Dataset) -> Verdict:
    """Verdict on a parsed image whose encoding has passed.

    Parameters
    ----------
    ds : Dataset
        With its file meta information.

    Returns
    -------
    Verdict
        Of the first rule that applies; refusals come before doubts. `facts` hold what tells
        images, series, studies and patients apart, with those of `identity.facts_of`, and only of
        a file that is not rejected.
    """
    facts = facts_of(ds)
    for rule in RULES if facts.sop_class_uid not in READERS else RULES_OF_ALL:
        if rule.applies(facts):
            known = {} if rule.verdict == REJECTED else _identity(facts) | identity.facts_of(ds)
            return Verdict(rule.verdict, rule.code, rule.message, known)
    if facts.sop_class_uid in READERS:
        try:
            READERS[facts.sop_class_uid](ds)
        except (contours.RegionError, ct_dose.DoseError) as error:
            return rejected(error.code, error.message)
    return Verdict(ACCEPTED, facts=_identity(facts) | identity.facts_of(ds))


def most_elements(sop_class_uid: str) -> int:
    """How many elements and items a file may have that says it is of this class."""
    return MOST_OF_REGIONS if sop_class_uid in REGIONS else MOST_ELEMENTS


def rejected(code: str, message: str) -> Verdict:
    return Verdict(REJECTED, code, message)


NOT_DICOM = rejected(
    "not-dicom",
    "This is not a DICOM file: the letters DICM are missing after the preamble. Send the "
    "image files as the scanner or archive exports them.",
)
NOT_READABLE = rejected(
    "not-readable",
    "The file is cut off or damaged and could not be read to its end. Export it again from "
    "the scanner or archive.",
)
TOO_MUCH: Mapping[Excess, Verdict] = MappingProxyType(
    {
        Excess.ELEMENTS: rejected(
            "too-many-elements",
            f"The header has more than {MOST_ELEMENTS:,} elements and items, which no scanner "
            f"writes, or {MOST_OF_REGIONS:,} in regions drawn on images. Export the image again "
            "from the scanner or archive, or the regions of the lesions alone.",
        ),
        Excess.DEPTH: rejected(
            "nested-too-deep",
            f"The header has sequences nested more than {DEEPEST} deep, which no scanner writes. "
            "Export the image again from the scanner or archive.",
        ),
        Excess.LENGTH: rejected(
            "value-too-long",
            "An attribute of the header is many times longer than DICOM allows or any scanner "
            "writes. Export the image again from the scanner or archive.",
        ),
    }
)
NOT_DEIDENTIFIABLE = rejected(
    "not-deidentifiable",
    "Something that names the patient or the site stands in what a measurement needs: in the "
    "pixels, or in an attribute that describes the machine. Have it removed there and export the "
    "image again.",
)


def facts_of(ds: Dataset) -> Facts:
    """What the rules look at, read from `ds`."""
    elements, meta = Elements(ds), ds.file_meta
    whole: dict[str, Any] = {n: elements.read(keyword, _whole) for n, keyword in _WHOLE.items()}
    text: dict[str, Any] = {n: elements.read(keyword, _text) for n, keyword in _TEXT.items()}
    pixels = pixel_data(elements)
    return Facts(
        file_sop_instance_uid=_text(meta, "MediaStorageSOPInstanceUID"),
        file_sop_class_uid=_text(meta, "MediaStorageSOPClassUID"),
        image_type=tuple(p.upper() for p in elements.read("ImageType", _text).split("\\")),
        is_converted="ConversionType" in ds,
        has_native_pixels=meta.TransferSyntaxUID in NATIVE,
        pixel_bytes=len(pixels) if isinstance(pixels, bytes) else None,
        **whole,
        **text,
    )


_WHOLE = {
    "rows": "Rows",
    "columns": "Columns",
    "samples_per_pixel": "SamplesPerPixel",
    "bits_allocated": "BitsAllocated",
    "bits_stored": "BitsStored",
    "high_bit": "HighBit",
    "pixel_representation": "PixelRepresentation",
}
_TEXT = {
    "sop_class_uid": "SOPClassUID",
    "sop_instance_uid": "SOPInstanceUID",
    "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
    "frame_of_reference_uid": "FrameOfReferenceUID",
    "patient_id": "PatientID",
    "patient_sex": "PatientSex",
    "modality": "Modality",
    "burned_in": "BurnedInAnnotation",
    "number_of_frames": "NumberOfFrames",
    "photometric_interpretation": "PhotometricInterpretation",
}


# All that the rules look at, but for Pixel Data.
CONSULTED = (*_WHOLE.values(), *_TEXT.values(), "ImageType", "ConversionType")


def _text(ds: Dataset, keyword: str) -> str:
    value: Any = ds.get(keyword)
    if value is None:
        return ""
    many = value if isinstance(value, MultiValue) else [value]
    return "\\".join(str(part) for part in many).strip(" \0")


def _whole(ds: Dataset, keyword: str) -> int | None:
    text = _text(ds, keyword)
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else None


def _identity(facts: Facts) -> dict[str, str]:
    return {
        "sop_instance_uid": facts.sop_instance_uid,
        "series_instance_uid": facts.series_instance_uid,
        "study_instance_uid": facts.study_instance_uid,
        "patient_id": facts.patient_id,
        "patient_sex": facts.patient_sex if facts.patient_sex in {"F", "M", "O"} else "",
        "modality": facts.modality,
    }


def is_uid(text: str) -> bool:
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def _has_bad_uid(facts: Facts) -> bool:
    needed = (facts.sop_instance_uid, facts.series_instance_uid, facts.study_instance_uid)
    optional = (facts.frame_of_reference_uid,) if facts.frame_of_reference_uid else ()
    return not all(map(is_uid, (*needed, *optional)))


def _contradicts_its_envelope(facts: Facts) -> bool:
    inside = (facts.sop_instance_uid, facts.sop_class_uid)
    outside = (facts.file_sop_instance_uid, facts.file_sop_class_uid)
    return any(b not in {"", a} for a, b in zip(inside, outside, strict=True))


def _has_no_matrix(facts: Facts) -> bool:
    sizes = (facts.rows, facts.columns)
    return not all(size is not None and 1 <= size <= LARGEST_MATRIX for size in sizes)


def _has_odd_pixels(facts: Facts) -> bool:
    stored = facts.bits_stored or 0
    return (
        facts.samples_per_pixel != 1
        or facts.photometric_interpretation not in {"MONOCHROME1", "MONOCHROME2"}
        or facts.bits_allocated not in {8, 16, 32}
        or not 1 <= stored <= facts.bits_allocated
        or facts.high_bit != stored - 1
        or facts.pixel_representation not in {0, 1}
    )


def _has_wrong_length(facts: Facts) -> bool:
    expected = (facts.rows or 0) * (facts.columns or 0) * (facts.bits_allocated or 0) // 8
    if not facts.has_native_pixels:
        return (facts.pixel_bytes or 0) > 2 * expected + RUN_LENGTH_HEADERS
    # An odd length is padded by one byte.
    return facts.pixel_bytes != expected + expected % 2


def _is_a_picture(facts: Facts) -> bool:
    """PET and CT slices are PRIMARY; DERIVED alone a processed series carries too."""
    return (
        facts.is_converted or "SECONDARY" in facts.image_type[1:2] or is_picture(facts.image_type)
    )


RULES_OF_ALL: tuple[Rule, ...] = (
    Rule(
        REJECTED,
        "enhanced-pet-unsupported",
        "This is an Enhanced PET image, all slices in one file, which is not read yet. Export "
        "the series as one file per slice (PET Image Storage).",
        lambda f: f.sop_class_uid in ENHANCED_PET,
    ),
    Rule(
        REJECTED,
        "sop-class-unsupported",
        "SOP Class UID (0008,0016) must be PET Image Storage, CT Image Storage, RT Structure Set "
        "Storage, Segmentation Storage or X-Ray Radiation Dose SR Storage. Screenshots, other "
        "reports, and enhanced multi-frame images are not read; send the original slices.",
        lambda f: f.sop_class_uid not in MODALITIES,
    ),
    Rule(
        REJECTED,
        "modality-contradicts",
        "Modality (0008,0060) must be PT for a PET image, CT for a CT image, RTSTRUCT for a "
        "structure set, SEG for a segmentation and SR for a dose report. Export it again from the "
        "scanner or the program that drew it.",
        lambda f: f.modality != MODALITIES[f.sop_class_uid],
    ),
    Rule(
        REJECTED,
        "uid-invalid",
        "SOP Instance, Series Instance, Study Instance or Frame of Reference UID is missing or "
        "is no UID of digits and dots, at most 64 long. Export the image again.",
        _has_bad_uid,
    ),
    Rule(
        REJECTED,
        "file-meta-contradicts",
        "The SOP UIDs in the file meta information differ from those of the image. Export the "
        "image again with a program that writes both.",
        _contradicts_its_envelope,
    ),
    Rule(
        REJECTED,
        "patient-id-too-long",
        f"Patient ID (0010,0020) has more than {LONGEST_PATIENT_ID} characters, which DICOM "
        "does not allow. Export the image again.",
        lambda f: len(f.patient_id) > LONGEST_PATIENT_ID,
    ),
)
RULES: tuple[Rule, ...] = (
    *RULES_OF_ALL,
    Rule(
        REJECTED,
        "multi-frame",
        "Number of Frames (0028,0008) must be 1 or absent. Export the series as one file per "
        "slice.",
        lambda f: f.number_of_frames not in {"", "1"},
    ),
    Rule(
        REJECTED,
        "dimensions-implausible",
        f"Rows and Columns must be whole numbers from 1 to {LARGEST_MATRIX}. Export the image "
        "again from the scanner.",
        _has_no_matrix,
    ),
    Rule(
        REJECTED,
        "pixel-format-unsupported",
        "Pixels must be single grey values of 8, 16 or 32 bits whose High Bit is Bits Stored "
        "minus one. Colour images are screenshots; send the original slices.",
        _has_odd_pixels,
    ),
    Rule(
        REJECTED,
        "no-pixel-data",
        "The file has no Pixel Data (7FE0,0010), or they are empty. Send the image, not its "
        "header alone.",
        lambda f: not f.pixel_bytes,
    ),
    Rule(
        REJECTED,
        "pixel-data-length",
        "Pixel Data have another length than rows, columns and bits say: the file is cut off "
        "or encoded otherwise than it claims. Export the image again.",
        _has_wrong_length,
    ),
    Rule(
        QUARANTINED,
        "burned-in-annotation",
        "Burned In Annotation (0028,0301) says that the pixels carry text. A person must look "
        "whether it identifies the patient; better send the series without annotation.",
        lambda f: f.burned_in not in {"", "NO"},
    ),
    Rule(
        QUARANTINED,
        "derived-image",
        "Image Type (0008,0008) says that the picture was made from other images, or it was "
        "converted; such pictures may carry text. A person must look; better send the "
        "original slices.",
        _is_a_picture,
    ),
)
