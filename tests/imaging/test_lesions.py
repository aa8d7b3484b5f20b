"""Lesion values against closed forms, the IBSI phantom and a published lesion."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from imaging.geometry import Grid, stack_from_headers
from imaging.headers import pet_header
from imaging.lesions import LesionError, Totals, measure, totals
from imaging.peaks import PeakDefinition, sphere_means
from imaging.segmentation import Components, fixed_threshold
from imaging.suv import suvbw_scale
from imaging.volume import rescaled

GRID = Grid(shape=(20, 24, 28), spacing=(2.0, 2.0, 2.0), origin=(-10.0, -20.0, 100.0))


def region(mask):
    flat = np.flatnonzero(mask)
    return Components(flat, np.zeros(flat.size, np.int64), 1)


def lesions(volume, threshold=2.5, grid=GRID):
    found = fixed_threshold(
        volume,
        threshold=threshold,
        spacing=grid.spacing,
        minimum_volume_ml=0.0,
        max_components=100,
    )
    return measure(volume, found, grid=grid)


def test_values_of_a_box_with_one_hot_voxel():
    volume = np.zeros(GRID.shape, np.float32)
    volume[8:12, 10:14, 12:16] = 4
    volume[9, 11, 13] = 10
    (lesion,) = lesions(volume)
    assert (lesion.suvmax, lesion.suvmax_voxel) == (10.0, (9, 11, 13))
    assert lesion.suvmean == (63 * 4 + 10) / 64
    assert lesion.voxel_count == 64
    assert lesion.volume_ml == pytest.approx(0.512)
    assert lesion.total_uptake == pytest.approx(262 * 0.008)
    # Middle of voxels 12..15, 10..13, 8..11.
    assert lesion.centroid_mm == pytest.approx((-10 + 2 * 13.5, -20 + 2 * 11.5, 100 + 2 * 9.5))


def test_peak_of_a_single_hot_voxel_is_spread_over_one_cubic_centimetre():
    volume = np.zeros(GRID.shape, np.float32)
    volume[10, 12, 14] = 123.0
    (lesion,) = lesions(volume)
    # 123 points of a cubic lattice lie within 6.2035 / 2 = 3.10 steps: 1 + 6 + 12 + 8 + 6 + 24
    # + 24 + 12 + 30 at squared distances 0, 1, 2, 3, 4, 5, 6, 8, 9 (OEIS A005875).
    assert lesion.suvpeak == pytest.approx(1.0)
    assert lesion.suvpeak_definition == "ibsi_global"
    assert not lesion.peak_leaves_image


def test_peak_sphere_is_round_in_millimetres_and_not_in_voxels():
    grid = replace(GRID, spacing=(5.0, 2.0, 2.0))
    volume = np.zeros(GRID.shape, np.float32)
    volume[10, 12, 14] = 1.0
    (lesion,) = lesions(volume, threshold=0.5, grid=grid)
    # 29 in the middle plane (within 3.10 steps); two planes 5 mm away hold 9 each, within
    # sqrt(38.48 - 25) / 2 = 1.84 steps.
    assert lesion.suvpeak == pytest.approx(1 / 47)


def test_peak_sphere_may_leave_the_lesion_but_counts_only_the_image():
    volume = np.full(GRID.shape, 3.0, np.float32)
    (lesion,) = measure(volume, region(np.indices(GRID.shape).sum(axis=0) == 0), grid=GRID)
    assert (lesion.suvpeak, lesion.peak_leaves_image) == (3.0, True)


def test_lesions_are_numbered_by_falling_suvmax():
    volume = np.zeros(GRID.shape, np.float32)
    volume[3, 3, 3], volume[10, 10, 10], volume[16, 16, 16] = 5, 9, 7
    found = lesions(volume)
    assert [(one.number, one.suvmax) for one in found] == [(1, 9.0), (2, 7.0), (3, 5.0)]


def test_small_lesion_warns_of_partial_volume():
    # Twice 6 mm: a sphere of 12 mm has 0.905 mL, 113.1 voxels of 8 mm3.
    volume = np.zeros(GRID.shape, np.float32)
    volume[5:10, 5:10, 5:10] = 5
    assert [one.partial_volume for one in lesions(volume)] == [False]
    volume[9, 5:10, 5:10] = 0
    assert [one.partial_volume for one in lesions(volume)] == [True]


def test_no_region_is_no_lesion():
    assert lesions(np.zeros(GRID.shape, np.float32)) == ()


def test_grid_of_another_volume_is_refused():
    with pytest.raises(LesionError, match="shape"):
        measure(np.zeros((2, 2, 2), np.float32), region(np.ones((2, 2, 2))), grid=GRID)


def test_a_local_peak_lies_on_the_maximum_and_a_global_one_where_it_is_highest():
    volume = np.full(GRID.shape, 2.5, np.float32)
    volume[4, 5, 6] = 20
    volume[10:16, 10:16, 10:16] = 8
    volume[4:11, 5, 6] = np.maximum(volume[4:11, 5, 6], 3)
    volume[10, 5:11, 6] = volume[10, 10, 6:11] = 3
    region_ = region(volume > 2.5)
    (everywhere,) = measure(volume, region_, grid=GRID)
    (here,) = measure(volume, region_, grid=GRID, peak=PeakDefinition.IBSI_LOCAL)
    assert (everywhere.suvmax_voxel, here.suvmax_voxel) == ((4, 5, 6), (4, 5, 6))
    # Around the maximum: 123 voxels of 2.5, of which one is 20 and three more on the line are 3.
    assert here.suvpeak == pytest.approx(2.5 + (17.5 + 3 * 0.5) / 123)
    assert everywhere.suvpeak > 7
    assert here.suvpeak_definition == "ibsi_local"


def test_of_several_maxima_the_highest_local_peak_counts():
    volume = np.zeros(GRID.shape, np.float32)
    volume[10, 12, 5:20] = 4
    volume[10, 12, [5, 19]] = 9
    volume[9, 12, 19] = 3
    (lesion,) = measure(volume, region(volume >= 4), grid=GRID, peak=PeakDefinition.IBSI_LOCAL)
    assert lesion.suvpeak == pytest.approx((9 + 3 * 4 + 3) / 123)


def test_a_weighted_peak_counts_the_part_of_a_voxel_that_lies_inside():
    # In voxels of 20 mm the sphere of 1 cm3 lies inside one of them, which counts alone.
    large = replace(GRID, spacing=(20.0, 20.0, 20.0))
    volume = np.zeros(GRID.shape, np.float32)
    volume[10, 12, 14] = 5
    (lesion,) = measure(volume, region(volume > 0), grid=large, peak=PeakDefinition.WEIGHTED)
    assert lesion.suvpeak == 5
    # The weights of all voxels are the volume of the sphere: 1 cm3 over 8 mm3, to a percent.
    means, _ = sphere_means(volume, np.arange(volume.size), grid=GRID, weighted=True)
    assert 5 / means.max() == pytest.approx(125, rel=0.01)


def test_a_weighted_peak_counts_uneven_planes_by_their_height():
    # Planes 1 and 3 mm apart by turns, against the same image on planes of 1 mm.
    steps = np.tile([1.0, 3.0], 12)[:23]
    planes = np.concatenate([[0.0], np.cumsum(steps)])
    uneven = Grid(shape=(24, 24, 28), spacing=(2.0, 2.0, 2.0), origin=(0, 0, 0),
                  planes=tuple(planes))  # fmt: skip
    even = Grid(shape=(45, 24, 28), spacing=(1.0, 2.0, 2.0), origin=(0, 0, 0))
    profile = np.random.default_rng(3).uniform(1, 9, 24).astype(np.float32)
    volume = np.broadcast_to(profile[:, None, None], uneven.shape).copy()
    # Each plane reaches half way to its neighbours, 2 mm: two planes of the even grid.
    owner = np.abs(planes[:, None] - (np.arange(45) + 0.25)).argmin(axis=0)
    fine = np.broadcast_to(profile[owner][:, None, None], even.shape).copy()
    plane = 12
    flat = np.array([np.ravel_multi_index((plane, 12, 14), uneven.shape)])
    there = np.array([np.ravel_multi_index((round(planes[plane]), 12, 14), even.shape)])
    ours, _ = sphere_means(volume, flat, grid=uneven, weighted=True)
    theirs, _ = sphere_means(fine, there, grid=even, weighted=True)
    assert ours[0] == pytest.approx(theirs[0], rel=0.05)


def test_extent_is_the_box_of_the_voxels_with_their_borders():
    volume = np.zeros(GRID.shape, np.float32)
    volume[8:12, 10:14, 12] = 4
    volume[8, 10, 12:16] = 4
    (lesion,) = lesions(volume, grid=replace(GRID, spacing=(3.0, 2.0, 1.0)))
    assert lesion.extent_mm == (12.0, 8.0, 4.0)


def test_totals_of_a_scan():
    volume = np.zeros(GRID.shape, np.float32)
    volume[3, 3, 3:5] = 5
    volume[3, 3, 20] = 9
    volume[13, 20, 20] = 4
    found = lesions(volume)
    together = totals(found)
    assert together.count == 3
    assert together.volume_ml == pytest.approx(4 * 0.008)
    assert together.total_uptake == pytest.approx((2 * 5 + 9 + 4) * 0.008)
    assert together.suvmax == 9
    # Two voxels of 5 within one cubic centimetre are more than one of 9.
    assert together.hottest_suvpeak == pytest.approx(10 / 123)
    # From (3, 3, 3.5) to (13, 20, 20) in voxels of 2 mm.
    assert together.dmax_mm == pytest.approx(2 * (10**2 + 17**2 + 16.5**2) ** 0.5)


def test_totals_of_no_lesion_and_of_one():
    assert totals(()) == Totals(0, 0.0, 0.0, None, None, None)
    volume = np.zeros(GRID.shape, np.float32)
    volume[3, 3, 3] = 5
    one = totals(lesions(volume))
    assert (one.count, one.suvmax, one.dmax_mm) == (1, 5.0, None)


@pytest.mark.reference
def test_ibsi_digital_phantom(reference_data):
    folder = reference_data / "ibsi_digital_phantom"
    phantom = json.loads((folder / "ibsi1_digital_phantom.json").read_text())
    expected = {name: row["value"] for name, row in phantom["reference"].items()}
    volume = np.array(phantom["image_zyx"], np.float32)
    grid = Grid(shape=volume.shape, spacing=tuple(phantom["spacing_mm_zyx"]), origin=(0, 0, 0))
    (lesion,) = measure(volume, region(phantom["mask_zyx"]), grid=grid)
    # Consensus values are printed to three significant digits; 159 over 74 voxels to five.
    assert lesion.suvmean == pytest.approx(expected["stat_mean"], abs=0.005)
    assert lesion.suvmean == pytest.approx(2.1486, abs=5e-5)
    assert lesion.suvmax == expected["stat_max"]
    assert lesion.suvpeak == pytest.approx(expected["loc_peak_glob"], abs=0.05)
    assert lesion.volume_ml * 1000 == pytest.approx(expected["morph_vol_approx"])
    (local,) = measure(
        volume, region(phantom["mask_zyx"]), grid=grid, peak=PeakDefinition.IBSI_LOCAL
    )
    assert local.suvpeak == pytest.approx(expected["loc_peak_loc"], abs=0.05)


def inside(points, polygon):
    """Even-odd rule for points (P, 2) and the corners (C, 2) of a polygon."""
    result = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        crosses = (ay > points[:, 1]) != (by > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            result ^= crosses & (points[:, 0] < (bx - ax) * (points[:, 1] - ay) / (by - ay) + ax)
    return result


def contours_of(structures, name):
    numbers = {roi.ROIName: roi.ROINumber for roi in structures.StructureSetROISequence}
    (roi,) = (r for r in structures.ROIContourSequence if r.ReferencedROINumber == numbers[name])
    return [np.reshape(c.ContourData, (-1, 3)).astype(float) for c in roi.ContourSequence]


@pytest.mark.reference
def test_published_lesion_of_a_whole_body_series(reference_data):
    # MIRP's own test demands 7.9 to 8.0 and 0.15 to 0.20 in GTV_Mass of this patient.
    folder = reference_data / "pet_series" / "ge_sts_001_raw"
    slices = [pydicom.dcmread(f) for f in (folder / "image").glob("*.dcm")]
    headers = [pet_header(ds) for ds in slices]
    stack = stack_from_headers(headers)
    volume = rescaled(
        (headers[i] for i in stack.order),
        (slices[i].pixel_array for i in stack.order),
        factor=suvbw_scale(headers).factor,
    )
    assert volume.max() == pytest.approx(66.52, abs=0.005)
    mask = np.zeros(volume.shape, bool)
    rows, columns = np.indices(volume.shape[1:])
    heights = np.array([headers[i].position[2] for i in stack.order])
    for contour in contours_of(pydicom.dcmread(next((folder / "mask").glob("*.dcm"))), "GTV_Mass"):
        plane = int(np.abs(heights - contour[0, 2]).argmin())
        place = stack.grid.voxel_to_patient(
            np.stack([np.full(rows.size, plane), rows.ravel(), columns.ravel()], axis=1)
        )
        mask[plane] ^= inside(place[:, :2], contour[:, :2]).reshape(rows.shape)
    (lesion,) = measure(volume, region(mask), grid=stack.grid)
    assert lesion.suvmax == pytest.approx(7.9107, abs=5e-5)
    assert volume[mask].min() == pytest.approx(0.1688, abs=5e-5)


# Uneven planes


def box_on(planes):
    """Everything of SUV 5 in planes 2 to 5, rows and columns 2 to 5, voxels of 2 mm."""
    suv = np.zeros((8, 8, 8), np.float32)
    suv[2:6, 2:6, 2:6] = 5.0
    steps = np.diff(planes)
    varies = bool(np.ptp(steps) > 0.01)
    grid = Grid(
        shape=suv.shape,
        spacing=(float(steps.mean()), 2.0, 2.0),
        origin=(0.0, 0.0, 0.0),
        planes=tuple(planes) if varies else (),
    )
    found = fixed_threshold(
        suv,
        threshold=4.0,
        spacing=grid.spacing,
        heights=grid.heights if varies else None,
        minimum_volume_ml=0.1,
        max_components=5,
    )
    (lesion,) = measure(suv, found, grid=grid)
    return lesion


def test_a_box_over_uneven_planes_has_its_true_volume():
    planes = [0.0, 2.0, 4.0, 6.1, 8.1, 10.2, 12.2, 14.2]
    lesion = box_on(planes)
    # Heights of planes 2 to 5 by hand: 2.05, 2.05, 2.05, 2.05; sixteen voxels of 4 mm2 each.
    assert lesion.volume_ml == pytest.approx(16 * 4 * 8.2 / 1000)
    assert lesion.total_uptake == pytest.approx(5.0 * lesion.volume_ml)
    # Its middle lies between planes 3 and 4, which are at 6.1 and 8.1 mm.
    assert lesion.centroid_mm[2] == pytest.approx(7.1)


def test_a_centroid_over_uneven_planes_is_the_mean_of_the_places_of_its_voxels():
    # Planes 2 to 5 lie at 4, 5.9, 7.9 and 10 mm: half way between the middle two is 6.9 mm.
    lesion = box_on([0.0, 2.0, 4.0, 5.9, 7.9, 10.0, 12.0, 14.0])
    assert lesion.centroid_mm == pytest.approx((7.0, 7.0, 6.95))


def test_planes_that_are_nearly_even_give_nearly_the_same():
    even = box_on([2.0 * k for k in range(8)])
    odd = box_on([2.0 * k + (0.011 if k == 7 else 0.0) for k in range(8)])
    assert odd.volume_ml == pytest.approx(even.volume_ml, rel=1e-3)
    assert odd.suvpeak == pytest.approx(even.suvpeak, rel=1e-6)


@pytest.mark.parametrize(("far", "reached"), [(6.1, True), (6.3, False)])
def test_the_peak_sphere_reaches_planes_by_their_true_distance(far, reached):
    """The sphere's radius is 6.2035 mm; the plane with the only value is `far` away."""
    suv = np.zeros((7, 15, 15), np.float32)
    suv[6, 7, 7] = 9.0
    grid = Grid(
        shape=suv.shape,
        spacing=(2.0, 2.0, 2.0),
        origin=(0.0, 0.0, 0.0),
        planes=(0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 6.0 + far),
    )
    flat = np.array([np.ravel_multi_index((3, 7, 7), suv.shape)])
    means, _ = sphere_means(suv, flat, grid=grid, radius=6.2035)
    assert (means[0] > 0) == reached
