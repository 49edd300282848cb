"""The gradients of convolution layers against finite differences, and what the passes promise to the engine."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from naive_convolution import finite_difference, naive_convolution

from convcli.geometry import windows_of
from convcli.ops.convolution_passes import (
    conv_bias_gradient,
    conv_forward,
    conv_input_gradient,
    conv_weight_gradient,
)


def agrees(analytic, numeric):
    """A directional derivative equals its finite difference; a check of zero against zero proves nothing."""
    assert abs(numeric) > 1e-6
    assert analytic == pytest.approx(numeric, rel=1e-6)


def check_gradients(sizes, kernel, channels, filters, groups, seed, **words):
    """All three gradients along random directions, for random cotangents; returns the sizes of what was compared."""
    rng = np.random.default_rng(seed)
    windows = windows_of(sizes, kernel, **words)
    values = [
        rng.standard_normal((2, *sizes, channels)),
        rng.standard_normal((*kernel, channels // groups, filters)),
        rng.standard_normal(filters),
    ]
    how = {
        "stride": [w.stride for w in windows],
        "padding": [(w.before, w.after) for w in windows],
        "dilation": [w.dilation for w in windows],
        "groups": groups,
    }
    out = conv_forward(*values, windows, groups)
    cotangent = rng.standard_normal(out.shape)
    gradients = (
        conv_input_gradient(cotangent, values[1], sizes, windows, groups),
        conv_weight_gradient(values[0], cotangent, windows, groups),
        conv_bias_gradient(cotangent),
    )
    compared = []
    for number, (value, gradient) in enumerate(zip(values, gradients, strict=True)):

        def loss(moved, number=number):
            moved_values = [*values[:number], moved, *values[number + 1 :]]
            return float((naive_convolution(*moved_values, **how) * cotangent).sum())

        assert gradient.shape == value.shape
        direction = rng.standard_normal(value.shape)
        terms = gradient * direction
        numeric = finite_difference(loss, value, direction, 1e-5)
        assert abs(terms.sum() - numeric) <= 1e-7 * np.abs(terms).sum() + 1e-8
        compared.append(np.abs(terms).sum())
    return compared


FIXED = [
    ((6, 7), (3, 3), 2, 3, 1, {}),
    ((7, 6), (2, 4), 3, 2, 1, {"stride": 2, "padding": "same"}),
    ((8, 8), (3, 3), 4, 6, 2, {"stride": (3, 2), "padding": ((1, 0), (2, 1))}),
    ((9, 9), (3, 2), 3, 3, 3, {"dilation": (2, 3), "padding": 2}),
    ((9, 8), (3, 3), 2, 2, 1, {"dilation": 2, "stride": 3, "padding": "full"}),
    ((6, 6), (1, 1), 5, 20, 1, {"stride": 2}),
    ((5, 5), (3, 3), 16, 1, 1, {"padding": "same"}),
    ((5, 5), (3, 3), 1, 16, 1, {"padding": "same"}),
    ((11,), (4,), 2, 3, 1, {"stride": 3, "dilation": 2, "padding": ((3, 1),)}),
    ((4, 5, 4), (2, 3, 2), 2, 3, 1, {"stride": (1, 2, 1), "padding": "same"}),
    ((4, 4, 4), (3, 3, 3), 2, 2, 2, {"padding": 1, "dilation": (1, 1, 2)}),
]


@pytest.mark.parametrize(("sizes", "kernel", "channels", "filters", "groups", "words"), FIXED)
def test_gradients_equal_finite_differences(sizes, kernel, channels, filters, groups, words):
    compared = check_gradients(sizes, kernel, channels, filters, groups, 0, **words)
    assert min(compared) > 1e-3


@st.composite
def cases(draw):
    axes = draw(st.sampled_from([1, 2, 3]))
    groups = draw(st.sampled_from([1, 2, 3]))

    def per_axis(strategy):
        return tuple(draw(strategy) for _ in range(axes))

    return (
        per_axis(st.integers(1, 6 if axes < 3 else 3)),
        per_axis(st.integers(1, 3)),
        groups * draw(st.integers(1, 2)),
        groups * draw(st.sampled_from([1, 2, 9])),
        groups,
        draw(st.integers(0, 2**32 - 1)),
        {
            "stride": per_axis(st.integers(1, 3)),
            "dilation": per_axis(st.integers(1, 3)),
            "padding": per_axis(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        },
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases())
def test_gradients_of_drawn_layers(case):
    sizes, kernel, *others, words = case
    windows = windows_of(sizes, kernel, **words)
    assume(all(window.output(n) > 0 for window, n in zip(windows, sizes, strict=True)))
    # A layer whose every tap falls on padding has a gradient for its bias alone.
    seen = all(window.leftover(n) < n for window, n in zip(windows, sizes, strict=True))
    compared = check_gradients(sizes, kernel, *others, **words)
    assert min(compared if seen else compared[2:]) > 1e-6


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_of_a_transposed_layer(groups):
    """Of the input: the convolution forward. Of the weights: the convolution's, with the arrays changed over."""
    rng = np.random.default_rng(groups)
    # Dilation above the stride allows an output padding that would make room for one more window.
    for stride, dilation, extra in ((2, 1, 1), (1, 3, 2), (3, 2, 0)):
        x, weight = rng.standard_normal((2, 4, 3, 4)), rng.standard_normal((2, 3, 3, 4))
        sizes = tuple((n - 1) * stride + dilation * (k - 1) + 1 - 1 + extra for n, k in ((4, 2), (3, 3)))
        windows = windows_of(sizes, (2, 3), stride=stride, dilation=dilation, padding=((1, 0), (0, 1)))
        cotangent = rng.standard_normal((2, *sizes, 3 * groups))
        gradient_x = conv_forward(cotangent, weight, None, windows, groups, sizes=(4, 3))
        gradient_weight = conv_weight_gradient(cotangent, x, windows, groups)
        assert gradient_x.shape == x.shape
        assert gradient_weight.shape == weight.shape
        for value, gradient, loss in (
            (
                x,
                gradient_x,
                lambda v, w=weight, c=cotangent, s=sizes, p=windows: _transposed_loss(v, w, c, s, p, groups),
            ),
            (
                weight,
                gradient_weight,
                lambda w, v=x, c=cotangent, s=sizes, p=windows: _transposed_loss(v, w, c, s, p, groups),
            ),
        ):
            direction = rng.standard_normal(value.shape)
            agrees(float((gradient * direction).sum()), finite_difference(loss, value, direction, 1e-4))


