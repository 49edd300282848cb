from dataclasses import replace

import numpy as np
import pytest
import reference
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

import convcli
from convcli.errors import KernelError, ShapeError
from convcli.geometry import Window, windows_of
from convcli.ops.borders import ALIASES, BORDERS, border_table, resolve_border
from convcli.ops.correlation import correlation_windows
from convcli.ops.plan import as_taps, plan_correlation, sums_dtype
from convcli.ops.stacks import WAYS, correlate_stack
from convcli.ops.sums import Border, Correlation, Store

LECTURE = [
    [1, 2, 3, 1, 3, 5],
    [2, 2, 5, 4, 2, 5],
    [0, 6, 9, 6, 2, 2],
    [2, 0, 1, 9, 4, 0],
    [5, 5, 4, 6, 7, 6],
    [6, 1, 3, 7, 1, 5],
]
VERTICAL_EDGES = [[1, 0, -1], [1, 0, -1], [1, 0, -1]]
SCIPY = {"reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "wrap": "wrap", "constant": "constant"}


@pytest.mark.without_jit
def test_the_lectures_6x6_example():
    assert convcli.correlate2d(LECTURE, VERTICAL_EDGES).tolist() == [
        [-14, -1, 10, -1],
        [-11, -11, 7, 12],
        [-7, -10, 1, 13],
        [5, -16, -4, 11],
    ]
    assert convcli.correlate2d(LECTURE, VERTICAL_EDGES, stride=2).tolist() == [[-14, 10], [-7, 1]]


PAIRS = st.tuples(st.integers(0, 7), st.integers(0, 7))


@st.composite
def cases(draw):
    """An image, a kernel and all arguments: small numbers, any combination."""
    size = draw(st.tuples(st.integers(1, 11), st.integers(1, 13)))
    kernel_size = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    seed = draw(st.integers(0, 2**31))
    numbers = np.random.default_rng(seed)
    kernel = numbers.integers(-3, 4, kernel_size).astype(float)
    return {
        "image": numbers.standard_normal((*size, draw(st.integers(1, 3)))),
        "kernel": kernel if draw(st.booleans()) else kernel + numbers.standard_normal(kernel_size),
        "stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 4))),
        "dilation": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "border": draw(st.sampled_from(sorted(BORDERS))),
        "value": draw(st.sampled_from([0.0, 2.5])),
        "padding": draw(st.sampled_from(["valid", "same", "full"]) | st.tuples(*[PAIRS] * 2)),
    }  # fmt: skip


def cells(case):
    """The padding in cells, worked out without convcli."""
    size, kernel_size = case["image"].shape[:2], case["kernel"].shape
    if isinstance(case["padding"], tuple):
        return case["padding"]
    spans = [d * (k - 1) for k, d in zip(kernel_size, case["dilation"], strict=True)]
    if case["padding"] == "same":
        axes = zip(size, kernel_size, case["stride"], case["dilation"], strict=True)
        return tuple(reference.same_padding(*axis) for axis in axes)
    return tuple((span, span) if case["padding"] == "full" else (0, 0) for span in spans)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_correlate2d_is_the_naive_reference(case):
    image, kernel = case.pop("image"), case.pop("kernel")
    padding = cells({"image": image, "kernel": kernel, **case})
    room = [
        n + sum(pair) - d * (k - 1)
        for n, pair, k, d in zip(image.shape[:2], padding, kernel.shape, case["dilation"], strict=True)
    ]
    if min(room) < 1:
        with pytest.raises(ShapeError, match="expected at most"):
            convcli.correlate2d(image, kernel, **case)
        return
    got = convcli.correlate2d(image, kernel, **case)
    for channel in range(image.shape[2]):
        expected = reference.correlate(image[..., channel], kernel, **{**case, "padding": padding})
        np.testing.assert_allclose(got[..., channel], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("shape", [(3, 3), (5, 4), (1, 9), (8, 1), (2, 2), (31, 40)])
def test_float64_equals_scipy_in_every_border_mode(rng, border, shape):
    image, kernel = rng.standard_normal((23, 29)), rng.standard_normal(shape)
    anchor = tuple(n // 2 for n in shape)  # SciPy's, which differs from ours for even sizes
    ours = convcli.correlate2d(image, kernel, padding="same", border=border, value=1.5, anchor=anchor)
    theirs = scipy.ndimage.correlate(image, kernel, mode=SCIPY[border], cval=1.5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spec", ["gaussian:sigma=2", "sobel-x", "sharpen", "box:size=9", "log:sigma=1.5", "motion"])
def test_uint8_is_within_1_of_opencv(rng, spec):
    cv2 = pytest.importorskip("cv2")
    image, weights = rng.integers(0, 256, (64, 71, 3), np.uint8), convcli.kernel(spec)
    plan = plan_correlation(weights, np.uint8)
    windows = correlation_windows(image.shape[:2], weights.shape, padding="same")
    ours, _ = correlate_stack(image[None, None], plan, windows, Border("reflect"), store=Store(np.uint8, 0, 255))
    theirs = cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REFLECT_101)
    assert np.abs(ours[0, 0].astype(int) - theirs.astype(int)).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("spec", ["box:size=3", "box:size=15", "gaussian:sigma=3", "motion:length=9", "disk:radius=4"])
def test_a_constant_image_stays_constant_up_to_the_border(dtype, border, spec):
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1.0
    image = np.full((13, 17, 3), white, dtype)
    weights = convcli.kernel(spec)
    windows = correlation_windows(image.shape[:2], weights.shape, padding="same")
    plan = plan_correlation(weights, dtype)
    result, outside = correlate_stack(
        image[None, None], plan, windows, Border(border, white), store=Store(dtype, 0, np.inf)
    )
    if np.dtype(dtype).kind == "u":
        assert (result == white).all()
        assert outside == 0
    else:
        np.testing.assert_allclose(result, white, rtol=4e-7 if dtype == np.float32 else 1e-14)


def test_layouts_and_dtypes(rng):
    kernel = rng.standard_normal((3, 3))
    batch = rng.integers(0, 200, (2, 9, 8, 3))
    whole = convcli.correlate2d(batch, kernel)
    assert whole.shape == (2, 7, 6, 3)
    assert whole.dtype == np.float32
    assert (convcli.correlate2d(batch[1], kernel) == whole[1]).all()
    assert (convcli.correlate2d(batch[1, ..., 2], kernel) == whole[1, ..., 2]).all()
    for dtype in (np.uint8, np.uint16, np.int16, np.int64, np.float32, bool):
        assert convcli.correlate2d(batch[0].astype(dtype), kernel).dtype == np.float32
    assert convcli.correlate2d(batch[0].astype(np.float64), kernel).dtype == np.float64


def test_any_memory_layout_is_taken(rng):
    image, kernel = rng.standard_normal((20, 30)), rng.standard_normal((3, 5))
    expected = convcli.correlate2d(image, kernel)
    frozen = image.copy()
    frozen.flags.writeable = False
    wide = np.repeat(image, 2, axis=1)
    for same in (np.asfortranarray(image), wide[:, ::2], image.astype(">f8"), frozen, image[::-1][::-1]):
        assert (convcli.correlate2d(same, kernel) == expected).all()
    assert not frozen.flags.writeable
    assert image.flags.writeable


def test_convolution_flips_the_kernel(rng):
    image, kernel = rng.standard_normal((9, 9)), rng.standard_normal((3, 4))
    flipped = kernel[::-1, ::-1]
    assert (convcli.convolve2d(image, kernel) == convcli.correlate2d(image, flipped)).all()
    np.testing.assert_array_equal(convcli.convolve2d([[1.0]], kernel, padding="full"), kernel)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(-3, 3))
def test_linearity(seed, a, b):
    numbers = np.random.default_rng(seed)
    x, y, kernel = (numbers.standard_normal(shape) for shape in ((12, 14), (12, 14), (5, 5)))
    together = convcli.correlate2d(a * x + b * y, kernel, padding="same", border="reflect")
    apart = [convcli.correlate2d(each, kernel, padding="same", border="reflect") for each in (x, y)]
    np.testing.assert_allclose(together, a * apart[0] + b * apart[1], atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(-20, 20), st.integers(-20, 20))
def test_shift_equivariance_with_a_wrapped_border(seed, down, right):
    numbers = np.random.default_rng(seed)
    image, kernel = numbers.standard_normal((16, 18)), numbers.standard_normal((3, 4))

    def blur(array):
        return convcli.correlate2d(array, kernel, padding="same", border="wrap")

    shifted_first = blur(np.roll(image, (down, right), (0, 1)))
    np.testing.assert_array_equal(shifted_first, np.roll(blur(image), (down, right), (0, 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_identity_kernel_changes_nothing(rng, dtype):
    image = (rng.random((19, 33, 3)) * 200).astype(dtype)
    result = convcli.correlate2d(image, convcli.kernel("identity"), padding="same")
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize("dtype", [pytest.param(np.uint8, marks=pytest.mark.every_processor), np.float32])
def test_a_tile_of_the_image_gives_the_same_bits(rng, dtype):
    image = (rng.random((90, 80, 3)) * 255).astype(dtype)
    for spec in ("gaussian:sigma=1.5", "motion:length=7", "sharpen", "unsharp"):
        kernel = convcli.kernel(spec)
        whole = convcli.correlate2d(image, kernel)
        exact = scipy.ndimage.correlate(image.astype(float), kernel[:, :, None])
        top, left = (size // 2 for size in kernel.shape)
        exact = exact[top : top + whole.shape[0], left : left + whole.shape[1]]
        np.testing.assert_allclose(whole, exact, atol=1e-3, err_msg=spec)
        for top in (0, 1, 2, 3, 17):
            part = convcli.correlate2d(image[top : top + 40, 5:61], kernel)
            assert (part == whole[top : top + part.shape[0], 5 : 5 + part.shape[1]]).all(), spec


@pytest.mark.every_processor
def test_the_bits_do_not_depend_on_the_number_of_threads(rng):
    import numba

    image = (rng.random((301, 200, 3)) * 255).astype(np.uint8)
    cases = [(image, "gaussian:sigma=3"), (image.astype(np.float32), "motion:length=9"), (image, "unsharp")]
    before = numba.get_num_threads()
    results = []
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            results.append([convcli.correlate2d(each, convcli.kernel(spec), padding="same") for each, spec in cases])
    finally:
        numba.set_num_threads(before)
    for other in results[1:]:
        assert all((a == b).all() for a, b in zip(results[0], other, strict=True))


def test_nan_spreads_under_the_window_only_and_not_under_zero_weights():
    image = np.ones((7, 7))
    image[3, 3] = np.nan
    assert np.isnan(convcli.correlate2d(image, np.ones((3, 3)), padding="same")).sum() == 9
    cross = np.isnan(convcli.correlate2d(image, convcli.kernel("sharpen"), padding="same"))
    assert cross.sum() == 5
    assert not cross[2, 2]


def test_a_stride_beyond_the_image_leaves_one_window():
    image = np.arange(12.0).reshape(3, 4)
    assert convcli.correlate2d(image, np.ones((2, 2)), stride=10**9).tolist() == [[10]]


def test_a_kernel_of_zeros_gives_zeros():
    assert not convcli.correlate2d(np.ones((5, 5)), np.zeros((3, 3))).any()


def test_box_sums_are_exact_for_every_size_and_border(rng):
    image = rng.integers(0, 65536, (40, 37, 3), np.uint16)
    for size in [(8, 9), (40, 3), (61, 83)]:
        weights = np.full(size, 0.25)
        assert plan_correlation(weights, image.dtype).method == "box"
        for border in sorted(BORDERS):
            got = convcli.correlate2d(image, weights, padding="same", border=border, value=7)
            wanted = convcli.correlate2d(image.astype(np.float64), weights, padding="same", border=border, value=7)
            np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_plans_say_how():
    assert plan_correlation(convcli.kernel("sharpen")).method == "taps"
    assert plan_correlation(convcli.kernel("gaussian:sigma=2")).method == "separable"
    assert plan_correlation(convcli.kernel("gaussian:sigma=2")).multiply_adds == 34
    assert plan_correlation(convcli.kernel("unsharp:sigma=5")).method == "sum"
    assert plan_correlation(convcli.kernel("unsharp:sigma=5")).multiply_adds == 41 + 41 + 1 + 1
    assert plan_correlation(convcli.kernel("box:size=31"), np.uint8).method == "box"
    assert plan_correlation(convcli.kernel("box:size=31"), np.float32).method == "separable"
    for size, method in [(1, "taps"), (2, "separable"), (3, "separable"), (7, "separable")]:
        assert plan_correlation(convcli.kernel(f"box3d:size={size}")).method == method
    assert sums_dtype(np.uint8, plan_correlation(convcli.kernel("box:size=5")), whole=True) == np.float32
    big = plan_correlation(convcli.kernel("disk:radius=20"), np.uint16)
    assert sums_dtype(np.uint16, big, whole=True) == np.float64


@pytest.mark.every_processor
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    size=st.tuples(st.integers(1, 11), st.integers(1, 150)),
    kernel_size=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    border=st.sampled_from(sorted(BORDERS)),
    moves=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    fold=st.booleans(),
)
def test_whole_weights_of_bytes_add_up_exactly_in_16_bits(seed, size, kernel_size, border, moves, fold):
    random = np.random.default_rng(seed)
    source = random.choice([0, 1, 254, 255], (2, 1, *size, 3)).astype(np.uint8)
    weights = random.integers(-4, 5, kernel_size).astype(float)
    sign = random.choice([-1, 1])
    # 255 * 128 + 127 is the largest number of 16 bits.
    weights.flat[-1] = sign * (128 - np.abs(weights.flat[:-1]).sum())
    windows = windows_of(size, kernel_size, padding="same", stride=moves[0], dilation=moves[1])
    plan, store = as_taps(plan_correlation(weights[None])), Store(np.uint8, 0, 255, fold)
    asked = Correlation(source, plan, (Window(1), *windows), Border(border, 255), store, bias=127 * sign)
    assert asked.dtype == np.int16
    exact = WAYS["taps"](replace(asked, store=Store(np.float64)))[0]
    exact = np.abs(exact) if fold else exact
    pixels, outside = WAYS["taps"](asked)
    np.testing.assert_array_equal(pixels, np.clip(exact, 0, 255))
    assert outside == ((exact < 0) | (exact > 255)).sum()
    assert replace(asked, bias=128.0 * sign).dtype == replace(asked, bias=0.5).dtype == np.float32


@pytest.mark.without_jit
def test_rounding_is_half_to_even_and_saturates():
    image = np.arange(8, dtype=np.uint8)[None, :, None]
    plan = plan_correlation(np.array([[0.5]]))
    windows = correlation_windows((1, 8), (1, 1))
    store = Store(np.uint8, 0, 255)
    halves, _ = correlate_stack(image[None, None], plan, windows, Border(), store=store)
    assert halves.ravel().tolist() == [0, 0, 1, 2, 2, 2, 3, 4]
    result, outside = correlate_stack(image[None, None], plan, windows, Border(), store=store, scale=200, bias=-150)
    assert result.ravel().tolist() == [0, 0, 50, 150, 250, 255, 255, 255]
    assert outside == 5
    folded, _ = correlate_stack(
        image[None, None], plan, windows, Border(), store=Store(np.uint8, 0, 255, fold=True), bias=-4
    )
    assert folded.ravel().tolist() == [4, 4, 3, 2, 2, 2, 1, 0]


def test_border_tables_are_numpy_pad():
    for border in BORDERS:
        for n in (1, 2, 5):
            table = border_table(n, (11, 13), border)
            if border == "constant":
                assert table.tolist() == [-1] * 11 + list(range(n)) + [-1] * 13
            else:
                assert table.tolist() == np.pad(np.arange(n), (11, 13), mode=border).tolist()


def test_border_names_of_other_libraries():
    assert resolve_border("BORDER_REFLECT_101") == "reflect"
    assert resolve_border("grid-mirror") == "symmetric"
    assert resolve_border("Circular") == "wrap"
    assert set(ALIASES.values()) == set(BORDERS)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones(5), np.ones((3, 3))), ShapeError, r"image: got shape \(5,\), expected \(H, W\)"),
        ((np.ones((0, 5)), np.ones((3, 3))), ShapeError, r"image: got shape \(0, 5\), expected at least one"),
        ((np.ones((5, 5), complex), np.ones((3, 3))), ShapeError, "image: got dtype complex128"),
        ((np.ones((5, 5)), np.ones((3, 3, 3))), KernelError, "expected 2 dimensions"),
        ((np.ones((5, 5)), np.ones((0, 3))), KernelError, "at least one weight"),
        ((np.ones((5, 5)), [[1, np.nan]]), KernelError, r"got nan at index \(0, 1\)"),
        ((np.ones((5, 5)), [[1, 2], [3]]), KernelError, "rows of different lengths"),
        ((np.ones((5, 5)), np.ones((7, 3))), ShapeError, "spans 7 along axis 0, expected at most"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        convcli.correlate2d(*arguments)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"stride": 0}, "stride: got 0, expected an integer of at least 1"),
        ({"dilation": (1, 2, 3)}, "dilation: got 3 values"),
        ({"padding": "some"}, "padding: got 'some', expected valid, same, full"),
        ({"padding": "same", "border": "rim"}, "border: got 'rim', expected reflect"),
        ({"padding": 10**8}, "padding: got 100000000 \\+ 100000000 cells along axis 0"),
        ({"value": "3"}, "value: got '3', expected a number"),
        ({"anchor": 1.0, "padding": "same"}, "anchor: got 1.0, expected an integer"),
        ({"anchor": 1}, "anchor: got 1 with padding 'valid', expected padding 'same'"),
        ({"anchor": 3, "padding": "same"}, "anchor: got 3, expected an integer from 0 to 2"),
    ],
)
def test_wrong_words_are_named(words, message):
    with pytest.raises(ShapeError, match=message):
        convcli.correlate2d(np.ones((5, 5)), np.ones((3, 3)), **words)


