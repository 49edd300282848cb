"""`convcli predict`: what pictures show."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convcli.atomic import check_target, write_whole
from convcli.cli import options, scaling
from convcli.cli.completing import FILE, MODEL
from convcli.cli.files import look_for, say_left_out
from convcli.cli.options import WrongUsage
from convcli.cli.printing import Warnings, say, show, show_result
from convcli.cli.progress import progress_bar
from convcli.datasets.outside import SUFFIXES as ARRAYS
from convcli.datasets.strokes import region_of
from convcli.images import MAX_PIXELS, READABLE_SUFFIXES, write
from convcli.jobs.classifier import Classifier, load_classifier, percent
from convcli.jobs.documents import json_text
from convcli.jobs.inputs import STREAM, Inputs, check_apart
from convcli.jobs.predict import MOST_SHOWN, Prediction, boxed_pictures, predict, seen_picture, table_of

if TYPE_CHECKING:
    from convcli.engines import Engine
    from convcli.jobs.predict_many import PartTold, Question
    from convcli.jobs.scaling import Scaling


@click.command()
@click.argument("images", metavar="IMAGE...", type=FILE, nargs=-1, required=True)
@click.option("--model", type=MODEL, help="A model that convcli train wrote.  [default: the MNIST model of convcli]")
@click.option("--top", type=options.AtLeast(1), default=3, show_default=True, metavar="N", help="Classes to print.")
@click.option("--show", metavar="OUT.png", help="Write the picture that the network saw; of several, a sheet.")
@click.option("--each", is_flag=True, help="Tell each of several digits in a picture, and where it is.")
@click.option("-o", "--output", metavar="OUT", help="The mask or the picture that is made: a file, folder or template.")
@click.option("--csv", "table", metavar="OUT.csv", help="Write a table with the probability of each class.")
@click.option("--parts", metavar="FOLDER", help="Write that table in parts, each of up to 1,024 pictures, in order.")
@click.option("--parquet", is_flag=True, help="Write --parts as Parquet (with pyarrow), not as CSV.")
@click.option("--resume", is_flag=True, help="Of --parts: keep those that are there, but for those with failures.")
@click.option("--overwrite", is_flag=True, help="Let -o, --show, --csv and --parts replace what is there.")
@scaling.workers
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
    parts: str | None,
    parquet: bool,
    resume: bool,
    overwrite: bool,
    workers: int | None,
    cluster: str | None,
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

    IMAGE may be an address, too (s3://bucket/scans/). Many pictures are told by several processes with --workers, or on
    a Dask cluster with --cluster. Of very many --parts writes the table as part-000000.csv, part-000001.csv ..., whose
    paths are printed instead of lines; one behind the other they have the rows of --csv, each below a head of its own.
    FOLDER may be an address. A part appears whole, what failed in it beside it (part-000000.failed.csv), and --resume
    goes on with the next.

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
      convcli predict scans/ --recursive --parts told/ --workers 8
    """
    if show is not None:
        options.check_picture(show, overwrite=overwrite)
    if table is not None:
        options.require_suffix(table, (".csv",), "--csv")
        check_target(Path(table), overwrite=overwrite)
    who = scaling.who_works(workers, cluster)
    _check_parts(parts, who, parquet=parquet, resume=resume, others={"--show": show, "--csv": table})
    classifier = load_classifier(model, pictures=False, any_task=True)
    takes_pictures = classifier.rule.takes_pictures or classifier.task in ("segment", "denoise")
    kinds = READABLE_SUFFIXES if takes_pictures else (*ARRAYS, ".tif", ".tiff", ".nii", ".nii.gz")
    found = look_for(images, recursive, kinds)
    sources = found.files
    for target in filter(None, (show, table)):
        options.usage(partial(check_apart, target, sources))
    options.start_loops(threads, quiet=quiet)
    if classifier.task != "classify" and not (who.is_plain and parts is None):
        raise WrongUsage(
            f"got a model to {classifier.task} with workers or --parts, expected one that tells classes apart"
        )
    if classifier.task != "classify":
        from convcli.cli import answers  # with all that trainings know of their tasks

        return answers.predict(
            classifier, sources, output, explicit=images, max_pixels=max_pixels or MAX_PIXELS, overwrite=overwrite,
            as_json=as_json, quiet=quiet,
        )  # fmt: skip
    if output is not None:
        raise click.UsageError("-o: got a model that tells classes apart, which are printed; --csv writes a table")
    asked = _Asked(top, each, max_pixels or MAX_PIXELS, show, table, overwrite, as_json, quiet)
    if parts is None:
        return _tell_each(classifier, found, who, asked)
    from convcli.jobs.predict_many import Parts

    folder = Parts(parts, "parquet" if parquet else "csv")
    written = partial(folder.write, asked.question(classifier), sources, resume=resume, overwrite=overwrite)
    return _tell_parts(written, who, found, as_json=as_json, quiet=quiet)


