"""One way of pictures into a network: a folder, a single file and an array of the same picture are the same numbers."""

import numpy as np
import pytest
import tifffile
from made_models import conv_model
from PIL import Image as Pillow

from convcli.datasets import Preprocessing, load
from convcli.errors import DataError
from convcli.images import Image, read
from convcli.jobs.classifier import load_classifier
from convcli.jobs.evaluate import evaluate
from convcli.jobs.evaluate import load_data as data_for
from convcli.jobs.predict import predict

GENERATOR = np.random.default_rng(11)
COLOURS = GENERATOR.integers(0, 256, (23, 31, 3), np.uint8)
GREY = COLOURS[..., 0]


def save_png(path, pixels):
    Pillow.fromarray(pixels).save(path)


def save_npy(path, pixels):
    with path.open("wb") as stream:
        np.save(stream, pixels)


def save_tiff(path, pixels):
    tifffile.imwrite(path, pixels)


# Name, how it is written, its pixels.
SOURCES = {
    "png": (".png", save_png, COLOURS), "grey.png": (".png", save_png, GREY),
    "alpha.png": (".png", save_png, np.dstack([COLOURS, GREY])),
    "deep.png": (".png", save_png, GREY.astype(np.uint16) * 257),
    "tiff": (".tif", save_tiff, COLOURS), "float.tiff": (".tif", save_tiff, (GREY / 255).astype(np.float32)),
    "npy": (".npy", save_npy, COLOURS), "float.npy": (".npy", save_npy, GREY / 255),
    "deep.npy": (".npy", save_npy, COLOURS.astype(np.uint16) * 257), "mask.npy": (".npy", save_npy, GREY > 99),
    "zero_one.npy": (".npy", save_npy, (GREY > 99).astype(np.float16)),
}  # fmt: skip
RULES = [
    Preprocessing("picture", 23, 31, 3), Preprocessing("picture", 9, 14, 1), Preprocessing("picture", 12, 6, 3),
    Preprocessing("picture", 40, 17, 1, light_on_dark=True),
]  # fmt: skip


def folder_of(tmp_path, suffix, save, pixels):
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(2):
            save(tmp_path / "set" / label / f"{number}{suffix}", pixels)
    return tmp_path / "set"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.height}x{rule.width}x{rule.channels}")
@pytest.mark.parametrize("name", SOURCES)
def test_every_source_takes_the_same_way(tmp_path, name, rule):
    suffix, save, pixels = SOURCES[name]
    folder = folder_of(tmp_path, suffix, save, pixels)
    file = folder / "a" / f"0{suffix}"
    once = rule.prepare(read(file)).pixels
    for data in (load(folder, rule=rule), load(folder, size=(rule.height, rule.width), channels=rule.channels)):
        if not rule.light_on_dark or data.preprocessing.light_on_dark:
            assert all(np.array_equal(each, once) for each in data.train.images)
            assert np.array_equal(data.preprocessing.prepare(read(file)).pixels, once)

    size = (rule.height, rule.width, rule.channels)
    conv_model(tmp_path / "m.safetensors", ["conv:4,relu", "dense:2,softmax"], size, ("a", "b"), rule=rule)
    classifier = load_classifier(tmp_path / "m.safetensors")
    (told,) = predict(classifier, [str(file)], top=2)
    assert np.array_equal(told.seen, rule.apply(read(file)))
    shares = dict(told.top)
    for array in (once, rule.apply(read(file))):
        assert np.array_equal(classifier.trained.predict(array[None])[0], [shares["a"], shares["b"]])
    assert np.array_equal(classifier.trained.model.predict(once[None])[0], [shares["a"], shares["b"]])
    found = evaluate(classifier, data_for(classifier, str(folder)))
    assert np.array_equal(found.images[0], once)
    assert found.loss == pytest.approx(-np.log([shares["a"], shares["b"]]).mean(), rel=1e-5)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (GREY.astype(np.float32), "got values from .* to 25., expected floats of 0 to 1; save 0 to 255 as uint8"),
        (GREY.astype(np.int16) + 1, "got values from"),
        (-GREY.astype(np.float64), "got values from -25"),
        (np.where(GREY > 250, np.nan, GREY / 255).astype(np.float32), "got NaN or infinite pixels"),
        (np.where(GREY > 250, np.inf, GREY / 255), "got NaN or infinite pixels"),
    ],
)
def test_numbers_that_are_no_lightness_are_refused_everywhere(tmp_path, suffix, pixels, message):
    save = save_npy if suffix == ".npy" else save_tiff
    folder = folder_of(tmp_path, suffix, save, pixels)
    with pytest.raises(DataError, match=f"4 of 4 pictures cannot be read: .*{message}"):
        load(folder)
    with pytest.raises(DataError, match=message):
        RULES[0].apply(read(folder / "a" / f"0{suffix}"))
    conv_model(tmp_path / "m.safetensors", ["dense:2,softmax"], (9, 14, 1), ("a", "b"), rule=RULES[1])
    (told,) = predict(load_classifier(tmp_path / "m.safetensors"), [str(folder / "a" / f"0{suffix}")])
    assert not told.top and "picture: got" in told.error


def test_what_readers_say_is_told_once(tmp_path):
    folder = folder_of(tmp_path, ".npy", save_npy, (GREY > 99).astype(np.float16))
    frames = [Pillow.fromarray(GREY), Pillow.fromarray(255 - GREY)]
    frames[0].save(folder / "b" / "2.gif", save_all=True, append_images=frames[1:])
    save_npy(folder / "b" / "3.npy", GREY / 250)
    notes = load(folder).notes
    assert len(notes) == 3 == len(set(notes))
    assert notes[0].startswith(f"{folder / 'a' / '0.npy'}: float16") and notes[0].endswith("(so have 3 more files)")
    assert "2.gif" in notes[1] and "3.npy" in notes[2] and "of its values lie outside 0 to 1" in notes[2]
    assert any("frame" in each or "further" in each for each in notes)
    low = Image(np.full((4, 4, 1), 1.5, np.float32))
    assert Preprocessing("picture", 4, 4, 1).prepare(low).warnings == (
        "100.0% of its values lie outside 0 to 1 and are cut off there",
    )


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.full((4, 4, 1), 255, np.uint16), "its largest value is 255 and uint16's white 65535: it is nearly black"),
        (np.full((4, 4, 1), 4095, np.uint16), "its largest value is 4095 and uint16's white 65535"),
        (np.full((4, 4, 3), 1, np.uint8), "its largest value is 1 and uint8's white 255"),
    ],
)
def test_integers_of_another_scale_are_told(pixels, told):
    (warning,) = Preprocessing("picture", 4, 4, 3).prepare(Image(pixels)).warnings
    assert warning.startswith(told)
    for other in (pixels * 0, np.full_like(pixels, np.iinfo(pixels.dtype).max // 11), pixels * np.float32(1 / 65535)):
        assert Preprocessing("picture", 4, 4, 3).prepare(Image(other)).warnings == ()


def test_numbers_of_another_scale_are_told_once_in_a_folder(tmp_path):
    folder = folder_of(tmp_path, ".npy", save_npy, (GREY // 2).astype(np.uint16))
    save_npy(folder / "a" / "0.npy", (GREY // 3).astype(np.uint16))
    (note,) = load(folder).notes
    assert note.startswith(f"{folder / 'a' / '0.npy'}: its largest value is ") and "(so have 3 more files)" in note
