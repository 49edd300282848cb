"""What files say besides pixels: true of the pixels that are written, or gone and named. Judged by other readers."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from convcli.geometry import Placement
from convcli.images import Image, read, write
from convcli.images.jpeg_markers import segment, segments

RGB = np.random.default_rng(5).integers(0, 255, (40, 60, 3)).astype(np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HALF = (Placement(2), Placement(4))  # 20 x 15
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "NPY")


def saved(format, **options):
    stream = io.BytesIO()
    Pillow.fromarray(RGB).save(stream, format, **options)
    return stream.getvalue()


def rewritten(data, format, placement=None, channels=3):
    """(bytes, names of what is not kept) of a file read and written, perhaps as if each pixel stood for 2 x 4."""
    image = read(io.BytesIO(data))
    pixels = np.ascontiguousarray(image.pixels[..., :channels])
    if placement:
        pixels = np.ascontiguousarray(pixels[:: placement[0].step, :: placement[1].step])
    stream = io.BytesIO()
    lost = write(Image(pixels, False, image.metadata, (), placement or Image.placement), stream, format=format)
    return stream.getvalue(), lost


def opened(data):
    return Pillow.open(io.BytesIO(data))


def spliced(*extra, base=None, tail=b""):
    """A JPEG with further segments behind its JFIF header."""
    data = base or saved("JPEG")
    end = 4 + struct.unpack_from(">H", data, 4)[0]
    return data[:end] + b"".join(segment(marker, body) for marker, body in extra) + data[end:] + tail


def parts(data):
    """(marker, content) of a JPEG's segments."""
    return [(marker, data[start:end]) for marker, start, end in segments(data)]


def with_chunks(*extra):
    data = saved("PNG")
    made = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in extra
    )
    return data[:33] + made + data[33:]


def chunks(data):
    found, position = [], 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        found.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def xmp(inside="", attributes=""):
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        'xmlns:gain="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:C="http://ns.google.com/photos/1.0/container/" '
        'xmlns:I="http://ns.google.com/photos/1.0/container/item/" '
        'xmlns:D="http://ns.google.com/photos/1.0/depthmap/" xmlns:cam="http://ns.google.com/photos/1.0/camera/" '
        'xmlns:pano="http://ns.google.com/photos/1.0/panorama/" '
        f'xmlns:mwg="http://www.metadataworkinggroup.com/schemas/regions/" dc:creator="Ada"{attributes}>'
        f'{inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


# Resolution


