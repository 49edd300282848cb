import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import convcli
from convcli.errors import ConvcliError, KernelError
from convcli.ops.elements import as_element, parse_element

SCIPY = {"edge": "nearest", "reflect": "mirror", "symmetric": "reflect", "wrap": "wrap"}
# Loops know six dtypes and each costs a compilation; test_ordering has the others.
DTYPES = ("bool", "int8", "uint8", "float16", "float32", "uint64")


def numbers(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "fb":
        return (random.standard_normal(shape) * 10).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def naive(image, element, largest):
    """Every pixel by itself, the element cut off at the border, reflected for the largest."""
    offsets = [
        tuple(int(i) - k // 2 for i, k in zip(place, element.shape, strict=True)) for place in np.argwhere(element)
    ]
    out = np.empty_like(image)
    for pixel in itertools.product(*(range(n) for n in image.shape)):
        values = []
        for offset in offsets:
            place = tuple(p - b if largest else p + b for p, b in zip(pixel, offset, strict=True))
            if all(0 <= q < n for q, n in zip(place, image.shape, strict=True)):
                values.append(image[place])
        values.sort()
        out[pixel] = values[-1] if largest else values[0]
    return out


@st.composite
def elements(draw, axes):
    sizes = [draw(st.integers(1, 5)) for _ in range(axes)]
    cells = math.prod(sizes)
    element = np.array(draw(st.lists(st.booleans(), min_size=cells, max_size=cells))).reshape(sizes)
    element[tuple(k // 2 for k in sizes)] = True
    return element


@settings(deadline=None, max_examples=120)
@given(st.data(), st.integers(2, 3), st.sampled_from(["dilate", "erode"]), st.integers(0, 9))
def test_any_element_equals_the_naive_one(data, axes, operation, seed):
    morph = {2: convcli.morph2d, 3: convcli.morph3d}[axes]
    image = numbers([data.draw(st.integers(1, 6)) for _ in range(axes)], "int8", seed)
    element = data.draw(elements(axes))
    assert np.array_equal(morph(image, operation, element=element), naive(image, element, operation == "dilate"))


@settings(deadline=None, max_examples=120)
@given(st.data(), st.integers(2, 3), st.sampled_from(["dilate", "erode"]), st.integers(0, 9))
def test_any_box_equals_the_naive_one(data, axes, operation, seed):
    morph = {2: convcli.morph2d, 3: convcli.morph3d}[axes]
    image = numbers([data.draw(st.integers(1, 6)) for _ in range(axes)], "int8", seed)
    size = [data.draw(st.integers(1, 9)) for _ in range(axes)]
    assert np.array_equal(morph(image, operation, size=size), naive(image, np.ones(size, bool), operation == "dilate"))


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from([*SCIPY, "constant"]), st.sampled_from(["dilate", "erode"]), st.booleans())
def test_borders_equal_scipy(data, border, operation, box):
    image = numbers([data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9))], "int8", data.draw(st.integers(0, 9)))
    element = data.draw(elements(2))
    element = np.ones_like(element) if box else element
    value = data.draw(st.integers(-128, 127))
    theirs = {"dilate": ndimage.grey_dilation, "erode": ndimage.grey_erosion}[operation]
    expected = theirs(image, footprint=element, mode=SCIPY.get(border, border), cval=value)
    assert np.array_equal(convcli.morph2d(image, operation, element=element, border=border, value=value), expected)


@pytest.mark.parametrize("operation", ["open", "close", "gradient", "tophat", "blackhat"])
@pytest.mark.parametrize(
    ("element", "dtype"),
    [
        ("box:size=5", "uint8"),
        ("disk:radius=3", "uint8"),
        ("cross:radius=2", "uint8"),
        ("diamond:radius=3", "float32"),
        ("line:length=7,angle=30", "float32"),
    ],
)
def test_compounds_equal_opencv(operation, element, dtype):
    image = numbers((40, 50, 3), dtype)
    kernel = parse_element(element, 2).astype(np.uint8)
    expected = cv2.morphologyEx(image, getattr(cv2, f"MORPH_{operation.upper()}"), kernel)
    assert np.array_equal(convcli.morph2d(image, operation, element=element), expected)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 101])
