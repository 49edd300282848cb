"""`convcli predict`: what pictures show."""

import sys

import click

from convcli.cli import options
from convcli.cli.completing import FILE, MODEL
from convcli.cli.files import look_for, say_left_out
from convcli.cli.printing import Warnings, say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.images import MAX_PIXELS, write
from convcli.jobs.classifier import load_classifier, percent
from convcli.jobs.documents import json_text
from convcli.jobs.inputs import STREAM, check_apart
from convcli.jobs.predict import MOST_SHOWN, Prediction, predict, seen_picture


@click.command()
@click.argument("images", metavar="IMAGE...", type=FILE, nargs=-1, required=True)
@click.option("--model", type=MODEL, help="A model that convcli train wrote.  [default: the MNIST model of convcli]")
@click.option("--top", type=options.AtLeast(1), default=3, show_default=True, metavar="N", help="Classes to print.")
@click.option("--show", metavar="OUT.png", help="Write the picture that the network saw; of several, a sheet.")
@click.option("--overwrite", is_flag=True, help="Let --show replace an existing file.")
@options.looking_below
@options.max_pixels
@options.threads
@options.as_json
@options.quiet
def command(
    images: tuple[str, ...],
    recursive: bool,
    model: str | None,
    top: int,
    show: str | None,
    overwrite: bool,
    max_pixels: int | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Tell what pictures show, with a trained model.

    IMAGE is a file, a glob pattern, a folder, or - for standard input. A picture is prepared as the model's training
    pictures were: for digits the one digit in a drawing or a photograph is found, whatever its size, place and colour,
    and brought to MNIST's form; other pictures are scaled to fill the network's input and cropped at the centre.

    A line has the file, the likeliest class with its probability, and the next ones. Pictures that cannot be used are
    named at the end, and the exit code is then 1; what else a folder held is counted by kind.

    \b
    Examples:
      convcli predict digit.jpg
      convcli predict scans/ --top 1
      convcli predict scans/ --recursive --show sheet.png
      convcli predict digit.png --show seen.png
      convcli predict photo.jpg --model pets.safetensors --json
    """
    found = look_for(images, recursive)
    sources = found.files
    if show is not None:
        options.check_picture(show, overwrite=overwrite)
        options.usage(lambda: check_apart(str(show), sources))
    options.start_loops(threads, quiet=quiet)
    classifier = load_classifier(model)
    stdin = getattr(sys.stdin, "buffer", None) if STREAM in sources else None
    predictions: list[Prediction] = []
    warnings = Warnings()
    with progress_bar("pictures", hidden=quiet or len(sources) < 2) as advance:
        for each in predict(classifier, sources, top=top, max_pixels=max_pixels or MAX_PIXELS, stdin=stdin):
            predictions.append(each)
            _report(each, warnings, as_json=as_json)
            advance(len(predictions), len(sources))
    if not quiet:
        warnings.say()
    good = [each for each in predictions if not each.error]
    if show is not None and good:
        write(seen_picture(good), show, overwrite=overwrite)
        if len(good) > MOST_SHOWN and not quiet:
            say(f"Warning: {show} shows the first {MOST_SHOWN} of {len(good)} pictures")
    if as_json:
        show_result(json_text([each.as_dict() for each in good]))
    bad = [each for each in predictions if each.error]
    for each in bad:
        say(f"Error: {each.error}")
    if bad and len(predictions) > 1 and not quiet:
        say(f"{len(good)} of {len(predictions)} pictures told, {len(bad)} failed")
    if not quiet:
        say_left_out(found)
    return 1 if bad else 0


def _report(prediction: Prediction, warnings: Warnings, *, as_json: bool) -> None:
    for warning in prediction.warnings:
        warnings.add(prediction.file, warning)
    if as_json or prediction.error:
        return
    (label, probability), *others = prediction.top
    words = [f"{prediction.file}: {label} ({percent(probability)})", *(f"{each} {percent(p)}" for each, p in others)]
    show("  ".join(words))
