"""What hangs together with a voxel, held to scipy.ndimage.label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from imaging import flooding
from imaging.flooding import flooded

TOUCHING = np.ones((3, 3, 3))


def labelled(above, seed):
    labels, _ = ndimage.label(above, TOUCHING)
    return labels == labels[seed]


@given(above=arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=9)), data=st.data())
@settings(max_examples=300)
def test_it_is_the_component_that_scipy_labels(above, data):
    seed = tuple(data.draw(st.integers(0, size - 1)) for size in above.shape)
    above[seed] = True
    assert np.array_equal(flooded(above, seed), labelled(above, seed))


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.5, 0.97])
def test_it_is_the_same_in_a_large_box(share):
    above = np.random.default_rng(7265).random((40, 33, 47)) < share
    seed = (20, 16, 23)
    above[seed] = True
    assert np.array_equal(flooded(above, seed), labelled(above, seed))


def corridor(size):
    """One path that winds through a plane, of which no two turns touch."""
    above = np.zeros((1, size, size), bool)
    above[0, ::2] = True
    above[0, 1::4, -1] = above[0, 3::4, 0] = True
    return above


@pytest.mark.parametrize("size", [3, 9, 41])
def test_it_follows_a_path_however_long(size):
    above = corridor(size)
    assert flooded(above, (0, 0, 0)).sum() == above.sum()


def test_a_long_path_is_labelled_instead():
    assert flooding._stepwise(corridor(41), (0, 0, 0)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, 0, 3), (0, 1, 0)),
        ((0, 1, 3), (0, 3, 0)),
        ((0, 3, 3), (1, 0, 0)),
        ((0, 3, 1), (1, 0, 1)),
        ((1, 0, 0), (0, 3, 3)),
    ],
)
def test_nothing_is_reached_around_an_edge(one, other):
    above = np.zeros((2, 4, 4), bool)
    above[one] = above[other] = True
    assert flooded(above, one).sum() == 1


def test_a_seed_that_does_not_belong_reaches_nothing():
    above = np.ones((3, 3, 3), bool)
    above[1, 1, 1] = False
    assert not flooded(above, (1, 1, 1)).any()


def test_what_may_belong_is_left_as_it_was():
    above = np.zeros((3, 3, 3), bool)
    above[0] = True
    before = above.copy()
    flooded(above, (0, 0, 0))[:] = False
    assert np.array_equal(above, before)
