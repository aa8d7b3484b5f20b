"""What may enter, and the name of every refusal."""

from __future__ import annotations

import pytest
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from imaging.acceptance import RULES, RUN_LENGTH_HEADERS, facts_of, verdict_on, verdict_on_encoding
from tests.imaging import drawings

NAME = "ZZCANARY^NAME"


@pytest.fixture
def image(dataset):
    """The ordinary slice with its 4 x 5 pixels of 16 bits, and a patient."""
    dataset.PixelData = bytes(40)
    dataset.PatientName, dataset.PatientID = NAME, "MRN-0815"
    return dataset


def test_ordinary_slice_is_accepted_with_what_identifies_it(image):
    verdict = verdict_on(image)
    assert (verdict.verdict, verdict.code) == ("accepted", "")
    assert verdict.facts == {
        "sop_instance_uid": "1.2.3.4",
        "series_instance_uid": "1.2.3",
        "study_instance_uid": "1.2",
        "patient_id": "MRN-0815",
        "patient_sex": "F",
        "modality": "PT",
        "age_years": "",
        "weight_kg": "70",
        "study_date": "2026-03-01",
        "nuclide": "F-18",
        "tracer": "FDG",
        "identity_removed": "",
        "is_named": "yes",
    }


@pytest.mark.requirement("R74")
@pytest.mark.parametrize(
    "syntax",
    [DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, MPEG2MPML, UID("1.2.3"), ""],
)
def test_encodings_that_need_a_foreign_decoder_are_refused(syntax):
    assert verdict_on_encoding(syntax).code == "transfer-syntax-unsupported"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_native_and_run_length_encodings_pass(syntax):
    assert verdict_on_encoding(syntax) is None


REJECTED = [
    ("sop-class-unsupported", "SOPClassUID", SecondaryCaptureImageStorage),
    ("enhanced-pet-unsupported", "SOPClassUID", EnhancedPETImageStorage),
    ("sop-class-unsupported", "SOPClassUID", EncapsulatedPDFStorage),
    ("modality-contradicts", "Modality", "CT"),
    ("uid-invalid", "SOPInstanceUID", "../../etc/passwd"),
    ("uid-invalid", "SeriesInstanceUID", "1." + "2" * 63),
    ("uid-invalid", "StudyInstanceUID", ""),
    ("uid-invalid", "FrameOfReferenceUID", "1..2"),
    ("patient-id-too-long", "PatientID", "9" * 65),
    ("multi-frame", "NumberOfFrames", "2"),
    ("multi-frame", "NumberOfFrames", "0"),
    ("dimensions-implausible", "Rows", 0),
    ("dimensions-implausible", "Columns", 65535),
    ("pixel-format-unsupported", "SamplesPerPixel", 3),
    ("pixel-format-unsupported", "PhotometricInterpretation", "RGB"),
    ("pixel-format-unsupported", "BitsAllocated", 24),
    ("pixel-format-unsupported", "BitsStored", 17),
    ("pixel-format-unsupported", "HighBit", 14),
    ("pixel-format-unsupported", "PixelRepresentation", 2),
    ("no-pixel-data", "PixelData", b""),
    ("pixel-data-length", "PixelData", bytes(38)),
    ("pixel-data-length", "PixelData", bytes(42)),
]


@pytest.mark.requirement("R74")
@pytest.mark.requirement("R76")
@pytest.mark.requirement("R77")
@pytest.mark.parametrize(("code", "keyword", "value"), REJECTED)
def test_rejected_by_name(image, code, keyword, value):
    setattr(image, keyword, value)
    verdict = verdict_on(image)
    assert (verdict.verdict, verdict.code, verdict.facts) == ("rejected", code, {})


@pytest.mark.parametrize("keyword", ["Rows", "BitsAllocated", "PixelData", "StudyInstanceUID"])
def test_missing_attribute_is_rejected(image, keyword):
    del image[keyword]
    assert verdict_on(image).verdict == "rejected"


def test_envelope_of_another_image_is_rejected(image):
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3.5"
    assert verdict_on(image).code == "file-meta-contradicts"


@pytest.mark.requirement("R77")
def test_run_lengths_that_become_far_more_than_the_matrix_are_rejected(image):
    image.file_meta.TransferSyntaxUID = RLELossless
    image.PixelData = bytes(2 * 40 + RUN_LENGTH_HEADERS)
    assert verdict_on(image).verdict == "accepted"
    image.PixelData += bytes(1)
    assert verdict_on(image).code == "pixel-data-length"


