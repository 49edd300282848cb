"""WAV headers: each field is used or refused, and what stands beside the sound stays true or is named."""

import struct

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images.wav import decode

IDENTIFIER = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, content, length=None):
    length = len(content) if length is None else length
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def layout(bits=16, *, channels=1, rate=8000, block=None, kind=1, valid=None, identifier=IDENTIFIER):
    block = channels * -(-bits // 8) if block is None else block
    header = struct.pack("<HHIIHH", kind if valid is None else 0xFFFE, channels, rate, rate * block, block, bits)
    if valid is not None:
        header += struct.pack("<HHIH", 22, valid, 0, kind) + identifier
    return chunk(b"fmt ", header)


def wav(*chunks, name=b"RIFF", length=None):
    body = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(body) if length is None else length) + body


def sound(*numbers, length=None):
    return chunk(b"data", np.array(numbers, "<i2").tobytes(), length)


def chunks_of(file):
    found, position = {}, 12
    while position < len(file):
        name, length = struct.unpack_from("<4sI", file, position)
        found[name] = file[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    return found


def written(signal, *, stride=1, first=0, strip=False):
    samples = signal.samples[first::stride]
    return signal.encode(samples, first + stride * np.arange(len(samples)), stride, strip)


def samples_of(data):
    return decode(data).samples[:, 0].tolist()


@pytest.mark.parametrize(
    ("bits", "valid", "width", "numbers"),
    [
        (32, 24, 4, [-(2**23), 5, 2**23 - 1]),
        (32, 20, 4, [-(2**19), 5, 2**19 - 1]),
        (24, 20, 3, [-(2**19), 5, 2**19 - 1]),
        (16, 12, 2, [-2048, 5, 2047]),
        (12, None, 2, [-2048, 5, 2047]),
        (20, None, 3, [-(2**19), 5, 2**19 - 1]),
    ],
)
def test_bits_that_count_stand_on_the_left(bits, valid, width, numbers):
    count = valid or bits
    raw = b"".join((each << 8 * width - count).to_bytes(width, "little", signed=True) for each in numbers)
    data = wav(layout(bits, valid=valid), chunk(b"data", raw))
    signal = decode(data)
    assert signal.samples[:, 0].tolist() == numbers
    assert signal.limits == (-(2 ** (count - 1)), 2 ** (count - 1) - 1)
    assert written(signal) == data


def test_bits_that_should_not_count_but_do_are_read():
    numbers = [1, 2**31 - 1, -(2**31)]
    signal = decode(wav(layout(32, valid=24), chunk(b"data", np.array(numbers, "<i4").tobytes())))
    assert signal.samples[:, 0].tolist() == numbers
    assert signal.warnings == ("its samples use more than the 24 bits that it says count: all bits were read",)
    assert samples_of(written(signal)) == numbers


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (layout(24, block=4), r"blocks have 4 bytes for 1 x 24 bits, expected 3"),
        (layout(24, block=8, channels=2), r"blocks have 8 bytes for 2 x 24 bits, expected 6"),
        (layout(16, block=4), "blocks have 4 bytes for 1 x 16 bits, expected 2"),
        (layout(16, block=0), "blocks have 0 bytes"),
        (layout(24, block=4, valid=24), "blocks have 4 bytes"),
        (layout(8, kind=6), r"coding 6 \(A-law\) and 8 bits"),
        (layout(8, kind=7), r"coding 7 \(mu-law\) and 8 bits"),
        (layout(4, kind=2), r"coding 2 \(ADPCM\) and 4 bits"),
        (layout(16, kind=85), r"coding 85 \(MP3\)"),
        (layout(16, kind=3), "floats and 16 bits"),
        (layout(64), "PCM and 64 bits"),
        (layout(4), "PCM and 4 bits"),
        (layout(16, valid=24), "PCM and 24 bits"),
        (layout(32, valid=24, kind=3), "floats and 24 bits"),
        (layout(16, valid=16, identifier=bytes(14)), "coding 65534 and 16 bits"),
        (layout(16, valid=16, kind=6), r"coding 6 \(A-law\)"),
        (chunk(b"fmt ", layout(16, valid=16)[8:28]), "extensible header is cut short"),
        (chunk(b"fmt ", bytes(14)), "its header has 14 bytes, expected at least 16"),
    ],
)
def test_layouts_that_are_refused(header, message):
    with pytest.raises(ImageError, match=message) as caught:
        decode(wav(header, chunk(b"data", bytes(48))))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("length", "whole"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, None), (0x7FFFF000, 0x7FFFF024), (0x7FFFFFFF, None), (0, 0), (0, 36),
     (0, 0xFFFFFFFF)],
)  # fmt: skip
def test_sound_of_a_length_not_known_goes_to_the_end(length, whole):
    assert samples_of(wav(layout(), sound(1, 2, 3, length=length), length=whole)) == [1, 2, 3]


