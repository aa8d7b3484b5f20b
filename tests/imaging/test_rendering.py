"""Slices as pictures: grey by the window, the size asked for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imaging import rendering
from imaging.rendering import RenderingError, Window


def drawn(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_ramp_within_its_window_is_a_ramp_of_grey():
    values = np.arange(256, dtype=np.float32).reshape(16, 16)
    png = rendering.rendered(values, Window(0, 255), media_type="image/png")
    assert drawn(png).tolist() == values.astype(int).tolist()


def test_a_window_the_other_way_round_is_dark_where_values_are_high():
    grey = rendering.grey(np.array([[0.0, 2.0, 8.0, 20.0]]), Window(10, 0))
    assert grey.tolist() == [[255, 204, 51, 0]]


def test_all_the_same_is_drawn_without_a_fault():
    assert rendering.grey(np.full((2, 2), 7.0), Window(7, 7)).tolist() == [[0, 0], [0, 0]]
    assert rendering.grey(np.array([[np.nan]]), Window(0, 1)).tolist() == [[0]]


def test_it_fits_into_the_box_and_keeps_its_proportions():
    values = np.zeros((50, 100), dtype=np.float32)
    small = rendering.rendered(values, Window(0, 1), media_type="image/jpeg", box=(40, 40))
    assert drawn(small).shape == (20, 40)
    assert Image.open(io.BytesIO(small)).format == "JPEG"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (rendering.window_of_text, "40"),
        (rendering.window_of_text, "40,0"),
        (rendering.window_of_text, "nan,4"),
        (rendering.window_of_text, "inf,4,linear"),
        (rendering.window_of_text, "40,400,sigmoid"),
        (rendering.window_of_text, "a,b"),
        (rendering.box_of_text, "0,10"),
        (rendering.box_of_text, "10"),
        (rendering.box_of_text, "9999,9999"),
        (rendering.box_of_text, "10,10,0,0"),
        (rendering.quality_of_text, "0"),
        (rendering.quality_of_text, "101"),
        (rendering.quality_of_text, "good"),
    ],
)
def test_what_is_no_window_size_or_quality_is_refused(read, text):
    with pytest.raises(RenderingError):
        read(text)
