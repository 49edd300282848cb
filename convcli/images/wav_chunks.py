"""The chunks of a WAV file: walking along them, and what those beside the sound say about samples that moved.

Texts (INFO, ID3, BWF's bext) are kept. Positions in samples (cue points, regions, loops, BWF's time) are moved to where
these samples are now. Everything else is left out, and the reader says which.

Source: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991; EBU Tech 3285 (bext)
and 3306 (RF64).
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from convcli.budget import check_count
from convcli.errors import ImageError

HEADERS = (b"RIFF", b"RF64", b"BW64", b"RIFX")
_LONG = (b"RF64", b"BW64")  # their lengths are in a chunk of 64-bit numbers
_UNKNOWN = 0xFFFFFFFF  # what programs write that do not know the length yet
_ENDLESS = range(0x7FFFF000, 0x80000000)  # others write the largest length that old readers take
_FILLING = (b"fact", b"JUNK", b"junk", b"PAD ", b"FLLR", b"ds64")
_TEXT = (b"id3 ", b"ID3 ", b"inst", b"DISP")
_TIME_REFERENCE, _VERSION, _LOUDNESS, _BEXT = 338, 346, 412, 602
_MOST_CHUNKS = 10_000
_NO_LOUDNESS = struct.pack("<5h", *(0x7FFF,) * 5)

Chunk = tuple[bytes, bytes]  # name, content
Moved = Callable[[int], int]  # a sample's number in the file that was read to its number now


class Sound(NamedTuple):
    """What a WAV file holds.

    Parameters
    ----------
    layout, data:
        The contents of ``fmt`` and ``data``; None where there is none.
    kept:
        Further chunks that can be written again by `moved_chunks`.
    lost:
        Names of those that cannot.
    trailing:
        Bytes at the end that are no chunk.
    """

    layout: memoryview | None
    data: memoryview | None
    kept: list[Chunk]
    lost: list[str]
    trailing: int


def read_chunks(file: bytes) -> Sound:
    """Take a file apart; raises `ImageError` for one that is none, or ends within its sound or before it."""
    if file[:4] not in HEADERS or file[:4] == b"RIFX" or file[8:12] != b"WAVE":
        raise ImageError(f"got a {file[:4].decode('latin-1')} file, expected RIFF WAVE; convert it to WAV first")
    layout = data = None
    kept: list[Chunk] = []
    lost: dict[str, None] = {}
    trailing = 0
    for name, content in _walk(file):
        if not name:
            trailing = len(content)
        elif name == b"fmt " and layout is None:
            layout = content
        elif name == b"data" and data is None:
            data = content
        elif name == b"LIST" and bytes(content[:4]) not in (b"INFO", b"adtl"):
            lost[f"LIST {_word(content[:4])}"] = None
        elif name in _TEXT or name in _MOVERS:
            kept.append((name, bytes(content)))
        elif name not in _FILLING:
            lost[_word(name)] = None
    return Sound(layout, data, kept, list(lost), trailing)


def _word(name: bytes | memoryview) -> str:
    return "".join(chr(each) if 32 < each < 127 else "?" for each in bytes(name).rstrip(b" "))


def _walk(file: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each chunk; bytes behind the sound that are no chunk have an empty name."""
    view = memoryview(file)
    position, long_data, has_data, count = 12, None, False, 0
    while position + 8 <= len(file):
        count += 1
        check_count(count, _MOST_CHUNKS, "damaged WAV: got {} chunks and more", "get a fresh copy", ImageError)
        name, length = struct.unpack_from("<4sI", file, position)
        start = position + 8
        if name == b"ds64" and file[:4] in _LONG and start + 16 <= len(file):
            long_data = struct.unpack_from("<Q", file, start + 8)[0]
        if name == b"data" and not has_data:
            length = _sound_length(file, position, length, long_data)
            has_data = True
        end = start + length
        if end > len(file):
            if has_data and name != b"data":
                break
            raise ImageError(f"truncated WAV: it has {len(file)} bytes, expected at least {end}; get a fresh copy")
        yield name, view[start:end]
        position = end + (length % 2 and not _is_name(file[end : end + 4]))
    if position < len(file):
        yield b"", view[position:]


