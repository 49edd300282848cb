"""`convcli train`: a network learns a data set."""

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from convcli.cli import downloads, options, sweep
from convcli.cli.completing import DATA, MODEL, NETWORK
from convcli.cli.printing import say, show_result
from convcli.cli.training_display import Display, closing
from convcli.jobs.documents import json_text
from convcli.jobs.runtime import prepare_loops, request_threads

if TYPE_CHECKING:
    from convcli.jobs.training_plan import TrainingPlan, TrainReport

TASKS = ("classify", "regress", "multi-label", "segment", "denoise")
LOSSES = ("cross_entropy", "mse", "mae", "huber", "dice")
_PRESETS = ("default", "lecture", "fast", "best")
KEPT = ("best", "last")
SELECTED = ("loss", "accuracy")
NORMALIZATIONS = ("none", "mean-std")
_SCHEDULES = ("constant", "step", "cosine", "one_cycle")
# Options that change the recipe, by the recipe's own words.
_RECIPE = (
    "epochs", "batch_size", "optimizer", "learning_rate", "schedule", "warm_up", "weight_decay", "label_smoothing",
    "clip_norm", "average", "augment", "keep", "patience", "select", "freeze", "class_weight", "seed", "task", "loss",
)  # fmt: skip


def _held(text: Any) -> float | int | str:
    """A share below 1, a number of images, or a folder or file of them."""
    from pathlib import Path

    try:
        number = float(text)
    except ValueError:
        if Path(text).exists():
            return str(text)
        number = -1.0
    if not 0 <= number <= 1e9 or (number >= 1 and (number != int(number) or "." in text)):
        raise ValueError(f"got {text!r}, expected a share below 1 or a whole number of images, or a folder or file")
    return int(number) if number >= 1 else number


class Size(options.Counts):
    """Height and width of pictures."""

    name = "HxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse ``N`` or ``HxW``, or fail."""
        sizes = super().convert(value, param, ctx)
        if max(sizes) > 4096:
            self.fail(f"got {value!r}, expected at most 4096x4096", param, ctx)
        return sizes


@click.command()
@click.argument("dataset", metavar="DATASET [LABELS]", type=DATA, nargs=-1)
@click.option("--model", metavar="NAME|FILE", type=NETWORK, help="A network of `convcli summary`, or a .toml file.")
@click.option("--preset", "preset_name", type=click.Choice(_PRESETS), default="default", show_default=True)
@click.option("--task", type=click.Choice(TASKS), metavar="TASK",
              help="classify, regress, multi-label, segment, denoise.  [default: what the labels are for]")  # fmt: skip
@click.option("--loss", type=click.Choice(LOSSES), metavar="LOSS",
              help="cross_entropy, mse, mae, huber or dice.  [default: the task's]")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1, 1_000_000), metavar="N", help="How often each image is seen.")
@click.option("--batch-size", type=click.IntRange(1, 1_000_000), metavar="N", help="Images a step.")
@click.option("--optimizer", metavar="NAME", help="sgd, rmsprop, adam or adamw; with settings: sgd:momentum=0.9.")
@click.option("--lr", "learning_rate", type=float, metavar="RATE", help="The highest learning rate.")
@click.option("--schedule", type=click.Choice(_SCHEDULES), help="What becomes of it.")
@click.option("--warm-up", type=float, metavar="EPOCHS",
              help="Epochs of the way up: before the schedule, or the first part of one_cycle.")  # fmt: skip
@click.option("--weight-decay", type=float, metavar="SHARE", help="Of kernels only, decoupled.")
@click.option("--label-smoothing", type=float, metavar="SHARE", help="Spread over all classes; in no other loss.")
@click.option("--clip-norm", type=float, metavar="NORM", help="The longest gradient; 0 for any.")
@click.option("--average", type=float, metavar="DECAY", help="Moving average of the weights; 0 for none.")
@click.option("--augment", metavar="WORDS", help="As in shift=2,rotation=10,scale=0.1,elastic=1; or none.")
@click.option("--validation", "held_out", type=options.Read("SHARE|N|PATH", _held),
              help="Training images held out to measure by, or a folder or a file of others.  [default: 5% if that "
              "makes 50, else none; lecture, fast, "
              "best: none; without a test set up to a fifth]")  # fmt: skip
