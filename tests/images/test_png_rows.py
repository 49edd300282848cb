"""Rows of a PNG compressed in bands: what every reader makes of them is the picture, however it was cut."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from convcli.images import Image, bands, png, png_rows
from convcli.images.png_rows import Settings

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RUNS = Settings(1, only_runs=True)


@pytest.fixture(autouse=True)
def all_threads():
    yield
    bands.limit_threads(None)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def file_of(pixels, settings, band):
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, (0, 4, 2, 6)[channels - 1], 0, 0, 0)
    contents = png_rows.compress(pixels, settings, band)
    return (
        SIGNATURE + chunk(b"IHDR", header) + b"".join(chunk(b"IDAT", each) for each in contents) + chunk(b"IEND", b"")
    )


def picture(height, width, channels, dtype, kind, seed=0):
    generator = np.random.default_rng(seed)
    if kind == "flat":
        return np.full((height, width, channels), 77, dtype)
    if kind == "tiles":
        return np.tile(generator.integers(0, 4, (3, 5, channels)), (height, width, 1))[:height, :width].astype(dtype)
    return generator.integers(0, np.iinfo(dtype).max + 1, (height, width, channels), dtype)


@given(
    st.integers(1, 40), st.integers(1, 30), st.integers(1, 4), st.sampled_from(["uint8", "uint16"]),
    st.sampled_from(["noise", "tiles", "flat"]), st.sampled_from([RUNS, Settings(0), Settings(1), Settings(4)]),
    st.integers(1, 3000),
)  # fmt: skip
def test_any_bands_make_the_same_picture(height, width, channels, dtype, kind, settings, band):
    pixels = picture(height, width, channels, dtype, kind)
    data = file_of(np.ascontiguousarray(pixels), settings, band)
    got = imagecodecs.png_decode(data)
    np.testing.assert_array_equal(got.reshape(pixels.shape), pixels)
    assert png.decode(data, 10**6).image.pixels.dtype == pixels.dtype
    if dtype == "uint8":
        np.testing.assert_array_equal(np.asarray(Pillow.open(io.BytesIO(data))).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("settings", [RUNS, Settings(6)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_opencv_reads_it(settings, dtype, channels):
    cv2 = pytest.importorskip("cv2")
    pixels = picture(50, 60, channels, dtype, "noise")
    got = cv2.imdecode(np.frombuffer(file_of(pixels, settings, 2000), np.uint8), cv2.IMREAD_UNCHANGED)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    np.testing.assert_array_equal(got.reshape(pixels.shape)[:, :, order], pixels)


@pytest.mark.parametrize("settings", [RUNS, Settings(4)])
def test_the_number_of_threads_does_not_matter(settings):
    pixels = picture(60, 50, 3, "uint8", "tiles")
    files = set()
    for threads in (1, 2, 7):
        bands.limit_threads(threads)
        files.add(file_of(pixels, settings, 1000))
    assert len(files) == 1


@pytest.mark.parametrize("level", [1, 4, 9])
def test_in_one_band_it_is_what_libpng_writes(level):
    pixels = picture(70, 60, 3, "uint8", "tiles")
    theirs = imagecodecs.png_encode(pixels, level=level)
    rows = [
        zlib.decompress(b"".join(png_rows._contents(each)))
        for each in (theirs, file_of(pixels, Settings(level), 10**6))
    ]
    assert rows[0] == rows[1]


def test_rows_of_a_few_bytes():
    """Of these libpng writes more bytes than imagecodecs makes room for: each row's filter has a number."""
    for width, channels in ((1, 1), (4, 1), (1, 4)):
        pixels = picture(20_000, width, channels, "uint8", "noise")
        np.testing.assert_array_equal(png.decode(file_of(pixels, Settings(4), 10**5), 10**6).image.pixels, pixels)


def test_repetitions_are_found_across_bands():
    tile = picture(8, 100, 3, "uint8", "noise")
    pixels = np.tile(tile, (40, 1, 1))
    whole, banded = (len(file_of(pixels, Settings(6), band)) for band in (10**6, tile.nbytes))
    assert whole < banded < 2 * whole < 4 * tile.nbytes  # by themselves they would be 40 tiles


def test_runs_are_looked_for_only_where_some_are():
    """Huffman codes alone beat run lengths on noise; a flat sky must not be spoiled by them."""
    noise, flat = picture(300, 300, 3, "uint8", "noise"), picture(300, 300, 3, "uint8", "flat")
    assert not png_rows._has_runs(noise.reshape(-1).data)
    assert png_rows._has_runs(flat.reshape(-1).data)
    assert png_rows.size_alone(flat, RUNS) < 3000


def test_a_large_picture_has_one_chunk_a_band_and_its_metadata_first():
    pixels = picture(700, 900, 3, "uint8", "noise")
    data = b"".join(png.encode(Image(pixels), band=1 << 18))
    kinds = [kind for kind, _ in png.chunks_in(data)]
    assert kinds == [b"IHDR", *[b"IDAT"] * 8, b"IEND"]
    np.testing.assert_array_equal(png.decode(data, 10**6).image.pixels, pixels)
