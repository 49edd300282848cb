"""Training a network on a data set: from words to a plan, from a plan or a checkpoint to a model file."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

from convcli.architectures import NetworkPlan, NetworkSpec, load, shape_text
from convcli.architectures.files import resolved
from convcli.atomic import check_folder, check_target
from convcli.datasets import Dataset, Reports, Split, find_entry
from convcli.errors import ConvcliError, DataError, ModelError
from convcli.extras import install
from convcli.jobs.documents import named
from convcli.jobs.inputs import check_apart
from convcli.jobs.task import fitted_for, load_for, preset_for, task_of, units_of
from convcli.jobs.training_data import (
    NORMALIZE,
    form_of,
    held_out_by_default,
    is_normalized,
    measure,
    network_for,
    normalizes,
    planned_network,
    split_of,
    take_over,
)
from convcli.jobs.training_log import check_log_name, write_log
from convcli.jobs.training_notes import notes, outcome, warnings
from convcli.jobs.training_plan import TrainingPlan, TrainReport
from convcli.nn.checkpoint import Source, read_checkpoint, write_checkpoint
from convcli.nn.class_weights import by_places
from convcli.nn.model import Model
from convcli.nn.presets import FEWEST_HELD, SIDE, Preset, preset
from convcli.nn.recipe import Recipe
from convcli.nn.scoring import Examples, learns_squares
from convcli.nn.training import DivergedError, Listener, Training
from convcli.nn.weights import ModelCard, TrainedModel, load_model, save_model
from convcli.ops.augmentation import Augmentation
from convcli.views.curves import check_plot

SUFFIX = ".safetensors"
_CHECKPOINT = ".checkpoint"


def plan_training(
    data: str,
    *,
    model: str | None = None,
    preset_name: str = "default",
    changes: Mapping[str, Any] | None = None,
    held_out: float | int | None = None,
    limit: int = 0,
    size: tuple[int, int] | None = None,
    said: Mapping[str, Any] | None = None,
    start: str | None = None,
    normalize: str | None = None,
    output: str | None = None,
    overwrite: bool = False,
    log: str | None = None,
    plot: str | None = None,
    data_dir: str | None = None,
    offline: bool = False,
    reports: Reports | None = None,
    command: str = "",
) -> TrainingPlan:
    """Decide everything about a training: read the data, fit the network, check every name and number.

    Parameters
    ----------
    data : str
        A data set's name, or a folder with a sub-folder per class.
    model : str, optional
        An architecture or a file of one; else what suits the preset and the data.
    preset_name : str
        Where the recipe begins.
    changes : Mapping, optional
        Values of the `Recipe` that differ from the preset's; without a ``task`` it is guessed from the labels.
    held_out : float or int, optional
        Share (below 1) or number of training images for validation; else the preset's, and of a folder without a
        test set up to a fifth.
    limit : int
        Use so many training images, of each class its share; 0 for all.
    size : (int, int), optional
        Of a folder's pictures; without it the input of a model that was asked for, else their most common size.
    said : Mapping, optional
        What else is said about the data: ``labels``, ``input``, ``validation``, ``strict`` of `Reading`.
    start : str, optional
        A model to go on from; it brings its network along.
    normalize : str, optional
        ``mean-std`` or ``none``; without it ``mean-std`` where numbers are no pixels.
    output : str, optional
        The model's file; ``DATA.safetensors`` without it.

    Raises
    ------
    ConvcliError
        One line about the first thing that is wrong.
    """
    if size is not None and find_entry(data) is not None:
        raise DataError(f"size: got {shape_text(size)}, but {data} comes in one size; leave it out")
    chosen = preset(preset_name)
    given, said = dict(changes or {}), dict(said or {})
    check_recipe(preset_name, given)
    begun, network = _begun(start, model)
    target = _target(output, data)
    checkpoint = checkpoint_of(target)
    _check_targets(target, checkpoint, log, plot, overwrite=overwrite, data=data)
    asked = [word for word, value in (("size", size), ("held_out", held_out)) if value is not None]
    asked += ["keep"] * (given.get("keep") == "best")
    asked += ["weights"] * (model is not None and resolved(model).endswith(SUFFIX))
    size, channels = (None, None) if find_entry(data) is not None else form_of(network, size)
    hint = None if network is None else network.input
    dataset = load_for(
        given.get("task"), data, data_dir=data_dir, offline=offline, size=size, channels=channels, hint=hint,
        reports=reports, **said,
    )  # fmt: skip
    task = given["task"] = task_of(dataset, given.get("task"))
    chosen = preset_for(chosen, task)
    recipe = _recipe(chosen, given, dataset, limit or len(dataset.train), normalize)
    if held_out is None:
        held_out = held_out_by_default(chosen, dataset, limit)
        if not {"keep", "patience"} & set(given) and _are_few_held(held_out, dataset):
            recipe = replace(recipe, keep="last")
    network = network_for(network, chosen, dataset, task)
    source = Source(data, preset_name, held_out, limit, size, dataset.digest, command, said)
    plan = planned_network(network, dataset, task, normalizes=NORMALIZE in recipe.freeze)
    if is_normalized(plan) and NORMALIZE not in recipe.freeze:  # of the model that the training goes on from
        recipe = replace(recipe, freeze=_joined(recipe.freeze, NORMALIZE))
    trial = Model(plan)
    trial.freeze(recipe.freeze)
    fresh = () if begun is None else take_over(trial, begun, dataset.classes)
    if recipe.label_smoothing and "label_smoothing" not in given and _takes_squares(recipe, plan):
        recipe = replace(recipe, label_smoothing=0.0)  # the preset's, which is for cross-entropy
    learned, held = split_of(dataset, source)
    _check_patience(recipe, held)
    made = TrainingPlan(
        dataset, learned, held, plan, recipe, source, target, checkpoint, overwrite,
        None if log is None else Path(log), None if plot is None else Path(plot), start=begun, fresh=fresh,
    )  # fmt: skip
    return replace(made, notes=tuple(notes(made, network, tuple(asked))), warnings=tuple(warnings(made)))


def _begun(start: str | None, model: str | None) -> tuple[TrainedModel | None, NetworkSpec | None]:
    """The model to go on from, and the network that it or ``model`` brings."""
    if start is None:
        return None, None if model is None else load(model)
    begun = load_model(resolved(start))
    if model is not None:
        raise ModelError(f"model: got {model} and a model to go on from, expected one of them; --from brings its own")
    return begun, begun.model.plan.spec


def _are_few_held(held_out: float | int, dataset: Dataset) -> bool:
    """Whether images are held out that are too few to choose an epoch, of data that have no others to measure by."""
    validated = held_out if dataset.validation is None else len(dataset.validation)
    return dataset.test is None and validated < FEWEST_HELD


def _takes_squares(recipe: Recipe, plan: NetworkPlan) -> bool:
    return recipe.loss not in ("", "cross_entropy") or (recipe.task == "classify" and learns_squares(plan))


def _check_patience(recipe: Recipe, held: Split | None) -> None:
    if recipe.patience and held is None:
        raise ModelError(
            f"patience: got {recipe.patience} without held-out images, expected some; add --validation 0.1"
        )


def plan_resumed(
    checkpoint: str,
    *,
    data: str | None = None,
    output: str | None = None,
    overwrite: bool = False,
    log: str | None = None,
    plot: str | None = None,
    data_dir: str | None = None,
    offline: bool = False,
    reports: Reports | None = None,
) -> TrainingPlan:
    """Decide to go on with what a checkpoint says; only the data's place and the outputs may be others.

    Raises `ConvcliError` if the checkpoint cannot be read, or the data are not those it was made with.
    """
    path = Path(checkpoint)
    held = read_checkpoint(path)
    source = held.source
    target = Path(output) if output is not None else _model_of(path)
    _check_targets(target, None, log, plot, overwrite=overwrite, data=source.data)
    # The network is written as it was fitted, so that its input is the form that a folder's pictures were brought to.
    size, channels = form_of(held.network, source.size)
    dataset = load_for(
        held.recipe.task, data or source.data, data_dir=data_dir, offline=offline, size=size, channels=channels,
        hint=held.network.input, reports=reports, **source.said,
    )  # fmt: skip
    if dataset.digest != source.digest:
        raise DataError(
            f"{path}: was made with other images than {data or source.data} has now; expected the same data"
        )
    network = fitted_for(held.recipe.task, held.network, dataset)
    made = TrainingPlan(
        dataset, *split_of(dataset, source), network, held.recipe, source, target, path, overwrite,
        None if log is None else Path(log), None if plot is None else Path(plot), held,
        (f"going on after epoch {held.epoch} of {held.recipe.epochs}",),
    )  # fmt: skip
    return replace(made, warnings=tuple(warnings(made)))


def train(plan: TrainingPlan, listener: Listener | None = None) -> TrainReport:
    """Carry out a plan: a checkpoint after every epoch, and at the end the model's file and no checkpoint.

    If the listener wants to stop, the checkpoint is written and ``finished`` of the report is False.

    Raises
    ------
    DivergedError
        If the loss is no number any more; the checkpoint of the epoch before is left.
    ConvcliError
        If a file cannot be written.
    """
    from convcli.loops.compiling.waiting import foreseen

    training = _begin(plan)
    listener = listener or Listener()

    def save(training: Training) -> None:
        write_checkpoint(plan.checkpoint, training, plan.source)
        if plan.log is not None:
            write_log(plan.log, training.history)
        listener.epoch_ends(training)

    with foreseen(plan.network.spec.name, lambda: _walk(plan)):
        finished = training.run(replace(listener, epoch_ends=save))
    if not finished:
        write_checkpoint(plan.checkpoint, training, plan.source)
        return TrainReport(plan, tuple(training.history), False, training=training)
    training.finish()
    test, units = plan.dataset.test, units_of(plan)
    score = None if test is None else training.score(units.examples(test))
    if score is not None and not isfinite(score.loss):
        raise DivergedError(f"the loss on the test images became {score.loss}; try a lower learning rate")
    units.fold(training.model)
    report = TrainReport(plan, tuple(training.history), True, score, training.best.epoch, training)
    report = replace(report, warnings=tuple(outcome(report)))
    save_model(plan.target, training.model, _card(plan, report), overwrite=plan.overwrite)
    plan.checkpoint.unlink(missing_ok=True)
    return report


def write_beginning(plan: TrainingPlan) -> None:
    """Write the checkpoint of a training of which nothing is done: whoever resumes it trains it from the start."""
    write_checkpoint(plan.checkpoint, _begin(plan), plan.source)


def _walk(plan: TrainingPlan) -> None:
    """Two steps and a validation of another training by the same plan, which call the loops that it will call."""
    model = Model(plan.network, seed=plan.recipe.seed, data_format="channels_last")
    few = plan.recipe.batch_size + 1
    examples = Examples(*(each[:few] for each in units_of(plan).examples(plan.learned)))
    Training(model, replace(plan.recipe, epochs=1), examples, examples).run()


def _begin(plan: TrainingPlan) -> Training:
    """The training, new or as its checkpoint left it."""
    units = units_of(plan)
    validation = None if plan.held is None else units.examples(plan.held)
    # Data sets have their channels last, whatever the network's data format; the weights are the same in both.
    model = Model(plan.network, seed=plan.recipe.seed, data_format="channels_last")
    if plan.resumed is None:
        fresh: tuple[str, ...] = (NORMALIZE,)
        if plan.start is not None:
            fresh = take_over(model, plan.start, plan.dataset.classes)
            units.unfold(model, fresh)
        if NORMALIZE in fresh and is_normalized(plan.network):
            measure(model, plan.learned.images)
    training = Training(model, plan.recipe, units.examples(plan.learned), validation)
    training.unit = units.deviation
    if plan.resumed is not None:
        try:
            training.load_state(plan.resumed.arrays, plan.resumed.numbers)
        except ModelError as error:
            raise ModelError(f"{plan.checkpoint}: {error}") from None
    return training


def _card(plan: TrainingPlan, report: TrainReport) -> ModelCard:
    scores = named(report.kept, "val_loss", "val_accuracy") | report.val_metrics
    if report.test is not None:
        scores |= {"test_loss": report.test.loss, "test_accuracy": report.test.accuracy, **report.test_metrics}
    metrics = {name: score for name, score in scores.items() if score is not None} | {"seconds": report.seconds}
    # The digest lets evaluate find the images again that were held out.
    recipe = plan.recipe.told() | named(plan.source, "preset", "held_out", "limit", "digest", "command")
    return ModelCard(
        name=plan.dataset.name,
        classes=plan.dataset.classes,
        preprocessing=plan.dataset.preprocessing.as_dict(),
        seed=plan.recipe.seed,
        recipe=recipe,
        metrics=metrics,
        history=tuple(each.as_dict() for each in report.history),
    )


def _recipe(chosen: Preset, given: Mapping[str, Any], dataset: Dataset, images: int, normalize: str | None) -> Recipe:
    """The preset's recipe for these data, changed as was asked."""
    shape, changes = dataset.shape, dict(given)
    recipe = chosen.recipe_for(images, min(shape[:-1] or (1,)) if len(shape) > 1 else SIDE)
    if len(shape) != 3:
        changes.setdefault("augment", "")  # the preset's is for pictures
    _check_augmentation(Augmentation.from_words(changes.get("augment", "")), dataset)
    changes["class_weight"] = by_places(changes.get("class_weight", ""), dataset.classes)
    if normalizes(normalize, dataset):
        changes["freeze"] = _joined(changes.get("freeze", ""), NORMALIZE)
    return replace(recipe, **changes)


