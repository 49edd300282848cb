"""The frames of animations against brute force: which cells each one marks, which weights lie on them, what results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ConvcliError, ShapeError
from convcli.jobs.animate import make_film, plan_animation, read_numbers, read_weights, seeded_values

# Name -> sizes, kernel size and words; the output's side. Dumoulin and Visin's cases, which everybody shows.
CASES = {
    "no padding, no strides": ((4, 4), 3, {}, (2, 2)),
    "arbitrary padding": ((5, 5), 4, {"padding": 2}, (6, 6)),
    "half padding": ((5, 5), 3, {"padding": "same"}, (5, 5)),
    "full padding": ((5, 5), 3, {"padding": "full"}, (7, 7)),
    "strides": ((5, 5), 3, {"stride": 2}, (2, 2)),
    "padding and strides": ((5, 5), 3, {"padding": 1, "stride": 2}, (3, 3)),
    "padding and strides, odd": ((6, 6), 3, {"padding": 1, "stride": 2}, (3, 3)),
    "dilation": ((7, 7), 3, {"dilation": 2}, (3, 3)),
    "transposed, no padding": ((2, 2), 3, {"transposed": True}, (4, 4)),
    "transposed, arbitrary padding": ((6, 6), 4, {"padding": 2, "transposed": True}, (5, 5)),
    "transposed, half padding": ((5, 5), 3, {"padding": 1, "transposed": True}, (5, 5)),
    "transposed, full padding": ((7, 7), 3, {"padding": 2, "transposed": True}, (5, 5)),
    "transposed, strides": ((2, 2), 3, {"stride": 2, "transposed": True}, (5, 5)),
    "transposed, padding and strides": ((3, 3), 3, {"padding": 1, "stride": 2, "transposed": True}, (5, 5)),
    "transposed, padding and strides, odd": (
        (3, 3), 3, {"padding": 1, "stride": 2, "output_padding": 1, "transposed": True}, (6, 6),
    ),
    "oblong": ((5, 8), (2, 3), {"padding": (0, 1), "stride": (2, 3), "dilation": (2, 1)}, (2, 3)),
    "oblong, transposed": (
        (2, 3), (3, 2), {"padding": (1, 0), "stride": (2, 3), "dilation": (1, 2), "transposed": True}, (3, 9),
    ),
}  # fmt: skip


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def convolution_by_hand(sizes, kernel_size, stride=1, padding=0, dilation=1):
    """Output cell -> the set of (input cell or None, weight) under its window, by cutting up a padded picture."""
    kernel_size, stride, dilation = pair(kernel_size), pair(stride), pair(dilation)
    if padding == "same":
        assert stride == (1, 1)
        padding = tuple((d * (k - 1)) // 2 for k, d in zip(kernel_size, dilation, strict=True))
    if padding == "full":
        padding = tuple(d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True))
    padding = pair(padding)
    names = np.full((sizes[0] + 2 * padding[0], sizes[1] + 2 * padding[1]), -1)
    names[padding[0] : padding[0] + sizes[0], padding[1] : padding[1] + sizes[1]] = np.arange(
        sizes[0] * sizes[1]
    ).reshape(sizes)
    span = [d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    found = {}
    for y, top in enumerate(range(0, names.shape[0] - span[0] + 1, stride[0])):
        for x, left in enumerate(range(0, names.shape[1] - span[1] + 1, stride[1])):
            cut = names[top : top + span[0] : dilation[0], left : left + span[1] : dilation[1]]
            found[y, x] = sorted((name, (i, j)) for (i, j), name in np.ndenumerate(cut))
    return found


def transposed_by_hand(sizes, kernel_size, output, stride=1, padding=0, dilation=1, output_padding=0):
    """Output cell -> the set of (input cell, weight) that land on it, by laying the kernel down at each input cell."""
    kernel_size, stride, dilation, padding = pair(kernel_size), pair(stride), pair(dilation), pair(padding)
    found = {(y, x): [] for y in range(output[0]) for x in range(output[1])}
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            for i in range(kernel_size[0]):
                for j in range(kernel_size[1]):
                    y = row * stride[0] + i * dilation[0] - padding[0]
                    x = column * stride[1] + j * dilation[1] - padding[1]
                    if (y, x) in found:
                        found[y, x].append((row * sizes[1] + column, (i, j)))
    return {cell: sorted(taps) for cell, taps in found.items()}


def input_names(film):
    """The left grid with the input's cells numbered row by row and -1 for all others."""
    is_input = np.array(film.kinds) == "input"
    names = np.full(is_input.shape, -1)
    names[is_input] = np.arange(is_input.sum())
    return names


