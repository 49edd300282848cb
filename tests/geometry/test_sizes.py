"""Output sizes against counting: every window position is laid on the axis and looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.errors import ShapeError
from convcli.geometry import (
    effective_kernel_size,
    output_size,
    per_axis,
    pooled_size,
    reached_cells,
    resolve_padding,
    transposed_size,
)

AXIS = {
    "n": st.integers(1, 25),
    "kernel_size": st.integers(1, 7),
    "stride": st.integers(1, 6),
    "before": st.integers(0, 6),
    "after": st.integers(0, 6),
    "dilation": st.integers(1, 5),
}


def taps_by_position(n, kernel_size, stride, before, after, dilation):
    """The cells (padding has negative or too large numbers) of every window that lies in the padded axis, in order."""
    positions = []
    for start in range(-before, n + after, stride):
        taps = [start + dilation * tap for tap in range(kernel_size)]
        if taps[-1] < n + after:
            positions.append(taps)
    return positions


def test_the_lecture_s_formula():
    assert output_size(5, 3, before=1, after=1) == 5
    assert output_size(6, 3) == 4
    assert output_size(6, 3, stride=2) == 2
    assert output_size(5, 3, stride=2, before=1, after=1) == 3
    assert output_size(32, 5) == 28
    assert output_size(227, 11, stride=4) == 55


def test_effective_kernel_size():
    assert [effective_kernel_size(3, dilation) for dilation in (1, 2, 3)] == [3, 5, 7]
    assert effective_kernel_size(1, 9) == 1


@given(**AXIS)
def test_output_size_counts_window_positions(n, kernel_size, stride, before, after, dilation):
    counted = len(taps_by_position(n, kernel_size, stride, before, after, dilation))
    assert output_size(n, kernel_size, stride=stride, before=before, after=after, dilation=dilation) == counted
    assert pooled_size(n, kernel_size, stride=stride, before=before, after=after, dilation=dilation) == counted


@given(**AXIS)
def test_reached_cells_counts_touched_cells(n, kernel_size, stride, before, after, dilation):
    positions = taps_by_position(n, kernel_size, stride, before, after, dilation)
    touched = {cell for taps in positions for cell in taps if 0 <= cell < n}
    reached = reached_cells(n, kernel_size, count=len(positions), stride=stride, before=before, dilation=dilation)
    assert reached == len(touched)


def test_reached_cells_of_a_long_axis_is_not_counted_cell_by_cell():
    assert reached_cells(10**9, 2, count=5 * 10**8, stride=2) == 10**9
    assert reached_cells(10**9, 1, count=5 * 10**8, stride=2) == 5 * 10**8


@given(**AXIS)
def test_ceil_mode_adds_windows_that_start_inside(n, kernel_size, stride, before, after, dilation):
    """Windows that fit, one more if cells remain after them, and then none that is last and starts past the input."""
    positions = taps_by_position(n, kernel_size, stride, before, after, dilation)
    got = pooled_size(n, kernel_size, stride=stride, before=before, after=after, dilation=dilation, ceil_mode=True)
    if positions:
        starts = [taps[0] for taps in positions]
        if positions[-1][-1] < n + after - 1:
            starts.append(starts[-1] + stride)
        if starts[-1] >= n:
            starts.pop()
        assert got == len(starts)


@pytest.mark.parametrize(
    ("n", "kernel_size", "stride", "padding", "expected"),
    [
        # what torch.nn.functional.max_pool1d(..., ceil_mode=True) returns for these
        (112, 3, 2, 0, 56),
        (5, 2, 2, 0, 3),
        (4, 2, 2, 1, 3),
        (5, 2, 2, 1, 3),
        (6, 3, 3, 1, 3),
        (7, 2, 3, 1, 3),
        (2, 3, 2, 0, 1),
        (1, 5, 2, 0, 0),
    ],
)
def test_ceil_mode_is_torch_s(n, kernel_size, stride, padding, expected):
    got = pooled_size(n, kernel_size, stride=stride, before=padding, after=padding, ceil_mode=True)
    assert got == expected


@given(**AXIS, output_padding=st.integers(0, 4))
def test_transposed_size_counts_what_is_laid_down(n, kernel_size, stride, before, after, dilation, output_padding):
    last = max(cell * stride + tap * dilation for cell in range(n) for tap in range(kernel_size))
    expected = max(last + 1 + output_padding - before - after, 0)
    got = transposed_size(
        n,
        kernel_size,
        stride=stride,
        before=before,
        after=after,
        dilation=dilation,
        output_padding=output_padding,
    )
    assert got == expected


@given(**{name: AXIS[name] for name in AXIS if name not in ("before", "after")})
def test_same_and_full_padding(n, kernel_size, stride, dilation):
    arguments = {"strides": (stride,), "dilations": (dilation,)}
    ((before, after),) = resolve_padding("same", (n,), (kernel_size,), **arguments)
    got = output_size(n, kernel_size, stride=stride, before=before, after=after, dilation=dilation)
    assert got == -(-n // stride)
    assert after - before in (0, 1)
    ((before, after),) = resolve_padding("full", (n,), (kernel_size,), **arguments)
    assert before == after == dilation * (kernel_size - 1)


@given(**AXIS)
def test_transposed_undoes_the_convolution(n, kernel_size, stride, before, after, dilation):
    """A transposed convolution gives back the size its convolution had, for some allowed output padding."""
    shape = {"stride": stride, "before": before, "after": after, "dilation": dilation}
    small = output_size(n, kernel_size, **shape)
    if small:
        back = [transposed_size(small, kernel_size, output_padding=extra, **shape) for extra in range(stride)]
        assert n in back


def test_padding_forms():
    assert resolve_padding(1, (5, 5), (3, 3)) == ((1, 1), (1, 1))
    assert resolve_padding((1, 2), (5, 5), (3, 3)) == ((1, 1), (2, 2))
    assert resolve_padding(((0, 1), (2, 3)), (5, 5), (3, 3)) == ((0, 1), (2, 3))


@pytest.mark.parametrize("padding", [2, (1, 2), ((0, 1), (2, 3)), "same"])
def test_arrays_are_read_as_lists(padding):
    import numpy as np

    arrays = {"strides": np.array([2, 1]), "dilations": np.array([1, 3])}
    got = resolve_padding(np.array(padding) if padding != "same" else padding, (5, 5), np.array([3, 3]), **arrays)
    assert got == resolve_padding(padding, (5, 5), (3, 3), strides=(2, 1), dilations=(1, 3))
    assert per_axis(np.array([2, 3]), 2, "stride") == (2, 3)
    assert per_axis(np.array(2), 2, "stride") == (2, 2)


@pytest.mark.parametrize("wrong", [[1.0, 2.0], [True, False], [1, 2, 3], [[1, 2]], [], 1.5, [-1, 0]])
def test_wrong_arrays_are_one_line(wrong):
    import numpy as np

    for call in (
        lambda: resolve_padding(np.array(wrong), (5, 5), (3, 3)),
        lambda: per_axis(np.array(wrong), 2, "padding"),
    ):
        with pytest.raises(ShapeError, match=r"^padding: got [^\n]*$"):
            call()


@pytest.mark.parametrize("wrong", ["sam", -1, (1,), (1, 2, 3), ((1, 2, 3), 0), 1.5, None, True, ((1, -1), 0)])
def test_wrong_padding_is_one_line(wrong):
    with pytest.raises(ShapeError, match="padding: got") as caught:
        resolve_padding(wrong, (5, 5), (3, 3))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [0, -1, (1,), (1, 2, 3), (1, 0), (1, 1.5), (True, 1), 1.5, None, "ab"])
def test_wrong_values_per_axis(wrong):
    with pytest.raises(ShapeError, match="stride: got"):
        per_axis(wrong, 2, "stride")
