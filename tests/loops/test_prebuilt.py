"""Code that came with the package: used where its stamp is right, never in the way, and of the same bits."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from convcli.loops.compiling import kept, prebuilt
from convcli.loops.compiling import processor as processors
from convcli.loops.compiling.processor import LEVELS, Processor, level_here, processor
from convcli.loops.filtering.pointwise import add_squares

pytestmark = pytest.mark.skipif(bool(kept.why_not()), reason="loops are left to Numba here")
V3 = pytest.mark.skipif(not LEVELS["x86-64-v3"] <= processor().features, reason="AVX2 is the least that is simulated")

BUILD = """
import sys
from convcli.jobs import prebuilding
from convcli.loops.compiling.wanted import Wanted
wanted = Wanted("filtering.pointwise.add_squares", '[["float32", 1, true], ["float32", 1, true]]')
prebuilding._wanted = lambda which: [wanted]
assert prebuilding.prebuild(sys.argv[1], "common", sys.argv[2]) == 1
"""

RUN = """
import sys
from pathlib import Path
from convcli.loops.compiling import prebuilt
prebuilt.PLACE = Path(sys.argv[1])
import numpy as np
from convcli.loops.filtering.pointwise import add_squares
total = np.random.default_rng(1).random(5000, np.float32)
add_squares(total, total[::-1].copy())
print(total.tobytes().hex(), "numba" in sys.modules)
"""


def python(code, *words, **environment):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Code for this machine, made by a process of its own."""
    folder = tmp_path_factory.mktemp("built")
    python(BUILD, folder, "")
    return folder


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    """Code for both levels of x86-64, made on any processor: nothing of it is run to make it."""
    folder = tmp_path_factory.mktemp("levels")
    for level in ("x86-64-v3", "x86-64-v4"):
        python(BUILD, folder, level)
    return folder


@pytest.fixture
def use(monkeypatch):
    """Have a folder be the package's own, with something changed before; stamps are made anew."""

    def forget():
        for each in (prebuilt.stamp_for, prebuilt._sources, kept.stamp, kept.why_not, processor):
            if hasattr(each, "cache_clear"):
                each.cache_clear()

    def take(folder, *changes, **environment):
        monkeypatch.setattr(prebuilt, "PLACE", folder)
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder / "nothing kept"))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for change in changes:
            monkeypatch.setattr(*change)
        forget()

    yield take
    monkeypatch.undo()
    forget()


def numbers():
    return np.random.default_rng(1).random(5000, np.float32)


def fresh():
    """What the loop computes as it is found or compiled in this process."""
    total = numbers()
    add_squares(total, total[::-1].copy())
    return total.tobytes()


def found():
    """What the loop computes as it came with the package; None if none is to be used."""
    total = numbers()
    run = kept.find("filtering.pointwise.add_squares", (total, total))
    if run is None:
        return None
    run(total, total[::-1].copy())
    return total.tobytes()


def test_prebuilt_code_runs_without_numba_and_gives_the_same_bits(built, tmp_path):
    said = python(RUN, built, NUMBA_CACHE_DIR=str(tmp_path)).split()
    assert said == [fresh().hex(), "False"]
    assert not list(tmp_path.rglob("*"))


def test_the_doctor_says_that_it_is_in_use_and_with_what_it_was_made(built, use, convcli):
    use(built)
    loops = json.loads(convcli("doctor", "--json").out)["loops"]
    assert loops["in_use"] == "1 prebuilt, others are compiled here"
    assert loops["why"].startswith(f"made for {processor().name} with numba 0.") and "numpy " in loops["why"]


def test_the_doctor_says_that_nothing_was_prebuilt(tmp_path, use, convcli):
    use(tmp_path)
    said = convcli("doctor").out
    assert "  in use       compiled here\n  why          nothing was prebuilt with this installation\n" in said


@V3
def test_of_a_wheel_for_levels_the_code_for_this_machine_is_used(levels, use):
    use(levels)
    assert found() == fresh()
    assert prebuilt.why("")[1].startswith(f"made for {level_here().name} ")


@V3
def test_the_processor_decides_which_code_is_used(levels, use):
    use(levels, CONVCLI_PROCESSOR="x86-64-v3")
    assert found() == fresh() and len(prebuilt.stamps()) == 1
    assert prebuilt.why("")[1].startswith("made for x86-64-v3 ")


