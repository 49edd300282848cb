"""The options of `convcli train` that make many trainings of one, and the table of what came out."""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convcli.cli.options import Read, WrongUsage, chained, usage
from convcli.cli.printing import say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.cli.scaling import workers_of
from convcli.jobs.documents import json_text

if TYPE_CHECKING:
    from convcli.jobs.sweep import Row
    from convcli.jobs.training_plan import TrainingPlan


def _seeds(text: str) -> tuple[int, ...]:
    from convcli.jobs.sweep import read_seeds

    return read_seeds(text)


# ``--seeds`` and all that goes with it.
options = chained(
    click.option(
        "--seeds", type=Read("A..B", _seeds, "seeds"), metavar="A..B", help="Train once with each: 0..4, or 0,3,7."
    ),
    click.option(
        "--sweep", "settings", multiple=True, metavar="NAME=V,V",
        help="Train once with each value of a setting, as in lr=1e-3,3e-3; several make all combinations.",
    ),
    click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Such trainings side by side."),
    click.option("--cluster", metavar="ADDRESS", help="The same on a Dask cluster: its scheduler, tcp://host:8786."),
)  # fmt: skip
_WORDS = ("seeds", "settings", "workers", "cluster")
# Of one training alone.
_ALONE = {"seed": "seed", "log": "log", "plot": "plot", "page": "report", "resume": "resume"}


def take(words: dict[str, Any], others: dict[str, Any]) -> dict[str, Any] | None:
    """Take those words out of a command's; None where one training is meant. ``others`` are its further words."""
    given = {name: words.pop(name) for name in _WORDS}
    if given["seeds"] is None and not given["settings"]:
        name = next((name for name in _WORDS if given[name]), None)
        if name:
            raise WrongUsage(f"--{name}: got it for one training, expected --seeds or --sweep, which make many")
        return None
    workers_of(given)
    for name, option in _ALONE.items():
        if (words | others).get(name) is not None:
            raise WrongUsage(
                f"--{option}: got it with --{'seeds' if given['seeds'] else 'sweep'}, expected one of them"
            )
    return given


def run(
    given: dict[str, Any],
    words: dict[str, Any],
    data: str | None,
    planned: Callable[[dict[str, Any]], "TrainingPlan"],
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Train all that is asked for, print a row for each setting, and return the exit code."""
    from convcli.atomic import make_folder
    from convcli.jobs.sweep import points_of, read_sweep, sweep

    axes = usage(lambda: read_sweep(given["settings"]))
    folder = Path(words["output"] or f"{Path(data or '').name}-sweep")
    if folder.suffix == ".safetensors":
        raise WrongUsage(f"output: got {folder}, expected a folder for many models")
    make_folder(folder)
    if not folder.is_dir():
        folder.mkdir()
    try:
        base = planned({**words, "output": str(folder / "sweep.safetensors")})
        points = usage(lambda: points_of(base.recipe, given["seeds"] or (base.recipe.seed,), axes))
    except BaseException:
        with suppress(OSError):  # it is not empty
            folder.rmdir()
        raise
    from convcli.jobs.scaling import Scaling

    scaling = Scaling(*workers_of(given))
    places = {"data_dir": words["data_dir"], "offline": words["offline"]}
    if data and Path(data).exists():
        places["data"] = str(Path(data).absolute())
    with (
        progress_bar(hidden=quiet) as progress,
        scaling.engine(lambda line: None if quiet else say(line)) as engine,
    ):
        told: dict[str, Any] = {"command": _command(), "places": places, "progress": progress}
        try:
            rows, failures = sweep(base, points, folder, engine, **told)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; nothing is lost in {folder}: the same command goes on") from None
    if as_json:
        show_result(json_text({"folder": str(folder), "rows": [_document(row) for row in rows], "errors": failures}))
    else:
        show(*_table(rows))
        show_result(folder)
    if len(rows) > 1 and rows[0].measure.startswith("test") and not quiet:
        say("Warning: these settings are told apart by the test set, since nothing was held out (--validation)")
    for failure in failures:
        say(f"Error: {failure}")
    return 1 if failures else 0


def _command() -> list[str]:
    """What was typed, without what makes many trainings of it."""
    words, found = iter(sys.argv[1:]), ["convcli"]
    ours = ("--seeds", "--sweep", "--workers", "--cluster", "-o", "--output")
    for word in words:
        name, has_value, _ = word.partition("=")
        if name not in ours:
            found.append(word)
        elif not has_value:
            next(words, None)
    return found


def _document(row: "Row") -> dict[str, Any]:
    return {**vars(row), "settings": dict(row.settings)}


def _table(rows: Sequence["Row"]) -> list[str]:
    """A row for each setting, as wide as its words."""
    if not rows:
        return []
    head = [name for name, _ in rows[0].settings]
    cells = [[*head, "trainings", rows[0].measure.replace("_", " "), "spread", "std error"]]
    for row in rows:
        numbers = [_shown(value, row.measure) for value in (row.mean, row.spread, row.error)]
        cells.append([*(value for _, value in row.settings), str(row.count), *numbers])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def _shown(value: float | None, measure: str) -> str:
    if value is None:
        return "-"
    return f"{value:.3%}" if measure.endswith("accuracy") else f"{value:.5f}"
