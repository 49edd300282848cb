"""`convcli bench`: what it prints and what it refuses; `tests/bench` has the measuring."""

import json

import numpy as np
import pytest

from convcli.bench import report
from convcli.bench.groups import GROUPS
from convcli.bench.model import Compared, Contest, Mean, Measurement, Share, Side, Times, Tolerance
from convcli.bench.peers import PEERS
from convcli.cli import bench, bench_table
from convcli.extras import install


def test_quick_groups_against_what_the_tests_have(convcli):
    pytest.importorskip("cv2")
    groups = ("gaussian", "morph")
    result = convcli("bench", *groups, "--quick", "--against", "opencv", "--repeats", 1, "--json", "--threads", 2)
    document = json.loads(result.out)
    assert result.code == 0, document["measurements"]
    assert document["setting"]["threads"] == 2 and document["limits"]["copied_bytes_per_second"] > 0
    assert {each["group"] for each in document["measurements"]} == set(groups)
    for each in document["measurements"]:
        (peer,) = each["peers"]
        assert peer["equal"] and peer["ratio"] > 0 and len(peer["seconds"]) == 1
        assert len(each["convcli"]["seconds"]) == 1 and each["limit"]["part"] > 0
    assert {mean["against"] for mean in document["means"]} == {"opencv"}


def test_a_table_of_a_volume(convcli):
    pytest.importorskip("scipy")
    result = convcli("bench", "volume", "--quick", "--against", "scipy", "--repeats", 1)
    assert result.code == 0
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("x SciPy" in line and "(" in line for line in lines) >= 6
    assert any(line.startswith("limits measured now") for line in lines)
    assert any(line.startswith("mean of 3") for line in lines)


def fake_case(monkeypatch, peers):
    """One case in every group, made of zeros."""
    zeros = np.zeros((4, 4), np.uint8)
    contest = Contest(Side("convcli", lambda: zeros), peers(zeros), Tolerance(1))
    monkeypatch.setattr(
        report, "cases_of", lambda group, setting: [report.Case(group, "RGB", "3x3", ("opencv",), lambda: contest)]
    )
    monkeypatch.setattr(report, "needs_limits", lambda groups: False)


def test_a_peer_that_is_wrong_gets_a_line_without_a_number_and_exit_1(convcli, monkeypatch):
    fake_case(monkeypatch, lambda zeros: (Side("liar", lambda: zeros + np.uint8(7), "opencv"),))
    result = convcli("bench", "box", "--repeats", 1)
    assert result.code == 1
    assert "3x3                - liar: 7 apart, equal up to 1: not shown" in result.out.splitlines()
    assert "convcli, ms" in result.out and "(0." not in result.out
    document = json.loads(convcli("bench", "box", "--repeats", 1, "--json").out)
    (measured,) = document["measurements"]
    assert measured["convcli"] is None
    assert measured["peers"] == [
        {"peer": "opencv", "name": "liar", "equal": False, "difference": 7.0, "failure": "", "ratio": None}
    ]


def test_no_peer_at_all(convcli, monkeypatch):
    fake_case(monkeypatch, lambda zeros: ())
    monkeypatch.setattr(bench, "version", lambda key: None)
    result = convcli("bench", "box")
    assert result.code == 0
    assert f"not installed: OpenCV; {install('bench')}" in result.out.splitlines()
    assert "no peer here to check it against: not shown" in result.out


def test_the_list_measures_nothing(convcli):
    result = convcli("bench", "--list")
    assert result.code == 0 and result.err == ""
    for name in GROUPS:
        assert any(line.startswith(f"{name}: ") for line in result.out.splitlines())
    document = json.loads(convcli("bench", "--list", "conv", "--json").out)
    assert list(document["groups"]) == ["conv"] and len(document["groups"]["conv"]) == 27
    assert list(document["peers"]) == ["torch"] and "not in the extra bench" in document["peers"]["torch"]["install"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nonsense"], "'nonsense' is not one of"),
        (["--against", "matlab"], "got 'matlab', expected some of opencv,"),
        (["--quick", "--size", "3"], "--quick chooses its own sizes"),
        (["--repeats", "0"], "--repeats"),
    ],
)
def test_wrong_usage(convcli, words, message):
    result = convcli("bench", *words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err and result.err.count("\n") == 1


def test_the_help_names_every_group_and_peer(convcli):
    text = convcli("bench", "--help").out
    for name, group in GROUPS.items():
        assert f"{name:<9} {group.line}" in text
    assert all(key in text for key in PEERS)


def test_rows_have_80_columns_at_most():
    peer = Compared("torch", "graphicsmagick loop", 0.0, Times((12.3456, 11.0, 99.9)))
    slow = Measurement(
        "conv", "forward", "28x28x128-128", "1", Times((0.01, 1.2345, 9.9994)), (peer,), Share(1.53, "copying")
    )
    fast = Measurement("train", "all", "10,000 images", "1", Times((1.0, 0.9, 2.0)), (peer,), images=9_345_600)
    for measured in (slow, fast):
        (line,) = bench_table.rows(measured)
        assert len(line) <= 80, line
    assert "10.0x" in bench_table.row(slow, peer) and "1234 (10.0-9999)" in bench_table.row(slow, peer)
    assert len(bench_table.heading(images=True)) <= 80 and len(bench_table.heading(images=False)) <= 80
    assert bench_table.mean_line(Mean("conv", "forward", "torch", 1.5, 6)) == "mean of 6      1.50x PyTorch (forward)"
