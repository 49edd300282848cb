"""`convcli evaluate`: how good a model is, class by class."""

from collections.abc import Callable
from functools import cache, partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from convcli.cli import answers, downloads, options, scaling
from convcli.cli.completing import DATA, MODEL
from convcli.cli.options import WrongUsage
from convcli.cli.printing import say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.jobs.classifier import Classifier, load_classifier
from convcli.jobs.documents import json_text
from convcli.jobs.evaluate import SPLITS, Evaluation, evaluate, gallery, load_data, most_confused
from convcli.jobs.report import Report

if TYPE_CHECKING:
    from convcli.jobs.scaling import Scaling

_WIDTH = 79
_LONGEST_LABEL = 20


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.option("--data", type=DATA, help="What to try it on.  [default: what it was trained on]")
@click.option("--split", type=click.Choice(SPLITS),
              help="[default: test where there is one, else what training held out, else all]")  # fmt: skip
@click.option("--limit", type=options.AtLeast(1), metavar="N", help="Use N pictures, of each class its share.")
@click.option("--gallery", "drawing", metavar="OUT.png", help="Draw the worst mistakes, or answers beside the truth.")
@click.option("--top", type=options.AtLeast(1), metavar="K", help="Tell how often the truth is among the K likeliest.")
@click.option("--csv", "table", metavar="OUT.csv", help="Write what was said of each sample, and how good it is.")
@click.option("--report", "page", metavar="OUT.html", help="Write the page of convcli report.")
@click.option("--batch-size", type=click.IntRange(1, 65536), default=256, show_default=True, metavar="N",
              help="Pictures that go through the network at a time.")  # fmt: skip