def marked(film, frame, names, *, only_input):
    taps = [(int(names[cell]), weight) for cell, weight in frame.taps]
    return sorted(tap for tap in taps if tap[0] >= 0 or not only_input)


@pytest.mark.parametrize("name", CASES)
def test_every_frame_marks_the_cells_that_brute_force_finds(name):
    sizes, kernel_size, words, output = CASES[name]
    film = make_film(plan_animation(sizes, kernel_size, **words))
    assert film.output == output
    names = input_names(film)
    assert names.max() + 1 == sizes[0] * sizes[1]
    by_hand = dict(words)
    if by_hand.pop("transposed", False):
        expected = transposed_by_hand(sizes, kernel_size, output, **by_hand)
    else:
        expected = convolution_by_hand(sizes, kernel_size, **by_hand)
    assert [frame.position for frame in film.frames] == sorted(expected)
    for frame in film.frames:
        assert marked(film, frame, names, only_input="transposed" in words) == expected[frame.position]


@pytest.mark.parametrize("name", CASES)
def test_values_are_what_the_layers_compute(name):
    sizes, kernel_size, words, _ = CASES[name]
    plan = plan_animation(sizes, kernel_size, **words)
    values, weights = seeded_values(plan, 3)
    film = make_film(plan, values, weights)
    words = dict(words)
    layer = convcli.conv_transpose2d if words.pop("transposed", False) else convcli.conv2d
    x, weight = np.array(values, np.float64)[None, ..., None], np.array(weights, np.float64)[..., None, None]
    expected = layer(x, weight, **words)[0, ..., 0]
    assert np.array_equal([frame.value for frame in film.frames], expected.ravel())
    for frame in film.frames:
        text = frame.arithmetic.replace("−", "-").replace("·", "*")
        calculation, _, result = text.rpartition(" = ")
        if "no input cell" not in calculation:
            assert eval(calculation) == float(result) == frame.value


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_window(data):
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    sizes = number(1, 6), number(1, 6)
    words = {"stride": (number(1, 3), number(1, 3)), "dilation": (number(1, 2), number(1, 3)), "padding": number(0, 3)}
    kernel_size = number(1, 4), number(1, 3)
    transposed = data.draw(st.booleans())
    try:
        plan = plan_animation(sizes, kernel_size, transposed=transposed, **words)
    except ShapeError as error:
        assert "no window fits" in str(error)
        return
    film = make_film(plan)
    names = input_names(film)
    if transposed:
        expected = transposed_by_hand(sizes, kernel_size, plan.output, **words)
    else:
        expected = convolution_by_hand(sizes, kernel_size, **words)
    for frame in film.frames:
        assert marked(film, frame, names, only_input=transposed) == expected[frame.position]


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("words", [{}, {"stride": 1}, {"padding": 1}, {"dilation": 2, "stride": 1}])
def test_pooling_is_what_pool2d_computes(mode, words):
    plan = plan_animation((5, 4), 2, pool=mode, **words)
    values, weights = seeded_values(plan)
    assert weights is None
    film = make_film(plan, values)
    expected = convcli.pool2d(np.array(values, np.float64), 2, mode=mode, **words)
    assert np.allclose([frame.value for frame in film.frames], expected.ravel(), rtol=1e-12)


