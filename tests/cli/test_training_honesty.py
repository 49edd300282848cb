"""What `train` says its numbers are of, what it holds out unasked, and whose size pictures are brought to."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import load_model
from convcli.datasets import load, parted
from convcli.nn.tensors import read_tensors

BRIEF = ("--epochs", "2", "--threads", "1")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_folder(folder, counts=(20, 20), size=(12, 12), mode="L"):
    """Two or more classes of noise, each of its own brightness; counts are those of the classes."""
    generator = np.random.default_rng(0)
    for place, count in enumerate(counts):
        Path(folder, f"class {place}").mkdir(parents=True)
        for number in range(count):
            shape = size if mode == "L" else (*size, 3)
            pixels = generator.integers(60 * place, 60 * place + 60, shape).astype(np.uint8)
            Image.fromarray(pixels).save(Path(folder, f"class {place}", f"{number}.png"))


def trained(convcli, *words):
    result = convcli("train", *words, *BRIEF, "--json")
    assert result.code == 0, result.err
    return json.loads(result.out), result.err


@pytest.mark.parametrize(
    ("counts", "held"),
    [((20, 20), 8), ((3, 2), 1), ((150, 150), 50), ((1, 2), 1), ((2, 1, 1, 1, 1, 1, 1), 1)],
)
def test_a_folder_without_a_test_set_holds_out_some_by_default(convcli, counts, held):
    make_folder("set", counts)
    told, err = trained(convcli, "set")
    count = sum(counts)
    assert (told["train_images"], told["val_images"], told["test_images"]) == (count - held, held, 0)
    assert told["test_accuracy"] is None and 0 <= told["val_accuracy"] <= 1 and told["val_loss"] > 0
    # A handful of images measures, and does not choose the epoch.
    assert told["recipe"]["keep"] == ("last" if held < 50 else "best")
    kept = told["history"][(told["best_epoch"] or 0) - 1]
    assert bool(told["best_epoch"]) == (held == 50)
    assert (kept["val_accuracy"], kept["val_loss"]) == (told["val_accuracy"], told["val_loss"])
    says = f"set has no test set: {held} of {count} images are held out"
    assert says in err and (f"Warning: {says}" in err) == (held < 50)
    assert [each for each in told["warnings"] if says in each] == told["warnings"][: held < 50]


@pytest.mark.parametrize("preset", ["lecture", "fast", "best"])
def test_every_preset_does(convcli, preset):
    make_folder("set", (10, 10), (28, 28))
    told, _ = trained(convcli, "set", "--preset", preset, "--batch-size", "20")
    assert told["val_images"] == 4


def test_which_epoch_is_kept_can_be_said(convcli):
    make_folder("set")
    for words, keep in ((("--keep", "best"), "best"), (("--patience", "1"), "best"), (("--keep", "last"), "last")):
        told, _ = trained(convcli, "set", *words, "--overwrite")
        assert told["recipe"]["keep"] == keep and bool(told["best_epoch"]) == (keep == "best")
    refused = convcli("train", "set", "--keep", "last", "--patience", "1", "--overwrite")
    assert refused.code == 2 and "patience: got 1 with keep last" in refused.err
    _, err = trained(convcli, "set", "--keep", "best", "--validation", "0", "--overwrite")
    assert "note: keep: no image is held out that could tell the best epoch" in err


def test_nothing_held_out_is_a_warning(convcli):
    make_folder("set")
    told, err = trained(convcli, "set", "--validation", "0")
    assert told["val_images"] == 0 and told["val_accuracy"] is None
    assert "Warning: set has no test set and no image is held out" in err
    result = convcli("train", "set", *BRIEF, "--validation", "0", "--overwrite")
    assert re.search(r"^training accuracy [\d.]+%, loss [\d.]+: nothing was held out, after", result.out, re.M)
    quiet = convcli("train", "set", *BRIEF, "--validation", "0", "--overwrite", "-q")
    assert (quiet.out, quiet.err) == ("set.safetensors\n", "")
    make_folder("pairs", (1, 1))
    assert "no image is held out" in trained(convcli, "pairs")[1]


def test_a_folder_with_a_test_set_is_told_by_it(convcli):
    make_folder("both/train")
    make_folder("both/test", (4, 4))
    told, err = trained(convcli, "both")
    assert (told["val_images"], told["test_images"]) == (0, 8) and told["test_accuracy"] is not None
    assert "both has a test set of 8 images: each is 12.5% of the test accuracy" in err


def test_the_terminal_says_of_what(convcli):
    make_folder("set")
    result = convcli("train", "set", *BRIEF)
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80 and lines[1] == "set: 2 classes; 32 images, 8 held out"
    assert any(re.match(r"held-out accuracy [\d.]+%, loss [\d.]+ \(8 images\), after", line) for line in lines)
    assert "kept the weights" not in result.out and "do not choose the epoch; each is 12.5%" in result.err
    asked = convcli("train", "set", *BRIEF, "--validation", "8", "--overwrite")
    assert re.search(r"^kept the weights of epoch \d, with the lowest held-out loss$", asked.out, re.M)
    assert "do not choose the epoch" not in asked.err
    assert "held-out accuracy" in convcli("summary", "set.safetensors").out
    assert "val_" not in convcli("summary", "set.safetensors").out


def test_evaluate_finds_the_images_that_were_held_out(convcli):
    make_folder("set")
    told, _ = trained(convcli, "set")
    found = json.loads(convcli("evaluate", "set.safetensors", "--json").out)
    assert (found["split"], found["images"]) == ("held-out", 8)
    assert found["accuracy"] == told["val_accuracy"] and math.isclose(found["loss"], told["val_loss"], rel_tol=1e-5)
    assert convcli("evaluate", "set.safetensors").out.splitlines()[0].endswith(
        "% on held-out images of set, not learned from"
    )  # fmt: skip
    learned, held = parted(load("set").train, 8)
    assert sorted(np.bincount(held.labels)) == [4, 4] and len(learned) == 32
    train = json.loads(convcli("evaluate", "set.safetensors", "--split", "train", "--json").out)
    assert (train["split"], train["images"]) == ("train", 32)
    # Other pictures in a folder of that name, and another folder.
    Image.new("L", (12, 12), 30).save("set/class 0/new.png")
    changed = convcli("evaluate", "set.safetensors")
    assert "all images of set, some of which may have been learned from" in " ".join(changed.out.split())
    make_folder("other", (3, 3))
    other = json.loads(convcli("evaluate", "set.safetensors", "--data", "other", "--json").out)
    assert (other["split"], other["images"]) == ("all", 6)
    refused = convcli("evaluate", "set.safetensors", "--data", "other", "--split", "held-out")
    assert refused.code == 1 and "held out no image of other" in refused.err


def test_the_report_says_of_what(convcli):
    make_folder("set")
    trained(convcli, "set", "--report", "page.html", "--label-smoothing", "0.2")
    text = Path("page.html").read_text(encoding="utf-8")
    for words in ("accuracy on held-out images", "training set, label smoothing 0.2", "held-out loss", "training loss"):
        assert words in text
    assert "val_" not in text and "val loss" not in text and ">digest<" not in text


def test_limit_and_resume_keep_what_is_held_out(convcli):
    make_folder("set")
    told, _ = trained(convcli, "set", "--limit", "20")
    assert (told["train_images"], told["val_images"]) == (16, 4)
    found = json.loads(convcli("evaluate", "set.safetensors", "--json").out)
    assert (found["images"], found["accuracy"]) == (4, told["val_accuracy"])


NET = 'input = {}\nlayers = ["conv:4,kernel=3,relu,same", "global_pool:max", "dense:{},softmax"]\n'


@pytest.mark.parametrize(
    ("own", "pictures", "mode", "words", "shape"),
    [
        ("[32, 32, 3]", (32, 24), "RGB", (), (32, 32, 3)),
        ("[32, 32, 3]", (12, 12), "L", (), (32, 32, 3)),
        ("[10, 20, 1]", (24, 24), "RGB", (), (10, 20, 1)),
        ("[32, 32, 3]", (32, 24), "RGB", ("--size", "16x24"), (16, 24, 3)),
        ("[16, 16, 5]", (12, 14), "RGB", (), (16, 16, 3)),
    ],
)
def test_a_network_keeps_its_own_input(convcli, own, pictures, mode, words, shape):
    make_folder("set", (6, 6), pictures, mode)
    Path("net.toml").write_text(NET.format(own, 2))
    _, err = trained(convcli, "set", "--model", "net.toml", *words)
    model = load_model("set.safetensors")
    assert model.model.plan.input == shape
    assert (model.card.preprocessing["height"], model.card.preprocessing["width"]) == shape[:2]
    assert ("; --size HxW is another" in err) == (not words)
    evaluated = convcli("evaluate", "set.safetensors", "--json")
    assert json.loads(evaluated.out)["split"] == "held-out", evaluated.err


def test_what_is_cut_off_is_told(convcli):
    make_folder("set", (6, 6), (32, 24), "RGB")
    Path("net.toml").write_text(NET.format("[16, 16, 3]", 2))
    _, err = trained(convcli, "set", "--model", "net.toml")
    assert "12 of 12 pictures have another shape than 16x16: what stands over is cut off, the most, 25%, of set" in err
    said = convcli("predict", "set/class 0", "--model", "set.safetensors").err
    assert "25.0% of it is cut off, since it is scaled to fill the network's 16x16" in said
    assert said.count("cut off") == 1
    assert convcli("predict", "set/class 0", "--model", "set.safetensors", "-q").err == ""
    assert "cut off" not in trained(convcli, "set", "--overwrite")[1]
    assert "cut off" not in convcli("predict", "set/class 0", "--model", "set.safetensors").err


def test_a_shipped_network_and_data_of_one_size(convcli):
    make_folder("set", (6, 6), (20, 20))
    _, err = trained(convcli, "set", "--model", "lenet5")
    assert load_model("set.safetensors").model.plan.input == (32, 32, 1)
    Path("net.toml").write_text(NET.format("[32, 32, 3]", 10))
    _, err = trained(convcli, "digits", "--limit", "50", "--model", "net.toml")
    assert "net.toml is fitted to 8x8x1 (its own input is 32x32x3)" in err and "--size" not in err
    Path("net.toml").write_text(NET.format("[5000, 32, 3]", 2))
    result = convcli("train", "set", "--model", "net.toml", "--overwrite")
    assert result.code == 1 and "its input is 5000x32x3, expected pictures of at most 4096x4096" in result.err


def test_a_resumed_training_keeps_the_form_of_its_pictures(convcli, monkeypatch):
    from convcli.jobs import train as job

    make_folder("set", (6, 6), (12, 12), "L")
    Path("net.toml").write_text(NET.format("[16, 20, 3]", 2))
    assert convcli("train", "set", *BRIEF, "--model", "net.toml", "-o", "whole.safetensors").code == 0
    write = job.write_checkpoint

    def and_stop(*words):
        write(*words)
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "write_checkpoint", and_stop)
    assert convcli("train", "set", *BRIEF, "--model", "net.toml").code == 130
    monkeypatch.setattr(job, "write_checkpoint", write)
    resumed = convcli("train", "--resume", "set.checkpoint.safetensors", "--json")
    assert resumed.code == 0, resumed.err
    assert "images are held out to measure by, and do not choose the epoch" in resumed.err
    assert load_model("set.safetensors").model.plan.input == (16, 20, 3)
    whole, again = (read_tensors(Path(f"{name}.safetensors"))[0] for name in ("whole", "set"))
    assert all(np.array_equal(whole[name], again[name]) for name in whole | again)


def test_the_plot_says_of_what(convcli):
    pytest.importorskip("matplotlib")
    assert convcli("train", "digits", "--limit", "60", *BRIEF, "--validation", "20", "--plot", "c.svg").code == 0
    text = Path("c.svg").read_text()  # in which texts are outlines, each below a comment with its words
    for words in ("training set, label smoothing 0.1", "training set", "held out"):
        assert f"<!-- {words} -->" in text


def test_what_came_to_nothing_and_what_was_done_unasked_is_told(convcli):
    make_folder("set", (60, 60))
    Path("plain.toml").write_text('input = [12, 12, 1]\nlayers = ["conv:2,relu", "flatten", "dense:2"]\n')
    told, err = trained(convcli, "set", "--model", "plain.toml", "-o", "a.safetensors", "--lr", "1e-9")
    assert "note: plain.toml ends without softmax; its 2 outputs get one, to be probabilities" in err
    assert "is what guessing gives (50.00% for always class 0): nothing was learned; try another --lr than 1e-09" in err
    assert "nothing was learned" in told["warnings"][-1]
    _, err = trained(convcli, "set", "--model", "a.safetensors", "-o", "b.safetensors")
    assert "note: of the model only its network, plain.toml, is taken, with new weights; --from goes on" in err
