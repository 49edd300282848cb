"""How cost grows with the work, drawn with matplotlib: time and memory on logarithmic axes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.views.curves import FIRST, SECOND, new_figure, write_figure

_ABREAST = 4  # plots
_LEAST_BYTES = 1_000_000


def draw_growth(lines: Sequence[tuple[str, str, float, Sequence[Any]]], path: Path, *, overwrite: bool = False) -> None:
    """Draw how cost grows with the work: a plot for each operation, on logarithmic axes, into a file as above.

    ``lines`` are a name, the unit of the work, the slope that a cost in proportion has, and points with ``amount``,
    ``seconds`` and ``bytes``.
    """
    rows = -(-len(lines) // _ABREAST)
    figure = new_figure(4.2 * _ABREAST, 3.1 * rows)
    plots = list(figure.subplots(rows, _ABREAST, squeeze=False).flat)
    for axes, (name, unit, proportional, points) in zip(plots, lines, strict=False):
        amounts, times = [each.amount for each in points], [each.seconds * 1e3 for each in points]
        last = [times[-1] * (amount / amounts[-1]) ** proportional for amount in amounts]
        axes.plot(amounts, last, ":", color="gray", label="in proportion")
        axes.plot(amounts, times, "o-", color=FIRST, label="ms")
        # Less is what the allocator had at hand.
        held = [(each.amount, each.bytes / 1e6) for each in points if each.bytes and each.bytes > _LEAST_BYTES]
        if held:
            axes.plot(*zip(*held, strict=True), "s--", color=SECOND, label="MB")
        axes.set(xscale="log", yscale="log", xlabel=unit, title=name)
        axes.set_xticks(amounts, [f"{each:,.4g}" if each < 1000 else f"{each:,.0f}" for each in amounts])
        axes.tick_params(axis="x", labelrotation=45, labelsize="small")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    for axes in plots[len(lines) :]:
        axes.set_axis_off()
    write_figure(figure, path, overwrite=overwrite)
