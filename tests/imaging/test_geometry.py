"""Slices become one grid, or are refused by name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import GeometryError, Grid, grid_from_positions, stack_from_headers
from imaging.headers import slice_header

AXIAL = (1, 0, 0, 0, 1, 0)


def stacked(z, orientation=AXIAL):
    positions = [(10, 20, value) for value in z]
    return grid_from_positions(
        positions, orientation=orientation, pixel_spacing=(4, 2), matrix=(5, 6)
    )


def refusal(*args, **kwargs):
    with pytest.raises(GeometryError) as caught:
        stacked(*args, **kwargs)
    return caught.value.code


def test_slices_are_ordered_along_the_normal_and_not_as_they_come():
    stack = stacked([6, 0, 3])
    assert stack.order == (1, 2, 0)
    assert stack.grid == Grid(shape=(3, 5, 6), spacing=(3, 4, 2), origin=(10, 20, 0))


def test_row_index_moves_along_the_column_direction():
    grid = stacked([0, 3]).grid
    assert grid.voxel_to_patient((1, 1, 1)).tolist() == [12, 24, 3]


def test_coronal_planes_go_from_front_to_back_by_their_normal():
    # Rows to the left, columns downwards: row x column = (1,0,0) x (0,0,-1) = (0,1,0).
    stack = grid_from_positions(
        [(0, 8, 0), (0, 0, 0), (0, 4, 0)],
        orientation=(1, 0, 0, 0, 0, -1),
        pixel_spacing=(2, 2),
        matrix=(3, 3),
    )
    assert stack.order == (1, 2, 0)
    assert stack.grid.voxel_to_patient((2, 1, 0)).tolist() == [0, 8, -2]


@pytest.mark.parametrize(
    ("z", "code"),
    [
        ([0, 3, 3, 6], "duplicate-positions"),
        ([0, 3, 9, 12], "missing-slices"),
        ([0, 3, 6.3, 9.3], "uneven-spacing"),
    ],
)
def test_irregular_stacks_are_refused_by_name(z, code):
    assert refusal(z) == code


def test_spacing_within_five_percent_passes_with_a_flag():
    grid = stacked([0, 3, 6.1, 9.1]).grid
    assert grid.flags == ("slice-spacing-varies",)
    assert grid.spacing[0] == pytest.approx(9.1 / 3)


def test_slices_shifted_sideways_are_refused():
    with pytest.raises(GeometryError) as caught:
        grid_from_positions(
            [(0, 0, 0), (0, 1, 3)], orientation=AXIAL, pixel_spacing=(2, 2), matrix=(3, 3)
        )
    assert caught.value.code == "sheared"


@pytest.mark.parametrize("orientation", [(1, 0, 0, 1, 0, 0), (2, 0, 0, 0, 1, 0)])
def test_orientation_that_is_no_pair_of_unit_vectors_is_refused(orientation):
    assert refusal([0, 3], orientation) == "orientation-invalid"


def test_single_slice_needs_a_thickness(header):
    stack = stack_from_headers([header])
    assert (stack.grid.spacing, stack.grid.flags) == ((3.0, 4.0, 4.0), ("single-slice",))
    with pytest.raises(GeometryError) as caught:
        stack_from_headers([replace(header, slice_thickness=None)])
    assert caught.value.code == "single-slice-without-thickness"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orientation": (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)}, "mixed-orientation"),
        ({"rows": 5}, "mixed-matrix"),
        ({"pixel_spacing": (4.0, 5.0)}, "mixed-spacing"),
        ({"position": None}, "place-missing"),
        ({"position": (0.0, 0.0, 1e300)}, "place-invalid"),
    ],
)
def test_slices_that_do_not_match_are_refused_by_name(header, change, code):
    other = replace(header, position=(0.0, 0.0, 3.0))
    with pytest.raises(GeometryError) as caught:
        stack_from_headers([header, replace(other, **change)])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "change", [{"pixel_spacing": (0.0, 4.0)}, {"slice_thickness": -3.0}, {"slice_thickness": 1e6}]
)
def test_spacing_that_no_scanner_has_is_refused(header, change):
    with pytest.raises(GeometryError) as caught:
        stack_from_headers([replace(header, **change)])
    assert caught.value.code == "spacing-invalid"


@given(
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.tuples(*[st.floats(0.5, 10)] * 3),
    st.tuples(*[st.floats(-50, 50)] * 3),
)
def test_patient_to_voxel_undoes_voxel_to_patient(origin, spacing, index):
    grid = Grid(shape=(9, 9, 9), spacing=spacing, origin=origin, row=(0, 1, 0), column=(0, 0, -1))
    assert grid.patient_to_voxel(grid.voxel_to_patient(index)) == pytest.approx(index, abs=1e-6)


def test_grid_survives_json():
    grid = stacked([0, 3, 6.1]).grid
    assert Grid.from_json(grid.to_json()) == grid


@pytest.mark.reference
def test_real_whole_body_series_of_uneven_spacing_passes_with_a_flag(reference_data):
    folder = reference_data / "pet_series" / "ge_sts_001_raw" / "image"
    headers = [
        slice_header(pydicom.dcmread(f, stop_before_pixels=True)) for f in folder.glob("*.dcm")
    ]
    grid = stack_from_headers(headers).grid
    assert grid.shape == (267, 128, 128)
    assert grid.spacing == pytest.approx((3.27, 4.6875, 4.6875), abs=1e-6)
    assert grid.flags == ("slice-spacing-varies",)
    tops = np.array([h.position for h in headers]).max(axis=0)
    # The mean spacing puts no slice more than 0.05 mm from where it is.
    assert grid.voxel_to_patient((266, 0, 0)) == pytest.approx(tops, abs=0.05)


# Uneven planes: 0, 3.00, 6.10, 9.10 mm. Heights by hand: 3.00, 3.05, 3.05, 3.00.
UNEVEN = (0.0, 3.0, 6.1, 9.1)


def uneven(header):
    slices = [replace(header, position=(0.0, 0.0, z)) for z in UNEVEN]
    return stack_from_headers(slices).grid


def test_uneven_planes_keep_their_places_and_heights(header):
    grid = uneven(header)
    assert grid.flags == ("slice-spacing-varies",)
    assert grid.planes == pytest.approx(UNEVEN)
    assert grid.heights == pytest.approx([3.0, 3.05, 3.05, 3.0])
    # Twelve voxels of 4 mm x 4 mm: three in each of the four planes.
    assert grid.volume_ml([0, 1, 2, 3] * 3) == pytest.approx(3 * 16 * 12.1 / 1000)


def test_places_of_uneven_planes_are_true_and_come_back(header):
    grid = uneven(header)
    assert grid.voxel_to_patient((2, 0, 0))[2] == pytest.approx(6.1)
    assert grid.voxel_to_patient((2.5, 0, 0))[2] == pytest.approx(7.6)
    for plane in (-0.5, 0.0, 0.25, 1.7, 3.0, 3.4):
        there = grid.voxel_to_patient((plane, 1, 2))
        assert grid.patient_to_voxel(there) == pytest.approx([plane, 1, 2])


def test_even_planes_need_no_list(header):
    slices = [replace(header, position=(0.0, 0.0, 3.0 * k)) for k in range(4)]
    grid = stack_from_headers(slices).grid
    assert grid.planes == ()
    assert grid.heights.tolist() == [3.0] * 4


def test_a_grid_of_uneven_planes_survives_json(header):
    grid = uneven(header)
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
