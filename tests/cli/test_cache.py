import json
import os
import subprocess
import sys

import pytest

from convcli.cli.cache import WARMED
from convcli.jobs.warming import COMMANDS

LOOP = """
import numpy as np
import convcli
print(convcli.pad2d(np.full((4, 4), 9.0), 1, mode="edge")[0, 0])
"""


# Elsewhere no variable moves the user's cache, and the real one is not for a test to clear.
in_a_cache_of_our_own = pytest.mark.skipif(sys.platform != "linux", reason="would clear the user's own cache")


def python(code, **environment):
    """Run code in a fresh interpreter."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_every_command_that_is_warmed_is_named():
    assert set(WARMED) == set(COMMANDS)


def test_info_clear_and_a_first_run_that_says_it_compiles(tmp_path):
    words = ["pad", str(tmp_path / "a.png"), "--amount", "1", "--overwrite"]
    code = f"import sys; from convcli.cli import run; sys.exit(run({words!r}))"
    from PIL import Image

    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, second = python(code, **cache), python(code, **cache)
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stderr.count("compiling loops for 8-bit gray pictures (first run only)") == 1
    assert second.stderr == ""
    info = json.loads(python("from convcli.cli import run; run(['cache', 'info', '--json'])", **cache).stdout)
    assert info["folder"] == str(tmp_path / "cache")
    assert info["files"] > 0
    cleared = json.loads(python("from convcli.cli import run; run(['cache', 'clear', '--json'])", **cache).stdout)
    assert cleared["deleted"] == info["files"]


@pytest.mark.skipif(os.name != "posix", reason="folders are made read-only the POSIX way")
def test_a_home_that_cannot_be_written_is_never_fatal(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    environment = {"HOME": str(blocked), "XDG_CACHE_HOME": str(blocked / "cache"), "NUMBA_CACHE_DIR": ""}
    result = python(LOOP, **environment)
    assert result.stdout == "9.0\n"
    info = python("from convcli.cli import run; run(['cache', 'info'])", **environment)
    assert "cannot be written" in info.stdout


def test_doctor_names_what_a_bug_report_needs(convcli):
    found = json.loads(convcli("doctor", "--json").out)
    assert set(found) == {"versions", "machine", "threads", "cache", "loops"}
    assert found["versions"]["numba"]
    assert found["threads"]["layer"] and found["machine"]["cores"] >= 1
    assert found["threads"]["at_most"] >= found["threads"]["loops_use"] >= 1
    assert not any(" " in key for part in found.values() for key in part)
    text = convcli("doctor")
    assert text.code == 0
    assert max(map(len, text.out.splitlines())) <= 160


@in_a_cache_of_our_own
def test_clear_all_leaves_nothing_of_ours_and_says_how_much(tmp_path):
    home = tmp_path / "home"
    ours, chosen = home / "convcli", tmp_path / "chosen"
    elsewhere = {"XDG_CACHE_HOME": str(home), "NUMBA_CACHE_DIR": ""}
    assert python(LOOP, **elsewhere).stdout == "9.0\n"
    assert python(LOOP, **(elsewhere | {"NUMBA_CACHE_DIR": str(chosen)})).stdout == "9.0\n"
    (ours / "data" / "mnist").mkdir(parents=True)
    (ours / "data" / "mnist" / "images.gz").write_bytes(bytes(1_500_000))
    (ours / "loops" / "empty" / "deep").mkdir(parents=True)
    (home / "others").mkdir()
    (chosen / "foreign.nbi").touch()
    places = (ours / "loops", chosen)
    loops = [each for place in places for kind in ("*.code*", "*.lock") for each in place.rglob(kind)]
    clear = "from convcli.cli import run; run(['cache', 'clear', '--all', '--json'])"
    told = json.loads(python(clear, **(elsewhere | {"NUMBA_CACHE_DIR": str(chosen)})).stdout)
    assert told["loops"] == len(loops) > 0
    assert told["data"] == 1 and told["deleted"] == told["loops"] + 1
    assert told["bytes"] > 1_500_000
    assert not ours.exists() and (home / "others").is_dir()
    assert str(ours) in told["folders"] and told["kept"] == []
    assert [each.name for each in chosen.iterdir()] == ["foreign.nbi"]


@in_a_cache_of_our_own
def test_clear_all_keeps_what_is_not_ours_and_says_so(tmp_path):
    mine = tmp_path / "convcli" / "mine.txt"
    (tmp_path / "convcli" / "data").mkdir(parents=True)
    mine.touch()
    where = {"XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": ""}
    said = python("from convcli.cli import run; run(['cache', 'clear', '--all'])", **where).stdout.splitlines()
    assert said[0] == "0 files deleted, 0.0 MB"
    assert said[-1] == f"not ours {mine}"
    assert mine.is_file() and not (tmp_path / "convcli" / "data").exists()
    again = python("from convcli.cli import run; run(['cache', 'clear'])", **where).stdout
    assert again == "0 files deleted, 0.0 MB\n"
