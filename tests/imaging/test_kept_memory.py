"""Memory of volumes that is kept: never while anybody looks at it, and within bounds."""

from __future__ import annotations

import gc
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from imaging import kept_memory

SHAPE = (4, 1024, 1024)


@pytest.fixture(autouse=True)
def nothing_kept():
    gc.collect()
    kept_memory._kept.clear()
    yield
    kept_memory._kept.clear()


def where(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_what_ends_is_given_to_the_next():
    first = kept_memory.empty(SHAPE)
    address = where(first)
    del first
    assert where(kept_memory.empty(SHAPE)) == address


def test_one_that_is_smaller_takes_part_of_it_and_gives_all_of_it_back():
    first = kept_memory.empty(SHAPE)
    address = where(first)
    del first
    smaller = kept_memory.empty((3, 1024, 1024))
    assert where(smaller) == address
    assert smaller.shape == (3, 1024, 1024)
    del smaller
    assert where(kept_memory.empty(SHAPE)) == address


@pytest.mark.parametrize(
    "look",
    [
        lambda array: array[2],
        lambda array: array.ravel()[::3],
        lambda array: array.reshape(-1).view(np.uint32),
        lambda array: memoryview(array),
        lambda array: np.asarray(array).T[5:],
        lambda array: np.lib.stride_tricks.sliding_window_view(array, (1, 3, 3)),
    ],
    ids=["plane", "steps", "other type", "memoryview", "turned", "windows"],
)
def test_nobody_is_given_what_a_view_still_looks_at(look):
    first = kept_memory.empty(SHAPE)
    first[:] = 7
    view = look(first)
    before = np.array(view)
    del first
    gc.collect()
    second = kept_memory.empty(SHAPE)
    second[:] = 9
    assert np.array_equal(np.asarray(view), before)


def test_two_at_once_are_two():
    first, second = kept_memory.empty(SHAPE), kept_memory.empty(SHAPE)
    first[:], second[:] = 1, 2
    assert np.all(first == 1)
    assert np.all(second == 2)


def test_threads_are_never_given_the_same():
    def work(number: int) -> bool:
        for turn in range(20):
            mine = kept_memory.empty((3 + number % 3, 1024, 1024))
            mine[:] = value = np.float32(100 * number + turn)
            if not np.all(mine == value):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_no_more_is_kept_than_told(monkeypatch):
    monkeypatch.setattr(kept_memory, "MOST_BYTES", 3 * 16 << 20)
    several = [kept_memory.empty(SHAPE) for _ in range(5)]
    del several
    assert sum(map(len, kept_memory._kept)) == 3 * 16 << 20
    larger = kept_memory.empty((16, 1024, 1024))
    del larger
    assert sum(map(len, kept_memory._kept)) <= 3 * 16 << 20


def test_what_is_small_is_not_kept():
    kept_memory.empty((2, 100, 100))
    assert not kept_memory._kept


def test_a_forked_child_has_its_own():
    """A worker's children are forked: what is kept by then must not be shared by them."""
    kept_memory.empty(SHAPE)
    mine = kept_memory.empty(SHAPE)
    mine[:] = 1
    child = multiprocessing.get_context("fork").Process(target=_write_over, args=(mine,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert np.all(mine == 1)


def _write_over(array: np.ndarray) -> None:
    array[:] = 2
    kept_memory.empty(SHAPE)[:] = 3
