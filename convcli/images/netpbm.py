"""PBM, PGM, PPM and PAM (P1 to P7): plain headers and plain numbers, 16-bit ones big-endian.

A comment runs from ``#`` to the end of its line and may stand anywhere in a header, behind the largest value too. What
a file calls white becomes 255 or, above that, 65535.

Source: the netpbm manual pages pbm(5), pgm(5), ppm(5), pam(5).
"""

import re
from typing import Any, NamedTuple

import numpy as np

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images.depth import stretch
from convcli.images.model import Decoded, Image, Metadata, Pixels, check_size

_COMMENT = re.compile(rb"#[^\r\n]*")
_BLANK = re.compile(rb"\s+|#[^\r\n]*")
_NUMBER = re.compile(rb"\d{1,11}")
_NEXT = re.compile(rb"\s*P[1-7][\s#]")
_MOST = 65535
_MOST_DIGITS = 10
_MOST_COMMENTS = 10_000  # between plain numbers
_LONGEST = 65_536  # bytes of blanks and comments before a number, or of lines before ENDHDR
_WORD_BYTES = 64  # of memory for each plain number on its way
# Channels, and whether the last is alpha.
_KINDS = {
    "BLACKANDWHITE": (1, False),  # grey whose largest value is 1
    "GRAYSCALE": (1, False),
    "RGB": (3, False),
    "BLACKANDWHITE_ALPHA": (2, True),
    "GRAYSCALE_ALPHA": (2, True),
    "RGB_ALPHA": (4, True),
}
_BY_DEPTH = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}
_PAM_NUMBERS = ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")


class _Header(NamedTuple):
    width: int
    height: int
    white: int
    channels: int
    has_alpha: bool
    position: int  # behind its last number, or its last line


def decode(data: bytes, max_pixels: int) -> Decoded:
    """Decode the first picture of a file; a maximum other than 255 or 65535 is stretched to it."""
    kind = int(data[1:2])
    header = _pam_header(data) if kind == 7 else _plain_header(data, kind)
    width, height, white, channels = header[:4]
    check_size(width, height, max_pixels, channels * (_WORD_BYTES if kind in (2, 3) else 2 if white < 256 else 4))
    if not 1 <= white <= _MOST:
        raise ImageError(f"damaged PPM: got a largest value of {white}, expected 1 to {_MOST}")
    if kind <= 3:
        values, end = _plain(data, header.position, width * height * channels, digits=kind == 1), len(data)
    else:
        header = _at_raster(data, header, kind)
        values, end = _raw(data, header, kind)
    if kind in (1, 4):
        values = 1 - values  # a one is ink
    pixels = stretch(values, white).reshape(height, width, channels)
    warnings = ("PPM of several pictures: only the first was read",) if _NEXT.match(data, end) else ()
    if not warnings and data[end : end + 2].strip():
        warnings = (f"left out: {len(data) - end} bytes behind its pixels",)
    texts = tuple(
        ("Comment", each[1:].strip().decode("utf-8", "replace")) for each in _COMMENT.findall(data[: header.position])
    )
    metadata = Metadata(format="PPM" if channels >= 3 else "PGM", texts=texts)
    return Decoded(Image(np.ascontiguousarray(pixels), header.has_alpha, metadata, warnings))


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


def _plain_header(data: bytes, kind: int) -> _Header:
    """Width, height and largest value of P1 to P6."""
    numbers = []
    position = 2
    for _ in range(2 if kind in (1, 4) else 3):
        latest = position + _LONGEST
        while blank := _BLANK.match(data, position, latest):
            position = blank.end()
        if position >= latest:
            raise _too_long()
        found = _NUMBER.match(data, position)
        if found is None:
            raise _incomplete()
        numbers.append(_number(found[0]))
        position = found.end()
    return _Header(numbers[0], numbers[1], (*numbers, 1)[2], 3 if kind in (3, 6) else 1, False, position)


def _number(digits: bytes) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ImageError(f"damaged PPM: its header has a number of more than {_MOST_DIGITS} digits; get a fresh copy")
    return int(digits)


def _incomplete() -> ImageError:
    return ImageError(f"damaged PPM: its header is incomplete in the first {_LONGEST:,} bytes; get a fresh copy")


def _too_long() -> ImageError:
    return ImageError(
        f"damaged PPM: got no number within {_LONGEST:,} bytes of its header, expected width, height and the largest "
        "value; get a fresh copy"
    )


