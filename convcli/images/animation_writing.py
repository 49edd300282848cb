"""Frames as an animated GIF, WebP or PNG, one after the other: memory stays flat.

Each frame is encoded as a picture of its own, by the format's own module; what is said about all of them is taken from
the first. Every frame covers the whole canvas and stands until the next.

Source: CompuServe, "GIF89a", sections 20 and 23; Google, "WebP Container Specification", chunks ANIM and ANMF; W3C,
"PNG Specification (Third Edition)", chunks acTL, fcTL and fdAT.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Image, Metadata, Pixels

ANIMATED = ("GIF", "WEBP", "PNG")
_USUAL = 100  # milliseconds, where nothing is known
_STAYS, _GOES = 1, 2  # what becomes of a GIF's frame
_END_OF_GIF = b"\x3b"
_HAS_ICC, _HAS_ALPHA, _HAS_EXIF, _HAS_XMP, _IS_ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02


def write_animation(
    planes: Iterator[Pixels],
    stream: IO[bytes],
    format: str,
    times: Sequence[int],
    plays: int,
    metadata: Metadata,
    quality: int | None = None,
    *,
    has_alpha: bool = False,
) -> None:
    """Write frames (H, W, C) to a stream that can be gone back in.

    ``times`` are milliseconds, one for each frame; ``plays`` says how often all are shown, 0 for ever.
    """
    frames = (Image(np.ascontiguousarray(each), has_alpha, metadata) for each in planes)
    write = {"GIF": _gif, "PNG": _png, "WEBP": _webp}[format]
    write(frames, stream, times, plays, quality)


def frame_times(durations: Sequence[int], count: int) -> list[int]:
    """The milliseconds of each of so many frames: if they are not as many, the middle one of them is all frames'."""
    times = list(durations)
    return times if len(times) == count else [int(np.median(times)) if any(times) else _USUAL] * count


def lossy_durations(durations: Sequence[int], count: int, format: str) -> bool:
    """Whether frames will not be shown as long as they were: their number changed, or GIF counts in hundredths."""
    if not any(durations):
        return False
    return len(durations) != count or (format == "GIF" and any(each % 10 for each in durations))


def _gif(frames: Iterator[Image], stream: IO[bytes], times: Sequence[int], plays: int, quality: int | None) -> None:
    from convcli.images.gif import encode
    from convcli.images.gif_blocks import hidden_colour, looping, parts_of

    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        head, table, before, descriptor, content = parts_of(encode(frame))
        if index == 0:
            plain = bytearray(head)
            plain[:6], plain[10] = b"GIF89a", plain[10] & 0x70  # each frame has a palette of its own
            stream.write(bytes(plain) + looping(plays) + before)
        flags = 0x80 | descriptor[9] & 0x40 | head[10] & 7  # rows may be interlaced
        hidden = hidden_colour(before)
        # A frame with alpha goes before the next is shown; others stay under it, which covers them.
        disposal = _GOES << 2 | (hidden is not None) if frame.has_alpha else _STAYS << 2
        stream.write(struct.pack("<BBBBHBB", 0x21, 0xF9, 4, disposal, min(round(time / 10), 65535), hidden or 0, 0))
        stream.write(descriptor[:9] + bytes((flags,)) + table + content)
    stream.write(_END_OF_GIF)


def _png(frames: Iterator[Image], stream: IO[bytes], times: Sequence[int], plays: int, quality: int | None) -> None:
    from convcli.images.png import SIGNATURE, chunk, chunks_in, encode

    def put(kind: bytes, *contents: bytes) -> None:
        stream.writelines(chunk(kind, *contents))

    number = 0
    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        height, width = frame.pixels.shape[:2]
        chunks = [(kind, bytes(content)) for kind, content in chunks_in(b"".join(encode(frame)))]
        if index == 0:
            stream.write(SIGNATURE)
            put(*chunks[0])
            put(b"acTL", struct.pack(">II", len(times), plays))
            for each in chunks[1:]:
                if each[0] not in (b"IDAT", b"IEND"):
                    put(*each)
        delay = (time, 1000) if time < 65536 else (min(time // 1000, 65535), 1)
        put(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, *delay, 0, 0))
        number += 1
        rows = b"".join(content for kind, content in chunks if kind == b"IDAT")
        if index == 0:
            put(b"IDAT", rows)
        else:
            put(b"fdAT", struct.pack(">I", number), rows)
            number += 1
    put(b"IEND")


def _webp(frames: Iterator[Image], stream: IO[bytes], times: Sequence[int], plays: int, quality: int | None) -> None:
    from convcli.images.webp import chunks_in, encode

    def put(kind: bytes, *contents: bytes) -> None:
        content = b"".join(contents)
        stream.write(struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2))

    begin = stream.tell()
    stream.write(b"RIFF\0\0\0\0WEBP")
    behind: list[tuple[bytes, bytes]] = []
    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        height, width = frame.pixels.shape[:2]
        size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        chunks = [(kind, bytes(content)) for kind, content in chunks_in(encode(frame, quality=quality))]
        if index == 0:
            kinds = {kind for kind, _ in chunks}
            said = ((b"ICCP", _HAS_ICC), (b"EXIF", _HAS_EXIF), (b"XMP ", _HAS_XMP))
            flags = _IS_ANIMATED | _HAS_ALPHA * frame.has_alpha | sum(flag for kind, flag in said if kind in kinds)
            put(b"VP8X", bytes((flags, 0, 0, 0)), size)
            for each in chunks:
                if each[0] == b"ICCP":
                    put(*each)
            put(b"ANIM", b"\xff\xff\xff\xff", struct.pack("<H", min(plays, 65535)))
            behind = [each for each in chunks if each[0] in (b"EXIF", b"XMP ")]
        pictures = [each for each in chunks if each[0] in (b"ALPH", b"VP8 ", b"VP8L")]
        inner = b"".join(struct.pack("<4sI", kind, len(each)) + each + bytes(len(each) % 2) for kind, each in pictures)
        put(b"ANMF", bytes(6), size, struct.pack("<I", min(time, (1 << 24) - 1))[:3], b"\2", inner)
    for each in behind:
        put(*each)
    end = stream.tell()
    if end - begin - 8 >= 1 << 32:
        raise ImageError("got frames of more than 4 GB for a WebP, expected less; write .tiff")
    stream.seek(begin + 4)
    stream.write(struct.pack("<I", end - begin - 8))
    stream.seek(end)