@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("target", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_resolution_travels_and_follows_the_steps_along_each_axis(source, target):
    exif = Pillow.Exif()
    exif[282], exif[283], exif[296] = 300.0, 120.0, 2
    options = {"exif": exif} if source == "WEBP" else {"dpi": (300, 120)}
    for placement, expected in ((None, (300, 120)), (HALF, (75, 60))):
        data, lost = rewritten(saved(source, **options), target, placement)
        assert lost == (("EXIF",) if (source, target) == ("WEBP", "BMP") else ())
        if target == "WEBP":
            tags = opened(data).getexif()
            got = (tags[282], tags[283])
            assert tags[296] == 2
        else:
            got = opened(data).info["dpi"]
        assert [float(each) for each in got] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("target", ["GIF", "PPM", "NPY"])
def test_resolution_is_named_where_there_is_no_place_for_it(target):
    assert rewritten(saved("PNG", dpi=(300, 120)), target)[1] == ("resolution",)


def test_exif_speaks_of_the_size_and_the_resolution_that_are_written():
    exif = Pillow.Exif()
    exif[282], exif[283], exif[296], exif[256], exif[257] = 300.0, 120.0, 2, 60, 40
    exif.get_ifd(0x8769).update({0xA002: 60, 0xA003: 40, 0xA20E: 1000.0, 0xA20F: 500.0, 0x9214: (30, 20)})
    exif.get_ifd(0x8769)[0xA005] = {0x1001: 60, 0x1002: 40}
    data, lost = rewritten(saved("JPEG", exif=exif), "JPEG", HALF)
    tags = opened(data).getexif()
    inner = tags.get_ifd(0x8769)
    assert (tags[256], tags[257], tags[282], tags[283]) == (15, 20, 75, 60)
    assert (inner[0xA002], inner[0xA003], inner[0xA20E], inner[0xA20F]) == (15, 20, 250, 250)
    related = tags.get_ifd(0xA005) or inner.get(0xA005)
    assert (related[0x1001], related[0x1002]) == (15, 20)
    assert 0x9214 not in inner and lost == ("EXIF subject area",)
    same, lost = rewritten(saved("JPEG", exif=exif), "JPEG")
    assert opened(same).getexif().get_ifd(0x8769)[0x9214] == (30, 20) and lost == ()


def test_two_resolutions_at_one_place_are_each_divided():
    entries = [struct.pack("<HHII", tag, 5, 1, 38) for tag in (282, 283)]
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + b"".join(entries) + bytes(4) + struct.pack("<II", 300, 1)
    tags = opened(rewritten(saved("JPEG", exif=b"Exif\0\0" + block), "JPEG", HALF)[0]).getexif()
    assert (tags[282], tags[283]) == (75, 150)


@pytest.mark.parametrize(("unit", "value"), [(1, 72.0), (2, float("nan")), (7, 72.0)])
@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF", "BMP"])
def test_no_resolution_is_invented(unit, value, target):
    pair = (0, 0) if value != value else (72, 1)
    entries = [struct.pack("<HHII", tag, 5, 1, 50) for tag in (282, 283)] + [struct.pack("<HHIHH", 296, 3, 1, unit, 0)]
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 3) + b"".join(entries) + bytes(4) + struct.pack("<II", *pair)
    data, lost = rewritten(saved("JPEG", exif=b"Exif\0\0" + block), target)
    assert lost == (("EXIF",) if target == "BMP" else ())
    assert opened(data).info.get("dpi", (0, 0)) in ((0, 0), (1, 1)) or target == "JPEG"
    if target == "JPEG":
        assert opened(data).info["jfif_unit"] == 0
    if target == "PNG":
        assert b"pHYs" not in dict(chunks(data))


def density(unit, x, y):
    data = bytearray(saved("JPEG"))
    struct.pack_into(">BHH", data, 13, unit, x, y)
    return bytes(data)


@pytest.mark.parametrize("target", ["PNG", "JPEG", "TIFF", "GIF"])
@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "GIF"])
def test_pixel_aspect_without_a_unit_stays_one(source, target):
    """Twice as many pixels in a width as in a height; a step of 2 along y and 4 along x makes them equal."""
    gif = bytearray(saved("GIF"))
    gif[12] = 17  # pixels half as wide as high
    stream = io.BytesIO()
    tifffile.imwrite(stream, RGB, photometric="rgb", resolution=(2, 1), resolutionunit=1, metadata=None, software=False)
    sources = {
        "PNG": with_chunks((b"pHYs", struct.pack(">IIB", 20, 10, 0))),
        "JPEG": density(0, 2, 1),
        "TIFF": stream.getvalue(),
        "GIF": bytes(gif),
    }

    def ratio(data):
        if target == "PNG":
            x, y, unit = struct.unpack(">IIB", dict(chunks(data)).get(b"pHYs", struct.pack(">IIB", 1, 1, 0)))
        elif target == "JPEG":
            unit, x, y = struct.unpack_from(">BHH", data, 13)
        elif target == "TIFF":
            tags = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags
            (x, _), (y, _), unit = tags[282].value, tags[283].value, int(tags[296].value) - 1
        else:
            x, y, unit = 64, data[12] + 15 if data[12] else 64, 0
        assert unit == 0
        return x / y

    data, lost = rewritten(sources[source], target)
    assert (ratio(data), lost) == (2, ())
    assert ratio(rewritten(sources[source], target, HALF)[0]) == 1
    assert rewritten(sources[source], "BMP")[1] == ("pixel aspect ratio",)


def test_densities_of_unknown_units_say_nothing():
    assert rewritten(density(3, 72, 72), "PNG")[1] == ("a resolution of unknown unit",)
    assert rewritten(with_chunks((b"pHYs", struct.pack(">IIB", 20, 10, 9))), "PNG")[1] == (
        "a resolution of unknown unit",
    )


