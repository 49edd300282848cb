"""WebP, GIF, BMP, PPM and NPY: what real files hold, and what damaged ones are told."""

import io
import pickle
import struct
import warnings

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.errors import ImageError
from convcli.images import Image, Metadata, read, write
from convcli.images.volumes import open_volume

RGB = np.random.default_rng(0).integers(0, 256, (21, 30, 3), dtype=np.uint8)
SMOOTH = np.asarray(Pillow.fromarray(RGB[:4, :4]).resize((60, 44), Pillow.Resampling.BICUBIC))


def load(data):
    return read(io.BytesIO(data))


def saved(picture, format, **options):
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


# WebP


def test_webp_metadata(tmp_path):
    block = Pillow.Exif()
    block[0x0112], block[0x011A], block[0x011B] = 6, 300.0, 200.0
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extra = {"exif": block.tobytes(), "icc_profile": profile, "xmp": b"<x/>"}
    data = saved(Pillow.fromarray(RGB), "WEBP", lossless=True, **extra)
    got = load(data)
    np.testing.assert_array_equal(got.pixels, np.rot90(RGB, -1))
    assert got.metadata.dpi == (200, 300)
    write(got, tmp_path / "a.webp")
    with Pillow.open(tmp_path / "a.webp") as other:
        assert other.getexif()[0x0112] == 1
        assert other.info["icc_profile"] == profile
        assert other.info["xmp"] == b"<x/>"
    write(got, tmp_path / "b.webp", strip=True)
    assert read(tmp_path / "b.webp").metadata == Metadata("WEBP", lossless=True)


