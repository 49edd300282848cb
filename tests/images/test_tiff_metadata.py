"""What TIFF files say of their pixels is said of those that are written: descriptions, places on earth, other tags."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from convcli.geometry import Placement
from convcli.images import Image, read, write
from convcli.images.tiff_description import read as read_description
from convcli.images.volume_writing import write_volume
from convcli.images.volumes import open_volume

STACK = np.random.default_rng(6).integers(0, 60000, (10, 8, 12)).astype(np.uint16)
HALF = (Placement(2, 0.5), Placement(4, -3))


def tiff(array=STACK, **options):
    stream = io.BytesIO()
    options.setdefault("software", False)
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def rewritten(data, format="TIFF", placement=None):
    """(tifffile's view of the file, names of what is not kept) of a file read and written, perhaps placed elsewhere."""
    image = read(io.BytesIO(data))
    pixels = image.pixels
    if placement:
        pixels = np.ascontiguousarray(pixels[:: placement[0].step, :: placement[1].step])
    stream = io.BytesIO()
    lost = write(
        Image(pixels, image.has_alpha, image.metadata, (), placement or Image.placement), stream, format=format
    )
    stream.seek(0)
    return (tifffile.TiffFile(stream) if format == "TIFF" else stream.getvalue()), lost


def tags(file, page=0):
    return {tag.code: tag.value for tag in file.pages[page].tags}


def tags_of(path):
    with tifffile.TiffFile(path) as file:
        return tags(file)


# Descriptions

OME = {
    "axes": "ZYX",
    "PhysicalSizeX": 0.5,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.25,
    "PhysicalSizeZ": 2,
    "Name": "cell",
}


@pytest.mark.parametrize("bigtiff", [False, True])
def test_ome_xml_speaks_of_the_page_that_is_written(bigtiff):
    file, lost = rewritten(tiff(ome=True, metadata=OME, bigtiff=bigtiff))
    assert file.is_ome and file.asarray().shape == (8, 12) and file.series[0].axes == "YX"
    np.testing.assert_array_equal(file.asarray(), STACK[0])
    pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["SizeX"], pixels["SizeY"], pixels["SizeZ"]) == (12, 8, 1)
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"], pixels["PhysicalSizeXUnit"]) == (0.5, 0.25, "µm")
    assert lost == ("OME-XML other than names and pixel sizes",)
    file, _ = rewritten(tiff(ome=True, metadata=OME), placement=HALF)
    pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["SizeX"], pixels["SizeY"], pixels["PhysicalSizeX"], pixels["PhysicalSizeY"]) == (3, 4, 2, 0.5)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_ome_xml_of_one_picture_is_written_anew_without_a_word(channels):
    array = np.ones((8, 12, channels), np.uint8)
    options = {"photometric": "rgb"} if channels > 2 else {"photometric": "minisblack", "planarconfig": "contig"}
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    axes = "YXS" if channels > 1 else "YX"
    pixels = array if channels > 1 else array[..., 0]
    source = tiff(pixels, ome=True, metadata={"axes": axes, "PhysicalSizeX": 3.0}, **options, **alpha)
    file, lost = rewritten(source)
    assert file.is_ome and lost == ()
    np.testing.assert_array_equal(file.asarray().reshape(array.shape), array)


def test_annotations_in_ome_xml_are_named():
    text = ('<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument ID="a"/>'
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="12" SizeY="8" '
            'SizeZ="1" SizeC="1" SizeT="1"><TiffData/></Pixels></Image></OME>')  # fmt: skip
    file, lost = rewritten(tiff(STACK[0], description=text, metadata=None))
    assert lost == ("OME-XML other than names and pixel sizes",) and file.asarray().shape == (8, 12)
    assert "Instrument" not in file.ome_metadata
    file, lost = rewritten(tiff(STACK[0], description=text[:-9], metadata=None))
    assert lost == ("damaged OME-XML",) and not file.is_ome and 270 not in tags(file)


