"""Bit depths: every value against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from convcli.errors import ImageError
from convcli.images import convert_depth
from convcli.images.depth import look_up, stretch, supported

EIGHT, SIXTEEN = np.arange(256, dtype=np.uint8), np.arange(65536, dtype=np.uint16)


def test_8_to_16_and_back():
    wide = convert_depth(EIGHT, np.uint16)
    np.testing.assert_array_equal(wide, EIGHT.astype(int) * 257)
    np.testing.assert_array_equal(convert_depth(wide, np.uint8), EIGHT)


def test_16_to_8_every_value():
    expected = [round(Fraction(int(value), 257)) for value in SIXTEEN]
    np.testing.assert_array_equal(convert_depth(SIXTEEN, "uint8"), expected)


@pytest.mark.parametrize("values", [EIGHT, SIXTEEN])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_to_float_and_back_every_value(values, dtype):
    floats = convert_depth(values, dtype)
    assert floats.dtype == dtype
    np.testing.assert_array_equal(floats, (values / (len(values) - 1)).astype(dtype))
    np.testing.assert_array_equal(convert_depth(floats, values.dtype), values)


def test_from_float_clips_and_rounds_half_to_even():
    values = np.array([-1, 0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1, 7, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(convert_depth(values, np.uint8), [0, 0, 0, 2, 2, 255, 255, 0, 255, 0])


def test_same_type_is_not_copied():
    assert convert_depth(EIGHT, np.uint8) is EIGHT


def test_shape_and_layout():
    turned = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 1, 0)
    for dtype in ("uint16", "float32"):
        result = convert_depth(turned, dtype)
        assert result.shape == (4, 3, 2) and result.flags.c_contiguous
    big = np.arange(200_000, dtype=np.uint16).reshape(400, 500)
    np.testing.assert_array_equal(convert_depth(big, np.uint8), (big.astype(int) + 128) // 257)


def test_other_types_are_refused():
    with pytest.raises(ImageError, match="pixel type: got int32, expected one of uint8, uint16"):
        convert_depth(EIGHT, np.int32)


@pytest.mark.parametrize("white", [1, 3, 15, 100, 254, 255, 256, 1023, 4095, 65534, 65535])
def test_stretch_every_value(white):
    full = 255 if white <= 255 else 65535
    got = stretch(np.arange(white + 1, dtype=np.uint16), white)
    exact = [(2 * value * full + white) // (2 * white) for value in range(white + 1)]
    np.testing.assert_array_equal(got, exact)
    assert got.dtype == (np.uint8 if white <= 255 else np.uint16)


def test_stretch_refuses_values_above_white():
    with pytest.raises(ImageError, match="it holds the value 16, expected at most 15"):
        stretch(np.array([16], np.uint8), 15)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [("int8", "float32"), ("int16", "float32"), ("float16", "float32"), ("int32", "float64"), ("uint32", "float64"),
     ("int64", "float64"), (">u2", "uint16"), (">f4", "float32")],
)  # fmt: skip
def test_supported_is_exact(source, wanted):
    values = np.array([0, 1, 100], source)
    got, notes = supported(values)
    assert got.dtype == wanted and got.dtype.isnative
    np.testing.assert_array_equal(got, values)
    assert bool(notes) == (source == "float16")


def test_supported_refuses_what_it_would_round():
    for values in (np.array([2**53 + 1]), np.array([1j]), np.array([1], np.longdouble)):
        with pytest.raises(ImageError, match=f"got {values.dtype.name} values, expected"):
            supported(values)
    np.testing.assert_array_equal(supported(np.array([True, False]))[0], [255, 0])


def test_look_up_in_blocks():
    table = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    indices = np.random.default_rng(1).integers(0, 256, (300, 301), dtype=np.uint8)
    np.testing.assert_array_equal(look_up(table, indices), table[indices])


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<u2", ">u2", "<i2"])
def test_numbers_at_odd_places_come_aligned(dtype):
    wanted = np.arange(12).astype(dtype).reshape(3, 4)
    odd = np.frombuffer(b"\0" + wanted.tobytes(), dtype, offset=1).reshape(3, 4)
    assert not odd.flags.aligned
    read, _ = supported(odd)
    assert read.flags.aligned and read.dtype.isnative
    np.testing.assert_array_equal(read, wanted)
