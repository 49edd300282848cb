"""Files of several volumes, times and channels, and 2-D operations plane by plane; values by scipy, slice by slice."""

import json
import re
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

import convcli as library


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name, array, axes, style, **notes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(name, array, photometric="minisblack", **{style: True}, metadata={"axes": axes, **notes})


def described(name):
    with tifffile.TiffFile(name) as file:
        series = file.series[0]
        return series.kind, series.axes, series.asarray()


def said_in(name, attribute):
    with tifffile.TiffFile(name) as file:
        return getattr(file, attribute)


def each(array, axes, along, operation):
    """An operation on every part of an array along some of its axes."""
    rest = [axes.index(letter) for letter in axes if letter not in along]
    moved = np.moveaxis(array, rest, range(len(rest)))
    flat = moved.reshape(-1, *moved.shape[len(rest) :])
    result = np.stack([operation(part) for part in flat])
    result = result.reshape(*moved.shape[: len(rest)], *result.shape[1:])
    return np.moveaxis(result, range(len(rest)), rest)


def smooth(part):
    weights = library.kernel("gaussian3d:sigma=1")
    return np.rint(ndimage.correlate(part.astype(float), weights, mode="mirror")).astype(part.dtype)


SIZES = {"T": 3, "Z": 5, "C": 2, "Y": 9, "X": 11}
STACKS = [("ome", "ZCYX"), ("ome", "TZYX"), ("ome", "CZYX"), ("ome", "TZCYX"), ("ome", "TCZYX"),
          ("imagej", "ZCYX"), ("imagej", "TZYX"), ("imagej", "TZCYX"), ("shaped", "TZCYX")]  # fmt: skip


def stack(rng, axes, dtype=np.uint16):
    return rng.integers(0, 3000, [SIZES[letter] for letter in axes]).astype(dtype)


@pytest.mark.parametrize("word", ["zyx", "own"])
@pytest.mark.parametrize(("style", "axes"), STACKS)
def test_every_volume_of_a_file_by_itself(done, rng, style, axes, word):
    array = stack(rng, axes)
    save("a.tif", array, axes, style)
    said = done("filter", "a.tif", "-k", "gaussian3d:sigma=1", "--axes", axes if word == "own" else word)
    kind, got_axes, got = described("a_gaussian3d.tif")
    assert (kind, got_axes, got.dtype) == (style, axes, array.dtype)
    np.testing.assert_array_equal(got, each(array, axes, "ZYX", smooth))
    assert "Warning" not in said


@pytest.mark.parametrize("axes", ["tzyx", "zcyx", "czyx", "tczyx"])
@pytest.mark.parametrize("suffix", ["npy", "tif"])
def test_arrays_whose_axes_are_named(done, rng, axes, suffix):
    array = stack(rng, axes.upper())
    np.save("a.npy", array)
    done("filter", "a.npy", "-k", "gaussian3d:sigma=1", "--axes", axes, "-o", f"b.{suffix}")
    got = np.load("b.npy") if suffix == "npy" else described("b.tif")[2]
    np.testing.assert_array_equal(got, each(array, axes.upper(), "ZYX", smooth))
    assert suffix == "npy" or described("b.tif")[:2] == ("ome", axes.upper())


@pytest.mark.parametrize(("style", "axes"), [("ome", "TZCYX"), ("imagej", "TZCYX"), ("npy", "TZCYX"), ("ome", "CTZYX")])
@pytest.mark.parametrize(
    ("words", "index"),
    [({"channel": 1}, {"C": 1}), ({"time": 2}, {"T": 2}), ({"channel": 0, "time": 1}, {"C": 0, "T": 1})],
)
def test_one_channel_and_one_moment(done, rng, style, axes, words, index):
    array = stack(rng, axes)
    name = "a.npy" if style == "npy" else "a.tif"
    np.save(name, array) if style == "npy" else save(name, array, axes, style)
    options = [text for word, number in words.items() for text in (f"--{word}", number)]
    done("filter", name, "-k", "gaussian3d:sigma=1", "--axes", axes.lower(), *options, "-o", f"b{name[1:]}")
    chosen = array[tuple(index.get(letter, slice(None)) for letter in axes)]
    left = "".join(letter for letter in axes if letter not in index)
    got = np.load("b.npy") if style == "npy" else described("b.tif")[2]
    np.testing.assert_array_equal(got, each(chosen, left, "ZYX", smooth))
    assert style == "npy" or described("b.tif")[:2] == (style, left)