@pytest.mark.parametrize("shape", [(300, 23000), (1100, 70)])
def test_blocks_have_no_seams(size, shape):
    image = numbers(shape, "uint8", size)
    expected = ndimage.maximum_filter(image, size, mode="nearest", origin=-1 if size % 2 == 0 else 0)
    assert np.array_equal(convcli.morph2d(image, "dilate", size=size, border="edge"), expected)
    strange = np.ones((size + 1, size), bool)
    strange[0, 0] = strange[-1, -1] = False
    if 1 < size < 10:
        expected = ndimage.grey_erosion(image, footprint=strange, mode="mirror")
        assert np.array_equal(convcli.morph2d(image, "erode", element=strange, border="reflect"), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_kept(dtype):
    image = numbers((9, 10), dtype)
    result = convcli.morph2d(image, "dilate", size=3)
    assert result.dtype == image.dtype
    assert np.array_equal(result, naive(image, np.ones((3, 3), bool), True))


@pytest.mark.without_jit
@pytest.mark.parametrize(("dtype", "expected"), [("int8", 127), ("uint8", 255), ("float32", 255.0), ("float16", 255.0)])
def test_differences_stop_at_the_limits(dtype, expected):
    image = np.array([[0, 255]]) - (128 if dtype == "int8" else 0)
    result = convcli.morph2d(image.astype(dtype), "gradient", size=3)
    assert result.dtype == dtype
    assert result.tolist() == [[expected, expected]]


def test_differences_of_booleans():
    image = np.zeros((5, 5), bool)
    image[2, 2] = True
    assert np.array_equal(convcli.morph2d(image, "tophat", size=3), image)
    assert convcli.morph2d(image, "gradient", size=3).sum() == 9


@pytest.mark.without_jit
@pytest.mark.parametrize("operation", ["dilate", "erode"])
@pytest.mark.parametrize("where", [{"size": (3, 4)}, {"element": "disk:radius=1"}])
def test_nan_wins(operation, where):
    image = numbers((9, 20), "float32")
    image[4, 7] = np.nan
    nan = np.isnan(image)
    expected = convcli.morph2d(nan, "dilate" if operation == "dilate" else "erode", **where)
    if operation == "erode":
        size = where.get("size")
        element = np.ones(size) if size else parse_element("disk", 2)
        expected = (
            ndimage.grey_dilation(nan, footprint=np.flip(element), origin=[-1 + k % 2 for k in element.shape]) > 0
        )
    assert np.array_equal(np.isnan(convcli.morph2d(image, operation, **where)), expected)


@pytest.mark.without_jit
@pytest.mark.parametrize("axes", [2, 3])
def test_layouts(axes):
    morph = {2: convcli.morph2d, 3: convcli.morph3d}[axes]
    image = numbers((2, *(5, 6, 7)[:axes], 3), "uint8")
    expected = np.stack([np.stack([morph(image[n, ..., c], "open", size=2) for c in range(3)], -1) for n in range(2)])
    assert np.array_equal(morph(image, "open", size=2), expected)
    assert np.array_equal(morph(image[1], "open", size=2), expected[1])
    backwards = image[:, ::-1]
    backwards.flags.writeable = False
    assert np.array_equal(morph(backwards[..., 1], "dilate", element="cross")[..., None].shape[:-1], image.shape[:-1])


@pytest.mark.without_jit
def test_opening_twice_changes_nothing():
    image = numbers((30, 40), "uint8", 3)
    for words in ({"size": 4}, {"size": (2, 5)}, {"element": "line:length=5,angle=60"}, {"element": "1 1 0; 0 1 1"}):
        opened = convcli.morph2d(image, "open", **words)
        assert (opened <= image).all()
        assert np.array_equal(convcli.morph2d(opened, "open", **words), opened)
        closed = convcli.morph2d(image, "close", **words)
        assert (closed >= image).all()
        assert np.array_equal(convcli.morph2d(closed, "close", **words), closed)


def test_boxes_much_larger_than_the_image():
    image = numbers((5, 6, 7), "float32")
    assert (convcli.morph3d(image, "dilate", size=10**9) == image.max()).all()
    assert (convcli.morph3d(image, "erode", size=10**9, border="reflect") == image.min()).all()
    assert (convcli.morph3d(image, "dilate", size=10**9, border="constant", value=99) == 99).all()


@pytest.mark.every_processor
def test_the_bits_do_not_depend_on_the_threads():
    import numba

    image = numbers((400, 500), "float32")
    image[::37, ::41] = np.nan
    threads = numba.get_num_threads()
    results = []
    for count in {1, threads}:
        numba.set_num_threads(count)
        results.append(convcli.morph2d(image, "dilate", element="disk:radius=4").tobytes())
    numba.set_num_threads(threads)
    assert len(set(results)) == 1


def test_elements():
    assert np.array_equal(parse_element("disk:radius=2", 2).sum(axis=1), [1, 3, 5, 3, 1])
    assert np.array_equal(parse_element("disk:radius=2.5", 2).sum(axis=1), [3, 5, 5, 5, 3])
    assert np.array_equal(parse_element("diamond:radius=2", 2).sum(axis=1), [1, 3, 5, 3, 1])
    assert parse_element("cross:radius=3", 3).sum() == parse_element("cross:3", 3).sum() == 19
    assert parse_element("ball:radius=1", 3).sum() == 7
    assert as_element(None, np.ones((3, 5)), 2) == (3, 5)
    with pytest.raises(KernelError, match=r"element: got 2 dimensions, expected 3; planes are set apart by \|"):
        as_element(None, "0 1; 1 1", 3)
    assert np.array_equal(parse_element("line:length=5,angle=90", 2), np.ones((5, 1)))
    assert np.array_equal(parse_element("line:length=5,angle=45", 2), np.eye(3)[::-1])
    assert np.array_equal(parse_element("0 1; 1 1", 2), [[0, 1], [1, 1]])
    for angle in range(0, 180, 7):
        line = parse_element(f"line:length=11,angle={angle}", 2)
        assert np.array_equal(line, np.flip(line))
        assert line.sum() == max(line.shape)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("operation: got 'grow'", {"operation": "grow", "size": 3}),
        ("size, element: got both", {"size": 3, "element": "cross"}),
        ("size: got 0", {"size": 0}),
        ("size: got 3 values", {"size": (3, 3, 3)}),
        ("element: got 'star'", {"element": "star"}),
        ("element disk: got 'size=3'", {"element": "disk:size=3"}),
        ("element disk: got 'radius'", {"element": "disk:radius"}),
        ("element: got radius=-1", {"element": "disk:radius=-1"}),
        ("element: got .* pixels", {"element": "disk:radius=1e6"}),
        ("element line: got length=4", {"element": "line:length=4"}),
        ("element: got bool of shape", {"element": np.zeros((3, 3), bool)}),
        ("element: got float64 of shape", {"element": np.full((3, 3), 0.5)}),
        ("element: got rows of different lengths", {"element": [[1], [1, 1]]}),
        ("border: got 'none' with an element without its centre", {"element": [[1, 0, 1]]}),
        ("border: got 'middle', expected none,", {"size": 3, "border": "middle"}),
        ("value: got 300", {"size": 3, "border": "constant", "value": 300}),
        ("image: got shape", {"size": 3, "image": np.ones(3)}),
    ],
)
def test_errors_name_the_argument(message, words):
    words = {"image": np.ones((4, 5), np.uint8), "operation": "dilate", **words}
    with pytest.raises(ConvcliError, match=rf"^{message}[^\n]*$"):
        convcli.morph2d(**words)
