"""Arrays in safetensors files: what is written is read, the library agrees, the same arguments give the same bytes."""

import json
import struct

import numpy as np
import pytest
from safetensors import safe_open

from convcli.errors import ModelError
from convcli.nn.tensors import read_tensors, write_tensors

TYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")


def made_arrays():
    generator = np.random.default_rng(0)
    arrays = {f"array/{word}": generator.integers(0, 2, (3, 5)).astype(word) for word in TYPES}
    return arrays | {"none": np.empty((0, 4), np.float32), "one": np.array(3.5), "turned": np.ones((4, 3)).T[::-1]}


def test_what_is_written_is_read(tmp_path):
    path, arrays = tmp_path / "a.safetensors", made_arrays()
    write_tensors(path, arrays, {"text": "größer 😀", "empty": ""})
    read, metadata = read_tensors(path)
    assert metadata == {"text": "größer 😀", "empty": ""}
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array), name
        assert read[name].flags.writeable


def test_the_library_reads_the_same(tmp_path):
    path, arrays = tmp_path / "a.safetensors", made_arrays()
    write_tensors(path, arrays, {"b": "2", "a": "1"})
    with safe_open(path, "numpy") as stored:
        assert stored.metadata() == {"a": "1", "b": "2"}
        assert set(stored.keys()) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(stored.get_tensor(name), array)


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    arrays = made_arrays()
    for name, order in (("a", list(arrays)), ("b", list(reversed(arrays)))):
        write_tensors(tmp_path / name, {key: arrays[key] for key in order}, {"z": "1", "a": "2", "m": "3"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_byte_orders_are_written_as_little(tmp_path):
    write_tensors(tmp_path / "a", {"x": np.arange(5, dtype=">f4")}, {})
    assert np.array_equal(read_tensors(tmp_path / "a")[0]["x"], np.arange(5))


def test_bfloat16_is_read_without_loss(tmp_path):
    values = np.array([1.5, -2.0, 3.0e38, 0.0], np.float32)
    values = (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(header)) + header + halves.tobytes())
    read = read_tensors(tmp_path / "a")[0]["x"]
    assert read.dtype == np.float32 and np.array_equal(read.reshape(-1), values)


def test_what_has_no_place_in_the_format_is_refused(tmp_path):
    for array in (np.array(["text"]), np.array([1j]), np.array([None]), np.array(["2020-01-01"], "datetime64[D]")):
        with pytest.raises(ModelError, match=r"x: got .*, expected floats, integers or booleans"):
            write_tensors(tmp_path / "a", {"x": array}, {})
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": np.zeros(3)}, {})
    with pytest.raises(ModelError, match="already exists"):
        write_tensors(path, {"x": np.ones(3)}, {})
    assert not read_tensors(path)[0]["x"].any()
    write_tensors(path, {"x": np.ones(3)}, {}, overwrite=True)
    assert read_tensors(path)[0]["x"].all()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with pytest.raises(ModelError, match="does not exist"):
        write_tensors(tmp_path / "nowhere" / "a", {}, {})
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "missing")


def entry(shape=(2,), dtype="F32", offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"x": entry()}, 4),  # cut off
        ({"x": entry()}, 12),  # something behind
        ({"x": entry(), "y": entry()}, 8),  # overlapping
        ({"x": entry(), "y": entry(offsets=(12, 20))}, 20),  # a gap
        ({"x": entry(offsets=(8, 0))}, 8),
        ({"x": entry(offsets=(0, 2**63))}, 8),
        ({"x": entry(shape=(2**40, 2**40))}, 8),
        ({"x": entry(shape=(3,))}, 8),
        ({"x": entry(shape=(-2,))}, 8),
        ({"x": entry(dtype="F128")}, 8),
        ({"x": entry(dtype="F8_E4M3", shape=(8,))}, 8),
        ({"x": entry(dtype=7)}, 8),
        ({"x": {"shape": [2], "dtype": "F32"}}, 8),
        ({"x": 3}, 8),
        ({"x": None}, 0),
        ({"__metadata__": {"a": 1}}, 0),
        ({"__metadata__": None, "x": entry()}, 8),
    ],
)
def test_files_that_lie_are_refused(tmp_path, header, data):
    text = json.dumps(header).encode()
    (tmp_path / "a").write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))
    with pytest.raises(ModelError) as caught:
        read_tensors(tmp_path / "a")
    assert str(tmp_path / "a") in str(caught.value) and "\n" not in str(caught.value)
