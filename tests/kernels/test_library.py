"""Every entry of the library: sums, signs, scales, symmetry, against formulas and other libraries."""

import math
import re

import cv2
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from convcli.errors import KernelError
from convcli.kernels import ALIASES, LIBRARY, kernel, parse_kernel
from convcli.kernels.entry import COMBINATIONS, MATRIXLESS

SINGLE = [name for name, entry in LIBRARY.items() if entry.combine == "single"]
COMPOUND = [name for name, entry in LIBRARY.items() if entry.combine != "single"]


def response(weights, image):
    """The correlation of a kernel with the patch of the same size around the image's centre, tap by tap."""
    total = 0.0
    starts = [n // 2 - (k - 1) // 2 for n, k in zip(image.shape, weights.shape, strict=True)]
    for index in np.ndindex(*weights.shape):
        total += weights[index] * image[tuple(s + i for s, i in zip(starts, index, strict=True))]
    return total


def drawn(entry):
    """The matrix that an entry's formula draws, or None if it draws none."""
    number = r"-?(?:[\d.]+|sqrt\(2\))"
    found = re.match(rf"{number}(?: {number})*(?:; {number}(?: {number})*)+(?= =|, turned|$)", entry.formula)
    if found is None:
        return None
    rows = found[0].replace("sqrt(2)", repr(math.sqrt(2))).split("; ")
    return np.array([[float(value) for value in row.split()] for row in rows])


DRAWN = [name for name, entry in LIBRARY.items() if drawn(entry) is not None]


def ramp(*, x=0.0, y=0.0, z=0.0, axes=2, n=41):
    """An image that rises by x per pixel to the right, y downward, z from plane to plane."""
    grid = np.meshgrid(*[np.arange(n) - n // 2] * axes, indexing="ij")
    return sum(slope * along for slope, along in zip((z, y, x)[-axes:], grid, strict=True))


def quadratic(axes=2, n=41):
    """x**2 + y**2 (+ z**2): its Laplacian is twice the number of axes everywhere."""
    grid = np.meshgrid(*[np.arange(n, dtype=float) - n // 2] * axes, indexing="ij")
    return sum(along**2 for along in grid)


@pytest.mark.parametrize("name", DRAWN)
def test_the_matrix_that_is_drawn_is_the_one_that_is_built(name):
    expected, built = drawn(LIBRARY[name]), kernel(name)
    if ", turned" in LIBRARY[name].formula:  # a compass kernel: the east's eight outer weights, moved along the ring
        ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
        turns = int(re.search(r"by (\d+) degrees", LIBRARY[name].formula)[1]) // 45
        turned = expected.copy()
        for place, (y, x) in enumerate(ring):
            turned[ring[place - turns]] = expected[y, x]
        expected = turned
    np.testing.assert_allclose(built, expected, rtol=1e-15)


def test_most_of_the_classic_kernels_are_drawn():
    assert len(DRAWN) >= 34


@pytest.mark.parametrize("name", LIBRARY)
def test_every_entry_is_described_and_built(name):
    entry, built = LIBRARY[name], parse_kernel(name)
    for field in ("group", "summary", "formula", "sign", "scale", "source"):
        text = getattr(entry, field)
        assert text and "\n" not in text, f"{name}: {field}"
    assert built.name == name and built.entry is entry and built.combine == entry.combine in COMBINATIONS
    assert re.fullmatch(r"[a-z0-9-]+", name), "a name is part of a file name"
    assert (len(built.planes) == 1) == (entry.combine in ("single", *MATRIXLESS))
    for plane in built.planes:
        assert plane.dtype == np.float64 and plane.ndim == entry.dim == built.ndim
        assert plane.shape == built.planes[0].shape and plane.any() and np.isfinite(plane).all()
        assert not plane.flags.writeable
        assert not np.signbit(plane[plane == 0]).any(), f"{name} holds a negative zero"


@pytest.mark.parametrize("name", LIBRARY)
def test_the_sum_is_what_the_group_says(name):
    entry = LIBRARY[name]
    for plane in parse_kernel(name).planes:
        if entry.combine in MATRIXLESS:
            assert (plane >= 0).all() and not parse_kernel(name).is_zero_sum
        elif "sum to 1" in entry.group or name in ("box3d", "gaussian3d", "sharpen3d"):
            assert plane.sum() == pytest.approx(1, abs=1e-12)
            assert not parse_kernel(name).is_zero_sum
        else:
            assert abs(plane.sum()) <= 1e-12 * np.abs(plane).sum()
            assert parse_kernel(name).is_zero_sum


@pytest.mark.parametrize("name", COMPOUND)
def test_compound_kernels_name_their_parts(name):
    entry, built = LIBRARY[name], parse_kernel(name)
    if entry.parts and name != "roberts-angle":
        assert len(entry.parts) == len(built.planes)
        for part, plane in zip(entry.parts, built.planes, strict=True):
            np.testing.assert_array_equal(kernel(part), plane)
    refusal = (
        f"{name} has no matrix: " if entry.steps else f"{name} is the {entry.combine} of {len(built.planes)} kernels; "
    )
    with pytest.raises(KernelError, match=refusal):
        _ = built.weights


def test_the_message_for_a_compound_kernel_names_the_fix():
    with pytest.raises(KernelError, match=r"^sobel is the magnitude of 2 kernels; ask for sobel-x or sobel-y$"):
        kernel("sobel")


def test_aliases_lead_to_entries_and_hide_none():
    assert set(ALIASES.values()) <= set(LIBRARY)
    assert not set(ALIASES) & set(LIBRARY)
    assert parse_kernel("blur").name == "gaussian" and parse_kernel("mean").name == "box"


SCALES = {
    "sobel": 8,
    "scharr": 32,
    "prewitt": 6,
    "farid": 2 * (2 * 0.109603762960254 + 0.276690988455557),
    "frei-chen": 4 + 2 * math.sqrt(2),
}


@pytest.mark.parametrize("family", SCALES)
def test_gradients_are_positive_where_brightness_rises(family):
    x, y = kernel(f"{family}-x"), kernel(f"{family}-y")
    assert response(x, ramp(x=1)) == pytest.approx(SCALES[family])
    assert response(y, ramp(y=1)) == pytest.approx(SCALES[family])
    assert response(x, ramp(y=1)) == pytest.approx(0, abs=1e-12)
    assert response(y, ramp(x=1)) == pytest.approx(0, abs=1e-12)
    np.testing.assert_array_equal(y, x.T)


@pytest.mark.parametrize("family", [*SCALES, "roberts"])
@pytest.mark.parametrize(
    ("x", "y", "angle"), [(1, 0, 0), (0, 1, 90), (-1, 0, 180), (0, -1, -90), (1, 1, 45), (1, -1, -45)]
)
def test_angles_point_where_brightness_rises(family, x, y, angle):
    planes = parse_kernel(f"{family}-angle").planes
    found = math.degrees(math.atan2(response(planes[1], ramp(x=x, y=y)), response(planes[0], ramp(x=x, y=y))))
    assert abs((found - angle + 180) % 360 - 180) < 1e-9


def test_classic_matrices():
    matrices = {
        "identity": "0 0 0; 0 1 0; 0 0 0",
        "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
        "sharpen-8": "-1 -1 -1; -1 9 -1; -1 -1 -1",
        "emboss": "-2 -1 0; -1 1 1; 0 1 2",
        "sobel-x": "-1 0 1; -2 0 2; -1 0 1",
        "sobel-y": "-1 -2 -1; 0 0 0; 1 2 1",
        "prewitt-x": "-1 0 1; -1 0 1; -1 0 1",
        "scharr-x": "-3 0 3; -10 0 10; -3 0 3",
        "roberts-x": "-1 0; 0 1",
        "roberts-y": "0 -1; 1 0",
        "laplacian": "0 1 0; 1 -4 1; 0 1 0",
        "laplacian-8": "1 1 1; 1 -8 1; 1 1 1",
        "outline": "-1 -1 -1; -1 8 -1; -1 -1 -1",
        "kirsch-n": "5 5 5; -3 0 -3; -3 -3 -3",
        "kirsch-ne": "-3 5 5; -3 0 5; -3 -3 -3",
        "robinson-n": "1 2 1; 0 0 0; -1 -2 -1",
        "robinson-ne": "0 1 2; -1 0 1; -2 -1 0",
        "robinson-e": "-1 0 1; -2 0 2; -1 0 1",
        "line-h": "-1 -1 -1; 2 2 2; -1 -1 -1",
        "line-45": "-1 -1 2; -1 2 -1; 2 -1 -1",
        "binomial": "1/16 2/16 1/16; 2/16 4/16 2/16; 1/16 2/16 1/16",
        "box": "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9",
    }
    for name, drawing in matrices.items():
        np.testing.assert_array_equal(kernel(name), kernel(drawing), err_msg=name)


def test_classic_weights_equal_opencv():
    for name, dx, dy, size in (("sobel-x", 1, 0, 3), ("sobel-y", 0, 1, 3), ("scharr-x", 1, 0, cv2.FILTER_SCHARR)):
        along_x, along_y = cv2.getDerivKernels(dx, dy, size)
        np.testing.assert_array_equal(kernel(name), along_y @ along_x.T, err_msg=name)


TOWARDS = {
    "e": (1, 0),
    "ne": (1, -1),
    "n": (0, -1),
    "nw": (-1, -1),
    "w": (-1, 0),
    "sw": (-1, 1),
    "s": (0, 1),
    "se": (1, 1),
}


@pytest.mark.parametrize("family", ["kirsch", "robinson"])
@pytest.mark.parametrize("direction", TOWARDS)
def test_the_compass_kernel_of_a_direction_wins_where_brightness_rises_that_way(family, direction):
    x, y = TOWARDS[direction]
    answers = {name: response(kernel(f"{family}-{name}"), ramp(x=x, y=y)) for name in TOWARDS}
    assert max(answers, key=answers.__getitem__) == direction, answers
    assert sum(answers.values()) == pytest.approx(0)


def test_compass_scales():
    assert response(kernel("kirsch-e"), ramp(x=1)) == 24
    assert response(kernel("kirsch-e"), (ramp(x=1) > 0) * 10.0) == 150
    assert response(kernel("robinson-n"), ramp(y=-1)) == 8


@pytest.mark.parametrize(
    ("name", "scale"), [("laplacian", 1), ("laplacian-8", 3), ("laplacian-5x5", 8), ("outline", -3)]
)
def test_laplacians_have_their_scale_and_sign(name, scale):
    assert response(kernel(name), quadratic()) == 4 * scale
    bright_spot = np.zeros((41, 41))
    bright_spot[20, 20] = 1
    assert math.copysign(1, response(kernel(name), bright_spot)) == -math.copysign(1, scale)


@pytest.mark.parametrize("sigma", [1, 1.4, 2.5, 4])
def test_log_is_the_laplacian_of_the_blurred_image(sigma):
    weights = kernel(f"log:sigma={sigma},truncate=6")
    assert response(weights, quadratic(n=101)) == pytest.approx(4, rel=2e-2)
    impulse = np.zeros(weights.shape)
    impulse[tuple(n // 2 for n in weights.shape)] = 1
    expected = scipy.ndimage.gaussian_laplace(impulse, sigma, truncate=6, mode="constant")
    np.testing.assert_allclose(weights, expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    "spec", ["gaussian", "gaussian:sigma=2", "gaussian:sigma=0.7,truncate=3", "gaussian:sigma=1x3"]
)
def test_gaussian_is_scipys_impulse_response(spec):
    built = parse_kernel(spec)
    weights = built.weights
    impulse = np.zeros(weights.shape)
    impulse[tuple(n // 2 for n in weights.shape)] = 1
    truncate = 3 if "truncate=3" in spec else 4
    expected = scipy.ndimage.gaussian_filter(impulse, built.parameters["sigma"], truncate=truncate, mode="constant")
    np.testing.assert_allclose(weights, expected, rtol=1e-12, atol=1e-17)
    # One pixel of room around the window stays empty: the window is no smaller than scipy's.
    wider = scipy.ndimage.gaussian_filter(np.pad(impulse, 1), built.parameters["sigma"], truncate=truncate)
    assert not wider[0].any() and not wider[:, 0].any()


def test_gaussian3d_is_scipys_impulse_response():
    weights = kernel("gaussian3d:sigma=0.5x1x1.5")
    assert weights.shape == (5, 9, 13), "planes, rows, columns"
    impulse = np.zeros(weights.shape)
    impulse[2, 4, 6] = 1
    expected = scipy.ndimage.gaussian_filter(impulse, (0.5, 1, 1.5), mode="constant")
    np.testing.assert_allclose(weights, expected, rtol=1e-12, atol=1e-17)


def test_even_gaussians_are_symmetric():
    weights = kernel("gaussian:sigma=1,size=4")
    np.testing.assert_allclose(weights, np.flip(weights), rtol=1e-15)
    assert weights[1, 1] == weights[2, 2] == weights.max()


@given(st.integers(1, 60), st.integers(1, 60))
def test_binomial_has_the_variance_it_states(height, width):
    weights = kernel(f"binomial:size={height}x{width}")
    assert weights.shape == (height, width)
    assert weights.sum() == pytest.approx(1)
    places = np.arange(width) - (width - 1) / 2
    assert (weights.sum(axis=0) * places**2).sum() == pytest.approx((width - 1) / 4)


def test_binomial_is_finite_at_its_largest():
    assert kernel("binomial:size=1x1000").sum() == pytest.approx(1)


@pytest.mark.parametrize("length", [1, 3, 9])
def test_motion_along_an_axis_is_a_row_or_column_of_equal_weights(length):
    np.testing.assert_allclose(kernel(f"motion:length={length}"), np.full((1, length), 1 / length))
    np.testing.assert_allclose(kernel(f"motion:length={length},angle=90"), np.full((length, 1), 1 / length))


def test_motion_turns_counter_clockwise_on_the_screen():
    weights = kernel("motion:length=9,angle=45")
    rising = np.flipud(np.eye(len(weights), dtype=bool))
    assert weights.shape[0] == weights.shape[1]
    assert weights[rising].sum() > 4 * weights[~rising].max()
    assert weights[-1, 0] > 0 and weights[0, -1] > 0 and weights[0, 0] == 0


@given(st.floats(1, 40), st.floats(-360, 360))
def test_motion_is_symmetric_and_sums_to_one(length, angle):
    weights = kernel(f"motion:length={length!r},angle={angle!r}")
    assert all(n % 2 for n in weights.shape) and weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights, np.flip(weights), atol=1e-12)


@given(st.floats(0.5, 12))
def test_disk_weights_are_areas_of_overlap(radius):
    weights = kernel(f"disk:radius={radius!r}")
    n = len(weights)
    assert weights.shape == (n, n) and weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights, weights.T, atol=1e-12)
    np.testing.assert_allclose(weights, np.flip(weights), atol=1e-12)
    places = (np.arange(n * 50) + 0.5) / 50 - n / 2
    inside = (places[:, None] ** 2 + places[None, :] ** 2 <= radius**2).reshape(n, 50, n, 50).mean(axis=(1, 3))
    np.testing.assert_allclose(weights, inside / (math.pi * radius**2), atol=2e-2 / radius**2)


def test_unsharp_is_identity_plus_lost_detail():
    blur = kernel("gaussian:sigma=2")
    expected = -1.5 * blur
    expected[8, 8] += 2.5
    np.testing.assert_allclose(kernel("unsharp:sigma=2,amount=1.5"), expected, atol=1e-15)
    np.testing.assert_allclose(kernel("unsharp:amount=0,size=3"), kernel("identity"))
    assert kernel("unsharp:size=4").sum() == pytest.approx(1)


def test_dog_is_positive_at_a_bright_spot():
    weights = kernel("dog:sigma=1,sigma2=2")
    assert weights.shape == (17, 17), "the window follows the larger sigma"
    assert weights[8, 8] > 0 > weights[8, 4]


@pytest.mark.parametrize(("name", "line"), [("line-h", "h"), ("line-v", "v"), ("line-45", "/"), ("line-135", "\\")])
def test_line_kernels_find_their_line_and_no_other(name, line):
    n = 9
    images = {"h": np.zeros((n, n)), "v": np.zeros((n, n)), "\\": np.eye(n), "/": np.fliplr(np.eye(n))}
    images["h"][n // 2] = 1
    images["v"][:, n // 2] = 1
    answers = {each: response(kernel(name), image) for each, image in images.items()}
    assert answers[line] == 6 and all(value == 0 for each, value in answers.items() if each != line)


def test_ridge_answers_to_its_direction():
    planes = parse_kernel("ridge:sigma=1.5,directions=4").planes
    n = 41
    diagonal = np.fliplr(np.eye(n))  # rises to the right: 45 degrees
    answers = [response(plane, diagonal) for plane in planes]
    assert int(np.argmax(answers)) == 1 and answers[1] > 0 > answers[3]


@pytest.mark.parametrize("theta", [0, 30, 90, 135])
@pytest.mark.parametrize("psi", [0, 90])
def test_gabor_answers_one_to_its_own_stripes(theta, psi):
    weights = kernel(f"gabor:wavelength=6,theta={theta},psi={psi}")
    n = 2 * max(weights.shape) + 1
    y, x = np.mgrid[:n, :n] - n // 2
    along = x * math.cos(math.radians(theta)) - y * math.sin(math.radians(theta))
    stripes = np.cos(2 * math.pi * along / 6 + math.radians(psi))
    assert response(weights, stripes) == pytest.approx(1)
    across = np.cos(2 * math.pi * (x * math.sin(math.radians(theta)) + y * math.cos(math.radians(theta))) / 6)
    assert abs(response(weights, across)) < 0.02


def test_farid_factors_match_the_published_ones():
    smooth = [0.037659, 0.249153, 0.426375, 0.249153, 0.037659]
    slope = [-0.109604, -0.276691, 0, 0.276691, 0.109604]
    np.testing.assert_allclose(kernel("farid-x"), np.outer(smooth, slope), atol=1e-6)


def test_frei_chen_has_unit_norm_once_divided():
    assert np.linalg.norm(kernel("frei-chen-x") / (2 * math.sqrt(2))) == pytest.approx(1)


@pytest.mark.parametrize("axis", "xyz")
def test_sobel3d_rises_along_its_axis_only(axis):
    weights = kernel(f"sobel3d-{axis}")
    for each in "xyz":
        assert response(weights, ramp(**{each: 1.0}, axes=3, n=9)) == (32 if each == axis else 0)


def test_laplacian3d_scale():
    assert response(kernel("laplacian3d"), quadratic(axes=3, n=9)) == 6
    assert response(kernel("log3d:sigma=1.5"), quadratic(axes=3, n=41)) == pytest.approx(6, rel=0.05)


SYMMETRIC = ["box", "gaussian", "binomial", "disk", "sharpen", "unsharp", "laplacian", "log", "dog", "outline", "box3d"]


@pytest.mark.parametrize("name", SYMMETRIC)
def test_kernels_without_direction_have_every_symmetry(name):
    weights = kernel(name)
    for axis in range(weights.ndim):
        np.testing.assert_allclose(weights, np.flip(weights, axis), atol=1e-15)
    np.testing.assert_allclose(weights, np.swapaxes(weights, -1, -2), atol=1e-15)
