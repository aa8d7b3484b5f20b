"""What several threads do to neighbouring parts is what one does to all."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from imaging import several_threads
from imaging.segmentation import fixed_threshold
from imaging.several_threads import in_parts


@pytest.fixture(params=[1, 2, 3])
def processors(request, monkeypatch):
    monkeypatch.setattr(several_threads.os, "sched_getaffinity", lambda _: range(request.param))
    return request.param


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_each_thing_is_done_once(count, threads):
    done = []
    in_parts(count, lambda start, end: done.extend(range(start, end)), threads=threads)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize(("count", "expected"), [(3, 1), (7, 1), (8, 2), (12, 3)])
def test_too_few_things_are_no_work_for_another_thread(count, expected):
    parts = []
    in_parts(count, lambda start, end: parts.append((start, end)), threads=3, least=4)
    assert len(parts) == expected


def test_of_several_errors_the_first_is_raised_once_all_are_done():
    ended = threading.Event()

    def work(start, end):
        if end == 4:
            ended.set()
        raise ValueError(f"from {start}")

    with pytest.raises(ValueError, match="from 0"):
        in_parts(4, work, threads=2)
    assert ended.is_set()


def test_voxels_at_a_threshold_are_found_whatever_their_number(processors):
    # Nine parts of a million voxels, whose last holds a number that no eight divides.
    suv = np.zeros((9, 1021, 1027), np.float32)
    places = np.random.default_rng(8).permutation(suv.size)[:5000]
    suv.flat[places] = 4.0
    suv.flat[[0, suv.size - 1]] = 4.0
    suv[2, 3, 4] = np.nextafter(np.float32(4.0), np.float32(0))
    assert math.prod(suv.shape) % 8
    found = fixed_threshold(
        suv, threshold=4.0, spacing=(3, 2, 2), minimum_volume_ml=0.0, max_components=suv.size
    )
    assert np.array_equal(found.flat, np.flatnonzero(suv >= 4.0))
