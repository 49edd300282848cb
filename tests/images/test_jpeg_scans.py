"""Compressed pixels of a JPEG: as Pillow would write them, and no pixel different when they are cut into bands."""

import io
import shutil
import subprocess
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import Image, JpegSettings, Metadata, bands, jpeg, jpeg_scans
from convcli.images.jpeg_scans import Settings

OWN = (tuple(range(1, 65)), tuple(range(3, 67)))


@pytest.fixture(autouse=True)
def all_threads():
    yield
    bands.limit_threads(None)


def picture(height, width, channels=3, seed=0):
    y, x, _ = np.mgrid[:height, :width, :channels]
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, channels))
    return ((x * 5 + y * 3) % 190 + noise).astype(np.uint8)


def by_pillow(pixels, **options):
    stream = io.BytesIO()
    Pillow.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [1, 33, 75, 89, 95, 100])
@pytest.mark.parametrize("size", [(1, 1), (17, 50), (64, 33)])
def test_the_same_bytes_as_pillow(subsampling, channels, quality, size):
    pixels = picture(*size, channels)
    options = {"quality": quality} if channels == 1 else {"quality": quality, "subsampling": subsampling}
    assert jpeg_scans.compress(pixels, Settings(None, quality, subsampling)) == by_pillow(pixels, **options)


def test_the_same_bytes_as_pillow_with_all_metadata():
    metadata = Metadata(
        icc=bytes(16) + b"RGB " + bytes(150_000), exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>", dpi=(300, 71.6)
    )
    words = {"icc_profile": metadata.icc, "exif": b"Exif\0\0" + metadata.exif, "xmp": metadata.xmp, "dpi": metadata.dpi}
    settings = JpegSettings((OWN[0], OWN[1], OWN[1]), "4:2:2", progressive=False)
    for pixels, tables in ((picture(40, 50), list(map(list, OWN))), (picture(40, 50, 1), [list(OWN[0])])):
        options = {"subsampling": "4:2:2"} if len(tables) > 1 else {}
        expected = by_pillow(pixels, qtables=tables, **options, **words)
        assert jpeg.encode(Image(pixels, metadata=replace(metadata, jpeg=settings))) == expected
    assert jpeg.encode(Image(pixels, metadata=replace(metadata, dpi=(0.2, 70)))) == by_pillow(
        pixels, quality=95, **{**words, "dpi": (0, 0)}
    )


def test_a_profile_too_long_for_a_jpeg():
    metadata = Metadata(icc=bytes(17_000_000))
    with pytest.raises(
        ImageError, match=r"its colour profile: got 17000000 bytes, expected at most 16707345 .*--strip"
    ):
        jpeg.encode(Image(picture(8, 8), metadata=metadata))


@given(
    st.integers(1, 100), st.integers(1, 70), st.sampled_from([1, 3]), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.sampled_from([(None, 50), (None, 97), (OWN, 0)]), st.integers(1, 2000),
)  # fmt: skip
def test_any_bands_make_the_same_picture(height, width, channels, subsampling, loss, band):
    pixels = picture(height, width, channels)
    tables, quality = loss
    settings = Settings(tables and tables[:channels], quality, subsampling)
    whole = jpeg_scans.compress(pixels, settings)
    banded = jpeg_scans.compress(pixels, settings, band=band, large=1)
    expected = imagecodecs.jpeg8_decode(whole)
    np.testing.assert_array_equal(imagecodecs.jpeg8_decode(banded), expected)
    np.testing.assert_array_equal(np.asarray(Pillow.open(io.BytesIO(banded))), expected)
    once = jpeg.decode(banded, 10**6).image
    np.testing.assert_array_equal(once.pixels.reshape(expected.shape), expected)
    assert once.metadata == jpeg.decode(whole, 10**6).image.metadata


def banded_file(tmp_path, rows=12):
    pixels = picture(16 * rows - 5, 90)
    path = tmp_path / "banded.jpg"
    path.write_bytes(jpeg_scans.compress(pixels, Settings(None, 80, "4:2:0"), band=1, large=1))
    return path, by_pillow(pixels, quality=80)


def test_restart_markers_count_to_seven_and_start_again(tmp_path):
    path, whole = banded_file(tmp_path)
    data = path.read_bytes()
    numbers = [
        data[place + 1] - 0xD0
        for place in range(len(data) - 1)
        if data[place] == 0xFF and 0xD0 <= data[place + 1] < 0xD8
    ]
    assert numbers == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2]
    assert len(data) < len(whole) + 12 * 8


