"""What a user should know about a training before its first step: what was decided for them, and what to beware of."""

from collections.abc import Iterator

from convcli.architectures import shape_text
from convcli.architectures.grammar import NetworkSpec
from convcli.jobs.training_data import NORMALIZE, is_normalized
from convcli.jobs.training_plan import TrainingPlan
from convcli.nn.presets import FEWEST_HELD
from convcli.nn.scoring import learns_squares
from convcli.nn.tasks import TASKS


def notes(plan: TrainingPlan, network: NetworkSpec, asked: tuple[str, ...]) -> Iterator[str]:
    """Of the data, the network as it was before it was fitted, and words that do less than they seem to.

    ``asked`` are those of ``size``, ``held_out`` and ``keep`` that the user decided.
    """
    data, recipe, count = plan.dataset, plan.recipe, len(plan.learned)
    yield from data.notes
    yield from _fitting(plan, network)
    yield from _going_on(plan)
    if plan.source.size is not None and "size" not in asked and plan.learned.names:
        yield f"pictures are brought to {shape_text(data.shape)}, the input of {network.name}; --size HxW is another"
    if plan.held is not None and data.test is None and "held_out" not in asked and len(plan.held) >= FEWEST_HELD:
        yield f"{data.name} has no test set: {_held_of(plan)} are held out to measure by; --validation is another share"
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
    for key in ("training", "preprocessing", "classes"):
        if key in network.extra:
            yield f"{network.name}: its {key} is not used; the options and the data say that"


def warnings(plan: TrainingPlan) -> Iterator[str]:
    """Of images that are too few to say how good a network is, or that are not there at all."""
    data = plan.dataset
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
        parts.append(f"{len(data.classes)} classes" if data.classes else f"{plan.network.output[-1]} outputs")
    if parts:
        yield f"{network.name} is fitted to {' and '.join(parts)}"


def _held_of(plan: TrainingPlan) -> str:
    held = 0 if plan.held is None else len(plan.held)
    return f"{held:,} of {_images(held + len(plan.learned))}"


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"
