"""Pictures of a PET volume: maximum intensity projections with the lesions numbered.

The patient from the front and from the left side, head up, dark where uptake is high, true
proportions in millimetres, with bars for length and SUV. The patient's right is on the left
of the front view, as in every radiological image. Same input, same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

from imaging.geometry import Grid
from imaging.lesions import LesionMeasurement
from imaging.segmentation import Indices, Volume

Box = tuple[int, int, int, int]

# The page, in pixels.
LARGEST = (620, 900)
MARGIN, TOP, BOTTOM, GAP, BAR = 40, 58, 78, 44, 128
SMALLEST_WIDTH = 760
BAR_WIDTH, BAR_HEIGHT = 16, 300

INK, MUTED, FRAME = (28, 37, 48), (92, 104, 118), (208, 214, 221)
LESION, PAPER = (190, 24, 54), (255, 255, 255)

# Cosine of 30 degrees: above it the nearest axes are one each.
STRAIGHT = 0.866

# Outlines are drawn larger and reduced, for smooth edges.
OVERSAMPLING = 3
OUTLINE_MARGIN = 2


class PictureError(ValueError):
    """A volume or a range of SUV that cannot be drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """One projection on the page.

    `across` is the patient axis that runs to the right, `along` the one projected (0 left,
    1 posterior, 2 superior); `sides` names the patient's side at the left and right edge.
    """

    title: str
    across: int
    along: int
    sides: tuple[str, str]
    left: int = 0
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are on the page; `scale` is in pixels per mm."""

    size: tuple[int, int]
    scale: float
    views: tuple[View, View]


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a lesion is on the picture, in parts of its width and height from the top left.

    For controls that are laid over the picture and reached by keyboard.
    """

    number: int
    view: str
    left: float
    top: float
    width: float
    height: float


def mip_png(
    suv: Volume, *, grid: Grid, lesions: Sequence[LesionMeasurement], upper_suv: float
) -> bytes:
    """Front and side projection as a PNG.

    Parameters
    ----------
    suv : ndarray, shape (K, M, N), float32
        SUVbw in g/mL.
    grid : Grid
        Of the volume.
    lesions : sequence of LesionMeasurement
        Outlined where their voxels project to, and numbered.
    upper_suv : float
        SUV drawn black, g/mL; zero is white.

    Raises
    ------
    PictureError
        If the range is not positive, or the volume lies askew in the patient.
    """
    if not (math.isfinite(upper_suv) and upper_suv > 0):
        raise PictureError(f"the upper SUV must be positive, got {upper_suv}")
    page = layout(grid)
    image = Image.new("RGB", page.size, PAPER)
    oriented = oriented_volume(suv, grid)
    for view in page.views:
        _draw_projection(image, view, oriented.max(axis=2 - view.along), upper_suv)
        _draw_lesions(image, view, grid, lesions)
    _draw_length(image, page)
    _draw_range(image, page, upper_suv)
    png = io.BytesIO()
    image.save(png, "PNG")
    return png.getvalue()


def layout(grid: Grid) -> Layout:
    """Page of the two projections of a volume.

    Raises
    ------
    PictureError
        If the volume lies askew in the patient.
    """
    left, posterior, superior = _extent_mm(grid)
    scale = min(LARGEST[0] / max(left, posterior), LARGEST[1] / superior)
    height = max(1, round(superior * scale))
    front = View("From the front", 0, 1, ("R", "L"), MARGIN, max(1, round(left * scale)), height)
    start = front.left + front.width + GAP
    side = View("From the left", 1, 0, ("A", "P"), start, max(1, round(posterior * scale)), height)
    width = max(SMALLEST_WIDTH, side.left + side.width + BAR)
    return Layout((width, TOP + max(height, BAR_HEIGHT) + BOTTOM), scale, (front, side))


