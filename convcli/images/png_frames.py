"""The frames of an animated PNG, composed as they are shown: by place, by blending, and by what becomes of each.

Source: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 2023, chunks acTL, fcTL and fdAT.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import FLAT, Pixels, check_frames
from convcli.images.png import SIGNATURE, check_indices, check_packed, chunk, chunks_in

_TO_BACKGROUND, _TO_PREVIOUS = 1, 2
_OVER = 1
_INTERLACED = 12  # where the header says so
_SHARED = (b"PLTE", b"tRNS")
_HEAD = 64  # rows
_MOST_ROW = 8  # bytes of a pixel: 16 bits of RGBA


@dataclass
class _Frame:
    """One frame: its place on the canvas, how it gets there, and its compressed rows."""

    width: int
    height: int
    left: int
    top: int
    delay: tuple[int, int]  # a fraction of a second
    disposal: int
    blending: int
    rows: list[bytes] = field(default_factory=list)

    @property
    def milliseconds(self) -> int:
        return round(1000 * self.delay[0] / (self.delay[1] or 100))


def decode_frames(
    data: bytes, max_pixels: int, look: Callable[[Pixels], None] = lambda colours: None
) -> tuple[Pixels, tuple[int, ...]]:
    """All frames (count, H, W, 4), 8 or 16 bits, and the milliseconds that each is shown.

    ``look`` is called with each as it is shown, and before all others with the first rows of the first.

    Raises `ImageError` for a PNG that is no animation, and for a frame that lies beyond the canvas.
    """
    header, shared, frames = _parse(data)
    width, height = struct.unpack_from(">II", header)
    if not frames:
        raise ImageError(f"is a PNG, {FLAT}")
    check_frames(len(frames), width, height, max_pixels, 24 if header[8] == 16 else 12)
    for each in frames:
        if each.left + each.width > width or each.top + each.height > height or not each.rows:
            raise ImageError("damaged PNG: a frame of its animation lies beyond the picture or is empty")
        check_packed(each.width, each.height, header[8], header[9], sum(map(len, each.rows)))
    if not header[_INTERLACED]:
        look(_alone(_head(frames[0]), header, shared))
    shown = np.empty((len(frames), height, width, 4), np.uint16 if header[8] == 16 else np.uint8)
    for index, canvas in enumerate(_composed(frames, header, shared, width, height)):
        look(canvas)
        shown[index] = canvas
    return shown, tuple(each.milliseconds for each in frames)


def _parse(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], list[_Frame]]:
    """The header, the chunks that every frame needs, and the frames."""
    header, shared, frames = b"", [], []
    for kind, content in chunks_in(data):
        if kind == b"IHDR" and len(content) == 13:
            header = bytes(content)
        elif kind in _SHARED:
            shared.append((kind, bytes(content)))
        elif kind == b"fcTL" and len(content) == 26:
            _, width, height, left, top, *delay, disposal, blending = struct.unpack(">IIIIIHHBB", content)
            frames.append(_Frame(width, height, left, top, (delay[0], delay[1]), disposal, blending))
        elif kind == b"IDAT" and frames:  # before the first fcTL it is a picture for those who show no animations
            frames[-1].rows.append(bytes(content))
        elif kind == b"fdAT" and frames:
            frames[-1].rows.append(bytes(content[4:]))
    if not header:
        raise ImageError("damaged PNG: it does not start with a header; get a fresh copy")
    return header, shared, frames


def _composed(
    frames: list[_Frame], header: bytes, shared: list[tuple[bytes, bytes]], width: int, height: int
) -> Iterator[Pixels]:
    canvas = np.zeros((height, width, 4), np.uint16 if header[8] == 16 else np.uint8)
    for index, frame in enumerate(frames):
        place = canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        before = place.copy() if frame.disposal == _TO_PREVIOUS and index else place
        pixels = _alone(frame, header, shared)
        place[...] = _over(pixels, place) if frame.blending == _OVER else pixels
        yield canvas  # which the next frame changes
        if frame.disposal == _TO_BACKGROUND or (frame.disposal == _TO_PREVIOUS and index == 0):
            place[...] = 0
        elif frame.disposal == _TO_PREVIOUS:
            place[...] = before


def _head(frame: _Frame) -> _Frame:
    """The first rows of a frame, as one of its own."""
    height = min(frame.height, _HEAD)
    rows = zlib.decompressobj().decompress(b"".join(frame.rows), height * (1 + frame.width * _MOST_ROW))
    return replace(frame, height=height, rows=[zlib.compress(rows, 1)])


def _alone(frame: _Frame, header: bytes, shared: list[tuple[bytes, bytes]]) -> Pixels:
    """One frame by itself, (H, W, 4): a file of its own, decoded by libpng."""
    import imagecodecs

    own = struct.pack(">II", frame.width, frame.height) + header[8:]
    chunks = [(b"IHDR", own), *shared, (b"IDAT", b"".join(frame.rows)), (b"IEND", b"")]
    pixels = imagecodecs.png_decode(SIGNATURE + b"".join(part for each in chunks for part in chunk(*each)))
    check_indices(own, chunks)
    pixels = pixels.reshape(frame.height, frame.width, -1)
    channels = pixels.shape[2]
    result = np.full((frame.height, frame.width, 4), np.iinfo(pixels.dtype).max, pixels.dtype)
    result[..., :3] = pixels[..., : channels - (channels in (2, 4))]
    if channels in (2, 4):
        result[..., 3] = pixels[..., -1]
    return result


def _over(above: Pixels, below: Pixels) -> Pixels:
    """What is seen of one picture lying on another, both with straight alpha."""
    white = float(np.iinfo(above.dtype).max)
    upper, lower = above[..., 3:] / white, below[..., 3:] / white
    alpha = upper + lower * (1 - upper)
    mixed = above[..., :3] * upper + below[..., :3] * (lower * (1 - upper))
    result = np.empty_like(above)
    result[..., :3] = np.rint(np.divide(mixed, alpha, out=np.zeros_like(mixed), where=alpha > 0))
    result[..., 3:] = np.rint(alpha * white)
    return result
