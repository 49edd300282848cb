"""What the pen and the paper do to a digit; scenes of all kinds are `tests/jobs/test_predict_shipped.py`'s."""

import numpy as np
import pytest
from drawn_digits import lit, painted, pen, to_bytes

from convcli.datasets import prepare_digit
from convcli.errors import DataError


def test_strokes_are_as_thick_as_mnists_whatever_the_pen():
    for digit in range(10):
        thin = prepare_digit((1 - pen(digit, 300, 2)).astype(np.float32))
        thick = prepare_digit((1 - pen(digit, 300, 24)).astype(np.float32))
        assert 0.35 < thin.sum() / thick.sum() < 1.05, digit


@pytest.mark.parametrize("seed", range(3))
def test_empty_paper_stays_an_error_where_it_is_evenly_lit(seed):
    rng = np.random.default_rng(seed)
    for noise in (1, 4, 12):
        with pytest.raises(DataError, match="no digit found"):
            prepare_digit(to_bytes(lit(painted(np.zeros((300, 400)), (240, 240, 235)), rng, noise=noise)))
