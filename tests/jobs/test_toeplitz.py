"""The matrix of a correlation against the correlation, whatever the words; its structure, its transpose, its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz as scipy_toeplitz

import convcli
from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.jobs.toeplitz import draw, toeplitz

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")


def text_of(matrix):
    return "; ".join(" ".join(repr(float(value)) for value in row) for row in matrix)


@st.composite
def cases(draw_from):
    """Sizes, a kernel that fits, values and the words of a correlation."""
    kernel_size = (draw_from(st.integers(1, 3)), draw_from(st.integers(1, 3)))
    sizes = (draw_from(st.integers(1, 7)), draw_from(st.integers(1, 7)))
    words = {
        "stride": (draw_from(st.integers(1, 3)), draw_from(st.integers(1, 3))),
        "dilation": (draw_from(st.integers(1, 2)), draw_from(st.integers(1, 2))),
        "padding": draw_from(st.sampled_from(["same", "full", 2, (1, 3)])),
        "border": draw_from(st.sampled_from(BORDERS)),
    }
    numbers = st.integers(-9, 9)
    kernel = np.array([[draw_from(numbers) for _ in range(kernel_size[1])] for _ in range(kernel_size[0])])
    values = np.array([[draw_from(numbers) for _ in range(sizes[1])] for _ in range(sizes[0])])
    return sizes, kernel, values, words


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_matrix_times_vector_is_correlation(case, convolve):
    sizes, kernel, values, words = case
    try:
        found = toeplitz(sizes, text_of(kernel), values=text_of(values), convolve=convolve, **words)
    except ShapeError as error:
        assert "spans" in str(error)  # no window fits: correlate2d says the same
        return
    act = convcli.convolve2d if convolve else convcli.correlate2d
    expected = act(values.astype(float), kernel, **words)
    assert found.output == expected.shape
    assert np.array_equal(found.matrix @ values.reshape(-1), expected.reshape(-1))
    assert np.array_equal(found.result, expected.reshape(-1))
    assert found.difference == 0


@settings(max_examples=50, deadline=None)
@given(cases())
def test_the_transpose_is_transposed_convolution(case):
    sizes, kernel, _, words = case
    words = {**words, "padding": "valid", "border": "constant"}
    try:
        found = toeplitz(sizes, text_of(kernel), **words)
    except ShapeError:
        return
    y = np.arange(1.0, found.matrix.shape[0] + 1)
    spread = convcli.conv_transpose2d(
        y.reshape(1, *found.output, 1), kernel[:, :, None, None].astype(float), stride=words["stride"],
        dilation=words["dilation"],
    )[0, :, :, 0]  # fmt: skip
    back = (found.matrix.T @ y).reshape(sizes)
    assert np.array_equal(back[: spread.shape[0], : spread.shape[1]], spread)
    assert not back[spread.shape[0] :].any()
    assert not back[:, spread.shape[1] :].any()


def test_a_series_is_a_toeplitz_matrix_and_wrap_a_circulant():
    found = toeplitz(7, "1 2 3", padding="full")
    assert np.array_equal(found.matrix, scipy_toeplitz([3, 2, 1, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0]))
    wrapped = toeplitz(6, "1 2 3", padding="same", border="wrap").matrix
    for row in range(1, 6):
        assert np.array_equal(wrapped[row], np.roll(wrapped[row - 1], 1))


def test_blocks_of_a_picture_are_toeplitz():
    matrix = toeplitz((5, 6), "1 2; 3 4; 5 6").matrix.reshape(3, 5, 5, 6)
    blocks = matrix.swapaxes(1, 2)
    for i in range(3):
        for j in range(5):
            block = blocks[i, j]
            assert np.array_equal(block, scipy_toeplitz(block[:, 0], block[0]))
            if i and j:
                assert np.array_equal(block, blocks[i - 1, j - 1])


def test_counts():
    found = toeplitz((4, 4), "1 2; 3 4")
    assert (found.parameters, found.dense, found.entries) == (4, 144, 36)
    assert found.vector.tolist() == list(range(1, 17))
    # Where a border repeats cells, weights add up.
    assert toeplitz(3, "1 1 1", padding="same", border="edge").matrix[0].tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("sizes", "kernel", "words", "error", "message"),
    [
        ((33, 32), "1 2", {}, ShapeError, "at most 1024"),
        ((32, 32), "1 2; 3 4", {"padding": "full"}, ShapeError, "output: got 33 x 33"),
        (1_000_000, "1 2", {}, ShapeError, "at most 1024"),
        ((3, 3, 3), "1 2", {}, ShapeError, "got 3 sizes"),
        (5, "1; 2", {}, KernelError, "2 rows"),
        (5, "1 | 2", {}, KernelError, "3 dimensions"),
        (5, "sobel", {}, KernelError, "sobel-x"),
        (2, "1 2 3", {}, ShapeError, "spans 3"),
        (5, "1 2", {"values": "1 2 3"}, ShapeError, "got 1 x 3 numbers"),
        (5, "1 2", {"stride": (1, 2)}, ShapeError, "stride"),
        (5, "1 2", {"padding": (1, 2)}, ShapeError, "padding"),
    ],
)
def test_refusals(sizes, kernel, words, error, message):
    with pytest.raises(error, match=message):
        toeplitz(sizes, kernel, **words)


def test_drawings_refuse_other_names(tmp_path):
    with pytest.raises(ConvcliError, match=r"\.png or \.svg"):
        draw(toeplitz(3, "1"), str(tmp_path / "a.jpg"))


def test_the_example():
    import doctest

    from convcli.jobs import toeplitz as module

    assert doctest.testmod(module).failed == 0
