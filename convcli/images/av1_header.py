"""The size that AV1 data themselves announce: a decoder makes room for it, whatever the boxes around them say.

Source: Alliance for Open Media, "AV1 Bitstream & Decoding Process Specification", 2019, sections 5.3 and 5.5.
"""

from convcli.images.bits import HighBits

_SEQUENCE = 1  # the kind of the unit that has it
_MOST_UNITS = 16


def size_in(data: bytes) -> tuple[int, int]:
    """Width and height as the sequence header among the first units says; (0, 0) if there is none."""
    position = 0
    for _ in range(_MOST_UNITS):
        if position >= len(data):
            break
        head = data[position]
        position += 2 if head & 4 else 1
        length = len(data) - position
        if head & 2:
            length, position = _leb128(data, position)
        if head >> 3 & 15 == _SEQUENCE:
            return _sequence_size(data[position : position + length])
        position += length
    return 0, 0


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[position + index] if position + index < len(data) else 0
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, position + index + 1
    return value, position + 8


def _sequence_size(content: bytes) -> tuple[int, int]:
    bits = HighBits(content)
    bits.take(4)  # profile, still picture
    if bits.take(1):  # a short header
        bits.take(5)
    else:
        _operating_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _operating_points(bits: HighBits) -> None:
    has_model, delay = 0, 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.exponential()
        has_model = bits.take(1)
        if has_model:
            delay = bits.take(5) + 1
            bits.take(42)
    has_delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if has_model and bits.take(1):
            bits.take(2 * delay + 1)
        if has_delays and bits.take(1):
            bits.take(4)
