"""What commands say and write of what their inputs hold besides pixels."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

CHAIN = ["-k", "box:size=3", "-k", "box:size=5"]


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(1).integers(0, 255, (24, 36, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("photo.jpg", dpi=(300, 120), comment=b"for Ada")
    tie, scale = (0, 0, 0, 1000.0, 2000.0, 0), (10.0, 10.0, 0.0)
    extra = [(33550, 12, 3, scale, True), (33922, 12, 6, tie, True)]
    tifffile.imwrite("earth.tif", pixels[..., 0], extratags=extra, metadata=None, software=False)
    tifffile.imwrite("cells.ome.tif", np.zeros((5, 24, 36), np.uint8), metadata={"axes": "ZYX", "PhysicalSizeX": 0.5})


def place(name):
    """(pixel scale, raster point, world point) of a GeoTIFF."""
    with tifffile.TiffFile(name) as file:
        tags = file.pages[0].tags
        return tags[33550].value[:2], tags[33922].value[:2], tags[33922].value[3:5]


@pytest.mark.parametrize(
    ("words", "dpi", "scale", "point"),
    [
        (["pool", "--size", "2x4"], (75, 60), (40, 20), (0, 0)),
        (["pool", "--size", "3", "--stride", "2"], (150, 60), (20, 20), (-0.25, -0.25)),
        (["pool", "--adaptive", "6x9"], (75, 30), (40, 40), (0, 0)),
        (["filter", "-k", "box:size=3", "--padding", "valid"], (300, 120), (10, 10), (-1, -1)),
        (["filter", *CHAIN, "--stride", "3", "--padding", "valid"], (100, 40), (30, 30), (-2 / 3, -2 / 3)),
        (["pad", "--amount", "1,2,3,4"], (300, 120), (10, 10), (4, 1)),
        (["morph", "dilate", "--size", "3"], (300, 120), (10, 10), (0, 0)),
    ],
)  # fmt: skip
def test_resolution_and_place_follow_the_pixels(convcli, words, dpi, scale, point):
    command, *rest = words
    rest = [*rest[:1], "photo.jpg", *rest[1:]] if command == "morph" else ["photo.jpg", *rest]
    for source, target in (("photo.jpg", "o.jpg"), ("earth.tif", "o.tif")):
        result = convcli(command, *(source if each == "photo.jpg" else each for each in rest), "-o", target)
        assert (result.code, result.err) == (0, "")
    with Image.open("o.jpg") as picture:
        assert (picture.info["dpi"], picture.info["comment"]) == (dpi, b"for Ada")
    got_scale, got_point, world = place("o.tif")
    assert got_scale == scale and world == (1000, 2000) and got_point == pytest.approx(point)


def test_what_is_not_kept_is_named_once_per_file(convcli):
    result = convcli("filter", "photo.jpg", "-k", "identity", "-o", "o.npy")
    assert result.err == "Warning: not kept: resolution, texts (Comment)\n"
    result = convcli("filter", "photo.jpg", "-k", "identity", "-o", "o2.npy", "--json")
    assert json.loads(result.out)["files"][0]["warnings"] == ["not kept: resolution, texts (Comment)"]
    for silent in ("--strip", "--quiet"):
        assert convcli("filter", "photo.jpg", "-k", "identity", "-o", "o.npy", "--overwrite", silent).err == ""


def test_an_ome_tiff_through_the_picture_path_and_as_a_volume(convcli):
    result = convcli("filter", "cells.ome.tif", "-k", "box", "-o", "o.ome.tif")
    assert "only the first of 5 pages was read" in result.err
    assert tifffile.imread("o.ome.tif").shape == (24, 36)
    assert convcli("filter", "o.ome.tif", "-k", "box3d", "--axes", "zyx", "-o", "again.tif").code == 0
    result = convcli("pool", "cells.ome.tif", "--size", "1x2x3", "--axes", "zyx", "-o", "pooled.ome.tif")
    assert (result.code, result.err) == (0, "")
    with tifffile.TiffFile("pooled.ome.tif") as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["SizeX"], pixels["SizeY"], pixels["SizeZ"], pixels["PhysicalSizeX"]) == (12, 12, 5, 1.5)
    result = convcli("pool", "cells.ome.tif", "--size", "1x2x3", "--axes", "zyx", "-o", "pooled.npy")
    assert result.err == "Warning: not kept: TIFF's text tags, OME's notes\n"


@pytest.mark.parametrize(
    "words",
    [
        ("pool", "a.wav", "--size", "4"),
        ("pool", "a.wav", "--adaptive", "10"),
        ("filter", "a.wav", "-k", "box:size=3", "--stride", "4"),
    ],
)
def test_the_sample_rate_of_a_sound_is_divided_by_the_stride(convcli, words):
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    body += b"data" + struct.pack("<I", 80) + bytes(80)
    Path("a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert convcli(*words, "-o", "o.wav").code == 0
    assert struct.unpack_from("<I", Path("o.wav").read_bytes(), 24)[0] == 2000


def test_many_files_are_warned_of_once_for_each_kind(convcli):
    Path("in").mkdir()
    for index in range(4):
        picture = Image.new("RGB", (8, 8), (250, 200, 10 * index))
        picture.putpixel((0, index), (0, 0, 0))
        picture.save(f"in/{index}.jpg", comment=b"by x")
    words = ("filter", "in", "-k", "identity", "-o", "out/{stem}.bmp")
    result = convcli(*words)
    assert result.err.splitlines()[:-1] == ["Warning: in/0.jpg: not kept: texts (Comment) (alike in 3 more files)"]
    assert convcli(*words, "--overwrite", "-q").err == ""
    told = json.loads(convcli(*words, "--overwrite", "--json").out)
    assert [each["warnings"] for each in told["files"]] == [["not kept: texts (Comment)"]] * 4
    clipped = convcli("filter", "in", "-k", "0 0 0; 0 2 0; 0 0 0", "--range", "clip", "-o", "out/{stem}.png").err
    assert len([line for line in clipped.splitlines() if "clipped" in line]) == 1
