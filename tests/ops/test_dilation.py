import numpy as np
import pytest

import convcli
from convcli.errors import ShapeError

pytestmark = pytest.mark.without_jit


def spread(array, rates, first_axis):
    for axis, rate in enumerate(rates, first_axis):
        shape = list(array.shape)
        shape[axis] = (shape[axis] - 1) * rate + 1
        wide = np.zeros(shape, array.dtype)
        wide[(slice(None),) * axis + (slice(None, None, rate),)] = array
        array = wide
    return array


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "float16", "float32", "int64", "g"])
@pytest.mark.parametrize("rate", [1, 2, (3, 1), (1, 5)])
@pytest.mark.parametrize(("shape", "first"), [((3, 4), 0), ((3, 1, 2), 0), ((2, 3, 4, 3), 1)])
def test_dilate2d(dtype, rate, shape, first):
    image = np.random.default_rng(1).integers(1, 100, shape).astype(dtype)
    result = convcli.dilate2d(image, rate)
    assert result.dtype == image.dtype
    assert np.array_equal(result, spread(image, (rate, rate) if isinstance(rate, int) else rate, first))


@pytest.mark.parametrize(("shape", "first"), [((2, 3, 4), 0), ((2, 3, 4, 2), 0), ((2, 2, 3, 4, 1), 1)])
def test_dilate3d(shape, first):
    image = np.random.default_rng(1).random(shape)[..., ::-1]
    assert np.array_equal(convcli.dilate3d(image, (2, 1, 3)), spread(image, (2, 1, 3), first))


@pytest.mark.parametrize("rate", [0, -1, 1.5, (1, 2, 3), "2", 10**14])
def test_a_rate_that_cannot_be(rate):
    with pytest.raises(ShapeError, match=r"^(rate|result): got [^\n]*$"):
        convcli.dilate2d(np.ones((2, 2)), rate)