@click.option("--keep", type=click.Choice(KEPT),
              help="The epoch to keep: the best by its held-out loss, or the last.  [default: best; last if fewer than "
              "50 images were held out unasked]")  # fmt: skip
@click.option("--select", type=click.Choice(SELECTED), help="What the best epoch is known by.  [default: loss]")
@click.option("--patience", type=options.AtLeast(0), metavar="N", help="Stop after N epochs without progress.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Same seed, same weights, to the bit.")
@click.option("-o", "--output", metavar="FILE", help="The model; DATASET.safetensors without it.")
@click.option("--resume", metavar="CHECKPOINT", help="Go on with an interrupted training.")
@click.option("--from", "start", metavar="MODEL", type=MODEL,
              help="Go on from a model's weights; other classes get a new last layer.")  # fmt: skip
@click.option("--freeze", metavar="LAYERS", help="Layers that do not learn: names as in conv_1,conv_2 or conv_*.")
@click.option("--class-weight", metavar="WORDS", help="balanced, or what classes count: cat=2,dog=0.5.")
@click.option("--normalize", type=click.Choice(NORMALIZATIONS),
              help="Bring each channel to mean 0 and deviation 1, in a layer of the model.  [default: mean-std if "
              "numbers are no pixels]")  # fmt: skip
@click.option("--limit", type=options.AtLeast(1), metavar="N", help="Use N training images, of each class its share.")
@click.option("--size", type=Size(), metavar="HxW",
              help="Bring a folder's pictures to this size.  [default: the input of --model, else theirs]")  # fmt: skip
