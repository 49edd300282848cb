"""Initial weights: their statistics, Keras's formulas, and the seed."""

import numpy as np
import pytest

from convcli.architectures import Named
from convcli.errors import ModelError
from convcli.nn.initializers import fans, initial
from convcli.nn.randomness import generator_for, restore, state_of

SHAPE = (3, 3, 32, 64)
VARIANCES = {"glorot": 2 / (9 * 32 + 9 * 64), "he": 2 / (9 * 32), "lecun": 1 / (9 * 32)}


def drawn(name, shape=SHAPE, **arguments):
    return initial(Named(name, tuple(arguments.items())), shape, np.random.default_rng(1))


@pytest.mark.parametrize("family", list(VARIANCES))
def test_variances(family):
    uniform, normal = drawn(f"{family}_uniform"), drawn(f"{family}_normal")
    for values in (uniform, normal):
        assert values.var() == pytest.approx(VARIANCES[family], rel=0.03)
        assert abs(values.mean()) < 0.03 * values.std()
    assert np.abs(uniform).max() == pytest.approx(np.sqrt(3 * VARIANCES[family]), rel=1e-3)
    # Cut off at two standard deviations of the distribution before the cut.
    assert np.abs(normal).max() <= 2 * np.sqrt(VARIANCES[family]) / 0.8796256


def test_plain_ones():
    assert drawn("zeros").max() == 0 and drawn("ones").min() == 1 and (drawn("constant", value=0.3) == 0.3).all()
    assert drawn("random_normal").std() == pytest.approx(0.05, rel=0.02)
    assert drawn("random_normal", mean=1.0, stddev=2.0).mean() == pytest.approx(1, abs=0.05)
    assert np.abs(drawn("truncated_normal", stddev=0.5)).max() <= 1
    uniform = drawn("random_uniform", minval=1.0, maxval=3.0)
    assert uniform.min() >= 1 and uniform.max() < 3 and uniform.mean() == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("shape", [(2, 2, 3, 5), (2, 20), (20, 2)])
def test_orthogonal(shape):
    matrix = drawn("orthogonal", shape, gain=2.0).reshape(-1, shape[-1])
    small = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)
    with pytest.raises(ModelError, match="orthogonal: got weights of shape"):
        drawn("orthogonal", (3,))


def test_fans():
    assert fans((7,)) == (7, 7) and fans((4, 5)) == (4, 5) and fans((3, 3, 2, 8)) == (18, 72)


def test_generators_are_apart_and_can_be_saved():
    first, second = generator_for(0, 1), generator_for(0, 2)
    assert first.random() != second.random()
    first.random(dtype=np.float32)  # leaves half a word behind
    state = state_of(first)
    expected = first.random(5, dtype=np.float32)
    restore(second, state)
    np.testing.assert_array_equal(second.random(5, dtype=np.float32), expected)
    with pytest.raises(ModelError, match="random state: got int64"):
        restore(second, np.zeros(6, np.int64))


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ModelError, match="random_uniform: got minval=1, expected at most maxval"):
        initial(Named("random_uniform", (("minval", 1.0),)), (2,), np.random.default_rng(0))
