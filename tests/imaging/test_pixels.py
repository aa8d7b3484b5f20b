"""Stored values from the bytes of a file, against pydicom on files that nobody here wrote."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.headers import slice_header
from imaging.pixels import (
    NoPixelData,
    PixelDataError,
    Place,
    confirmed,
    place_of,
    stored_values,
)
from imaging.volume import rescaled
from tests.imaging.conftest import pet_dataset

NATIVE = {ExplicitVRLittleEndian, ImplicitVRLittleEndian}


def written(ds, syntax=ExplicitVRLittleEndian):
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def image(**changes):
    ds = pet_dataset()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    ds.PixelData = np.arange(20, dtype="<i2").tobytes()
    return ds


def read(data):
    return stored_values(data, slice_header(pydicom.dcmread(io.BytesIO(data))))


@pytest.mark.parametrize("syntax", sorted(NATIVE))
def test_values_are_those_that_were_written(syntax):
    data = written(image(), syntax)
    assert read(data).tolist() == np.arange(20).reshape(4, 5).tolist()


@pytest.mark.parametrize("syntax", sorted(NATIVE))
def test_sequences_of_undefined_length_are_walked_through(syntax):
    ds, inner = image(), Dataset()
    inner.CodeValue, inner.is_undefined_length_sequence_item = "x", True
    nested = Dataset()
    nested.ConceptNameCodeSequence = Sequence([inner])
    nested["ConceptNameCodeSequence"].is_undefined_length = True
    nested.is_undefined_length_sequence_item = True
    ds.ReferencedImageSequence = Sequence([nested, Dataset()])
    ds["ReferencedImageSequence"].is_undefined_length = True
    assert read(written(ds, syntax)).sum() == 190


def test_every_native_file_of_pydicom_reads_as_pydicom_reads_it():
    compared = 0
    for name in get_testdata_files("*.dcm"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                data = Path(name).read_bytes()
                ds = pydicom.dcmread(io.BytesIO(data))
                header = slice_header(ds)
                theirs = ds.pixel_array
            except Exception:  # noqa: S112  many of these files are broken on purpose
                continue
        single = header.number_of_frames == 1 and header.samples_per_pixel == 1
        if not single or header.transfer_syntax_uid not in NATIVE or header.bits_allocated < 8:
            continue
        if len(ds.PixelData) - theirs.nbytes not in {0, 1}:
            # pydicom cuts what is too long; that is refused here.
            continue
        assert np.array_equal(stored_values(data, header), theirs), name
        compared += 1
    assert compared >= 5


@pytest.mark.reference
def test_hostile_files_are_read_or_refused_and_nothing_else(reference_data):
    read_or_refused = 0
    for file in sorted((reference_data / "hostile_dicom").rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = file.read_bytes()
            try:
                header = slice_header(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True))
            except Exception:  # noqa: S112  refused before its pixels are asked for
                continue
            if header.transfer_syntax_uid not in NATIVE:
                continue
            try:
                values = stored_values(data, header)
                assert values.shape == (header.rows, header.columns)
            except PixelDataError:
                pass
            read_or_refused += 1
    assert read_or_refused > 100


@pytest.mark.parametrize("cut", [1, 2, 39])
def test_a_file_that_is_cut_off_is_refused(cut):
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    with pytest.raises(PixelDataError):
        stored_values(data[:-cut], header)


def test_another_matrix_than_the_file_has_is_refused():
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    with pytest.raises(PixelDataError, match="4 x 6"):
        stored_values(data, replace(header, columns=6))


def test_a_file_without_an_image_is_told_apart():
    ds = image()
    del ds.PixelData
    with pytest.raises(NoPixelData):
        read(written(ds))


@given(st.binary(max_size=300))
def test_bytes_that_are_no_file_are_refused_by_name(rubbish):
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    with pytest.raises(PixelDataError):
        stored_values(data[:132] + rubbish, header)


@given(
    st.lists(st.integers(-32768, 32767), min_size=20, max_size=20),
    st.floats(1e-9, 1e4),
    st.floats(-1e4, 1e4),
    st.floats(1e-9, 1e3),
)
def test_single_precision_is_within_its_bound(header, stored, slope, intercept, factor):
    """Two roundings of the product, and one more where there is an intercept."""
    slice_ = replace(header, rescale_slope=slope, rescale_intercept=intercept)
    values = np.array(stored, dtype=np.int16).reshape(4, 5)
    exact = (values.astype(np.float64) * slope + intercept) * factor
    found = rescaled([slice_], [values], factor=factor)[0]
    bound = 1.3e-7 * (np.abs(values * slope * factor) + abs(intercept * factor)) + 1e-37
    assert np.all(np.abs(found - exact) <= 2 * bound)


def test_values_are_read_at_the_place_that_is_known():
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    place = place_of(data, header)
    # The last forty bytes of the file are its twenty values.
    assert place == Place("1.2.840.10008.1.2.1", len(data) - 40, 40)
    assert confirmed(place, data, header) == place
    assert stored_values(data, header, place).ravel().tolist() == list(range(20))


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": -1},
        {"offset": 0},
        {"offset": 2**40},
        {"offset": 500},
        {"length": 38},
        {"length": 2**40 % 2**32},
        {"transfer_syntax": "1.2.840.10008.1.2"},
        {"transfer_syntax": "1.2.840.10008.1.2.5"},
    ],
)
def test_a_place_where_no_pixel_data_of_this_length_begin_is_refused(wrong):
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    place = place_of(data, header)
    with pytest.raises(PixelDataError):
        confirmed(replace(place, **wrong), data, header)


@pytest.mark.parametrize("offset", [-40, 10**6])
def test_values_are_not_read_beyond_the_file(offset):
    data = written(image())
    header = slice_header(pydicom.dcmread(io.BytesIO(data)))
    with pytest.raises(PixelDataError):
        stored_values(data, header, Place("1.2.840.10008.1.2.1", offset, 40))
