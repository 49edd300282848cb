"""Who is told, from Python, that a loop is compiled: a logger, a callback, a terminal; never a pipe."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from convcli.jobs import compiling
from convcli.loops.compiling import kept

pytestmark = pytest.mark.skipif(bool(kept.why_not()), reason="loops are left to Numba here")

WORK = "convcli.dilate2d(np.ones((3, 3), np.uint8), 2)"
LOGGED = f"""
import logging, sys
import numpy as np
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(name)s %(message)s")
import convcli
{WORK}
"""
CALLED = f"""
import json
import numpy as np
import convcli
told = []
convcli.on_compiling(told.append)
{WORK}
print(json.dumps([told[0].done, told[-1].done, told[-1].over, len(told) > 1]))
"""
ON_A_TERMINAL = f"""
import sys
import numpy as np
sys.stderr.isatty = lambda: True
import convcli
{WORK}
sys.stderr.flush()
"""


def python(code, cache):
    """Run code in a fresh interpreter with a cache of its own and nothing prebuilt."""
    before = "from convcli.loops.compiling import prebuilt; prebuilt.PLACE = prebuilt.PLACE / 'nowhere'\n"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", before + code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def test_a_logger_hears_of_it_and_a_pipe_does_not(tmp_path):
    first, second = python(LOGGED, tmp_path), python(LOGGED, tmp_path)
    lines = first.stdout.splitlines()
    assert lines[0] == "convcli compiling loops"
    assert lines[-1].startswith("convcli compiling loops: 1 done, ")
    assert first.stderr == second.stderr == second.stdout == ""


def test_a_callback_hears_how_far_it_is(tmp_path):
    assert json.loads(python(CALLED, tmp_path).stdout) == [0, 1, True, True]


def test_a_terminal_shows_one_line_and_takes_it_away(tmp_path):
    lines = python(ON_A_TERMINAL, tmp_path).stderr.split("\n")  # text mode makes line ends of what goes back
    assert lines[:2] == ["", "compiling loops (kept for later): 1 of 1, 0 s"]
    assert lines[-2:] == [" " * 79, ""]


def test_what_a_command_says_ends_with_it(convcli, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((5, 5), np.uint8))
    assert convcli("filter", tmp_path / "a.npy", "-k", "box", "-o", tmp_path / "b.npy").code == 0
    assert compiling._TELL == []
