"""Memory that pictures share which are decoded at once: the limit is the process's, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image as Pillow

from convcli import budget
from convcli.datasets import folder, picture_files
from convcli.errors import ImageError
from convcli.images.model import check_size
from convcli.images.turns import Turns
from convcli.jobs import batch
from convcli.jobs.batch import Files, Produced, run_tasks
from convcli.jobs.tasks import Task

NEEDED = 600_000  # 300x200 pixels of 10 bytes


@pytest.fixture
def limit():
    """Room for two pictures and a half."""
    budget.limit_memory(1_500_000)
    yield
    budget.limit_memory(None)


@pytest.fixture
def counted(monkeypatch):
    """How much was held each time that a picture was read."""
    seen, made = [], []
    monkeypatch.setattr(batch, "Turns", lambda: made.append(Turns()) or made[-1])
    read = batch.read

    def counting(source, **words):
        check_size(300, 200, 10**9, 10)
        with made[0].changed:
            seen.append(sum(each.held for each in made[0].waiting))
        return read(source, **words)

    monkeypatch.setattr(batch, "read", counting)
    return seen


def pictures(path, count):
    path.mkdir(exist_ok=True)
    for index in range(count):
        Pillow.new("L", (30, 20), index).save(path / f"{index:02}.png")
    return [str(path / f"{index:02}.png") for index in range(count)]


def test_a_batch_stays_below_the_limit(tmp_path, limit, counted):
    tasks = [Task(name, f"{name}.out.png") for name in pictures(tmp_path / "in", 12)]
    outcomes = list(run_tasks(tasks, lambda image, format: Produced(image), Files()))
    assert [each.status for each in outcomes] == ["done"] * 12
    assert [each.task for each in outcomes] == tasks
    assert len(counted) == 12
    assert max(counted) <= 2 * NEEDED


def test_a_batch_of_failures_gives_its_memory_back(tmp_path, limit, counted):
    names = pictures(tmp_path / "in", 9)
    for name in names[::2]:
        Path(name).write_bytes(Path(name).read_bytes()[:60])
    tasks = [Task(name, f"{name}.out.png") for name in [*names, "missing.png"]]
    outcomes = list(run_tasks(tasks, lambda image, format: Produced(image), Files()))
    assert [each.status for each in outcomes] == ["failed", "done"] * 4 + ["failed", "failed"]
    assert max(counted) <= 2 * NEEDED


def test_a_batch_that_is_given_up_ends(tmp_path, limit, counted):
    tasks = [Task(name, f"{name}.out.png") for name in pictures(tmp_path / "in", 9)]
    before = threading.active_count()
    outcomes = run_tasks(tasks, lambda image, format: Produced(image), Files())
    assert next(outcomes).status == "done"
    outcomes.close()
    assert threading.active_count() == before  # nobody waits for a turn any longer
    assert not Path(tasks[-1].target).exists()


def test_one_picture_beyond_the_limit_is_refused_and_the_others_go_on(limit):
    def decode(height):
        check_size(300, height, 10**9, 10)
        return height

    turns = Turns()
    with ThreadPoolExecutor(3) as pool:
        due = [turns.next() for _ in range(3)]
        futures = [pool.submit(turn.run, decode, height) for turn, height in zip(due, (200, 600, 300), strict=True)]
        assert futures[0].result() == 200
        with pytest.raises(ImageError, match=r"got 300x600 pixels, .* expected at most 1.5 MB"):
            futures[1].result()
        assert futures[2].result() == 300
        assert [each.held for each in due] == [NEEDED, 0, 900_000]


def test_a_later_picture_waits_for_an_earlier_one_to_take_its_own(limit):
    turns, started = Turns(), threading.Event()
    first, second = turns.next(), turns.next()

    def later():
        started.set()
        check_size(300, 200, 10**9, 10)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(second.run, later)
        started.wait()
        assert not second.has_taken
        first.run(check_size, 300, 400, 10**9, 10)  # 1.2 MB: the other does not fit beside it
        assert not future.done()
        first.close()
        future.result()
    assert second.held == NEEDED


def test_classes_of_pictures_are_read_in_turns(tmp_path, monkeypatch):
    most = []

    def reading(path, **words):
        check_size(300, 200, 10**9, 10)
        turns = made[-1]
        with turns.changed:
            most.append(sum(each.held for each in turns.waiting))
        return read(path, **words)

    made, read = [], picture_files.read
    monkeypatch.setattr(picture_files, "Turns", lambda: made.append(Turns()) or made[-1])
    monkeypatch.setattr(picture_files, "read", reading)
    for name in "ab":
        pictures(tmp_path / name, 20)
    budget.limit_memory(1_500_000)
    try:
        data = folder.load_folder(tmp_path)
    finally:
        budget.limit_memory(None)
    assert data.train.images[:, 0, 0, 0].tolist() == [*range(20), *range(20)]
    assert max(most) <= 2 * NEEDED
