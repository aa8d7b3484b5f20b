"""Thresholds from reference regions: the printed rules, and what gives none."""

from __future__ import annotations

import math

import pytest

from imaging.segmentation import SegmentationError
from imaging.thresholds import fixed, of_reference


@pytest.mark.parametrize(
    ("found", "suv"),
    [
        # PERCIST 1.0: 1.5 x mean liver + 2 SD; 2.0 x mean blood pool + 2 SD.
        (of_reference(mean=2.2, sd=0.3, times_mean=1.5, times_sd=2, region="x"), 3.9),
        (of_reference(mean=1.6, sd=0.2, times_mean=2, times_sd=2, region="x"), 3.6),
        (of_reference(mean=1.6, sd=0.2, times_mean=1, times_sd=0, region="x"), 1.6),
        (fixed(2.5), 2.5),
    ],
)
def test_the_printed_rules(found, suv):
    assert found.suv == pytest.approx(suv)
    assert f"{suv:g}" in found.why


@pytest.mark.parametrize(
    "act",
    [
        lambda: fixed(0.0),
        lambda: fixed(math.inf),
        lambda: of_reference(mean=0.0, sd=0.1, times_mean=1, times_sd=2, region="x"),
        lambda: of_reference(mean=2.0, sd=-0.1, times_mean=1, times_sd=2, region="x"),
        lambda: of_reference(mean=2.0, sd=math.nan, times_mean=1, times_sd=2, region="x"),
        lambda: of_reference(mean=1.0, sd=1.0, times_mean=1, times_sd=-2, region="x"),
    ],
)
def test_what_gives_no_threshold_is_refused(act):
    with pytest.raises(SegmentationError) as refusal:
        act()
    assert refusal.value.code == "threshold-invalid"
