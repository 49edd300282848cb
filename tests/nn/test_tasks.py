"""Tasks: which labels are for which, and measures against their definitions, summed over batches."""

import numpy as np
import pytest

from convcli.errors import ModelError
from convcli.nn.recipe import Recipe
from convcli.nn.tasks import TASKS, Tally, task_for


def tallied(task, outputs, labels, x=None, unit=1.0):
    """The metrics of two batches."""
    tally, x = Tally(task, unit), outputs if x is None else x
    for part in (slice(0, 3), slice(3, None)):
        tally.add(x[part], outputs[part], labels[part])
    return tally.metrics()


def test_measures_are_those_of_their_definitions(rng):
    said, true = rng.normal(size=(7, 2)), np.array([5, -2]) + rng.normal(size=(7, 2))
    apart = 1 - ((said - true) ** 2).sum(axis=0) / ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    found = tallied("regress", said, true)
    assert found == pytest.approx({"mae": np.abs(said - true).mean(), "r2": apart.mean()})
    assert tallied("regress", said, true, unit=np.array([2.0, 4.0]))["mae"] == pytest.approx(
        (np.abs(said - true) * [2, 4]).mean()
    )
    assert "r2" not in tallied("regress", said, np.ones_like(true))

    marks, chances = rng.integers(0, 2, (7, 3)), rng.random((7, 3))
    taken = chances > 0.5
    f1 = [2 * (taken[:, k] & (marks[:, k] > 0)).sum() / (taken[:, k].sum() + marks[:, k].sum()) for k in range(3)]
    assert tallied("multi-label", chances, marks) == pytest.approx({"f1": np.mean(f1)})

    masks, maps = rng.integers(0, 3, (7, 4, 5)), rng.random((7, 4, 5, 4))  # nobody is of the fourth class
    maps[..., 3] = 0
    best = maps.argmax(axis=-1)
    shares = [((best == k) & (masks == k)).sum() / ((best == k) | (masks == k)).sum() for k in range(3)]
    assert tallied("segment", maps, masks) == pytest.approx({"iou": np.mean(shares)})
    assert tallied("segment", (masks == 1)[..., None] * 0.9, masks == 1) == {"iou": 1.0}

    clean = rng.random((7, 4, 4, 1))
    noisy, better = clean + 0.1, clean + 0.05
    found = tallied("denoise", better, clean, noisy)
    assert found == pytest.approx({"psnr": 20 * np.log10(20), "gain": 20 * np.log10(2)})
    assert tallied("denoise", clean, clean, noisy)["psnr"] == 100
    assert tallied("classify", maps, masks) == {}


def test_labels_say_the_task_unless_another_fits():
    picture = (8, 8, 1)
    cases = {"classes": ((), "classify"), "numbers": ((2,), "regress"), "marks": ((3,), "multi-label"),
             "masks": ((8, 8), "segment"), "arrays": (picture, "denoise")}  # fmt: skip
    assert {task for _, task in cases.values()} == set(TASKS)
    assert set(cases) == {targets for task in TASKS.values() for targets in task.targets}
    for targets, (shape, task) in cases.items():
        assert task_for(targets, picture, shape) == task and targets in TASKS[task].targets
    assert task_for("arrays", (4, 8, 8, 1), (4, 8, 8, 1)) == "regress" == task_for("arrays", picture, (8, 8, 3))
    assert task_for("arrays", picture, picture, "regress") == "regress"
    with pytest.raises(ModelError, match="task: got segment, but the labels are numbers; expected regress"):
        task_for("numbers", picture, (1,), "segment")
    with pytest.raises(ModelError, match="loss: got 'dice', expected one of mse, mae, huber to regress"):
        Recipe(task="regress", loss="dice")
    with pytest.raises(ModelError, match="task: got 'guess', expected one of classify, regress"):
        Recipe(task="guess")