@dataclass(frozen=True)
class _Asked:
    """What is to be told of pictures that show one class or another, and where."""

    top: int
    each: bool
    max_pixels: int
    show: str | None
    table: str | None
    overwrite: bool
    as_json: bool
    quiet: bool

    def question(self, classifier: Classifier) -> "Question":
        """The same for other processes."""
        from convcli.jobs.predict_many import Question

        return Question.of(classifier, top=self.top, max_pixels=self.max_pixels, each=self.each)

    def note(self, line: str) -> None:
        """Say something that is no error."""
        if not self.quiet:
            say(line)


def _tell_each(classifier: Classifier, found: Inputs, who: "Scaling", asked: _Asked) -> int:
    """Print what each picture shows, and write what is asked for; returns the exit code."""
    sources, predictions, warnings = found.files, list[Prediction](), Warnings()
    with (
        progress_bar("pictures", hidden=asked.quiet or len(sources) < 2) as advance,
        who.engine(asked.note) as engine,
    ):
        if who.is_plain:
            stdin = getattr(sys.stdin, "buffer", None) if STREAM in sources else None
            every = predict(
                classifier, sources, top=asked.top, max_pixels=asked.max_pixels, stdin=stdin, each=asked.each
            )
        else:
            from convcli.jobs.predict_many import predict_on

            every = predict_on(asked.question(classifier), sources, engine, asked.note)
        for told in every:
            predictions.append(told)
            _report(told, warnings, as_json=asked.as_json)
            advance(min(len(predictions), len(sources)), len(sources))
    if not asked.quiet:
        warnings.say()
    good = [told for told in predictions if not told.error]
    if asked.table is not None:
        write_whole(Path(asked.table), table_of(good, classifier.classes), overwrite=asked.overwrite)
    if asked.show is not None and good:
        sheet = boxed_pictures(good, max_pixels=asked.max_pixels) if asked.each else seen_picture(good)
        write(sheet, asked.show, overwrite=asked.overwrite)
        if len(good) > MOST_SHOWN:
            asked.note(f"Warning: {asked.show} shows the first {MOST_SHOWN} of {len(good)} pictures")
    if asked.as_json:
        show_result(json_text([told.as_dict() for told in good]))
    return _conclude(predictions, found, quiet=asked.quiet)


def _conclude(predictions: list[Prediction], found: Inputs, *, quiet: bool) -> int:
    """Say what failed and what was left out; returns the exit code."""
    bad = [told for told in predictions if told.error]
    for told in bad:
        say(f"Error: {told.error}")
    if bad and len(predictions) > 1 and not quiet:
        say(f"{len(predictions) - len(bad)} of {len(predictions)} pictures told, {len(bad)} failed")
    if not quiet:
        say_left_out(found)
    return 1 if bad else 0


def _check_parts(
    parts: str | None, who: "Scaling", *, parquet: bool, resume: bool, others: dict[str, str | None]
) -> None:
    """Raise `WrongUsage` for words that do not go together."""
    for word, is_given in (("--parquet", parquet), ("--resume", resume)):
        if is_given and parts is None:
            raise WrongUsage(f"{word}: got it alone, expected --parts FOLDER with it")
    given = [word for word, value in others.items() if value is not None]
    if parts is not None and given:
        raise WrongUsage(f"{given[0]}: got it with --parts, expected one of them")
    if others["--show"] is not None and not who.is_plain:
        raise WrongUsage("--show: got it with workers, expected one of them")


def _tell_parts(
    write: "Callable[[Engine, Callable[[str], object]], Iterator[PartTold]]",
    who: "Scaling",
    found: Inputs,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    """Have all parts written, print their names, and what there is to say about pictures at the end."""

    def tell(line: str) -> None:
        if not quiet:
            say(line)

    warnings, errors, names, count = Warnings(), list[str](), list[str](), 0
    with progress_bar("pictures", hidden=quiet) as advance, who.engine(tell) as engine:
        for part in write(engine, tell):
            names.append(part.name)
            if not as_json and not part.was_there:
                show_result(part.name)
            count += part.count
            errors += part.errors
            for file, text in part.warnings:
                warnings.add(file, text)
            advance(count + len(errors), len(found.files))
    if not quiet:
        warnings.say()
    if as_json:
        show_result(json_text({"parts": sorted(names), "told": count, "errors": errors}))
    for error in errors:
        say(f"Error: {error}")
    if errors and not quiet:
        say(f"{count} pictures told, {len(errors)} failed; --resume tries the parts of these again")
    if not quiet:
        say_left_out(found)
    return 1 if errors else 0


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
