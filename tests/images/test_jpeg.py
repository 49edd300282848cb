"""JPEG: quality kept, colour spaces right, metadata kept, truncation found."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, JpegImagePlugin

from convcli.errors import ImageError
from convcli.images import Image, JpegSettings, Metadata, read, write


def photograph(height=96, width=128):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 4 % 256, y * 5 % 256, (x + y) * 2 % 256], axis=2).astype(np.uint8)


def jpeg(pixels=None, mode=None, **options):
    stream = io.BytesIO()
    picture = Pillow.fromarray(photograph() if pixels is None else pixels)
    (picture.convert(mode) if mode else picture).save(stream, "JPEG", **options)
    return stream.getvalue()


def rewrite(data, **options):
    stream = io.BytesIO()
    write(read(io.BytesIO(data)), stream, **options)
    return Pillow.open(io.BytesIO(stream.getvalue()))


def orient(value, **tags):
    block = Pillow.Exif()
    block[0x0112] = value
    for tag, content in tags.items():
        block[int(tag[1:], 16)] = content
    return block


@pytest.mark.parametrize("quality", [1, 10, 50, 75, 92, 95, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_tables_subsampling_and_progression_are_kept(quality, subsampling, progressive):
    data = jpeg(quality=quality, subsampling=subsampling, progressive=progressive)
    before, after = Pillow.open(io.BytesIO(data)), rewrite(data)
    assert after.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)
    assert bool(after.info.get("progressive")) == progressive


def test_grey_keeps_its_table():
    data = jpeg(mode="L", quality=83)
    after = rewrite(data)
    assert after.mode == "L"
    assert after.quantization == Pillow.open(io.BytesIO(data)).quantization


def test_colour_in_grey_out():
    image = read(io.BytesIO(jpeg(quality=83)))
    stream = io.BytesIO()
    write(Image(image.pixels[:, :, :1].copy(), metadata=image.metadata), stream)
    after = Pillow.open(stream)
    assert after.mode == "L"
    assert after.quantization[0] == Pillow.open(io.BytesIO(jpeg(quality=83))).quantization[0]


def test_grey_in_colour_out():
    image = read(io.BytesIO(jpeg(mode="L", quality=83)))
    stream = io.BytesIO()
    write(Image(np.repeat(image.pixels, 3, axis=2), metadata=image.metadata), stream)
    after = Pillow.open(stream)
    assert set(map(tuple, after.quantization.values())) == set(image.metadata.jpeg.tables)
    assert JpegImagePlugin.get_sampling(after) == 0


def test_quality_asked_for_wins():
    after = rewrite(jpeg(quality=92, subsampling="4:2:2"), quality=50)
    assert after.quantization == Pillow.open(io.BytesIO(jpeg(quality=50))).quantization
    assert JpegImagePlugin.get_sampling(after) == 1
    with pytest.raises(ImageError, match="quality: got 0, expected 1 to 100"):
        rewrite(jpeg(), quality=0)


@pytest.mark.parametrize(("quality", "written", "sampling"), [(None, 95, 0), (90, 90, 0), (80, 80, 2)])
def test_without_a_jpeg_before(quality, written, sampling):
    stream = io.BytesIO()
    write(Image(photograph()), stream, format="jpg", quality=quality)
    after = Pillow.open(stream)
    assert after.quantization == Pillow.open(io.BytesIO(jpeg(quality=written))).quantization
    assert JpegImagePlugin.get_sampling(after) == sampling


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation):
    data = jpeg(exif=orient(orientation, x011A=300.0, x011B=200.0, x0128=2), quality=90)
    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))))
    image = read(io.BytesIO(data))
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.pixels.flags.c_contiguous
    upright = (200, 300) if orientation >= 5 else (300, 200)
    assert image.metadata.dpi == upright
    after = rewrite(data)
    assert after.getexif()[0x0112] == 1
    assert after.size == (image.pixels.shape[1], image.pixels.shape[0])
    assert (after.getexif()[0x011A], after.getexif()[0x011B]) == upright


@pytest.mark.parametrize("orientation", [0, 9, 200])
def test_orientations_that_do_not_exist_change_nothing(orientation):
    data = jpeg(exif=orient(orientation))
    np.testing.assert_array_equal(read(io.BytesIO(data)).pixels, np.asarray(Pillow.open(io.BytesIO(data))))


def test_big_endian_exif():
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    image = read(io.BytesIO(jpeg(exif=block)))
    assert image.pixels.shape == (128, 96, 3)
    assert image.metadata.exif == block[6:].replace(b"\x01\0\x06", b"\x01\0\x01")


def test_exif_is_patched_not_rebuilt():
    """A maker's note keeps its place; width and height follow the pixels; the thumbnail goes."""
    block = orient(6, x010F="maker")
    block.get_ifd(0x8769).update({0xA002: 128, 0xA003: 96, 0x927C: b"NOTE" * 50})
    data = jpeg(exif=block)
    place = block.tobytes().index(b"NOTENOTE")
    after = rewrite(data)
    assert after.info["exif"].index(b"NOTENOTE") == place
    nested = after.getexif().get_ifd(0x8769)
    assert (nested[0xA002], nested[0xA003]) == (96, 128)