@V3
@pytest.mark.parametrize("renamed", [False, True])
def test_code_for_a_larger_processor_is_not_run(levels, tmp_path, use, caplog, renamed):
    small, large = json.loads((levels / prebuilt.ABOUT).read_text())["made"]
    (file,) = levels.glob(f"*-{large['stamp']}-*")
    name = file.name.replace(large["stamp"], small["stamp"]) if renamed else file.name
    (tmp_path / name).write_bytes(file.read_bytes())
    (tmp_path / prebuilt.ABOUT).write_text(json.dumps({"made": [large], "note": ""}))
    use(tmp_path, CONVCLI_PROCESSOR="x86-64-v3")
    assert found() is None
    if renamed:
        assert caplog.messages == [f"{tmp_path / name}: damaged, so the loop is compiled anew"]
    else:
        assert prebuilt.why("") == (0, "the prebuilt code is for x86-64-v4, this is x86-64-v3")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("numba_version", lambda: "0.68.99", "of numba {numba}, here is 0.68.99"),
        ("llvmlite", SimpleNamespace(__version__="0.1"), "of llvmlite {llvmlite}, here is 0.1"),
        ("np", SimpleNamespace(__version__="1.9"), "of numpy {numpy}, here is 1.9"),
        ("sys", SimpleNamespace(version="3.99.1 (x)", abiflags=""), "of python {python}, here is 3.99.1"),
        ("__version__", "99.0", "of convcli {convcli}, here is 99.0"),
        ("_sources", lambda: "other", "of other sources"),
    ],
)
def test_code_made_with_something_else_is_not_used(built, use, caplog, name, value, why):
    use(built, (prebuilt, name, value))
    assert found() is None and not caplog.messages
    (made,) = json.loads((built / prebuilt.ABOUT).read_text())["made"]
    assert prebuilt.why("") == (0, f"the prebuilt code is {why.format(**made['facts'])}")


def test_code_made_with_other_settings_is_not_used(built, use):
    use(built, NUMBA_OPT="2")
    assert found() is None
    assert prebuilt.why("") == (0, "the prebuilt code is of settings (none), here are NUMBA_OPT=2")


def test_what_changes_no_code_is_no_reason(built, use):
    use(built, NUMBA_NUM_THREADS="2", CONVCLI_PREBUILD="none")
    assert found() == fresh()


def test_code_that_is_switched_off_is_not_used(built, use):
    use(built, CONVCLI_KEPT="0")
    assert not kept.takes((1,)) and not kept.count()
    assert prebuilt.why(kept.why_not()) == (0, "CONVCLI_KEPT is 0")


@pytest.mark.parametrize(
    "damaged",
    [lambda good: good[:-100], lambda good: good[:-999] + b"?" + good[-998:], lambda good: b"", lambda good: None],
    ids=["shorter", "a byte", "empty", "a folder"],
)
def test_damaged_code_is_not_run_and_left_where_it_is(built, tmp_path, use, caplog, damaged):
    (good,) = built.glob("*.code")
    file, content = tmp_path / good.name, damaged(good.read_bytes())
    file.mkdir() if content is None else file.write_bytes(content)
    use(tmp_path)
    assert found() is None and file.exists()
    assert caplog.messages == [f"{file}: damaged, so the loop is compiled anew"]


def test_what_others_of_the_group_can_write_is_no_more_theirs_than_the_package(built, tmp_path, use):
    """With a umask of 002 all that pip installs is so."""
    (good,) = built.glob("*.code")
    (tmp_path / good.name).write_bytes(good.read_bytes())
    (tmp_path / good.name).chmod(0o664)
    tmp_path.chmod(0o775)
    use(tmp_path)
    assert found() == fresh()


@pytest.mark.parametrize("content", ["", "[]", '{"made": 3, "note": ""}', '{"made": [{"facts": 1}], "note": ""}'])
def test_a_damaged_note_stops_nothing(tmp_path, use, content):
    (tmp_path / prebuilt.ABOUT).write_text(content)
    use(tmp_path)
    assert found() is None
    assert prebuilt.why("") == (0, f"{tmp_path / prebuilt.ABOUT} cannot be read")


@pytest.mark.parametrize("wanted", ["x86-64-v9", "arm64", "x86-64-v4"])
def test_a_processor_that_this_is_not_is_not_simulated(wanted, use, tmp_path, monkeypatch, caplog):
    small = Processor("small", frozenset(["sse2"]), "+sse2")
    monkeypatch.setattr(processors.llvm, "get_process_triple", lambda: "x86_64-unknown-linux-gnu")
    use(tmp_path, (processors, "here", lambda: small), CONVCLI_PROCESSOR=wanted)
    assert processor() == small and level_here() is None
    assert caplog.messages == [
        f"CONVCLI_PROCESSOR: got {wanted!r}, expected a level that this processor has: none; not used"
    ]


@pytest.mark.parametrize(
    ("triple", "features", "level", "name"),
    [
        ("x86_64", LEVELS["x86-64-v4"], "x86-64-v4", "x86-64-v4"),
        ("x86_64", LEVELS["x86-64-v3"] | {"avx512f"}, None, None),  # tiles would be wider than the code's
        ("x86_64", LEVELS["x86-64-v3"], "x86-64-v3", "x86-64-v3"),
        ("x86_64", LEVELS["x86-64-v3"] - {"fma"}, None, None),
        ("x86_64", LEVELS["x86-64-v2"] | {"avx"}, None, None),
        ("x86_64", LEVELS["x86-64-v2"], "x86-64-v2", "x86-64-v2"),
        ("x86_64", LEVELS["x86-64-v2"] - {"popcnt"}, None, None),
        ("aarch64", {"neon", "sve"}, "arm64", "generic"),
    ],
)
def test_a_level_is_used_where_vectors_are_as_wide(monkeypatch, triple, features, level, name):
    monkeypatch.setattr(processors.llvm, "get_process_triple", lambda: f"{triple}-unknown-linux-gnu")
    monkeypatch.setattr(processors, "here", lambda: Processor("any", frozenset(features), ""))
    found = level_here()
    assert (found and found.name, found and found.llvm_name) == (level, name)
