"""Small files, and a few words, that ask for much: each costs its maker some bytes and its reader gigabytes or minutes.

Every builder is deterministic and returns the bytes of one file. What the command line has to say about each of them is
`tests/cli/test_bombs.py`'s.
"""

import io
import json
import struct
import zlib
from itertools import pairwise

import numpy as np


def jpeg_segment(marker, content=b""):
    """A JPEG marker with its length and content."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def jpeg_of_scans(scans, width=7000, height=7000):
    """A progressive JPEG whose scans say "all blocks end here" in 45 bytes, over and over."""
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes((1, 0x11, 0))
    file = b"\xff\xd8" + jpeg_segment(0xDB, b"\0" + bytes([1] * 64)) + jpeg_segment(0xC2, frame)
    one_code = bytes([1] + [0] * 15)  # a single code, of one bit: 0
    file += jpeg_segment(0xC4, b"\x10" + one_code + b"\xe0")  # AC: a run of 2^14 blocks or more, 14 further bits say
    file += jpeg_segment(0xC4, b"\x00" + one_code + b"\x00")  # DC: no difference
    run = "0" + "1" * 14
    bits = run * (blocks // 0x7FFF) + run
    bits += "1" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    dc = jpeg_segment(0xDA, b"\1\1\0\0\0\0") + bytes(-(-blocks // 8))
    ac = jpeg_segment(0xDA, b"\1\1\0\1\x3f\0") + body
    return file + dc + ac * scans + b"\xff\xd9"


def jpeg_of_segments(count):
    """A JPEG of empty comments."""
    return b"\xff\xd8" + jpeg_segment(0xFE) * count + b"\xff\xd9"


def jpeg_claiming(width, height):
    """A JPEG of 8x8 pixels whose header claims more: the decoder makes grey of what is missing."""
    import imagecodecs

    file = bytearray(imagecodecs.jpeg8_encode(np.full((8, 8), 99, np.uint8)))
    struct.pack_into(">HH", file, file.index(b"\xff\xc0") + 5, height, width)
    return bytes(file)


def webp_claiming(width, height):
    """The header of a lossless WebP."""
    bits = (width - 1) | (height - 1) << 14
    chunk = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + struct.pack("<I", bits) + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def jpeg_2000_claiming(width, height):
    """The first markers of a JPEG 2000 code stream."""
    return b"\xff\x4f\xff\x51" + struct.pack(">HH8I", 41, 0, width, height, 0, 0, width, height, 0, 0) + bytes(9)


def jpeg_xl_claiming(width, height):
    """The first bits of a JPEG XL code stream: sizes of up to 18 bits, the height first, and no ratio."""
    bits = [(0, 1), (2, 2), (height - 1, 18), (0, 3), (2, 2), (width - 1, 18)]
    whole = place = 0
    for value, count in bits:
        whole |= value << place
        place += count
    return b"\xff\x0a" + whole.to_bytes(12, "little")


def jpeg_xr_claiming(width, height):
    """The container of a JPEG XR: a directory with two sizes."""
    entries = tiff_entry(0xBC80, 4, 1, width) + tiff_entry(0xBC81, 4, 1, height)
    return b"II\xbc\x01" + struct.pack("<I", 8) + struct.pack("<H", 2) + entries + bytes(4)


def lerc_claiming(width, height):
    """The header of a LERC blob of version 4."""
    return b"Lerc2 " + struct.pack("<iIii", 4, 0, height, width) + bytes(64)


def tiff_entry(tag, kind, count, value):
    """One entry of a little-endian TIFF directory."""
    return struct.pack("<HHII", tag, kind, count, value)


def tiff(entries, tail=b"", size=(8, 8), compression=1, data=bytes(64)):
    """A grey TIFF of 8 bits with further entries; ``tail`` lies behind its pixels, at `TAIL` plus their length."""
    width, height = size
    own = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)),
        *((273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data))),
    ]
    kept = {each[0]: each for each in own} | {each[0]: each for each in entries}
    merged = [each for tag in sorted(kept) for each in ([kept[tag]] if tag not in _REPEATED else entries)]
    start = 8 + len(data) + len(tail)
    start += start % 2
    directory = struct.pack("<H", len(merged)) + b"".join(tiff_entry(*each) for each in merged) + bytes(4)
    return (b"II*\0" + struct.pack("<I", start) + data + tail).ljust(start, b"\0") + directory


_REPEATED = (34665,)


def tiff_nested_exif(each=4096):
    """Directories of which each names the next one ``each`` times: ``each`` to the power of three to walk."""
    data = bytes(64)
    base = 8 + len(data)
    size = 2 + 12 * each + 4
    tail = b""
    for depth, tag in enumerate((34853, 40965)):
        tail += struct.pack("<H", each) + tiff_entry(tag, 4, 1, base + (depth + 1) * size) * each + bytes(4)
    tail += struct.pack("<H", each) + tiff_entry(1, 3, 1, 1) * each + bytes(4)
    return tiff([(34665, 4, 1, base)] * (each - 9), tail)


def exif_overlapping(length, entries=4096):
    """The EXIF directory of a block: entries that are all the same ``length`` bytes of the file. Starts at offset 8."""
    own = b"".join(tiff_entry(tag, 7, length, 8) for tag in range(1, entries + 1))
    return struct.pack("<H", entries) + own + bytes(4)


def tiff_overlapping_exif(length=2_000_000):
    """A TIFF whose EXIF directory has 4096 entries that share 2 MB."""
    tail = exif_overlapping(length)
    return tiff([(34665, 4, 1, 72)], tail + bytes(length - len(tail)))


def exif_block(length=2_000_000):
    """An EXIF block whose EXIF directory has 4096 entries that share all of it."""
    first = struct.pack("<H", 1) + tiff_entry(34665, 4, 1, 26) + bytes(4)
    block = b"II*\0" + struct.pack("<I", 8) + first
    return (block + exif_overlapping(length)).ljust(length + 8, b"\0")


def tiff_of_pages(count, entries=0):
    """A TIFF of ``count`` pages of nothing, one behind the other; with ``entries`` their directories overlap."""
    step = 6
    file = bytearray(b"II*\0" + struct.pack("<I", 8))
    if not entries:
        for page in range(count):
            file += struct.pack("<HI", 0, 8 + step * (page + 1) if page + 1 < count else 0)
        return bytes(file)
    body = np.zeros(8 + 2 * count + 2 + 12 * entries + 8, np.uint8)
    body[:8] = np.frombuffer(bytes(file), np.uint8)
    starts = range(8, 8 + 8 * count, 8)
    raw = bytearray(body.tobytes().ljust(8 + 8 * count + 12 * entries + 8, b"\0"))
    for start, following in pairwise([*starts, 0]):
        struct.pack_into("<H", raw, start, entries)
        struct.pack_into("<I", raw, start + 2 + 12 * entries, following)
    return bytes(raw)


def tiff_of_sizes(count, description=None):
    """A TIFF of ``count`` pages of a few pixels, of which the second and all even ones are wider."""
    import tifffile

    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as file:
        for page in range(8):
            words = {} if page else {"description": description}
            file.write(np.zeros((4, 4 + page % 2), np.uint8), metadata=None, software="x", **words)
    data = bytearray(stream.getvalue())
    first = struct.unpack_from("<I", data, 4)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * struct.unpack_from("<H", data, first)[0])[0]
    entries = 2 + 12 * struct.unpack_from("<H", data, second)[0]
    directory = bytes(data[second : second + entries])
    struct.pack_into("<I", data, second + entries, len(data))
    for page in range(count - 2):
        last = page == count - 3
        data += directory + struct.pack("<I", 0 if last else len(data) + entries + 4)
    return bytes(data)


def tiff_of_shared_values(length=2_000_000, entries=900):
    """A TIFF whose entries of no known meaning all name the same bytes."""
    return tiff([(50_000 + number, 1, length, 8) for number in range(entries)], bytes(length))


def tiff_of_strips(count=300_000):
    """A TIFF of one pixel a row, and each row a strip of its own."""
    data = bytes(8) + struct.pack("<I", 8) * count + struct.pack("<I", 1) * count
    strips = [(273, 4, count, 16), (278, 4, 1, 1), (279, 4, count, 16 + 4 * count)]
    return tiff(strips, size=(1, count), data=data)


def tiff_with(compression, packed, size=(16, 16), tile=None):
    """A TIFF of one piece, packed as ``packed``."""
    entries = []
    if tile:
        entries = [(322, 4, 1, tile[0]), (323, 4, 1, tile[1]), (324, 4, 1, 8), (325, 4, 1, len(packed))]
    return tiff(entries, size=size, compression=compression, data=packed)


def tiff_described(text):
    """A TIFF of one page with a description that promises many."""
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((8, 8), np.uint8), description=text, metadata=None)
    return stream.getvalue()


def ome(planes, times=1, width=8):
    """The OME-XML of planes of ``width`` x 8 pixels."""
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="{width}" SizeY="8" '
        f'SizeZ="{planes}" SizeC="1" SizeT="{times}" BigEndian="false"><TiffData/></Pixels></Image></OME>'
    )


def png_chunk(kind, content):
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(chunks=(), width=2, height=2, bits=8, colour=0, data=None):
    """A PNG of zeros with further chunks before its pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    packed = zlib.compress(bytes(6)) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(*each) for each in ((b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b""))
    )


