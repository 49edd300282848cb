"""Winograd's transforms: exact algebra, the error in float32, edges, threads."""

import os
import subprocess
import sys

import numpy as np
import pytest

from convcli.geometry import windows_of
from convcli.loops.compiling.compiler import loop
from convcli.loops.networks.winograd_vectors import (
    INPUT,
    OUTPUT,
    WEIGHT,
    finish_outputs,
    finish_twin,
    finish_weights,
    transform_gradient,
    transform_input,
    transform_twin,
    transform_weights,
)
from convcli.loops.vectors import VECTOR_BYTES
from convcli.ops import convolution_plan
from convcli.ops.convolution import conv2d, conv_transpose2d
from convcli.ops.convolution_passes import conv_forward, conv_input_gradient, conv_weight_gradient
from convcli.ops.convolution_plan import squares_of


def test_the_matrices_compute_a_convolution():
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((6, 6)), rng.standard_normal((3, 3))
    expected = [[(image[y : y + 3, x : x + 3] * kernel).sum() for x in range(4)] for y in range(4)]
    products = (INPUT @ image @ INPUT.T) * (WEIGHT @ kernel @ WEIGHT.T)
    np.testing.assert_allclose(OUTPUT @ products @ OUTPUT.T, expected, rtol=0, atol=1e-13)


@loop(parallel=False)
def run_transforms(source, bias, floor, inputs, weights, outputs, gradients, finished):
    """One of each transform; arguments are already checked."""
    transform_gradient(source, 3, 200, 30, (0, 3, 0, 2), gradients, 2, 300, 40)
    finish_weights(source, 3, 200, 30, (0, 6, 0, 6), finished, 2, 300, 40)
    transform_input(source, 3, 200, 30, (1, 9, -2, 5), inputs, 2, 300, 40)
    transform_weights(source, 3, 200, 30, (0, 3, 0, 3), weights, 2, 300, 40)
    finish_outputs(source, 3, 200, 30, bias, 1, floor, (3, 7), outputs, 2, 300, 40)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transforms_equal_their_twins(dtype):
    rng = np.random.default_rng(1)
    source, bias = rng.standard_normal(2000).astype(dtype), rng.standard_normal(1 + VECTOR_BYTES).astype(dtype)
    got, expected = np.zeros((2, 5, 2500), dtype)
    run_transforms(source, bias, dtype(-0.1), *got)
    transform_twin(INPUT, source, 3, 200, 30, (1, 6, 0, 5), expected[0], 2, 300, 40)
    transform_twin(WEIGHT, source, 3, 200, 30, (0, 3, 0, 3), expected[1], 2, 300, 40)
    finish_twin(OUTPUT, source, 3, 200, 30, bias, 1, dtype(-0.1), (3, 4), expected[2], 2, 300, 40)
    transform_twin(OUTPUT.T, source, 3, 200, 30, (0, 3, 0, 2), expected[3], 2, 300, 40)
    transform_twin(WEIGHT.T, source, 3, 200, 30, (0, 6, 0, 6), expected[4], 2, 300, 40)
    assert (got != 0).any(axis=1).all()
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 if dtype == np.float32 else 1e-13)


@pytest.fixture
def always(monkeypatch):
    """Use the transforms wherever they can be used, and count how often that was."""
    used = []

    def chosen(axes, plan, sizes):
        squares = squares_of(axes, plan, sizes, always=True)
        used.append(squares is not None)
        return squares

    monkeypatch.setattr(convolution_plan, "squares_of", chosen)
    convolution_plan.forward_pass.cache_clear()
    convolution_plan.gradient_passes.cache_clear()
    yield used
    convolution_plan.forward_pass.cache_clear()
    convolution_plan.gradient_passes.cache_clear()


SHAPES = [
    (2, (9, 10), 16, 32, {}),
    (1, (4, 3), 16, 16, {"padding": "same"}),
    (3, (13, 6), 48, 80, {"padding": ((1, 2), (0, 3))}),
    (1, (3, 3), 32, 16, {"padding": "full"}),
    (7, (5, 4), 16, 32, {}),
    (2, (3, 8, 9), 16, 16, {"padding": ((0, 0), (1, 1), (1, 1))}),
]


@pytest.mark.parametrize(("images", "sizes", "channels", "filters", "words"), SHAPES)
@pytest.mark.parametrize("relu", [False, True])
def test_winograd_equals_the_plain_pass(always, images, sizes, channels, filters, words, relu):
    rng = np.random.default_rng(2)
    kernel = (1,) * (len(sizes) - 2) + (3, 3)
    x = rng.standard_normal((images, *sizes, channels), dtype=np.float32)
    weight = rng.standard_normal((*kernel, channels, filters), dtype=np.float32)
    bias = rng.standard_normal(filters, dtype=np.float32)
    windows = windows_of(sizes, kernel, **words)
    expected = conv_forward(*(array.astype(np.float64) for array in (x, weight, bias)), windows, relu=relu)
    got = conv_forward(x, weight, bias, windows, relu=relu, winograd=True)
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()
    wide = expected.astype(np.float32).astype(np.float64)
    back = conv_input_gradient(wide, weight.astype(np.float64), sizes, windows)
    got = conv_input_gradient(expected.astype(np.float32), weight, sizes, windows, winograd=True)
    assert np.abs(got - back).max() < 1e-5 * np.abs(back).max()
    got = conv_weight_gradient(x, expected.astype(np.float32), windows, winograd=True)
    exact = conv_weight_gradient(x.astype(np.float64), wide, windows)
    assert np.abs(got - exact).max() < 2e-5 * np.abs(exact).max()
    # The float64 passes ask too, and are refused.
    assert always.count(True) == 3


