"""AVIF: depths, alpha and turns beside other libraries, what is added to its boxes, and what damaged files are told."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, features

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.av1_header import size_in
from convcli.images.bmff import read_picture
from convcli.images.model import FIRST_ALONE

RANDOM = np.random.default_rng(9)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def load(data, **words):
    return read(io.BytesIO(data), **words)


def written(image, **words):
    stream = io.BytesIO()
    return stream, write(image, stream, format="avif", **words)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_of_another_encoder_and_for_another_decoder(bits, channels):
    samples = RANDOM.integers(0, 1 << bits, (20, 31, channels)).astype(np.uint8 if bits == 8 else np.uint16)
    stored = samples[..., 0] if channels == 1 else samples
    got = load(bytes(imagecodecs.avif_encode(stored, level=100, speed=10, bitspersample=bits)))
    full = 255 if bits == 8 else 65535
    np.testing.assert_array_equal(got.pixels, np.floor(samples * (full / ((1 << bits) - 1)) + 0.5))
    assert got.has_alpha == (channels in (2, 4)) and got.warnings == ()
    stream, lost = written(got, quality=100)  # as many bits as it had
    np.testing.assert_array_equal(imagecodecs.avif_decode(stream.getvalue()), stored)
    assert lost == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned(orientation):
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    block = Pillow.Exif()
    block[0x0112] = orientation
    jpeg_like, avif = io.BytesIO(), io.BytesIO()
    Pillow.fromarray(pixels).save(jpeg_like, "PNG", exif=block)
    Pillow.fromarray(pixels).save(avif, "AVIF", quality=100, subsampling="4:4:4", exif=block)
    expected, got = load(jpeg_like.getvalue()).pixels, load(avif.getvalue()).pixels
    assert got.shape == expected.shape and np.abs(got.astype(int) - expected).max() <= 4


def test_metadata():
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    before = Metadata(exif=EXIF, xmp=b"<x/>", icc=PROFILE, dpi=(300.0, 200.0))
    stream, lost = written(Image(pixels, False, before))
    assert lost == ()
    with Pillow.open(stream) as other:
        assert other.info["icc_profile"] == PROFILE and other.info["xmp"] == b"<x/>"
        assert other.getexif()[0x011A] == 300
    after = load(stream.getvalue()).metadata
    assert after.icc == PROFILE and after.xmp == b"<x/>" and after.dpi == (300.0, 200.0)
    assert written(Image(pixels, False, before), strip=True)[1] == ()
    bare = load(written(Image(pixels, False, before), strip=True)[0].getvalue()).metadata
    assert bare == Metadata("AVIF")


def test_codes_of_colours():
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    wide = ((b"cICP", bytes((12, 13, 0, 1))),)
    stream, lost = written(Image(pixels, False, Metadata(png_colour=(*wide, (b"gAMA", b"\0\0\0\1")))))
    assert load(stream.getvalue()).metadata.png_colour == wide and lost == ("gAMA",)
    usual = read_picture(written(Image(pixels))[0].getvalue(), "AVIF")
    assert usual.colours[:2] == bytes((1, 13))


def test_sixteen_bits_become_twelve_and_loss_is_small():
    y, x = np.mgrid[:60, :80]
    pixels = ((np.sin(x / 9) + np.cos(y / 7) + 2) / 4 * 65535).astype(np.uint16)[..., np.newaxis]
    got = load(written(Image(pixels))[0].getvalue())
    assert got.metadata.bits == 12 and np.abs(got.pixels.astype(int) - pixels).mean() < 500


def test_a_window_of_it():
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    data = bytes(imagecodecs.avif_encode(pixels, level=100, speed=10))
    picture = read_picture(data, "AVIF")
    picture.properties.append((b"clap", struct.pack(">IIIIiIiI", 10, 1, 8, 1, -5, 1, 2, 1)))
    assert picture.window == (8, 5, 16, 15)
    picture.properties[-1] = (b"clap", struct.pack(">IIIIiIiI", 10, 1, 8, 1, -50, 1, 2, 1))
    with pytest.raises(ImageError, match="lies beyond the picture"):
        _ = picture.window


def test_the_size_that_its_data_announce():
    data = bytes(imagecodecs.avif_encode(RANDOM.integers(0, 256, (20, 30, 4), dtype=np.uint8), speed=10))
    begins = list(read_picture(data, "AVIF").beginnings(b"av01"))
    assert [size_in(each) for each in begins] == [(30, 20), (30, 20)]
    smaller = data.replace(struct.pack(">II", 30, 20), struct.pack(">II", 3, 2))  # what boxes say
    with pytest.raises(ImageError, match="got 30x20 = 600 pixels, expected at most 500"):
        load(smaller, max_pixels=500)


def test_damaged_files():
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    data = written(Image(pixels, False, Metadata(xmp=b"<x/>")))[0].getvalue()
    for bad in (data[:-1], data[:700], data[:100], data[:40]):
        with pytest.raises(ImageError, match=r"truncated|damaged") as caught:
            load(bad)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="got 30x20 = 600 pixels, expected at most 100"):
        load(data, max_pixels=100)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow writes the animation")
def test_of_an_animation_one_frame_is_read_and_nothing_beyond_its_memory(convcli, tmp_path):
    frames = [Pillow.new("RGB", (32, 32), (shade,) * 3) for shade in (10, 120, 240)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:])
    got = read(tmp_path / "a.avif")
    assert (got.pixels == 10).all() and got.warnings == (f"animated AVIF: {FIRST_ALONE}",)
    result = convcli("filter", tmp_path / "a.avif", "-k", "box3d", "--axes", "zyx")
    assert result.code == 1 and "is AVIF, of which one frame is read, as a picture" in result.err
