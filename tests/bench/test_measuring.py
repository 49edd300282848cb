"""Checking before timing: a wrong peer has no number, a failing one ends nothing, turns are taken."""

import itertools

import numpy as np
import pytest

from convcli.bench.measuring import distance, measure, time_in_turns
from convcli.bench.model import Case, Contest, Limits, Side, Tolerance, Work
from convcli.errors import ConvcliError

RIGHT = np.arange(12, dtype=np.uint8).reshape(3, 4)


def case(contest, peers=("opencv",)):
    return Case("filter", "RGB", "3x3", peers, lambda: contest)


def measure_it(contest, **words):
    words.setdefault("repeats", 2)
    return measure(case(contest), contest, None, pause=0, **words)


def test_an_equal_peer_has_a_ratio_and_a_wrong_one_has_none():
    wrong = RIGHT.copy()
    wrong[1, 2] += 3
    calls = []
    sides = (
        Side("right", lambda: RIGHT + np.uint8(1), "opencv"),
        Side("wrong", lambda: calls.append(1) or wrong, "scipy"),
    )
    found = measure_it(Contest(Side("convcli", lambda: RIGHT), sides, Tolerance(1)))
    right, other = found.peers
    assert right.equal and right.difference == 1 and found.ratio(right) > 0
    assert not other.equal and other.difference == 3 and other.times is None
    assert len(calls) == 1, "a peer that is not equal must not be timed"


def test_without_an_equal_peer_our_number_is_not_there_either():
    wrong = (Side("wrong", lambda: RIGHT + np.uint8(9), "opencv"),)
    assert measure_it(Contest(Side("convcli", lambda: RIGHT), wrong, Tolerance(1))).times is None
    assert measure_it(Contest(Side("convcli", lambda: RIGHT), (), Tolerance(1))).times is None
    alone = Contest(Side("convcli", lambda: RIGHT), (), Tolerance(1), alone=lambda: None)
    assert measure_it(alone).times is not None


def test_a_peer_that_fails_is_reported_and_ours_is_not_hidden():
    def fail():
        raise RuntimeError("no such\nthing")

    contest = Contest(Side("convcli", lambda: RIGHT), (Side("broken", fail, "opencv"),), Tolerance(1))
    assert measure_it(contest).peers[0].failure == "failed: no such thing"
    with pytest.raises(RuntimeError):
        measure_it(Contest(Side("convcli", fail), (), Tolerance(1)))


def test_our_own_wrong_result_ends_the_run():
    def wrong():
        raise ConvcliError("shape: got other output")

    with pytest.raises(ConvcliError):
        measure_it(Contest(Side("convcli", lambda: RIGHT), (), Tolerance(1), alone=wrong))


def test_another_shape_is_not_equal_but_an_axis_of_one_is_no_shape():
    sides = (Side("cut", lambda: RIGHT[:2], "opencv"), Side("grey", lambda: RIGHT[..., None], "scipy"))
    cut, grey = measure_it(Contest(Side("convcli", lambda: RIGHT), sides, Tolerance(0))).peers
    assert "gave shape" in cut.failure and cut.times is None
    assert grey.equal


def test_a_margin_is_left_out_and_several_arrays_are_all_compared():
    border = RIGHT.copy()
    border[0] = 99
    inner = Contest(Side("convcli", lambda: RIGHT), (Side("p", lambda: border, "opencv", margin=1),), Tolerance(0))
    assert measure_it(inner).peers[0].equal
    pair = Contest(
        Side("convcli", lambda: (RIGHT, RIGHT)), (Side("p", lambda: (RIGHT, border), "opencv"),), Tolerance(0)
    )
    assert not measure_it(pair).peers[0].equal


def test_times_are_the_clocks_and_the_ratio_is_theirs():
    ticks = {"convcli": 2.0, "peer": 5.0}
    now = itertools.count()
    clock = {"time": 0.0}

    def side(name):
        def run():
            clock["time"] += ticks[name]
            next(now)
            return RIGHT

        return Side(name, run, "opencv")

    contest = Contest(side("convcli"), (side("peer"),), Tolerance(0), Work(40, 4))
    found = measure(
        case(contest), contest, Limits(bytes=40, multiply_adds=100), repeats=3, pause=0, clock=lambda: clock["time"]
    )
    assert found.times.seconds == (2.0, 2.0, 2.0) and found.peers[0].times.seconds == (5.0, 5.0, 5.0)
    assert found.ratio(found.peers[0]) == 2.5
    assert found.share.part == 0.5 and found.share.of == "copying"


def test_sides_take_turns_and_a_slow_one_sits_out():
    order, clock = [], {"time": 0.0}

    def side(name, seconds):
        def run():
            order.append(name)
            clock["time"] += seconds

        return Side(name, run)

    ours, quick, slow = side("o", 0.1), side("q", 0.1), side("s", 3.0)
    times = time_in_turns([ours, quick, slow], repeats=None, clock=lambda: clock["time"])
    assert order[:3] == ["o", "q", "s"], "each side's first call is not timed"
    assert order[3:18] == ["o", "o", "q", "q", "s"] * 3, "short calls follow an untimed one"
    assert len(times[id(slow)].seconds) == 3 and len(times[id(quick)].seconds) == len(times[id(ours)].seconds) == 9


@pytest.mark.parametrize(
    ("kind", "expected"), [("largest", 4.0), ("relative", 0.5), ("mean", 2.0)],
)  # fmt: skip
def test_distances(kind, expected):
    assert distance(np.array([8.0, 2.0]), np.array([8.0, 6.0]), kind) == expected


def test_distance_does_not_wrap_and_nan_is_far():
    assert distance(np.array([0], np.uint8), np.array([255], np.uint8), "largest") == 255
    assert distance(np.array([0.0]), np.array([np.nan]), "largest") == float("inf")
