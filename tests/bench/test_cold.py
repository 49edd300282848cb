"""First runs: what a process took is known, each has a cache of its own, and the table holds its columns."""

import json
import os
import sys

import pytest

from convcli.bench import cold
from convcli.bench.cold import ColdCase, ColdRun, Seconds, cases, measure_cold, run_timed
from convcli.bench.model import Setting
from convcli.cli import bench_cold
from convcli.errors import ConvcliError

ECHO = "import os, sys; print(os.environ['NUMBA_CACHE_DIR'], file=open(sys.argv[-1], 'a'))"


def test_what_a_process_takes_is_that_of_its_children_too():
    busy = "sum(range(3_000_000))"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    found = run_timed([sys.executable, "-c", nested], dict(os.environ))
    assert found.processor > 0 and found.clock > 0
    assert found.processor > run_timed([sys.executable, "-c", ""], dict(os.environ)).processor


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no such picture')"], r"exit code 1 \(no such picture\)"),
        (["no-such-program-here"], "no-such-program-here: No such file"),
    ],
)
def test_a_command_that_fails_is_named(command, message):
    with pytest.raises(ConvcliError, match=message):
        run_timed(command, dict(os.environ))


def test_each_side_of_each_case_has_a_cache_of_its_own_for_both_runs(tmp_path, monkeypatch):
    told = tmp_path / "caches"
    command = [sys.executable, "-c", ECHO]
    monkeypatch.setattr(cold, "convcli_command", lambda: command)
    chosen = [ColdCase("one", (str(told),)), ColdCase("two", (str(told),))]
    ((_, first), (_, second)) = measure_cold(chosen, Setting(1), command)
    assert [run.side for run in (*first, *second)] == ["convcli", "other"] * 2
    caches = told.read_text().split()
    assert caches[::2] == caches[1::2] and len(set(caches)) == 4


def test_the_cases_cover_the_commands_with_names_of_their_own():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert {"sharpen uint16", "gaussian RGBA", "sobel RGB", "canny RGB", "predict", "train digits"} <= set(names)


def test_rows_have_80_columns_at_most_and_a_ratio_where_there_is_another():
    slow, fast = Seconds(86.125, 90.5), Seconds(0.25, 0.5)
    runs = [ColdRun("convcli", Seconds(21.5, 12.25), fast), ColdRun("other", slow, fast), ColdRun("vips", fast)]
    lines = bench_cold.rows(ColdCase("train digits", ()), runs)
    assert lines[0].split() == ["train", "digits", "convcli", "21.50", "12.25", "0.25", "0.50", "0.25"]
    assert lines[2].split() == ["vips", "0.25", "0.50"]
    assert max(map(len, [*lines, bench_cold.heading()])) <= 80


def test_the_command_prints_what_was_measured(convcli, monkeypatch):
    monkeypatch.setattr(bench_cold, "cases", lambda: [ColdCase("help", ("--help",)), ColdCase("other", ("--nothing",))])
    found = json.loads(convcli("bench", "cold", "--only", "help", "--json").out)
    ((case, runs),) = [(each["case"], each["runs"]) for each in found["cold"]]
    assert case == "help" and [run["side"] for run in runs] == ["convcli"]
    assert runs[0]["first"]["processor"] > 0 and runs[0]["second"]["clock"] > 0
    assert (
        convcli("bench", "--threads", "1", "--only", "help", "cold")
        .out.splitlines()[-1]
        .startswith("help             convcli")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cold", "--only", "nothing"), "--only: got nothing, expected words of 3x3 RGB, sharpen RGB"),
        (("filter", "--only", "sharpen"), "It is an option of convcli bench cold and convcli bench scaling."),
        (("filter", "--beside", "convcli"), "It is an option of convcli bench cold."),
        (("filter", "--threads", "1", "cold"), "filter"),
        (("cold", "--quick"), "--quick"),
    ],
)
def test_wrong_usage(convcli, words, message):
    result = convcli("bench", *words)
    assert result.code == 2 and message in result.err
