"""IDX and CIFAR-10 files: read right, and refused in one line when they are not what they claim to be."""

import dataclasses
import gzip
import hashlib
import struct

import numpy as np
import pytest
from made_data import build_idx, cifar_archive, cifar_batch

from convcli.datasets import cifar
from convcli.datasets.idx import parse_idx, read_bytes
from convcli.datasets.registry import ENTRIES, RemoteFile
from convcli.errors import DataError

BATCHES = {name: cifar_batch(3 + number, number) for number, name in enumerate(cifar.BATCHES)}


def message(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_idx_round_trip(rng):
    for shape in ((7,), (2, 3), (4, 5, 6), (2, 3, 4, 5)):
        array = rng.integers(0, 256, shape, np.uint8)
        np.testing.assert_array_equal(parse_idx(build_idx(array), "x"), array)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG\r\n", "expected an IDX file"),
        (b"\0\0\x08\x05" + bytes(40), "expected an IDX file"),
        (b"\0\0\x0d\x01" + bytes(8), "type 0x0d"),
        (b"\0\0\x08\x03\0\0", "ends after 6 bytes"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "truncated"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "followed by something else"),
        (b"\0\0\x08\x04" + struct.pack(">4I", *[0xFFFFFFFF] * 4) + b"x", "truncated"),
    ],
)
def test_what_is_no_idx_file_is_refused(content, says):
    assert says in message(parse_idx, content, "f")


def test_another_shape_is_another_file():
    assert "got an array of 2x3, expected 3x2" in message(parse_idx, build_idx(np.zeros((2, 3))), "f", (3, 2))


def test_gzip_is_recognised_by_content(tmp_path):
    (tmp_path / "packed").write_bytes(gzip.compress(b"content"))
    (tmp_path / "plain.gz").write_bytes(b"content")
    assert read_bytes(tmp_path / "packed", 100) == read_bytes(tmp_path / "plain.gz", 100) == b"content"


def test_truncated_gzip_and_bombs_are_refused(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(100_000)))
    assert "more than 5,000 bytes" in message(read_bytes, path, 5000)
    path.write_bytes(gzip.compress(np.random.default_rng(0).bytes(1000))[:-30])
    assert "truncated or damaged gzip" in message(read_bytes, path, 5000)
    assert "cannot be read" in message(read_bytes, tmp_path, 5000)


def test_cifar_planes_become_pixels(tmp_path):
    record = bytes([3]) + bytes([10]) * 1024 + bytes([20]) * 1024 + bytes([30]) * 1024
    split = cifar.parse_batch(record * 2, "b")
    assert split.images.shape == (2, 32, 32, 3)
    assert split.images[1, 31, 0].tolist() == [10, 20, 30]
    assert split.labels.tolist() == [3, 3]


def test_cifar_from_unpacked_batches_of_any_length(tmp_path):
    for name, content in BATCHES.items():
        (tmp_path / name).write_bytes(content)
    train, test, notes = cifar.read(ENTRIES["cifar10"], tmp_path)
    assert (len(train), len(test)) == (3 + 4 + 5 + 6 + 7, 8)
    assert train.labels[:4].tolist() == [0, 1, 2, 0]
    assert "taken by its form" in notes[0]


def with_archive(folder, content):
    (folder / cifar.ARCHIVE).write_bytes(content)
    checksum = "md5:" + hashlib.md5(content).hexdigest()
    return dataclasses.replace(ENTRIES["cifar10"], files=(RemoteFile(cifar.ARCHIVE, len(content), checksum),))


def test_cifar_from_the_archive_writes_nothing(tmp_path):
    train, test, notes = cifar.read(with_archive(tmp_path, cifar_archive(BATCHES)), tmp_path)
    assert (len(train), len(test), notes) == (25, 8, ())
    assert [path.name for path in tmp_path.iterdir()] == [cifar.ARCHIVE]
    assert not (tmp_path.parent / "escape.txt").exists()


def test_bad_cifar_files_are_refused(tmp_path):
    assert "3072 bytes, expected a multiple of 3073".replace("3072", "3,072") in message(
        cifar.parse_batch, bytes(3072), "b"
    )
    assert "label 10" in message(cifar.parse_batch, bytes([10]) + bytes(3072), "b")
    archive = cifar_archive(BATCHES)
    entry = with_archive(tmp_path, archive[:-2000])
    assert "truncated or damaged archive" in message(cifar.read, entry, tmp_path)
    entry = with_archive(tmp_path, cifar_archive({"data_batch_1": b"python version"}))
    assert "lacks data_batch_1.bin" in message(cifar.read, entry, tmp_path)
    (tmp_path / cifar.ARCHIVE).write_bytes(archive)
    assert "expected c32a1d4ab5d03f1284b67883e8d87530" in message(cifar.read, ENTRIES["cifar10"], tmp_path)
