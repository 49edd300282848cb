"""Numbers from given times: ratios, means, limits."""

import pytest

from convcli.bench.model import Compared, Limits, Measurement, Setting, Share, Times, Work, means


def measured(name, ours, peers, group="filter", column="RGB"):
    compared = tuple(Compared(peer, label, 0.0, Times(seconds) if seconds else None) for peer, label, seconds in peers)
    return Measurement(group, column, name, "1", Times(ours) if ours else None, compared)


def test_a_ratio_is_the_peers_median_by_ours():
    row = measured("3x3", (2.0, 1.0, 9.0), [("opencv", "OpenCV", (5.0, 3.0, 4.0)), ("scipy", "SciPy", None)])
    assert row.ratio(row.peers[0]) == 2.0
    assert row.ratio(row.peers[1]) is None and not row.peers[1].equal
    assert row.times.median == 2 and row.times.spread == (1.0, 9.0)
    assert row.best is row.peers[0]


def test_means_are_geometric_and_take_the_faster_layout_and_the_best_peer():
    first = measured("a", (1.0,), [("torch", "contiguous", (4.0,)), ("torch", "last", (2.0,)), ("scipy", "S", (1.0,))])
    second = measured(
        "b", (1.0,), [("torch", "contiguous", (8.0,)), ("torch", "last", (9.0,)), ("scipy", "S", (16.0,))]
    )
    found = {mean.against: (mean.ratio, mean.cases) for mean in means([first, second])}
    assert found == {
        "torch": (pytest.approx(4.0), 2),
        "scipy": (pytest.approx(4.0), 2),
        "the best of them": (pytest.approx(8**0.5), 2),
    }


def test_a_mean_leaves_out_what_was_not_equal_and_needs_two_cases():
    rows = [measured("a", (1.0,), [("opencv", "O", (2.0,))]), measured("b", (1.0,), [("opencv", "O", None)])]
    assert means(rows) == []


def test_the_nearer_limit_is_the_one_that_counts():
    limits = Limits(bytes=100.0, multiply_adds=10.0)
    assert limits.share(Work(50, 20), 4.0) == Share(0.5, "multiply-adds")
    assert limits.share(Work(200, 20), 4.0) == Share(0.5, "copying")


def test_sizes():
    assert Setting(2).picture_size == (4000, 6000) and Setting(2).volume_side == 256
    assert Setting(2, megapixels=3).volume_side == 128
    assert Setting(2, quick=True).picture_size == (200, 300)
