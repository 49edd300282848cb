"""`convcli gradcheck`: the gradients of layers and networks against finite differences."""

import click

from convcli.architectures import GrammarError
from convcli.architectures import values as read
from convcli.cli import options
from convcli.cli.printing import show, show_result
from convcli.cli.shape import Value
from convcli.jobs.documents import json_text, named
from convcli.jobs.gradcheck import GradcheckReport, gradcheck, is_network


@click.command()
@click.argument("words", nargs=-1, metavar="[LAYER...|MODEL]")
@click.option("--input", "-i", "size", metavar="HxWxC", type=Value("HxWxC", read.shape),
              help="The input; a network's own, or a small one for a layer, unless given.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1, 1024), default=2, show_default=True, help="Images in the batch.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of weights, input and directions.")
@options.threads
@options.max_memory
@options.as_json
def command(
    words: tuple[str, ...], size: tuple[int, ...] | None, batch: int, seed: int, threads: int | None, as_json: bool
) -> int:
    """Prove the gradients of layers, or of a network, by finite differences.

    In float64, for a random cotangent and along random directions, the difference of the outputs has to equal what the
    backward pass says. LAYER is in the grammar of `convcli shape --help`; each layer of a chain is checked by itself.
    MODEL is a network that comes with convcli, or a file; it is checked as a whole, through its loss. Without either,
    one layer of every kind is checked.

    The error is relative to the gradient's norm. Gradients that are all zero prove nothing and fail. The exit code is
    1 if a check fails.

    \b
    Examples:
      convcli gradcheck
      convcli gradcheck conv:8,kernel=3,stride=2,same --input 9x9x3
      convcli gradcheck mnist
      convcli gradcheck lenet5-1998 --json
    """
    options.start_loops(threads)
    try:
        report = gradcheck(words, input=size, seed=seed, batch=batch)
    except GrammarError as error:
        if words and is_network(words):
            raise
        raise click.UsageError(str(error)) from None
    if as_json:
        show_result(json_text(_document(report)))
    else:
        show(*_table(report))
    return 0 if report.passed else 1


def _table(report: GradcheckReport) -> list[str]:
    lines = [f"{'layer':<46} {'gradient of':<12} {'error':>8}  verdict"]
    before = None
    for row in report.rows:
        check, here = row.check, (row.check.layer, row.label)
        shown = "" if here == before else row.label if len(row.label) <= 46 else f"{row.label[:43]}..."
        lines.append(f"{shown:<46} {check.array:<12} {check.error:>8.1e}  {check.verdict}")
        before = here
    failed = sum(not row.check.passed for row in report.rows)
    right = f"all {len(report.rows)} gradients are right" if len(report.rows) > 1 else "the gradient is right"
    end = f"{failed} of {len(report.rows)} failed" if failed else right
    return [*lines, f"{end}; largest error {report.worst:.1e}"]


def _document(report: GradcheckReport) -> dict[str, object]:
    checks = [
        {**named(row.check, "layer"), "label": row.label, **named(row.check, "array", "error", "norm", "verdict")}
        for row in report.rows
    ]
    return {"passed": report.passed, "largest_error": report.worst, "checks": checks}
