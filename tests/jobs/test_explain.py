"""What the explain page is told: numbers as the filter makes them, and which part of a picture they are of."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import correlate

import convcli
from convcli.errors import ConvcliError, KernelError, ShapeError
from convcli.geometry import Window
from convcli.images import Image
from convcli.jobs.explain import explain, matrix_image, plan_filters
from convcli.jobs.explain_region import Region, choose_region, spans_of
from convcli.jobs.filter import filter_image, plan_filter

LECTURE = "1 2 3 1 3 5; 2 2 5 4 2 5; 0 6 9 6 2 2; 2 0 1 9 4 0; 5 5 4 6 7 6; 6 1 3 7 1 5"


def picture(rng, *shape, dtype=np.uint8):
    return Image(rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True))


def pixels_of(document, index=0):
    """The shown pixels of a filter: (rows, columns, maps)."""
    shape = document["output"]["rows"], document["output"]["columns"]
    return np.stack([np.reshape(each, shape) for each in document["filters"][index]["pixels"]], axis=-1)


@pytest.mark.parametrize(("stride", "expected"), [
    (1, [[-14, -1, 10, -1], [-11, -11, 7, 12], [-7, -10, 1, 13], [5, -16, -4, 11]]),
    (2, [[-14, 10], [-7, 1]]),
])  # fmt: skip
def test_the_lectures_example(stride, expected):
    plans = plan_filters(["1 0 -1; 1 0 -1; 1 0 -1"], stride=stride, padding="valid")
    document = explain(matrix_image(LECTURE), plans, title="matrix").document
    assert pixels_of(document)[..., 0].tolist() == expected
    assert document["filters"][0]["range"] == "raw"
    assert document["stage"]["values"][0][:6] == [1, 2, 3, 1, 3, 5]


def test_a_layer_of_two_filters_is_conv2d(rng):
    image = Image(rng.integers(-3, 4, (5, 5, 3)).astype(np.float64))
    weights = rng.integers(-2, 3, (2, 3, 3, 3))
    specs = [" | ".join("; ".join(" ".join(map(str, row)) for row in plane) for plane in each) for each in weights]
    plans = plan_filters(specs, [1, -2], padding=1, stride=2, border="constant")
    explained = explain(image, plans, title="layer")
    layer = convcli.conv2d(
        image.pixels[None], np.moveaxis(weights, (0, 1), (3, 2)).astype(np.float64), [1.0, -2.0], stride=2, padding=1
    )
    assert explained.shape == (3, 3, 2)
    shown = np.concatenate([pixels_of(explained.document, index) for index in range(2)], axis=-1)
    np.testing.assert_array_equal(shown, layer[0])


def test_convolution_turns_each_plane_but_not_the_order_of_channels():
    image = matrix_image("1 0; 0 0 | 0 0; 0 1")
    words = {"padding": "full", "border": "constant"}
    straight = explain(image, plan_filters(["1 2; 3 4 | 5 6; 7 8"], **words), title="").document
    turned = explain(image, plan_filters(["4 3; 2 1 | 8 7; 6 5"], convolve=True, **words), title="").document
    assert pixels_of(straight).tolist() == pixels_of(turned).tolist()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_shown_pixels_are_the_filters_and_cells_are_the_windows(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    height, width = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 14))
    image = picture(rng, height, width, data.draw(st.sampled_from([1, 3])))
    kernel = rng.integers(-2, 4, (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))))
    spec = "; ".join(" ".join(map(str, row)) for row in kernel)
    words = {
        "border": data.draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"])),
        "border_value": data.draw(st.sampled_from([0.0, 9.0])),
        "padding": data.draw(st.sampled_from(["same", "full", 2])),
        "stride": (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))),
        "dilation": (data.draw(st.integers(1, 2)), 1),
        "range": data.draw(st.sampled_from(["auto", "clip", "abs", "offset", "minmax", "raw"])),
        "bias": data.draw(st.sampled_from([0.0, -7.0])),
    }
    bias = words.pop("bias")
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    region = Region(y, x, data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x)))
    try:
        document = explain(image, plan_filters([spec], [bias], **words), title="", region=region).document
    except ShapeError as error:  # a region between two strides, or a kernel larger than the padded picture
        assert "region" in str(error) or "kernel" in str(error)
        return
    whole = filter_image(image, plan_filter([spec], bias=bias, **words)).image.pixels
    (top, left), rows, columns = document["output"]["first"], *(document["output"][k] for k in ("rows", "columns"))
    np.testing.assert_array_equal(pixels_of(document), whole[top : top + rows, left : left + columns])
    _check_cells(document, image, kernel, words)


def _check_cells(document, image, kernel, words):
    """Every window lies within the cells that are shown, and its products give the naive reference's sum."""
    window, stage = document["window"], document["stage"]
    pads = list(zip(window["before"], window["after"], strict=True))
    for channel in range(image.pixels.shape[2]):
        naive = correlate(
            image.pixels[..., channel].tolist(), kernel.tolist(), stride=words["stride"], padding=pads,
            border=words["border"], value=words["border_value"], dilation=words["dilation"],
        )  # fmt: skip
        cells = np.reshape(stage["values"][channel], (stage["rows"], stage["columns"]))
        (top, left), output = document["output"]["first"], document["output"]
        for y in range(top, top + output["rows"]):
            for x in range(left, left + output["columns"]):
                row = y * words["stride"][0] - pads[0][0] - stage["top"]
                column = x * words["stride"][1] - pads[1][0] - stage["left"]
                assert row >= 0 <= column
                seen = cells[row:, column:][:: words["dilation"][0], :: words["dilation"][1]]
                seen = seen[: kernel.shape[0], : kernel.shape[1]]
                assert (seen * kernel).sum() == naive[y, x]