@pytest.mark.without_jit
@pytest.mark.parametrize("border", sorted(BORDERS))
def test_a_value_that_the_border_does_not_use_may_be_any(rng, border):
    image, kernel = rng.integers(0, 256, (6, 40), np.uint8), [[1, 2, 1], [2, 4, 2]]
    for value in (-3.0, 300.0, 2.5, np.inf):
        got = convcli.correlate2d(image, kernel, padding="same", border=border, value=value)
        if border != "constant":
            np.testing.assert_array_equal(got, convcli.correlate2d(image, kernel, padding="same", border=border))


def white(weights, **words):
    """A white 16-bit image correlated with weights that sum to 1 / scale, as 16-bit pixels."""
    image = np.full((1, 1, 4, 300, 1), 65535, np.uint16)
    store = Store(np.uint16, 0, 65535)
    windows = correlation_windows((4, 300), weights.shape, padding="same", stride=words.pop("stride", 1))
    return correlate_stack(image, plan_correlation(weights, image.dtype), windows, Border("edge"), store=store, **words)


@pytest.mark.parametrize("scale", [1, 100, 1000])
def test_white_stays_white_with_many_taps_whatever_carries_the_scale(scale):
    # Every addition of 1256 equal terms may be rounded up: in float32 the sum ended above 65535.5, and as black.
    across, down = np.ogrid[-20:21, -20:21]
    disk = (across**2 + down**2 <= 400).astype(float)
    pixels, outside = white(disk / disk.sum() / scale, scale=scale)
    assert outside == 0
    assert (pixels == 65535).all()


def test_white_stays_white_under_a_box_that_no_running_sum_can_do():
    pixels, outside = white(np.full((501, 1003), 1 / 501 / 1003), stride=2)
    assert outside == 0
    assert (pixels == 65535).all()


def test_a_large_bias_counts_for_the_precision():
    plan = plan_correlation(np.eye(31) / 31000)
    assert sums_dtype(np.uint16, plan, whole=True) == np.float32
    assert sums_dtype(np.uint16, plan, whole=True, bias=65000) == np.float64
    assert sums_dtype(np.uint16, plan, whole=True, scale=1000) == np.float64
    assert sums_dtype(np.uint16, plan, whole=True, border_value=1e8) == np.float64
