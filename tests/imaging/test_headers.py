"""Headers are read as they are written, and survive JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import date, datetime, time

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging import header_elements
from imaging.header_values import Instant, as_number
from imaging.headers import HeaderError, PetHeader, SliceHeader, pet_header, slice_header
from imaging.nuclides import nuclide_from_text


def at(*parts: int) -> datetime:
    """A clock reading; DICOM times have no zone unless they say so."""
    return datetime(*parts)


def test_values_come_as_written(dataset):
    header = pet_header(dataset)
    assert (header.patient_weight, header.rescale_slope) == (70.0, 2.5)
    assert (header.series_date, header.series_time) == (date(2026, 3, 1), time(11))
    assert header.frame_reference_time == 449857.923
    assert header.radiopharmaceuticals[0].total_dose == 370e6
    assert header.corrected_image == ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")
    assert header.unreadable == ()


def test_corrected_image_may_come_as_one_string(dataset):
    dataset.CorrectedImage = "ATTN\\DECY"
    assert pet_header(dataset).corrected_image == ("ATTN", "DECY")
    # And as text of a kind that is not taken apart at its backslashes.
    raw(dataset, "CorrectedImage", "LT", b"ATTN\\DECY")
    assert pet_header(dataset).corrected_image == ("ATTN", "DECY")


def test_one_correction_is_one_and_not_its_letters(dataset):
    dataset.CorrectedImage = "ATTN"
    assert pet_header(dataset).corrected_image == ("ATTN",)


def test_empty_weight_is_missing_and_zero_is_zero(dataset):
    dataset.PatientWeight = ""
    header = pet_header(dataset)
    # Nothing was written, so nothing could not be understood.
    assert (header.patient_weight, header.unreadable) == (None, ())
    dataset.PatientWeight = "0"
    assert pet_header(dataset).patient_weight == 0.0


def test_unknown_date_written_as_zeros_is_missing(dataset):
    dataset.SeriesDate = "00000000"
    header = pet_header(dataset)
    assert (header.series_date, header.unreadable) == (None, ())


def test_year_in_which_nobody_was_scanned_is_unreadable(dataset):
    dataset.SeriesDate = "00010101"
    assert pet_header(dataset).unreadable == ("SeriesDate",)


def test_unreadable_time_is_missing_and_named(dataset):
    dataset.SeriesTime = "eleven"
    header = pet_header(dataset)
    assert (header.series_time, header.unreadable) == (None, ("SeriesTime",))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("11", time(11)),
        ("1106", time(11, 6)),
        ("110607.25", time(11, 6, 7, 250000)),
        ("110607.9", time(11, 6, 7, 900000)),
        ("110607.999999", time(11, 6, 7, 999999)),
        ("11:06:07", time(11, 6, 7)),
    ],
)
def test_times_of_every_precision(dataset, written, read):
    dataset.AcquisitionTime = written
    assert pet_header(dataset).acquisition_time == read


def test_date_time_keeps_its_zone(dataset):
    item = dataset.RadiopharmaceuticalInformationSequence[0]
    item.RadiopharmaceuticalStartDateTime = "20260301100000.50+0130"
    instant = pet_header(dataset).radiopharmaceuticals[0].start_datetime
    assert instant == Instant(at(2026, 3, 1, 10, 0, 0, 500000), 5400)


def test_zones_count_only_where_both_are_known():
    instant = Instant(at(2026, 3, 1, 10), 3600)
    assert instant.in_zone(7200) == at(2026, 3, 1, 11)
    assert instant.in_zone(None) == at(2026, 3, 1, 10)
    assert Instant(at(2026, 3, 1, 10)).in_zone(7200) == at(2026, 3, 1, 10)


# DICOM PS3.5 7.8.1: a creator in (gggg,0010) to (gggg,00FF) reserves its block of elements.
@pytest.mark.parametrize("block", [0x10, 0x11, 0xFF])
def test_private_scan_time_is_found_through_its_creator(dataset, block):
    dataset.add_new((0x0071, block), "LO", "SIEMENS MED PT")
    dataset.add_new((0x0071, (block << 8) | 0x22), "UN", b"20260228110000.000000 \0")
    assert pet_header(dataset).vendor_scan_time == Instant(at(2026, 2, 28, 11))


def test_private_element_of_another_creator_is_not_read(dataset):
    dataset.add_new((0x7053, 0x0010), "LO", "SOMEBODY ELSE")
    dataset.add_new((0x7053, 0x1000), "DS", "0.0005")
    assert pet_header(dataset).philips_suv_factor is None


def test_a_creator_beyond_the_last_block_reserves_nothing(dataset):
    dataset.add_new((0x7053, 0x0100), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0x0009), "DS", "0.5")
    header = pet_header(dataset)
    assert (header.philips_activity_factor, header.unreadable) == (None, ("(7053,0100)",))


def test_the_length_of_a_private_group_is_nobody_s_and_no_orphan(dataset):
    dataset.add_new((0x7053, 0x0000), "UL", 36)
    dataset.add_new((0x7053, 0x00FF), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0xFF09), "DS", "2.5")
    header = pet_header(dataset)
    assert (header.philips_activity_factor, header.unreadable) == (2.5, ())


def test_a_private_time_that_is_no_text_is_named(dataset):
    dataset.add_new((0x0071, 0x0010), "LO", "SIEMENS MED PT")
    dataset.add_new((0x0071, 0x1022), "UN", b"2026022811\xe9000")
    header = pet_header(dataset)
    assert (header.vendor_scan_time, header.unreadable) == (None, ("(0071,xx22)",))


def test_text_that_comes_as_bytes_is_read_as_far_as_it_is_ascii(dataset):
    raw(dataset, "Manufacturer", "OB", b"Siemens M\xfcnchen\0")
    header = pet_header(dataset)
    assert (header.manufacturer, header.unreadable) == ("Siemens M\ufffdnchen", ())


def test_a_private_number_is_of_the_kind_its_creator_gave_it(dataset):
    # GE's tracer activity (0009,xx38) is a binary FL: 10.5 = 0x41280000.
    dataset.add_new((0x0009, 0x0010), "LO", "GEMS_PETD_01")
    raw(dataset, (0x0009, 0x1038), "UN", bytes.fromhex("00002841"))
    reader = header_elements.ElementReader(dataset)
    assert reader.private(0x0009, "GEMS_PETD_01", 0x38, as_number) == 10.5


def test_philips_factors_as_bytes(dataset):
    dataset.add_new((0x7053, 0x0012), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0x1200), "UN", b"0.000421")
    dataset.add_new((0x7053, 0x1209), "UN", b"1.542438\0 ")
    header = pet_header(dataset)
    assert (header.philips_suv_factor, header.philips_activity_factor) == (0.000421, 1.542438)


def test_several_radiopharmaceuticals_are_all_kept(dataset):
    items = dataset.RadiopharmaceuticalInformationSequence
    dataset.RadiopharmaceuticalInformationSequence = [items[0], Dataset()]
    assert len(pet_header(dataset).radiopharmaceuticals) == 2


@pytest.mark.parametrize(
    ("text", "nuclide"),
    [
        ("^18^Fluorine", "F-18"),
        ("F^18^", "F-18"),
        ("F^18^[^18^Fluorine]", "F-18"),
        ("18F", "F-18"),
        ("13N", "N-13"),
        ("^68^Gallium", "Ga-68"),
        ("Ga-68", "Ga-68"),
        ("^94m^Technetium", "Tc-94m"),
        ("FDG", None),
        ("18FDG", None),
        ("", None),
        ("18F and 68Ga", None),
    ],
)
def test_nuclide_in_every_spelling_seen(text, nuclide):
    assert nuclide_from_text(text) == nuclide


def raw(dataset, tag, representation, value):
    """Put bytes into a data set as a file would bring them, unconverted."""
    tag = Tag(tag)
    dataset._dict[tag] = RawDataElement(tag, representation, len(value), value, 0, False, True)


def reread(dataset):
    """The data set as a file would bring it."""
    file = io.BytesIO()
    dataset.save_as(file)
    return pydicom.dcmread(io.BytesIO(file.getvalue()), force=True)


@pytest.mark.parametrize(
    ("keyword", "representation", "value"),
    [
        ("DecayFactor", "FL", b"abc"),
        ("FrameReferenceTime", "FD", b"1234567"),
        ("NumberOfSlices", "US", b"123"),
        ("PatientWeight", "FD", b"123456789"),
        ("RadiopharmaceuticalInformationSequence", "SQ", b"\xfe\xff\x00\xe0\xff"),
        ("RadiopharmaceuticalInformationSequence", "LO", b"FDG"),
    ],
)
def test_a_value_of_wrong_length_is_one_keyword_and_not_the_file(
    dataset, keyword, representation, value
):
    whole = pet_header(dataset)
    raw(dataset, keyword, representation, value)
    header = pet_header(dataset)
    assert header.unreadable == (keyword,)
    assert header.acquisition_time == whole.acquisition_time


@pytest.mark.parametrize("element", [0x0010, 0x1000])
def test_a_private_value_of_wrong_length_is_one_keyword(dataset, element):
    dataset.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
    dataset.add_new((0x7053, 0x1009), "DS", "1.5")
    raw(dataset, (0x7053, element), "FL", b"abc")
    header = pet_header(dataset)
    assert header.philips_suv_factor is None
    named = "(7053,0010)" if element == 0x0010 else "(7053,xx00)"
    assert named in header.unreadable
    assert header.philips_activity_factor == (None if element == 0x0010 else 1.5)


def test_another_modality_is_no_pet_header(dataset):
    dataset.Modality = "CT"
    with pytest.raises(HeaderError, match="must be PT, got 'CT'"):
        pet_header(dataset)


def test_ct_slice_has_a_header_of_its_own(dataset):
    dataset.Modality = "CT"
    header = slice_header(dataset)
    assert (header.modality, header.rows, header.columns) == ("CT", 4, 5)
    assert SliceHeader.from_json(json.loads(json.dumps(header.to_json()))) == header


def test_a_ct_slice_names_what_it_could_not_read(dataset):
    dataset.Modality, dataset.SliceThickness = "CT", None
    dataset.SeriesTime = "eleven"
    assert slice_header(dataset).unreadable == ("SeriesTime",)


def test_unsigned_pixels_of_one_bit_have_zeros_that_are_no_missing_numbers(dataset):
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 1, 0, 0
    header = pet_header(dataset)
    assert (header.bits_stored, header.high_bit, header.pixel_representation) == (1, 0, 0)


def test_a_data_set_that_is_no_file_names_no_transfer_syntax(dataset):
    del dataset.file_meta.TransferSyntaxUID
    assert pet_header(dataset).transfer_syntax_uid == ""
    del dataset.file_meta
    assert pet_header(dataset).transfer_syntax_uid == ""


def test_a_reconstruction_keeps_its_last_letter(dataset):
    # GE's time-of-flight with resolution recovery is called VPFX.
    dataset.ReconstructionMethod = " VPFX\t"
    assert pet_header(dataset).reconstruction_method == "VPFX"


def test_a_file_reads_alike_with_and_without_representations(dataset):
    found = []
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        dataset.file_meta.TransferSyntaxUID = syntax
        header = pet_header(reread(dataset))
        found.append(replace(header, transfer_syntax_uid=""))
    assert found == [replace(pet_header(dataset), transfer_syntax_uid="")] * 2
    assert len(found[0].radiopharmaceuticals) == 1


def test_slice_without_a_matrix_is_refused(dataset):
    del dataset.Rows
    with pytest.raises(HeaderError, match="Rows"):
        pet_header(dataset)


def test_pet_header_survives_json(dataset):
    dataset.DecayCorrectionDateTime = "20260301110000+0100"
    header = pet_header(dataset)
    again = PetHeader.from_json(json.loads(json.dumps(header.to_json())))
    assert again == header
    assert again != replace(header, patient_weight=71.0)


@pytest.mark.reference
def test_real_headers_survive_json(reference_data):
    files = sorted((reference_data / "pet_headers/expected.json").parent.glob("*.dcm"))
    headers = [pet_header(pydicom.dcmread(f, stop_before_pixels=True)) for f in files]
    assert len(headers) == 40
    assert [PetHeader.from_json(json.loads(json.dumps(h.to_json()))) for h in headers] == headers
    assert {h.unreadable for h in headers} == {()}


@pytest.mark.reference
def test_real_private_scan_times_are_the_series_time(reference_data):
    # Measured with four other programs: clock of the private tag = Series Time in all.
    files = sorted((reference_data / "pet_headers/expected.json").parent.glob("*.dcm"))
    headers = [pet_header(pydicom.dcmread(f, stop_before_pixels=True)) for f in files]
    present = [h for h in headers if h.vendor_scan_time is not None]
    assert len(present) == 8
    assert all(h.vendor_scan_time.local.time() == h.series_time for h in present)


# What equal bytes mean is worked out once; it must be the same bytes in the same setting.


def unread(ds: Dataset, keyword: str, value: bytes, *, is_little: bool = True) -> None:
    """An element of `ds` as it comes from a file: not converted yet."""
    tag = Tag(keyword)
    representation = pydicom.datadict.dictionary_VR(tag)
    ds[tag] = RawDataElement(tag, representation, len(value), value, 0, False, is_little)


def test_equal_bytes_mean_another_text_in_another_character_set(dataset):
    method = "Itération".encode("latin-1")
    found = []
    for charset in ("ISO_IR 100", "ISO_IR 144"):
        ds = Dataset(dataset)
        ds.set_original_encoding(False, True, charset)
        unread(ds, "ReconstructionMethod", method)
        found.append(pet_header(ds).reconstruction_method)
    assert found == ["Itération", "Itщration"]


def test_a_character_set_may_be_several(dataset):
    dataset.SpecificCharacterSet = ["ISO 2022 IR 6", "ISO 2022 IR 87"]
    dataset.ReconstructionMethod = "山 3D"
    assert pet_header(reread(dataset)).reconstruction_method == "山 3D"


def test_equal_bytes_mean_another_number_in_another_byte_order(dataset):
    found = []
    for is_little in (True, False):
        ds = Dataset(dataset)
        unread(ds, "Rows", b"\x00\x01", is_little=is_little)
        found.append(pet_header(ds).rows)
    assert found == [256, 1]


def test_equal_bytes_that_can_not_be_understood_are_named_each_time(dataset):
    for _ in range(2):
        ds = Dataset(dataset)
        unread(ds, "PatientWeight", b"heavy ")
        header = pet_header(ds)
        assert (header.patient_weight, header.unreadable) == (None, ("PatientWeight",))


def test_no_more_and_no_longer_values_are_kept_than_said(dataset):
    header_elements._meaning.cache_clear()
    ds = Dataset(dataset)
    unread(ds, "ReconstructionMethod", b"x" * (header_elements._LONGEST_KEPT + 2))
    pet_header(ds)
    before = header_elements._meaning.cache_info().currsize
    unread(ds, "ReconstructionMethod", b"x" * header_elements._LONGEST_KEPT)
    pet_header(ds)
    longest = header_elements._meaning.cache_info().currsize
    for number in range(header_elements._KEPT + 10):
        ds = Dataset(dataset)
        unread(ds, "PatientWeight", f"{number} ".encode())
        pet_header(ds)
    assert (before, longest) == (0, 1)
    assert header_elements._meaning.cache_info().currsize == header_elements._KEPT
