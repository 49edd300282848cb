"""TIFF: which page is the picture, masks, and pages that only a second reader decodes."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.errors import ImageError
from convcli.images import read
from convcli.images.volumes import open_volume

SMALL = np.zeros((10, 16, 3), np.uint8)
LARGE = np.arange(40 * 64 * 3, dtype=np.uint32).reshape(40, 64, 3).astype(np.uint8)
SMOOTH = np.asarray(
    Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48))
)


def load(data):
    return read(io.BytesIO(data))


def written(*pages, **options):
    """A file of (pixels, options) pages, one after the other."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, **options) as writer:
        for pixels, words in pages:
            colour = "rgb" if pixels.ndim == 3 else "minisblack"
            writer.write(pixels, **{"photometric": colour, "metadata": None, **words})
    return stream.getvalue()


def described(entries, pieces, order="<"):
    """A classic file of one page from (tag, kind, values), its pieces first; their places are filled in."""
    body, offsets = bytearray(struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0)), []
    for piece in pieces:
        offsets.append(len(body))
        body += piece + bytes(len(piece) % 2)
    entries = sorted([*entries, (273, 4, tuple(offsets)), (279, 4, tuple(len(each) for each in pieces))])
    codes = {3: "H", 4: "I", 5: "I", 7: "B"}
    packed = b""
    for tag, kind, values in entries:
        content = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        count = len(values) // 2 if kind == 5 else len(values)
        if len(content) > 4:
            place, content = len(body), content + bytes(len(content) % 2)
            body += content
            content = struct.pack(order + "I", place)
        packed += struct.pack(order + "HHI", tag, kind, count) + content.ljust(4, b"\0")
    struct.pack_into(order + "I", body, 4, len(body))
    return bytes(body + struct.pack(order + "H", len(entries)) + packed + bytes(4))


def layout(photometric, compression, *, bits=(8, 8, 8), planar=1, rows=16, shape=(48, 64)):
    height, width = shape
    return [
        (256, 4, (width,)), (257, 4, (height,)), (258, 3, bits), (259, 3, (compression,)), (262, 3, (photometric,)),
        (277, 3, (len(bits),)), (278, 4, (rows,)), (284, 3, (planar,)),
    ]  # fmt: skip


# Which page


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_the_picture_is_a_sub_page_of_a_thumbnail(bigtiff, byteorder):
    data = written((SMALL, {"subifds": 1, "subfiletype": 1}), (LARGE, {}), bigtiff=bigtiff, byteorder=byteorder)
    got = load(data)
    np.testing.assert_array_equal(got.pixels, LARGE)
    assert got.warnings == ()


def test_the_second_sub_page_where_the_first_is_a_smaller_copy_too():
    data = written((SMALL, {"subifds": 2, "subfiletype": 1}), (SMALL, {"subfiletype": 1}), (LARGE, {}))
    np.testing.assert_array_equal(load(data).pixels, LARGE)


def test_a_later_page_is_the_picture():
    got = load(written((SMALL, {"subfiletype": 1}), (LARGE, {})))
    np.testing.assert_array_equal(got.pixels, LARGE)
    assert got.warnings == ()


@pytest.mark.parametrize(("tag", "kind", "value"), [(254, 3, 1), (254, 4, 1), (255, 3, 2)])
def test_a_smaller_copy_in_every_spelling(tag, kind, value):
    thumbnail = described([*layout(2, 1, rows=10, shape=SMALL.shape[:2]), (tag, kind, (value,))], [SMALL.tobytes()])
    data = bytearray(thumbnail)
    # The next page: that of a second file, moved behind the first.
    picture = described(layout(1, 1, bits=(8,), rows=2, shape=(2, 3)), [bytes(range(6))])
    first = struct.unpack_from("<I", data, 4)[0]
    link = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    data += bytes(len(data) % 2)
    base, second = len(data), struct.unpack_from("<I", picture, 4)[0]
    struct.pack_into("<I", data, link, base + second)
    moved = bytearray(picture)
    for position in range(second + 2, len(moved) - 4, 12):
        if struct.unpack_from("<H", moved, position)[0] == 273:
            struct.pack_into("<I", moved, position + 8, base + 8)
    got = load(bytes(data + moved))
    assert got.pixels[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]] and got.warnings == ()


def test_of_smaller_copies_alone_the_largest_is_read_with_a_word():
    got = load(written((SMALL, {"subfiletype": 1}), (LARGE, {"subfiletype": 1})))
    np.testing.assert_array_equal(got.pixels, LARGE)
    assert got.warnings == ("TIFF whose pages are all called smaller copies: its largest was read",)


def test_pages_below_a_full_one_are_not_counted():
    got = load(written((LARGE, {"subifds": 1}), (SMALL, {"subfiletype": 1}), (SMALL, {})))
    np.testing.assert_array_equal(got.pixels, LARGE)
    assert got.warnings == (
        "multi-page TIFF: only the first of 2 pages was read; filter --axes zyx takes all, yx each",
    )