def test_thumbnail_goes():
    thumbnail = jpeg(photograph(8, 8))
    block = bytearray(b"II*\0\x08\0\0\0")
    block += b"\1\0" + b"\x12\1\3\0\1\0\0\0\1\0\0\0" + (26).to_bytes(4, "little")
    block += b"\2\0" + b"\1\2\4\0\1\0\0\0" + (56).to_bytes(4, "little")
    block += b"\2\2\4\0\1\0\0\0" + len(thumbnail).to_bytes(4, "little") + bytes(4)
    assert len(block) == 56
    for rest in (b"", b"more that follows"):
        data = jpeg(exif=b"Exif\0\0" + bytes(block) + thumbnail + rest)
        kept = read(io.BytesIO(data)).metadata.exif
        assert thumbnail[:20] not in kept and kept.endswith(rest)
        assert not Pillow.open(io.BytesIO(data)).getexif().get_ifd(0x8769)


def test_damaged_exif_is_dropped_quietly(capfd):
    far, long = b"II*\0\xff\xff\xff\xff" + bytes(9), b"MM\0*\0\0\0\x08\xff\xff" + bytes(20)
    for block in (b"II", far, long, b"garbage garbage garbage"):
        image = read(io.BytesIO(jpeg(exif=b"Exif\0\0" + block)))
        assert image.metadata.exif is None
    assert capfd.readouterr() == ("", "")


def test_profile_larger_than_one_marker_and_xmp():
    profile = (200_000).to_bytes(4, "big")
    profile += ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[4:].ljust(199_996, b"x")
    xmp = b'<rdf tiff:Orientation="6"/>'
    image = read(io.BytesIO(jpeg(icc_profile=profile, xmp=xmp, dpi=(72, 36))))
    assert image.metadata.icc == profile
    assert image.metadata.xmp == b'<rdf tiff:Orientation="1"/>'
    assert image.metadata.dpi == (36, 72)  # it is turned: the XMP alone speaks of orientation
    after = rewrite(jpeg(icc_profile=profile, xmp=xmp, dpi=(72, 36)))
    assert after.info["icc_profile"] == profile
    assert after.info["xmp"] == b'<rdf tiff:Orientation="1"/>'
    assert after.info["dpi"] == (36, 72)
    bare = rewrite(jpeg(icc_profile=profile, xmp=xmp, dpi=(72, 36), exif=orient(6), quality=92), strip=True)
    assert not {"icc_profile", "xmp", "exif", "dpi"} & set(bare.info)
    assert bare.quantization == Pillow.open(io.BytesIO(jpeg(quality=92))).quantization


def test_exif_too_long_for_a_jpeg(tmp_path):
    image = Image(photograph(), metadata=Metadata(exif=b"II*\0\x08\0\0\0" + bytes(70_000)))
    with pytest.raises(ImageError, match=r"its EXIF block: got 70008 bytes, expected at most 65527 .*--strip"):
        write(image, tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())
    write(image, tmp_path / "a.jpg", strip=True)


def test_rgb_jpeg_is_not_taken_for_ycbcr():
    flat = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    image = read(io.BytesIO(jpeg(flat, quality=100, keep_rgb=True)))
    assert np.abs(image.pixels.astype(int) - flat).max() <= 1


def test_cmyk_without_profile():
    ink = np.full((16, 16, 4), (255, 0, 128, 64), np.uint8)
    stream = io.BytesIO()
    Pillow.frombytes("CMYK", (16, 16), ink.tobytes()).save(stream, "JPEG", quality=100)
    image = read(io.BytesIO(stream.getvalue()))
    assert np.abs(image.pixels[8, 8].astype(int) - (0, 191, 95)).max() <= 2
    assert image.warnings[0].startswith("CMYK picture: it has no CMYK colour profile")
    assert image.metadata.icc is None and image.metadata.jpeg is None
    output = io.BytesIO()
    write(image, output)
    assert Pillow.open(output).mode == "RGB"


@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_anywhere(progressive):
    whole = jpeg(exif=orient(3), progressive=progressive)
    for length in range(3, len(whole) - 2):
        with pytest.raises(ImageError, match=r"^<stream>: (truncated|damaged) JPEG: .*get a fresh copy$"):
            read(io.BytesIO(whole[:length]))


