"""Receptive fields, leftovers and formulas against brute force; numbers of the lectures and of papers."""

from math import prod

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convcli.errors import ShapeError
from convcli.geometry import (
    ReceptiveField,
    TransposedWindow,
    Window,
    convolution_macs,
    convolution_parameters,
    dense_parameters,
    transposed_macs,
    transposed_windows_of,
    windows_of,
)

WINDOWS = st.builds(
    Window,
    kernel_size=st.integers(1, 4),
    stride=st.integers(1, 3),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    dilation=st.integers(1, 3),
)
TRANSPOSED = st.builds(
    TransposedWindow,
    kernel_size=st.integers(1, 5),
    stride=st.integers(1, 4),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    dilation=st.integers(1, 3),
)


def span(cells):
    return min(cells), max(cells)


def seen_through(windows, cell):
    """First and last input cell that an output cell depends on, found by walking every tap back."""
    cells = {cell}
    for window in reversed(windows):
        cells = {
            window.stride * each + window.dilation * tap - window.before
            for each in cells
            for tap in range(window.kernel_size)
        }
    return span(cells)


@given(st.lists(WINDOWS, min_size=1, max_size=4))
def test_receptive_field_of_a_chain(windows):
    field = ReceptiveField()
    for window in windows:
        field = window.field(field)
    first, last = seen_through(windows, 0)
    assert (field.start, field.size) == (first, last - first + 1)
    assert seen_through(windows, 1)[0] - first == field.jump


@given(st.lists(WINDOWS, max_size=3), st.lists(WINDOWS, max_size=3))
def test_receptive_field_of_branches(left, right):
    fields = []
    for branch in (left, right):
        field = ReceptiveField()
        for window in branch:
            field = window.field(field)
        fields.append(field)
    joined = ReceptiveField.joined(fields)
    ends = [*seen_through(left, 0), *seen_through(right, 0)]
    assert (joined.start, joined.start + joined.size - 1) == span(ends)
    assert joined.size >= max(field.size for field in fields)


@given(TRANSPOSED)
def test_receptive_field_of_a_transposed_window(window):
    """The widest set of input cells that meet in one output cell, looking at cells far from the edges."""
    widths = []
    for cell in range(100, 100 + window.stride * window.dilation):
        sources = [
            source
            for source in range(200)
            if any(
                source * window.stride + tap * window.dilation - window.before == cell
                for tap in range(window.kernel_size)
            )
        ]
        if sources:
            widths.append(sources[-1] - sources[0] + 1)
    assert window.field(ReceptiveField()).size == max(widths)


def test_down_and_up_again_has_jump_one():
    down = Window(2, stride=2)
    up = TransposedWindow(2, stride=2)
    field = up.field(down.field(ReceptiveField()))
    assert field == ReceptiveField(2, 1, 0)
    assert isinstance(field.jump, int)
    assert up.field(up.field(ReceptiveField())).jump == 0.25


@given(WINDOWS, st.integers(1, 20), st.booleans())
def test_leftover(window, n, ceil_mode):
    window = Window(window.kernel_size, window.stride, window.before, window.after, window.dilation, ceil_mode)
    touched = {
        window.stride * position + window.dilation * tap - window.before
        for position in range(window.output(n))
        for tap in range(window.kernel_size)
    }
    assert window.leftover(n) == len(set(range(n)) - touched)


def test_formulas_carry_their_numbers():
    assert Window(3).formula(7) == "(7 - 3 + 0)/1 + 1 = 5"
    assert Window(3, 2, 1, 1).formula(5) == "(5 - 3 + 2*1)/2 + 1 = 3"
    assert Window(3, 2, 0, 1).formula(8) == "(8 - 3 + 0 + 1)/2 + 1 = 4"
    assert Window(3, 2).formula(8) == "floor((8 - 3 + 0)/2) + 1 = 3"
    assert Window(3, 2, ceil_mode=True).formula(112) == "ceil((112 - 3 + 0)/2) + 1 = 56"
    assert Window(3, 1, dilation=2).formula(7) == "(7 - (2*(3 - 1) + 1) + 0)/1 + 1 = 3"
    assert Window(2, 2, 1, 1, ceil_mode=True).formula(5).startswith("ceil((5 - 2 + 2*1)/2) + 1 - 1 = 3")
    assert TransposedWindow(3, 2, 1, 1, output_padding=1).formula(4) == "(4 - 1)*2 + 3 - 2*1 + 1 = 8"
    assert TransposedWindow(4, 2, 0, 1).formula(4) == "(4 - 1)*2 + 4 - 0 - 1 + 0 = 9"


