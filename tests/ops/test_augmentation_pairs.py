"""Samples and what is learned of each of their places: moved by the same numbers, whatever their axes."""

import doctest

import numpy as np
import pytest

from convcli.errors import ConvcliError
from convcli.ops import augmentation_pairs as module
from convcli.ops.augmentation import Augmentation, augment
from convcli.ops.augmentation_pairs import augment_pairs

MOVES = Augmentation.from_words("shift=2,rotation=20,scale=0.2,shear=5,elastic=1,flip,crop=0.2")
ALL = Augmentation(**MOVES.as_dict() | {"brightness": 0.2, "contrast": 0.3, "erase": 0.5})


def generator():
    return np.random.default_rng(8)


def test_examples():
    assert doctest.testmod(module).failed == 0


def test_pictures_are_those_of_augment_and_masks_and_arrays_go_with_them(rng):
    pictures = rng.random((6, 12, 15, 2), np.float32)
    assert np.array_equal(augment_pairs(pictures, None, ALL, generator())[0], augment(pictures, ALL, generator()))
    masks = rng.integers(0, 4, (6, 12, 15)).astype(np.uint8)
    planes = np.stack([masks == each for each in range(1, 4)], axis=-1).astype(np.float32)
    shares = augment(planes, MOVES, generator())
    expected = np.concatenate([1 - shares.sum(-1, keepdims=True), shares], -1).argmax(-1)
    for augmentation in (ALL, MOVES):
        assert np.array_equal(augment_pairs(pictures, masks, augmentation, generator())[1], expected)
    # What is to be learned is the input: both are moved and lightened as one, and only the input is erased.
    x, y = augment_pairs(pictures, pictures, ALL, generator())
    assert np.array_equal(y, augment(pictures, Augmentation(**ALL.as_dict() | {"erase": 0.0}), generator()))
    assert np.array_equal(x, augment(pictures, ALL, generator())) and not np.array_equal(x, y)


def test_planes_of_volumes_and_frames_move_alike(rng):
    volumes, masks = rng.random((3, 4, 9, 8, 2), np.float32), rng.integers(0, 2, (3, 4, 9, 8))
    x, y = augment_pairs(volumes, masks, MOVES, generator())
    for depth in range(4):
        plane = augment_pairs(volumes[:, depth], masks[:, depth], MOVES, generator())
        assert np.array_equal(x[:, depth], plane[0]) and np.array_equal(y[:, depth], plane[1])
    following = augment_pairs(volumes, volumes[:, 1:3], MOVES, generator())[1]
    assert np.array_equal(following, x[:, 1:3])


def test_series_are_moved_along_their_axis(rng):
    series = rng.random((5, 30, 2), np.float32)
    marks = (series[..., 0] > 0.5).astype(np.uint8)
    x, y = augment_pairs(series, marks, Augmentation(flip=True), generator())
    turned = generator().random((5, 8))[:, 6] < 0.5
    assert 0 < turned.sum() < 5
    for one, two, moved, told, is_turned in zip(series, marks, x, y, turned, strict=True):
        assert np.allclose(moved, one[::-1] if is_turned else one, atol=1e-6)
        assert np.array_equal(told, two[::-1] if is_turned else two)
    shifted = augment_pairs(series, None, Augmentation(shift=8), generator())[0]
    assert (np.abs(shifted).sum(axis=(1, 2)) > 0).all()
    erased = augment_pairs(series, None, Augmentation(erase=0.5), generator())[0]
    assert (erased != series).any(axis=2).sum(axis=1).max() > 3
    with pytest.raises(ConvcliError, match="got rotation for series, expected some of shift"):
        Augmentation(rotation=5).check_samples((30, 2))
    with pytest.raises(ConvcliError, match="plain features"):
        Augmentation(shift=1).check_samples((30,))
