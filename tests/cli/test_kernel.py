"""`convcli kernel list` and `convcli kernel show`, as a user runs them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from convcli.cli import run
from convcli.kernels import ALIASES, LIBRARY, kernel
from convcli.kernels.entry import MATRIXLESS


@pytest.fixture
def convcli(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        code = run(["kernel", *arguments])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


def test_list_names_everything_within_80_columns(convcli):
    code, out, err = convcli("list")
    assert code == 0 and not err
    words = set(out.replace(",", " ").split())
    assert set(LIBRARY) <= words and set(ALIASES) <= words
    assert max(map(len, out.splitlines())) <= 80
    for entry in LIBRARY.values():
        for parameter in entry.parameters:
            assert f"{parameter.name}={parameter.default_text}" in words


def test_list_as_json(convcli):
    code, out, _ = convcli("list", "--json")
    entries = json.loads(out)
    assert code == 0 and [each["name"] for each in entries] == list(LIBRARY)
    gaussian = next(each for each in entries if each["name"] == "gaussian")
    assert gaussian["parameters"][0] == {
        "name": "sigma",
        "default": 1,
        "minimum": 0.05,
        "maximum": 1000,
        "integer": False,
        "per_axis": True,
        "meaning": "standard deviation in pixels",
        "automatic": None,
    }
    assert "blur" in gaussian["aliases"]


def test_show_says_everything_about_a_kernel(convcli):
    code, out, err = convcli("show", "sobel-x")
    assert code == 0 and not err
    assert out.splitlines() == [
        "sobel-x",
        "Brightness rising to the right: difference smoothed with 1 2 1",
        "",
        "  -1   0   1",
        "  -2   0   2",
        "  -1   0   1",
        "",
        "size        3x3 (rows x columns)",
        "anchor      row 1, column 1 (counted from 0)",
        "sum         0 (zero-sum: a constant image gives 0); sum of |weights| 8",
        "separable   yes: 3 + 3 taps instead of 9",
        "  down y    1 2 1",
        "  across x  -1 0 1",
        "computed by 6 taps that are not zero: too few for separate passes",
        "formula     -1 0 1; -2 0 2; -1 0 1",
        "sign        positive where brightness rises to the right",
        "scale       8 for an image that rises by 1 per pixel",
        "source      I. Sobel, G. Feldman, A 3x3 isotropic gradient operator for image",
        "            processing, talk, Stanford, 1968",
    ]


def test_show_names_the_parameters_with_value_and_range(convcli):
    _, out, _ = convcli("show", "gaussian:sigma=2")
    assert out.startswith("gaussian:sigma=2,size=17\n")
    assert "parameter   sigma=2 (0.05 to 1000): standard deviation in pixels\n" in out


def test_show_says_what_truncate_is_for(convcli):
    _, out, _ = convcli("show", "gaussian:truncate=2")
    words = " ".join(out.split())
    assert "truncate (0.5 to 20, default 4): where the window ends, in standard deviations; chooses the size" in words


def test_show_sums_up_compound_kernels(convcli):
    _, out, _ = convcli("show", "ridge:sigma=1")
    assert "sum         0 (zero-sum: a constant image gives 0); sum of |weights| 0.797871 to" in out


def test_show_explains_the_anchor_of_even_sizes(convcli):
    _, out, _ = convcli("show", "1 2; 3 4")
    assert "anchor row 0, column 0 (counted from 0); of an even size the last before the middle" in " ".join(
        out.split()
    )


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("columns", ["80", "50"])
def test_show_fits_the_terminal(convcli, monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = convcli("show", name)
    assert code == 0 and max(map(len, out.splitlines())) <= int(columns)
    assert "\x1b" not in out, "no colour unless stdout is a terminal"


@pytest.mark.parametrize("name", LIBRARY)
def test_json_holds_the_weights(convcli, name):
    code, out, err = convcli("show", name, "--json")
    found = json.loads(out)
    assert code == 0 and not err
    entry = LIBRARY[name]
    assert (found["name"], found["combine"], found["source"]) == (name, entry.combine, entry.source)
    assert found["linear"] == (entry.combine == "single")
    if entry.combine in MATRIXLESS:
        assert [found[word] for word in ("weights", "sum", "sum_abs", "factors", "plan")] == [None] * 5
        return
    weights = np.array(found["weights"])
    assert list(weights.shape[-entry.dim :]) == found["size"]
    assert weights.ndim == entry.dim + (entry.combine != "single")
    if entry.combine == "single":
        np.testing.assert_array_equal(weights, kernel(name))
        assert found["sum"] == pytest.approx(weights.sum(), abs=1e-12)
        assert found["sum_abs"] == pytest.approx(np.abs(weights).sum())
        assert found["separable"] == (found["factors"] is not None)
    else:
        assert len(found["factors"]) == len(found["sum"]) == len(weights)


def test_json_keys_and_parameters(convcli):
    _, out, _ = convcli("show", "gaussian:sigma=1", "--json")
    found = json.loads(out)
    promised = (
        "name spec size weights combine sum sum_abs zero_sum separable factors summary sign scale source parameters"
    )
    assert set(promised.split()) <= set(found)
    assert found["parameters"] == {"sigma": [1, 1], "size": [9, 9]}
    assert found["zero_sum"] is False and found["separable"] is True


def test_what_show_prints_as_json_is_a_kernel_file(convcli, tmp_path):
    _, out, _ = convcli("show", "log:sigma=1", "--json")
    (tmp_path / "k.json").write_text(out)
    np.testing.assert_array_equal(kernel(str(tmp_path / "k.json")), kernel("log:sigma=1"))


@pytest.mark.parametrize("matrix", ["-1 0 1", "-.5 1", "-1,0,1; -2,0,2"])
def test_a_matrix_that_starts_with_a_minus_sign_is_no_option(convcli, matrix):
    code, out, _ = convcli("show", matrix, "--json")
    assert code == 0 and json.loads(out)["name"] == "matrix"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "soble-x"], "did you mean sobel-x?"),
        (["show", "1 2; 3"], "kernel row 1 has 1 number, expected 2 as in row 0"),
        (["show", "nowhere.txt"], "kernel file nowhere.txt: no such file"),
        (["show"], "Missing argument 'SPEC'"),
        (["show", "--jsn", "box"], "No such option '--jsn'"),
        (["show", "--jsn"], "No such option '--jsn'"),
        (["show", "1", "2", "3"], "unexpected extra arguments"),
        (["lst"], "got 'lst'; did you mean 'list'?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(convcli, arguments, message):
    code, out, err = convcli(*arguments)
    assert code == 2 and not out
    assert err.startswith("Error: ") and err.count("\n") == 1 and message in err


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"], ["show", "--help"]])
def test_help_has_examples(convcli, arguments):
    code, out, _ = convcli(*arguments)
    assert code == 0 and "Examples:" in out and "convcli kernel " in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("command", ["kernel list", "kernel show gaussian"])
def test_neither_numba_nor_the_codecs_are_loaded(command):
    code = (
        "import sys; from convcli.cli import run; run(sys.argv[1:]);"
        "print([m for m in ('numba', 'PIL', 'scipy', 'rich', 'tifffile', 'imagecodecs') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_list_of_what_has_a_word_in_it(convcli):
    code, out, _ = convcli("list", "SHARP")
    assert code == 0 and "  sharpen-8 " in out and "  unsharp " in out and "sobel" not in out
    names = [each["name"] for each in json.loads(convcli("list", "sharp", "--json")[1])]
    assert "sharpen3d" in names and "gaussian" not in names
    code, _, error = convcli("list", "xyz")
    assert code == 2 and "no name or summary has 'xyz' in it" in error
