"""How cost grows with the work, drawn with matplotlib: time and memory on logarithmic axes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.views.curves import FIRST, SECOND, new_figure, write_figure

_ABREAST = 4  # plots


def draw_growth(lines: Sequence[tuple[str, str, float, Sequence[Any]]], path: Path, *, overwrite: bool = False) -> None:
    """Draw how cost grows with the work: a plot for each operation, on logarithmic axes, into a file as above.

    ``lines`` are a name, the unit of the work, the slope that a cost in proportion has, and points with ``amount``,
    ``seconds`` and ``bytes``.
    """
    rows = -(-len(lines) // _ABREAST)
    figure = new_figure(4.2 * _ABREAST, 3.1 * rows)
    plots = figure.subplots(rows, _ABREAST, squeeze=False).flat
    for axes, (name, unit, proportional, points) in zip(plots, lines, strict=False):
        amounts, times = [each.amount for each in points], [each.seconds * 1e3 for each in points]
        last = [times[-1] * (amount / amounts[-1]) ** proportional for amount in amounts]
        axes.plot(amounts, last, ":", color="gray", label="in proportion")
        axes.plot(amounts, times, "o-", color=FIRST, label="ms")
        if all(each.bytes for each in points):
            axes.plot(amounts, [each.bytes / 1e6 for each in points], "s--", color=SECOND, label="MB")
        axes.set(xscale="log", yscale="log", xlabel=unit, title=name)
        axes.set_xticks(amounts, [f"{each:.3g}" for each in amounts], fontsize="small")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    for axes in plots:
        axes.set_axis_off()
    write_figure(figure, path, overwrite=overwrite)