def _check_augmentation(asked: Augmentation, dataset: Dataset) -> None:
    """Refuse what these data cannot undergo; raises `ConvcliError`."""
    asked.check_samples(dataset.shape)
    if asked.brightness and dataset.preprocessing.values == "numbers":
        raise DataError("augment: got brightness for numbers that have no full scale, expected contrast; leave it out")
    labels = dataset.train.labels
    if dataset.targets == "arrays" and asked.moves and labels.shape[-3:-1] != dataset.shape[-3:-1]:
        got, expected = (shape_text(each[-3:-1]) for each in (labels.shape, dataset.shape))
        raise DataError(
            f"augment: got targets of {got} for samples of {expected}, which do not move along; leave it out"
        )


def _joined(*words: str) -> str:
    return ",".join(filter(None, words))


def check_recipe(preset_name: str, changes: Mapping[str, Any]) -> None:
    """Refuse what a preset's recipe cannot become, before any data are read; raises `ConvcliError`."""
    known = {name: value for name, value in changes.items() if name != "loss" or "task" in changes}
    replace(preset(preset_name).recipe, **known)


def check_names(output: str | None, log: str | None = None, plot: str | None = None) -> None:
    """Refuse outputs whose names do not end as they should; raises `ConvcliError`."""
    if output is not None:
        _target(output, "")
    if log is not None:
        check_log_name(Path(log))
    if plot is not None:
        check_plot(Path(plot))


