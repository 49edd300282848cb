"""Frames in, frames out: animated GIF, WebP and PNG, with their times and what else they say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import convcli as library

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # which tells the time
TIMES = [100, 200, 50, 70]
Y, X = np.mgrid[:24, :30]
FRAMES = [np.stack([X * 4 + 20 * index, Y * 5, X * 0 + 40 * index], -1).astype(np.uint8) for index in range(4)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save(name, frames=FRAMES, **options):
    first, *others = (Image.fromarray(each) for each in frames)
    first.save(name, save_all=True, append_images=others, duration=TIMES[: len(frames)], loop=0, **options)


def read(name):
    with Image.open(name) as file:
        frames, times = [], []
        for index in range(file.n_frames):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGB")))
            times.append(int(file.info["duration"]))
    return np.array(frames), times


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("webp", {"lossless": True}), ("gif", {})])
def test_each_frame_is_what_it_would_be_alone(convcli, folder, suffix, options):
    save(f"a.{suffix}", **options)
    before, _ = read(f"a.{suffix}")
    result = convcli("filter", f"a.{suffix}", "-k", "box", "--each-plane")
    assert (result.code, result.out, result.err) == (0, f"a_box.{suffix}\n", ""), result.err
    frames, times = read(f"a_box.{suffix}")
    expected = np.array([library.filter(each, "box") for each in before])
    difference = np.abs(frames.astype(int) - expected)
    assert times == TIMES and difference.max() <= (0 if suffix != "gif" else 12)  # which has 256 colours a frame


def test_frames_of_another_number_and_deep_ones(convcli, folder):
    save("a.png")
    result = convcli("pool", "a.png", "--axes", "zyx", "--size", "2", "-o", "half.webp")
    assert result.code == 0 and read("half.webp")[1] == [300, 120]
    said = convcli("pad", "a.png", "--axes", "zyx", "--amount", "1,0,0").err
    assert "not kept: durations of frames" in said and read("a_pad.png")[1] == [85] * 6
    assert convcli("filter", "a.png", "-k", "box", "--each-plane", "--depth", "16", "-o", "deep.png").code == 0
    assert convcli("filter", "a.png", "-k", "box", "--each-plane", "--depth", "16", "-o", "deep.gif").code == 1
    with library_volume("deep.png") as volume:
        assert volume.dtype == np.uint16 and volume.shape == (4, 24, 30, 3)


def library_volume(name):
    from convcli.images.volumes import open_volume

    return open_volume(name)


def test_pictures_in_a_row_become_an_animation(convcli, folder):
    for index, each in enumerate(FRAMES):
        Image.fromarray(each).save(f"s{index}.png", icc_profile=PROFILE)
    for suffix in ("png", "webp", "gif"):
        result = convcli("pad", "s?.png", "--stack", "--each-plane", "--amount", "1", "-o", f"a.{suffix}")
        assert result.code == 0 and read(f"a.{suffix}")[1] == [100] * 4, result.err
        with Image.open(f"a.{suffix}") as file:
            assert file.n_frames == 4 and (suffix == "gif" or file.info["icc_profile"] == PROFILE)
    np.testing.assert_array_equal(read("a.png")[0][:, 1:-1, 1:-1], FRAMES)


def test_grey_frames_stay_exact_in_a_gif(convcli, folder):
    grey = [np.tile(np.arange(24, dtype=np.uint8) * 10 + index, (20, 1)) for index in range(3)]  # interlaced
    save("a.gif", grey)
    assert convcli("pad", "a.gif", "--each-plane", "--amount", "2", "--mode", "edge", "-o", "b.gif").code == 0
    expected = [library.pad2d(each, 2, mode="edge") for each in grey]
    np.testing.assert_array_equal(read("b.gif")[0][..., 0], expected)


def disc(index):
    """A square that moves over nothing."""
    frame = np.zeros((24, 30, 4), np.uint8)
    frame[4:14, 3 + 4 * index : 13 + 4 * index] = (200, 40 * index, 50, 255)
    return frame


def shown(name):
    """Frames with alpha, and how often they are played: 0 for ever."""
    with Image.open(name) as file:
        frames = []
        for index in range(file.n_frames):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGBA")))
        loop = file.info.get("loop", 1)
        return np.array(frames), loop + 1 if file.format == "GIF" and file.info.get("loop") else loop


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_alpha_stays_and_so_does_how_often_frames_are_played(convcli, folder, suffix):
    frames = [Image.fromarray(disc(index)) for index in range(3)]
    words = {"loop": 2 if suffix == "gif" else 3, "lossless": True, "disposal": 2 if suffix == "gif" else 1}
    frames[0].save(f"a.{suffix}", save_all=True, append_images=frames[1:], duration=80, **words)
    for other in ("png", "webp", "gif"):
        result = convcli("filter", f"a.{suffix}", "-k", "crop:width=20,x=2", "--each-plane", "-o", f"b.{other}", "-q")
        assert (result.code, result.err) == (0, "")
        got, plays = shown(f"b.{other}")
        assert plays == 3
        for index, each in enumerate(got):
            expected = disc(index)[:, 2:22]
            np.testing.assert_array_equal(each[..., 3], expected[..., 3])
            apart = np.abs(each[..., :3].astype(int) - expected[..., :3])[expected[..., 3] > 0]
            assert apart.max() <= (60 if other == "webp" else 6)  # which loses something by default
        Path(f"b.{other}").unlink()
    for refused in (["-k", "box3d", "--axes", "zyx"], ["-k", "box", "--each-plane", "-o", "b.tiff"]):
        assert "has an alpha channel" in convcli("filter", f"a.{suffix}", *refused).err


def test_a_gif_that_plays_once_does_so_again(convcli, folder):
    frames = [Image.fromarray(each) for each in FRAMES]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:], duration=80)
    for other in ("png", "webp", "gif"):
        assert convcli("filter", "a.gif", "-k", "identity", "--each-plane", "-o", f"b.{other}").code == 0
        assert shown(f"b.{other}")[1] == 1