def test_imagej_s_description_keeps_the_unit_of_its_resolution():
    source = tiff(imagej=True, resolution=(4.0, 2.0), metadata={"axes": "ZYX", "unit": "um", "spacing": 3.0})
    file, lost = rewritten(source, placement=HALF)
    assert file.is_imagej and file.asarray().shape == (4, 3)
    assert file.imagej_metadata["unit"] == "um" and file.imagej_metadata["images"] == 1
    (x, xs), (y, ys) = tags(file)[282], tags(file)[283]
    assert (x / xs, y / ys, int(tags(file)[296])) == (1, 1, 1)
    assert lost == ("ImageJ's spacing",)
    assert rewritten(source, "PNG")[1] == ("ImageJ's spacing", "pixel size")


def test_shapes_of_tifffile_are_not_copied():
    source = tiff(metadata={"axes": "ZYX", "sample": "A7"})
    assert source.count(b'"shape"') == 1
    file, lost = rewritten(source)
    assert file.asarray().shape == (8, 12) and not file.is_shaped and 270 not in tags(file)
    assert lost == ("a program's description of the stored pixels",)


@pytest.mark.parametrize(
    "text",
    [
        '{"shape": [10, 8, 12]}',
        "shape=(10, 8, 12)",
        "Aperio Image Library v10\n46000x32914 [0,100 46000x32814]",
        "<MetaData><PlaneInfo/></MetaData>",
        "state.configPath='x'",
        "SI.VERSION_MAJOR = 5",
    ],
)
def test_descriptions_of_programs_go(text):
    file, lost = rewritten(tiff(STACK[0], description=text, metadata=None))
    assert 270 not in tags(file) and lost == ("a program's description of the stored pixels",)


def test_a_text_that_people_wrote_stays():
    file, lost = rewritten(tiff(STACK[0], description="Leica M9, <3 and shape", metadata=None))
    assert tags(file)[270] == "Leica M9, <3 and shape" and lost == ()
    assert read_description("plain words") == (None, None)


def test_a_description_in_exif_of_another_format_goes_too(tmp_path):
    exif = Pillow.Exif()
    exif[270], exif[271] = '{"shape": [10, 8, 12]}', "Ada"
    Pillow.new("L", (12, 8)).save(tmp_path / "a.jpg", exif=exif)
    lost = write(read(tmp_path / "a.jpg"), tmp_path / "b.tif")
    assert lost == ("a program's description of the stored pixels",)
    assert tags_of(tmp_path / "b.tif")[271] == "Ada" and tifffile.imread(tmp_path / "b.tif").shape == (
        8,
        12,
    )


def test_what_is_written_opens_as_a_volume(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(metadata={"axes": "ZYX"}))
    (tmp_path / "a.ome.tif").write_bytes(tiff(ome=True, metadata=OME))
    for name in ("a.tif", "a.ome.tif"):
        write(read(tmp_path / name), tmp_path / f"b{name}")
        with open_volume(tmp_path / f"b{name}") as volume:
            assert volume.shape == (1, 8, 12, 1)


# Other tags

PLAIN = [
    (285, 2, 0, "page one", True),
    (269, 2, 0, "book", True),
    (65000, 3, 3, (1, 2, 3), True),
    (65001, 12, 1, 2.5, True),
]


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"byteorder": ">", "bigtiff": True}])
def test_texts_and_private_tags_stay_in_a_tiff_and_are_named_elsewhere(options):
    texts = [(315, 2, 0, "Ada", True), (33432, 2, 0, "(c) Ada", True)]
    source = tiff(STACK[0], extratags=PLAIN + texts, datetime="2020:01:02 03:04:05", metadata=None, **options)
    file, lost = rewritten(source)
    found = tags(file)
    assert {code: found[code] for code in (285, 269, 65000, 65001, 315, 33432, 306)} == {
        285: "page one", 269: "book", 65000: (1, 2, 3), 65001: 2.5, 315: "Ada", 33432: "(c) Ada",
        306: "2020:01:02 03:04:05",
    }  # fmt: skip
    assert lost == ()
    np.testing.assert_array_equal(file.asarray(), STACK[0])
    data, lost = rewritten(source, "PNG")
    assert set(lost) == {"PageName", "DocumentName", "tag 65000", "tag 65001"}
    assert Pillow.open(io.BytesIO(data)).getexif()[315] == "Ada"


