"""WAV: sound as PCM of 8, 16, 24 or 32 bits, or as floats of 32 or 64.

Read here and not by the standard library's `wave`, which knows no floats, and no extensible headers before Python 3.12.

Source: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991, and Microsoft's
WAVEFORMATEXTENSIBLE.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Pixels
from convcli.images.signals import Signal

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KNOWN = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}
_UNKNOWN_LENGTH = 0xFFFFFFFF  # what programs write that do not know the length yet
_TEXT = (b"LIST", b"id3 ", b"bext")  # who, what, when: true of the filtered sound too
_LATEST_HEADER = 1 << 20  # byte before which the header begins
_MOST = 0xFFFFFFFF - 1024


class _Layout(NamedTuple):
    kind: int  # _PCM or _FLOAT
    bits: int
    channels: int
    rate: int
    extension: bytes  # of an extensible header


def decode(data: bytes) -> Signal:
    """Decode a WAV file; integer samples become whole numbers around 0, in float64."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ImageError(f"got a {data[:4].decode('latin-1')} file, expected RIFF WAVE")
    layout, sound, texts = None, None, []
    for kind, content in _chunks(data):
        if kind == b"fmt " and layout is None:
            layout = _layout(content)
        elif kind == b"data" and sound is None:
            sound = content
        elif kind in _TEXT:
            texts.append((kind, bytes(content)))
    if layout is None or sound is None:
        raise ImageError("damaged WAV: it holds no sound; get a fresh copy")
    frame = layout.channels * layout.bits // 8
    if len(sound) < frame:
        raise ImageError("got a WAV of 0 samples, expected at least one")
    samples = _numbers(sound[: len(sound) // frame * frame], layout).reshape(-1, layout.channels)
    limits = None if layout.kind == _FLOAT else (-(2.0 ** (layout.bits - 1)), 2.0 ** (layout.bits - 1) - 1)

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        return _encode(samples, layout, max(round(layout.rate / stride), 1), [] if strip else texts)

    return Signal(samples, "WAV", encode, limits, 1.0 if layout.kind == _FLOAT else None)


def sizes_of(data: bytes, size: int) -> tuple[int, int]:
    """At most how many frames, and how many channels, a file of ``size`` bytes holds that begins with ``data``.

    0 and 0 where its header is not there; `decode` says so.
    """
    start = data.find(b"fmt ", 12, 12 + _LATEST_HEADER)
    if start < 0 or start + 24 > len(data):
        return 0, 0
    channels, bits = struct.unpack_from("<H", data, start + 10)[0], struct.unpack_from("<H", data, start + 22)[0]
    return size // max(channels * bits // 8, 1), channels


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if kind == b"data" and length == _UNKNOWN_LENGTH:
            length = len(data) - position
        if position + length > len(data):
            raise ImageError(
                f"truncated WAV: it has {len(data)} bytes, expected at least {position + length}; get a fresh copy"
            )
        yield kind, view[position : position + length]
        position += length + length % 2


def _layout(content: memoryview) -> _Layout:
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", content)
    extension = b""
    if kind == _EXTENSIBLE:
        extension = bytes(content[16:40])
        kind = struct.unpack_from("<H", content, 24)[0]
    if (kind, bits) not in _KNOWN:
        raise ImageError(
            f"got a WAV of coding {kind} and {bits} bits, expected PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64; "
            "convert it to PCM first"
        )
    if not channels or not rate or rate * channels * bits // 8 > _MOST:
        raise ImageError(f"damaged WAV: got {channels} channels at {rate} Hz; get a fresh copy")
    return _Layout(kind, bits, channels, rate, extension)


def _numbers(sound: memoryview, layout: _Layout) -> Pixels:
    if layout.kind == _FLOAT:
        return np.frombuffer(sound, f"<f{layout.bits // 8}").astype(f"f{layout.bits // 8}")
    if layout.bits == 8:
        return np.frombuffer(sound, np.uint8) - 128.0
    if layout.bits == 24:
        wide = np.zeros((len(sound) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(sound, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0] / 256.0
    return np.frombuffer(sound, f"<i{layout.bits // 8}").astype(np.float64)


def _bytes(samples: Pixels, layout: _Layout) -> bytes:
    if layout.kind == _FLOAT:
        return samples.astype(f"<f{layout.bits // 8}").tobytes()
    if layout.bits == 8:
        return (samples + 128).astype(np.uint8).tobytes()
    whole = samples.astype("<i4" if layout.bits > 16 else "<i2")
    if layout.bits == 24:
        return np.ascontiguousarray(whole.reshape(-1).view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
    return whole.tobytes()


def _encode(samples: Pixels, layout: _Layout, rate: int, texts: list[tuple[bytes, bytes]]) -> bytes:
    length, channels = samples.shape
    frame = channels * layout.bits // 8
    if length * frame > _MOST:
        raise ImageError(f"got {length * frame} bytes of sound, expected less than 4 GB in a WAV; save it as .npy")
    # The mask of an extensible header names the loudspeaker of each channel.
    extended = bool(layout.extension) and channels == layout.channels
    kind = _EXTENSIBLE if extended else layout.kind
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, layout.bits)
    parts = [(b"fmt ", header + (layout.extension if extended else b""))]
    if layout.kind == _FLOAT:
        parts.append((b"fact", struct.pack("<I", length)))
    parts += [(b"data", _bytes(samples, layout)), *texts]
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body
