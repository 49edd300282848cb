"""JPEG 2000: beside OpenJPEG in Pillow and imagecodecs, boxes made by hand, and what damaged files are told."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.boxes import box

RANDOM = np.random.default_rng(3)
EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # turned by a quarter


def random(*shape, dtype=np.uint8, white=None):
    return RANDOM.integers(0, (white or np.iinfo(dtype).max) + 1, shape).astype(dtype)


def load(data, **words):
    return read(io.BytesIO(data), **words)


def written(image, **words):
    stream = io.BytesIO()
    return stream, write(image, stream, format="jp2", **words)


def stream_of(samples, **words):
    return bytes(imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, codecformat="J2K", **words))


def file_of(samples, *header, after=(), **words):
    height, width = samples.shape[:2]
    count = samples.shape[2] if samples.ndim == 3 else 1
    first = box(b"ihdr", struct.pack(">IIHBBBB", height, width, count, 8 * samples.itemsize - 1, 7, 0, 0))
    outer = [
        b"\0\0\0\x0cjP  \r\n\x87\n",
        box(b"ftyp", b"jp2 ", bytes(4), b"jp2 "),
        box(b"jp2h", first, *header),
        *after,
    ]
    return b"".join((*outer, box(b"jp2c", stream_of(samples, **words))))


def colours(number):
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, number))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_for_another_decoder(channels):
    pixels = random(40, 51, channels)
    stream, lost = written(Image(pixels, channels in (2, 4), Metadata(dpi=(300.0, 72.5))))
    assert lost == ()
    with Pillow.open(stream) as other:
        assert other.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
        np.testing.assert_array_equal(np.asarray(other).reshape(pixels.shape), pixels)
        assert other.info["dpi"] == pytest.approx((300, 72.5))
    assert load(stream.getvalue()).metadata.dpi == (300.0, 72.5)


@pytest.mark.parametrize("bits", [1, 4, 8, 10, 12, 16])
def test_depths_of_a_bare_code_stream(bits):
    white = (1 << bits) - 1
    samples = random(20, 31, dtype=np.uint16 if bits > 8 else np.uint8, white=white)
    got = load(stream_of(samples, bitspersample=bits))
    full = 255 if bits <= 8 else 65535
    assert got.pixels.dtype == (np.uint8 if bits <= 8 else np.uint16) and got.metadata.lossless
    np.testing.assert_array_equal(got.pixels[..., 0], np.floor(samples * (full / white) + 0.5))


def test_signed_samples():
    samples = RANDOM.integers(-128, 128, (9, 12)).astype(np.int8)
    np.testing.assert_array_equal(load(stream_of(samples)).pixels[..., 0], samples.astype(int) + 128)


def test_alpha_that_is_not_last_and_that_colours_were_multiplied_by():
    samples = np.array([[[128, 100, 50, 0], [255, 1, 2, 3]]], np.uint8)
    samples = np.repeat(samples, 8, axis=0)
    for kind, first in ((1, [100, 50, 0, 128]), (2, [199, 100, 0, 128])):
        said = box(b"cdef", struct.pack(">13H", 4, 0, kind, 0, 1, 0, 1, 2, 0, 2, 3, 0, 3))
        got = load(file_of(samples, colours(16), said, mct=False))
        assert got.has_alpha and got.pixels[0, 0].tolist() == first and got.pixels[3, 1].tolist() == [1, 2, 3, 255]


def test_palette():
    indices = random(12, 10, white=2)
    table = np.array([[255, 0, 0], [0, 128, 7], [9, 8, 200]], np.uint8)
    palette = box(b"pclr", struct.pack(">HB", 3, 3), b"\7\7\7", table.tobytes())
    mapping = box(b"cmap", *(struct.pack(">HBB", 0, 1, column) for column in range(3)))
    np.testing.assert_array_equal(load(file_of(indices, colours(16), palette, mapping)).pixels, table[indices])
    with pytest.raises(ImageError, match="damaged JP2: it uses colour 3 of a palette of 3"):
        load(file_of(indices + 1, colours(16), palette, mapping))


def test_colours_that_are_not_rgb():
    samples = np.array([[[76, 85, 255], [150, 44, 21]]], np.uint8)  # red and green in luma and differences
    got = load(file_of(np.repeat(samples, 8, axis=0), colours(18), mct=False)).pixels[0].astype(int)
    assert np.abs(got - [[254, 0, 0], [0, 255, 1]]).max() <= 1
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0] = 255
    got = load(file_of(ink, colours(12), mct=False))
    assert got.pixels[0, 0].tolist() == [0, 255, 255] and "CMYK" in got.warnings[0]
    with pytest.raises(ImageError, match="colour space 14, expected grey, RGB, YCC or CMYK"):
        load(file_of(ink[..., :3], colours(14)))


def test_metadata(tmp_path):
    pixels = random(20, 30, 3)
    exif = box(b"uuid", b"JpgTiffExif->JP2", EXIF)
    packet = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), b"<x/>")
    more = (exif, packet, box(b"xml ", b"<gml/>"))
    got = load(file_of(pixels, colours(16), after=more))
    np.testing.assert_array_equal(got.pixels, np.rot90(pixels, -1))
    write(got, tmp_path / "a.jp2")
    again = read(tmp_path / "a.jp2")
    np.testing.assert_array_equal(again.pixels, got.pixels)
    assert again.metadata.xmp == b"<x/>" and again.metadata.exif and got.metadata.lost == ("box xml",)


def test_loss_stays_what_it_was():
    y, x = np.mgrid[:80, :90]
    pixels = ((np.sin(x / 9) + np.cos(y / 7) + 2) / 4 * 255).astype(np.uint8)[..., np.newaxis]
    stream, _ = written(Image(pixels), quality=50)
    lossy = load(stream.getvalue())
    assert lossy.metadata.lossless is False and len(stream.getvalue()) < 900
    assert 0 < np.abs(lossy.pixels.astype(int) - pixels).mean() < 6
    for image, words, expected in ((lossy, {}, False), (lossy, {"quality": 100}, True), (Image(pixels), {}, True)):
        again = load(written(image, **words)[0].getvalue())
        assert again.metadata.lossless is expected
        assert not expected or (again.pixels == image.pixels).all()


def test_damaged_files():
    whole = file_of(random(40, 40, 3), colours(16))
    stream = stream_of(random(40, 40, 3))
    for bad in (whole[:-1], whole[: len(whole) // 2], whole[:60], stream[:-1], stream[:-2], stream[:200], stream[:50]):
        with pytest.raises(ImageError, match=r"truncated|damaged") as caught:
            load(bad)
        assert "\n" not in str(caught.value)
    tiled = io.BytesIO()
    Pillow.fromarray(random(40, 40)).save(tiled, "JPEG2000", tile_size=(16, 16), no_jp2=True)
    tiles = tiled.getvalue()
    assert load(tiles).pixels.shape == (40, 40, 1)
    last = tiles.rindex(b"\xff\x90\0\x0a")
    with pytest.raises(ImageError, match="truncated JP2: it has 8 of 9 tiles"):
        load(tiles[:last] + b"\xff\xd9")


def test_headers_that_ask_for_much():
    stream = bytearray(stream_of(random(16, 16)))
    sizes = stream.index(b"\xff\x51")
    huge = bytes(stream)
    struct.pack_into(">II", stream, sizes + 6, 60_000, 60_000)
    struct.pack_into(">II", stream, sizes + 22, 60_000, 60_000)
    with pytest.raises(ImageError, match="got 60000x60000"):
        load(bytes(stream))
    stream = bytearray(huge)
    struct.pack_into(">II", stream, sizes + 6, 60_000, 60_000)
    struct.pack_into(">II", stream, sizes + 22, 16, 16)
    with pytest.raises(ImageError, match="damaged JP2: got 14,062,500 tiles"):
        load(bytes(stream))
