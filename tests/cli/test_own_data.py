"""Data of one's own through the command line: trained on, gone on from, evaluated, predicted, resumed to the bit."""

import csv
import io
import json

import numpy as np
import pytest
from drawn_digits import SCENES
from PIL import Image

from convcli.datasets import load
from convcli.jobs.train import plan_resumed, plan_training, train
from convcli.nn.training import Listener
from convcli.nn.weights import load_model, shipped_model

NETWORK = """
name = "{name}"
source = "a test"
title = "Small"
input = {size}
layers = ["conv:6,kernel=3,relu", "conv:6,kernel=3,relu", "global_pool,max", "dense:2,softmax"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Series of two frequencies as a table, and volumes with a cube or with a rod as an archive."""
    root, generator = tmp_path_factory.mktemp("own"), np.random.default_rng(5)
    kinds = np.arange(80) % 2
    series = np.sin(np.arange(24) * (0.4 + 0.9 * kinds[:, None]) + 6 * generator.random((80, 1)))
    rows = np.column_stack([series + 0.1 * generator.normal(size=series.shape), kinds])
    head = ",".join([*(f"t{place}" for place in range(24)), "activity"])
    np.savetxt(root / "series.csv", rows, "%.4f", ",", header=head, comments="")
    volumes = 0.1 * generator.normal(size=(80, 7, 7, 7))
    for volume, kind in zip(volumes, kinds, strict=True):
        z, y, x = generator.integers(0, 4, 3)
        volume[z : z + 3, y : y + 3, x : x + 3] += 3 * (kind == 0)
        volume[:, y, x] += 3 * (kind == 1)
    np.savez(root / "volumes.npz", X_train=volumes[:60], y_train=kinds[:60], X_test=volumes[60:], y_test=kinds[60:])
    (root / "line.toml").write_text(NETWORK.format(name="line", size=[24, 1]))
    (root / "block.toml").write_text(NETWORK.format(name="block", size=[7, 7, 7, 1]))
    return root


@pytest.mark.parametrize(("data", "network", "score"), [
    ("series.csv", "line.toml", "val_accuracy"), ("volumes.npz", "block.toml", "test_accuracy"),
])  # fmt: skip
def test_series_and_volumes_are_learned_and_told(convcli, folder, tmp_path, data, network, score):
    model = tmp_path / "m.safetensors"
    words = ("--model", folder / network, "--epochs", 25, "--lr", 0.02, "--seed", 1, "-o", model, "--json")
    result = convcli("train", folder / data, *words)
    assert json.loads(result.out)[score] > 0.95, result.err
    assert "each channel is brought to mean 0 and deviation 1" in result.err
    found = json.loads(convcli("evaluate", model, "--data", folder / data, "--json").out)
    assert found["accuracy"] == json.loads(result.out)[score] and found["f1"] > 0.9
    told = convcli("predict", folder / data, "--model", model, "--csv", tmp_path / "told.csv", "--top", 1)
    rows = list(csv.DictReader((tmp_path / "told.csv").read_text().splitlines()))
    assert (told.code, len(rows)) == (0, len(told.out.splitlines())) and rows[1]["file"].endswith("[1]")
    right = [row["label"] == str(place % 2) for place, row in enumerate(rows)]
    assert np.mean(right) > 0.9
    refused = convcli("explain", folder / data, "--model", model, "-o", tmp_path / "x.png")
    assert refused.code != 0 and "Traceback" not in refused.err


def test_going_on_from_a_model_with_frozen_layers(convcli, tmp_path):
    digits = load("digits").train
    few = np.flatnonzero(digits.labels < 3)[:60]
    images = digits.images[few, ..., 0].repeat(4, 1).repeat(4, 2)[:, 2:30, 2:30]
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["a", "b", "c"])[digits.labels[few]])
    model = tmp_path / "m.safetensors"
    words = ("--epochs", 1, "--batch-size", 16, "-o", model, "--class-weight", "balanced", "--select", "accuracy")
    result = convcli("train", tmp_path / "a.npz", "--from", "shipped", "--freeze", "conv_*,batch_norm_*", *words)
    assert result.code == 0, result.err
    assert "goes on from the weights of deep, trained on mnist; new from the start: dense_1 for 3 classes" in result.err
    assert "frozen, so that they do not learn: conv_*, batch_norm_*" in result.err
    before, after = load_model(shipped_model()).model.state(), load_model(model).model.state()
    assert after["dense_1/kernel"].shape[1] == 3
    same = [name for name in before if not name.startswith("dense_1")]
    assert len(same) > 9 and all(np.array_equal(before[name], after[name]) for name in same)
    wrong = convcli(
        "train", tmp_path / "a.npz", "--from", "shipped", "--freeze", "cnov_1", "-o", tmp_path / "x.safetensors"
    )
    assert wrong.code == 1 and "freeze: got 'cnov_1', expected names of layers: conv_1" in wrong.err
    wrong = convcli("train", "--resume", model)
    assert wrong.code == 1 and "a finished model; train DATASET --from it goes on" in wrong.err