@downloads.of_own_data
@click.option("--log", metavar="FILE", help="Write the history into a .csv or .json file, after each epoch.")
@click.option("--plot", metavar="FILE", help="Draw the curves into a .png, .svg or .pdf file (needs matplotlib).")
@click.option("--report", "page", metavar="FILE.html", help="Write the page of convcli report at the end.")
@sweep.options
@downloads.work_on_data
def command(
    dataset: tuple[str, ...], preset_name: str, resume: str | None, page: str | None, threads: int | None,
    as_json: bool, quiet: bool, **words: Any,
) -> int:  # fmt: skip
    """Train a network on images, and write the model.

    DATASET is mnist, fashion-mnist, kmnist, cifar10, digits (comes with convcli), or your own:

    \b
      photos/        a sub-folder for each class, of pictures, .npy arrays, WAV
                     sounds or TIFF volumes; or train/, val/ and test/ of those
      cells/         images/ beside masks/, noisy/ beside clean/: pairs of the
                     same names; or train/, val/ and test/ of such
      data.npz       x_train y_train x_test y_test, images labels, X y ...
      x.npy y.npy    samples and their labels; of x.npy alone y.npy lies beside
      data.csv       rows of a label and numbers, or of a file's name and a label;
                     data_train.csv has its test set in data_test.csv
      train-images-idx3-ubyte   IDX files side by side, packed or not

    Samples are pictures, series, volumes or plain features by their shape: (N, H, W), (N, H, W, C), (N, W, C),
    (N, D, H, W) ...; what was taken for what is told, and --input 28x28x1 says it. Files that cannot be used are left
    out, named and counted; --strict stops at them. Prints a line per epoch, the test accuracy, and what to type next.

    A loss or accuracy of the training set is taken while it is learned: of images moved by --augment, and with
    --label-smoothing in the loss. Those of held-out images and of the test set have neither. Where a folder has no test
    set, up to a fifth of it is held out, and its accuracy is told instead; --validation 0 holds out none.

    A network of --model keeps its own input, to which a folder's pictures are brought (scaled to fill it, then cut at
    the sides); --size is another. Without --model the size is the pictures' most common one.

    \b
    Presets, each a network and a recipe that the other options change:
      default  the data set's usual network, 5 epochs, averaged weights
      lecture  the lecture's recipe to the letter: RMSprop, 5 epochs
      fast     the same network in two epochs
      best     a deeper network; images shifted, turned and bent; minutes
    A small data set comes in smaller batches, and more often.

    A checkpoint beside the model is written after each epoch and on Ctrl-C, and removed at the end; --resume continues
    the very same curve, to the bit. If images are held out, the epoch with their lowest loss is kept; see --keep.

    \b
    Words of --json, and of --log for its rows:
      history        for each epoch: loss and accuracy of the training set,
                     val_loss and val_accuracy of held-out images, seconds,
                     images_per_second, learning_rate
      val_loss ...   those of the kept epoch; best_epoch if it was chosen
      test_loss ...  of the test set; null where there is none
      train_images, val_images, test_images  how many each is of

    \b
    Examples:
      convcli train digits
      convcli train mnist
      convcli train mnist --preset lecture --seed 3 -o lecture.safetensors
      convcli train mnist --model lenet5 --epochs 10 --augment shift=2
      convcli train photos/ --epochs 30 --report photos.html
      convcli train mnist_train.csv --validation mnist_test.csv
      convcli train sensors.csv --labels activity --input 128x3
      convcli train clothes.npz --from mnist.safetensors --freeze 'conv_*'
      convcli train --resume mnist.checkpoint.safetensors
      convcli train mnist --seeds 0..4 --sweep lr=1e-3,3e-3 --workers 2

    --seeds and --sweep train many times, --workers of them side by side, each as the one training with its seed and
    settings, to the bit. -o is a folder then; a table tells of each setting the mean, the spread of one training and
    the standard error of the mean. The same command goes on where it was interrupted or killed.
    One training is not shared out: measured, two processes that sum their gradients in a fixed order gave the same bits
    as one, and 1,770 images/s against the 3,450 of two threads (batches of 64; of 512 3,600 against 4,350).
    """
    shown = {"as_json": as_json, "quiet": quiet}
    many = sweep.take(words, {"resume": resume, "page": page})
    if many is not None:
        request_threads(threads)
        prepare_loops(threads, None if quiet else options.say_compiling)
        source = dataset[0] if dataset else None
        return sweep.run(many, words, source, lambda one: _planned(dataset, preset_name, None, quiet, one), **shown)
    _check_outputs(page, words)
    request_threads(threads)
    plan = _planned(dataset, preset_name, resume, quiet, words)
    prepare_loops(threads, None if quiet else options.say_compiling)
    return _train(plan, page, **shown)


def _train(plan: "TrainingPlan", page: str | None, *, as_json: bool, quiet: bool) -> int:
    """One training, told as it goes along, and what is written of it; the exit code."""
    from convcli.jobs.train import train
    from convcli.nn.training import Listener

    if not quiet:
        say(*(f"note: {note}" for note in plan.notes), *(f"Warning: {warning}" for warning in plan.warnings))
    with Display(plan, shown=not quiet, lines=not (as_json or quiet)) as display, _stopping() as stop:
        report = train(plan, Listener(display.batch, display.epoch, stop.is_set))
    if not report.finished:
        return _interrupted(report)
    _draw(report, page)
    pages = {"report": page} if page else {}
    if not quiet:
        say(*(f"Warning: {warning}" for warning in report.warnings))
    lines = [str(plan.target)] if quiet else closing(report)
    for line in [json_text(report.as_dict() | pages)] if as_json else [*lines, *pages.values()]:
        show_result(line)
    return 0


def _check_outputs(page: str | None, words: dict[str, Any]) -> None:
    """Wrong suffixes are wrong usage."""
    from convcli.jobs.train import check_names

    options.usage(lambda: check_names(words["output"], words["log"], words["plot"]))
    if page is not None:
        from convcli.jobs.report import check_page_name, check_report

        options.usage(lambda: check_page_name(page))
        check_report(page, overwrite=words["overwrite"])


