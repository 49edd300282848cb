import numpy as np
import pytest

from convcli.errors import ShapeError
from convcli.ops.ordering import as_ordered, highest, lowest

pytestmark = pytest.mark.without_jit


@pytest.mark.parametrize("dtype", ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
def test_order_is_kept_and_so_is_every_value(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        limits = np.finfo(dtype)
        values = np.array([-np.inf, limits.min, -1.5, -limits.tiny, 0, limits.tiny, 1, limits.max, np.inf], dtype)
    elif dtype.kind == "b":
        values = np.array([False, True])
    else:
        limits = np.iinfo(dtype)
        values = np.array([limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max], dtype)
        values = np.unique(values)
    ordered, restore = as_ordered(values)
    assert ordered.dtype in ("u1", "u2", "u4", "u8", "f4", "f8")
    assert (np.diff(ordered.astype(object)) > 0).all() if dtype.kind != "f" else (ordered[1:] > ordered[:-1]).all()
    assert (ordered >= lowest(ordered.dtype)).all()
    assert (ordered <= highest(ordered.dtype)).all()
    back = restore(ordered)
    assert back.dtype == dtype
    assert np.array_equal(back, values)


def test_long_doubles_are_refused():
    with pytest.raises(ShapeError, match=r"^image: got dtype"):
        as_ordered(np.ones(3, "g"))
