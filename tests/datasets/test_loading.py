"""Data sets by name: where they are looked for, how they are told apart, how they are fetched."""

import gzip
import os

import numpy as np
import pytest
from made_data import build_idx, small_entry

from convcli.datasets import ENTRIES, Reports, fetch, hold_out, load, sample
from convcli.datasets.model import Split
from convcli.datasets.registry import SHIPPED, find_entry
from convcli.errors import DataError


@pytest.fixture
def small(monkeypatch):
    """Registers the data set `small` with these mirrors; returns the content of its files by name."""

    def register(*mirrors):
        entry, contents = small_entry(mirrors=mirrors or ("http://127.0.0.1:9/",))
        monkeypatch.setitem(ENTRIES, "small", entry)
        return contents

    return register


def put(folder, contents, *, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / (name if packed else name.removesuffix(".gz"))
        path.write_bytes(content if packed else gzip.decompress(content))


def failure(*arguments, **settings):
    with pytest.raises(DataError) as caught:
        load(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_digits_ship_with_the_package():
    data = load("digits", offline=True)
    assert data.shape == (8, 8, 1)
    assert (len(data.train), len(data.test)) == ENTRIES["digits"].counts
    assert data.classes == tuple("0123456789")
    assert data.train.images.dtype == np.uint8 and data.train.labels.dtype == np.int64
    assert data.train.images.max() == 255
    assert set(np.bincount(data.test.labels)) <= set(range(33, 38))
    assert sum(path.stat().st_size for path in SHIPPED.joinpath("digits").iterdir()) < 300_000


def test_digits_can_be_told_apart_by_their_nearest_mean():
    data = load("digits")
    means = np.stack([data.train.images[data.train.labels == label].mean(axis=0) for label in range(10)])
    distance = ((data.test.images[:, np.newaxis] - means) ** 2).sum(axis=(2, 3, 4))
    assert (distance.argmin(axis=1) == data.test.labels).mean() > 0.8


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["", "small"])
def test_files_lie_in_the_folder_or_in_one_of_the_name(small, tmp_path, packed, below):
    put(tmp_path / "data" / below, small(), packed=packed)
    data = load("small", data_dir=tmp_path / "data", offline=True)
    assert data.train.images.shape == (6, 5, 5, 1)
    assert data.test.labels.tolist() == [0, 1, 2, 2]
    assert data.notes == ()


def test_places_are_searched_in_turn(small, tmp_path, monkeypatch, cache):
    contents = small()
    put(cache / "small", contents)
    assert load("small").origin == str(cache / "small")
    put(tmp_path / "variable", contents)
    monkeypatch.setenv("CONVCLI_DATA_DIR", str(tmp_path / "variable"))
    assert load("small").origin == str(tmp_path / "variable")
    put(tmp_path / "option", contents)
    assert load("small", data_dir=tmp_path / "option").origin == str(tmp_path / "option")


def test_content_counts_not_compression(small, tmp_path):
    contents = {name: gzip.compress(gzip.decompress(packed), 1) for name, packed in small().items()}
    put(tmp_path, contents)
    assert load("small", data_dir=tmp_path, offline=True).notes == ()


def test_a_changed_file_is_refused(small, tmp_path):
    contents = small()
    name = next(iter(contents))
    plain = bytearray(gzip.decompress(contents[name]))
    plain[20] ^= 1
    put(tmp_path, {**contents, name: gzip.compress(bytes(plain))})
    assert "has another checksum than small's" in failure("small", data_dir=tmp_path, offline=True)


def test_a_good_copy_beside_a_damaged_one_is_used(small, tmp_path):
    contents = small()
    put(tmp_path, contents)
    name = next(iter(contents))
    (tmp_path / name.removesuffix(".gz")).write_bytes(b"damaged")
    assert len(load("small", data_dir=tmp_path, offline=True).train) == 6


def test_offline_says_which_files_go_where(small, tmp_path, cache):
    small()
    text = failure("small", offline=True)
    assert "train-images-idx3-ubyte.gz" in text and "t10k-labels-idx1-ubyte.gz" in text
    assert str(cache / "small") in text and "offline" in text


def test_unknown_names_and_places():
    assert "did you mean 'mnist'?" in failure("mnits")
    assert "fashion-mnist" in failure("mnits")
    assert "which is no folder" in failure("mnist", data_dir="nowhere")
    assert find_entry("Fashion_MNIST") is ENTRIES["fashion-mnist"]
    assert find_entry("cifar-10") is ENTRIES["cifar10"]


def test_unpacked_files_without_a_known_checksum_need_a_folder_of_their_own(tmp_path):
    shapes = [file.shape for file in ENTRIES["fashion-mnist"].files]
    for file, shape in zip(ENTRIES["fashion-mnist"].files, shapes, strict=True):
        for folder in (tmp_path / "loose", tmp_path / "own" / "fashion-mnist"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file.name.removesuffix(".gz")).write_bytes(build_idx(np.zeros(shape, np.uint8)))
    data = load("fashion-mnist", data_dir=tmp_path / "own", offline=True)
    assert data.classes[9] == "Ankle boot" and "taken by its form" in data.notes[0]
    assert "has no known checksum" in failure("fashion-mnist", data_dir=tmp_path / "loose", offline=True)
    assert "another checksum than mnist's" in failure("mnist", data_dir=tmp_path / "loose", offline=True)


def test_download_to_the_cache(small, serve, cache):
    begun, seen = [], []
    contents = small()
    with serve(contents) as (address, asked):
        small(address)
        data = load("small", reports=Reports(begun.append, lambda *step: seen.append(step)))
        assert len(data.train) == 6 and data.origin == str(cache / "small")
        assert sorted(path.name for path in (cache / "small").iterdir()) == sorted(contents)
        assert [entry.name for entry in begun] == ["small"]
        assert {name for name, _, _ in seen} == set(contents)
        assert all(done <= total for _, done, total in seen)
        load("small")
        assert len(asked) == 4, "what is here is not fetched again"


@pytest.mark.parametrize("fault", ["refused", "missing", "wrong", "truncated", "endless"])
def test_a_bad_mirror_is_followed_by_the_next(small, serve, refused, fault, cache):
    contents = small()
    bad = {
        "refused": {},
        "missing": {},
        "wrong": {name: b"x" * len(content) for name, content in contents.items()},
        "truncated": contents,
        "endless": {name: bytes(1_000_000) for name in contents},
    }[fault]
    reason = {
        "refused": "no connection",
        "missing": "the server answers 404",
        "wrong": "wrong md5 checksum",
        "truncated": "the connection broke off",
        "endless": "sends more than",
    }[fault]
    failed = []
    with serve(bad, truncate=fault == "truncated") as (first, _), serve(contents) as (second, asked):
        small(refused if fault == "refused" else first, second)
        assert len(load("small", reports=Reports(fails=failed.append)).train) == 6
    assert len(asked) == len(failed) == 4
    assert all(reason in each for each in failed), failed
    assert len(list((cache / "small").iterdir())) == 4, "nothing half-written is left"


def test_no_mirror_answers(small, refused, serve, cache):
    with serve({}) as (empty, _):
        small(refused, empty)
        text = failure("small")
    assert "no connection" in text and "404" in text and str(cache / "small") in text
    assert list((cache / "small").iterdir()) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(small, serve, cache):
    contents = small()
    put(cache / "small", contents)
    name = next(iter(contents))
    (cache / "small" / name).write_bytes(b"damaged")
    with serve(contents) as (address, asked):
        small(address)
        data = load("small")
    assert asked == [f"/{name}"]
    assert len(data.train) == 6 and "passed over" in data.notes[0]


def test_fetch_into_a_folder(small, serve, tmp_path):
    with serve(small()) as (address, _):
        small(address)
        assert fetch("small", target=tmp_path / "stick") == tmp_path / "stick" / "small"
    assert fetch("small", data_dir=tmp_path / "stick", offline=True) == tmp_path / "stick" / "small"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that this user may not write")
def test_a_cache_that_cannot_be_written(small, cache):
    small()
    cache.mkdir(mode=0o500, parents=True)
    assert "cannot be made" in failure("small")


def test_hold_out_is_stratified_and_the_same_everywhere():
    labels = np.repeat(np.arange(4), (40, 30, 20, 10))
    split = Split(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), labels)
    train, held = hold_out(split, 20, seed=5)
    assert np.bincount(held.labels).tolist() == [8, 6, 4, 2]
    assert sorted([*train.images.ravel(), *held.images.ravel()]) == list(range(100))
    assert held.images.ravel()[:8].tolist() == [4, 7, 8, 19, 23, 29, 31, 38], "pinned"
    assert hold_out(split, 0.2, seed=6)[1].images.ravel().tolist() != held.images.ravel().tolist()
    assert len(hold_out(split, 0)[1]) == 0
    assert len(hold_out(split, 7)[1]) == 7
    for wrong in (100, -1, 1.0, float("nan")):
        with pytest.raises(DataError, match="held-out"):
            hold_out(split, wrong)


