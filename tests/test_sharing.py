"""Tests that several processes share: none is left out, and all import what the first does."""

import os
import subprocess
import sys
from pathlib import Path

NOTED = "import os, sys; print(os.getcwd() in sys.path, file=open(f'{os.getpid()}.noted', 'w'))"
TESTS = "import pathlib\ndef test_a(): pathlib.Path('a').touch()\ndef test_b(): pathlib.Path('b').touch()\n"


def test_each_test_of_one_file_is_taken_and_all_processes_import_the_same(tmp_path):
    (tmp_path / "conftest.py").write_text(NOTED)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-P", "-m", "pytest", "-p", "sharing", "--processes", "2", "--import-mode=importlib"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = {"cwd": tmp_path, "env": environment, "capture_output": True}
    assert subprocess.run([*command, "--collect-only"], **words).returncode == 0
    assert not (tmp_path / "a").exists()
    assert subprocess.run([*command, "test_it.py::test_a", "test_it.py::test_b"], **words).returncode == 0
    assert (tmp_path / "a").exists() and (tmp_path / "b").exists()
    noted = [each.read_text() for each in tmp_path.glob("*.noted")]
    assert noted == ["False\n"] * 3  # of the first, and of two that shared
