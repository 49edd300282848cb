"""Video by pipe: raw frames in, the same operation on each, raw frames out, one after the other in flat memory.

Frames have no header: how large they are and what their bytes mean has to be said, in ffmpeg's words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from convcli.errors import ConvcliError, ImageError
from convcli.images import Image
from convcli.images.model import check_size
from convcli.jobs.batch import Operation, produce

FORMAT = "rawvideo"
# Channels and type of ffmpeg's pixel formats; two and four channels have alpha.
PIXELS = {
    "gray": (1, "<u1"), "ya8": (2, "<u1"), "rgb24": (3, "<u1"), "rgba": (4, "<u1"),
    "gray16le": (1, "<u2"), "ya16le": (2, "<u2"), "rgb48le": (3, "<u2"), "rgba64le": (4, "<u2"),
}  # fmt: skip
_NAMES = {(channels, np.dtype(dtype)): name for name, (channels, dtype) in PIXELS.items()}
_LIKE = "PNG"  # holds what these formats hold, and nothing else


@dataclass(frozen=True)
class FrameKind:
    """What every frame is: width, height and one of `PIXELS`."""

    width: int
    height: int
    pixels: str = "rgb24"

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.pixels}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the array of one frame."""
        return self.height, self.width, PIXELS[self.pixels][0]

    @property
    def dtype(self) -> np.dtype[np.uint8 | np.uint16]:
        """Of its numbers."""
        return np.dtype(PIXELS[self.pixels][1])

    @property
    def size(self) -> int:
        """Bytes of one frame."""
        return self.width * self.height * PIXELS[self.pixels][0] * self.dtype.itemsize


@dataclass(frozen=True)
class FilmFrame:
    """One frame that was written: its number from 1, what it became, and what there is to say about it."""

    number: int
    kind: FrameKind
    warnings: tuple[str, ...]


def parse_size(text: str) -> tuple[int, int]:
    """Width and height as ffmpeg writes them: ``640x480``.

    Raises `ConvcliError` for anything else.
    """
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text.strip(), re.ASCII)
    if not found or "0" in found.groups():
        raise ConvcliError(f"frame size: got {text[:40]!r}, expected WIDTHxHEIGHT as in 640x480")
    return int(found[1]), int(found[2])


def run_film(
    source: BinaryIO, target: BinaryIO, kind: FrameKind, operation: Operation, max_pixels: int
) -> Iterator[FilmFrame]:
    """Work on each frame of a stream and write it at once; yields what became of each.

    Raises `ImageError` for a frame that is cut off, once all before it are written, and for a stream without frames.
    """
    check_size(kind.width, kind.height, max_pixels, 4 * kind.shape[2] * kind.dtype.itemsize)
    number = 0
    for number, image in enumerate(_frames(source, kind), 1):
        produced = produce(operation, image, _LIKE) if number == 1 else operation(image, _LIKE)
        pixels = produced.image.pixels
        height, width, channels = pixels.shape
        target.write(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).data)
        yield FilmFrame(number, FrameKind(width, height, _NAMES[channels, pixels.dtype]), produced.warnings)
    target.flush()
    if not number:
        raise ImageError(f"is empty (0 bytes), expected frames of {kind}")


def _frames(source: BinaryIO, kind: FrameKind) -> Iterator[Image]:
    number = 0
    while data := source.read(kind.size):
        number += 1
        if len(data) < kind.size:
            raise ImageError(
                f"frame {number} is cut off: got {len(data)} of {kind.size} bytes, expected whole frames of {kind}; "
                "check --frame-size and --pix-fmt"
            )
        pixels = np.frombuffer(data, kind.dtype).reshape(kind.shape)
        yield Image(pixels.astype(kind.dtype.newbyteorder("="), copy=False), kind.shape[2] in (2, 4))
