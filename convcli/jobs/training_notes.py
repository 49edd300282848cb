"""What a user should know about a training: before its first step what was decided for them, and how it ended."""

from collections.abc import Iterator
from math import inf, sqrt

import numpy as np

from convcli.architectures import NetworkPlan, shape_text
from convcli.architectures.grammar import NetworkSpec
from convcli.architectures.output import find_output
from convcli.datasets.windows import shared_with
from convcli.jobs.training_data import NORMALIZE, is_normalized
from convcli.jobs.training_plan import TrainingPlan, TrainReport
from convcli.nn.presets import FEWEST_HELD
from convcli.nn.recipe import Recipe
from convcli.nn.scoring import learns_squares
from convcli.nn.tasks import TASKS

_RISEN = 1.5  # times the loss of the first epoch, from which on a training has gone astray
_FEW_EPOCHS = 5


def notes(plan: TrainingPlan, network: NetworkSpec, asked: tuple[str, ...]) -> Iterator[str]:
    """Of the data, the network as it was before it was fitted, and words that do less than they seem to.

    ``asked`` are those of ``size``, ``held_out`` and ``keep`` that the user decided, and ``weights`` if the network is
    that of a trained model.
    """
    data, recipe, count = plan.dataset, plan.recipe, len(plan.learned)
    yield from data.notes
    if "weights" in asked:
        yield (
            f"of the model only its network, {network.name}, is taken, with new weights; --from goes on from those it "
            "has learned"
        )
    yield from _fitting(plan, network)
    yield from _going_on(plan)
    if plan.source.size is not None and "size" not in asked and plan.learned.names:
        yield f"pictures are brought to {shape_text(data.shape)}, the input of {network.name}; --size HxW is another"
    if plan.held is not None and data.test is None and "held_out" not in asked and len(plan.held) >= FEWEST_HELD:
        yield f"{data.name} has no test set: {_held_of(plan)} are held out to measure by; --validation is another share"
    if plan.source.held_out and plan.held is not None and data.train.windows is not None:
        left = len(data.train) - len(plan.learned) - len(plan.held) if not plan.source.limit else 0
        yield (
            "samples are windows of longer series that overlap: the last ones in time are held out"
            + f", and {left:,} that share moments with them are left out" * (left > 0)
        )
    if plan.source.limit > len(data.train):
        yield f"limit: there are but {len(data.train):,} training images; all are used"
    if recipe.batch_size > count:
        yield f"batch size: there are but {count:,} images to learn from; each step sees all"
    if plan.held is None and "keep" in asked:
        yield "keep: no image is held out that could tell the best epoch; the last is kept"
    if recipe.patience >= max(recipe.epochs - 1, 1):
        yield f"patience: {recipe.patience} epochs never pass within {recipe.epochs}; all are trained"
    if recipe.task != "classify":
        yield f"task: {recipe.task}, {TASKS[recipe.task].meaning}, by {recipe.loss or TASKS[recipe.task].losses[0]}"
    if plan.held is not None and (unseen := set(plan.learned.strata) - set(plan.held.strata)):
        yield f"validation: no held-out image of {data.classes[min(unseen)]}" + (
            f" and {len(unseen) - 1} more classes" if len(unseen) > 1 else ""
        )
    if recipe.task == "classify" and not recipe.loss and learns_squares(plan.network):
        yield f"{network.name} ends without softmax or sigmoid: it learns squared errors of 1 for the class, else 0"
    elif recipe.task == "classify" and recipe.loss in ("", "cross_entropy") and _lacks_softmax(plan.network):
        yield f"{network.name} ends without softmax; its {plan.network.output[-1]} outputs get one, to be probabilities"
    for key in ("training", "preprocessing", "classes"):
        if key in network.extra:
            yield f"{network.name}: its {key} is not used; the options and the data say that"


def warnings(plan: TrainingPlan) -> Iterator[str]:
    """Of images that are too few to say how good a network is, that are not there at all, or that were learned."""
    data = plan.dataset
    for split, what in ((data.test, "test"), (data.validation, "validation")):
        count = 0 if split is None else shared_with(split.images, data.train.images)
        if split is not None and count:
            yield (
                f"{count:,} of {len(split):,} windows of the {what} set share moments with those of the training set: "
                "its measures tell how well these are remembered; part whole series"
            )
    if data.test is None and plan.held is None:
        yield (
            f"{data.name} has no test set and no image is held out: nothing will say how good the network is on "
            "pictures that it has not learned; --validation 0.2 holds out a fifth"
        )
    elif data.test is None and plan.held is not None and len(plan.held) < FEWEST_HELD:
        choosing = ", and do not choose the epoch" * (plan.recipe.keep == "last")
        yield (
            f"{data.name} has no test set: {_held_of(plan)} are held out to measure by{choosing}; each is "
            f"{1 / len(plan.held):.1%} of the held-out accuracy, which is a rough guess for so few"
        )
    elif data.test is not None and len(data.test) < FEWEST_HELD:
        yield (
            f"{data.name} has a test set of {_images(len(data.test))}: each is {1 / len(data.test):.1%} of the test "
            "accuracy, which is a rough guess for so few"
        )