def is_here(program):
    """Whether a program is installed and is what its name says; others are called convert, too."""
    if shutil.which(program) is None:
        return False
    if program != "convert":
        return True
    return "ImageMagick" in subprocess.run([program, "-version"], capture_output=True, text=True).stdout


def test_other_readers_agree(tmp_path):
    """Their own libjpeg, if they are here: OpenCV, and programs that write PPM."""
    path, whole = banded_file(tmp_path)
    (tmp_path / "whole.jpg").write_bytes(whole)
    cv2 = pytest.importorskip("cv2")
    banded, expected = (cv2.imread(str(tmp_path / name)) for name in ("banded.jpg", "whole.jpg"))
    np.testing.assert_array_equal(banded, expected)
    for words in (["gm", "convert"], ["vips", "copy"], ["convert"], ["djpeg", "-pnm", "-outfile"]):
        if not is_here(words[0]):
            continue
        for source in (path, tmp_path / "whole.jpg"):
            target = source.with_suffix(".ppm")
            names = [str(target), str(source)] if words[0] == "djpeg" else [str(source), str(target)]
            done = subprocess.run([*words, *names], capture_output=True, text=True, check=True)
            assert done.stderr == ""
        size = expected.size  # before the pixels vips writes the time
        assert path.with_suffix(".ppm").read_bytes()[-size:] == (tmp_path / "whole.ppm").read_bytes()[-size:]


def test_the_number_of_threads_does_not_matter():
    pixels = picture(200, 100)
    files = set()
    for threads in (1, 2, 5):
        bands.limit_threads(threads)
        for tables in (None, OWN):
            files.add((tables, jpeg_scans.compress(pixels, Settings(tables, 85, "4:2:0"), band=1600, large=1)))
    assert len(files) == 2


def test_only_large_pictures_are_cut():
    settings = Settings(None, 85, "4:2:0")
    assert b"\xff\xdd" not in jpeg_scans.compress(np.zeros((500, 600, 3), np.uint8), settings)
    assert b"\xff\xdd\x00\x04" in jpeg_scans.compress(np.zeros((2100, 2000, 3), np.uint8), settings)


def test_bands_of_one_pixel_in_width_fit_the_count_of_blocks():
    pixels = picture(65_000, 9, 1)
    for band in (1 << 20, 1 << 30):
        data = jpeg_scans.compress(pixels, Settings(None, 50, "4:2:0"), band=band, large=1)
        np.testing.assert_array_equal(
            imagecodecs.jpeg8_decode(data), imagecodecs.jpeg8_decode(by_pillow(pixels, quality=50))
        )


def test_bands_with_tables_of_their_own_are_not_joined():
    files = [by_pillow(picture(16, 40, seed=seed), quality=70, optimize=True) for seed in (1, 2)]
    assert jpeg_scans.join(files, 32, 3) is None
    assert jpeg_scans.join([by_pillow(picture(16, 40), progressive=True)] * 2, 32, 3) is None


@pytest.mark.parametrize("quality", range(1, 101))
def test_libjpegs_own_tables_are_recognised(quality):
    tables = jpeg_scans._tables_at(quality)
    assert jpeg_scans.quality_of(tables, 3) == quality
    assert jpeg_scans.quality_of((*tables, tables[1]), 3) == quality
    assert jpeg_scans.quality_of(tables[:1], 1) == quality
    own = (tables[0], (*tables[1][:-1], 254))
    assert jpeg_scans.quality_of(own, 3) is None and jpeg_scans.quality_of(own, 1) == quality


def test_other_tables_are_not_taken_for_libjpegs():
    for tables in (OWN, ((65535,) * 64,) * 2, ((2,) * 64,) * 2):
        assert jpeg_scans.quality_of(tables, 3) is None
    assert jpeg_scans.quality_of(((1,) * 64,), 3) == 100  # one table for all


@pytest.mark.parametrize("large", [1, 10**9])
def test_noise_at_the_highest_quality(large):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    data = jpeg_scans.compress(noise, Settings(None, 100, "4:4:4"), band=5000, large=large)
    np.testing.assert_array_equal(
        imagecodecs.jpeg8_decode(data),
        np.asarray(Pillow.open(io.BytesIO(by_pillow(noise, quality=100, subsampling=0)))),
    )


def test_pixels_that_may_not_be_written_to():
    pixels = picture(20, 20)
    pixels.flags.writeable = False
    assert jpeg_scans.compress(pixels, Settings(None, 75, "4:2:0")) == by_pillow(pixels, quality=75)
