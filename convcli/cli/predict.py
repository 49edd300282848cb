"""`convcli predict`: what pictures show."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from convcli.atomic import check_target, write_whole
from convcli.cli import options
from convcli.cli.completing import FILE, MODEL
from convcli.cli.files import look_for, say_left_out
from convcli.cli.printing import Warnings, say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.datasets.outside import SUFFIXES as ARRAYS
from convcli.datasets.strokes import region_of
from convcli.images import MAX_PIXELS, READABLE_SUFFIXES, write
from convcli.jobs.classifier import Classifier, load_classifier, percent
from convcli.jobs.documents import json_text
from convcli.jobs.inputs import STREAM, check_apart
from convcli.jobs.predict import MOST_SHOWN, Prediction, boxed_pictures, predict, seen_picture, table_of


@click.command()
@click.argument("images", metavar="IMAGE...", type=FILE, nargs=-1, required=True)
@click.option("--model", type=MODEL, help="A model that convcli train wrote.  [default: the MNIST model of convcli]")
@click.option("--top", type=options.AtLeast(1), default=3, show_default=True, metavar="N", help="Classes to print.")
@click.option("--show", metavar="OUT.png", help="Write the picture that the network saw; of several, a sheet.")
@click.option("--each", is_flag=True, help="Tell each of several digits in a picture, and where it is.")
@click.option("-o", "--output", metavar="OUT", help="The mask or the picture that is made: a file, folder or template.")
@click.option("--csv", "table", metavar="OUT.csv", help="Write a table with the probability of each class.")
@click.option("--overwrite", is_flag=True, help="Let -o, --show and --csv replace an existing file.")
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
    each: bool,
    output: str | None,
    table: str | None,
    overwrite: bool,
    max_pixels: int | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Tell what pictures show, with a trained model; also of series, volumes and features.

    IMAGE is a file, a glob pattern, a folder, or - for standard input. A picture is prepared as the model's training
    pictures were: for digits the one digit in a drawing or a photograph is found, whatever its size, place and colour,
    and brought to MNIST's form; other pictures are scaled to fill the network's input and cropped at the centre. With
    --each all digits of a page are told, line by line, and --show draws a box around each.

    A model of series, volumes or features takes .npy, .npz, .csv, WAV and TIFF files of one sample or of many, which
    are told one by one, as x.npy[0]; a model of pictures takes arrays of its input's size, too.

    What a model of --task segment or denoise makes of a picture is written beside it (photo_mask.png, photo_clean.png),
    or where -o says; as .npy it keeps the places of classes, or all digits. Numbers and marks are printed.

    A line has the file, the likeliest class with its probability, and the next ones. Pictures that cannot be used are
    named at the end, and the exit code is then 1; what else a folder held is counted by kind.

    \b
    Examples:
      convcli predict digit.jpg
      convcli predict scans/ --top 1
      convcli predict scans/ --recursive --show sheet.png
      convcli predict digit.png --show seen.png
      convcli predict page.jpg --each --show boxes.png --csv page.csv
      convcli predict photo.jpg --model pets.safetensors --json
      convcli predict cells.png --model cells.safetensors -o mask.png
    """
    _check_outputs(show, table, overwrite=overwrite)
    classifier = load_classifier(model, pictures=False, any_task=True)
    takes_pictures = classifier.rule.takes_pictures or classifier.task in ("segment", "denoise")
    kinds = READABLE_SUFFIXES if takes_pictures else (*ARRAYS, ".tif", ".tiff", ".nii", ".nii.gz")
    found = look_for(images, recursive, kinds)
    sources = found.files
    for target in filter(None, (show, table)):
        options.usage(partial(check_apart, target, sources))
    options.start_loops(threads, quiet=quiet)
    if classifier.task != "classify":
        from convcli.cli import answers  # with all that trainings know of their tasks

        return answers.predict(
            classifier, sources, output, max_pixels=max_pixels or MAX_PIXELS, overwrite=overwrite, as_json=as_json,
            quiet=quiet,
        )  # fmt: skip
    if output is not None:
        raise click.UsageError("-o: got a model that tells classes apart, which are printed; --csv writes a table")
    limit, warnings = max_pixels or MAX_PIXELS, Warnings()
    predictions = _told(classifier, sources, warnings, top=top, max_pixels=limit, each=each, json=as_json, quiet=quiet)
    if not quiet:
        warnings.say()
    good = [told for told in predictions if not told.error]
    if table is not None:
        write_whole(Path(table), table_of(good, classifier.classes), overwrite=overwrite)
    if show is not None and good:
        write(boxed_pictures(good, max_pixels=limit) if each else seen_picture(good), show, overwrite=overwrite)
        if len(good) > MOST_SHOWN and not quiet:
            say(f"Warning: {show} shows the first {MOST_SHOWN} of {len(good)} pictures")
    if as_json:
        show_result(json_text([told.as_dict() for told in good]))
    failed = _say_failed(predictions, quiet=quiet)
    if not quiet:
        say_left_out(found)
    return failed


def _check_outputs(show: str | None, table: str | None, *, overwrite: bool) -> None:
    if show is not None:
        options.check_picture(show, overwrite=overwrite)
    if table is not None:
        options.usage(lambda: options.require_suffix(table, (".csv",)))
        check_target(Path(table), overwrite=overwrite)


def _told(
    classifier: Classifier, sources: Sequence[str], warnings: Warnings, *, json: bool, quiet: bool, **words: Any
) -> list[Prediction]:
    """What the samples show, each printed as soon as it is known; ``words`` are those of `predict`."""
    stdin = getattr(sys.stdin, "buffer", None) if STREAM in sources else None
    predictions: list[Prediction] = []
    with progress_bar("pictures", hidden=quiet or len(sources) < 2) as advance:
        for told in predict(classifier, list(sources), stdin=stdin, **words):
            predictions.append(told)
            _report(told, warnings, as_json=json)
            advance(min(len(predictions), len(sources)), len(sources))
    return predictions


def _say_failed(predictions: Sequence[Prediction], *, quiet: bool) -> int:
    """Name the pictures that could not be used; returns the exit code."""
    bad = [told for told in predictions if told.error]
    for told in bad:
        say(f"Error: {told.error}")
    if bad and len(predictions) > 1 and not quiet:
        say(f"{len(predictions) - len(bad)} of {len(predictions)} pictures told, {len(bad)} failed")
    return 1 if bad else 0


def _report(prediction: Prediction, warnings: Warnings, *, as_json: bool) -> None:
    for warning in prediction.warnings:
        warnings.add(prediction.file, warning)
    if as_json or prediction.error:
        return
    (label, probability), *others = prediction.top
    place = ""
    if prediction.box is not None:
        place = f" {region_of(prediction.box)}"
    words = [
        f"{prediction.file}{place}: {label} ({percent(probability)})",
        *(f"{each} {percent(p)}" for each, p in others),
    ]
    show("  ".join(words))
