"""What every command has in common: near words, help by name, completion by the shell, man pages, -q."""

import os
import shutil
import subprocess
import sys

import click
import pytest

from convcli.cli import COMMANDS, group
from convcli.cli.completing import KERNEL, KERNEL_OR_SIZE, VARIABLE
from convcli.cli.reference import commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["filer", "a.png"], "command: got 'filer'; did you mean 'filter'? (see: convcli --help)"),
        (["kernel", "lst"], "command: got 'lst'; did you mean 'list'? (see: convcli kernel --help)"),
        (["help", "prdict"], "command: got 'prdict'; did you mean 'predict'? (see: convcli --help)"),
        (["cache", "xyz"], "command: got 'xyz', expected one of clear, info, warm (see: convcli cache --help)"),
        (["help", "filter", "box"], "help: got 'box' after convcli filter, which has no commands of its own"),
        (
            ["help", "filter", "--man", "x"],
            "--man: got a command with it, expected it alone: it writes the pages of all",
        ),
    ],
)
def test_a_word_that_is_no_command(convcli, words, said):
    answer = convcli(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"Error: {said}") and answer.err.count("\n") == 1


def test_a_file_whose_name_begins_with_a_dash(convcli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-dash.png").write_bytes(b"")
    answer = convcli("filter", "-dash.png", "-k", "box")
    assert (
        answer.err == "Error: No such option '-d'. The file of that name is ./-dash.png (see: convcli filter --help)\n"
    )
    assert "./" not in convcli("filter", "-other.png", "-k", "box").err
    (tmp_path / "-kitten.png").write_bytes(b"")  # -k itten.png
    assert convcli("filter", "-k", "box", "-kitten.png").err.startswith(
        "Error: Missing argument 'INPUT...'. The file of that name is ./-kitten.png "
    )
    long = convcli("filter", f"-{'z' * 300}", "-k", "box")
    assert (long.code, long.err) == (2, "Error: No such option '-z'. (see: convcli filter --help)\n")


@pytest.mark.parametrize(("words", "said"), [
    (["pool", "--global", "average", "cat.jpg"], "average: no such file, but a word of --mode: --mode average"),
    (["filter", "cat.jpg", "-k", "box", "sobel"], "sobel: no such file, but a word of -k: -k sobel"),
    (["pad", "--amount", "3", "edge", "cat.jpg"], "edge: no such file, but a word of --mode: --mode edge"),
    (["morph", "dilate", "disk", "a.png"], "disk: no such file, but a word of --element: --element disk"),
])  # fmt: skip
def test_a_word_in_the_place_of_a_file(convcli, words, said):
    answer = convcli(*words)
    assert (answer.code, answer.err) == (2, f"Error: {said}\n")


@pytest.mark.parametrize(("words", "said"), [
    (["sharpen", "a.jpg"], "command: got the kernel 'sharpen'; write convcli filter PICTURE -k sharpen "),
    (["a.jpg", "-k", "box"], "command: got the file 'a.jpg', expected a command before it, as convcli filter a.jpg "),
    (["filter", "a.jpg", "--resize", "50%"], "It is a kernel here: -k resize:width=800 "),
    (["filter", "a.jpg", "-blur", "0x2", "-k", "box"], "No such option '-b'. It is a kernel here: -k gaussian "),
    (["filter", "a.jpg", "--rotate", "90", "-k", "box"], "Pictures are turned by what their EXIF says"),
    (["filter", "a.jpg", "-k", "gaussian", "--sigma", "2"], "a parameter of the kernel: -k gaussian:sigma=1 "),
    (["filter", "a.jpg"], "Or name a --recipe; -k identity converts a file"),
    (["explain", "a.jpg"], "Missing option '-k' / '--kernel'. (see: convcli explain"),
    (["morph"], "Missing argument 'OPERATION'. Choose from: dilate, erode, open, "),
    (["filter", "a.jpg", "-k", "grayscale"], "; --channels gray makes grey of colour. "),
    (["filter", "a.jpg", "-k", "box", "--border", "mirorr"], "; did you mean 'mirror'? "),
    (["pool", "a.jpg", "--size", "2", "--mode", "averge"], "; did you mean 'average'? "),
])  # fmt: skip
def test_habits_from_other_programs(convcli, words, said):
    answer = convcli(*words)
    assert answer.code in (1, 2) and said in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize(("words", "said"), [
    (["predict", "a.png", "--model", "shiped"], "shiped: no such file or folder; did you mean 'shipped'?"),
    (["evaluate", "mnist"], "mnist: no such file or folder; it is a network without weights: convcli train makes"),
    (["evaluate", "mine"], "mine: no such file or folder; did you mean mine.safetensors?"),
    (["report", "no.safetensors"], "no.safetensors: no such file"),
])  # fmt: skip
def test_a_model_that_is_not_there(convcli, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.safetensors").write_bytes(b"")
    answer = convcli(*words)
    assert answer.code == 1 and answer.err.startswith(f"Error: {said}") and answer.err.count("\n") == 1


def test_what_is_piped_is_read_by_a_dash(tmp_path):
    command = [sys.executable, "-m", "convcli", "filter", "-k", "box"]
    done = subprocess.run(command, input="", capture_output=True, text=True)
    assert done.returncode == 2 and "'INPUT...'. To read standard input, write - in its place." in done.stderr


@pytest.mark.parametrize("words", [["filter"], ["kernel", "show"], ["cache", "warm"]])
def test_help_by_name_is_the_commands_own(convcli, words):
    assert convcli("help", *words).out == convcli(*words, "--help").out


def test_help_alone_lists_the_commands(convcli):
    assert convcli("help").out == convcli("--help").out


@pytest.mark.parametrize(
    "words",
    ["train digits --limit", "train digits --patience", "evaluate shipped --limit", "report shipped --limit",
     "predict a.png --top", "saliency m a.png --patch", "saliency m a.png --step", "filter a.png -k box --max-pixels"],
)  # fmt: skip
def test_a_number_that_nothing_can_be_computed_with(convcli, words):
    answer = convcli(*words.split(), "9" * 400)
    assert answer.code == 2 and "got a number of 400 digits, expected at most 9,007,199,254,740,992" in answer.err
    assert answer.err.count("\n") == 1


def test_every_command_is_quiet_when_asked():
    for words, command in commands():
        if not isinstance(command, click.Group):
            assert any("-q" in each.opts for each in command.params), words


def test_a_man_page_for_every_command(convcli, tmp_path):
    answer = convcli("help", "--man", tmp_path / "man1")
    names = {f"{words.replace(' ', '-')}.1" for words, _ in commands()} | {"convcli.1"}
    assert answer.code == 0 and {each.name for each in (tmp_path / "man1").iterdir()} == names
    assert len(answer.out.splitlines()) == len(names)
    page = (tmp_path / "man1" / "convcli-filter.1").read_text()
    assert page.startswith('.TH "CONVCLI-FILTER" "1"')
    assert "\\-k, \\-\\-kernel SPEC" in page
    if shutil.which("man"):
        command = ["man", "-l", tmp_path / "man1" / "convcli-filter.1"]
        wide = os.environ | {"MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
        shown = subprocess.run(command, capture_output=True, text=True, check=True, env=wide).stdout
        assert "convcli filter photo.jpg -k gaussian:sigma=2 -o soft.png" in shown


def completed(*words):
    """What bash is offered after these words, the last of which is not finished."""
    environment = os.environ | {
        VARIABLE: "bash_complete", "COMP_WORDS": " ".join(["convcli", *words]), "COMP_CWORD": str(len(words)),
    }  # fmt: skip
    code = "from convcli.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["fil"], ["plain,filter", "plain,filters"]),
        (["filter", "-k", "sobel-"], ["plain,sobel-x", "plain,sobel-y", "plain,sobel-angle"]),
        (["filter", "pho"], ["file,pho"]),
        (["summary", "lenet5-"], ["plain,lenet5-1998"]),
        (["train", "fash"], ["plain,fashion-mnist"]),
        (["predict", "--model", "ship"], ["plain,shipped"]),
        (["help", "sal"], ["plain,saliency"]),
    ],
)
def test_the_shell_completes(words, offered):
    assert completed(*words) == offered


@pytest.mark.parametrize(("spec", "offered"), [
    ("gaussian:", ["gaussian:sigma=", "gaussian:truncate=", "gaussian:size="]),
    ("gauss:si", ["gauss:sigma=", "gauss:size="]),
    ("resize:width=3,h", ["resize:width=3,height="]),
])  # fmt: skip
def test_parameters_are_completed_too(spec, offered):
    assert [each.value for each in KERNEL.shell_complete(None, None, spec)] == offered


def test_values_of_options_are_completed():
    options = {each.name: each for each in group.get_command(None, "filter").params}
    found = {name: options[name].shell_complete(None, "") for name in ("border", "background", "format", "output")}
    assert [each.value for each in found["border"]] == ["reflect", "symmetric", "edge", "wrap", "constant"]
    assert "white" in [each.value for each in found["background"]] and "png" in [each.value for each in found["format"]]
    assert [each.type for each in found["output"]] == ["file"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_and_where_it_belongs(convcli, tmp_path, monkeypatch, shell):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    script = convcli("completion", shell).out
    assert VARIABLE in script
    answer = convcli("completion", shell, "--install")
    places = {
        "bash": "data/bash-completion/completions/convcli",
        "zsh": "data/zsh/site-functions/_convcli",
        "fish": "config/fish/completions/convcli.fish",
    }
    place = tmp_path / places[shell]
    assert answer.out == f"{place}\n" and place.read_text().strip() == script.strip()


def test_every_command_has_a_line_and_a_module():
    assert group.list_commands(click.Context(group)) == list(COMMANDS)


def test_k_is_a_kernel_wherever_it_is():
    """One meaning for one letter, in every command that has it."""
    found = [(words, each) for words, command in commands() for each in command.params if "-k" in each.opts]
    assert len(found) >= 7
    for words, option in found:
        assert option.type in (KERNEL, KERNEL_OR_SIZE), words
        assert "kernel" in f"{option.name} {option.help}".lower(), words