def test_sample_takes_of_each_class():
    split = Split(np.zeros((100, 1, 1, 1), np.uint8), np.repeat(np.arange(4), 25))
    assert np.bincount(sample(split, 8).labels).tolist() == [2, 2, 2, 2]
    assert sample(split, 1000) is split


def test_the_real_mnist(mnist):
    train, test, notes = mnist
    assert train.images.shape == (60_000, 28, 28, 1) and test.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert notes == ()


def test_the_missing_one_of_four_files_is_named(small, tmp_path, monkeypatch):
    contents = small()
    monkeypatch.setattr("convcli.datasets.places.cache_folder", lambda: tmp_path / "cache")
    for number, name in enumerate(contents):
        folder = tmp_path / str(number) / "small"
        put(folder, {other: content for other, content in contents.items() if other != name})
        message = failure("small", data_dir=folder.parent, offline=True)
        assert f"{folder}: has no {name}, expected it beside the others" in message
        put(folder, contents)
        assert len(load("small", data_dir=folder.parent, offline=True).train) == 6


def test_a_hundred_thousand_classes():
    labels = np.repeat(np.arange(100_000), 2)
    learned, held = hold_out(Split(np.zeros((200_000, 1, 1, 1), np.uint8), labels), 0.3)
    np.testing.assert_array_equal(np.unique(learned.labels), np.arange(100_000))
    assert len(held) == len(set(held.labels)) == 60_000
