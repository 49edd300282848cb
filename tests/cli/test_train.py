"""`convcli train`: the model it writes, killed and interrupted trainings, data sets of every kind, wrong words."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import load_model
from convcli.datasets import load
from convcli.nn.tensors import read_tensors

QUICK = ("--epochs", "2", "--limit", "300", "--threads", "1")
MNIST = os.environ.get("CONVCLI_DATA_DIR", "")
needs_mnist = pytest.mark.skipif(
    not any((Path(MNIST) / f"train-images-idx3-ubyte{end}").is_file() for end in ("", ".gz")) if MNIST else True,
    reason="CONVCLI_DATA_DIR does not name a folder with MNIST",
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(path):
    return {name: array.tobytes() for name, array in read_tensors(Path(path))[0].items()}


def started(*words):
    """The command line in a process of its own, so that it can be killed."""
    command = [sys.executable, "-m", "convcli", "train", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f"ended before it wrote {path.name}: {process.communicate()}"
        assert time.monotonic() < end, f"no {path.name} within {seconds} s"
        time.sleep(0.01)


def test_digits_are_learned_and_the_model_is_written(convcli, here):
    result = convcli("train", "digits", "--epochs", "12", "--threads", "1")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2] == "training set: as it is learned, images moved, label smoothing 0.1 in its loss"
    assert lines[3].split() == ["training", "set", "held-out", "images"]
    assert lines[4].split()[:3] == ["epoch", "loss", "accuracy"] and lines[5].split()[0] == "1/12"
    assert "digits.safetensors" in lines and "  convcli predict PICTURE --model digits.safetensors" in lines
    model = load_model("digits.safetensors")
    data = load("digits")
    right = model.predict(data.test.images).argmax(axis=1) == data.test.labels
    assert right.mean() > 0.85
    assert f"test accuracy {right.mean():.2%}" in result.out
    assert model.card.metrics["test_accuracy"] == pytest.approx(right.mean())
    assert model.card.recipe["epochs"] == 12 and len(model.card.history) == 12
    assert not (here / "digits.checkpoint.safetensors").exists()


def test_json_is_the_contracts(convcli):
    result = convcli("train", "digits", *QUICK, "-o", "m.safetensors", "--json")
    document = json.loads(result.out)
    assert (document["train_images"], document["val_images"], document["test_images"]) == (300, 0, 360)
    assert document["val_accuracy"] is document["val_loss"] is None and document["warnings"] == []
    assert document["params"] == json.loads(convcli("summary", "m.safetensors", "--json").out)["params"]
    assert document["model"] == "m.safetensors" and 0 <= document["test_accuracy"] <= 1 and document["test_loss"] > 0
    keys = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "images_per_second"}
    assert all(keys <= set(row) for row in document["history"]) and len(document["history"]) == 2


def test_the_same_seed_gives_the_same_weights_at_any_number_of_threads(here):
    for threads in (1, 2):
        process = started("digits", *QUICK[:4], "--threads", threads, "-o", f"{threads}.safetensors")
        assert process.communicate()[1] == "" and process.returncode == 0
    assert weights("1.safetensors") == weights("2.safetensors")


LONG = ("digits", "--epochs", "400", "--threads", "1", "--augment", "shift=1,elastic=0.5", "--validation", "100")
SHORT = ("digits", "--epochs", "6", "--threads", "1", "--augment", "shift=1,elastic=0.5", "--validation", "100")


def test_killed_and_resumed_it_ends_with_the_very_same_weights(convcli, here, monkeypatch):
    whole = convcli("train", *SHORT, "-o", "whole.safetensors")
    assert whole.code == 0
    # Killed after the third epoch's checkpoint, wherever it is then: inside the process nothing can be cleaned up.
    script = (
        "import os, signal, sys\n"
        "from convcli.jobs import train as job\n"
        "write, seen = job.write_checkpoint, []\n"
        "def and_die(*words):\n"
        "    write(*words)\n"
        "    seen.append(1)\n"
        "    if len(seen) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "job.write_checkpoint = and_die\n"
        "from convcli.cli import main\n"
        f"main({['train', *SHORT, '-o', 'killed.safetensors']!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == -signal.SIGKILL
    assert {path.name for path in here.iterdir()} == {"whole.safetensors", "killed.checkpoint.safetensors"}
    resumed = convcli("train", "--resume", "killed.checkpoint.safetensors", "--json")
    assert resumed.code == 0, resumed.err
    assert weights("killed.safetensors") == weights("whole.safetensors")
    assert [row["loss"] for row in json.loads(resumed.out)["history"]] == [
        row["loss"] for row in load_model("whole.safetensors").card.history
    ]
    assert not (here / "killed.checkpoint.safetensors").exists()


def test_kill_at_any_moment_leaves_a_whole_checkpoint(here):
    process = started(*LONG)
    checkpoint = here / "digits.checkpoint.safetensors"
    wait_for(checkpoint, process)
    time.sleep(0.05)
    process.kill()
    process.communicate()
    names = {path.name for path in here.iterdir() if not path.name.endswith(".convcli-part")}
    assert names == {"digits.checkpoint.safetensors"}
    from convcli.nn.checkpoint import read_checkpoint

    assert read_checkpoint(checkpoint).recipe.epochs == 400


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_saves_and_says_how_to_go_on(convcli, here):
    process = started(*LONG)
    wait_for(here / "digits.checkpoint.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "convcli train --resume digits.checkpoint.safetensors" in err
    assert "--overwrite" not in err and "-o" not in err.split()
    again = convcli("train", "digits")
    assert again.code == 1 and "an unfinished training lies here; go on with --resume" in again.err
    from convcli.nn.checkpoint import read_checkpoint

    progress = read_checkpoint(here / "digits.checkpoint.safetensors").numbers["progress"]
    assert f"stopped in epoch {progress['epoch'] + 1} of 400" in err
    assert not (here / "digits.safetensors").exists()


def test_resume_finds_the_same_data_only(convcli, here, tmp_path):
    make_folder(tmp_path / "shapes")
    words = ("shapes", "--epochs", "3", "--threads", "1", "-o", "s.safetensors")
    script = (
        "from convcli.jobs import train as job\n"
        "def stop(*words): raise KeyboardInterrupt\n"
        "write = job.write_checkpoint\n"
        "def and_stop(*words): write(*words); raise KeyboardInterrupt\n"
        "job.write_checkpoint = and_stop\n"
        "from convcli.cli import main\n"
        f"main({['train', *words]!r})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 130
    for words in (("--epochs", "9"), ("--model", "mnist"), ("--preset", "best"), ("--limit", "3")):
        refused = convcli("train", "--resume", "s.checkpoint.safetensors", *words)
        assert refused.code == 2 and f"got {words[0]} too" in refused.err
    Image.new("L", (20, 20), 77).save(tmp_path / "shapes" / "disc" / "one more.png")
    refused = convcli("train", "--resume", "s.checkpoint.safetensors")
    assert refused.code == 1 and "was made with other images" in refused.err
    (tmp_path / "shapes" / "disc" / "one more.png").unlink()
    assert convcli("train", "shapes", "--resume", "s.checkpoint.safetensors").code == 0


def make_folder(folder, count=24, size=20):
    """Two classes of pictures: discs and bars, of any place and brightness."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:size, 0:size]
    for name in ("disc", "bar"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            y, x = rng.uniform(5, size - 5, 2)
            inside = (rows - y) ** 2 + (columns - x) ** 2 < 12 if name == "disc" else abs(rows - y) < 1
            pixels = rng.integers(0, 40, (size, size)) + inside * rng.integers(120, 200)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")


def test_a_folder_of_two_classes_trains_and_predicts(convcli, tmp_path):
    make_folder(tmp_path / "shapes")
    result = convcli("train", "shapes", "--epochs", "25", "--threads", "1", "--log", "log.csv", "--validation", "0.2")
    assert result.code == 0, result.err
    model = load_model("shapes.safetensors")
    assert model.classes == ("bar", "disc") and model.model.plan.input == (20, 20, 1)
    predicted = json.loads(convcli("predict", "shapes/disc", "--model", "shapes.safetensors", "--json").out)
    assert np.mean([each["label"] == "disc" for each in predicted]) > 0.9
    rows = list(csv.DictReader(Path("log.csv").read_text().splitlines()))
    assert len(rows) == 25 and float(rows[-1]["val_accuracy"]) > 0.8
    evaluated = json.loads(convcli("evaluate", "shapes.safetensors", "--data", "shapes", "--json").out)
    assert evaluated["accuracy"] > 0.9


def test_the_cifar10_network_trains_on_files_of_its_format(convcli, tmp_path):
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        labels = np.arange(20, dtype=np.uint8) % 10
        planes = rng.integers(0, 60, (20, 3, 32, 32), dtype=np.uint8)
        for record, label in zip(planes, labels, strict=True):
            record[label % 3, 3 * label : 3 * label + 4] += 180
        (tmp_path / name).write_bytes(np.concatenate([labels[:, None], planes.reshape(20, -1)], axis=1).tobytes())
    words = ("--data-dir", tmp_path, "--offline", "--epochs", "8", "--batch-size", "20", "--threads", "1", "--json")
    result = convcli("train", "cifar10", *words)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["params"] == 703_594
    assert document["history"][-1]["loss"] < document["history"][0]["loss"]
    assert load_model("cifar10.safetensors").classes[0] == "airplane"


@needs_mnist
def test_mnist_with_lenet5(convcli):
    words = ("--model", "lenet5", "--limit", "2000", "--epochs", "6", "--batch-size", "32", "--json")
    result = convcli("train", "mnist", *words)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["params"] == 61_706 and document["test_accuracy"] > 0.9


def test_a_plot_of_the_curves(convcli, here):
    pytest.importorskip("matplotlib")
    assert convcli("train", "digits", *QUICK, "--plot", "curves.png").code == 0
    with Image.open(here / "curves.png") as picture:
        assert picture.size[0] > 800


def test_divergence_is_one_line_and_no_model(convcli, here):
    with np.errstate(all="ignore"):
        result = convcli("train", "digits", *QUICK, "--optimizer", "sgd", "--lr", "1e30")
    assert result.code == 1 and "the loss became" in result.err and "lower learning rate" in result.err
    assert result.err.strip().splitlines()[-1].startswith("Error: ")
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "DATASET is missing"),
        (("imagenet",), 1, "expected one of digits, mnist"),
        (("digits", "--model", "resnet"), 1, "got 'resnet'"),
        (("digits", "--model", "alexnet"), 1, "alexnet does not fit the 8x8x1 pictures of digits: layer 1"),
        (("digits", "--model", "sigmoids.toml"), 1, "ends with 10 sigmoids"),
        (("digits", "--optimizer", "adamant"), 2, "optimizer: got 'adamant'"),
        (("digits", "--optimizer", "sgd:momentum=high"), 2, "momentum=high"),
        (("digits", "--lr", "0"), 2, "learning_rate: got 0.0"),
        (("digits", "--lr", "nan"), 2, "learning_rate: got nan"),
        (("digits", "--augment", "wobble=3"), 2, "wobble"),
        (("digits", "--epochs", "0"), 2, "epochs"),
        (("digits", "--schedule", "sine"), 2, "schedule"),
        (("digits", "--validation", "2000"), 1, "held-out images: got 2000 of 1437"),
        (("digits", "--validation", "-1"), 2, "share below 1"),
        (("digits", "--validation", "1e999"), 2, "share below 1"),
        (("digits", "-o", "model.h5"), 2, "expected a name that ends in .safetensors"),
        (("digits", "-o", "nowhere/model.safetensors"), 1, "does not exist"),
        (("digits", "--log", "log.txt"), 2, ".csv or .json"),
        (("digits", "--plot", "curves.gif"), 2, ".png"),
        (("digits", "--report", "page.txt"), 2, ".html"),
        (("digits", "-o", "m.checkpoint.safetensors"), 2, "is the name of a checkpoint"),
        (("digits", "--size", "16x16"), 1, "digits comes in one size"),
        (("digits", "--patience", "2", "--validation", "0"), 1, "without held-out images"),
        (("--resume", "missing.safetensors"), 1, "missing.safetensors"),
        (("--resume", "notes.txt"), 1, "notes.txt"),
        (("mnist", "--data-dir", "empty", "--offline"), 1, "offline"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_wrong_words_are_one_line_before_any_work(convcli, here, monkeypatch, words, code, said):
    monkeypatch.delenv("CONVCLI_DATA_DIR", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: here / "cache")
    Path("notes.txt").write_text("no model")
    Path("sigmoids.toml").write_text('input = [8, 8, 1]\nlayers = ["dense:10,sigmoid"]')
    Path("empty").mkdir()
    result = convcli("train", *words)
    assert result.code == code and said in result.err, result.err
    assert result.err.strip().count("\n") == 0 and not result.out
    assert {path.name for path in here.iterdir()} == {"notes.txt", "sigmoids.toml", "empty"}


def test_a_single_sigmoid_tells_two_classes_apart(convcli, tmp_path):
    make_folder(tmp_path / "shapes")
    Path("one.toml").write_text(
        'input = [20, 20, 1]\nlayers = ["conv:16,kernel=5,relu", "global_pool:max", "dense:1,sigmoid"]\n'
    )
    words = ("--model", "one.toml", "--epochs", "30", "--optimizer", "adam", "--lr", "0.02", "--threads", "1")
    assert convcli("train", "shapes", *words).code == 0
    model = load_model("shapes.safetensors")
    data = load("shapes")
    probabilities = model.predict(data.train.images)
    assert probabilities.shape == (48, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert (probabilities.argmax(axis=1) == data.train.labels).mean() > 0.85
    evaluated = json.loads(convcli("evaluate", "shapes.safetensors", "--data", "shapes", "--json").out)
    assert evaluated["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == data.train.labels).mean())
    predicted = json.loads(convcli("predict", "shapes/disc/0.png", "--model", "shapes.safetensors", "--json").out)
    assert len(predicted[0]["top"]) == 2


def test_a_single_sigmoid_becomes_a_softmax_where_there_are_more_classes(convcli, here):
    for name, end in (("dense", '"dense:1,sigmoid"'), ("apart", '"dense:1", "sigmoid"')):
        Path(f"{name}.toml").write_text(f'input = [8, 8, 1]\nlayers = ["flatten", {end}]\n')
        result = convcli("train", "digits", *QUICK, "--model", f"{name}.toml", "-o", f"{name}.safetensors")
        assert result.code == 0, result.err
        images = load("digits").test.images[:9]
        np.testing.assert_allclose(load_model(f"{name}.safetensors").predict(images).sum(axis=1), 1, rtol=1e-5)


def test_a_network_whose_channels_come_first_is_trained_measured_and_used(convcli, here):
    layers = '["conv:4,same,relu", "batch_norm", "pool:2", "dropout:0.2", "flatten", "dense:10,softmax"]'
    found = {}
    for order in ("channels_first", "channels_last"):
        Path(f"{order}.toml").write_text(f'input = [8, 8, 1]\ndata_format = "{order}"\nlayers = {layers}\n')
        words = ("--model", f"{order}.toml", "--augment", "shift=1", "--validation", "0.2", "--json")
        trained = convcli("train", "digits", *QUICK, *words, "-o", f"{order}.safetensors")
        assert trained.code == 0, trained.err
        evaluated = convcli("evaluate", f"{order}.safetensors", "--json")
        assert json.loads(evaluated.out)["accuracy"] == json.loads(trained.out)["test_accuracy"]
        found[order] = weights(f"{order}.safetensors")
    assert found["channels_first"] == found["channels_last"]
    images = load("digits").test.images[:5]
    first, last = (load_model(f"{order}.safetensors") for order in found)
    np.testing.assert_array_equal(first.predict(images.transpose(0, 3, 1, 2)), last.predict(images))
    Image.fromarray(255 - images[0, :, :, 0]).save("digit.png")
    assert convcli("predict", "digit.png", "--model", "channels_first.safetensors").code == 0


def test_the_command_to_go_on_with_can_be_typed(convcli, here):
    Path("digits.safetensors").write_text("an older model")
    process = started(*LONG, "--overwrite", "--log", "log.csv")
    wait_for(here / "digits.checkpoint.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    said = "convcli train --resume digits.checkpoint.safetensors --log log.csv --overwrite"
    assert process.returncode == 130 and said in err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which nobody may write")
def test_a_folder_that_takes_no_files_is_noticed_before_any_training(convcli, monkeypatch):
    monkeypatch.setattr("convcli.jobs.train.load_for", lambda *words, **more: pytest.fail("read the data"))
    result = convcli("train", "digits", "-o", "/proc/m.safetensors")
    assert result.code == 1 and "/proc/m.safetensors: cannot be written" in result.err


def test_a_class_whose_name_cannot_be_printed_is_refused(convcli, tmp_path):
    make_folder(tmp_path / "shapes", count=2)
    (tmp_path / "shapes" / "disc").rename(tmp_path / "shapes" / "di\nsc")
    result = convcli("train", "shapes")
    assert result.code == 1 and r"got a class named 'di\nsc'" in result.err


@pytest.mark.parametrize("size", [(3, 60), (4, 4), (1, 9)])
def test_thin_and_tiny_pictures_are_learned(convcli, size):
    generator = np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 150)):
        Path("set", label).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(low, low + 80, size).astype(np.uint8)
            Image.fromarray(pixels).save(Path("set", label, f"{number}.png"))
    result = convcli("train", "set", "--epochs", "2", "--threads", "1")
    assert result.code == 0, result.err
    result = convcli("predict", "set/dark/0.png", "--model", "set.safetensors", "--json")
    assert result.code == 0 and json.loads(result.out)[0]["label"] in ("dark", "light")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--warm-up", "2"], 2, "warm_up: got 2 epochs of 2, expected fewer"),
        (["--warm-up", "9", "--schedule", "cosine"], 2, "warm_up: got 9 epochs of 2"),
        (["--optimizer", "sgd:nesterov"], 2, "nesterov without momentum"),
        (["--augment", "stretch"], 2, "augment: got stretch without scale"),
        (["--augment", "elastic-sigma=4"], 2, "augment: got elastic_sigma without elastic"),
        (["--lr", "1e-300"], 2, "learning_rate: got 1e-300, expected more than 0, and a number that float32 can hold"),
        (["--lr", "inf"], 2, "learning_rate: got inf, expected more than 0, and a number that float32 can hold"),
        (["--clip-norm", "inf"], 2, "clip_norm: got inf, expected a finite number of 0 or more"),
        (
            ["--optimizer", "rmsprop:epsilon=1e300"],
            2,
            "epsilon=1e+300, expected more than 0, and what",
        ),
        (["--validation", "1.0"], 2, "got '1.0', expected a share below 1 or a whole number of images"),
        (["--validation", "0.0001"], 1, "which is none"),
        (["--validation", "0.99"], 1, "so that each of 10 classes keeps an image to train on"),
        (["--limit", "9"], 1, "limit: got 9, expected at least 10, an image of each class"),
    ],
)
def test_options_that_would_do_nothing_or_harm(convcli, words, code, message):
    result = convcli("train", "digits", *QUICK, *words)
    assert (result.code, result.out) == (code, "") and message in result.err
    assert not Path("digits.safetensors").exists()


