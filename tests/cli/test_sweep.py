"""Many trainings of one command: each the single one to the bit, resumed, and told in a table."""

import json
from statistics import mean, stdev

import pytest
from safetensors.numpy import load_file

from convcli.errors import ConvcliError
from convcli.jobs import sweep
from convcli.nn.recipe import Recipe
from convcli.nn.weights import load_model

WORDS = ("train", "digits", "--limit", "60", "--epochs", "1", "--batch-size", "30", "--validation", "0")


def test_trainings_side_by_side(convcli, tmp_path, monkeypatch, cluster):
    folder = tmp_path / "many"
    many = (*WORDS, "--seeds", "0..2", "--sweep", "lr=1e-3,0.01", "-o", folder)
    run_point, trained = sweep.run_point, []

    def stopped(places, target):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(target)
        run_point(places, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "run_point", stopped)
        result = convcli(*many)
    assert result.code == 130 and "nothing is lost" in result.err and "the same command goes on" in result.err
    made = sorted(each.name for each in folder.iterdir())
    assert made == [
        "lr-1e-3_seed-0.safetensors", "lr-1e-3_seed-1.safetensors", "lr-1e-3_seed-2.checkpoint.safetensors",
        "sweep.txt",
    ]  # fmt: skip
    before = (folder / "lr-1e-3_seed-0.safetensors").stat().st_mtime_ns
    result = convcli(*many, "--cluster", cluster, "--json")
    rows = json.loads(result.out)["rows"]
    assert result.code == 0 and [row["settings"] for row in rows] == [{"lr": "1e-3"}, {"lr": "0.01"}]
    assert before == (folder / "lr-1e-3_seed-0.safetensors").stat().st_mtime_ns
    scores = [load_model(folder / f"lr-0.01_seed-{n}.safetensors").card.metrics["test_accuracy"] for n in range(3)]
    known = (rows[1]["count"], rows[1]["mean"], rows[1]["spread"], rows[1]["error"])
    assert known == pytest.approx((3, mean(scores), stdev(scores), stdev(scores) / 3**0.5))
    for seed, rate in ((1, "1e-3"), (2, "0.01")):
        alone = tmp_path / "alone.safetensors"
        assert convcli(*WORDS, "--seed", seed, "--lr", rate, "-o", alone, "--overwrite").code == 0
        one, other = load_file(alone), load_file(folder / f"lr-{rate}_seed-{seed}.safetensors")
        assert all((one[name] == other[name]).all() for name in one) and one.keys() == other.keys()
    assert "told apart by the test set" in result.err
    table = convcli(*many).out.splitlines()
    assert [line.split()[:2] for line in table[1:3]] == [["1e-3", "3"], ["0.01", "3"]] and table[3] == str(folder)
    other = convcli(*many, "--epochs", "2")
    assert other.code == 1 and "holds a sweep of other data, network or recipe" in other.err


def test_words():
    assert sweep.read_seeds("0..3,9") == (0, 1, 2, 3, 9)
    axes = sweep.read_sweep(["lr=1e-3,3e-3 batch-size=16", "optimizer=adam,sgd:momentum=0.9"])
    points = sweep.points_of(Recipe(), (4, 5), axes)
    assert len(points) == 8 and len({point.name for point in points}) == 8
    assert points[0].name == "lr-1e-3_batch-size-16_optimizer-adam_seed-4"
    assert (points[-1].recipe.learning_rate, points[-1].recipe.batch_size, points[-1].recipe.seed) == (3e-3, 16, 5)
    assert points[0].words[:4] == ["--lr", "1e-3", "--batch-size", "16"]
    for call, said in (
        (lambda: sweep.read_seeds("3..1"), "expected such as 0..4"),
        (lambda: sweep.read_seeds("0..99999"), "at most 10,000"),
        (lambda: sweep.read_sweep(["seed=1,2"]), "sweep: got 'seed=1,2'"),
        (lambda: sweep.read_sweep(["lr=1,"]), "expected such as lr"),
        (lambda: sweep.read_sweep(["epoch=1"]), "did you mean 'epochs'"),
        (lambda: sweep.points_of(Recipe(), (0,), {"epochs": ("x",)}), "expected a whole number"),
        (lambda: sweep.points_of(Recipe(), (0,), {"lr": ("-1",)}), "learning_rate: got -1.0"),
    ):
        with pytest.raises(ConvcliError, match=said):
            call()


def test_what_does_not_go_together(convcli, tmp_path):
    for words, said in (
        (("--workers", "2"), "expected --seeds or --sweep"),
        (("--seeds", "0..1", "--seed", "1"), "--seed: got it with --seeds"),
        (("--seeds", "0..1", "-o", "a.safetensors"), "expected a folder"),
    ):
        result = convcli(*WORDS, *words)
        assert result.code == 2 and said in result.err
