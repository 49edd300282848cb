"""WAV: sound as PCM of 8 to 32 bits, or as floats of 32 or 64.

Read here and not by the standard library's `wave`, which knows no floats, and no extensible headers before Python 3.12.
The chunks beside the sound are `convcli.images.wav_chunks`'s. Of a sample in a wider container the left bits count.

Source: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991, and Microsoft's
WAVEFORMATEXTENSIBLE.
"""

import struct
from dataclasses import dataclass, replace

import numpy as np

from convcli.errors import ImageError
from convcli.images.model import Pixels
from convcli.images.signal_model import Signal
from convcli.images.wav_chunks import Chunk, moved_chunks, read_chunks

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODINGS = {
    2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM 6.10", 80: "MPEG", 85: "MP3", 255: "AAC",
}  # fmt: skip
# What follows the coding's number in the identifier of an extensible header.
_IDENTIFIER = bytes.fromhex("000000001000800000aa00389b71")
_LATEST_HEADER = 1 << 20  # byte before which the header begins
_MOST = 0xFFFFFFFF - 1024


@dataclass(frozen=True)
class _Layout:
    kind: int  # _PCM or _FLOAT
    bits: int  # that count
    width: int  # bytes of a sample's container
    channels: int
    rate: int
    extension: bytes  # of an extensible header

    @property
    def spare(self) -> int:
        """Bits of a container, on the right, that do not count."""
        return 8 * self.width - self.bits


def decode(data: bytes) -> Signal:
    """Decode a WAV file; integer samples become whole numbers around 0, in float64."""
    sound = read_chunks(data)
    if sound.layout is None or sound.data is None:
        raise ImageError("damaged WAV: it holds no sound; get a fresh copy")
    layout = _layout(sound.layout)
    frame = layout.channels * layout.width
    length = len(sound.data) // frame
    if not length:
        raise ImageError("got a WAV of 0 samples, expected at least one")
    samples = _numbers(sound.data[: length * frame], layout)
    warnings = _warnings(sound.lost, sound.trailing, len(sound.data) % frame)
    if layout.spare and (samples % 1).any():
        warnings += (f"its samples use more than the {layout.bits} bits that it says count: all bits were read",)
        samples, layout = samples * 2.0**layout.spare, _all_bits(layout)
    limits = None if layout.kind == _FLOAT else (-(2.0 ** (layout.bits - 1)), 2.0 ** (layout.bits - 1) - 1)

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        first, last = int(positions[0]), len(samples) - 1
        chunks = [] if strip else sound.kept
        moved = moved_chunks(chunks, lambda sample: min(max(round((sample - first) / stride), 0), last), stride)
        return _encode(samples, layout, max(round(layout.rate / stride), 1), moved)

    full_scale = 1.0 if layout.kind == _FLOAT else None
    return Signal(samples.reshape(-1, layout.channels), "WAV", encode, limits, full_scale, warnings=warnings)


def _warnings(lost: list[str], trailing: int, rest: int) -> tuple[str, ...]:
    warnings = [f"not kept: {', '.join(lost)} (may not be true of the new sound)"] if lost else []
    warnings += [f"left out: {rest} bytes at the end of its sound, less than a sample"] if rest else []
    return (*warnings, *((f"left out: {trailing} bytes behind its sound that are no chunk",) if trailing else ()))


def sizes_of(data: bytes, size: int) -> tuple[int, int]:
    """At most how many frames, and how many channels, a file of ``size`` bytes holds that begins with ``data``.

    0 and 0 where its header is not there; `decode` says so.
    """
    start = data.find(b"fmt ", 12, 12 + _LATEST_HEADER)
    if start < 0 or start + 24 > len(data):
        return 0, 0
    channels, bits = struct.unpack_from("<H", data, start + 10)[0], struct.unpack_from("<H", data, start + 22)[0]
    return size // max(channels * bits // 8, 1), channels


def _layout(content: memoryview) -> _Layout:
    if len(content) < 16:
        raise ImageError(f"damaged WAV: its header has {len(content)} bytes, expected at least 16; get a fresh copy")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", content)
    extension, container = b"", bits
    if kind == _EXTENSIBLE:
        extension = bytes(content[16:40])
        if len(extension) < 24:
            raise ImageError("damaged WAV: its extensible header is cut short; get a fresh copy")
        valid, _, kind, rest = struct.unpack_from("<HIH14s", extension, 2)
        bits = valid or bits
        kind = kind if rest == _IDENTIFIER else _EXTENSIBLE
    width = -(-container // 8)
    is_known = kind == _PCM and (bits == 8 or 8 < bits <= container <= 32)
    if not is_known and not (kind == _FLOAT and bits == container and bits in (32, 64)):
        coding = {_PCM: "PCM", _FLOAT: "floats"}.get(kind) or f"coding {kind}" + f" ({_CODINGS.get(kind)})" * (
            kind in _CODINGS
        )
        raise ImageError(
            f"got a WAV of {coding} and {bits} bits, expected PCM of 8 to 32 bits, or floats of 32 or 64; "
            "convert it to PCM first"
        )
    if not channels or not rate or rate * channels * width > _MOST:
        raise ImageError(f"damaged WAV: got {channels} channels at {rate} Hz; get a fresh copy")
    if block != channels * width or (bits == 8 and width > 1):
        raise ImageError(
            f"got a WAV whose blocks have {block} bytes for {channels} x {bits} bits, expected {channels * width}: how "
            "samples lie in them is not defined; save it as PCM again"
        )
    return _Layout(kind, bits, width, channels, rate, extension)


def _all_bits(layout: _Layout) -> _Layout:
    bits = 8 * layout.width
    extension = layout.extension[:2] + struct.pack("<H", bits) + layout.extension[4:] if layout.extension else b""
    return replace(layout, bits=bits, extension=extension)


def _numbers(sound: memoryview, layout: _Layout) -> Pixels:
    if layout.kind == _FLOAT:
        return np.frombuffer(sound, f"<f{layout.width}").astype(f"f{layout.width}")
    if layout.width == 1:
        return np.frombuffer(sound, np.uint8) - 128.0
    if layout.width == 3:
        wide = np.zeros((len(sound) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(sound, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0] / (256.0 * 2.0**layout.spare)
    return np.frombuffer(sound, f"<i{layout.width}") / 2.0**layout.spare


def _bytes(samples: Pixels, layout: _Layout) -> bytes:
    if layout.kind == _FLOAT:
        return samples.astype(f"<f{layout.width}").tobytes()
    if layout.width == 1:
        return (samples + 128).astype(np.uint8).tobytes()
    whole = (samples * 2.0**layout.spare).astype("<i4" if layout.width > 2 else "<i2")
    if layout.width == 3:
        return np.ascontiguousarray(whole.reshape(-1).view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
    return whole.tobytes()


def _encode(samples: Pixels, layout: _Layout, rate: int, chunks: list[Chunk]) -> bytes:
    length, channels = samples.shape
    frame = channels * layout.width
    if length * frame > _MOST:
        raise ImageError(f"got {length * frame} bytes of sound, expected less than 4 GB in a WAV; save it as .npy")
    # The mask of an extensible header names the loudspeaker of each channel.
    extended = bool(layout.extension) and channels == layout.channels
    kind = _EXTENSIBLE if extended else layout.kind
    bits = 8 * layout.width if extended else layout.bits
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits)
    parts = [(b"fmt ", header + (layout.extension if extended else b""))]
    if layout.kind == _FLOAT:
        parts.append((b"fact", struct.pack("<I", length)))
    parts += [(b"data", _bytes(samples, layout)), *chunks]
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body
