import naive_pooling
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import ShapeError
from convcli.loops.pooling.picking import pick

LECTURE = np.array([[2, 3, 1, 9], [4, 7, 3, 5], [8, 2, 2, 2], [1, 3, 4, 5]])
COMPUTED = ("max", "min", "average", "weighted", "lp", "median")
# Each dtype costs a loop's compilation, so not every mode meets every one.
CASES = [
    ("max", "float32"), ("max", "uint8"), ("min", "float32"), ("median", "float32"), ("average", "float32"),
    ("average", "float64"), ("average", "uint8"), ("weighted", "float64"), ("lp", "float32"),
]  # fmt: skip
CHOOSING = ("max", "min", "median", "stochastic")
POOLS = {1: convcli.pool1d, 2: convcli.pool2d, 3: convcli.pool3d}
ADAPTIVE = {1: convcli.adaptive_pool1d, 2: convcli.adaptive_pool2d, 3: convcli.adaptive_pool3d}


@st.composite
def window(draw):
    """kernel, stride, (before, after), dilation"""
    return (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        (draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        draw(st.integers(1, 3)),
    )


def numbers(shape, dtype, seed):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype) - (50 if dtype[0] == "i" else 0)


def batched(image, axes):
    """As (N, *spatial, C), whatever the layout."""
    image = image[None] if image.ndim <= axes + 1 else image
    return image[..., None] if image.ndim == axes + 1 else image


def naive(image, axes, windows, *arguments):
    full = batched(image, axes)
    stacked = [
        [naive_pooling.pool(full[n, ..., c], windows, *arguments) for c in range(full.shape[-1])]
        for n in range(full.shape[0])
    ]
    return np.moveaxis(np.array(stacked), 1, -1)


@settings(deadline=None, max_examples=250)
@given(
    axes=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(1, 7)] * 3),
    windows=st.tuples(window(), window(), window()),
    mode_and_dtype=st.sampled_from(CASES),
    ceil_mode=st.booleans(),
    include=st.booleans(),
    channels=st.integers(1, 3),
    images=st.integers(1, 2),
    p=st.sampled_from([1.0, 2.0, 3.5]),
    seed=st.integers(0, 99),
)
def test_pooling_equals_the_naive_one(
    axes, sizes, windows, mode_and_dtype, ceil_mode, include, channels, images, p, seed
):
    sizes, windows = sizes[:axes], windows[:axes]
    mode, dtype = mode_and_dtype
    image = numbers((images, *sizes, channels), dtype, seed)
    include = include and mode in ("average", "weighted")
    along = [
        naive_pooling.windows(n, kernel, stride, *padding, dilation, ceil_mode)
        for n, (kernel, stride, padding, dilation) in zip(sizes, windows, strict=True)
    ]
    kernels, strides, paddings, dilations = zip(*windows, strict=True)
    arguments = {"mode": mode, "stride": strides, "padding": paddings, "dilation": dilations, "ceil_mode": ceil_mode}
    covered = all(
        any(0 <= position < n for position, _, _ in taps) for n, axis in zip(sizes, along, strict=True) for taps in axis
    )
    if not covered or not all(along):
        with pytest.raises(ShapeError, match=r"^(padding|size): got |^size: spans "):
            POOLS[axes](image, kernels, count_include_pad=include, p=p, **arguments)
        return
    result = POOLS[axes](image, kernels, count_include_pad=include, p=p, **arguments)
    expected = naive(image, axes, along, mode, include, p)
    check(result, expected, image.dtype, mode)


def check(result, expected, dtype, mode):
    assert result.shape == expected.shape
    if mode in CHOOSING:
        assert result.dtype == dtype
        assert np.array_equal(result, expected, equal_nan=dtype.kind == "f")
    else:
        assert result.dtype == (np.float64 if dtype == np.float64 else np.float32)
        assert np.allclose(
            result, expected, rtol=1e-12 if dtype == np.float64 else 1e-6, atol=1e-12 if dtype == np.float64 else 1e-6
        )


@settings(deadline=None, max_examples=120)
@given(
    axes=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(1, 7)] * 3),
    outputs=st.tuples(*[st.integers(1, 9)] * 3),
    mode_and_dtype=st.sampled_from(CASES),
    channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_adaptive_pooling_equals_the_naive_one(axes, sizes, outputs, mode_and_dtype, channels, seed):
    sizes, outputs = sizes[:axes], outputs[:axes]
    mode, dtype = mode_and_dtype
    image = numbers((2, *sizes, channels), dtype, seed)
    along = [naive_pooling.adaptive_windows(n, out) for n, out in zip(sizes, outputs, strict=True)]
    check(ADAPTIVE[axes](image, outputs, mode=mode), naive(image, axes, along, mode), image.dtype, mode)


