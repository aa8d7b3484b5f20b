"""Slices of a PET volume for a reader: inverse grey in an SUV window, regions outlined.

Three planes through the patient, whichever way the scanner cut: axial seen from the feet, coronal
from the front, sagittal from the left, so that the patient's right is on the left of the first two
and the face on the left of the third. Slices count from the feet, from the front, from the right.
What is drawn on a page is found again by its pixel, so that a click has a voxel.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from imaging.fusion import HOT, Underlay, blended, covered
from imaging.geometry import Grid
from imaging.pictures import (
    FRAME,
    INK,
    LESION,
    MUTED,
    PAPER,
    font,
    oriented_volume,
    patient_axes,
    ring,
    ticks,
)
from imaging.rendering import Window, grey
from imaging.resampling import Floats
from imaging.segmentation import Indices, Volume

Place = tuple[int, int, int]
Colour = tuple[int, int, int]

# The slice itself, in pixels, and the bar of its window beside it.
LARGEST = 576
BAR, BAR_WIDTH, PAD = 112, 16, 12
# Windows end where no tissue reaches.
HIGHEST_SUV = 1000.0
OUTLINE_MARGIN = 2
# Below the bar, the window of CT in words.
CT_LEGEND = 100
OPEN, LEFT_OUT, GROWN = (191, 87, 0), MUTED, (23, 92, 211)
MIRRORED = (0, 112, 104)


class Plane(StrEnum):
    """A way to cut the patient."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    @property
    def fixed(self) -> int:
        """The axis across the plane: 0 superior, 1 posterior, 2 left."""
        return list(Plane).index(self)

    @property
    def shown(self) -> tuple[int, int]:
        """The axes that run down and to the right."""
        return ((1, 2), (0, 2), (0, 1))[self.fixed]

    @property
    def sides(self) -> tuple[str, str]:
        """What of the patient is at the left and at the right edge."""
        return ("A", "P") if self is Plane.SAGITTAL else ("R", "L")


@dataclass(frozen=True, slots=True)
class Outline:
    """A region to be drawn: its voxels, what is written beside it, and the colour of both."""

    label: str
    voxels: Indices
    colour: Colour = LESION


