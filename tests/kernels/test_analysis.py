"""Separable or not, uniform or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.kernels import LIBRARY, kernel, parse_kernel
from convcli.kernels.analysis import is_uniform, separable_factors, separable_terms


def outer(factors):
    product = factors[0]
    for factor in factors[1:]:
        product = np.multiply.outer(product, factor)
    return product


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("sobel-x", [[1, 2, 1], [-1, 0, 1]]),
        ("sobel-y", [[-1, 0, 1], [1, 2, 1]]),
        ("scharr-x", [[3, 10, 3], [-1, 0, 1]]),
        ("prewitt-y", [[-1, 0, 1], [1, 1, 1]]),
        ("robinson-w", [[1, 2, 1], [1, 0, -1]]),
        ("binomial", [[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]]),
        ("sobel3d-z", [[-1, 0, 1], [1, 2, 1], [1, 2, 1]]),
        ("identity", [[0, 1, 0], [0, 1, 0]]),
        ("1 1; 1 1", [[1, 1], [1, 1]]),
        ("-1 0 1", [[1], [-1, 0, 1]]),
        ("-2 -2; -2 -2", [[-2, -2], [1, 1]]),
        ("1 0 -1; 0 0 0; -1 0 1", [[-1, 0, 1], [-1, 0, 1]]),
        ("6 9; 4 6", [[3, 2], [2, 3]]),
        ("3", [[3], [1]]),
    ],
)
def test_factors_of_integers_are_exact_integers(name, factors):
    found = separable_factors(kernel(name))
    assert [each.tolist() for each in found] == factors
    assert not any(np.signbit(each[each == 0]).any() for each in found)


def test_farid_factors_come_back_as_published():
    smooth, slope = separable_factors(kernel("farid-x"))
    assert smooth.sum() == pytest.approx(1, abs=1e-14)
    assert slope.tolist() == pytest.approx(
        [-0.109603762960254, -0.276690988455557, 0, 0.276690988455557, 0.109603762960254]
    )


SEPARABLE = {"identity", "box", "gaussian", "binomial", "motion", "gabor", "box3d", "gaussian3d", "sobel3d-x"}


@pytest.mark.parametrize("name", [name for name, entry in LIBRARY.items() if entry.combine == "single"])
def test_factors_of_the_library_reproduce_it(name):
    weights = parse_kernel(name).weights
    factors = separable_factors(weights)
    assert factors is not None or name not in SEPARABLE
    if factors is not None:
        assert [len(each) for each in factors] == list(weights.shape)
        np.testing.assert_allclose(outer(factors), weights, rtol=1e-14, atol=1e-15 * np.abs(weights).max())


@pytest.mark.parametrize(
    "name", ["laplacian", "sharpen", "disk", "log", "kirsch-e", "roberts-x", "laplacian3d", "line-45"]
)
def test_kernels_of_higher_rank_have_no_factors(name):
    assert separable_factors(kernel(name)) is None


def test_zeros():
    found = separable_factors(np.zeros((3, 5)))
    assert [each.tolist() for each in found] == [[0] * 3, [0] * 5]


finite = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-6)


@given(st.lists(st.lists(finite, min_size=1, max_size=9), min_size=2, max_size=3))
def test_outer_products_are_found(lists):
    weights = outer([np.array(each) for each in lists])
    factors = separable_factors(weights)
    assert factors is not None
    largest = np.abs(weights).max()
    np.testing.assert_allclose(outer(factors), weights, rtol=0, atol=1e-14 * largest)
    for axis, factor in enumerate(factors):
        others = tuple(each for each in range(weights.ndim) if each != axis)
        empty = ~np.abs(weights).max(axis=others).astype(bool)
        assert (factor[empty] == 0).all(), "an empty row or column must be an exact zero"


@given(st.lists(st.lists(st.integers(-1000, 1000), min_size=1, max_size=7), min_size=2, max_size=3))
def test_outer_products_of_integers_are_found_exactly(lists):
    weights = outer([np.array(each, dtype=float) for each in lists])
    factors = separable_factors(weights)
    np.testing.assert_array_equal(outer(factors), weights)
    assert all((each == np.rint(each)).all() for each in factors)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 10**6), st.sampled_from([1e-9, 1e-3, 1.0]))
def test_a_disturbed_outer_product_is_refused(height, width, seed, size):
    random = np.random.default_rng(seed)
    weights = np.multiply.outer(random.uniform(0.5, 1, height), random.uniform(0.5, 1, width))
    weights[random.integers(height), random.integers(width)] += size
    assert separable_factors(weights) is None


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e30])
def test_extreme_magnitudes_do_not_warn_or_fail(scale):
    weights = kernel("gaussian") * scale
    factors = separable_factors(weights)
    assert factors is None or np.allclose(outer(factors), weights, rtol=1e-10, atol=1e-300)


def test_uniform():
    assert is_uniform(kernel("box:size=3x8")) and is_uniform([[2.0]]) and is_uniform(kernel("box3d"))
    assert not is_uniform(kernel("gaussian")) and not is_uniform([[1, 1], [1, 1.0000001]])


@pytest.mark.parametrize(
    ("name", "count", "most"),
    [
        ("unsharp:sigma=5", 2, 41 + 41 + 1 + 1),
        ("dog:sigma=2,sigma2=3", 2, 4 * 25),
        ("log:sigma=2", 3, 6 * 17),
        ("gaussian:sigma=2", 1, 2 * 17),
    ],
)
def test_terms_of_the_library(name, count, most):
    weights = kernel(name)
    terms = separable_terms(weights)
    assert len(terms) == count
    assert sum(np.count_nonzero(line) for term in terms for line in term) <= most
    assert np.abs(sum(outer(term) for term in terms) - weights).max() <= 1e-14 * np.abs(weights).max()


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(8, 20), st.integers(8, 20))
def test_a_sum_of_outer_products_has_as_many_terms(seed, rank, height, width):
    numbers = np.random.default_rng(seed)
    weights = numbers.standard_normal((height, rank)) @ numbers.standard_normal((rank, width))
    terms = separable_terms(weights)
    assert len(terms) in (0, rank), "an ill-conditioned matrix may have none"
    for columns, rows in terms:
        assert columns.shape == (height,) and rows.shape == (width,)
    if terms:
        assert np.abs(sum(outer(term) for term in terms) - weights).max() <= 1e-14 * np.abs(weights).max()


def test_matrices_of_full_rank_have_no_terms(rng):
    assert separable_terms(rng.standard_normal((9, 9))) == ()
    assert separable_terms(np.eye(7)) == ()
    assert separable_terms(np.eye(60)) == (), "more terms than anyone would add up"


def test_terms_that_cancel_each_other_are_refused():
    """Their sum is the matrix, but what they round away is much larger than it."""
    huge = np.full((9, 9), 1e6)
    huge[::2] *= -1
    column, row = np.linspace(0, 1, 9), np.linspace(-1, 1, 9)
    found = separable_terms(np.outer(column, row) + 1e-9 * huge)
    assert sum(np.abs(outer(term)).sum() for term in found) < 10 * np.abs(np.outer(column, row)).sum()