@downloads.of_own_data
@downloads.data_dir
@downloads.offline
@click.option("--overwrite", is_flag=True, help="Let --gallery, --csv and --report replace an existing file.")
@scaling.workers
@options.threads
@options.max_memory
@options.as_json
@options.quiet
def command(
    model: str,
    data: str | None,
    split: str | None,
    limit: int | None,
    drawing: str | None,
    top: int | None,
    table: str | None,
    page: str | None,
    batch_size: int,
    labels: str | None,
    input: tuple[int, ...] | None,
    strict: bool,
    data_dir: str | None,
    offline: bool,
    overwrite: bool,
    workers: int | None,
    cluster: str | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure a trained model: accuracy, loss, every class, what is taken for what.

    MODEL is a .safetensors file that convcli train wrote. It is tried on the test set; of data without one, on the
    samples that its training held out of those very data, or on all of data that it has not learned. The first line
    says on what. Precision: of the pictures taken for a class, those that show it. Recall: of the pictures that show
    it, those taken for it. F1 is their harmonic mean, of all classes the mean. Calibration error: how far the
    probabilities of the answers are from how often answers as sure are right. In the confusion matrix rows are the
    truth, columns what the model said. Pictures in a folder of classes are prepared as convcli predict does.

    Of a model for another task the task's own measures are printed, of all samples and of each class, mark or number:
    MAE, R2; F1, precision, recall; IoU, or PSNR and what it gained. --csv has them of each sample.

    With --workers, or --cluster, other processes read and prepare pictures of files, and run the network.

    In --json, split is test, held-out, train, all (of a folder not learned) or mixed (of one that has changed since);
    classes are names, per_class the table, and confusion[i][j] pictures of class i that were taken for j.

    \b
    Examples:
      convcli evaluate mnist.safetensors
      convcli evaluate mnist.safetensors --gallery wrong.png
      convcli evaluate pets.safetensors --data pets/ --split train
      convcli evaluate mnist.safetensors --data my-digits/ --json
      convcli evaluate pets.safetensors --data pets/ --top 3 --csv pets.csv
      convcli evaluate cells.safetensors --gallery worst.png --report cells.html
    """
    outputs = answers.Outputs(drawing, table, page, overwrite, quiet)
    outputs.check()
    who = scaling.who_works(workers, cluster)
    options.start_loops(threads, quiet=quiet)
    classifier = load_classifier(model, pictures=False, any_task=True)
    outputs.check_apart([model, data or classifier.trained.card.name, *([labels] if labels else [])])
    if classifier.task != "classify" and not who.is_plain:
        raise WrongUsage(f"got a model to {classifier.task} with workers, expected one that tells classes apart")
    opens, logits = _others(classifier, who, lambda line: None if quiet else say(line))
    words = (("labels", labels), ("input", input), ("strict", strict), ("elsewhere", opens))
    said = {name: value for name, value in words if value}
    with downloads.reporting(quiet=quiet) as reports:
        dataset = load_data(classifier, data, data_dir=data_dir, offline=offline, reports=reports, said=said)
    if not quiet:
        for note in dataset.notes:
            say(f"Note: {note}")
    if classifier.task != "classify":
        if top is not None:
            raise click.UsageError(f"--top: got a model to {classifier.task}, expected one that tells classes apart")
        answers.evaluate(
            classifier, dataset, model, outputs, split=split, limit=limit, batch_size=batch_size, as_json=as_json
        )
        return
    with progress_bar("pictures", hidden=quiet) as advance:
        result = evaluate(
            classifier, dataset, split=split, limit=limit, batch_size=batch_size, on_progress=advance,
            logits_of=logits,
        )  # fmt: skip
    told = result.answers
    written = outputs.write(
        lambda: gallery(result) if result.mistakes else None,
        "there is no mistake to draw",
        None if told is None else partial(told.as_table, result.classes),
        Report(classifier.path, classifier.trained, result),
    )
    if as_json:
        asked = result.answers.as_dict(top) if top and result.answers else {}
        show_result(json_text({"model": model} | result.as_dict() | asked | written))
        return
    show(*_lines(result, top), *written.values())


def _others(
    classifier: Classifier, who: "Scaling", tell: Callable[[str], object]
) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
    """What other processes do, if any: open pictures, and run the network. They begin when there are pictures."""
    if who.is_plain:
        return None, None
    from convcli.jobs.evaluate_many import logits_on, opened_on

    context = click.get_current_context()
    engine = cache(lambda: context.with_resource(who.engine(tell)))
    return (
        lambda paths, rule: opened_on(paths, rule, engine()),
        lambda images, batch_size: logits_on(classifier, images, batch_size, engine()),
    )


def _lines(result: Evaluation, top: int | None) -> list[str]:
    wrong, answers = len(result.mistakes), result.answers
    told = [f"F1 {result.f1:.2%}"]
    if answers is not None:
        ranks = [top] if top else answers.usual_ranks[1:2]
        told = [f"top-{k} accuracy {answers.top(k):.2%}" for k in ranks] + told
        told.append(f"calibration error {answers.calibration_error:.2%}")
    return [
        *wrap(f"accuracy {result.accuracy:.2%} on {result.measured_on}", _WIDTH),
        f"{wrong:,} wrong of {result.count:,}, loss {result.loss:.4f}",
        "",
        *_table(result),
        *wrap(", ".join(told), _WIDTH),
        "",
        *_confusion(result),
    ]


def _table(result: Evaluation) -> list[str]:
    width = max(5, *(min(len(name), _LONGEST_LABEL) for name in result.classes))
    lines = [f"{'class':<{width}} {'count':>7} {'precision':>10} {'recall':>8}"]
    for each in result.per_class:
        precision, recall = ("-" if share is None else f"{share:.2%}" for share in (each.precision, each.recall))
        lines.append(f"{_short(each.label, width):<{width}} {each.count:>7,} {precision:>10} {recall:>8}")
    return lines


def _confusion(result: Evaluation) -> list[str]:
    """The matrix if 80 columns hold it, else what is confused most often."""
    names = result.classes
    cell = 1 + max(len(f"{int(result.confusion.max())}"), max(len(name) for name in names))
    least = 1 + len(f"{int(result.confusion.max())}")
    side = max(min(len(name), _LONGEST_LABEL) for name in names)
    if side + cell * len(names) > _WIDTH:
        # Longer names are cut, but not to nothing: two letters tell most classes apart.
        cell = max(least, min(cell, (_WIDTH - side) // len(names)))
        side = min(side, _WIDTH - cell * len(names))
    if side < min(6, max(map(len, names))) or cell < 3:
        pairs = most_confused(result)
        lines = [f"  {_short(true, 30)} taken for {_short(taken, 30)}: {count:,}" for true, taken, count in pairs]
        return ["most often confused", *(lines or ["  nothing"])]
    head = "".join(f"{_short(name, cell - 1):>{cell}}" for name in names)
    lines = ["confusion: rows are the truth, columns what the model said", " " * side + head]
    for name, row in zip(names, result.confusion.tolist(), strict=True):
        lines.append(f"{_short(name, side):>{side}}" + "".join(f"{count or '·':>{cell}}" for count in row))
    return lines


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: max(width - 1, 1)]}…"[:width]
