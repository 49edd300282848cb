"""Pictures as arrays in Python: read, filter, write, explain; the same pixels as on the command line."""

import io
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convcli as package


@pytest.fixture
def photo(tmp_path, rng):
    """A JPEG that is to be turned, with a resolution."""
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = rng.integers(0, 255, (8, 12, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, dpi=(200, 200), quality=95)
    return path


def test_a_picture_is_read_upright_and_is_ours_to_change(photo):
    pixels = package.read(photo)
    assert pixels.shape == (12, 8, 3) and pixels.dtype == np.uint8
    pixels[0, 0] = 0
    np.testing.assert_array_equal(package.read(str(photo))[1:], pixels[1:])
    np.testing.assert_array_equal(package.read(io.BytesIO(photo.read_bytes()))[1:], pixels[1:])


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 5), "u1"), ((4, 5, 2), "u1"), ((4, 5, 3), "u2"), ((4, 5, 4), "u1"), ((4, 5, 4), "u2")],
)
def test_what_is_written_is_read_again(tmp_path, rng, shape, dtype):
    pixels = rng.integers(0, 255, shape).astype(dtype)
    package.write(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(package.read(tmp_path / "a.png"), pixels)
    stream = io.BytesIO()
    package.write(stream, pixels, format="png")
    np.testing.assert_array_equal(package.read(io.BytesIO(stream.getvalue())), pixels)


def test_masks_and_floats_become_pixels_where_a_format_holds_none(tmp_path):
    package.write(tmp_path / "mask.png", np.array([[True, False]]))
    assert package.read(tmp_path / "mask.png").tolist() == [[255, 0]]
    package.write(tmp_path / "ramp.png", [[0.0, 0.5, 1.0]])
    assert package.read(tmp_path / "ramp.png").tolist() == [[0, 128, 255]]
    package.write(tmp_path / "wide.tiff", np.array([[-3.5, 900.25]], np.float32))
    assert package.read(tmp_path / "wide.tiff").tolist() == [[-3.5, 900.25]]


@pytest.mark.parametrize(
    ("name", "image", "says"),
    [
        ("a.png", [[0.0, 2.5]], "image: got floats from 0 to 2.5 for PNG, expected 0 to 1"),
        ("a.png", [[0.0, np.nan]], "image: got floats from nan to nan for PNG"),
        ("a.jpg", [[1, 300]], "image: got int64 for JPEG, whose white nobody knows, expected uint8"),
        ("a.jpg", np.zeros((2, 2, 4), np.uint8), "JPEG holds no alpha channel"),
        ("a.png", np.zeros((1, 2, 2, 3), np.uint8), r"image: got shape \(1, 2, 2, 3\), expected \(H, W\) or"),
        ("a.png", [["a"]], "image: got dtype <U1"),
        ("a.xyz", np.zeros((2, 2), np.uint8), "a.xyz: got the suffix '.xyz', expected one of"),
        ("", np.zeros((2, 2), np.uint8), "path: got '', expected a file's name"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, monkeypatch, name, image, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(package.ConvcliError, match=says):
        package.write(name, image)
    assert not list(tmp_path.iterdir())


def test_errors_speak_of_arguments_not_of_options(tmp_path):
    pixels = np.zeros((4, 4), np.uint8)
    package.write(tmp_path / "a.png", pixels)
    with pytest.raises(package.FileError, match=r"already exists; choose another name or add overwrite=True$"):
        package.write(tmp_path / "a.png", pixels)
    package.write(tmp_path / "a.png", pixels, overwrite=True)
    with pytest.raises(package.ImageError, match="raise the limit with max_pixels=16 "):
        package.read(tmp_path / "a.png", max_pixels=15)
    with pytest.raises(package.ImageError, match=r"the order is write\(path, image\)"):
        package.write(pixels, tmp_path / "b.png")
    with pytest.raises(package.ImageError, match=r"nothing.png: no such file"):
        package.read(tmp_path / "nothing.png")


def test_metadata_go_along_from_another_file(photo, tmp_path):
    package.write(tmp_path / "new.png", package.read(photo), like=photo)
    with Image.open(tmp_path / "new.png") as new:
        assert round(new.info["dpi"][0]) == 200


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("spec", ["sharpen", "gaussian:sigma=1", "sobel", "canny:sigma=0"])
def test_a_filtered_array_is_what_the_command_line_writes(tmp_path, rng, convcli, spec, channels):
    pixels = np.squeeze(rng.integers(0, 255, (11, 13, channels)).astype(np.uint8))
    package.write(tmp_path / "a.png", pixels)
    assert convcli("filter", tmp_path / "a.png", "-k", spec, "-o", tmp_path / "b.png").code == 0
    np.testing.assert_array_equal(package.filter(pixels, spec), package.read(tmp_path / "b.png"))


def test_a_filtered_array_is_ours_to_change(rng):
    image = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    before = image.copy()
    for spec in ("identity", "sharpen"):
        package.filter(image, spec)[:] = 7
        np.testing.assert_array_equal(image, before)


def test_a_chain_its_words_and_weights_of_ones_own(caplog):
    image = np.array([[0, 0, 200], [0, 0, 200]], np.uint8)
    assert package.filter(image, [[0, 1, 0]]).tolist() == image.tolist()
    assert package.filter(image, "box:size=1x3", [[2]], border="edge").tolist() == [[0, 133, 255]] * 2
    assert "were clipped (range='minmax' shows them all; range='raw' writes" in caplog.text
    assert package.filter(image, "sobel-x", range="raw").dtype == np.float32
    glass = np.full((2, 2, 4), 128, np.uint8)
    assert package.filter(glass, "identity", background="white").tolist() == [[[191] * 3] * 2] * 2
    assert package.filter(image[..., None], "box").shape == (2, 3, 1)
    with pytest.raises(package.ShapeError, match="filter: got the word 'boarder'; did you mean 'border'"):
        package.filter(image, "box", boarder="edge")
    with pytest.raises(package.KernelError, match="kernel: got none"):
        package.filter(image)


def test_an_explanation_is_a_page_in_a_frame():
    explained = package.explain([[1, 2], [3, 4]], "1 0; 0 -1", padding="valid", bias=2)
    shown = explained._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;') or "<!DOCTYPE" in shown[:60].upper()
    assert "allow-scripts" in shown and shown.count("<iframe") == 1
    assert explained.document["filters"][0]["pixels"] == [[-1]]
    assert repr(explained) == "Explanation(image, 0:2,0:2 of the input, output 1x1x1)"
    colour = np.zeros((40, 50, 3), np.uint8)
    now = package.explain(colour, "sobel", region=np.s_[4:10, 5:13])
    assert now.document["region"] == [5, 4, 8, 6] and np.array(now.document["stage"]["values"][0]).size >= 48
    with pytest.warns(FutureWarning, match=r"rows come first everywhere; write np.s_\[4:10,5:13\]"):
        assert package.explain(colour, "sobel", region=(5, 4, 8, 6)).document == now.document
    with pytest.raises(package.ShapeError, match="explain: got the word 'strid'; did you mean 'stride'"):
        package.explain(colour, "sobel", strid=2)
    for bias in ("2", None, [1, "a"], [[1, 2]], object()):
        with pytest.raises(package.ShapeError, match=r"^bias: got"):
            package.explain(colour, "sobel", bias=bias)
    odd = (
        3,
        "5,4,8x6",
        (1, 2, 3),
        (1, 2, 3, 4.5),
        (1, (2, 3)),
        [[1, 2, 3, 4]],
        np.s_[1:2, 3],
        np.s_[1:2:2],
    )
    for region in (*odd, np.s_[0:0, 0:0], np.s_[0:4, 60:64], np.s_[4:1, 0:2], np.s_[0:9:2, 0:9], np.s_[-4:9, 0:9]):
        with pytest.raises(package.ShapeError, match=r"^region: "):
            package.explain(colour, "sobel", region=region)
    for image in (None, "text", [[1, 2], [3]], np.zeros((0, 3)), np.zeros(()), [[1j]]):
        with pytest.raises(package.ConvcliError, match=r"^image: got"):
            package.explain(image, "sobel")


def test_the_shipped_model_has_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert package.load_model("shipped").classes == tuple("0123456789")


def test_a_second_frame_is_told(tmp_path, caplog):
    frames = [Image.new("L", (3, 3), grey) for grey in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING, "convcli"):
        package.read(tmp_path / "a.gif")
    assert "frame" in caplog.text
    assert "convcli" in sys.modules


PIXELS = np.zeros((4, 5, 3), np.uint8)


def at_its_end():
    stream = io.BytesIO()
    package.write(stream, PIXELS, format="png")
    return stream


@pytest.mark.parametrize(("call", "says"), [
    (lambda: package.filter(PIXELS, "box", convolve="no"), "convolve: got 'no', expected True or False"),
    (lambda: package.filter(PIXELS, "box", linear="yes"), "linear: got 'yes', expected True or False"),
    (lambda: package.filter(PIXELS, "box", scale="2"), "scale: got '2', expected a number"),
    (lambda: package.filter(PIXELS, "box", background=(1, 2)), "background: got (1, 2), expected a name as 'white'"),
    (lambda: package.filter(PIXELS, "box", background=3), "background: got 3, expected a name as 'white'"),
    (lambda: package.filter("cat.jpg", "box"), "image: got the text 'cat.jpg', expected a picture; convcli.read reads"),
    (lambda: package.sobel(Path("a.png")), "image: got the text 'a.png', expected a full array; convcli.read reads"),
    (lambda: package.filter(Image.fromarray(PIXELS).convert("P"), "box"),
     "image: got a Pillow picture of mode P, expected grey or RGB; image.convert('RGB') makes one"),
    (lambda: package.sobel(Image.fromarray(PIXELS).convert("CMYK")), "image: got a Pillow picture of mode CMYK"),
    (lambda: package.filter(PIXELS, ["box", "sobel"]), "kernel: got a list of SPECs, expected one after the other"),
    (lambda: package.filter(PIXELS, None), "kernel: got None, expected a SPEC such as 'gaussian:sigma=2', or weights"),
    (lambda: package.filter(None, "box"), "image: got None, expected a picture"),
    (lambda: package.explain(PIXELS, "box", titel="x"), "explain: got the word 'titel'; did you mean 'title'?"),
    (lambda: package.write("a.png", PIXELS, like=PIXELS), "like: got array("),
    (lambda: package.write("a.jpg", np.zeros((2, 2, 4), np.uint8)), "image: JPEG holds no alpha channel; image["),
    (lambda: package.read(at_its_end()), "<stream>: stands at its end, expected it where a picture begins"),
    (lambda: package.explain(PIXELS, "box", convolve=2), "convolve: got 2, expected True or False"),
    (lambda: package.write("a.png", PIXELS, overwrite="no"), "overwrite: got 'no', expected True or False"),
    (lambda: package.write("a.jpg", PIXELS, quality="x"), "a.jpg: quality: got 'x', expected 1 to 100"),
    (lambda: package.write("a.png", PIXELS, format=3), "format: got 3, expected one of png"),
    (lambda: package.read("a.png", max_pixels="x"), "max_pixels: got 'x', expected a whole number of at least 1"),
    (lambda: package.on_compiling(3), "tell: got 3, expected a function, or None"),
    (lambda: package.summary(3), "network: got 3, expected a name such as 'lenet5', or a file"),
    (lambda: package.summary("lenet5", input=3), "input: got 3, expected as many numbers as in 32x32x1"),
])  # fmt: skip
def test_what_is_given_by_mistake(tmp_path, monkeypatch, call, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(package.ConvcliError) as caught:
        call()
    assert str(caught.value).startswith(says) and not any(tmp_path.iterdir())


def test_a_name_that_is_none_of_ours():
    with pytest.raises(AttributeError, match=r"; convcli\.filter\(image, 'gaussian'\) filters with it$"):
        _ = package.gaussian
    with pytest.raises(AttributeError, match=r"has no attribute 'sobl'; did you mean 'sobel'\?$"):
        _ = package.sobl
    assert not hasattr(package, "__wrapped__")


def test_an_explanation_of_weights_and_of_rows_counted_from_the_end(caplog):
    picture = np.arange(100 * 90, dtype=np.float64).reshape(100, 90)
    found = package.explain(picture, [[1, 0], [0, -1]], region=np.s_[-30:, -20:-5])
    assert repr(found).startswith("Explanation(image, 70:100,70:85 of the input")
    assert repr(package.explain(picture, package.kernel("log"), region=np.s_[80:95])).count("80:95,0:90")
    with caplog.at_level(logging.WARNING, "convcli"):
        package.explain(picture, "box")
    assert "region=np.s_[34:66, 29:61]" in caplog.text


def test_what_goes_wrong_in_a_function_of_the_callers_is_told_as_such(caplog, monkeypatch):
    from convcli.jobs import compiling

    def bad(state):
        raise RuntimeError("mine")

    monkeypatch.setattr(compiling, "_TELL", [bad])
    monkeypatch.setattr(compiling, "_UNDER_WAY", [])
    state = compiling_state()
    compiling._hear(state)
    assert "the function given to on_compiling raised RuntimeError: mine; it is not called again" in caplog.text
    assert compiling._TELL == []


def compiling_state():
    from convcli.loops.compiling.waiting import Compiling

    return Compiling("", 1, 1, 0.5, True)
