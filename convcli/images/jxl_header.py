"""The first bits of a JPEG XL code stream: size, depth, channels, and what its numbers mean as colours.

Bits are counted from the lowest of each byte. The decoder tells only what its pixels are; what has to be known before
it is asked, and whether there was loss, stands here.

Source: ISO/IEC 18181-1, "JPEG XL image coding system: Core coding system", annexes B, D and E.
"""

from collections.abc import Callable
from dataclasses import dataclass

from convcli.budget import check_count
from convcli.errors import ImageError
from convcli.images.bits import LowBits

START = b"\xff\x0a"
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))  # (bits, offset) of each of four choices
_SIZE_BYTES = 12  # that those and a ratio take at most
_NAMES = ((0, 0), (0, 1), (4, 2), (6, 18))
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
_ALPHA, _SPOT, _BLACK, _FILTER = 0, 2, 4, 5  # kinds of further channels
_GREY, _XYB = 1, 2  # kinds of colours
_CUSTOM = 2  # of white point and primaries
_MOST_CHANNELS = 64
# What PNG's cICP calls the same primaries, with white as in daylight, and which transfer functions it knows.
_PRIMARIES, _TRANSFERS = {1: 1, 9: 9, 11: 12}, (1, 8, 13, 16, 18)
_USUAL = bytes((1, 13, 0, 1))


@dataclass(frozen=True)
class Header:
    """What a code stream says about all of its picture.

    Attributes
    ----------
    width, height : int
        As stored, before the picture is turned.
    bits : int
        Of a sample, of a float too.
    channels : int
        Colours, and alpha if there is any.
    is_premultiplied : bool
        Whether colours were multiplied by alpha.
    left_out : int
        Further channels, that are no picture's.
    is_lossy : bool
        Whether its colours are those that lossy compression uses.
    has_profile : bool
        Whether an ICC profile, compressed, says what colours are.
    colours : bytes or None
        What PNG's cICP would say; empty for sRGB, None for what it cannot say.
    transfer_at : int or None
        The bit of the code stream from which four tell a transfer function that is neither default nor BT.709's.
    """

    width: int
    height: int
    bits: int
    is_float: bool
    is_animated: bool
    channels: int
    has_alpha: bool
    is_premultiplied: bool
    has_black: bool
    left_out: int
    is_lossy: bool
    has_profile: bool
    colours: bytes | None
    transfer_at: int | None = None


class _Bits(LowBits):
    def flag(self) -> bool:
        return bool(self.take(1))

    def number(self, *choices: tuple[int, int]) -> int:
        """One of four (bits, offset) says how a number is stored."""
        bits, offset = choices[self.take(2)]
        return self.take(bits) + offset


def read_header(data: bytes) -> Header:
    """Parse a code stream's header from its first bytes; raises `ImageError` if it is cut off or makes no sense."""
    if not data.startswith(START):
        raise ImageError("damaged JXL: it holds no picture; get a fresh copy")
    bits = _Bits(data[len(START) :])
    width, height = _size(bits)
    if bits.flag():  # all is as usual, with loss
        return Header(width, height, 8, False, False, 3, False, False, False, 0, True, False, b"")
    is_animated = _extra_fields(bits) if bits.flag() else False
    is_float, depth = _depth(bits)
    bits.flag()
    count = bits.number((0, 0), (0, 1), (4, 2), (12, 1))
    check_count(count, _MOST_CHANNELS, "damaged JXL: got {} further channels", "get a fresh copy", ImageError)
    kinds = [_channel(bits) for _ in range(count)]
    is_lossy = bits.flag()
    is_grey, has_profile, colours, transfer_at = _colours(bits)
    alphas = [premultiplied for kind, premultiplied in kinds if kind == _ALPHA]
    return Header(
        width=width,
        height=height,
        bits=depth,
        is_float=is_float,
        is_animated=is_animated,
        channels=(1 if is_grey else 3) + bool(alphas),
        has_alpha=bool(alphas),
        is_premultiplied=bool(alphas) and alphas[0],
        has_black=any(kind == _BLACK for kind, _ in kinds),
        left_out=count - bool(alphas),
        is_lossy=is_lossy,
        has_profile=has_profile,
        colours=colours,
        transfer_at=transfer_at,
    )


