import numpy as np
import pytest
import scipy.ndimage

from convcli.errors import ConvcliError, ImageError, KernelError, ShapeError
from convcli.images import Image
from convcli.jobs.filter import filter_image, plan_filter
from convcli.kernels import kernel

SMOOTHING = ["box:size=3", "box:size=9", "gaussian:sigma=2", "binomial:size=5", "disk:radius=3", "motion:length=7"]
BORDERS = ["reflect", "symmetric", "edge", "wrap"]


def picture(pixels, has_alpha=False):
    """A picture from an array-like (H, W, C)."""
    return Image(np.ascontiguousarray(pixels), has_alpha)


def run(image, *specs, format=None, **words):
    """Filter and return the pixels."""
    return filter_image(image, plan_filter(specs, **words), format).image.pixels


@pytest.fixture
def square():
    """An opaque white square on transparent black, uint8 RGBA."""
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[8:16, 8:16] = 255
    return picture(pixels, True)


@pytest.mark.parametrize("spec", SMOOTHING)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_blurred_white_square_on_transparent_black_stays_white(square, spec, dtype):
    pixels = square.pixels if dtype == np.uint8 else square.pixels.astype(np.uint16) * 257
    result = run(picture(pixels, True), spec)
    seen = result[..., 3] > 0
    assert seen.sum() > 64
    assert (result[seen] [:, :3] == np.iinfo(dtype).max).all()  # fmt: skip


def test_alpha_itself_is_blurred(square):
    result = run(square, "gaussian:sigma=2")
    alpha = square.pixels[..., 3].astype(float)
    expected = scipy.ndimage.correlate(alpha, kernel("gaussian:sigma=2"), mode="mirror")
    assert np.abs(result[..., 3] - expected).max() <= 0.51


@pytest.mark.parametrize("spec", ["sharpen", "gaussian:sigma=1", "sobel", "laplacian", "emboss", "unsharp"])
@pytest.mark.parametrize("border", [*BORDERS, "constant"])
def test_an_opaque_rgba_picture_is_filtered_like_its_rgb(rng, spec, border):
    rgb = rng.integers(0, 256, (20, 22, 3), np.uint8)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    result = run(picture(rgba, True), spec, border=border, border_value=40)
    assert (result[..., :3] == run(picture(rgb), spec, border=border, border_value=40)).all()
    assert (result[..., 3] == 255).all()


def test_nearly_opaque_is_nearly_the_same(rng):
    """The two alpha paths join: one transparent pixel far away changes nothing here."""
    rgb = rng.integers(0, 256, (40, 40, 3), np.uint8)
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[0, 0] = 0
    result = run(picture(np.dstack([rgb, alpha]), True), "sharpen", border="edge")
    expected = run(picture(rgb), "sharpen", border="edge")
    assert np.abs(result[5:, 5:, :3].astype(int) - expected[5:, 5:]).max() <= 1


def test_edge_kernels_act_on_colour_and_keep_alpha(rng):
    pixels = rng.integers(0, 256, (16, 18, 4), np.uint8)
    for spec in ("sobel-x", "laplacian", "sobel", "sobel-angle"):
        result = run(picture(pixels, True), spec)
        assert (result[..., 3] == pixels[..., 3]).all(), spec
    flat = np.full((9, 9, 4), 100, np.uint8)
    flat[:, 5:, :3] = 200
    result = run(picture(flat, True), "sobel-x", scale=0.25)
    assert (result[..., :3] == run(picture(flat[..., :3]), "sobel-x", scale=0.25)).all()


def test_hidden_colour_has_no_say(square):
    painted = square.pixels.copy()
    painted[painted[..., 3] == 0, :3] = (255, 0, 77)
    for spec in ("gaussian:sigma=2", "sobel", "sharpen"):
        result, expected = run(picture(painted, True), spec), run(square, spec)
        seen = expected[..., 3] > 0
        assert (result[seen] == expected[seen]).all(), spec


def test_a_shape_of_one_colour_has_no_edges_in_its_colour():
    """Soft alpha over one colour: an edge detector that looks at colour sees nothing, sharpening changes nothing."""
    pixels = np.full((9, 30, 4), 200, np.uint8)
    pixels[..., 3] = np.linspace(1, 255, 30)
    for spec in ("sobel-x", "sobel", "laplacian", "kirsch"):
        assert (run(picture(pixels, True), spec)[..., :3] == 0).all(), spec
    assert (run(picture(pixels, True), "sharpen") == pixels).all()


