"""PBM, PGM and PPM (P1 to P6): plain headers and plain numbers, 16-bit ones big-endian.

Source: the netpbm manual pages pbm(5), pgm(5), ppm(5).
"""

import re

import numpy as np

from convcli.errors import ImageError
from convcli.images.depth import stretch
from convcli.images.model import Decoded, Image, Metadata, Pixels, check_size

# A number of the header: white space and comments before it; one white space after the last belongs to it too.
_NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])*(\d{1,10})")
_COMMENT = re.compile(rb"#[^\r\n]*")
_MOST = 65535
_LONGEST_GAP = 65_536  # bytes of blanks and comments before a number: the pattern takes a hundred times its length
_WORD_BYTES = 64  # of memory for each plain number on its way


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first picture of a PBM, PGM or PPM file; a maximum other than 255 or 65535 is stretched to it."""
    kind = int(data[1:2])
    position = 2
    numbers = []
    for _ in range(2 if kind in (1, 4) else 3):
        found = _NUMBER.match(data, position, position + _LONGEST_GAP)
        if found is None and len(data) - position > _LONGEST_GAP:
            raise ImageError(
                f"damaged PPM: got no number within {_LONGEST_GAP:,} bytes of its header, expected width, height and "
                "the largest value; get a fresh copy"
            )
        if found is None:
            raise ImageError("damaged PPM: its header is incomplete; get a fresh copy")
        numbers.append(int(found[1]))
        position = found.end()
    width, height, white = (*numbers, 1)[:3]
    channels = 3 if kind in (3, 6) else 1
    check_size(width, height, max_pixels, channels * (_WORD_BYTES if kind in (2, 3) else 2 if white < 256 else 4))
    if not 1 <= white <= _MOST:
        raise ImageError(f"damaged PPM: got a largest value of {white}, expected 1 to {_MOST}")
    if kind <= 3:
        values, end = _plain(data, position, width * height * channels, digits=kind == 1), len(data)
    else:
        values, end = _raw(data, position + 1, height, width * channels, white, bits=kind == 4)
    if kind in (1, 4):
        values = 1 - values  # a one is ink
    pixels = stretch(values, white).reshape(height, width, channels)
    warnings = ("PPM of several pictures: only the first was read",) if data[end : end + 1] == b"P" else ()
    texts = tuple(
        ("Comment", each[1:].strip().decode("utf-8", "replace")) for each in _COMMENT.findall(data[:position])
    )
    metadata = Metadata(format="PPM" if channels == 3 else "PGM", texts=texts)
    return Decoded(Image(np.ascontiguousarray(pixels), False, metadata, warnings))


def encode(image: Image) -> bytes:
    """Encode grey as PGM (P5) and RGB as PPM (P6), 8 or 16 bits."""
    height, width, channels = image.pixels.shape
    lines = [
        f"# {line if keyword == 'Comment' else f'{keyword}: {line}'}\n"
        for keyword, text in image.metadata.texts
        for line in text.splitlines()
    ]
    header = f"P{6 if channels == 3 else 5}\n{''.join(lines)}{width} {height}\n{int(image.white)}\n".encode(
        "utf-8", "replace"
    )
    return header + image.pixels.astype(image.pixels.dtype.newbyteorder(">"), copy=False).tobytes()


def _plain(data: bytes, position: int, count: int, *, digits: bool) -> Pixels:
    text = _COMMENT.sub(b"", data[position:])
    if digits:  # a plain PBM needs no space between its zeros and ones
        values = np.frombuffer(text, np.uint8)
        values = values[(values == ord("0")) | (values == ord("1"))][:count] - ord("0")
    else:
        words = text.split(maxsplit=count)[:count]
        values = np.array([int(word) for word in words], np.int64)
    if values.size < count:
        raise _truncated(count - values.size, "values")
    if values.size and (values.min() < 0 or values.max() > _MOST):
        raise ImageError(f"damaged PPM: it holds values outside 0 to {_MOST}")
    return values.astype(np.uint16)


def _raw(data: bytes, start: int, rows: int, columns: int, white: int, *, bits: bool) -> tuple[Pixels, int]:
    dtype = np.dtype(np.uint8 if bits or white < 256 else ">u2")
    stride = (columns + 7) // 8 if bits else columns
    end = start + rows * stride * dtype.itemsize
    if end > len(data):
        raise _truncated(end - len(data), "bytes")
    values = np.frombuffer(data, dtype, rows * stride, start)
    if bits:
        values = np.unpackbits(values.view(np.uint8).reshape(rows, stride), axis=1)[:, :columns]
    return values.astype(dtype.newbyteorder("="), copy=False), end


def _truncated(missing: int, what: str) -> ImageError:
    return ImageError(f"truncated PPM: {missing} {what} are missing at its end; get a fresh copy")
