"""`--watch`: what is done again, what is left alone, and how it ends. Nobody sleeps here."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from convcli.cli import watching
from convcli.cli.watching import Watch
from convcli.images import Image, read, write
from convcli.jobs.tasks import Task


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shots").mkdir()
    paint("shots/a.png", 10)
    return tmp_path / "shots"


def paint(name, value, when=None):
    write(Image(np.full((6, 7, 1), value, np.uint8)), name, overwrite=True)
    if when is not None:
        os.utime(name, ns=(when, when))


@pytest.fixture
def between(monkeypatch):
    """What happens between looks: a list of functions; after the last one somebody presses Ctrl-C."""
    events = []

    def sleep(seconds):
        assert seconds == watching.INTERVAL
        if not events:
            raise KeyboardInterrupt
        events.pop(0)()

    monkeypatch.setattr(watching.time, "sleep", sleep)
    return events


def nothing():
    pass


def value_of(name):
    return int(read(name).pixels[0, 0, 0])


def test_a_changed_input_is_done_again_and_a_new_one_once(convcli, folder, between):
    between += [
        lambda: paint("shots/a.png", 20, 10**18),
        nothing,
        nothing,
        lambda: paint("shots/b.png", 30),
        nothing,
        nothing,
    ]
    result = convcli("filter", "shots", "-k", "median", "--watch")
    assert result.out.splitlines() == ["shots/a_median.png", "shots/a_median.png", "shots/b_median.png"]
    assert result.err == "watching 1 file; Ctrl-C ends it\nwatching ended; nothing half-written was left\n"
    assert result.code == 130
    assert (value_of("shots/a_median.png"), value_of("shots/b_median.png")) == (20, 30)


def test_what_is_still_being_written_is_waited_for(convcli, folder, between):
    between += [partial(paint, "shots/a.png", n, 10**18 + n) for n in (1, 2, 3)]
    between += [nothing]
    result = convcli("filter", "shots/a.png", "-k", "box", "-o", "out.png", "--watch", "-q")
    assert (result.out, result.err) == ("out.png\nout.png\n", "watching ended; nothing half-written was left\n")
    assert value_of("out.png") == 3


def test_what_is_wrong_with_one_file_does_not_end_it(convcli, folder, between):
    def spoil():
        (folder / "a.png").write_bytes(b"no picture")

    between += [spoil, nothing, lambda: paint("shots/a.png", 50, 10**18), nothing, (folder / "a.png").unlink, nothing]
    between += [nothing, lambda: paint("shots/a.png", 60, 2 * 10**18), nothing]
    result = convcli("filter", "shots/a.png", "-k", "box", "-o", "out.png", "--watch")
    assert result.out == "out.png\n" * 3 and value_of("out.png") == 60
    said = result.err.splitlines()
    assert said[0] == "watching 1 file; Ctrl-C ends it" and "shots/a.png: is not a picture" in said[1]
    assert said[2] == "Error: shots/a.png: no such file" and len(said) == 4


def test_a_folder_that_is_emptied_is_told_once(convcli, folder, between):
    between += [(folder / "a.png").unlink, nothing, nothing, lambda: paint("shots/c.png", 70), nothing]
    result = convcli("filter", "shots", "-k", "box", "-o", "out/", "--watch")
    assert result.out.splitlines() == ["out/a_box.png", "out/c_box.png"]
    assert sum("shots" in line for line in result.err.splitlines()) == 1


def test_outputs_of_others_are_not_replaced(convcli, folder, between):
    paint("out.png", 1)
    between += [lambda: paint("shots/a.png", 20, 10**18), nothing]
    result = convcli("filter", "shots/a.png", "-k", "box", "-o", "out.png", "--watch")
    assert value_of("out.png") == 1 and result.out == "" and result.err.count("out.png") == 2


@pytest.mark.parametrize("words", [["pool", "shots/a.png", "--size", "2"], ["pad", "shots/a.png", "--amount", "1"],
                                   ["morph", "dilate", "shots/a.png"]])  # fmt: skip
def test_every_command_of_files_watches(convcli, folder, between, words):
    between += [lambda: paint("shots/a.png", 20, 10**18), nothing]
    assert convcli(*words, "-o", "out.png", "--watch").out == "out.png\nout.png\n"
    assert value_of("out.png") in (0, 20)


def test_volumes_and_signals_are_watched_too(convcli, folder, between):
    np.save("stack.npy", np.zeros((4, 5, 6), np.uint8))
    between += [
        lambda: np.save("stack.npy", np.ones((4, 5, 6), np.uint8)),
        lambda: os.utime("stack.npy", ns=(1, 1)),
        nothing,
    ]
    assert (
        convcli("filter", "stack.npy", "-k", "median3d", "--axes", "zyx", "-o", "o.npy", "--watch").out == "o.npy\n" * 2
    )
    assert np.load("o.npy").all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shots/a.png", "--json"], "--watch: got --json with it: one document has an end"),
        (["-"], "--watch: got standard input or output, expected files"),
        (["shots/a.png", "-o", "-"], "--watch: got standard input or output, expected files"),
        (["shots/a.png", "--axes", "zyx", "--stack"], "--watch: got --stack with it"),
        (["shots/a.png", "--preview=side.png"], "--watch: got --preview=side.png with it"),
        (["nowhere/"], "nowhere/: no such folder"),
    ],
)
def test_what_cannot_be_watched(convcli, folder, between, words, message):
    kernel = "box3d" if "--stack" in words else "box"
    result = convcli("filter", *words, "-k", kernel, "--watch")
    assert message in result.err
    assert result.code == 2 or words == ["nowhere/"]


def test_a_chunk_of_a_store_is_a_change(tmp_path):
    chunk = tmp_path / "a.zarr" / "c" / "0" / "1"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(b"one")
    tasks, watch = [Task(str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr"))], Watch()
    assert watch.due(tasks) == tasks
    watch.rounds = 1
    assert watch.due(tasks) == []
    chunk.write_bytes(b"three")
    assert watch.due(tasks) == [] and watch.due(tasks) == tasks and watch.due(tasks) == []


def test_results_of_an_input_that_has_gone_are_not_filtered_in_turn(convcli, folder, between):
    between += [lambda: Path("shots/a.png").rename("shots/c.png"), nothing, nothing, nothing]
    result = convcli("filter", "shots", "-k", "median", "--watch", "-q")
    assert result.out.splitlines() == ["shots/a_median.png", "shots/c_median.png"]