def test_an_even_alpha_is_the_plain_response(rng):
    pixels = rng.integers(0, 256, (14, 15, 4), np.uint8)
    pixels[..., 3] = 77
    for spec in ("sharpen", "laplacian", "emboss", "gaussian:sigma=1", "sobel"):
        result = run(picture(pixels, True), spec)
        assert (result[..., :3] == run(picture(pixels[..., :3]), spec)).all(), spec
        assert (result[..., 3] == 77).all(), spec


def test_linear_light_is_the_same_on_both_alpha_paths(rng):
    rgb = rng.integers(0, 256, (30, 31, 3), np.uint8)
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    alpha[0, 0] = 254
    for channels in ("each", "gray"):
        words = {"channels": channels, "linear": True}
        result = run(picture(np.dstack([rgb, alpha]), True), "gaussian:sigma=1.5", **words)
        expected = run(picture(rgb), "gaussian:sigma=1.5", **words)
        assert np.abs(result[10:, 10:, :-1].astype(int) - expected[10:, 10:]).max() <= 1


def test_a_kernel_that_looks_at_no_neighbour_keeps_hidden_colours(rng):
    for dtype in (np.uint8, np.uint16):
        pixels = rng.integers(0, np.iinfo(dtype).max, (9, 11, 4), dtype)
        pixels[2:5, 3:7, 3] = 0
        for spec in ("identity", "1", "1 0; 0 0"):
            assert (run(picture(pixels, True), spec) == pixels).all(), spec
        assert (run(picture(pixels, True), "0.5", stride=(2, 1))[..., 3] == pixels[::2, :, 3]).all()
        assert not run(picture(pixels, True), "box:size=1x2")[3, 4:6, :3].any()  # where a neighbour has one


def test_alpha_policies(square):
    kept = run(square, "box:size=5", alpha="keep")
    assert (kept[..., 3] == square.pixels[..., 3]).all()
    dropped = filter_image(square, plan_filter(["box:size=5"], alpha="drop")).image
    assert dropped.pixels.shape[-1] == 3
    assert not dropped.has_alpha
    independent = filter_image(square, plan_filter(["box:size=5"], alpha="independent")).image
    assert independent.has_alpha
    assert (independent.pixels[..., 0] == independent.pixels[..., 3]).all()


def test_kept_alpha_follows_stride_and_padding(square):
    for words in ({"stride": (2, 3)}, {"padding": "valid"}, {"padding": 4}, {"stride": (3, 2), "dilation": (2, 2)}):
        result = run(square, "sobel", **words)
        identity = run(picture(square.pixels[..., 3:]), "0 0 0; 0 1 0; 0 0 0", border="edge", **words)
        assert (result[..., 3:] == identity).all(), words


def test_a_falling_edge_is_visible_under_auto_and_offset():
    falling = np.full((9, 12, 1), 200, np.uint8)
    falling[:, 6:] = 100
    auto = run(picture(falling), "sobel-x")
    assert auto[4].ravel().tolist() == [0] * 5 + [255, 255] + [0] * 5
    scaled = run(picture(falling), "sobel-x", scale=0.25)
    assert scaled[4, 5, 0] == 100
    offset = run(picture(falling), "sobel-x", scale=0.25, range="offset")
    assert offset[4].ravel().tolist() == [128] * 5 + [28, 28] + [128] * 5
    assert run(picture(falling), "sobel-x", range="clip").max() == 0
    stretched = run(picture(falling), "sobel-x", range="minmax")
    assert stretched[4].ravel().tolist() == [255] * 5 + [0, 0] + [255] * 5
    raw = run(picture(falling), "sobel-x", range="raw")
    assert raw.dtype == np.float32
    assert raw[4, 5, 0] == -400


def test_clipping_is_reported():
    image = picture(np.full((8, 8, 3), 100, np.uint8))
    filtered = filter_image(image, plan_filter(["box:size=3"], scale=4))
    assert filtered.clipped == 1
    assert "100.0% of the values lay outside 0..255" in filtered.warnings[0]
    assert filter_image(image, plan_filter(["box:size=3"])).warnings == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("linear", [False, True])
def test_a_constant_picture_stays_constant(dtype, border, linear):
    for level in (1, 77, np.iinfo(dtype).max):
        image = picture(np.full((11, 12, 3), level, dtype))
        for spec in SMOOTHING:
            assert (run(image, spec, border=border, linear=linear) == level).all(), (spec, level)


