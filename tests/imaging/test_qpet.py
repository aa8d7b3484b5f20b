"""qPET with its own peak and its published cut-offs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.response.qpet import PEAK_DEFINITION, QpetError, qpet, qpet_peak


def judged(peak, liver=2.0, definition=PEAK_DEFINITION, tracer="FDG"):
    return qpet(peak, peak_definition=definition, liver_mean=liver, tracer=tracer)


@pytest.mark.parametrize(
    ("ratio", "category"),
    [
        (0.0, "1-2"),
        (0.949999, "1-2"),
        (0.95, "3"),
        (0.950001, "3"),
        (1.299999, "3"),
        (1.3, "4"),
        (1.300001, "4"),
        (1.999999, "4"),
        (2.0, "5"),
        (2.000001, "5"),
    ],
)
def test_published_cut_offs(ratio, category):
    assert judged(2.0 * ratio).category == category


def test_sentence_numbers_and_flag():
    found = judged(3.0, tracer="68Ga-Pentixafor")
    assert found.why == "qPET 4: 3.0 / 2.0 g/mL is 1.5, at least 1.3."
    assert [one.value for one in found.numbers] == [3.0, 2.0, 1.5]
    assert judged(1.8).why == "qPET 1-2: 1.8 / 2.0 g/mL is 0.9, under 0.95."
    assert found.flags == ("scale-made-for-fdg",)


def test_a_peak_of_one_millilitre_is_no_qpet():
    found = judged(3.0, definition="ibsi_global")
    assert found.category == "NE"
    assert "got ibsi_global" in found.why


@given(
    st.sampled_from([None, float("nan"), float("inf"), -1.0]),
    st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0]),
)
def test_what_is_not_measured_gives_no_score(peak, liver):
    assert judged(peak).category == "NE"
    assert judged(3.0, liver=liver).category == "NE"
    assert judged(0.0, liver=0.0).category == "NE"


def test_peak_is_the_mean_of_the_hottest_and_its_three_hottest_neighbours():
    suv = np.zeros((3, 3, 3), np.float32)
    suv[1, 1, 1], suv[1, 1, 2], suv[0, 0, 0], suv[2, 2, 2], suv[1, 0, 1] = 10, 7, 5, 6, 1
    assert qpet_peak(suv, np.arange(27)) == (10 + 7 + 6 + 5) / 4


def test_neighbours_touch_and_are_of_the_lesion():
    suv = np.full((1, 1, 6), 9.0, np.float32)
    suv[0, 0, 3] = 12.0
    lesion = np.array([0, 1, 2, 3])
    # Voxels 4 and 5 belong to something else, and 0 and 1 do not touch 3.
    with pytest.raises(QpetError, match="fewer than three"):
        qpet_peak(suv, lesion)


def test_of_equally_hot_voxels_the_higher_peak_counts():
    suv = np.zeros((1, 3, 9), np.float32)
    suv[0, 1, 1], suv[0, 1, 7] = 8, 8
    suv[0, 0, 7], suv[0, 2, 7], suv[0, 1, 6] = 4, 4, 4
    assert qpet_peak(suv, np.arange(27)) == (8 + 4 + 4 + 4) / 4


def test_a_lesion_without_voxels_has_no_peak():
    with pytest.raises(QpetError, match="no voxels"):
        qpet_peak(np.zeros((2, 2, 2), np.float32), np.zeros(0, np.int64))
