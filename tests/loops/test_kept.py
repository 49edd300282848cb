"""Machine code without Numba: the same bits, found by what it was made from, and never in the way."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from convcli.loops.compiling import kept, prebuilt
from convcli.loops.compiling.cache import _files

NOTHING_PREBUILT = (
    "import pathlib; from convcli.loops.compiling import prebuilt; prebuilt.PLACE = pathlib.Path('nowhere')"
)
PROGRAM = """
import hashlib, json, sys
import numpy as np
from convcli.loops.compiling import compiler, kept
from convcli.loops.filtering.pointwise import add_squares
if "threads" in sys.argv:
    compiler.set_threads(1)
total = np.random.default_rng(1).random(5000, np.float32)
add_squares(total, total[::-1].copy())
threads = kept._linker().threads()
loaded = "numba" in sys.modules
if "numba" in sys.argv:
    import numba
    add_squares(total, total[::-1].copy())
print(json.dumps([hashlib.sha256(total).hexdigest(), loaded, threads]))
"""

FULL = """
def full(path, content):
    path.touch()
    raise OSError(28, "No space left on device")
Path.write_bytes = full
"""


def run(cache, *words, code=PROGRAM, **environment):
    """A fresh interpreter whose loops are compiled into a folder of ours."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment}
    code = f"{NOTHING_PREBUILT}\n{code}"
    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result


