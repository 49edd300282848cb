"""Broken colour profiles: right pixels, one warning at most, and never written on as if they were right."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.images import Image, Metadata, bmp, gif_blocks, read, strange_profile, write
from convcli.images.jpeg_markers import segment
from convcli.images.png import chunk
from convcli.images.volume_model import VolumeMetadata
from convcli.images.volume_writing import write_volume

RGB = (np.arange(9 * 7 * 3) * 5 % 251).astype(np.uint8).reshape(9, 7, 3)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DAMAGED = ("damaged colour profile",)
TABLE = 132 + 12 * struct.unpack_from(">I", SRGB, 128)[0]
NOISE = np.random.default_rng(1).integers(0, 255, 9000, np.uint8).tobytes()
BROKEN = {
    "cut off": SRGB[:-50],
    "longer than it is": struct.pack(">I", len(SRGB) + 100) + SRGB[4:],
    "shorter than it is": struct.pack(">I", len(SRGB) - 20) + SRGB[4:],
    "of no length": bytes(4) + SRGB[4:],
    "of all lengths": b"\xff\xff\xff\xff" + SRGB[4:],
    "noise": NOISE[:700],
    "one byte": b"x",
    "a header": SRGB[:128],
    "a table of noise": SRGB[:128] + NOISE,
    "values of noise": SRGB[:TABLE] + NOISE,
    "no values": SRGB[:132] + struct.pack(">4sII", b"rXYZ", 0, 0) * ((TABLE - 132) // 12) + SRGB[TABLE:],
    "no tags": SRGB[:128] + bytes(4) + SRGB[132:],
    "a link": SRGB[:12] + b"link" + SRGB[16:],
    "no space to connect": SRGB[:20] + b"ABCD" + SRGB[24:],
    "of version 255": SRGB[:8] + b"\xff" + SRGB[9:],
}


def saved(format, pixels=RGB, **options):
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def holding(format, profile):
    """A file of a format with a profile, whatever that is."""
    if format == "BMP":
        return bmp.encode(Image(RGB, metadata=Metadata(icc=profile)))
    if format == "GIF":
        return gif_blocks.with_metadata(saved("GIF"), Metadata(icc=profile))
    return saved(format, icc_profile=profile, **({"lossless": True} if format == "WEBP" else {}))


def said(data, pixels=None):
    """Names of what a file held that is gone, after its pixels were compared; there is no profile and no warning."""
    image = read(io.BytesIO(data))
    np.testing.assert_array_equal(image.pixels, RGB if pixels is None else pixels)
    assert not image.metadata.icc and image.warnings == ()
    return write(image, io.BytesIO(), format="PNG")


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
def test_a_broken_profile_in_every_format(profile):
    for format in ("PNG", "TIFF", "WEBP", "BMP"):
        assert said(holding(format, profile)) == DAMAGED
    for format in ("JPEG", "GIF"):
        assert said(holding(format, profile), read(io.BytesIO(saved(format))).pixels) == DAMAGED


PIECES = {
    "one missing": [(1, 3), (3, 3)],
    "the first missing": [(2, 3), (3, 3)],
    "numbered from 0": [(0, 1)],
    "more than announced": [(1, 1), (2, 1)],
    "announced differently": [(1, 2), (2, 3)],
}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_pieces_of_a_jpeg(pieces):
    bodies = [b"ICC_PROFILE\0" + bytes(pair) + SRGB for pair in pieces]
    check_segments(bodies)


@pytest.mark.parametrize("body", [b"", b"\1", b"\1\1"])
def test_empty_pieces_of_a_jpeg_are_a_damaged_profile(body):
    check_segments([b"ICC_PROFILE\0" + body])


def check_segments(bodies):
    made = b"".join(segment(0xE2, body) for body in bodies)
    plain = saved("JPEG")
    assert said(plain[:2] + made + plain[2:], read(io.BytesIO(plain)).pixels) == DAMAGED
    stream = io.BytesIO()
    Pillow.fromarray(np.dstack([RGB, RGB[..., 0]]), "CMYK").save(stream, "JPEG")
    image = read(io.BytesIO(stream.getvalue()[:2] + made + stream.getvalue()[2:]))
    (warning,) = image.warnings
    assert warning.startswith("CMYK picture: its colour profile is damaged, so its colours are approximate")
    assert write(image, io.BytesIO(), format="PNG") == ()


def with_profiles(*contents):
    data = saved("PNG")
    return data[:33] + b"".join(b"".join(chunk(b"iCCP", each)) for each in contents) + data[33:]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", NOISE, *(b"n\0\0" + zlib.compress(SRGB)[:end] for end in (0, 4, -30, -1)), b"n\0\0" + NOISE,
     b"n\0\0" + zlib.compress(SRGB)[:-4] + b"abcd", b"n\0\0" + SRGB],
)  # fmt: skip
def test_what_zlib_cannot_unfold(content):
    assert said(with_profiles(content)) == DAMAGED


def test_of_two_profiles_in_a_png_the_first_counts():
    good, bad = b"n\0\0" + zlib.compress(SRGB), b"n\0\0" + NOISE
    assert said(with_profiles(bad, good)) == (*DAMAGED, "a second colour profile")
    image = read(io.BytesIO(with_profiles(good, bad)))
    assert image.metadata.icc == SRGB and image.metadata.lost == ("a second colour profile",)


def test_a_damaged_profile_leaves_the_srgb_chunk_of_a_png():
    data = with_profiles(b"n\0\0" + zlib.compress(NOISE))
    image = read(io.BytesIO(data[:33] + b"".join(chunk(b"sRGB", b"\0")) + data[33:]))
    assert image.metadata.png_colour == ((b"sRGB", b"\0"),) and image.metadata.icc is None


TAGS = [
    (2, 0, "hello"), (3, 1, 7), (3, 5, (1, 2, 3, 400, 500)), (4, 1, 700_000_000), (6, 4, (-1, -2, 3, 4)),
    (5, 1, (1, 2)), (11, 2, (1.5, 2.5)), (12, 1, 3.5), (9, 1, -5), (7, 1, b"\5"), (3, 600, tuple(range(600))),
]  # fmt: skip


@pytest.mark.parametrize("tag", TAGS, ids=str)
def test_a_tag_that_is_no_profile(tag):
    assert said(tiff((34675, *tag, True))) == DAMAGED


def tiff(*tags, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, RGB, photometric="rgb", metadata=None, software=False, extratags=tags, **options)
    return stream.getvalue()


@pytest.mark.parametrize("code", [34675, 305])
@pytest.mark.parametrize(
    ("type", "count", "offset"),
    [(7, 588, 0x7FFFFFFF), (7, 588, 0), (7, 0x7FFFFFFF, None), (7, 9999, None), (0, 588, None), (99, 588, None)],
)
def test_a_tag_whose_value_cannot_be_read(code, type, count, offset):
    data = bytearray(tiff((code, 7, len(SRGB), SRGB, True)))
    place = data.index(struct.pack("<HHI", code, 7, len(SRGB)))
    struct.pack_into("<HI", data, place + 2, type, count)
    if offset is not None:
        struct.pack_into("<I", data, place + 8, offset)
    assert said(bytes(data)) == (DAMAGED if code == 34675 else ("damaged Software",))


def test_a_profile_of_texts_type_is_kept():
    data = bytearray(tiff(iccprofile=SRGB))
    place = data.index(struct.pack("<HHI", 34675, 7, len(SRGB)))
    struct.pack_into("<H", data, place + 2, 2)
    image = read(io.BytesIO(bytes(data)))
    assert image.metadata.icc == SRGB and image.warnings == ()


@pytest.mark.parametrize(
    ("space", "name"), [(b"CMYK", "CMYK"), (b"Lab ", "Lab"), (b"GRAY", "grey"), (b"\1\2\3\4", "other colours")]
)
def test_a_profile_of_other_colours_is_called_by_its_name(space, name):
    profile = SRGB[:16] + space + SRGB[20:]
    image = read(io.BytesIO(holding("PNG", profile)))
    assert image.metadata.icc == profile and strange_profile(image) == name
    for format in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        stream = io.BytesIO()
        write(image, stream, format=format)
        assert read(io.BytesIO(stream.getvalue())).metadata.icc is None


def test_volumes_name_a_profile_of_other_colours(tmp_path):
    planes = np.stack([RGB[..., :1]] * 3)
    metadata = VolumeMetadata("TIFF", icc=SRGB[:16] + b"CMYK" + SRGB[20:])
    names = write_volume(iter(planes), tmp_path / "b.tif", planes.shape, planes.dtype, metadata, format="TIFF")
    assert names == ("colour profile for CMYK",)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert 34675 not in file.pages[0].tags