def test_options_that_do_less_than_they_seem_to_are_noted(convcli):
    words = ("--epochs", "1", "--threads", "1", "--patience", "3", "--validation", "20", "--batch-size", "500")
    result = convcli("train", "digits", "--limit", "300", *words)
    assert result.code == 0
    assert "note: patience: 3 epochs never pass within 1" in result.err
    assert "note: batch size: there are but 280 images" in result.err
    assert "note: limit: there are but 1,437 training images" in convcli(
        "train", "digits", "--limit", "9999", "--epochs", "1", "--batch-size", "512", "--threads", "1", "--overwrite"
    ).err  # fmt: skip


def test_a_zero_is_recorded_as_it_was_used(convcli):
    words = ("--optimizer", "adamw", "--weight-decay", "0", "--preset", "lecture", "--json")
    told = json.loads(convcli("train", "digits", *QUICK, *words).out)
    assert told["recipe"]["weight_decay"] == 0
    told = json.loads(convcli("train", "digits", *QUICK, *words[:2], *words[4:], "--overwrite").out)
    assert told["recipe"]["weight_decay"] == 0.004 and told["recipe"]["learning_rate"] == 0.001


def test_what_the_last_step_ruined_is_not_written(convcli):
    words = ("--epochs", "1", "--batch-size", "512", "--lr", "1e30", "--optimizer", "sgd", "--preset", "lecture")
    result = convcli("train", "digits", "--limit", "300", *words, "--json")
    assert result.code == 1 and "try a lower learning rate" in result.err
    assert "try a lower learning rate" in json.loads(result.out)["error"]
    assert not list(Path().glob("*.safetensors")) and "Warning" not in result.err


def test_a_network_that_ends_with_tanh_learns_squares(convcli):
    Path("net.toml").write_text('input = [8, 8, 1]\nlayers = ["dense:10,tanh"]\n[training]\nepochs = 3\n')
    result = convcli("train", "digits", "--model", "net.toml", "--epochs", "20", "--threads", "1", "--json")
    assert result.code == 0 and "it learns squared errors" in result.err and "its training is not used" in result.err
    told = json.loads(result.out)
    assert told["test_accuracy"] > 0.8 and told["test_loss"] < 0.1 and told["recipe"]["label_smoothing"] == 0
    found = json.loads(convcli("evaluate", "digits.safetensors", "--json").out)
    assert found["accuracy"] == pytest.approx(told["test_accuracy"])
    assert found["loss"] == pytest.approx(told["test_loss"])
    result = convcli("train", "digits", "--model", "net.toml", "--label-smoothing", "0.1", "--overwrite")
    assert result.code == 1 and "label_smoothing: got 0.1 for a network that ends with tanh" in result.err