def python(cache, *words, code=PROGRAM, **environment):
    """What it prints as JSON."""
    return json.loads(run(cache, *words, code=code, **environment).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A cache in which one loop was compiled, and what that process said."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, python(cache)


def files(cache):
    return sorted((cache / "loops_kept").glob("filtering.pointwise.add_squares-*.code"))


def test_the_second_process_runs_the_same_code_without_numba(first):
    cache, said = first
    assert said[1] and len(files(cache)) == 1
    digest, loaded, threads = python(cache)
    assert digest == said[0] and not loaded and threads


def test_the_number_of_threads_is_what_was_asked_for(first):
    cache, said = first
    assert python(cache, "threads", NUMBA_NUM_THREADS="3") == [said[0], False, 1]
    assert python(cache, NUMBA_NUM_THREADS="3") == [said[0], False, 3]


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_more_threads_than_were_started_are_not_used(tmp_path, layer):
    code = """
import json
from convcli.jobs.runtime import request_threads
from convcli.loops.compiling import compiler, kept
import numpy as np
from convcli.loops.filtering.pointwise import add_squares
total = np.zeros(5000, np.float32)
used = []
for threads in (2, 64):
    request_threads(threads)
    compiler.set_threads(threads)
    add_squares(total, total + 1)
    used.append(kept._linker().threads())
print(json.dumps([float(total.sum()), kept.threads_started(), used]))
"""
    settings = {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    python(tmp_path, code=code, **settings)
    total, started, used = python(tmp_path, code=code, **settings)
    assert total == 25_000 and used == [2, started] and 2 <= started < 64


def test_a_number_of_threads_that_is_none_is_left_to_numba(first, monkeypatch):
    code = "from convcli.loops.compiling import kept; import json; print(json.dumps(kept.count() > 0))"
    cache, _ = first
    assert python(cache, code=code) and not python(cache, code=code, NUMBA_NUM_THREADS="many")
    for threads in ("0", "-1", "many"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        assert kept.why_not.__wrapped__() == "NUMBA_NUM_THREADS is no number of threads"


def test_threads_may_call_a_loop_for_the_first_time_together(first):
    code = """
import json, sys, threading
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from convcli.loops.compiling import kept
from convcli.loops.filtering.pointwise import add_squares
ready = threading.Barrier(8)
def run(_):
    total = np.ones(5000, np.float32)
    ready.wait()
    add_squares(total, total.copy())
    return float(total.sum())
with ThreadPoolExecutor(8) as pool:
    sums = set(pool.map(run, range(8)))
print(json.dumps([list(sums), "numba" in sys.modules, len(kept._linker()._libraries)]))
"""
    cache, _ = first
    assert python(cache, code=code) == [[10_000.0], False, 1]


def test_a_full_disk_leaves_nothing_unfinished(tmp_path):
    code = PROGRAM.replace("total =", "from pathlib import Path\n" + FULL + "total =", 1)
    python(tmp_path, code=code)
    assert not list((tmp_path / "loops_kept").iterdir())


def test_numba_may_come_afterwards(first, tmp_path):
    cache, _ = first
    after_kept, loaded, _ = python(cache, "numba")
    alone, _, _ = python(tmp_path, "numba")
    assert not loaded and after_kept == alone


DAMAGES = {
    "shorter": lambda code: code[:-100],
    "something else": lambda code: b"not ours",
    "another digest": lambda code: b"[]\n" + code.split(b"\n", 1)[1],
    "empty": lambda code: b"",
    "a bit of the digest": lambda code: bytes([code[0] ^ 1]) + code[1:],
    "a bit of the code": lambda code: code[:-5000] + bytes([code[-5000] ^ 4]) + code[-4999:],
    "another word": lambda code: signed(code.replace(b'"parallel": true', b'"layer": "omp"   ')),
    "a name less": lambda code: signed(re.sub(rb'"environment": "[^"]+"', b'"environment": ""', code)),
    "half the head, signed": lambda code: signed(code.split(b"\n", 1)[1][:300]),
}


def test_a_damaged_file_is_made_anew(first):
    cache, said = first
    (file,) = files(cache)
    file.write_bytes(file.read_bytes()[:-100])
    result = run(cache)
    assert json.loads(result.stdout)[:2] == [said[0], True]
    assert result.stderr == f"{file}: damaged, so the loop is compiled anew\n"
    assert python(cache)[:2] == [said[0], False]


@pytest.fixture
def found(first, monkeypatch):
    """Look for the loop in the cache of `first`, in this process: whether it is found, and what is told."""
    cache, _ = first
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    monkeypatch.setattr(prebuilt, "PLACE", Path("nowhere"))
    told = []
    monkeypatch.setattr(kept, "tell", told.append)
    total = np.zeros(5000, np.float32)

    def find():
        told.clear()
        return kept.find("filtering.pointwise.add_squares", (total, total)) is not None, *told

    return find


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_no_damaged_file_is_run(first, found, damage):
    (file,) = files(first[0])
    good = file.read_bytes()
    assert found() == (True,)
    file.write_bytes(damage(good))
    assert found() == (False, f"{file}: damaged, so the loop is compiled anew") and not file.exists()
    file.write_bytes(good)


def signed(content):
    """A file whose digest is right."""
    kept_ = content.split(b"\n", 1)[1] if content.count(b"\n") else content
    return kept._digest(kept_) + b"\n" + kept_


def test_a_folder_in_its_place_is_taken_away(first):
    cache, said = first
    (file,) = files(cache)
    file.unlink()
    (file / "inside").mkdir(parents=True)
    assert python(cache)[:2] == [said[0], True]
    assert python(cache)[:2] == [said[0], False]


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_can_write_is_refused(first, found, mode):
    (file,) = files(first[0])
    before = file.stat()
    file.parent.chmod(mode)
    refused, line = found()
    file.parent.chmod(0o755)
    assert not refused and line.startswith(f"{file.parent}: others can write there")
    assert file.stat() == before and list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_not_run(first):
    cache, said = first
    (file,) = files(cache)
    os.chown(file.parent, 1234, 1234)
    result = run(cache)
    os.chown(file.parent, 0, 0)
    assert json.loads(result.stdout)[:2] == [said[0], True] and "others can write there" in result.stderr
    os.chown(file, 1234, 1234)
    assert python(cache)[:2] == [said[0], True] and file.stat().st_uid == 0


def test_of_two_processes_at_once_one_compiles_and_the_other_waits(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", f"{NOTHING_PREBUILT}\n{PROGRAM}"]
    both = [subprocess.Popen(command, env=environment, stdout=-1, text=True) for _ in range(2)]
    said = sorted(json.loads(process.communicate()[0])[:2] for process in both)
    digest = said[0][0]
    assert said == [[digest, False], [digest, True]] and len(files(tmp_path)) == 1
    assert len(list((tmp_path / "loops_kept").iterdir())) == 1
    assert python(tmp_path)[:2] == [digest, False]


def test_what_a_process_that_is_gone_has_not_finished_is_swept(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = tmp_path / "loops_kept"
    folder.mkdir()
    gone, living = (folder / f"a.b-stamp-types.code.{process}-1" for process in (2**22 + 1, os.getpid()))
    gone.touch()
    living.touch()
    assert kept.keep("a.b", (), b"code", symbol="symbol", environment="environment", parallel=False)
    assert not gone.exists() and living.exists()


def test_nothing_is_kept_or_used_when_it_is_switched_off(first):
    cache, said = first
    code = PROGRAM.replace("kept._linker().threads()", "None")
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*")}
    assert python(cache, code=code, CONVCLI_KEPT="0")[:2] == [said[0], True]
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*")} == before


def test_numbas_own_files_are_neither_written_nor_read(first):
    cache, _ = first
    assert not list(cache.rglob("*.nb?"))


def test_a_numba_that_was_never_tried_does_it_all_itself(first):
    cache, said = first
    code = "from convcli.loops.compiling import kept\nkept._TRIED = ()\n" + PROGRAM.replace(
        "kept._linker().threads()", "None"
    )
    assert python(cache, code=code)[:2] == [said[0], True]


NEVER_TRIED = "from convcli.loops.compiling import kept\nkept._TRIED = ()\n" + PROGRAM.replace(
    "kept._linker().threads()", "sum(numba.stats.cache_hits.values()) if (numba := add_squares._dispatcher) else 0"
)


def test_what_numba_kept_is_read_only_as_it_was_written(first, tmp_path):
    _, said = first
    assert python(tmp_path, code=NEVER_TRIED) == [said[0], True, 0]
    (index,), (code,) = ((*tmp_path.rglob(f"*.nb{kind}"),) for kind in "ic")
    flipped = bytearray(code.read_bytes())
    flipped[len(flipped) // 2] ^= 4
    code.write_bytes(flipped)
    index.write_bytes(index.read_bytes()[:50])
    result = run(tmp_path, code=NEVER_TRIED)
    assert json.loads(result.stdout) == [said[0], True, 0]
    assert sorted(result.stderr.splitlines()) == sorted(
        f"{file}: damaged, so the loop is compiled anew" for file in (index, code)
    )
    index.unlink()
    index.mkdir()
    assert f"{index}: damaged" in run(tmp_path, code=NEVER_TRIED).stderr
    assert python(tmp_path, code=NEVER_TRIED) == [said[0], True, 1]
    assert clear_cache_of(tmp_path) == 4 and not list(tmp_path.rglob("*.nb*"))


def clear_cache_of(cache):
    code = "import json; from convcli.loops.compiling.cache import clear_cache; print(json.dumps(clear_cache()))"
    return python(cache, code=code)


def test_a_loop_that_cannot_be_compiled_once_is_left_to_numba(first, tmp_path):
    """If Numba's inside is not as expected, the loop runs all the same."""
    code = "from convcli.loops.compiling import native\nnative._PASSES = ()\n" + PROGRAM.replace(
        "._linker().threads()", ""
    )
    code = code.replace("kept\nloaded", "None\nloaded")
    _, said = first
    assert python(tmp_path, code=code)[:2] == [said[0], True] and not files(tmp_path)


def test_code_that_needs_an_unknown_symbol_is_not_run(first):
    cache, said = first
    hidden = PROGRAM.replace("total =", "kept._THREADING = kept._THREADING[1:]\ntotal =", 1)
    hidden = hidden.replace("kept._linker().threads()", "None")
    assert python(cache, code=hidden)[:2] == [said[0], True]
    assert [python(cache)[:2] for _ in range(2)] == [[said[0], True], [said[0], False]]


def test_code_made_with_other_settings_is_not_found(first):
    cache, _ = first
    code = "from convcli.loops.compiling import kept; import json; print(json.dumps([kept.count() > 0, kept.stamp()]))"
    there, stamp = python(cache, code=code)
    assert there and stamp
    for setting in ({"NUMBA_OPT": "2"}, {"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_BOUNDSCHECK": "1"}):
        there, other = python(cache, code=code, **setting)
        assert not there and other != stamp, setting


def test_places_are_checked_where_numba_is_told_to(tmp_path):
    code = """
import json
import numpy as np
from convcli.loops.filtering.pointwise import add_squares
try:
    add_squares(np.zeros(5000, np.float32), np.zeros(4999, np.float32))
except IndexError as error:
    print(json.dumps(str(error)))
"""
    assert python(tmp_path, code=code, NUMBA_BOUNDSCHECK="1") == "index is out of bounds"


def test_clearing_the_cache_takes_kept_code_along(first, tmp_path):
    (file,) = files(first[0])
    (tmp_path / "loops_kept").mkdir()
    shutil.copy(file, tmp_path / "loops_kept")
    code = "import json; from convcli.loops.compiling.cache import cache_size, clear_cache; "
    code += "print(json.dumps([cache_size()[0], clear_cache()]))"
    before, cleared = python(tmp_path, code=code)
    assert before == cleared == 1 and not files(tmp_path)


def test_what_a_killed_process_left_is_cleared(first, monkeypatch):
    cache, _ = first
    (file,) = files(cache)
    unfinished = file.with_name(f"{file.name}.123-456")
    unfinished.write_bytes(b"half")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    assert unfinished in _files()[1]
    unfinished.unlink()


class Pair(NamedTuple):
    left: object
    right: object


ARRAY = np.zeros(4)
FROZEN = ARRAY.view()
FROZEN.flags.writeable = False


def test_other_types_are_told_apart():
    calls = [
        (ARRAY,), (FROZEN,), (ARRAY.astype(np.float32),), (ARRAY[None],), ((ARRAY,),), (Pair(ARRAY, 1),),
        (ARRAY, 1), (1,), (1.0,), (np.float32(1),), (np.int32(1),), (np.uint64(1),), (True,), (None,), (),
    ]  # fmt: skip
    types = [kept.types_of(call) for call in calls]
    assert len(set(types)) == len(set(map(repr, types))) == len(calls)
    assert types == [kept.types_of(call) for call in calls]
    spelled = ARRAY.astype(ARRAY.dtype.newbyteorder("<"))  # as files name their numbers
    assert repr(kept.types_of((spelled,))) == repr(kept.types_of((ARRAY,)))


@pytest.mark.parametrize(
    "argument",
    [np.zeros((3, 4)).T, ARRAY[::2], np.zeros(3, ">f8"), "word", [1], np.zeros(2, complex), Pair(1, "word")],
    ids=["transposed", "stepped", "big-endian", "word", "list", "complex", "word in a tuple"],
)
def test_what_loops_do_not_take_is_left_to_numba(argument):
    assert kept.takes((ARRAY, 1)) and not kept.takes((ARRAY, argument))


def test_arguments_of_the_wrong_kind_are_refused_not_read(first):
    """Kept code takes Python objects: what is no array raises, as it does in Numba."""
    code = """
import json
import numpy as np
from convcli.loops.compiling import kept
total = np.zeros(8, np.float32)
run = kept.find("filtering.pointwise.add_squares", (total, total))
errors = []
for wrong in ((total, 1), (total,), ("a", "b")):
    try:
        run(*wrong)
    except TypeError:
        errors.append("TypeError")
print(json.dumps(errors))
"""
    cache, _ = first
    assert python(cache, code=code) == ["TypeError"] * 3