def test_all_that_exif_says_becomes_tags(tmp_path):
    exif = Pillow.Exif()
    exif[271], exif[0x4746], exif[0x9C9B] = "Ada", 5, "title".encode("utf-16-le")
    exif[282], exif[283], exif[296] = 300.0, 120.0, 2
    exif.get_ifd(0x8769)[0x829A] = 0.5
    Pillow.new("L", (12, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert write(read(tmp_path / "a.jpg"), tmp_path / "b.tif") == ()
    found = tags_of(tmp_path / "b.tif")
    assert (found[271], found[0x4746], bytes(found[0x9C9B])) == ("Ada", 5, "title".encode("utf-16-le"))
    assert found[34665]["ExposureTime"] == 0.5 and (found[282], found[283]) == ((300, 1), (120, 1))


def test_tags_that_describe_other_pixels_go_and_are_named():
    extra = [(280, 3, 1, 7, True), (281, 3, 1, 99, True), (50839, 1, 4, b"abcd", True), (34412, 1, 4, b"zeis", True)]
    file, lost = rewritten(tiff(STACK[0], extratags=extra, metadata=None))
    assert not {280, 281, 50839, 34412} & set(tags(file))
    assert set(lost) == {"smallest and largest sample", "ImageJ's own tags", "Zeiss LSM information"}


def test_sub_pages_and_smaller_pages_are_named():
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        file.write(STACK[0], subifds=1, metadata=None, software=False)
        file.write(STACK[0, ::2, ::2], subfiletype=1, metadata=None, software=False)
        file.write(STACK[0, ::2, ::2], subfiletype=1, metadata=None, software=False)
    assert rewritten(stream.getvalue())[1] == (
        "sub-pages (thumbnails or smaller copies)",
        "smaller copies of the picture",
    )


def test_iptc_and_photoshop_s_resources_of_a_tiff():
    record = b"\x1c\x02\x50\0\3Ada\0"
    file, lost = rewritten(tiff(STACK[0], extratags=[(33723, 7, len(record), record, True)], metadata=None))
    assert tags(file)[33723] == record and b"8BIM\x04\x04" in bytes(tags(file)[34377]) and lost == ()
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"mini"
    file, lost = rewritten(tiff(STACK[0], extratags=[(34377, 1, len(thumbnail), thumbnail, True)], metadata=None))
    assert 34377 not in tags(file) and lost == ("thumbnail",)


# Places on earth

SCALE, TIE = (10.0, 20.0, 0.0), (0.0, 0.0, 0.0, 500000.0, 4000000.0, 0.0)
KEYS = (1, 1, 0, 1, 1025, 0, 1, 1)


def geotiff(keys=KEYS, **more):
    extra = [(33550, 12, 3, SCALE, True), (33922, 12, 6, TIE, True), (34735, 3, len(keys), keys, True)]
    return tiff(STACK[0], extratags=more.get("extra", extra), metadata=None, **more.get("options", {}))


def on_earth(found, column, row):
    """Where a point of the raster lies, by pixel scale and the first tie point."""
    i, j, _, x, y, _ = found[33922]
    return x + (column - i) * found[33550][0], y - (row - j) * found[33550][1]


@pytest.mark.parametrize("is_point", [False, True])
def test_a_geotiff_stays_where_it_is(is_point):
    source = geotiff((*KEYS[:-1], 2 if is_point else 1))
    file, lost = rewritten(source)
    assert (
        tags(file)[33550] == SCALE and tags(file)[33922] == TIE and tags(file)[34735][-1] == 1 + is_point and lost == ()
    )
    file, lost = rewritten(source, placement=HALF)
    found = tags(file)
    assert found[33550] == (40, 40, 0) and lost == ()
    # The middle of the result's pixel (row 1, column 1) on both rasters, counted from corners or from middles.
    shift = 0.5 if is_point else 0
    before = {33922: TIE, 33550: SCALE}
    expected = on_earth(before, -3 + 4 * 1.5 - shift, 0.5 + 2 * 1.5 - shift)
    assert on_earth(found, 1.5 - shift, 1.5 - shift) == pytest.approx(expected)


def test_a_transformation_is_carried_along_and_what_cannot_be_is_named():
    matrix = (10.0, 1.0, 0.0, 500.0, 2.0, -20.0, 0.0, 400.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
    extra = [(34264, 12, 16, matrix, True), (50844, 12, 3, (1.0, 2.0, 3.0), True)]
    file, lost = rewritten(geotiff(extra=extra), placement=HALF)
    got, old = (np.array(each).reshape(4, 4) for each in (tags(file)[34264], matrix))
    np.testing.assert_allclose(got @ [2, 3, 0, 1], old @ [-3 + 4 * 2, 0.5 + 2 * 3, 0, 1])
    assert 50844 not in tags(file) and lost == ("GeoTIFF tags",)
    assert 50844 in tags(rewritten(geotiff(extra=extra))[0])


def test_a_geotiff_elsewhere_or_turned_is_named():
    assert rewritten(geotiff(), "PNG")[1] == ("GeoTIFF tags",)
    turned = geotiff(extra=[(274, 3, 1, 6, True), (33550, 12, 3, SCALE, True)])
    file, lost = rewritten(turned)
    assert 33550 not in tags(file) and lost == ("GeoTIFF tags",)


# Volumes


def volume(path, format="TIFF", target=None, strip=False, stride=(1, 1, 1)):
    with open_volume(path) as source:
        planes = source.planes(range(source.shape[0]))[:: stride[0], :: stride[1], :: stride[2]]
        return write_volume(
            iter(planes), target, planes.shape, planes.dtype, source.metadata.strided(stride), format=format,
            strip=strip, overwrite=True,
        )  # fmt: skip


def test_tags_of_a_volume_s_first_page_stay(tmp_path):
    extra = [(315, 2, 0, "Ada", True), *PLAIN]
    (tmp_path / "a.tif").write_bytes(tiff(extratags=extra, metadata=None, resolution=(300, 120), resolutionunit=2))
    assert volume(tmp_path / "a.tif", target=tmp_path / "b.tif", stride=(2, 2, 4)) == ()
    found = tags_of(tmp_path / "b.tif")
    assert found[315] == "Ada" and found[285] == "page one" and found[65000] == (1, 2, 3)
    assert (found[282], found[283]) == ((75, 1), (60, 1))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), STACK[::2, ::2, ::4])
    lost = volume(tmp_path / "a.tif", "NPY", tmp_path / "b.npy")
    assert set(lost) == {"TIFF's text tags", "PageName", "DocumentName", "tag 65000", "tag 65001", "resolution"}
    assert volume(tmp_path / "a.tif", "NPY", tmp_path / "b.npy", strip=True) == ()


def test_a_volume_on_earth_stays_only_if_no_voxel_moves(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(extratags=[(33550, 12, 3, SCALE, True)], metadata=None))
    assert volume(tmp_path / "a.tif", target=tmp_path / "b.tif") == ()
    assert tags_of(tmp_path / "b.tif")[33550] == SCALE
    assert volume(tmp_path / "a.tif", target=tmp_path / "b.tif", stride=(1, 2, 2)) == ("GeoTIFF tags",)
    assert 33550 not in tags_of(tmp_path / "b.tif")


@pytest.mark.parametrize("style", ["ome", "imagej"])
def test_ome_and_imagej_volumes_lose_nothing_silently(tmp_path, style):
    metadata = (
        {"axes": "ZYX", "PhysicalSizeX": 0.5} if style == "ome" else {"axes": "ZYX", "unit": "um", "spacing": 2.0}
    )
    (tmp_path / "a.tif").write_bytes(tiff(**{style: True}, metadata=metadata))
    assert volume(tmp_path / "a.tif", target=tmp_path / "b.tif") == ()
    assert tifffile.imread(tmp_path / "b.tif").shape == STACK.shape
    name = "OME's" if style == "ome" else "ImageJ's"
    assert f"{name} notes" in volume(tmp_path / "a.tif", "NPY", tmp_path / "b.npy")


def test_a_shaped_volume_is_silent_about_shapes_that_are_counted_anew(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(metadata={"axes": "ZYX"}))
    volume(tmp_path / "a.tif", target=tmp_path / "b.tif", stride=(2, 2, 2))
    assert tifffile.imread(tmp_path / "b.tif").shape == (5, 4, 6)


def test_frames_of_an_animation_lose_their_durations_by_name(tmp_path):
    frames = [Pillow.fromarray((STACK[index] // 256).astype(np.uint8)) for index in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[50, 60, 70], comment=b"Ada")
    assert volume(tmp_path / "a.gif", target=tmp_path / "b.tif") == ("texts", "durations of frames")
