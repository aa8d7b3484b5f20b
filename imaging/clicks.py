"""What a click of a reader takes in, by the method that the protocol states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imaging import seeded
from imaging.geometry import Grid
from imaging.seeded import Grown, Place
from imaging.segmentation import SegmentationError, Volume

# Larger than any lesion, smaller than a body: a region that reaches it has leaked.
LARGEST_ML = 3000.0


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
        "threshold" with `suv`, "gradient" with `box_mm`.

    Raises
    ------
    SegmentationError
        As `imaging.seeded` does; "method-unknown" for a method that is none of these.
    """
    name = method["method"]
    if name == "part_of_maximum":
        return seeded.at_part_of_maximum(
            suv, place, grid=grid, part=method["part"], largest_ml=LARGEST_ML
        )
    if name == "threshold":
        return seeded.at_threshold(
            suv, place, grid=grid, threshold=method["suv"], largest_ml=LARGEST_ML
        )
    if name == "gradient":
        return seeded.along_gradient(suv, place, grid=grid, box_mm=method["box_mm"])
    raise SegmentationError("method-unknown", f"No region grows from a click by {name!r}.")