def test_the_channel_of_colour(done, rng):
    array = rng.integers(0, 255, (4, 6, 7, 3), np.uint8)
    tifffile.imwrite("a.tif", array, photometric="rgb")
    done("pool", "a.tif", "--size", "1", "--axes", "zyx", "--channel", "2", "-o", "b.npy")
    np.testing.assert_array_equal(np.load("b.npy"), array[..., 2])


OPERATIONS = [
    (["filter", "-k", "sobel"], lambda plane: library.filter(plane, "sobel")),
    (["filter", "-k", "canny"], lambda plane: library.filter(plane, "canny")),
    (["filter", "-k", "gaussian:sigma=2", "-k", "laplacian-4"],
     lambda plane: library.filter(plane, "gaussian:sigma=2", "laplacian-4")),
    (["pool", "--size", "3", "--stride", "1", "--padding", "same", "--mode", "max"],
     lambda plane: ndimage.maximum_filter(plane, 3, mode="nearest")),
    (["pool", "--size", "2", "--mode", "max"], lambda plane: plane[:8, :10].reshape(4, 2, 5, 2).max((1, 3))),
    (["morph", "erode", "--size", "3"], lambda plane: ndimage.minimum_filter(plane, 3, mode="nearest")),
    (["pad", "--amount", "1,2"], lambda plane: np.pad(plane, ((1, 1), (2, 2)))),
]  # fmt: skip


@pytest.mark.parametrize(("words", "operation"), OPERATIONS)
@pytest.mark.parametrize(
    ("style", "axes", "plane_by_plane"),
    [("ome", "ZYX", ["--axes", "yx"]), ("imagej", "TZCYX", ["--each-plane"]), ("npy", "TCZYX", ["--axes", "yx"])],
)
def test_operations_on_pictures_on_every_plane(done, rng, words, operation, plane_by_plane, style, axes):
    array = stack(rng, axes, np.uint8)
    name = "a.npy" if style == "npy" else "a.tif"
    np.save(name, array) if style == "npy" else save(name, array, axes, style)
    before, rest = (words[:2], words[2:]) if words[0] == "morph" else (words[:1], words[1:])
    done(*before, name, *rest, *plane_by_plane, "-o", f"b{name[1:]}")
    got = np.load("b.npy") if style == "npy" else described("b.tif")[2]
    np.testing.assert_array_equal(got, each(array, axes, "YX", operation))
    assert style == "npy" or described("b.tif")[:2] == (style, axes)


def test_sobel_of_planes_by_scipy(done, rng):
    array = stack(rng, "ZYX", np.int16)
    np.save("a.npy", array)
    done("filter", "a.npy", "-k", "sobel", "--each-plane", "-o", "b.npy")

    def size(plane):
        return np.hypot(*(ndimage.sobel(plane, axis, mode="mirror") for axis in (0, 1)))

    expected = each(array.astype(float), "ZYX", "YX", size)
    np.testing.assert_array_equal(np.load("b.npy"), np.clip(np.rint(expected), 0, 32767))
    assert np.load("b.npy").dtype == np.int16


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_never_show(done, rng, threads):
    array = stack(rng, "TZCYX", np.float32)
    np.save("a.npy", array)
    for words in (["--axes", "tzcyx", "-k", "sobel3d"], ["--each-plane", "-k", "sobel"]):
        done("filter", "a.npy", *words, "-o", "one.npy", "--threads", "1", "--overwrite")
        done("filter", "a.npy", *words, "-o", "some.npy", "--threads", threads, "--overwrite")
        np.testing.assert_array_equal(np.load("some.npy"), np.load("one.npy"))


