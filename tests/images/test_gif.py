"""GIF: what its blocks say about transparency, places on the canvas and disposal, as a picture and as a volume."""

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.errors import ImageError
from convcli.images import read
from convcli.images.volumes import open_volume

RED, GREEN, BLUE, WHITE, NOTHING = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255), (0,) * 4
PALETTE = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])


def frame(x, y, w, h, indices, disposal=0, transparent=None, palette=None):
    """One frame, its numbers packed without packing: a clear code before every other number."""
    if isinstance(indices, int):
        indices = [indices] * (w * h)
    codes = [code for value in indices for code in (4, value)] + [5]  # of 3 bits, which never grow
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    packed = bits.to_bytes(-(-3 * len(codes) // 8), "little")
    control = b"!\xf9\4" + bytes([disposal << 2 | (transparent is not None)]) + b"\x0a\0" + bytes([transparent or 0, 0])
    own = (0x80 | (len(palette) // 3).bit_length() - 2, palette) if palette else (0, b"")
    return control + b"," + struct.pack("<4HB", x, y, w, h, own[0]) + own[1] + b"\2" + blocks(packed) + b"\0"


def blocks(packed):
    return b"".join(
        bytes([len(packed[at : at + 255])]) + packed[at : at + 255] for at in range(0, len(packed), 255)
    )  # fmt: skip


def gif(*frames, size=(4, 4), palette=PALETTE):
    flags = 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0
    return b"GIF89a" + struct.pack("<HH", *size) + bytes([flags, 1, 0]) + palette + b"".join(frames) + b";"


def load(data):
    return read(io.BytesIO(data))


def rgba(image_pixels, has_alpha):
    """Pixels (..., C) as RGBA, for comparison."""
    colours = image_pixels[..., :-1] if has_alpha else image_pixels
    alpha = image_pixels[..., -1:] if has_alpha else np.full_like(image_pixels[..., :1], 255)
    return np.concatenate([np.broadcast_to(colours, (*colours.shape[:-1], 3)), alpha], axis=-1)


def volume(tmp_path, data):
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    with open_volume(path) as opened:
        return rgba(opened.planes(range(opened.shape[0])), opened.has_alpha), opened


@pytest.mark.parametrize("step", [1, 3, 17])
def test_a_transparent_index_among_greys(step):
    picture = Pillow.frombytes("P", (4, 4), bytes(range(16)))
    picture.putpalette([each // 3 * step % 256 for each in range(768)])
    stream = io.BytesIO()
    picture.save(stream, "GIF", transparency=5)
    got = load(stream.getvalue())
    assert got.has_alpha and got.pixels.shape == (4, 4, 2)
    assert got.pixels[..., 1].ravel().tolist() == [255 * (index != 5) for index in range(16)]
    assert got.pixels[..., 0].ravel()[:5].tolist() == [index * step for index in range(5)]


def test_what_no_frame_covers_is_transparent():
    got = load(gif(frame(1, 1, 2, 2, 3)))
    assert got.has_alpha
    seen = np.zeros((4, 4), bool)
    seen[1:3, 1:3] = True
    np.testing.assert_array_equal(got.pixels[..., -1], seen * 255)
    assert (got.pixels[seen][:, 0] == 255).all()


def test_a_transparent_index_that_no_pixel_has_is_no_alpha():
    got = load(gif(frame(0, 0, 4, 4, 1, transparent=2)))
    assert not got.has_alpha and got.pixels[0, 0].tolist() == [0, 255, 0]


def test_an_index_beyond_the_palette_may_be_the_transparent_one():
    got = load(gif(frame(0, 0, 2, 1, [0, 3], transparent=3), size=(2, 1), palette=PALETTE[:6]))
    assert rgba(got.pixels, got.has_alpha)[0, :, 3].tolist() == [255, 0]
    with pytest.raises(ImageError, match="damaged: it uses colour 3 of a palette of 2"):
        load(gif(frame(0, 0, 2, 1, [0, 3], transparent=2), size=(2, 1), palette=PALETTE[:6]))


def test_a_palette_of_the_frame_wins_and_none_at_all_is_grey():
    got = load(gif(frame(0, 0, 2, 1, [0, 1], palette=bytes([9, 8, 7, 6, 5, 4])), size=(2, 1)))
    assert got.pixels.tolist() == [[[9, 8, 7], [6, 5, 4]]]
    assert load(gif(frame(0, 0, 2, 1, [0, 3]), size=(2, 1), palette=b"")).pixels.tolist() == [[[0], [3]]]


def test_a_first_frame_that_is_larger_widens_the_canvas_and_a_later_one_is_cut_off(tmp_path):
    got, _ = volume(tmp_path, gif(frame(0, 0, 3, 2, 0), frame(2, 1, 4, 4, 1), size=(2, 2)))
    assert got.shape == (2, 2, 3, 4)
    assert got[1].tolist() == [[list(RED)] * 3, [list(RED), list(RED), list(GREEN)]]


def test_frames_stay_unless_they_are_disposed_of(tmp_path):
    got, opened = volume(tmp_path, gif(frame(0, 0, 4, 4, 0), frame(0, 0, 2, 2, 1, disposal=1), frame(1, 1, 2, 2, 2)))
    assert not opened.has_alpha and opened.metadata.durations == (100, 100, 100)
    assert tuple(got[2][0, 0]) == GREEN and tuple(got[2][1, 1]) == BLUE and tuple(got[2][3, 3]) == RED


def test_disposal_to_the_background_clears_the_frame_alone(tmp_path):
    got, opened = volume(tmp_path, gif(frame(0, 0, 4, 4, 0), frame(0, 0, 2, 2, 1, disposal=2), frame(3, 3, 1, 1, 2)))
    assert opened.has_alpha
    assert tuple(got[1][0, 0]) == GREEN
    assert tuple(got[2][0, 0]) == NOTHING and tuple(got[2][2, 2]) == RED and tuple(got[2][3, 3]) == BLUE


@pytest.mark.parametrize("disposal", [3, 4])
def test_disposal_to_the_previous_frame(tmp_path, disposal):
    frames = (frame(0, 0, 4, 4, 0), frame(0, 0, 2, 2, 1, disposal=disposal), frame(3, 3, 1, 1, 2))
    got, opened = volume(tmp_path, gif(*frames))
    assert not opened.has_alpha
    assert tuple(got[1][0, 0]) == GREEN and tuple(got[2][0, 0]) == RED and tuple(got[2][3, 3]) == BLUE


def test_transparent_pixels_of_later_frames_let_earlier_ones_through(tmp_path):
    frames = (frame(0, 0, 2, 1, [0, 3]), frame(0, 0, 2, 1, [2, 1], transparent=2))
    got, _ = volume(tmp_path, gif(*frames, size=(2, 1)))
    assert [tuple(each) for each in got[1][0]] == [RED, GREEN]


def test_an_animation_of_greys_whose_first_frame_is_cleared(tmp_path):
    greys = bytes(each for each in range(4) for _ in range(3))
    data = gif(frame(0, 0, 4, 4, 3, disposal=2), frame(1, 1, 1, 1, 2), palette=greys)
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    with open_volume(path) as opened:
        assert opened.shape == (2, 4, 4, 2) and opened.has_alpha
        second = opened.planes([1])[0]
    assert second[..., 1].sum() == 255 and second[1, 1].tolist() == [2, 255]


@pytest.mark.parametrize("seed", range(3))
def test_random_animations_as_pillow_composes_them(tmp_path, seed):
    random = np.random.default_rng(seed)
    frames = [frame(0, 0, 6, 5, [int(each) for each in random.integers(0, 4, 30)])]
    for _ in range(6):
        x, y, w, h = random.integers(0, 3), random.integers(0, 3), random.integers(1, 4), random.integers(1, 3)
        indices = [int(each) for each in random.integers(0, 4, w * h)]
        frames.append(frame(x, y, w, h, indices, int(random.choice([0, 1, 3])), int(random.integers(0, 4))))
    data = gif(*frames, size=(6, 5))
    got, _ = volume(tmp_path, data)
    with Pillow.open(io.BytesIO(data)) as picture:
        for index in range(7):
            picture.seek(index)
            np.testing.assert_array_equal(got[index], np.asarray(picture.convert("RGBA")))
