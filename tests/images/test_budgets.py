"""What the limits let through: every real way to store a picture, at its own size. Bombs are in tests/cli."""

import io
import struct
import warnings
import zlib

import bombs
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from convcli.budget import limit_memory
from convcli.errors import ImageError
from convcli.images import exif_tiff, photoshop, png, read, tiff_description, tiff_directories, xmp, xmp_orientation
from convcli.images.bmp_runs import without_runs
from convcli.images.pillow import without_excess
from convcli.images.signals import read_signal
from convcli.images.tiff_directories import check_promises
from convcli.images.volume_frames import open_animation
from convcli.images.volumes import open_volume

SMOOTH = np.add.outer(np.arange(96), np.arange(80)).astype(np.uint8)
RGB = np.stack([SMOOTH, SMOOTH[::-1], 255 - SMOOTH], -1)


def saved(picture, **options):
    stream = io.BytesIO()
    picture.save(stream, **options)
    return io.BytesIO(stream.getvalue())


@pytest.fixture
def two_megabytes():
    limit_memory(2_000_000)
    yield
    limit_memory(None)


@pytest.mark.parametrize("words", [{"progressive": True}, {"progressive": True, "subsampling": 0}, {"optimize": True}])
def test_a_progressive_jpeg_passes_at_its_own_size(words):
    got = read(saved(Pillow.fromarray(RGB), format="JPEG", quality=95, **words), max_pixels=96 * 80)
    assert got.pixels.shape == (96, 80, 3)


@pytest.mark.parametrize("scans", [24, 25])
def test_a_jpeg_has_as_many_scans_as_there_are_looks(scans):
    file = io.BytesIO(bombs.jpeg_of_scans(scans, 64, 48))
    if scans == 24:  # and one for the first coefficients
        assert read(file, max_pixels=64 * 48).pixels.shape == (48, 64, 1)
    else:
        with pytest.raises(ImageError, match=r"got 26 scans of 64x48 pixels, .* --max-pixels 3195 "):
            read(file, max_pixels=64 * 48)


@pytest.mark.parametrize(
    "packing", ["jpeg", "webp", "png", "jpegxl", "jpeg2000", "jpegxr", "lerc", "zlib", "lzw", "zstd"]
)
@pytest.mark.parametrize("pieces", [{"tile": (32, 32)}, {"rowsperstrip": 32}], ids=["tiles", "strips"])
def test_pieces_that_are_pictures_pass(packing, pieces):
    stream = io.BytesIO()
    tifffile.imwrite(stream, RGB, photometric="rgb", compression=packing, metadata=None, **pieces)
    got = read(io.BytesIO(stream.getvalue()))
    assert got.pixels.shape == RGB.shape
    assert np.abs(got.pixels.astype(int) - RGB).mean() < 12


def run_length_file(codes, width, height, kind):
    count = 16 if kind == 2 else 256
    palette = b"".join(bytes((255 - each, each, 7, 0)) for each in range(count))
    start = 54 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(codes), 0, 0, start)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 4 if kind == 2 else 8, kind, len(codes), 0, 0, count, 0)
    return header + palette + codes


def test_run_length_codes_of_every_kind():
    codes = b"\2\5\1\6\0\0" + b"\0\0" + b"\0\3\1\2\3\0\0\0" + b"\0\2\1\0\2\x09\0\0" + b"\0\1"
    got = read(io.BytesIO(run_length_file(codes, 3, 4, 1))).pixels
    assert got[::-1, :, 1].tolist() == [[5, 5, 6], [0, 0, 0], [1, 2, 3], [0, 9, 9]]  # the lowest row comes first
    codes = b"\5\x12\0\0" + b"\0\5\x34\x56\x70\0\0\1"
    got = read(io.BytesIO(run_length_file(codes, 5, 2, 2))).pixels
    assert got[::-1, :, 1].tolist() == [[1, 2, 1, 2, 1], [3, 4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (b"\2\5\0\1", "truncated BMP: it has 2 of 12 pixels"),
        (b"\2\5\0", "truncated BMP: it has 2 of 12 pixels"),
        (b"\0\5\1\2", "truncated BMP: it has 0 of 12 pixels"),
        (b"", "truncated BMP: it has 0 of 12 pixels"),
    ],
)
def test_run_length_codes_that_end_early(codes, message):
    with pytest.raises(ImageError, match=message):
        read(io.BytesIO(run_length_file(codes, 3, 4, 1)))