def test_a_channel_comes_out_as_if_it_were_alone(done, rng):
    """With a range that depends on all numbers, and drawn ones."""
    array = stack(rng, "TZCYX")
    np.save("a.npy", array)
    for words in (["filter", "-k", "sobel3d", "--range", "minmax"], ["pool", "--size", "2", "--mode", "stochastic"]):
        done(words[0], "a.npy", *words[1:], "--axes", "tzcyx", "-o", "all.npy", "--overwrite")
        done(
            words[0],
            "a.npy",
            *words[1:],
            "--axes",
            "tzcyx",
            "--channel",
            "1",
            "--time",
            "2",
            "-o",
            "one.npy",
            "--overwrite",
        )
        np.testing.assert_array_equal(np.load("all.npy")[2, :, 1], np.load("one.npy"))


def test_pictures_and_stacks_together(done, rng):
    """--axes yx leaves pictures pictures, in the order given."""
    np.save("a.npy", stack(rng, "ZYX"))
    Image.fromarray(rng.integers(0, 255, (8, 9, 3), np.uint8)).save("b.png")
    save("c.tif", stack(rng, "ZCYX"), "ZCYX", "imagej")
    colour = rng.integers(0, 255, (8, 9, 3), np.uint8)
    np.save("d.npy", colour)
    done("filter", "a.npy", "b.png", "c.tif", "d.npy", "-k", "box", "--axes", "yx", "-o", "out/")
    assert np.load("out/a_box.npy").shape == (5, 9, 11)
    assert library.read("out/b_box.png").shape == (8, 9, 3)
    assert described("out/c_box.tif")[1] == "ZCYX"
    np.testing.assert_array_equal(np.load("out/d_box.npy"), library.filter(colour, "box"))


def test_many_channels_at_the_end(done, rng):
    array = stack(rng, "YXC")
    array = np.concatenate([array] * 4, axis=2)
    np.save("a.npy", array)
    done("filter", "a.npy", "-k", "box", "--axes", "yxc", "-o", "b.npy")
    got = np.load("b.npy")
    np.testing.assert_array_equal(got, each(array, "YXC", "YX", lambda plane: library.filter(plane, "box")))
    np.save("v.npy", np.stack([array, array]))
    done("filter", "v.npy", "-k", "box", "--axes", "tyxc", "-o", "w.npy")
    np.testing.assert_array_equal(np.load("w.npy"), np.stack([got, got]))


def test_a_stack_of_files(done, rng):
    planes = rng.integers(0, 255, (3, 8, 9), np.uint8)
    for index, plane in enumerate(planes):
        Image.fromarray(plane).save(f"s{index}.png")
    for words in (["--each-plane"], ["--axes", "tyx"]):
        done("filter", "s?.png", "--stack", *words, "-k", "box", "-o", "o.tif", "--overwrite")
        np.testing.assert_array_equal(tifffile.imread("o.tif"), [library.filter(plane, "box") for plane in planes])


def test_what_ome_says_of_channels_and_planes(done, rng):
    array = stack(rng, "TZCYX", np.uint8)
    channels = {"Name": ["DAPI", "GFP"], "Color": [65535, -1], "EmissionWavelength": [461, 509]}
    planes = {"DeltaT": [float(at) for at in range(30)], "PositionX": [1.5] * 30}
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeZ": 2.0, "PhysicalSizeXUnit": "nm", "TimeIncrement": 3.0}
    save("a.ome.tif", array, "TZCYX", "ome", Description="mouse 7", **sizes, Channel=channels, Plane=planes)
    assert "not kept" not in done("filter", "a.ome.tif", "-k", "box", "--each-plane", "-o", "b.ome.tif")
    assert "not kept" not in done(
        "filter", "a.ome.tif", "-k", "box3d", "--axes", "zyx", "--channel", "1", "-o", "c.ome.tif"
    )
    said = done("filter", "a.ome.tif", "-k", "box3d", "--axes", "zyx", "--stride", "2", "-o", "d.ome.tif")
    assert "not kept: OME-XML of single planes" in said
    pixels = [tifffile.xml2dict(said_in(f"{name}.ome.tif", "ome_metadata"))["OME"]["Image"] for name in "abcd"]
    assert pixels[0]["Description"] == pixels[1]["Description"] == pixels[3]["Description"] == "mouse 7"
    for name in ("Channel", "Plane", "PhysicalSizeX", "PhysicalSizeZ", "TimeIncrement", "SizeC", "SizeT", "SizeZ"):
        assert pixels[1]["Pixels"][name] == pixels[0]["Pixels"][name]
    chosen = pixels[2]["Pixels"]
    assert (chosen["SizeC"], chosen["SizeT"], chosen["Channel"]["Name"], chosen["Channel"]["Color"]) == (
        1,
        3,
        "GFP",
        -1,
    )
    assert [plane["DeltaT"] for plane in chosen["Plane"]] == list(np.arange(1.0, 30, 2))
    coarse = pixels[3]["Pixels"]
    assert (coarse["SizeZ"], coarse["PhysicalSizeZ"], coarse["PhysicalSizeX"], "Plane" in coarse) == (
        3,
        4.0,
        1.0,
        False,
    )