@pytest.mark.parametrize("mode", [None, "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:2:0"}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("end", [b"", b"\xff", bytes(500)])
def test_a_complete_picture_without_an_end_mark_is_read(mode, options, end):
    whole = jpeg(mode=mode, **options)
    image = read(io.BytesIO(whole[:-2] + end))
    assert np.array_equal(image.pixels, read(io.BytesIO(whole)).pixels)
    assert image.warnings[0] == "has no end mark; all its pixels are there"


def test_a_progressive_picture_without_its_last_scans_is_truncated():
    whole = jpeg(progressive=True)
    for place in range(len(whole) - 2):
        if whole[place : place + 2] == b"\xff\xc4" and place > 700:  # tables before a further scan
            with pytest.raises(ImageError, match="truncated JPEG"):
                read(io.BytesIO(whole[:place]))


def test_zeros_where_the_rest_should_be():
    whole = jpeg()
    for length in (len(whole) // 2, len(whole) - 4):
        with pytest.raises(ImageError, match="truncated JPEG"):
            read(io.BytesIO(whole[:length].ljust(len(whole) + 100, b"\0")))


def test_a_complete_thumbnail_does_not_make_the_file_complete():
    whole = jpeg(exif=b"Exif\0\0II*\0" + jpeg(photograph(8, 8)))
    with pytest.raises(ImageError, match="truncated JPEG"):
        read(io.BytesIO(whole[:-9]))


def test_bytes_after_the_end_do_not_matter():
    assert read(io.BytesIO(jpeg() + b"a film hides here")).pixels.shape == (96, 128, 3)


def test_twelve_bits_are_refused():
    data = jpeg()
    place = data.index(b"\xff\xc0") + 4
    with pytest.raises(ImageError, match="got a 12-bit lossy JPEG of 3 channels, expected an 8-bit lossy one"):
        read(io.BytesIO(data[:place] + b"\x0c" + data[place + 1 :]))
    with pytest.raises(ImageError, match="got a JPEG-LS, expected an 8-bit lossy JPEG"):
        read(io.BytesIO(data.replace(b"\xff\xc0", b"\xff\xf7", 1)))


def cmyk_profile():
    """A minimal CMYK profile: every ink is grey, L falls to 0 with black and to a third for each of the other three."""
    curve = bytes(range(256))
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    lightness = [round(255 * (1 - (c + m + y) / 3) * (1 - k)) for c, m, y, k in corners]
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + curve * 4
    table += b"".join(bytes([each, 128, 128]) for each in lightness) + curve * 3
    start = 128 + 4 + 12
    header = struct.pack(">I4sI4s4s4s", start + len(table), b"", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", start, len(table)) + table


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(("ink", "light"), [((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0), ((255, 0, 0, 0), 160)])
def test_cmyk_through_its_profile(file_format, ink, light):
    stream = io.BytesIO()
    options = {"quality": 100} if file_format == "JPEG" else {}
    pixels = np.full((16, 16, 4), ink, np.uint8)
    Pillow.frombytes("CMYK", (16, 16), pixels.tobytes()).save(
        stream, file_format, icc_profile=cmyk_profile(), **options
    )
    image = read(io.BytesIO(stream.getvalue()))
    assert np.abs(image.pixels.astype(int) - light).max() <= 3  # an L of 66.7 is 160 in sRGB
    assert image.warnings == () and image.metadata.icc is None


def test_cmyk_with_a_broken_profile_falls_back_and_says_so():
    stream = io.BytesIO()
    profile = cmyk_profile()[:300].ljust(400, b"\0")
    Pillow.frombytes("CMYK", (16, 16), bytes(1024)).save(stream, "JPEG", icc_profile=profile)
    image = read(io.BytesIO(stream.getvalue()))
    assert (image.pixels == 255).all()
    assert "its colour profile is unusable" in image.warnings[0]


@pytest.mark.parametrize("metadata", [Metadata(), Metadata(icc=bytes(16) + b"RGB " + bytes(150_000))])
@pytest.mark.parametrize("size", [8, 64, 300])
@pytest.mark.parametrize("quality", [None, 100, 90])
def test_noise_in_a_progressive_jpeg(size, quality, metadata, capfd):
    """Pillow's buffer for progressive files is too small for it, and libjpeg then complains on stderr."""
    settings = JpegSettings(((1,) * 64,) * 3, "4:4:4", progressive=True)
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    write(Image(noise, metadata=replace(metadata, jpeg=settings)), stream, format="jpeg", quality=quality)
    assert read(io.BytesIO(stream.getvalue())).pixels.shape == noise.shape
    assert capfd.readouterr() == ("", "")