def told_size(data: bytes) -> tuple[int, int]:
    """Width and height that a code stream begins with; where its bytes end are zeros."""
    return _size(_Bits(data[len(START) :][:_SIZE_BYTES].ljust(_SIZE_BYTES, b"\0")))


def _size(bits: _Bits) -> tuple[int, int]:
    """Width and height; a width that goes with the height in a usual ratio is not told."""
    is_small = bits.flag()
    height = 8 * (bits.take(5) + 1) if is_small else bits.number(*_SIZES)
    return _width(bits, height, lambda: 8 * (bits.take(5) + 1) if is_small else bits.number(*_SIZES)), height


def _width(bits: _Bits, height: int, told: Callable[[], int]) -> int:
    ratio = bits.take(3)
    if not ratio:
        return told()
    across, down = _RATIOS[ratio - 1]
    return height * across // down


def _extra_fields(bits: _Bits) -> bool:
    """Go over orientation, intrinsic size and preview; returns whether the picture is an animation."""
    bits.take(3)  # the decoder turns the picture
    if bits.flag():
        _size(bits)
    if bits.flag():
        in_eights = bits.flag()
        sizes = ((0, 16), (0, 32), (5, 1), (9, 33)) if in_eights else ((6, 1), (8, 65), (10, 321), (12, 1345))
        _width(bits, bits.number(*sizes), lambda: bits.number(*sizes))
    is_animated = bits.flag()
    if is_animated:
        bits.number((0, 100), (0, 1000), (10, 1), (30, 1))
        bits.number((0, 1), (0, 1001), (8, 1), (10, 1))
        bits.number((0, 0), (3, 0), (16, 0), (32, 0))
        bits.flag()
    return is_animated


def _depth(bits: _Bits) -> tuple[bool, int]:
    """Whether samples are floats, and how many bits they have."""
    if not bits.flag():
        return False, bits.number((0, 8), (0, 10), (0, 12), (6, 1))
    depth = bits.number((0, 32), (0, 16), (0, 24), (6, 1))
    bits.take(4)
    return True, depth


def _channel(bits: _Bits) -> tuple[int, bool]:
    """The kind of a further channel, and whether colours were multiplied by it."""
    if bits.flag():
        return _ALPHA, False
    kind = bits.number(*_NAMES)
    _depth(bits)
    bits.number((0, 0), (0, 3), (0, 4), (3, 1))
    bits.take(8 * bits.number((0, 0), (4, 0), (5, 16), (10, 48)))
    if kind == _SPOT:
        bits.take(4 * 16)
    elif kind == _FILTER:
        bits.number((0, 1), (2, 0), (4, 3), (8, 19))
    return kind, bits.flag() if kind == _ALPHA else False


def _colours(bits: _Bits) -> tuple[bool, bool, bytes | None, int | None]:
    """Whether there is grey only, whether a profile says what colours are, what cICP would say, and where."""
    if bits.flag():
        return False, False, b"", None
    has_profile, space = bits.flag(), bits.number(*_NAMES)
    if has_profile:
        return space == _GREY, True, None, None
    white = bits.number(*_NAMES) if space != _XYB else 1
    _custom(bits, 1 if white == _CUSTOM else 0)
    primaries = bits.number(*_NAMES) if space not in (_XYB, _GREY) else 1
    _custom(bits, 3 if primaries == _CUSTOM else 0)
    transfer = None if space == _XYB or bits.flag() else bits.number(*_NAMES)
    at = 8 * len(START) + bits.all - bits.left - 4 if transfer is not None and 2 <= transfer < 18 else None
    if transfer not in _TRANSFERS or primaries not in _PRIMARIES or white != 1:
        return space == _GREY, False, None, at
    said = bytes((_PRIMARIES[primaries], transfer, 0, 1))
    return space == _GREY, False, b"" if said == _USUAL else said, at


def _custom(bits: _Bits, count: int) -> None:
    """Go over points in the plane of colours."""
    for _ in range(2 * count):
        bits.number((19, 0), (19, 524288), (20, 1048576), (21, 2097152))


def with_srgb(data: bytes, header: Header) -> bytes:
    """The same code stream, its transfer function called sRGB's, which takes as many bits as most others."""
    if header.transfer_at is None:
        return data
    at, bit = divmod(header.transfer_at, 8)
    word = int.from_bytes(data[at : at + 2], "little") & ~(15 << bit) | (_USUAL[1] - 2) << bit
    return data[:at] + word.to_bytes(2, "little") + data[at + 2 :]
