"""`convcli data`: the data sets with a name."""

import click

from convcli.cli import Commands, downloads, options
from convcli.cli.completing import DATA
from convcli.cli.printing import show, show_result
from convcli.jobs.data import DataReport, fetch_data, find_data, list_data
from convcli.jobs.documents import json_text


@click.group(cls=Commands)
def command() -> None:
    """Data sets for training: list them, fetch them, say where they lie.

    Files are looked for in --data-dir, then in the folder that CONVCLI_DATA_DIR names, then in your cache folder, there
    in a sub-folder of the data set's name or directly; .gz or unpacked. Downloads go to the cache folder and are
    checked before use.

    A folder with one sub-folder of pictures per class is a data set too, and needs no name: classes are sorted; the
    most common size counts, at most 256, and other pictures are scaled to fill it and cropped at the centre; all are
    grey unless one shows a colour; what is transparent shows white. Files may lie deeper in a class's folder.
    Sub-folders train and test, val, valid or validation are splits. Folders of WAV, .npy or TIFF volumes are brought to
    their most common shape: cut off, or filled with zeros, at both ends.

    So is an .npz with samples and labels (x_train, y_train, perhaps x_val, y_val, x_test, y_test; images, labels; X,
    y), the same names as .npy or IDX files side by side, and a .csv with a label and numbers, or the name of a file, in
    each row: the label is in a column called label, class or target, else the only one with words; else the first, or
    of columns with names without digits the last. Rows of pixels are squares, 16 numbers or more series, fewer
    features.

    Arrays of whole numbers of 0 to 255, or of floats that are such divided by 255, are pixels; all others are brought
    to mean 0 and deviation 1 by the model.

    \b
    Examples:
      convcli data list
      convcli data fetch mnist
      convcli data path mnist
    """


@command.command("list")
@downloads.data_dir
@options.as_json
def list_command(data_dir: str | None, as_json: bool) -> None:
    """Print every data set: size, licence, and where it lies.

    \b
    Examples:
      convcli data list
      convcli data list --json
    """
    reports = list_data(data_dir)
    if as_json:
        show_result(json_text([report.as_dict() for report in reports]))
        return
    for report in reports:
        show(*_lines(report))


@command.command("fetch")
@click.argument("names", metavar="NAME...", type=DATA, nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", help="Download into DIR/NAME instead of the cache folder.")
@downloads.data_dir
@downloads.offline
@options.as_json
@options.quiet
def fetch_command(
    names: tuple[str, ...], output: str | None, data_dir: str | None, offline: bool, as_json: bool, quiet: bool
) -> None:
    """Download data sets that are not here yet; print their folders.

    Every file is compared with its known checksum before it is used. If one server fails, the next is tried.

    \b
    Examples:
      convcli data fetch mnist
      convcli data fetch mnist cifar10 -o /media/stick
    """
    if output is not None and offline:
        raise options.WrongUsage("got both --output and --offline, expected one of them")
    documents = []
    for name in names:
        with downloads.reporting(quiet=quiet) as reports:
            report = fetch_data(name, data_dir=data_dir, target=output, offline=offline, reports=reports)
        documents.append(report.as_dict())
        if not as_json:
            show_result(str(report.folder))
    if as_json:
        show_result(json_text(documents))


@command.command("path")
@click.argument("name", type=DATA)
@downloads.data_dir
@options.as_json
def path_command(name: str, data_dir: str | None, as_json: bool) -> None:
    """Print the folder a data set lies in, its files checked.

    \b
    Examples:
      convcli data path mnist
      convcli data path mnist --data-dir /media/stick
    """
    report = find_data(name, data_dir)
    show_result(json_text(report.as_dict()) if as_json else str(report.folder))


def _lines(report: DataReport) -> list[str]:
    entry = report.entry
    rule = entry.preprocessing
    size = f"{rule.height}x{rule.width}x{rule.channels}"
    train, test = entry.counts
    if report.folder is not None:
        where = "part of convcli" if entry.ships else f"in {report.folder}"
    else:
        where = f"not here: convcli data fetch {entry.name} ({entry.download_size / 1e6:.0f} MB)"
    return [
        f"{entry.name:15}{entry.title}",
        f"{'':15}{train:,} + {test:,} images of {size}, {len(entry.classes)} classes",
        f"{'':15}licence: {entry.licence}",
        f"{'':15}{where}",
        *(f"{'':15}passed over: {problem}" for problem in report.problems),
    ]
