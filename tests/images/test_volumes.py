"""Volumes as files: what is opened as one, what is refused, and that they come out as they went in."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import ImageError
from convcli.images.volume_frames import open_sequence
from convcli.images.volume_model import VolumeMetadata, one_by_one
from convcli.images.volume_writing import write_volume
from convcli.images.volumes import open_volume


@pytest.fixture
def voxels(rng):
    return rng.integers(0, 256, (6, 8, 9), np.uint8)


def whole(path, **words):
    with open_volume(path, **words) as volume:
        return volume.planes(np.arange(volume.shape[0]))


def copy(volume, target, **words):
    """Write a volume as it is."""
    planes = iter(volume.planes(np.arange(volume.shape[0])))
    format = "NPY" if str(target).endswith(".npy") else "TIFF"
    write_volume(planes, target, volume.shape, volume.dtype, volume.metadata, format=format, **words)
    return target


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", ">u2", "int16", "bool", "int64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_numbers(tmp_path, rng, dtype, order):
    array = np.asarray(rng.integers(0, 2, (4, 5, 6)), dtype, order=order)
    np.save(tmp_path / "v.npy", array)
    with open_volume(tmp_path / "v.npy") as volume:
        assert volume.shape == (4, 5, 6, 1)
        planes = volume.planes([0, 2, 3])
    expected = array[[0, 2, 3]] * (255 if dtype == "bool" else 1)
    np.testing.assert_array_equal(planes[..., 0], expected)
    assert planes.dtype == {"bool": "uint8", ">u2": "uint16", "int16": "float32", "int64": "float64"}.get(dtype, dtype)


def test_npy_with_channels(tmp_path, rng):
    array = rng.standard_normal((3, 4, 5, 2))
    np.save(tmp_path / "v.npy", array)
    np.testing.assert_array_equal(whole(tmp_path / "v.npy"), array)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("shape", [(5, 16, 17), (3, 16, 17), (5, 16, 17, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float32"])
def test_plain_tiff(tmp_path, rng, compression, shape, dtype):
    array = rng.integers(0, 256, shape).astype(dtype)
    photometric = "rgb" if len(shape) == 4 else "minisblack"
    order = ">" if dtype == ">u2" else "<"
    words = {"compression": compression, "metadata": None, "photometric": photometric, "byteorder": order}
    tifffile.imwrite(tmp_path / "v.tif", array, **words)
    np.testing.assert_array_equal(whole(tmp_path / "v.tif").reshape(shape), array)


def test_pages_written_one_by_one_in_strips_and_tiles(tmp_path, voxels):
    with tifffile.TiffWriter(tmp_path / "v.tif") as writer:
        for index, plane in enumerate(voxels):
            words = {"tile": (16, 16)} if index % 2 else {"rowsperstrip": 3}
            writer.write(plane, **words)
    np.testing.assert_array_equal(whole(tmp_path / "v.tif")[..., 0], voxels)


def test_planes_that_slabs_share_are_decoded_once():
    decoded = []

    def decode(index):
        decoded.append(index)
        return np.full((1, 1, 1), index, np.uint8)

    read_run = one_by_one(decode)
    for first, end in ((0, 4), (2, 6), (5, 7), (0, 2)):
        assert read_run(first, end).ravel().tolist() == list(range(first, end))
    assert decoded == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_a_palette_is_looked_up(tmp_path):
    frames = [Image.new("P", (5, 4), index) for index in range(3)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 10, 20, 30, 40, 50, 60])
    frames[0].save(tmp_path / "v.tif", save_all=True, append_images=frames[1:])
    assert whole(tmp_path / "v.tif")[:, 0, 0].tolist() == [[0, 0, 0], [10, 20, 30], [40, 50, 60]]


def test_imagej_metadata_are_kept(tmp_path, rng):
    array = rng.integers(0, 65536, (5, 6, 7), np.uint16)
    metadata = {"axes": "ZYX", "spacing": 3.5, "unit": "um", "min": 10.0, "max": 900.0, "Info": "who"}
    tifffile.imwrite(tmp_path / "v.tif", array, imagej=True, resolution=(2.0, 4.0), metadata=metadata)
    with open_volume(tmp_path / "v.tif") as volume:
        copy(volume, tmp_path / "w.tif")
    with tifffile.TiffFile(tmp_path / "w.tif") as file:
        assert file.series[0].axes == "ZYX"
        np.testing.assert_array_equal(file.asarray(), array)
        found = file.imagej_metadata
        assert {name: found[name] for name in ("spacing", "unit", "min", "max", "Info", "slices")} == {
            "spacing": 3.5, "unit": "um", "min": 10.0, "max": 900.0, "Info": "who", "slices": 5,
        }  # fmt: skip
        assert file.pages[0].tags["XResolution"].value == (2, 1)
        assert file.pages[0].tags["YResolution"].value == (4, 1)


def test_imagej_distances_become_omes_where_imagej_cannot_hold_the_numbers(tmp_path, rng):
    metadata = VolumeMetadata("TIFF", "imagej", resolution=(2.0, 4.0), notes={"unit": "micron", "spacing": 3.0})
    planes = rng.standard_normal((2, 3, 4, 1))
    write_volume(iter(planes), tmp_path / "w.tif", planes.shape, planes.dtype, metadata, format="TIFF")
    with tifffile.TiffFile(tmp_path / "w.tif") as file:
        text = file.ome_metadata
        np.testing.assert_array_equal(file.asarray(), planes[..., 0])
    assert 'PhysicalSizeX="0.5"' in text
    assert 'PhysicalSizeZ="3.0"' in text
    assert 'PhysicalSizeZUnit="µm"' in text


@pytest.mark.parametrize("axis", ["Z", "T"])
def test_ome_metadata_are_kept(tmp_path, voxels, axis):
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeZ": 2.0, "PhysicalSizeZUnit": "nm"}
    metadata = {"axes": f"{axis}YX", **sizes, "Channel": {"Name": ["DAPI"]}}
    tifffile.imwrite(tmp_path / "v.ome.tif", voxels, metadata=metadata)
    with open_volume(tmp_path / "v.ome.tif") as volume:
        assert volume.metadata.axis == axis
        copy(volume, tmp_path / "w.ome.tif")
        copy(volume, tmp_path / "bare.tif", strip=True)
    with tifffile.TiffFile(tmp_path / "w.ome.tif") as file:
        assert file.series[0].axes == f"{axis}YX"
        np.testing.assert_array_equal(file.asarray(), voxels)
        text = file.ome_metadata
    for word in ('PhysicalSizeX="0.5"', 'PhysicalSizeXUnit="nm"', 'PhysicalSizeZ="2.0"', 'Name="DAPI"'):
        assert word in text
    with tifffile.TiffFile(tmp_path / "bare.tif") as file:
        assert not file.is_ome


def test_labels_of_planes_stay_only_where_each_has_its_own(tmp_path):
    path, labels = tmp_path / "stack.tif", ["a", "b", "c", "d"]
    tifffile.imwrite(path, np.zeros((4, 3, 3), np.uint8), imagej=True, metadata={"axes": "ZYX", "Labels": labels})
    with open_volume(path) as volume:
        planes = volume.planes(np.arange(4))
        for depth, metadata, kept in (
            (4, volume.metadata, labels), (3, volume.metadata, None), (2, volume.metadata.strided((2, 1, 1)), None)
        ):  # fmt: skip
            target = tmp_path / f"{depth}.tif"
            said = write_volume(
                iter(planes[:depth]), target, (depth, 3, 3, 1), np.dtype(np.uint8), metadata, format="TIFF"
            )
            with tifffile.TiffFile(target) as file:
                assert file.imagej_metadata.get("Labels") == kept
            assert said == (() if kept else ("ImageJ's Labels",))


def test_plain_resolution_is_kept_and_follows_the_stride(tmp_path, voxels):
    words = {"resolution": (300, 200), "resolutionunit": 3, "metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "v.tif", voxels, compression="lzw", **words)
    with open_volume(tmp_path / "v.tif") as volume:
        assert volume.metadata.strided((1, 2, 3)).resolution == (100, 100)
        copy(volume, tmp_path / "w.tif")
    with tifffile.TiffFile(tmp_path / "w.tif") as file:
        tags = file.pages[0].tags
        assert tags["XResolution"].value == (300, 1)
        assert tags["YResolution"].value == (200, 1)
        assert tags["ResolutionUnit"].value == 3
        assert file.pages[0].compression.name == "LZW"


def test_distances_grow_with_the_stride():
    notes = {"spacing": 2.0, "PhysicalSizeX": 0.5, "finterval": 0.25, "fps": 4.0}
    assert VolumeMetadata("TIFF", notes=notes).strided((3, 1, 2)).notes == {
        **notes,
        "spacing": 6.0,
        "PhysicalSizeX": 1.0,
    }
    frames = VolumeMetadata("TIFF", axis="T", notes=notes, durations=(10, 20, 30)).strided((2, 1, 1))
    assert frames.notes["finterval"] == 0.5
    assert frames.notes["fps"] == 2
    assert frames.durations == (30, 30)


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_frames_of_animations(tmp_path, rng, format):
    colours = rng.integers(0, 256, (4, 3), np.uint8)
    frames = [Image.fromarray(np.full((8, 9, 3), colour)) for colour in colours]
    words = {"lossless": True} if format == "webp" else {}
    frames[0].save(tmp_path / "v", format, save_all=True, append_images=frames[1:], duration=40, **words)
    assert whole(tmp_path / "v")[:, 3, 3].tolist() == colours.tolist()
    with pytest.raises(ImageError, match="--max-pixels 288"):
        open_volume(tmp_path / "v", max_pixels=287)


def test_pictures_as_planes(tmp_path, rng):
    planes = rng.integers(0, 65536, (12, 5, 6), np.uint16)
    names = [str(tmp_path / f"f{index}.png") for index in range(12)]
    for name, plane in zip(names, planes, strict=True):
        Image.fromarray(plane).save(name)
    with open_sequence(names) as volume:
        np.testing.assert_array_equal(volume.planes([0, 1, 5])[..., 0], planes[[0, 1, 5]])
        assert not volume.warnings
    (warning,) = open_sequence(sorted(names)).warnings
    assert "f10.png before" in warning
    Image.fromarray(planes[0, :4]).save(names[3])
    with open_sequence(names) as volume, pytest.raises(ImageError, match=r"f3.png: got 6x4 pixels, .* expected 6x5"):
        volume.planes([2, 3])


def save_mixed(path, rng):
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((4, 5), np.uint8))
        writer.write(np.zeros((4, 6), np.uint8))


def save_mixed_types(path, rng):
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((4, 5), np.uint8))
        writer.write(np.zeros((4, 5), np.uint16))


def save_two_images(path, rng):
    with tifffile.TiffWriter(path, ome=True) as writer:
        for _ in range(2):
            writer.write(np.zeros((3, 4, 5), np.uint8), metadata={"axes": "ZYX"})


def save_array(shape, dtype=np.uint8):
    return lambda path, rng: path.write_bytes(npy_bytes(np.zeros(shape, dtype)))


def npy_bytes(array):
    import io

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (save_mixed, "page 2: got 6x4 pixels, uint8, .* expected 5x4"),
        (save_mixed_types, "page 2: got 5x4 pixels, uint16, .* expected 5x4 pixels, uint8"),
        (save_two_images, "2 images, expected one volume"),
        (save_array((4, 5)), r"shape \(4, 5\), expected 3 axes for --axes zyx"),
        (save_array((4, 5, 6, 7)), "expected 3 axes for --axes zyx; name its axes, as in --axes tzyx"),
        (save_array((0, 5, 6)), "at least one number along every axis"),
        (save_array((2, 2, 2), complex), "expected plain numbers"),
        (save_array((2, 100, 100)), "--max-pixels 10000"),
        (lambda path, rng: path.write_bytes(npy_bytes(np.zeros((3, 4, 5)))[:-9]), "truncated NPY: 9 bytes"),
        (lambda path, rng: path.write_bytes(b""), "is empty"),
        (lambda path, rng: Image.new("L", (4, 4)).save(path, "PNG"), "is a PNG, a flat picture"),
        (lambda path, rng: None, "no such file"),
    ],
)
def test_what_is_no_volume_is_one_line(tmp_path, rng, save, message):
    path = tmp_path / "v"
    save(path, rng)
    with pytest.raises(ImageError, match=message) as caught:
        open_volume(path, max_pixels=9000)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("style", ["plain", "imagej", "ome", "compressed"])
def test_a_truncated_tiff_is_refused_wherever_it_ends(tmp_path, rng, style):
    words = {"imagej": {"imagej": True}, "ome": {"ome": True}, "compressed": {"compression": "zlib"}}.get(style, {})
    path = tmp_path / "v.tif"
    array = rng.integers(0, 65536, (5, 16, 17), np.uint16)
    tifffile.imwrite(path, array, photometric="minisblack", **words)
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 97):
        path.write_bytes(data[:end])
        with pytest.raises(ImageError), open_volume(path) as volume:
            volume.planes(np.arange(5))
            assert volume.shape[0] < 5, end


def test_a_damaged_page_is_found_when_it_is_read(tmp_path, rng):
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, rng.integers(0, 256, (3, 64, 64), np.uint8), compression="zlib", photometric="minisblack")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        begin = file.pages[2].dataoffsets[0]
    data[begin : begin + 200] = b"\xff" * 200
    path.write_bytes(data)
    with open_volume(path) as volume:
        volume.planes([0, 1])
        with pytest.raises(ImageError, match=r"v\.tif: damaged"):
            volume.planes([2])


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def planes():
        yield np.zeros((4, 5, 1), np.uint8)
        raise ImageError("the input broke")

    for format in ("TIFF", "NPY"):
        with pytest.raises(ImageError, match="the input broke"):
            write_volume(
                planes(), tmp_path / "w", (2, 4, 5, 1), np.dtype(np.uint8), VolumeMetadata("NPY"), format=format
            )
    assert not list(tmp_path.iterdir())