def test_a_tiff_without_unit_is_in_inches():
    page = io.BytesIO()
    tifffile.imwrite(page, RGB, photometric="rgb", resolution=(300, 120), resolutionunit=2, metadata=None)
    data = bytearray(page.getvalue())
    place = data.index(struct.pack("<HHI", 296, 3, 1))
    struct.pack_into("<H", data, place, 295)  # no such tag
    data, _ = rewritten(bytes(data), "PNG")
    assert opened(data).info["dpi"] == pytest.approx((300, 120), rel=1e-3)


def test_densities_turn_with_the_picture():
    exif = Pillow.Exif()
    exif[274] = 6
    source = bytearray(saved("JPEG", exif=exif))
    place = source.index(b"JFIF\0")
    struct.pack_into(">BHH", source, place + 7, 0, 2, 1)
    data, _ = rewritten(bytes(source), "JPEG")
    assert opened(data).size == (40, 60) and struct.unpack_from(">BHH", data, 13) == (0, 1, 2)


# Colour profiles


def profile(size):
    return struct.pack(">I", size) + SRGB[4:].ljust(size - 4, b"\5")


def pieces(content, numbers, count):
    step = -(-len(content) // count)
    cut = [content[at : at + step] for at in range(0, len(content), step)]
    return [(0xE2, b"ICC_PROFILE\0" + bytes((number, count)) + cut[number - 1]) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "whole"), [((1, 2, 3), 1), ((3, 1, 2), 1), ((1, 2, 2, 3), 1), ((1, 3), 0), ((1, 2), 0), ((2, 3), 0)]
)
def test_profiles_in_pieces_are_put_together_right_or_dropped(numbers, whole):
    content = profile(3000)
    data, lost = rewritten(spliced(*pieces(content, numbers, 3)), "JPEG")
    assert opened(data).info.get("icc_profile") == (content if whole else None)
    assert lost == (() if whole else ("damaged colour profile",))


def test_pieces_that_contradict_each_other_are_no_profile():
    content = profile(3000)
    other = [(0xE2, b"ICC_PROFILE\0\2\3" + content[:1000])]
    for odd in (other, [(0xE2, b"ICC_PROFILE\0\1\4" + content[:1000])], [(0xE2, b"ICC_PROFILE\0\0\3x")]):
        data, lost = rewritten(spliced(*pieces(content, (1, 2, 3), 3), *odd), "JPEG")
        assert "icc_profile" not in opened(data).info and lost == ("damaged colour profile",)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_profile_is_kept_whole_or_not_at_all(format):
    for content, kept in ((SRGB, SRGB), (SRGB + b"more", SRGB), (SRGB[:-100], None), (b"not a profile" * 30, None)):
        data, lost = rewritten(saved("PNG", icc_profile=content), format)
        got = read(io.BytesIO(data)).metadata.icc
        assert got == kept
        if format not in ("BMP", "GIF"):
            assert opened(data).info.get("icc_profile") == kept
        assert lost == (() if kept else ("damaged colour profile",))
    assert [rewritten(saved("PNG", icc_profile=SRGB), each)[1] for each in ("PPM", "NPY")] == [("colour profile",)] * 2


def test_a_bmp_with_a_profile_is_a_bmp():
    data, _ = rewritten(saved("PNG", icc_profile=SRGB), "BMP")
    np.testing.assert_array_equal(np.asarray(opened(data)), RGB)
    start, length = struct.unpack_from("<II", data, 14 + 112)
    assert data[14 + 56 : 14 + 60] == b"DEBM" and data[14 + start : 14 + start + length] == SRGB


# Comments and texts


@pytest.mark.parametrize("source", ["JPEG", "GIF", "PNG", "PPM"])
def test_a_comment_travels(source):
    text = "f\xfcr Ada" if source != "PPM" else "for Ada"
    sources = {
        "JPEG": spliced((0xFE, text.encode())),
        "GIF": saved("GIF", comment=text.encode()),
        "PNG": with_chunks((b"tEXt", b"Comment\0" + text.encode("latin-1"))),
        "PPM": saved("PPM").replace(b"P6\n", b"P6\n# for Ada\n", 1),
    }
    data = {format: rewritten(sources[source], format) for format in FORMATS}
    assert dict(chunks(data["PNG"][0]))[b"tEXt"] == b"Comment\0" + text.encode("latin-1")
    assert opened(data["JPEG"][0]).info["comment"] == text.encode()
    assert opened(data["GIF"][0]).info["comment"] == text.encode()
    assert data["PPM"][0].startswith(b"P6\n# " + text.encode() + b"\n60 40\n255\n")
    assert tifffile.TiffFile(io.BytesIO(data["TIFF"][0])).pages[0].description in (
        text,
        text.encode().decode("latin-1"),
    )
    lost = {format: names for format, (_, names) in data.items() if names}
    assert lost == dict.fromkeys(("WEBP", "BMP", "NPY"), ("texts (Comment)",))
    for format in ("PNG", "GIF", "PPM"):
        np.testing.assert_array_equal(read(io.BytesIO(data[format][0])).pixels.shape, RGB.shape)


