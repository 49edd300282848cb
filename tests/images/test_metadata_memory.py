"""Metadata as large as files get: read and written without copies beside the file and what is kept of it."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import read, write
from convcli.images.jpeg_markers import segment
from convcli.images.png import chunk
from convcli.images.webp import chunks_in

SIZE = 4_000_000
PICTURE = Pillow.fromarray(np.full((16, 16, 3), 99, np.uint8))
EXIF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def saved(format, **options):
    stream = io.BytesIO()
    PICTURE.save(stream, format, **options)
    return stream.getvalue()


def jpeg(marker, start, filling):
    data, room = saved("JPEG"), 65533 - len(start)
    return data[:2] + segment(marker, start + filling * room) * (SIZE // room) + data[2:]


def png(kind, content):
    data = saved("PNG")
    return data[:33] + b"".join(chunk(kind, content)) + data[33:]


def webp(kind, content):
    chunks = [*chunks_in(saved("WEBP", lossless=True, exif=EXIF)), (kind, content)]
    body = b"".join(
        name + struct.pack("<I", len(each)) + each + bytes(len(each) % 2)
        for name, each in chunks
        if kind != b"EXIF" or name != b"EXIF" or each is content
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


# File, format, and how often the size of the metadata may be taken at once, the file itself counted.
CASES = {
    "jpeg comments": (lambda: jpeg(0xFE, b"", b"a"), "JPEG", 2),
    "jpeg comments in Latin-1": (lambda: jpeg(0xFE, b"", b"\xe9"), "JPEG", 3),  # which UTF-8 writes longer
    "jpeg segments nobody knows": (lambda: jpeg(0xE9, b"", b"a"), "JPEG", 1),
    "jpeg EXIF again and again": (lambda: jpeg(0xE1, b"Exif\0\0", b"a"), "JPEG", 1),
    "behind a jpeg": (lambda: saved("JPEG") + b"t" * SIZE, "JPEG", 1),
    "png text": (lambda: png(b"tEXt", b"Comment\0" + b"a" * SIZE), "PNG", 2),
    "png text in UTF-8": (lambda: png(b"iTXt", b"Comment\0\0\0\0\0" + b"a" * SIZE), "PNG", 2),
    "png text of a language": (lambda: png(b"iTXt", b"Comment\0\0\0en\0\0" + b"a" * SIZE), "PNG", 2),
    "png xmp": (lambda: png(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x>" + b"a" * (SIZE * 5)), "PNG", 10),
    "png chunk of its own": (lambda: png(b"zzZz", b"a" * SIZE), "PNG", 2),
    "png profile of noise": (lambda: png(b"iCCP", b"n\0\0" + b"a" * SIZE), "PNG", 2),
    "png EXIF": (lambda: png(b"eXIf", EXIF + bytes(SIZE)), "PNG", 3),
    "webp chunk nobody knows": (lambda: webp(b"abcd", b"a" * SIZE), "WEBP", 1),
    "webp profile of noise": (lambda: webp(b"ICCP", b"a" * SIZE), "WEBP", 2),
    "webp EXIF": (lambda: webp(b"EXIF", EXIF + bytes(SIZE)), "WEBP", 4),
}


@pytest.mark.parametrize(("make", "format", "most"), CASES.values(), ids=CASES)
def test_copies_of_metadata(make, format, most, tmp_path):
    (tmp_path / "a").write_bytes(make())
    write(read(io.BytesIO(saved(format))), tmp_path / "small", format=format)  # what is imported, once
    tracemalloc.start()
    image = read(tmp_path / "a")
    write(image, tmp_path / "b", format=format)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (image.pixels == 99).all()
    assert peak < (most + 0.4) * SIZE


def test_what_is_left_of_too_many_pieces():
    lost = read(io.BytesIO(jpeg(0xED, b"Photoshop 3.0\0", b"8"))).metadata.lost
    assert lost == ("damaged Photoshop resources",)
    data = saved("JPEG")
    piece = segment(0xED, b"Photoshop 3.0\0" + struct.pack(">4sHHI", b"8BIM", 0x0404, 0, 4) + b"abcd")
    image = read(io.BytesIO(data[:2] + piece * 600 + data[2:]))
    assert image.metadata.lost == ("Photoshop resources beyond 33 MB",)
    assert len(image.metadata.photoshop) == 510 * 16


def test_a_webp_whose_last_chunk_is_cut_off():
    data = webp(b"abcd", b"1234")
    shorter = data[:4] + struct.pack("<I", len(data) - 8 - 6) + data[8:-6]
    with pytest.raises(ImageError, match="cut off"):
        read(io.BytesIO(shorter))
