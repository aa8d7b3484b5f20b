"""Lesions of a volume and of a series, and regions from a click, beside the field's libraries.

`python -m config.bench_quantification [FOLDER]`, and a part of `make bench`. Each way writes the
same table: voxels, SUVmax, SUVmean and SUVpeak of every region at or above SUV 4 that hangs
together by faces, edges or corners. Before anything is timed the tables are asserted equal. The
ways take turns, so that whatever else the machine does hits all of them. What counts is the ratio
of the medians, held against its goal; that of the minima stands beside it, which tells of a machine
that was busy. The cost against voxels and against lesions goes into FOLDER as a plot.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
import pydicom
import SimpleITK
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage
from skimage import measure, segmentation

from config import bench
from imaging import lesions, peaks, pixels, seeded
from imaging import segmentation as ours
from imaging import volume as volume_module
from imaging.geometry import Grid
from imaging.headers import PetHeader, pet_header
from imaging.storage.places import whole

ROUNDS = 7
SMALL_VOXELS = 2**17
THRESHOLD = 4.0
# A half: 41 % runs from the smaller of these lesions into the liver beside some of them.
PART_OF_MAXIMUM = 0.5
LARGEST_ML = 500.0
CLICKS = 5
TOUCHING = np.ones((3, 3, 3), bool)
COUNTS = (5, 50, 500)
RANDOM_VOLUMES = 60
# What a scanner's stored values resolve.
STEP = 1 / 1024

# How many times as long as ours each way is to take at least.
PEERS = ("scipy.ndimage", "scikit-image", "SimpleITK")
CC3D = "cc3d, measured as ours"
ONE_READ = "np.max of the volume"
FEW = dict.fromkeys(PEERS, 12.0) | {CC3D: 2.0, ONE_READ: 1 / 5}
MANY = dict.fromkeys(PEERS, 10.0) | {CC3D: 2.0}
OF_SERIES = {"pydicom and scipy.ndimage": 20.0, "SimpleITK": 20.0}
OF_CLICKS = {"SimpleITK ConnectedThreshold": 50.0}
MOST_MB = 64.0
# Where the goal for few lesions ends.
MANY_FROM = 500

Volume = NDArray[np.float32]
# Voxels, SUVmax, SUVmean and SUVpeak of a region in each row, in the order of `sorted_rows`.
Table = NDArray[np.float64]
Way = Callable[[], object]


@dataclass(frozen=True)
class Size:
    name: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def grid(self) -> Grid:
        return Grid(shape=self.shape, spacing=self.spacing, origin=(0.0, 0.0, 0.0))


SIZES = (
    Size("400 x 200 x 200", (400, 200, 200), (3.0, 4.0, 4.0)),
    Size("800 x 400 x 400", (800, 400, 400), (2.0, 2.0, 2.0)),
)


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    require_equal_on_random_volumes()
    print(f"{'of ' + str(ROUNDS):42}{'seconds':>11}{'of ours':>9}{'minima':>9}{'goal':>7}")
    missed = []
    for size in SIZES:
        for count in COUNTS:
            missed += tables_of(size, count)
        missed += series_of(size)
        missed += clicks_on(size)
    print(f"cost: {costs(folder)}")
    print("\n".join(["goals missed:", *missed]) if missed else "every goal met")
    return 0


# Volumes: a warm body with a liver, noise as of a 7 mm resolution, and lesions of 8 to 36 mm.


def body(size: Size, count: int, *, seed: int) -> Volume:
    """SUVbw in g/mL with a number of lesions that nowhere touch, in steps of stored values."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal(size.shape, dtype=np.float32)
    ndimage.gaussian_filter(noise, [3.0 / step for step in size.spacing], output=noise)
    _, y, x = middles(size)
    is_body = (y / 110) ** 2 + (x / 170) ** 2 < 1
    volume = np.where(is_body, np.float32(0.9), np.float32(0.02)) * np.ones(size.shape, np.float32)
    noise *= np.float32(0.12 / noise.std())
    volume *= 1 + noise
    for place, radius in places(size, count, random):
        paint(volume, size, place, radius, peak=random.uniform(8, 25))
    np.round(volume / np.float32(STEP), out=volume)
    volume *= np.float32(STEP)
    return np.maximum(volume, 0, out=volume)


