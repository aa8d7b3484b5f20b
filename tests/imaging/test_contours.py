"""Voxels inside contours: closed forms, another implementation, and a published region."""

from __future__ import annotations

import copy

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imaging import geometry, suv, volume
from imaging.contours import Contour, RegionError, inside, mask, structure_set
from imaging.geometry import Grid
from imaging.headers import pet_header
from tests.imaging import drawings
from tests.imaging.conftest import pet_dataset

GRID = Grid(shape=(4, 12, 16), spacing=(3.0, 2.0, 2.0), origin=(-10.0, -20.0, 100.0))


def outline(corners, z=103.0) -> Contour:
    """A contour through corners given as (column, row) of the grid."""
    points = [(-10 + 2 * column, -20 + 2 * row, z) for column, row in corners]
    return Contour(np.array(points), "")


def box(first, last):
    """Corners of a box from one pixel's centre to another's, both as (column, row)."""
    (a, b), (c, d) = first, last
    return [(a, b), (c, b), (c, d), (a, d)]


def test_a_box_between_the_centres_holds_what_lies_between():
    found = mask([outline(box((2.5, 1.5), (6.5, 4.5)))], grid=GRID, planes={})
    expected = np.zeros(GRID.shape, bool)
    expected[1, 2:5, 3:7] = True
    assert np.array_equal(found, expected)


def test_boxes_that_touch_on_centres_share_no_pixel_and_leave_none_out():
    left, right = (inside([np.array(box(*ends))], (8, 8)) for ends in TOUCHING)
    assert not (left & right).any()
    # Rows and columns 1 to 6, in (row, column): closed below, open above.
    assert (left | right).sum() == 5 * 5


TOUCHING = (((1, 1), (6, 3)), ((1, 3), (6, 6)))


def test_a_contour_in_a_contour_is_a_hole_and_so_is_a_keyhole():
    outer, inner = box((1.5, 1.5), (10.5, 9.5)), box((4.5, 3.5), (7.5, 6.5))
    two = mask([outline(outer), outline(inner)], grid=GRID, planes={})
    keyhole = [*outer, outer[0], *inner, inner[0], outer[0]]
    one = mask([outline(keyhole)], grid=GRID, planes={})
    assert two.sum() == 9 * 8 - 3 * 3
    assert np.array_equal(one, two)


def test_an_oblique_grid_takes_the_contours_of_its_own_planes():
    half = 0.5**0.5
    grid = Grid(
        shape=GRID.shape,
        spacing=GRID.spacing,
        origin=GRID.origin,
        row=(half, half, 0.0),
        column=(0.0, 0.0, 1.0),
    )
    corners = [(2, row - 0.5, column - 0.5) for row, column in [(3, 2), (3, 9), (8, 9), (8, 2)]]
    found = mask([Contour(grid.voxel_to_patient(corners), "")], grid=grid, planes={})
    assert found.sum() == found[2, 3:8, 2:9].sum() == 5 * 7


def test_uneven_planes_are_met_where_they_are():
    grid = Grid(shape=(3, 12, 16), spacing=(3, 2, 2), origin=(-10, -20, 100), planes=(0, 2.9, 6.0))
    corners = box((2.5, 1.5), (6.5, 4.5))
    assert mask([outline(corners, z=102.9)], grid=grid, planes={})[1].any()
    with pytest.raises(RegionError, match="does not lie in the plane"):
        mask([outline(corners, z=104.0)], grid=grid, planes={})


BOX = box((2.5, 1.5), (6.5, 4.5))


@pytest.mark.parametrize(
    ("code", "contour"),
    [
        ("contours-off-plane", outline(BOX, z=104.5)),
        ("contours-outside", outline(BOX, z=90.0)),
        ("contours-outside", outline(box((2, 1), (15.6, 4)))),
        ("contours-outside", outline(box((-0.6, 1), (4, 4)))),
        ("region-without-voxel", outline(box((2.1, 2.1), (2.9, 2.9)))),
        # Drawn on the image of plane 2.
        ("contours-off-plane", Contour(outline(BOX).points, "1.2.3.2")),
    ],
)
def test_contours_that_do_not_fit_the_images_are_refused_by_name(code, contour):
    with pytest.raises(RegionError) as refusal:
        mask([contour], grid=GRID, planes={"1.2.3.2": 2})
    assert refusal.value.code == code


def test_a_contour_that_leaves_its_plane_is_refused():
    tilted = outline(BOX)
    tilted.points[0, 2] += 1.0
    with pytest.raises(RegionError, match="plane"):
        mask([tilted], grid=GRID, planes={})


corner = st.integers(0, 36).map(lambda n: n / 3 - 0.17)


@given(arrays(np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=corner))
def test_inside_is_what_winding_around_the_centre_says(corners):
    """Against the even-odd rule written out for one point at a time (PNPOLY, W. R. Franklin).

    A centre on an edge is on either side by the last bit of the corners, so it is not asked.
    """
    found = inside([corners], (12, 12))
    for row in range(12):
        for column in range(12):
            if not is_on_an_edge(corners, row, column):
                assert found[row, column] == pnpoly(corners, row, column)


