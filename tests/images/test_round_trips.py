"""Every lossless format gives back the bits it was given, for each pixel type and channel count it holds."""

import io

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import READABLE_SUFFIXES, WRITABLE_SUFFIXES, Image, format_of, holds, read, write
from convcli.images.formats import BY_NAME

DTYPES = ("uint8", "uint16", "float32", "float64")


def picture(dtype, channels, height=13, width=17):
    random = np.random.default_rng(channels)
    if np.dtype(dtype).kind == "u":
        pixels = random.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
    else:
        pixels = random.random((height, width, channels)).astype(dtype)
    return Image(pixels, has_alpha=channels in (2, 4))


def cases():
    for suffix in (".png", ".tif", ".bmp", ".ppm", ".pgm", ".npy", ".qoi", ".jp2", ".jxl", ".tga"):
        for dtype in DTYPES:
            for channels in (1, 2, 3, 4):
                if holds(format_of("x" + suffix), dtype, channels, channels in (2, 4)) is None:
                    yield suffix, dtype, channels


@pytest.mark.parametrize(("suffix", "dtype", "channels"), list(cases()))
def test_lossless(tmp_path, suffix, dtype, channels):
    path = tmp_path / f"picture{suffix}"
    before = picture(dtype, channels)
    write(before, path)
    after = read(path)
    expected = before.pixels
    if suffix == ".bmp" and channels == 2:  # BMP knows alpha only beside colour
        expected = expected[:, :, [0, 0, 0, 1]]
    if suffix == ".qoi" and channels <= 2:  # and QOI nothing but colour
        expected = expected[:, :, [0, 0, 0, 1][: channels + 2]]
    assert after.pixels.dtype == np.dtype(dtype)
    assert after.pixels.flags.c_contiguous and after.pixels.dtype.isnative
    np.testing.assert_array_equal(after.pixels, expected)
    assert after.has_alpha == (before.has_alpha and suffix != ".npy")
    assert after.warnings == ()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (300, 5)])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".npy", ".qoi", ".jp2", ".jxl", ".tga"])
def test_extreme_sizes(tmp_path, suffix, shape):
    before = picture("uint8", 3, *shape)
    write(before, tmp_path / f"picture{suffix}")
    np.testing.assert_array_equal(read(tmp_path / f"picture{suffix}").pixels, before.pixels)