@pytest.mark.parametrize("described_channels", [0, 1, 2, 3])
def test_ome_that_describes_some_channels(done, rng, described_channels):
    array = stack(rng, "CZYX")
    save("a.ome.tif", array, "CZYX", "ome", Channel={"Name": ["DAPI", "GFP"]})
    text = said_in("a.ome.tif", "ome_metadata")
    first, second = re.findall("<Channel.*?</Channel>", text)
    text = text.replace(first + second, "".join([first, second, second][:described_channels]))
    tifffile.tiffcomment("a.ome.tif", text.encode())
    for words in (["-k", "box3d", "--axes", "zyx"], ["-k", "box", "--each-plane"], ["-k", "box", "--channel", "1"]):
        done("filter", "a.ome.tif", *words, "-o", "b.ome.tif", "--overwrite")
        assert ("DAPI" in said_in("b.ome.tif", "ome_metadata")) == (described_channels > 0 and "--channel" not in words)


def test_what_imagej_says_of_channels_and_planes(done, rng):
    array = stack(rng, "ZCYX")
    tables = [np.arange(768, dtype=np.uint8).reshape(3, 256) + at for at in range(2)]
    labels = [f"plane {at}" for at in range(10)]
    save("a.tif", array, "ZCYX", "imagej", mode="composite", LUTs=tables, Ranges=(0.0, 9.0, 1.0, 7.0), Labels=labels,
         spacing=2.0, unit="um", Info="mouse 7")  # fmt: skip
    assert "not kept" not in done("filter", "a.tif", "-k", "box3d", "--axes", "zyx", "-o", "b.tif")
    assert "not kept" not in done("filter", "a.tif", "-k", "box", "--channel", "1", "-o", "c.tif")
    before, after, chosen = (said_in(f"{name}.tif", "imagej_metadata") for name in "abc")
    for name in ("mode", "Ranges", "Labels", "spacing", "unit", "Info", "channels", "slices"):
        assert after[name] == before[name]
    np.testing.assert_array_equal(after["LUTs"], tables)
    assert (chosen["Ranges"], chosen["Labels"], chosen["mode"]) == ((1.0, 7.0), labels[1::2], "grayscale")
    assert "channels" not in chosen and chosen["spacing"] == 2.0
    np.testing.assert_array_equal(np.reshape(chosen["LUTs"], (1, 3, 256)), tables[1:])


@pytest.mark.parametrize("words", [["-k", "box3d", "--axes", "zyx"], ["-k", "box", "--each-plane"]])
def test_descriptions_and_software_are_kept(done, rng, words):
    array = stack(rng, "ZYX")
    for name, more in (("a.tif", {}), ("b.tif", {"metadata": None})):
        tifffile.imwrite(name, array, photometric="minisblack", description="mouse 7", software="scope 1.2", **more)
        said = done("filter", name, *words, "-o", f"of_{name}")
        assert "not kept" not in said
        with tifffile.TiffFile(f"of_{name}") as file:
            assert (file.pages[0].description, file.pages[0].software) == ("mouse 7", "scope 1.2")
            assert file.series[0].shape == array.shape


