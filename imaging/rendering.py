"""One slice as a picture for a person: grey values within a window, as PNG or JPEG.

For a look, not for a measurement. Numbers come from the values themselves.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LARGEST = 4096
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}
QUALITY = 90
# SUV drawn black, as in the projections.
UPPER_SUV = 10.0


class RenderingError(ValueError):
    """A window, size or quality that is none; the sentence says what one is."""


@dataclass(frozen=True, slots=True)
class Window:
    """The values drawn black and white, in the unit of the image; `lower` may be the white one."""

    lower: float
    upper: float


def linear_window(centre: float, width: float) -> Window:
    """The window of a VOI LUT Function LINEAR (PS3.3 C.11.2.1.2.1).

    >>> linear_window(40, 400)
    Window(lower=-160.0, upper=239.0)

    Raises
    ------
    RenderingError
        If the width is below 1, or a number is not finite.
    """
    if not (math.isfinite(centre) and math.isfinite(width) and width >= 1):
        raise RenderingError("A window needs a centre, and a width of at least 1.")
    return Window(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def window_of_text(text: str) -> Window:
    """The window of a query, as `centre,width,linear`.

    >>> window_of_text("40,400,linear")
    Window(lower=-160.0, upper=239.0)
    """
    parts = text.split(",")
    if len(parts) not in {2, 3} or parts[2:] not in ([], ["linear"], ["LINEAR"]):
        raise RenderingError("window must be centre,width,linear.")
    try:
        return linear_window(float(parts[0]), float(parts[1]))
    except ValueError as error:
        raise RenderingError(
            "window must be centre,width,linear, with a width of 1 or more."
        ) from (error)


def box_of_text(text: str) -> tuple[int, int]:
    """Width and height that a picture must fit into, as `width,height`.

    >>> box_of_text("128,128")
    (128, 128)
    """
    if not re.fullmatch(r"[0-9]{1,4},[0-9]{1,4}", text):
        raise RenderingError("viewport must be width,height in pixels; no part of an image is cut.")
    width, height = (int(part) for part in text.split(","))
    if not (0 < width <= LARGEST and 0 < height <= LARGEST):
        raise RenderingError(f"viewport must be from 1 to {LARGEST} pixels wide and high.")
    return width, height


def quality_of_text(text: str) -> int:
    """The quality of a JPEG, from 1 to 100."""
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise RenderingError("quality must be a whole number from 1 to 100.")
    return int(text)


def rendered(
    values: NDArray[np.floating],
    window: Window,
    *,
    media_type: str,
    box: tuple[int, int] | None = None,
    quality: int = QUALITY,
) -> bytes:
    """A picture of a slice.

    Parameters
    ----------
    values : ndarray, shape (M, N)
        In the unit of `window`.
    window : Window
        Outside it is black or white.
    media_type : str
        One of `FORMATS`.
    box : tuple of int, optional
        Width and height that the picture is made to fit into; proportions stay.
    quality : int
        Of a JPEG.
    """
    image = Image.fromarray(grey(values, window))
    if box:
        scale = min(box[0] / image.width, box[1] / image.height)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR)
    file = io.BytesIO()
    more = {"quality": quality} if media_type == "image/jpeg" else {}
    image.save(file, FORMATS[media_type], **more)
    return file.getvalue()


def grey(values: NDArray[np.floating], window: Window) -> NDArray[np.uint8]:
    """Values as 0 (black) to 255 (white).

    >>> grey(np.array([[-1.0, 0.0, 5.0, 10.0]]), Window(0, 10)).tolist()
    [[0, 0, 128, 255]]
    >>> grey(np.array([[0.0, 10.0]]), Window(10, 0)).tolist()
    [[255, 0]]
    """
    span = (window.upper - window.lower) or 1.0
    parts = np.clip((values - window.lower) / span, 0, 1)
    return np.round(np.nan_to_num(parts) * 255).astype(np.uint8)
