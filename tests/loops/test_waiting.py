"""Waiting for compiled loops: several processes do it, whoever waits is told, and Ctrl-C stops at once."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from convcli.loops.compiling import kept
from convcli.loops.compiling.waiting import Compiling

pytestmark = pytest.mark.skipif(bool(kept.why_not()), reason="loops are left to Numba here")

FOUR = """
import json, sys
import numpy as np
from convcli.loops.compiling import making, prebuilt, waiting
from convcli.loops.filtering.pointwise import add_squares, keep_largest, root_of_squares
prebuilt.PLACE = prebuilt.PLACE / "nowhere"
making.cores = lambda: 2
making.pays = lambda loops, processes: True
told = []
waiting.on_compiling(told.append)
def work():
    total = np.arange(5, dtype=np.float32)
    add_squares(total, total + 1)
    keep_largest(total, total - 1)
    root_of_squares(total, 0 * total)
    add_squares(total.astype(float), total.astype(float))
    return total.tolist()
with waiting.foreseen("numbers", work):
    found = work()
print(json.dumps([found, "numba" in sys.modules, [[each.what, each.done, each.total, each.over] for each in told]]))
"""


def python(code, cache, **environment):
    """A fresh interpreter whose loops are compiled into a folder of ours."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)


def test_what_will_be_missing_is_compiled_together_by_other_processes(tmp_path):
    found, numba, told = json.loads(python(FOUR, tmp_path).stdout)
    assert found == [
        1.0,
        np.sqrt(np.float32(5)),
        np.sqrt(np.float32(11)),
        np.sqrt(np.float32(19)),
        np.sqrt(np.float32(29)),
    ]
    assert not numba
    assert told[0] == ["numbers", 0, 4, False] and told[-1] == ["numbers", 4, 4, True]
    assert [done for _, done, _, _ in told] == sorted(done for _, done, _, _ in told)
    again = json.loads(python(FOUR, tmp_path).stdout)
    assert again == [found, False, []]


def test_a_loop_nobody_spoke_of_is_compiled_here_and_told(tmp_path):
    code = FOUR.replace('with waiting.foreseen("numbers", work):\n    found = work()', "found = work()")
    _, numba, told = json.loads(python(code, tmp_path).stdout)
    assert numba and {what for what, *_ in told} == {""}
    assert told[0][1:] == [0, 1, False] and told[-1][1:] == [1, 1, True]


@pytest.mark.skipif(os.name != "posix", reason="sends an interrupt the POSIX way")
def test_ctrl_c_while_compiling_ends_the_command_and_leaves_nothing_half_written(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    cache = tmp_path / "cache"
    code = (
        "from convcli.loops.compiling import prebuilt; from convcli.cli import main; "
        "prebuilt.PLACE = prebuilt.PLACE / 'nowhere'; "
        f"main(['filter', {str(tmp_path / 'a.png')!r}, '-k', 'sharpen'])"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr.readline() == "compiling loops for 8-bit RGB pictures (first run only)\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().strip() == "Error: interrupted; nothing half-written was left"
    assert process.returncode == 130
    assert not list(cache.rglob("*.code*")) and not (tmp_path / "a_sharpen.png").exists()


def test_on_a_terminal_the_line_lives_and_elsewhere_it_is_said_once(capsys, monkeypatch):
    from convcli.cli import options

    monkeypatch.setattr(options, "_SAID", [])
    states = [Compiling("16-bit RGB", done, 5, 2.0 * done) for done in range(3)]
    for state in states:
        options.say_compiling(state)
    assert capsys.readouterr().err == "compiling loops for 16-bit RGB: 5 (first run only)\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for state in (*states, Compiling("16-bit RGB", 5, 5, 9.0, over=True)):
        options.say_compiling(state)
    lines = capsys.readouterr().err.split("\r\x1b[K")
    assert lines[2] == "compiling loops for 16-bit RGB: 2 of 5, 2 s" and lines[-1] == ""