def test_texts_of_a_png_in_every_way_a_png_holds_them():
    texts = [(b"tEXt", b"Title\0caf\xe9"), (b"zTXt", b"Author\0\0" + zlib.compress(b"Ada")),
             (b"iTXt", b"Description\0\0\0\0\0" + "\u0394".encode()),
             (b"iTXt", b"Warning\0\1\0de\0Warnung\0" + zlib.compress(b"hei\xc3\x9f"))]  # fmt: skip
    data, lost = rewritten(with_chunks(*texts), "PNG")
    assert lost == ()
    assert opened(data).text == {"Title": "caf\xe9", "Author": "Ada", "Description": "\u0394", "Warning": "hei\xdf"}
    assert opened(data).text["Warning"].lang == "de"
    data, lost = rewritten(with_chunks(*texts), "JPEG")
    assert [body.decode() for marker, body in parts(data) if marker == 0xFE] == [
        "Title: caf\xe9",
        "Author: Ada",
        "Description: \u0394",
    ]
    assert lost == ("text Warning",)
    assert rewritten(with_chunks(*texts[:2]), "WEBP")[1] == ("texts (Title, Author)",)


def test_a_comment_that_a_tiff_reader_would_obey_is_not_its_description():
    data, lost = rewritten(spliced((0xFE, b'{"shape": [99, 40, 60, 3]}')), "TIFF")
    assert tifffile.imread(io.BytesIO(data)).shape == (40, 60, 3) and lost == ("texts (Comment)",)


# PNG's own chunks


def test_chunks_about_pixels_stay_with_pixels_of_that_kind():
    extra = [(b"sBIT", b"\5\6\5"), (b"bKGD", struct.pack(">3H", 1, 2, 3)), (b"tIME", bytes(7)), (b"zzZz", b"private")]
    data, lost = rewritten(with_chunks(*extra), "PNG")
    assert set(extra) <= set(chunks(data)) and lost == ()
    data, lost = rewritten(with_chunks(*extra), "PNG", channels=1)
    assert not {b"sBIT", b"bKGD"} & {kind for kind, _ in chunks(data)} and lost == ("sBIT", "bKGD")
    assert rewritten(with_chunks(*extra), "JPEG")[1] == ("sBIT", "bKGD", "tIME", "zzZz")
    data, lost = rewritten(with_chunks((b"zzZZ", b"of these pixels"), (b"oFFs", bytes(9))), "PNG")
    assert lost == ("zzZZ", "oFFs") and len(chunks(data)) == len(chunks(saved("PNG")))