@pytest.mark.parametrize("shape", [(9,), (5, 6), (3, 4, 5)])
@pytest.mark.parametrize("mode", COMPUTED)
def test_global_is_one_window(shape, mode):
    image = numbers((2, *shape, 3), "float32", 1)
    result = POOLS[len(shape)](image, "global", mode=mode)
    along = [naive_pooling.windows(n, n, n, 0, 0, 1, False) for n in shape]
    check(result, naive(image, len(shape), along, mode), image.dtype, mode)


@pytest.mark.without_jit
def test_the_lecture():
    assert convcli.pool2d(LECTURE, 2).tolist() == [[7, 9], [8, 5]]
    assert convcli.pool2d(LECTURE, 2, mode="average").tolist() == [[4, 4.5], [3.5, 3.25]]


@pytest.mark.without_jit
def test_weighted_by_hand():
    image = np.zeros((3, 3))
    image[1, 1] = 1
    side = np.exp(-8 / 9)
    assert np.isclose(convcli.pool2d(image, 3, mode="weighted")[0, 0], 1 / (1 + 2 * side) ** 2, rtol=1e-14)


# Loops know six dtypes and each costs a compilation; test_ordering has the others.
DTYPES = ("bool", "int8", "uint8", "float16", "int64", "uint64")


@pytest.mark.parametrize(
    ("mode", "dtype"),
    [("max", dtype) for dtype in DTYPES] + [("min", "float16"), ("median", "float16"), ("stochastic", "int64")],
)
def test_choosing_modes_keep_every_dtype(mode, dtype):
    image = np.random.default_rng(2).standard_normal((6, 8, 2)) * 100
    image = (image > 0) if dtype == "bool" else image.astype(np.int64).astype(dtype)
    if dtype in ("int64", "uint64"):
        image += np.array(2**62, dtype)
    result = convcli.pool2d(image, 2, mode=mode)
    assert result.dtype == image.dtype
    blocks = np.sort(image.reshape(3, 2, 4, 2, 2).transpose(0, 2, 4, 1, 3).reshape(3, 4, 2, 4), axis=-1)
    if mode == "stochastic":
        assert (result[..., None] == blocks).any(axis=-1).all()
    else:
        assert np.array_equal(result, blocks[..., {"max": 3, "min": 0, "median": 1}[mode]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(2, 2, 1), (3, 3, 1), (3, 2, 1), ((2, 5), 1, 1), ((1, 2), 3, 2)]
)
def test_an_average_is_a_sum_of_float64_divided_and_rounded_once(dtype, channels, size, stride, dilation):
    image = (np.random.default_rng(1).random((21, 2083, channels)) * 250).astype(dtype)
    ky, kx = (size, size) if isinstance(size, int) else size
    spread = np.lib.stride_tricks.sliding_window_view(image, ((ky - 1) * dilation + 1, (kx - 1) * dilation + 1), (0, 1))
    windows = spread[::stride, ::stride, :, ::dilation, ::dilation].astype(np.float64)
    sums = sum(sum(windows[..., y, x] for y in range(ky)) for x in range(kx))
    ours = convcli.pool2d(image, size, stride=stride, dilation=dilation, mode="average")
    assert ours.dtype == (np.float64 if dtype == "float64" else np.float32)
    np.testing.assert_array_equal(ours, (sums / (ky * kx)).astype(ours.dtype))


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint32", "float16"])
@pytest.mark.parametrize("mode", ["average", "weighted", "lp"])
def test_computing_modes_give_float32(dtype, mode):
    image = numbers((4, 4), dtype, 3)
    result = convcli.pool2d(image, 2, mode=mode)
    assert result.dtype == np.float32
    assert np.array_equal(result, convcli.pool2d(image.astype(np.float64), 2, mode=mode).astype(np.float32))


