"""TIFF: every way to store a picture that people meet, turned into grey or RGB with straight alpha, or refused."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write

RANDOM = np.random.default_rng(0)
RGB8 = RANDOM.integers(0, 256, (40, 50, 3), dtype=np.uint8)
RGB16 = RANDOM.integers(0, 65536, (40, 50, 3)).astype(np.uint16)


def tiff(pixels, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **{"metadata": None, **options})
    return stream.getvalue()


def load(pixels, **options):
    return read(io.BytesIO(tiff(pixels, **options)))


def patched(data, tag, value):
    """The same little-endian file with another value for a tag whose value lies in its entry."""
    first = struct.unpack_from("<I", data, 4)[0]
    for position in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], 12):
        if struct.unpack_from("<H", data, position)[0] == tag:
            kind = struct.unpack_from("<H", data, position + 2)[0]
            content = bytearray(data)
            struct.pack_into("<H" if kind == 3 else "<I", content, position + 8, value)
            return bytes(content)
    raise AssertionError(f"no tag {tag}")


def described(entries, pixels=b"", order="<"):
    """A TIFF file from (tag, kind, count, value) entries, its pixels at byte 8."""
    entries = sorted(entries)
    body = b"".join(
        struct.pack(order + ("HHIHxx" if kind == 3 and count == 1 else "HHII"), tag, kind, count, value)
        for tag, kind, count, value in entries
    )
    start = 8 + len(pixels) + len(pixels) % 2
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, start)
    return head + pixels.ljust(start - 8, b"\0") + struct.pack(order + "H", len(entries)) + body + bytes(4)


def grey_file(width, height, bits, pixels, photometric=1, order="<"):
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, photometric)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(pixels))]
    return described(entries, pixels, order)


@pytest.mark.parametrize("pixels", [RGB8, RGB16, RGB8[:, :, 0], RGB16[:, :, 0]], ids=["rgb8", "rgb16", "l8", "l16"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize(
    "layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 7}, {"planarconfig": "separate"}, {"byteorder": ">"}]
)
def test_layouts(pixels, compression, layout):
    stored = pixels
    if "planarconfig" in layout:
        if pixels.ndim == 2:
            return
        stored = np.moveaxis(pixels, -1, 0)
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    got = load(stored, photometric=photometric, compression=compression, **layout)
    np.testing.assert_array_equal(got.pixels, pixels.reshape(40, 50, -1))
    assert got.pixels.dtype == pixels.dtype and not got.has_alpha and got.warnings == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("predictor", [False, True])
def test_floats_keep_values_outside_the_scale(dtype, predictor):
    pixels = RANDOM.normal(0, 1000, (20, 30)).astype(dtype)
    pixels[0, :3] = np.nan, np.inf, -np.inf
    got = load(pixels, compression="zlib" if predictor else None, predictor=predictor)
    np.testing.assert_array_equal(got.pixels[:, :, 0], pixels)
    assert got.pixels.dtype == dtype


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("int8", "float32"), ("int16", "float32"), ("float16", "float32"), ("int32", "float64"), ("uint32", "float64")],
)
def test_other_numbers_are_exact(dtype, wanted):
    pixels = np.array([[0, 1, 100]], dtype)
    if dtype != "float16":
        pixels[0, 2] = np.iinfo(dtype).max
    got = load(pixels)
    assert got.pixels.dtype == wanted
    np.testing.assert_array_equal(got.pixels[:, :, 0], pixels)
    is_told = dtype == "float16"
    assert got.warnings == (f"{dtype} values were read as {wanted}, their numbers unchanged",) * is_told
    assert got.numbers == (None if is_told else dtype)


def test_complex_numbers_are_refused():
    with pytest.raises(ImageError, match="got complex64 values, expected uint8"):
        load(np.zeros((2, 2), np.complex64))


@pytest.mark.parametrize(
    ("bits", "pixels", "expected"),
    [(1, b"\xa0", [255, 0, 255]), (2, b"\x1c", [0, 85, 255]), (4, b"\x5f\x00", [85, 255, 0]),
     (12, b"\x00\x0f\xff\x80\x00", [0, 65535, 32776])],
)  # fmt: skip
def test_odd_depths_are_stretched(bits, pixels, expected):
    assert read(io.BytesIO(grey_file(3, 1, bits, pixels))).pixels.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("bits", "pixels", "expected"),
    [(1, b"\xa0", [0, 255, 0]), (8, b"\x00\x10\xff", [255, 239, 0]), (4, b"\x5f\x00", [170, 0, 255])],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_white_is_zero(bits, pixels, expected, order):
    got = read(io.BytesIO(grey_file(3, 1, bits, pixels, photometric=0, order=order)))
    assert got.pixels.ravel().tolist() == expected


def test_white_is_zero_in_16_bits():
    got = load(RGB16[:, :, 0], photometric="miniswhite")
    np.testing.assert_array_equal(got.pixels[:, :, 0], 65535 - RGB16[:, :, 0])


def test_fax():
    before = RANDOM.random((40, 64)) < 0.5
    stream = io.BytesIO()
    Pillow.fromarray(before).save(stream, "TIFF", compression="group4")
    np.testing.assert_array_equal(read(stream_of(stream)).pixels[:, :, 0], before * 255)


def stream_of(stream):
    return io.BytesIO(stream.getvalue())


@pytest.mark.parametrize("factor", [257, 256, 1])
def test_palettes_of_8_bits_in_all_spellings(factor):
    palette = RANDOM.integers(0, 256, (3, 256)).astype(np.uint16)
    indices = RANDOM.integers(0, 256, (9, 8), dtype=np.uint8)
    got = load(indices, photometric="palette", colormap=palette * factor)
    assert got.pixels.dtype == np.uint8
    np.testing.assert_array_equal(got.pixels, palette.T[indices])


def test_palette_of_16_bits():
    palette = RANDOM.integers(0, 65536, (3, 256)).astype(np.uint16)
    indices = RANDOM.integers(0, 256, (9, 8), dtype=np.uint8)
    got = load(indices, photometric="palette", colormap=palette)
    assert got.pixels.dtype == np.uint16
    np.testing.assert_array_equal(got.pixels, palette.T[indices])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_straight_alpha(dtype):
    pixels = (RANDOM.random((5, 6, 4)) * (1 if dtype == "float32" else 255)).astype(dtype)
    got = load(pixels, photometric="rgb", extrasamples=["unassalpha"])
    assert got.has_alpha
    np.testing.assert_array_equal(got.pixels, pixels)


def test_premultiplied_alpha_becomes_straight():
    pixels = np.array([[[100, 50, 0, 200], [0, 0, 0, 0], [9, 9, 9, 255], [7, 0, 0, 1], [5, 5, 5, 0]]], np.uint8)
    got = load(pixels, photometric="rgb", extrasamples=["assocalpha"])
    assert got.has_alpha
    expected = [[128, 64, 0, 200], [0, 0, 0, 0], [9, 9, 9, 255], [255, 0, 0, 1], [0, 0, 0, 0]]
    assert got.pixels[0].tolist() == expected


def test_grey_with_alpha_separate_planes():
    got = load(
        np.moveaxis(RGB8[:, :, :2], -1, 0),
        photometric="minisblack",
        planarconfig="separate",
        extrasamples=["unassalpha"],
    )
    assert got.has_alpha
    np.testing.assert_array_equal(got.pixels, RGB8[:, :, :2])


def test_an_undeclared_channel_is_left_out_with_a_warning():
    got = load(RANDOM.integers(0, 256, (5, 6, 4), dtype=np.uint8), photometric="rgb", extrasamples=["unspecified"])
    assert not got.has_alpha and got.pixels.shape == (5, 6, 3)
    assert got.warnings == ("a TIFF channel that is not declared as alpha was left out",)


def test_many_channels_are_refused():
    with pytest.raises(ImageError, match=r"got a TIFF of 5 channels, expected 1 or, with alpha, 2; .* \.npy"):
        load(np.zeros((5, 6, 5), np.uint8), photometric="minisblack", planarconfig="contig")


def test_jpeg_inside():
    smooth = np.asarray(Pillow.fromarray(RGB8[:4, :4]).resize((64, 48), Pillow.Resampling.BICUBIC))
    stored = io.BytesIO()
    Pillow.fromarray(smooth).save(stored, "TIFF", compression="jpeg", quality=95)
    got = read(stream_of(stored))
    assert np.abs(got.pixels.astype(int) - smooth).mean() < 3
    stream = io.BytesIO()
    write(got, stream)  # decoded pixels are not compressed lossily a second time
    np.testing.assert_array_equal(read(stream_of(stream)).pixels, got.pixels)


def test_cmyk():
    ink = np.full((3, 3, 4), (255, 0, 128, 64), np.uint8)
    got = load(ink, photometric="separated")
    assert got.pixels[0, 0].tolist() == [0, 191, 95]
    assert "no CMYK colour profile" in got.warnings[0]
    with pytest.raises(ImageError, match="got a TIFF of 4 inks in uint16, expected CMYK in uint8"):
        load(ink.astype(np.uint16), photometric="separated")


def test_colour_spaces_without_a_translation_are_refused():
    with pytest.raises(ImageError, match="got a TIFF of CIELAB colours, expected grey, RGB, palette or CMYK"):
        load(RGB8, photometric="cielab")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation):
    got = load(
        RGB8,
        photometric="rgb",
        extratags=[(274, 3, 1, orientation, True)],
        resolution=(300, 200),
        resolutionunit="inch",
    )
    block = Pillow.Exif()
    block[0x0112] = orientation
    stream = io.BytesIO()
    Pillow.fromarray(RGB8).save(stream, "PNG", exif=block)
    np.testing.assert_array_equal(got.pixels, read(stream_of(stream)).pixels)
    assert got.metadata.dpi == ((200, 300) if orientation >= 5 else (300, 200))


def test_resolution_units():
    assert load(RGB8, photometric="rgb", resolution=(100, 50), resolutionunit="centimeter").metadata.dpi == (254, 127)
    assert load(RGB8, photometric="rgb", resolution=(1, 1), resolutionunit="none").metadata.dpi is None


@pytest.mark.parametrize("pixels", [RGB8, RGB16])
def test_metadata_travels(tmp_path, pixels):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = Pillow.Exif()
    block[0x010F] = "maker"
    block[0x8298] = "rights"
    block.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0x829A: 0.01})
    block.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.5)})
    exif = block.tobytes().removeprefix(b"Exif\0\0")
    metadata = Metadata(icc=profile, exif=exif, xmp=b"<x/>", dpi=(300, 150))
    write(Image(pixels, metadata=metadata), tmp_path / "a.tif")
    once = read(tmp_path / "a.tif").metadata
    assert (once.icc, once.xmp, once.dpi) == (profile, b"<x/>", (300, 150))
    write(read(tmp_path / "a.tif"), tmp_path / "b.png")
    for path in (tmp_path / "a.tif", tmp_path / "b.png"):
        with Pillow.open(path) as other:
            kept = other.getexif()
            assert (kept[0x010F], kept[0x8298]) == ("maker", "rights")
            assert kept.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
            assert kept.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)
            assert kept.get_ifd(0x8825)[2] == (1.0, 2.0, 3.5)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.asarray(), pixels)
    write(Image(pixels, metadata=metadata), tmp_path / "c.tif", strip=True)
    bare = read(tmp_path / "c.tif").metadata
    assert (bare.icc, bare.exif, bare.xmp, bare.dpi) == (None, None, None, None)


def test_big_endian_exif_into_tiff(tmp_path):
    exif = b"MM\0*\0\0\0\x08\0\2" + struct.pack(">HHI4s", 0x010F, 2, 4, b"abc\0")
    exif += struct.pack(">HHII", 0x8769, 4, 1, 38) + bytes(4)
    exif += b"\0\1" + struct.pack(">HHII", 0x829A, 5, 1, 56) + bytes(4) + struct.pack(">II", 1, 250)
    write(Image(RGB8, metadata=Metadata(exif=exif)), tmp_path / "a.tif")
    with Pillow.open(tmp_path / "a.tif") as other:
        assert other.getexif()[0x010F] == "abc"
        assert other.getexif().get_ifd(0x8769)[0x829A] == pytest.approx(1 / 250)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits", "zstd"])
def test_compression_is_kept(tmp_path, compression):
    write(Image(RGB8), tmp_path / "a.tif", compression=compression)
    first = read(tmp_path / "a.tif")
    assert first.metadata.tiff_compression == compression
    write(first, tmp_path / "b.tif")
    assert read(tmp_path / "b.tif").metadata.tiff_compression == compression
    with pytest.raises(
        ImageError, match="compression of TIFF: got 'rar', expected one of none lzw deflate packbits zstd"
    ):
        write(first, tmp_path / "c.tif", compression="rar")


def test_bigtiff():
    np.testing.assert_array_equal(load(RGB8, photometric="rgb", bigtiff=True).pixels, RGB8)


def test_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB8[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
        for page in (RGB8, RGB8 // 2, RGB8 // 4):
            file.write(page, photometric="rgb", metadata=None)
    got = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(got.pixels, RGB8)  # the smaller copy in front is not the picture
    assert got.warnings == (
        "multi-page TIFF: only the first of 3 pages was read; filter --axes zyx takes all, yx each",
    )


@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw"}, {"compression": "zlib", "tile": (16, 16)}, {"rowsperstrip": 8}]
)
def test_truncated_anywhere(options, capfd):
    whole = tiff(RGB8, photometric="rgb", **options)
    for length in [*range(4, 300, 7), *range(300, len(whole), 97), len(whole) - 1]:
        with pytest.raises(ImageError, match=r"^<stream>: "):
            read(io.BytesIO(whole[:length]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tag", [256, 257])
def test_size_that_the_pixels_do_not_bear_out(tag, capfd):
    for options in ({}, {"compression": "zlib"}):
        with pytest.raises(ImageError, match=r"^<stream>: ") as caught:
            read(io.BytesIO(patched(tiff(RGB8[:, :, 0], **options), tag, 20_000)))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_size_above_the_limit():
    data = patched(patched(tiff(RGB8[:, :, 0]), 256, 60_000), 257, 60_000)
    with pytest.raises(
        ImageError, match=r"got 60000x60000 = 3600000000 pixels, expected at most 500000000; .*--max-pixels 3600000000"
    ):
        read(io.BytesIO(data))


def test_directories_that_go_round():
    data = bytearray(tiff(RGB8[:, :, 0]))
    first = struct.unpack_from("<I", data, 4)[0]
    struct.pack_into("<I", data, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], first)
    with pytest.raises(ImageError, match="damaged TIFF: its list of pages goes round in a circle"):
        read(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("tag", [258, 259, 262, 273, 277, 278, 279])
@pytest.mark.parametrize("value", [0, 3, 40_000])
def test_nonsense_in_any_tag_is_an_error_or_the_picture(tag, value, capfd):
    try:
        read(io.BytesIO(patched(tiff(RGB8[:, :, 0], rowsperstrip=40), tag, value)))
    except ImageError as error:
        assert str(error).startswith("<stream>: ") and "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_a_piece_never_written():
    with pytest.raises(ImageError, match="incomplete TIFF: a piece of the picture was never written"):
        read(io.BytesIO(patched(tiff(RGB8[:, :, 0], compression="zlib"), 279, 0)))
