"""Montages: colours mean numbers, nothing overlaps."""

import numpy as np
import pytest

from convcli.views.montage import bars, colours_of, is_signed, largest_of, map_side, numbered, squares


def test_colours_are_grey_unless_something_is_negative():
    values = np.array([[0.0, 1.0], [2.0, np.nan]])
    assert not is_signed(values)
    assert colours_of(values, largest_of(values), signed=False)[..., 0].tolist() == [[0, 128], [255, 0]]
    assert colours_of(np.array([0.0]), 1.0, signed=True).tolist() == [[255, 255, 255]]
    assert largest_of(np.zeros(3)) == 1


@pytest.mark.parametrize("count", [1, 8, 11])
def test_maps_stand_in_rows_and_keep_their_pixels(count, rng):
    maps = list(rng.integers(0, 256, (count, 7, 5, 3), np.uint8))
    sheet = numbered(maps, [str(n) for n in range(count)], columns=4, side=7)
    for each in maps:
        windows = np.lib.stride_tricks.sliding_window_view(sheet, each.shape)[:, :, 0]
        assert (windows == each).all(axis=(2, 3, 4)).any()


@pytest.mark.parametrize(("size", "side"), [(3, 84), (28, 84), (26, 104), (56, 112), (84, 84), (100, 100), (300, 128)])
def test_maps_are_enlarged_by_whole_pixels(size, side):
    assert map_side(size // 2 or 1, size) == side


def test_long_labels_widen_the_cells():
    small = np.zeros((4, 4, 3), np.uint8)
    assert numbered([small] * 2, ["class with a name", "b"], side=4).shape[1] > 2 * 80


def test_squares_and_bars():
    assert squares(np.arange(40.0), 39, signed=False).shape == (40, 640, 3)
    drawn = squares(np.array([1.0, -1.0]), 1, signed=True)
    assert drawn[10, 10].tolist() == [110, 42, 0]
    assert drawn[10, 30].tolist() == [8, 48, 107]
    sheet = bars(["a", "a name that is far too long to stand beside a bar"], [1.0, 0.0], ["100.0%", "0.0%"])
    blue = (sheet == (0, 114, 178)).all(axis=2)
    assert blue[10].sum() > 100 > blue[36].sum() > 0
    # Long names that begin alike can be told apart by their ends.
    names = [f"a class with a long name, number {place}" for place in range(2)]
    first, second = np.split(bars(names, [0.5, 0.5], ["50%", "50%"])[4:52], 2)
    assert (first != second).any()