class SliceError(ValueError):
    """A slice, a window or a place that there is none of; `code` names which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def window_of(low: float, high: float) -> Window:
    """The SUV drawn white and black.

    >>> window_of(0, 10)
    Window(lower=0, upper=10)

    Raises
    ------
    SliceError
        "window-invalid".
    """
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high <= HIGHEST_SUV):
        raise SliceError(
            "window-invalid",
            f"A window runs from an SUV of 0 or more up to a higher one, at most {HIGHEST_SUV:g}; "
            f"got {low:g} to {high:g}.",
        )
    return Window(low, high)


def count(grid: Grid, plane: Plane) -> int:
    """How many slices a plane has."""
    return _shape(grid)[plane.fixed]


def index_of(grid: Grid, plane: Plane, voxel: Place) -> int:
    """The slice of a plane that a voxel (plane, row, column) lies in, from 0."""
    axes, back = patient_axes(grid)
    axis = axes[plane.fixed]
    return grid.shape[axis] - 1 - voxel[axis] if back[plane.fixed] else voxel[axis]


def voxel_at(grid: Grid, plane: Plane, index: int, *, x: float, y: float) -> Place:
    """The voxel (plane, row, column) at a pixel of the picture of a slice.

    Raises
    ------
    SliceError
        "slice-unknown", or "beside-the-slice" for a pixel that is none of the slice.
    """
    _require_slice(grid, plane, index)
    width, height = picture_size(grid, plane)
    if not (0 <= x < width and 0 <= y < height):
        raise SliceError("beside-the-slice", "Click on the slice itself.")
    shape = _shape(grid)
    down, right = plane.shown
    places = [0, 0, 0]
    places[plane.fixed] = index
    places[down] = int(y / height * shape[down])
    places[right] = int(x / width * shape[right])
    if down == 0:
        places[down] = shape[down] - 1 - places[down]
    axes, back = patient_axes(grid)
    voxel = [0, 0, 0]
    for axis, place, is_back, size in zip(axes, places, back, shape, strict=True):
        voxel[axis] = size - 1 - place if is_back else place
    return voxel[0], voxel[1], voxel[2]


def slice_png(
    suv: Volume,
    *,
    grid: Grid,
    plane: Plane,
    index: int,
    window: Window,
    outlines: Sequence[Outline] = (),
    ct: Underlay | None = None,
) -> bytes:
    """One slice as a PNG, with the sides of the patient, a bar in mm and one of the SUV.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL.
    grid : Grid
        Of the volume.
    plane, index : Plane, int
        Which slice, from 0.
    window : Window
        SUV drawn white and black, g/mL.
    outlines : sequence of Outline
        Drawn where their voxels meet the slice.
    ct : Underlay, optional
        Drawn under the slice, which is in colours then.

    Raises
    ------
    SliceError
        "slice-unknown".
    PictureError
        If the volume lies askew in the patient.
    """
    _require_slice(grid, plane, index)
    size = picture_size(grid, plane)
    image = Image.new("RGB", (size[0] + BAR, max(size[1], LARGEST // 2)), PAPER)
    smooth = _smooth(suv, grid, plane, index, size)
    if ct is None:
        image.paste(Image.fromarray(grey(smooth, Window(window.upper, window.lower))))
    else:
        points = points_mm(grid, plane, index)
        image.paste(Image.fromarray(blended(smooth, ct, points, window)))
    for one in outlines:
        mask = _mask(grid, plane, index, one.voxels)
        if mask.any():
            _draw_outline(image, size, mask, one, is_cased=ct is not None)
    _draw_sides(image, plane, size)
    _draw_length(image, size, size[0] / _extent_mm(grid, plane)[1])
    _draw_window(image, size, window, is_hot=ct is not None)
    if ct is not None:
        _draw_ct_window(image, size, ct, covered(grid, ct.grid))
    png = io.BytesIO()
    # Made anew for each look: a fast picture matters more than a small one.
    image.save(png, "PNG", compress_level=1)
    return png.getvalue()


def points_mm(grid: Grid, plane: Plane, index: int) -> Floats:
    """Where the pixels of a slice lie in the patient (LPS), shape (height, width, 3), mm."""
    width, height = picture_size(grid, plane)
    shape = _shape(grid)
    down, right = plane.shown
    along = (np.arange(height) + 0.5) / height * shape[down] - 0.5
    edges = np.full((height + width, 3), -0.5)
    edges[:, plane.fixed] = index
    edges[:height, down] = shape[down] - 1 - along if down == 0 else along
    edges[height:, down] = edges[0, down]
    edges[height:, right] = (np.arange(width) + 0.5) / width * shape[right] - 0.5
    axes, back = patient_axes(grid)
    voxels = np.empty_like(edges)
    for i, axis in enumerate(axes):
        voxels[:, axis] = shape[i] - 1 - edges[:, i] if back[i] else edges[:, i]
    # Each index moves a point along an axis of its own, so that two edges give the whole slice.
    found = grid.voxel_to_patient(voxels)
    return np.asarray(found[:height, None] + found[None, height:] - found[0])


def _require_slice(grid: Grid, plane: Plane, index: int) -> None:
    if not 0 <= index < count(grid, plane):
        raise SliceError(
            "slice-unknown",
            f"The {plane} slices are 0 to {count(grid, plane) - 1}; there is no slice {index}.",
        )


def _shape(grid: Grid) -> tuple[int, ...]:
    """Size to superior, posterior, left in voxels."""
    axes, _ = patient_axes(grid)
    return tuple(grid.shape[axis] for axis in axes)


def picture_size(grid: Grid, plane: Plane) -> tuple[int, int]:
    """Width and height of a slice in pixels, in true proportions."""
    down, right = _extent_mm(grid, plane)
    scale = LARGEST / max(down, right)
    return max(1, round(right * scale)), max(1, round(down * scale))


def _extent_mm(grid: Grid, plane: Plane) -> tuple[float, float]:
    """Height and width of a slice in mm."""
    axes, _ = patient_axes(grid)
    down, right = (axes[axis] for axis in plane.shown)
    return grid.shape[down] * grid.spacing[down], grid.shape[right] * grid.spacing[right]


def _smooth(
    suv: Volume, grid: Grid, plane: Plane, index: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    values = np.take(oriented_volume(suv, grid), index, axis=plane.fixed)
    if plane.shown[0] == 0:
        values = values[::-1]
    smooth = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(smooth.resize(size, Image.Resampling.BICUBIC))


def _mask(grid: Grid, plane: Plane, index: int, voxels: Indices) -> NDArray[np.bool_]:
    """Mask (rows, columns) of a slice where the voxels meet it."""
    axes, back = patient_axes(grid)
    shape = _shape(grid)
    at = np.unravel_index(voxels, grid.shape)
    places = [shape[i] - 1 - at[axes[i]] if back[i] else at[axes[i]] for i in range(len(axes))]
    here = places[plane.fixed] == index
    down, right = plane.shown
    mask = np.zeros((shape[down], shape[right]), bool)
    mask[places[down][here], places[right][here]] = True
    return mask[::-1] if down == 0 else mask


def _draw_outline(
    image: Image.Image,
    size: tuple[int, int],
    mask: NDArray[np.bool_],
    one: Outline,
    *,
    is_cased: bool,
) -> None:
    """A line around what a region covers of the slice, and its label beside it.

    Cased in white it stands out from colours.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    padded = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], OUTLINE_MARGIN)
    right, down = size[0] / mask.shape[1], size[1] / mask.shape[0]
    box = (max(1, round(padded.shape[1] * right)), max(1, round(padded.shape[0] * down)))
    left = round((columns[0] - OUTLINE_MARGIN) * right)
    top = round((rows[0] - OUTLINE_MARGIN) * down)
    where = (left, top, left + box[0], top + box[1])
    line = ring(padded, box)
    if is_cased:
        image.paste(PAPER, where, line.filter(ImageFilter.MaxFilter(3)))
    image.paste(one.colour, where, line)
    edge = round((columns[-1] + 1) * right) + 6
    is_beyond = edge + 10 * len(one.label) > size[0]
    ImageDraw.Draw(image).text(
        (round(columns[0] * right) - 6 if is_beyond else edge, round(rows[0] * down)),
        one.label,
        one.colour,
        font(17),
        anchor="rm" if is_beyond else "lm",
        stroke_width=2,
        stroke_fill=PAPER,
    )