@given(st.one_of(WINDOWS, TRANSPOSED), st.integers(1, 20), st.booleans())
def test_formulas_are_true(window, n, ceil_mode):
    """The left side, read as Python, is the right side; and the right side is the output size."""
    from math import ceil, floor

    if isinstance(window, Window):
        window = Window(window.kernel_size, window.stride, window.before, window.after, window.dilation, ceil_mode)
    assume(window.output(n) > 0)
    left, right = window.formula(n).split(" (one")[0].split(" = ")
    assert eval(left, {"floor": floor, "ceil": ceil}) == int(right) == window.output(n)


def test_windows_from_words():
    assert windows_of((224, 224), 7, stride=2, padding="same")[0] == Window(7, 2, 2, 3)
    assert windows_of((10, 20), (3, 5), padding=((0, 1), (2, 2))) == (Window(3, 1, 0, 1), Window(5, 1, 2, 2))
    with pytest.raises(ShapeError, match="kernel_size: got 3 values"):
        windows_of((10, 20), (3, 5, 7))


@given(n=st.integers(1, 20), kernel_size=st.integers(1, 6), stride=st.integers(1, 5), dilation=st.integers(1, 3))
def test_transposed_same_enlarges_by_the_stride(n, kernel_size, stride, dilation):
    (window,) = transposed_windows_of((n,), kernel_size, stride=stride, padding="same", dilation=dilation)
    assert window.output(n) == n * stride


def test_transposed_full_undoes_full():
    (window,) = transposed_windows_of((9,), 3, padding="full")
    assert window.output(9) == 7


@pytest.mark.parametrize("wrong", [2, -1, 1.5, (1,), True])
def test_output_padding_stays_below_stride_or_dilation(wrong):
    with pytest.raises(ShapeError, match="output_padding: got"):
        transposed_windows_of((5, 5), 3, stride=2, output_padding=wrong)
    assert transposed_windows_of((5, 5), 3, stride=2, dilation=3, output_padding=2)[0].output(5) == 17


@given(
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    groups=st.integers(1, 3),
    kernel_sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    outputs=st.integers(1, 4),
)
def test_counts_against_nested_loops(channels, filters, groups, kernel_sizes, outputs):
    channels, filters = channels * groups, filters * groups
    weights = multiplications = 0
    for filter_index in range(filters):
        for channel in range(channels):
            if channel // (channels // groups) == filter_index // (filters // groups):
                weights += prod(kernel_sizes)
                multiplications += prod(kernel_sizes) * outputs ** len(kernel_sizes)
    sizes = (outputs,) * len(kernel_sizes)
    assert convolution_parameters(kernel_sizes, channels, filters, groups=groups, bias=False) == weights
    assert convolution_parameters(kernel_sizes, channels, filters, groups=groups) == weights + filters
    assert convolution_macs(sizes, kernel_sizes, channels, filters, groups=groups) == multiplications
    assert transposed_macs(sizes, kernel_sizes, channels, filters, groups=groups) == multiplications


def test_the_lectures_counts():
    assert convolution_parameters((5, 5), 3, 1) == 76
    assert [convolution_parameters((3, 3), c, f) for c, f in ((3, 32), (32, 64), (64, 128), (128, 128))] == [
        896,
        18_496,
        73_856,
        147_584,
    ]
    assert dense_parameters(200 * 200, 500, bias=False) == 20_000_000
    assert dense_parameters(6272, 512) == 3_211_776
    assert dense_parameters(512, 1) == 513