def png_animated(width, height, packed, colour=6):
    """A PNG animation of one frame."""
    place = struct.pack(">5I2H2B", 0, width, height, 0, 0, 1, 10, 0, 0)
    chunks = [(b"acTL", struct.pack(">2I", 1, 0)), (b"fcTL", place)]
    return png(chunks, width, height, colour=colour, data=packed)


def zeros_packed(length):
    """Zeros, deflated to a thousandth."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(length >> 20)) + packer.flush()


def bmp_of_runs(width=65_000, height=7_000):
    """A run-length BMP of rows that hold one pixel each."""
    rows = b"\x01\x00\x00\x00" * height
    palette = bytes(4 * 256)
    start = 14 + 40 + len(palette)
    header = struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0) + palette + rows


def bmp_claiming(width=20_000, height=20_000):
    """The header of an uncompressed BMP without its pixels."""
    start = 14 + 40
    header = struct.pack("<2sIHHI", b"BM", start, 0, 0, start)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(64)


def webp_animated(frames, canvas=(12000, 12000)):
    """An animated WebP of frames of 8x8 on a huge canvas."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "WEBP", lossless=True)
    still = stream.getvalue()[12:]
    sizes = b"".join((each - 1).to_bytes(3, "little") for each in canvas)
    small = bytes(6) + (7).to_bytes(3, "little") * 2 + (40).to_bytes(3, "little") + b"\0"
    chunks = [(b"VP8X", b"\x02\0\0\0" + sizes), (b"ANIM", bytes(6)), *[(b"ANMF", small + still)] * frames]
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(c)) + c + b"\0" * (len(c) % 2) for k, c in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_of_frames(count, canvas=(2, 2)):
    """A GIF of frames of one pixel."""
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<2H", *canvas) + b"\x80\0\0" + bytes(6) + frame * count + b"\x3b"


def npy_claiming(shape, dtype="<u1"):
    """The header of an array of any shape, and none of its numbers."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    text = text.ljust(-(-(10 + len(text) + 1) // 64) * 64 - 11) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def wav_claiming(channels, samples=1):
    """A WAV of silence of very many channels."""
    data = bytes(channels * samples)
    form = struct.pack("<HHIIHH", 1, channels, 8000, 8000 * channels, channels, 8)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def safetensors(header, data=b""):
    """A safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def toml_multiplying(layer="conv_transpose:1", count=1500):
    """Layers of which each multiplies sizes, or what a value sees, by a thousand million."""
    layer = f'"{layer},kernel=1,stride=1000000000"'
    return f"input = [2, 2, 1]\nlayers = [{', '.join([layer] * count)}]\n".encode()


def toml_branching(count):
    """Layers of four branches each: channels times four, over and over."""
    layers = ", ".join(["'[ relu | relu | relu | relu ]'"] * count)
    return f"input = [2, 2, 1]\nlayers = [{layers}]\n".encode()


def safetensors_claiming(texts):
    """A weights file of texts alone."""
    header = json.dumps({"__metadata__": texts}).encode()
    return struct.pack("<Q", len(header)) + header