def test_long_headers_are_read():
    for name in (b"RF64", b"BW64"):
        long = chunk(b"ds64", struct.pack("<QQQI", 90, 6, 3, 0))
        data = wav(
            long, layout(), sound(1, 2, 3, length=0xFFFFFFFF), chunk(b"LIST", b"INFO"), name=name, length=2**32 - 1
        )
        assert samples_of(data) == [1, 2, 3]
        assert written(decode(data)) == wav(layout(), sound(1, 2, 3), chunk(b"LIST", b"INFO"))


@pytest.mark.parametrize("padded", [False, True])
def test_chunks_of_odd_length_with_and_without_filling(padded):
    text = chunk(b"LIST", b"INFOINAM\3\0\0\0abc")
    before = text if padded else text[:-1]
    assert samples_of(wav(layout(), before, sound(1, 2))) == [1, 2]


@pytest.mark.parametrize(
    ("end", "warnings"),
    [
        (b"TAG", ("left out: 3 bytes behind its sound that are no chunk",)),
        (b"TAGged with an ID3 of version 1", ("left out: 31 bytes behind its sound that are no chunk",)),
        (
            chunk(b"iXML", b"<x/>") + chunk(b"PEAK", bytes(8)),
            ("not kept: iXML, PEAK (may not be true of the new sound)",),
        ),
        (sound(9), ("not kept: data (may not be true of the new sound)",)),
        (chunk(b"LIST", b"wavlxxxx"), ("not kept: LIST wavl (may not be true of the new sound)",)),
        (chunk(b"\x1b[3\n", b""), ("not kept: ?[3? (may not be true of the new sound)",)),
        (chunk(b"JUNK", bytes(10)), ()),
    ],
)
def test_what_is_not_kept_is_told(end, warnings):
    signal = decode(wav(layout(), sound(1, 2), end))
    assert signal.samples[:, 0].tolist() == [1, 2]
    assert signal.warnings == warnings


def test_half_a_sample_is_told():
    signal = decode(wav(layout(channels=2), chunk(b"data", bytes(7))))
    assert signal.samples.shape == (1, 2)
    assert signal.warnings == ("left out: 3 bytes at the end of its sound, less than a sample",)


def test_sound_longer_than_the_file_is_truncated():
    with pytest.raises(ImageError, match="truncated WAV: it has 50 bytes, expected at least 144"):
        decode(wav(layout(), sound(1, 2, 3, length=100)))


def cue(*samples):
    points = [struct.pack("<II4sIII", number, each, b"data", 0, 0, each) for number, each in enumerate(samples, 1)]
    return chunk(b"cue ", struct.pack("<I", len(points)) + b"".join(points))


def sampler(rate, *loops):
    head = struct.pack("<9I", 1, 2, 10**9 // rate, 60, 0, 0, 0, len(loops), 0)
    return chunk(b"smpl", head + b"".join(struct.pack("<6I", 7, 0, *loop, 0, 0) for loop in loops))


def labels(length):
    region = struct.pack("<II4s4H", 1, length, b"rgn ", 0, 0, 0, 0)
    return chunk(b"LIST", b"adtl" + chunk(b"labl", b"\1\0\0\0a") + chunk(b"ltxt", region))


def bext(reference, loudness):
    text = bytearray(602)
    text[:4] = b"mine"
    struct.pack_into("<QH", text, 338, reference, 2)
    struct.pack_into("<5h", text, 412, *[loudness] * 5)
    return chunk(b"bext", bytes(text))


def test_positions_go_with_the_samples():
    extra = (cue(0, 4, 9), sampler(8000, (2, 8)), labels(6), bext(48000, -23))
    signal = decode(wav(layout(), sound(*range(10)), *extra, chunk(b"LIST", b"INFO")))
    assert signal.warnings == ()
    kept = (cue(0, 4, 9), sampler(8000, (2, 8)), labels(6), bext(48000, 0x7FFF))
    assert written(signal) == wav(layout(), sound(*range(10)), *kept, chunk(b"LIST", b"INFO"))
    moved = (cue(0, 2, 4), sampler(4000, (1, 4)), labels(3), bext(24000, 0x7FFF))
    assert written(signal, stride=2) == wav(layout(rate=4000), sound(*range(0, 10, 2)), *moved, chunk(b"LIST", b"INFO"))
    assert chunks_of(written(signal, first=3))[b"cue "] == cue(0, 1, 6)[8:]
    assert set(chunks_of(written(signal, strip=True))) == {b"fmt ", b"data"}


@pytest.mark.parametrize("name", [b"cue ", b"smpl", b"bext"])
@pytest.mark.parametrize("length", [0, 3, 4, 30, 40])
def test_chunks_cut_short_do_no_harm(name, length):
    content = b"\xff" * length
    assert len(chunks_of(written(decode(wav(layout(), sound(1, 2), chunk(name, content)))))[name]) == length
