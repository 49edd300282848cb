"""`convcli toeplitz`: correlation as a matrix."""

from typing import Any

import click

from convcli.architectures import shape_text
from convcli.cli import options
from convcli.cli.completing import KERNEL
from convcli.cli.printing import show, show_result
from convcli.jobs.documents import json_text, named
from convcli.jobs.toeplitz import Toeplitz, check_drawing, draw, toeplitz
from convcli.views.toeplitz import matrix_lines


@click.command(cls=options.MatrixCommand)
@click.option("-i", "--input", "sizes", type=options.Counts(None), required=True, metavar="N|NxM",
              help="The input: a series of N numbers, or a picture of N rows and M columns.")  # fmt: skip
@click.option("-k", "--kernel", required=True, type=KERNEL, help="The kernel; one row for a series.")
@click.option("--values", metavar="MATRIX", help='The input\'s numbers, "3 1 2; 0 5 4".  [default: 1 2 3 ...]')
@options.stride()
@options.padding(default="valid", help="valid, same, full, or cells added at each side.")
@options.dilation(help="Step between taps.")
@options.border("What the padding holds, as in filter; the constant is 0.", "constant")
@options.convolve
@click.option("-o", "--output", metavar="OUT", help="Draw it: .png or .svg.")
@options.overwrite
@options.threads
@options.max_memory
@options.as_json
def command(kernel: str, sizes: tuple[int, ...], output: str | None, **settings: Any) -> None:
    """Write a correlation as a matrix, and multiply with it.

    Each row of the matrix makes one output cell, each column belongs to one input cell, both in reading order; zeros
    are dots. The kernel's weights lie on diagonals: the same few numbers in every row, where a dense layer has one of
    its own for each pair of cells. The product is compared with what convcli.correlate2d computes.

    \b
    Examples:
      convcli toeplitz --input 5 --kernel "1 0 -1"
      convcli toeplitz --input 4x4 --kernel "1 2; 3 4" -o matrix.png
      convcli toeplitz --input 6 --kernel "1 2 1" --stride 2 --padding 1
      convcli toeplitz --input 5 --kernel "1 0 -1" --values "3 1 4 1 5"
      convcli toeplitz --input 4 -k "1 1 1" --padding same --border wrap

    The transposed matrix is what backpropagation and a transposed convolution multiply with. A picture's matrix
    consists of blocks, one for each pair of an output and an input row, each a Toeplitz matrix; with --border wrap it
    is circulant.

    At most 1024 cells of input and as many of output: the matrix has a million numbers then. What is wider than 80
    columns is not printed, but drawn with -o.
    """
    threads, overwrite, as_json = settings.pop("threads"), settings.pop("overwrite"), settings.pop("as_json")
    if output is not None:
        target = output
        options.usage(lambda: check_drawing(target, overwrite=True))
        check_drawing(output, overwrite=overwrite)

    options.start_loops(threads)
    words = {key: _spread(settings[key], sizes) for key in ("stride", "dilation")}
    found: Toeplitz = options.usage(lambda: toeplitz(sizes, kernel, **settings | words))
    if output is not None:
        draw(found, output, overwrite=overwrite)
    if as_json:
        show_result(json_text(_document(found, output)))
        return
    show(*_lines(found, output), *([] if output is None else [output]))


def _spread(counts: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    return counts * len(sizes) if len(counts) == 1 else counts


def _lines(found: Toeplitz, drawing: str | None) -> list[str]:
    rows, columns = found.matrix.shape
    lines = [f"output {shape_text(found.output)}: {', '.join(found.formulas)}", ""]
    blocks = (found.output[-1], found.input[-1])
    drawn = matrix_lines(found.matrix, found.vector, found.result, blocks=blocks)
    if drawn is None:
        elsewhere = "-o matrix.png draws it" if drawing is None else "see the drawing"
        lines.append(f"  the matrix is too wide for 80 columns; {elsewhere}")
    else:
        lines += drawn
    same = "the same" if found.difference == 0 else f"the same but for {found.difference:.1g}"
    return [
        *lines,
        "",
        f"matrix       {rows}x{columns}: {found.entries} of {found.matrix.size} entries are not zero",
        f"parameters   {found.parameters} shared by all rows; a dense layer has {found.dense}",
        f"correlation  convcli.correlate2d gives {same}",
    ]


def _document(found: Toeplitz, output: str | None) -> dict[str, Any]:
    return {
        **named(found, "input", "output"),
        **{name: getattr(found, name).tolist() for name in ("matrix", "vector", "result")},
        "entries": found.entries,
        "params": found.parameters,
        "dense_params": found.dense,
        "difference": found.difference,
        "drawing": output,
    }
