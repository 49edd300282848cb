"""PNG: every kind the standard has, its chunks, and every way to be damaged."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth, colour, rows, extra=(), after=()):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*each) for each in extra)]
    parts.append(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))))
    return SIGNATURE + b"".join(parts) + b"".join(chunk(*each) for each in after) + chunk(b"IEND", b"")


PALETTE = (b"PLTE", bytes(range(12)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(8, 1, 1, 0, [b"\xa5"]), [[[255], [0], [255], [0], [0], [255], [0], [255]]]),
        (png(4, 1, 2, 0, [b"\x1b"]), [[[0], [85], [170], [255]]]),
        (png(2, 1, 4, 0, [b"\x5f"]), [[[85], [255]]]),
        (png(2, 1, 16, 0, [b"\x01\x02\xff\xfe"]), [[[0x0102], [0xFFFE]]]),
        (png(1, 1, 16, 4, [b"\1\2\3\4"]), [[[0x0102, 0x0304]]]),
        (png(1, 2, 8, 4, [b"\1\2", b"\3\4"]), [[[1, 2]], [[3, 4]]]),
        (png(1, 1, 16, 6, [bytes(range(8))]), [[[0x0001, 0x0203, 0x0405, 0x0607]]]),
        (png(4, 1, 2, 3, [b"\x1b"], [PALETTE]), [[[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]]),
        (
            png(3, 1, 2, 3, [b"\x18"], [PALETTE, (b"tRNS", b"\x10\x80")]),
            [[[0, 1, 2, 16], [3, 4, 5, 128], [6, 7, 8, 255]]],
        ),
        (png(2, 1, 4, 0, [b"\x5f"], [(b"tRNS", b"\0\5")]), [[[85, 0], [255, 255]]]),
        (png(2, 1, 8, 2, [b"\1\2\3\4\5\6"], [(b"tRNS", b"\0\1\0\2\0\3")]), [[[1, 2, 3, 0], [4, 5, 6, 255]]]),
        (png(2, 1, 16, 0, [b"\1\2\3\4"], [(b"tRNS", b"\1\2")]), [[[0x0102, 0], [0x0304, 65535]]]),
    ],
)
def test_kinds(data, expected):
    got = read(io.BytesIO(data))
    np.testing.assert_array_equal(got.pixels, expected)
    assert got.has_alpha == (got.pixels.shape[2] in (2, 4))


def test_interlaced():
    before = np.random.default_rng(0).integers(0, 256, (19, 21, 3), dtype=np.uint8)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in before[y::dy, x::dx])
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 21, 19, 8, 2, 0, 0, 1))
    data += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    after = read(io.BytesIO(data))
    np.testing.assert_array_equal(after.pixels, before)
    assert after.warnings == ()  # libpng has one for programmers


def test_other_readers_agree(tmp_path):
    cv2 = pytest.importorskip("cv2")
    before = np.random.default_rng(0).integers(0, 65536, (300, 400, 3)).astype(np.uint16)
    metadata = Metadata(icc=Pillow_icc(), dpi=(300, 150), exif=exif_block())
    write(Image(before, metadata=metadata), tmp_path / "a.png")
    after = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(after[:, :, ::-1], before)
    with Pillow.open(tmp_path / "a.png") as other:
        assert other.info["icc_profile"] == metadata.icc
        assert other.info["dpi"] == pytest.approx((300, 150), abs=0.02)
        assert other.getexif()[0x010F] == "maker"


def Pillow_icc():  # noqa: N802
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block():
    block = Pillow.Exif()
    block[0x010F] = "maker"
    return block.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_metadata_travels(tmp_path, dtype):
    colour = ((b"gAMA", struct.pack(">I", 45455)), (b"cHRM", bytes(32)))
    xmp = b'<x tiff:Orientation="1">caf\xc3\xa9</x>'
    metadata = Metadata("PNG", icc=Pillow_icc(), exif=exif_block(), xmp=xmp, dpi=(300, 150), png_colour=colour)
    pixels = np.zeros((4, 5, 4), dtype)
    write(Image(pixels, True, metadata), tmp_path / "a.png")
    once = read(tmp_path / "a.png")
    assert (once.metadata.icc, once.metadata.exif, once.metadata.xmp) == (metadata.icc, metadata.exif, xmp)
    assert once.metadata.png_colour == colour
    assert once.metadata.dpi == pytest.approx((300, 150), abs=0.02)
    write(once, tmp_path / "b.png", strip=True)
    assert read(tmp_path / "b.png").metadata == Metadata("PNG")


def test_srgb_chunk_and_profile_never_together(tmp_path):
    srgb, profile = (b"sRGB", b"\0"), (b"iCCP", b"x\0\0" + zlib.compress(Pillow_icc()))
    (tmp_path / "a.png").write_bytes(png(1, 1, 8, 2, [b"\1\2\3"], [srgb, profile]))
    write(read(tmp_path / "a.png"), tmp_path / "b.png")
    content = (tmp_path / "b.png").read_bytes()
    assert b"iCCP" in content and b"sRGB" not in content


def test_a_profile_that_does_not_fit_the_pixels_is_left_out(tmp_path):
    write(Image(np.zeros((2, 2, 1), np.uint8), metadata=Metadata(icc=Pillow_icc())), tmp_path / "grey.png")
    assert read(tmp_path / "grey.png").metadata.icc is None


def test_odd_chunks_do_not_matter():
    odd = [(b"sBIT", b"\5\5\5"), (b"tEXt", b"a\0b"), (b"zzZz", b""), (b"pHYs", b"bad"), (b"eXIf", b"bad")]
    odd += [(b"iCCP", b"x"), (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0notzlib"), (b"acTL", b"1")]
    got = read(io.BytesIO(png(1, 1, 8, 2, [b"\1\2\3"], odd, after=[(b"tIME", b"1234567")])))
    assert got.pixels.tolist() == [[[1, 2, 3]]]
    assert {each.code for each in got.metadata.own} == {b"sBIT", b"tIME", b"zzZz"}
    assert got.metadata.texts == (("a", "b"),)
    damaged = ("pHYs", "damaged colour profile", "damaged text XML:com.adobe.xmp", "unreadable EXIF")
    assert got.metadata == Metadata("PNG", texts=(("a", "b"),), own=got.metadata.own, lost=damaged)


def test_a_profile_that_unfolds_without_end_is_left_out():
    bomb = (b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 27)))
    assert read(io.BytesIO(png(1, 1, 8, 2, [b"\1\2\3"], [bomb]))).metadata.icc is None


def test_animation_warns():
    data = png(1, 1, 8, 2, [b"\1\2\3"], [(b"acTL", struct.pack(">II", 12, 0))])
    told = "animated PNG: only its default picture was read, not its 12 frames; filter --axes zyx takes all, yx each"
    assert read(io.BytesIO(data)).warnings == (told,)


def test_bytes_after_the_end_do_not_matter():
    assert read(io.BytesIO(png(1, 1, 8, 2, [b"\1\2\3"]) + b"rest")).pixels.shape == (1, 1, 3)


def test_truncated_anywhere():
    whole = png(5, 5, 8, 2, [bytes(range(15))] * 5)
    for length in range(16, len(whole)):
        with pytest.raises(ImageError, match=r"^<stream>: truncated PNG: .*get a fresh copy$"):
            read(io.BytesIO(whole[:length]))


def test_any_flipped_bit_is_found():
    whole = png(5, 5, 8, 2, [bytes(range(15))] * 5)
    for position in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x04
        with pytest.raises(ImageError, match=r"^<stream>: "):
            read(io.BytesIO(damaged))


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE + chunk(b"IEND", b""),
        SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b""),
        png(4, 4, 8, 0, [b"\1\2\3\4"]),  # three rows missing, checksums right
        png(4, 1, 8, 3, [b"\0\0\0\0"]),  # a palette picture without palette
        png(4, 1, 8, 3, [b"\0\1\4\0"], [PALETTE]),  # of four colours
        png(4, 1, 2, 3, [b"\x1b"], [(b"PLTE", bytes(9))]),
        png(1, 1, 7, 0, [b"\1"]),
        png(1, 1, 8, 5, [b"\1"]),
    ],
)
def test_well_formed_but_wrong(data, capfd):
    with pytest.raises(ImageError, match=r"^<stream>: damaged") as caught:
        read(io.BytesIO(data))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["noise", "repeating", "small"])
def test_settings_chosen_by_content(tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    if kind == "repeating":
        pixels = np.tile(pixels[:20, :20], (30, 35, 1))
    if kind == "small":
        pixels = pixels[:20]
    write(Image(pixels), tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, pixels)
    if kind == "repeating":
        assert (tmp_path / "a.png").stat().st_size < 60_000  # run lengths alone would need 1.2 MB
    write(Image(pixels), tmp_path / "b.png", compression="9")
    np.testing.assert_array_equal(read(tmp_path / "b.png").pixels, pixels)
    with pytest.raises(ImageError, match="compression of PNG: got '11', expected one of 0 1 2"):
        write(Image(pixels), tmp_path / "c.png", compression="11")
