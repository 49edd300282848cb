"""Signals: numbers along one axis, from .wav, .csv and one-dimensional .npy and .npz, and back into the same format.

The format is found by content: RIFF is WAV, numpy's magic is NPY, anything else is read as a table of text. A signal is
written as what it was read from, with the same sample rate, sample type, header row and delimiter.
"""

import contextlib
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from convcli.atomic import replacing
from convcli.budget import check_count, check_memory
from convcli.errors import ImageError
from convcli.images.model import Pixels, shown
from convcli.images.reading import AT_ONCE, MAX_PIXELS, explaining, opening, read_all, size_of
from convcli.images.signal_model import EXACT, MOST_CHANNELS, Signal
from convcli.kernels.npy import MAGIC

SIGNAL_SUFFIXES = (".wav", ".csv", ".tsv", ".npy", ".npz")
_STARTS = {"WAV": (b"RIFF", b"RF64", b"BW64", b"RIFX"), "NPY": (MAGIC,), "NPZ": (b"PK\3\4", b"PK\5\6")}
_HEAD = 1 << 16
_FOREIGN = {
    b"fLaC\0": "FLAC", b"OggS\0": "Ogg", b"ID3\3": "MP3", b"ID3\4": "MP3", b"FORM\0": "AIFF", b"riff.\x91": "Wave64",
}  # fmt: skip
_FEW = "--axes cx takes the rows of an array for channels"
_TEXT_BYTES = 8  # of memory for each byte of text, at least
_SUFFIXES = {"WAV": (".wav",), "CSV": (".csv", ".tsv"), "NPY": (".npy",), "NPZ": (".npz",)}