def outcome(report: TrainReport) -> Iterator[str]:
    """Of a training that came to nothing: no better than guessing, or worse than it began."""
    recipe, first, last = report.plan.recipe, report.history[0], report.history[-1]
    found = _no_better(report)
    if found:
        yield f"{found}: nothing was learned{_advice(recipe, 'another')}"
    elif last.loss > _RISEN * first.loss > 0:
        yield f"the training loss rose from {first.loss:.4g} to {last.loss:.4g}{_advice(recipe, 'a lower')}"


def _advice(recipe: Recipe, which: str) -> str:
    rate = recipe.make_optimizer().learning_rate
    return f"; try {which} --lr than {rate:.3g}" + (", or more --epochs" if recipe.epochs <= _FEW_EPOCHS else "")


def _no_better(report: TrainReport) -> str:
    """What shows that a network knows no more than somebody who never looks; empty if it knows more."""
    plan, kept = report.plan, report.kept
    if report.test is not None and plan.dataset.test is not None and len(plan.dataset.test) >= FEWEST_HELD:
        split, accuracy, metrics, what = plan.dataset.test, report.test.accuracy, report.test.metrics, "test"
    elif plan.held is not None and len(plan.held) >= FEWEST_HELD:
        split, accuracy, metrics, what = plan.held, kept.val_accuracy, kept.metrics, "held-out"
    else:
        split, accuracy, metrics, what = plan.learned, kept.accuracy, {}, "training"
    if accuracy is not None and plan.recipe.task in ("classify", "segment"):
        counts = np.bincount(split.labels.reshape(-1).astype(np.int64))
        share = float(counts.max() / counts.sum())
        always = plan.dataset.classes[int(counts.argmax())]
        # Of few answers as many may be right by chance: two standard deviations more are no knowledge yet.
        chance = share + 2 * sqrt(share * (1 - share) / counts.sum())
        if plan.recipe.task == "segment":
            overlap = share / np.count_nonzero(counts)
            if share < 1 and metrics.get("iou", inf) <= overlap:
                return f"the {what} iou {metrics['iou']:.4g} is what guessing gives ({overlap:.4g} for always {always})"
        elif share < 1 and accuracy <= chance and not plan.recipe.class_weight:
            return f"the {what} accuracy {accuracy:.2%} is what guessing gives ({share:.2%} for always {always})"
    for name, guess in (("r2", "always the mean"), ("gain", "the pictures as they are")):
        if metrics.get(name, inf) <= 0:
            return f"the {what} {name} {metrics[name]:.4g} is no better than {guess}"
    if metrics.get("f1") == 0:
        return f"the {what} f1 is 0, so no mark that holds was said"
    return ""


def _lacks_softmax(plan: NetworkPlan) -> bool:
    return len(plan.output) == 1 and plan.output[0] > 1 and find_output(plan.layers).activation == "linear"


def _going_on(plan: TrainingPlan) -> Iterator[str]:
    if plan.start is not None:
        card, classes = plan.start.card, plan.dataset.classes
        told = f"goes on from the weights of {plan.start.model.plan.spec.name}, trained on {card.name}"
        new = [name for name in plan.fresh if name != NORMALIZE]
        if new:
            other = f" for {len(classes)} classes instead of {len(card.classes)}" if card.classes != classes else ""
            told += f"; new from the start: {', '.join(new)}{other}"
        yield told
    if plan.recipe.freeze not in ("", NORMALIZE):
        frozen = [each for each in plan.recipe.freeze.split(",") if each != NORMALIZE]
        yield f"frozen, so that they do not learn: {', '.join(frozen)}"
    if is_normalized(plan.network) and (plan.start is None or NORMALIZE in plan.fresh):
        yield "each channel is brought to mean 0 and deviation 1 by a first layer of the model; --normalize none"


def _fitting(plan: TrainingPlan, network: NetworkSpec) -> Iterator[str]:
    data, parts = plan.dataset, []
    if data.shape != network.input:
        parts.append(f"{shape_text(data.shape)} (its own input is {shape_text(network.input)})")
    if plan.network.spec.layers != network.layers:
        told = data.classes and data.targets != "numbers"
        parts.append(f"{len(data.classes)} classes" if told else f"{plan.network.output[-1]} outputs")
    if parts:
        yield f"{network.name} is fitted to {' and '.join(parts)}"


def _held_of(plan: TrainingPlan) -> str:
    held = 0 if plan.held is None else len(plan.held)
    return f"{held:,} of {_images(held + len(plan.learned))}"


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"