def _pam_header(data: bytes) -> _Header:
    """Lines of a word and its value, up to ENDHDR."""
    words: dict[str, str] = {}
    position = 2
    while True:
        end = data.find(b"\n", position, _LONGEST)
        if end < 0:
            raise _too_long() if len(data) > _LONGEST else _incomplete()
        word, _, value = data[position:end].decode("latin-1").strip().partition(" ")
        position = end + 1
        if word == "ENDHDR":
            break
        if word and not word.startswith("#"):
            # A type may be said in parts.
            words[word] = f"{words[word]} {value.strip()}" if word == "TUPLTYPE" in words else value.strip()
    numbers = [words.get(word, "").encode() for word in _PAM_NUMBERS]
    if not all(_NUMBER.fullmatch(each) for each in numbers):
        raise _incomplete()
    width, height, depth, white = map(_number, numbers)
    kind = words.get("TUPLTYPE") or _BY_DEPTH.get(depth, "")
    channels, has_alpha = _KINDS.get(kind, (0, False))
    if channels != depth:
        name = kind if kind.isprintable() and kind else "unknown kind"
        raise ImageError(f"got a PAM of {name[:40]} and {depth} channels, expected {', '.join(_KINDS)}; write PNG")
    return _Header(width, height, white, channels, has_alpha, position)


def _plain(data: bytes, position: int, count: int, *, digits: bool) -> Pixels:
    comments = data.count(b"#", position)
    check_count(comments, _MOST_COMMENTS, "got {} comments between its numbers", "get a fresh copy", ImageError)
    text = _COMMENT.sub(b"", data[position:]) if comments else data[position:]
    if digits:  # a plain PBM needs no space between its zeros and ones
        values = np.frombuffer(text, np.uint8)
        values = values[(values == ord("0")) | (values == ord("1"))][:count] - ord("0")
    else:
        words = text.split(maxsplit=count)[:count]
        if max(map(len, words), default=0) > _MOST_DIGITS:
            raise ImageError(f"damaged PPM: it has a number of more than {_MOST_DIGITS} digits; get a fresh copy")
        values = np.array([int(word) for word in words], np.int64)
    if values.size < count:
        raise _truncated(count - values.size, "values")
    if values.size and (values.min() < 0 or values.max() > _MOST):
        raise ImageError(f"damaged PPM: it holds values outside 0 to {_MOST}")
    return values.astype(np.uint16)


def _raw_rows(header: _Header, kind: int) -> tuple[np.dtype[Any], int]:
    """The dtype of the numbers, and how many of them are a row; of a PBM, how many bytes of eight bits each."""
    columns = header.width * header.channels
    if kind == 4:
        return np.dtype(np.uint8), (columns + 7) // 8
    return np.dtype(np.uint8 if header.white < 256 else ">u2"), columns


def _at_raster(data: bytes, header: _Header, kind: int) -> _Header:
    if kind == 7:
        return header
    dtype, stride = _raw_rows(header, kind)
    return header._replace(position=_raster(data, header.position, header.height * stride * dtype.itemsize))


def _raw(data: bytes, header: _Header, kind: int) -> tuple[Pixels, int]:
    """The numbers, and where they end."""
    dtype, stride = _raw_rows(header, kind)
    end = header.position + header.height * stride * dtype.itemsize
    if end > len(data):
        raise _truncated(end - len(data), "bytes")
    values = np.frombuffer(data, dtype, header.height * stride, header.position)
    if kind == 4:
        values = np.unpackbits(values.view(np.uint8).reshape(header.height, stride), axis=1)
        values = values[:, : header.width * header.channels]
    return values.astype(dtype.newbyteorder("="), copy=False), end


def _raster(data: bytes, position: int, size: int) -> int:
    """Where ``size`` bytes of pixels begin behind a header's last number: after one white space.

    A comment before it does not end with it; programs that think so, write a comment after it, or two characters for a
    line end, are known by their files having the right length then.
    """
    if data[position : position + 1] == b"#":
        position = _after_line(data, position)
        return position + (len(data) - position != size and data[position : position + 1].isspace())
    position += 1
    place = position
    while data[place : place + 1] == b"#" and place < _LONGEST:
        place = _after_line(data, place)
        if len(data) - place == size:
            return place
    return position + (data[position - 1 : position + 1] == b"\r\n" and len(data) - position - 1 == size)


def _after_line(data: bytes, position: int) -> int:
    found = _COMMENT.match(data, position, position + _LONGEST)
    return min(found.end() + 1 if found else position, len(data))


def _truncated(missing: int, what: str) -> ImageError:
    return ImageError(f"truncated PPM: {missing} {what} are missing at its end; get a fresh copy")
