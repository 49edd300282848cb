"""Small right files of every format, from which damaged ones are made."""

import contextlib
import functools
import gzip
import io
import json
import struct
import tempfile
import warnings
import zlib
from math import prod
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin, features

from convcli.errors import ImageError

H, W = 9, 12


def pixels(channels=3, dtype=np.uint8, size=(H, W)):
    """A slope with some noise."""
    rng = np.random.default_rng(channels)
    down, across = np.mgrid[: size[0], : size[1]]
    slope = ((down * 20 + across * 10)[..., None] + rng.integers(0, 40, (*size, channels))) % 256
    found = (slope * (np.iinfo(dtype).max // 255) if np.dtype(dtype).kind == "u" else slope / 255).astype(dtype)
    return found[..., 0] if channels == 1 else found


def _saved(format, mode="RGB", **options):
    channels = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    source = Image.fromarray(pixels(channels))
    if source.mode != mode:
        source = source.convert(mode)
    if options.get("save_all"):
        options["append_images"] = [source.rotate(180), source.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    stream = io.BytesIO()
    source.save(stream, format, **options)
    return stream.getvalue()


def profile():
    """An sRGB colour profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation=6, thumbnail=False):
    """An EXIF block with a directory in a directory."""
    found = Image.Exif()
    found[274], found[271], found[305], found[282], found[296] = orientation, "maker", "program", 72.0, 2
    found.get_ifd(34665).update({37510: b"ASCII\0\0\0comment", 36867: "2024:01:01 00:00:00", 40962: W, 40963: H})
    found.get_ifd(34853).update({1: "N", 2: (1.0, 2.0, 3.0)})
    content = found.tobytes()
    return content + (_saved("JPEG", "L") if thumbnail else b"")


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" xmp:Rating="3"/></x:xmpmeta>'


def _png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@functools.cache
def png():
    """Every colour type and depth, with the chunks that travel along."""
    about = PngImagePlugin.PngInfo()
    about.add_text("Title", "one")
    about.add_text("Long", "two " * 99, zip=True)
    about.add_itxt("XML:com.adobe.xmp", XMP.decode())
    found = [_saved("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
    found += [imagecodecs.png_encode(pixels(channels, np.uint16)) for channels in (1, 2, 3, 4)]
    found.append(_saved("PNG", "RGB", pnginfo=about, dpi=(72, 72), icc_profile=profile(), exif=exif()))
    found.append(_saved("PNG", "P", transparency=3, bits=4))
    plain = found[4]
    chunks = [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", *range(31270, 31278))),
        (b"sBIT", b"\5\6\5"),
    ]
    chunks += [(b"tIME", struct.pack(">H5B", 2024, 1, 2, 3, 4, 5)), (b"cICP", b"\1\15\0\1"), (b"bKGD", b"\0\1\0\2\0\3")]
    return [*found, plain[:33] + b"".join(_png_chunk(*each) for each in chunks) + plain[33:]]


@functools.cache
def apng():
    """Animations."""
    plain = [_saved("PNG", mode, save_all=True, duration=40, loop=0) for mode in ("RGB", "L")]
    return plain + [_saved("PNG", "RGBA", save_all=True, duration=40, disposal=each) for each in (0, 1, 2)]


@functools.cache
def jpeg():
    """Grey, colour and CMYK; progressive; with EXIF, ICC, XMP and a comment; two pictures in one."""
    found = [_saved("JPEG", mode) for mode in ("L", "RGB", "CMYK")]
    found += [_saved("JPEG", "RGB", progressive=True), _saved("JPEG", "RGB", subsampling=2, quality=30, optimize=True)]
    found.append(
        _saved("JPEG", "RGB", exif=exif(thumbnail=True), icc_profile=profile(), comment=b"said", dpi=(300, 300))
    )
    found.append(_saved("JPEG", "RGB", xmp=XMP, restart_marker_blocks=1))
    found.append(_saved("MPO", "RGB", save_all=True))
    return found


@functools.cache
def tiff():
    """Compressions, depths, tiles, planes, byte orders, palettes; OME, ImageJ and shaped descriptions."""
    found = []
    for channels, dtype in ((1, "u1"), (3, "u1"), (4, "u1"), (1, "u2"), (3, "u2"), (1, "f4"), (3, "f8")):
        found.append(_tiff(pixels(channels, dtype)))
    for compression in ("lzw", "deflate", "packbits", "zstd", "jpeg", "webp", "lzma", "lerc", "jpegxl", "jpeg2000"):
        found.append(_tiff(pixels(3), compression=compression))
    found.append(_tiff(pixels(3, "u2"), compression="lzw", predictor=True))
    found.append(_tiff(np.tile(pixels(3), (4, 4, 1)), tile=(16, 16)))
    found.append(_tiff(np.moveaxis(pixels(3), -1, 0), planarconfig="separate", photometric="rgb"))
    found.append(_tiff(pixels(3), byteorder=">"))
    found.append(_tiff(pixels(1) > 99))
    found += [_saved("TIFF", mode) for mode in ("1", "P", "CMYK", "LA")]
    found += [_saved("TIFF", "1", compression=each) for each in ("group3", "group4", "tiff_ccitt")]
    found += [
        _saved("TIFF", "RGB", icc_profile=profile(), exif=exif(), dpi=(72, 72)),
        _saved("TIFF", "RGB", compression="jpeg"),
    ]
    return found


@functools.cache
def scans():
    """Volumes: TIFFs of several pages in every dialect, arrays, animations."""
    volume = np.stack([pixels(1), pixels(1)[::-1], pixels(1) // 2, pixels(1)])
    found = [_tiff(volume, metadata={"axes": "ZYX"}, ome=True), _tiff(volume, imagej=True), _tiff(volume)]
    found += [
        _tiff(volume, bigtiff=True),
        _tiff(volume.astype("u2"), compression="deflate"),
        _tiff(volume.astype("f4")),
    ]
    found += [_tiff(volume, byteorder=">", metadata=None), _tiff(np.stack([pixels(3)] * 3), photometric="rgb")]
    found += [_npy(volume), _npy(volume.astype("f4")), _npy(np.asfortranarray(volume)), _npy(np.stack([pixels(3)] * 3))]
    several = np.stack([np.stack([volume, volume])] * 2)
    plain = {"photometric": "minisblack", "metadata": {"axes": "TCZYX"}}
    planes = {"Channel": {"Name": ["a", "b"]}, "Plane": {"DeltaT": [0.5] * 16}, "Description": "cells"}
    found += [
        _tiff(several, **plain),
        _tiff(several, ome=True, photometric="minisblack", metadata=plain["metadata"] | planes),
    ]
    found += [_npy(several), _tiff(several, imagej=True, photometric="minisblack", metadata={"axes": "TZCYX"})]
    found += [_npy(volume.astype("i2")), _npy(volume > 9), _tiff(volume > 9), _tiff(volume.astype("i2"))]
    return [*found, *gif()[-3:], *webp()[-2:], *apng()[:2], _saved("TIFF", "RGB", save_all=True)]


def _tiff(array, **options):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


@functools.cache
def gif():
    """Palettes, transparency, interlacing, animations with each way of disposal."""
    found = [_saved("GIF", mode) for mode in ("L", "RGB", "RGBA", "1")] + [
        _saved("GIF", "P", transparency=3, interlace=1)
    ]
    return found + [
        _saved("GIF", "RGBA", save_all=True, disposal=each, duration=30, loop=0, comment=b"said")
        for each in (0, 1, 2, 3)
    ]


@functools.cache
def webp():
    """Lossy and lossless, with alpha, with metadata, animated."""
    found = [_saved("WEBP", "RGB"), _saved("WEBP", "RGBA", lossless=True), _saved("WEBP", "RGBA")]
    found.append(_saved("WEBP", "RGB", exif=exif(), icc_profile=profile(), xmp=XMP))
    return found + [_saved("WEBP", mode, save_all=True, duration=30) for mode in ("RGB", "RGBA")]


@functools.cache
def bmp():
    """Every depth, both directions, run lengths, bit fields."""
    found = [_saved("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")] + [_saved("DIB", "RGB")]
    down = bytearray(found[3])
    struct.pack_into("<i", down, 22, -H)
    palette = bytes(range(16)) + b"\0" * 1008
    runs = bytes([4, 1, 0, 0, 2, 2, 0, 3, 1, 2, 3, 0, 0, 2, 1, 1, 0, 1])
    header = struct.pack("<IiiHHIIiiII", 40, 6, 3, 1, 8, 1, len(runs), 0, 0, 256, 0)
    coded = b"BM" + struct.pack("<IHHI", 54 + 1024 + len(runs), 0, 0, 54 + 1024) + header + palette + runs
    fields = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 16, 3, 16, 0, 0, 0, 0) + struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    masked = b"BM" + struct.pack("<IHHI", 14 + 52 + 16, 0, 0, 14 + 52) + fields + bytes(range(16))
    return [*found, bytes(down), coded, masked]


@functools.cache
def netpbm():
    """P1 to P7, of 8 and 16 bits, with comments."""
    grey, colour = pixels(1), pixels(3)
    words = b" ".join(str(each).encode() for each in grey.ravel())
    found = [b"P2\n# made\n12 9\n255\n" + words, b"P3 4 9 255\n" + words, b"P1\n12 9\n" + b"01" * 54]
    found += [b"P5\n12 9\n255\n" + grey.tobytes(), b"P6\n12 9\n#x\n255\n" + colour.tobytes(), b"P4\n12 9\n" + bytes(18)]
    found += [b"P5 12 9 65535\n" + grey.astype(">u2").tobytes(), b"P6 12 9 1000\n" + colour.astype(">u2").tobytes()]
    head = b"P7\nWIDTH 12\nHEIGHT 9\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n"
    return [
        *found,
        head % (3, b"RGB") + colour.tobytes(),
        head % (4, b"RGB_ALPHA") + pixels(4).tobytes(),
        b"Pf 12 9 -1.0\n" + bytes(432),
    ]


def _npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


@functools.cache
def npy():
    """Types, orders, numbers of axes, header versions."""
    found = [
        _npy(pixels(channels, dtype)) for channels, dtype in ((1, "u1"), (3, "u1"), (4, "u2"), (1, "f4"), (3, "f8"))
    ]
    found += [_npy(pixels(1).astype(each)) for each in (">u2", ">f4", "i4", "i8", "?", "f2", "c8", "U3", "S2")]
    found += [
        _npy(np.asfortranarray(pixels(3))),
        _npy(pixels(1), (2, 0)),
        _npy(pixels(1), (3, 0)),
        _npy(np.arange(9.0)),
    ]
    return [*found, _npy(np.zeros(3, [("a", "u1"), ("b", "f4")])), _npy(np.zeros((0, 3), "u1")), _npy(np.float64(3))]


def _coded(format, array, *, more=False, **words):
    """A picture as convcli writes it, perhaps with all that can stand beside pixels."""
    from convcli.images import Image as Picture
    from convcli.images import Metadata, write

    said = {"icc": profile(), "exif": exif().removeprefix(b"Exif\0\0"), "xmp": XMP, "dpi": (72.0, 72.0)} if more else {}
    array = array if array.ndim == 3 else array[..., None]
    stream = io.BytesIO()
    write(Picture(array, array.shape[2] in (2, 4), Metadata(**said)), stream, format=format, **words)
    return stream.getvalue()


def _kinds_of(format, types=(np.uint8, np.uint16), **words):
    found = [_coded(format, pixels(channels, each), **words) for channels in (1, 3, 4) for each in types]
    return [*found, _coded(format, pixels(3), more=True)]


@functools.cache
def avif():
    """8 and 12 bits, alpha, metadata, an animation where Pillow writes one."""
    more = [_saved("AVIF", "RGB", save_all=True)] if features.check("avif") else []
    return [*_kinds_of("avif"), *more]


@functools.cache
def heic():
    """As AVIF; without the extra that writes it, its boxes alone."""
    try:
        return _kinds_of("heic")
    except ImageError:
        return [data[:8] + b"heic" + data[12:].replace(b"av01", b"hvc1").replace(b"av1C", b"hvcC") for data in avif()]


@functools.cache
def raw():
    """A negative in DNG: rows of red and green, and of green and blue."""
    tags = [
        (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, b"\0\1\1\2", True),
        (50706, 1, 4, b"\1\4\0\0", True),
        (50708, 2, 5, "none", True),
        (50714, 4, 1, 100, True),
        (50717, 4, 1, 4095, True),
    ]
    mosaic = np.full((64, 96), 2000, np.uint16)
    return [_tiff(mosaic, photometric=32803, metadata=None, extratags=tags)]


@functools.cache
def jp2():
    """Boxes and bare code streams, with and without loss."""
    bare = [imagecodecs.jpeg2k_encode(pixels(3), level=0, codecformat="j2k")]
    return [*_kinds_of("jp2"), _coded("jp2", pixels(3), quality=30), *map(bytes, bare)]


@functools.cache
def jxl():
    """Bare and in boxes, floats, loss, an animation."""
    frames = imagecodecs.jpegxl_encode(np.stack([pixels(3)] * 3), lossless=True)
    return [*_kinds_of("jxl", (np.uint8, np.uint16, np.float32)), _coded("jxl", pixels(3), quality=30), bytes(frames)]


@functools.cache
def tga():
    """Grey, palettes, colour, alpha; runs."""
    found = [_saved("TGA", mode) for mode in ("L", "LA", "P", "RGB", "RGBA")]
    return found + [_saved("TGA", mode, compression="tga_rle") for mode in ("L", "P", "RGB", "RGBA")]


@functools.cache
def qoi():
    """RGB and RGBA."""
    return [bytes(imagecodecs.qoi_encode(pixels(channels))) for channels in (3, 4)]


def _npz(compressed=False, **arrays):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


@functools.cache
def npz():
    """One array and several, packed and not; pictures, volumes, a signal."""
    volume = np.stack([pixels(1), pixels(1)[::-1], pixels(1)])
    found = [_npz(packed, picture=pixels(3)) for packed in (False, True)]
    found += [_npz(True, a=pixels(1), b=volume), _npz(scan=volume), _npz(line=np.arange(9.0))]
    return [*found, _npz(**{"x/images": pixels(1)}), _npz(images=np.asfortranarray(volume.astype("f4")))]


@functools.cache
def nifti():
    """NIfTI-1 of several types and both byte orders, of moments, scaled, packed."""
    found = []
    for code, dtype, order in ((2, "u1", "<"), (4, "i2", "<"), (16, "f4", ">"), (512, "u2", "<"), (256, "i1", "<")):
        for sizes in ((12, 9, 4), (12, 9, 2, 3)):
            head = bytearray(352)
            struct.pack_into(order + "i", head, 0, 348)
            struct.pack_into(order + "8h", head, 40, len(sizes), *sizes, *(1,) * (7 - len(sizes)))
            struct.pack_into(order + "hh", head, 70, code, np.dtype(dtype).itemsize * 8)
            struct.pack_into(order + "8f", head, 76, 1, 2, 2.5, 3, 1, 1, 1, 1)
            struct.pack_into(order + "fff", head, 108, 352, 1, 0)
            struct.pack_into(order + "hh", head, 252, 0, 1)
            struct.pack_into(order + "12f", head, 280, 2, 0, 0, 5, 0, 2.5, 0, 6, 0, 0, 3, 7)
            head[344:348] = b"n+1\0"
            found.append(bytes(head) + np.arange(prod(sizes)).astype(order + dtype).tobytes())
    scaled = bytearray(found[2])
    struct.pack_into("<ff", scaled, 112, 0.5, -3)
    return [*found, bytes(scaled), gzip.compress(found[0], 1), gzip.compress(found[3], 1)]


@functools.cache
def stores():
    """Zarr 2 and 3, sharded, and OME-Zarr: the files of each, by their names."""
    import zarr

    volume = np.stack([pixels(1)] * 4)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, words in enumerate(
            (
                {"zarr_format": 2, "chunks": (2, 5, 12)},
                {"zarr_format": 3, "chunks": (2, 5, 6), "compressors": None},
                {"zarr_format": 3, "chunks": (2, 3, 4), "shards": (4, 9, 12)},
            )
        ):
            array = zarr.create_array(f"{folder}/{number}", shape=volume.shape, dtype=volume.dtype, **words)
            array[...] = volume
        for number, form in ((3, 2), (4, 3)):
            group = zarr.open_group(f"{folder}/{number}", mode="w", zarr_format=form)
            group.create_array("0", shape=volume.shape, dtype="u1", chunks=(2, 9, 12))[...] = volume
            scale = [{"type": "scale", "scale": [2.0, 1.0, 1.0]}]
            axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
            image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}], "version": "0.4"}
            group.attrs.update({"multiscales": [image]} if form == 2 else {"ome": {"multiscales": [image]}})
        for number in range(5):
            top = Path(folder, str(number))
            files = sorted(path for path in top.rglob("*") if path.is_file())
            found.append({path.relative_to(top).as_posix(): path.read_bytes() for path in files})
    return found


def film():
    """Frames of 6 columns and 4 rows of RGB, one behind the other."""
    return pixels(3, size=(12, 6)).tobytes()


@functools.cache
def others():
    """Formats that are not read, and files of other kinds."""
    found = [_saved(each, "RGB") for each in ("ICO", "PCX", "SGI", "PPM", "TIFF", "PDF")]
    return [
        *found,
        b"%PDF-1.4\n",
        b"PK\3\4" + bytes(40),
        b"\x1f\x8b\x08" + bytes(20),
        b"<svg/>",
        b"",
        b"\0",
        b"text\n",
        b"#!/bin/sh\n",
    ]


def _wav(codec, bits, channels, body, *, extra=b"", more=b""):
    align = channels * bits // 8
    head = struct.pack("<HHIIHH", codec, channels, 8000, 8000 * align, align, bits) + extra
    parts = b"fmt " + struct.pack("<I", len(head)) + head + more + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


@functools.cache
def wav():
    """Whole numbers of 8 to 32 bits, floats, the extensible header, lists of notes and cue points."""
    notes = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"one\0"
    cue = b"cue " + struct.pack("<II", 28, 1) + struct.pack("<II4sIII", 1, 0, b"data", 0, 0, 5)
    guid = struct.pack("<HHI", 22, 16, 3) + b"\1\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    body = bytes(range(96))
    found = [_wav(1, bits, channels, body) for bits in (8, 16, 24, 32) for channels in (1, 2)]
    return [
        *found,
        _wav(3, 32, 1, body),
        _wav(3, 64, 1, body),
        _wav(0xFFFE, 16, 2, body, extra=guid),
        _wav(1, 16, 1, body, more=notes + cue),
    ]


@functools.cache
def csv():
    """Delimiters, quotes, headers, dates, missing values, encodings."""
    texts = [
        "a,b\n1,2\n3,4\n5,6\n",
        "1;2,5\n3;4,5\n5;6,5\n",
        "time\tv\n2024-01-01\t1\n2024-01-02\t2\n2024-01-03\t\n",
        "1\n2\n3\n",
    ]
    texts += [
        '"x, y",z\n"1",2\n3,"4"\n',
        ",v\n0,5\n1,6\n2,7\n",
        "sep=;\na;b\n1;2\n3;4\n",
        "a b\n1 2\n3 4\n",
        "# note\na,b\n1,nan\n2,inf\n",
    ]
    texts += ["a,b,\n1,2,\n3,4,\n", "a,b\n1,x\n2,y\n3,z\n", "1e5,-2\n.5,+3\n1,2\r\n", "9007199254740993,1\n2,3\n"]
    return [text.encode() for text in texts] + [
        texts[0].encode("utf-16"),
        b"\xef\xbb\xbf" + texts[0].encode(),
        texts[0].encode("cp037"),
    ]


@functools.cache
def kernel_files():
    """(suffix, content) of kernels in files."""
    rows = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    arrays = [
        np.array(rows),
        np.array(rows, "f4"),
        np.ones((2, 2, 2)),
        np.ones((3, 3), "?"),
        np.ones((2, 2), "i1"),
        np.ones((1, 5), ">f8"),
    ]
    found = [
        ("txt", b"0 -1 0\n-1 5 -1\n0 -1 0\n"),
        ("txt", b"# note\n1 2\n3 4\n\n5 6\n7 8\n"),
        ("csv", b"1,2\n3,1/9\n"),
        ("csv", b'"1";"2"\n3;4\n'),
    ]
    found += [
        ("json", json.dumps(each).encode())
        for each in (rows, {"kernel": rows}, [rows, rows], [1, 2, 3], {"weights": rows, "name": "x"})
    ]
    return found + [("npy", _npy(each)) for each in arrays]


@functools.cache
def architectures():
    """Networks as TOML and JSON."""
    import convcli.architectures

    found = [
        path.read_bytes()
        for path in sorted(Path(convcli.architectures.__file__).parent.glob("*.toml"))
        if path.stat().st_size < 6000
    ]
    found.append(
        b'name = "t"\ninput = [8, 8, 1]\nclasses = ["a", "b"]\n[[layers]]\ntype = "conv"\n'
        b"filters = 2\nkernel_size = [3, 3]\n"
        b'[[layers]]\ntype = "parallel"\nbranches = [["conv:2,kernel=1"], []]\n[[layers]]\ntype = "dense"\nunits = 2\n'
    )
    found.append(b'input = [6, 6, 1]\nlayers = ["conv:2,relu", "[ conv:2,same | pool:1 ]", "dense:2,softmax"]\n')
    return found


def _written(write):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.safetensors")
        write(path)
        return path.read_bytes()


@functools.cache
def models():
    """Small models."""
    from convcli.datasets import Preprocessing
    from convcli.nn.model import Model
    from convcli.nn.weights import ModelCard, save_model

    found = []
    for layers in (["flatten", "dense:2,softmax"], ["conv:2,kernel=3,relu", "batch_norm", "pool:2", "dense:2,softmax"]):
        model = Model.from_layers(layers, (8, 8, 1), seed=1)
        for kind in ("picture", "digit"):
            rule = Preprocessing(kind, 8, 8, 1).as_dict()
            card = ModelCard("made", ("no", "yes"), rule, 0, {}, {"test_accuracy": 0.5}, ())
            found.append(_written(lambda path, model=model, card=card: save_model(path, model, card)))
    return found


TINY = b'input = [8, 8, 1]\nlayers = ["flatten", "dense:2,softmax"]\n'


def class_folder(count=2):
    """Two classes of pictures."""
    shades = [_npy(pixels(1, size=(8, 8)) // (1 + place)) for place in range(2 * count)]
    return {f"data/{'ab'[place % 2]}/{place}.npy": content for place, content in enumerate(shades)}


@functools.cache
def checkpoints():
    """Trainings on `class_folder` that were stopped after a batch."""
    from convcli.jobs.train import plan_training, train
    from convcli.nn.training import Listener

    found = []
    for optimizer in ("sgd:momentum=0.9", "adam", "rmsprop"):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for name, content in {**class_folder(), "tiny.toml": TINY}.items():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_bytes(content)
            changes = {"epochs": 2, "optimizer": optimizer, "average": 0.9}
            plan = plan_training("data", model="tiny.toml", changes=changes, output="m.safetensors")
            train(plan, Listener(should_stop=lambda: True))
            found.append(plan.checkpoint.read_bytes())
    return found


@functools.cache
def idx():
    """Files of MNIST's form."""
    plain = [
        bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(range(prod(shape)))
        for shape in ((2, 3, 4), (5,))
    ]
    return [*plain, *(zlib.compress(each, wbits=31) for each in plain)]
