"""The curves of a training, drawn with matplotlib: loss and accuracy by epoch, of training set and held-out images."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convcli.atomic import write_whole
from convcli.errors import ConvcliError, shortened
from convcli.extras import needed
from convcli.views.charts import MOST_MARKS, whole_ticks
from convcli.views.schemes import with_dark_scheme
from convcli.views.signs import typeset

# Okabe and Ito's colours, which colour-blind people tell apart.
FIRST, SECOND = "#0072B2", "#D55E00"
FORMATS = (".png", ".svg", ".pdf")


def draw_curves(
    history: Sequence[Any], path: Path, *, title: str = "", label_smoothing: float = 0.0, overwrite: bool = False
) -> None:
    """Draw a history of epochs into a .png, .svg or .pdf file.

    Parameters
    ----------
    history : sequence
        Rows with ``epoch``, ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``; the last two may be None.
    path : Path
        The file; it appears complete or not at all.
    title : str
        Above both plots.
    label_smoothing : float
        Of the ``loss``.
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
    solid, dashed = ("o-", "s--") if len(epochs) <= MOST_MARKS else ("-", "--")
    smoothed = f", label smoothing {label_smoothing:g}" if label_smoothing else ""
    for axes, name, more in ((left, "loss", smoothed), (right, "accuracy", "")):
        axes.plot(epochs, [getattr(row, name) for row in history], solid, color=FIRST, label=f"training set{more}")
        held = [getattr(row, f"val_{name}") for row in history]
        if None not in held:
            axes.plot(epochs, held, dashed, color=SECOND, label="held out")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.grid(alpha=0.3)
        axes.set_xticks(whole_ticks(epochs[0], epochs[-1]))
        axes.legend()
    right.yaxis.set_major_formatter(lambda value, place: f"{value:.1%}")
    if title:
        figure.suptitle(typeset(title))
    write_figure(figure, path, overwrite=overwrite)


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches. Raises `ConvcliError` if matplotlib is not installed."""
    library = needed("matplotlib.figure", "plot", "plot: matplotlib is not installed; ", ConvcliError)
    return library.Figure(figsize=(width, height), layout="constrained")


def check_plot(path: Path) -> None:
    """Refuse a name of which no format follows. Raises `ConvcliError`."""
    if path.suffix.lower() not in FORMATS:
        got = shortened(path.suffix) if path.suffix else "no suffix"
        raise ConvcliError(f"{path}: got {got}, expected a name that ends in .png, .svg or .pdf")


def write_figure(figure: Any, path: Path, *, overwrite: bool) -> None:
    """Write a figure in the format of the file's name, as SVG with a dark scheme; it appears complete or not at all."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
    content: bytes | str = drawn.getvalue()
    if path.suffix.lower() == ".svg":
        # Black letters have no colour of their own in the file.
        content = with_dark_scheme(drawn.getvalue().decode("utf-8"), {'[id^="text_"]': ("fill", "#000000")})
    write_whole(path, content, overwrite=overwrite)
