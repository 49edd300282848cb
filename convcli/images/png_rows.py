"""The compressed rows of a PNG, in bands: each is filtered and deflated by itself, then all are joined to one stream.

zlib ends the stream of a band at a byte when it is asked to flush, so that streams follow each other as they are; and
the checksum of the whole follows from those of the bands. The deflating is zlib's, the choice of row filters libpng's.
The chunks around it are `convcli.images.png`'s.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convcli.images.bands import cut, spread
from convcli.images.model import Pixels

BAND = 1 << 20  # bytes of pixels: a band and its result stay in the processor's own cache
_WINDOW = 1 << 15  # bytes that deflate looks back
_RAW = -15  # a stream without header and checksum, with the longest window
_HEADER = b"\x78\x01"
_MODULUS = 65521
_LEFT = 1  # the number of the row filter that takes the difference to the left neighbour
_ROOM = 1 << 12  # bytes for what libpng writes around the rows
_MEMORY = 8  # zlib's own choice and libpng's
_STRETCH = 1 << 10
_FEW = 0.0015


@dataclass(frozen=True)
class Settings:
    """How rows are compressed: zlib's level, and whether only for runs, after one filter for all, not the best."""

    level: int
    only_runs: bool = False


def compress(pixels: Pixels, settings: Settings, band: int = BAND) -> Iterator[bytes]:
    """The contents of the IDAT chunks, each as soon as it is there.

    Parameters
    ----------
    pixels:
        (H, W, C), C-contiguous, uint8 or uint16.
    settings:
        The same for all bands.
    band:
        Bytes of pixels in a band, roughly.
    """
    height = len(pixels)
    bands = cut(height, max(1, band * height // pixels.nbytes))
    last = len(bands) - 1
    total = 1
    for index, (content, checksum, length) in enumerate(_packed(pixels, bands, settings)):
        total = _joined_checksum(total, checksum, length)
        if index == 0:
            content = _HEADER + content
        yield content + struct.pack(">I", total) if index == last else content


def _packed(pixels: Pixels, bands: list[tuple[int, int]], settings: Settings) -> Iterator[tuple[bytes, int, int]]:
    """What `_deflate` returns for each band."""
    last = len(bands) - 1
    if settings.only_runs:  # they look back one byte: nothing is lost at the start of a band
        return spread(
            lambda index: _deflate(_differences(pixels[slice(*bands[index])]), b"", settings, ends=index == last),
            range(len(bands)),
        )
    filtered = list(spread(lambda rows: _filter(pixels, *rows), bands))
    befores = [b"", *(each[-_WINDOW:] for each in filtered[:-1])]
    return spread(
        lambda index: _deflate(filtered[index], befores[index], settings, ends=index == last), range(len(bands))
    )


def size_alone(pixels: Pixels, settings: Settings) -> int:
    """How many bytes these rows would be as a band of their own."""
    rows = _differences(pixels) if settings.only_runs else _filter(pixels, 0, len(pixels))
    return len(_deflate(rows, b"", settings, ends=True)[0])


def _deflate(rows: "bytes | memoryview", before: bytes, settings: Settings, *, ends: bool) -> tuple[bytes, int, int]:
    """The stream of filtered rows, their checksum and their length; ``before`` is what stands before them."""
    strategy = zlib.Z_DEFAULT_STRATEGY
    if settings.only_runs:
        strategy = zlib.Z_RLE if _has_runs(rows) else zlib.Z_HUFFMAN_ONLY
    packer = zlib.compressobj(settings.level, zlib.DEFLATED, _RAW, _MEMORY, strategy, before)
    content = packer.compress(rows) + packer.flush(zlib.Z_FINISH if ends else zlib.Z_SYNC_FLUSH)
    return content, zlib.adler32(rows), len(rows)


def _has_runs(rows: "bytes | memoryview") -> bool:
    """Whether more than a few bytes in a thousand are like the three before them; one stretch in eight is looked at.

    In noise there are none, and not looking for them saves a ninth of the time and some bytes too.
    """
    sample = np.frombuffer(rows, np.uint8)
    sample = sample[: len(sample) // (8 * _STRETCH) * 8 * _STRETCH].reshape(-1, 8 * _STRETCH)[:, :_STRETCH]
    same = sample[:, 1:] == sample[:, :-1]
    in_runs = same[:, 2:] & same[:, 1:-1] & same[:, :-2]
    return bool(np.count_nonzero(in_runs) >= _FEW * in_runs.size)


def _differences(pixels: Pixels) -> memoryview:
    """Each row's bytes minus those of the pixel to the left, behind the filter's number, all in one line."""
    flat = _stored(pixels)
    step = flat.shape[1] // pixels.shape[1]
    rows = np.empty((len(flat), 1 + flat.shape[1]), np.uint8)
    rows[:, 0] = _LEFT
    rows[:, 1 : 1 + step] = flat[:, :step]
    np.subtract(flat[:, step:], flat[:, :-step], out=rows[:, 1 + step :])
    return rows.reshape(-1).data


def _stored(pixels: Pixels) -> Pixels:
    """(H, bytes) as they stand in the file: 16 bits with the high byte first."""
    return pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).view(np.uint8).reshape(len(pixels), -1)


def _filter(pixels: Pixels, start: int, stop: int) -> bytes:
    """Rows start to stop, each after the best of five filters, as libpng finds it.

    libpng sees one row more, since the filters look at the row above.
    """
    import imagecodecs

    above = min(start, 1)
    seen = pixels[start - above : stop]
    room = 2 * (seen.nbytes + len(seen)) + _ROOM  # imagecodecs forgets the number of each row's filter
    file = imagecodecs.png_encode(seen[:, :, 0] if seen.shape[2] == 1 else seen, level=0, out=room)
    rows = zlib.decompress(b"".join(_contents(file)))
    return rows[above * len(rows) // len(seen) :]


def _contents(file: bytes | bytearray) -> Iterator[bytes | bytearray]:
    """The contents of the IDAT chunks of a file that libpng made."""
    position = 8
    while position < len(file):
        length, kind = struct.unpack_from(">I4s", file, position)
        if kind == b"IDAT":
            yield file[position + 8 : position + 8 + length]
        position += 12 + length


def _joined_checksum(first: int, second: int, length: int) -> int:
    """The Adler-32 of two pieces in a row, from those of each and the second's length: two sums modulo a prime.

    >>> _joined_checksum(zlib.adler32(b"a row, "), zlib.adler32(b"a band"), 6) == zlib.adler32(b"a row, a band")
    True
    """
    sums, sums_of_sums = first & 0xFFFF, first >> 16
    total = (sums + (second & 0xFFFF) - 1) % _MODULUS
    total_of_sums = (sums_of_sums + (second >> 16) + length * (sums - 1)) % _MODULUS
    return total_of_sums << 16 | total