def test_a_file_without_runs_is_left_alone():
    file = saved(Pillow.fromarray(RGB), format="BMP").getvalue()
    assert without_runs(file, 10**6) is file


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_collected_from_directories_that_do_not_overlap(order):
    entry = struct.Struct(order + "HHII")
    first = struct.pack(order + "H", 2) + entry.pack(271, 2, 6, 70) + entry.pack(34665, 4, 1, 38) + bytes(4)
    second = struct.pack(order + "H", 2) + entry.pack(33434, 5, 1, 76) + entry.pack(37510, 7, 8, 84) + bytes(4)
    values = b"Maker\0" + struct.pack(order + "II", 1, 250) + b"comment!"
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + first + second
    block = exif_tiff.from_tiff(data.ljust(70, b"\0") + values, 8)
    assert b"Maker\0" in block and struct.pack("<II", 1, 250) in block and b"comment!" in block


def test_exif_that_overlaps_is_left_out():
    assert exif_tiff.from_tiff(bombs.exif_block(100_000), 8) is None
    assert read(io.BytesIO(bombs.tiff_overlapping_exif(100_000))).metadata.exif is None


def test_an_ome_description_may_speak_of_planes_in_other_files():
    check_promises(bombs.ome(50_000), 1, 10**6)
    with pytest.raises(ImageError, match="it describes 100,001 planes and has 1, expected at most 100,000"):
        check_promises(bombs.ome(100_001), 1, 10**6)
    check_promises(bombs.ome(400_000), 100_000, 10**6)


def test_a_table_as_wide_as_it_may_be(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(map(str, range(row, row + 4096))) for row in range(2)))
    assert read_signal(path).samples.shape == (2, 4096)


def test_memory_is_counted_for_every_format(two_megabytes, tmp_path):
    big = Pillow.fromarray(np.zeros((700, 700, 3), np.uint8))
    for name in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"):
        with pytest.raises(ImageError, match=r"got (700x700 pixels|1,4.* bytes and more), .* --max-memory \d+M"):
            read(saved(big, format=name))
    np.save(tmp_path / "big.npy", np.zeros((700, 700, 3)))
    with pytest.raises(ImageError, match="--max-memory"):
        read(tmp_path / "big.npy")
    np.save(tmp_path / "signal.npy", np.zeros(200_000))
    with pytest.raises(ImageError, match=r"got 200000 x 1 samples .* --max-memory"):
        read_signal(tmp_path / "signal.npy")


def test_a_stream_without_an_end_is_given_up(two_megabytes):
    class Endless(io.RawIOBase):
        def __init__(self):
            self.given = 0

        def read(self, size=-1):
            assert size > 0
            self.given += min(size, 1_000_000)
            return bytes(min(size, 1_000_000))

    stream = Endless()
    with pytest.raises(ImageError, match=r"<stream>: got 2,000,000 bytes and more"):
        read(stream)
    assert stream.given == 2_000_000


# Each took minutes or longer: a pattern was looked for behind each of many blanks or names, or read in 2**n ways.
@pytest.mark.parametrize(
    "packet", [b" tiff:Orientation " * 50_000, b"xmlns:a " * 50_000, b"<a" + b" " * 300_000 + b"/>"]
)
def test_packets_of_blanks_and_names(packet):
    assert xmp_orientation.upright(packet) == (packet, None)
    kept, _ = xmp.cleaned(packet, turned=False, extended=False)
    assert kept in (None, packet)


@pytest.mark.parametrize(("end", "is_ome"), [("x", False), ("<OME/>", True), ("<ome:OME x='1'/>", True)])
def test_descriptions_of_comments(end, is_ome):
    assert tiff_description.is_ome('<?xml version="1.0"?>' + "<!-- a --> " * 5000 + end) is is_ome


# Thirty megabytes of these took gigabytes, and half a minute.
@pytest.mark.parametrize("elements", [b"<a>" * 300, b"<b/>" * 300_000])
def test_packets_of_more_elements_than_any(elements):
    deep = b"<a>" * 100 + b"</a>" * 100 + b"<b/>" * 1000
    kept, _ = xmp.cleaned(b"<x>" + deep + b"</x>", turned=False, extended=False)
    assert kept == b"<x>" + deep + b"</x>"
    ending = b"</a>" * 300 if elements.startswith(b"<a") else b""
    assert xmp.cleaned(b"<x>" + elements + ending + b"</x>", turned=False, extended=False)[1] == ("unreadable XMP",)