@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_webp(tmp_path, channels):
    before = picture("uint8", channels)
    write(before, tmp_path / "a.webp", compression="lossless")
    once = read(tmp_path / "a.webp")
    np.testing.assert_array_equal(once.pixels, before.pixels)
    assert once.metadata.lossless
    write(once, tmp_path / "b.webp")  # lossless in, lossless out
    np.testing.assert_array_equal(read(tmp_path / "b.webp").pixels, before.pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossy_webp_stays_lossy_and_close(tmp_path, channels):
    ramp = np.linspace(0, 255, 64 * 64).reshape(64, 64, 1).astype(np.uint8)
    alpha = channels in (2, 4)
    pixels = np.repeat(ramp, channels, axis=2)
    write(Image(pixels, alpha), tmp_path / "a.webp")
    after = read(tmp_path / "a.webp")
    assert after.metadata.lossless is False
    assert after.pixels.shape == (64, 64, 4 if alpha else 3)
    if alpha:
        np.testing.assert_array_equal(after.pixels[:, :, 3:], ramp)
    else:
        assert np.abs(after.pixels.astype(int) - ramp).mean() < 2


def test_gif_of_few_colours_is_exact(tmp_path):
    palette = np.random.default_rng(0).integers(0, 256, (200, 3), dtype=np.uint8)
    indices = np.random.default_rng(1).integers(0, 200, (20, 30))
    before = palette[indices]
    write(Image(before), tmp_path / "a.gif")
    np.testing.assert_array_equal(read(tmp_path / "a.gif").pixels, before)


def test_gif_of_grey_is_exact_and_grey(tmp_path):
    before = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    write(Image(before), tmp_path / "a.gif")
    after = read(tmp_path / "a.gif")
    np.testing.assert_array_equal(after.pixels, before)


@pytest.mark.parametrize("channels", [2, 4])
def test_gif_keeps_alpha_as_on_or_off(tmp_path, channels):
    before = picture("uint8", channels, 40, 40)
    write(before, tmp_path / "a.gif")
    after = read(tmp_path / "a.gif")
    assert after.has_alpha
    np.testing.assert_array_equal(after.pixels[:, :, -1], np.where(before.pixels[:, :, -1] < 128, 0, 255))


@pytest.mark.parametrize("opacity", [0, 255])
def test_gif_all_hidden_or_all_visible(tmp_path, opacity):
    pixels = np.full((4, 5, 4), 7, np.uint8)
    pixels[:, :, 3] = opacity
    write(Image(pixels, True), tmp_path / "a.gif")
    after = read(tmp_path / "a.gif")
    if opacity:
        np.testing.assert_array_equal(after.pixels[:, :, 0], 7)
        assert not after.has_alpha
    else:
        assert (after.pixels[:, :, -1] == 0).all()


def test_streams():
    before = picture("uint16", 3)
    stream = io.BytesIO()
    write(before, stream, format="png")
    np.testing.assert_array_equal(read(io.BytesIO(stream.getvalue())).pixels, before.pixels)

    class Pipe(io.RawIOBase):
        """Standard input as a pipe: it can be read once and not be rewound."""

        def __init__(self, content):
            self.content = io.BytesIO(content)

        def readable(self):
            return True

        def readinto(self, buffer):
            return self.content.readinto(buffer)

        def seekable(self):
            return False

    np.testing.assert_array_equal(read(Pipe(stream.getvalue())).pixels, before.pixels)


def test_stream_without_a_format():
    with pytest.raises(ImageError, match="name it with --format png"):
        write(picture("uint8", 3), io.BytesIO())


def test_content_decides_not_the_suffix(tmp_path):
    write(picture("uint8", 3), tmp_path / "really.jpg")
    (tmp_path / "called.png").write_bytes((tmp_path / "really.jpg").read_bytes())
    assert read(tmp_path / "called.png").metadata.format == "JPEG"


def test_format_of():
    assert format_of("a/b.TIF") == "TIFF"
    assert {format_of("x" + suffix) for suffix in WRITABLE_SUFFIXES} == {
        "PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "PGM", "NPY", "QOI", "JP2", "JXL", "AVIF", "TGA", "NPZ",
        "NIFTI", "HEIC",
    }  # fmt: skip
    assert set(READABLE_SUFFIXES) - set(WRITABLE_SUFFIXES) == {
        ".pbm", ".pam", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf", ".avifs", ".hif", *BY_NAME["RAW"].read_only_suffixes,
    }  # fmt: skip
    for name, got in (("a.xyz", "'.xyz'"), ("a", "no suffix"), ("a.pbm", "'.pbm'")):
        with pytest.raises(ImageError, match=rf"{name}: got .*{got}.*expected one of \.png \.jpg"):
            format_of(name)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("JPEG", "uint16", 3, False), "JPEG holds 8-bit pixels, not uint16"),
        (("JPEG", "uint8", 4, True), "JPEG holds no alpha channel"),
        (("PNG", "float32", 3, False), "PNG holds 8- and 16-bit pixels, not float32"),
        (
            ("PNG", "uint8", 5, False),
            "grey, grey with alpha, RGB, RGB with alpha, not 5 channels",
        ),
        (("PNG", "uint8", 4, False), "not 4 channels without alpha"),
        (("PGM", "uint8", 3, False), "PGM holds grey, not 3 channels"),
        (("PPM", "uint8", 4, True), "PPM holds no alpha"),
        (("GIF", "uint16", 1, False), "GIF holds 8-bit"),
        (("TIFF", "complex64", 1, False), "TIFF is written from integers, truth values, float32 or float64, not from"),
        (("PNG", "int16", 1, False), "PNG holds 8- and 16-bit pixels, not int16"),
        (("TIFF", "bool", 3, False), "TIFF holds truth values of one channel, not of 3"),
    ],
)
def test_holds_says_why_not(asked, reason):
    assert reason in holds(*asked)


def test_holds():
    assert holds("NPY", "float64", 17, False) is None
    assert holds("tif", np.float32, 4, True) is None
    with pytest.raises(ImageError, match="format: got 'bogus', expected one of png jpeg"):
        holds("bogus", "uint8", 3, False)
