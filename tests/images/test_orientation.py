"""Orientation that stands in XMP: alone it turns the picture, beside EXIF's it has no say, and it is always reset."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import read, write, xmp_orientation
from convcli.images.orientation import upright
from convcli.images.volumes import open_volume

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
ATTRIBUTE = f'<rdf:RDF {RDF}><rdf:Description rdf:about="" tiff:Orientation="{{}}"/></rdf:RDF>'
ELEMENT = f"<rdf:RDF {RDF}><rdf:Description><tiff:Orientation>{{}}</tiff:Orientation></rdf:Description></rdf:RDF>"
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")


def stored(format, packet, orientation=None):
    stream = io.BytesIO()
    if format == "TIFF":
        tags = [(700, 1, len(packet), packet, True)] if packet else []
        tags += [(274, 3, 1, orientation, True)] if orientation else []
        tifffile.imwrite(stream, PIXELS, photometric="rgb", metadata=None, extratags=tags)
        return stream.getvalue()
    options = {"lossless": True} if format == "WEBP" else {"subsampling": 0, "quality": 100} if format == "JPEG" else {}
    block = Pillow.Exif()
    block[0x010E] = "a picture"
    if orientation is not None:
        block[0x0112] = orientation
    if format == "PNG":
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        options["pnginfo"] = texts
    else:
        options["xmp"] = packet
    Pillow.fromarray(PIXELS).save(stream, format, exif=block, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("template", [ATTRIBUTE, ELEMENT])
@pytest.mark.parametrize("format", FORMATS)
def test_in_xmp_alone(format, template, orientation, tmp_path):
    got = read(io.BytesIO(stored(format, template.format(orientation).encode())))
    expected = upright(PIXELS, orientation)
    assert got.pixels.shape == expected.shape
    assert np.abs(got.pixels.astype(int) - expected).max() <= (0 if format != "JPEG" else 8)
    assert got.metadata.xmp == template.format(1).encode()
    target = tmp_path / f"a.{format.lower()}"
    write(got, target)
    again = read(target)  # not turned once more
    assert again.pixels.shape == expected.shape and again.metadata.xmp == template.format(1).encode()


@pytest.mark.parametrize("said", [1, 3, 8])
@pytest.mark.parametrize("format", FORMATS)
def test_exif_wins(format, said):
    got = read(io.BytesIO(stored(format, ATTRIBUTE.format(6).encode(), orientation=said)))
    assert got.pixels.shape == upright(PIXELS, said).shape
    assert b'tiff:Orientation="1"' in got.metadata.xmp


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_that_exif_does_not_have_is_none(format):
    got = read(io.BytesIO(stored(format, ATTRIBUTE.format(6).encode(), orientation=9)))
    assert got.pixels.shape == (16, 8, 3)


@pytest.mark.parametrize(
    ("packet", "orientation"),
    [
        (b"<d xmlns:t=\"http://ns.adobe.com/tiff/1.0/\" t:Orientation='8'/>", 8),
        (b'<d tiff:Orientation = " 3 "/>', 3),
        (b'<tiff:Orientation rdf:datatype="int">\n 7 </tiff:Orientation>', 7),
        (b'<d tiff:Orientation="0"/>', None),
        (b'<d tiff:Orientation="12"/>', None),
        (b'<d my-tiff:Orientation="6" exif:Orientation="6"/>', None),
        (b"<d/>", None),
        (b"\xff\xfe<", None),
        ('\ufeff<d é="" tiff:Orientation="5"/>'.encode("utf-16-le"), 5),
        ('<d tiff:Orientation="5"/>'.encode("utf-16-be"), 5),
        ('<d tiff:Orientation="5"/>'.encode("utf-32-le"), 5),
        ('<d title="\xe9\u4e2d" tiff:Orientation="2"/>'.encode(), 2),
    ],
)
def test_ways_to_write_it(packet, orientation):
    after, said = xmp_orientation.upright(packet)
    assert said == orientation and len(after) == len(packet)
    assert xmp_orientation.upright(after)[1] == (1 if orientation else None)
    if orientation is None:
        assert after == packet


def test_planes_of_a_volume_that_are_not_upright_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(stored("TIFF", ATTRIBUTE.format(6).encode()))
    with pytest.raises(ImageError, match=r"got orientation 6, expected upright planes \(1\)"):
        open_volume(path)
    path.write_bytes(stored("TIFF", ATTRIBUTE.format(6).encode(), orientation=1))
    with open_volume(path) as volume:
        assert volume.shape == (1, 8, 16, 3)


@pytest.mark.parametrize("format", ["WEBP", "PNG"])
def test_the_frames_of_an_animation_are_turned_too(format, tmp_path):
    block = Pillow.Exif()
    block[0x0112] = 6
    frames = [Pillow.fromarray(each) for each in (PIXELS, PIXELS[::-1].copy())]
    path = tmp_path / f"a.{format.lower()}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, exif=block)
    with open_volume(path) as volume:
        assert volume.shape == (2, 16, 8, 3)
        np.testing.assert_array_equal(volume.planes([0])[0], upright(PIXELS, 6))
