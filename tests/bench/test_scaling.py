"""How cost grows with the work: slopes, memory, and what `convcli bench scaling` prints, draws and refuses."""

import json

import numpy as np
import pytest

from convcli.bench.model import Setting
from convcli.bench.scaling import Growth, Point, growths, measure_growth, peak_beyond, slope, steepest


def test_a_cost_that_is_squared_has_slope_2_and_the_steepest_step_is_found():
    points = [Point(n, n**2 / 1e3, None) for n in (1, 2, 4)]
    assert slope(points) == 2.0
    assert steepest([*points, Point(8, 0.5, None)]).slope == pytest.approx(np.log2(0.5 / 0.016))
    assert steepest([*points, Point(8, 0.5, None)]).start == 4
    assert slope(points[:1]) is None and steepest(points[:1]) is None


def test_sizes_that_are_near_each_other_make_no_step():
    points = [Point(1.0, 1.0, None), Point(1.1, 5.0, None), Point(2.0, 2.0, None)]
    assert (steepest(points).slope, steepest(points).end) == (1.0, 2.0)


def test_the_shortest_time_counts():
    ticks = iter([0.0, 9.0, 10.0, 11.0, 20.0, 23.0])
    made = []
    growth = Growth("a", "b", (7.0,), lambda amount: lambda: made.append(amount))
    (point,) = measure_growth(growth, clock=lambda: next(ticks))
    assert (point.amount, point.seconds) == (7.0, 1.0)
    assert set(made) == {7.0}


def test_memory_is_what_a_call_holds_at_its_peak():
    held = peak_beyond(lambda: np.ones(200_000_000, np.uint8))
    assert held is None or 150e6 < held < 220e6


def test_the_threads_end_at_those_asked_for():
    assert [growths(Setting(n))[-1].amounts for n in (1, 2, 6)] == [(1,), (1, 2), (1, 2, 4, 6)]


def test_a_quick_one_as_json_and_drawn(convcli, tmp_path):
    pytest.importorskip("matplotlib")
    drawing = tmp_path / "scaling.svg"
    words = ("bench", "scaling", "--quick", "--only", "taps", "--plot", drawing, "--json", "--threads", 1)
    document = json.loads(convcli(*words).out)
    (told,) = document["scaling"]
    assert (told["unit"], told["in_proportion"]) == ("taps", 1.0)
    assert [point["amount"] for point in told["points"]] == [9, 25, 81]
    assert told["slope"] == slope([Point(**point) for point in told["points"]])
    assert document["plot"] == str(drawing) and "<svg" in drawing.read_text()


def test_a_table_of_80_columns_says_the_slope(convcli):
    lines = convcli("bench", "scaling", "--quick", "--only", "volume", "--threads", 1).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(" ms " in line for line in lines) == 3
    assert lines[-1].startswith("slope ") and lines[-1].endswith(" megavoxels)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("filter", "--plot", "a.png"), "--plot"),
        (("scaling", "--beside", "convcli"), "--beside"),
        (("scaling", "--overwrite"), "--overwrite: got it without --plot"),
        (("scaling", "filter"), "filter"),
        (("scaling", "--only", "tups"), "--only: got tups, expected words of sharpen"),
        (("scaling", "--plot", "a.txt"), "a.txt: got '.txt', expected a name that ends in .png, .svg or .pdf"),
        (("scaling", "--plot", "nowhere/a.png"), "nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(convcli, words, message):
    result = convcli("bench", *words)
    assert result.code == 2 or "nowhere" in words[-1] or ".txt" in words[-1]
    assert message in result.err and len(result.err.splitlines()) <= 4