def test_webp_animation():
    frames = [Pillow.fromarray(RGB // each) for each in (1, 2, 3)]
    got = load(saved(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(got.pixels[:, :, :3], RGB)
    assert got.warnings == ("animated WebP: only the first of 3 frames was read; filter --axes zyx takes all, yx each",)


def test_webp_canvas_that_no_frame_covers(tmp_path):
    frames = [Pillow.fromarray(RGB // each) for each in (1, 2)]
    whole = bytearray(saved(frames[0], "WEBP", lossless=True, save_all=True, append_images=frames[1:]))
    assert not whole[20] & 0x10  # its frames are called opaque
    opaque = load(bytes(whole))
    assert not opaque.has_alpha
    whole[24] += 4  # the canvas is wider than its frames
    got = load(bytes(whole))
    assert got.pixels.shape == (21, 34, 4) and (got.pixels[:, 30:, 3] == 0).all()
    np.testing.assert_array_equal(got.pixels[:, :30], np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]))
    (tmp_path / "a.webp").write_bytes(whole)
    with open_volume(tmp_path / "a.webp") as volume:
        assert volume.shape == (2, 21, 34, 4) and volume.has_alpha
        assert (volume.planes([1])[0][:, 30:, 3] == 0).all() and (volume.planes([1])[0][:, :30, 3] == 255).all()


def test_webp_keeps_colours_under_zero_alpha(tmp_path):
    pixels = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    write(Image(pixels, True), tmp_path / "a.webp", compression="lossless")
    np.testing.assert_array_equal(read(tmp_path / "a.webp").pixels, pixels)


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"save_all": True, "append_images": [Pillow.fromarray(RGB // 2)]}]
)
def test_webp_truncated_anywhere(options):
    whole = saved(Pillow.fromarray(RGB), "WEBP", **options)
    for length in range(12, len(whole), 3):
        with pytest.raises(ImageError, match=r"^<stream>: truncated WebP"):
            load(whole[:length])
        shortened = whole[:4] + struct.pack("<I", length - 8) + whole[8:length]  # as if it had always been so short
        if length < len(whole) - 8:
            with pytest.raises(ImageError, match=r"^<stream>: (damaged|truncated)"):
                load(shortened)


def test_webp_longest_side(tmp_path):
    with pytest.raises(ImageError, match="got 16384x1 pixels, expected at most 16383 a side in a WEBP; write a PNG"):
        write(Image(np.zeros((1, 16384, 3), np.uint8)), tmp_path / "a.webp")
    with pytest.raises(ImageError, match="compression of WEBP: got 'x', expected one of lossless lossy"):
        write(Image(RGB), tmp_path / "a.webp", compression="x")


def test_webp_header_bomb():
    data = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff" * 6
    with pytest.raises(ImageError, match=r"got 16777216x16777216 = .* --max-pixels"):
        load(data)


# GIF


def palette_picture(transparent=None, **options):
    picture = Pillow.frombytes("P", (4, 2), bytes([0, 1, 2, 3, 3, 2, 1, 0]))
    picture.putpalette([10, 0, 0, 0, 20, 0, 0, 0, 30, 40, 40, 40])
    return saved(picture, "GIF", **({} if transparent is None else {"transparency": transparent}), **options)


COLOURS = np.array([[10, 0, 0], [0, 20, 0], [0, 0, 30], [40, 40, 40]])[[[0, 1, 2, 3], [3, 2, 1, 0]]]


def test_gif_palette():
    got = load(palette_picture())
    np.testing.assert_array_equal(got.pixels, COLOURS)
    assert not got.has_alpha


def test_gif_transparency():
    got = load(palette_picture(transparent=2))
    assert got.has_alpha
    hidden = got.pixels[:, :, 3] == 0
    assert hidden.tolist() == [[False, False, True, False], [False, True, False, False]]
    np.testing.assert_array_equal(got.pixels[~hidden][:, :3], COLOURS[~hidden])


def test_gif_animation():
    frames = [Pillow.fromarray(RGB // each).quantize(64) for each in (1, 2, 3)]
    got = load(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(got.pixels, np.asarray(frames[0].convert("RGB")))
    assert got.warnings == ("animated GIF: only the first of 3 frames was read; filter --axes zyx takes all, yx each",)


def test_gif_first_frame_smaller_than_its_canvas():
    data = bytearray(palette_picture(transparent=0))
    struct.pack_into("<HH", data, 6, 6, 5)
    got = load(bytes(data))
    assert got.pixels.shape == (5, 6, 4)
    np.testing.assert_array_equal(got.pixels[:2, 1:3, :3], COLOURS[:, 1:3])
    assert (got.pixels[2:, :, 3] == 0).all()


def test_gif_many_colours_are_reduced(tmp_path):
    write(Image(SMOOTH), tmp_path / "a.gif")
    assert np.abs(read(tmp_path / "a.gif").pixels.astype(int) - SMOOTH).mean() < 10


def test_gif_truncated_anywhere():
    whole = palette_picture(transparent=1)
    for length in range(6, len(whole)):
        with pytest.raises(ImageError, match=r"^<stream>: (truncated|damaged) "):
            load(whole[:length])


def test_gif_header_bomb():
    data = bytearray(palette_picture())
    struct.pack_into("<HH", data, 6, 65535, 65535)
    with warnings.catch_warnings(), pytest.raises(ImageError, match="got 65535x65535 = 4294836225 pixels"):
        warnings.simplefilter("error")
        load(bytes(data))


# BMP


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_bmp_by_pillow(mode):
    picture = Pillow.fromarray(RGB).convert(mode)
    got = load(saved(picture, "BMP", dpi=(100, 50)))
    wanted = picture.convert("L" if mode in ("1", "L") else "RGB")
    np.testing.assert_array_equal(got.pixels[:, :, :3], np.asarray(wanted).reshape(21, 30, -1))
    assert got.metadata.dpi == pytest.approx((100, 50), abs=0.02)


def test_bmp_alpha_is_understood_by_others(tmp_path):
    cv2 = pytest.importorskip("cv2")
    pixels = np.dstack([RGB, RGB[:, :, 0]])
    write(Image(pixels, True, Metadata(dpi=(300, 150))), tmp_path / "a.bmp")
    with Pillow.open(tmp_path / "a.bmp") as other:
        np.testing.assert_array_equal(np.asarray(other), pixels)
        assert other.info["dpi"] == pytest.approx((300, 150), abs=0.02)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.bmp"), cv2.IMREAD_UNCHANGED)[:, :, [2, 1, 0, 3]], pixels)


def test_bmp_run_lengths_and_top_down():
    header = struct.pack("<IiiHHIIiiII", 40, 3, -2, 1, 24, 0, 24, 0, 0, 0, 0)
    rows = bytes(range(9)) + bytes(3) + bytes(range(10, 19)) + bytes(3)
    got = load(b"BM" + struct.pack("<IHHI", 78, 0, 0, 54) + header + rows)
    assert got.pixels[0, 0].tolist() == [2, 1, 0] and got.pixels[1, 2].tolist() == [18, 17, 16]
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 8, 1, 8, 0, 0, 2, 0)
    data = b"BM" + struct.pack("<IHHI", 70, 0, 0, 62) + header + b"\0\0\0\0\xff\xff\xff\0" + b"\3\1\1\0\0\0\0\1"
    assert load(data).pixels.ravel().tolist() == [255, 255, 255, 0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_truncated_anywhere(mode):
    whole = saved(Pillow.fromarray(RGB).convert(mode), "BMP")
    for length in [*range(2, 60), *range(60, len(whole) - 3, 11), len(whole) - 4]:
        with pytest.raises(ImageError, match=r"^<stream>: "):
            load(whole[:length])  # up to 3 bytes at the very end only fill the last row up


def test_bmp_header_bomb():
    data = bytearray(saved(Pillow.fromarray(RGB), "BMP"))
    struct.pack_into("<ii", data, 18, 60_000, 60_000)
    with warnings.catch_warnings(), pytest.raises(ImageError, match="got 60000x60000 = 3600000000 pixels"):
        warnings.simplefilter("error")
        load(bytes(data))


# PBM, PGM, PPM


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P1\n# comment\n3 2\n1 0 1\n0 1 0\n", [[0, 255, 0], [255, 0, 255]]),
        (b"P1 3 2 101010", [[0, 255, 0], [255, 0, 255]]),
        (b"P4\n3 2\n\xa0\x40", [[0, 255, 0], [255, 0, 255]]),
        (b"P2 2 1 # why not\n255 # here too\n 7 255", [[7, 255]]),
        (b"P2 2 1 65535 258 65535", [[258, 65535]]),
        (b"P5 2 1 255\n\x0a\xff", [[10, 255]]),  # the first pixel looks like white space
        (b"P5 2 1 65535\n\x01\x02\xff\xfe", [[0x0102, 0xFFFE]]),
        (b"P5 2 1 15\n\x05\x0f", [[85, 255]]),
        (b"P5 2 1 1023\n\x00\x01\x03\xff", [[64, 65535]]),
        (b"P5\r\n2 1\r\n255\n\1\2", [[1, 2]]),
    ],
)
def test_grey_netpbm(data, expected):
    got = load(data)
    assert got.pixels[:, :, 0].tolist() == expected
    assert got.metadata.format == "PGM" and got.pixels.dtype.isnative


def test_colour_netpbm():
    assert load(b"P3 2 1 255 1 2 3 4 5 6").pixels.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert load(b"P6 1 1 65535 \1\2\3\4\5\6").pixels.tolist() == [[[0x0102, 0x0304, 0x0506]]]
    several = load(b"P6 1 1 255 \1\2\3P6 1 1 255 \1\2\3")
    assert several.warnings == ("PPM of several pictures: only the first was read",)


@pytest.mark.parametrize("suffix", [".ppm", ".pgm"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_netpbm_is_understood_by_others(tmp_path, suffix, dtype):
    cv2 = pytest.importorskip("cv2")
    channels = 3 if suffix == ".ppm" else 1
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (7, 9, channels)).astype(dtype)
    write(Image(pixels), tmp_path / f"a{suffix}")
    other = cv2.imread(str(tmp_path / f"a{suffix}"), cv2.IMREAD_UNCHANGED).reshape(7, 9, channels)
    np.testing.assert_array_equal(other[:, :, ::-1], pixels)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"P5 2 2 255\n\1\2\3", "truncated PPM: 1 bytes are missing"),
        (b"P6 2 2 255\n", "truncated PPM: 12 bytes are missing"),
        (b"P3 1 1 255 1 2", "truncated PPM: 1 values are missing"),
        (b"P1 2 2 1 0 1", "truncated PPM: 1 values are missing"),
        (b"P5 2", "damaged PPM: its header is incomplete"),
        (b"P5 2 2 0\n\0\0\0\0", "damaged PPM: got a largest value of 0, expected 1 to 65535"),
        (b"P5 0 2 255\n", "damaged header: got a size of 0x2"),
        (b"P5 1 1 15\n\x10", "damaged: it holds the value 16, expected at most 15"),
        (b"P2 1 1 255 -3", "damaged PPM: it holds values outside 0 to 65535"),
        (b"P2 1 1 255 abc", r"damaged or unsupported PGM \(invalid literal"),
        (b"P6 60000 60000 255\n", "got 60000x60000 = 3600000000 pixels"),
    ],
)
def test_damaged_netpbm(data, message):
    with pytest.raises(ImageError, match=r"^<stream>: " + message):
        load(data)


# NPY


def npy(array, **options):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), **options)
    return stream.getvalue()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">u2", "<f4", ">f4", "<f8", ">f8", "|b1", "<i2", ">i4", "<f2", "<i8"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_npy(dtype, order, shape):
    array = np.asarray(np.arange(np.prod(shape)).reshape(shape) % 100, dtype=dtype, order=order)
    got = load(npy(array, version=(2, 0)))
    np.testing.assert_array_equal(got.pixels.reshape(shape), array * 255 if dtype == "|b1" else array)
    assert got.pixels.ndim == 3 and got.pixels.flags.c_contiguous and got.pixels.dtype.isnative
    assert got.pixels.dtype.name in ("uint8", "uint16", "float32", "float64")
    assert not got.has_alpha


def test_npy_of_one_channel_is_written_flat(tmp_path):
    write(Image(np.ones((2, 3, 1), np.float32)), tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").shape == (2, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.zeros(5)), r"got an array of shape \(5,\), expected \(H, W\) or \(H, W, C\)"),
        (npy(np.zeros((1, 2, 3, 4))), "got an array of .* --axes zyx takes volumes, tzyx several"),
        (npy(np.zeros((12, 40, 50))), r"got an array of .*, which may be a volume or 50 channels, .* --axes yxc"),
        (npy(np.zeros((3, 4, 5))), "got an array of .*, which may be a volume or 5 channels"),
        (npy(np.zeros((1, 2, 3, 4, 5))), "got an array of .*; name its axes, as in --axes tzcyx"),
        (npy(np.zeros(())), r"got an array of shape \(\), expected .*; save more than one number"),
        (npy(np.zeros((0, 4))), r"got an array of shape \(0, 4\), expected at least one number along every axis"),
        (npy(np.zeros((3, 4, 0))), r"got an array of shape \(3, 4, 0\), expected at least one number"),
        (npy(np.zeros((2, 2), complex)), "got an array of complex numbers, expected plain numbers"),
        (npy(np.zeros((2, 2), "S3")), "got an array of text, expected plain numbers"),
        (npy(np.zeros((2, 2), [("a", "u1")])), "got an array of .*expected plain numbers"),
        (npy(np.zeros((2, 2)))[:-1], "truncated NPY: 1 bytes are missing"),
        (npy(np.zeros((2, 2)))[:30], "damaged NPY: its header cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(100), r"got NPY version 9\.0"),
        (npy(np.zeros((2, 2), np.uint8)).replace(b"(2, 2)", b"(9**9"), "damaged NPY: its header cannot be read"),
    ],
)
def test_damaged_npy(data, message):
    with pytest.raises(ImageError, match=r"^<stream>: " + message):
        load(data)


def test_a_second_array_in_a_file_is_told():
    image = load(npy(np.ones((2, 2))) + npy(np.zeros((2, 2))))
    assert (image.pixels == 1).all()
    assert image.warnings == ("left out: 160 bytes behind its array",)


class Trap:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_npy_never_unpickles():
    header = npy(np.zeros((1, 1), np.uint8)).replace(b"'|u1'", b"'|O' ")
    with pytest.raises(ImageError, match="got an array of Python objects, expected plain numbers"):
        load(header + pickle.dumps(Trap()))


def test_npy_header_bomb():
    with pytest.raises(ImageError, match="got 60000x60000 = 3600000000 pixels"):
        load(npy(np.broadcast_to(np.uint8(0), (2, 2))).replace(b"(2, 2), }        ", b"(60000, 60000), }"))
