"""Which peers are here, and how many threads they get."""

import os

import pytest

from convcli.bench import peers
from convcli.bench.programs import parse_import_times
from convcli.errors import ConvcliError


def test_a_missing_program_and_a_missing_library(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert peers.version("vips") is None
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.version("torch") is None


def test_a_script_in_front_of_a_program_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "gm").write_text("#!/bin/sh\nexec gm\n")
    (tmp_path / "second" / "gm").write_bytes(b"\x7fELF")
    for folder in ("first", "second"):
        (tmp_path / folder / "gm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}{os.pathsep}{tmp_path / 'second'}")
    assert peers.program("graphicsmagick") == str(tmp_path / "second" / "gm")


def test_threads_are_told_and_taken_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("VIPS_CONCURRENCY", raising=False)
    with peers.variables(peers.thread_variables(3)):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["VIPS_CONCURRENCY"] == "3"
    assert os.environ["OMP_NUM_THREADS"] == "7" and "VIPS_CONCURRENCY" not in os.environ


def test_opencv_gets_its_threads_back():
    cv2 = pytest.importorskip("cv2")
    before = cv2.getNumThreads()
    with peers.library_threads(1, frozenset({"opencv"})):
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def test_a_program_that_fails_says_so():
    with pytest.raises(ConvcliError, match="exit code 2"):
        peers.run_program(peers.convcli_command("filter", "--nonsense"))


def test_import_times_are_added_up_by_package():
    text = "\n".join([
        "import time: self [us] | cumulative | imported package",
        "import time:       100 |        100 |   numpy.linalg",
        "import time:       200 |        300 | numpy",
        "import time:        50 |         50 | json.decoder",
        "something else",
    ])  # fmt: skip
    assert [(each.package, each.seconds) for each in parse_import_times(text)] == [
        ("numpy", pytest.approx(300e-6)), ("standard library", pytest.approx(50e-6)),
    ]  # fmt: skip
