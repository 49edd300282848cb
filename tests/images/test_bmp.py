"""BMP: pixels as the header's own words describe them, whatever the masks, bits and palettes."""

import io
import struct

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import read

GREYS = [(each, each, each) for each in range(256)]


def bmp(width, height, bits, body, *, compression=0, palette=(), masks=(), size=40, colours=None):
    """A file: the masks stand in a header of 56 bytes and more, behind one of 40."""
    table = b"".join(bytes((blue, green, red, 0)) for red, green, blue in palette)
    count = len(palette) if colours is None else colours
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, len(body), 0, 0, count, 0)
    rest = struct.pack(f"<{len(masks)}I", *masks)
    rest = rest.ljust(size - 40, b"\0") if size > 40 else rest
    start = 14 + len(head) + len(rest) + len(table)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + head + rest + table + body


def load(data):
    return read(io.BytesIO(data))


@pytest.mark.parametrize(
    ("bits", "masks", "words", "expected"),
    [
        (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), [0x80112233, 0x00445566], [[17, 34, 51, 128], [68, 85, 102, 0]]),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), [0x80112233], [[51, 34, 17, 128]]),
        (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF), [0x11223380], [[17, 34, 51, 128]]),
        (16, (0x7C00, 0x03E0, 0x001F, 0x8000), [0xFC00, 0x7C00], [[255, 0, 0, 255], [255, 0, 0, 0]]),
        (16, (0x0F00, 0x00F0, 0x000F, 0xF000), [0x8F10], [[255, 17, 0, 136]]),
        (32, (0x1F, 0x3E0, 0x7C00, 0x70000), [0x2001F], [[255, 0, 0, 73]]),
    ],
)
@pytest.mark.parametrize("size", [56, 108, 124])
def test_alpha_has_a_mask_of_its_own(bits, masks, words, expected, size):
    body = np.array(words, f"<u{bits // 8}").tobytes().ljust(-(-len(words) * bits // 32) * 4, b"\0")
    got = load(bmp(len(words), 1, bits, body, compression=3, masks=masks, size=size))
    assert got.has_alpha and got.pixels[0].tolist() == expected


def test_masks_behind_a_short_header():
    masks = (0xF800, 0x07E0, 0x001F)
    got = load(bmp(2, 1, 16, struct.pack("<2H", 0xF800, 0x07E0), compression=3, masks=masks))
    assert not got.has_alpha and got.pixels[0].tolist() == [[255, 0, 0], [0, 255, 0]]
    got = load(bmp(1, 1, 16, struct.pack("<2H", 0x7C00, 0), compression=6, masks=(0x7C00, 0x3E0, 0x1F, 0x8000)))
    assert got.has_alpha and got.pixels[0].tolist() == [[255, 0, 0, 0]]


def test_16_bits_without_masks_are_5_of_each():
    got = load(bmp(1, 1, 16, struct.pack("<2H", 0xFC1F, 0)))
    assert not got.has_alpha and got.pixels[0].tolist() == [[255, 0, 255]]


def test_masks_of_ten_bits_keep_their_depth():
    got = load(bmp(1, 1, 32, struct.pack("<I", 1023 << 20 | 512 << 10 | 1), compression=3, masks=(
        0x3FF00000, 0xFFC00, 0x3FF)))  # fmt: skip
    assert got.pixels.dtype == np.uint16 and got.pixels[0].tolist() == [[65535, 32800, 64]]


def test_masks_with_holes_are_refused():
    with pytest.raises(ImageError, match="the mask 0x00000a00, expected at most 16 bits in a row"):
        load(bmp(1, 1, 16, bytes(4), compression=3, masks=(0xA00, 0xF0, 0xF)))


@pytest.mark.parametrize(("words", "warns"), [([0x00112233, 0x80112233], True), ([0x112233] * 2, False),
                                              ([0xFF112233] * 2, False)])  # fmt: skip
def test_a_fourth_byte_that_is_not_declared_is_left_out_with_a_word(words, warns):
    got = load(bmp(2, 1, 32, np.array(words, "<u4").tobytes()))
    assert not got.has_alpha and got.pixels[0, 0].tolist() == [17, 34, 51]
    assert got.warnings == (("a fourth byte of the BMP's pixels that is not declared as alpha was left out",) * warns)


@pytest.mark.parametrize(
    ("bits", "body", "palette", "expected"),
    [
        (1, b"\x50\0\0\0", [(0, 0, 0), (255, 255, 255)], [0, 255, 0, 255]),
        (1, b"\x50\0\0\0", [(255, 255, 255), (0, 0, 0)], [255, 0, 255, 0]),
        (1, b"\x50\0\0\0", [(7, 7, 7), (9, 9, 9)], [7, 9, 7, 9]),
        (2, b"\x1b\0\0\0", GREYS[:4], [0, 1, 2, 3]),
        (4, b"\x01\x23\0\0", GREYS[:16], [0, 1, 2, 3]),  # dark greys, not bytes
        (4, b"\x01\x10\0\0", [(0, 0, 0), (255, 255, 255)], [0, 255, 255, 0]),
        (8, b"\x00\x01\x01\x00", [(0, 0, 0), (255, 255, 255)], [0, 255, 255, 0]),  # two colours, a byte each
        (8, b"\x00\x05\x80\xff", GREYS, [0, 5, 128, 255]),
    ],
)
def test_grey_palettes(bits, body, palette, expected):
    assert load(bmp(4, 1, bits, body, palette=palette)).pixels.ravel().tolist() == expected


def test_runs_of_indices_in_a_grey_palette():
    got = load(bmp(4, 1, 8, b"\3\1\1\0\0\1", compression=1, palette=[(0, 0, 0), (255, 255, 255)]))
    assert got.pixels.ravel().tolist() == [255, 255, 255, 0]
    got = load(bmp(4, 1, 4, b"\4\x12\0\1", compression=2, palette=GREYS[:16]))
    assert got.pixels.ravel().tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("height", [2, -2])
def test_rows_from_the_bottom_or_from_the_top(height):
    got = load(bmp(1, height, 24, bytes([3, 2, 1, 0, 6, 5, 4, 0])))
    expected = [[1, 2, 3], [4, 5, 6]]
    assert got.pixels[:, 0].tolist() == (expected if height < 0 else expected[::-1])


def test_an_index_beyond_the_palette_is_damage():
    with pytest.raises(ImageError, match="damaged: it uses colour 9 of a palette of 4"):
        load(bmp(1, 1, 8, b"\x09\0\0\0", palette=GREYS[:4]))
    with pytest.raises(ImageError, match="got a BMP of 24 bits and compression 4; convert it to PNG first"):
        load(bmp(1, 1, 24, bytes(4), compression=4))


def test_a_header_that_claims_gigabytes_is_refused_before_they_are_taken():
    data = bytearray(bmp(4, 4, 8, bytes(8), compression=1, palette=GREYS))
    struct.pack_into("<I", data, 14, 2**31 - 100)
    with pytest.raises(ImageError, match="BMP header of 2147483548 bytes"):
        load(bytes(data))
