"""Sparse labelling gives what labelling the whole volume gives."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from imaging import geometry, suv, volume
from imaging.headers import pet_header
from imaging.segmentation import DENSE, SegmentationError, connected, fixed_threshold

MILLIMETRE = (10.0, 10.0, 10.0)
EDGES_AND_CORNERS = np.ones((3, 3, 3), bool)


def segment(volume, threshold=1.0, minimum=0.0, most=10**6):
    return fixed_threshold(
        volume,
        threshold=threshold,
        spacing=MILLIMETRE,
        minimum_volume_ml=minimum,
        max_components=most,
    )


def same_partition(ours, theirs):
    """Whether two labellings of the same voxels have the same regions."""
    pairs = set(zip(ours.tolist(), theirs.tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


@settings(max_examples=300, deadline=None)
@given(
    arrays(
        bool,
        st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7)),
        elements=st.booleans(),
    )
)
def test_regions_are_those_of_scipy_on_any_small_volume(mask):
    flat = np.flatnonzero(mask)
    expected, count = ndimage.label(mask, structure=EDGES_AND_CORNERS)
    labels = connected(flat, mask.shape)
    assert same_partition(labels, expected.ravel()[flat])
    assert len(set(labels.tolist())) == count


@pytest.mark.parametrize("part", [0.002, 0.01, 0.05, 0.2])
def test_regions_are_those_of_scipy_on_large_volumes(part):
    # Below and above the point where the whole volume is labelled after all.
    volume = np.random.default_rng(7).random((40, 50, 60), np.float32)
    found = segment(volume, threshold=1 - part)
    expected, count = ndimage.label(volume >= np.float32(1 - part), structure=EDGES_AND_CORNERS)
    assert found.count == count
    assert np.array_equal(found.flat, np.flatnonzero(expected))
    assert same_partition(found.labels, expected.ravel()[found.flat])


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_regions_are_the_same_on_either_side_of_where_the_path_changes(more):
    volume = np.zeros((20, 50, 40), np.float32)
    places = np.random.default_rng(3).permutation(volume.size)
    volume.flat[places[: int(DENSE * volume.size) + more]] = 5
    found = segment(volume)
    expected, count = ndimage.label(volume, structure=EDGES_AND_CORNERS)
    assert (found.count, found.flat.size) == (count, int(DENSE * volume.size) + more)
    assert same_partition(found.labels, expected.ravel()[found.flat])


@pytest.mark.parametrize("filler", [0, 200])
def test_regions_are_numbered_by_their_first_voxels(filler):
    volume = np.zeros((10, 10, 200), np.float32)
    volume[0, 0, :filler] = volume[4, 4, 4] = volume[8, 8, 8] = 1
    assert segment(volume).labels[-2:].tolist() == [1, 2] if filler else [0, 1]


def test_voxels_touching_by_a_corner_belong_together():
    volume = np.zeros((10, 10, 10), np.float32)
    volume[1, 1, 1] = volume[2, 2, 2] = 5
    assert segment(volume).count == 1


def test_rows_do_not_continue_into_the_next():
    volume = np.zeros((9, 9, 9), np.float32)
    volume[4, 4, 8] = volume[4, 6, 0] = 5
    assert segment(volume).count == 2
    volume = np.zeros((9, 9, 9), np.float32)
    volume[4, 4, 8] = volume[4, 5, 0] = 5
    assert segment(volume).count == 2


def test_voxel_at_the_threshold_belongs():
    volume = np.zeros((5, 5, 5), np.float32)
    volume[2, 2, 2:4] = [4.0, 3.9999998]
    assert segment(volume, threshold=4.0).flat.tolist() == [62]


def test_region_of_exactly_the_minimum_volume_is_kept():
    volume = np.zeros((9, 9, 9), np.float32)
    volume[1, 1, 1:4] = volume[5, 5, 5:7] = 5
    found = segment(volume, minimum=3.0)
    assert (found.count, found.flat.size) == (1, 3)


def test_nothing_above_the_threshold_is_no_region():
    found = segment(np.zeros((3, 3, 3), np.float32))
    assert (found.count, found.flat.size, found.labels.size) == (0, 0, 0)


def test_threshold_in_the_noise_is_refused_with_a_sentence():
    volume = np.zeros((9, 9, 9), np.float32)
    volume[::2, ::2, ::2] = 5
    with pytest.raises(SegmentationError, match="125 separate regions reach SUV 1") as caught:
        segment(volume, most=124)
    assert caught.value.code == "too-many-regions"


@pytest.mark.reference
def test_threshold_under_the_noise_is_refused_where_everything_has_run_together(reference_data):
    """Of a real patient SUV 0.2 gives two dozen regions, the largest of 53 litres."""
    folder = reference_data / "pet_series" / "ge_sts_001_raw" / "image"
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    headers = [pet_header(one) for one in slices]
    order = geometry.stack_from_headers(headers).order
    values = volume.rescaled(
        (headers[i] for i in order),
        (slices[i].pixel_array for i in order),
        factor=suv.suvbw_scale(headers).factor,
    )
    for threshold in (0.05, 0.2, 0.5):
        with pytest.raises(SegmentationError, match="of the tissue reaches SUV") as caught:
            segment(values, threshold=threshold, most=500)
        assert caught.value.code == "threshold-in-tissue"
    assert segment(values, threshold=4.0, most=500).count == 60


def test_a_large_organ_at_the_threshold_is_no_noise():
    body = np.full((20, 20, 20), 0.8, np.float32)
    body[:, :9] = 5
    assert segment(body, threshold=4.0).count == 1
    body[:, :11] = 5
    with pytest.raises(SegmentationError, match="55% of the tissue reaches SUV 4"):
        segment(body, threshold=4.0)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_threshold_that_is_no_positive_suv_is_refused(threshold):
    with pytest.raises(SegmentationError) as caught:
        segment(np.zeros((3, 3, 3), np.float32), threshold=threshold)
    assert caught.value.code == "threshold-invalid"