def test_what_a_png_says_of_its_colours_is_named_unless_it_is_what_everybody_assumes():
    gamma, points = (
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    )
    for extra, lost in (
        ([gamma, points], ()),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 1))], ()),
        ([(b"gAMA", struct.pack(">I", 100000))], ("gAMA",)),
        ([(b"cICP", b"\x09\x10\0\1"), (b"mDCV", bytes(24)), (b"cLLI", bytes(8))], ("cICP", "mDCV", "cLLI")),
        ([(b"cICP", b"\1\x0d\0\1")], ()),
    ):
        for format in ("JPEG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "NPY"):
            assert rewritten(with_chunks(*extra), format)[1] == lost
        data, names = rewritten(with_chunks(*extra), "PNG")
        assert set(extra) <= set(chunks(data)) and names == ()


# EXIF and what hides in it


def thumbnailed(extra=b""):
    """EXIF with a JPEG in its second directory, and perhaps more entries in the first."""
    small = io.BytesIO()
    Pillow.fromarray(RGB[:8, :8]).save(small, "JPEG")
    thumbnail = small.getvalue()
    count = len(extra) // 12
    second = 8 + 2 + 12 * count + 4
    start = second + 2 + 24 + 4
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + extra + struct.pack("<I", second)
    block += struct.pack("<HHHIIHHIII", 2, 0x201, 4, 1, start, 0x202, 4, 1, len(thumbnail), 0)
    return block + thumbnail, thumbnail


@pytest.mark.parametrize("target", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_thumbnail_goes_and_is_named(target):
    block, thumbnail = thumbnailed(struct.pack("<HHI4s", 271, 2, 4, b"Ada\0"))
    data, lost = rewritten(saved("JPEG", exif=b"Exif\0\0" + block), target)
    assert lost == ("thumbnail",) and thumbnail[20:] not in data and opened(data).getexif()[271] == "Ada"


def test_uncompressed_thumbnails_and_further_directories_go():
    strip = b"\x77" * 192
    second, third = 14, 14 + 2 + 24 + 4
    start = third + 2 + 24 + 4
    block = b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, second)
    for following in (third, 0):
        block += struct.pack("<HHHIIHHIII", 2, 0x111, 4, 1, start, 0x117, 4, 1, len(strip), following)
    data, lost = rewritten(saved("JPEG", exif=b"Exif\0\0" + block + strip), "JPEG")
    assert strip not in data and lost == ("thumbnail",)


def test_further_holders_of_pictures_in_exif_go():
    exif = Pillow.Exif()
    exif[0x8649] = b"8BIM\x04\x0c" + bytes(40)
    exif[271] = "Ada"
    exif.get_ifd(0x8769)[0x927C] = b"Maker\0" + saved("JPEG")[:300]
    exif.get_ifd(0x8769)[0x829A] = 0.5
    data, lost = rewritten(saved("JPEG", exif=exif), "JPEG")
    assert lost == ("Photoshop settings", "maker's note with a preview")
    tags = opened(data).getexif()
    assert dict(tags) == {271: "Ada", 0x8769: tags[0x8769]} and dict(tags.get_ifd(0x8769)) == {0x829A: 0.5}
    exif = Pillow.Exif()
    exif.get_ifd(0x8769)[0x927C] = b"Maker\0" + bytes(range(200))
    data, lost = rewritten(saved("JPEG", exif=exif), "JPEG")
    assert opened(data).getexif().get_ifd(0x8769)[0x927C] == b"Maker\0" + bytes(range(200)) and lost == ()


def test_exif_that_cannot_be_read_is_named():
    data, lost = rewritten(saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\0\0" + bytes(20)), "JPEG")
    assert lost == ("unreadable EXIF",) and "exif" not in opened(data).info


# XMP


@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_sizes_and_resolutions_in_xmp_are_those_that_are_written(target):
    packet = xmp(
        "<tiff:ImageWidth>60</tiff:ImageWidth><exif:PixelYDimension>40</exif:PixelYDimension>",
        ' tiff:ImageLength="40" exif:PixelXDimension=\'60\' tiff:XResolution="300/1" tiff:YResolution="120/1" '
        'tiff:BitsPerSample="8"',
    )
    data, lost = rewritten(saved("JPEG", xmp=packet), target, HALF)
    for part in (
        b"<tiff:ImageWidth>15</tiff:ImageWidth><exif:PixelYDimension>20</exif:PixelYDimension>",
        b' tiff:ImageLength="20" exif:PixelXDimension=\'15\' tiff:XResolution="75/1" tiff:YResolution="60/1">',
        b'dc:creator="Ada"',
    ):
        assert part in data
    assert lost == ()


PICTURES = [
    xmp(attributes=' gain:Version="1.0" gain:GainMapMax="3"'),
    xmp('<C:Directory><rdf:Seq><rdf:li I:Semantic="GainMap" I:Length="99"/></rdf:Seq></C:Directory>'),
    xmp(
        "<xmp:Thumbnails><rdf:Alt><rdf:li xmpGImg:width='8'><xmpGImg:image>/9j/</xmpGImg:image></rdf:li></rdf:Alt>"
        "</xmp:Thumbnails>"
    ),
    xmp(attributes=' D:Data="/9j/" D:Format="RangeInverse"'),
    xmp(attributes=' cam:MotionPhoto="1" cam:MicroVideoOffset="4711"'),
]


@pytest.mark.parametrize("packet", PICTURES)
@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF", "WEBP", "GIF"])
def test_xmp_promises_no_other_pictures(packet, target):
    data, lost = rewritten(saved("JPEG", xmp=packet), target)
    assert lost == ("XMP about further pictures",) and b'dc:creator="Ada"' in data
    for word in (b"gain:V", b"gain:G", b"Directory", b"GainMap", b"Thumbnails", b"/9j/", b"D:Data", b"cam:M"):
        assert word not in data


def test_regions_stay_with_pixels_that_do_not_move():
    packet = xmp(
        "<mwg:Regions><rdf:Bag/></mwg:Regions>", ' pano:FullPanoWidthPixels="60" pano:UsePanoramaViewer="True"'
    )
    data, lost = rewritten(saved("JPEG", xmp=packet), "JPEG")
    assert packet in data and lost == ()
    data, lost = rewritten(saved("JPEG", xmp=packet), "JPEG", HALF)
    assert b"<mwg:" not in data and b"FullPano" not in data and b"UsePanoramaViewer" in data
    assert lost == ("XMP about regions",)
    exif = Pillow.Exif()
    exif[274] = 3
    assert rewritten(saved("JPEG", xmp=packet, exif=exif), "JPEG")[1] == ("XMP about regions",)


def extended(content, *, guid=b"0123456789ABCDEF0123456789ABCDEF", lengths=(10, 10**6)):
    body, segments_, place = content, [], 0
    for length in lengths:
        piece = body[place : place + length]
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(body), place)
        segments_.append((0xE1, head + piece))
        place += length
    return segments_


def test_extended_xmp_stays_whole_or_goes_with_its_promise():
    main = xmp(attributes=' xmpNote:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF"')
    base = saved("JPEG", xmp=main)
    plain = extended(xmp(attributes=' dc:source="elsewhere"'))
    data, lost = rewritten(spliced(*plain, base=base), "JPEG")
    assert set(plain) <= set(parts(data)) and b"HasExtendedXMP" in data and lost == ()
    data, lost = rewritten(spliced(*plain, base=base), "PNG")
    assert b"HasExtendedXMP" not in data and lost == ("extended XMP",)
    for odd in (plain[:1], extended(PICTURES[3]), extended(xmp(), guid=b"F" * 32)):
        data, lost = rewritten(spliced(*odd, base=base), "JPEG")
        assert b"ExtendedXMP" not in data and b"xmp/extension" not in data and lost == ("extended XMP",)
    data, lost = rewritten(base, "JPEG")  # promised, and not there
    assert b"ExtendedXMP" not in data and lost == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32-be"])
def test_xmp_in_any_encoding_is_cleaned(encoding):
    packet = xmp(attributes=' gain:Version="1.0"').decode().partition("?>")[2].encode(encoding)
    data, lost = rewritten(saved("JPEG", xmp=packet), "JPEG", HALF)
    assert b'dc:creator="Ada"' in data and b"gain:Version" not in data and lost == ("XMP about further pictures",)


def test_xmp_that_is_no_xml_is_named():
    data, lost = rewritten(saved("JPEG", xmp=b"<x:xmpmeta><rdf:RDF"), "JPEG")
    assert lost == ("unreadable XMP",) and "xmp" not in opened(data).info
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert rewritten(saved("JPEG", xmp=bomb), "JPEG")[1] == ("unreadable XMP",)


# JPEG's further pictures


def test_further_pictures_and_segments_of_a_jpeg_are_named():
    second = saved("JPEG")
    for extra, tail, expected in (
        ([(0xE2, b"MPF\0II*\0")], second, ("index of further pictures (MPF)", "further pictures after the first")),
        ([(0xE2, b"urn:iso:std:iso:ts:21496:-1\0xx")], b"", ("gain map",)),
        ([(0xE0, b"JFXX\0\x10" + second[:200])], b"", ("thumbnail",)),
        ([(0xEB, b"JP\0\1jumb")], b"", ("content credentials (JUMBF)",)),
        ([(0xE5, b"vendor")], b"", ("segment APP5",)),
        ([(0xEE, b"Adobe\0\x64\0\0\0\0\1")], bytes(100), ()),
        ([], b"ftypmp42 a film", ("what follows the picture",)),
    ):
        data, lost = rewritten(spliced(*extra, tail=tail), "JPEG")
        assert lost == expected
        assert [marker for marker, _ in parts(data)] == [
            marker for marker, _ in parts(rewritten(saved("JPEG"), "JPEG")[0])
        ]


def test_the_thumbnail_of_a_jfif_header_is_named():
    data = saved("JPEG")
    header = data[6:16] + b"\x48\0\x48"[:0] + b"\0\1" + b"\1\1" + b"\7\7\7"
    source = data[:2] + segment(0xE0, header) + data[20:]
    out, lost = rewritten(source, "JPEG")
    assert lost == ("thumbnail",) and out[18:20] == b"\0\0"


# IPTC and Photoshop's resources

RECORD = b"\x1c\x02\x50\0\3Ada\x1c\x02\x78\0\5words"


def resource(code, content):
    return b"8BIM" + struct.pack(">HHI", code, 0, len(content)) + content + bytes(len(content) % 2)


PHOTOSHOP = (
    resource(0x03ED, struct.pack(">IHHIHH", 300 << 16, 1, 1, 120 << 16, 1, 1))
    + resource(0x0404, RECORD)
    + resource(0x040C, b"thumbnail in here")
)


def test_iptc_stays_and_the_resources_beside_it_are_true():
    from PIL import IptcImagePlugin

    source = spliced((0xED, b"Photoshop 3.0\0" + PHOTOSHOP))
    data, lost = rewritten(source, "JPEG", HALF)
    assert lost == ("thumbnail",) and b"thumbnail in here" not in data
    assert IptcImagePlugin.getiptcinfo(opened(data)) == {(2, 80): b"Ada", (2, 120): b"words"}
    assert struct.pack(">IHHIHH", 75 << 16, 1, 1, 60 << 16, 1, 1) in data
    data, _ = rewritten(source, "TIFF")
    assert IptcImagePlugin.getiptcinfo(opened(data)) == {(2, 80): b"Ada", (2, 120): b"words"}
    again, lost = rewritten(data, "JPEG")
    assert RECORD in again and lost == ()
    data, _ = rewritten(source, "PNG")
    again, lost = rewritten(data, "JPEG")
    assert RECORD in again and lost == ()
    for format in ("WEBP", "GIF", "BMP", "PPM", "NPY"):
        assert rewritten(source, format)[1] == ("thumbnail", "IPTC")


def test_the_other_resources_are_named():
    settings = resource(0x03F3, bytes(9)) + resource(0x040B, b"http://example.com")
    data, lost = rewritten(spliced((0xED, b"Photoshop 3.0\0" + settings)), "JPEG")
    assert lost == ("Photoshop settings",) and b"example.com" in data and b"\x03\xf3" not in data
    data, lost = rewritten(spliced((0xED, b"Photoshop 3.0\0" + settings[:-4])), "JPEG")
    assert lost == ("Photoshop settings", "damaged Photoshop resources")


# Other formats' own


def test_chunks_of_webp_are_named():
    data = saved("WEBP", lossless=True)
    data += b"ABCD" + struct.pack("<I", 2) + b"xx"
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    assert rewritten(data, "WEBP")[1] == ("chunk ABCD",)


def test_xmp_in_a_gif_travels():
    packet = xmp()
    data, lost = rewritten(saved("JPEG", xmp=packet), "GIF")
    assert b"!\xff\x0bXMP DataXMP" + packet + b"\1\xff\xfe" in data and lost == ()
    again, lost = rewritten(data, "PNG")
    assert opened(again).info["xmp"] in (packet, packet.decode()) and lost == ()
    assert opened(data).convert("RGB").size == (60, 40)


def test_blocks_of_a_gif_are_named():
    data = saved("GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    block = b"!\xff\x0bABCDEFGH123\2hi\0"
    assert rewritten(data[:start] + block + data[start:], "GIF")[1] == ("an application's block",)


def test_stripping_is_silent():
    source = spliced((0xE2, b"MPF\0II"), (0xFE, b"Ada"), (0xED, b"Photoshop 3.0\0" + PHOTOSHOP), tail=saved("JPEG"))
    stream = io.BytesIO()
    assert write(read(io.BytesIO(source)), stream, format="jpeg", strip=True) == ()
    assert {marker for marker, _ in parts(stream.getvalue())} <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9}