def test_what_the_thumbnail_says_is_true_of_its_sub_page():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    words = {"subifds": 1, "subfiletype": 1, "extratags": [(274, 3, 1, 6, True)], "iccprofile": profile}
    got = load(written((SMALL, words), (LARGE, {})))
    np.testing.assert_array_equal(got.pixels, np.rot90(LARGE, -1))
    assert got.metadata.icc == profile


def test_a_volume_of_sub_pages(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(written(*[(SMALL, {"subifds": 1, "subfiletype": 1}), (LARGE, {})] * 2))
    with open_volume(path) as volume:
        assert volume.shape == (2, 40, 64, 3)
        np.testing.assert_array_equal(volume.planes([0, 1]), np.stack([LARGE, LARGE]))


# Masks


def masked(mask, picture=LARGE):
    words = {"subfiletype": 4, "photometric": "mask"}
    return written((picture, {}), (mask, words))


def test_a_transparency_mask_is_alpha():
    seen = np.arange(40 * 64).reshape(40, 64) % 3 > 0
    got = load(masked(seen))
    assert got.has_alpha and got.warnings == ()
    np.testing.assert_array_equal(got.pixels, np.dstack([LARGE, seen * np.uint8(255)]))
    wide = load(masked(seen, LARGE.astype(np.uint16) * 257))
    np.testing.assert_array_equal(wide.pixels[..., 3], seen * np.uint16(65535))


def test_a_mask_that_does_not_fit_is_left_out_with_a_word():
    got = load(masked(np.ones((20, 32), bool)))
    np.testing.assert_array_equal(got.pixels, LARGE)
    assert got.warnings == ("the TIFF's transparency mask was left out: it is of 32x20 pixels",)
    alone = load(written((np.eye(3, dtype=bool), {"subfiletype": 4, "photometric": "mask"})))
    assert alone.pixels[..., 0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_masks_are_no_planes_of_a_volume(tmp_path):
    path = tmp_path / "a.tif"
    mask = (np.ones((40, 64), bool), {"subfiletype": 4, "photometric": "mask"})
    path.write_bytes(written((LARGE, {}), mask, (LARGE, {}), mask))
    with open_volume(path) as volume:
        assert volume.shape == (2, 40, 64, 3)
        assert volume.warnings == ("the TIFF's transparency masks were left out: volumes have no alpha",)


# Alpha


def test_palette_with_alpha_beside_its_indices():
    palette = np.zeros((3, 256), np.uint16)
    palette[:, :2] = [[257, 257 * 4], [257 * 2, 257 * 5], [257 * 3, 257 * 6]]
    entries = [*layout(3, 1, bits=(8, 8), rows=1, shape=(1, 2)), (320, 3, tuple(int(each) for each in palette.ravel()))]
    got = load(described([*entries, (338, 3, (2,))], [bytes([0, 255, 1, 9])]))
    assert got.has_alpha and got.pixels.tolist() == [[[1, 2, 3, 255], [4, 5, 6, 9]]]
    plain = load(described([*entries, (338, 3, (0,))], [bytes([0, 255, 1, 9])]))
    assert not plain.has_alpha and plain.warnings == ("a TIFF channel that is not declared as alpha was left out",)


@pytest.mark.parametrize(("extra", "expected"), [(1, [[155, 100], [255, 0], [205, 255]]),
                                                 (2, [[215, 100], [255, 0], [205, 255]])])  # fmt: skip
def test_white_as_zero_with_alpha(extra, expected):
    data = described([*layout(0, 1, bits=(8, 8), rows=1, shape=(1, 3)), (338, 3, (extra,))],
                     [bytes([40, 100, 0, 0, 50, 255])])  # fmt: skip
    # Premultiplied, 40 of white as zero under alpha 100 is 102 by itself: 153 from black.
    expected = [[153, 100], *expected[1:]] if extra == 1 else expected
    assert load(data).pixels[0].tolist() == expected


# A second reader


def jpeg(pixels):
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def abbreviated(data):
    """The tables of a JPEG stream, and the rest of it."""
    tables, rest, position = b"", b"", 2
    while data[position + 1] != 0xDA:
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if data[position + 1] in (0xDB, 0xC4):
            tables += data[position:end]
        elif data[position + 1] != 0xE0:
            rest += data[position:end]
        position = end
    return b"\xff\xd8" + tables + b"\xff\xd9", b"\xff\xd8" + rest + data[position:]


def planes(pixels):
    return [np.ascontiguousarray(pixels[y : y + 16, :, channel]) for channel in range(3) for y in (0, 16, 32)]


def planar_jpeg(pixels):
    parts = [abbreviated(jpeg(each)) for each in planes(pixels)]
    return described([*layout(2, 7, planar=2), (347, 7, tuple(parts[0][0]))], [rest for _, rest in parts])


def test_planes_in_jpeg_that_share_their_tables():
    got = load(planar_jpeg(SMOOTH))
    assert got.pixels.dtype == np.uint8 and got.pixels.shape == (48, 64, 3)
    assert np.abs(got.pixels.astype(int) - SMOOTH).max() <= 6


def test_the_second_reader_is_for_whole_pages_only():
    whole = planar_jpeg(SMOOTH)
    end = whole.rindex(b"\xff\xd9", 0, whole.rindex(b"\xff\xd8"))  # that of the last piece, before the shared tables
    with pytest.raises(ImageError, match="damaged or unsupported TIFF"):
        load(whole[:end] + b"\x12\x34" + whole[end + 2 :])


def test_a_volume_of_pages_for_the_second_reader(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(planar_jpeg(SMOOTH))
    with open_volume(path) as volume:
        assert np.abs(volume.planes([0])[0].astype(int) - SMOOTH).max() <= 6


def ycbcr(pixels):
    return np.asarray(Pillow.fromarray(pixels).convert("YCbCr"))


@pytest.mark.parametrize("compression", [1, 8, 7])
def test_separate_planes_of_ycbcr(compression):
    pack = {1: np.ndarray.tobytes, 8: lambda each: zlib.compress(each.tobytes()), 7: jpeg}[compression]
    entries = [*layout(6, compression, planar=2), (530, 3, (1, 1))]
    got = load(described(entries, [pack(each) for each in planes(ycbcr(SMOOTH))]))
    assert np.abs(got.pixels.astype(int) - SMOOTH).max() <= (6 if compression == 7 else 3)


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_ycbcr_with_every_fourth_colour(compression, order):
    flat = np.full((48, 64, 3), (200, 100, 50), np.uint8)
    flat[:, 32:] = (20, 60, 220)
    values = ycbcr(flat)
    groups = [
        bytes([*values[y : y + 2, x : x + 2, 0].ravel(), *values[y, x, 1:]])
        for y in range(0, 48, 2)
        for x in range(0, 64, 2)
    ]
    content = b"".join(groups)
    entries = [*layout(6, compression, rows=48), (530, 3, (2, 2))]
    got = load(described(entries, [content if compression == 1 else zlib.compress(content)], order))
    assert np.abs(got.pixels.astype(int) - flat).max() <= 2


def test_ycbcr_of_another_range_and_other_weights():
    reference = (532, 5, (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1))
    weights = (529, 5, (2126, 10000, 7152, 10000, 722, 10000))
    entries = [*layout(6, 1, rows=1, shape=(1, 4)), (530, 3, (1, 1)), reference, weights]
    got = load(described(entries, [bytes([16, 128, 128, 235, 128, 128, 63, 102, 240, 126, 128, 128])]))
    expected = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [128, 128, 128]]
    assert np.abs(got.pixels[0].astype(int) - expected).max() <= 3


def test_compressions_that_only_libtiff_knows():
    thunder = bytes(0xC0 | value for value in range(16))  # each byte one pixel of 4 bits
    got = load(described(layout(1, 32809, bits=(4,), rows=2, shape=(2, 8)), [thunder]))
    assert got.pixels.ravel().tolist() == [17 * value for value in range(16)]
    words = bytes([0b10011000, 0]) * 2  # a run of 8 white pixels a row, each row filled up to 16 bits
    got = load(described(layout(0, 32771, bits=(1,), rows=2, shape=(2, 8)), [words]))
    assert got.pixels.ravel().tolist() == [255] * 16


def test_a_compression_that_nobody_knows_is_named(capfd):
    with pytest.raises(ImageError, match="got a TIFF compressed by NEXT, which no reader here knows"):
        load(described(layout(1, 32766, bits=(2,), rows=1, shape=(1, 4)), [bytes(2)]))
    with pytest.raises(ImageError, match="THUNDERSCAN"):  # 16-bit colour would come back with 8 bits
        load(described(layout(2, 32809, bits=(16, 16, 16), rows=1, shape=(1, 4)), [bytes(24)]))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("tag", "name"), [(257, "ImageLength"), (278, "RowsPerStrip"), (32997, "ImageDepth")])
@pytest.mark.parametrize(
    ("kind", "values", "got"), [(5, (1, 1), "1 value of type 5"), (3, (2, 2), "2 values of type 3")]
)
def test_a_size_that_is_not_one_whole_number(tag, name, kind, values, got):
    """A number times such a value would be a list of as many values."""
    said = [each for each in layout(2, 1, rows=1, shape=SMALL.shape[:2]) if each[0] != tag]
    with pytest.raises(ImageError, match=rf"{name} is {got}, expected one whole number"):
        load(described([*said, (tag, kind, values)], [SMALL.tobytes()]))