def test_a_packet_longer_than_any():
    long = b"<x tiff:Orientation='6'>" + b" " * (1 << 24) + b"</x>"
    assert xmp_orientation.upright(long) == (long, None)
    assert xmp.cleaned(long, turned=False, extended=False) == (None, ("XMP that is too long",))


# Programs' descriptions are parsed line by line and element by element, by us and by tifffile.
@pytest.mark.parametrize(
    "text",
    [
        "ImageJ=1.53\n" + "a=b\n" * 500_001,
        "<OME xmlns='http://www.openmicroscopy.org/Schemas/OME/2016-06'>" + "<Image/>" * 500_000 + "</OME>",
        '{"shape": [' + "1, " * 500_001 + "8, 8]}",
    ],
)
def test_descriptions_of_more_parts_than_any(text, tmp_path):
    assert tiff_description.read(text) == (None, "a description of too many parts")
    path = tmp_path / "described.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), description=text, metadata=None)
    with pytest.raises(ImageError, match=r"its description has 500,00\d parts, expected at most 500,000"):
        open_volume(path)


def test_what_people_write_is_no_program_s_description():
    assert tiff_description.parts_of("line\n" * 600_000) == 0
    assert tiff_description.read("line\n" * 600_000) == (None, None)


@pytest.mark.parametrize("shapes", [[(8, 9)] * 5, [(8, 9), (8, 9), (7, 9), (8, 9)]])
def test_plain_pages_of_other_sizes_are_told_from_planes(shapes, tmp_path):
    planes = [np.full(shape, index, np.uint8) for index, shape in enumerate(shapes)]
    path = tmp_path / "plain.tif"
    with tifffile.TiffWriter(path) as file:
        for plane in planes:
            file.write(plane, metadata=None, software=False)
    if len(set(shapes)) > 1:
        with pytest.raises(ImageError, match=r"page 3: got 9x7 pixels.*expected 9x8 pixels"):
            open_volume(path)
    else:
        with open_volume(path) as volume:
            np.testing.assert_array_equal(volume.read_run(0, 5)[..., 0], planes)


@pytest.mark.parametrize("words", [{"ome": True}, {"imagej": True}])
def test_pages_that_a_description_does_not_name_are_no_planes(words, tmp_path):
    planes = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)
    path = tmp_path / "labelled.tif"
    tifffile.imwrite(path, planes, metadata={"axes": "ZYX"}, photometric="minisblack", **words)
    with tifffile.TiffWriter(path, append="force") as file:
        file.write(np.zeros((4, 5), np.uint8), photometric="minisblack", metadata=None)
    with open_volume(path) as volume:
        np.testing.assert_array_equal(volume.read_run(0, 3)[..., 0], planes)


@pytest.mark.parametrize("images", [9, 100_000])
def test_a_description_is_not_asked_about_pages_without_number(images, tmp_path):
    path = tmp_path / "many.tif"
    path.write_bytes(bombs.tiff_of_sizes(50_000, f"ImageJ=1.53t\nimages={images}\nslices={images}\n"))
    with pytest.raises(ImageError, match=r"page 2: got 5x4 pixels.*all alike"):
        open_volume(path)


def test_as_many_parts_as_many_pages_need():
    described = f"<OME>{'<TiffData><UUID></UUID></TiffData><Plane/>' * 110_000}</OME>"
    tiff_directories.check_promises(described, 110_000, 1)
    with pytest.raises(ImageError, match="550,002 parts, expected at most 500,000"):
        tiff_directories.check_promises(described, 3, 1)


def test_resources_of_photoshop_without_number():
    captions = photoshop.block(0x03F0, b"") * 10_001
    kept, lost = photoshop.cleaned(captions, turned=False)
    assert lost == ("damaged Photoshop resources",) and kept == captions[: 12 * 10_000]


