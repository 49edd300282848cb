"""The README and the help texts are true: generated parts are up to date, examples run, every option is explained."""

import doctest
import inspect
import re
import shlex
import wave
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import numpy as np
import pytest
import tifffile
import zarr

import convcli as convcli_package
from convcli.cli import COMMANDS
from convcli.cli.reference import API_PAGE, PAGE, SCALE_PAGE, api, commands, reference, scale
from convcli.jobs.filter import NORMALIZE, FilterPlan
from convcli.jobs.output_policy import ALPHA, CHANNELS, DEPTHS, RANGES
from convcli.ops import borders, pooling_runs, signatures
from convcli.ops.borders import BORDERS
from convcli.ops.morphology import OPERATIONS
from convcli.ops.pooling_runs import MODES
from convcli.ops.responses import ACTIVATIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL_COMMANDS = dict(commands())


TOUR = "## The lectures, step by step"
BEFORE_THE_TOUR, _, REST = README.partition(TOUR)
THE_TOUR, _, AFTER_THE_TOUR = REST.partition("\n## ")


def shell_examples(text):
    """Every `convcli ...` line of a text's shell blocks."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if line.startswith("convcli "):
                yield line


def make_readme_files():
    """The files that the README's examples only name: a volume, a recording, a series."""
    tifffile.imwrite("scan.tif", np.zeros((6, 12, 14), np.uint16), photometric="minisblack")
    tifffile.imwrite("cells.ome.tif", np.zeros((6, 2, 12, 14), np.uint16), metadata={"axes": "ZCYX"})
    zarr.create_array("embryo.zarr", shape=(6, 12, 14), chunks=(3, 6, 7), dtype="u2")[:] = 1
    with wave.open("speech.wav", "wb") as recording:
        recording.setparams((1, 2, 8000, 0, "NONE", ""))
        recording.writeframes(bytes(400))
    Path("prices.csv").write_text("price\n" + "\n".join(map(str, range(20))) + "\n")


def test_the_reference_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m convcli.cli.reference"


def test_the_page_of_what_large_work_costs_is_up_to_date():
    assert SCALE_PAGE.read_text(encoding="utf-8") == scale(), "run: python -m convcli.cli.reference"


def test_every_command_is_in_the_reference():
    assert {words.split()[1] for words in ALL_COMMANDS} == set(COMMANDS)
    page = reference()
    for words in ALL_COMMANDS:
        assert f"## `{words}`" in page


@pytest.mark.parametrize("words", list(ALL_COMMANDS))
def test_help_explains_every_option_and_has_examples_in_80_columns(convcli, words):
    command = ALL_COMMANDS[words]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not isinstance(parameter.type, click.Choice):
            assert parameter.help, f"{words}: {parameter.name} has no help"
    result = convcli(*words.split()[1:], "--help")
    assert result.code == 0
    assert "Example" in result.out, words
    assert max(map(len, result.out.splitlines())) <= 80, words


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_static_line_is_the_first_line_of_the_help(name):
    command = ALL_COMMANDS[f"convcli {name}"]
    assert command.help is not None
    assert command.help.splitlines()[0].startswith(COMMANDS[name][1].rstrip(".")), name


@pytest.mark.parametrize("line", list(shell_examples(BEFORE_THE_TOUR + AFTER_THE_TOUR)))
def test_readme_commands_run(convcli, line, tmp_path, monkeypatch):
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    if "-o sample_images/" in line:
        line = line.replace("-o sample_images/", "-o ")  # the repository's own gallery stays as it is
    monkeypatch.chdir(tmp_path)
    make_readme_files()
    result = convcli(*shlex.split(line)[1:])
    assert result.code == 0, result.err


