"""Animated PNG as a volume: frames at their places, blended, disposed of."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import read
from convcli.images.volumes import open_volume

RED, GREEN, HALF, NOTHING = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 128), (0, 0, 0, 0)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def rows(width, height, colour, dtype=">u1"):
    row = b"\0" + np.array([colour] * width, dtype).tobytes()
    return zlib.compress(row * height)


def apng(*frames, size=(4, 3), bits=8, hidden=None, kind=6, extra=b""):
    """Frames of (x, y, w, h, colour, disposal, blending); ``hidden`` is a default picture that is no frame."""
    body = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)) + extra
    body += chunk(b"acTL", struct.pack(">II", len(frames), 0))
    dtype = ">u2" if bits == 16 else ">u1"
    if hidden:
        body += chunk(b"IDAT", rows(*size, hidden, dtype))
    number = 0
    for index, (x, y, w, h, colour, disposal, blending) in enumerate(frames):
        body += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, w, h, x, y, 1, 20, disposal, blending))
        number += 1
        packed = rows(w, h, colour, dtype)
        if index == 0 and not hidden:
            body += chunk(b"IDAT", packed)
        else:
            body += chunk(b"fdAT", struct.pack(">I", number) + packed)
            number += 1
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def frames_of(tmp_path, data):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with open_volume(path) as volume:
        planes = volume.planes(range(volume.shape[0]))
        if volume.has_alpha:
            return planes, volume
        return np.concatenate([planes, np.full_like(planes[..., :1], volume.white)], axis=-1), volume


def test_blending_and_disposal(tmp_path):
    whole = (0, 0, 4, 3, RED, 0, 0)
    got, volume = frames_of(tmp_path, apng(whole, (0, 0, 2, 2, GREEN, 1, 0), (1, 1, 2, 2, HALF, 2, 1), whole))
    assert volume.shape == (4, 3, 4, 4) and volume.metadata.durations == (50,) * 4
    assert tuple(got[1][0, 0]) == GREEN and tuple(got[1][2, 3]) == RED
    assert tuple(got[2][0, 0]) == NOTHING  # cleared
    assert tuple(got[2][1, 1]) == HALF and tuple(got[2][2, 2]) == (127, 0, 128, 255)  # over nothing, and over red
    assert (got[3] == RED).all()


def test_disposal_to_the_previous_frame(tmp_path):
    got, volume = frames_of(
        tmp_path, apng((0, 0, 4, 3, RED, 0, 0), (0, 0, 2, 2, GREEN, 2, 0), (3, 2, 1, 1, GREEN, 0, 0))
    )
    assert not volume.has_alpha
    assert tuple(got[1][0, 0]) == GREEN and tuple(got[2][0, 0]) == RED and tuple(got[2][2, 3]) == GREEN


def test_a_default_picture_that_is_no_frame_and_a_canvas_that_no_frame_covers(tmp_path):
    data = apng((1, 1, 1, 1, GREEN, 0, 0), (2, 1, 1, 1, GREEN, 0, 0), hidden=RED)
    got, volume = frames_of(tmp_path, data)
    assert volume.has_alpha
    assert tuple(got[0][0, 0]) == NOTHING and tuple(got[0][1, 1]) == GREEN and tuple(got[1][1, 2]) == GREEN
    flat = read(io.BytesIO(data))
    assert (flat.pixels == RED).all()
    assert flat.warnings == (
        "animated PNG: only its default picture was read, not its 2 frames; filter --axes zyx takes all, yx each",
    )


def test_16_bits_stay(tmp_path):
    got, volume = frames_of(tmp_path, apng((0, 0, 4, 3, (258, 0, 1, 65535), 0, 0), (0, 0, 1, 1, (9, 9, 9, 65535), 0, 1),
                                           bits=16))  # fmt: skip
    assert volume.dtype == np.uint16 and not volume.has_alpha
    assert got[1][0, 0].tolist() == [9, 9, 9, 65535] and got[1][2, 3].tolist() == [258, 0, 1, 65535]


def test_palettes_with_alpha_belong_to_every_frame(tmp_path):
    extra = chunk(b"PLTE", bytes([1, 2, 3, 4, 5, 6])) + chunk(b"tRNS", bytes([0]))
    got, _ = frames_of(tmp_path, apng((0, 0, 4, 3, (1,), 0, 0), (0, 0, 2, 2, (0,), 0, 0), kind=3, extra=extra))
    assert tuple(got[0][0, 0]) == (4, 5, 6, 255) and got[1][0, 0, 3] == 0 and tuple(got[1][2, 3]) == (4, 5, 6, 255)


def test_as_pillow_composes_them(tmp_path):
    random = np.random.default_rng(0)
    frames = [(0, 0, 6, 5, RED, 0, 0)]
    for _ in range(8):
        x, y, w, h = (int(each) for each in random.integers(1, 4, 4))
        colour = tuple(int(each) for each in random.integers(0, 256, 3))
        # Pillow takes what was there before the frame before for what was there before: not disposal 2, then.
        frames.append((x - 1, y - 1, w, min(h, 3), (*colour, 255), *(int(each) for each in random.integers(0, 2, 2))))
    data = apng(*frames, size=(6, 5))
    got, _ = frames_of(tmp_path, data)
    with Pillow.open(io.BytesIO(data)) as picture:
        for index in range(9):
            picture.seek(index)
            np.testing.assert_array_equal(got[index], np.asarray(picture.convert("RGBA")))


def test_what_is_no_animation(tmp_path):
    with pytest.raises(ImageError, match="is a PNG, a flat picture; expected a volume"):
        frames_of(tmp_path, apng(hidden=RED))
    with pytest.raises(ImageError, match="a frame of its animation lies beyond the picture or is empty"):
        frames_of(tmp_path, apng((0, 0, 4, 3, RED, 0, 0), (3, 0, 2, 1, RED, 0, 0)))