def _draw_sides(image: Image.Image, plane: Plane, size: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=FRAME)
    for x, side, anchor in zip((10, size[0] - 10), plane.sides, ("lt", "rt"), strict=True):
        draw.text((x, 10), side, MUTED, font(18), anchor=anchor, stroke_width=2, stroke_fill=PAPER)


def _draw_length(image: Image.Image, size: tuple[int, int], scale: float) -> None:
    """A bar of a round length in the lower left of the slice; `scale` is in pixels per mm."""
    fitting = [mm for mm in (200, 100, 50, 20, 10, 5) if mm * scale <= 0.3 * size[0]]
    length = fitting[0] if fitting else 1
    draw, y = ImageDraw.Draw(image), size[1] - 14
    ends = (10, y, 10 + round(length * scale), y)
    # On the black of a CT the edge is what shows.
    draw.line(ends, PAPER, 4)
    draw.line(ends, INK, 2)
    text, at = f"{length} mm", (16 + round(length * scale), y)
    draw.text(at, text, INK, font(14), anchor="lm", stroke_width=2, stroke_fill=PAPER)


def _draw_window(
    image: Image.Image, size: tuple[int, int], window: Window, *, is_hot: bool
) -> None:
    """The bar beside the slice with round values: black at the upper SUV, or white if hot."""
    draw, left, top = ImageDraw.Draw(image), size[0] + PAD, 36
    height = image.height - top - PAD - (CT_LEGEND if is_hot else 0)
    ramp = np.linspace(0, 255, height).round().astype(np.uint8)
    shades = HOT[ramp[::-1]] if is_hot else np.repeat(ramp[:, None], 3, axis=1)
    image.paste(Image.fromarray(np.repeat(shades[:, None], BAR_WIDTH, axis=1)), (left, top))
    draw.rectangle((left - 1, top - 1, left + BAR_WIDTH, top + height), outline=FRAME)
    draw.text((left, top - 12), "SUV, g/mL", INK, font(14), anchor="ls")
    span = window.upper - window.lower
    for value in ticks(span):
        y = top + round(height * (1 - value / span))
        above = "+" if value == span else ""
        draw.line((left + BAR_WIDTH, y, left + BAR_WIDTH + 5, y), MUTED)
        text = f"{window.lower + value:g}{above}"
        draw.text((left + BAR_WIDTH + 10, y), text, INK, font(14), anchor="lm")


def _draw_ct_window(image: Image.Image, size: tuple[int, int], ct: Underlay, part: float) -> None:
    """Which HU are black and white, below the bar of SUV, and how much of the PET has CT."""
    draw, left = ImageDraw.Draw(image), size[0] + PAD
    window = ct.window.window
    lines = (
        ("CT, HU", INK),
        (f"white {window.upper:g}", MUTED),
        (f"black {window.lower:g}", MUTED),
        (f"of PET {100 * part:.0f} %" if part < 1 else "", MUTED),
    )
    for number, (text, colour) in enumerate(lines):
        y = image.height - CT_LEGEND + 26 + 20 * number
        draw.text((left, y), text, colour, font(14), anchor="ls")
