"""No name and no content of a file speaks to the terminal; names that are not UTF-8 simply work."""

import ast
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import convcli.cli
from convcli import ConvcliError
from convcli.errors import printable

HERE = Path(convcli.cli.__file__).parent
DRAWING = {"bench_run.py", "preview.py", "printing.py"}  # they move the cursor on purpose
EVIL = "\x1b[31m\x9b2J\n\u202e\u2066\x7f"
NOT_UTF8 = os.fsdecode(b"caf\xe9.npy")


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_everything_is_printed_through_one_place(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {ast.unparse(each) for each in calls}
    assert not names & {"print", "click.secho"}
    assert "click.echo" not in names or path.name in DRAWING


def test_what_a_terminal_would_obey_is_escaped():
    assert printable(EVIL) == r"\x1b[31m\x9b2J\n\u202e\u2066\x7f"
    assert printable("é 日本 😀 \\ ' \u00a0") == "é 日本 😀 \\ ' \u00a0"
    assert printable("\udce9\ud800") == r"\xe9\ud800"
    assert str(ConvcliError(f"{EVIL}: no")) == r"\x1b[31m\x9b2J\n\u202e\u2066\x7f: no"


@pytest.mark.parametrize(
    "words",
    [
        ["filter", EVIL, "-k", "box"],
        ["filter", "a.npy", "-k", EVIL],
        ["filter", "a.npy", "-k", f"box:size={EVIL}"],
        ["filter", "a.npy", "-k", "box", "-o", f"{{{EVIL}}}.png"],
        ["filter", "a.npy", "-k", "box", "--border", EVIL],
        ["filter", "a.npy", "-k", "box", f"--{EVIL}"],
        ["kernel", "show", f"{EVIL}.txt"],
        ["summary", f"{EVIL}.toml"],
        ["shape", "--input", "8x8x1", EVIL],
        ["predict", EVIL],
        ["evaluate", EVIL],
        ["train", EVIL],
        ["data", "path", EVIL],
        [EVIL],
    ],
    ids=lambda words: f"{words[0]} {len(words)}"[:9].encode("ascii", "replace").decode(),
)
def test_an_error_is_one_line_of_what_can_be_shown(convcli, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.zeros((4, 4), np.uint8))
    result = convcli(*words)
    assert result.code in (1, 2) and result.out == ""
    assert result.err.startswith("Error: ") and result.err.count("\n") == 1 and result.err.endswith("\n")
    assert result.err[:-1].isprintable()


@pytest.mark.parametrize("word", ["a\0b.npy", "\ud800.npy"])
@pytest.mark.parametrize("before", [["filter", "-k", "box"], ["filter", "-k"], ["kernel", "show"], ["summary"], []])
def test_what_no_file_can_be_called_is_one_line(convcli, before, word):
    result = convcli(*before, word)
    assert result.code == 2 and result.err.startswith("Error: got ") and result.err.count("\n") == 1


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """A folder with a picture whose name is Latin-1."""
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    try:
        Path("a.npy").rename(NOT_UTF8)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    return tmp_path


def test_a_name_that_is_not_utf8_works_in_a_pipe(odd):
    command = [sys.executable, "-m", "convcli", "filter", NOT_UTF8, "-k", "identity"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"caf\xe9_identity.npy\n" and (odd / os.fsdecode(done.stdout[:-1])).is_file()
    listed = json.loads(subprocess.run([*command, "--json", "--overwrite"], capture_output=True, check=True).stdout)
    assert listed["files"][0]["output"] == os.fsdecode(b"caf\xe9_identity.npy")


def test_and_is_shown_escaped_on_a_terminal(odd):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "convcli", "filter", NOT_UTF8, "-k", "identity"]
    assert subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False).returncode == 0
    assert os.read(ours, 100) == b"caf\\xe9_identity.npy\r\n"
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    "words",
    [
        ["filter", NOT_UTF8, "-k", "identity"],
        ["filter", ".", "-k", "identity", "-o", "out/"],
        ["filter", NOT_UTF8, "-k", "identity", "-o", "{stem}.png"],
        ["explain", NOT_UTF8, "-k", "identity", "-o", "page.html"],
        ["gallery", NOT_UTF8, "-k", "identity", "-o", "sheet.png"],
        ["compare", NOT_UTF8, NOT_UTF8],
        ["morph", "dilate", NOT_UTF8, "--size", "3"],
        ["kernel", "show", NOT_UTF8],
        ["toeplitz", "-i", "9", "-k", NOT_UTF8],
        ["receptive", "lenet5", "--image", NOT_UTF8, "-o", "out.svg"],
    ],
    ids=lambda words: " ".join(words[::6]),
)
def test_and_works_in_every_command(convcli, odd, words):
    if words[0] in ("kernel", "toeplitz"):
        np.save(NOT_UTF8, np.ones((1, 3)))
    result = convcli(*words)
    assert result.code == 0, result.err
    assert all(line.isprintable() for line in result.err.splitlines())


def test_a_bar_and_a_preview_show_names_too(tmp_path):
    names = ["[red] \x1b]0;title\x07.npy", "[red]\x9b2J.npy"]
    for name in names:
        with (tmp_path / name).open("wb") as stream:
            np.save(stream, np.zeros((4, 4), np.uint8))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    for words in (["-o", "out/", *names], ["-o", "one.npy", "--preview", names[1]]):
        done = subprocess.run(
            [sys.executable, "-m", "convcli", "filter", "-k", "identity", *words],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=False,
        )  # fmt: skip
        said = os.read(ours, 100_000).decode("utf-8", "replace")
        assert done.returncode == 0, said
        assert "\x1b]0;" not in said and "\x9b" not in said and "\\x" in said
    os.close(ours)
    os.close(theirs)
