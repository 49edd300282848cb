"""The curves of a training, drawn with matplotlib: loss and accuracy by epoch, of training and of validation."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.atomic import write_whole
from convcli.errors import ConvcliError, shortened
from convcli.extras import install

# Okabe and Ito's colours, which colour-blind people tell apart.
FIRST, SECOND = "#0072B2", "#D55E00"
FORMATS = (".png", ".svg", ".pdf")


def draw_curves(history: Sequence[Any], path: Path, *, title: str = "", overwrite: bool = False) -> None:
    """Draw a history of epochs into a .png, .svg or .pdf file.

    Parameters
    ----------
    history : sequence
        Rows with ``epoch``, ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``; the last two may be None.
    path : Path
        The file; it appears complete or not at all.
    title : str
        Above both plots.
    overwrite : bool
        Whether the file may exist.

    Raises
    ------
    ConvcliError
        If matplotlib is not installed, or the file cannot be written.
    """
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in history]
    for axes, name, label in ((left, "loss", "loss"), (right, "accuracy", "accuracy")):
        axes.plot(epochs, [getattr(row, name) for row in history], "o-", color=FIRST, label="training")
        held = [getattr(row, f"val_{name}") for row in history]
        if None not in held:
            axes.plot(epochs, held, "s--", color=SECOND, label="validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    right.yaxis.set_major_formatter(lambda value, place: f"{value:.1%}")
    if title:
        figure.suptitle(title)
    write_figure(figure, path, overwrite=overwrite)


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches. Raises `ConvcliError` if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConvcliError(f"plot: matplotlib is not installed; {install('plot')}") from None
    return Figure(figsize=(width, height), layout="constrained")


def check_plot(path: Path) -> None:
    """Refuse a name of which no format follows. Raises `ConvcliError`."""
    if path.suffix.lower() not in FORMATS:
        got = shortened(path.suffix) if path.suffix else "no suffix"
        raise ConvcliError(f"{path}: got {got}, expected a name that ends in .png, .svg or .pdf")


def write_figure(figure: Any, path: Path, *, overwrite: bool) -> None:
    """Write a figure in the format of the file's name; it appears complete or not at all."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    write_whole(path, drawn.getvalue(), overwrite=overwrite)
