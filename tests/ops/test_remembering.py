"""What is found once for weights of the same content, and what it does not hold on to."""

import doctest
import gc
import weakref

import numpy as np

from convcli.ops import remembering
from convcli.ops.plan import plan_correlation
from convcli.ops.remembering import remembered


def test_content_type_and_other_arguments_decide():
    calls = []

    @remembered
    def total(weights, scale=1, more=()):
        calls.append(scale)
        return float(weights.sum() * scale) + sum(float(each.sum()) for each in more)

    weights = np.arange(6.0)
    assert [total(weights), total(weights[::-1][::-1]), total(weights.copy())] == [15.0] * 3 and len(calls) == 1
    others = [
        total(weights, 2), total(weights, scale=3), total(weights.reshape(2, 3)), total(weights.astype(np.float32)),
        total(weights, 1, [weights]), total(weights, 1, (weights,)), total(weights, 1, [weights, weights]),
    ]  # fmt: skip
    assert others == [30.0, 45.0, 15.0, 15.0, 30.0, 30.0, 45.0] and len(calls) == 8
    assert [total(weights=weights), total(weights=weights.copy())] == [15.0] * 2 and len(calls) == 9
    weights[0] = 10
    assert total(weights) == 25.0
    assert [total(np.ones(5000)), total(np.ones(5000))] == [5000.0] * 2 and len(calls) == 12  # too large to be kept


def test_a_plan_is_not_changed_by_who_changes_its_weights_and_does_not_hold_them():
    weights = np.random.default_rng(5).random((3, 3))
    before, held = weights.copy(), weakref.ref(weights)
    plan = plan_correlation(weights, np.uint8)
    weights[:] = 0
    assert plan_correlation(before, np.uint8) is plan and np.array_equal(plan.weights[0], before)
    del weights
    gc.collect()
    assert held() is None


def test_examples_run():
    assert doctest.testmod(remembering).failed == 0


def test_numbers_of_other_types_are_other_arguments():
    kind = remembered(lambda value: type(value))
    assert [kind(1), kind(1.0), kind(True), kind({})] == [int, float, bool, dict]