@pytest.mark.parametrize(
    ("channels", "filters", "kernel", "dtype", "words", "groups"),
    [
        (16, 16, (3, 3), np.float64, {}, 1),
        (16, 16, (3, 3), np.float32, {"stride": 2}, 1),
        (16, 16, (3, 3), np.float32, {"dilation": 2}, 1),
        (16, 16, (3, 2), np.float32, {}, 1),
        (17, 16, (3, 3), np.float32, {}, 1),
        (16, 17, (3, 3), np.float32, {}, 1),
        (32, 32, (3, 3), np.float32, {}, 2),
        (16, 1, (3, 3), np.float32, {}, 1),
    ],
)
def test_all_else_takes_the_plain_pass(always, channels, filters, kernel, dtype, words, groups):
    x = np.ones((1, 9, 9, channels), dtype)
    weight = np.ones((*kernel, channels // groups, filters), dtype)
    windows = windows_of((9, 9), kernel, **words)
    out = conv_forward(x, weight, None, windows, groups, winograd=True)
    np.testing.assert_array_equal(out, conv_forward(x, weight, None, windows, groups))
    gradient = conv_weight_gradient(x, out, windows, groups, winograd=True)
    np.testing.assert_array_equal(gradient, conv_weight_gradient(x, out, windows, groups))
    assert not any(always)
    assert always


def test_the_error_is_what_the_module_says():
    rng = np.random.default_rng(3)
    x = np.maximum(rng.standard_normal((4, 30, 30, 64), dtype=np.float32), 0)
    weight = rng.standard_normal((3, 3, 64, 64), dtype=np.float32) / 24
    windows = windows_of((30, 30), (3, 3))
    exact = conv_forward(x.astype(np.float64), weight.astype(np.float64), None, windows)
    plain, fast = (conv_forward(x, weight, None, windows, winograd=choice) for choice in (False, True))
    assert (plain != fast).any()
    assert rms(fast - exact) < 3 * rms(plain - exact)
    gradient = rng.standard_normal(exact.shape, dtype=np.float32)
    exact = conv_weight_gradient(x.astype(np.float64), gradient.astype(np.float64), windows)
    fast = conv_weight_gradient(x, gradient, windows, winograd=True)
    assert rms(fast - exact) < 4e-6 * rms(exact)


def rms(array):
    return np.sqrt(np.mean(array**2))


THREADS = """
import hashlib, numpy as np
from convcli.loops.compiling.compiler import set_threads
from convcli.geometry import windows_of
from convcli.ops.convolution_passes import conv_forward, conv_input_gradient, conv_weight_gradient
rng = np.random.default_rng(0)
x = rng.standard_normal((3, 50, 41, 64), dtype=np.float32)
weight = rng.standard_normal((3, 3, 64, 96), dtype=np.float32)
windows = windows_of((50, 41), (3, 3), padding=1)
for threads in (1, 2, 5):
    set_threads(threads)
    out = conv_forward(x, weight, None, windows, winograd=True)
    few = conv_forward(x[:1], weight, None, windows, winograd=True)  # so few that threads share the filters
    assert np.array_equal(few, out[:1])
    back = conv_input_gradient(out, weight, (50, 41), windows, winograd=True)
    gradient = conv_weight_gradient(x, out, windows, winograd=True)
    print(hashlib.sha256(out.tobytes() + back.tobytes() + gradient.tobytes()).hexdigest())
"""


@pytest.mark.every_processor
def test_the_same_bits_at_any_number_of_threads():
    environment = os.environ | {"NUMBA_NUM_THREADS": "5"}
    digests = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, check=True)
    assert len(digests.stdout.split()) == 3 and len(set(digests.stdout.split())) == 1


def _public(transposed):
    rng = np.random.default_rng(7)
    x, weight = rng.standard_normal((2, 16, 16, 64), np.float32), rng.standard_normal((3, 3, 64, 64), np.float32)
    function = conv_transpose2d if transposed else conv2d
    return x, weight, lambda given, **how: function(given, weight, np.arange(64), padding=1, **how)


@pytest.mark.parametrize("transposed", [False, True])
def test_public_functions_use_the_transforms_within_the_stated_error(transposed):
    x, _, run = _public(transposed)
    precise, plain, quick = run(x.astype(np.float64)), run(x, exact=True), run(x)
    assert not np.array_equal(plain, quick)  # else nothing is tested here
    scale = np.sqrt((precise**2).mean())
    errors = [each - precise for each in (plain, quick)]
    assert np.sqrt((errors[0] ** 2).mean()) < 8e-7 * scale
    assert np.sqrt((errors[1] ** 2).mean()) < 1.7e-6 * scale
    assert np.abs(errors[1]).max() < 1.2e-5 * scale


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e38])
def test_what_is_not_finite_stays_where_plain_sums_have_it(transposed, value):
    x, _, run = _public(transposed)
    x[1, 5, 6, 7] = value
    result, expected = run(x), run(x, exact=True)
    assert np.array_equal(result, expected, equal_nan=True)
    assert np.isfinite(result[:, 9:]).all()


def test_integers_are_summed_exactly():
    rng = np.random.default_rng(8)
    x, weight = rng.integers(0, 256, (2, 16, 16, 64), np.uint8), rng.integers(-9, 10, (3, 3, 64, 64))
    assert np.array_equal(conv2d(x, weight), conv2d(x.astype(np.float64), weight))
