"""Every group's cases are right: small, each side's result is equal to ours. No time is looked at."""

import doctest
from importlib import import_module

import pytest

from convcli.bench import measuring, model, peers, programs
from convcli.bench.groups import GROUPS
from convcli.bench.model import Limits, Setting
from convcli.bench.report import cases_of, chosen_groups, head_of, measure_cases

HERE = frozenset(key for key in peers.PEERS if peers.version(key))
LIMITS = Limits(1e10, 1e10)


def wrong(measured):
    return [(measured.name, each) for each in measured.peers if not each.equal]


@pytest.mark.parametrize("group", [name for name in GROUPS if name not in ("start", "files")])
def test_every_installed_peer_is_equal(group):
    setting = Setting(2, HERE, quick=True, repeats=1)
    cases = cases_of(group, setting)
    found = list(measure_cases(cases, setting, LIMITS))
    assert [each.name for each in found] == [each.name for each in cases] and found
    assert [each for row in found for each in wrong(row)] == []
    for case, row in zip(cases, found, strict=True):
        assert {each.peer for each in row.peers} == set(case.peers) & HERE
        assert (row.times is not None) == bool(row.peers)


def test_a_short_command_beside_programs():
    setting = Setting(1, HERE, quick=True, repeats=1)
    found = list(measure_cases(cases_of("start", setting), setting, None))
    assert [each.times is not None for each in found[:2]] == [True, True]
    assert [each for row in found for each in wrong(row)] == []


def test_writing_png_beside_opencv():
    pytest.importorskip("cv2")
    setting = Setting(1, frozenset({"opencv"}), quick=True, repeats=1)
    cases = [case for case in cases_of("files", setting) if case.name == "PNG"]
    (found,) = measure_cases(cases, setting, None)
    assert wrong(found) == [] and found.times is not None
    assert "convcli 0." in found.note and "opencv 0." in found.note


def test_files_beside_programs():
    programs_here = HERE & set(programs.PROGRAMS)
    if not programs_here:
        pytest.skip("needs vips, gm or convert")
    setting = Setting(1, programs_here, quick=True, repeats=1)
    cases = [case for case in cases_of("files", setting) if case.name != "PNG"]
    assert [each for row in measure_cases(cases, setting, None) for each in wrong(row)] == []


def test_without_names_all_but_the_slow_group():
    assert chosen_groups(()) == [name for name in GROUPS if name != "files"]
    assert chosen_groups(("files", "box")) == ["box", "files"]
    assert all(head_of(name, Setting(1)) for name in GROUPS)


@pytest.mark.parametrize("module", [model, measuring, programs])
def test_examples_run(module):
    assert doctest.testmod(import_module(module.__name__)).failed == 0