def test_the_tour_runs_from_its_first_command_to_its_last(convcli, tmp_path, monkeypatch):
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    monkeypatch.chdir(tmp_path)
    lines = list(shell_examples(THE_TOUR))
    assert len(lines) > 20
    for line in lines:
        result = convcli(*shlex.split(line)[1:])
        assert result.code == 0, f"{line}\n{result.err}"
    for name in re.findall(r"sample_images/tour/([\w.-]+)\)", README):
        assert (tmp_path / name).is_file(), f"{name} is shown, but no command of the tour makes it"


def test_readme_python_runs(tmp_path, monkeypatch):
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(block, namespace)  # the README's own code
    assert namespace["image"].shape == (5, 5)
    assert len(namespace["training"].history) == 2


def test_the_map_names_files_that_exist():
    text = (ROOT / "convcli" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)\b", text))
    missing = [name for name in named if not any((ROOT / room / name).is_file() for room in ("convcli", ""))]
    assert len(named) > 30 and not missing
    for name, words in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py): ([A-Za-z_]+)", text):
        assert words in next(ROOT.glob(f"*{name}" if name.startswith("tests") else f"*/{name}")).read_text(), name
    places = {path.stem for path in (ROOT / "convcli").iterdir() if path.suffix in ("", ".py")}
    rooms = set(re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.M))
    assert rooms == places - {"__init__", "__main__", "__pycache__", "unfinished"}
    # Work that is not called as its command is stands among the things one looks for.
    work = {path.stem for room in ("jobs", "stores", "engines") for path in (ROOT / "convcli" / room).glob("[!_]*.py")}
    assert not [name for name in work - set(COMMANDS) if f"{name}.py" not in text]


def test_the_page_of_functions_is_up_to_date_and_has_every_name():
    page = api()
    assert API_PAGE.read_text(encoding="utf-8") == page, "run: python -m convcli.cli.reference"
    for name in set(convcli_package.__all__) - {"__version__"}:
        assert f"### `convcli.{name}`" in page


@pytest.mark.parametrize("name", [each for each in convcli_package.__all__ if each[0].islower()])
def test_every_public_function_has_types_and_examples_that_run(name):
    function = getattr(convcli_package, name)
    module = import_module(function.__module__)
    (found,) = doctest.DocTestFinder(recurse=False).find(function, globs=vars(module).copy())
    assert found.examples, f"{name} has no example"
    assert doctest.DocTestRunner().run(found).failed == 0
    hints = inspect.get_annotations(function)
    assert set(inspect.signature(function).parameters) | {"return"} == set(hints), f"{name} lacks types"
    loose = [each for each, kind in hints.items() if kind is Any and each != "words"]
    assert not loose, f"{name}: {loose} may be anything"


def test_types_name_every_word_that_is_understood():
    assert set(get_args(signatures.BorderWord)) == set(BORDERS) | set(borders.ALIASES)
    assert set(get_args(signatures.PoolMode)) == set(MODES) | set(pooling_runs.ALIASES)
    assert set(get_args(signatures.OperationWord)) == set(OPERATIONS)
    hints = get_type_hints(signatures.FilterWords)
    tables = {"activation": ACTIVATIONS, "normalize": NORMALIZE, "channels": CHANNELS, "range": RANGES,
              "alpha": ALPHA, "depth": DEPTHS, "border": get_args(signatures.BorderWord)}  # fmt: skip
    assert {word: set(get_args(hints[word])) for word in tables} == {word: set(table) for word, table in tables.items()}
    plan = {field.name for field in fields(FilterPlan)} - {"kernels", "axes", "title"}
    assert set(hints) == plan | {"border_value", "convolve", "normalize"}


def test_public_functions_have_runnable_examples():
    names = ["convcli.ops.correlation", "convcli.ops.borders", "convcli.ops.plan", "convcli.ops.padding",
             "convcli.ops.dilation", "convcli.images.formats", "convcli.images.depth"]  # fmt: skip
    for name in names:
        module = import_module(name)
        found = doctest.DocTestSuite(module, extraglobs={})
        assert found.countTestCases() > 0, name
        result = doctest.testmod(module)
        assert result.failed == 0, name