def test_json_names_all_axes(convcli, rng):
    np.save("a.npy", stack(rng, "TZCYX"))
    result = convcli("filter", "a.npy", "-k", "sobel", "--axes", "tzcyx", "--each-plane", "--json", "-o", "b.npy")
    (file,) = json.loads(result.out)["files"]
    assert (file["shape"], file["dtype"], file["kernel"]) == ([3, 5, 2, 9, 11], "uint16", "sobel")


def test_warnings_of_planes_are_told_once(done, rng):
    array = rng.integers(0, 255, (4, 9, 11)).astype(np.uint8)
    array[:2] = 7
    np.save("a.npy", array)
    said = done("filter", "a.npy", "-k", "sharpen", "--each-plane", "-o", "b.npy")
    (line,) = said.splitlines()
    assert "of the values lay outside 0..255 and were clipped" in line and "the most; 1 more alike)" in line


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.npy", "-k", "box"], 1, "a.npy: got an array of shape (5, 9, 11), which may be a volume or 11 channels"),
        (["t.npy", "-k", "box3d", "--axes", "zyx"], 1, "t.npy: got an array of shape (3, 5, 9, 11), expected 3 axes"),
        (["c.tif", "-k", "box3d", "--axes", "czyx"], 1, "c.tif: got a file of axes ZCYX"),
        (["c.tif", "-k", "box3d", "--axes", "zyx", "--channel", "2"], 1, "c.tif: channel: got 2, expected 0 to 1"),
        (
            ["c.tif", "-k", "box", "--time", "1"],
            1,
            "time: got 1 for axes ZCYX (5x2 planes), expected a file that has one",
        ),
        (["t.npy", "-k", "box", "--time", "1"], 1, "expected a file that has one; name them, as in --axes tzcyx"),
        (["c.tif", "-k", "box", "--channel", "-1"], 2, "'--channel'"),
        (["c.tif", "-k", "sobel", "--axes", "zyx"], 2, "try sobel3d, or filter each plane with --each-plane"),
        (["c.tif", "-k", "canny", "--axes", "zyx"], 2, "add --each-plane"),
        (["c.tif", "-k", "box", "--axes", "yxz"], 2, "expected x or cx for signals, or a file's axes"),
        (["c.tif", "-k", "box", "--axes", "x", "--channel", "0"], 2, "a signal has no planes"),
        (["c.tif", "-k", "box", "--each-plane", "-o", "o.png"], 1, "got PNG for a volume"),
        (
            ["c.tif", "-k", "box", "--axes", "yx", "--preview=side.png"],
            1,
            "c.tif: is a stack, expected a picture for --preview",
        ),
        (["p.png", "-k", "box", "--channel", "1"], 1, "p.png: is a PNG, a flat picture"),
    ],
)
def test_what_cannot_be_is_one_line(convcli, rng, words, code, message):
    np.save("a.npy", stack(rng, "ZYX"))
    np.save("t.npy", stack(rng, "TZYX"))
    save("c.tif", stack(rng, "ZCYX"), "ZCYX", "imagej")
    Image.new("L", (4, 5)).save("p.png")
    result = convcli("filter", *words)
    assert result.code == code, result.err
    assert message in result.err and result.err.count("\n") == 1 and result.err.startswith("Error: ")


@pytest.mark.parametrize(
    "command",
    [["pool", "--size", "2"], ["pad", "--amount", "1"], ["morph", "dilate", "--size", "3"], ["explain", "-k", "box"]],
)
def test_no_command_takes_a_volume_for_a_picture(convcli, rng, command):
    np.save("a.npy", stack(rng, "ZYX"))
    before, rest = (command[:2], command[2:]) if command[0] == "morph" else (command[:1], command[1:])
    result = convcli(*before, "a.npy", *rest)
    assert result.code == 1 and "which may be a volume or 11 channels" in result.err


