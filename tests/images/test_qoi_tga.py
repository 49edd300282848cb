"""QOI and TGA: beside Pillow and imagecodecs, files made by hand, and what damaged ones are told."""

import io
import re
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.formats import recognise

RANDOM = np.random.default_rng(7)
RGB = RANDOM.integers(0, 256, (21, 30, 3), dtype=np.uint8)
RGBA = RANDOM.integers(0, 256, (21, 30, 4), dtype=np.uint8)


def load(data, **words):
    return read(io.BytesIO(data), **words)


def written(image, format, **words):
    stream = io.BytesIO()
    return stream, write(image, stream, format=format, **words)


# QOI


@pytest.mark.parametrize("pixels", [RGB, RGBA, np.full((40, 70, 3), 9, np.uint8), np.full((1, 1, 4), 3, np.uint8)])
def test_qoi_of_another_encoder_and_for_another_decoder(pixels):
    got = load(bytes(imagecodecs.qoi_encode(pixels)))
    np.testing.assert_array_equal(got.pixels, pixels)
    assert got.has_alpha == (pixels.shape[2] == 4) and got.metadata.format == "QOI"
    stream, lost = written(Image(pixels, pixels.shape[2] == 4), "qoi")
    with Pillow.open(stream) as other:
        np.testing.assert_array_equal(np.asarray(other), pixels)
    assert lost == ()


def test_qoi_by_hand():
    # One pixel as it is, a run of 2, a difference of (1, 0, -1) from it.
    data = b"qoif" + struct.pack(">IIBB", 4, 1, 3, 0) + b"\xfe\x0a\x14\x1e" + b"\xc1" + b"\x79" + bytes(7) + b"\1"
    assert load(data).pixels[0].tolist() == [[10, 20, 30]] * 3 + [[11, 20, 29]]


def test_qoi_that_lacks_pixels_or_has_too_many():
    whole = bytes(imagecodecs.qoi_encode(RGB))
    for end in (len(whole) - 1, len(whole) // 2, 20, 13):
        with pytest.raises(ImageError, match="truncated QOI"):
            load(whole[:end])
    with pytest.raises(ImageError, match="truncated QOI: it holds fewer than 30x21 pixels"):
        load(whole[:-40] + whole[-8:])
    with pytest.raises(ImageError, match="damaged QOI: it holds more than 30x21 pixels"):
        load(whole[:-8] + b"\xfe\1\1\1" + whole[-8:])
    for ours in ((1, 2, 3), (254, 253, 252)):  # what is looked for may be the file's own last pixel
        pixels = np.full((2, 2, 3), ours, np.uint8)
        np.testing.assert_array_equal(load(bytes(imagecodecs.qoi_encode(pixels))).pixels, pixels)


def test_qoi_of_linear_colours():
    data = bytearray(imagecodecs.qoi_encode(RGB))
    data[13] = 1
    got = load(bytes(data))
    stream, lost = written(got, "qoi")
    assert stream.getvalue()[13] == 1 and lost == ()
    assert written(got, "png")[1] == ("linear colours",)


def test_qoi_claiming_much():
    data = b"qoif" + struct.pack(">IIBB", 60_000, 60_000, 3, 0) + bytes(7) + b"\1"
    with pytest.raises(ImageError, match=re.escape("got 60000x60000 = 3600000000 pixels")):
        load(data)
    data = b"qoif" + struct.pack(">IIBB", 10_000, 10_000, 3, 0) + b"\xfd" * 99 + bytes(7) + b"\1"
    with pytest.raises(ImageError, match="truncated QOI"):
        load(data)


# TGA


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}, {"orientation": 1}])
def test_tga_of_pillow(mode, options):
    pixels = RANDOM.integers(0, 256, (21, 30, len(mode)), dtype=np.uint8)
    pixels[4:9] = 7
    stream = io.BytesIO()
    Pillow.fromarray(pixels[:, :, 0] if mode == "L" else pixels).save(stream, "TGA", **options)
    got = load(stream.getvalue())
    np.testing.assert_array_equal(got.pixels, pixels)
    assert got.has_alpha == (mode in ("LA", "RGBA")) and got.metadata.format == "TGA" and got.warnings == ()
    again, lost = written(got, "tga")
    with Pillow.open(again) as other:
        assert other.mode == mode
        np.testing.assert_array_equal(np.asarray(other).reshape(pixels.shape), pixels)
    assert lost == ()


def test_tga_with_a_palette():
    picture = Pillow.fromarray(RGB).quantize(40)
    stream = io.BytesIO()
    picture.save(stream, "TGA")
    np.testing.assert_array_equal(load(stream.getvalue()).pixels, np.asarray(picture.convert("RGB")))


def header(kind=2, width=2, height=1, bits=24, flags=0x20, palette=(0, 0, 0, 0), name=b""):
    return (
        struct.pack("<BBBHHBHHHHBB", len(name), palette[0], kind, *palette[1:], 0, 0, width, height, bits, flags) + name
    )