def test_a_stopped_training_on_a_table_goes_on_to_the_bit(folder, tmp_path):
    words = {
        "model": str(folder / "line.toml"), "said": {"labels": "activity", "strict": True},
        "changes": {"epochs": 3, "freeze": "conv_1", "class_weight": "1=2", "batch_size": 16},
    }  # fmt: skip
    whole = train(plan_training(str(folder / "series.csv"), output=str(tmp_path / "whole.safetensors"), **words))
    plan = plan_training(str(folder / "series.csv"), output=str(tmp_path / "part.safetensors"), **words)
    batches = []
    stopped = train(plan, Listener(batch_ends=batches.append, should_stop=lambda: len(batches) >= 7))
    assert not stopped.finished
    train(plan_resumed(str(plan.checkpoint), output=str(tmp_path / "part.safetensors")))
    states = [load_model(tmp_path / f"{name}.safetensors").model.state() for name in ("whole", "part")]
    assert whole.finished and all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
    assert abs(states[0]["normalize/moving_mean"][0]) < 0.1 < states[0]["normalize/moving_variance"][0]


def test_a_validation_set_and_labels_in_another_file(convcli, tmp_path):
    digits = load("digits")
    np.save(tmp_path / "pixels.npy", digits.train.images[:80, ..., 0])
    np.save(tmp_path / "classes.npy", digits.train.labels[:80])
    held = np.column_stack([digits.test.labels[:50], digits.test.images[:50].reshape(50, -1)])
    np.savetxt(tmp_path / "held.csv", held, "%d", ",")
    words = ("--validation", tmp_path / "held.csv", "--epochs", 1, "-o", tmp_path / "m.safetensors", "--json")
    document = json.loads(convcli("train", tmp_path / "pixels.npy", tmp_path / "classes.npy", *words).out)
    assert (document["train_images"], document["val_images"], document["test_images"]) == (80, 50, 0)
    again = convcli("train", tmp_path / "pixels.npy", "--labels", "classes.npy", "--overwrite", *words)
    assert json.loads(again.out)["val_loss"] == document["val_loss"]
    wrong = convcli("train", tmp_path / "pixels.npy", "--labels", "gone.npy")
    assert wrong.code == 1 and "gone.npy: no such file, expected the labels of" in wrong.err


def test_each_of_several_digits(convcli, tmp_path, rng):
    page = np.full((300, 520), 255, np.uint8)
    for place, digit in enumerate((7, 2, 0, 4)):
        with Image.open(io.BytesIO(SCENES["paint program"](digit, rng))) as drawn:
            small = np.asarray(drawn.convert("L").resize((110, 110)))
        top, left = 20 + 150 * (place // 2), 30 + 200 * (place % 2)
        page[top : top + 110, left : left + 110] = small
    Image.fromarray(page).save(tmp_path / "page.png")
    told = convcli("predict", tmp_path / "page.png", "--each", "--json", "--show", tmp_path / "boxes.png")
    found = json.loads(told.out)
    assert [each["label"] for each in found] == ["7", "2", "0", "4"], told.err
    assert found[1]["box"]["left"] > found[0]["box"]["left"] + 100 and found[2]["box"]["top"] > 150
    with Image.open(tmp_path / "boxes.png") as boxes:
        assert boxes.size == (520, 300) and (np.asarray(boxes)[..., 0] != np.asarray(boxes)[..., 1]).sum() > 500
    convcli("predict", tmp_path / "page.png", "--each", "--csv", tmp_path / "page.csv")
    rows = list(csv.DictReader((tmp_path / "page.csv").read_text().splitlines()))
    assert [row["label"] for row in rows] == ["7", "2", "0", "4"] and float(rows[0]["7"]) > 0.5
