"""NPY headers: what numpy and others write is read, and nothing else, with one line and without a warning."""

import io

import numpy as np
import pytest

from convcli.kernels.npy import read_header


def file(header, version=1):
    text = header if isinstance(header, bytes) else header.encode()
    return b"\x93NUMPY" + bytes((version, 0)) + len(text).to_bytes(2 if version == 1 else 4, "little") + text


@pytest.mark.parametrize("dtype", ["|b1", "|i1", "|u1", "<i2", ">u4", "<i8", ">u8", "<f2", ">f4", "<f8"])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 3, 4, 1), (0, 2)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes(dtype, shape, order, rng):
    array = np.asarray((rng.standard_normal(shape) * 9).astype(dtype), order=order)
    stream = io.BytesIO()
    np.save(stream, array)
    data = stream.getvalue()
    header = read_header(io.BytesIO(data))
    assert header.end == len(data)
    np.testing.assert_array_equal(header.array(data), array)
    assert header.array(data).dtype == array.dtype


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n",
        '{"descr":"<f4","fortran_order":False,"shape":(2,3)}',
        "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f4'}\n",  # Python 2
        "{'descr': '<f4',\n 'fortran_order': False,\n 'shape': (2, 3,)\n}",
    ],
)
def test_what_others_write(header, version):
    got = read_header(io.BytesIO(file(header, version)))
    assert got.shape == (2, 3)
    assert got.dtype == np.dtype("<f4")


ORDER = "'fortran_order': False"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (3, ("), "got a header that is no dictionary"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (3, (}}"), "got a header that makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (3, -4)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (3)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': [3, 4]}}"), "shape makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (3.0, 4)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (9**9, 4)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': ({'9' * 4000},)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (1, 2), 'shape': (3, 4)}}"), "makes no sense"),
        (file(f"{{'descr': '<f4', {ORDER}, 'shape': (1, 2), 'more': 1}}"), "makes no sense"),
        (file("{'descr': '<f4', 'fortran_order': 0, 'shape': (1, 2)}"), "makes no sense"),
        (file("{'descr': '<f4', 'shape': (1, 2)}"), "without fortran_order"),
        (file(f"{{{ORDER}, 'shape': (1, 2)}}"), "without descr"),
        (file("{" * 5000 + "}" * 5000), "makes no sense"),
        (file(r"{'descr': '\d', 'shape': (1, 2)}"), "makes no sense"),
        (file(b"{'descr': '<f4\0', 'fortran_order': False, 'shape': (1, 2)}"), "an unknown type|floats above"),
        (file(f"{{'descr': '<f16', {ORDER}, 'shape': (1, 2)}}"), "floats above 64 bits"),
        (file(f"{{'descr': '<c8', {ORDER}, 'shape': (1, 2)}}"), "complex numbers"),
        (file(f"{{'descr': '|O', {ORDER}, 'shape': (1, 2)}}"), "Python objects"),
        (file(f"{{'descr': '<M8[ns]', {ORDER}, 'shape': (1, 2)}}"), "dates"),
        (file(f"{{'descr': [('a', '<f4')], {ORDER}, 'shape': (1, 2)}}"), "an array of records"),
        (file(b""), "no dictionary"),
        (file(b" " * 65000), "a header of 65,000 bytes"),
        (file(b"{}", 2)[:10], "half a header"),
        (file(b"{}")[:7], "its first bytes"),
        (file(b"{}", 4), "version 4.0"),
    ],
)
def test_damage_is_one_line(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_header(io.BytesIO(data))
    assert "\n" not in str(caught.value)


def test_no_byte_of_a_header_brings_anything_else():
    stream = io.BytesIO()
    np.save(stream, np.zeros((3, 4), "<f4"))
    data = stream.getvalue()
    for place in range(128):
        for value in (0, 9, 39, 40, 45, 48, 92, 123, 255):
            changed = bytearray(data)
            changed[place] = value
            try:
                header = read_header(io.BytesIO(changed))
            except ValueError as error:
                assert str(error).startswith(("damaged NPY", "got an array of", "got NPY version"))
            else:
                assert min(header.shape, default=0) >= 0
