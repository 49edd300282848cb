"""`convcli report`: everything about a trained model on one page."""

from pathlib import Path

import click

from convcli.cli import downloads, options
from convcli.cli.completing import DATA, MODEL
from convcli.cli.printing import say, show_result
from convcli.cli.progress import progress_bar
from convcli.jobs.documents import json_text
from convcli.jobs.report import SUFFIXES, check_report, make_report, write_report


@click.command()
@click.argument("model", metavar="MODEL", type=MODEL)
@click.option("-o", "--output", metavar="OUT.html", help="The page.  [default: MODEL.html beside MODEL]")
@click.option("--data", type=DATA,
              help="What to try it on.  [default: what it was trained on, if it lies here]")  # fmt: skip
@click.option("--limit", type=options.AtLeast(1), metavar="N", help="Use N pictures, of each class its share.")
@downloads.work_on_data
def command(
    model: str,
    output: str | None,
    data: str | None,
    limit: int | None,
    data_dir: str | None,
    offline: bool,
    overwrite: bool,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a page about a trained model: curves, confusion, mistakes, filters.

    MODEL is a .safetensors file that convcli train wrote, or the word shipped: the MNIST model of convcli. The page is
    one file that loads nothing: the curves of the training, what is taken for what, each class, the worst mistakes with
    their probabilities, the learned filters, the architecture, and how the model was made. It is readable in light and
    dark, and on a phone.

    Without --data nothing is downloaded: if the data the model was trained on are not on this machine, what needs them
    is left out, and the page says so. convcli train --report writes the same page.

    \b
    Examples:
      convcli report mnist.safetensors
      convcli report mnist.safetensors --data mnist -o report.html
      convcli report pets.safetensors --data pets/
    """
    target = output or (f"{model}.html" if not Path(model).suffix else str(Path(model).with_suffix(".html")))
    options.require_suffix(target, SUFFIXES)
    check_report(target, overwrite=overwrite)
    options.start_loops(threads, quiet=quiet)
    with downloads.reporting(quiet=quiet) as reports, progress_bar("pictures", hidden=quiet) as advance:
        report = make_report(
            model, data, data_dir=data_dir, offline=offline, limit=limit, reports=reports, on_progress=advance
        )
    if report.missing and not quiet:
        say(f"Note: confusion and mistakes are left out: {report.missing}")
    write_report(report, target, overwrite=overwrite)
    show_result(json_text({"output": target} | report.as_dict()) if as_json else target)