def _sound_length(file: bytes, position: int, length: int, long_data: int | None) -> int:
    rest = len(file) - position - 8
    whole = struct.unpack_from("<I", file, 4)[0] + 8
    if long_data and length == _UNKNOWN:
        return long_data
    unfinished = length == 0 and (whole - 8 in (0, _UNKNOWN) or whole <= position + 8)
    return rest if length == _UNKNOWN or (length in _ENDLESS and length > rest) or unfinished else length


def _is_name(name: bytes) -> bool:
    """Whether a chunk begins here although the one before, of odd length, should be followed by a byte of filling."""
    return name in (b"fmt ", b"data", b"LIST", *_FILLING, *_TEXT, *_MOVERS)


def moved_chunks(chunks: list[Chunk], moved: Moved, stride: float) -> list[Chunk]:
    """The chunks as they are true after samples have moved and lie ``stride`` apart."""
    return [(name, _MOVERS[name](content, moved, stride) if name in _MOVERS else content) for name, content in chunks]


def _moved_cues(content: bytes, moved: Moved, stride: float) -> bytes:
    """Each cue: its number, where it is played, the chunk it is in, two offsets that are 0 in one chunk, its sample."""
    cues = bytearray(content)
    for at in _entries(content, 0, 4, 24):
        for place in (at + 4, at + 20):
            struct.pack_into("<I", cues, place, moved(struct.unpack_from("<I", cues, place)[0]))
    return bytes(cues)


def _moved_loops(content: bytes, moved: Moved, stride: float) -> bytes:
    """A sampler's chunk: nanoseconds from sample to sample, and loops with their first and last sample."""
    loops = bytearray(content)
    if len(loops) >= 36:
        period = round(struct.unpack_from("<I", loops, 8)[0] * stride)
        struct.pack_into("<I", loops, 8, min(period, _UNKNOWN))
    for at in _entries(content, 28, 36, 24):
        for place in (at + 8, at + 12):
            struct.pack_into("<I", loops, place, moved(struct.unpack_from("<I", loops, place)[0]))
    return bytes(loops)


def _entries(content: bytes, count_at: int, first: int, size: int) -> range:
    """Where the entries of a list lie that a chunk counts at ``count_at``, as far as they are there."""
    if len(content) < first:
        return range(0)
    count = min(struct.unpack_from("<I", content, count_at)[0], (len(content) - first) // size)
    return range(first, first + count * size, size)


def _moved_bext(content: bytes, moved: Moved, stride: float) -> bytes:
    """BWF's text: when the sound begins, in samples after midnight; and how loud it was, which is not true any more."""
    text = bytearray(content)
    if len(text) >= _BEXT:
        reference = struct.unpack_from("<Q", text, _TIME_REFERENCE)[0]
        struct.pack_into("<Q", text, _TIME_REFERENCE, round(reference / stride))
        if struct.unpack_from("<H", text, _VERSION)[0] >= 2:
            text[_LOUDNESS : _LOUDNESS + len(_NO_LOUDNESS)] = _NO_LOUDNESS
    return bytes(text)


def _moved_list(content: bytes, moved: Moved, stride: float) -> bytes:
    """Labels of cues as they are; of a region the length in samples is another."""
    if content[:4] != b"adtl":
        return content
    labels = bytearray(content)
    position = 4
    while position + 8 <= len(labels):
        name, length = struct.unpack_from("<4sI", labels, position)
        if name == b"ltxt" and position + 16 <= len(labels):
            samples = struct.unpack_from("<I", labels, position + 12)[0]
            struct.pack_into("<I", labels, position + 12, round(samples / stride))
        position += 8 + length + length % 2
    return bytes(labels)


_MOVERS: dict[bytes, Callable[[bytes, Moved, float], bytes]] = {
    b"cue ": _moved_cues,
    b"smpl": _moved_loops,
    b"bext": _moved_bext,
    b"LIST": _moved_list,
}
