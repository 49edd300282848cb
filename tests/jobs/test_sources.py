"""Every source of data: learned, stopped, resumed to the bit at any number of threads, found again, and asked about."""

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from convcli.jobs.classifier import load_classifier
from convcli.jobs.evaluate import choose_split, load_data
from convcli.jobs.runtime import prepare_loops
from convcli.jobs.train import plan_resumed, plan_training, train
from convcli.nn.training import Listener
from convcli.nn.weights import load_model

COUNT = 24
GENERATOR = np.random.default_rng(6)
CLASSES = np.arange(COUNT) % 2
PICTURES = (GENERATOR.integers(0, 120, (COUNT, 8, 8)) + 100 * CLASSES[:, None, None]).astype(np.uint8)
SERIES = np.cumsum(GENERATOR.normal(size=(COUNT * 8 + 32, 2)), axis=0).astype(np.float32)
WINDOWS = np.stack([SERIES[8 * place : 8 * place + 32] for place in range(COUNT)])
VOLUMES = GENERATOR.random((COUNT, 6, 8, 8)).astype(np.float32)


def in_folders(save):
    for place, label in enumerate(CLASSES):
        folder = Path("set") / "ab"[label]
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / str(place), place)
    return "set"


def npz(samples, labels=CLASSES):
    np.savez("d.npz", X=samples, y=labels)
    return "d.npz"


def arrays():
    np.save("x.npy", PICTURES)
    np.save("y.npy", CLASSES)
    return "x.npy"


def table():
    np.savetxt("d.csv", np.column_stack([CLASSES, PICTURES.reshape(COUNT, -1)]), "%d", ",")
    return "d.csv"


def idx():
    for name, array in (("train-images-idx3-ubyte", PICTURES), ("train-labels-idx1-ubyte", CLASSES.astype(np.uint8))):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
        Path(name).write_bytes(head + array.tobytes())
    return "train-images-idx3-ubyte"


def sound(path, place):
    with wave.open(str(path) + ".wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((1000 * WINDOWS[place, :, 0]).astype(np.int16).tobytes())


def pictures():
    return in_folders(lambda path, place: Pillow.fromarray(PICTURES[place]).save(f"{path}.png"))


def listed():
    pictures()
    rows = [f"set/{'ab'[label]}/{place}.png,{'ab'[label]}" for place, label in enumerate(CLASSES)]
    Path("list.csv").write_text("\n".join(["file,label", *rows]))
    return "list.csv"


def pairs():
    for place, picture in enumerate(PICTURES):
        for name, pixels in (("images", picture), ("masks", (picture > 110) * np.uint8(255))):
            Path("cells", name).mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(pixels).save(f"cells/{name}/{place}.png")
    return "cells"


# What makes it, its network, and what may be done with its samples.
SOURCES = {
    "npz": (lambda: npz(PICTURES), "flat.toml", "shift=1"),
    "npy side by side": (arrays, "flat.toml", ""),
    "table": (table, "flat.toml", ""),
    "idx": (idx, "flat.toml", ""),
    "folder": (pictures, "flat.toml", "flip"),
    "list": (listed, "flat.toml", ""),
    "sounds": (lambda: in_folders(sound), "line.toml", "shift=2,contrast=0.2"),
    "windows": (lambda: npz(WINDOWS, SERIES[32::8][:COUNT, 0].copy()), "line.toml", ""),
    "volumes": (lambda: in_folders(lambda path, place: np.save(f"{path}.npy", VOLUMES[place])), "block.toml", "flip"),
    "pairs": (pairs, "tiny.toml", "flip,rotation=9"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_learned_stopped_resumed_found_again_and_asked(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    for name, size in (("flat", [8, 8, 1]), ("line", [32, 1]), ("block", [6, 8, 8, 1])):
        Path(f"{name}.toml").write_text(f'input = {size}\nlayers = ["conv:4,relu", "flatten", "dense:2"]\n')
    Path("tiny.toml").write_text('input = [8, 8, 1]\nlayers = ["conv:4,kernel=3,same,relu", "conv:2,same,softmax"]\n')
    make, network, moved = SOURCES[source]
    data = make()
    words = {"model": network, "changes": {"epochs": 2, "batch_size": 8, "augment": moved}, "held_out": 6}
    prepare_loops(2, None)
    whole = train(plan_training(data, output="whole.safetensors", **words))
    prepare_loops(1, None)
    stops = iter([False, True])
    parts = plan_training(data, output="parts.safetensors", **words)
    assert not train(parts, Listener(should_stop=lambda: next(stops, False))).finished
    assert train(plan_resumed("parts.checkpoint.safetensors")).finished
    states = [load_model(name).model.state() for name in ("whole.safetensors", "parts.safetensors")]
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])

    classifier = load_classifier("whole.safetensors", pictures=False, any_task=True)
    held, name = choose_split(load_data(classifier, data), classifier.trained.card)
    assert name == "held-out" and len(held) == 6
    assert np.array_equal(held.images, whole.plan.held.images) and np.array_equal(held.labels, whole.plan.held.labels)
    assert np.isfinite(classifier.trained.model.predict(held.images)).all()