def _draw(report: "TrainReport", page: str | None) -> None:
    """Write the curves and the page, if they are asked for."""
    plan = report.plan
    if plan.plot is not None:
        from convcli.views.curves import draw_curves

        title = f"{plan.network.spec.name} on {plan.dataset.name}"
        smoothing = plan.recipe.label_smoothing
        draw_curves(report.history, plan.plot, title=title, label_smoothing=smoothing, overwrite=plan.overwrite)
    if page is not None:
        from convcli.jobs.classifier import load_classifier
        from convcli.jobs.report import report_on, write_report

        found = report_on(load_classifier(plan.target, pictures=False, any_task=True), plan.dataset)
        write_report(found, page, overwrite=plan.overwrite)


def _planned(
    dataset: tuple[str, ...], preset_name: str, resume: str | None, quiet: bool, words: dict[str, Any]
) -> "TrainingPlan":
    """The plan, new or resumed; wrong words are wrong usage."""
    from convcli.jobs.train import check_recipe, plan_resumed, plan_training

    data, said = _said(dataset, words)
    changes = {name: words.pop(name) for name in _RECIPE}
    changes = {name: value for name, value in changes.items() if value is not None}
    outputs = {name: words[name] for name in ("output", "overwrite", "log", "plot", "data_dir", "offline")}
    with downloads.reporting(quiet=quiet) as reports:
        if resume is not None:
            others = ("model", "start", "normalize", "held_out", "limit", "size", "labels", "input")
            refused = [*changes, *(name for name in others if words[name] is not None)]
            if refused or preset_name != "default":
                name = (refused or ["preset"])[0]
                word = {"learning_rate": "lr", "held_out": "validation"}.get(name, name).replace("_", "-")
                raise click.UsageError(
                    f"--resume: got --{word} too, but a resumed training keeps its recipe; leave it out"
                )
            return plan_resumed(resume, data=data, reports=reports, **outputs)
        if data is None:
            raise click.UsageError("DATASET is missing, expected mnist, digits, a folder ...; or --resume CHECKPOINT")
        options.usage(lambda: check_recipe(preset_name, changes))
        return plan_training(
            data, preset_name=preset_name, changes=changes, model=words["model"], held_out=words["held_out"],
            limit=words["limit"] or 0, size=words["size"], said=said, start=words["start"],
            normalize=words["normalize"], reports=reports,
            command=shlex.join(["convcli", *sys.argv[1:]]), **outputs,
        )  # fmt: skip


def _said(dataset: tuple[str, ...], words: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The data's name, and what is said about them; a second file are the labels, a validation may be a file."""
    if len(dataset) > 2 or (len(dataset) == 2 and words["labels"] is not None):
        raise click.UsageError(f"DATASET: got {len(dataset)} names, expected one, or a file of samples and its labels")
    if len(dataset) == 2:
        words["labels"] = dataset[1]
    said = {name: words[name] for name in ("labels", "input", "strict") if words[name]}
    if isinstance(words["held_out"], str):
        said["validation"], words["held_out"] = words["held_out"], None
    return (dataset[0] if dataset else None), said


@contextlib.contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Ctrl-C asks to stop after the batch at hand; a second one stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(report: "TrainReport") -> int:
    at = report.training.progress if report.training else None
    epoch = (at.epoch if at else len(report.history)) + 1
    say(
        f"stopped in epoch {epoch} of {report.plan.recipe.epochs}; nothing is lost, go on with:",
        f"  {_command_to_go_on(report.plan)}",
    )
    return 130


def _command_to_go_on(plan: "TrainingPlan") -> str:
    """What to type so that the same outputs appear in the end."""
    from convcli.jobs.train import checkpoint_of

    words = ["convcli", "train", "--resume", str(plan.checkpoint)]
    if checkpoint_of(plan.target) != plan.checkpoint:
        words += ["-o", str(plan.target)]
    for option, path in (("--log", plan.log), ("--plot", plan.plot)):
        if path is not None:
            words += [option, str(path)]
    if any(path is not None and path.exists() for path in (plan.target, plan.log, plan.plot)):
        words.append("--overwrite")
    return shlex.join(words)
