"""Matrices as text: what is drawn, and never too wide."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.kernels import LIBRARY, kernel, parse_kernel
from convcli.views.matrix import draw_matrices

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def drawn(*matrices, **options):
    return draw_matrices([np.asarray(each, dtype=float) for each in matrices], [""] * len(matrices), **options)


def test_integers_are_aligned():
    assert drawn(kernel("kirsch-n")) == "   5   5   5\n  -3   0  -3\n  -3  -3  -3"


def test_a_common_denominator_is_drawn_once():
    assert drawn(kernel("box")) == "  1/9 of\n  1  1  1\n  1  1  1\n  1  1  1"
    assert drawn(kernel("binomial")) == "  1/16 of\n  1  2  1\n  2  4  2\n  1  2  1"


def test_short_decimals_are_exact():
    assert drawn([[0.5, -0.25], [0, 1]]) == "   0.50  -0.25\n      0   1.00"


def test_panels_stand_side_by_side_under_their_titles():
    planes = list(parse_kernel("prewitt").planes)
    text = draw_matrices(planes, ["prewitt-x", "prewitt-y"])
    assert text.splitlines()[:2] == ["  prewitt-x    prewitt-y", "  -1   0   1   -1  -1  -1"]


def test_large_kernels_become_signed_levels():
    weights = np.zeros((30, 30))
    weights[0, 0], weights[0, 1], weights[0, 2] = 2, -2, 1
    lines = drawn(weights).splitlines()
    assert lines[0] == "  9 is 2, . nearly 0"
    assert lines[1].startswith("   9-9 4 . .") and len(lines) == 31


def test_huge_kernels_keep_the_strongest_weight_of_each_block():
    weights = np.zeros((1000, 2000))
    weights[999, 1999] = -3
    lines = drawn(weights).splitlines()
    assert "each cell is the strongest of 52x52 weights" in lines[0]
    assert lines[-1].endswith("-9") and "-9" not in "".join(lines[1:-1])


def test_a_huge_row_is_drawn_in_a_row_of_blocks():
    weights = np.ones((1, 2_000_000))
    weights[0, -1] = -3
    lines = drawn(weights).splitlines()
    assert "each cell is the strongest of 1x" in lines[0]
    assert len(lines) == 2 and lines[1].endswith("-9")


def test_colour_changes_no_character():
    weights = kernel("log:sigma=2")
    plain, coloured = drawn(weights), drawn(weights, colour=True)
    assert "\x1b[48;5;" in coloured and "\x1b" not in plain
    assert ANSI.sub("", coloured) == plain


def test_coloured_panels_stay_aligned():
    planes = list(kernel("gaussian3d:sigma=2"))
    plain, coloured = (draw_matrices(planes, ["p"] * len(planes), colour=colour) for colour in (False, True))
    assert ANSI.sub("", coloured) == plain
    assert "9 of 17 planes are drawn" in plain


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("width", [40, 80])
def test_the_library_fits(name, width):
    built = parse_kernel(name)
    matrices = [each for plane in built.planes for each in (plane if plane.ndim == 3 else [plane])]
    text = draw_matrices(matrices, [f"plane {index}" for index in range(len(matrices))], width=width)
    assert max(map(len, text.splitlines())) <= width


@settings(max_examples=60)
@given(
    st.integers(1, 90),
    st.integers(1, 200),
    st.sampled_from([1e-12, 1e-5, 1.0, 1e5, 1e25]),
    st.integers(40, 120),
    st.integers(0, 99),
)
def test_any_matrix_fits(height, width, scale, columns, seed):
    weights = np.random.default_rng(seed).normal(size=(height, width)) * scale
    text = drawn(weights, width=columns)
    assert max(map(len, text.splitlines())) <= columns


def test_weights_that_round_to_zero_have_no_sign():
    assert "-0.000 " not in drawn(kernel("unsharp"))


def test_nothing_but_zeros():
    assert drawn([[0, 0]]) == "  0  0"
    assert drawn(np.zeros((50, 50))).splitlines()[1].split() == ["."] * 25
