"""Extras: each is explained beside the install line, and the hint to install one can be followed here."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from convcli import extras

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_readme_explains_every_extra():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    install = readme[readme.index("## Install") : readme.index("## What kernels do")]
    named = re.findall(r"^\| `([a-z]+)` \|", install, re.M)
    assert set(PROJECT["optional-dependencies"]) <= set(named)
    assert "pip uninstall convcli" in install and "cache clear --all" in install


def test_a_checkout_is_installed_from_where_it_lies(monkeypatch):
    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", none)
    place = Path(extras.__file__).parents[1]  # the checkout, unless the tests run beside what is installed
    assert extras.install("plot") == f"pip install '{place}[plot]'"
    assert (ROOT / "pyproject.toml").is_file()


def test_what_is_installed_has_a_name(monkeypatch):
    monkeypatch.setattr(metadata, "distribution", lambda name: object())
    assert extras.install("onnx") == "pip install 'convcli[onnx]'"


@pytest.mark.parametrize(
    ("module", "extra", "words"),
    [
        ("matplotlib", "plot", ["train", "digits", "--plot", "a.png"]),
        ("onnx", "onnx", ["export", "shipped"]),
        ("uvicorn", "lab", ["lab"]),
    ],
)
def test_a_command_that_lacks_an_extra_says_what_to_type(tmp_path, module, extra, words):
    code = (
        f"import sys, importlib.util as util; sys.modules[{module!r}] = None; find = util.find_spec\n"
        f"util.find_spec = lambda name, *rest: None if name == {module!r} else find(name, *rest)\n"
        f"from convcli.cli import run; sys.exit(run({words!r}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.endswith(f"is not installed; {extras.install(extra)}\n"), result.stderr


def test_classifiers_are_known():
    assert sorted(set(PROJECT["classifiers"])) == PROJECT["classifiers"]
    known = pytest.importorskip("trove_classifiers").classifiers
    assert set(PROJECT["classifiers"]) <= known