@pytest.mark.parametrize("mode", ["max", "min", "median", "average", "stochastic"])
@pytest.mark.parametrize("place", range(6))
def test_nan_stays_in_its_windows(mode, place):
    image = np.random.default_rng(4).random((1, 12, 1), np.float32)
    image[0, place, 0] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(image[0, :, 0], 5)
    result = convcli.pool1d(image, 5, mode=mode, stride=1)
    assert np.array_equal(np.isnan(result[0, :, 0]), np.isnan(windows).any(axis=1))


def test_infinities():
    image = np.full((2, 2), -np.inf, np.float32)
    assert convcli.pool2d(image, 2)[0, 0] == -np.inf
    assert convcli.pool2d(-image, 2, mode="min", padding=1).tolist() == [[np.inf] * 2] * 2
    assert convcli.pool2d([[0, np.inf, 1, 2]], (1, 4), mode="stochastic")[0, 0] == np.inf


@pytest.mark.without_jit
def test_padding_never_wins_a_maximum():
    image = np.full((3, 3), -5, np.int8)
    assert (convcli.pool2d(image, 3, stride=1, padding=1) == -5).all()
    assert (convcli.pool2d(-image, 3, stride=1, padding=1, mode="min") == 5).all()


def test_stochastic_draws_in_proportion():
    image = np.tile(np.array([1.0, 0.0, 3.0, -7.0]), (20000, 1))[:, :, None]
    drawn = convcli.pool1d(image, 4, mode="stochastic", seed=5)[:, 0, 0]
    assert set(drawn) == {1.0, 3.0}
    assert abs((drawn == 3).mean() - 0.75) < 0.01
    again = convcli.pool1d(image, 4, mode="stochastic", seed=5)[:, 0, 0]
    other = convcli.pool1d(image, 4, mode="stochastic", seed=6)[:, 0, 0]
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    flat = convcli.pool1d(np.tile(np.array([-1.0, -2.0]), (20000, 1))[:, :, None], 2, mode="stochastic")
    assert abs((flat == -1).mean() - 0.5) < 0.02


ELSEWHERE = pytest.mark.every_processor  # "min" is compiled as "max" is


@pytest.mark.parametrize(
    "mode", ["min", *(pytest.param(each, marks=ELSEWHERE) for each in (*COMPUTED, "stochastic") if each != "min")]
)
def test_the_bits_do_not_depend_on_the_threads(mode):
    import numba

    image = np.random.default_rng(6).standard_normal((301, 1003)).astype(np.float32)
    threads = numba.get_num_threads()
    results = []
    for count in {1, threads}:
        numba.set_num_threads(count)
        results.append(convcli.pool2d(image, (3, 4), mode=mode, stride=(2, 1), padding="same"))
    numba.set_num_threads(threads)
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("mode", ["max", "average", "weighted", "median"])
def test_wide_images_are_cut_into_tiles_without_a_seam(mode):
    image = np.random.default_rng(7).random((4, 20011, 1), np.float32)
    for kernel, stride, dilation in [(2, 2, 1), (5, 3, 2), (7, 1, 300)]:
        whole = convcli.pool2d(image, (2, kernel), mode=mode, stride=(1, stride), dilation=(1, dilation))
        part = convcli.pool2d(
            image[:, stride * 50 :], (2, kernel), mode=mode, stride=(1, stride), dilation=(1, dilation)
        )
        assert np.array_equal(whole[:, 50:], part)


@pytest.mark.parametrize("mode", ["max", "weighted"])
@pytest.mark.parametrize("size", [21, 1000, 10**7])
def test_windows_far_larger_than_the_image(mode, size):
    image = np.random.default_rng(7).random((3, 5), np.float32)
    if size == 10**7 and mode == "weighted":
        size = 10**6
    result = convcli.pool2d(image, (1, size), mode=mode, padding="same", stride=1)
    expected = image.max(axis=1) if mode == "max" else image.mean(axis=1)
    assert np.allclose(result, expected[:, None], rtol=1e-6 if size > 1000 or mode == "max" else 0.1)


def test_numbers_in_arrays():
    image = np.random.default_rng(8).random((6, 7), np.float32)
    words = {"stride": np.array([1, 2]), "padding": np.array([[1, 0], [0, 1]]), "dilation": [1, 1]}
    expected = convcli.pool2d(image, (2, 3), stride=(1, 2), padding=((1, 0), (0, 1)))
    assert np.array_equal(convcli.pool2d(image, np.array([2, 3]), **words), expected)


