"""What a click of a reader takes in, by the method that the protocol states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imaging import adapted, drawn, placed, seeded
from imaging.geometry import Grid
from imaging.seeded import Grown, Place
from imaging.segmentation import SegmentationError, Volume

# Larger than any lesion, smaller than a body: a region that reaches it has leaked.
LARGEST_ML = 3000.0
# Whose threshold is counted from the hottest voxel near the click.
OF_MAXIMUM = ("part_of_maximum", "background_adapted")


def grown(suv: Volume, place: Place, *, grid: Grid, method: Mapping[str, Any]) -> Grown:
    """The region around a click.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL, C-contiguous.
    place : (int, int, int)
        (plane, row, column) that was clicked.
    grid : Grid
        Of the volume.
    method : mapping
        As `trials.segmentation_methods.click` gives it: "part_of_maximum" with `part`,
        "threshold" with `suv`, "gradient" with `box_mm`, "background_adapted" with `signal`,
        `times_signal` and `times_background`; "placed" with `shape`, `size_mm` and `inside`; or
        "drawn" with `contours`, which holds no matter where the click was.
        `largest_ml` where the protocol states one.

    Raises
    ------
    SegmentationError
        As `imaging.seeded`, `imaging.adapted`, `imaging.placed` and `imaging.drawn` do;
        "method-unknown" for a method that is none of these.
    """
    name = method["method"]
    largest_ml = method.get("largest_ml", LARGEST_ML)
    if name == "part_of_maximum":
        return seeded.at_part_of_maximum(
            suv, place, grid=grid, part=method["part"], largest_ml=largest_ml
        )
    if name == "threshold":
        return seeded.at_threshold(
            suv, place, grid=grid, threshold=method["suv"], largest_ml=largest_ml
        )
    if name == "gradient":
        return seeded.along_gradient(suv, place, grid=grid, box_mm=method["box_mm"])
    if name == "background_adapted":
        return adapted.to_background(
            suv,
            place,
            grid=grid,
            signal=method["signal"],
            times_signal=method["times_signal"],
            times_background=method["times_background"],
            largest_ml=largest_ml,
        )
    if name == "placed":
        planes, rows, columns = method["size_mm"]
        return placed.in_shape(
            suv,
            place,
            grid=grid,
            shape=method["shape"],
            size_mm=(planes, rows, columns),
            inside=method["inside"],
            largest_ml=largest_ml,
        )
    if name == "drawn":
        return drawn.in_contours(suv, method["contours"], grid=grid, largest_ml=largest_ml)
    raise SegmentationError("method-unknown", f"No region grows from a click by {name!r}.")


def require_own_maximum(suv: Volume, region: Grown, method: Mapping[str, Any]) -> None:
    """Raise for a region that ran into something so hot that what was clicked is none of it.

    Counted from the region's own hottest voxel, the threshold would lie above the hottest near the
    click. Within a large lesion noise alone makes another voxel the hottest: that is told, and no
    refusal. Asked before a region is kept, not when one that was kept is found again.

    Raises
    ------
    SegmentationError
        "region-holds-hotter".
    """
    near, hottest = float(suv[region.seed]), float(suv.ravel()[region.flat].max())
    if method["method"] in OF_MAXIMUM and region.threshold * hottest > near**2:
        raise SegmentationError(
            "region-holds-hotter",
            f"The region grown from this place runs into something much hotter, {hottest:.2f} g/mL "
            f"where the hottest near the click is {near:.2f} g/mL: an organ or another lesion. "
            "Place a shape around the lesion instead, or click on its hottest place.",
        )