def _transposed_loss(x, weight, cotangent, sizes, windows, groups):
    return float((conv_input_gradient(x, weight, sizes, windows, groups) * cotangent).sum())


@pytest.mark.parametrize("filters", [1, 3, 16, 20, 48])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_and_out(filters, dtype):
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3, 9, 8, 16)).astype(dtype)
    weight, bias = rng.standard_normal((3, 3, 16, filters)).astype(dtype), rng.standard_normal(filters).astype(dtype)
    windows = windows_of((9, 8), (3, 3), padding="same", stride=(1, 2))
    plain = conv_forward(x, weight, bias, windows)
    out = np.full_like(plain, np.nan)
    assert conv_forward(x, weight, bias, windows, relu=True, out=out) is out
    np.testing.assert_array_equal(out, np.maximum(plain, 0))
    back = conv_input_gradient(plain, weight, (9, 8), windows)
    into = np.full_like(back, np.nan)
    assert conv_input_gradient(plain, weight, (9, 8), windows, relu=True, out=into) is into
    np.testing.assert_array_equal(into, np.maximum(back, 0))
    gradient = conv_weight_gradient(x, plain, windows)
    into = np.full_like(gradient, np.nan)
    assert conv_weight_gradient(x, plain, windows, out=into) is into
    np.testing.assert_array_equal(into, gradient)


def test_out_must_be_contiguous():
    x, weight, windows = np.ones((1, 4, 4, 2)), np.ones((2, 2, 2, 3)), windows_of((4, 4), (2, 2))
    with pytest.raises(ValueError, match=r"^out: got strided memory, expected a C-contiguous array$"):
        conv_forward(x, weight, None, windows, out=np.ones((1, 3, 3, 6))[..., ::2])


def test_long_reductions_keep_their_precision():
    rng = np.random.default_rng(7)
    x, gradient = rng.random((64, 26, 26, 3), dtype=np.float32), rng.random((64, 24, 24, 20), dtype=np.float32)
    windows = windows_of((26, 26), (3, 3))
    got = conv_weight_gradient(x, gradient, windows)
    expected = conv_weight_gradient(x.astype(np.float64), gradient.astype(np.float64), windows)
    assert np.abs(got / expected - 1).max() < 1e-5
    assert np.abs(conv_bias_gradient(gradient) / gradient.sum((0, 1, 2), dtype=np.float64) - 1).max() < 1e-5


def test_weights_larger_than_a_slab():
    rng = np.random.default_rng(8)
    x, weight = rng.standard_normal((1, 4, 4, 1500)), rng.standard_normal((2, 2, 1500, 32))
    windows = windows_of((4, 4), (2, 2))
    expected = sum(np.tensordot(x[:, i : i + 3, j : j + 3], weight[i, j], 1) for i in range(2) for j in range(2))
    np.testing.assert_allclose(conv_forward(x, weight, None, windows), expected, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(
        conv_forward(x, weight, None, windows, relu=True), np.maximum(conv_forward(x, weight, None, windows), 0)
    )
