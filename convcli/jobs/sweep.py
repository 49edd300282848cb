"""Many trainings side by side: the same data and network, other seeds and settings; a table says what they are worth.

A training that has not begun is a checkpoint of epoch 0, so whoever works on it goes on with a checkpoint, whether
another has begun it or nobody. Each ends as the one training does that has its seed and settings, to the bit.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from types import UnionType
from typing import Any, get_args, get_type_hints

from convcli.atomic import write_whole
from convcli.engines import Done, Engine
from convcli.errors import ConvcliError, ModelError, shortened, suggestion
from convcli.jobs.ledger import digest
from convcli.jobs.train import checkpoint_of, plan_resumed, train, write_beginning
from convcli.jobs.training_plan import TrainingPlan
from convcli.nn.recipe import Recipe
from convcli.nn.weights import load_model

_MOST = 10_000  # trainings
# What decides otherwise than by its value alone is not for a sweep: which epoch is kept, and when to stop.
_LEFT_OUT = ("seed", "keep", "patience", "select")
_NAMES = {"learning_rate": "lr"}
_MEASURES = ("test_accuracy", "val_accuracy", "test_loss", "val_loss")
# Who compares settings chooses one of them, which must not be done by the test set where others were held out.
_TO_CHOOSE_BY = ("val_accuracy", "val_loss", "test_accuracy", "test_loss")
_PLAN = "sweep.txt"

# Name of a setting -> its values, as they were typed.
Axes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Point:
    """One training: its ``settings`` as they were typed, its seed, and the recipe that they make."""

    settings: tuple[tuple[str, str], ...]
    seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """Of its files: ``lr-0.001_seed-0``."""
        words = [f"{name}-{value}" for name, value in (*self.settings, ("seed", str(self.seed)))]
        return re.sub(r"[^\w.+=-]", "-", "_".join(words))

    @property
    def words(self) -> list[str]:
        """What makes this training out of a command."""
        return [word for name, value in (*self.settings, ("seed", str(self.seed))) for word in (f"--{name}", value)]


@dataclass(frozen=True)
class Row:
    """All trainings of one setting: how good they are on average, and how sure that is.

    Attributes
    ----------
    mean, spread, error : float
        Of the measure: the mean, the standard deviation of one training, and that of the mean; None of a single one.
    """

    settings: tuple[tuple[str, str], ...]
    count: int
    measure: str
    mean: float
    spread: float | None
    error: float | None


def read_seeds(text: str) -> tuple[int, ...]:
    """``0..4``, ``0,3,7`` or ``5`` as numbers; raises `ConvcliError`.

    >>> read_seeds("0..2,7")
    (0, 1, 2, 7)
    """
    seeds: list[int] = []
    for word in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,18})(?:\.\.(\d{1,18}))?\s*", word)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first or last - first >= _MOST:
            raise ConvcliError(f"seeds: got {shortened(text)}, expected such as 0..4 or 0,3,7, at most {_MOST:,}")
        seeds.extend(range(first, last + 1))
    return tuple(dict.fromkeys(seeds))


def read_sweep(texts: Sequence[str]) -> Axes:
    """``lr=1e-3,3e-3`` and others, each a setting and its values; raises `ConvcliError`."""
    known = [_NAMES.get(each.name, each.name).replace("_", "-") for each in fields(Recipe)]
    known = [name for name in known if name not in _LEFT_OUT]
    found: dict[str, tuple[str, ...]] = {}
    for word in (word for text in texts for word in text.split()):
        name, _, values = word.partition("=")
        given = tuple(dict.fromkeys(values.split(",")))
        if name not in known or "" in given or name in found:
            near = (
                name not in known and suggestion(name, known)
            ) or f", expected such as lr=1e-3,3e-3; settings: {', '.join(known)}"
            raise ConvcliError(f"sweep: got {shortened(word)}{near}")
        found[name] = given
    return found


def points_of(base: Recipe, seeds: Sequence[int], axes: Axes) -> tuple[Point, ...]:
    """All trainings: every seed of every setting; raises `ConvcliError` for what is no recipe."""
    hints, back = get_type_hints(Recipe), {name: field for field, name in _NAMES.items()}
    found = []
    for values in product(*axes.values()):
        settings = tuple(zip(axes, values, strict=True))
        words = {back.get(name, name.replace("-", "_")): value for name, value in settings}
        changes = {field: _number(field, value, hints[field]) for field, value in words.items()}
        found += [Point(settings, seed, replace(base, seed=seed, **changes)) for seed in seeds]
    if len(found) > _MOST:
        raise ConvcliError(f"sweep: got {len(found):,} trainings, expected at most {_MOST:,}")
    names = [point.name for point in found]
    if len(set(names)) < len(names):
        raise ConvcliError("sweep: two of its values differ in signs that no file's name has; write them otherwise")
    return tuple(found)


def sweep(
    base: TrainingPlan,
    points: Sequence[Point],
    folder: Path,
    engine: Engine,
    *,
    command: Sequence[str] = (),
    places: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, str], object] = lambda done, total, what: None,
) -> tuple[list[Row], list[str]]:
    """Carry out those trainings that are not done yet; the rows of the table, and what is to be said of failures.

    ``base`` is the plan of one of them, which says as well whether to begin anew; models go into the ``folder``.
    ``places`` are further words of `convcli.jobs.train.plan_resumed`.

    Raises `ModelError` where the folder holds another sweep.
    """
    folder = folder.absolute()  # processes of a cluster run elsewhere
    targets = {point: folder / f"{point.name}.safetensors" for point in points}
    if base.overwrite:
        for path in (folder / _PLAN, *targets.values(), *map(checkpoint_of, targets.values())):
            path.unlink(missing_ok=True)
    _claim(folder, base)
    done = sum(is_done(target) for target in targets.values())
    progress(done, len(points), "")

    def due() -> Iterator[str]:
        for point, target in targets.items():
            checkpoint = checkpoint_of(target)
            if is_done(target):
                continue
            if not checkpoint.exists():
                source = replace(base.source, command=shlex.join([*command, *point.words]))
                words: dict[str, Any] = {"recipe": point.recipe, "target": target, "checkpoint": checkpoint}
                write_beginning(replace(base, source=source, **words))
            yield str(target)

    failures = []
    for each in engine.run(partial(run_point, dict(places or {})), due()):
        if each.error is not None or each.killed:
            failures.append(f"{each.item}: {_reason(each)}")
            continue
        done += 1
        progress(done, len(points), Path(each.item).stem)
    return rows_of({point: target for point, target in targets.items() if is_done(target)}), failures


def run_point(places: Mapping[str, Any], target: str) -> None:
    """Go on with a training, from its first step or where it was left, until its model is written."""
    checkpoint = checkpoint_of(Path(target))
    if checkpoint.exists():  # else another process has ended it, and died before it could say so
        train(plan_resumed(str(checkpoint), output=target, overwrite=True, **places))


def is_done(target: Path) -> bool:
    """Whether a training has ended: its model is there, and its checkpoint is not."""
    return target.exists() and not checkpoint_of(target).exists()


def rows_of(models: Mapping[Point, Path]) -> list[Row]:
    """One row for each setting, from what stands in the models."""
    groups: dict[tuple[tuple[str, str], ...], list[Mapping[str, Any]]] = {}
    for point, target in models.items():
        groups.setdefault(point.settings, []).append(load_model(target).card.metrics)
    found, names = [], _TO_CHOOSE_BY if len(groups) > 1 else _MEASURES
    for settings, metrics in groups.items():
        measure = next((name for name in names if all(name in each for each in metrics)), "")
        if measure:
            found.append(_row(settings, measure, [float(each[measure]) for each in metrics]))
    return found


def _row(settings: tuple[tuple[str, str], ...], measure: str, values: list[float]) -> Row:
    spread = stdev(values) if len(values) > 1 else None
    error = None if spread is None else spread / sqrt(len(values))
    return Row(settings, len(values), measure, fmean(values), spread, error)


def _claim(folder: Path, base: TrainingPlan) -> None:
    """Note what is trained in a folder, or find that it is this."""
    source = {name: value for name, value in asdict(base.source).items() if name != "command"}
    recipe = {name: value for name, value in asdict(base.recipe).items() if name != "seed"}
    plan, path = digest((base.network.spec, source, recipe)), folder / _PLAN
    if path.exists():
        if path.read_text().strip() != plan:
            raise ModelError(f"{folder}: holds a sweep of other data, network or recipe; choose another folder with -o")
        return
    write_whole(path, f"{plan}\n", overwrite=False)


def _number(field: str, text: str, hint: Any) -> Any:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] if isinstance(hint, UnionType) else [hint]
    try:
        return kinds[0](text)
    except ValueError:
        what = "a whole number" if kinds[0] is int else "a number"
        raise ConvcliError(f"{field}: got {shortened(text)}, expected {what}") from None


def _reason(done: Done) -> str:
    return "the processes that work on it die" if done.killed else str(done.error)
