"""What is loaded when: listing commands and asking for help must not wait for numpy, let alone numba."""

import os
import subprocess
import sys

import pytest

HEAVY = ("numpy", "numba", "PIL", "rich", "scipy", "tifffile", "imagecodecs", "matplotlib")


def loaded_by(code):
    """Which heavy libraries a fresh interpreter has loaded after running some code."""
    program = f"import sys\n{code}\nprint(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    return result.stdout.splitlines()[-1].split()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["bench", "--help"], ["shape", "--input", "7x7x3", "--filters", "4"]]
)
def test_help_and_shape_load_neither_numpy_nor_numba(arguments):
    assert loaded_by(f"from convcli.cli import run\nassert run({arguments!r}) == 0") == []


def test_import_convcli_loads_nothing_heavy():
    assert loaded_by("import convcli; convcli.ConvcliError; dir(convcli)") == []


def test_kernels_load_numpy_only():
    assert loaded_by("import convcli; convcli.kernel('gaussian:sigma=2')") == ["numpy"]


@pytest.mark.parametrize("arguments", [["filter", "--help"], ["kernel", "list"], ["kernel", "show", "sobel"]])
def test_help_of_commands_and_kernel_list_do_not_load_numba(arguments):
    assert "numba" not in loaded_by(f"from convcli.cli import run\nassert run({arguments!r}) == 0")


def test_filtering_a_png_loads_no_more_than_it_needs(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    code = f"from convcli.cli import run\nassert run(['filter', {str(tmp_path / 'a.png')!r}, '-k', 'sharpen']) == 0"
    assert set(loaded_by(code)) <= {"numpy", "numba", "PIL", "imagecodecs", "scipy"}


@pytest.mark.skipif(sys.platform != "linux", reason="machine code is kept on Linux only")
def test_filtering_a_second_time_does_not_load_numba(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    Image.new("RGB", (8, 8), (3, 2, 1)).save(tmp_path / "a.png")
    words = ["filter", str(tmp_path / "a.png"), "-k", "box", "-o", str(tmp_path / "b.png"), "--overwrite", "-q"]
    code = f"from convcli.cli import run\nassert run({words!r}) == 0"
    assert "numba" in loaded_by(code)
    first = (tmp_path / "b.png").read_bytes()
    assert set(loaded_by(code)) <= {"numpy", "imagecodecs", "PIL"}
    assert (tmp_path / "b.png").read_bytes() == first


def test_the_public_api_resolves():
    code = "import convcli\nfor name in convcli.__all__: getattr(convcli, name)"
    assert "numba" not in loaded_by(code)