def test_labels_carry_the_numbers():
    film = make_film(plan_animation((5, 6), 3, stride=2, padding=1, dilation=2))
    assert film.labels == (
        "input 5×6,  kernel 3×3,  stride 2,  padding 1,  dilation 2",
        "output rows (5 − (2·(3 − 1) + 1) + 2·1)/2 + 1 = 2",
        "output columns floor((6 − (2·(3 − 1) + 1) + 2·1)/2) + 1 = 2",
        "not reached by any window: 3 rows, 3 columns",
    )
    assert len(make_film(plan_animation((5, 5), 3)).labels) == 2


def test_a_formula_goes_on_below_one():
    with pytest.raises(ShapeError, match=r"no window fits: \(5 - 7 \+ 0\)/1 \+ 1 = -1; try"):
        plan_animation((5, 5), 7)


def test_what_is_rounded_is_not_called_equal():
    film = make_film(plan_animation((2, 2), 2), ((1, 2), (4, 5)), ((1 / 9,) * 2,) * 2)
    assert film.frames[0].arithmetic == "1·1/9 + 2·1/9 + 4·1/9 + 5·1/9 ≈ 1.3333"
    film = make_film(plan_animation((2, 2), 3, stride=2, transposed=True, output_padding=1))
    assert film.labels[0].endswith("output padding 1")
    assert film.labels[1] == "output (2 − 1)·2 + 3 − 0 + 1 = 6 a side"
    assert film.labels[2].endswith("1 zero between cells")
    same = make_film(plan_animation((6, 7), 3, padding="same", stride=2))
    assert "padding rows 0 and 1, columns 1" in same.labels[0]


def test_a_series_is_one_row():
    film = make_film(plan_animation(5, 3), ((1, 2, 3, 4, 5),), ((1, 0, -1),))
    assert [frame.value for frame in film.frames] == [-2, -2, -2]
    assert film.labels[1] == "output (5 − 3 + 0)/1 + 1 = 3"
    assert film.captions == ("input 5", "kernel 3", "output 3")


def test_the_same_seed_gives_the_same_numbers():
    plan = plan_animation((5, 5), 3)
    assert seeded_values(plan, 1) == seeded_values(plan, 1) != seeded_values(plan, 2)


def test_numbers_and_weights_from_words():
    assert read_numbers("1 2; 3 4") == ((1, 2), (3, 4))
    assert read_weights("1 2; 3 4", convolve=True) == ((4, 3), (2, 1))
    with pytest.raises(ConvcliError, match="several planes"):
        read_numbers("1 | 2")
    with pytest.raises(ConvcliError, match="has planes"):
        read_weights("1 | 2")
    with pytest.raises(ConvcliError, match="magnitude of 2 kernels"):
        read_weights("sobel")


@pytest.mark.parametrize(("arguments", "words", "message"), [
    (((3, 3), 5), {}, "no window fits"),
    (((30, 30), 3), {}, "got 784 positions"),
    (((41, 1), 1), {"stride": 9}, "got 41 cells"),
    (((20, 2), 3), {"transposed": True, "stride": 3, "padding": (28, 0)}, "expected at most 40"),
    (((4, 4), 2), {"pool": "max", "padding": 2}, "covers padding alone"),
    (((4, 4), 2), {"pool": "max", "transposed": True}, "pool: got it with transposed"),
    (((4, 4), 2), {"pool": "median"}, "pool: got 'median'"),
    (((4, 4), 2), {"output_padding": 1}, "without transposed"),
    (((4, 4, 4), 2), {}, "expected one or two sizes"),
    (((0, 4), 2), {}, "at least 1"),
])  # fmt: skip
def test_what_cannot_be_animated(arguments, words, message):
    with pytest.raises(ShapeError, match=message):
        plan_animation(*arguments, **words)
