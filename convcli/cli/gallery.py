"""`convcli gallery`: what kernels do to pictures, on one sheet."""

from typing import Any

import click

from convcli.cli import options
from convcli.cli.completing import FILE, KERNEL
from convcli.cli.files import look_for, say_left_out
from convcli.cli.printing import Warnings, say, show_result
from convcli.cli.progress import progress_bar
from convcli.images import MAX_PIXELS, Image, write
from convcli.jobs.documents import json_text
from convcli.jobs.gallery import USUAL, Row, check_cells, make_rows, plan_gallery, sheet_of
from convcli.jobs.inputs import STREAM


@click.command(cls=options.MatrixCommand)
@click.argument("inputs", metavar="INPUT...", type=FILE, nargs=-1, required=True)
@click.option("-k", "--kernel", "kernels", multiple=True, type=KERNEL, help=f"A column; default: {', '.join(USUAL)}.")
@click.option("-o", "--output", metavar="OUT", default="gallery.png", show_default=True, help="The sheet.")
@click.option("--cell", type=click.IntRange(32, 2000), default=200, show_default=True, help="A cell's side in pixels.")
@options.looking_below
@options.quality
@options.overwrite
@options.max_pixels
@options.threads
@options.as_json
@options.quiet
def command(
    inputs: tuple[str, ...],
    kernels: tuple[str, ...],
    output: str,
    cell: int,
    recursive: bool,
    quality: int | None,
    overwrite: bool,
    max_pixels: int | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Show what kernels do to your pictures, on one sheet.

    INPUT is a file, a pattern or a folder. Pictures go down, kernels across; the first column is the picture itself.
    Cells are scaled down after filtering. Pictures that cannot be used are left out and named at the end, and the exit
    code is then 1; what else a folder held is counted by kind.

    \b
    Examples:
      convcli gallery photo.jpg
      convcli gallery photo.jpg -k sobel -k scharr -k farid -o edges.png
      convcli gallery shots/ --recursive --cell 300
    """
    plans = options.usage(lambda: plan_gallery(kernels))
    found = look_for(inputs, recursive)
    if STREAM in found.files:
        raise options.WrongUsage("input: got - for standard input, expected files or folders")
    options.check_picture(output, overwrite=overwrite, sources=found.files)
    check_cells(len(found.files), len(plans))
    options.start_loops(threads, quiet=quiet)
    rows: list[Row] = []
    warnings = Warnings()
    with progress_bar("pictures", hidden=quiet or len(found.files) < 2) as advance:
        for row in make_rows(found.files, plans, max_pixels=max_pixels or MAX_PIXELS):
            rows.append(row)
            for warning in row.warnings:
                warnings.add(row.file, warning)
            advance(len(rows), len(found.files))
    good = [row for row in rows if not row.error]
    sheet = sheet_of(good, plans, cell=cell) if good else None
    if sheet is not None:
        write(sheet, output, overwrite=overwrite, quality=quality)
    if as_json:
        show_result(json_text(_document(rows, output, sheet) | {"left_out": dict(found.left_out)}))
    elif sheet is not None:
        show_result(output)
    if not quiet:
        warnings.say()
    bad = [row for row in rows if row.error]
    for row in bad:
        say(f"Error: {row.error}")
    if not quiet:
        say_left_out(found)
    return 1 if bad else 0


def _document(rows: list[Row], output: str, sheet: Image | None) -> dict[str, Any]:
    return {
        "output": None if sheet is None else output,
        "shape": None if sheet is None else list(sheet.pixels.shape),
        "files": [{"input": row.file, "warnings": row.warnings} for row in rows if not row.error],
        "errors": [{"input": row.file, "error": row.error} for row in rows if row.error],
    }
