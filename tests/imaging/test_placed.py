"""Shapes that a reader places, against volumes of geometry and masks by coordinates."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from imaging.geometry import Grid
from imaging.placed import in_shape
from imaging.segmentation import SegmentationError

GRID = Grid(shape=(40, 50, 60), spacing=(3.0, 2.0, 1.0), origin=(0.0, 0.0, 0.0))
MIDDLE = (20, 25, 30)
EVERYTHING = {"method": "everything"}


def placed(volume, *, shape="ellipsoid", size_mm=(30.0, 30.0, 30.0), grid=GRID, **more):
    given = {"inside": EVERYTHING, "largest_ml": 3000.0, "centre": MIDDLE} | more
    return in_shape(
        volume,
        given["centre"],
        grid=grid,
        shape=shape,
        size_mm=size_mm,
        inside=given["inside"],
        largest_ml=given["largest_ml"],
    )


def noise():
    return np.random.default_rng(1).gamma(2.0, 1.0, GRID.shape).astype(np.float32)


def test_a_shape_of_the_whole_body_is_refused_before_it_takes_memory():
    grid = replace(GRID, shape=(400, 500, 600))
    one = np.broadcast_to(np.float32(1.0), grid.shape)
    tracemalloc.start()
    with pytest.raises(SegmentationError) as refused:
        placed(one, shape="box", size_mm=(1e6, 1e6, 1e6), grid=grid)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "shape-too-large"
    assert peak < 1e6


@pytest.mark.parametrize(
    ("shape", "size_mm", "volume_ml"),
    [
        ("box", (33.0, 30.0, 21.0), 33 * 30 * 21 / 1000),
        ("ellipsoid", (40.0, 40.0, 40.0), 4 / 3 * math.pi * 20**3 / 1000),
        ("ellipsoid", (60.0, 40.0, 30.0), 4 / 3 * math.pi * 30 * 20 * 15 / 1000),
    ],
)
def test_everything_in_a_shape_has_the_volume_of_the_shape(shape, size_mm, volume_ml):
    found = placed(noise(), shape=shape, size_mm=size_mm)
    # A box of whole voxels has an odd number of them along each edge around the middle.
    assert found.flat.size * GRID.voxel_volume_ml == pytest.approx(volume_ml, rel=0.06)
    assert found.threshold == noise().ravel()[found.flat].min()


def test_voxels_are_those_whose_centres_lie_inside_and_reach_the_threshold():
    volume = noise()
    k, m, n = np.indices(GRID.shape)
    squares = ((k - 20) * 3 / 15) ** 2 + ((m - 25) * 2 / 10) ** 2 + ((n - 30) / 8) ** 2
    mask = squares <= 1
    size_mm = (30.0, 20.0, 16.0)
    part = placed(volume, size_mm=size_mm, inside={"method": "part_of_maximum", "part": 0.41})
    threshold = 0.41 * float(volume[mask].max())
    assert part.threshold == threshold
    assert np.array_equal(part.flat, np.flatnonzero(mask & (volume >= np.float32(threshold))))
    fixed = placed(volume, size_mm=size_mm, inside={"method": "threshold", "suv": 2.5})
    assert np.array_equal(fixed.flat, np.flatnonzero(mask & (volume >= np.float32(2.5))))


def test_a_shape_is_cut_by_the_border_of_the_image():
    found = placed(noise(), shape="box", size_mm=(6.0, 4.0, 2.0), centre=(0, 0, 59))
    assert found.flat.size == 2 * 2 * 2


def test_uneven_planes_count_where_they_are():
    uneven = replace(GRID, planes=tuple(np.cumsum(np.tile([2.0, 4.0], 20)) - 2.0))
    # Planes 19 to 22 lie 4 mm before, and 4 and 6 mm behind: evenly spaced they would be at 3.
    found = placed(noise(), shape="box", size_mm=(8.0, 0.5, 0.5), grid=uneven)
    assert np.unravel_index(found.flat, GRID.shape)[0].tolist() == [19, 20, 21]
    assert [uneven.along[k] - uneven.along[20] for k in (19, 21, 22)] == [-2.0, 4.0, 6.0]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"centre": (40, 0, 0)}, "seed-outside"),
        ({"shape": "cylinder"}, "shape-invalid"),
        ({"size_mm": (30.0, 0.0, 30.0)}, "shape-invalid"),
        ({"size_mm": (30.0, math.inf, 30.0)}, "shape-invalid"),
        ({"largest_ml": 10.0}, "shape-too-large"),
        ({"inside": {"method": "threshold", "suv": 1e6}}, "shape-empty"),
        ({"inside": {"method": "threshold", "suv": 0.0}}, "threshold-invalid"),
        ({"inside": {"method": "part_of_maximum", "part": 1.5}}, "threshold-invalid"),
        ({"inside": {"method": "gradient"}}, "method-unknown"),
    ],
)
def test_what_gives_no_region_is_refused_by_name(change, code):
    with pytest.raises(SegmentationError) as refusal:
        placed(noise(), **change)
    assert refusal.value.code == code