def is_on_an_edge(corners, row, column) -> bool:
    """Whether the centre and two neighbouring corners lie in a line, to rounding."""
    apart = corners - (row, column)
    after = np.roll(apart, -1, axis=0)
    return bool(np.any(np.abs(apart[:, 0] * after[:, 1] - apart[:, 1] * after[:, 0]) < 1e-9))


def pnpoly(corners, row, column) -> bool:
    is_in, before = False, corners[-1]
    for now in corners:
        if (now[0] > row) != (before[0] > row):
            slope = (before[1] - now[1]) / (before[0] - now[0])
            is_in ^= bool(column < (row - now[0]) * slope + now[1])
        before = now
    return is_in


@pytest.mark.parametrize("sides", [3, 5, 8, 40])
def test_a_convex_polygon_is_what_lies_on_one_side_of_all_its_edges(sides):
    angles = 2 * np.pi * (np.arange(sides) + 0.123) / sides
    corners = np.column_stack([50 + 37.3 * np.sin(angles), 48 + 41.7 * np.cos(angles)])
    centres = np.stack(np.meshgrid(np.arange(100), np.arange(100), indexing="ij"), axis=-1)
    edges = np.roll(corners, -1, axis=0) - corners
    apart = centres[:, :, None] - corners
    sides_of = edges[:, 1] * apart[..., 0] - edges[:, 0] * apart[..., 1]
    assert np.array_equal(inside([corners], (100, 100)), (sides_of > 0).all(axis=-1))


def test_a_structure_set_says_what_is_drawn_on_which_images():
    slices = [pet_dataset()]
    found = structure_set(drawings.structure_set(slices))
    assert found.series == ("1.2.3",)
    (region,) = found.regions
    assert (region.number, region.frame_of_reference_uid) == (3, "1.2.9")
    assert region.images == {"1.2.3.4"}
    grid = Grid(shape=(1, 4, 5), spacing=(3, 4, 4), origin=(0, 0, 0))
    assert region.mask(grid, {"1.2.3.4": 0}).sum() == drawings.SQUARE_PIXELS


def test_regions_without_contours_and_single_points_enclose_nothing():
    ds = drawings.structure_set([pet_dataset()])
    empty, mark = copy.deepcopy(ds.ROIContourSequence[0]), copy.deepcopy(ds.ROIContourSequence[0])
    empty.ReferencedROINumber, mark.ReferencedROINumber = 4, 5
    empty.ContourSequence = []
    mark.ContourSequence[0].ContourGeometricType = "POINT"
    ds.ROIContourSequence += [empty, mark]
    for number in (4, 5):
        item = copy.deepcopy(ds.StructureSetROISequence[0])
        item.ROINumber = number
        ds.StructureSetROISequence.append(item)
    assert [one.number for one in structure_set(ds).regions] == [3]


def broken(change) -> str:
    ds = drawings.structure_set([pet_dataset()])
    change(ds, ds.ROIContourSequence[0].ContourSequence[0])
    with pytest.raises(RegionError) as refusal:
        structure_set(ds)
    assert refusal.value.message.endswith(".")
    return refusal.value.code


def test_structure_sets_that_say_no_region_are_refused_by_name():
    assert broken(lambda _, c: setattr(c, "ContourGeometricType", "OPEN_PLANAR")) == "contours-open"
    assert broken(lambda _, c: setattr(c, "NumberOfContourPoints", 5)) == "contours-invalid"
    assert broken(lambda _, c: setattr(c, "ContourData", [0, 0, 0])) == "contours-invalid"
    assert broken(lambda _, c: delattr(c, "ContourData")) == "contours-invalid"
    assert broken(lambda ds, _: setattr(ds, "ROIContourSequence", [])) == "no-regions"
    assert broken(lambda ds, _: setattr(ds, "StructureSetROISequence", [])) == "regions-invalid"
    assert broken(twice) == "regions-invalid"


def twice(ds, _) -> None:
    ds.StructureSetROISequence.append(ds.StructureSetROISequence[0])


@pytest.mark.reference
def test_the_published_mass_of_a_sarcoma_has_its_published_values(reference_data):
    """Raw GE series STS_001: MIRP's own tests demand a maximum of 7.9 to 8.0, a minimum of 0.15
    to 0.20; 7.9107 and 0.1688 are what its regions gave when the catalogue was written."""
    folder = reference_data / "pet_series" / "ge_sts_001_raw"
    slices = [pydicom.dcmread(path) for path in (folder / "image").iterdir()]
    headers = [pet_header(one) for one in slices]
    stack, scale = geometry.stack_from_headers(headers), suv.suvbw_scale(headers)
    values = volume.rescaled(
        (headers[i] for i in stack.order),
        (slices[i].pixel_array for i in stack.order),
        factor=[scale.of_slice(i) for i in stack.order],
    )
    planes = {headers[i].sop_instance_uid: k for k, i in enumerate(stack.order)}
    found = structure_set(pydicom.dcmread(folder / "mask" / "1-1.dcm"))
    mass, _ = found.regions
    assert (mass.label, found.series) == ("GTV_Mass", (headers[0].series_instance_uid,))
    inside_mass = values[mass.mask(stack.grid, planes)]
    assert round(float(inside_mass.max()), 4) == 7.9107
    assert round(float(inside_mass.min()), 4) == 0.1688