def test_a_png_of_many_texts_is_told_once(tmp_path):
    packed = b"a\0\0" + zlib.compress(bytes(100_000))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)), (b"PLTE", bytes(range(6))), (b"tRNS", b"\7")]
    chunks += [(b"zTXt", packed)] * 1000 + [(b"hIST", b"\0"), (b"IDAT", zlib.compress(b"\0\0\1")), (b"IEND", b"")]
    path = tmp_path / "texts.png"
    path.write_bytes(png.SIGNATURE + b"".join(part for each in chunks for part in png.chunk(*each)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read(path)
    assert image.pixels.tolist() == [[[0, 1, 2, 7], [3, 4, 5, 255]]]
    assert set(image.metadata.lost) == {"damaged text a", "hIST"}


def test_a_wav_of_chunks_alone(tmp_path):
    path = tmp_path / "chunks.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"abcd\0\0\0\0" * 20_000)
    with pytest.raises(ImageError, match="damaged WAV: got 10,001 chunks and more, expected at most 10,000"):
        read_signal(path)


def gif_of(blocks):
    size = struct.pack("<HH", 4, 4)
    frame = b"," + bytes(4) + size + b"\0\7" + bytes([18, 128]) + bytes(16) + b"\x81\0"
    return b"GIF89a" + size + b"\x81\0\0" + bytes(12) + blocks + frame + b";"


# Each costs some bytes, and took seconds or hundreds of megabytes.
@pytest.mark.parametrize(
    ("file", "message"),
    [
        (gif_of(b"!\xfe\0" * 300_000), r"damaged GIF: got more than 257,\d+ blocks; get a fresh copy"),
        (gif_of(b"!\xfe" + b"\1a" * 300_000 + b"\0"), r"damaged GIF: got more than 254,\d+ blocks"),
        (gif_of(b"!\xf9\4\0\0\0\0\0" * 200_000), r"damaged GIF: got more than 262,\d+ blocks"),
        (
            b"RIFF" + struct.pack("<I", 800_012) + b"WEBPVP8L\0\0\0\0" + b"JUNK\0\0\0\0" * 100_000,
            "damaged WebP: got more than 100,000 chunks",
        ),
        (
            b"P2 1 1 255\n" + b"#\n" * 10_001 + b"7\n",
            "got 10,001 comments between its numbers, expected at most 10,000",
        ),
        (b"P1 1 1\n" + b"#\n" * 10_001 + b"1\n", "got 10,001 comments between its numbers"),
        (b"P2 1 1 255\n" + b"0" * 5_000, "damaged PPM: it has a number of more than 10 digits; get a fresh copy"),
    ],
)
def test_filler_is_counted(file, message):
    with pytest.raises(ImageError, match=message):
        read(io.BytesIO(file))


def test_some_filler_is_read():
    assert read(io.BytesIO(gif_of(b"!\xfe\1a\0" * 20_000))).pixels.shape == (4, 4, 1)
    assert read(io.BytesIO(b"P2 1 1 255\n" + b"#\n" * 10_000 + b"7\n")).pixels.tolist() == [[[7]]]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("seen_through", [None, 0, 2])
def test_an_animation_is_refused_at_its_first_frame_with_alpha(format, seen_through, tmp_path):
    frames = [Pillow.new("RGBA", (9, 80), (each, 40, 90, 255)) for each in range(3)]
    if seen_through is not None:
        frames[seen_through].putpixel((4, 70), (0, 0, 0, 0))  # below the rows that are looked at first
    if (format, seen_through) == ("GIF", 2):
        frames = frames[2:] + frames[:2]  # what is below shows through a later one
    path = tmp_path / f"frames.{format}"
    words = {"lossless": True} if format == "WEBP" else {}
    frames[0].save(path, format, save_all=True, append_images=frames[1:], **words)
    if seen_through is None:
        assert open_volume(path, alpha_fix="drop it").shape == (3, 80, 9, 3)
    else:
        with pytest.raises(ImageError, match=f"frames.{format}: has an alpha channel, .*; drop it"):
            open_volume(path, alpha_fix="drop it")
        assert open_volume(path).has_alpha


@pytest.mark.parametrize(
    ("kept", "colour"), [([0], "000f"), ([0, 1, 2], "010f"), ([0, 3], "0007"), ([0, 1, 2, 3], "0107")]
)
def test_only_what_colours_need_is_kept(kept, colour):
    colours = np.full((2, 3, 4), [0, 0, 0, 255], np.uint8)
    colours[1, 2] = [int(each, 16) * 17 for each in colour]
    pixels, has_alpha = without_excess(colours)
    np.testing.assert_array_equal(pixels, colours[..., kept])
    assert has_alpha is (3 in kept) and pixels.flags.c_contiguous


def test_frames_larger_than_their_canvas_are_counted_together(tmp_path):
    large = b"," + struct.pack("<4HB", 0, 0, 4000, 4000, 0) + b"\7\2\x80\x81\0"
    path = tmp_path / "large.gif"
    path.write_bytes(gif_of(b"")[:-1] + large * 40 + b";")
    with pytest.raises(ImageError, match=r"got 41 frames of 640,000,016 pixels, .* --max-pixels 640000016"):
        open_animation(path, "large.gif", "GIF", 500_000_000)
