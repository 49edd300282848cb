"""One way of pictures into a network: a folder, a single file and an array of the same picture are the same numbers."""

import struct
import wave

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
from convcli.nn.model import Model
from convcli.nn.weights import ModelCard, save_model

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


def save_idx(path, array):
    kind = {"uint8": 8, "float32": 13}[array.dtype.name]
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())


def save_wav(path, samples):
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(samples.astype("<i2").tobytes())


def array_sources(folder, samples, labels):
    """The same samples and labels in all that holds arrays: what `load` takes, and what is said about it."""
    rows = samples.reshape(len(samples), -1)
    np.savez(folder / "a.npz", x=samples, y=labels)
    np.savez(folder / "split.npz", train_images=samples, train_labels=labels, val_images=samples, val_labels=labels)
    (folder / "pair").mkdir()
    np.save(folder / "pair" / "images.npy", samples)
    np.save(folder / "pair" / "labels.npy", np.eye(2)[labels])
    np.save(folder / "what.npy", samples)
    np.save(folder / "who.npy", labels)
    np.savetxt(folder / "a.csv", np.column_stack([labels, rows]), fmt="%.9g", delimiter=",")
    head = ";".join([*(f"t{place}" for place in range(rows.shape[1])), "kind"])
    table = np.column_stack([rows.astype(str), labels.astype(str)])
    (folder / "b.tsv").write_text("\n".join([head, *(";".join(row) for row in table)]))
    (folder / "idx").mkdir()
    save_idx(folder / "idx" / "train-images-idx3-ubyte", samples)
    save_idx(folder / "idx" / "train-labels-idx1-ubyte", labels.astype(np.uint8))
    yield from (("a.npz", {}), ("split.npz", {}), ("pair", {}), ("pair/images.npy", {}), ("idx", {}))
    yield from (("what.npy", {"labels": "who.npy"}), ("a.csv", {}), ("b.tsv", {"labels": "kind"}), ("b.tsv", {}))


PIXELS = GENERATOR.integers(0, 256, (6, 8, 8), np.uint8)
SERIES = (GENERATOR.integers(0, 999, (6, 24)) / 8).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "size", "layers"),
    [(PIXELS, (8, 8, 1), ["conv:2", "flatten"]), (SERIES, (24, 1), ["conv1d:2", "flatten"])],
    ids=["pictures", "series"],
)
def test_arrays_take_the_same_way_from_every_source(tmp_path, samples, size, layers):
    labels = np.arange(6) % 2
    seen = samples.reshape(6, *size)
    model = tmp_path / "m.safetensors"
    rule = Preprocessing("picture", *size) if samples is PIXELS else Preprocessing.of_arrays(size, "numbers")
    trained = Model.from_layers([*layers, "dense:2,softmax"], size)
    save_model(model, trained, ModelCard("made", ("0", "1"), rule.as_dict(), 0, {}, {}, ()))
    classifier = load_classifier(model, pictures=False)
    shares = trained.predict(seen)
    for name, said in array_sources(tmp_path, samples, labels):
        data = load(tmp_path / name, **said)
        assert (data.preprocessing, data.train.images.dtype) == (rule, samples.dtype), name
        assert np.array_equal(data.train.images, seen), name
        assert data.classes == ("0", "1") and data.train.labels.tolist() == labels.tolist(), name
        assert (data.validation is None) == (name != "split.npz")
        found = evaluate(classifier, data_for(classifier, str(tmp_path / name), said=said))
        assert np.array_equal(found.images, seen) and np.allclose(found.answers.shares, shares, atol=1e-6), name
    np.save(tmp_path / "one.npy", samples[3])
    if samples is SERIES:  # a picture in an .npy is a picture; `SOURCES` has those
        (told,) = predict(classifier, [str(tmp_path / "one.npy")])
        assert np.allclose(told.shares, shares[3], atol=1e-6)
    for name in ("what.npy", "a.npz", "a.csv", "b.tsv", "idx/train-images-idx3-ubyte"):
        told = list(predict(classifier, [str(tmp_path / name)]))
        assert [each.file for each in told] == [f"{tmp_path / name}[{place}]" for place in range(6)]
        assert np.allclose([each.shares for each in told], shares, atol=1e-6), name
    bad = samples.astype(np.float64) * np.where(np.arange(6) == 2, np.nan, 1)[(...,) + (None,) * (samples.ndim - 1)]
    for name, said in array_sources(_made(tmp_path / "bad"), bad.astype(np.float32), labels):
        for ask in (lambda n=name, s=said: load(tmp_path / "bad" / n, **s), lambda n=name, s=said: data_for(
            classifier, str(tmp_path / "bad" / n), said=s)):  # fmt: skip
            with pytest.raises(DataError, match=r"(?i)nan"):
                ask()
    (told,) = predict(classifier, [str(tmp_path / "bad" / "what.npy")])
    assert "nan" in told.error.lower()


def _made(path):
    path.mkdir()
    return path


def test_files_of_one_sample_take_the_same_way(tmp_path):
    for kind, save, size in ((".wav", save_wav, (30,)), (".tif", save_tiff, (5, 7, 6))):
        folder = tmp_path / kind[1:]
        for label in "ab":
            (folder / label).mkdir(parents=True)
            for number in range(2):
                save(folder / label / f"{number}{kind}", GENERATOR.integers(0, 256, size, np.uint8))
        data = load(folder)
        model = Model.from_layers(["flatten", "dense:2,softmax"], data.shape)
        card = ModelCard("made", data.classes, data.preprocessing.as_dict(), 0, {}, {}, ())
        save_model(tmp_path / f"{kind}.safetensors", model, card)
        classifier = load_classifier(tmp_path / f"{kind}.safetensors", pictures=False)
        told = list(predict(classifier, [str(folder / "b" / f"{number}{kind}") for number in range(2)]))
        assert [each.error for each in told] == ["", ""]
        assert np.allclose([each.shares for each in told], model.predict(data.train.images[2:]), atol=1e-6)
        found = evaluate(classifier, data_for(classifier, str(folder)))
        assert np.array_equal(found.images, data.train.images)
        names = found.answers.as_table(found.classes).decode().splitlines()
        assert names[1].startswith(f"{folder / 'a' / f'0{kind}'},a,")


def test_whole_numbers_of_another_scale_are_no_pixels(tmp_path):
    np.savez(tmp_path / "a.npz", X=(PIXELS // 16).reshape(6, 64).astype(float), y=np.arange(6) % 2)
    got = load(tmp_path / "a.npz")
    assert (got.shape, got.preprocessing.values, got.train.images.max()) == ((8, 8, 1), "numbers", 15)
