"""JPEG XL: depths, loss and colours as its own header says them, boxes, and what damaged files are told."""

import io

import imagecodecs
import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.boxes import box, boxes_in
from convcli.images.jxl_header import read_header
from convcli.images.model import FIRST_ALONE

RANDOM = np.random.default_rng(5)
EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # turned, says EXIF, which is not asked


def ramp(dtype, channels=3, height=50, width=64):
    y, x = np.mgrid[:height, :width]
    base = (np.sin(x / 9) + np.cos(y / 7) + 2) / 4
    values = np.stack([base ** (1 + index / 2) for index in range(channels)], axis=-1)
    return (values * (np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1)).astype(dtype)


def load(data, **words):
    return read(io.BytesIO(data), **words)


def written(image, **words):
    stream = io.BytesIO()
    return stream, write(image, stream, format="jxl", **words)


def code_stream(data):
    return (
        data
        if data[:2] == b"\xff\x0a"
        else next(bytes(each) for name, each in boxes_in(data, "JXL") if name == b"jxlc")
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_of_and_for_the_library_itself(dtype, channels):
    pixels = ramp(dtype, channels)
    stored = pixels[..., 0] if channels == 1 else pixels
    got = load(bytes(imagecodecs.jpegxl_encode(stored, lossless=True)))
    np.testing.assert_array_equal(got.pixels, pixels)
    assert got.has_alpha == (channels in (2, 4)) and got.metadata.lossless
    stream, lost = written(Image(pixels, channels in (2, 4)))
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(stream.getvalue()), stored)
    header = read_header(code_stream(stream.getvalue()))
    assert header.colours == b"" and (header.width, header.height) == (64, 50) and lost == ()  # sRGB, not linear


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 300), (256, 256), (40, 30), (36, 64), (500, 2)])
def test_sizes(size):
    header = read_header(code_stream(bytes(imagecodecs.jpegxl_encode(ramp("uint8", 3, *size), lossless=True))))
    assert (header.height, header.width) == size and header.bits == 8 and header.channels == 3


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_loss_is_of_what_is_seen(dtype):
    pixels = ramp(dtype)
    white = 1 if dtype == "float32" else np.iinfo(dtype).max
    stream, _ = written(Image(pixels), quality=90)
    got = load(stream.getvalue())
    assert got.metadata.lossless is False and got.metadata.png_colour == ()
    assert 0 < np.abs(got.pixels.astype(float) - pixels).mean() / white < 0.02
    assert load(written(got)[0].getvalue()).metadata.lossless is False
    assert load(written(got, quality=100)[0].getvalue()).metadata.lossless is True


def test_ten_bits_and_light_that_is_linear():
    samples = RANDOM.integers(0, 1024, (20, 30, 3)).astype(np.uint16)
    got = load(bytes(imagecodecs.jpegxl_encode(samples, bitspersample=10, lossless=True)))
    np.testing.assert_array_equal(got.pixels, np.floor(samples * (65535 / 1023) + 0.5))
    assert got.metadata.png_colour == ((b"cICP", bytes((1, 8, 0, 1))),)  # as that encoder calls it
    stream, lost = written(got)
    assert lost == () and load(stream.getvalue()).metadata.png_colour == got.metadata.png_colour
    png = io.BytesIO()
    assert write(got, png, format="png") == () and b"cICP\1\x08\0\1" in png.getvalue()


def test_metadata():
    stored = bytes(imagecodecs.jpegxl_encode(ramp("uint8"), lossless=True))
    packed = b"xml " + bytes(imagecodecs.brotli_encode(b"<x/>"))
    data = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl ", bytes(4), b"jxl ")
    data += box(b"Exif", bytes(4), EXIF) + box(b"brob", packed) + box(b"jumb", b"?") + box(b"jxlc", stored)
    got = load(data)
    np.testing.assert_array_equal(got.pixels, ramp("uint8"))  # not turned
    assert got.metadata.xmp == b"<x/>" and got.metadata.exif[18:20] == b"\0\1" and got.metadata.lost == ("box jumb",)
    again = load(written(got)[0].getvalue())
    np.testing.assert_array_equal(again.pixels, got.pixels)
    assert again.metadata.xmp == b"<x/>" and again.metadata.exif == got.metadata.exif
    _, lost = written(Image(ramp("uint8"), False, Metadata(icc=profile(), texts=(("Comment", "x"),))))
    assert lost == ("colour profile", "texts (Comment)")


def profile():
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_animation():
    frames = RANDOM.integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    got = load(bytes(imagecodecs.jpegxl_encode(frames, lossless=True)))
    np.testing.assert_array_equal(got.pixels, frames[0])
    assert got.warnings == (f"animated JPEG XL: {FIRST_ALONE}",)


def test_damaged_files():
    bare = bytes(imagecodecs.jpegxl_encode(ramp("uint8"), lossless=True))
    boxed = written(Image(ramp("uint8"), False, Metadata(xmp=b"<x/>")))[0].getvalue()
    for bad in (bare[:-1], bare[:60], bare[:6], bare[:2], boxed[:-1], boxed[: len(boxed) // 2], boxed[:40], boxed[:20]):
        with pytest.raises(ImageError, match=r"truncated|damaged") as caught:
            load(bad)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="got 64x50 = 3200 pixels, expected at most 100"):
        load(bare, max_pixels=100)