def lesion_markers(grid: Grid, lesions: Sequence[LesionMeasurement]) -> tuple[Marker, ...]:
    """Where each lesion is on the picture that `mip_png` draws, front view first."""
    page = layout(grid)
    width, height = page.size
    return tuple(
        Marker(
            lesion.number,
            view.title,
            left / width,
            top / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        for view in page.views
        for lesion in lesions
        for left, top, right, bottom in [_place(view, _cells(view, grid, lesion.voxels))]
    )


# ------------------------------------------------------------------- from voxels to the patient


def patient_axes(grid: Grid) -> tuple[tuple[int, int, int], NDArray[np.bool_]]:
    """For superior, posterior, left: the voxel axis nearest to it, and whether it runs back."""
    steps = grid.steps / np.asarray(grid.spacing)
    s, p, x = (int(np.abs(steps[axis]).argmax()) for axis in (2, 1, 0))
    if np.abs(steps).max(axis=1).min() < STRAIGHT:
        raise PictureError("the volume lies more than 30 degrees askew in the patient")
    back = np.array([steps[2, s] < 0, steps[1, p] < 0, steps[0, x] < 0])
    return (s, p, x), back


def _extent_mm(grid: Grid) -> tuple[float, float, float]:
    """Size to the left, posterior and superior in mm."""
    (s, p, x), _ = patient_axes(grid)
    size = [n * step for n, step in zip(grid.shape, grid.spacing, strict=True)]
    return size[x], size[p], size[s]


def oriented_volume(suv: Volume, grid: Grid) -> Volume:
    """The volume with axes superior, posterior, left, all ascending."""
    axes, back = patient_axes(grid)
    return np.flip(suv.transpose(axes), tuple(np.flatnonzero(back)))


def _cells(view: View, grid: Grid, voxels: Indices) -> NDArray[np.bool_]:
    """Mask (rows, columns) of the projection that the voxels cover, head up."""
    axes, back = patient_axes(grid)
    places = np.stack(np.unravel_index(voxels, grid.shape))[list(axes)]
    shape = np.asarray(grid.shape)[list(axes)]
    places = np.where(back[:, None], shape[:, None] - 1 - places, places)
    mask = np.zeros((shape[0], shape[2 - view.across]), bool)
    mask[shape[0] - 1 - places[0], places[2 - view.across]] = True
    return mask


def _place(view: View, mask: NDArray[np.bool_]) -> Box:
    """Left, top, right, bottom in pixels of what a mask covers."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    down, right = view.height / mask.shape[0], view.width / mask.shape[1]
    return (
        view.left + round(columns[0] * right),
        TOP + round(rows[0] * down),
        view.left + round((columns[-1] + 1) * right),
        TOP + round((rows[-1] + 1) * down),
    )


# --------------------------------------------------------------------------------------- drawing


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Comes with Pillow, so that a picture is the same on every machine."""
    return ImageFont.load_default(size)


def _draw_projection(image: Image.Image, view: View, projection: Volume, upper_suv: float) -> None:
    """A projection (superior, across) in inverse grey, with frame, title and sides."""
    head_up = np.ascontiguousarray(projection[::-1], dtype=np.float32)
    size = (view.width, view.height)
    smooth = np.asarray(Image.fromarray(head_up).resize(size, Image.Resampling.BICUBIC))
    grey = np.rint(255 * (1 - np.clip(smooth / upper_suv, 0, 1))).astype(np.uint8)
    image.paste(Image.fromarray(grey), (view.left, TOP))
    draw = ImageDraw.Draw(image)
    right, bottom = view.left + view.width, TOP + view.height
    draw.rectangle((view.left - 1, TOP - 1, right, bottom), outline=FRAME)
    draw.text((view.left, TOP - 14), view.title, INK, font(18), anchor="ls")
    for x, side, anchor in zip((view.left + 10, right - 10), view.sides, ("lt", "rt"), strict=True):
        draw.text((x, TOP + 10), side, MUTED, font(18), anchor=anchor)


def _draw_lesions(
    image: Image.Image, view: View, grid: Grid, lesions: Sequence[LesionMeasurement]
) -> None:
    lines = Image.new("L", (view.width, view.height))
    boxes = []
    for lesion in lesions:
        mask = _cells(view, grid, lesion.voxels)
        _draw_outline(lines, mask)
        boxes.append(_place(view, mask))
    image.paste(LESION, (view.left, TOP), lines)
    taken: list[tuple[float, float, float, float]] = []
    for lesion, box in zip(lesions, boxes, strict=True):
        _draw_number(image, view, str(lesion.number), box, taken)


def _draw_outline(lines: Image.Image, mask: NDArray[np.bool_]) -> None:
    """A line around the mask, made on the part of the view that it covers."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    padded = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], OUTLINE_MARGIN)
    right, down = lines.width / mask.shape[1], lines.height / mask.shape[0]
    size = (max(1, round(padded.shape[1] * right)), max(1, round(padded.shape[0] * down)))
    left = round((columns[0] - OUTLINE_MARGIN) * right)
    top = round((rows[0] - OUTLINE_MARGIN) * down)
    lines.paste(255, (left, top, left + size[0], top + size[1]), ring(padded, size))


def ring(mask: NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """Coverage (0 to 255) of a smooth line just outside a mask."""
    large = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    filled = Image.fromarray(mask.astype(np.uint8) * 255).resize(large, Image.Resampling.BICUBIC)
    # Half a voxel of blur takes the steps out of the line.
    filled = filled.filter(ImageFilter.GaussianBlur(0.5 * large[0] / mask.shape[1]))
    inner = _widened(np.asarray(filled) >= 90, 1)
    line = _widened(inner, 2 * OVERSAMPLING) & ~inner
    return Image.fromarray(line.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)


def _widened(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """A mask with all within some pixels of it.

    Rows and columns one after the other: ten times faster than the square filter of Pillow.
    """
    return np.asarray(ndimage.maximum_filter(mask, size=2 * by + 1, mode="nearest"))


def _draw_number(
    image: Image.Image,
    view: View,
    number: str,
    box: Box,
    taken: list[tuple[float, float, float, float]],
) -> None:
    """The number beside its lesion, where no other number is."""
    draw, of_numbers = ImageDraw.Draw(image), font(16)
    places = [
        draw.textbbox(at, number, of_numbers, anchor="mm") for at in _beside(box, len(number))
    ]
    free = [place for place in places if _fits(place, view) and not _overlaps(place, taken)]
    chosen = (free or places)[0]
    taken.append(chosen)
    middle = ((chosen[0] + chosen[2]) / 2, (chosen[1] + chosen[3]) / 2)
    draw.text(middle, number, LESION, of_numbers, anchor="mm", stroke_width=2, stroke_fill=PAPER)


def _beside(box: Box, digits: int) -> Iterator[tuple[float, float]]:
    """Middles of places around a box, nearest first."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    for away in (6, 18, 30, 48, 72):
        wide, high = away + 6 * digits, away + 8
        yield from ((right + wide, y), (left - wide, y), (x, top - high), (x, bottom + high))
        yield from ((right + wide, top - high), (left - wide, top - high))
        yield from ((right + wide, bottom + high), (left - wide, bottom + high))


def _fits(place: tuple[float, float, float, float], view: View) -> bool:
    left, top, right, bottom = place
    inside = left >= view.left and right <= view.left + view.width
    return inside and top >= TOP and bottom <= TOP + view.height


def _overlaps(
    place: tuple[float, float, float, float], taken: list[tuple[float, float, float, float]]
) -> bool:
    left, top, right, bottom = place
    return any(
        left < other[2] + 3
        and other[0] < right + 3
        and top < other[3] + 3
        and other[1] < bottom + 3
        for other in taken
    )


def _draw_length(image: Image.Image, page: Layout) -> None:
    """A bar of a round length under the front view, and what the picture is."""
    view = page.views[0]
    fitting = [mm for mm in (200, 100, 50, 20, 10, 5) if mm * page.scale <= 0.5 * view.width]
    length = fitting[0] if fitting else 1
    draw = ImageDraw.Draw(image)
    y, x = TOP + view.height + 22, view.left
    end = x + round(length * page.scale)
    draw.line((x, y, end, y), INK, 2)
    for tick in (x, end):
        draw.line((tick, y - 5, tick, y + 5), INK, 2)
    draw.text((end + 12, y), f"{length} mm", INK, font(15), anchor="lm")
    note = "Maximum intensity projection. Lesions are numbered by falling SUVmax."
    draw.text((view.left, y + 34), note, MUTED, font(14), anchor="lm")


def _draw_range(image: Image.Image, page: Layout, upper_suv: float) -> None:
    """The grey bar with its SUV."""
    side = page.views[1]
    left, draw = side.left + side.width + 30, ImageDraw.Draw(image)
    ramp = np.linspace(0, 255, BAR_HEIGHT).round().astype(np.uint8)
    image.paste(Image.fromarray(np.repeat(ramp[:, None], BAR_WIDTH, axis=1)), (left, TOP))
    draw.rectangle((left - 1, TOP - 1, left + BAR_WIDTH, TOP + BAR_HEIGHT), outline=FRAME)
    draw.text((left, TOP - 14), "SUVbw, g/mL", INK, font(15), anchor="ls")
    for value in ticks(upper_suv):
        y = TOP + round(BAR_HEIGHT * (1 - value / upper_suv))
        draw.line((left + BAR_WIDTH, y, left + BAR_WIDTH + 5, y), MUTED)
        above = "+" if value == upper_suv else ""
        draw.text((left + BAR_WIDTH + 10, y), f"{value:g}{above}", INK, font(14), anchor="lm")


def ticks(upper: float) -> list[float]:
    """Round values from 0 that end at the upper one.

    >>> ticks(10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10]
    """
    power = 10.0 ** math.floor(math.log10(upper))
    step = next(s * power for s in (0.2, 0.5, 1, 2, 5) if upper / (s * power) <= 6)
    count = math.ceil(upper / step - 0.25)
    return [round(i * step, 10) for i in range(count)] + [upper]
