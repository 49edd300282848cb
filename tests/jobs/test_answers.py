"""Tasks beside classes: guessed, learned, measured, resumed to the bit; numbers said, masks and pictures written."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from convcli.images import Image, read, write
from convcli.jobs.answers import answers, plan_answers
from convcli.jobs.classifier import load_classifier
from convcli.jobs.report import make_report, write_report
from convcli.jobs.train import plan_resumed, plan_training, train
from convcli.nn.training import Listener
from convcli.nn.weights import load_model

SIZE = 16


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text('input = [16, 16, 1]\nlayers = ["conv:4,kernel=3,same,relu", "conv:1,same"]\n')
    return tmp_path


def discs(count, seed=0):
    """Grey pictures with a disc or two, and where those are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for mask in masks:
        for _ in range(rng.integers(1, 3)):
            middle, radius = rng.uniform(3, SIZE - 3, 2), rng.uniform(2.5, 5)
            mask[(y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= radius**2] = 1
    pictures = rng.normal(70, 12, masks.shape) + masks * 90
    return np.clip(pictures, 0, 255).astype(np.uint8), masks


def blobs(count, seed=0, frames=3):
    """Frames of a blob that moves evenly, and those that follow."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:12, :12]
    places = (
        rng.uniform(4, 8, (count, 2))[:, None]
        + rng.uniform(-0.6, 0.6, (count, 2))[:, None] * np.arange(2 * frames)[None, :, None]
    )
    far = (y - places[..., 0, None, None]) ** 2 + (x - places[..., 1, None, None]) ** 2
    films = np.exp(-far / 4).astype(np.float32)[..., None]
    return films[:, :frames], films[:, frames:]


def smooth(count, seed=0):
    """Pictures of slow waves with edges, and the same with noise of deviation 20 and specks, as noisy.png has."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    turns = rng.uniform(0, 0.35, (count, 2, 1, 1)), rng.uniform(0, 6, (count, 1, 1))
    clean = 128 + 60 * np.sin(turns[0][:, 0] * y + turns[0][:, 1] * x + turns[1])
    clean += 40 * (x > rng.integers(2, 14, (count, 1, 1)))
    noisy = clean + rng.normal(0, 20, clean.shape)
    specks = rng.random(clean.shape)
    noisy = np.where(specks < 0.01, 0, np.where(specks > 0.99, 255, noisy))
    return np.clip(noisy, 0, 255).astype(np.uint8), np.clip(clean, 0, 255).astype(np.uint8)


def numbers(count, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return x, (5000 + 900 * (x[:, 0] - 2 * x[:, 1] + x[:, 2] * x[:, 3])).astype(np.float32)


def marks(count, seed=0):
    rng = np.random.default_rng(seed)
    held = rng.integers(0, 2, (count, 3))
    pictures = rng.random((count, SIZE, SIZE)) * 0.2
    pictures[:, 2:5] += held[:, 0, None, None] * 0.6
    pictures[:, :, 3:6] += held[:, 1, None, None] * 0.6
    pictures[:, 10:14, 10:14] += held[:, 2, None, None] * 0.6
    return pictures.astype(np.float32), held


def saved(make, count=96, test=32):
    np.savez("data.npz", **dict(zip(("x_train", "y_train"), make(count), strict=True)),
             **dict(zip(("x_test", "y_test"), make(test, 1), strict=True)))  # fmt: skip
    return "data.npz"


# What is made, the task that it is for, and what it is measured by.
MADE = {
    "segment": (discs, {"test_iou", "test_accuracy"}),
    "regress": (numbers, {"test_mae", "test_r2"}),
    "multi-label": (marks, {"test_f1", "test_accuracy"}),
    "denoise": (smooth, {"test_psnr", "test_gain"}),
    "frames": (blobs, {"test_mae", "test_r2"}),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_task_is_guessed_measured_and_resumed_to_the_bit_with_any_threads(kind):
    from convcli.jobs.runtime import prepare_loops

    make, measures = MADE[kind]
    data = saved(make, 40, 12)
    model = {"segment": "tiny.toml", "denoise": "tiny.toml", "multi-label": "digits"}.get(kind)
    moved = {} if kind == "regress" else {"augment": "shift=1,flip"}
    words = {"model": model, "changes": {"epochs": 2} | moved, "held_out": 8}
    report = train(plan_training(data, output="whole.safetensors", **words))
    assert report.plan.recipe.task == ("regress" if kind == "frames" else kind)
    told = report.as_dict()
    assert measures <= {name for name in told if name.startswith("test_") and told[name] is not None}
    assert {name.replace("test_", "val_") for name in measures} <= set(told["history"][0])
    stops = iter([False, False, True])
    prepare_loops(1, None)
    stopped = train(
        plan_training(data, output="parts.safetensors", **words), Listener(should_stop=lambda: next(stops, False))
    )
    assert not stopped.finished
    prepare_loops(2, None)
    resumed = train(plan_resumed("parts.checkpoint.safetensors"))
    assert resumed.finished and resumed.as_dict()["test_loss"] == told["test_loss"]
    arrays = [load_model(name).model.state() for name in ("whole.safetensors", "parts.safetensors")]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])
    check_each(report, data)
    if kind == "regress":  # whoever goes on from a model begins where it ended
        still = {"changes": {"epochs": 1, "learning_rate": 1e-9}, "held_out": 8}
        on = train(plan_training(data, start="whole.safetensors", output="on.safetensors", **still))
        assert on.as_dict()["test_mae"] == pytest.approx(told["test_mae"], rel=1e-4)


def check_each(report, data):
    """What is said of classes, numbers and samples agrees with what is said of all; and there is a page of it."""
    found = make_report("whole.safetensors", data)
    outcome, metrics = found.outcome, report.test.metrics
    assert outcome.count == 12 and outcome.metrics == pytest.approx(
        dict(metrics) | ({"accuracy": report.test.accuracy} if report.test.accuracy is not None else {}), rel=1e-3
    )
    head, *rows = csv.reader(outcome.as_table().decode().splitlines())
    table = {name: [float(row[place] or "nan") for row in rows] for place, name in enumerate(head)}
    assert table["place"] == list(range(12)) and set(outcome.order.tolist()) == set(range(12))
    parts = outcome.parts
    if outcome.task == "segment":
        assert np.mean([each["iou"] for each in parts if each["iou"] is not None]) == pytest.approx(metrics["iou"])
        assert np.mean(table["accuracy"]) == pytest.approx(report.test.accuracy)
        assert outcome.confusion.sum() == 12 * SIZE * SIZE and [each["name"] for each in parts] == ["0", "1"]
    elif outcome.task == "multi-label":
        assert np.mean([each["f1"] for each in parts if each["f1"] is not None]) == pytest.approx(metrics["f1"])
        assert sum(table["wrong"]) / 36 == pytest.approx(1 - report.test.accuracy)
    elif outcome.task == "denoise":
        assert np.mean(table["gain"]) == pytest.approx(metrics["gain"], rel=1e-4)
    else:
        column = "error" if parts else "mae"
        assert np.mean(table[column]) == pytest.approx(metrics["mae"], rel=1e-3)
        assert [each["name"] for each in parts] == ["1"] * bool(parts)
    write_report(found, "page.html", overwrite=True)
    text = Path("page.html").read_text(encoding="utf-8")
    assert "The worst in numbers" in text and ("The worst answers" in text) == (outcome.samples.labels.ndim > 2)


def test_discs_are_found_and_their_mask_is_written(convcli, here):
    data = saved(discs, 128)
    network = 'name = "unet"\ninput = [16, 16, 1]\nlayers = ["conv:8,kernel=3,same,relu", {type = "parallel", ' \
              'branches = [[], ["pool:2", "conv:16,kernel=3,same,relu", "conv_transpose:8,kernel=2,stride=2"]]}, ' \
              '"conv:8,kernel=3,same,relu", "conv:2,kernel=1,softmax"]\n'  # fmt: skip
    (here / "unet.toml").write_text(network)
    document = json.loads(convcli("train", data, "--model", "unet.toml", "--epochs", 10, "--json", "-o",
                                  "discs.safetensors").out)  # fmt: skip
    assert document["test_iou"] > 0.95 and document["recipe"]["task"] == "segment"
    written = ("--csv", "each.csv", "--gallery", "worst.png", "--report", "discs.html")
    evaluated = json.loads(convcli("evaluate", "discs.safetensors", "--data", data, "--json", *written).out)
    assert all(Path(name).stat().st_size > 500 for name in written[1::2])
    assert evaluated["iou"] == pytest.approx(document["test_iou"]) and evaluated["task"] == "segment"
    picture, mask = (each[0] for each in discs(1, 5))
    larger = np.pad(picture, ((0, 5), (0, 3)), mode="edge")  # no multiple of two
    write(Image(larger[..., None]), "disc.png")
    assert convcli("predict", "disc.png", "--model", "discs.safetensors").out.startswith("disc.png: disc_mask.png, 0 ")
    found = read("disc_mask.png").pixels[..., 0]
    assert found.shape == larger.shape and set(np.unique(found)) == {0, 255}
    both = (found[:SIZE, :SIZE] > 0) & (mask > 0)
    assert both.sum() / ((found[:SIZE, :SIZE] > 0) | (mask > 0)).sum() > 0.85
    model = load_classifier("discs.safetensors", pictures=False, any_task=True)
    with Path("disc.png").open("rb") as stream:
        (told,) = answers(model, plan_answers(model, ["-"], None), stdin=stream)
    assert told.target == "stdin_mask.png" and Path(told.target).read_bytes() == Path("disc_mask.png").read_bytes()
    Path(told.target).unlink()
    again = convcli("predict", "disc.png", "--model", "discs.safetensors")
    assert again.code == 1 and "disc_mask.png: already exists" in again.err
    folder = convcli("predict", ".", "--model", "discs.safetensors", "--overwrite")  # results are no pictures
    assert folder.code == 0 and "\ndisc.png: disc_mask.png, " in folder.out and "mask_mask" not in folder.out
    refused = convcli("saliency", "discs.safetensors", "disc.png")
    assert refused.code == 1 and "is a model to segment, expected one that tells classes apart" in refused.err


def test_a_u_net_takes_pictures_whose_sides_do_not_halve(convcli):
    data = saved(lambda count, seed=0: [each[:, :13, :14] for each in discs(count, seed)], 24, 8)
    assert convcli("train", data, "--epochs", 1, "-o", "odd.safetensors").code == 0
    for height, width in ((13, 14), (20, 9)):
        write(Image(np.full((height, width, 1), 90, np.uint8)), "p.png", overwrite=True)
        assert convcli("predict", "p.png", "--model", "odd.safetensors", "--overwrite").code == 0
        assert read("p_mask.png").pixels.shape[:2] == (height, width)


def test_noise_goes_by_six_decibels_and_the_picture_is_written(convcli, here):
    data = saved(smooth, 128)
    network = 'input = [16, 16, 1]\nlayers = [{type = "add", branches = [[], ["conv:12,kernel=5,same,relu", ' \
              '"conv:12,kernel=5,same,relu", "conv:1,kernel=5,same,kernel_initializer=zeros"]]}]\n'  # fmt: skip
    (here / "net.toml").write_text(network)
    document = json.loads(convcli("train", data, "--model", "net.toml", "--epochs", 12, "--json", "-o",
                                  "clean.safetensors").out)  # fmt: skip
    assert document["test_gain"] > 6 and document["recipe"]["task"] == "denoise"
    noisy, clean = (each[0] for each in smooth(1, 9))
    write(Image(noisy[..., None]), "n.png")
    assert convcli("predict", "n.png", "--model", "clean.safetensors").out == "n.png: n_clean.png\n"
    made = read("n_clean.png").pixels[..., 0].astype(float)
    assert np.square(made - clean).mean() < np.square(noisy - clean.astype(float)).mean() / 3


def test_numbers_are_told_in_their_own_unit(convcli):
    data = saved(numbers, 160, 40)
    document = json.loads(convcli("train", data, "--epochs", 12, "--json").out)
    assert document["test_r2"] > 0.9 and 20 < document["test_mae"] < 600
    x, y = numbers(3, 7)
    np.save("x.npy", x)
    lines = convcli("predict", "x.npy", "--model", document["model"]).out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["x.npy[0]", "x.npy[1]", "x.npy[2]"]
    assert np.abs(np.array([float(line.split(": ")[1]) for line in lines]) - y).max() < 2000
    seen = convcli("evaluate", document["model"], "--data", data, "--gallery", "worst.png")
    assert seen.code == 0 and seen.out.startswith("mae ") and "the answers are no pictures" in seen.err
    assert not Path("worst.png").exists()


def test_next_frames_of_a_moving_blob_are_forecast(convcli):
    document = json.loads(convcli("train", saved(blobs), "--epochs", 4, "--json", "-o", "film.safetensors").out)
    assert document["test_r2"] > 0.6
    np.save("now.npy", blobs(1, 3)[0][0])
    assert convcli("predict", "now.npy", "--model", "film.safetensors").out == "now.npy: now_answer.npy\n"
    assert np.load("now_answer.npy").shape == (3, 12, 12, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "classify"], "expected one for each"),
        (["--loss", "huber"], "loss: got 'huber', expected one of cross_entropy, dice, mse to segment"),
        (["--augment", "shift=99"], "augmentation: got shift=99 for pictures of 16x16, which moves them out of sight"),
        (["--model", "digits"], "ends with 2 for 16x16x1, expected 16x16x2: 2 numbers for each place"),
    ],
)
def test_what_does_not_go_together(convcli, words, message):
    result = convcli("train", saved(discs, 12, 4), *words)
    assert result.code in (1, 2) and message in result.err and result.err.count("\n") == 1