def is_signal(path: str | Path) -> bool:
    """Whether a file can only be a signal: by its suffix, or as a one-dimensional .npy or .npz; else False."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".npz"):
        return suffix in SIGNAL_SUFFIXES
    from convcli.images.npy import read_header
    from convcli.images.npz import header_in

    try:
        if Path(path).is_fifo():  # what is read of it is gone
            return False
        if suffix == ".npz":
            return len(header_in(Path(path)).shape) == 1
        with Path(path).open("rb") as stream:
            return len(read_header(stream).shape) == 1
    except (OSError, ValueError, ImageError):
        return False


def read_signal(
    source: str | Path | BinaryIO, *, max_samples: int = MAX_PIXELS, channels_first: bool = False
) -> Signal:
    """Read one signal, completely or not at all; of an array with ``channels_first`` the rows are channels.

    Raises `ImageError`, one line naming the file: missing, truncated, damaged, no numbers, or too long.
    """
    name = shown(source) if isinstance(source, str | Path) else "standard input"
    with opening(name), contextlib.ExitStack() as stack:
        stream = stack.enter_context(Path(source).open("rb")) if isinstance(source, str | Path) else source
        head = stream.read(_HEAD)
        format = next((name for name, starts in _STARTS.items() if head.startswith(starts)), "CSV")
        if size_of(stream) > AT_ONCE:
            _check_head(head, size_of(stream), format, name, max_samples)
        data = read_all(stream, name, head)
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes), expected a signal")
    foreign = next((what for start, what in _FOREIGN.items() if head.startswith(start)), None)
    if foreign:
        raise ImageError(f"{name}: got a sound in {foreign}, expected WAV, CSV or NPY; convert it to WAV first")
    try:
        with explaining(format):
            signal = _decode(data, format, max_samples)
            signal = _turned(signal) if channels_first else signal
        length, channels = signal.samples.shape
        check_samples(length, channels, max_samples)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__
    return signal


def _check_head(head: bytes, size: int, format: str, name: str, max_samples: int) -> None:
    """Refuse a large file by its first bytes, before the rest is read."""
    try:
        with explaining(format):
            if format == "NPY":
                from convcli.images.npy import read_header

                shape = read_header(io.BytesIO(head)).shape
                check_samples(shape[0], math.prod(shape[1:]), max_samples)
            elif format == "WAV":
                from convcli.images.wav import sizes_of

                check_samples(*sizes_of(head, size), max_samples)
            elif format == "CSV":
                check_memory(_TEXT_BYTES * size, f"got a table of {size:,} bytes", ImageError)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error.__cause__


def check_samples(length: int, channels: int, max_samples: int) -> None:
    """Refuse more samples, or more channels, than allowed; raises `ImageError` with the number and the limit."""
    check_count(channels, MOST_CHANNELS, "got {} channels", "split the file, or give it as a picture", ImageError)
    if length * channels > max_samples:
        raise ImageError(
            f"got {length} x {channels} samples, expected at most {max_samples}; "
            f"raise the limit with --max-pixels {length * channels} if the file is trusted"
        )
    check_memory(2 * 8 * length * channels, f"got {length} x {channels} samples of 8 bytes", ImageError)


def _decode(data: bytes, format: str, max_samples: int) -> Signal:
    if format == "WAV":
        from convcli.images.wav import decode, sizes_of

        check_samples(*sizes_of(data, len(data)), max_samples)
        return decode(data)
    if format == "CSV":
        from convcli.images.table import check_table, decode

        check_table(data)
        return decode(data)
    return _decode_npz(data, max_samples) if format == "NPZ" else _decode_npy(data, max_samples)


def _decode_npz(data: bytes, max_samples: int) -> Signal:
    from convcli.images.npz import array_in, own_key, writing

    key, content = array_in(data)
    signal = _decode_npy(content, max_samples)

    def encode(*words: Any) -> bytes:
        written = io.BytesIO()
        with writing(written, (own_key(key),)) as array:
            array.write(signal.encode(*words))
        return written.getvalue()

    return replace(signal, format="NPZ", encode=encode)


def _decode_npy(data: bytes, max_samples: int) -> Signal:
    from convcli.images.npy import check_numbers, read_header

    header = read_header(io.BytesIO(data))
    shape = header.shape
    if len(shape) not in (1, 2):
        raise ImageError(f"got an array of shape {shape}, expected a signal (W,) or (W, C)")
    warnings = check_numbers(header, len(data))
    check_samples(shape[0], math.prod(shape[1:]), max_samples)
    stored = header.array(data)
    stored = stored.reshape(shape[0], -1).astype(stored.dtype.newbyteorder("="), copy=False)
    samples = np.ascontiguousarray(stored, _held(stored))
    has_channels = len(shape) == 2

    def encode(samples: Pixels, positions: Pixels, stride: float, strip: bool) -> bytes:
        written = io.BytesIO()
        np.save(written, samples if has_channels or samples.shape[1] > 1 else samples[:, 0])
        return written.getvalue()

    length, channels = samples.shape
    if channels > max(length, 8):
        warnings += (f"got {length} moments of {channels} channels; {_FEW}",)
    return Signal(samples, "NPY", encode, has_channels=has_channels, warnings=warnings)


def _turned(signal: Signal) -> Signal:
    """The signal whose channels are the rows, and which is written so."""
    if signal.format not in ("NPY", "NPZ") or not signal.has_channels:
        raise ImageError(f"got axes cx for {signal.format}, expected an array (C, W) in .npy or .npz; leave --axes out")

    def encode(samples: Pixels, *words: Any) -> bytes:
        return signal.encode(np.ascontiguousarray(samples.T), *words)

    few = tuple(each for each in signal.warnings if _FEW not in each)
    return replace(signal, samples=np.ascontiguousarray(signal.samples.T), encode=encode, warnings=few)


def _held(array: Pixels) -> np.dtype[Any]:
    """The dtype that holds all numbers of an array exactly: float32, float64, or its own of 64-bit integers."""
    if array.dtype in (np.float16, np.float32):
        return np.dtype(np.float32)
    if array.dtype.kind in "iu" and (int(array.max()) > EXACT or int(array.min()) < -EXACT):
        return array.dtype
    return np.dtype(np.float64)


def check_signal_target(signal: Signal, target: str | Path) -> None:
    """Raise `ImageError` for a target whose suffix says another format than the signal has."""
    suffixes = _SUFFIXES[signal.format]
    if Path(target).suffix.lower() not in suffixes:
        got = Path(target).suffix or "no suffix"
        raise ImageError(f"{shown(target)}: got {got} for a {signal.format} signal, expected {' or '.join(suffixes)}")


def write_signal(
    signal: Signal,
    samples: Pixels,
    target: str | Path | BinaryIO,
    *,
    positions: Pixels | None = None,
    stride: float = 1,
    overwrite: bool = False,
    strip: bool = False,
) -> None:
    """Write samples (W, C) as the format that ``signal`` was read from; a file appears complete or not at all.

    Parameters
    ----------
    positions:
        For each sample the one of the input that it stands at, perhaps beyond its ends; columns that were kept go by
        it. Without it, one for one.
    stride:
        Input samples between neighbours: the sample rate is divided by it.

    Raises
    ------
    ImageError
        One line naming the target; nothing is left behind then.
    """
    places = np.arange(len(samples)) if positions is None else positions
    data = signal.encode(samples, places, stride, strip)
    if isinstance(target, str | Path):
        check_signal_target(signal, target)
        with replacing(Path(target), overwrite=overwrite) as stream:
            stream.write(data)
    else:
        target.write(data)
        target.flush()