def test_sixteen_bits_are_exact(rng):
    pixels = rng.integers(0, 65536, (15, 16, 3), np.uint16)
    assert (run(picture(pixels), "identity") == pixels).all()
    sharpened = run(picture(pixels), "sharpen").astype(int)
    exact = scipy.ndimage.correlate(pixels.astype(int), kernel("sharpen").astype(int)[..., None], mode="mirror")
    assert (sharpened == np.clip(exact, 0, 65535)).all()


def test_a_chain_is_rounded_once(rng):
    pixels = rng.integers(0, 256, (30, 31, 1), np.uint8)
    chained = run(picture(pixels), "gaussian:sigma=1", "gaussian:sigma=1", "gaussian:sigma=1")
    exact = pixels.astype(float)
    for _ in range(3):
        exact = scipy.ndimage.correlate(exact, kernel("gaussian:sigma=1")[..., None], mode="mirror")
    assert (chained == np.rint(exact)).mean() > 0.999
    assert np.abs(chained - exact).max() <= 0.501


def test_compound_kernels(rng):
    pixels = rng.integers(0, 256, (20, 21, 3), np.uint8)
    x, y = (run(picture(pixels), spec, range="raw").astype(float) for spec in ("sobel-x", "sobel-y"))
    np.testing.assert_allclose(run(picture(pixels), "sobel", range="raw"), np.hypot(x, y), rtol=1e-6)
    np.testing.assert_allclose(run(picture(pixels), "sobel-angle", range="raw"), np.arctan2(y, x), atol=1e-6)
    directions = [
        run(picture(pixels), f"kirsch-{d}", range="raw") for d in ("n", "ne", "e", "se", "s", "sw", "w", "nw")
    ]
    np.testing.assert_allclose(run(picture(pixels), "kirsch", range="raw"), np.max(directions, axis=0), rtol=1e-6)
    angle = run(picture(pixels), "sobel-angle")
    np.testing.assert_allclose(angle, (np.arctan2(y, x) + np.pi) / (2 * np.pi) * 255, atol=0.51)


def test_channels(rng):
    pixels = rng.integers(0, 80, (12, 13, 3), np.uint8)
    gray = run(picture(pixels), "identity", channels="gray")
    np.testing.assert_allclose(gray[..., 0], pixels @ [0.299, 0.587, 0.114], atol=0.501)
    summed = run(picture(pixels), "identity", channels="sum")
    assert (summed[..., 0] == pixels.sum(axis=2)).all()


def test_linear_light_of_a_checkerboard():
    """Half the light of white is sRGB 188, not 128: the standard test of linear filtering."""
    board = np.indices((16, 16)).sum(axis=0)[..., None] % 2 * 255
    blurred = run(picture(board.astype(np.uint8)), "gaussian:sigma=4", linear=True)
    assert set(np.unique(blurred[4:-4, 4:-4])) <= {187, 188}
    assert set(np.unique(run(picture(board.astype(np.uint8)), "gaussian:sigma=4")[4:-4, 4:-4])) <= {127, 128}


def test_normalize_bias_activation_and_convolve(rng):
    pixels = rng.integers(0, 256, (12, 13, 1), np.uint8)
    ones = run(picture(pixels), "1 1 1; 1 1 1; 1 1 1", normalize="sum")
    assert (ones == run(picture(pixels), "box:size=3")).all()
    assert (run(picture(pixels), "sobel-x", normalize="sum") == run(picture(pixels), "sobel-x")).all()
    raw = run(picture(pixels), "sobel-x", range="raw", normalize="abs", bias=3)
    np.testing.assert_allclose(raw, run(picture(pixels), "sobel-x", range="raw") / 8 + 3, rtol=1e-5, atol=1e-4)
    relu = run(picture(pixels), "sobel-x", range="raw", activation="relu")
    assert (relu == np.maximum(run(picture(pixels), "sobel-x", range="raw"), 0)).all()
    flipped = run(picture(pixels), "1 2 3; 4 5 6; 7 8 10", convolve=True, range="raw")
    assert (flipped == run(picture(pixels), "10 8 7; 6 5 4; 3 2 1", range="raw")).all()