@pytest.mark.parametrize("spec", ["sobel", "sobel-angle", "kirsch", "gaussian:sigma=1"])
@pytest.mark.parametrize("channels", ["each", "gray", "sum"])
def test_library_kernels_and_channels(rng, spec, channels):
    image = picture(rng, 9, 8, 3)
    document = explain(image, plan_filters([spec], channels=channels), title="").document
    expected = filter_image(image, plan_filter([spec], channels=channels)).image.pixels
    np.testing.assert_array_equal(pixels_of(document), expected)
    assert len(document["filters"][0]["weights"]) == len(document["filters"][0]["parts"])


def test_numbers_that_json_lacks_are_words():
    image = Image(np.array([[[np.nan], [np.inf], [-np.inf], [1.5]]]))
    document = explain(image, plan_filters(["1"]), title="").document
    assert document["stage"]["values"] == [["NaN", "Infinity", "-Infinity", 1.5]]
    json.dumps(document, allow_nan=False)


def test_alpha_is_left_out_with_a_warning(rng):
    image = Image(picture(rng, 6, 6, 4).pixels, has_alpha=True)
    explained = explain(image, plan_filters(["box"]), title="")
    expected = filter_image(image, plan_filter(["box"], alpha="drop")).image.pixels
    np.testing.assert_array_equal(pixels_of(explained.document), expected)
    assert any("alpha" in warning for warning in explained.warnings)


def test_a_matrix_of_pixels():
    assert matrix_image("0 255", as_pixels=True).pixels.dtype == np.uint8
    for wrong in ("0.5 1", "-1 0", "256"):
        with pytest.raises(ShapeError, match="matrix: got"):
            matrix_image(wrong, as_pixels=True)
    with pytest.raises(KernelError, match="matrix: row 1"):
        matrix_image("1 2; 3")


@pytest.mark.parametrize(("specs", "biases", "words", "message"), [
    (["box:size=3", "box:size=5"], [], {}, "filter 2 is 5x5, expected 3x3"),
    (["box"], [1, 2], {}, r"got 2 numbers, expected one, or one for each filter \(1\)"),
    (["box"] * 17, [], {}, "got 17 filters"),
    (["1 | 2"], [], {"channels": "gray"}, "plane for each channel"),
    (["box"], [], {"activation": "softmax"}, "activation: got 'softmax'"),
    ([], [], {}, "kernel: got none"),
    (["sobel3d"], [], {}, "is the magnitude of 3-D kernels"),
    (["canny"], [], {}, "looks further than one window"),
])  # fmt: skip
def test_filters_that_cannot_be_explained(specs, biases, words, message):
    with pytest.raises(ConvcliError, match=message):
        plan_filters(specs, biases, **words)


@pytest.mark.parametrize(("spec", "shape", "message"), [
    ("1 | 2", (4, 4, 3), "has 2 planes, expected 3"),
    ("box:size=65", (90, 90, 1), "got 4225 products"),
    ("1", (2, 2, 17), "got 17 channels"),
])  # fmt: skip
def test_what_does_not_fit_a_page(spec, shape, message):
    with pytest.raises(ConvcliError, match=message):
        explain(Image(np.zeros(shape)), plan_filters([spec]), title="")
    with pytest.raises(ShapeError, match="at most 160"):
        explain(Image(np.zeros((4, 4, 1))), plan_filters(["1"], padding=500), title="")


def test_regions():
    assert choose_region(64, 64, None) == (Region(0, 0, 64, 64), False)
    assert choose_region(65, 10, None) == (Region(16, 0, 32, 10), True)
    for wrong in (Region(0, 0, 1, 129), Region(0, 0, 1, 0), Region(0, 199, 1, 2), Region(0, -1, 2, 2)):
        with pytest.raises(ShapeError, match="region: got"):
            choose_region(200, 200, wrong)
    window = Window(3, stride=4, before=1, after=1)
    with pytest.raises(ShapeError, match="larger than the stride"):
        spans_of((40, 40), (window, window), Region(1, 1, 2, 2))
    down, across = spans_of((40, 40), (window, window), Region(8, 0, 8, 40))
    assert (down.first, down.count, down.start, down.cells) == (2, 2, 7, 9)
    assert (across.first, across.count, across.start, across.cells) == (0, 10, -1, 42)
