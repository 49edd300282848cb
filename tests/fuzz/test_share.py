"""A share of the fuzzer's cases, the same in every run; and that it finds what it looks for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("memory is measured as Linux does", allow_module_level=True)

from fuzz.kinds import KINDS
from fuzz.workers import Worker

ROUNDS = 8
# These may compile loops, or train: one of each here, the others by hand.
SLOW = ("arrays", "recipe", "checkpoint", "folder", "options", "seen", "volume", "model", "zarr")

# What stands for `convcli.cli.run`, and what has to be said of it.
FAULTS = """
import json, os, shutil, sys, tempfile, warnings
from pathlib import Path
from fuzz import judging
from fuzz.case import Case

def says(text, code=1):
    def run(words):
        print(text, file=sys.stderr)
        return code
    return run

def writes(name, code):
    def run(words):
        Path(os.path.expandvars(name)).write_bytes(b"half")
        return says("Error: no", code)(words) if code else 0
    return run

def warns(words):
    warnings.warn("old", RuntimeWarning)
    return 0

def fills(words):
    bytearray(1_200_000_000)
    return 0

def dies(words):
    raise KeyError("x")

def talks_in_c(words):
    os.write(2, b"Error: a\\x1b[2J\\n")
    return 1

runs = [
    (says("Error: fine"), ""),
    (says("", 0), ""),
    (says("Traceback (most recent call last):\\nError: x"), "traceback"),
    (says("Error: internal error (x)"), "internal error"),
    (says("Error: a\\nError: b"), "2 error lines"),
    (says("no error"), "0 error lines"),
    (says("Error: x", 3), "exit code 3"),
    (says("Error: \\u202e"), "u202e"),
    (talks_in_c, "x1b"),
    (warns, "RuntimeWarning: old"),
    (fills, "took 1.2 GB"),
    (dies, "raised KeyError"),
    (writes("x.convcli-part", 0), "left x.convcli-part behind"),
    (writes("out.png", 1), "failed, and left out.png"),
    (writes("out.png", 0), ""),
    (writes("$TMPDIR/t", 0), "left t behind"),
]
expressions = [
    ("np.ones(3)", ""),
    ("[1]", "gave list"),
    ("print('x') or np.ones(1)", "printed 'x"),
    ("convcli.pool2d(3, 1)", ""),
    ("int('x')", ""),  # of making the argument
]
folder = tempfile.mkdtemp()
judge = judging.Judge(folder)
found = []
for judging.run, expected in runs:
    found.append((expected, judge.judge(Case(("filter",)))))
for expression, expected in expressions:
    found.append((expected, judge.judge(Case((), {}, expression))))
os.chdir("/")
shutil.rmtree(folder)
print(json.dumps(found))
"""


def test_a_share_of_every_kind():
    worker = Worker(seed=0)
    try:
        found = {
            f"{kind} {number}": problems
            for number in range(ROUNDS)
            for kind in KINDS
            if number == 0 or kind not in SLOW
            for problems in [worker.answer(kind, number)[0]]
            if problems
        }
    finally:
        worker.close()
    assert not found


def test_a_case_is_made_again_from_its_number():
    for make in KINDS.values():
        assert make(3, 5) == make(3, 5)
        assert len({make(3, number).text() + str(make(3, number).files) for number in range(9)}) > 1


def test_it_finds_what_it_looks_for():
    tests = Path(__file__).parent.parent
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=True)
    for expected, problems in json.loads(done.stdout):
        assert bool(problems) == bool(expected) and expected in " ".join(problems)