def test_depths(rng):
    pixels = rng.integers(0, 256, (9, 9, 3), np.uint8)
    wide = run(picture(pixels), "identity", depth="16")
    assert wide.dtype == np.uint16
    assert (wide == pixels.astype(np.uint16) * 257).all()
    floats = run(picture(pixels), "identity", depth="float")
    np.testing.assert_allclose(floats, pixels / 255, atol=1e-7)
    assert (run(picture(floats), "identity", depth="8") == pixels).all()
    assert (run(picture(wide), "identity", depth="8") == pixels).all()


def test_floats_are_not_clipped(rng):
    pixels = (rng.standard_normal((9, 9, 1)) * 5).astype(np.float32)
    result = run(picture(pixels), "sobel-x")
    assert result.dtype == np.float32
    assert result.min() < 0
    doubles = run(picture(pixels.astype(np.float64)), "sobel-x")
    assert doubles.dtype == np.float64


def test_a_kernel_larger_than_the_picture_and_even_kernels(rng):
    pixels = rng.integers(0, 256, (5, 7, 3), np.uint8)
    assert run(picture(pixels), "gaussian:sigma=6").shape == pixels.shape
    shifted = run(picture(pixels), "0 1")  # the anchor is the first of two taps
    assert (shifted[:, :-1] == pixels[:, 1:]).all()


@pytest.mark.parametrize(
    ("specs", "words", "error", "message"),
    [
        ([], {}, KernelError, "kernel: got none"),
        (["shrpen"], {}, KernelError, "sharpen"),
        (["box3d"], {}, KernelError, "is a 3-D kernel, expected a 2-D one"),
        (["sobel-angle", "box"], {}, KernelError, "must be the last kernel"),
        (["box"], {"range": "wide"}, ConvcliError, "range: got 'wide', expected one of auto, clip"),
        (["box"], {"alpha": "some"}, ConvcliError, "alpha: got 'some'"),
        (["box"], {"alpha": "independent", "channels": "gray"}, ConvcliError, "expected premultiply, keep or drop"),
        (["box"], {"bias": float("nan")}, ConvcliError, "bias: got nan, expected a finite number"),
        (["box"], {"border": "rim"}, ShapeError, "border: got 'rim'"),
    ],
)
def test_wrong_plans_are_named(specs, words, error, message):
    with pytest.raises(error, match=message):
        plan_filter(specs, **words)


@pytest.mark.parametrize(
    ("dtype", "format", "words", "message"),
    [
        (np.float32, "PNG", {}, "PNG holds .* add --depth 8 or 16, or write .tiff or .npy"),
        (np.uint8, "JPEG", {"depth": "16"}, "JPEG holds .* add --depth 8"),
        (np.uint8, "PNG", {"range": "raw"}, "range: got raw for PNG, .* write .tiff or .npy"),
        (np.uint8, "TIFF", {"range": "raw", "depth": "8"}, "range: got raw with depth 8, expected depth float"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(dtype, format, words, message):
    with pytest.raises(ImageError, match=message):
        run(picture(np.zeros((5, 5, 3), dtype)), "box", format=format, **words)


def test_jpeg_gets_8_bits_with_a_warning_and_no_alpha(square):
    wide = picture(np.zeros((5, 5, 3), np.uint16))
    filtered = filter_image(wide, plan_filter(["box"]), "JPEG")
    assert filtered.image.pixels.dtype == np.uint8
    assert "JPEG holds 8-bit pixels" in filtered.warnings[0]
    with pytest.raises(ImageError, match="JPEG holds no alpha channel; add --background white or --alpha drop"):
        run(square, "box", format="JPEG")


def test_a_window_that_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match="padding 'same' fits any kernel"):
        run(picture(np.zeros((5, 5, 3), np.uint8)), "box:size=7", padding="valid")


@pytest.mark.parametrize("spec", ["sobel-x", "box", "sharpen"])
@pytest.mark.parametrize("alpha", ["premultiply", "keep"])
def test_minmax_looks_at_what_can_be_seen(rng, spec, alpha):
    colour = rng.integers(100, 150, (20, 30, 3)).astype(np.uint8)
    colour[:, 15:] = rng.integers(0, 256, (20, 15, 3))
    cover = np.full((20, 30), 255, np.uint8)
    cover[:, 15:] = 0
    result = run(picture(np.dstack([colour, cover]), True), spec, range="minmax", alpha=alpha)
    seen = result[..., 3] > 0
    assert (result[seen][:, :3].min(), result[seen][:, :3].max()) == (0, 255)