def middles(size: Size) -> list[NDArray[np.float64]]:
    """Distance in mm of each voxel from the middle, along each axis."""
    axes = (
        (np.arange(count) - count / 2) * step
        for count, step in zip(size.shape, size.spacing, strict=True)
    )
    return list(np.ix_(*axes))


def places(
    size: Size, count: int, random: np.random.Generator
) -> list[tuple[NDArray[np.float64], float]]:
    """Centres and radii in mm of spheres that keep 9 mm apart."""
    length = size.shape[0] * size.spacing[0]
    largest = 18 if count <= 50 else 9
    found: list[tuple[NDArray[np.float64], float]] = []
    while len(found) < count:
        radius = float(random.uniform(4, largest))
        place = np.array([random.uniform(0.05, 0.95) * length, *random.uniform(-70, 70, 2)])
        if all(np.linalg.norm(place - other) > radius + more + 18 for other, more in found):
            found.append((place, radius))
    return found


def paint(
    volume: Volume, size: Size, place: NDArray[np.float64], radius: float, *, peak: float
) -> None:
    """A sphere whose border falls off over some 2 mm."""
    spacing = np.array(size.spacing)
    middle = place / spacing + np.array([0, size.shape[1] / 2, size.shape[2] / 2])
    reach = (radius + 9) / spacing
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach) + 1, size.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = (
        (np.arange(a, b) - m) * step
        for a, b, m, step in zip(low, high, middle, spacing, strict=True)
    )
    distance = np.sqrt(sum(axis**2 for axis in np.ix_(*axes)))
    volume[box] += (peak / (1 + np.exp((distance - radius) / 2))).astype(np.float32)


# Tables of lesions.


def by_us(suv: Volume, size: Size) -> Table:
    found = ours.fixed_threshold(
        suv,
        threshold=THRESHOLD,
        spacing=size.spacing,
        minimum_volume_ml=0.0,
        max_components=suv.size,
    )
    return measured(suv, found, size)


def by_cc3d(suv: Volume, size: Size) -> Table:
    """The labels of cc3d, measured as we do."""
    mask = suv >= np.float32(THRESHOLD)
    labels, count = cc3d.connected_components(
        mask, connectivity=26, return_N=True, binary_image=True
    )
    flat = np.flatnonzero(mask)
    of_voxel = labels.ravel()[flat].astype(np.int64) - 1
    return measured(suv, ours.Components(flat, of_voxel, count), size)


def measured(suv: Volume, components: ours.Components, size: Size) -> Table:
    return sorted_rows(
        (one.voxel_count, one.suvmax, one.suvmean, one.suvpeak)
        for one in lesions.measure(suv, components, grid=size.grid)
    )


def by_scipy(suv: Volume, size: Size) -> Table:
    labels, _ = ndimage.label(suv >= np.float32(THRESHOLD), TOUCHING)
    return cut_out(suv, labels, enumerate(ndimage.find_objects(labels), start=1), size)


def by_skimage(suv: Volume, size: Size) -> Table:
    labels = measure.label(suv >= np.float32(THRESHOLD), connectivity=3)
    found = measure.regionprops_table(
        labels, suv, properties=("label", "slice", "intensity_max", "intensity_mean")
    )
    return cut_out(suv, labels, zip(found["label"], found["slice"], strict=True), size)


def by_itk(suv: Volume, size: Size) -> Table:
    image = SimpleITK.GetImageFromArray(suv)
    mask = SimpleITK.BinaryThreshold(image, THRESHOLD, 1e9, 1, 0)
    labelled = SimpleITK.ConnectedComponent(mask, True)
    statistic = SimpleITK.LabelIntensityStatisticsImageFilter()
    statistic.Execute(labelled, image)
    boxes = []
    for label in statistic.GetLabels():
        x, y, z, columns, rows, planes = statistic.GetBoundingBox(label)
        boxes.append((label, (slice(z, z + planes), slice(y, y + rows), slice(x, x + columns))))
    return cut_out(suv, SimpleITK.GetArrayViewFromImage(labelled), boxes, size)