def test_python_takes_no_volume_for_a_picture(rng):
    with pytest.raises(library.ShapeError, match=r"which may be a volume, .* correlate3d filters volumes"):
        library.filter(stack(rng, "ZYX"), "box")


def test_a_depth_of_one_that_the_file_does_not_say(done, rng):
    array = stack(rng, "CYX")
    save("a.tif", array, "CYX", "ome")
    expected = np.stack([smooth(plane[None])[0] for plane in array])
    done("filter", "a.tif", "-k", "gaussian3d:sigma=1", "--axes", "zcyx", "-o", "b.tif")
    np.testing.assert_array_equal(described("b.tif")[2], expected)
    done("filter", "a.tif", "-k", "gaussian3d:sigma=1", "--axes", "zyx", "--channel", "1", "-o", "c.tif")
    np.testing.assert_array_equal(described("c.tif")[2], expected[1])


def test_frames_of_an_animation_plane_by_plane(done, rng):
    frames = rng.integers(0, 255, (3, 8, 9), np.uint8)
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save("a.gif", save_all=True, append_images=others)
    done("filter", "a.gif", "-k", "box", "--axes", "yx", "-o", "a.tiff")
    np.testing.assert_array_equal(tifffile.imread("a.tiff"), [library.filter(frame, "box") for frame in frames])
    done("filter", "a.gif", "-k", "box", "--axes", "yx")
    done("filter", "a.gif", "-k", "box", "--each-plane", "-o", "out/")
    for name in ("a_box.gif", "out/a_box.gif"):
        with Image.open(name) as other:
            for index, frame in enumerate(frames):
                other.seek(index)
                np.testing.assert_array_equal(np.asarray(other.convert("L")), library.filter(frame, "box"))


def test_names_that_the_file_does_not_have_are_told(done, rng):
    array = stack(rng, "CYX")
    save("a.tif", array, "CYX", "imagej", LUTs=[np.zeros((3, 256), np.uint8)] * 2, mode="composite")
    said = done("filter", "a.tif", "-k", "gaussian3d:sigma=1", "--axes", "zyx", "-o", "b.tif")
    assert "the file calls its axes CYX; they are taken, and written, as ZYX" in said
    np.testing.assert_array_equal(described("b.tif")[2], smooth(array))
    assert described("b.tif")[1] == "ZYX"


def test_comparing_stacks(convcli, rng):
    array = stack(rng, "TZCYX")
    other = array.copy()
    other[2, 3, 1, 4, 5] += 50
    save("a.tif", array, "TZCYX", "imagej")
    np.save("b.npy", other)
    words = ["compare", "a.tif", "b.npy", "--json", "--axes", "tzcyx"]
    found = json.loads(convcli(*words).out)
    assert (found["largest"], found["differing"], found["shape"]) == (50, 1, [3, 5, 2, 9, 11, 1])
    assert found["place"] == {"plane": 2 * 10 + 3 * 2 + 1, "row": 4, "column": 5, "channel": None}
    assert json.loads(convcli(*words, "--channel", "0").out)["differing"] == 0
    assert json.loads(convcli(*words, "--channel", "1", "--time", "2").out)["place"]["plane"] == 3
    np.save("c.npy", np.moveaxis(other, 0, 1))
    result = convcli("compare", "a.tif", "c.npy")
    assert result.code == 1 and "got 3x5x2 planes of 11x9 and 5x3x2 planes of 11x9 pixels" in result.err
    assert convcli("compare", "a.tif", "b.npy", "--axes", "x").code == 1  # no signals


def test_comparing_integers(convcli, rng):
    array = stack(rng, "YX", np.int16) - 1500
    np.save("a.npy", array)
    np.save("b.npy", array + np.int16(3))
    np.save("c.npy", array.astype(np.int32))
    found = json.loads(convcli("compare", "a.npy", "b.npy", "--json").out)
    assert (found["largest"], found["white"]) == (3, 32767)
    result = convcli("compare", "a.npy", "c.npy", "--json")
    assert json.loads(result.out)["largest"] == 0 and "int16 and int32 are compared by their numbers" in result.err
