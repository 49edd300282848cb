"""`convcli data list | fetch | path`."""

import json

import pytest
from made_data import serving, small_entry

from convcli.datasets import ENTRIES


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache and a data set `small` that nobody serves yet."""
    monkeypatch.delenv("CONVCLI_DATA_DIR", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setitem(ENTRIES, "small", small_entry(mirrors=("http://127.0.0.1:9/",))[0])
    return tmp_path / "cache" / "convcli" / "data"


@pytest.fixture
def mirror(monkeypatch):
    """A server that has the files of `small`."""
    contents = small_entry()[1]
    with serving(contents) as (address, _):
        monkeypatch.setitem(ENTRIES, "small", small_entry(mirrors=(address,))[0])
        yield address


def test_list_says_what_is_here_and_how_to_get_the_rest(convcli):
    result = convcli("data", "list")
    assert result.code == 0 and not result.err
    assert "part of convcli" in result.out
    assert "not here: convcli data fetch cifar10 (170 MB)" in result.out
    assert max(map(len, result.out.splitlines())) <= 80
    entries = {each["name"]: each for each in json.loads(convcli("data", "list", "--json").out)}
    assert entries["mnist"]["folder"] is None and entries["mnist"]["train"] == 60_000
    assert entries["digits"]["ships"] and entries["digits"]["folder"]
    assert all(each["licence"] and each["citation"] for each in entries.values())


def test_fetch_shows_the_licence_once_and_prints_the_folder(convcli, mirror, cache):
    first = convcli("data", "fetch", "small")
    assert (first.code, first.out) == (0, f"{cache / 'small'}\n")
    assert first.err.count("licence: CC BY-SA 3.0") == first.err.count("please cite:") == 1
    second = convcli("data", "fetch", "small")
    assert (second.out, second.err) == (first.out, "")
    assert convcli("data", "path", "small").out == first.out
    assert json.loads(convcli("data", "path", "small", "--json").out)["folder"] == str(cache / "small")


def test_fetch_into_a_folder_as_json(convcli, mirror, tmp_path):
    result = convcli("data", "fetch", "small", "digits", "-o", tmp_path / "stick", "--json")
    assert [each["name"] for each in json.loads(result.out)] == ["small", "digits"]
    assert len(list((tmp_path / "stick" / "small").iterdir())) == 4
    assert convcli("data", "path", "small", "--data-dir", tmp_path / "stick").code == 0


def test_a_failed_mirror_is_a_warning_and_none_left_an_error(convcli):
    result = convcli("data", "fetch", "small")
    assert result.code == 1 and not result.out
    lines = result.err.splitlines()
    assert [line for line in lines if line.startswith("Warning: http://127.0.0.1:9/")]
    assert lines[-1].startswith("Error: small: not found in")


@pytest.mark.parametrize("words", [["fetch", "small", "--offline"], ["path", "small"]])
def test_what_is_nowhere_is_one_line_that_says_which_files_go_where(convcli, words, cache):
    result = convcli("data", *words)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert str(cache / "small") in result.err and "t10k-labels-idx1-ubyte.gz" in result.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["path", "mnits"], 1, "did you mean 'mnist'?"),
        (["fetch"], 2, "Missing argument"),
        (["fetch", "small", "-o", "x", "--offline"], 2, "both --output and --offline"),
        (["list", "--data-dir", "nowhere"], 1, "which is no folder"),
    ],
)
def test_errors(convcli, words, code, says):
    result = convcli("data", *words)
    assert result.code == code
    assert says in result.err and result.err.startswith("Error: ")
