"""The job behind `convcli summary`: other inputs, and drawings that appear complete or not at all."""

import pytest

from convcli.architectures import GrammarError
from convcli.errors import ModelError, ShapeError
from convcli.jobs.summary import plot, shipped_networks, summary


def test_another_input():
    assert summary("lenet5").input == (32, 32, 1)
    assert summary("lenet5", "64x64").input == (64, 64, 1)
    assert summary("lenet5", (64, 64, 3)).input == (64, 64, 3)
    with pytest.raises(ShapeError, match="as many numbers as in 32x32x1"):
        summary("lenet5", "64")
    with pytest.raises(GrammarError, match="input: got"):
        summary("lenet5", "64x0")
    with pytest.raises(ShapeError, match="layer 1"):
        summary("lenet5", "3x3")


def test_all_shipped_networks():
    assert {plan.spec.name for plan in shipped_networks()} >= {"mnist", "lenet5", "alexnet", "vgg16", "googlenet"}


def test_a_drawing_is_not_replaced_unasked(tmp_path):
    target = tmp_path / "net.svg"
    assert plot(summary("lenet5"), str(target)) == target
    first = target.read_bytes()
    with pytest.raises(ModelError, match="already exists; choose another name or add --overwrite"):
        plot(summary("mnist"), str(target))
    assert target.read_bytes() == first
    plot(summary("mnist"), str(target), overwrite=True)
    assert target.read_bytes() != first
    assert [path.name for path in tmp_path.iterdir()] == ["net.svg"]


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    """Between the check and the end somebody else writes that name: theirs stays, ours leaves nothing behind."""
    target = tmp_path / "net.svg"

    def draw(plan):
        target.write_text("theirs")
        return "ours"

    monkeypatch.setattr("convcli.jobs.summary.draw", draw)
    with pytest.raises(ModelError, match="already exists"):
        plot(summary("mnist"), str(target))
    assert target.read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["net.svg"]


def test_a_drawing_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def draw(plan):
        raise KeyboardInterrupt

    monkeypatch.setattr("convcli.jobs.summary.draw", draw)
    with pytest.raises(KeyboardInterrupt):
        plot(summary("mnist"), str(tmp_path / "net.svg"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["net.png", "net", "missing/net.svg"])
def test_targets_that_cannot_be(tmp_path, name):
    with pytest.raises(ModelError):
        plot(summary("mnist"), str(tmp_path / name))


def test_a_folder_is_no_target(tmp_path):
    (tmp_path / "net.svg").mkdir()
    with pytest.raises(ModelError, match="is a folder"):
        plot(summary("mnist"), str(tmp_path / "net.svg"), overwrite=True)
