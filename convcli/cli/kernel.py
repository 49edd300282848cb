"""`convcli kernel`: list the kernel library, show one kernel."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator

import click

from convcli.architectures import shape_text
from convcli.cli import Commands, options
from convcli.cli.completing import KERNEL
from convcli.cli.printing import show, show_result
from convcli.errors import KernelError, shortened
from convcli.jobs.documents import json_text
from convcli.jobs.kernel import KernelDescription, aliases_of, describe, entry_as_dict, library
from convcli.kernels import LIBRARY, Entry
from convcli.kernels.entry import COMBINATIONS, MATRIXLESS
from convcli.kernels.parameters import format_value
from convcli.views.matrix import draw_matrices

LABEL = 12  # columns of the labels of `kernel show` and of the names of `kernel list`
NAME = 17


@click.group(cls=Commands)
def command() -> None:
    """List the kernel library; show one kernel as a matrix.

    A kernel is the small matrix of weights that `convcli filter` slides over an image. Everywhere a kernel is asked
    for, a SPEC may be a name, a name with parameters, a matrix, or a file:

    \b
      sharpen                        a name of the library
      gaussian:sigma=2               a name with a parameter
      box:size=3x5                   3 rows, 5 columns
      "0 -1 0; -1 5 -1; 0 -1 0"      a matrix: rows end with ;
      "1/9,1/9,1/9"                  fractions, commas; one row
      "0 1; 1 0 | 1 0; 0 1"          two planes of a 3-D kernel
      mine.csv                       a file: .txt .csv .json .npy

    Some are not linear and have no matrix: median, max, min, rank, bilateral, guided, nlmeans, canny. They filter
    pictures as the others do; kernel show says what they do.

    \b
    Examples:
      convcli kernel list
      convcli kernel show gaussian:sigma=2
    """


@command.command("list")
@click.argument("word", metavar="[WORD]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with everything that is known.")
def list_command(word: str | None, as_json: bool) -> None:
    """Print every kernel of the library with its parameters, or those of whose name or summary WORD is a part.

    Parameters are shown with their defaults; auto means that a value follows from the others. Edge kernels come as -x
    and -y; the name without an ending is the magnitude of both, -angle their direction.

    \b
    Examples:
      convcli kernel list
      convcli kernel list sharp
      convcli kernel list --json
    """
    entries = [entry for entry in LIBRARY.values() if word is None or _speaks_of(entry, word)]
    if not entries:
        raise options.WrongUsage(f"kernel list: no name or summary has {shortened(word)} in it; leave it out for all")
    if as_json:
        show(*json_text([entry_as_dict(entry) for entry in entries], indent=2).splitlines())
        return
    width = _width()
    for group in library():
        families = [family for family in group.families if any(each in entries for each in family)]
        if not families:
            continue
        show(group.title)
        for head, *members in families:
            show(*"\n".join(_list_lines(head, members, width)).split("\n"))
        show("")
    show("Details of one: convcli kernel show NAME")


@command.command("show", cls=options.MatrixCommand)
@click.argument("spec", metavar="SPEC", type=KERNEL)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: weights, sum, factors and more.")
def show_command(spec: str, as_json: bool) -> None:
    """Show one kernel: its weights, sum, factors, sign, scale and source.

    Small kernels are drawn as numbers, large ones in levels from 1 to 9, negative weights with a minus sign, in colour
    on a terminal (not if NO_COLOR is set). The anchor is the weight that lies on the output pixel.

    \b
    Examples:
      convcli kernel show sobel-x
      convcli kernel show gaussian:sigma=2,size=9
      convcli kernel show "1 2 1; 2 4 2; 1 2 1"
      convcli kernel show mine.csv
      convcli kernel show log:sigma=3 --json
    """
    try:
        described = describe(spec)
    except KernelError as error:
        raise options.WrongUsage(str(error)) from error
    if as_json:
        show_result(json_text(described.as_dict()))
        return
    show(*"\n".join(_show_lines(described, _width())).split("\n"))


def _speaks_of(entry: Entry, word: str) -> bool:
    return any(word.lower() in each.lower() for each in (entry.name, entry.summary, *aliases_of(entry)))


def _list_lines(head: Entry, members: list[Entry], width: int) -> Iterator[str]:
    indent = " " * (NAME + 2)
    yield from textwrap.wrap(head.summary, width, initial_indent=f"  {head.name:{NAME}}", subsequent_indent=indent)
    details = [
        "  ".join(f"{each.name}={each.default_text}" for each in head.parameters),
        "  ".join(member.name for member in members),
        f"also called {', '.join(aliases_of(head))}" if aliases_of(head) else "",
    ]
    for detail in filter(None, details):
        yield from textwrap.wrap(detail, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _show_lines(described: KernelDescription, width: int) -> Iterator[str]:
    kernel, entry = described.kernel, described.kernel.entry
    yield kernel.spec if len(kernel.spec) <= width else kernel.name
    if entry:
        yield from textwrap.wrap(entry.summary, width)
    yield ""
    if entry and entry.steps:
        for number, step in enumerate(entry.steps, 1):
            yield from textwrap.wrap(f"{number}. {step}", width, subsequent_indent="   ")
    else:
        yield _drawing(described, width)
    yield ""
    for label, text in _facts(described, width - LABEL):
        yield from textwrap.wrap(
            text,
            width,
            initial_indent=f"{label:{LABEL}}",
            subsequent_indent=" " * LABEL,
            break_on_hyphens=False,
        )


def _drawing(described: KernelDescription, width: int) -> str:
    kernel = described.kernel
    parts = kernel.entry.parts if kernel.entry else ()
    names = parts if len(parts) == len(kernel.planes) else [f"kernel {i}" for i in range(1, len(kernel.planes) + 1)]
    names = names if len(kernel.planes) > 1 else [""]
    matrices, titles = [], []
    for name, plane in zip(names, kernel.planes, strict=True):
        slices = plane if plane.ndim == 3 else [plane]
        for depth, each in enumerate(slices):
            matrices.append(each)
            titles.append(f"{name} plane {depth}".strip() if plane.ndim == 3 else name)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return draw_matrices(matrices, titles, width=width, colour=colour)


def _facts(described: KernelDescription, width: int) -> Iterator[tuple[str, str]]:
    kernel, entry = described.kernel, described.kernel.entry
    if not (entry and entry.steps):
        yield from _facts_of_weights(described, width)
    if kernel.combine != "single":
        yield "result", COMBINATIONS[kernel.combine]
    if entry is None:
        return
    for parameter in entry.parameters:
        if parameter.name in kernel.parameters:
            value = f"{parameter.name}={format_value(kernel.parameters[parameter.name])} ({parameter.range_text})"
            yield "parameter", f"{value}: {parameter.meaning}"
        else:  # its work was done when it chose the size
            allowed = f"{parameter.range_text}, default {parameter.default_text}"
            chose = "" if kernel.combine in MATRIXLESS else "; chooses the size"
            yield "parameter", f"{parameter.name} ({allowed}): {parameter.meaning}{chose}"
    yield "formula", entry.formula
    yield "sign", entry.sign
    yield "scale", entry.scale
    yield "source", entry.source


def _facts_of_weights(described: KernelDescription, width: int) -> Iterator[tuple[str, str]]:
    kernel = described.kernel
    axes = ("planes", "rows", "columns")[-kernel.ndim :]
    yield "size", f"{shape_text(described.size)} ({' x '.join(axes)})"
    places = ", ".join(f"{axis[:-1]} {index}" for axis, index in zip(axes, described.anchor, strict=True))
    even = "; of an even size the last before the middle" if any(n % 2 == 0 for n in described.size) else ""
    yield "anchor", f"{places} (counted from 0){even}"
    yield "sum", _sums(described)
    yield "separable", _separability(described)
    yield from _factors(described, width)
    for how in dict.fromkeys(described.plans):
        yield "computed by", how


def _sums(described: KernelDescription) -> str:
    least, most = min(described.sums_of_magnitudes), max(described.sums_of_magnitudes)
    magnitudes = f"sum of |weights| {least:.6g}" + (f" to {most:.6g}" if f"{least:.6g}" != f"{most:.6g}" else "")
    if described.kernel.is_zero_sum:
        return f"0 (zero-sum: a constant image gives 0); {magnitudes}"
    return f"{' '.join(f'{total:.6g}' for total in described.sums)}; {magnitudes}"


def _separability(described: KernelDescription) -> str:
    count, found = len(described.factors), sum(each is not None for each in described.factors)
    if count > 1:
        return f"{found} of {count} kernels"
    if not found:
        return "no"
    taps = described.kernel.planes[0].size
    return (
        f"yes: {' + '.join(map(str, described.size))} taps instead of {taps}" if sum(described.size) < taps else "yes"
    )


def _factors(described: KernelDescription, width: int) -> Iterator[tuple[str, str]]:
    """The factors of a separable linear kernel, shortened in the middle to one line each."""
    if described.kernel.combine != "single" or described.factors[0] is None:
        return
    axes = ("along z", "down y", "across x")[-described.kernel.ndim :]
    for axis, factor in zip(axes, described.factors[0], strict=True):
        values = factor.tolist()
        values = values if len(values) <= 2 * width else values[:width] + values[-width:]  # more are never shown
        words = [f"{value:.4g}" for value in values]
        kept = len(words)
        while kept > 2 and len(" ".join(_middle_cut(words, kept))) > width:
            kept -= 2
        yield f"  {axis}", " ".join(_middle_cut(words, kept))


def _middle_cut(words: list[str], kept: int) -> list[str]:
    return words if kept >= len(words) else [*words[: kept // 2], "...", *words[-(kept // 2) :]]


def _width() -> int:
    """Columns of the terminal, at most 120 so that lines stay readable; 80 where there is no terminal."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, 40), 120)
