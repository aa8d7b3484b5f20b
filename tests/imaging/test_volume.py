"""Stored values become one volume, each slice by its own slope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imaging.volume import VolumeError, read_at_once, rescaled


def test_each_slice_has_its_own_slope_and_intercept(header):
    headers = [
        replace(header, rescale_slope=slope, rescale_intercept=intercept)
        for slope, intercept in ((2.0, 0.0), (0.5, -1.0))
    ]
    stored = [np.full((4, 5), 10, np.int16)] * 2
    volume = rescaled(headers, stored, factor=3.0)
    assert volume.dtype == np.float32
    assert volume[:, 0, 0].tolist() == [60.0, 12.0]


def test_negative_values_are_kept(header):
    stored = np.full((4, 5), -4, np.int16)
    assert rescaled([header], [stored])[0, 0, 0] == -10.0


def test_unsigned_values_above_the_signed_range_are_kept(header):
    unsigned = replace(header, pixel_representation=0)
    stored = np.full((4, 5), 40000, np.uint16)
    assert rescaled([unsigned], [stored])[0, 0, 0] == 100000.0


def test_bits_above_the_high_bit_do_not_count(header):
    twelve = replace(header, bits_stored=12, high_bit=11, rescale_slope=1.0)
    # 0x1FFF: an overlay bit over -1 in twelve bits.
    assert rescaled([twelve], [np.full((4, 5), 0x1FFF, np.int16)])[0, 0, 0] == -1.0


@pytest.mark.parametrize(
    ("dtype", "signed", "bits"), [("int16", 1, 16), ("uint16", 0, 16), ("int32", 1, 24)]
)
def test_a_value_is_rounded_to_single_precision_twice_and_no_more(header, dtype, signed, bits):
    """Slope times factor, and what it is multiplied with; in double precision between them."""
    ends = np.iinfo(dtype)
    least, most = (ends.min, ends.max) if bits == 16 else (-(2**23), 2**23 - 1)
    stored = np.random.default_rng(2).integers(least, most, (4, 5), dtype=dtype)
    of = replace(
        header,
        rescale_slope=0.7318,
        rescale_intercept=0.0,
        pixel_representation=signed,
        bits_allocated=stored.itemsize * 8,
        bits_stored=bits,
        high_bit=bits - 1,
    )
    expected = stored.astype(np.float32) * np.float32(0.7318 * 1.37e-3)
    assert np.array_equal(rescaled([of], [stored], factor=1.37e-3)[0], expected)


def test_arrays_are_read_one_at_a_time(header):
    stored = (np.full((4, 5), value, np.int16) for value in (1, 2))
    assert rescaled([header, header], stored)[:, 0, 0].tolist() == [2.5, 5.0]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((5, 4), np.int16), "shape"),
        (np.zeros((4, 5), np.uint16), "Pixel Representation"),
        (np.zeros((4, 5), np.int8), "not supported"),
    ],
)
def test_pixels_that_do_not_fit_their_header_are_refused(header, stored, message):
    with pytest.raises(VolumeError, match=message):
        rescaled([header], [stored])


def test_slice_without_a_slope_is_refused(header):
    with pytest.raises(VolumeError, match="Rescale Slope"):
        rescaled([replace(header, rescale_slope=None)], [np.zeros((4, 5), np.int16)])


def test_fewer_arrays_than_headers_are_refused(header):
    with pytest.raises(VolumeError, match="as many"):
        rescaled([header, header], [np.zeros((4, 5), np.int16)])


def test_no_slices_are_refused():
    with pytest.raises(VolumeError, match="no slice"):
        rescaled([], [])


def test_slope_that_no_scanner_writes_is_refused(header):
    with pytest.raises(VolumeError, match="beyond"):
        rescaled([replace(header, rescale_slope=1e300)], [np.ones((4, 5), np.int16)])


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 9])
def test_slices_read_by_several_threads_are_the_same_volume(header, threads):
    generator = np.random.default_rng(4)
    headers = [replace(header, rescale_slope=float(one)) for one in generator.uniform(1, 9, 7)]
    stored = generator.integers(-900, 900, (7, 4, 5)).astype(np.int16)
    factors = list(generator.uniform(1, 2, 7))
    found = read_at_once(headers, stored.__getitem__, factor=factors, threads=threads)
    np.testing.assert_array_equal(found, rescaled(headers, stored, factor=factors))


def test_of_several_slices_that_cannot_be_read_the_first_is_told(header):
    def stored(plane: int) -> np.ndarray:
        if plane in {2, 5}:
            raise VolumeError(f"plane {plane}")
        return np.zeros((4, 5), np.int16)

    with pytest.raises(VolumeError, match="plane 2"):
        read_at_once([header] * 6, stored, threads=2)
    with pytest.raises(VolumeError, match="no slice"):
        read_at_once([], stored)