def checkpoint_of(target: Path) -> Path:
    """Where a training that makes this model keeps its checkpoint."""
    return target.with_name(f"{target.name.removesuffix(SUFFIX)}{_CHECKPOINT}{SUFFIX}")


def _model_of(checkpoint: Path) -> Path:
    stem = checkpoint.name.removesuffix(SUFFIX)
    if not stem.endswith(_CHECKPOINT):
        raise ModelError(f"{checkpoint}: does not end with {_CHECKPOINT}{SUFFIX}; say with -o where the model goes")
    return checkpoint.with_name(stem.removesuffix(_CHECKPOINT) + SUFFIX)


def _target(output: str | None, data: str) -> Path:
    if output is None:
        return Path(f"{Path(data).resolve().name if Path(data).is_dir() else Path(data).name}{SUFFIX}")
    target = Path(output)
    if target.suffix.lower() != SUFFIX:
        raise ModelError(f"{target}: got the suffix {target.suffix or 'none'!r}, expected a name that ends in {SUFFIX}")
    if target.stem.lower().endswith(_CHECKPOINT):
        raise ModelError(f"{target}: is the name of a checkpoint, expected another for the model")
    return target


def _check_targets(
    target: Path, checkpoint: Path | None, log: str | None, plot: str | None, *, overwrite: bool, data: str
) -> None:
    """Refuse every output that could not be written, before hours of work."""
    check_target(target, overwrite=overwrite)
    if checkpoint is not None and checkpoint.exists() and not overwrite:
        raise ModelError(
            f"{checkpoint}: an unfinished training lies here; go on with --resume {checkpoint}, or add --overwrite"
        )
    check_names(None, log, plot)
    for other in (log, plot):
        if other is not None:
            check_apart(other, [data])
            check_target(Path(other), overwrite=overwrite)
    if plot is not None and find_spec("matplotlib") is None:
        raise ConvcliError(f"plot: matplotlib is not installed; {install('plot')}")
    check_folder(target)