def test_odd_number_of_pixel_bytes_is_padded_by_one(image):
    image.Rows, image.Columns, image.PixelData = 3, 3, bytes(10)
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    assert verdict_on(image).verdict == "accepted"


@pytest.mark.requirement("R81")
@pytest.mark.parametrize(
    ("code", "keyword", "value"),
    [
        ("burned-in-annotation", "BurnedInAnnotation", "YES"),
        ("burned-in-annotation", "BurnedInAnnotation", "perhaps"),
        ("derived-image", "ImageType", ["DERIVED", "SECONDARY", "MPR"]),
        ("derived-image", "ImageType", ["ORIGINAL", "SECONDARY", "AXIAL"]),
        ("derived-image", "ImageType", ["ORIGINAL", "PRIMARY", "SCREEN SAVE"]),
        ("derived-image", "ImageType", ["DERIVED", "PRIMARY", "AXIAL", "MPR"]),
        ("derived-image", "ConversionType", "WSD"),
    ],
)
def test_pictures_that_may_carry_text_wait_for_a_person(image, code, keyword, value):
    setattr(image, keyword, value)
    verdict = verdict_on(image)
    assert (verdict.verdict, verdict.code) == ("quarantined", code)
    assert verdict.facts["sop_instance_uid"] == "1.2.3.4"


def test_a_refusal_comes_before_a_doubt(image):
    image.BurnedInAnnotation, image.NumberOfFrames = "YES", "2"
    assert verdict_on(image).code == "multi-frame"


@pytest.mark.requirement("R82")
def test_sentences_say_what_to_do_and_codes_are_named_once():
    assert len({rule.code for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.message.endswith(".")
        assert any(word in rule.message.lower() for word in ("export", "send"))


@pytest.mark.requirement("R82")
def test_no_sentence_quotes_a_value(image):
    for keyword in ("Modality", "SOPInstanceUID", "PhotometricInterpretation", "NumberOfFrames"):
        image[keyword] = type(image["PatientName"])(keyword, "LO", NAME)
        verdict = verdict_on(image)
        assert verdict.verdict == "rejected"
        assert "CANARY" not in verdict.message


def test_whole_numbers_are_read_from_any_representation(image):
    image["Rows"] = type(image["PatientName"])("Rows", "LO", "4")
    assert facts_of(image).rows == 4
    image["Rows"] = type(image["PatientName"])("Rows", "LO", "four")
    assert facts_of(image).rows is None


def test_a_structure_set_is_accepted_with_what_identifies_it(image):
    verdict = verdict_on(drawings.structure_set([image]))
    assert (verdict.verdict, verdict.code) == ("accepted", "")
    facts = ("modality", "series_instance_uid", "patient_id", "study_date", "weight_kg")
    assert [verdict.facts[name] for name in facts] == [
        "RTSTRUCT", "1.2.5", "MRN-0815", "2026-03-01", "70"
    ]  # fmt: skip


@pytest.mark.requirement("R74")
@pytest.mark.parametrize(
    ("code", "keyword", "value"),
    [
        ("modality-contradicts", "Modality", "PT"),
        ("uid-invalid", "SOPInstanceUID", "../../etc/passwd"),
        ("patient-id-too-long", "PatientID", "9" * 65),
        ("no-regions", "ROIContourSequence", []),
        ("regions-invalid", "StructureSetROISequence", []),
    ],
)
def test_a_structure_set_is_rejected_by_name(image, code, keyword, value):
    ds = drawings.structure_set([image])
    setattr(ds, keyword, value)
    verdict = verdict_on(ds)
    assert (verdict.verdict, verdict.code, verdict.facts) == ("rejected", code, {})


@pytest.mark.requirement("R74")
@pytest.mark.parametrize(
    ("code", "keyword", "value"),
    [
        ("modality-contradicts", "Modality", "RTSTRUCT"),
        ("segments-not-binary", "SegmentationType", "FRACTIONAL"),
        ("segments-invalid", "NumberOfFrames", "2"),
        ("segments-invalid", "PixelData", b""),
    ],
)
def test_a_segmentation_is_accepted_and_another_kind_rejected_by_name(image, code, keyword, value):
    ds = drawings.segmentation([image])
    assert verdict_on(ds).verdict == "accepted"
    setattr(ds, keyword, value)
    verdict = verdict_on(ds)
    assert (verdict.verdict, verdict.code, verdict.facts) == ("rejected", code, {})
