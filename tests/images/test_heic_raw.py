"""HEIC and the negatives of cameras, with the extras: depths, turns, metadata; and the hint where one is missing."""

import io
import sys

import numpy as np
import pytest
import tifffile

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.boxes import box

Y, X = np.mgrid[:64, :80]
EXIF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def waves(dtype, channels):
    values = np.stack([(np.sin(X / 9 + index) + 1) / 2 for index in range(channels)], -1)
    return (values * np.iinfo(dtype).max).astype(dtype)


def load(data, **words):
    return read(io.BytesIO(data), **words)


def written(image, **words):
    stream = io.BytesIO()
    return stream.getvalue(), write(image, stream, format="heic", **words), stream


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_heic(dtype, channels):
    library = pytest.importorskip("pillow_heif")
    pixels, white = waves(dtype, channels), np.iinfo(dtype).max
    _, lost, stream = written(Image(pixels, channels == 4, Metadata(exif=EXIF, xmp=b"<x/>", dpi=(300.0, 300.0))))
    got = load(stream.getvalue())
    assert lost == () and got.pixels.dtype == dtype and got.has_alpha == (channels == 4)
    assert np.abs(got.pixels.astype(float) - pixels).mean() / white < 0.005
    assert got.metadata.bits == (None if dtype == "uint8" else 10)
    assert got.metadata.xmp == b"<x/>" and got.metadata.dpi == (300.0, 300.0)
    other = library.open_heif(io.BytesIO(stream.getvalue()), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    assert other.size == (80, 64) and other.info["bit_depth"] == (8 if dtype == "uint8" else 10)


def test_heic_that_is_turned():
    library = pytest.importorskip("pillow_heif")
    pixels, stream = waves("uint8", 3), io.BytesIO()
    picture = library.from_bytes("RGB", (80, 64), pixels.tobytes())
    turned = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    picture.save(stream, quality=95, chroma=444, exif=b"Exif\0\0" + turned)
    got = load(stream.getvalue()).pixels
    assert got.shape == (80, 64, 3) and np.abs(got.astype(int) - np.rot90(pixels, -1)).mean() < 3


def test_damaged_heic():
    pytest.importorskip("pillow_heif")
    data = written(Image(waves("uint8", 3)))[2].getvalue()
    for bad in (data[:-9], data[: len(data) // 2], data[:60]):
        with pytest.raises(ImageError, match=r"truncated|damaged") as caught:
            load(bad)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="got 80x64 = 5120 pixels, expected at most 100"):
        load(data, max_pixels=100)


def negative(orientation=1, photometric=32803):
    """A DNG of grey seen through filters: every second pixel is red or blue, of a camera that sees as sRGB does."""
    mosaic = np.full((64, 96), 4000, np.uint16)
    mosaic[:, 48:] = 12000
    matrix = (3.2404542, -1.5371385, -0.4985314, -0.969266, 1.8760108, 0.041556, 0.0556434, -0.2040259, 1.0572252)
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50707, "B", 4, (1, 1, 0, 0), True), (50708, "s", 0, "Test Cam", True),
        (33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True),
        (50721, "2i", 9, tuple(each for value in matrix for each in (int(value * 10000), 10000)), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True), (50778, "H", 1, 21, True), (50717, "I", 1, 16383, True),
        (50714, "I", 1, 0, True), (274, "H", 1, orientation, True),
    ]  # fmt: skip
    stream = io.BytesIO()
    tifffile.imwrite(stream, mosaic, photometric=photometric, extratags=tags, metadata=None)
    return stream.getvalue()


def test_a_negative_is_developed(tmp_path):
    pytest.importorskip("rawpy")
    got = load(negative())
    assert got.pixels.shape == (64, 96, 3) and got.pixels.dtype == np.uint16
    left, right = got.pixels[32, 20].astype(float), got.pixels[32, 76].astype(float)
    # Light of 4000 and 12000 of 16383 in sRGB's curve; grey stays grey.
    curve = [65535 * (1.055 * (each / 16383) ** (1 / 2.4) - 0.055) for each in (4000, 12000)]
    assert abs(left.mean() - curve[0]) < 0.03 * curve[0] and abs(right.mean() - curve[1]) < 0.03 * curve[1]
    assert np.ptp(left) < 0.02 * left.mean() and got.metadata.lost == ("EXIF of the negative",)
    assert write(got, tmp_path / "a.tiff") == ("EXIF of the negative",)
    with pytest.raises(ImageError, match="got 96x64 = 6144 pixels, expected at most 100"):
        load(negative(), max_pixels=100)


def test_a_damaged_negative(capfd):
    pytest.importorskip("rawpy")
    data = negative()
    with pytest.raises(ImageError, match="truncated, damaged or unknown negative of a camera"):
        load(data[:-300])
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ImageError, match="negative of a camera"):
        load(b"FUJIFILMCCD-RAW 0201" + bytes(300))


def test_a_tiff_is_no_negative():
    assert load(negative(photometric=1)).pixels.shape == (64, 96, 1)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        ImageError, match=r"is the negative of a camera, which needs rawpy; install it with pip install"
    ):
        load(negative())
    lists = box(b"ipco", box(b"ispe", bytes(4), b"\0\0\0\x08" * 2)) + box(b"ipma", bytes(4), b"\0\0\0\1\0\1\1\1")
    item = box(b"infe", b"\2\0\0\0", b"\0\1\0\0hvc1\0")
    inner = box(b"pitm", bytes(4), b"\0\1") + box(b"iinf", bytes(4), b"\0\1", item) + box(b"iprp", lists)
    data = box(b"ftyp", b"heic", bytes(4), b"mif1heic") + box(b"meta", bytes(4), inner)
    with pytest.raises(ImageError, match=r"is a HEIC, which needs pillow-heif; install it with pip install"):
        load(data)
    with pytest.raises(ImageError, match="needs pillow-heif"):
        write(Image(waves("uint8", 3)), io.BytesIO(), format="heic")