@pytest.mark.without_jit
def test_layouts_and_views():
    image = np.random.default_rng(8).random((2, 8, 6, 3), np.float32)
    expected = convcli.pool2d(image, 2)
    assert np.array_equal(convcli.pool2d(image[0], 2), expected[0])
    assert np.array_equal(convcli.pool2d(image[1, :, :, 2], 2), expected[1, :, :, 2])
    turned = image[:, ::-1].astype(">f4")
    turned.flags.writeable = False
    assert np.array_equal(convcli.pool2d(turned, 2), expected[:, ::-1])
    assert image.flags.writeable


@pytest.mark.parametrize(
    ("name", "image", "size", "arguments"),
    [
        ("image", np.ones((0, 4)), 2, {}),
        ("image", np.ones(4), 2, {}),
        ("image", np.ones((4, 4), complex), 2, {}),
        ("image", np.ones((4, 4), "g"), 2, {}),
        ("size", np.ones((4, 4)), 0, {}),
        ("size", np.ones((4, 4)), (2, 2, 2), {}),
        ("size", np.ones((4, 4)), "all", {}),
        ("size", np.ones((4, 4)), 5, {}),
        ("size", np.ones((4, 4)), 2, {"dilation": 10**12}),
        ("stride", np.ones((4, 4)), 2, {"stride": 0}),
        ("stride", np.ones((4, 4)), "global", {"stride": [2, 2]}),
        ("ceil_mode", np.ones((4, 4)), "global", {"ceil_mode": True}),
        ("padding", np.ones((4, 4)), "global", {"padding": 1}),
        ("padding", np.ones((4, 4)), 2, {"padding": 2}),
        ("padding", np.ones((4, 4)), 2, {"padding": "some"}),
        ("padding", np.ones((1, 1)), 2, {"padding": "full", "dilation": 2, "stride": 1}),
        ("mode", np.ones((4, 4)), 2, {"mode": "mix"}),
        ("count_include_pad", np.ones((4, 4)), 2, {"count_include_pad": True}),
        ("p", np.ones((4, 4)), 2, {"mode": "lp", "p": 0}),
        ("p", np.ones((4, 4)), 2, {"mode": "lp", "p": None}),
        ("p", np.ones((4, 4)), 2, {"mode": "lp", "p": float("nan")}),
        ("seed", np.ones((4, 4)), 2, {"mode": "stochastic", "seed": -1}),
    ],
)
def test_errors_name_the_argument(name, image, size, arguments):
    with pytest.raises(ShapeError, match=rf"^{name}: [^\n]*$"):
        convcli.pool2d(image, size, **arguments)


@pytest.mark.parametrize("signal", [np.ones(3), np.ones((3, 4)), np.ones((1, 0, 1))])
def test_a_signal_is_batch_width_channels(signal):
    with pytest.raises(ShapeError, match=r"^signal: got shape .*\(N, W, C\)"):
        convcli.pool1d(signal, 2)


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    data=st.data(),
    ceil_mode=st.booleans(),
    include=st.booleans(),
)
def test_pooling_equals_torch(sizes, kernel, stride, data, ceil_mode, include):
    torch = pytest.importorskip("torch")
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    assume(all(n + 2 * pad >= k for n, pad, k in zip(sizes, padding, kernel, strict=True)))
    image = np.random.default_rng(9).standard_normal((2, *sizes, 3)).astype(np.float32)
    there = torch.from_numpy(image).permute(0, 3, 1, 2)
    words = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    theirs = torch.nn.functional.max_pool2d(there, kernel, **words)
    assert np.array_equal(convcli.pool2d(image, kernel, **words), theirs.permute(0, 2, 3, 1).numpy())
    theirs = torch.nn.functional.avg_pool2d(there, kernel, count_include_pad=include, **words)
    ours = convcli.pool2d(image, kernel, mode="average", count_include_pad=include, **words)
    assert np.allclose(ours, theirs.permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("channels", "stride"), [(1, 2), (1, 3), (3, 2), (4, 2), (5, 3), (9, 2)])
def test_pixels_are_picked_and_nothing_behind_them_is_touched(channels, stride):
    for pixels in range(1, 7):
        row = np.arange(((pixels - 1) * stride + 1) * channels, dtype=np.float32)
        around = np.full(pixels * channels + 8, -1, np.float32)
        pick(row, stride, channels, around[:-8])
        np.testing.assert_array_equal(around[:-8].reshape(pixels, channels), row.reshape(-1, channels)[::stride])
        assert (around[-8:] == -1).all()