def test_tga_by_hand():
    words = struct.pack("<HH", 0x8000 | 31 << 10, 16 << 5 | 1)  # alpha and full red; half of green and a little blue
    assert load(header(bits=16, flags=0x21) + words).pixels.tolist() == [[[255, 0, 0, 255], [0, 132, 8, 0]]]
    assert load(header(bits=16) + words).pixels.tolist() == [[[255, 0, 0], [0, 132, 8]]]
    two = bytes((1, 2, 3, 4, 5, 6))
    assert load(header() + two).pixels.tolist() == [[[3, 2, 1], [6, 5, 4]]]
    assert load(header(flags=0x30) + two).pixels.tolist() == [[[6, 5, 4], [3, 2, 1]]]  # from the right
    bottom_up = load(header(width=1, height=2, flags=0) + two).pixels
    assert bottom_up.tolist() == [[[6, 5, 4]], [[3, 2, 1]]]
    runs = load(header(kind=10, width=3, height=2) + b"\x84" + two[:3] + b"\x00" + two[3:]).pixels  # over the row's end
    assert runs.reshape(-1, 3).tolist() == [[3, 2, 1]] * 5 + [[6, 5, 4]]
    indexed = header(kind=1, bits=8, palette=(1, 5, 2, 24)) + two + b"\x06\x05"  # colours 5 and 6
    assert load(indexed).pixels.tolist() == [[[6, 5, 4], [3, 2, 1]]]
    with pytest.raises(ImageError, match="damaged TGA: it uses colour 7 of a palette from 5 to 6"):
        load(indexed[:-1] + b"\x07")
    deep = load(header(kind=3, bits=16) + struct.pack("<HH", 500, 65535)).pixels
    assert deep.dtype == np.uint16 and deep.tolist() == [[[500], [65535]]]


def test_tga_whose_fourth_byte_is_no_alpha():
    pixels = bytes((1, 2, 3, 77, 4, 5, 6, 88))
    got = load(header(bits=32) + pixels)
    assert got.pixels.shape == (1, 2, 3) and "not declared as alpha" in got.warnings[0]
    hidden = load(header(bits=32, flags=0x28) + bytes((1, 2, 3, 0, 4, 5, 6, 0)))
    assert hidden.pixels.tolist() == [[[3, 2, 1], [6, 5, 4]]] and "hides all of it" in hidden.warnings[0]


def extension(attributes, at, comment=b""):
    area = bytearray(495)
    struct.pack_into("<H", area, 0, 495)
    area[43 : 43 + len(comment)] = comment
    area[494] = attributes
    return bytes(area) + struct.pack("<II18s", at, 0, b"TRUEVISION-XFILE.\0")


def test_tga_says_what_alpha_is():
    file = header(bits=32, flags=0x28) + bytes((50, 25, 0, 128, 4, 5, 6, 255))
    assert load(file + extension(3, len(file))).pixels[0, 0].tolist() == [0, 25, 50, 128]
    assert load(file + extension(4, len(file))).pixels[0, 0].tolist() == [0, 50, 100, 128]  # divided again
    assert load(file + extension(0, len(file))).pixels.shape == (1, 2, 3)


def test_tga_keeps_words_that_fit():
    file = header() + bytes(6)
    got = load(file + extension(0, len(file), b"two words"))
    assert got.metadata.texts == (("Comment", "two words"),)
    texts = (("Author", "Ann"), ("Comment", "one\ntwo"), ("Comment", "again"), ("Copyright", "hers"))
    stream, lost = written(Image(RGB, False, Metadata(texts=texts, aspect=(2.0, 1.0))), "tga")
    assert lost == ("texts (Comment, Copyright)",)
    again = load(stream.getvalue()).metadata
    assert again.texts == (("Author", "Ann"), ("Comment", "one\ntwo")) and again.aspect == (2.0, 1.0)


def test_damaged_tga():
    stream, _ = written(Image(RGB), "tga")
    with pytest.raises(ImageError, match="truncated TGA: at least 90 bytes are missing"):
        load(stream.getvalue()[: 18 + 20 * 90])
    runs = header(kind=10, width=300, height=200) + b"\xff\1\2\3" * 468 + b"\xdf\1\2\3"
    assert load(runs).pixels.shape == (200, 300, 3)
    for bad in (runs[:-3], runs[:-20]):
        with pytest.raises(ImageError, match="truncated"):
            load(bad)
    with pytest.raises(ImageError, match="got 65535x65535"):
        load(header(kind=10, width=65535, height=65535) + b"\xff\1\2\3")


def test_what_is_no_tga():
    for head in (b"\0\0\1\0\1\0\x10\x10" + bytes(56), b"\0\0\2\0\1\0\x20\x20" + bytes(56), bytes(64), b"\0\1\0\0" * 16):
        assert recognise(head) is None