def cut_out(
    suv: Volume,
    labels: NDArray[np.integer],
    boxes: Iterable[tuple[int, tuple[slice, ...]]],
    size: Size,
) -> Table:
    """Each region in a box of its own, with the sphere of the peak laid around its voxels."""
    sphere = sphere_of(size.spacing)
    reach = [side // 2 for side in sphere.shape]
    rows = []
    for label, box in boxes:
        wide = tuple(
            slice(max(one.start - more, 0), one.stop + more)
            for one, more in zip(box, reach, strict=True)
        )
        inside = labels[wide] == label
        values = suv[wide][inside].astype(np.float64)
        # At the border of the image the sphere ends with it.
        held = ndimage.convolve(np.ones(inside.shape, np.float32), sphere, mode="constant")
        peak = (ndimage.convolve(suv[wide], sphere, mode="constant") / held)[inside].max()
        rows.append((values.size, values.max(), values.mean(), peak))
    return sorted_rows(rows)


def sphere_of(spacing: tuple[float, float, float]) -> NDArray[np.float32]:
    """1 where a voxel belongs to the sphere of the peak."""
    reach = [int(peaks.RADIUS_MM // step) for step in spacing]
    axes = (np.arange(-r, r + 1) * step for r, step in zip(reach, spacing, strict=True))
    return (sum(axis**2 for axis in np.ix_(*axes)) <= peaks.RADIUS_MM**2).astype(np.float32)


def sorted_rows(rows: Iterable[tuple[float, float, float, float]]) -> Table:
    table = np.array(sorted(rows), dtype=np.float64)
    return table.reshape(-1, 4)


WAYS: dict[str, Callable[[Volume, Size], Table]] = {
    "ours": by_us,
    CC3D: by_cc3d,
    "scipy.ndimage": by_scipy,
    "scikit-image": by_skimage,
    "SimpleITK": by_itk,
}


def require_equal(tables: dict[str, Table]) -> None:
    """Voxels and SUVmax to the last bit, means to the rounding of single precision."""
    ours_ = tables["ours"]
    for name, table in tables.items():
        if (
            table.shape != ours_.shape
            or not np.array_equal(table[:, :2], ours_[:, :2])
            or not np.allclose(table[:, 2:], ours_[:, 2:], rtol=2e-6)
        ):
            raise SystemExit(f"{name} finds other lesions: the times of the two mean nothing.")


def require_equal_on_random_volumes() -> None:
    """From single voxels to one net of them, on both sides of where our path changes."""
    random = np.random.default_rng(5)
    size = Size("random", (24, 26, 28), (5.0, 4.0, 4.0))
    for part in np.geomspace(1e-3, 0.3, RANDOM_VOLUMES):
        suv = random.random(size.shape, dtype=np.float32) + np.float32(THRESHOLD - 1 + part)
        # Behind the border, where a sphere that leaves a box of the region would leave the image.
        suv[:3] = suv[-3:] = suv[:, :3] = suv[:, -3:] = suv[:, :, :3] = suv[:, :, -3:] = 1
        require_equal({name: way(suv, size) for name, way in WAYS.items()})
    print(f"{RANDOM_VOLUMES} random volumes: the same lesions in all of {', '.join(WAYS)}")


def tables_of(size: Size, count: int) -> list[str]:
    suv = body(size, count, seed=count)
    tables = {name: way(suv, size) for name, way in WAYS.items()}
    require_equal(tables)
    ways: dict[str, Way] = {name: lambda w=way: w(suv, size) for name, way in WAYS.items()}
    what = f"{size.name}, {len(tables['ours'])} lesions: table"
    missed = shown(what, ways | {ONE_READ: suv.max}, MANY if count >= MANY_FROM else FEW)
    with traced() as most:
        by_us(suv, size)
    return [*missed, *held(what, most() / 1e6)]


def held(what: str, megabytes: float) -> list[str]:
    """Print the memory beyond the volume against its goal; who misses it."""
    line = f"  {'memory beyond the volume, MB':40}{megabytes:>11.1f}"
    print(f"{line}{'':18}{'<' + format(MOST_MB, 'g'):>7} {verdict(megabytes < MOST_MB)}")
    return [] if megabytes < MOST_MB else [f"  {what}: {megabytes:.1f} MB"]


# A series on disk: its headers and the places of its pixels are known since its release, and the
# memory of the volume is that of the series before, as in a worker (imaging.kept_memory).


def series_of(size: Size) -> list[str]:
    suv = body(size, 50, seed=50)
    with tempfile.TemporaryDirectory(prefix="tt-bench-") as folder:
        paths, headers, where = on_disk(Path(folder), suv, size)
        ways: dict[str, Callable[[], Table]] = {
            "ours": lambda: by_us(read_by_us(paths, headers, where), size),
            "pydicom and scipy.ndimage": lambda: by_scipy(read_by_pydicom(paths), size),
            "SimpleITK": lambda: by_itk(read_by_itk(folder), size),
        }
        require_equal({name: way() for name, way in ways.items()})
        missed = shown(f"{size.name}, files to the table of 50 lesions", ways, OF_SERIES)
        with traced() as most:
            ways["ours"]()
        print(f"  {'memory beyond the volume, MB':40}{most() / 1e6:>11.1f}")
        return missed


def on_disk(
    folder: Path, suv: Volume, size: Size
) -> tuple[list[Path], list[PetHeader], list[pixels.Place]]:
    """Single-slice files that give the volume again, each with a slope of its own."""
    ds = pydicom.dcmread(BytesIO(bench.slices()[0]))
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Rows, ds.Columns = size.shape[1:]
    ds.NumberOfSlices = size.shape[0]
    ds.RescaleIntercept = 0
    paths, headers, where = [], [], []
    for plane, values in enumerate(suv):
        # Powers of two, by which nothing is rounded anew.
        slope = STEP * (2 if plane % 2 and values.max() < 32 else 1)
        ds.PixelData = np.round(values / slope).astype(np.int16).tobytes()
        ds.RescaleSlope = repr(slope)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{plane + 1}"
        ds.InstanceNumber = plane + 1
        ds.ImagePositionPatient = [0, 0, size.spacing[0] * plane]
        paths.append(folder / f"{plane:04}.dcm")
        ds.save_as(paths[-1])
        headers.append(pet_header(ds))
        where.append(pixels.place_of(paths[-1].read_bytes(), headers[-1]))
    return paths, headers, where


def read_by_us(paths: list[Path], headers: list[PetHeader], where: list[pixels.Place]) -> Volume:
    def stored(plane: int) -> NDArray[np.integer]:
        return pixels.stored_values(whole(paths[plane]), headers[plane], where[plane])

    # The product's digest of each file is left out, as it is by the others; without it slices as
    # small as these are read too soon for two threads to gain by it.
    threads = 1 if headers[0].rows * headers[0].columns < SMALL_VOXELS else None
    return volume_module.read_at_once(headers, stored, threads=threads)


def read_by_pydicom(paths: list[Path]) -> Volume:
    """The loop of every tutorial, in the order of the planes."""
    read = sorted(
        (pydicom.dcmread(path) for path in paths), key=lambda ds: ds.ImagePositionPatient[2]
    )
    return np.stack([ds.pixel_array * float(ds.RescaleSlope) for ds in read]).astype(np.float32)


def read_by_itk(folder: str) -> Volume:
    """In the order that GDCM finds by the headers: names say nothing."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(folder))
    reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    return SimpleITK.GetArrayFromImage(reader.Execute())


# Clicks: the region around the hottest voxel of a lesion, down to a part of its SUV. As a reader
# goes from lesion to lesion, one after the other: a single one takes less than a turn of the clock
# that shares the machine out, and would be measured with whatever else the machine does.


def clicks_on(size: Size) -> list[str]:
    suv = body(size, 50, seed=50)
    found = lesions.measure(
        suv,
        ours.fixed_threshold(
            suv,
            threshold=THRESHOLD,
            spacing=size.spacing,
            minimum_volume_ml=0.0,
            max_components=suv.size,
        ),
        grid=size.grid,
    )
    clicks = [(one.suvmax_voxel, PART_OF_MAXIMUM * one.suvmax) for one in found[:CLICKS]]
    image = SimpleITK.GetImageFromArray(suv)

    def grown() -> list[seeded.Grown]:
        return [
            seeded.at_part_of_maximum(
                suv, at, grid=size.grid, part=PART_OF_MAXIMUM, largest_ml=LARGEST_ML
            )
            for at, _ in clicks
        ]

    def by_itk_grown() -> list[SimpleITK.Image]:
        full = SimpleITK.ConnectedThresholdImageFilter.FullConnectivity
        return [
            SimpleITK.ConnectedThreshold(image, [at[::-1]], threshold, 1e9, 1, full)
            for at, threshold in clicks
        ]

    def by_skimage_grown() -> list[NDArray[np.bool_]]:
        return [
            segmentation.flood(suv >= np.float32(threshold), at, connectivity=3)
            for at, threshold in clicks
        ]

    def by_scipy_grown() -> list[NDArray[np.bool_]]:
        found = []
        for at, threshold in clicks:
            labels, _ = ndimage.label(suv >= np.float32(threshold), TOUCHING)
            found.append(labels == labels[at])
        return found

    regions = [one.flat for one in grown()]
    require_same_regions(regions, map(SimpleITK.GetArrayViewFromImage, by_itk_grown()))
    require_same_regions(regions, by_skimage_grown())
    require_same_regions(regions, by_scipy_grown())
    ways: dict[str, Way] = {
        "ours": grown,
        "SimpleITK ConnectedThreshold": by_itk_grown,
        "scikit-image flood": by_skimage_grown,
    }
    sizes = ", ".join(str(one.size) for one in regions)
    return shown(f"{size.name}, regions of {sizes} voxels from a click each", ways, OF_CLICKS)


def require_same_regions(regions: list[ours.Indices], theirs: Iterable[NDArray[Any]]) -> None:
    for region, other in zip(regions, theirs, strict=True):
        if not np.array_equal(np.flatnonzero(other), region):
            raise SystemExit("A click gives different regions: the times mean nothing.")


# Times.


def shown(what: str, ways: Mapping[str, Way], goals: Mapping[str, float]) -> list[str]:
    """Print of each way the median, and how many times ours it is by medians and by minima.

    A goal holds for the ratio of the medians; who misses it is returned with what was reached.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(bench.seconds(way))
    print(what)
    missed = []
    median, least = statistics.median(times["ours"]), min(times["ours"])
    for name, found in times.items():
        taken_by, shortest = statistics.median(found), min(found)
        ratio = taken_by / median
        line = f"  {name:40}{taken_by:>11.4f}{ratio:>9.2f}{shortest / least:>9.2f}"
        if goal := goals.get(name):
            line += f"{goal:>7g} {verdict(ratio >= goal)}"
        if goal and ratio < goal:
            missed.append(f"  {what}: {name} takes {ratio:.2f} times ours, not {goal:g}")
        print(line, flush=True)
    return missed


def verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Peak of the memory that Python and numpy ask for, in bytes."""
    tracemalloc.start()
    most = 0
    try:
        yield lambda: most
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


def costs(folder: Path) -> Path:
    """How the table's cost grows with voxels and with lesions: slopes printed, and a plot."""
    size = SIZES[0]
    planes = (50, 100, 200, 400)
    whole = body(size, 50, seed=50)
    by_voxels = {n * size.shape[1] * size.shape[2] / 1e6: whole[:n] for n in planes}
    by_lesions = {n: body(size, n, seed=n) for n in (5, 100, 200, 350, 500)}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, label, volumes in zip(
        panels, ("million voxels", "lesions"), (by_voxels, by_lesions), strict=True
    ):
        times = [
            statistics.median(taken(v, size) for _ in range(ROUNDS)) * 1e3 for v in volumes.values()
        ]
        slope, start = np.polyfit(list(volumes), times, 1)
        print(f"  {slope:.3f} ms a {label.rstrip('s')}, {start:.1f} ms besides: ", end="")
        print(", ".join(f"{n:g}: {t:.1f} ms" for n, t in zip(volumes, times, strict=True)))
        axes.plot(list(volumes), times, "o")
        axes.axline((0, start), slope=slope, linewidth=1)
        axes.set(xlabel=label, ylabel="lesion table, ms", ylim=(0, None), xlim=(0, None))
        axes.set_title(f"{slope:.3f} ms each, {start:.1f} ms besides", fontsize=10)
    path = folder / "quantification-cost.svg"
    figure.savefig(path)
    return path


def taken(suv: Volume, size: Size) -> float:
    part = Size(size.name, (len(suv), *size.shape[1:]), size.spacing)
    begun = time.perf_counter()
    by_us(suv, part)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
