"""Held-out images and samples: every class keeps an image to learn from, whatever share is asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.datasets import Split, hold_out, sample
from convcli.errors import DataError

SIZES = st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 0)


def split_of(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return Split(images, np.random.default_rng(0).permutation(labels))


def counts(split, classes):
    return np.bincount(split.labels, minlength=classes)


@given(SIZES, st.one_of(st.integers(0, 100), st.floats(0, 0.999)), st.integers(0, 3))
def test_holding_out_leaves_every_class_an_image(sizes, amount, seed):
    split = split_of(sizes)
    asked = round(amount * len(split)) if isinstance(amount, float) else amount
    classes = sum(size > 0 for size in sizes)
    if asked > len(split) - classes or (amount and not asked):
        with pytest.raises(DataError, match="held-out images: got"):
            hold_out(split, amount, seed)
        return
    learned, held = hold_out(split, amount, seed)
    stay, out = counts(learned, len(sizes)), counts(held, len(sizes))
    assert len(held) == asked and (stay + out == sizes).all() and (stay[np.array(sizes) > 0] >= 1).all()
    assert sorted([*learned.images.ravel(), *held.images.ravel()]) == list(range(len(split)))
    several = np.array(sizes) > 1
    if asked >= several.sum():
        assert (out[several] >= 1).all()


@given(SIZES, st.integers(1, 100), st.integers(0, 3))
def test_a_sample_has_every_class_if_it_can(sizes, count, seed):
    split = split_of(sizes)
    found = counts(sample(split, count, seed), len(sizes))
    assert found.sum() == min(count, len(split)) and (found <= sizes).all()
    if count >= sum(size > 0 for size in sizes):
        assert (found[np.array(sizes) > 0] >= 1).all()


def test_shares_are_shares():
    learned, held = hold_out(split_of([50, 30, 20]), 0.2)
    assert counts(learned, 3).tolist() == [40, 24, 16] and counts(held, 3).tolist() == [10, 6, 4]
    assert set(hold_out(split_of([10, 1]), 0.5)[0].labels) == {0, 1}


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (9, "expected at most 8, so that each of 2 classes keeps an image to train on"),
        (0.9, "expected at most 8"),
        (0.01, "got 0.01 of 10, which is none, expected 0 or at least 0.1"),
        (10, "fewer than all"),
        (float("nan"), "fewer than all"),
        (-1, "fewer than all"),
    ],
)
def test_what_cannot_be_held_out(amount, message):
    with pytest.raises(DataError) as raised:
        hold_out(split_of([5, 5]), amount)
    assert message in str(raised.value)
